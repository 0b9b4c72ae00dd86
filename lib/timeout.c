/* SPDX-License-Identifier: MIT */
#include "timeout-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "base-internal.h"
#include "deferred-internal.h"

/* Longer than any process runs, and added to the time of day no overflow. */
#define LONGEST_SECONDS (sizeof(time_t) > 4 ? INT32_MAX : 1 << 28)

#define NOT_IN_HEAP SIZE_MAX

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
first(const struct evtimers *timers)
{
	return timers->count > 0 ? timers->heap[0] : NULL;
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

/* Makes room for one more.  0, or -1. */
static int
reserve(struct evtimers *timers)
{
	const size_t capacity =
	    timers->capacity > 0 ? 2 * timers->capacity : 16;
	struct evtimeout **heap;

	if (timers->count < timers->capacity)
		return 0;
	heap = realloc(timers->heap, capacity * sizeof(*heap));
	if (heap == NULL)
		return -1;
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
	struct evdefer_base *base =
	    EVLIST_ELEMENT(ready, struct evdefer_base, timers.ready);
	struct evtimers *timers = &base->timers;
	struct evtimeout *timeout = first(timers);

	evlist_remove_(&ready->node);
	if (timeout == NULL || !is_due(timers, timeout))
		return;
	/* They take turns with others that are ready. */
	evlist_append_(&base->ready, &ready->node);
	leave_heap(timers, timeout);
	timeout->expired = true;
	timeout->expire(timeout);
}

void
evtimers_init_(struct evtimers *timers)
{
	evlist_init_(&timers->ready.node);
	timers->ready.deliver = expire_first;
	evpool_init_(&timers->pool, sizeof(struct evtimeout));
}

void
evtimers_begin_turn_(struct evdefer_base *base, uint64_t now)
{
	struct evtimers *timers = &base->timers;

	if (timers->count == 0 || first(timers)->end > now)
		return;
	timers->due_end = now;
	timers->due_order = timers->order;
	if (evlist_empty_(&timers->ready.node))
		evlist_append_(&base->ready, &timers->ready.node);
}

void
evtimers_end_turn_(struct evdefer_base *base)
{
	evdefer_base_wake_at_(base, first(&base->timers)->end);
}

void
evtimers_close_(struct evdefer_base *base)
{
	struct evtimers *timers = &base->timers;
	struct evtimeout *timeout;

	evlist_remove_(&timers->ready.node);
	while ((timeout = first(timers)) != NULL) {
		leave_heap(timers, timeout);
		/* Nobody else will ever fire it. */
		if (timeout->fires)
			evdeferred_cancel(timeout->deferred);
	}
}

void
evtimers_destroy_(struct evtimers *timers)
{
	evpool_destroy_(&timers->pool);
	free(timers->heap);
}

/*
 * One timeout.
 */

bool
evtimeout_is_valid_(const struct timeval *duration)
{
	return duration != NULL && duration->tv_sec >= 0 &&
	       duration->tv_usec >= 0 && duration->tv_usec < 1000000;
}

int
evtimeout_check_(
    const struct evdefer_base *base, const struct timeval *duration)
{
	if (!evtimeout_is_valid_(duration)) {
		errno = EINVAL;
		return -1;
	}
	if (evdefer_base_closed_(base)) {
		errno = ESHUTDOWN;
		return -1;
	}
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
evtimeout_start_(struct evdeferred *d, const struct timeval *duration,
    evtimeout_expire_fn expire)
{
	struct evdefer_base *base = d->base;
	struct evtimers *timers = &base->timers;
	struct evtimeout *timeout;

	if (reserve(timers) == -1 ||
	    (timeout = evpool_get_(&timers->pool)) == NULL)
		goto no_memory;
	timeout->end = end_of(duration);
	timeout->order = timers->order++;
	timeout->deferred = d;
	timeout->expire = expire;
	timeout->expired = false;
	timeout->fires = false;
	move_up(timers, timeout, timers->count++);
	if (evdefer_base_wake_at_(base, first(timers)->end) == 0)
		return timeout;
	leave_heap(timers, timeout);
	evpool_put_(&timers->pool, timeout);
no_memory:
	errno = ENOMEM;
	return NULL;
}

bool
evtimeout_stop_(struct evdefer_base *base, struct evtimeout *timeout)
{
	struct evtimers *timers = &base->timers;
	const bool expired = timeout->expired;

	if (timeout->index != NOT_IN_HEAP)
		leave_heap(timers, timeout);
	evpool_put_(&timers->pool, timeout);
	if (timers->count == 0)
		evdefer_base_sleep_(base);
	else
		evdefer_base_wake_at_(base, first(timers)->end);
	return expired;
}
