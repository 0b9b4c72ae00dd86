/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_EVLOCK_H
#define TOOLS_EVLOCK_H

#include <signal.h>
#include <stdbool.h>

#include <evdefer.h>

struct evcluster;
struct event_base;

/* As of timeout(1), env(1) and the shell. */
enum {
	STATUS_LOST = 123,
	STATUS_TIMED_OUT = 124,
	STATUS_FAILED = 125,
	STATUS_NOT_RUN = 126,
	STATUS_NOT_FOUND = 127,
	STATUS_SIGNAL = 128
};

struct options {
	const char *path;    /* of the lock file */
	const char *servers; /* of a cluster, */
	const char *name;    /* and that of the lock; NULL: all are listed */
	int session_ms;	     /* 0: as the library has it */
	enum evrwlock_mode mode;
	const struct timeval *patience; /* NULL: as long as it takes */
	bool inherit;
	char **command;
};

struct run {
	const struct options *options;
	struct event_base *loop;
	struct evdefer_base *base;
	struct evrwlock *lock;
	struct evcluster *cluster; /* that is listed */
	struct evdeferred *ended;  /* fires when the command has */
	sigset_t mask;		   /* as it was, for the command */
	int status;
};

void complain(const char *what, int error);

/* Runs the command under a lock, and the loop meanwhile. */
void run_with(struct run *run, struct evrwlock *lock);

/* Sends a signal to the command, if that runs. */
void signal_command(int number);

/* These connect, and run it, or print who holds which lock. */
void run_in_cluster(struct run *run);
void list_cluster(struct run *run);

#endif
