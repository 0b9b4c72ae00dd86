/* SPDX-License-Identifier: MIT */
#include "worlds.h"

unsigned long world;

void
run_worlds(void (*run)(void), size_t count, unsigned long seeds, int i)
{
	size_t round;
	long live;

	/* One at least, at whatever scale. */
	for (round = 0; round == 0 || round < count; round++) {
		world = round * seeds + (unsigned long)i;
		live = alloc_live();
		run();
		require(alloc_live() == live);
	}
}
