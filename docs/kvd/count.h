/* SPDX-License-Identifier: MIT */
/*
 * A number that one thread at a time changes, and that any may look at.  It costs no
 * more than a plain one: neither is an atomic instruction.
 */
#ifndef KVD_COUNT_H
#define KVD_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

struct count {
	_Atomic uint64_t number;
};

static inline uint64_t
count_get(const struct count *count)
{
	return atomic_load_explicit(&count->number, memory_order_relaxed);
}

static inline void
count_set(struct count *count, uint64_t number)
{
	atomic_store_explicit(&count->number, number, memory_order_relaxed);
}

static inline void
count_add(struct count *count, uint64_t more)
{
	count_set(count, count_get(count) + more);
}

static inline void
count_take(struct count *count, uint64_t less)
{
	count_set(count, count_get(count) - less);
}

#endif
