/* SPDX-License-Identifier: MIT */
/*
 * Runs one sequence of steps on the library and on the reference side by side,
 * and ends the program with a C test where they differ.
 *
 * Steps that come while a callback is running are taken inside that callback, or
 * in another kind of function that is called for it (site.h), until a RETURN.  After
 * the last step all callbacks return, everything is released, ended and freed in
 * one of several orders, and no block of memory may be left.
 */
#ifndef EXPLORE_DRIVER_H
#define EXPLORE_DRIVER_H

#include <stddef.h>

#include "model.h"

#define LONGEST 64

/* Ways to come to the end. */
#define ENDINGS 4

/* Called when all steps are taken, before the end is made of it. */
typedef void (*driver_arrived_fn)(const struct model *m, void *arg);

/* Before the first run. */
void driver_init(void);

/* How many Deferreds there are from the beginning, with the small library. */
size_t driver_reserved(int ending);

void driver_run(const struct setting *setting, const struct step *steps,
    size_t count, int ending, driver_arrived_fn arrived, void *arg);

/* From the next run on each call has allocations that fail: in turn one of
 * them (1), or one and all after it (2).  0 ends this.  A call that is refused
 * for that has to leave all as it was, and is made again; one that can't be
 * refused is made without any memory. */
void driver_fail_allocations(int how);

/* How many were refused, and how many made without memory, so far. */
uint64_t driver_refusals(void);
uint64_t driver_calls_without_memory(void);

#endif
