/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/semaphore.h
 * @page evsemaphore
 *
 * A semaphore for callbacks: it has a number of tokens, and an acquire returns
 * a Deferred that fires when one of them is granted.
 *
 * A program can use it to limit how many requests to another server are under way.
 *
 * @par Grants
 * First come, first served.  One that is cancelled, freed, or runs into a timeout leaves
 * the queue at once.
 *
 * A grant is a value whose disposal releases the token.  The callback that receives it
 * (the value is the semaphore itself) has the token from then on and has to release it
 * once.  A grant that no callback ever received, because its Deferred was freed,
 * cancelled or timed out, is released by the library: a waiter that was forgotten never
 * keeps a token.
 *
 * By default a grant is delivered from the event loop, never from inside an
 * acquire or a release, and the loop polls after EVDEFER_BASE_BATCH of them.
 * With EVSEMAPHORE_FAST it is delivered at once.  Between the grant and its delivery the
 * token counts as taken; a cancel in that time passes it on.
 *
 * @par Owners
 * Each token is held for an owner (evdefer/owner.h), of the same base, or for nobody in
 * particular where the owner is NULL.  Only a release for the same owner gives
 * it back, and evowner_free() gives back all that the owner has.  An owner may
 * have several tokens.  A wait that could never end, because each token is kept
 * by owners that wait for this one, or by this one itself, fails with EDEADLK.
 *
 * @thread The thread of the semaphore's base.
 * @origin Twisted's DeferredSemaphore.
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
 * @return the semaphore, which the caller closes with evsemaphore_free(); NULL with errno set.
 * @errno EINVAL No base, no token, or an unknown flag.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @cost One allocation.
 * @origin Twisted's DeferredSemaphore(tokens).
 */
struct evsemaphore *evsemaphore_new(
    struct evdefer_base *base, size_t tokens, unsigned flags);

/**
 * Closes the semaphore.
 *
 * Waiters fail with ESHUTDOWN before this returns.  Those who have a token, or
 * whose grant is still on its way, have to release it as before; the memory
 * goes with the last of them.  Nobody else may use the semaphore after this
 * call; an acquire by those who have a token fails with ESHUTDOWN.
 *
 * @param semaphore NULL is allowed and does nothing.
 * @cost O(n) for n waiters, and the time of their links.
 */
void evsemaphore_free(struct evsemaphore *semaphore);

/**
 * Asks for a token.
 *
 * The Deferred can be cancelled and freed at any time, and can have a timeout.
 *
 * @param owner who asks (evdefer/owner.h), of the same base as the semaphore; NULL for
 *   nobody in particular.
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach().  It fires with the semaphore as its value; whoever receives
 *   that has to call evsemaphore_release() once, for the same owner.  NULL with errno set,
 *   and nothing is acquired.
 * @errno EINVAL No semaphore, or an owner of another base.
 * @errno ENOMEM
 * @fails ECANCELED evdeferred_cancel() was called, or the owner was freed.
 * @fails EDEADLK The owner would wait for itself, alone or in a cycle of owners
 *   (evdefer/owner.h); the message names them.
 * @fails ESHUTDOWN evsemaphore_free() was called, or this was after evdefer_base_free() or
 *   while the owner was being freed.
 * @fails ETIMEDOUT
 * @cost O(1), and so is leaving the queue by a cancel, a timeout or evdeferred_free().
 *   The search for a cycle costs what evrwlock_acquire() says.
 * @origin Twisted's acquire().
 */
struct evdeferred *evsemaphore_acquire(
    struct evsemaphore *semaphore, struct evowner *owner);

/**
 * Gives one token back.
 *
 * A grant whose Deferred has not fired is not a token yet.
 *
 * @param owner who has it, or NULL for a token that was acquired for nobody in
 *   particular.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No semaphore, or an owner of another base.
 * @errno EPERM The owner, or nobody in particular, has no token, and nothing was changed.
 * @cost O(1), and with EVSEMAPHORE_FAST the time of the callbacks that it runs.
 * @origin Twisted's release().
 */
