/* SPDX-License-Identifier: MIT */
/*
 * What all clients share, the socket that they come in by, and the end of it.
 */
#ifndef KVD_SERVER_H
#define KVD_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "directory.h"
#include "named.h"

struct client;
struct commit;
struct event;
struct event_base;
struct evconnlistener;
struct evdefer_base;
struct evrwlock;
struct evthreadpool;
struct journal;
struct options;
struct store;

/* Others read it; only server.c and client.c (the list) change it. */
struct server {
	const struct options *options;
	struct event_base *events;
	struct evdefer_base *base;
	struct evthreadpool *disk; /* one thread, for what waits for it */
	struct store *store;
	struct journal *journal;
	struct evrwlock *lock; /* over store and journal */
	struct commit *commit;
	struct named_locks named; /* those of LOCK */
	struct directory directory;
	bool snapshot_is_running;

	struct evconnlistener *listener;
	struct event *accept_again;
	bool accept_failed; /* the last time, and it was reported */
	int port;
	struct client *clients;
	unsigned long long last_client; /* the greatest number of one */
	size_t connected;		/* clients whose connection is there */
	size_t max_clients;
	size_t buffered;	/* bytes for all of them; client.c counts */
	struct event *too_much; /* bytes: one of them has to go */
	uint64_t evicted;	/* clients closed for that */
	uint64_t timed_out;	/* and for not taking their replies */

	struct event *signals[2];
	struct event *stop;
	bool stopping;
	struct event *deadline;
	bool out_of_time;	 /* nobody waits for clients any more */
	struct timespec started; /* by a clock that is never set */
};

/* Loads the data and listens.  -1 after the reason was reported; to be closed
 * in any case. */
int server_open(struct server *server, const struct options *options);

/* Serves until it is told to stop, by a signal or SHUTDOWN. */
int server_run(struct server *server);

void server_close(struct server *server);

/* Stops soon: what was begun is finished, nothing is begun any more. */
void server_request_stop(struct server *server);

/* A client is told to have gone. */
void server_client_gone(struct server *server);

long server_uptime(const struct server *server);

#endif
