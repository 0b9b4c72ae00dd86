/* SPDX-License-Identifier: MIT */
/*
 * A producer: a Deferred that fires after some time, and whose timer is stopped
 * by a cancel.
 */
#include <stdlib.h>
#include <event2/event.h>
#include <evdefer.h>

struct delay {
	struct evdeferred *deferred;
	struct event *timer;
};

static void
delay_free(struct delay *delay)
{
	event_free(delay->timer);
	free(delay);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct delay *delay = arg;
	struct evdeferred *d = delay->deferred;

	(void)fd;
	(void)what;
	delay_free(delay);
	evdeferred_callback(d, NULL);
}

static void
on_cancel(struct evdeferred *d, void *arg)
{
	(void)d;
	delay_free(arg);
}

struct evdeferred *
delay_new(struct evdefer_base *base, const struct timeval *duration)
{
	struct delay *delay = calloc(1, sizeof(*delay));

	if (delay == NULL)
		return NULL;
	delay->timer =
	    evtimer_new(evdefer_base_get_event_base(base), on_timer, delay);
	if (delay->timer == NULL)
		goto fail;
	delay->deferred = evdeferred_new(base, on_cancel, delay);
	if (delay->deferred == NULL)
		goto fail_timer;
	evtimer_add(delay->timer, duration);
	return delay->deferred;

fail_timer:
	event_free(delay->timer);
fail:
	free(delay);
	return NULL;
}
