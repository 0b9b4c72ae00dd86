/* SPDX-License-Identifier: MIT */
#include "rules-internal.h"

/* Who only reads may only read again.  One that waited to write would wait for itself,
 * and one that waited to be able to, for somebody who may come to wait for it. */
enum evanswer
evrules_answer_holder_(unsigned inside, enum evmode mode)
{
	if (mode == EVMODE_READ || (inside & EVMODE_BIT(EVMODE_WRITE)))
		return EVANSWER_ENTER;
	if (!(inside & EVMODE_BIT(EVMODE_UPGRADABLE)))
		return EVANSWER_DEADLOCK;
	return mode == EVMODE_WRITE ? EVANSWER_UPGRADE : EVANSWER_ENTER;
}

/* It writes already, or nobody else is inside but readers. */
bool
evrules_must_wait_to_upgrade_(struct evlock *lock, const struct evhold *hold)
{
	const size_t own = hold != NULL ? evhold_count_reads_(hold) : 0;

	return lock->sides[EVMODE_WRITE].inside == 0 &&
	       lock->sides[EVMODE_READ].inside > own;
}

/* All that upgrade are one party. */
size_t
evrules_count_own_reads_(const struct evlock *lock)
{
	const struct evdeferred *first =
	    EVLIST_ELEMENT(lock->sides[EVMODE_UPGRADE].waiters.next,
		const struct evdeferred, node);
	const struct evrequest *request = evrequest_of_(first);

	return request != NULL ? evhold_count_reads_(request->hold) : 0;
}

static uint32_t
first_ticket(const struct evlock *lock, enum evmode mode)
{
	return EVLIST_ELEMENT(
	    lock->sides[mode].waiters.next, const struct evdeferred, node)
	    ->ticket;
}

static bool
is_fair(const struct evlock *lock)
{
	return lock->type == &evrules_fair_type_;
}

/* Does a writer that waits for all inside stand in front? */
static bool
is_behind_writer(const struct evlock *lock, uint32_t ticket)
{
	if (lock->sides[EVMODE_UPGRADE].waiting > 0)
		return true;
	if (lock->sides[EVMODE_WRITE].waiting == 0)
		return false;
	return !is_fair(lock) ||
	       (int32_t)(first_ticket(lock, EVMODE_WRITE) - ticket) < 0;
}

unsigned
evrules_waits_for_(const struct evlock *lock, enum evmode mode, uint32_t ticket)
{
	/* Nobody else has an upgradable hold. */
	if (mode == EVMODE_UPGRADE)
		return EVMODE_ANY & ~EVMODE_BIT(EVMODE_UPGRADABLE);
	/* Without room it waits for readers, too. */
	if (mode == EVMODE_WRITE || lock->limit > 0 ||
	    is_behind_writer(lock, ticket))
		return EVMODE_ANY;
	if (mode == EVMODE_UPGRADABLE)
		return EVMODE_BIT(EVMODE_UPGRADABLE) | EVMODE_BIT(EVMODE_WRITE);
	return EVMODE_BIT(EVMODE_WRITE);
}

/* One that upgrades is inside, or was: nobody stands in front of it. */
bool
evrules_comes_before_(enum evmode mode, enum evmode other, bool older)
{
	if (other == EVMODE_UPGRADE || mode == EVMODE_READ)
		return false;
	if (mode == EVMODE_UPGRADABLE)
		return older && other == EVMODE_UPGRADABLE;
	return mode == EVMODE_UPGRADE || older || other != EVMODE_WRITE;
}

const char *const evrules_waits_[] = {[EVMODE_READ] = "waits to read",
    [EVMODE_UPGRADABLE] = "waits to read (upgradable)",
    [EVMODE_WRITE] = "waits to write",
    [EVMODE_UPGRADE] = "waits to upgrade"};

/* They become one writer. */
static EVDEFER_NOINLINE_ void
admit_upgrade(struct evlock *lock)
{
	if (lock->sides[EVMODE_READ].inside == evrules_count_own_reads_(lock))
		evlock_grant_upgrades_(lock);
}

static EVDEFER_NOINLINE_ void
admit_beside_readers(struct evlock *lock)
{
	const struct evlock_side *upgradables = &lock->sides[EVMODE_UPGRADABLE];

	if (lock->sides[EVMODE_READ].waiting > 0)
		evlock_grant_all_(lock, EVMODE_READ);
	if (upgradables->waiting > 0 && upgradables->inside == 0 &&
	    (lock->source == NULL || lock->source->upgradable))
		evlock_grant_first_(lock, EVMODE_UPGRADABLE);
}

