/* SPDX-License-Identifier: MIT */
/*
 * Does an owner that has asked for a lock, and has to wait, close a circle of
 * owners that wait for each other?
 *
 * A search in breadth from the owner, whose new ask is among the others by now.
 * Who waits for a lock waits for the owners that are inside.  Those who wait
 * for the same lock in front of it matter only if they wait for something else
 * as well: otherwise what they wait for are the same owners inside.  Of these,
 * the "rivals" of the lock, only writers stand in front of anybody: all of them
 * in front of a reader, and the older ones in front of a writer.
 *
 * The circle can only close at the owner where somebody waits for a lock that
 * it has.  With each step of the search goes one through these locks, so that
 * the shorter of both ways decides: an owner that has nothing else pays
 * nothing, nor does one that nobody waits for pay for a million who share a
 * lock.
 */
#include <errno.h>
#include <stdio.h>

#include "owner-internal.h"
#include "result-internal.h"
#include "rwlock-internal.h"

/* A search under way: owners that were found and not looked at. */
struct search {
	uint64_t number;
	const struct evask *ask;   /* the new one */
	struct evowner *owner;	   /* whose ask it is */
	const struct evlist *hold; /* the next of its holds to look at */
	bool awaited;		   /* somebody may wait for the owner */
	struct evowner *first;
	struct evowner *last;
};

/* Has it turned out that nobody waits for the owner?  One step of finding out. */
static bool
is_over(struct search *search)
{
	const struct evhold *hold;

	if (search->awaited)
		return false;
	if (search->hold == &search->owner->holds)
		return true;
	hold = EVLIST_ELEMENT(search->hold, const struct evhold, owner_node);
	search->hold = hold->owner_node.next;
	/* Who waits for one thing only is nobody's rival. */
	search->awaited =
	    evrwlock_waiting_(hold->lock) > 0 &&
	    (hold != search->ask->hold || search->owner->ask_count > 1);
	return false;
}

static void
find(struct search *search, struct evowner *found, struct evowner *waiter,
    const struct evask *ask, bool inside)
{
	if (found == waiter || found->seen == search->number)
		return;
	found->seen = search->number;
	found->waiter = waiter;
	found->wanted = ask;
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
find_holders(
    struct search *search, struct evowner *waiter, const struct evask *ask)
{
	struct evrwlock *lock = ask->lock;
	/* The owner does not wait for itself; others that wait for the same
	 * lock may find it there. */
	const uint64_t number = search->number + (waiter != search->owner);
	struct evlist *node;
	struct evask *granted;

	if (lock->seen >= number)
		return;
	lock->seen = number;
	for (node = lock->holders.next;
	     node != &lock->holders && !is_over(search); node = node->next)
		find(search,
		    EVLIST_ELEMENT(node, struct evhold, lock_node)->owner,
		    waiter, ask, true);
	/* Readers that were granted together are not among the holders yet. */
	for (node = lock->gate.granted.next;
	     node != &lock->gate.granted && !is_over(search);
	     node = node->next) {
		granted = evrwlock_ask_of_(
		    EVLIST_ELEMENT(node, struct evdeferred, node));
		if (granted != NULL)
			find(search, granted->hold->owner, waiter, ask, true);
	}
}

static bool
is_in_front(const struct evask *rival, const struct evask *ask)
{
	if (rival->granted)
		return false;
	return ask->mode == EVMODE_READ ||
	       (int32_t)(rival->d->ticket - ask->d->ticket) < 0;
}

/* Finds those in front of it in the queue. */
static void
find_rivals(
    struct search *search, struct evowner *waiter, const struct evask *ask)
{
	struct evlist *node;
	struct evask *rival;

	for (node = ask->lock->rivals.next;
	     node != &ask->lock->rivals && !is_over(search);
	     node = node->next) {
		rival = EVLIST_ELEMENT(node, struct evask, rival_node);
		if (is_in_front(rival, ask))
			find(search, rival->hold->owner, waiter, ask, false);
	}
}

/* Of several asks of an owner at one lock only that which will be granted first
 * waits for others; the rest wait for their owner. */
static bool
is_first(const struct evask *ask)
{
	const struct evhold *hold = ask->hold;
	const struct evlist *writes = &hold->queued[EVMODE_WRITE];

	if (evask_is_granted_(ask) || hold->inside.of[EVMODE_READ] > 0 ||
	    hold->inside.of[EVMODE_WRITE] > 0)
		return false;
	if (ask->mode == EVMODE_READ && !evlist_empty_(writes))
		return false;
	return hold->queued[ask->mode].next == &ask->node;
}

/* Finds all that the waiter waits for. */
static void
find_for(struct search *search, struct evowner *waiter)
{
	struct evlist *node;
	struct evask *ask;

	for (node = waiter->asks.next;
	     node != &waiter->asks && !is_over(search); node = node->next) {
		ask = EVLIST_ELEMENT(node, struct evask, owner_node);
		/* At a lock that is being closed all are about to fail. */
		if (ask->lock->gate.closed || !is_first(ask))
			continue;
		find_holders(search, waiter, ask);
		find_rivals(search, waiter, ask);
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
		    evrwlock_get_name(holder->wanted->lock),
		    holder->inside ? "held by" : "behind", holder->name);
		if (length >= sizeof(text))
			break;
		waiter = holder;
	}
	result = evresult_fail(EDEADLK, "deadlock: %s", text);
	/* Where there is no memory for the text, it is a deadlock all the same. */
	if (evfailure_get_code(result.data) != EDEADLK)
		return evresult_fixed_(EVFAILURE_CIRCLE);
	return result;
}

struct evresult
evrwlock_check_deadlock_(const struct evask *ask)
{
	struct evowner *owner = ask->hold->owner;
	struct search search = {.ask = ask, .owner = owner};

	search.number = owner->base->searches += 2;
	search.hold = owner->holds.next;
	find_for(&search, owner);
	for (; search.first != NULL && !is_over(&search);
	     search.first = search.first->queue_next) {
		if (search.first == owner)
			return describe(owner);
		find_for(&search, search.first);
	}
	return evresult_value(NULL);
}
