/* SPDX-License-Identifier: MIT */
/*
 * The base: where deliveries wait, and how deep they are nested.
 *
 * Two queues.  "ready" holds what the event loop has to deliver.  "nested" holds
 * Deferreds that have fired while the C stack was full of deliveries; the
 * outermost delivery runs them before it returns, so that to its caller it looks
 * as if they had run at once.  What it leaves goes to "left": that is the loop's,
 * and not the next caller's, who has nothing to do with it.  The loop takes from
 * all of them, in turns that are bounded, with a poll after each.
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
#include "ready-internal.h"
#include "timeout-internal.h"
#include "unhandled-internal.h"

/* Deliveries nested deeper than this are queued.  The figure trades the stack
 * (callbacks of the user stand between ours) against the cost of the queue. */
#define EVDEFER_BASE_MAX_DEPTH 16

/* When there is a turn, where that is no time of the clock. */
#define EVDEFER_BASE_AT_ONCE 0
#define EVDEFER_BASE_NEVER UINT64_MAX

/* How long a turn of the loop may take, in nanoseconds, before it polls again. */
#define EVDEFER_BASE_TURN_NS 1000000

struct evdeferred;
struct event;

struct evdefer_base {
	struct evlist ready;
	struct evlist nested;
	struct evlist left;
	unsigned depth;
	uint64_t due; /* the next turn: by the clock, at once, or never */
	bool is_set;  /* is its event in the heap of libevent? */
	uint64_t deliveries; /* so far */
	int priority;	     /* of its turns; -1: the middle one */
	int turn_priority;   /* of their event, as yet */
	size_t users;	     /* that need it, besides the Deferreds */
	struct evpool deferreds;
	struct evpool links;
	struct evpool hold_pool;
	struct evpool ask_pool;
	struct evpool objects; /* of queues */
	struct evholds holds;
	struct event_base *event_base; /* NULL when closed */
	struct event *turn;
	struct evtimers timers;
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
 * other user, no Deferred, no delivery on the stack, no grant that somebody has
 * kept. */
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

/* Has a turn come at that time, by evdefer_base_now_(), or before.  0, or -1 with
 * ENOMEM. */
int evdefer_base_wake_at_(struct evdefer_base *base, uint64_t time);

/* No turn is needed at any time; one that is due at once comes all the same. */
void evdefer_base_sleep_(struct evdefer_base *base);

/* By the monotonic clock, in nanoseconds. */
uint64_t evdefer_base_now_(void);

#endif
