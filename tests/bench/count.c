/* SPDX-License-Identifier: MIT */
/*
 * libcount.so: an allocator that counts, for LD_PRELOAD.  It hands on to that
 * of glibc and adds up what the blocks take there, each with its header.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

size_t count_allocated(void);

static size_t allocated;

size_t
count_allocated(void)
{
	return __atomic_load_n(&allocated, __ATOMIC_RELAXED);
}

static size_t
size_of(void *block)
{
	return block == NULL ? 0 : malloc_usable_size(block) + sizeof(size_t);
}

static void *
added(void *block)
{
	__atomic_add_fetch(&allocated, size_of(block), __ATOMIC_RELAXED);
	return block;
}

void *
malloc(size_t size)
{
	return added(__libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
	return added(__libc_calloc(count, size));
}

void *
realloc(void *block, size_t size)
{
	const size_t old = size_of(block);
	void *moved = __libc_realloc(block, size);

	if (moved == NULL && size > 0)
		return NULL; /* the old one stays */
	__atomic_sub_fetch(&allocated, old, __ATOMIC_RELAXED);
	return added(moved);
}

void *
memalign(size_t alignment, size_t size)
{
	return added(__libc_memalign(alignment, size));
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int
posix_memalign(void **block, size_t alignment, size_t size)
{
	*block = memalign(alignment, size);
	return *block == NULL ? ENOMEM : 0;
}

void
free(void *block)
{
	__atomic_sub_fetch(&allocated, size_of(block), __ATOMIC_RELAXED);
	__libc_free(block);
}
