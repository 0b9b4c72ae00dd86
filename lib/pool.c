/* SPDX-License-Identifier: MIT */
#include "pool-internal.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* A Deferred fills one line: let none lie across two. */
#define CACHE_LINE 64

/* Tests set both to 1, so that each object is an allocation which may fail. */
#ifndef EVPOOL_LARGEST_SLAB
#define EVPOOL_FIRST_SLAB 32
#define EVPOOL_LARGEST_SLAB 1024
#endif

void
evpool_init_(struct evpool *pool, size_t object_size)
{
	pool->free = NULL;
	pool->slabs = NULL;
	pool->object_size = object_size;
	pool->free_count = 0;
	pool->total = 0;
	pool->slab_count = EVPOOL_FIRST_SLAB;
}

void
evpool_destroy_(struct evpool *pool)
{
	struct evpool_slab *slab;

	while ((slab = pool->slabs) != NULL) {
		pool->slabs = slab->next;
		free(slab);
	}
}

static int
add_slab(struct evpool *pool, size_t count)
{
	const size_t overhead = sizeof(struct evpool_slab) + CACHE_LINE;
	struct evpool_slab *slab;
	uintptr_t start;

	if (count > (SIZE_MAX - overhead) / pool->object_size) {
		errno = ENOMEM;
		return -1;
	}
	slab = malloc(overhead + count * pool->object_size);
	if (slab == NULL) {
		errno = ENOMEM;
		return -1;
	}
	slab->next = pool->slabs;
	pool->slabs = slab;
	pool->total += count;

	start = (uintptr_t)(slab + 1) + CACHE_LINE - 1;
	start -= start % CACHE_LINE;
	/* From the last to the first, so that they are handed out in order. */
	while (count-- > 0)
		evpool_put_(pool, (void *)(start + count * pool->object_size));
	return 0;
}

int
evpool_reserve_(struct evpool *pool, size_t count)
{
	size_t missing;

	if (count <= pool->free_count)
		return 0;
	missing = count - pool->free_count;
	if (missing < pool->slab_count)
		missing = pool->slab_count;
	if (add_slab(pool, missing) == -1)
		return -1;
	if (pool->slab_count < EVPOOL_LARGEST_SLAB)
		pool->slab_count *= 2;
	return 0;
}
