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
	pool->free_count = 0;
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

	assert(evpool_is_unused_(pool));
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

int
evpool_reserve_(struct evpool *pool, size_t count)
{
	size_t slabs;

	if (count <= pool->free_count)
		return 0;
	slabs = (count - pool->free_count - 1) / pool->in_slab + 1;
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
