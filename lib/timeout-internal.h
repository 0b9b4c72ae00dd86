/* SPDX-License-Identifier: MIT */
/*
 * The timer behind an evdeferred_add_timeout() or an evdeferred_later().  It
 * belongs to the link that the one added, or is the producer of the other's
 * Deferred, and is given back to the base by that.
 */
#ifndef EVDEFER_TIMEOUT_INTERNAL_H
#define EVDEFER_TIMEOUT_INTERNAL_H

#include <stdbool.h>

struct event;
struct timeval;
struct evdefer_base;
struct evdeferred;
struct evtimeout;

/* Called once, when the time is over. */
typedef void (*evtimeout_expire_fn)(struct evtimeout *timeout);

struct evtimeout {
	struct evtimeout *next;	     /* of all that the base has */
	struct evtimeout *next_free; /* of those not in use */
	struct event *event;	     /* NULL when the base is closed */
	struct evdefer_base *base;
	struct evdeferred *deferred;
	evtimeout_expire_fn expire;
	bool expired;
	bool running;
	bool fires; /* its Deferred, rather than to cancel it */
};

/* Whether a timer may be started.  0, or -1 with EINVAL or ESHUTDOWN. */
int evtimeout_check_(
    const struct evdefer_base *base, const struct timeval *duration);

/* Starts a timer for d.  NULL with ENOMEM. */
struct evtimeout *evtimeout_start_(struct evdeferred *d,
    const struct timeval *duration, evtimeout_expire_fn expire);

/* Stops it and takes it back.  Whether it had expired. */
bool evtimeout_stop_(struct evtimeout *timeout);

/* Takes the timers off the loop that the base is about to leave. */
void evtimeout_drop_all_(struct evdefer_base *base);

void evtimeout_destroy_all_(struct evdefer_base *base);

#endif
