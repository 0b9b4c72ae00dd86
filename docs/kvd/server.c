/* SPDX-License-Identifier: MIT */
/*
 * What all clients share.
 */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include <evdefer/threadpool.h>

#include "commit.h"
#include "journal.h"
#include "options.h"
#include "report.h"
#include "snapshot.h"
#include "store.h"
#include "table.h"
#include "types/collection.h"

/* Files other than the clients' sockets, and some to spare. */
#define OTHER_FILES 32
/*
 * The end.
 */

/* When it stops, and all clients have gone. */
static void
end_if_done(struct server *server)
{
	if (server->stopping && server->loop.clients == NULL)
		loop_end(&server->loop);
}

void
server_client_gone(struct server *server)
{
	end_if_done(server);
}

static void
stop(struct server *server)
{
	if (server->stopping)
		return;
	server->stopping = true;
	listener_close(&server->listener);
	loop_stop(&server->loop);
	end_if_done(server);
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stop(arg);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct server *server = arg;

	(void)what;
	if (server->stopping) {
		report("stopped by a second signal, with work unfinished");
		_exit(1);
	}
	report("stopping after signal %d", (int)number);
	stop(server);
}

void
server_request_stop(struct server *server)
{
	/* Not at once: a client is in the middle of the request to do so. */
	event_active(server->stop, EV_TIMEOUT, 1);
}

/*
 * The data.
 */

static int
load(struct server *server)
{
	if (table_init() == -1) {
		report("no random numbers: %s", strerror(errno));
		return -1;
	}
	server->store = store_new(collection_is_part);
	if (server->store == NULL) {
		report("out of memory");
		return -1;
	}
	if (directory_open(&server->directory, server->options->dir) == -1 ||
	    snapshot_load(&server->directory, server->store) == -1)
		return -1;
	server->journal = journal_open(&server->directory, server->store);
	return server->journal != NULL ? 0 : -1;
}

/* As many files as we may have, and no more clients than that. */
static void
set_limits(struct server *server)
{
	const size_t wanted = server->options->max_clients + OTHER_FILES;
	struct rlimit limit;

	server->max_clients = server->options->max_clients;
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= wanted)
		return;
	/* Less than wanted, so it fits. */
	server->max_clients = limit.rlim_cur > OTHER_FILES + 1
				  ? (size_t)limit.rlim_cur - OTHER_FILES
				  : 1;
	report("at most %zu clients, as the limit of open files is %llu",
	    server->max_clients, (unsigned long long)limit.rlim_cur);
}

/*
 * The beginning.
 */

static int
make_events(struct server *server)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	struct event_base *events = server->loop.events;
	struct event *event;
	size_t i;

	for (i = 0; i < 2; i++) {
		event = evsignal_new(events, numbers[i], on_signal, server);
		server->signals[i] = event;
		if (event == NULL || event_add(event, NULL) == -1)
			return -1;
	}
	server->stop = evtimer_new(events, on_stop, server);
	return server->stop != NULL ? 0 : -1;
}

static int
make_parts(struct server *server)
{
	server->disk = evthreadpool_new(1);
	if (server->disk == NULL)
		return -1;
	if (loop_open(&server->loop, server) == -1 || make_events(server) == -1)
		return -1;
	server->commit = commit_new(server);
	return server->commit != NULL ? 0 : -1;
}

int
server_open(struct server *server, const struct options *options)
{
	memset(server, 0, sizeof(*server));
	server->options = options;
	server->directory.fd = -1;
	server->directory.lock = -1;
	clock_gettime(CLOCK_MONOTONIC, &server->started);
	set_limits(server);
	if (load(server) == -1)
		return -1;
	if (make_parts(server) == -1) {
		report("can't start: %s", strerror(errno));
		return -1;
	}
	journal_start(
	    server->journal, server->disk, server->loop.base, options->sync);
	return listener_open(&server->listener, server);
}

int
server_run(struct server *server)
{
	return loop_run(&server->loop);
}

static void
free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

void
server_close(struct server *server)
{
	listener_close(&server->listener);
	/* It first: what it does uses what goes with the rest. */
	evthreadpool_free(server->disk);
	free_event(server->signals[0]);
	free_event(server->signals[1]);
	free_event(server->stop);
	loop_close(&server->loop);
	commit_free(server->commit);
	journal_close(server->journal);
	store_free(server->store);
	directory_close(&server->directory);
}

long
server_uptime(const struct server *server)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)(now.tv_sec - server->started.tv_sec);
}
