/* SPDX-License-Identifier: MIT */
/*
 * What all clients share, from the beginning to the end.
 */
#ifndef KVD_SERVER_H
#define KVD_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "budget.h"
#include "directory.h"
#include "listener.h"
#include "loop.h"
#include "tracing.h"

struct commit;
struct event;
struct evgroup;
struct evthreadpool;
struct journal;
struct names;
struct options;
struct store;

/* Others read it; only server.c changes it, but for the numbers of clients and bytes,
 * which are client.c's. */
struct server {
	const struct options *options;
	struct evthreadpool *disk; /* one thread, for what waits for it */
	struct store *store;
	struct journal *journal;
	struct commit *commit;
	struct directory directory;
	atomic_bool snapshot_is_running;

	struct loop *loops;
	unsigned loop_count;
	struct evgroup *group; /* of their locks; NULL if there is one loop */
	struct names *names;   /* of the locks of LOCK; NULL too */
	struct tracing tracing;
	struct listener listener;
	size_t max_clients;
	atomic_size_t clients;	/* of all loops, and those that come in */
	struct budget buffered; /* bytes for them */

	struct event *signals[3];
	bool reporting; /* after SIGUSR1 */
	struct letter stop;
	atomic_bool stopping;
	atomic_uint to_stop;	 /* loops that have not begun to */
	struct timespec started; /* by a clock that is never set */
};

/* Loads the data and listens.  -1 after the reason was reported; to be closed
 * in any case. */
int server_open(struct server *server, const struct options *options);

/* Serves until it is told to stop, by a signal or SHUTDOWN. */
void server_run(struct server *server);

void server_close(struct server *server);

/*
 * Any thread may call these three.
 */

/* Stops soon: what was begun is finished, nothing is begun any more. */
void server_request_stop(struct server *server);

/* A loop has begun to stop. */
void server_loop_stops(struct server *server);

/* One of the clients has gone, or did not come in. */
void server_client_gone(struct server *server);

long server_uptime(const struct server *server);

#endif
