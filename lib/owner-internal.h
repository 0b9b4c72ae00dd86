/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_OWNER_INTERNAL_H
#define EVDEFER_OWNER_INTERNAL_H

#include <evdefer/owner.h>

#include "hold-internal.h"

struct evowner {
	/* That was made; maybe idle.  NULL before that, and once it is freed. */
	struct evhold *last;
	struct evlist holds;
	struct evlist requests; /* not delivered */
	size_t request_count;
	struct evdefer_base *base;
	bool freed;
	struct evholds *table; /* of the base */
	/* For the search of cycle.c. */
	uint64_t seen;
	struct evowner *queue_next;
	const struct evrequest *wanted; /* was found to wait for this owner */
	bool inside;  /* or only in front of that in the queue? */
	size_t unmet; /* requests that were not let in */
	struct evowner *leaving_next;
	uint64_t number; /* among those of the base */
	char *name;
};

/* Is it only kept, for the next acquire? */
static inline bool
evhold_is_idle_(const struct evhold *hold)
{
	return !evhold_is_inside_(hold) &&
	       (hold->owner->request_count == 0 || !evhold_is_waiting_(hold));
}

/* Whatever is left of it, is it kept? */
static inline bool
evhold_is_kept_(const struct evhold *hold)
{
	return hold == hold->owner->last;
}

/* NULL, or an idle one, if they have nothing to do with each other. */
static inline struct evhold *
evowner_find_hold_(const struct evowner *owner, const struct evlock *lock)
{
	struct evhold *last = owner->last;

	if (last != NULL && last->lock == lock)
		return last;
	return evhold_look_up_(lock, owner);
}

#endif
