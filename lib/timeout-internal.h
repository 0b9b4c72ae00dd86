/* SPDX-License-Identifier: MIT */
/*
 * The time behind an evdeferred_add_timeout() or an evdeferred_later().  The link
 * that the former adds stops it, and so does the canceller of the latter's Deferred,
 * which fires when it is over.
 *
 * These are not timers of libevent.  libevent counts from its last poll, so that
 * what is asked for late in a callback would end early, and it runs equal timers in
 * any order.  Those of a base are in a wheel, by their end, which is a whole millisecond,
 * and then in the order of asking; they take part in the turn of the loop when they are
 * over.
 */
#ifndef EVDEFER_TIMEOUT_INTERNAL_H
#define EVDEFER_TIMEOUT_INTERNAL_H

#include <stdbool.h>

#include "wheel-internal.h"

struct timeval;
struct evdefer_base;
struct evdeferred;
struct evtimers;

struct evtimeout {
	struct evwheel_node place;
	struct evtimers *timers;
	struct evdeferred *deferred;
	bool fires; /* rather than to cancel it, when the time is over */
	bool expired;
};

/* Whether a timeout may be started.  0, or -1 with EINVAL or ESHUTDOWN. */
int evtimeout_check_(
    const struct evdefer_base *base, const struct timeval *duration);

/* Starts one for d, which counts from now.  NULL with ENOMEM.  As all of these it
 * takes O(1), but that libevent may have to sort its timers. */
struct evtimeout *evtimeout_start_(
    struct evdeferred *d, const struct timeval *duration, bool fires);

/* Stops it and frees it.  Returns whether it had expired. */
bool evtimeout_stop_(struct evtimeout *timeout);

#endif
