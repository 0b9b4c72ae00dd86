/* SPDX-License-Identifier: MIT */
/*
 * The base: where deliveries wait, and how deep they are nested.
 *
 * Two queues.  "ready" holds what has grants for the event loop to deliver.
 * "nested" holds Deferreds that have fired while the C stack was full of
 * deliveries; the outermost delivery runs them before it returns, so that to
 * its caller it looks as if they had run at once.  The loop takes what is left
 * of both, in bounded batches with a poll after each.
 */
#ifndef EVDEFER_BASE_INTERNAL_H
#define EVDEFER_BASE_INTERNAL_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <evdefer/base.h>
#include <evdefer/result.h>

#include "hold-internal.h"
#include "list-internal.h"
#include "pool-internal.h"
#include "unhandled-internal.h"

/* Deliveries nested deeper than this are queued.  The figure trades the stack
 * (callbacks of the user stand between ours) against the cost of the queue. */
#define EVDEFER_BASE_MAX_DEPTH 16

/* Deliveries that the outermost one makes of the nested ones before it leaves
 * the rest to the loop: enough for any finite cascade that a caller may expect
 * to be over, not so many that callbacks that re-acquire for ever stop the
 * loop. */
#define EVDEFER_BASE_MAX_NESTED (UINT64_C(1) << 20)

struct evdeferred;
struct event;
struct evtimeout;

/* Something with grants that the loop has to deliver: one for each call of
 * deliver, which may take it out of the queue, or put it at its end. */
struct evready {
	struct evlist node;
	void (*deliver)(struct evready *ready);
};

struct evdefer_base {
	struct evlist ready;
	struct evlist nested;
	unsigned depth;
	bool scheduled;
	uint64_t deliveries; /* so far */
	size_t users;	     /* that need it, besides the Deferreds */
	struct evpool deferreds;
	struct evpool links;
	struct evpool hold_pool;
	struct evpool ask_pool;
	struct evpool objects; /* of queues */
	struct evholds holds;
	struct event_base *event_base; /* NULL when closed */
	struct event *turn;
	struct evtimeout *timeouts;	 /* all of them */
	struct evtimeout *free_timeouts; /* those not in use */
	struct evunhandled unhandled;
	uint64_t searches; /* for deadlocks, so far */
	struct evlist
	    combinations; /* with work to do, see combine-internal.h */
	unsigned combining;
	bool debug;
	pthread_t thread;
};

void evdefer_base_wrong_thread_(void);

/* Not an assert(): it holds with NDEBUG too. */
static inline void
evdefer_base_check_(const struct evdefer_base *base)
{
#ifdef EVDEFER_DEBUG
	if (!pthread_equal(base->thread, pthread_self()))
		evdefer_base_wrong_thread_();
#else
	(void)base;
#endif
}

static inline bool
evdefer_base_closed_(const struct evdefer_base *base)
{
	return base->event_base == NULL;
}

/* The memory of a closed base goes when nothing needs it any more: no lock or
 * other user, no Deferred, no delivery on the stack. */
void evdefer_base_destroy_unused_(struct evdefer_base *base);

static inline void
evdefer_base_collect_(struct evdefer_base *base)
{
	if (evdefer_base_closed_(base))
		evdefer_base_destroy_unused_(base);
}

static inline void
evdefer_base_use_(struct evdefer_base *base)
{
	base->users++;
}

static inline void
evdefer_base_unuse_(struct evdefer_base *base)
{
	base->users--;
	evdefer_base_collect_(base);
}

void evdefer_base_run_nested_(struct evdefer_base *base);

/* Around each delivery. */
static inline void
evdefer_base_enter_(struct evdefer_base *base)
{
	base->depth++;
	base->deliveries++;
}

static inline void
evdefer_base_leave_(struct evdefer_base *base)
{
	if (base->depth == 1 && !evlist_empty_(&base->nested))
		evdefer_base_run_nested_(base);
	base->depth--;
	evdefer_base_collect_(base);
}

/* Has the loop deliver what is in ready, after its next poll. */
void evdefer_base_make_ready_(struct evdefer_base *base, struct evready *ready);

#endif
