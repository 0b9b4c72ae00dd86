/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/queue.h
 *
 * A queue of objects for callbacks: a get returns a Deferred that fires with
 * the next object, when there is one.  Twisted's DeferredQueue.
 *
 * Objects go out in the order in which they were put, to gets in the order in
 * which those were made.  Which object a get receives is settled when it fires:
 * a get that is cancelled, freed or timed out before that takes no object with
 * it.  From then on the rule of ownership holds: the callback that receives the
 * object owns it, and if none ever does, because the Deferred was freed, the
 * object is disposed of.
 *
 * By default an object is delivered from the event loop, never from inside a
 * put or a get, and the loop polls after EVDEFER_BASE_BATCH of them.  With
 * EVQUEUE_FAST it is delivered at once.
 */
#ifndef EVDEFER_QUEUE_H
#define EVDEFER_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include <evdefer/result.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evdefer_base;
struct evdeferred;
struct evqueue;

/** Deliver at once: the get from a queue with objects returns a Deferred that
 * has fired, and a put fires the first waiting get before it returns.  What
 * would nest too deeply (evdefer/deferred.h) is delivered by the outermost
 * call.  Twisted's way. */
#define EVQUEUE_FAST 0x1u

/**
 * Makes an empty queue.
 *
 * @param size the most objects that may be queued while no get waits for them;
 *   SIZE_MAX for no limit.  With 0 a put needs a get that waits.
 * @param backlog the most gets that may wait; SIZE_MAX for no limit.
 * @param flags 0 or EVQUEUE_FAST.
 * @return the queue, to be freed with evqueue_free(); NULL with errno EINVAL
 *   (no base, unknown flag), ENOMEM, or ESHUTDOWN (evdefer_base_free() was
 *   called).
 */
struct evqueue *evqueue_new(
    struct evdefer_base *base, size_t size, size_t backlog, unsigned flags);

/**
 * Ends the queue.  NULL is allowed.
 *
 * Before this returns, all gets that have not fired fail with ESHUTDOWN, even
 * those for which there was an object already, and all objects that are left
 * are disposed of.  Nobody may use the queue afterwards; callbacks and free
 * functions that this call runs may, and are refused with ESHUTDOWN.  O(n) for
 * n gets and objects.
 */
void evqueue_free(struct evqueue *queue);

/**
 * Puts an object at the end of the queue, or into the hands of the first get
 * that waits.  Twisted's put().
 *
 * @param object taken over on success: a value (evresult_value() or, to have it
 *   freed if nobody receives it, evresult_owned()).  A failure becomes the
 *   result of the get that it comes to, and is reported as unhandled if it
 *   comes to none.  If it is a Deferred (evresult_deferred()), the get that it
 *   comes to waits for that.
 * @return 0, or -1 with errno EINVAL (no queue), ENOBUFS (the queue is full;
 *   Twisted's QueueOverflow), ENOMEM, or ESHUTDOWN (the queue is being freed or
 *   its base was); then @p object is still the caller's.  O(1), and with
 *   EVQUEUE_FAST the time of the callbacks it runs.
 */
int evqueue_put(struct evqueue *queue, struct evresult object);

/**
 * Asks for the next object.  Twisted's get().
 *
 * @return a Deferred that is the caller's, as evdeferred_new(), and fires with
 *   the object.  It fails with ECANCELED or ETIMEDOUT (evdeferred_cancel(),
 *   evdeferred_add_timeout()), and then an object that was on its way to it is
 *   the next one to go out; or with ESHUTDOWN (evqueue_free(), or a call after
 *   evdefer_base_free()).  NULL with errno EINVAL (no queue), EAGAIN (backlog
 *   gets wait already; Twisted's QueueUnderflow) or ENOMEM.  O(1), and so is
 *   leaving the queue by cancel, timeout or evdeferred_free().
 */
struct evdeferred *evqueue_get(struct evqueue *queue);

/** Counts of a queue: first those of now, then totals since evqueue_new(). */
struct evqueue_stats {
	size_t queued;	/**< objects that no get waits for; more than the size
			     only after gets left that had one on its way */
	size_t waiting; /**< gets for which there is no object */
	uint64_t put;	/**< objects put */
	uint64_t got;	/**< objects that gets were fired with */
	uint64_t cancelled; /**< gets that left before they fired: by a cancel,
				 a timeout or evdeferred_free() */
	size_t most_queued; /**< most that were queued at once */
	size_t longest_queue; /**< most gets that waited at once */
};

/** Writes the counts to @p stats, which must not be NULL; all 0 for a NULL
 * queue. */
void evqueue_get_stats(
    const struct evqueue *queue, struct evqueue_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
