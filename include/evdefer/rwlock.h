/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/rwlock.h
 *
 * A readers-writer lock for callbacks: an acquire returns a Deferred that
 * fires when the lock is granted.  txrwlock's TxReadersWriterLock.
 *
 * Readers share; a writer is alone.  Writers are preferred: a reader that
 * arrives while a writer holds the lock or waits for it is queued.  Readers are
 * served in the order in which they came, and so are writers.  When a writer
 * leaves, the next waiting writer enters, and if there is none, all queued
 * readers.  So writers that keep coming starve the readers, who wait as long as
 * a writer is inside or waits.  Where that must not be, EVRWLOCK_FAIR has all served
 * in the order in which they came.  And evrwlock_set_reader_limit() has some readers
 * wait for others, where what they read bears no more of them at once.
 *
 * A grant is a value whose disposal releases the lock.  The callback that
 * receives it (the value is the lock itself) holds the lock from then on and
 * has to release it.  A grant that no callback ever received, because its
 * Deferred was freed, cancelled or timed out, is released by the library: a
 * waiter that was forgotten can never block a lock.
 *
 * A cancel or timeout gives back a grant that is on its way, but once the
 * Deferred has fired it is too late: if a pause or deep nesting holds its links
 * back, the callback still gets the lock after the cancel, and has to release
 * it.  After evdeferred_free() no callback does.
 *
 * By default a grant is delivered from the event loop, never from inside an
 * acquire or a release, and the loop polls after EVDEFER_BASE_BATCH of them.
 * With EVRWLOCK_FAST it is delivered at once.
 *
 * Who reads and may want to write later holds the lock upgradably: beside readers,
 * which are not held back, but not beside a writer or another one that is upgradable.
 * Such a hold can be upgraded: evrwlock_upgrade() adds a hold to write, as soon as
 * the readers inside have left, and before any writer.  So what was read is still
 * true.  And evrwlock_downgrade() makes less of a hold, with no writer in between.
 *
 * The functions that name a reader or a writer are txrwlock's, and the fastest
 * ones.  evrwlock_acquire(), _try(), _release() and _with() are one form for
 * all: they take the mode as a value, and an owner (evdefer/owner.h), which may
 * acquire again what it holds.
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
 * others beyond its loop have a say in (evdefer/group.h, evdefer/file.h). */
#define EVRWLOCK_FAIR 0x2u

/** How to hold the lock. */
enum evrwlock_mode {
	EVRWLOCK_READ,	     /**< share it with others that read */
	EVRWLOCK_UPGRADABLE, /**< the same, as the only one that may upgrade */
	EVRWLOCK_WRITE	     /**< alone */
};

/**
 * Makes a lock that nobody holds.  One for several loops is made with
 * evrwlock_new_in_group() (evdefer/group.h).
 *
 * @param flags 0, or EVRWLOCK_FAST and EVRWLOCK_FAIR, or one of them.
 * @return the lock, to be freed with evrwlock_free(); NULL with errno EINVAL
 *   (no base, unknown flag), ENOMEM, or ESHUTDOWN (evdefer_base_free() was
 *   called).
 */
struct evrwlock *evrwlock_new(struct evdefer_base *base, unsigned flags);

/**
 * Closes the lock.  NULL is allowed.
 *
 * Waiters fail with ESHUTDOWN before this returns.  Those who hold the lock, or
 * whose grant is still on its way, have to release it as before; the memory
 * goes with the last of them.  Nobody else may use the lock after this call; an
 * acquire by a holder fails with ESHUTDOWN.
 */
void evrwlock_free(struct evrwlock *lock);

/**
 * Asks for the lock, to read.  txrwlock's readerAcquire().
 *
 * @return a Deferred that is the caller's, as evdeferred_new(), and fires with
 *   the lock as its value; whoever receives that has to call
 *   evrwlock_reader_release() once.  It fails with ECANCELED or ETIMEDOUT
 *   (evdeferred_cancel(), evdeferred_add_timeout()), or with ESHUTDOWN
 *   (evrwlock_free(), or a call after evdefer_base_free()).  NULL with errno
 *   EINVAL (no lock) or ENOMEM.  O(1), and so is leaving the queue by cancel,
 *   timeout or evdeferred_free().
 */
struct evdeferred *evrwlock_reader_acquire(struct evrwlock *lock);

