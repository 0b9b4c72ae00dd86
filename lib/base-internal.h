/* SPDX-License-Identifier: MIT */
/*
 * The base: where deliveries wait, and how deep they are nested.
 *
 * "ready" holds what the event loop has to deliver.  "nested" holds Deferreds that
 * have fired while the C stack was full of deliveries; the outermost delivery runs
 * them before it returns, so that to its caller it looks as if they had run at once.
 * If they are too many, the rest goes to "left", which is for the loop: the next
 * caller has nothing to do with it.  The loop takes from all three, in turns that
 * are bounded, with a poll after each.
 */
#ifndef EVDEFER_BASE_INTERNAL_H
#define EVDEFER_BASE_INTERNAL_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <evdefer/base.h>
#include <evdefer/result.h>

#include "call-internal.h"
#include "list-internal.h"
#include "observer-internal.h"
#include "pool-internal.h"
#include "probes-internal.h"
#include "ready-internal.h"
#include "unhandled-internal.h"

/* Deliveries nested deeper than this are queued.  The figure trades the stack
 * (callbacks of the user stand between ours) against the cost of the queue. */
#define EVDEFER_BASE_MAX_DEPTH 16

/* A time before any other. */
#define EVDEFER_BASE_AT_ONCE 0

/* How long a turn of the loop may take, in nanoseconds, before it polls again. */
#define EVDEFER_BASE_TURN_NS 1000000

struct evdefer_base;
struct event;

/* The first member of what a part of the library keeps for each base that uses
 * it. */
struct evdefer_base_part {
	const struct evdefer_base_part_type *type;
	struct evdefer_base_part *next;
	struct evdefer_base *base;
};

struct evdefer_base_part_type {
	size_t size;
	/* Beyond the members above its memory is zeroed. */
	void (*init)(struct evdefer_base_part *part);
	/* The base has left its loop.  NULL if that does not matter. */
	void (*close)(struct evdefer_base_part *part);
	/* Gives up all but its memory.  NULL if there is nothing else. */
	void (*destroy)(struct evdefer_base_part *part);
};

struct evdefer_base {
	struct evlist ready;
	struct evlist nested;
	struct evlist left;
	unsigned depth;
	uint64_t due; /* the next turn: by the clock, at once, or never */
	bool is_set;  /* is its event in the heap of libevent? */
	/* The outermost delivery has something to do at its end: it may be in nested, or
	 * the base is closed. */
	bool unfinished;
	uint64_t deliveries; /* so far */
	int priority;	     /* of its turns; -1: the middle one */
	int turn_priority;   /* of their event, until that is set again */
	size_t users;	     /* that need it, besides the Deferreds */
	size_t remaining;    /* Deferreds, once it is closed */
	struct evpool deferreds;
	struct evpool links;
	struct evpool results;
	struct event_base *event_base; /* NULL when closed */
	struct event *turn;
	struct evalarm *alarms;
	struct evdefer_base_part *parts;
	struct evunhandled unhandled;
	struct evcalls calls;
	size_t timeouts; /* that run, or have run out */
	bool debug;
	uint64_t last_queue; /* its number */
	bool observed;	     /* by an observer or a tracer */
	bool traced;	     /* as was seen last */
	bool plain; /* Deferreds are made the short way; not in a closed one */
	struct evobserving observing;
	struct evlist plains; /* of struct evplain */
	pthread_t thread;
};

void evdefer_base_wrong_thread_(void);
void evdefer_base_observed_inside_(void);

/* Not asserts: they hold with NDEBUG too. */
static inline void
evdefer_base_check_(const struct evdefer_base *base)
{
#ifdef EVDEFER_DEBUG
	if (!pthread_equal(base->thread, pthread_self()))
		evdefer_base_wrong_thread_();
	if (base->observing.inside)
		evdefer_base_observed_inside_();
#else
	(void)base;
#endif
}

static inline bool
evdefer_base_closed_(const struct evdefer_base *base)
{
	return base->event_base == NULL;
}

/* After each change of what it depends on. */
void evdefer_base_set_plain_(struct evdefer_base *base);

/* Has a tracer come or gone? */
static inline void
evdefer_base_look_for_tracers_(struct evdefer_base *base)
{
	if (base->traced != EVPROBES_ON())
		evdefer_base_set_plain_(base);
}

static inline void
evdefer_base_update_plain_(
    const struct evdefer_base *base, struct evplain *plain)
{
	const bool open = !plain->special && base->plain;

	plain->plain = open && !plain->has_source;
	plain->reads = open && plain->has_source;
}

/* The memory of a closed base goes when nothing needs it any more: no lock, no
 * Deferred, no delivery on the stack, no grant that somebody has kept. */
void evdefer_base_destroy_unused_(struct evdefer_base *base);

static inline void
evdefer_base_collect_(struct evdefer_base *base)
{
	if (evdefer_base_closed_(base))
		evdefer_base_destroy_unused_(base);
}

/* A Deferred of a closed base is given back. */
void evdefer_base_count_out_(struct evdefer_base *base);

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

/* What the outermost delivery has to do at its end, but rarely. */
void evdefer_base_finish_(struct evdefer_base *base);

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
	if (--base->depth == 0 && base->unfinished)
		evdefer_base_finish_(base);
}

/* Has it run when others have, since the stack is full, or it has gone on for long. */
static inline void
evdefer_base_nest_(struct evdefer_base *base, struct evlist *node)
{
	evlist_append_(&base->nested, node);
	base->unfinished = true;
}

/* Has the loop deliver what is in ready, after its next poll. */
void evdefer_base_make_ready_(struct evdefer_base *base, struct evready *ready);

/* The same without another poll, for an event of the library's that the last one has
 * brought. */
void evdefer_base_make_polled_ready_(
    struct evdefer_base *base, struct evready *ready);

/* Adds an alarm, which is not set yet. */
void evdefer_base_add_alarm_(struct evdefer_base *base, struct evalarm *alarm);

int evdefer_base_change_alarm_(
    struct evdefer_base *base, struct evalarm *alarm, uint64_t time);

/* Has a turn of the loop ring it at that time, or takes it back with EVALARM_NEVER.
 * 0, or -1 with ENOMEM; it stays set then, and is tried again when any is set. */
static inline int
evdefer_base_set_alarm_(
    struct evdefer_base *base, struct evalarm *alarm, uint64_t time)
{
	if (alarm->time == time && base->is_set)
		return 0;
	return evdefer_base_change_alarm_(base, alarm, time);
}

struct evdefer_base_part *evdefer_base_find_part_(
    struct evdefer_base *base, const struct evdefer_base_part_type *type);

/* Finds or makes what a part of the library keeps for the base.  NULL with
 * ENOMEM. */
static inline struct evdefer_base_part *
evdefer_base_get_part_(
    struct evdefer_base *base, const struct evdefer_base_part_type *type)
{
	if (base->parts != NULL && base->parts->type == type)
		return base->parts;
	return evdefer_base_find_part_(base, type);
}

/* By the monotonic clock, in nanoseconds. */
uint64_t evdefer_base_now_(void);

#endif
