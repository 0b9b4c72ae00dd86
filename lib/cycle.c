/* SPDX-License-Identifier: MIT */
/*
 * Does an owner that has asked for a lock, and has to wait, close a cycle of
 * owners that wait for each other?
 *
 * A search in breadth from the owner, whose new request is among the others by now.
 * Who waits for a lock waits for the owners that are inside.  Those who wait
 * for the same lock in front of it matter only if they wait for something else
 * as well: otherwise what they wait for are the same owners inside.  Of these,
 * the "blockers" of the lock, only writers stand in front of anybody: all of them
 * in front of a reader, and the older ones in front of a writer.
 *
 * The cycle can only close at the owner where somebody waits for a lock that
 * it has.  With each step of the search goes one through these locks, so that
 * the shorter of both ways decides: an owner that has nothing else pays
 * nothing, nor does one that nobody waits for pay for a million who share a
 * lock.
 */
#include <stdio.h>

#include "owner-internal.h"
#include "result-internal.h"

/* A search under way: owners that were found and not looked at. */
struct search {
	uint64_t number;
	const struct evrequest *request; /* the new one */
	struct evowner *owner;		 /* whose request it is */
	const struct evlist *hold;	 /* the next of its holds to look at */
	bool awaited;			 /* somebody may wait for the owner */
	struct evowner *first;
	struct evowner *last;
};

static bool
is_awaited(const struct evlock *lock)
{
	return lock->type->is_awaited != NULL && lock->type->is_awaited(lock);
}

/* Has it turned out that nobody waits for the owner?  One step of finding out. */
static bool
is_decided(struct search *search)
{
	const struct evhold *hold;

	if (search->awaited)
		return false;
	if (search->hold == &search->owner->holds)
		return true;
	hold = EVLIST_ELEMENT(search->hold, const struct evhold, owner_node);
	search->hold = hold->owner_node.next;
	/* Who waits for one thing only is nobody's blocker. */
	search->awaited =
	    is_awaited(hold->lock) &&
	    (hold != search->request->hold || search->owner->request_count > 1);
	return false;
}

static void
find(struct search *search, struct evowner *found, struct evowner *waiter,
    const struct evrequest *request, bool inside)
{
	if (found == waiter || found->seen == search->number)
		return;
	found->seen = search->number;
	found->waiter = waiter;
	found->wanted = request;
	found->inside = inside;
	found->queue_next = NULL;
	if (search->last == NULL)
		search->first = found;
	else
		search->last->queue_next = found;
	search->last = found;
}

/* Finds those that are inside. */
static void
find_holders(struct search *search, struct evowner *waiter,
    const struct evrequest *request)
{
	struct evlock *lock = request->lock;
	/* The owner does not wait for itself; others that wait for the same
	 * lock may find it there. */
	const uint64_t number = search->number + (waiter != search->owner);
	struct evlist *node;
	struct evrequest *granted;

	if (lock->seen >= number)
		return;
	lock->seen = number;
	for (node = lock->holders.next;
	     node != &lock->holders && !is_decided(search); node = node->next)
		find(search,
		    EVLIST_ELEMENT(node, struct evhold, lock_node)->owner,
		    waiter, request, true);
	/* Readers that were granted together are not among the holders yet. */
	for (node = lock->queue.granted.next;
	     node != &lock->queue.granted && !is_decided(search);
	     node = node->next) {
		granted = evrequest_of_(
		    EVLIST_ELEMENT(node, struct evdeferred, node));
		if (granted != NULL)
			find(search, granted->hold->owner, waiter, request,
			    true);
	}
}

static bool
is_in_front(const struct evrequest *blocker, const struct evrequest *request)
{
	if (blocker->state != EVREQUEST_WAITING)
		return false;
	return request->mode == EVMODE_READ ||
	       (int32_t)(blocker->d->ticket - request->d->ticket) < 0;
}

/* Finds those in front of it in the queue. */
static void
find_blockers(struct search *search, struct evowner *waiter,
    const struct evrequest *request)
{
	struct evlist *node;
	struct evrequest *blocker;

	for (node = request->lock->blockers.next;
	     node != &request->lock->blockers && !is_decided(search);
	     node = node->next) {
		blocker = EVLIST_ELEMENT(node, struct evrequest, blocker_node);
		if (is_in_front(blocker, request))
			find(search, blocker->hold->owner, waiter, request,
			    false);
	}
}

/* Of several requests of an owner at one lock only that which will be granted first
 * waits for others; the rest wait for their owner. */
static bool
is_first(const struct evrequest *request)
{
	const struct evhold *hold = request->hold;
	const struct evlist *writes = &hold->waiting[EVMODE_WRITE];

	if (evrequest_is_granted_(request) ||
	    hold->inside.of[EVMODE_READ] > 0 ||
	    hold->inside.of[EVMODE_WRITE] > 0)
		return false;
	if (request->mode == EVMODE_READ && !evlist_empty_(writes))
		return false;
	return hold->waiting[request->mode].next == &request->node;
}

/* Finds all that the waiter waits for. */
static void
find_for(struct search *search, struct evowner *waiter)
{
	struct evlist *node;
	struct evrequest *request;

	for (node = waiter->requests.next;
	     node != &waiter->requests && !is_decided(search);
	     node = node->next) {
		request = EVLIST_ELEMENT(node, struct evrequest, owner_node);
		/* At a lock that is being closed all are about to fail. */
		if (request->lock->queue.closed ||
		    request->lock->type->is_awaited == NULL ||
		    !is_first(request))
			continue;
		find_holders(search, waiter, request);
		find_blockers(search, waiter, request);
	}
}

/* Turns the way from the owner to itself round, to be told from its start. */
static struct evowner *
turn_round(struct evowner *owner)
{
	struct evowner *at = owner, *next = NULL, *waiter;

	do {
		waiter = at->waiter;
		at->queue_next = next;
		next = at;
		at = waiter;
	} while (at != owner);
	return next;
}

/* Names who holds what and waits for whom. */
static struct evresult
describe(struct evowner *owner)
{
	const struct evowner *waiter = owner, *holder;
	struct evresult result;
	char text[1024];
	size_t length = 0;

	for (holder = turn_round(owner); holder != NULL;
	     holder = holder->queue_next) {
		length += (size_t)snprintf(text + length, sizeof(text) - length,
		    "%s%s waits to %s %s, %s %s", length > 0 ? "; " : "",
		    waiter->name,
		    holder->wanted->mode == EVMODE_READ ? "read" : "write",
		    holder->wanted->lock->type->get_name(holder->wanted->lock),
		    holder->inside ? "held by" : "behind", holder->name);
		if (length >= sizeof(text))
			break;
		waiter = holder;
	}
	result = evresult_fail(EDEADLK, "deadlock: %s", text);
	/* Where there is no memory for the text, it is a deadlock all the same. */
	if (evfailure_get_code(result.data) != EDEADLK)
		return evresult_fixed_(EVFAILURE_CYCLE);
	return result;
}

struct evresult
evrequest_check_cycle_(const struct evrequest *request)
{
	struct evowner *owner = request->hold->owner;
	struct search search = {.request = request, .owner = owner};

	search.number = owner->table->searches += 2;
	search.hold = owner->holds.next;
	find_for(&search, owner);
	for (; search.first != NULL && !is_decided(&search);
	     search.first = search.first->queue_next) {
		if (search.first == owner)
			return describe(owner);
		find_for(&search, search.first);
	}
	return evresult_value(NULL);
}
