/* SPDX-License-Identifier: MIT */
#include "pool-internal.h"

#include <assert.h>
#include <stdlib.h>

#define LARGEST_BLOCK 32

struct evpool_block {
	struct evpool_block *next;
	/* The slabs follow. */
};

void
evpool_init_(struct evpool *pool, size_t object_size)
{
	evpool_init_prepared_(
	    pool, object_size, sizeof(struct evpool_object), NULL);
}

void
evpool_init_prepared_(struct evpool *pool, size_t object_size, size_t kept,
    void (*prepare)(struct evpool *pool, void *object))
{
	pool->slabs = NULL;
	pool->blocks = NULL;
	pool->prepare = prepare;
	pool->kept = kept;
	pool->object_size = object_size;
	pool->in_slab =
	    (EVPOOL_SLAB - sizeof(struct evpool_slab)) / object_size;
	pool->total = 0;
	pool->block_slabs = 1;
#ifdef EVPOOL_ONE_BY_ONE
	pool->in_slab = 1;
#endif
}

void
evpool_destroy_(struct evpool *pool)
{
	struct evpool_block *block;

	assert(evpool_count_used_(pool) == 0);
	while ((block = pool->blocks) != NULL) {
		pool->blocks = block->next;
		free(block);
	}
}

/* From the last object to the first, so that they are taken in order. */
static void
add_slab(struct evpool *pool, uintptr_t address)
{
	uintptr_t object = address + EVPOOL_SLAB;
	size_t i;

	((struct evpool_slab *)address)->free = NULL;
	for (i = 0; i < pool->in_slab; i++) {
		object -= pool->object_size;
		if (pool->prepare != NULL)
			pool->prepare(pool, (void *)object);
		evpool_put_(pool, (void *)object);
	}
	pool->total += pool->in_slab;
}

static int
add_block(struct evpool *pool, size_t slabs)
{
	const size_t overhead = sizeof(struct evpool_block) + EVPOOL_SLAB;
	struct evpool_block *block = NULL;
	uintptr_t start;

	if (slabs <= (SIZE_MAX - overhead) / EVPOOL_SLAB)
		block = malloc(overhead + slabs * EVPOOL_SLAB);
	if (block == NULL)
		return evdefer_refuse_(ENOMEM);
	block->next = pool->blocks;
	pool->blocks = block;

	start = (uintptr_t)(block + 1) + EVPOOL_SLAB - 1;
	start -= start % EVPOOL_SLAB;
	while (slabs-- > 0)
		add_slab(pool, start + slabs * EVPOOL_SLAB);
	return 0;
}

/* Up to some: the rest is not looked at. */
static size_t
count_free(const struct evpool *pool, size_t most)
{
	const struct evpool_slab *slab;
	const struct evpool_object *object;
	size_t count = 0;

	for (slab = pool->slabs; slab != NULL && count < most;
	     slab = slab->next)
		for (object = slab->free; object != NULL && count < most;
		     object = object->next)
			count++;
	return count;
}

size_t
evpool_count_used_(const struct evpool *pool)
{
	return pool->total - count_free(pool, pool->total);
}

int
evpool_reserve_(struct evpool *pool, size_t count)
{
	const size_t free_count = count_free(pool, count);
	size_t slabs;

	if (count <= free_count)
		return 0;
	slabs = (count - free_count - 1) / pool->in_slab + 1;
	if (slabs < pool->block_slabs)
		slabs = pool->block_slabs;
	if (add_block(pool, slabs) == -1)
		return -1;
#ifndef EVPOOL_ONE_BY_ONE
	if (pool->block_slabs < LARGEST_BLOCK)
		pool->block_slabs *= 2;
#endif
	return 0;
}
