/* SPDX-License-Identifier: MIT */
/* What an observer is told of a lock. */
#ifndef EVDEFER_OBSERVED_INTERNAL_H
#define EVDEFER_OBSERVED_INTERNAL_H

#include "lock-internal.h"

/* For a lock whose base is observed: a step without a Deferred. */
void evlock_tell_(struct evlock *lock, enum evstep step,
    const struct evowner *owner, enum evmode mode, int error);

/* All steps of a try: it enters, or fails with the error. */
void evlock_tell_try_(struct evlock *lock, const struct evowner *owner,
    enum evmode mode, int error);

/* For a Deferred that is watched: a step before it is fired, of its owner if it has
 * one by then; */
void evlock_tell_of_(struct evlock *lock, enum evstep step,
    const struct evdeferred *d, enum evmode mode, int error);

/* ... the acquire of one that has to wait; */
void evlock_tell_wait_(
    struct evlock *lock, const struct evdeferred *d, enum evmode mode);

/* ... the acquire and the grant of one that need not wait; */
void evlock_tell_entry_(
    struct evlock *lock, const struct evdeferred *d, enum evmode mode);

/* ... and all steps of an acquire that is refused. */
void evlock_tell_refusal_(struct evlock *lock, const struct evowner *owner,
    enum evmode mode, const struct evdeferred *d, int error);

static inline bool
evlock_is_observed_(const struct evlock *lock)
{
	return lock->queue.base->observed;
}

static inline void
evlock_observe_(struct evlock *lock, enum evstep step,
    const struct evdeferred *d, enum evmode mode, int error)
{
	if (d->flags & EVDEFERRED_WATCHED)
		evlock_tell_of_(lock, step, d, mode, error);
}

#endif
