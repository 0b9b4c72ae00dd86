/* SPDX-License-Identifier: MIT */
/*
 * What the files of the Deferred share, and nobody else needs: deferred.c makes
 * and fires it, deferred-add.c adds to its chain, deferred-run.c runs that, and
 * deferred-end.c is its end.
 */
#ifndef EVDEFER_CHAIN_INTERNAL_H
#define EVDEFER_CHAIN_INTERNAL_H

#include "base-internal.h"
#include "deferred-internal.h"
#include "link-internal.h"
#include "result-internal.h"

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

static inline bool
evdeferred_is_paused_(const struct evdeferred *d)
{
	return (d->flags & EVDEFERRED_PAUSES) != 0;
}

/* Has it fired, with nothing that keeps its links from running? */
static inline bool
evdeferred_is_idle_(const struct evdeferred *d)
{
	const unsigned busy = EVDEFERRED_WAITING | EVDEFERRED_RUNNING |
			      EVDEFERRED_QUEUED | EVDEFERRED_PAUSES;

	return (d->flags & (EVDEFERRED_FIRED | busy)) == EVDEFERRED_FIRED;
}

/* Is it idle, and its result the final one? */
static inline bool
evdeferred_is_through_(const struct evdeferred *d)
{
	return evdeferred_is_idle_(d) && d->links == NULL &&
	       !evresult_is_deferred_(d->u.result);
}

/* Does nobody want it any more? */
static inline bool
evdeferred_is_over_(const struct evdeferred *d)
{
	if (d->flags & EVDEFERRED_FREED)
		return true;
	return (d->flags & EVDEFERRED_DETACHED) && d->waiter == NULL &&
	       evdeferred_is_through_(d);
}

/* Gives the memory back once consumer and producer are done. */
void evdeferred_collect_(struct evdeferred *d);

/* Is there nothing to do with it but to give its memory back? */
static inline bool
evdeferred_is_spent_(const struct evdeferred *d)
{
	return d->links == NULL && d->u.result.dispose == NULL;
}

static inline void
evdeferred_give_back_(struct evdeferred *d)
{
	struct evdefer_base *base = d->base;

	evpool_put_(&base->deferreds, d);
	evdefer_base_collect_(base);
}

/* The coroutine that d is, until it has ended. */
static inline struct evcoro *
evdeferred_coro_(const struct evdeferred *d)
{
	const struct evlink *first;

	if (d->links == NULL)
		return NULL;
	first = d->links->next;
	return first->kind == EVLINK_CORO ? first->u.coro : NULL;
}

static inline bool
evdeferred_is_stack_full_(const struct evdeferred *d)
{
	return d->base->depth >= EVDEFER_BASE_MAX_DEPTH;
}

/* Takes the result away; d waits no longer. */
struct evresult evdeferred_take_result_(struct evdeferred *d);

/* Ends a Deferred that has fired, with all that it waits for. */
void evdeferred_reap_(struct evdeferred *d);

/* Gives d the result of the Deferred that is its result, or makes it wait for
 * that.  Whether it has one now. */
bool evdeferred_settle_(struct evdeferred *d);

/* What is about to fire without the Deferred that it is chained to, if it is. */
static inline void
evdeferred_leave_chain_(struct evdeferred *d)
{
	if (d->flags & EVDEFERRED_CHAINED)
		evlink_leave_chain_(d);
}

/* Cancels what d waits for, or d itself if it has not fired. */
void evdeferred_pass_cancel_(struct evdeferred *d);

/* Fires d, which has not fired and is not chained. */
void evdeferred_fire_(struct evdeferred *d, struct evresult result);

/* Before a link runs; */
static inline void
evdeferred_begin_(struct evdeferred *d)
{
	evdefer_base_enter_(d->base);
	evdeferred_set_(d, EVDEFERRED_RUNNING);
}

/* ... and after it: goes on with d and with all that wait for it, as far as they
 * can go. */
void evdeferred_run_on_(struct evdeferred *d);

/* Calls a callback with the plain value that is there, and goes on. */
static inline void
evdeferred_call_(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	struct evdefer_base *base = d->base;

	evdeferred_begin_(d);
	d->u.result = callback(d->u.result.data, arg);
	/* Nothing more has come of it, mostly. */
	if (evdeferred_is_spent_(d) && d->waiter == NULL &&
	    d->flags == (EVDEFERRED_FIRED | EVDEFERRED_RUNNING)) {
		d->flags = EVDEFERRED_FIRED;
		evdefer_base_leave_(base);
		return;
	}
	evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	d->u.result = evresult_take_(d->u.result);
	evdeferred_run_on_(d);
}

#endif
