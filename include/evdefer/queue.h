/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/queue.h
 * @page evqueue
 *
 * A queue of objects for callbacks: a get returns a Deferred that fires with
 * the next object, when there is one.
 *
 * Objects go out in the order in which they were put, to gets in the order in
 * which those were made.  Which object a get receives is settled when it fires:
 * a get that is cancelled, freed or timed out before that leaves at once and takes no
 * object with it: the one that was on its way to it is the next to go out.  From then on
 * the rule of ownership holds: the callback that receives the object owns it, and if none
 * ever does, because the Deferred was freed, the object is disposed of.
 *
 * By default an object is delivered from the event loop, never from inside a
 * put or a get, and the loop polls after EVDEFER_BASE_BATCH of them.  With
 * EVQUEUE_FAST it is delivered at once.
 *
 * @thread The thread of the queue's base.
 * @origin Twisted's DeferredQueue.
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
 * @param backlog the most gets that may wait; SIZE_MAX for no limit.  With 0 a get needs
 *   an object.
 * @param flags 0 or EVQUEUE_FAST.
 * @return the queue, to be freed with evqueue_free(); NULL with errno set.
 * @errno EINVAL No base, or an unknown flag.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @cost One allocation.
 * @origin Twisted's DeferredQueue(size,backlog).
 */
struct evqueue *evqueue_new(
    struct evdefer_base *base, size_t size, size_t backlog, unsigned flags);

/**
 * Ends the queue.
 *
 * Before this returns, all gets that have not fired fail with ESHUTDOWN, even
 * those for which there was an object already, and all objects that are left
 * are disposed of.  Nobody may use the queue afterwards; callbacks and free
 * functions that this call runs may, and are refused with ESHUTDOWN.
 *
 * @param queue NULL is allowed and does nothing.
 * @cost O(n) for n gets and objects.
 */
void evqueue_free(struct evqueue *queue);

/**
 * Puts an object into the queue.
 *
 * It goes to the end of the queue, or into the hands of the first get that waits.
 *
 * @param object taken over on success: a value (evresult_value() or, to have it
 *   freed if nobody receives it, evresult_owned()).  A failure becomes the
 *   result of the get that it comes to, and is reported as unhandled if it
 *   comes to none.  If it is a Deferred (evresult_deferred()), the get that it
 *   comes to waits for that.
 * @return 0, or -1 with errno set; then @p object is still the caller's.
 * @errno EINVAL No queue.
 * @errno ENOBUFS The queue is full.  Twisted's QueueOverflow.
 * @errno ENOMEM
 * @errno ESHUTDOWN The queue is being freed, or its base was.
 * @cost O(1), memory from a pool, and with EVQUEUE_FAST the time of the callbacks that it
 *   runs.
 * @origin Twisted's put().
 */
int evqueue_put(struct evqueue *queue, struct evresult object);

/**
 * Asks for the next object.
 *
 * The Deferred can be cancelled and freed at any time, and can have a timeout.  An object
 * that was on its way to it is then the next one to go out.
 *
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach(), and fires with the object.  NULL with errno set.
 * @errno EAGAIN As many gets wait already as the backlog allows.  Twisted's
 *   QueueUnderflow.
 * @errno EINVAL No queue.
 * @errno ENOMEM
 * @fails ECANCELED
 * @fails ESHUTDOWN evqueue_free() was called, or evdefer_base_free() before this.
 * @fails ETIMEDOUT
 * @cost O(1), and so is leaving the queue by a cancel, a timeout or evdeferred_free().
 * @origin Twisted's get().
 */
struct evdeferred *evqueue_get(struct evqueue *queue);

/** Counts of a queue: first those of now, then totals since evqueue_new().
 *
 * An object that is on its way to a get, and that get, count in neither of the first
 * two. */
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

/**
 * Writes the counts of a queue.
 *
 * @param stats must not be NULL; all 0 for a NULL queue.
 * @cost O(1).
 */
void evqueue_get_stats(
    const struct evqueue *queue, struct evqueue_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
