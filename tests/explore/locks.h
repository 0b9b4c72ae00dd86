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
	const struct setting *setting;
};

struct lock_kind {
	const char *name; /* before the names of its functions */
	void *(*create)(const struct place *place);
	void (*end)(void *lock);
	/* The owner may be NULL. */
	struct evdeferred *(*acquire)(
	    void *lock, struct evowner *owner, enum mode mode);
	int (*try)(void *lock, struct evowner *owner, enum mode mode);
	int (*release)(void *lock, struct evowner *owner, enum mode mode);
	/* This and the next one are NULL where there are no modes. */
	int (*downgrade)(
	    void *lock, struct evowner *owner, enum mode from, enum mode to);
	int (*set_limit)(void *lock, size_t limit);
	void (*get_stats)(const void *lock, struct evrwlock_stats *stats);
	/* Do its other functions say the same?  The limit is that of readers, or the
	 * number of tokens. */
	bool (*agrees)(
	    const void *lock, size_t limit, const struct evrwlock_stats *stats);
};

/* By the tokens of each: 0 is a readers-writer lock, and 1 a mutex. */
const struct lock_kind *lock_kind(int tokens);

#endif
