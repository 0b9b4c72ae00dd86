/* SPDX-License-Identifier: MIT */
/*
 * An event loop.
 */
#include "loop.h"

#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include <evdefer/base.h>
#include <evdefer/rwlock.h>

#include "client.h"
#include "options.h"
#include "report.h"
#include "server.h"

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->out_of_time = true;
	client_stop_waiting(loop);
}

static void
on_too_much(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_make_room(arg);
}

int
loop_open(struct loop *loop, struct server *server)
{
	loop->server = server;
	loop->events = event_base_new();
	if (loop->events == NULL)
		return -1;
	loop->base = evdefer_base_new(loop->events);
	if (loop->base == NULL)
		return -1;
	loop->deadline = evtimer_new(loop->events, on_deadline, loop);
	loop->too_much = evtimer_new(loop->events, on_too_much, loop);
	if (loop->deadline == NULL || loop->too_much == NULL)
		return -1;
	named_init(&loop->named, loop->base);
	/* FAST: a request for a lock that is free is answered without a turn of
	 * the loop in between.  The grants that a release makes from inside are
	 * no danger here: an answer only writes to a buffer, and a client goes
	 * on with its next request from the loop. */
	loop->lock = evrwlock_new(loop->base, EVRWLOCK_FAST);
	return evrwlock_set_name(loop->lock, "the store");
}

int
loop_run(struct loop *loop)
{
	if (event_base_dispatch(loop->events) != -1)
		return 0;
	report("the event loop has failed: %s", strerror(errno));
	return -1;
}

void
loop_stop(struct loop *loop)
{
	struct client *client, *next;

	loop->stopping = true;
	event_add(loop->deadline, &loop->server->options->stop_timeout);
	named_close(&loop->named);
	for (client = loop->clients; client != NULL; client = next) {
		next = client_next(client);
		client_stop(client);
	}
}

void
loop_end(struct loop *loop)
{
	event_base_loopbreak(loop->events);
}

static void
free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

void
loop_close(struct loop *loop)
{
	evrwlock_free(loop->lock);
	evdefer_base_free(loop->base);
	free_event(loop->deadline);
	free_event(loop->too_much);
	if (loop->events != NULL)
		event_base_free(loop->events);
}
