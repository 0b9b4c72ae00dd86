/* SPDX-License-Identifier: MIT */
/*
 * Prints all that is held when the program gets SIGUSR1:
 */
#include <signal.h>
#include <stdio.h>
#include <event2/event.h>
#include <evdefer.h>

static int
print(const char *text, size_t length, void *arg)
{
	return fwrite(text, 1, length, arg) == length ? 0 : -1;
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct evdeferred *d =
	    evdefer_base_report(arg, EVDEFER_REPORT_TEXT, print, stderr);

	(void)fd;
	(void)what;
	if (d == NULL)
		perror("no report");
	else
		evdeferred_detach(d);
}

/* The caller frees the event before the loop. */
struct event *
report_on_signal(struct event_base *loop, struct evdefer_base *base)
{
	struct event *event = evsignal_new(loop, SIGUSR1, on_signal, base);

	if (event != NULL)
		evsignal_add(event, NULL);
	return event;
}
