/* SPDX-License-Identifier: MIT */
/*
 * The bytes that are buffered for all clients together, of all loops, and that there
 * may be no more than so many (--max-buffered).
 *
 * Each loop counts for itself, and tells the others only when its number has changed
 * by much: else all of them would write to one word all the time.  So with several
 * loops there may be a sixteenth more.
 */
#ifndef KVD_BUDGET_H
#define KVD_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
	size_t max;
	size_t step;	   /* how much a loop may keep to itself */
	atomic_size_t all; /* as far as loops have told */
};

/* What a loop has of it; its thread's. */
struct share {
	struct budget *budget;
	size_t bytes;
	size_t told;
};

void budget_init(struct budget *budget, size_t max, unsigned loops);
void share_init(struct share *share, struct budget *budget);

/* The loop has less, and more. */
void share_change(struct share *share, size_t less, size_t more);

/* Tells the others exactly what the loop has. */
void share_tell(struct share *share);

/* What all loops have. */
size_t share_all(const struct share *share);
bool share_is_too_much(const struct share *share);

#endif
