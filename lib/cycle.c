/* SPDX-License-Identifier: MIT */
/*
 * Does an owner that has asked for a lock, and has to wait, close a cycle of
 * owners that wait for each other?
 *
 * First comes a search from the owner, whose requests include the new one, breadth
 * first, for all that it waits for.  A request waits for the owners inside: for all, or
 * for those in some modes, as the lock says.  Those in front of it in the queue matter
 * only if they wait for something else as well: otherwise they wait for the same owners
 * inside.  Of these, the "blockers" of the lock, the lock says who comes before whom.
 * If the search does not come back to the owner there is no cycle.  If it does there is
 * one, where whoever waits needs all that it waits for to go away.
 *
 * Who waits for a token, or to be one of some readers, needs only one of many to go
 * away; and where all are served in order, it depends on those between whether one
 * that is in front is waited for.  So if the search has come to that, a second part
 * decides.  Those found that wait for nothing leave all that
 * they have.  The queues let in who may enter by then, who leaves if it waits for
 * nothing else, and so on.  Only the owner itself never leaves.  Is it let in
 * everywhere, there is no deadlock; otherwise it and all that are left are stuck, and
 * a third part is the first one again, among these only, and finds a cycle to name.
 * Those without an owner are known to nobody, and taken to leave.
 *
 * A cycle can only close where somebody waits for a lock that the owner has.  Each
 * step of the search also takes a step through these locks, so that the shorter of
 * both ways decides: an owner that has nothing else pays nothing, and one that
 * nobody waits for does not pay for a million that share a lock.  The second part
 * goes once through each queue, and each hold, that the first has come to.
 */
#include <assert.h>

#include "owner-internal.h"
#include "result-internal.h"
#include "text-internal.h"

struct search {
	uint64_t number; /* of this one */
	uint64_t played; /* one that has found who is stuck, or 0 */
	const struct evrequest *request; /* the new one */
	struct evowner *owner;		 /* whose request it is */
	const struct evlist *hold;	 /* the next of its holds to look at */
	bool awaited;			 /* somebody may wait for the owner */
	bool choice; /* one was found that may not have to wait for all */
	struct evowner *first;	 /* of those found, */
	struct evowner *last;	 /* by queue_next */
	struct evowner *leaving; /* by leaving_next */
};

/* May an owner that has it get it again? */
static bool
is_reentrant(const struct evlock *lock)
{
	return lock->type->answer_holder != NULL;
}

/* Are there any that wait, and not for all inside? */
static bool
is_choosy(const struct evlock *lock)
{
	return lock->sides[EVMODE_UPGRADABLE].waiting > 0 ||
	       (lock->limit > 0 && lock->sides[EVMODE_READ].waiting > 0);
}

/* May somebody wait for the owner because of what it has of a lock? */
static bool
is_awaited_at(const struct search *search, const struct evhold *hold)
{
	const struct evlock *lock = hold->lock;

	if (evhold_is_idle_(hold))
		return false;
	if (hold != search->request->hold)
		return evlock_waiting_(lock) > 0;
	/* Where it only waits, and for nothing else, those behind it wait for the same
	 * as they did, or else a writer is new to them. */
	if (!evhold_is_inside_(hold) && search->owner->request_count == 1 &&
	    !is_choosy(lock))
		return false;
	return evlock_waiting_(lock) > 0 || !is_reentrant(lock);
}

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
	search->awaited = is_awaited_at(search, hold);
	return false;
}

/* A search after the play finds nobody that the one before has not. */
static bool
is_stuck(const struct search *search, const struct evowner *owner)
{
	assert(owner->seen >= search->played);
	(void)search;
	return owner->unmet > 0;
}

/* Queues an owner that the request waits for. */
static void
find(struct search *search, struct evowner *found,
    const struct evrequest *request, bool inside)
{
	if (found->seen == search->number)
		return;
	if (search->played > 0 && !is_stuck(search, found))
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

/* Before those inside are counted. */
static void
reset(struct evlock *lock)
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++) {
		lock->sides[mode].stuck = 0;
		lock->sides[mode].next = lock->sides[mode].waiters.next;
		lock->next_blocker[mode] = lock->blockers.next;
	}
}

/* For those inside in which modes does it wait? */
static unsigned
modes_waited_for(const struct evrequest *request)
{
	const struct evlock *lock = request->lock;

	return lock->type->waits_for != NULL
		   ? lock->type->waits_for(
			 lock, request->mode, request->d->ticket)
		   : EVMODE_ANY;
}

static bool
is_inside_in(const struct evhold *hold, unsigned modes)
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES; mode++) {
		if ((modes & EVMODE_BIT(mode)) && hold->inside.of[mode] > 0)
			return true;
	}
	return false;
}

