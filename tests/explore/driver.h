/* SPDX-License-Identifier: MIT */
/*
 * Runs one sequence of steps on the library and on the reference side by side,
 * and ends the program with a C test where they differ.
 *
 * Steps that come while a callback is running are taken inside that callback,
 * until a RETURN.  After the last step all callbacks return, everything is
 * released, ended and freed in one of several orders, and no block of memory
 * may be left.
 */
#ifndef EXPLORE_DRIVER_H
#define EXPLORE_DRIVER_H

#include <stddef.h>

#include "model.h"

#define LONGEST 64

/* Ways to come to the end. */
#define ENDINGS 4

struct setting {
	const char *name;
	int clients;
	uint8_t parties[CLIENTS];
	bool fast;
};

/* Called when all steps are taken, before the end is made of it. */
typedef void (*driver_arrived_fn)(const struct model *m, void *arg);

/* Before the first run. */
void driver_init(void);

void driver_run(const struct setting *setting, const struct step *steps,
    size_t count, int ending, driver_arrived_fn arrived, void *arg);

#endif