/** Asks for the lock, to write.  txrwlock's writerAcquire().  As
 * evrwlock_reader_acquire(), with evrwlock_writer_release(). */
struct evdeferred *evrwlock_writer_acquire(struct evrwlock *lock);

/**
 * Gives back one reader's hold.  txrwlock's readerRelease().
 *
 * @return 0, or -1 with errno EINVAL (no lock) or EPERM: no reader holds it,
 *   and nothing was changed.  (A grant whose Deferred has not fired is not a
 *   hold; one whose Deferred has fired is, and a release gives it back, whether
 *   a callback has received it or not.)  O(1), and with EVRWLOCK_FAST the time
 *   of the callbacks it runs.
 */
int evrwlock_reader_release(struct evrwlock *lock);

/** Gives back the writer's hold.  txrwlock's writerRelease().  As
 * evrwlock_reader_release(). */
int evrwlock_writer_release(struct evrwlock *lock);

/**
 * Takes the lock to read if that needs no waiting.
 *
 * @return 0, and the caller holds the lock; or -1 with errno EBUSY (a writer
 *   holds or waits), ESHUTDOWN (the lock or its base was freed) or EINVAL.
 */
int evrwlock_reader_try(struct evrwlock *lock);

/** Takes the lock to write if nobody holds it.  As evrwlock_reader_try(). */
int evrwlock_writer_try(struct evrwlock *lock);

/**
 * Acquires the lock to read, runs @p body, and releases the lock when the
 * result of the body is there: evrwlock_with() without an owner, and without a
 * bound on the wait.  aiorwlock's "async with lock.reader".
 */
struct evdeferred *evrwlock_with_reader(
    struct evrwlock *lock, evdeferred_body_fn body, void *arg);

/** The same to write.  aiorwlock's "async with lock.writer". */
struct evdeferred *evrwlock_with_writer(
    struct evrwlock *lock, evdeferred_body_fn body, void *arg);

/**
 * Asks for the lock in the given mode, on behalf of an owner.  What a task gets
 * from aiorwlock's reader.acquire() and writer.acquire().
 *
 * An upgradable hold is queued as a read, and also behind the upgradable one
 * inside and those that wait.  When a writer leaves and none waits, all queued
 * readers enter, and the first that waits to be upgradable.
 *
 * An owner that writes is granted at once whatever it asks for.  One that reads
 * is granted another read at once, even while writers wait, and one with an
 * upgradable hold another one of these, too.  If that one asks to write, this is
 * evrwlock_upgrade().  Each grant has to be released.  If an owner that only
 * reads asks for more, this fails with EDEADLK: to write, since it would wait
 * for itself; and to be upgradable, since two that did that, and one of them
 * then wrote, would wait for each other.  Who may want to write later has to say
 * so first, and while it waits for that, it can ask for nothing else of that
 * lock: EDEADLK, too.  An owner that writes and reads may release the write
 * first: it goes on as a reader, and readers that waited enter beside it.
 *
 * @param owner who asks (evdefer/owner.h); NULL for nobody in particular, as
 *   evrwlock_reader_acquire() and evrwlock_writer_acquire() do.
 * @return a Deferred that is the caller's, as evdeferred_new(), and fires with
 *   the lock as its value; whoever receives that has to call evrwlock_release()
 *   once, with the same owner and mode.  It fails with ECANCELED (a cancel, or
 *   the owner was freed), ETIMEDOUT (evdeferred_add_timeout()), ESHUTDOWN
 *   (evrwlock_free(), or a call after evdefer_base_free() or while the owner is
 *   being freed), or EDEADLK: as said above, or the wait would close a cycle of
 *   owners that wait for each other, over any number of locks; the message
 *   names them.  NULL with errno EINVAL (no lock, no such mode, an owner of
 *   another base) or ENOMEM.  O(1) where it need not wait, and so is leaving
 *   the queue.  An owner that has to wait while it holds or waits for something
 *   else pays for the search for a cycle: at most the number of holds and waits
 *   on the locks that the search comes to, and if nobody waits for what the
 *   owner holds, at most the number of its holds.
 */
struct evdeferred *evrwlock_acquire(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode);

