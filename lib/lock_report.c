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

#define MODES (EVMODE_WRITE + 1)

/* What is under way. */
struct telling {
	const struct evlock *lock;
	struct evstatement *statement;
	const char *const *modes;
	size_t left[MODES]; /* that were not told of */
};

/* The owner may be NULL, and so may the creation. */
static void
tell_of(struct telling *telling, enum evrelation relation, enum evmode mode,
    const struct evowner *owner, size_t count,
    const struct evcreation *creation)
{
	const struct evparty party = {.relation = relation,
	    .mode = telling->modes[mode],
	    .owner = owner != NULL ? owner->name : NULL,
	    .number = owner != NULL ? owner->number : 0,
	    .count = count,
	    .creation = creation};

	telling->left[mode] -= count;
	evstatement_add_(telling->statement, &party);
}

static void
tell_of_rest(struct telling *telling, enum evrelation relation)
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++)
		evstatement_add_rest_(telling->statement, relation,
		    telling->modes[mode], telling->left[mode]);
}

static void
tell_of_hold(struct telling *telling, const struct evhold *hold)
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++)
		if (hold->inside.of[mode] > 0)
			tell_of(telling, EVRELATION_INSIDE, mode, hold->owner,
			    hold->inside.of[mode], NULL);
}

static void
tell_of_holders(struct telling *telling)
{
	const struct evlist *list = &telling->lock->holders;
	const struct evlist *node = list->next;
	enum evmode mode;
	int i;

	for (i = 0; i < EVSTATEMENT_NAMES && node != list; i++) {
		tell_of_hold(telling,
		    EVLIST_ELEMENT(node, const struct evhold, lock_node));
		node = node->next;
	}
	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++)
		if (telling->lock->sides[mode].anonymous > 0)
			tell_of(telling, EVRELATION_INSIDE, mode, NULL,
			    telling->lock->sides[mode].anonymous, NULL);
}

static void
tell_of_granted(struct telling *telling, const struct evdeferred *d)
{
	const struct evrequest *request = evrequest_of_(d);

	if (request == NULL)
		tell_of(telling, EVRELATION_GRANTED,
		    evlock_mode_of_anonymous_(d), NULL, 1,
		    evstatement_creation_(d));
	/* One that did not have to wait is among the holders. */
	else if (request->state == EVREQUEST_WAITING)
		tell_of(telling, EVRELATION_GRANTED, request->mode,
		    request->hold->owner, 1, evstatement_creation_(d));
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
tell_of_waiter(
    struct telling *telling, const struct evdeferred *d, enum evmode mode)
{
	const struct evrequest *request = evrequest_of_(d);

	tell_of(telling, EVRELATION_WAITING, mode,
	    request != NULL ? request->hold->owner : NULL, 1,
	    evstatement_creation_(d));
}

/* The mode in which the one waits that has asked first, of those that the nodes lead
 * to; MODES if there is none. */
static enum evmode
oldest(const struct evlock *lock, const struct evlist *const nodes[MODES])
{
	const struct evdeferred *d;
	uint32_t place, lowest = UINT32_MAX;
	enum evmode mode, found = MODES;

	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++) {
		if (nodes[mode] == &lock->sides[mode].waiters)
			continue;
		d = EVLIST_ELEMENT(nodes[mode], const struct evdeferred, node);
		place = d->ticket - lock->first_ticket;
		if (place < lowest) {
			lowest = place;
			found = mode;
		}
	}
	return found;
}

static void
tell_of_waiters(struct telling *telling)
{
	const struct evlock *lock = telling->lock;
	const struct evlist *nodes[MODES];
	enum evmode mode;
	int i;

	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++) {
		telling->left[mode] = lock->sides[mode].waiting;
		nodes[mode] = lock->sides[mode].waiters.next;
	}
	for (i = 0; i < EVSTATEMENT_NAMES; i++) {
		mode = oldest(lock, nodes);
		if (mode == MODES)
			break;
		tell_of_waiter(telling,
		    EVLIST_ELEMENT(nodes[mode], const struct evdeferred, node),
		    mode);
		nodes[mode] = nodes[mode]->next;
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

	subject->closed = lock->queue.closed;
	subject->waiting = evlock_waiting_(lock);
	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++) {
		telling.left[mode] = lock->sides[mode].inside;
		subject->inside += lock->sides[mode].inside;
	}
	evstatement_begin_(statement, subject);
	tell_of_all_granted(&telling);
	tell_of_holders(&telling);
	tell_of_rest(&telling, EVRELATION_INSIDE);
	tell_of_waiters(&telling);
}
