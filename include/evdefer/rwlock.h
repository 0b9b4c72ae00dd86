/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/rwlock.h
 * @page evrwlock
 *
 * A readers-writer lock for callbacks: an acquire returns a Deferred that
 * fires when the lock is granted.
 *
 * Nothing blocks, and the lock may be held over many turns of the loop.  Readers
 * share; a writer is alone.
 *
 * @par Who enters, and when
 * Writers are preferred:
 *
 * - A reader that arrives while a writer holds the lock or waits for it is queued.
 * - Readers are served in the order in which they came, and so are writers.
 * - When the last reader leaves, the first waiting writer enters.
 * - When a writer leaves, the next waiting writer enters, and if there is none, all
 *   queued readers.
 * - A waiter that is cancelled, freed or runs into a timeout leaves its queue at
 *   once.  If it was the only waiting writer, the readers queued behind it enter at
 *   once, beside readers that are inside.
 *
 * So writers that keep coming starve the readers, who wait as long as a writer is
 * inside or waits.  Where that may happen, let a writer do several changes at once, or
 * pause, or make the lock with EVRWLOCK_FAIR, which has all served in the order in
 * which they came.  And evrwlock_set_reader_limit() has some readers wait for others,
 * where what they read bears no more of them at once.
 *
 * @par Grants
 * A grant is a value whose disposal releases the lock.  The callback that
 * receives it (the value is the lock itself) holds the lock from then on and
 * has to release it once.  A grant that no callback ever received, because its
 * Deferred was freed, cancelled or timed out, is released by the library: a
 * waiter that was forgotten can never block a lock.
 *
 * By default a grant is delivered from the event loop, never from inside an
 * acquire or a release, and the loop polls after EVDEFER_BASE_BATCH of them.
 * With EVRWLOCK_FAST it is delivered at once.  Between the grant and its delivery
 * the lock counts as held.
 *
 * A cancel or timeout gives back a grant that is on its way, but once the
 * Deferred has fired it is too late: if a pause or deep nesting holds its links
 * back, the callback still gets the lock after the cancel, and has to release
 * it.  After evdeferred_free() no callback does.
 *
 * @par Upgradable reads
 * Who reads and may want to write later holds the lock upgradably: beside readers,
 * which are not held back, but not beside a writer or another one that is upgradable.
 * Such a hold can be upgraded: evrwlock_upgrade() adds a hold to write, as soon as
 * the readers inside have left, and before any writer.  So what was read is still
 * true.  And evrwlock_downgrade() makes less of a hold, with no writer in between.
 *
 * @par Two forms
 * The functions that name a reader or a writer are txrwlock's, and the fastest
 * ones.  evrwlock_acquire(), evrwlock_try(), evrwlock_release() and evrwlock_with()
 * are one form for all: they take the mode as a value, and an owner
 * (evdefer/owner.h), which may acquire again what it holds.  Without an owner they do
 * what the others do, and the two may be mixed: what was acquired with one may be
 * released with the other.
 *
 * Where it is acquired without an owner the lock does not know who holds it.  It counts,
 * as txrwlock does, and is not reentrant: a writer that acquires it again before
 * releasing it waits for itself, and so does a reader that acquires it again while a
 * writer waits.
 *
 * @thread The thread of the lock's base.
 * @origin txrwlock's TxReadersWriterLock, and aiorwlock's RWLock.
 */
#ifndef EVDEFER_RWLOCK_H
#define EVDEFER_RWLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evdefer/deferred.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evowner;
struct evrwlock;

/** Deliver grants at once: the acquire of a free lock returns a Deferred that
 * has fired, and a release fires the next waiters before it returns.  What
 * would nest too deeply (evdefer/deferred.h) is delivered by the outermost
 * call, and after EVDEFER_BASE_BATCH of these deliveries by the loop.
 * aiorwlock's fast=True. */
#define EVRWLOCK_FAST 0x1u