int evsemaphore_release(struct evsemaphore *semaphore, struct evowner *owner);

/**
 * Takes a token if one is free.
 *
 * @param owner who takes it, of the same base as the semaphore, or NULL.
 * @return 0, and the caller has it, to be given back with evsemaphore_release(); or -1
 *   with errno set.
 * @errno EBUSY No token is free.
 * @errno EINVAL No semaphore, or an owner of another base.
 * @errno ENOMEM Out of memory, with an owner only.
 * @errno ESHUTDOWN The semaphore or its base was freed, or the owner is being freed.
 * @cost O(1).
 */
int evsemaphore_try(struct evsemaphore *semaphore, struct evowner *owner);

/**
 * Acquires a token, runs a body, and releases the token when its result is there.
 *
 * It is given back on success, on failure, and when the returned Deferred is cancelled or
 * freed.  If the owner is freed while the body is under way, it is given back then.
 *
 * @param patience how long to wait for the token, from now, as with
 *   evdeferred_add_timeout().  It bounds the wait alone: what is granted at once has
 *   not waited, a grant that was waited for counts once it is delivered, and the body
 *   may take as long as it likes.  NULL sets no bound.
 * @param body must not release the token itself.  It may return a Deferred
 *   (evresult_deferred()): the token is held until that one has its result.
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's and fires with the result of the
 *   body.  If no token is granted, it fails as that of evsemaphore_acquire()
 *   does, and the body is not run.  NULL with errno set, and nothing is acquired.
 * @errno EINVAL No semaphore, no body, an owner of another base, or a patience that is
 *   negative or has microseconds outside of 0 to 999999.
 * @fails ETIMEDOUT @p patience has run out, or a timeout of evdeferred_add_timeout().
 * @cost O(1), the search for cycles as for evsemaphore_acquire(), and that of the body and
 *   of the timeout.
 * @as evsemaphore_acquire()
 * @origin Twisted's run().
 */
struct evdeferred *evsemaphore_with(struct evsemaphore *semaphore,
    struct evowner *owner, const struct timeval *patience,
    evdeferred_body_fn body, void *arg);

/**
 * Names the semaphore, for messages about deadlocks.
 *
 * @param name copied; NULL removes the name.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No semaphore.
 * @errno ENOMEM
 */
int evsemaphore_set_name(struct evsemaphore *semaphore, const char *name);

/**
 * Gives the name of the semaphore.
 *
 * @return the name, or "a semaphore" if it has none, and for NULL.  It lives until the
 *   next evsemaphore_set_name().
 */
const char *evsemaphore_get_name(const struct evsemaphore *semaphore);

/**
 * Tells how many tokens are free.
 *
 * @return how many, 0 for NULL.  One whose grant is on its way is not free.
 * @cost O(1).
 * @origin Twisted's tokens.
 */
size_t evsemaphore_get_tokens(const struct evsemaphore *semaphore);

/**
 * Tells how many tokens there are.
 *
 * @return how many, 0 for NULL.
 * @cost O(1).
 * @origin Twisted's limit.
 */
size_t evsemaphore_get_limit(const struct evsemaphore *semaphore);

/** Counts of a semaphore: first those of now, then totals since it was made.
 *
 * Waiters that evsemaphore_free() has ended are not counted as cancelled. */
struct evsemaphore_stats {
	size_t inside;	      /**< tokens granted and not released */
	size_t waiting;	      /**< in the queue */
	uint64_t granted;     /**< tokens given out, by try too */
	uint64_t cancelled;   /**< left before delivery: by a cancel, a timeout,
				 evdeferred_free() or evowner_free() */
	size_t longest_queue; /**< most that waited at once */
};

/**
 * Writes the counts of a semaphore.
 *
 * @param stats must not be NULL; all 0 for a NULL semaphore.
 * @cost O(1).
 */
void evsemaphore_get_stats(
    const struct evsemaphore *semaphore, struct evsemaphore_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
