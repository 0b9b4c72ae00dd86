/* SPDX-License-Identifier: MIT */
/*
 * A hold is all that one owner has to do with one lock: how often it is inside, and
 * its requests that are not over.  A hash table of the base finds it.
 */
#ifndef EVDEFER_HOLD_INTERNAL_H
#define EVDEFER_HOLD_INTERNAL_H

#include "lock-internal.h"

struct evcounts {
	size_t of[EVMODES]; /* by evmode */
};

struct evhold {
	struct evlist owner_node; /* in owner->holds */
	struct evlist lock_node;  /* in lock->holders while it is inside */
	struct evhold *next;	  /* in the hash table */
	struct evowner *owner;
	struct evlock *lock;
	/* Does not count what has been granted after a wait, until it is
	 * delivered. */
	struct evcounts inside;
	struct evcounts received; /* of these, known to the owner */
	/* Requests by their state, the oldest first. */
	struct evlist waiting[EVMODES_WAITING];
	struct evlist granted;
	struct evlist delivered; /* or lent, taken or kept since */
	struct evtrail *trails;
};

/* The holds of a base, and its requests. */
struct evholds {
	struct evdefer_base_part part;
	struct evhold **buckets;
	size_t size; /* a power of two, or 0 */
	size_t count;
	struct evpool pool;
	struct evpool requests;
	uint64_t searches;   /* for cycles, so far */
	uint64_t last_owner; /* its number */
};

/* Finds or makes those of a base.  NULL with ENOMEM. */
struct evholds *evholds_of_(struct evdefer_base *base);

/* NULL if they have nothing to do with each other. */
struct evhold *evhold_find_(
    const struct evlock *lock, const struct evowner *owner);

/* Makes one that evhold_find_() did not find.  NULL with ENOMEM. */
struct evhold *evhold_new_(struct evlock *lock, struct evowner *owner);

/* Frees a hold that nothing is left of. */
void evhold_tidy_(struct evhold *hold);

static inline bool
evhold_is_inside_(const struct evhold *hold)
{
	return hold->inside.of[EVMODE_READ] +
		   hold->inside.of[EVMODE_UPGRADABLE] +
		   hold->inside.of[EVMODE_WRITE] >
	       0;
}

/* Has it requests that wait, or that it was not told of? */
bool evhold_is_waiting_(const struct evhold *hold);

/* Counts one more or one less inside. */
void evhold_enter_(struct evhold *hold, enum evmode mode);
void evhold_exit_(struct evhold *hold, enum evmode mode);

/* With debugging: where the owner has asked for what it has entered by now.  NULL stands
 * for a try, which is still under way. */
void evhold_note_(
    struct evhold *hold, enum evmode mode, const struct evdeferred *d);

/* How many reads the owner is inside with, though it may not know of all. */
size_t evhold_count_reads_(const struct evhold *hold);

#endif
