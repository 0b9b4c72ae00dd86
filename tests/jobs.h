/* SPDX-License-Identifier: MIT */
/* What the tests of coroutines share: one that waits three times, and its state. */
#ifndef TESTS_JOBS_H
#define TESTS_JOBS_H

#include "deferreds.h"

/* The test makes what it waits for. */
struct job {
	struct evcoro co;
	struct evdeferred *d;	      /* the coroutine's own */
	struct evdeferred *inputs[3]; /* what it waits for */
	void *values[3];
	int codes[3];
	int waits; /* how many are over */
	int cleanups;
	int cleanup_code; /* evcoro_failure() there */
	int frees;
	size_t i, count;
	bool held;
	struct job *other;
	struct seen seen;
};

/* Cleared for each test of a case that add_job_case() has added. */
extern struct job job;
TCase *add_job_case(Suite *suite, const char *name);
void job_setup(void);

/* A free function that counts in the job. */
void free_job(void *job);

/* The code of the failure that the coroutine has, or 0. */
int code_of(const struct evcoro *co);

/* Note what a wait has brought, and what the cleanup knows. */
void note_wait(struct evcoro *co, struct job *job);
void note_cleanup(struct evcoro *co, struct job *job);

/* Waits three times; the first fails when one of the waits does, the second goes
 * on after a failure. */
struct evresult three_waits(struct evcoro *co, void *job);
struct evresult three_tries(struct evcoro *co, void *job);

/* Waits once and returns nothing, or translates the failure of the wait. */
struct evresult wait_then_nothing(struct evcoro *co, void *job);
struct evresult translate(struct evcoro *co, void *job);

/* Waits for nothing, and counts in *counter, an int. */
struct evresult no_wait(struct evcoro *co, void *counter);

void start(struct job *job, evcoro_fn fn);

/* Checks that it has ended with this code, or 0, and was cleaned up once. */
void check_ended(struct job *job, int code);

#endif
