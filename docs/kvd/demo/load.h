/* SPDX-License-Identifier: MIT */
/* Many clients of kvd at once, over real sockets, and what they see. */
#ifndef DEMO_LOAD_H
#define DEMO_LOAD_H

#include <stdbool.h>

#include <event2/event.h>
#include <hiredis/async.h>

#include "daemon.h"

/* By a clock that only goes on. */
double seconds_now(void);

#define READERS 40
#define WRITERS 10
#define KEYS 100000

/* The figures of one run under load. */
struct figures {
	long reads;
	long writes;
	long torn;
	long errors;
	long waiting; /* most readers and writers at once, of this second */
	long longest_queue;
	double snapshot_ms; /* 0 until it is done */
};

struct client {
	struct load *load;
	redisAsyncContext *connection;
	struct event *rest; /* of a writer */
	double sent_at;
	int number;
	long acked; /* writes of this client */
};

struct load {
	struct daemon daemon;
	struct event_base *base;
	struct figures now;
	struct figures before; /* a second ago */
	double snapshot_at;
	int seconds;
	int elapsed;
	bool crashing;
	struct client readers[READERS];
	struct client writers[WRITERS];
	struct client observer; /* INFO and SNAPSHOT */
	struct client snapshooter;
};

/* The load is zero, but for the program of its daemon and the base. */

/* Gives the SNAPSHOT something to do. */
void load_fill_table(struct load *load);

/* Writers and readers of one pair of keys for so long, on a kvd with this option
 * or none; in the middle a SNAPSHOT. */
struct figures load_measure(struct load *load, const char *option, int seconds);

/* Writers alone, for so long; then kvd is killed.  How many writes had been
 * acknowledged. */
long load_crash(struct load *load, int seconds);

/* How many of these a new kvd knows, which runs. */
long load_count_found(struct load *load);

#endif
