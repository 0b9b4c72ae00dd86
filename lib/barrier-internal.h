/* SPDX-License-Identifier: MIT */
/*
 * A memory barrier in all threads of the process at once, by membarrier(2).  Where
 * the kernel has it, threads that are to be fast need none of their own.
 */
#ifndef EVDEFER_BARRIER_INTERNAL_H
#define EVDEFER_BARRIER_INTERNAL_H

#include <stdbool.h>

/* Can it be had?  The process is registered then, and it cannot fail any more. */
bool evbarrier_register_(void);

void evbarrier_in_all_threads_(void);

#endif
