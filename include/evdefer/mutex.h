/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/mutex.h
 * @page evmutex
 *
 * A lock for callbacks, which has one holder at a time.
 *
 * It is a semaphore with one token (evdefer/semaphore.h), and all that is said
 * there about grants, about the order in which they are made, about their
 * delivery and about owners holds here.  Where many only read what the lock protects, see
 * evdefer/rwlock.h.
 *
 * It is not reentrant: a holder that acquires it again before releasing it waits for
 * itself.  An owner is told so (EDEADLK), even if it only waits for it so far.
 *
 * @thread The thread of the mutex's base.
 * @origin Twisted's DeferredLock.
 */
#ifndef EVDEFER_MUTEX_H
#define EVDEFER_MUTEX_H

#include <stdbool.h>

#include <evdefer/semaphore.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evmutex;

/** Deliver grants at once, as EVSEMAPHORE_FAST. */
#define EVMUTEX_FAST 0x1u

/**
 * Makes a mutex that nobody holds.
 *
 * @param flags 0 or EVMUTEX_FAST.
 * @return the mutex, which the caller closes with evmutex_free(); NULL with errno set.
 * @errno EINVAL No base, or an unknown flag.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @cost One allocation.
 * @origin Twisted's DeferredLock().
 */
struct evmutex *evmutex_new(struct evdefer_base *base, unsigned flags);

/**
 * Closes the mutex.
 *
 * Waiters fail with ESHUTDOWN before this returns.  A holder, or one whose grant is still
 * on its way, has to release it as before, and the memory goes then.  Nobody else may use
 * the mutex after this call.
 *
 * @param mutex NULL is allowed and does nothing.
 * @cost O(n) for n waiters, and the time of their links.
 */
void evmutex_free(struct evmutex *mutex);

/**
 * Asks for the mutex.
 *
 * The Deferred can be cancelled and freed at any time, and can have a timeout.
 *
 * @param owner who asks (evdefer/owner.h), of the same base as the mutex; NULL for
 *   nobody in particular.
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach().  It fires with the mutex as its value; whoever receives
 *   that has to call evmutex_release() once, for the same owner.  NULL with errno set, and
 *   nothing is acquired.
 * @errno EINVAL No mutex, or an owner of another base.
 * @errno ENOMEM
 * @fails ECANCELED evdeferred_cancel() was called, or the owner was freed.
 * @fails EDEADLK The owner would wait for itself, alone or in a cycle of owners
 *   (evdefer/owner.h); the message names them.
 * @fails ESHUTDOWN evmutex_free() was called, or this was after evdefer_base_free() or
 *   while the owner was being freed.
 * @fails ETIMEDOUT
 * @cost O(1), and so is leaving the queue by a cancel, a timeout or evdeferred_free().
 *   The search for a cycle costs what evrwlock_acquire() says.
 * @origin Twisted's acquire().
 */
struct evdeferred *evmutex_acquire(
    struct evmutex *mutex, struct evowner *owner);

/**
 * Gives the mutex back.
 *
 * Only a release for the same owner does.  A grant whose Deferred has not fired is no
 * hold.
 *
 * @param owner who holds it, or NULL if it was acquired for nobody in particular.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No mutex, or an owner of another base.
 * @errno EPERM The owner, or nobody in particular, does not hold it, and nothing was
 *   changed.
 * @cost O(1), and with EVMUTEX_FAST the time of the callbacks that it runs.
 * @origin Twisted's release().
 */
int evmutex_release(struct evmutex *mutex, struct evowner *owner);

/**
 * Takes the mutex if nobody holds it.
 *
 * @param owner who takes it, of the same base as the mutex, or NULL.
 * @return 0, and the caller holds it, to be given back with evmutex_release(); or -1
 *   with errno set.
 * @errno EBUSY Somebody holds it.
 * @errno EINVAL No mutex, or an owner of another base.
 * @errno ENOMEM Out of memory, with an owner only.
 * @errno ESHUTDOWN The mutex or its base was freed, or the owner is being freed.
 * @cost O(1).
 */
int evmutex_try(struct evmutex *mutex, struct evowner *owner);

/**
 * Acquires the mutex, runs a body, and releases the mutex when its result is there.
 *
 * It is given back on success, on failure, and when the returned Deferred is cancelled or
 * freed.  If the owner is freed while the body is under way, it is given back then.
 *
 * @param patience how long to wait for the mutex, from now, as with
 *   evdeferred_add_timeout().  It bounds the wait alone: what is granted at once has
 *   not waited, a grant that was waited for counts once it is delivered, and the body
 *   may take as long as it likes.  NULL sets no bound.
 * @param body must not release the mutex itself.  It may return a Deferred
 *   (evresult_deferred()): the mutex is held until that one has its result.
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's and fires with the result of the
 *   body.  If the mutex is not granted, it fails as that of evmutex_acquire()
 *   does, and the body is not run.  NULL with errno set, and nothing is acquired.
 * @errno EINVAL No mutex, no body, an owner of another base, or a patience that is
 *   negative or has microseconds outside of 0 to 999999.
 * @fails ETIMEDOUT @p patience has run out, or a timeout of evdeferred_add_timeout().
 * @cost O(1), the search for cycles as for evmutex_acquire(), and that of the body and of
 *   the timeout.
 * @as evmutex_acquire()
 * @origin Twisted's run().
 */
struct evdeferred *evmutex_with(struct evmutex *mutex, struct evowner *owner,
    const struct timeval *patience, evdeferred_body_fn body, void *arg);

/**
 * Names the mutex, for messages about deadlocks.
 *
 * @param name copied; NULL removes the name.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No mutex.
 * @errno ENOMEM
 */
int evmutex_set_name(struct evmutex *mutex, const char *name);

/**
 * Gives the name of the mutex.
 *
 * @return the name, or "a mutex" if it has none, and for NULL.  It lives until the next
 *   evmutex_set_name().
 */
const char *evmutex_get_name(const struct evmutex *mutex);

/**
 * Tells whether somebody holds the mutex.
 *
 * @return whether somebody does, or a grant is on its way; false for NULL.
 * @cost O(1).
 * @origin Twisted's locked.
 */
bool evmutex_is_locked(const struct evmutex *mutex);

/**
 * Writes the counts of a mutex.
 *
 * They are those of a semaphore; inside is 0 or 1.
 *
 * @param stats must not be NULL; all 0 for a NULL mutex.
 * @cost O(1).
 */
void evmutex_get_stats(
    const struct evmutex *mutex, struct evsemaphore_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
