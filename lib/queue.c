/* SPDX-License-Identifier: MIT */
/*
 * A get that is granted is promised an object, but none in particular: when it
 * fires it takes the first one.  So a get that leaves before takes none away
 * from the others, and what comes first stays first.
 */
#include <evdefer/queue.h>

#include <stdlib.h>

#include "waitqueue-internal.h"

_Static_assert(EVQUEUE_FAST == EVWAITQUEUE_FAST, "flags are handed on");

struct evqueue {
	struct evwaitqueue waiters;
	struct evfifo fifo;
	struct evlist objects;
	size_t count; /* of objects, those promised too */
	size_t size;
	size_t backlog;
	uint64_t put;
	uint64_t got;
	uint64_t cancelled;
	size_t most_queued;
};

static struct evqueue *
queue_of(struct evwaitqueue *waiters)
{
	return EVLIST_ELEMENT(waiters, struct evqueue, waiters);
}

/* How many objects are not promised.  No get waits where there are any. */
static size_t
queued(const struct evqueue *queue)
{
	return queue->count - queue->waiters.undelivered;
}

static struct evresult_node *
pop_first(struct evqueue *queue)
{
	queue->count--;
	return EVLIST_ELEMENT(
	    evlist_pop_(&queue->objects), struct evresult_node, node);
}

/* What an object is, which is no more. */
static struct evresult
unwrap(struct evdefer_base *base, struct evresult_node *object)
{
	struct evresult result = object->result;

	evpool_put_(&base->results, object);
	return result;
}

static void
drop_first(struct evqueue *queue)
{
	struct evresult_node *object = pop_first(queue);

	if (evunhandled_is_news_(object->result))
		evunhandled_report_node_(queue->waiters.base, object);
	else
		evresult_dispose(unwrap(queue->waiters.base, object));
}

/*
 * For the wait queue.
 */

static void
deliver_object(struct evwaitqueue *waiters, struct evdeferred *d)
{
	struct evqueue *queue = queue_of(waiters);

	queue->got++;
	evdeferred_produce_(d, unwrap(waiters->base, pop_first(queue)));
}

/* What it hands out is given away for good. */
static bool
is_object_held(const struct evwaitqueue *waiters)
{
	(void)waiters;
	return false;
}

static void
admit_to_objects(struct evwaitqueue *waiters)
{
	struct evqueue *queue = queue_of(waiters);

	while (queue->fifo.length > 0 && queued(queue) > 0)
		evfifo_grant_(waiters, &queue->fifo);
	if (queued(queue) > queue->most_queued)
		queue->most_queued = queued(queue);
}

static void
fail_getters(struct evwaitqueue *waiters)
{
	struct evqueue *queue = queue_of(waiters);

	/* Before the errbacks, one of which may free the base. */
	evlist_remove_(&waiters->ready.node);
	evwaitqueue_fail_all_(&waiters->granted, &waiters->undelivered);
	evwaitqueue_fail_all_(&queue->fifo.list, &queue->fifo.length);
	while (queue->count > 0)
		drop_first(queue);
}

static void
destroy_queue(struct evwaitqueue *waiters)
{
	free(queue_of(waiters));
}

static const struct evwaitqueue_type waiters_type = {deliver_object,
    is_object_held, admit_to_objects, fail_getters, destroy_queue};

/* Leaving before the delivery: the canceller. */
static void
cancel_get(struct evdeferred *d, void *arg)
{
	struct evqueue *queue = arg;

	queue->cancelled++;
	evfifo_leave_(&queue->waiters, &queue->fifo, d);
	evwaitqueue_changed_(&queue->waiters);
}

/*
 * What it is for.
 */

/* Why it takes no object, or 0. */
static int
refusal(const struct evqueue *queue)
{
	if (queue == NULL)
		return EINVAL;
	evdefer_base_check_(queue->waiters.base);
	if (!evwaitqueue_is_open_(&queue->waiters))
		return ESHUTDOWN;
	if (queue->fifo.length == 0 && queued(queue) >= queue->size)
		return ENOBUFS;
	return 0;
}

int
evqueue_put(struct evqueue *queue, struct evresult object)
{
	struct evresult_node *last;
	const int error = refusal(queue);

	if (error != 0)
		return evdefer_refuse_(error);
	last = evpool_get_(&queue->waiters.base->results);
	if (last == NULL)
		return -1;
	last->result = evresult_take_(object);
	evlist_append_(&queue->objects, &last->node);
	queue->count++;
	queue->put++;
	evwaitqueue_changed_(&queue->waiters);
	return 0;
}

struct evdeferred *
evqueue_get(struct evqueue *queue)
{
	struct evdeferred *d;

	if (queue == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (!evwaitqueue_is_open_(&queue->waiters))
		return evwaitqueue_refuse_(&queue->waiters);
	if (queued(queue) == 0 && queue->fifo.length >= queue->backlog)
		return evdefer_refuse_new_(EAGAIN);
	d = evdeferred_new_private_(queue->waiters.base, cancel_get, queue);
	if (d == NULL)
		return NULL;
	if (queued(queue) > 0)
		evfifo_pass_(&queue->waiters, d);
	else
		evfifo_wait_(&queue->fifo, d);
	return d;
}

/*
 * Making, ending, looking.
 */

struct evqueue *
evqueue_new(
    struct evdefer_base *base, size_t size, size_t backlog, unsigned flags)
{
	struct evqueue *queue;

	if (evwaitqueue_check_new_(base, flags) == -1)
		return NULL;
	queue = calloc(1, sizeof(*queue));
	if (queue == NULL)
		return evdefer_refuse_new_(ENOMEM);
	evwaitqueue_init_(&queue->waiters, &waiters_type, base, flags);
	evfifo_init_(&queue->fifo);
	evlist_init_(&queue->objects);
	queue->size = size;
	queue->backlog = backlog;
	return queue;
}

void
evqueue_free(struct evqueue *queue)
{
	if (queue != NULL)
		evwaitqueue_close_(&queue->waiters);
}

void
evqueue_get_stats(const struct evqueue *queue, struct evqueue_stats *stats)
{
	*stats = (struct evqueue_stats){0};
	if (queue == NULL)
		return;
	stats->queued = queued(queue);
	stats->waiting = queue->fifo.length;
	stats->put = queue->put;
	stats->got = queue->got;
	stats->cancelled = queue->cancelled;
	stats->most_queued = queue->most_queued;
	stats->longest_queue = queue->fifo.longest;
}
