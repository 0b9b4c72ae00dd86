/* SPDX-License-Identifier: MIT */
/*
 * What owners have to do with locks.
 *
 * A hold is the relation of one owner to one lock, found by a hash table of the
 * base: how often the owner is inside, and the asks that are not through.
 *
 * An ask is one acquire of an owner's, from the call until a callback receives
 * the grant.  Once granted and delivered it travels down the chain as the value
 * whose disposal releases the lock.
 */
#ifndef EVDEFER_HOLD_INTERNAL_H
#define EVDEFER_HOLD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evdefer/result.h>

#include "list-internal.h"

struct evdefer_base;
struct evdeferred;
struct evowner;
struct evrwlock;

enum evmode { EVMODE_READ, EVMODE_WRITE };

/* How often something is the case, for reading and for writing. */
struct evcounts {
	size_t of[2]; /* by evmode */
};

struct evhold {
	struct evlist owner_node; /* in owner->holds */
	struct evlist lock_node;  /* in lock->holders while it is inside */
	struct evhold *next;	  /* in the hash table */
	struct evowner *owner;
	struct evrwlock *lock;
	struct evcounts inside;	  /* granted and known to be, see below */
	struct evcounts received; /* of these, known to the owner */
	/* Asks in the queue of the lock, the oldest first.  Readers are granted
	 * all at once, so that their asks don't know: their tickets do. */
	struct evlist queued[2];
	struct evlist granted;	 /* asks granted, but not delivered */
	struct evlist delivered; /* asks delivered, but not received */
};

struct evask {
	struct evlist node;	  /* in one of the lists of the hold */
	struct evlist owner_node; /* in owner->asks until it is delivered */
	struct evlist rival_node; /* in lock->rivals, see deadlock.c */
	struct evhold *hold;	  /* NULL when its owner has given it back */
	struct evrwlock *lock;	  /* may be gone once hold is NULL */
	struct evdefer_base *base;
	struct evdeferred *d; /* until it is delivered */
	enum evmode mode;
	bool granted; /* and counted in hold->inside */
	bool lent;    /* to a function that may pass it on or not */
	bool taken;   /* that function has asked for the value */
	bool kept;    /* that function has kept the result as it is */
	unsigned refs;
};

/* The hash table, one for each base. */
struct evholds {
	struct evhold **buckets;
	size_t size; /* a power of two, or 0 */
	size_t count;
};

void evholds_destroy_(struct evholds *holds);

/* NULL where they have nothing to do with each other. */
struct evhold *evhold_find_(
    const struct evrwlock *lock, const struct evowner *owner);

/* Makes it where evhold_find_() found none.  NULL with ENOMEM. */
struct evhold *evhold_new_(struct evrwlock *lock, struct evowner *owner);

/* Frees a hold if it has come to nothing. */
void evhold_tidy_(struct evhold *hold);

/* Takes one away from what the owner has received.  Whether there was one. */
bool evhold_take_(struct evhold *hold, enum evmode mode);

/* Counts one more or one less inside. */
void evhold_enter_(struct evhold *hold, enum evmode mode);
void evhold_exit_(struct evhold *hold, enum evmode mode);

/* A new ask, in the list of its hold for those queued or granted.  NULL with
 * ENOMEM. */
struct evask *evask_new_(struct evhold *hold, enum evmode mode, bool granted);

/* The same for one that need not wait: it is delivered already. */
struct evask *evask_new_delivered_(struct evhold *hold, enum evmode mode);

/* It is on its way no longer, but delivered or given up. */
void evask_arrive_(struct evask *ask);

/* Parts it from its hold. */
void evask_detach_(struct evask *ask);

/* Frees an ask that came to nothing, and its hold if that is all it had. */
void evask_forget_(struct evask *ask);

void evask_unref_(struct evask *ask);

/* For a grant that nobody receives. */
void evask_dispose_(struct evask *ask);

/* The value that it stands for: the lock, or NULL if it was given back. */
void *evask_value_(const struct evask *ask);

/* The same for whoever asks a result for its value, and owns it from then on. */
void *evask_take_value_(struct evask *ask);

/* Around a function that may pass the grant on, keep it or take its value. */
void evask_lend_(struct evask *ask);
void evask_end_loan_(struct evask *ask);

/* A callback receives the grant.  The value for it. */
void *evask_receive_(struct evask *ask);

#endif