/** First come, first served: nobody starves, as nobody comes before one that waits
 * and has asked before.  Neighbours in the queue that read enter together; one that
 * wants to be upgradable counts as a reader in its place, and waits for its turn to be
 * that beside the queue, while readers behind it enter.  An upgrade still comes first,
 * and an owner still acquires again at once what it holds.  The price is that writers
 * wait longer, and that letting in n readers takes n steps.  Not for a lock that
 * others beyond its loop have a say in (evdefer/group.h, evdefer/file.h,
 * evdefer/cluster.h). */
#define EVRWLOCK_FAIR 0x2u

/** How to hold the lock. */
enum evrwlock_mode {
	EVRWLOCK_READ,	     /**< share it with others that read */
	EVRWLOCK_UPGRADABLE, /**< the same, as the only one that may upgrade */
	EVRWLOCK_WRITE	     /**< alone */
};

/**
 * Makes a lock that nobody holds.
 *
 * One for several loops is made with evrwlock_new_in_group(), one for several
 * processes with evrwlock_new_on_file(), and one for several machines with
 * evrwlock_new_in_cluster().
 *
 * @param flags 0, or EVRWLOCK_FAST and EVRWLOCK_FAIR, or one of them.
 * @return the lock, which the caller closes with evrwlock_free(); NULL with errno set.
 * @errno EINVAL No base, or an unknown flag.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @cost One allocation.
 * @origin txrwlock's TxReadersWriterLock().
 */
struct evrwlock *evrwlock_new(struct evdefer_base *base, unsigned flags);

/**
 * Closes the lock.
 *
 * Waiters fail with ESHUTDOWN before this returns.  Those who hold the lock, or
 * whose grant is still on its way, have to release it as before; the memory
 * goes with the last of them.  Nobody else may use the lock after this call; an
 * acquire by a holder fails with ESHUTDOWN.
 *
 * @param lock NULL is allowed and does nothing.
 * @cost O(n) for n waiters, and the time of their links.
 */
void evrwlock_free(struct evrwlock *lock);

/**
 * Asks for the lock, to read.
 *
 * The Deferred can be cancelled and freed at any time, and can have a timeout.
 *
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach().  It fires with the lock as its value; whoever receives
 *   that has to call evrwlock_reader_release() once.  NULL with errno set, and nothing is
 *   acquired.
 * @errno EINVAL No lock.
 * @errno ENOMEM
 * @fails ECANCELED
 * @fails ETIMEDOUT
 * @fails ESHUTDOWN evrwlock_free() was called, or evdefer_base_free() before this.
 * @cost O(1), and so is leaving the queue by a cancel, a timeout or evdeferred_free().
 * @origin txrwlock's readerAcquire().
 */
struct evdeferred *evrwlock_reader_acquire(struct evrwlock *lock);

/**
 * Asks for the lock, to write.
 *
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach().  It fires with the lock as its value; whoever receives
 *   that has to call evrwlock_writer_release() once.  NULL with errno set, and nothing is
 *   acquired.
 * @as evrwlock_reader_acquire()
 * @origin txrwlock's writerAcquire().
 */
struct evdeferred *evrwlock_writer_acquire(struct evrwlock *lock);

/**
 * Gives back one reader's hold.
 *
 * A grant whose Deferred has not fired is not a hold; one whose Deferred has fired is,
 * and a release gives it back, whether a callback has received it or not.
 *
 * @return 0, or -1 with errno set.
 * @errno EINVAL No lock.
 * @errno EPERM No reader holds it, and nothing was changed.
 * @errno ESTALE The right to the lock was lost (evrwlock_lost()).  The hold is given back
 *   all the same.
 * @cost O(1), and with EVRWLOCK_FAST the time of the callbacks that it runs.
 * @origin txrwlock's readerRelease(), which does not refuse; aiorwlock's does.
 */
int evrwlock_reader_release(struct evrwlock *lock);

/**
 * Gives back the writer's hold.
 *
 * A grant whose Deferred has not fired is not a hold; one whose Deferred has fired is,
 * and a release gives it back, whether a callback has received it or not.
 *
 * @as evrwlock_reader_release()
 * @errno EPERM No writer holds it, and nothing was changed.
 * @origin txrwlock's writerRelease(), which does not refuse; aiorwlock's does.
 */
int evrwlock_writer_release(struct evrwlock *lock);