/**
 * Takes the lock in the given mode if that needs no waiting, by the rules of
 * evrwlock_acquire().
 *
 * @param owner who takes it, or NULL.
 * @return 0, and the caller holds the lock; or -1 with errno EBUSY, EDEADLK (an
 *   owner that only reads, for more), ESHUTDOWN (the lock or its base was
 *   freed, or the owner is being freed), EINVAL or ENOMEM (with an owner only).
 *   O(1).
 */
int evrwlock_try(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode);

/**
 * Gives back one hold.
 *
 * @param owner who holds it, or NULL for a hold that was acquired for nobody in
 *   particular.
 * @return 0, or -1 with errno EINVAL (no lock, no such mode, an owner of
 *   another base) or EPERM: the owner, or nobody in particular, has received no
 *   such hold, and nothing was changed.  O(1), and with EVRWLOCK_FAST the time
 *   of the callbacks it runs.
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
 * are.
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
 * @return a Deferred that is the caller's, as that of evrwlock_acquire().  It
 *   fails with EPERM, too: the owner, or nobody in particular, has no
 *   upgradable hold.  NULL with errno EINVAL (no lock, an owner of another base)
 *   or ENOMEM.  O(1), but for the search for cycles, as evrwlock_acquire().
 */
struct evdeferred *evrwlock_upgrade(
    struct evrwlock *lock, struct evowner *owner);

/**
 * Takes what evrwlock_upgrade() asks for if that needs no waiting.
 *
 * @return 0, and the caller has the hold to write, too; or -1 with errno EBUSY
 *   (somebody else reads), EPERM (no upgradable hold), ESHUTDOWN, EINVAL or
 *   ENOMEM, as evrwlock_try().  O(1).
 */
int evrwlock_try_upgrade(struct evrwlock *lock, struct evowner *owner);

/**
 * Makes a hold to read, or an upgradable one, out of one to write, or one to read
 * out of an upgradable one, without letting a writer in between.  Those who may
 * enter beside it do so: readers and one that is upgradable if no writer waits.
 *
 * It is one hold for one: an owner with several keeps the others.  Who has
 * upgraded releases the hold to write instead, to be as before.
 *
 * @param owner who holds it, or NULL.
 * @param from the mode of a hold, as for evrwlock_release().
 * @param to the mode that it gets, and is to be released in.
 * @return 0, or -1 with errno EINVAL (no lock, no such mode, @p to is not less
 *   than @p from, an owner of another base) or EPERM, as evrwlock_release();
 *   then nothing was changed.  O(1), and with EVRWLOCK_FAST the time of the
 *   callbacks it runs.
 */
int evrwlock_downgrade(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode from, enum evrwlock_mode to);

/**
 * Acquires the lock, runs @p body, and releases the lock when the result of the
 * body is there: on success, on failure, and when the returned Deferred is
 * cancelled or freed.  aiorwlock's "async with".
 *
 * If the owner is freed while the body is under way, the lock is given back
 * then.
 *
 * @param owner as for evrwlock_acquire(), NULL too.
 * @param patience how long to wait for the lock, from now, as with
 *   evdeferred_add_timeout(); the body may take as long as it likes.  NULL sets
 *   no bound.
 * @param body must not release the lock itself.  It may return a Deferred
 *   (evresult_deferred()): the lock is held until that one has its result.
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's and fires with the result of the
 *   body.  If the lock is not granted, it fails as that of evrwlock_acquire()
 *   does, with ETIMEDOUT when patience has run out, and the body is not run.
 *   NULL with errno EINVAL (as evrwlock_acquire(), no body, or no duration) or
 *   ENOMEM, with nothing acquired.
 */
struct evdeferred *evrwlock_with(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode, const struct timeval *patience,
    evdeferred_body_fn body, void *arg);

/**
 * Has no more than so many readers inside at once, an upgradable one among them: those
 * that would be more wait until others leave, and enter in the order in which they
 * came.
 *
 * A lower limit lets nobody out, only nobody in; a higher one lets in at once those
 * that wait for it.  What an owner that is inside acquires again never waits, as it
 * might wait for itself, nor does a downgrade.  So there may be more inside than the
 * limit says; others then wait until there are less.
 *
 * @param limit how many holds; 0, as at first, for any number.
 * @return 0, or -1 with errno EINVAL (no lock), ENOTSUP (a lock that others beyond its
 *   loop have a say in: evdefer/group.h, evdefer/file.h) or ESHUTDOWN
 *   (evrwlock_free() was called).  O(1), and a step for each that it lets in.
 */
