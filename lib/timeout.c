/* SPDX-License-Identifier: MIT */
#include "timeout-internal.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

#include "base-internal.h"
#include "deferred-internal.h"

/* Longer than any process runs, and added to the time of day no overflow. */
#define LONGEST_SECONDS (sizeof(time_t) > 4 ? INT32_MAX : 1 << 28)

static void
run_out(evutil_socket_t fd, short what, void *arg)
{
	struct evtimeout *timeout = arg;

	(void)fd;
	(void)what;
	timeout->expired = true;
	timeout->expire(timeout);
}

static struct evtimeout *
allocate(struct evdefer_base *base)
{
	struct evtimeout *timeout = calloc(1, sizeof(*timeout));

	if (timeout == NULL)
		return NULL;
	timeout->event = evtimer_new(base->event_base, run_out, timeout);
	if (timeout->event == NULL) {
		free(timeout);
		return NULL;
	}
	timeout->base = base;
	timeout->next = base->timeouts;
	base->timeouts = timeout;
	return timeout;
}

static void
give_back(struct evtimeout *timeout)
{
	timeout->running = false;
	timeout->next_free = timeout->base->free_timeouts;
	timeout->base->free_timeouts = timeout;
}

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

struct evtimeout *
evtimeout_start_(struct evdeferred *d, const struct timeval *duration,
    evtimeout_expire_fn expire)
{
	struct evdefer_base *base = d->base;
	struct evtimeout *timeout = base->free_timeouts;
	struct timeval bounded = *duration;

	if (timeout != NULL)
		base->free_timeouts = timeout->next_free;
	else if ((timeout = allocate(base)) == NULL)
		goto no_memory;

	timeout->deferred = d;
	timeout->expire = expire;
	timeout->expired = false;
	timeout->fires = false;
	timeout->running = true;
	if (bounded.tv_sec > LONGEST_SECONDS)
		bounded.tv_sec = LONGEST_SECONDS;
	if (event_add(timeout->event, &bounded) == 0)
		return timeout;
	give_back(timeout);
no_memory:
	errno = ENOMEM;
	return NULL;
}

bool
evtimeout_stop_(struct evtimeout *timeout)
{
	if (timeout->event != NULL)
		event_del(timeout->event);
	give_back(timeout);
	return timeout->expired;
}

void
evtimeout_drop_all_(struct evdefer_base *base)
{
	struct evtimeout *timeout;

	for (timeout = base->timeouts; timeout != NULL;
	     timeout = timeout->next) {
		event_free(timeout->event);
		timeout->event = NULL;
	}
	/* Those that nobody else will ever fire. */
	for (timeout = base->timeouts; timeout != NULL;
	     timeout = timeout->next) {
		if (timeout->running && timeout->fires)
			evdeferred_cancel(timeout->deferred);
	}
}

void
evtimeout_destroy_all_(struct evdefer_base *base)
{
	struct evtimeout *timeout;

	while ((timeout = base->timeouts) != NULL) {
		base->timeouts = timeout->next;
		free(timeout);
	}
}
