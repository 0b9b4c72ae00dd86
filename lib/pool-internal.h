/* SPDX-License-Identifier: MIT */
/*
 * A pool of objects of one size.  It grows by blocks of many objects and keeps
 * them until it is destroyed, so that in the steady state nothing is allocated.
 *
 * A block is made of slabs, each of which knows what is free in it.  Objects are
 * taken from one slab until it is empty, so that those in use at the same time lie
 * together, in whatever order the ones before them came back.
 */
#ifndef EVDEFER_POOL_INTERNAL_H
#define EVDEFER_POOL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "refuse-internal.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EVPOOL_POISON
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define EVPOOL_POISON
#endif

#ifdef EVPOOL_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address))
#endif

struct evpool_object {
	struct evpool_object *next;
};

/* The size of a slab, which its address is a multiple of.  In the small library of
 * the tests each object is an allocation, which may fail. */
#ifdef EVPOOL_ONE_BY_ONE
#define EVPOOL_SLAB 512
#else
#define EVPOOL_SLAB 2048
#endif

/* The beginning of a slab; the objects are at its end. */
struct evpool_slab {
	struct evpool_object *free;
	struct evpool_slab *next; /* that has free objects */
};

struct evpool {
	struct evpool_slab *slabs; /* those with free objects */
	struct evpool_block *blocks;
	/* What of an object, from its second word on, is the same whenever it is free:
	 * whoever gets one finds that there, and leaves it so.  NULL: nothing. */
	void (*prepare)(struct evpool *pool, void *object);
	size_t kept; /* where that ends */
	size_t object_size;
	size_t in_slab;	    /* objects in each slab */
	size_t total;	    /* free or not */
	size_t block_slabs; /* slabs in the next block */
};

/* The size has to be a multiple of that of a pointer, and much smaller than a slab.
 * Objects of 64 bytes are aligned to lines of the cache. */
void evpool_init_(struct evpool *pool, size_t object_size);

/* The same for one that prepares its objects, up to a member that is not the same. */
void evpool_init_prepared_(struct evpool *pool, size_t object_size, size_t kept,
    void (*prepare)(struct evpool *pool, void *object));

void evpool_destroy_(struct evpool *pool);

/* Makes at least count objects free.  0, or -1 with ENOMEM. */
int evpool_reserve_(struct evpool *pool, size_t count);

/* How many of its objects are not free.  Nobody counts them: that takes a look at each
 * one that is. */
size_t evpool_count_used_(const struct evpool *pool);

static inline bool
evpool_is_empty_(const struct evpool *pool)
{
	return pool->slabs == NULL;
}

/* The same for one. */
static inline int
evpool_reserve_one_(struct evpool *pool)
{
	return evpool_is_empty_(pool) ? evpool_reserve_(pool, 1) : 0;
}

/* NULL with ENOMEM. */
static inline void *
evpool_get_(struct evpool *pool)
{
	struct evpool_slab *slab = pool->slabs;
	struct evpool_object *object;

	if (slab == NULL) {
		if (evpool_reserve_(pool, 1) == -1)
			return NULL;
		slab = pool->slabs;
	}
	object = slab->free;
	ASAN_UNPOISON_MEMORY_REGION(
	    (char *)object + pool->kept, pool->object_size - pool->kept);
	slab->free = object->next;
	if (slab->free == NULL)
		pool->slabs = slab->next;
	return object;
}

static inline void
evpool_put_(struct evpool *pool, void *memory)
{
	struct evpool_object *object = memory;
	struct evpool_slab *slab =
	    (void *)((uintptr_t)memory & ~(uintptr_t)(EVPOOL_SLAB - 1));

	if (slab->free == NULL) {
		slab->next = pool->slabs;
		pool->slabs = slab;
	}
	object->next = slab->free;
	slab->free = object;
	ASAN_POISON_MEMORY_REGION(
	    (char *)object + pool->kept, pool->object_size - pool->kept);
}

#endif
