/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/semaphore.h
 *
 * A semaphore for callbacks: it has a number of tokens, and an acquire returns
 * a Deferred that fires when one of them is granted.  Twisted's
 * DeferredSemaphore.
 *
 * First come, first served.  A grant is a value whose disposal releases the
 * token.  The callback that receives it (the value is the semaphore itself) has
 * the token from then on and has to release it.  A grant that no callback ever
 * received, because its Deferred was freed, cancelled or timed out, is released
 * by the library: a waiter that was forgotten never keeps a token.
 *
 * By default a grant is delivered from the event loop, never from inside an
 * acquire or a release, and the loop polls after EVDEFER_BASE_BATCH of them.
 * With EVSEMAPHORE_FAST it is delivered at once.
 *
 * Each token is held for an owner (evdefer/owner.h), or for nobody in
 * particular where the owner is NULL.  Only a release for the same owner gives
 * it back, and evowner_free() gives back all that the owner has.  An owner may
 * have several tokens.  A wait that could never end, because each token is kept
 * by owners that wait for this one, or by this one itself, fails with EDEADLK.
 */
#ifndef EVDEFER_SEMAPHORE_H
#define EVDEFER_SEMAPHORE_H

#include <stddef.h>
#include <stdint.h>

#include <evdefer/deferred.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evowner;
struct evsemaphore;

/** Deliver grants at once: the acquire of a token that is free returns a
 * Deferred that has fired, and a release fires the next waiter before it
 * returns.  What would nest too deeply (evdefer/deferred.h) is delivered by the
 * outermost call.  Twisted's way. */
#define EVSEMAPHORE_FAST 0x1u

/**
 * Makes a semaphore with all its tokens free.
 *
 * @param tokens how many may be inside at once, at least 1.
 * @param flags 0 or EVSEMAPHORE_FAST.
 * @return the semaphore, to be freed with evsemaphore_free(); NULL with errno
 *   EINVAL (no base, no token, unknown flag), ENOMEM, or ESHUTDOWN
 *   (evdefer_base_free() was called).
 */
struct evsemaphore *evsemaphore_new(
    struct evdefer_base *base, size_t tokens, unsigned flags);

/**
 * Closes the semaphore.  NULL is allowed.
 *
 * Waiters fail with ESHUTDOWN before this returns.  Those who have a token, or
 * whose grant is still on its way, have to release it as before; the memory
 * goes with the last of them.  Nobody else may use the semaphore after this
 * call; an acquire by those who have a token fails with ESHUTDOWN.
 */
void evsemaphore_free(struct evsemaphore *semaphore);

/**
 * Asks for a token.  Twisted's acquire().
 *
 * @param owner who asks; NULL for nobody in particular.
 * @return a Deferred that is the caller's, as evdeferred_new(), and fires with
 *   the semaphore as its value; whoever receives that has to call
 *   evsemaphore_release() once, for the same owner.  It fails with ECANCELED (a
 *   cancel, or the owner was freed), ETIMEDOUT (evdeferred_add_timeout()),
 *   ESHUTDOWN (evsemaphore_free(), or a call after evdefer_base_free() or while
 *   the owner is being freed), or EDEADLK: the owner would wait for itself,
 *   alone or in a cycle of owners (evdefer/owner.h); the message names them.
 *   NULL with errno EINVAL (no semaphore, or an owner of another base) or
 *   ENOMEM.  O(1), and so is leaving the queue by cancel, timeout or
 *   evdeferred_free().  The search for a cycle costs what evrwlock_acquire()
 *   says.
 */
struct evdeferred *evsemaphore_acquire(
    struct evsemaphore *semaphore, struct evowner *owner);

/**
 * Gives one token back.  Twisted's release().
 *
 * @param owner who has it, or NULL for a token that was acquired for nobody in
 *   particular.
 * @return 0, or -1 with errno EINVAL (no semaphore, or an owner of another
 *   base) or EPERM: the owner, or nobody in particular, has no token (a grant
 *   that is not delivered yet does not count), and nothing was changed.  O(1),
 *   and with EVSEMAPHORE_FAST the time of the callbacks it runs.
 */
int evsemaphore_release(struct evsemaphore *semaphore, struct evowner *owner);

/**
 * Takes a token if one is free.
 *
 * @param owner who takes it, or NULL.
 * @return 0, and the caller has it; or -1 with errno EBUSY (none is free),
 *   ESHUTDOWN (the semaphore or its base was freed, or the owner is being
 *   freed), EINVAL, or ENOMEM (with an owner only).  O(1).
 */
int evsemaphore_try(struct evsemaphore *semaphore, struct evowner *owner);

/**
 * Acquires a token, runs @p body, and releases the token when the result of the
 * body is there: on success, on failure, and when the returned Deferred is
 * cancelled or freed.  Twisted's run().
 *
 * If the owner is freed while the body is under way, the token is given back
 * then.
 *
 * @param owner as for evsemaphore_acquire(), NULL too.
 * @param patience how long to wait for the token, from now, as with
 *   evdeferred_add_timeout(); the body may take as long as it likes.  NULL sets
 *   no bound.
 * @param body must not release the token itself.  It may return a Deferred
 *   (evresult_deferred()): the token is held until that one has its result.
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's and fires with the result of the
 *   body.  If no token is granted, it fails as that of evsemaphore_acquire()
 *   does, with ETIMEDOUT when patience has run out, and the body is not run.
 *   NULL with errno EINVAL (as evsemaphore_acquire(), no body, or no duration)
 *   or ENOMEM, with nothing acquired.
 */
struct evdeferred *evsemaphore_with(struct evsemaphore *semaphore,
    struct evowner *owner, const struct timeval *patience,
    evdeferred_body_fn body, void *arg);

/** Names the semaphore, for messages about deadlocks.  @p name is copied; NULL
 * removes the name.
 * @return 0, or -1 with errno EINVAL (no semaphore) or ENOMEM. */
int evsemaphore_set_name(struct evsemaphore *semaphore, const char *name);

/** @return the name of the semaphore, or "a semaphore"; it lives until the next
 * evsemaphore_set_name(). */
const char *evsemaphore_get_name(const struct evsemaphore *semaphore);

/** @return how many tokens are free, 0 for NULL.  One whose grant is on its way
 * is not.  Twisted's tokens. */
size_t evsemaphore_get_tokens(const struct evsemaphore *semaphore);

/** @return how many tokens there are, 0 for NULL.  Twisted's limit. */
size_t evsemaphore_get_limit(const struct evsemaphore *semaphore);

/** Counts of a semaphore: first those of now, then totals since it was made. */
struct evsemaphore_stats {
	size_t inside;	      /**< tokens granted and not released */
	size_t waiting;	      /**< in the queue */
	uint64_t granted;     /**< tokens given out, by try too */
	uint64_t cancelled;   /**< left before delivery: by a cancel, a timeout,
				 evdeferred_free() or evowner_free() */
	size_t longest_queue; /**< most that waited at once */
};

/** Writes the counts to @p stats, which must not be NULL; all 0 for a NULL
 * semaphore. */
void evsemaphore_get_stats(
    const struct evsemaphore *semaphore, struct evsemaphore_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
