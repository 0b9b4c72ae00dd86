/* SPDX-License-Identifier: MIT */
/*
 * The timer behind one evdeferred_add_timeout().  It belongs to the link that
 * evdeferred_add_timeout() added, and goes back to the base with that.
 */
#ifndef EVDEFER_TIMEOUT_INTERNAL_H
#define EVDEFER_TIMEOUT_INTERNAL_H

#include <stdbool.h>

struct event;
struct timeval;
struct evdefer_base;
struct evdeferred;

struct evtimeout {
	struct evtimeout *next;	     /* of all that the base has */
	struct evtimeout *next_free; /* of those not in use */
	struct event *event;	     /* NULL when the base is closed */
	struct evdefer_base *base;
	struct evdeferred *deferred;
	bool expired;
};

/* Starts a timer that cancels d.  NULL with ENOMEM. */
struct evtimeout *evtimeout_start_(
    struct evdeferred *d, const struct timeval *duration);

/* Stops it and takes it back.  Whether it had expired. */
bool evtimeout_stop_(struct evtimeout *timeout);

/* Takes the timers off the loop that the base is about to leave. */
void evtimeout_drop_all_(struct evdefer_base *base);

void evtimeout_destroy_all_(struct evdefer_base *base);

#endif
