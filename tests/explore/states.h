/* SPDX-License-Identifier: MIT */
/*
 * The states that were seen, in the order of their discovery, each with the
 * step and the state that first led to it.
 */
#ifndef EXPLORE_STATES_H
#define EXPLORE_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The steps of a setting that are allowed in a state, by their number. */
struct mask {
	uint64_t of[2];
};

struct state {
	struct mask allowed;
	uint32_t parent;
	uint8_t step;
};

struct states {
	struct state *all;
	uint64_t *seen; /* a hash table of fingerprints */
	size_t count;
	size_t room;
	size_t seen_size;
};

/* Is it new?  It is remembered. */
bool states_see(struct states *states, uint64_t fingerprint);

void states_add(struct states *states, const struct state *state);

#endif
