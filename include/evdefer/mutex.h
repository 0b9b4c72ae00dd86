/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/mutex.h
 *
 * A lock for callbacks, which has one holder at a time.  Twisted's
 * DeferredLock.
 *
 * It is a semaphore with one token (evdefer/semaphore.h), and all that is said
 * there about grants, about the order in which they are made, about their
 * delivery and about owners holds here.  It is not reentrant: a holder that
 * acquires it again before releasing it waits for itself.  An owner is told so
 * (EDEADLK), even if it only waits for it so far.
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
 * Makes a lock that nobody holds.
 *
 * @param flags 0 or EVMUTEX_FAST.
 * @return the lock, to be freed with evmutex_free(); NULL with errno EINVAL (no
 *   base, unknown flag), ENOMEM, or ESHUTDOWN (evdefer_base_free() was called).
 */
struct evmutex *evmutex_new(struct evdefer_base *base, unsigned flags);

/** Closes the lock, as evsemaphore_free(): waiters fail with ESHUTDOWN, and a
 * holder has to release as before.  NULL is allowed. */
void evmutex_free(struct evmutex *mutex);

/**
 * Asks for the lock.  Twisted's acquire().
 *
 * @param owner who asks; NULL for nobody in particular.
 * @return as evsemaphore_acquire(): a Deferred that is the caller's and fires
 *   with the lock as its value; whoever receives that has to call
 *   evmutex_release() once, for the same owner.  It fails with EDEADLK where
 *   the owner would wait for itself, alone or in a cycle.
 */
struct evdeferred *evmutex_acquire(
    struct evmutex *mutex, struct evowner *owner);

/** Gives the lock back.  Twisted's release().
 * @return 0, or -1 with errno EINVAL (no lock, or an owner of another base) or
 *   EPERM: the owner, or nobody in particular, does not hold it (a grant that
 *   is not delivered yet is no hold), and nothing was changed. */
int evmutex_release(struct evmutex *mutex, struct evowner *owner);

/** Takes the lock if nobody holds it.
 * @return 0, and the caller holds it; or -1 with errno EBUSY, ESHUTDOWN (the
 *   lock or its base was freed, or the owner is being freed), EINVAL, or ENOMEM
 *   (with an owner only). */
int evmutex_try(struct evmutex *mutex, struct evowner *owner);

/** Acquires the lock, runs @p body, and releases the lock when the result of
 * the body is there, as evsemaphore_with(): @p patience bounds the wait, and
 * not the body.  Twisted's run(). */
struct evdeferred *evmutex_with(struct evmutex *mutex, struct evowner *owner,
    const struct timeval *patience, evdeferred_body_fn body, void *arg);

/** Names the lock, for messages about deadlocks.  @p name is copied; NULL
 * removes the name.
 * @return 0, or -1 with errno EINVAL (no lock) or ENOMEM. */
int evmutex_set_name(struct evmutex *mutex, const char *name);

/** @return the name of the lock, or "a mutex"; it lives until the next
 * evmutex_set_name(). */
const char *evmutex_get_name(const struct evmutex *mutex);

/** @return whether somebody holds the lock or a grant is on its way; false for
 * NULL.  Twisted's locked. */
bool evmutex_is_locked(const struct evmutex *mutex);

/** Writes the counts to @p stats, as evsemaphore_get_stats(); inside is 0 or
 * 1. */
void evmutex_get_stats(
    const struct evmutex *mutex, struct evsemaphore_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
