/* SPDX-License-Identifier: MIT */
/*
 * A request is one acquire of an owner's, from the call until a callback receives
 * the grant.  When it has been delivered it travels down the chain as the value, and
 * to dispose of it releases the lock.
 *
 * Mostly an owner has one of them at a lock at a time.  That one is a part of its hold,
 * so that it takes neither memory nor much to make; those beside it are from a pool.
 */
#ifndef EVDEFER_REQUEST_INTERNAL_H
#define EVDEFER_REQUEST_INTERNAL_H

#include "lock-internal.h"
#include "result-internal.h"

struct evhold;
struct evholds;

enum evrequest_state {
	/* Was put into the queue of the lock.  Its ticket tells whether it has been
	 * granted since. */
	EVREQUEST_WAITING,
	/* Did not have to wait, and is to be told so. */
	EVREQUEST_GRANTED,
	/* Its Deferred has fired with it, and nobody has received that. */
	EVREQUEST_DELIVERED,
	/* A both function has that result, and may pass it on, keep it or ask for
	 * its value. */
	EVREQUEST_LENT,
	/* That function has asked for the value, and has not returned yet. */
	EVREQUEST_TAKEN,
	/* It has returned, and kept the result as it was. */
	EVREQUEST_KEPT,
	/* Received, disposed of or given up.  No result names it. */
	EVREQUEST_OVER
};

struct evrequest {
	struct evgrant grant;
	struct evhold *hold; /* NULL if it was taken back or is over, */
	struct evlock *lock; /* which may be gone then; of one that waits */
	enum evmode mode;
	enum evrequest_state state;
	/* By its Deferred or the result, and by a function that it is lent to. */
	unsigned refs;
	bool is_part;		    /* of its hold */
	struct evlist node;	    /* in the list of the hold for its state */
	struct evlist owner_node;   /* in owner->requests until delivered */
	struct evlist blocker_node; /* in lock->blockers, see cycle.c */
	struct evholds *holds;
	struct evdeferred *d; /* until it is delivered */
	uint64_t let_in;      /* the search of cycle.c that has done so */
};

/* For new memory. */
static inline void
evrequest_init_(struct evrequest *request, struct evholds *holds, bool is_part)
{
	request->refs = 0;
	request->state = EVREQUEST_OVER;
	request->is_part = is_part;
	request->holds = holds;
	evlist_init_(&request->node);
}

/* What a Deferred that was not delivered is for; NULL if that is no request. */
static inline struct evrequest *
evrequest_of_(const struct evdeferred *d)
{
	return d->flags & EVDEFERRED_MARKED ? d->u.canceller.arg : NULL;
}

/* Was it granted, though it may not be delivered yet? */
static inline bool
evrequest_is_granted_(const struct evrequest *request)
{
	return request->state != EVREQUEST_WAITING ||
	       evlock_is_granted_(request->lock, request->d, request->mode);
}

/* Takes one that was not delivered out of the lock, and lets others in without
 * telling them.  A cancel of its Deferred has to follow, and tells them. */
void evrequest_withdraw_(struct evrequest *request);

/* Its owner gives back what was delivered: from now on the result is worth
 * nothing. */
void evrequest_take_back_(struct evrequest *request);

/* A failure if the request, which is new and has to wait, closes a cycle of owners
 * that wait for each other, and otherwise a value. */
struct evresult evrequest_check_cycle_(const struct evrequest *request);

#endif
