/* SPDX-License-Identifier: MIT */
/*
 * What INFO tells of all loops together.
 *
 * Each loop counts for itself, and nobody else may look.  So a letter goes round from
 * loop to loop, and each adds what it has.
 */
#ifndef KVD_FIGURES_H
#define KVD_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#include <evdefer/rwlock.h>

struct evdeferred;
struct loop;

struct figures {
	size_t connected;
	size_t buffered;
	uint64_t evicted;
	uint64_t timed_out;
	struct evrwlock_stats lock; /* of the store */
	size_t named_locks;
	size_t named_lock_waiters;
};

/* Adds those of a loop, in its thread. */
void figures_add(struct figures *figures, const struct loop *loop);

/* Asks all loops on behalf of this one.  Gives a Deferred that fires with a struct
 * figures, or NULL without memory. */
struct evdeferred *figures_gather(struct loop *loop);

#endif
