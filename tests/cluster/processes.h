/* SPDX-License-Identifier: MIT */
/* The processes of a world, for the files that look into it. */
#ifndef TESTS_CLUSTER_PROCESSES_H
#define TESTS_CLUSTER_PROCESSES_H

#include <evdefer.h>

#include "cluster/seat-internal.h"
#include "fake.h"
#include "world.h"

enum phase { IDLE, WAITING, HOLDING };

struct request {
	struct process *process;
	enum phase phase;
	enum evrwlock_mode mode;
	unsigned long serial; /* in the order of asking */
	bool lost;	      /* was told so */
	uint64_t session;     /* that it was granted in */
	struct evdeferred *d;
};

struct process {
	int number;
	struct event_base *loop;
	struct evdefer_base *base;
	struct evcluster *cluster;
	struct evrwlock *lock;
	struct evdeferred *lost;
	struct request requests[WORLD_REQUESTS];
	uint64_t read_token, write_token; /* the highest that it had, */
	uint64_t lost_token;		  /* and of the latter lost */
	const char *script;		  /* what is left of it, */
	char asked;			  /* and what came before */
	bool cut, stopped;
};

struct world {
	struct fake *fake;
	unsigned long serial;  /* of the last request */
	bool numbers_run_over; /* a request to write may be refused */
	bool robbed; /* a node, or a session, was taken from somebody */
	struct world_faults faults; /* that are left */
	struct process processes[WORLD_PROCESSES];
};

extern struct world world;

struct evseat *process_seat(const struct process *process);

/* Its place in the fake, or -1. */
int process_wire(const struct process *process);

/* May it believe in its right, by the clock? */
bool process_is_sure(const struct process *process);

/* Is the node there by which it may read, or write? */
const struct tree_node *process_node(
    const struct process *process, enum evrwlock_mode mode);

/* scenarios.c: for the beginnings. */
void process_acquire(struct process *process, enum evrwlock_mode mode);
void process_release(struct process *process, enum evrwlock_mode mode);

#endif