/**
 * Takes the lock to read if that needs no waiting.
 *
 * @return 0, and the caller holds the lock, to be given back with
 *   evrwlock_reader_release(); or -1 with errno set.
 * @errno EBUSY A writer holds it or waits.
 * @errno EINVAL No lock.
 * @errno ESHUTDOWN The lock or its base was freed.
 * @cost O(1).
 */
int evrwlock_reader_try(struct evrwlock *lock);

/**
 * Takes the lock to write if nobody holds it.
 *
 * @return 0, and the caller holds the lock, to be given back with
 *   evrwlock_writer_release(); or -1 with errno set.
 * @as evrwlock_reader_try()
 * @errno EBUSY Somebody holds it.
 */
int evrwlock_writer_try(struct evrwlock *lock);

/**
 * Acquires the lock to read, runs a body, and releases the lock.
 *
 * It does what evrwlock_with() does without an owner, and without a bound on the wait:
 * the lock is given back when the result of the body is there, on success, on failure,
 * and when the returned Deferred is cancelled or freed.
 *
 * @param body must not release the lock itself.  It may return a Deferred
 *   (evresult_deferred()): the lock is held until that one has its result.
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's and fires with the result of the body.  If
 *   the lock is not granted, it fails, and the body is not run.  NULL with errno set, and
 *   nothing is acquired.
 * @errno EINVAL No lock or no body.
 * @errno ENOMEM
 * @fails ECANCELED
 * @fails ETIMEDOUT
 * @fails ESHUTDOWN evrwlock_free() was called, or evdefer_base_free() before this.
 * @fails ESTALE The right to the lock was lost while the body ran (evrwlock_lost()).
 * @cost O(1), and that of the body.
 * @origin aiorwlock's "async with lock.reader".
 */
struct evdeferred *evrwlock_with_reader(
    struct evrwlock *lock, evdeferred_body_fn body, void *arg);

/**
 * Acquires the lock to write, runs a body, and releases the lock.
 *
 * It does what evrwlock_with() does without an owner, and without a bound on the wait:
 * the lock is given back when the result of the body is there, on success, on failure,
 * and when the returned Deferred is cancelled or freed.
 *
 * @as evrwlock_with_reader()
 * @origin aiorwlock's "async with lock.writer".
 */
struct evdeferred *evrwlock_with_writer(
    struct evrwlock *lock, evdeferred_body_fn body, void *arg);

/**
 * Asks for the lock in the given mode, on behalf of an owner.
 *
 * An upgradable hold is queued as a read, and also behind the upgradable one
 * inside and those that wait.  When a writer leaves and none waits, all queued
 * readers enter, and the first that waits to be upgradable.
 *
 * What an owner may ask for that is inside:
 *
 * - One that writes is granted at once whatever it asks for.
 * - One that reads is granted another read at once, even while writers wait.
 * - One with an upgradable hold is granted another one of these, or a read, at once.
 *   If it asks to write, this is evrwlock_upgrade().
 * - One that only reads and asks for more fails with EDEADLK: to write, since it would
 *   wait for itself; and to be upgradable, since two that did that, and one of them
 *   then wrote, would wait for each other.  Who may want to write later has to say so
 *   first, and cannot wait for that and for something else of that lock, whichever of
 *   them it asked for before: EDEADLK, too.
 *
 * Each grant has to be released.  An owner that writes and reads may release the
 * write first: it goes on as a reader, and readers that waited enter beside it unless
 * a writer waits.
 *
 * @param owner who asks (evdefer/owner.h), of the same base as the lock; NULL for
 *   nobody in particular, as evrwlock_reader_acquire() and evrwlock_writer_acquire() do.
 * @param mode how to hold it.
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach().  It fires with the lock as its value; whoever receives
 *   that has to call evrwlock_release() once, with the same owner and mode.  NULL with
 *   errno, and nothing is acquired.
 * @errno EINVAL No lock, no such mode, or an owner of another base.
 * @errno ENOMEM
 * @errno ENOTSUP Nobody can hold this lock upgradably (evrwlock(3)).
 * @fails ECANCELED evdeferred_cancel() was called, or the owner was freed.
 * @fails EDEADLK The owner only reads and asks for more, or waits to be upgradable and
 *   asks for something beside that, or the other way round; or the wait would close a
 *   cycle of owners that wait for each other, over any number of locks.  The message
 *   names them.
 * @fails ESHUTDOWN evrwlock_free() was called, or this was after evdefer_base_free() or
 *   while the owner was being freed.
 * @fails ESTALE The owner is inside, and the right to the lock was lost
 *   (evrwlock_lost()): it would wait for itself.
 * @fails ETIMEDOUT
 * @cost O(1) where it need not wait, and so is leaving the queue.  An owner that has to
 *   wait while it holds or waits for something else pays for the search for a cycle:
 *   at most the number of holds and waits on the locks that the search comes to, and
 *   if nobody waits for what the owner holds, at most the number of its holds.
 * @origin aiorwlock's reader.acquire() and writer.acquire(), which a task has; it looks
 *   for no cycles.
 */
