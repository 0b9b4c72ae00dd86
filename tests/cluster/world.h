/* SPDX-License-Identifier: MIT */
/*
 * Two processes that share a lock, the fake servers between them, and time: what the
 * explorer drives.  Each process has a loop, a session and two requests for the lock.
 *
 * After each step that is looked for which must never be; world_end() then lets all be
 * well again, and looks whether all that waits gets in, and nothing is left behind.
 */
#ifndef TESTS_CLUSTER_WORLD_H
#define TESTS_CLUSTER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_PROCESSES 2
#define WORLD_REQUESTS 2
/* The most that are possible at a time, and the longest way. */
#define WORLD_STEPS 64
#define WORLD_LONGEST 400
#define WORLD_ANY_NUMBER 255

enum world_kind {
	/* Process n does. */
	WORLD_READ,
	WORLD_WRITE,
	WORLD_RELEASE_READ,
	WORLD_RELEASE_WRITE,
	WORLD_DOWNGRADE,
	WORLD_CANCEL,
	/* To process n happens. */
	WORLD_CONNECT,
	WORLD_ANSWER,
	WORLD_EXECUTE,
	WORLD_CATCH_UP,
	WORLD_LOSE,
	WORLD_CUT_OFF,
	WORLD_STOP,
	WORLD_COME_BACK, /* after one of these two */
	WORLD_END,	 /* its session is ended, out of turn */
	WORLD_TIME,	 /* a third of the timeout passes */
	/* To session n of the fake. */
	WORLD_LATE,
	WORLD_EXPIRE,
	/* An operator deletes the nodes of process n by which it writes, or reads. */
	WORLD_DELETE,
	WORLD_REAP, /* empty containers go */
	WORLD_KINDS
};

struct world_step {
	uint8_t kind;
	uint8_t n;
};

/* How often each may happen. */
struct world_faults {
	uint8_t cancels, losses, cuts, stops, ends, thirds, deletions, reaps;
	/* A process that is well may have to wait for an answer while time passes. */
	bool slow;
};

struct world_setting {
	const char *name;
	void (*start)(void);
	/* What each process asks for in that order, and releases when it likes: r, w, or d
	 * for a write from which it may go to reading.  NULL: anything, for ever. */
	const char *scripts[WORLD_PROCESSES];
	struct world_faults faults;
};

/* With scripts, and an end: for those who take all ways. */
extern const struct world_setting world_scenarios[];
extern const size_t world_scenario_count;

/* Without an end: for those who take some. */
extern const struct world_setting world_settings[];
extern const size_t world_setting_count;

/* Says what happens. */
extern bool world_verbose;

/* What is called when something must not be; it does not return. */
extern void (*world_failed)(const char *what);

void world_init(void);
void world_begin(const struct world_setting *setting);

/* What may come next; how many there are. */
size_t world_next(struct world_step steps[WORLD_STEPS]);

/* Leaves out those that can as well come later, since nothing that the others do makes
 * any difference to what is left, or the other way round. */
size_t world_reduce(struct world_step steps[WORLD_STEPS], size_t count);

/* Does nothing come any more unless somebody wants something, or something goes wrong? */
bool world_is_quiet(const struct world_step steps[], size_t count);

bool world_allows(struct world_step step);
void world_do(struct world_step step);
void world_end(void);

/* Without a look. */
void world_drop(void);

/* Of what counts from now on. */
uint64_t world_fingerprint(void);

/* "A: to write". */
const char *world_name(struct world_step step);

#endif
