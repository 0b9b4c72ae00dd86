/* SPDX-License-Identifier: MIT */
#include "timeout-internal.h"

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "base-internal.h"
#include "link-internal.h"

/* Longer than any process runs; added to the time of day it does not overflow. */
#define LONGEST_SECONDS (sizeof(time_t) > 4 ? INT32_MAX : 1 << 28)

#define NOT_IN_HEAP SIZE_MAX

/* All of a base. */
struct evtimers {
	struct evdefer_base_part part;
	struct evalarm alarm; /* when the first is over */
	struct evready ready; /* in the ready queue while some may be over */
	struct evtimeout **heap;
	size_t count;
	size_t capacity;
	uint64_t order; /* of the next one */
	/* A turn expires what was over when it began, and was asked for by then. */
	uint64_t due_end;
	uint64_t due_order;
	struct evpool pool;
};

/*
 * The heap.
 */

static bool
is_before(const struct evtimeout *a, const struct evtimeout *b)
{
	if (a->end != b->end)
		return a->end < b->end;
	return a->order < b->order;
}

static void
place(struct evtimers *timers, struct evtimeout *timeout, size_t index)
{
	timers->heap[index] = timeout;
	timeout->index = index;
}

static void
move_up(struct evtimers *timers, struct evtimeout *timeout, size_t index)
{
	size_t parent;

	for (; index > 0; index = parent) {
		parent = (index - 1) / 2;
		if (!is_before(timeout, timers->heap[parent]))
			break;
		place(timers, timers->heap[parent], index);
	}
	place(timers, timeout, index);
}

static void
move_down(struct evtimers *timers, struct evtimeout *timeout, size_t index)
{
	size_t child;

	while ((child = 2 * index + 1) < timers->count) {
		if (child + 1 < timers->count &&
		    is_before(timers->heap[child + 1], timers->heap[child]))
			child++;
		if (!is_before(timers->heap[child], timeout))
			break;
		place(timers, timers->heap[child], index);
		index = child;
	}
	place(timers, timeout, index);
}

static struct evtimeout *
first_timeout(const struct evtimers *timers)
{
	return timers->count > 0 ? timers->heap[0] : NULL;
}

static uint64_t
first_end(const struct evtimers *timers)
{
	return timers->count > 0 ? timers->heap[0]->end : EVALARM_NEVER;
}

static void
leave_heap(struct evtimers *timers, struct evtimeout *timeout)
{
	struct evtimeout *last = timers->heap[--timers->count];
	const size_t index = timeout->index;

	timeout->index = NOT_IN_HEAP;
	if (last == timeout)
		return;
	if (is_before(last, timeout))
		move_up(timers, last, index);
	else
		move_down(timers, last, index);
}

/* Makes room for one more.  0, or -1 with ENOMEM. */
static int
make_heap_room(struct evtimers *timers)
{
	const size_t capacity =
	    timers->capacity > 0 ? 2 * timers->capacity : 16;
	struct evtimeout **heap;

	if (timers->count < timers->capacity)
		return 0;
	heap = realloc(timers->heap, capacity * sizeof(*heap));
	if (heap == NULL)
		return evdefer_refuse_(ENOMEM);
	timers->heap = heap;
	timers->capacity = capacity;
	return 0;
}

/*
 * The turn.
 */

static bool
is_due(const struct evtimers *timers, const struct evtimeout *timeout)
{
	return timeout->end <= timers->due_end &&
	       timeout->order < timers->due_order;
}

static void
expire_first(struct evready *ready)
{
	struct evtimers *timers = EVLIST_ELEMENT(ready, struct evtimers, ready);
	struct evtimeout *timeout = first_timeout(timers);
	struct evdeferred *d;

	evlist_remove_(&ready->node);
	if (timeout == NULL || !is_due(timers, timeout))
		return;
	/* Timeouts take turns with whatever else is ready. */
	evlist_append_(&timers->part.base->ready, &ready->node);
	leave_heap(timers, timeout);
	/* The turn that is under way looks at it when it ends. */
	timers->alarm.time = first_end(timers);
	timeout->expired = true;
	d = timeout->deferred;
	if (!timeout->fires) {
		evdeferred_time_out_(d);
		return;
	}
	evtimeout_stop_(timeout);
	evdeferred_produce_(d, evresult_value(NULL));
}

/* A turn begins: what is over by now is to be delivered. */
static void
ring_timers(struct evalarm *alarm, uint64_t now)
{
	struct evtimers *timers = EVLIST_ELEMENT(alarm, struct evtimers, alarm);

	timers->due_end = now;
	timers->due_order = timers->order;
	if (evlist_empty_(&timers->ready.node))
		evlist_append_(&timers->part.base->ready, &timers->ready.node);
}

static void
init_timers(struct evdefer_base_part *part)
{
	struct evtimers *timers = EVLIST_ELEMENT(part, struct evtimers, part);

	evlist_init_(&timers->ready.node);
	timers->ready.deliver = expire_first;
	timers->alarm.ring = ring_timers;
	evdefer_base_add_alarm_(part->base, &timers->alarm);
	evpool_init_(&timers->pool, sizeof(struct evtimeout));
}

