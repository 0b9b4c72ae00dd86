/* SPDX-License-Identifier: MIT */
/*
 * An event loop: its clients, and what belongs to the thread that serves them.
 *
 * The first one is that of the main thread, and has the listener and the signals.
 */
#ifndef KVD_LOOP_H
#define KVD_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "budget.h"
#include "mailbox.h"
#include "named.h"

struct client;
struct event;
struct event_base;
struct evdefer_base;
struct evrwlock;
struct server;

/* Its thread's, but for what says otherwise.  Others read it; only loop.c and client.c
 * (all about clients) change it. */
struct loop {
	struct server *server;
	unsigned number;
	pthread_t thread;
	bool has_thread; /* it was started */

	struct event_base *events;
	struct evdefer_base *base;
	struct mailbox mailbox;	     /* any thread may send */
	struct evrwlock *lock;	     /* over store and journal */
	struct evrwlock *batch_lock; /* the same, for the batch; see commit.h */
	struct named_locks named;    /* those of LOCK */

	pthread_mutex_t
	    mutex; /* over the list, where others look or it changes */
	struct client *clients;
	atomic_size_t connected; /* clients whose connection is there, or on the
				    way to it */
	struct share buffered;	 /* bytes for all of them */
	struct event *too_much;	 /* bytes: one of them has to go */
	struct letter make_room; /* so says another loop */
	uint64_t evicted;	 /* clients closed for that */
	uint64_t timed_out;	 /* and for not taking their replies */

	bool stopping;
	struct event *deadline;
	struct event *flush; /* of the trace; NULL without one */
	bool out_of_time;    /* nobody waits for clients any more */
	struct letter begin_stop, stop, end;
};

/* Called in the main thread.  0, or -1 with errno; to be closed in any case. */
int loop_open(struct loop *loop, struct server *server, unsigned number);

/* Serves, in this thread, until loop_end(). */
void loop_run(struct loop *loop);

/* The same in a thread of its own, until loop_join().  0, or -1 after the reason was reported. */
int loop_start(struct loop *loop);

/* Ends that. */
void loop_join(struct loop *loop);

/*
 * Any thread may call these three.
 */

/* Begins no more requests, and ends all waits for named locks. */
void loop_begin_stop(struct loop *loop);

/* When all loops have done so: closes each client, once that is answered which was
 * begun. */
void loop_stop(struct loop *loop);

/* Has loop_run() return. */
void loop_end(struct loop *loop);

/* In the main thread again, when nobody uses any loop. */
void loop_close(struct loop *loop);

#endif
