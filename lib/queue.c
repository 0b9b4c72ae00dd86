/* SPDX-License-Identifier: MIT */
/*
 * A get that is granted is promised an object, but none in particular: when it
 * fires it takes the first one.  So a get that leaves before takes none away
 * from the others, and what comes first stays first.
 */
#include "queue-internal.h"

#include <errno.h>
#include <stdlib.h>

#include "gate-internal.h"
#include "result-internal.h"

_Static_assert(EVQUEUE_FAST == EVGATE_FAST, "flags are handed on");

struct evqueue {
	struct evgate gate;
	struct evgate_line line;
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
queue_of(struct evgate *gate)
{
	return EVLIST_ELEMENT(gate, struct evqueue, gate);
}

/* How many objects are not promised.  No get waits where there are any. */
static size_t
queued(const struct evqueue *queue)
{
	return queue->count - queue->gate.undelivered;
}

static struct evobject *
pop_first(struct evqueue *queue)
{
	queue->count--;
	return EVLIST_ELEMENT(
	    evlist_pop_(&queue->objects), struct evobject, node);
}

/* What an object is, which is no more. */
static struct evresult
unwrap(struct evdefer_base *base, struct evobject *object)
{
	struct evresult result = object->result;

	evpool_put_(&base->objects, object);
	return result;
}

void
evobject_drop_(struct evdefer_base *base, struct evobject *object)
{
	evresult_dispose(unwrap(base, object));
}

static void
drop_first(struct evqueue *queue)
{
	struct evobject *object = pop_first(queue);

	if (evunhandled_is_news_(object->result))
		evunhandled_report_object_(queue->gate.base, object);
	else
		evobject_drop_(queue->gate.base, object);
}

/*
 * The gate's side.
 */

static void
deliver(struct evgate *gate, struct evdeferred *d)
{
	struct evqueue *queue = queue_of(gate);

	queue->got++;
	evdeferred_produce_(d, unwrap(gate->base, pop_first(queue)));
}

/* What it hands out is given away for good. */
static bool
is_held(const struct evgate *gate)
{
	(void)gate;
	return false;
}

static void
admit(struct evgate *gate)
{
	struct evqueue *queue = queue_of(gate);

	while (queue->line.length > 0 && queued(queue) > 0)
		evgate_line_grant_(gate, &queue->line);
	if (queued(queue) > queue->most_queued)
		queue->most_queued = queued(queue);
}

static void
fail_waiters(struct evgate *gate)
{
	struct evqueue *queue = queue_of(gate);

	evgate_fail_all_(&gate->granted, &gate->undelivered);
	evlist_remove_(&gate->ready.node);
	evgate_fail_all_(&queue->line.list, &queue->line.length);
	while (queue->count > 0)
		drop_first(queue);
}

static void
destroy(struct evgate *gate)
{
	free(queue_of(gate));
}

static const struct evgate_type gate_type = {
    deliver, is_held, admit, fail_waiters, destroy};

/* Leaving before the delivery: the canceller. */
static void
leave(struct evdeferred *d, void *arg)
{
	struct evqueue *queue = arg;

	queue->cancelled++;
	evgate_line_leave_(&queue->gate, &queue->line, d);
	evgate_changed_(&queue->gate);
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
	evdefer_base_check_(queue->gate.base);
	if (!evgate_is_open_(&queue->gate))
		return ESHUTDOWN;
	if (queue->line.length == 0 && queued(queue) >= queue->size)
		return ENOBUFS;
	return 0;
}

int
evqueue_put(struct evqueue *queue, struct evresult object)
{
	struct evobject *last;
	const int error = refusal(queue);

	if (error != 0) {
		errno = error;
		return -1;
	}
	last = evpool_get_(&queue->gate.base->objects);
	if (last == NULL)
		return -1;
	last->result = evresult_take_(object);
	evlist_append_(&queue->objects, &last->node);
	queue->count++;
	queue->put++;
	evgate_changed_(&queue->gate);
	return 0;
}

struct evdeferred *
evqueue_get(struct evqueue *queue)
{
	struct evdeferred *d;

	if (queue == NULL) {
		errno = EINVAL;
		return NULL;
	}
	if (!evgate_is_open_(&queue->gate))
		return evgate_refuse_(&queue->gate);
	if (queued(queue) == 0 && queue->line.length >= queue->backlog) {
		errno = EAGAIN;
		return NULL;
	}
	d = evdeferred_new_private_(queue->gate.base, leave, queue);
	if (d == NULL)
		return NULL;
	if (queued(queue) > 0)
		evgate_line_pass_(&queue->gate, d);
	else
		evgate_line_wait_(&queue->line, d);
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

	if (evgate_check_new_(base, flags) == -1)
		return NULL;
	queue = calloc(1, sizeof(*queue));
	if (queue == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	evgate_init_(&queue->gate, &gate_type, base, flags);
	evgate_line_init_(&queue->line);
	evlist_init_(&queue->objects);
	queue->size = size;
	queue->backlog = backlog;
	return queue;
}

void
evqueue_free(struct evqueue *queue)
{
	if (queue != NULL)
		evgate_close_(&queue->gate);
}

void
evqueue_get_stats(const struct evqueue *queue, struct evqueue_stats *stats)
{
	*stats = (struct evqueue_stats){0};
	if (queue == NULL)
		return;
	stats->queued = queued(queue);
	stats->waiting = queue->line.length;
	stats->put = queue->put;
	stats->got = queue->got;
	stats->cancelled = queue->cancelled;
	stats->most_queued = queue->most_queued;
	stats->longest_queue = queue->line.longest;
}