struct evdeferred *evrwlock_acquire(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode);

/**
 * Takes the lock in the given mode if that needs no waiting.
 *
 * The rules are those of evrwlock_acquire(); since it never waits, it looks for no
 * cycle.
 *
 * @param owner who takes it, of the same base as the lock, or NULL.
 * @param mode how to hold it.
 * @return 0, and the caller holds the lock, to be given back with evrwlock_release();
 *   or -1 with errno set.
 * @errno EBUSY It would have to wait.
 * @errno EDEADLK The owner only reads and asks for more, or waits to be upgradable and
 *   asks for something beside that, or the other way round.
 * @errno EINVAL No lock, no such mode, or an owner of another base.
 * @errno ENOMEM Out of memory, with an owner only.
 * @errno ENOTSUP Nobody can hold this lock upgradably (evrwlock(3)).
 * @errno ESHUTDOWN The lock or its base was freed, or the owner is being freed.
 * @errno ESTALE The owner is inside, and the right to the lock was lost.
 * @cost O(1).
 */
int evrwlock_try(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode);

/**
 * Gives back one hold.
 *
 * A grant whose Deferred has not fired is not a hold; one whose Deferred has fired is,
 * and a release gives it back, whether a callback has received it or not.  What a body
 * of evrwlock_with() runs under belongs to the library, and is none of the owner's.
 *
 * @param owner who holds it, or NULL for a hold that was acquired for nobody in
 *   particular.
 * @param mode as it was acquired, or as evrwlock_downgrade() has made it.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No lock, no such mode, or an owner of another base.
 * @errno ENOTSUP Nobody can hold this lock upgradably (evrwlock(3)).
 * @errno EPERM The owner, or nobody in particular, has received no such hold, and
 *   nothing was changed.
 * @errno ESTALE The right to the lock was lost (evrwlock_lost()).  The hold is given back
 *   all the same.
 * @cost O(1), and with EVRWLOCK_FAST the time of the callbacks that it runs.
 */
int evrwlock_release(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode);

/**
 * Asks for a hold to write beside the upgradable one that the caller has.
 *
 * It is granted when nobody else reads.  It comes before all writers that wait,
 * also those that came earlier, and as long as it waits no reader enters but
 * those that the owner itself asks for.  Reads that the owner holds are not
 * waited for; without an owner all are, since the lock cannot tell whose they
 * are.  What was read is still true when it is granted: nobody has written since.
 *
 * The hold is one to write as any other.  It is given back with
 * evrwlock_release(), mode EVRWLOCK_WRITE, and then the upgradable hold is as it
 * was before.  If the upgrade is cancelled or freed, or its time runs out, the
 * readers that it has held back enter at once, and the upgradable hold is as it
 * was.  Who upgrades again while an upgrade waits, or is inside, gets another
 * hold to write, together with the first or at once.  If the upgradable hold is
 * released while the upgrade waits, that goes on as the first of the writers.
 *
 * @param owner whose hold it is, or NULL for that of nobody in particular, of
 *   which there is one at most: the caller's.  For an owner,
 *   evrwlock_acquire() to write does the same.
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach().  It fires with the lock as its value; whoever receives
 *   that has to call evrwlock_release() once, with the same owner, and mode
 *   EVRWLOCK_WRITE.  NULL with errno set, and nothing is acquired.
 * @errno EINVAL No lock, or an owner of another base.
 * @errno ENOMEM
 * @errno ENOTSUP Nobody can hold this lock upgradably (evrwlock(3)).
 * @fails ECANCELED evdeferred_cancel() was called, or the owner was freed.
 * @fails EDEADLK The wait would close a cycle of owners that wait for each other.
 * @fails EPERM The owner, or nobody in particular, has no upgradable hold.
 * @fails ESHUTDOWN evrwlock_free() was called, or this was after evdefer_base_free() or
 *   while the owner was being freed.
 * @fails ESTALE The right to the lock was lost (evrwlock_lost()).
 * @fails ETIMEDOUT
 * @cost O(1), but for the search for cycles, as evrwlock_acquire().
 */
