/* SPDX-License-Identifier: MIT */
/*
 * A producer with its canceller, and three ways to wait for it: to the end, for
 * so long, and not any more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <evdefer.h>

struct timer {
	struct evdeferred *deferred;
	struct event *event;
};

static void
timer_free(struct timer *timer)
{
	if (timer->event != NULL)
		event_free(timer->event);
	free(timer);
}

static void
timer_fire(evutil_socket_t fd, short what, void *arg)
{
	struct timer *timer = arg;
	struct evdeferred *d = timer->deferred;

	(void)fd;
	(void)what;
	timer_free(timer);
	evdeferred_callback(d, NULL);
}

static void
timer_cancel(struct evdeferred *d, void *arg)
{
	(void)d; /* it fails with ECANCELED, as this does not fire it */
	timer_free(arg);
}

/* A Deferred that fires with NULL after this many milliseconds. */
static struct evdeferred *
after(struct evdefer_base *base, int milliseconds)
{
	const struct timeval duration = {
	    milliseconds / 1000, milliseconds % 1000 * 1000};
	struct timer *timer = calloc(1, sizeof(*timer));

	if (timer == NULL)
		return NULL;
	timer->event =
	    evtimer_new(evdefer_base_get_event_base(base), timer_fire, timer);
	if (timer->event == NULL || evtimer_add(timer->event, &duration) == -1)
		goto fail;
	timer->deferred = evdeferred_new(base, timer_cancel, timer);
	if (timer->deferred == NULL)
		goto fail;
	return timer->deferred;

fail:
	timer_free(timer);
	errno = ENOMEM;
	return NULL;
}

static struct evresult
wait_more(void *value, void *base)
{
	(void)value;
	puts("one");
	return evresult_deferred(after(base, 20));
}

static struct evresult
say(struct evresult result, void *word)
{
	struct evfailure *failure = evresult_get_failure(result);

	if (failure != NULL)
		printf(
		    "%s: %s\n", (char *)word, evfailure_get_message(failure));
	else
		puts(word);
	return evresult_value(NULL);
}

int
main(void)
{
	static const struct timeval limit = {0, 400000};
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evdeferred *d;

	d = after(base, 20);
	evdeferred_add_callback(d, wait_more, base);
	evdeferred_add_both(d, say, "two");
	evdeferred_detach(d);

	d = after(base, 10000);
	evdeferred_add_timeout(d, &limit);
	evdeferred_add_both(d, say, "slow");
	evdeferred_detach(d);

	d = after(base, 10000);
	evdeferred_add_both(d, say, "unwanted");
	evdeferred_cancel(d);
	evdeferred_free(d);

	event_base_dispatch(loop);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