/* Who is inside a reentrant lock does not wait there for itself. */
static bool
may_wait_for(const struct evrequest *request, const struct evhold *hold)
{
	return hold != request->hold || !is_reentrant(request->lock);
}

static void
count_holder(const struct evhold *hold)
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES; mode++)
		hold->lock->sides[mode].stuck += hold->inside.of[mode];
}

/* All are counted, once. */
static void
count_all(struct search *search, struct evlock *lock)
{
	const struct evrequest *granted;
	const struct evlist *node;
	const struct evhold *hold;

	lock->seen = search->number;
	lock->seen_modes = 0;
	reset(lock);
	for (hold = evhold_first_inside_(lock);
	     hold != NULL && !is_decided(search);
	     hold = evhold_next_inside_(hold))
		count_holder(hold);
	for (node = lock->queue.granted.next;
	     node != &lock->queue.granted && !is_decided(search);
	     node = node->next) {
		granted = evrequest_of_(
		    EVLIST_ELEMENT(node, const struct evdeferred, node));
		if (granted != NULL && granted->state == EVREQUEST_WAITING)
			lock->sides[evmode_inside_(granted->mode)].stuck++;
	}
}

static void
find_holders(struct search *search, const struct evrequest *request)
{
	struct evlock *lock = request->lock;
	const unsigned modes = modes_waited_for(request);
	const struct evhold *hold;
	struct evrequest *granted;
	struct evlist *node;

	if (lock->seen != search->number)
		count_all(search, lock);
	if ((modes & ~lock->seen_modes) == 0)
		return;
	lock->seen_modes |= modes;
	for (hold = evhold_first_inside_(lock);
	     hold != NULL && !is_decided(search);
	     hold = evhold_next_inside_(hold)) {
		if (is_inside_in(hold, modes) && may_wait_for(request, hold))
			find(search, hold->owner, request, true);
	}
	/* One that had to wait is among the holders when it is delivered. */
	for (node = lock->queue.granted.next;
	     node != &lock->queue.granted && !is_decided(search);
	     node = node->next) {
		granted = evrequest_of_(
		    EVLIST_ELEMENT(node, struct evdeferred, node));
		if (granted != NULL && may_wait_for(request, granted->hold) &&
		    (modes & EVMODE_BIT(evmode_inside_(granted->mode))))
			find(search, granted->hold->owner, request, true);
	}
}

static bool
has_come_before(const struct evdeferred *d, const struct evdeferred *other)
{
	return (int32_t)(d->ticket - other->ticket) < 0;
}

/* Does one that waits hold back another one? */
static bool
stands_before(const struct evlock *lock, enum evmode mode,
    const struct evdeferred *d, enum evmode other_mode,
    const struct evdeferred *other)
{
	const bool older = has_come_before(d, other);

	return lock->type->comes_before != NULL
		   ? lock->type->comes_before(mode, other_mode, older)
		   : older;
}

/* Where readers are limited, an older one may take the place of one that leaves; and
 * where all come in order, a writer between them may wait for it. */
static bool
is_in_front(const struct evrequest *blocker, const struct evrequest *request)
{
	const struct evlock *lock = request->lock;

	if (is_reentrant(lock) && (lock->limit > 0 || lock->type->in_order) &&
	    blocker->mode < EVMODE_WRITE && request->mode < EVMODE_WRITE)
		return has_come_before(blocker->d, request->d);
	return stands_before(request->lock, blocker->mode, blocker->d,
	    request->mode, request->d);
}

/* Of one mode, those are in front that have come before some time, or all: where one
 * request stops, the next one goes on. */
static void
find_blockers_in(
    struct search *search, const struct evrequest *request, enum evmode mode)
{
	struct evlock *lock = request->lock;
	const struct evlist **next = &lock->next_blocker[mode];
	const struct evrequest *blocker;

	for (; *next != &lock->blockers && !is_decided(search);
	     *next = (*next)->next) {
		blocker =
		    EVLIST_ELEMENT(*next, const struct evrequest, blocker_node);
		if (blocker->mode != mode)
			continue;
		if (!is_in_front(blocker, request))
			return;
		find(search, blocker->hold->owner, request, false);
	}
}

static void
find_blockers(struct search *search, const struct evrequest *request)
{
	const struct evrequest *blocker;
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++)
		find_blockers_in(search, request, mode);
	/* It may be the first that has those wait for all inside. */
	blocker = search->request;
	if (blocker != request && blocker->lock == request->lock &&
	    is_in_front(blocker, request))
		find(search, blocker->hold->owner, request, false);
}

