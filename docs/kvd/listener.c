/* SPDX-License-Identifier: MIT */
/*
 * The socket that clients come in by.
 */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "client.h"
#include "loop.h"
#include "options.h"
#include "report.h"
#include "server.h"

#define BACKLOG 511
/* Without a file for the next client: milliseconds until we try again. */
#define ACCEPT_PAUSE 100

static void
refuse_client(evutil_socket_t fd)
{
	static const char text[] = "-ERR max number of clients reached\r\n";

	/* The buffer of a new socket has room for it. */
	(void)!send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	evutil_closesocket(fd);
}

static struct loop *
find_emptiest(struct server *server, size_t *all)
{
	struct loop *best = &server->loops[0];
	size_t connected, fewest = SIZE_MAX;
	unsigned i;

	*all = 0;
	for (i = 0; i < server->loop_count; i++) {
		connected = atomic_load(&server->loops[i].connected);
		*all += connected;
		if (connected >= fewest)
			continue;
		fewest = connected;
		best = &server->loops[i];
	}
	return best;
}

/* A client on its way to its loop. */
struct newcomer {
	struct letter letter;
	struct loop *loop;
	evutil_socket_t fd;
	struct sockaddr_storage address;
	socklen_t length;
	unsigned long long number;
};

static void
come_in(const struct newcomer *newcomer)
{
	client_accept(newcomer->loop, newcomer->fd,
	    (const struct sockaddr *)&newcomer->address, newcomer->length,
	    newcomer->number);
}

/* In the thread of the loop. */
static void
arrive(void *arg)
{
	struct newcomer *newcomer = arg;

	come_in(newcomer);
	free(newcomer);
}

static void
hand_over(const struct newcomer *newcomer)
{
	struct newcomer *copy = malloc(sizeof(*copy));

	if (copy == NULL) {
		report("a client is closed: out of memory");
		evutil_closesocket(newcomer->fd);
		atomic_fetch_sub(&newcomer->loop->connected, 1);
		server_client_gone(newcomer->loop->server);
		return;
	}
	*copy = *newcomer;
	letter_init(&copy->letter, arrive, copy);
	mailbox_send(&copy->loop->mailbox, &copy->letter);
}

static void
on_accept(struct evconnlistener *socket, evutil_socket_t fd,
    struct sockaddr *address, int length, void *arg)
{
	struct listener *listener = arg;
	struct server *server = listener->server;
	struct newcomer newcomer = {.fd = fd, .length = (socklen_t)length};
	size_t all;

	(void)socket;
	listener->failed = false;
	newcomer.loop = find_emptiest(server, &all);
	if (all >= server->max_clients) {
		refuse_client(fd);
		return;
	}
	memcpy(&newcomer.address, address, newcomer.length);
	newcomer.number = ++listener->last;
	atomic_fetch_add(&server->clients, 1);
	atomic_fetch_add(&newcomer.loop->connected, 1);
	if (newcomer.loop == &server->loops[0])
		come_in(&newcomer);
	else
		hand_over(&newcomer);
}

/* The connection stays in the queue, so the listener would be called again at
 * once and for ever. */
static void
on_error(struct evconnlistener *socket, void *arg)
{
	static const struct timeval pause = {0, ACCEPT_PAUSE * 1000L};
	struct listener *listener = arg;

	if (!listener->failed)
		report("can't accept clients: %s", strerror(errno));
	listener->failed = true;
	if (event_add(listener->again, &pause) == 0)
		evconnlistener_disable(socket);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(listener->socket);
}

static struct evconnlistener *
bind_address(struct listener *listener, const struct addrinfo *address)
{
	return evconnlistener_new_bind(listener->server->loops[0].events,
	    on_accept, listener,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    BACKLOG, address->ai_addr, (int)address->ai_addrlen);
}

static int
start_listening(struct listener *listener)
{
	const struct addrinfo hints = {
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	    .ai_socktype = SOCK_STREAM,
	};
	const struct options *options = listener->server->options;
	struct addrinfo *address;
	int error;

	error = getaddrinfo(options->bind, options->port, &hints, &address);
	if (error != 0) {
		report("--bind=%s: %s", options->bind, gai_strerror(error));
		return -1;
	}
	listener->socket = bind_address(listener, address);
	freeaddrinfo(address);
	if (listener->socket == NULL) {
		report("can't listen on %s port %s: %s", options->bind,
		    options->port, strerror(errno));
		return -1;
	}
	evconnlistener_set_error_cb(listener->socket, on_error);
	return 0;
}

/* Tells on stdout where it listens, for those who wait for that. */
static int
announce(struct listener *listener)
{
	char host[64], port[16];
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	const char *format;

	if (getsockname(evconnlistener_get_fd(listener->socket),
		(struct sockaddr *)&address, &length) == -1 ||
	    getnameinfo((struct sockaddr *)&address, length, host, sizeof(host),
		port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		report("can't find out the port");
		return -1;
	}
	listener->port = atoi(port);
	format = address.ss_family == AF_INET6 ? "kvd: ready on [%s]:%s\n"
					       : "kvd: ready on %s:%s\n";
	printf(format, host, port);
	if (fflush(stdout) == 0)
		return 0;
	report("stdout: %s", strerror(errno));
	return -1;
}

int
listener_open(struct listener *listener, struct server *server)
{
	listener->server = server;
	listener->again =
	    evtimer_new(server->loops[0].events, on_again, listener);
	if (listener->again == NULL) {
		report("out of memory");
		return -1;
	}
	if (start_listening(listener) == -1)
		return -1;
	return announce(listener);
}

void
listener_close(struct listener *listener)
{
	if (listener->socket != NULL)
		evconnlistener_free(listener->socket);
	listener->socket = NULL;
	if (listener->again != NULL)
		event_free(listener->again);
	listener->again = NULL;
}
