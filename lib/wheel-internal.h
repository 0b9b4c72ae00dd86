/* SPDX-License-Identifier: MIT */
/*
 * Things that end, in the order in which they do: by their tick, and those of one
 * tick in the order in which they were added.  To add one and to remove one takes
 * O(1), and no memory.
 *
 * A level of the wheel has a slot for each value of six bits of a tick.  What differs
 * from the position in the lowest six alone is in level 0, in a slot for that very
 * tick; what differs in higher ones is in the level of the highest of these, beside
 * others that end in the same time.  When the position comes to such a slot, what is
 * in it sinks to lower levels, some at a time.
 */
#ifndef EVDEFER_WHEEL_INTERNAL_H
#define EVDEFER_WHEEL_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "list-internal.h"

#define EVWHEEL_BITS 6
#define EVWHEEL_SLOTS (1 << EVWHEEL_BITS)
/* For each millisecond that 64 bits of nanoseconds can say. */
#define EVWHEEL_LEVELS 8

/* After any tick. */
#define EVWHEEL_NEVER UINT64_MAX

struct evwheel_node {
	struct evlist node;
	uint64_t tick;
};

/* All of it is 0 before evwheel_init_(). */
struct evwheel {
	uint64_t position; /* none that is due later has an earlier tick */
	struct evlist due; /* those of one tick */
	struct evlist
	    sinking; /* of a slot that the position is at the start of */
	unsigned sinking_level;
	unsigned levels; /* a bit for each level that is not empty */
	uint64_t filled[EVWHEEL_LEVELS]; /* and one for each of its slots */
	/* Each is a list while its bit is set. */
	struct evlist slots[EVWHEEL_LEVELS][EVWHEEL_SLOTS];
};

void evwheel_init_(struct evwheel *wheel);

/* Adds what ends at a tick, or at the position if that is later.  Whether
 * evwheel_next_() may have changed. */
bool evwheel_add_(
    struct evwheel *wheel, struct evwheel_node *node, uint64_t tick);

/* Removes one, which may have been removed before.  Whether evwheel_next_() may have
 * changed. */
bool evwheel_remove_(struct evwheel *wheel, struct evwheel_node *node);

/* The first tick at which the wheel has to be looked at: something is due then, or has
 * to sink.  Or EVWHEEL_NEVER. */
uint64_t evwheel_next_(const struct evwheel *wheel);

/* Moves the position on, to a tick before evwheel_next_(). */
static inline void
evwheel_skip_(struct evwheel *wheel, uint64_t tick)
{
	if (wheel->position < tick)
		wheel->position = tick;
}

/* Steps towards a tick: until something is due, or all before that tick and of it
 * was; no more than some things move.  False if there is more to do for that. */
bool evwheel_step_(struct evwheel *wheel, uint64_t tick);

/* Removes the first of those that are due.  NULL: none is. */
struct evwheel_node *evwheel_take_(struct evwheel *wheel);

#endif