void
evrules_admit_(struct evwaitqueue *queue)
{
	struct evlock *lock = evlock_of_(queue);

	if (queue->closed || lock->sides[EVMODE_WRITE].inside > 0)
		return;
	if (lock->sides[EVMODE_UPGRADE].waiting > 0) {
		admit_upgrade(lock);
	} else if (lock->sides[EVMODE_WRITE].waiting == 0) {
		admit_beside_readers(lock);
	} else if (lock->sides[EVMODE_READ].inside +
		       lock->sides[EVMODE_UPGRADABLE].inside ==
		   0) {
		evlock_grant_first_(lock, EVMODE_WRITE);
	}
}

#define TYPE(wait, before, order)                                              \
	{                                                                      \
		.must_wait = (wait), .answer_holder = evrules_answer_holder_,  \
		.name = EVRULES_NAME_, .waits = evrules_waits_,                \
		.waits_for = evrules_waits_for_, .comes_before = (before),     \
		.in_order = (order),                                           \
		.must_wait_to_upgrade = evrules_must_wait_to_upgrade_          \
	}

const struct evlock_type evrules_type_ =
    TYPE(evrules_must_wait_, evrules_comes_before_, false);

/*
 * With a policy.
 */

static bool
is_full(const struct evlock *lock)
{
	return lock->limit > 0 &&
	       lock->sides[EVMODE_READ].inside +
		       lock->sides[EVMODE_UPGRADABLE].inside >=
		   lock->limit;
}

/* Where a writer would not have to wait, nobody waits. */
static bool
must_wait_by_policy(struct evlock *lock, enum evmode mode)
{
	return evrules_must_wait_(lock, mode) ||
	       (mode != EVMODE_WRITE && is_full(lock));
}

/* In doubt it is not in front: no deadlock is to be seen where there is none. */
static bool
comes_before_fairly(enum evmode mode, enum evmode other, bool older)
{
	if (mode == EVMODE_WRITE || other == EVMODE_WRITE)
		return mode == EVMODE_UPGRADE ||
		       (other != EVMODE_UPGRADE && older);
	return evrules_comes_before_(mode, other, older);
}

const struct evlock_type evrules_limited_type_ =
    TYPE(must_wait_by_policy, evrules_comes_before_, false);

const struct evlock_type evrules_fair_type_ =
    TYPE(must_wait_by_policy, comes_before_fairly, true);

/* Has the first that waits in one mode come before the first in another? */
static bool
is_older(const struct evlock *lock, enum evmode mode, enum evmode other)
{
	return lock->sides[other].waiting == 0 ||
	       (int32_t)(first_ticket(lock, mode) - first_ticket(lock, other)) <
		   0;
}

/* May the first enter that waits to read, upgradably or not?  No writer is inside. */
static bool
may_read_next(const struct evlock *lock, enum evmode mode)
{
	if (lock->sides[mode].waiting == 0 || is_full(lock) ||
	    (mode == EVMODE_UPGRADABLE && lock->sides[mode].inside > 0))
		return false;
	if (is_fair(lock))
		return is_older(lock, mode, EVMODE_WRITE);
	return lock->sides[EVMODE_WRITE].waiting == 0;
}

/* Of those that may, the one that has come first. */
static bool
admit_next_reader(struct evlock *lock)
{
	const bool reader = may_read_next(lock, EVMODE_READ);
	const bool upgradable = may_read_next(lock, EVMODE_UPGRADABLE);

	if (!reader && !upgradable)
		return false;
	if (reader &&
	    (!upgradable || is_older(lock, EVMODE_READ, EVMODE_UPGRADABLE)))
		evlock_grant_first_(lock, EVMODE_READ);
	else
		evlock_grant_first_(lock, EVMODE_UPGRADABLE);
	return true;
}

void
evrules_admit_by_policy_(struct evwaitqueue *queue)
{
	struct evlock *lock = evlock_of_(queue);

	if (queue->closed || lock->sides[EVMODE_WRITE].inside > 0)
		return;
	if (lock->sides[EVMODE_UPGRADE].waiting > 0) {
		admit_upgrade(lock);
		return;
	}
	while (admit_next_reader(lock))
		;
	if (lock->sides[EVMODE_WRITE].waiting > 0 &&
	    !evrules_must_wait_(lock, EVMODE_WRITE))
		evlock_grant_first_(lock, EVMODE_WRITE);
}
