/* SPDX-License-Identifier: MIT */
/*
 * The socket that clients come in by.  It belongs to the first loop, which hands each
 * client to the loop that has the fewest.
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
	unsigned long long last; /* the greatest number of a client */
};

/* Listens, and tells so on stdout.  -1 after the reason was reported; to be closed in
 * any case. */
int listener_open(struct listener *listener, struct server *server);

/* Nobody comes in any more.  It may be closed twice. */
void listener_close(struct listener *listener);

#endif
