/* SPDX-License-Identifier: MIT */
/*
 * The Deferred, in 64 bytes.
 *
 * One that waits for a lock is nothing else, either: its node is in the queue of the
 * lock until it fires.
 */
#ifndef EVDEFER_DEFERRED_INTERNAL_H
#define EVDEFER_DEFERRED_INTERNAL_H

#include <stdint.h>

#include <evdefer/deferred.h>

#include "base-internal.h"
#include "creation-internal.h"
#include "list-internal.h"
#include "pool-internal.h"
#include "result-internal.h"

struct evlink;

enum evdeferred_flags {
	EVDEFERRED_FIRED = 0x01,
	/* Its chain waits for the Deferred that is its result. */
	EVDEFERRED_WAITING = 0x02,
	/* One of its links is on the stack. */
	EVDEFERRED_RUNNING = 0x04,
	/* It is in base->nested, to run its links. */
	EVDEFERRED_QUEUED = 0x08,
	/* Somebody up the stack still needs it, and will see to its end. */
	EVDEFERRED_PINNED = 0x10,

	/* The consumer is done, no link runs any more. */
	EVDEFERRED_FREED = 0x20,
	/* The consumer is done, but the links are to run. */
	EVDEFERRED_DETACHED = 0x40,

	/* Cancelled, but the producer will still fire it, once. */
	EVDEFERRED_LATE = 0x80,
	/* A link of another Deferred points to it, and will fire it.  So it has
	 * not fired yet. */
	EVDEFERRED_CHAINED = 0x100,
	/* Only its producer, a part of the library, may fire it. */
	EVDEFERRED_PRIVATE = 0x200,

	/* A cancel came while there was nothing to cancel.  It is for whatever
	 * the chain waits for next. */
	EVDEFERRED_CANCEL = 0x400,
	/* Its consumer has cancelled it, and the chain has not come to a value
	 * since. */
	EVDEFERRED_CALLED_OFF = 0x800,
	/* A timeout has cancelled it, and its consumer has not done so before or
	 * since. */
	EVDEFERRED_TIMED_OUT = 0x1000,

	/* A cancel does not fire it: that is for its canceller to do, at once,
	 * later or not at all.  The canceller is called for each cancel, and a last
	 * time, with EVDEFERRED_FREED, when the Deferred goes. */
	EVDEFERRED_ANSWERS = 0x2000,
	/* Its first link runs again with the result of each wait that it asks
	 * for, until it has ended, and takes a cancel at the next wait. */
	EVDEFERRED_RESUMES = 0x4000,
	/* For its producer, to tell those that wait apart. */
	EVDEFERRED_MARKED = 0x8000,
	/* An observer was told that it was made. */
	EVDEFERRED_WATCHED = 0x10000,

	/* The rest counts the pauses, so that one look at the flags tells
	 * whether anything holds the chain back. */
	EVDEFERRED_PAUSE = 0x20000
};

#define EVDEFERRED_PAUSES UINT32_C(0xfffe0000)

/* So often in a row does a link go on at once from waits that were over when they
 * began.  Then it queues with the deliveries that are nested too deeply. */
#define EVDEFERRED_MAX_IN_A_ROW 64

struct evdeferred {
	union {
		/* In the producer's queue or in base->nested. */
		struct evlist node;
		/* While it is chained, and thus in neither: to what. */
		struct {
			struct evdeferred *from;
			struct evlink *link;
		} chain;
	};
	/* The next three are as they have to be in each that is free; NULL, the last
	 * two.  All others are set when it is made. */
	struct evdefer_base *base;
	struct evdeferred *waiter; /* it gets our result, and owns us */
	struct evlink *links; /* the last one, and it points to the first */
	union {
		/* Until it has fired. */
		struct {
			evdeferred_canceller_fn fn;
			void *arg;
		} canceller;
		/* From then on. */
		struct evresult result;
	} u;
	uint32_t flags;
	uint32_t ticket; /* for the producer's queue */
};

static inline void
evdeferred_set_(struct evdeferred *d, unsigned flags)
{
	d->flags |= flags;
}

static inline void
evdeferred_clear_(struct evdeferred *d, unsigned flags)
{
	d->flags &= ~flags;
}

static inline unsigned
evdeferred_pauses_(const struct evdeferred *d)
{
	return d->flags / EVDEFERRED_PAUSE;
}

static inline bool
evdeferred_is_paused_(const struct evdeferred *d)
{
	return (d->flags & EVDEFERRED_PAUSES) != 0;
}

/* Has it fired, with nothing that keeps its links from running? */
static inline bool
evdeferred_can_run_(const struct evdeferred *d)
{
	const unsigned busy = EVDEFERRED_WAITING | EVDEFERRED_RUNNING |
			      EVDEFERRED_QUEUED | EVDEFERRED_PAUSES;

	return (d->flags & (EVDEFERRED_FIRED | busy)) == EVDEFERRED_FIRED;
}

