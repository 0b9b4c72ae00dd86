/* SPDX-License-Identifier: MIT */
/*
 * A hold is all that one owner has to do with one lock: how often it is inside, and
 * its requests that are not over.
 *
 * The last one of an owner stays with it when it is over, idle, for the next acquire:
 * mostly that is of the same lock, and otherwise the hold becomes one of the other lock.
 * So what an idle one says of its lock may only be compared: the lock may be gone.  Those
 * that are not the last are found by a hash table of the base.
 */
#ifndef EVDEFER_HOLD_INTERNAL_H
#define EVDEFER_HOLD_INTERNAL_H

#include "request-internal.h"

struct evcounts {
	size_t of[EVMODES]; /* by evmode */
};

struct evhold {
	/* NULL if nothing is left of it but its own request. */
	struct evowner *owner;
	struct evlock *lock;
	/* In whose list of holders it is, or NULL.  It enters that when its owner enters
	 * the lock, and mostly stays when the owner leaves, for the next time. */
	struct evlock *listed;
	struct evtrail *trails;
	/* Does not count what has been granted after a wait, until it is
	 * delivered. */
	struct evcounts inside;
	struct evcounts received; /* of these, known to the owner */
	struct evrequest own;	  /* as long as no other is needed */
	struct evlist lock_node;  /* in listed->holders */
	struct evlist owner_node; /* in owner->holds */
	struct evhold *next;	  /* in the hash table */
	/* Requests by their state, the oldest first. */
	struct evlist waiting[EVMODES_WAITING];
	/* Or lent, taken or kept since.  Its own is here only since then. */
	struct evlist delivered;
};

/* Enough for most, so that nothing can fail that puts a hold into the table. */
#define EVHOLDS_FIRST_SIZE 64

/* The holds of a base, and its requests. */
struct evholds {
	struct evdefer_base_part part;
	struct evhold **buckets;
	size_t size; /* a power of two */
	size_t count;
	struct evhold *first_buckets[EVHOLDS_FIRST_SIZE];
	struct evpool pool;
	struct evpool requests;
	uint64_t searches;   /* for cycles, so far */
	uint64_t last_owner; /* its number */
};

/* Finds or makes those of a base.  NULL with ENOMEM. */
struct evholds *evholds_of_(struct evdefer_base *base);

/* One that is in the hash table, or NULL. */
struct evhold *evhold_look_up_(
    const struct evlock *lock, const struct evowner *owner);

/* Makes one that evowner_find_hold_() did not find, the last of the owner from now on.
 * NULL with ENOMEM. */
struct evhold *evhold_new_(struct evlock *lock, struct evowner *owner);

/* Frees a hold if nothing is left of it, unless its owner keeps it. */
void evhold_tidy_(struct evhold *hold);

/* From now on the owner, which goes, keeps none. */
void evhold_keep_none_(struct evowner *owner);

/* Frees one that has no owner any more, nor a request. */
void evhold_put_(struct evholds *holds, struct evhold *hold);

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
static inline void
evhold_enter_(struct evhold *hold, enum evmode mode)
{
	if (hold->listed == NULL) {
		hold->listed = hold->lock;
		evlist_append_(&hold->lock->holders, &hold->lock_node);
	}
	hold->inside.of[mode]++;
}

static inline void
evhold_exit_(struct evhold *hold, enum evmode mode)
{
	hold->inside.of[mode]--;
}

/* Go through the holds that are inside a lock; NULL at the end.  Those that have left
 * since are taken out of the list. */
struct evhold *evhold_first_inside_(const struct evlock *lock);
struct evhold *evhold_next_inside_(const struct evhold *hold);

/* The lock goes. */
void evhold_forget_lock_(struct evlock *lock);

/* With debugging: where the owner has asked for what it has entered by now.  NULL stands
 * for a try, which is still under way. */
void evhold_note_(
    struct evhold *hold, enum evmode mode, const struct evdeferred *d);

/* How many reads the owner is inside with, though it may not know of all. */
size_t evhold_count_reads_(const struct evhold *hold);

#endif
