/* SPDX-License-Identifier: MIT */
/*
 * A pool of objects of one size.  It grows by slabs of many objects and keeps
 * them until it is destroyed, so that in the steady state nothing is allocated.
 */
#ifndef EVDEFER_POOL_INTERNAL_H
#define EVDEFER_POOL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

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

struct evpool_slab {
	struct evpool_slab *next;
};

struct evpool {
	struct evpool_object *free;
	struct evpool_slab *slabs;
	size_t object_size;
	size_t free_count;
	size_t total;	   /* free or not */
	size_t slab_count; /* objects in the next slab */
};

/* The size has to be a multiple of that of a pointer. */
void evpool_init_(struct evpool *pool, size_t object_size);

void evpool_destroy_(struct evpool *pool);

/* Makes at least count objects free.  0, or -1 with ENOMEM. */
int evpool_reserve_(struct evpool *pool, size_t count);

/* Are all of its objects free? */
static inline bool
evpool_is_unused_(const struct evpool *pool)
{
	return pool->free_count == pool->total;
}

/* NULL with ENOMEM. */
static inline void *
evpool_get_(struct evpool *pool)
{
	struct evpool_object *object = pool->free;

	if (object == NULL) {
		if (evpool_reserve_(pool, 1) == -1)
			return NULL;
		object = pool->free;
	}
	ASAN_UNPOISON_MEMORY_REGION(object, pool->object_size);
	pool->free = object->next;
	pool->free_count--;
	return object;
}

static inline void
evpool_put_(struct evpool *pool, void *memory)
{
	struct evpool_object *object = memory;

	object->next = pool->free;
	pool->free = object;
	pool->free_count++;
	ASAN_POISON_MEMORY_REGION(object, pool->object_size);
}

#endif