struct evdeferred *evrwlock_upgrade(
    struct evrwlock *lock, struct evowner *owner);

/**
 * Takes a hold to write beside the upgradable one if that needs no waiting.
 *
 * It is what evrwlock_upgrade() asks for.
 *
 * @param owner whose upgradable hold it is, or NULL for that of nobody in particular.
 * @return 0, and the caller has the hold to write, too; or -1 with errno set.
 * @errno EBUSY Somebody else reads.
 * @errno EINVAL No lock, or an owner of another base.
 * @errno ENOMEM Out of memory, with an owner only.
 * @errno ENOTSUP Nobody can hold this lock upgradably (evrwlock(3)).
 * @errno EPERM The owner, or nobody in particular, has no upgradable hold.
 * @errno ESHUTDOWN The lock or its base was freed, or the owner is being freed.
 * @errno ESTALE The owner is inside, and the right to the lock was lost.
 * @cost O(1).
 */
int evrwlock_try_upgrade(struct evrwlock *lock, struct evowner *owner);

/**
 * Makes less of a hold, without letting a writer in between.
 *
 * One to write becomes one to read, or an upgradable one, and an upgradable one becomes
 * one to read.  Those who may enter beside it do so: readers and one that is upgradable
 * if no writer waits.
 *
 * It is one hold for one: an owner with several keeps the others.  Who has
 * upgraded releases the hold to write instead, to be as before.  What a body of
 * evrwlock_with() runs under cannot be downgraded.
 *
 * @param owner who holds it, or NULL.
 * @param from the mode of a hold, as for evrwlock_release().
 * @param to the mode that it gets, and is to be released in.
 * @return 0, or -1 with errno set, and nothing was changed.
 * @errno EINVAL No lock, no such mode, @p to is not less than @p from, or an owner of
 *   another base.
 * @errno ENOTSUP Nobody can hold this lock upgradably (evrwlock(3)).
 * @errno EPERM The owner, or nobody in particular, has received no such hold.
 * @errno ESTALE The right to the lock was lost (evrwlock_lost()).
 * @cost O(1), and with EVRWLOCK_FAST the time of the callbacks that it runs.
 */
int evrwlock_downgrade(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode from, enum evrwlock_mode to);

/**
 * Acquires the lock, runs a body, and releases the lock when its result is there.
 *
 * The lock is given back on success, on failure, and when the returned Deferred is
 * cancelled or freed.  If the owner is freed while the body is under way, it is given
 * back then.
 *
 * @param owner who asks, of the same base as the lock; NULL for nobody in particular.
 * @param mode how to hold it.
 * @param patience how long to wait for the lock, from now, as with
 *   evdeferred_add_timeout().  It bounds the wait alone: what is granted at once has
 *   not waited, a grant that was waited for counts once it is delivered, and the body
 *   may take as long as it likes.  NULL sets no bound.
 * @param body must not release the lock itself.  It may return a Deferred
 *   (evresult_deferred()): the lock is held until that one has its result.
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's and fires with the result of the
 *   body.  If the lock is not granted, it fails as that of evrwlock_acquire()
 *   does, and the body is not run.  NULL with errno set, and nothing is acquired.
 * @errno EINVAL No lock, no body, no such mode, an owner of another base, or a patience
 *   that is negative or has microseconds outside of 0 to 999999.
 * @fails ETIMEDOUT @p patience has run out, or a timeout of evdeferred_add_timeout().
 * @fails ESTALE The right to the lock was lost (evrwlock_lost()) while the body ran, or
 *   the owner is inside and would wait for itself.
 * @as evrwlock_acquire()
 * @cost O(1), the search for cycles as for evrwlock_acquire(), and that of the body and
 *   of the timeout.
 * @origin aiorwlock's "async with".
 */