int evrwlock_set_reader_limit(struct evrwlock *lock, size_t limit);

/** @return the limit, 0 for none or NULL. */
size_t evrwlock_get_reader_limit(const struct evrwlock *lock);

/*
 * A right that may be lost.
 *
 * Where the right to a lock comes from other machines, it may be lost while somebody is
 * inside: the process was stopped for too long, or cut off, and somebody elsewhere may
 * be inside by now.  Then it is lost for good for all that are inside in this process,
 * readers and writers, and the lock is lost until the last of them has released what he
 * has.  Nobody enters before: a newcomer waits, a try fails with EBUSY, and an owner
 * that is inside is refused with ESTALE, as it would wait for itself.  A release takes
 * the hold away and returns -1 with ESTALE; so does a downgrade, which changes nothing.
 * Bodies under evrwlock_with() are cancelled, and their result is ESTALE.  What waits
 * stays in the queue, and what was granted and not delivered waits again, but for
 * upgrades, which fail with ESTALE.
 *
 * So those who were inside and those who come after them never meet within the process.
 * Across processes no lock can promise that: somebody may be stopped between the look
 * and the write.  Only the token can, if whatever is written to remembers the highest
 * one that it has seen, and refuses those that are lower.
 *
 * On all other locks nothing is ever lost.
 *
 * Who gives such a right may know nothing of upgradable reads.  Then mode
 * EVRWLOCK_UPGRADABLE is ENOTSUP in every call, and so are upgrades.
 */

/**
 * @return the token of the right that is there: over all processes each writer's is
 *   higher than those of all that were inside before, and a reader's is not higher than
 *   that of any writer after it.  0 if there is no right, or it is lost, or the lock has
 *   no tokens; and for NULL.  O(1).
 */
uint64_t evrwlock_get_token(const struct evrwlock *lock);

/**
 * Looks whether those inside still have their right, by the clock, too: to be called
 * before each effect.  If it finds the right lost, it tells all, as evrwlock_lost()
 * says, before it returns.
 *
 * @return 0, also if nobody is inside; or -1 with errno ESTALE, or EINVAL (no lock).
 *   O(1), and at a loss the time of the callbacks it runs.
 */
int evrwlock_check(struct evrwlock *lock);

/**
 * Waits until a right is lost while somebody is inside.  At a loss evrwlock_check()
 * says so first, then the bodies of evrwlock_with() are cancelled, and then these
 * Deferreds fire; until all have, nobody enters.
 *
 * One that is asked for when the right is lost by now is for the next loss.  So who
 * enters asks first, and then looks with evrwlock_check().
 *
 * @return a Deferred that is the caller's, as that of evrwlock_acquire(), and fires
 *   with NULL.  It fails with ESHUTDOWN when evrwlock_free() is called, or the base of
 *   such a lock is freed.  NULL with errno EINVAL (no lock) or ENOMEM.  O(1).
 */
struct evdeferred *evrwlock_lost(struct evrwlock *lock);

/** Names the lock, for messages about deadlocks.  @p name is copied; NULL
 * removes the name.
 * @return 0, or -1 with errno EINVAL (no lock) or ENOMEM. */
int evrwlock_set_name(struct evrwlock *lock, const char *name);

/** @return the name of the lock, or "a lock"; it lives until the next
 * evrwlock_set_name(). */
const char *evrwlock_get_name(const struct evrwlock *lock);

/** @return whether readers are inside, or one that is upgradable, including those
 * whose grant is on its way; false for NULL.  txrwlock's isReading. */
bool evrwlock_is_reading(const struct evrwlock *lock);

/** @return whether a writer is inside, as evrwlock_is_reading().  txrwlock's
 * isWriting. */
bool evrwlock_is_writing(const struct evrwlock *lock);

/** Counts of a lock: first those of now, then totals since evrwlock_new(). */
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

/** Writes the counts to @p stats, which must not be NULL; all 0 for a NULL
 * lock. */
void evrwlock_get_stats(
    const struct evrwlock *lock, struct evrwlock_stats *stats);

/**
 * Describes the lock in words, for a log or a debugger: its name, whether it is
 * free, reading or writing, and how many are inside and waiting.  aiorwlock's
 * repr().  Otherwise as evdeferred_describe().
 */
int evrwlock_describe(const struct evrwlock *lock, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif

#endif