/* Have all its links run, so that its result is there to be had? */
static inline bool
evdeferred_is_complete_(const struct evdeferred *d)
{
	return evdeferred_can_run_(d) && d->links == NULL;
}

/* Is there neither a link nor a result that somebody has to dispose of? */
static inline bool
evdeferred_is_empty_(const struct evdeferred *d)
{
	return d->links == NULL && d->u.result.dispose == NULL;
}

static inline bool
evdeferred_is_stack_full_(const struct evdeferred *d)
{
	return d->base->depth >= EVDEFER_BASE_MAX_DEPTH;
}

/* Where it was made; only with evdefer_base_set_debug(). */
static inline struct evcreation *
evdeferred_creation_(const struct evdeferred *d)
{
	return (struct evcreation *)(d + 1);
}

/* Is there memory for one where nobody looks on or debugs, and has nobody come to look
 * on? */
static inline bool
evdeferred_is_at_hand_(const struct evdefer_base *base)
{
	return !evpool_is_empty_(&base->deferreds) && !EVPROBES_ON();
}

/* Is there memory for one, and no need to note where it is made, or to tell an
 * observer? */
static inline bool
evdeferred_can_make_(const struct evdefer_base *base)
{
	return base->plain && evdeferred_is_at_hand_(base);
}

/* A new Deferred but for its canceller or result.  The pool is not empty. */
static inline struct evdeferred *
evdeferred_make_(struct evdefer_base *base, unsigned flags)
{
	struct evdeferred *d = evpool_get_(&base->deferreds);

	d->flags = flags;
	return d;
}

/* One that has not fired. */
static inline struct evdeferred *
evdeferred_make_waiter_(struct evdefer_base *base, unsigned flags,
    evdeferred_canceller_fn canceller, void *arg)
{
	struct evdeferred *d = evdeferred_make_(base, flags);

	d->u.canceller.fn = canceller;
	d->u.canceller.arg = arg;
	return d;
}

/* evdeferred_new() for a part of the library: only evdeferred_produce_() may fire
 * it. */
struct evdeferred *evdeferred_new_private_(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg);

void evdeferred_produce_(struct evdeferred *d, struct evresult result);

/* Fires d, which has not fired and is not chained, with a result that was
 * taken. */
void evdeferred_fire_(struct evdeferred *d, struct evresult result);

/* The same for one that is not watched. */
void evdeferred_fire_unwatched_(struct evdeferred *d, struct evresult result);

/* Runs what can run by now, at once or from the queue. */
void evdeferred_deliver_(struct evdeferred *d);

/* Runs a Deferred that was taken from base->nested. */
void evdeferred_run_queued_(struct evdeferred *d);

/* Before a link of d runs that was taken out of the chain, or never was in it; */
static inline void
evdeferred_begin_(struct evdeferred *d)
{
	evdefer_base_enter_(d->base);
	evdeferred_set_(d, EVDEFERRED_RUNNING);
}

/* ... and after it: goes on with d and with all that wait for it, as far as they
 * can go. */
void evdeferred_run_on_(struct evdeferred *d);

/* May the user hand it over? */
static inline bool
evdeferred_has_consumer_(const struct evdeferred *d)
{
	return d->waiter == NULL &&
	       !(d->flags & (EVDEFERRED_FREED | EVDEFERRED_DETACHED));
}

/* Cancels it because a timeout of its own has run out. */
void evdeferred_time_out_(struct evdeferred *d);

/* Takes the result away; d waits no longer. */
struct evresult evdeferred_take_result_(struct evdeferred *d);

/* Disposes of its result, and gives back a Deferred that was pinned at its end. */
void evdeferred_bury_(struct evdeferred *d);

static inline void
evdeferred_give_back_(struct evdeferred *d)
{
	struct evdefer_base *base = d->base;

	evpool_put_(&base->deferreds, d);
	if (evdefer_base_closed_(base))
		evdefer_base_count_out_(base);
}

/* Calls a callback with the result, which is a plain value, and goes on. */
static inline void
evdeferred_call_(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	struct evdefer_base *base = d->base;
	struct evresult result;

	evdeferred_begin_(d);
	result = callback(d->u.result.data, arg);
	d->u.result = result;
	/* Mostly there is nothing else to do. */
	if (d->links == NULL && result.dispose == NULL && d->waiter == NULL &&
	    d->flags == (EVDEFERRED_FIRED | EVDEFERRED_RUNNING)) {
		d->flags = EVDEFERRED_FIRED;
		evdefer_base_leave_(base);
		return;
	}
	evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	d->u.result = evresult_take_(result);
	evdeferred_run_on_(d);
}

#endif
