/* SPDX-License-Identifier: MIT */
/*
 * What all clients share.
 */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include <evdefer/deferred.h>
#include <evdefer/group.h>
#include <evdefer/threadpool.h>

#include "commit.h"
#include "journal.h"
#include "locks.h"
#include "names.h"
#include "options.h"
#include "report.h"
#include "snapshot.h"
#include "store.h"
#include "table.h"
#include "types/collection.h"

/* Files other than the clients' sockets, and some to spare. */
#define OTHER_FILES 32
#define FILES_OF_LOOP 8
/*
 * The end.
 */

/* All loops end together: until then one may hold a lock, or be asked for figures. */
static void
end(struct server *server)
{
	unsigned i;

	for (i = 0; i < server->loop_count; i++)
		loop_end(&server->loops[i]);
}

void
server_client_gone(struct server *server)
{
	if (atomic_fetch_sub(&server->clients, 1) == 1 &&
	    atomic_load(&server->stopping))
		end(server);
}

void
server_loop_stops(struct server *server)
{
	unsigned i;

	if (atomic_fetch_sub(&server->to_stop, 1) > 1)
		return;
	for (i = 0; i < server->loop_count; i++)
		loop_stop(&server->loops[i]);
}

/* In the main thread.  Those that wait for named locks are refused first, in all loops,
 * so that nobody is granted one that the end of another client has set free. */
static void
stop(void *arg)
{
	struct server *server = arg;
	unsigned i;

	if (atomic_exchange(&server->stopping, true))
		return;
	listener_close(&server->listener);
	atomic_store(&server->to_stop, server->loop_count);
	/* Each loop counts as a client until it has been told to stop. */
	atomic_fetch_add(&server->clients, server->loop_count);
	for (i = 0; i < server->loop_count; i++)
		loop_begin_stop(&server->loops[i]);
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

/*
 * SIGUSR1: who holds which locks, and who waits.
 */

static int
write_to_stderr(const char *text, size_t length, void *arg)
{
	(void)arg;
	return fwrite(text, 1, length, stderr) == length ? 0 : -1;
}

/* The report has counted as a client, so that the loops have not ended before it. */
static void
end_report(void *arg)
{
	struct server *server = arg;

	server->reporting = false;
	server_client_gone(server);
}

static struct evresult
explain_failure(struct evfailure *failure, void *arg)
{
	(void)arg;
	report("%s", evfailure_get_message(failure));
	return evresult_value(NULL);
}

static void
on_report_signal(evutil_socket_t number, short what, void *arg)
{
	struct server *server = arg;
	struct evdeferred *d;

	(void)number;
	(void)what;
	if (server->reporting || server->stopping)
		return;
	d = locks_report(&server->loops[0], EVDEFER_REPORT_TEXT,
	    write_to_stderr, server, end_report);
	if (d == NULL) {
		report("no report of the locks: out of memory");
		return;
	}
	server->reporting = true;
	atomic_fetch_add(&server->clients, 1);
	/* Without memory for this the default handler says why it has failed. */
	evdeferred_add_errback(d, explain_failure, NULL);
	evdeferred_detach(d);
}

void
server_request_stop(struct server *server)
{
	/* Not at once: a client is in the middle of the request to do so. */
	mailbox_send(&server->loops[0].mailbox, &server->stop);
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
	const size_t others =
	    OTHER_FILES + FILES_OF_LOOP * (server->options->threads - 1);
	const size_t wanted = server->options->max_clients + others;
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
	server->max_clients =
	    limit.rlim_cur > others + 1 ? (size_t)limit.rlim_cur - others : 1;
	report("at most %zu clients, as the limit of open files is %llu",
	    server->max_clients, (unsigned long long)limit.rlim_cur);
}

/*
 * The beginning.
 */

static int
watch_signals(struct server *server)
{
	static const struct {
		int number;
		event_callback_fn fn;
	} signals[] = {
	    {SIGTERM, on_signal},
	    {SIGINT, on_signal},
	    {SIGUSR1, on_report_signal},
	};
	struct event *event;
	size_t i;

	for (i = 0; i < 3; i++) {
		event = evsignal_new(server->loops[0].events, signals[i].number,
		    signals[i].fn, server);
		server->signals[i] = event;
		if (event == NULL || event_add(event, NULL) == -1)
			return -1;
	}
	return 0;
}

static int
make_group(struct server *server)
{
	if (server->options->threads == 1)
		return 0;
	server->group = evgroup_new();
	server->names = names_new();
	return server->group != NULL && server->names != NULL ? 0 : -1;
}

static int
make_loops(struct server *server)
{
	const unsigned count = (unsigned)server->options->threads;

	server->loops = calloc(count, sizeof(*server->loops));
	if (server->loops == NULL)
		return -1;
	while (server->loop_count < count) {
		const unsigned number = server->loop_count++;

		if (loop_open(&server->loops[number], server, number) == -1)
			return -1;
	}
	return 0;
}

static int
make_parts(struct server *server)
{
	letter_init(&server->stop, stop, server);
	budget_init(&server->buffered, server->options->max_buffered,
	    (unsigned)server->options->threads);
	server->disk = evthreadpool_new(1);
	if (server->disk == NULL || make_group(server) == -1 ||
	    make_loops(server) == -1 || watch_signals(server) == -1)
		return -1;
	server->commit = commit_new(server);
	return server->commit != NULL ? 0 : -1;
}

static int
start_threads(struct server *server)
{
	unsigned i;

	for (i = 1; i < server->loop_count; i++)
		if (loop_start(&server->loops[i]) == -1)
			return -1;
	return 0;
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
	if (tracing_open(&server->tracing, options->trace) == -1 ||
	    load(server) == -1)
		return -1;
	if (make_parts(server) == -1) {
		report("can't start: %s", strerror(errno));
		return -1;
	}
	journal_start(server->journal, server->disk, options->sync);
	if (start_threads(server) == -1)
		return -1;
	return listener_open(&server->listener, server);
}

void
server_run(struct server *server)
{
	loop_run(&server->loops[0]);
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
	unsigned i;

	listener_close(&server->listener);
	for (i = 0; i < server->loop_count; i++)
		loop_join(&server->loops[i]);
	/* It first: what it does uses what goes with the rest. */
	evthreadpool_free(server->disk);
	for (i = 0; i < 3; i++)
		free_event(server->signals[i]);
	for (i = 0; i < server->loop_count; i++)
		loop_close(&server->loops[i]);
	/* What is due in one that is closed may be sent to another. */
	for (i = 0; i < server->loop_count; i++)
		mailbox_destroy(&server->loops[i].mailbox);
	free(server->loops);
	evgroup_free(server->group);
	names_free(server->names);
	tracing_close(&server->tracing);
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
