/* SPDX-License-Identifier: MIT */
/*
 * What the locks of a setting are: readers-writer locks, or semaphores and
 * mutexes, whose tokens are held in the mode WRITE.
 */
#ifndef EXPLORE_LOCKS_H
#define EXPLORE_LOCKS_H

#include <evdefer.h>

#include "model.h"

/* What a lock is made in. */
struct place {
	struct evdefer_base *base;
	struct evgroup *group; /* or NULL */
};

struct lock_kind {
	const char *name; /* before the names of its functions */
	void *(*create)(const struct place *place, int tokens, bool fast);
	void (*end)(void *lock);
	/* The owner may be NULL. */
	struct evdeferred *(*acquire)(
	    void *lock, struct evowner *owner, enum mode mode);
	int (*try)(void *lock, struct evowner *owner, enum mode mode);
	int (*release)(void *lock, struct evowner *owner, enum mode mode);
	/* NULL where there are no modes. */
	int (*downgrade)(
	    void *lock, struct evowner *owner, enum mode from, enum mode to);
	void (*get_stats)(const void *lock, struct evrwlock_stats *stats);
	/* Do its other functions say the same? */
	bool (*agrees)(
	    const void *lock, int tokens, const struct evrwlock_stats *stats);
};

/* By the tokens of each: 0 is a readers-writer lock, and 1 a mutex. */
const struct lock_kind *lock_kind(int tokens);

#endif
