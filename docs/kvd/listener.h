/* SPDX-License-Identifier: MIT */
/*
 * The socket that clients come in by.
 */
#ifndef KVD_LISTENER_H
#define KVD_LISTENER_H

#include <stdbool.h>

struct event;
struct evconnlistener;
struct server;

struct listener {
	struct server *server;
	struct evconnlistener *socket; /* NULL: closed */
	struct event *again;
	bool failed; /* the last time, and it was reported */
	int port;
};

/* Listens, and tells so on stdout.  -1 after the reason was reported; to be closed in
 * any case. */
int listener_open(struct listener *listener, struct server *server);

/* Nobody comes in any more.  It may be closed twice. */
void listener_close(struct listener *listener);

#endif
