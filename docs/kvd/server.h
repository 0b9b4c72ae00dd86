/* SPDX-License-Identifier: MIT */
/*
 * What all clients share, from the beginning to the end.
 */
#ifndef KVD_SERVER_H
#define KVD_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "directory.h"
#include "listener.h"
#include "loop.h"

struct commit;
struct event;
struct evthreadpool;
struct journal;
struct options;
struct store;

/* Others read it; only server.c changes it. */
struct server {
	const struct options *options;
	struct evthreadpool *disk; /* one thread, for what waits for it */
	struct store *store;
	struct journal *journal;
	struct commit *commit;
	struct directory directory;
	bool snapshot_is_running;

	struct loop loop;
	struct listener listener;
	unsigned long long last_client; /* the greatest number of one */
	size_t max_clients;

	struct event *signals[2];
	struct event *stop;
	bool stopping;
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