struct evdeferred *evrwlock_with(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode, const struct timeval *patience,
    evdeferred_body_fn body, void *arg);

/**
 * Has no more than so many readers inside at once, an upgradable one among them.
 *
 * Those that would be more wait until others leave, and enter in the order in which
 * they came.  A lower limit lets nobody out, only nobody in; a higher one lets in at
 * once those that wait for it.  What an owner that is inside acquires again never waits,
 * as it might wait for itself, nor does a downgrade.  So there may be more inside than
 * the limit says; others then wait until there are less.
 *
 * @param limit how many holds; 0, as at first, for any number.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No lock.
 * @errno ENOTSUP A lock that others beyond its loop have a say in: evdefer/group.h,
 *   evdefer/file.h, evdefer/cluster.h.
 * @errno ESHUTDOWN evrwlock_free() was called.
 * @cost O(1), and a step for each that it lets in.
 */
int evrwlock_set_reader_limit(struct evrwlock *lock, size_t limit);

/**
 * Tells how many readers may be inside at once.
 *
 * @return the limit, 0 for none or NULL.
 * @cost O(1).
 */
size_t evrwlock_get_reader_limit(const struct evrwlock *lock);

/**
 * @par A right that may be lost
 * Where the right to a lock comes from other machines, it may be lost while somebody is
 * inside: the process was stopped for too long, or cut off, and somebody elsewhere may
 * be inside by now.  Then it is lost for good for all that are inside in this process,
 * readers and writers, and the lock is lost until the last of them has released what he
 * has:
 *
 * - Nobody enters before.  A newcomer waits, a try fails with EBUSY, and an owner that
 *   is inside is refused with ESTALE, as it would wait for itself.
 * - A release takes the hold away and returns -1 with ESTALE; so does a downgrade, which
 *   changes nothing.
 * - Bodies under evrwlock_with() are cancelled, and one that begins later is not run.
 *   Whatever comes of them, the result is ESTALE.
 * - What waits stays in the queue, and what was granted and not delivered waits again,
 *   where it was, but for upgrades, which fail with ESTALE.
 *
 * When the last of them has left, the lock is as new, and asks for its right again if
 * somebody waits.  So those who were inside and those who come after them never meet
 * within the process.
 *
 * Across processes no lock can promise that: somebody may be stopped between the look
 * and the write, for an hour.  Only the token can (evrwlock_get_token()), if whatever is
 * written to remembers the highest one that it has seen, and refuses those that are
 * lower.
 *
 * On all other locks nothing is ever lost, and there are no tokens.
 *
 * Who gives such a right may know nothing of upgradable reads (evdefer/cluster.h).  Then
 * mode EVRWLOCK_UPGRADABLE is ENOTSUP in every call, and so are upgrades.
 */

/**
 * Gives the token of the right that is there.
 *
 * Over all processes each writer's is higher than those of all that were inside before,
 * and a reader's is not higher than that of any writer after it.  Each write carries it
 * to what is written to, which remembers the highest one that it has seen and refuses
 * those that are lower.
 *
 * @return the token; 0 if there is no right, or it is lost, or the lock has no tokens,
 *   and for NULL.
 * @cost O(1).
 */
uint64_t evrwlock_get_token(const struct evrwlock *lock);

/**
 * Looks whether those inside still have their right, by the clock, too.
 *
 * It is to be called before each effect, and makes the time short in which a loss is not
 * known.  If it finds the right lost, it tells all before it returns, as
 * evrwlock_lost() says.  On a lock whose right cannot be lost it succeeds.
 *
 * @return 0, also if nobody is inside; or -1 with errno set.
 * @errno EINVAL No lock.
 * @errno ESTALE Those inside have lost their right.
 * @cost O(1), and at a loss the time of the callbacks that it runs.
 */
