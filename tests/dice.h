/* SPDX-License-Identifier: MIT */
/* Chance that repeats: the same throws after the same seed. */
#ifndef EVDEFER_TESTS_DICE_H
#define EVDEFER_TESTS_DICE_H

#include <stdint.h>

static uint64_t dice_state;

/* The seed must not be 0. */
static inline void
dice_seed(uint64_t seed)
{
	dice_state = seed;
}

static inline unsigned
dice(unsigned sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return (unsigned)(dice_state >> 33) % sides;
}

#endif