/* Does it wait for its owner, who is inside?  One that upgrades does not. */
static bool
waits_for_owner(const struct evrequest *request)
{
	return request->mode != EVMODE_UPGRADE &&
	       evhold_is_inside_(request->hold);
}

/* Does another one of its owner come before it, or has it done so?  If that is an
 * upgrade, the owner need not be inside: it may have released what it upgrades. */
static bool
is_behind_own(const struct evrequest *request)
{
	const struct evlist *waiting = request->hold->waiting;
	const struct evrequest *first;
	enum evmode mode;

	if (waiting[request->mode].next != &request->node)
		return true;
	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++) {
		if (mode == request->mode || evlist_empty_(&waiting[mode]))
			continue;
		first = EVLIST_ELEMENT(
		    waiting[mode].next, const struct evrequest, node);
		if (stands_before(request->lock, mode, first->d, request->mode,
			request->d))
			return true;
	}
	return false;
}

/* Of an owner's requests at a reentrant lock only the one that will be granted first
 * waits for others; the rest wait for their owner.  At a lock that is being closed all
 * are about to fail. */
static bool
waits_for_others(const struct evrequest *request)
{
	if (request->lock->queue.closed || evrequest_is_granted_(request))
		return false;
	if (!is_reentrant(request->lock))
		return true;
	return !waits_for_owner(request) && !is_behind_own(request);
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
		if (!waits_for_others(request) ||
		    (search->played > 0 && request->let_in == search->played))
			continue;
		search->choice |=
		    request->lock->limit > 1 || request->lock->type->in_order;
		find_holders(search, request);
		find_blockers(search, request);
	}
}

/* Does the owner wait for itself?  A choice is followed to all its ends, and then nothing
 * else decides. */
static bool
comes_back(struct search *search)
{
	struct evowner *owner = search->owner, *at;
	bool found = false;

	search->number = ++owner->table->searches;
	search->first = search->last = NULL;
	find_for(search, owner);
	for (at = search->first; at != NULL && !is_decided(search);
	     at = at->queue_next) {
		if (at != owner) {
			find_for(search, at);
			continue;
		}
		if (!search->choice)
			return true;
		found = search->awaited = true;
	}
	return found;
}

/*
 * Who is stuck.
 */

static const struct evdeferred *
next_of(const struct evlock_side *side)
{
	return side->next != &side->waiters
		   ? EVLIST_ELEMENT(side->next, const struct evdeferred, node)
		   : NULL;
}

/* Beside those inside. */
static bool
is_room_for(const struct evlock *lock, enum evmode mode)
{
	const size_t readers = lock->sides[EVMODE_READ].stuck;
	const size_t upgradables = lock->sides[EVMODE_UPGRADABLE].stuck;
	const struct evrequest *request;
	size_t own;

	if (lock->sides[EVMODE_WRITE].stuck > 0)
		return false;
	if (mode == EVMODE_WRITE)
		return readers + upgradables == 0;
	if (mode != EVMODE_UPGRADE)
		return (lock->limit == 0 ||
			   readers + upgradables < lock->limit) &&
		       (mode == EVMODE_READ || upgradables == 0);
	request = evrequest_of_(next_of(&lock->sides[mode]));
	own = request != NULL ? evhold_count_reads_(request->hold) : 0;
	return readers <= own;
}

static bool
may_enter(const struct evlock *lock, enum evmode mode)
{
	const struct evdeferred *other, *next = next_of(&lock->sides[mode]);
	enum evmode in;

	if (!is_reentrant(lock))
		return lock->sides[EVMODE_WRITE].stuck < lock->limit;
	for (in = EVMODE_READ; in < EVMODES_WAITING; in++) {
		other = in != mode ? next_of(&lock->sides[in]) : NULL;
		if (other != NULL && stands_before(lock, in, other, mode, next))
			return false;
	}
	return is_room_for(lock, mode);
}

/* One that has been let in everywhere leaves. */
static void
let_in(struct search *search, struct evrequest *request)
{
	struct evowner *owner = request->hold->owner;

	request->let_in = search->number;
	request->lock->sides[evmode_inside_(request->mode)].stuck++;
	if (!waits_for_others(request) || --owner->unmet > 0 ||
	    owner == search->owner)
		return;
	owner->leaving_next = search->leaving;
	search->leaving = owner;
}

/* Who was not found waits for nothing else, and leaves at once. */
static void
let_in_first(struct search *search, struct evlock_side *side)
{
	const struct evdeferred *d =
	    EVLIST_ELEMENT(side->next, struct evdeferred, node);
	struct evrequest *request = evrequest_of_(d);

	side->next = side->next->next;
	if (request != NULL && request->hold->owner->seen == search->number &&
	    request->hold->owner->unmet > 0)
		let_in(search, request);
}

