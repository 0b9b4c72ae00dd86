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
#define WORLD_STEPS 64
#define WORLD_LONGEST 96

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
	/* It is cut off, or stopped, until its session has ended; the other is well. */
	WORLD_CUT_OFF,
	WORLD_STOP,
	WORLD_TIME, /* a third of the timeout passes */
	/* To session n of the fake. */
	WORLD_LATE,
	WORLD_EXPIRE,
	WORLD_REAP, /* empty containers go */
	WORLD_KINDS
};

struct world_step {
	uint8_t kind;
	uint8_t n;
};

struct world_setting {
	const char *name;
	void (*start)(void);
};

extern const struct world_setting world_settings[];
extern const size_t world_setting_count;
extern const struct world_step world_steps[];
extern const size_t world_step_count;

/* Says what happens. */
extern bool world_verbose;

/* What is called when something must not be; it does not return. */
extern void (*world_failed)(const char *what);

void world_init(void);
void world_begin(const struct world_setting *setting);
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
