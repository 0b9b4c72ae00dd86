/* SPDX-License-Identifier: MIT */
/*
 * The time behind an evdeferred_add_timeout() or an evdeferred_later().  It
 * belongs to the link that the one added, or is the producer of the other's
 * Deferred, and is given back to the base by that.
 *
 * They are not timers of libevent, which counts from the time of its last poll,
 * so that what is asked for late in a callback would end early, and which runs
 * equal ones in any order.  Those of a base are in a heap, by their time and then
 * in the order of asking, and what is over takes part in the turn of the loop.
 */
#ifndef EVDEFER_TIMEOUT_INTERNAL_H
#define EVDEFER_TIMEOUT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool-internal.h"
#include "ready-internal.h"

struct timeval;
struct evdefer_base;
struct evdeferred;
struct evtimeout;

/* Called once, when the time is over. */
typedef void (*evtimeout_expire_fn)(struct evtimeout *timeout);

struct evtimeout {
	uint64_t end;	/* by evdefer_base_now_() */
	uint64_t order; /* of asking */
	size_t index;	/* in the heap */
	struct evdeferred *deferred;
	evtimeout_expire_fn expire;
	bool expired;
	bool fires; /* its Deferred, rather than to cancel it */
};

/* All of a base. */
struct evtimers {
	struct evready ready; /* in the ready queue while some may be over */
	struct evtimeout **heap;
	size_t count;
	size_t capacity;
	uint64_t order; /* of the next one */
	/* What was over when the turn began, of those that were there then. */
	uint64_t due_end;
	uint64_t due_order;
	struct evpool pool;
};

void evtimers_init_(struct evtimers *timers);

/* A turn begins: what is over by now is to be delivered. */
void evtimers_begin_turn_(struct evdefer_base *base, uint64_t now);

/* Has the next turn come when the first of them is over; there is one.  Where
 * libevent lacks memory for that, as others have taken the place of its event
 * meanwhile, it is tried again whenever one starts or stops. */
void evtimers_end_turn_(struct evdefer_base *base);

/* The base has left the loop. */
void evtimers_close_(struct evdefer_base *base);

void evtimers_destroy_(struct evtimers *timers);

bool evtimeout_is_valid_(const struct timeval *duration);

/* Whether a timeout may be started.  0, or -1 with EINVAL or ESHUTDOWN. */
int evtimeout_check_(
    const struct evdefer_base *base, const struct timeval *duration);

/* Starts a timeout for d, which counts from now.  NULL with ENOMEM.  O(log n) for
 * n timeouts, as all of these. */
struct evtimeout *evtimeout_start_(struct evdeferred *d,
    const struct timeval *duration, evtimeout_expire_fn expire);

/* Stops it and takes it back.  Whether it had expired. */
bool evtimeout_stop_(struct evdefer_base *base, struct evtimeout *timeout);

#endif
