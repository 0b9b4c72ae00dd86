/* SPDX-License-Identifier: MIT */
/*
 * The Deferred, in 64 bytes.
 *
 * A waiter of a lock is nothing but a Deferred: its node is in the queue of
 * the lock until it fires, and the lock is the argument of its canceller.
 */
#ifndef EVDEFER_DEFERRED_INTERNAL_H
#define EVDEFER_DEFERRED_INTERNAL_H

#include <stdint.h>

#include <evdefer/deferred.h>
#include <evdefer/rwlock.h>

#include "base-internal.h"
#include "creation-internal.h"
#include "list-internal.h"
#include "pool-internal.h"

struct evcoro;
struct evlink;

enum evdeferred_flags {
	EVDEFERRED_FIRED = 0x01,
	/* Its chain waits for the Deferred that is its result. */
	EVDEFERRED_WAITING = 0x02,
	/* One of its links is on the stack. */
	EVDEFERRED_RUNNING = 0x04,
	/* It is in base->nested, to run its links. */
	EVDEFERRED_QUEUED = 0x08,
	/* Somebody up the stack still needs it, and will take it down. */
	EVDEFERRED_PINNED = 0x10,

	/* The consumer is done, no link runs any more. */
	EVDEFERRED_FREED = 0x20,
	/* The consumer is done, but the links are to run. */
	EVDEFERRED_DETACHED = 0x40,

	/* Cancelled, but the producer will still fire it, once. */
	EVDEFERRED_LATE = 0x80,
	/* A link of another Deferred points to it, and will fire it.  Only one
	 * that has not fired is chained. */
	EVDEFERRED_CHAINED = 0x100,
	/* Only its producer, a part of the library, may fire it. */
	EVDEFERRED_PRIVATE = 0x200,

	/* A cancel came while nothing could take it: what it waits for next
	 * gets it. */
	EVDEFERRED_CANCEL = 0x400,
	/* Its consumer has cancelled it, and the chain has not come to a value
	 * since. */
	EVDEFERRED_CALLED_OFF = 0x800,
	/* A timeout has cancelled it, and its consumer has not, then or
	 * before. */
	EVDEFERRED_TIMED_OUT = 0x1000,

	/* The upper half counts the pauses, so that one look at the flags tells
	 * whether anything holds the chain back. */
	EVDEFERRED_PAUSE = 0x10000
};

#define EVDEFERRED_PAUSES UINT32_C(0xffff0000)

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
	struct evdefer_base *base;
	union {
		/* Until it has fired. */
		struct {
			evdeferred_canceller_fn fn;
			void *arg;
		} canceller;
		/* From then on. */
		struct evresult result;
	} u;
	struct evdeferred *waiter; /* it gets our result, and owns us */
	struct evlink *links; /* the last one, and it points to the first */
	uint32_t flags;
	uint32_t ticket; /* for the producer's queue */
};

static inline unsigned
evdeferred_pauses_(const struct evdeferred *d)
{
	return d->flags / EVDEFERRED_PAUSE;
}

/* Where it was made; only with evdefer_base_set_debug(). */
static inline struct evcreation *
evdeferred_creation_(const struct evdeferred *d)
{
	return (struct evcreation *)(d + 1);
}

/* Can one be made at once, without allocating or noting anything? */
static inline bool
evdeferred_can_make_(const struct evdefer_base *base)
{
	return !evpool_is_empty_(&base->deferreds) && !base->debug;
}

/* A new Deferred, which lacks what is in the union.  The pool is not empty. */
static inline struct evdeferred *
evdeferred_make_(struct evdefer_base *base, unsigned flags)
{
	struct evdeferred *d = evpool_get_(&base->deferreds);

	d->base = base;
	d->waiter = NULL;
	d->links = NULL;
	d->flags = flags;
	d->ticket = 0;
	return d;
}

/* Runs a Deferred that was taken from base->nested. */
void evdeferred_run_queued_(struct evdeferred *d);

/* Disposes of its result. */
void evdeferred_drop_result_(struct evdeferred *d);

/* The same, and lets go of a Deferred that is at its end. */
void evdeferred_bury_(struct evdeferred *d);

/* Runs what can run by now, at once or from the queue. */
void evdeferred_deliver_(struct evdeferred *d);

/* Whether its consumer is a function of the user's, that may hand it over. */
bool evdeferred_has_consumer_(const struct evdeferred *d);

/* Detaches it, without running or ending anything now. */
void evdeferred_disown_(struct evdeferred *d);

/* evdeferred_new() for a part of the library: nobody but evdeferred_produce_()
 * may fire it. */
struct evdeferred *evdeferred_new_private_(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg);

/* Fires one that was made so. */
void evdeferred_produce_(struct evdeferred *d, struct evresult result);

/* Fires a Deferred that was chained to another one, whose link ends here. */
void evdeferred_fire_chained_(struct evdeferred *d, struct evresult result);

/* Starts a coroutine as the first link of d, which has neither fired nor links.
 * The memory of a link has to be there. */
void evdeferred_start_coro_(struct evdeferred *d, struct evcoro *co);

/* Cancels it because a timeout of its own has run out. */
void evdeferred_time_out_(struct evdeferred *d);

/* Adds a link that on success runs body(arg) and disposes of the value that it
 * got when the result of the body is there, or when the link is dropped. */
int evdeferred_add_with_(
    struct evdeferred *d, evdeferred_body_fn body, void *arg);

#endif
