/* SPDX-License-Identifier: MIT */
/*
 * Calls from other threads, which the loop of the base runs.
 *
 * A thread puts its call into a list and writes to an eventfd (or a socket), unless
 * somebody has done so since the loop looked last.  The loop takes the whole list,
 * and runs it in turns, as all that it has to deliver.
 */
#ifndef EVDEFER_CALL_INTERNAL_H
#define EVDEFER_CALL_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <evdefer/base.h>

#include "ready-internal.h"

struct evdefer_base;
struct event;

struct evcall {
	struct evcall *next;
	evdefer_base_call_fn fn;
	void *arg;
};

struct evcall_list {
	struct evcall *first;
	struct evcall **end;
};

struct evcalls {
	pthread_mutex_t mutex; /* over the next four */
	struct evcall_list accepted;
	struct evcall *unused; /* of evdefer_base_call(): they are used again */
	bool woken;	       /* written since the loop has looked */
	bool closed;

	/* The rest is the loop's. */
	struct evcall_list due;
	struct evready ready; /* while any are due */
	int fds[2];	      /* to read from and to write to, maybe the same */
	struct event *readable;
	struct event *awaited; /* keeps the loop running; NULL when closed */
	size_t await_count;
};

/* 0, or -1 with errno ENOMEM, EMFILE, ... */
int evcalls_init_(struct evdefer_base *base);

/* What was accepted is due, and no more is accepted. */
void evcalls_close_(struct evdefer_base *base);

void evcalls_destroy_(struct evcalls *calls);

/* evdefer_base_call() with memory of the caller's, which is its own again once fn
 * is called.  0, or -1 with ESHUTDOWN. */
int evcall_post_(struct evdefer_base *base, struct evcall *call);

/* Something is due from another thread: the loop does not end meanwhile.  From the
 * thread of the base, which is not closed. */
void evcalls_await_(struct evdefer_base *base);
void evcalls_await_no_more_(struct evdefer_base *base);

#endif
