/* SPDX-License-Identifier: MIT */
/*
 * In the place of the sanitizer's: what is free in a pool is nonsense, for whoever
 * uses it all the same or forgets to set it.  The first word is the pool's.
 */
#include <string.h>

#define ASAN_POISON_MEMORY_REGION(address, size)                               \
	memset(                                                                \
	    (char *)(address) + sizeof(void *), 0xa5, (size) - sizeof(void *))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address))
