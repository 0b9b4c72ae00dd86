/* SPDX-License-Identifier: MIT */
/*
 * Does an owner that has asked for a lock, and has to wait, close a cycle of
 * owners that wait for each other?
 *
 * The search is breadth first, from the owner, whose requests include the new one.
 * A request waits for the owners inside.  Those in front of it in the queue matter
 * only if they wait for something else as well: otherwise they wait for the same
 * owners inside.  Of these, the "blockers" of the lock, only writers stand in front
 * of anybody: all of them in front of a reader, and the older ones in front of a
 * writer.
 *
 * A cycle can only close where somebody waits for a lock that the owner has.  Each
 * step of the search also takes a step through these locks, so that the shorter of
 * both ways decides: an owner that has nothing else pays nothing, and one that
 * nobody waits for does not pay for a million that share a lock.
 */
#include "owner-internal.h"
#include "result-internal.h"
#include "text-internal.h"

struct search {
	uint64_t number;
	const struct evrequest *request; /* the new one */
	struct evowner *owner;		 /* whose request it is */
	const struct evlist *hold;	 /* the next of its holds to look at */
	bool awaited;			 /* somebody may wait for the owner */
	struct evowner *first;		 /* found and not yet looked at, */
	struct evowner *last;		 /* by queue_next */
};

/* Takes one step through the locks of the owner.  Has it turned out by now that
 * nobody waits for it? */
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
	/* An owner that waits for one thing only is nobody's blocker. */
	search->awaited =
	    hold->lock->type->get_name != NULL &&
	    evlock_waiting_(hold->lock) > 0 &&
	    (hold != search->request->hold || search->owner->request_count > 1);
	return false;
}

/* Queues an owner that the request waits for. */
static void
find(struct search *search, struct evowner *found,
    const struct evrequest *request, bool inside)
{
	/* is_first() has seen to that. */
	assert(found != request->hold->owner);
	if (found->seen == search->number)
		return;
	found->seen = search->number;
	found->wanted = request;
	found->inside = inside;
	found->queue_next = NULL;
	if (search->last == NULL)
		search->first = found;
	else
		search->last->queue_next = found;
	search->last = found;
}

static void
find_holders(struct search *search, const struct evrequest *request)
{
	struct evlock *lock = request->lock;
	struct evlist *node;
	struct evrequest *granted;

	if (lock->seen == search->number)
		return;
	lock->seen = search->number;
	for (node = lock->holders.next;
	     node != &lock->holders && !is_decided(search); node = node->next)
		find(search,
		    EVLIST_ELEMENT(node, struct evhold, lock_node)->owner,
		    request, true);
	/* One that had to wait is among the holders when it is delivered. */
	for (node = lock->queue.granted.next;
	     node != &lock->queue.granted && !is_decided(search);
	     node = node->next) {
		granted = evrequest_of_(
		    EVLIST_ELEMENT(node, struct evdeferred, node));
		if (granted != NULL)
			find(search, granted->hold->owner, request, true);
	}
}

static bool
is_in_front(const struct evrequest *blocker, const struct evrequest *request)
{
	return request->mode == EVMODE_READ ||
	       (int32_t)(blocker->d->ticket - request->d->ticket) < 0;
}

static void
find_blockers(struct search *search, const struct evrequest *request)
{
	struct evlist *node;
	struct evrequest *blocker;

	for (node = request->lock->blockers.next;
	     node != &request->lock->blockers && !is_decided(search);
	     node = node->next) {
		blocker = EVLIST_ELEMENT(node, struct evrequest, blocker_node);
		if (is_in_front(blocker, request))
			find(search, blocker->hold->owner, request, false);
	}
}

/* Of an owner's requests at one lock only the one that will be granted first waits
 * for others; the rest wait for their owner. */
static bool
is_first(const struct evrequest *request)
{
	const struct evhold *hold = request->hold;
	const struct evlist *writes = &hold->waiting[EVMODE_WRITE];

	if (evrequest_is_granted_(request) || evhold_is_inside_(hold))
		return false;
	if (request->mode == EVMODE_READ && !evlist_empty_(writes))
		return false;
	return hold->waiting[request->mode].next == &request->node;
}

/* Finds all owners that one waits for. */
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
		    request->lock->type->get_name == NULL || !is_first(request))
			continue;
		find_holders(search, request);
		find_blockers(search, request);
	}
}

/* The search leads from the end of the cycle to its start.  Turns that round, by
 * queue_next. */
static struct evowner *
turn_round(struct evowner *owner)
{
	struct evowner *at = owner, *next = NULL;

	do {
		at->queue_next = next;
		next = at;
		at = at->wanted->hold->owner;
	} while (at != owner);
	return next;
}

/* Names who holds what and waits for whom. */
static struct evresult
describe(struct evowner *owner)
{
	const struct evowner *holder;
	const struct evrequest *wanted;
	struct evresult result;
	char buffer[1024];
	struct evtext text;

	evtext_init_(&text, buffer, sizeof(buffer));
	for (holder = turn_round(owner);
	     holder != NULL && text.length < text.size;
	     holder = holder->queue_next) {
		wanted = holder->wanted;
		evtext_add_(&text, "%s%s waits to %s %s, %s %s",
		    text.length > 0 ? "; " : "", wanted->hold->owner->name,
		    wanted->mode == EVMODE_READ ? "read" : "write",
		    wanted->lock->type->get_name(wanted->lock),
		    holder->inside ? "held by" : "behind", holder->name);
	}
	result = evresult_fail(EDEADLK, "deadlock: %s", buffer);
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

	search.number = ++owner->table->searches;
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
