/* SPDX-License-Identifier: MIT */
/*
 * What all clients share.
 */
#include "server.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>

#include <evdefer/base.h>
#include <evdefer/rwlock.h>
#include <evdefer/threadpool.h>

#include "client.h"
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
#define BACKLOG 511
/* Without a file for the next client: milliseconds until we try again. */
#define ACCEPT_PAUSE 100

/*
 * The end.
 */

void
server_client_gone(struct server *server)
{
	if (server->stopping && server->clients == NULL)
		event_base_loopbreak(server->events);
}

static void
stop(struct server *server)
{
	struct client *client, *next;

	if (server->stopping)
		return;
	server->stopping = true;
	evconnlistener_free(server->listener);
	server->listener = NULL;
	event_del(server->accept_again);
	event_add(server->deadline, &server->options->stop_timeout);
	named_close(&server->named);
	for (client = server->clients; client != NULL; client = next) {
		next = client_next(client);
		client_stop(client);
	}
	server_client_gone(server);
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stop(arg);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	server->out_of_time = true;
	client_stop_waiting(server);
}

static void
on_too_much(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_make_room(arg);
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

/*
 * The socket.
 */

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

static void
refuse_client(evutil_socket_t fd)
{
	static const char text[] = "-ERR max number of clients reached\r\n";

	/* The buffer of a new socket has room for it. */
	(void)!send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	evutil_closesocket(fd);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *address, int length, void *arg)
{
	struct server *server = arg;

	(void)listener;
	server->accept_failed = false;
	if (server->connected >= server->max_clients)
		refuse_client(fd);
	else
		client_accept(server, fd, address, (socklen_t)length);
}

/* The connection stays in the queue, so the listener would be called again at
 * once and for ever. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = {0, ACCEPT_PAUSE * 1000L};
	struct server *server = arg;

	if (!server->accept_failed)
		report("can't accept clients: %s", strerror(errno));
	server->accept_failed = true;
	if (event_add(server->accept_again, &pause) == 0)
		evconnlistener_disable(listener);
}

static void
on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(server->listener);
}

static struct evconnlistener *
bind_address(struct server *server, const struct addrinfo *address)
{
	return evconnlistener_new_bind(server->events, on_accept, server,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    BACKLOG, address->ai_addr, (int)address->ai_addrlen);
}

static int
start_listening(struct server *server)
{
	const struct addrinfo hints = {
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	    .ai_socktype = SOCK_STREAM,
	};
	const struct options *options = server->options;
	struct addrinfo *address;
	int error;

	error = getaddrinfo(options->bind, options->port, &hints, &address);
	if (error != 0) {
		report("--bind=%s: %s", options->bind, gai_strerror(error));
		return -1;
	}
	server->listener = bind_address(server, address);
	freeaddrinfo(address);
	if (server->listener == NULL) {
		report("can't listen on %s port %s: %s", options->bind,
		    options->port, strerror(errno));
		return -1;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	return 0;
}

/* Tells on stdout where it listens, for those who wait for that. */
static int
announce(struct server *server)
{
	char host[64], port[16];
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	const char *format;

	if (getsockname(evconnlistener_get_fd(server->listener),
		(struct sockaddr *)&address, &length) == -1 ||
	    getnameinfo((struct sockaddr *)&address, length, host, sizeof(host),
		port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		report("can't find out the port");
		return -1;
	}
	server->port = atoi(port);
	format = address.ss_family == AF_INET6 ? "kvd: ready on [%s]:%s\n"
					       : "kvd: ready on %s:%s\n";
	printf(format, host, port);
	if (fflush(stdout) == 0)
		return 0;
	report("stdout: %s", strerror(errno));
	return -1;
}

/*
 * The beginning.
 */

static int
make_events(struct server *server)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	struct event *event;
	size_t i;

	for (i = 0; i < 2; i++) {
		event =
		    evsignal_new(server->events, numbers[i], on_signal, server);
		server->signals[i] = event;
		if (event == NULL || event_add(event, NULL) == -1)
			return -1;
	}
	server->stop = evtimer_new(server->events, on_stop, server);
	server->accept_again =
	    evtimer_new(server->events, on_accept_again, server);
	server->deadline = evtimer_new(server->events, on_deadline, server);
	server->too_much = evtimer_new(server->events, on_too_much, server);
	return server->stop != NULL && server->accept_again != NULL &&
		       server->deadline != NULL && server->too_much != NULL
		   ? 0
		   : -1;
}

static int
make_parts(struct server *server)
{
	server->events = event_base_new();
	if (server->events == NULL)
		return -1;
	server->base = evdefer_base_new(server->events);
	if (server->base == NULL || make_events(server) == -1)
		return -1;
	server->disk = evthreadpool_new(1);
	if (server->disk == NULL)
		return -1;
	named_init(&server->named, server->base);
	server->commit = commit_new(server);
	if (server->commit == NULL)
		return -1;
	/* FAST: a request for a lock that is free is answered without a turn of
	 * the loop in between.  The grants that a release makes from inside are
	 * no danger here: an answer only writes to a buffer, and a client goes
	 * on with its next request from the loop. */
	server->lock = evrwlock_new(server->base, EVRWLOCK_FAST);
	return evrwlock_set_name(server->lock, "the store");
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
	    server->journal, server->disk, server->base, options->sync);
	if (start_listening(server) == -1)
		return -1;
	return announce(server);
}

int
server_run(struct server *server)
{
	if (event_base_dispatch(server->events) != -1)
		return 0;
	report("the event loop has failed: %s", strerror(errno));
	return -1;
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
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	/* It first: what it does uses what goes with the rest. */
	evthreadpool_free(server->disk);
	evrwlock_free(server->lock);
	evdefer_base_free(server->base);
	free_event(server->signals[0]);
	free_event(server->signals[1]);
	free_event(server->stop);
	free_event(server->accept_again);
	free_event(server->deadline);
	free_event(server->too_much);
	if (server->events != NULL)
		event_base_free(server->events);
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
