/* SPDX-License-Identifier: MIT */
/*
 * An event loop.
 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <evdefer/base.h>
#include <evdefer/group.h>
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

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	tracing_flush(&loop->server->tracing, loop->base);
}

/* What is not in the file is of no use when the loop hangs, or kvd is killed. */
static int
start_tracing(struct loop *loop)
{
	static const struct timeval second = {1, 0};
	struct tracing *tracing = &loop->server->tracing;

	if (tracing->trace == NULL)
		return 0;
	loop->flush = event_new(loop->events, -1, EV_PERSIST, on_flush, loop);
	if (loop->flush == NULL || event_add(loop->flush, &second) == -1)
		return -1;
	return tracing_add(tracing, loop->base, loop->number);
}

static void
make_room(void *arg)
{
	client_make_room(arg);
}

static void
begin_stop(void *arg)
{
	struct loop *loop = arg;

	loop->stopping = true;
	event_add(loop->deadline, &loop->server->options->stop_timeout);
	named_close(&loop->named);
	server_loop_stops(loop->server);
}

static void
stop(void *arg)
{
	struct loop *loop = arg;
	struct client *client, *next;

	for (client = loop->clients; client != NULL; client = next) {
		next = client_next(client);
		client_stop(client);
	}
	server_client_gone(loop->server);
}

static void
end(void *arg)
{
	struct loop *loop = arg;

	event_base_loopbreak(loop->events);
}

/* One loop has no group to pay for.
 *
 * FAST: a request for a lock that is free is answered without a turn of the loop in
 * between.  The grants that a release makes from inside are no danger here: an answer
 * only writes to a buffer, and a client goes on with its next request from the loop. */
static struct evrwlock *
make_lock(struct loop *loop)
{
	struct evgroup *group = loop->server->group;
	struct evrwlock *lock =
	    group == NULL
		? evrwlock_new(loop->base, EVRWLOCK_FAST)
		: evrwlock_new_in_group(group, loop->base, EVRWLOCK_FAST);

	if (lock != NULL && evrwlock_set_name(lock, "the store") == 0)
		return lock;
	evrwlock_free(lock);
	return NULL;
}

static int
make_locks(struct loop *loop)
{
	loop->lock = make_lock(loop);
	loop->batch_lock =
	    loop->server->group == NULL ? loop->lock : make_lock(loop);
	return loop->lock != NULL && loop->batch_lock != NULL ? 0 : -1;
}

int
loop_open(struct loop *loop, struct server *server, unsigned number)
{
	loop->server = server;
	loop->number = number;
	pthread_mutex_init(&loop->mutex, NULL);
	letter_init(&loop->make_room, make_room, loop);
	letter_init(&loop->begin_stop, begin_stop, loop);
	letter_init(&loop->stop, stop, loop);
	letter_init(&loop->end, end, loop);
	loop->events = event_base_new();
	if (loop->events == NULL)
		return -1;
	loop->base = evdefer_base_new(loop->events);
	if (loop->base == NULL ||
	    evdefer_base_set_debug(loop->base, server->options->debug) == -1 ||
	    mailbox_open(&loop->mailbox, loop->base) == -1)
		return -1;
	loop->deadline = evtimer_new(loop->events, on_deadline, loop);
	loop->too_much = evtimer_new(loop->events, on_too_much, loop);
	if (loop->deadline == NULL || loop->too_much == NULL)
		return -1;
	share_init(&loop->buffered, &server->buffered);
	named_init(&loop->named, loop->base, server->names);
	return make_locks(loop) == 0 ? start_tracing(loop) : -1;
}

void
loop_run(struct loop *loop)
{
	evdefer_base_set_thread(loop->base);
	/* It may have nothing to wait for but its mailbox. */
	if (event_base_loop(loop->events, EVLOOP_NO_EXIT_ON_EMPTY) != -1)
		return;
	/* Others would wait for its clients, and for the locks that they hold.  What
	 * was answered is on the disk. */
	report("an event loop has failed: %s", strerror(errno));
	_exit(EXIT_FAILURE);
}

static void *
run_in_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

int
loop_start(struct loop *loop)
{
	sigset_t all, before;
	int error;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&loop->thread, NULL, run_in_thread, loop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	loop->has_thread = error == 0;
	if (error == 0)
		return 0;
	report("can't start a thread: %s", strerror(error));
	return -1;
}

void
loop_join(struct loop *loop)
{
	if (!loop->has_thread)
		return;
	loop_end(loop);
	pthread_join(loop->thread, NULL);
	loop->has_thread = false;
}

void
loop_begin_stop(struct loop *loop)
{
	mailbox_send(&loop->mailbox, &loop->begin_stop);
}

void
loop_stop(struct loop *loop)
{
	mailbox_send(&loop->mailbox, &loop->stop);
}

void
loop_end(struct loop *loop)
{
	mailbox_send(&loop->mailbox, &loop->end);
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
	if (loop->base != NULL)
		evdefer_base_set_thread(loop->base);
	if (loop->batch_lock != loop->lock)
		evrwlock_free(loop->batch_lock);
	evrwlock_free(loop->lock);
	evdefer_base_free(loop->base);
	mailbox_close(&loop->mailbox);
	pthread_mutex_destroy(&loop->mutex);
	free_event(loop->deadline);
	free_event(loop->too_much);
	free_event(loop->flush);
	if (loop->events != NULL)
		event_base_free(loop->events);
}
