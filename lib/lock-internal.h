/* SPDX-License-Identifier: MIT */
/*
 * What an owner may hold and wait for, whatever kind of lock it is: a wait queue
 * that knows which owners are inside.  Only the lock itself counts who is.
 */
#ifndef EVDEFER_LOCK_INTERNAL_H
#define EVDEFER_LOCK_INTERNAL_H

#include "waitqueue-internal.h"

struct evhold;
struct evlock;
struct evowner;

enum evmode { EVMODE_READ, EVMODE_WRITE };

/* Modes that an owner is inside in, as bits. */
#define EVMODE_BIT(mode) (1u << (mode))

enum evanswer { EVANSWER_ENTER, EVANSWER_WAIT, EVANSWER_DEADLOCK };

struct evlock_type {
	/* What an owner gets that asks, and is inside in these modes, or nobody
	 * in particular. */
	enum evanswer (*answer)(
	    const struct evlock *lock, unsigned inside, enum evmode mode);
	/* Counts one in, and one out.  Whether others wait then. */
	void (*enter)(struct evlock *lock, enum evmode mode);
	bool (*leave)(struct evlock *lock, enum evmode mode);
	/* The place of one in the queue, before it is put there; */
	uint32_t (*draw_ticket)(struct evlock *lock);
	void (*enqueue)(
	    struct evlock *lock, struct evdeferred *d, enum evmode mode);
	/* ... and takes it out, or back what it was granted. */
	void (*withdraw)(struct evlock *lock, struct evdeferred *d,
	    enum evmode mode, bool granted);
	/* Was a reader granted with all others, without a look at each?  NULL
	 * where nobody reads. */
	bool (*is_granted)(
	    const struct evlock *lock, const struct evdeferred *d);
	/* Does anybody wait?  NULL where no cycles are searched for. */
	bool (*is_awaited)(const struct evlock *lock);
	const char *(*get_name)(const struct evlock *lock);
};

struct evlock {
	struct evwaitqueue queue;
	const struct evlock_type *type;
	struct evlist holders;	/* holds of owners that are inside */
	struct evlist blockers; /* requests, see cycle.c */
	uint64_t seen;		/* by the search in cycle.c */
};

static inline void
evlock_init_(struct evlock *lock, const struct evlock_type *type)
{
	lock->type = type;
	evlist_init_(&lock->holders);
	evlist_init_(&lock->blockers);
}

/* Takes the lock for an owner: as the public functions of each lock say.  The
 * lock is not NULL. */
struct evdeferred *evlock_acquire_(
    struct evlock *lock, struct evowner *owner, enum evmode mode);
int evlock_try_(struct evlock *lock, struct evowner *owner, enum evmode mode);
int evlock_release_(
    struct evlock *lock, struct evowner *owner, enum evmode mode);

/* Fires an owner's Deferred that was granted. */
void evlock_deliver_(struct evdeferred *d);

/* An owner's Deferred was granted alone.  Nothing for any other. */
void evlock_note_grant_(const struct evdeferred *d);

/* Fails all in a list because the lock is closed. */
void evlock_fail_all_(struct evlist *list, size_t *count);

#endif
