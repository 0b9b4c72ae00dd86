/* SPDX-License-Identifier: MIT */
#include "timeout-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

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
	if (capacity > SIZE_MAX / sizeof(*heap))
		return -1;
	heap = realloc(timers->heap, capacity * sizeof(*heap));
	if (heap == NULL)
		return -1;
	timers->heap = heap;
	timers->capacity = capacity;
	return 0;
}

/*
 * The event.
 */

/* Sets the event for the first timeout.  Where that fails it is tried again
 * whenever a timeout starts or stops. */
static int
arm(struct evdefer_base *base)
{
	struct evtimers *timers = &base->timers;
	const uint64_t end = first(timers)->end, now = evdefer_base_now_();
	const uint64_t us = end > now ? (end - now + 999) / 1000 : 0;
	const struct timeval delay = {
	    (time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	timers->armed =
	    evdefer_base_add_event_(base, timers->event, &delay) == 0;
	timers->alarm = end;
	return timers->armed ? 0 : -1;
}

/* Those that are over are with the turn, which sets the event when it has run
 * them. */
static bool
is_with_turn(const struct evtimers *timers)
{
	return !evlist_empty_(&timers->ready.node);
}

/* Is the event to be set, or set for later than the first timeout? */
static bool
is_late(const struct evtimers *timers)
{
	if (timers->count == 0 || timers->event == NULL || is_with_turn(timers))
		return false;
	return !timers->armed || first(timers)->end < timers->alarm;
}

static void
disarm(struct evtimers *timers)
{
	if (timers->armed)
		event_del(timers->event);
	timers->armed = false;
}

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
	if (timeout == NULL)
		return;
	if (!is_due(timers, timeout)) {
		arm(base);
		return;
	}
	/* They take turns with others that are ready. */
	evlist_append_(&base->ready, &ready->node);
	leave_heap(timers, timeout);
	timeout->expired = true;
	timeout->expire(timeout);
}

/* The event may come early, by a clock of its own that is not as good.  What is
 * due takes part in the turn, of which there is one between two polls. */
static void
look(evutil_socket_t fd, short what, void *arg)
{
	struct evdefer_base *base = arg;
	struct evtimers *timers = &base->timers;

	(void)fd;
	(void)what;
	timers->armed = false;
	timers->due_end = evdefer_base_now_();
	timers->due_order = timers->order;
	if (!is_with_turn(timers))
		evlist_append_(&base->ready, &timers->ready.node);
	if (!base->scheduled)
		evdefer_base_run_turn_(base);
}

void
evtimers_init_(struct evtimers *timers)
{
	evlist_init_(&timers->ready.node);
	timers->ready.deliver = expire_first;
	evpool_init_(&timers->pool, sizeof(struct evtimeout));
}

void
evtimers_close_(struct evdefer_base *base)
{
	struct evtimers *timers = &base->timers;
	struct evtimeout *timeout;

	evlist_remove_(&timers->ready.node);
	if (timers->event != NULL)
		event_free(timers->event);
	timers->event = NULL;
	timers->armed = false;
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

int
evtimeout_check_(
    const struct evdefer_base *base, const struct timeval *duration)
{
	if (duration == NULL || duration->tv_sec < 0 || duration->tv_usec < 0 ||
	    duration->tv_usec >= 1000000) {
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

/* All memory that a timeout may need, before anything is changed. */
static struct evtimeout *
allocate(struct evdefer_base *base)
{
	struct evtimers *timers = &base->timers;

	if (timers->event == NULL)
		timers->event = evtimer_new(base->event_base, look, base);
	if (timers->event == NULL || reserve(timers) == -1)
		return NULL;
	return evpool_get_(&timers->pool);
}

struct evtimeout *
evtimeout_start_(struct evdeferred *d, const struct timeval *duration,
    evtimeout_expire_fn expire)
{
	struct evdefer_base *base = d->base;
	struct evtimers *timers = &base->timers;
	struct evtimeout *timeout = allocate(base);

	if (timeout == NULL)
		goto no_memory;
	timeout->end = end_of(duration);
	timeout->order = timers->order++;
	timeout->deferred = d;
	timeout->expire = expire;
	timeout->expired = false;
	timeout->fires = false;
	move_up(timers, timeout, timers->count++);
	if (!is_late(timers) || arm(base) == 0)
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
		disarm(timers);
	else if (is_late(timers))
		arm(base);
	return expired;
}
