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

struct timeval;
struct evdefer_base;
struct evdeferred;
struct evtimeout;
struct evtimers;

/* Called once, when the time is over. */
typedef void (*evtimeout_expire_fn)(struct evtimeout *timeout);

struct evtimeout {
	uint64_t end;	/* by evdefer_base_now_() */
	uint64_t order; /* of asking */
	size_t index;	/* in the heap */
	struct evtimers *timers;
	struct evdeferred *deferred;
	evtimeout_expire_fn expire;
	bool expired;
	bool fires; /* its Deferred, rather than to cancel it */
};

/* Whether a timeout may be started.  0, or -1 with EINVAL or ESHUTDOWN. */
int evtimeout_check_(
    const struct evdefer_base *base, const struct timeval *duration);

/* Starts a timeout for d, which counts from now.  NULL with ENOMEM.  O(log n) for
 * n timeouts, as all of these. */
struct evtimeout *evtimeout_start_(struct evdeferred *d,
    const struct timeval *duration, evtimeout_expire_fn expire);

/* Stops it and takes it back.  Whether it had expired. */
bool evtimeout_stop_(struct evtimeout *timeout);

#endif