int evrwlock_check(struct evrwlock *lock);

/**
 * Waits until a right is lost while somebody is inside.
 *
 * At a loss evrwlock_check() says so first, then upgrades fail and the bodies of
 * evrwlock_with() are cancelled, and then these Deferreds fire; until all have, nobody
 * enters.  What a loss means is said in evrwlock(3).
 *
 * One that is asked for when the right is lost by now is for the next loss.  So who
 * enters asks first, and then looks with evrwlock_check().
 *
 * @return a Deferred that is the caller's, to be freed with evdeferred_free(), and fires
 *   with NULL.  Each call makes a new one.  NULL with errno set.
 * @errno EINVAL No lock.
 * @errno ENOMEM
 * @fails ECANCELED
 * @fails ESHUTDOWN evrwlock_free() was called, or the base of a lock was freed whose
 *   right can be lost.
 * @cost O(1).
 */
struct evdeferred *evrwlock_lost(struct evrwlock *lock);

/**
 * Names the lock, for messages about deadlocks.
 *
 * @param name copied; NULL removes the name.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No lock.
 * @errno ENOMEM
 */
int evrwlock_set_name(struct evrwlock *lock, const char *name);

/**
 * Gives the name of the lock.
 *
 * @return the name, or "a lock" if it has none, and for NULL.  It lives until the next
 *   evrwlock_set_name().
 */
const char *evrwlock_get_name(const struct evrwlock *lock);

/**
 * Tells whether readers are inside, or one that is upgradable.
 *
 * @return whether they are, including those whose grant is on its way; false for NULL.
 * @cost O(1).
 * @origin txrwlock's isReading.
 */
bool evrwlock_is_reading(const struct evrwlock *lock);

/**
 * Tells whether a writer is inside.
 *
 * @return whether one is, including one whose grant is on its way; false for NULL.
 * @cost O(1).
 * @origin txrwlock's isWriting.
 */
bool evrwlock_is_writing(const struct evrwlock *lock);

/** Counts of a lock: first those of now, then totals since evrwlock_new().
 *
 * Waiters that evrwlock_free() has ended are not counted as cancelled. */
struct evrwlock_stats {
	size_t readers_inside;	  /**< granted and not released */
	size_t writers_inside;	  /**< 1 at most, or holds of one owner */
	size_t readers_waiting;	  /**< in the queue */
	size_t writers_waiting;	  /**< in the queue, upgrades too */
	uint64_t readers_granted; /**< to readers, by try, by downgrade and
				     those cancelled later too */
	uint64_t writers_granted; /**< the same to writers */
	uint64_t cancelled;   /**< left before delivery: by a cancel, a timeout,
				 evdeferred_free() or evowner_free() */
	size_t longest_queue; /**< most that waited at once */

	size_t upgradables_inside;    /**< 1 at most, or holds of one owner */
	size_t upgradables_waiting;   /**< in the queue */
	size_t upgrades_waiting;      /**< of writers_waiting */
	uint64_t upgradables_granted; /**< as readers_granted */

	bool lost;	 /**< the right of those inside */
	uint64_t losses; /**< of a right while somebody was inside */
};

/**
 * Writes the counts of a lock.
 *
 * @param stats must not be NULL; all 0 for a NULL lock.
 * @cost O(1).
 */
void evrwlock_get_stats(
    const struct evrwlock *lock, struct evrwlock_stats *stats);

/**
 * Describes the lock in words, for a log or a debugger.
 *
 * It says its name, whether it is free, reading or writing, and how many are inside and
 * waiting; upgradable ones are counted where there are any:
 *
 *     accounts (0x5581...): reading, inside: 2 readers, 0 writers,
 *     waiting: 0 readers, 1 writers
 *
 * The words may change from one version to the next.
 *
 * @as evdeferred_describe()
 * @origin aiorwlock's repr().
 */
int evrwlock_describe(const struct evrwlock *lock, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif

#endif
