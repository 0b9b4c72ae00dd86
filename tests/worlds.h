/* SPDX-License-Identifier: MIT */
/* What tests of random calls share: worlds, each of which begins with nothing and has
 * to end with nothing. */
#ifndef TESTS_WORLDS_H
#define TESTS_WORLDS_H

#include "support.h"

/* Which one it is. */
extern unsigned long world;

/* What has to hold in each.  In contrast to ck_assert() it costs nothing. */
#define require(what)                                                          \
	do {                                                                   \
		if (!(what)) {                                                 \
			alloc_fail_at(0, false);                               \
			ck_abort_msg("world %lu: %s", world, #what);           \
		}                                                              \
	} while (0)

/* Of so many times seeds worlds, runs those that begin with the i-th seed: each
 * has to give all memory back. */
void run_worlds(void (*run)(void), size_t count, unsigned long seeds, int i);

#endif
