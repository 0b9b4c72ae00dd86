/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_RWLOCK_INTERNAL_H
#define EVDEFER_RWLOCK_INTERNAL_H

#include <errno.h>

#include <evdefer/rwlock.h>

#include "gate-internal.h"
#include "hold-internal.h"

/*
 * Two queues.  A waiter that is granted counts as inside from then on; all
 * readers are granted in one step.  A reader waits if its ticket is higher than
 * the last one granted.
 */
struct evrwlock_side {
	struct evlist queue;
	size_t waiting; /* how many are in the queue */
	size_t inside;
	size_t anonymous; /* of these, delivered to nobody in particular */
	uint64_t granted; /* so far */
};

struct evrwlock {
	struct evgate gate;
	struct evrwlock_side sides[2]; /* by evmode */
	uint32_t last_ticket;
	uint32_t granted_ticket; /* of readers */
	struct evlist holders;	 /* holds of owners that are inside */
	struct evlist rivals;	 /* asks to write, see deadlock.c */
	uint64_t seen;		 /* for deadlock.c */
	uint64_t cancelled;	 /* so far */
	size_t longest_queue;	 /* so far */
	char *name;
};

static inline size_t
evrwlock_waiting_(const struct evrwlock *lock)
{
	return lock->sides[EVMODE_READ].waiting +
	       lock->sides[EVMODE_WRITE].waiting;
}

/* May an owner or a nobody that is not inside come in without waiting? */
static inline bool
evrwlock_may_enter_(const struct evrwlock *lock, enum evmode mode)
{
	const struct evrwlock_side *readers = &lock->sides[EVMODE_READ];
	const struct evrwlock_side *writers = &lock->sides[EVMODE_WRITE];

	if (mode == EVMODE_READ)
		return writers->inside + writers->waiting == 0;
	return writers->inside + readers->inside == 0;
}

/* Counts those who come in. */
static inline void
evrwlock_enter_(struct evrwlock *lock, enum evmode mode, size_t count)
{
	lock->sides[mode].inside += count;
	lock->sides[mode].granted += count;
}

/* For one who comes in, and for one who has to wait. */
uint32_t evrwlock_draw_ticket_(struct evrwlock *lock);

/* Would a grant be delivered at once, with none before it, and without anything
 * that a new Deferred may lack? */
static inline bool
evrwlock_delivers_now_(const struct evrwlock *lock)
{
	return lock->gate.fast && lock->gate.undelivered == 0 &&
	       evdeferred_can_make_(lock->gate.base);
}

/* Counts one out, and lets others in where there are any. */
static inline void
evrwlock_leave_(struct evrwlock *lock, enum evmode mode)
{
	lock->sides[mode].inside--;
	if (lock->gate.closed || evrwlock_waiting_(lock) > 0 ||
	    (lock->gate.fast && lock->gate.undelivered > 0))
		evgate_changed_(&lock->gate);
}

/* -1, with errno. */
static inline int
evrwlock_refuse_(int error)
{
	errno = error;
	return -1;
}

/* Puts one at the end of a queue. */
void evrwlock_enqueue_(
    struct evrwlock *lock, struct evdeferred *d, enum evmode mode);

/* Takes out a Deferred that was granted or waits. */
void evrwlock_remove_(struct evrwlock *lock, struct evdeferred *d,
    enum evmode mode, bool granted);

/* The canceller of an ask. */
void evrwlock_leave_as_(struct evdeferred *d, void *ask);

/* The ask that an undelivered Deferred belongs to; NULL for an anonymous one. */
struct evask *evrwlock_ask_of_(const struct evdeferred *d);

/* Was it granted, though it may not be delivered yet? */
bool evask_is_granted_(const struct evask *ask);

/* Gives back what was delivered to an owner, and admits others. */
void evrwlock_give_back_(struct evhold *hold, enum evmode mode);

/* Takes an undelivered ask out of the lock, and lets others in without telling
 * them.  The cancel of its Deferred, which has to follow, tells them. */
void evrwlock_withdraw_(struct evask *ask);

/* A failure if the ask, which is new and has to wait, closes a circle of owners
 * that wait for each other, else a value. */
struct evresult evrwlock_check_deadlock_(const struct evask *ask);

#endif
