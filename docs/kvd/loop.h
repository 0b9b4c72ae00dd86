/* SPDX-License-Identifier: MIT */
/*
 * An event loop: its clients, and what belongs to the loop that serves them.
 */
#ifndef KVD_LOOP_H
#define KVD_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "named.h"

struct client;
struct event;
struct event_base;
struct evdefer_base;
struct evrwlock;
struct server;

/* Others read it; only loop.c and client.c (all about clients) change it. */
struct loop {
	struct server *server;
	struct event_base *events;
	struct evdefer_base *base;
	struct evrwlock *lock;	  /* over store and journal */
	struct named_locks named; /* those of LOCK */

	struct client *clients;
	size_t connected;	/* clients whose connection is there */
	size_t buffered;	/* bytes for all of them */
	struct event *too_much; /* bytes: one of them has to go */
	uint64_t evicted;	/* clients closed for that */
	uint64_t timed_out;	/* and for not taking their replies */

	bool stopping;
	struct event *deadline;
	bool out_of_time; /* nobody waits for clients any more */
};

/* 0, or -1 with errno; to be closed in any case. */
int loop_open(struct loop *loop, struct server *server);

/* Serves until loop_end().  0, or -1 after the reason was reported. */
int loop_run(struct loop *loop);

/* Begins no more requests, and closes each client when that is answered which was
 * begun. */
void loop_stop(struct loop *loop);

/* Has loop_run() return. */
void loop_end(struct loop *loop);

void loop_close(struct loop *loop);

#endif