/* The side whose first is the oldest of those that may enter; or NULL. */
static struct evlock_side *
next_side(struct evlock *lock)
{
	struct evlock_side *side, *found = NULL;
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++) {
		side = &lock->sides[mode];
		if (next_of(side) != NULL &&
		    (found == NULL ||
			has_come_before(next_of(side), next_of(found))) &&
		    may_enter(lock, mode))
			found = side;
	}
	return found;
}

static void
let_in_all(struct search *search, struct evlock *lock)
{
	struct evlock_side *side;

	if (lock->seen != search->number)
		return;
	while ((side = next_side(lock)) != NULL)
		let_in_first(search, side);
}

static struct evrequest *
request_at(struct evlist *node)
{
	return EVLIST_ELEMENT(node, struct evrequest, owner_node);
}

/* Gives back all that it has, and all that it was let in for. */
static void
let_go(struct search *search, struct evowner *owner)
{
	struct evlist *node;
	struct evrequest *request;
	struct evhold *hold;
	enum evmode mode;

	for (node = owner->requests.next; node != &owner->requests;
	     node = node->next) {
		request = request_at(node);
		if (request->let_in == search->number ||
		    (request->state == EVREQUEST_WAITING &&
			evrequest_is_granted_(request)))
			request->lock->sides[evmode_inside_(request->mode)]
			    .stuck--;
	}
	for (node = owner->holds.next; node != &owner->holds;
	     node = node->next) {
		hold = EVLIST_ELEMENT(node, struct evhold, owner_node);
		if (evhold_is_idle_(hold))
			continue;
		for (mode = EVMODE_READ; mode < EVMODES; mode++)
			hold->lock->sides[mode].stuck -= hold->inside.of[mode];
		let_in_all(search, hold->lock);
	}
}

static void
count_waits(struct search *search, struct evowner *owner)
{
	struct evlist *node;

	owner->unmet = 0;
	for (node = owner->requests.next; node != &owner->requests;
	     node = node->next)
		owner->unmet += waits_for_others(request_at(node));
	if (owner->unmet > 0)
		return;
	owner->leaving_next = search->leaving;
	search->leaving = owner;
}

/* After a search that was followed to all its ends, and came to the owner.  Can that
 * go on when all others do that can? */
static bool
play_to_end(struct search *search)
{
	struct evowner *at;
	struct evlist *node;

	for (at = search->first; at != NULL; at = at->queue_next)
		count_waits(search, at);
	for (at = search->first; at != NULL; at = at->queue_next)
		for (node = at->requests.next; node != &at->requests;
		     node = node->next)
			let_in_all(search, request_at(node)->lock);
	while ((at = search->leaving) != NULL) {
		search->leaving = at->leaving_next;
		let_go(search, at);
	}
	search->played = search->number;
	return search->owner->unmet == 0;
}

/*
 * Telling.
 */

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
		evtext_add_(&text, "%s%s %s %s, %s %s",
		    text.length > 0 ? "; " : "", wanted->hold->owner->name,
		    wanted->lock->type->waits[wanted->mode],
		    evlock_get_name_(wanted->lock),
		    holder->inside ? "held by" : "behind", holder->name);
	}
	result = evresult_fail(EDEADLK, "deadlock: %s", buffer);
	/* Where there is no memory for the text, it is a deadlock all the same. */
	if (evfailure_get_code(result.data) != EDEADLK)
		return evresult_fixed_(EVFAILURE_CYCLE);
	return result;
}

static bool
closes_cycle(struct search *search)
{
	if (!comes_back(search))
		return false;
	if (!search->choice)
		return true;
	return !play_to_end(search) && comes_back(search);
}

/* Has it nothing but this request, which nobody waits for?  Mostly that is so. */
static bool
is_alone(const struct evowner *owner, const struct evhold *hold)
{
	return owner->holds.next == owner->holds.prev &&
	       owner->request_count == 1 && !evhold_is_inside_(hold) &&
	       !is_choosy(hold->lock);
}

struct evresult
evrequest_check_cycle_(const struct evrequest *request)
{
	struct evowner *owner = request->hold->owner;
	struct search search = {.request = request, .owner = owner};
	struct evlist *node = &request->d->node;
	bool found;

	if (is_alone(owner, request->hold))
		return evresult_value(NULL);
	search.hold = owner->holds.next;
	/* It takes part as if it waited already. */
	evlist_append_(&request->lock->sides[request->mode].waiters, node);
	found = closes_cycle(&search);
	evlist_remove_(node);
	return found ? describe(owner) : evresult_value(NULL);
}
