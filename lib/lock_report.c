/* SPDX-License-Identifier: MIT */
/*
 * What a report says about a lock: who is inside, and who waits, in the order of
 * asking.
 *
 * Of each list only the first are looked at.  But all are counted, so that it is known
 * how many are left over.
 */
#include "owner-internal.h"
#include "statement-internal.h"
#include "trail-internal.h"

/* What is under way. */
struct telling {
	const struct evlock *lock;
	struct evstatement *statement;
	const char *const *modes;
	size_t left[EVMODES_WAITING]; /* that were not told of */
};

/* The owner may be NULL. */
static void
tell_of(struct telling *telling, struct evparty *party, enum evmode mode,
    const struct evowner *owner)
{
	party->mode = telling->modes[mode];
	if (owner != NULL) {
		party->owner = owner->name;
		party->number = owner->number;
	}
	telling->left[mode] -= party->count;
	evstatement_add_(telling->statement, party);
}

/* The same for one that was granted or waits. */
static void
tell_of_one(struct telling *telling, enum evrelation relation, enum evmode mode,
    const struct evrequest *request, const struct evdeferred *d)
{
	struct evparty party = {.relation = relation,
	    .count = 1,
	    .creation = evstatement_creation_(d)};

	tell_of(telling, &party, mode,
	    request != NULL ? request->hold->owner : NULL);
}

/* The same for those inside. */
static void
tell_of_those(struct telling *telling, enum evmode mode,
    const struct evowner *owner, size_t count, const struct evtrail *trails)
{
	const bool debug = telling->lock->queue.base->debug;
	const struct evtrail *trail = debug ? evtrail_of_(trails, mode) : NULL;
	struct evparty party = {.relation = EVRELATION_INSIDE, .count = count};

	if (count == 0)
		return;
	if (trail != NULL) {
		party.creation = &trail->first;
		party.last = trail->entered > 1 ? &trail->last : NULL;
		party.entered = trail->entered;
	}
	tell_of(telling, &party, mode, owner);
}

static void
tell_of_rest(struct telling *telling, enum evrelation relation)
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++)
		evstatement_add_rest_(telling->statement, relation,
		    telling->modes[mode], telling->left[mode]);
}

static void
tell_of_hold(struct telling *telling, const struct evhold *hold)
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES; mode++)
		tell_of_those(telling, mode, hold->owner, hold->inside.of[mode],
		    hold->trails);
}

static void
tell_of_holders(struct telling *telling)
{
	const struct evlock *lock = telling->lock;
	const struct evhold *hold = evhold_first_inside_(lock);
	enum evmode mode;
	int i;

	for (i = 0; i < EVSTATEMENT_NAMES && hold != NULL; i++) {
		tell_of_hold(telling, hold);
		hold = evhold_next_inside_(hold);
	}
	for (mode = EVMODE_READ; mode < EVMODES; mode++)
		tell_of_those(telling, mode, NULL, lock->sides[mode].anonymous,
		    lock->trails);
}

static void
tell_of_granted(struct telling *telling, const struct evdeferred *d)
{
	const struct evrequest *request = evrequest_of_(d);

	if (request == NULL)
		tell_of_one(telling, EVRELATION_GRANTED,
		    evmode_inside_(evlock_mode_of_anonymous_(d)), NULL, d);
	/* One that did not have to wait is among the holders. */
	else if (request->state == EVREQUEST_WAITING)
		tell_of_one(telling, EVRELATION_GRANTED,
		    evmode_inside_(request->mode), request, d);
}

static void
tell_of_all_granted(struct telling *telling)
{
	const struct evlist *list = &telling->lock->queue.granted;
	const struct evlist *node = list->next;
	int i;

	for (i = 0; i < EVSTATEMENT_NAMES && node != list; i++) {
		tell_of_granted(telling,
		    EVLIST_ELEMENT(node, const struct evdeferred, node));
		node = node->next;
	}
}

static void
tell_of_waiters(struct telling *telling)
{
	const struct evlock *lock = telling->lock;
	const struct evlist *nodes[EVMODES_WAITING];
	const struct evdeferred *d;
	enum evmode mode;
	int i;

	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++)
		telling->left[mode] = lock->sides[mode].waiting;
	evlock_start_walk_(lock, nodes);
	for (i = 0; i < EVSTATEMENT_NAMES; i++) {
		d = evlock_next_waiting_(lock, nodes, &mode);
		if (d == NULL)
			break;
		tell_of_one(
		    telling, EVRELATION_WAITING, mode, evrequest_of_(d), d);
	}
	tell_of_rest(telling, EVRELATION_WAITING);
}

void
evlock_describe_(const struct evlock *lock, struct evstatement *statement,
    struct evsubject *subject, const char *const modes[])
{
	struct telling telling = {
	    .lock = lock, .statement = statement, .modes = modes};
	enum evmode mode;

	subject->name = lock->name;
	subject->closed = lock->queue.closed;
	subject->waiting = evlock_waiting_(lock);
	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++) {
		telling.left[mode] = lock->sides[mode].inside;
		subject->inside += lock->sides[mode].inside;
	}
	evstatement_begin_(statement, subject);
	tell_of_all_granted(&telling);
	tell_of_holders(&telling);
	tell_of_rest(&telling, EVRELATION_INSIDE);
	tell_of_waiters(&telling);
}
