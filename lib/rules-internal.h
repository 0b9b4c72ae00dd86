/* SPDX-License-Identifier: MIT */
/*
 * Who may enter a readers-writer lock, and who comes before whom: writers preferred; or
 * fair; and with no more readers than a limit.
 *
 * These rules know the counts and the queues of a lock, and nothing of sources.
 */
#ifndef EVDEFER_RULES_INTERNAL_H
#define EVDEFER_RULES_INTERNAL_H

#include "hold-internal.h"

static inline bool
evrules_must_wait_to_read_(const struct evlock *lock)
{
	return lock->sides[EVMODE_WRITE].inside +
		   lock->sides[EVMODE_WRITE].waiting +
		   lock->sides[EVMODE_UPGRADE].waiting >
	       0;
}

/* For one that is not inside, without a policy. */
static inline bool
evrules_must_wait_(struct evlock *lock, enum evmode mode)
{
	const struct evlock_side *readers = &lock->sides[EVMODE_READ];
	const struct evlock_side *upgradables = &lock->sides[EVMODE_UPGRADABLE];
	const struct evlock_side *writers = &lock->sides[EVMODE_WRITE];

	if (mode == EVMODE_READ)
		return evrules_must_wait_to_read_(lock);
	if (mode == EVMODE_WRITE)
		return writers->inside + readers->inside + upgradables->inside >
		       0;
	return evrules_must_wait_to_read_(lock) ||
	       upgradables->inside + upgradables->waiting > 0;
}

/* For one that upgrades; its hold, or NULL without an owner. */
bool evrules_must_wait_to_upgrade_(
    struct evlock *lock, const struct evhold *hold);

/* How many reads are its own of the one that waits to upgrade. */
size_t evrules_count_own_reads_(const struct evlock *lock);

enum evanswer evrules_answer_holder_(unsigned inside, enum evmode mode);
unsigned evrules_waits_for_(
    const struct evlock *lock, enum evmode mode, uint32_t ticket);
bool evrules_comes_before_(enum evmode mode, enum evmode other, bool older);

/* Lets in those who may enter, without a policy. */
void evrules_admit_(struct evwaitqueue *queue);

/* What they call a lock, and those that wait for it. */
#define EVRULES_NAME_ "a lock"
extern const char *const evrules_waits_[];

/* Those of a lock without a policy. */
extern const struct evlock_type evrules_type_;

/* The same with a policy: it is fair, or has a limit of its readers. */
extern const struct evlock_type evrules_fair_type_;
extern const struct evlock_type evrules_limited_type_;
void evrules_admit_by_policy_(struct evwaitqueue *queue);

#endif