static void
close_timers(struct evdefer_base_part *part)
{
	struct evtimers *timers = EVLIST_ELEMENT(part, struct evtimers, part);
	struct evtimeout *timeout;

	while ((timeout = first_timeout(timers)) != NULL) {
		leave_heap(timers, timeout);
		/* Nobody else will ever fire it. */
		if (timeout->fires)
			evdeferred_cancel(timeout->deferred);
	}
}

static void
destroy_timers(struct evdefer_base_part *part)
{
	struct evtimers *timers = EVLIST_ELEMENT(part, struct evtimers, part);

	evpool_destroy_(&timers->pool);
	free(timers->heap);
}

static const struct evdefer_base_part_type timers_type = {
    sizeof(struct evtimers), init_timers, close_timers, destroy_timers};

/* NULL with ENOMEM. */
static struct evtimers *
timers_of(struct evdefer_base *base)
{
	struct evdefer_base_part *part =
	    evdefer_base_get_part_(base, &timers_type);

	return part != NULL ? EVLIST_ELEMENT(part, struct evtimers, part)
			    : NULL;
}

/*
 * One timeout.
 */

int
evtimeout_check_(
    const struct evdefer_base *base, const struct timeval *duration)
{
	if (duration == NULL || duration->tv_sec < 0 || duration->tv_usec < 0 ||
	    duration->tv_usec >= 1000000)
		return evdefer_refuse_(EINVAL);
	if (evdefer_base_closed_(base))
		return evdefer_refuse_(ESHUTDOWN);
	return 0;
}

static uint64_t
end_of(const struct timeval *duration)
{
	const uint64_t seconds = duration->tv_sec > LONGEST_SECONDS
				     ? LONGEST_SECONDS
				     : (uint64_t)duration->tv_sec;

	return evdefer_base_now_() + seconds * UINT64_C(1000000000) +
	       (uint64_t)duration->tv_usec * 1000;
}

struct evtimeout *
evtimeout_start_(
    struct evdeferred *d, const struct timeval *duration, bool fires)
{
	struct evtimers *timers = timers_of(d->base);
	struct evtimeout *timeout;

	if (timers == NULL || make_heap_room(timers) == -1)
		return NULL;
	timeout = evpool_get_(&timers->pool);
	if (timeout == NULL)
		return NULL;
	d->base->timeouts++;
	timeout->end = end_of(duration);
	timeout->order = timers->order++;
	timeout->timers = timers;
	timeout->deferred = d;
	timeout->fires = fires;
	timeout->expired = false;
	move_up(timers, timeout, timers->count++);
	if (evdefer_base_set_alarm_(
		d->base, &timers->alarm, first_end(timers)) == 0)
		return timeout;
	evtimeout_stop_(timeout);
	return evdefer_refuse_new_(ENOMEM);
}

/* libevent may lack memory for the next turn, where others have taken the place of
 * its event in the heap.  That is tried again whenever a timeout starts or stops. */
bool
evtimeout_stop_(struct evtimeout *timeout)
{
	struct evtimers *timers = timeout->timers;
	struct evdefer_base *base = timers->part.base;
	const bool expired = timeout->expired;

	if (timeout->index != NOT_IN_HEAP)
		leave_heap(timers, timeout);
	evpool_put_(&timers->pool, timeout);
	base->timeouts--;
	evdefer_base_set_alarm_(base, &timers->alarm, first_end(timers));
	return expired;
}

/*
 * The link that ends it.
 */

static void
run_timeout(const struct evlink *link, struct evdeferred *d)
{
	struct evresult result = d->u.result;

	if (!evtimeout_stop_(link->object) ||
	    !(d->flags & EVDEFERRED_TIMED_OUT))
		return;
	if (link->instead != NULL) {
		evlink_call_both_(link->instead, link->arg, d);
		return;
	}
	if (!evresult_is_failure_(result) ||
	    evfailure_get_code(result.data) != ECANCELED)
		return;
	d->u.result = evresult_fixed_(EVFAILURE_TIMED_OUT);
	evfailure_unref(result.data);
}

static void
drop_timeout(const struct evlink *link, struct evdeferred *d)
{
	(void)d;
	evtimeout_stop_(link->object);
}

static const struct evlink_type timeout_link = {run_timeout, drop_timeout};

int
evdeferred_add_timeout_both(struct evdeferred *d, const struct timeval *timeout,
    evdeferred_both_fn both, void *arg)
{
	struct evtimeout *started;
	struct evlink *link;

	if (d == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(d->base);
	if (evtimeout_check_(d->base, timeout) == -1)
		return -1;
	if (evdeferred_is_complete_(d))
		return 0;
	/* Before the rest, since it can stay if that fails. */
	if (evpool_reserve_(&d->base->links, 1) == -1)
		return -1;
	started = evtimeout_start_(d, timeout, false);
	if (started == NULL)
		return -1;
	link = evlink_append_(d);
	link->type = &timeout_link;
	link->object = started;
	link->instead = both;
	link->arg = arg;
	/* A cancel that came before is not one of this wait. */
	evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	if (d->flags & EVDEFERRED_FIRED)
		evdeferred_deliver_(d);
	return 0;
}

int
evdeferred_add_timeout(struct evdeferred *d, const struct timeval *timeout)
{
	return evdeferred_add_timeout_both(d, timeout, NULL, NULL);
}
