/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (1U << 20)
#define CLASSES 18
#define SMALLEST 32
#define VARIABLES 8

/* Stands before each block. */
struct block {
	struct block *next; /* while it is free */
	size_t size_class;
};

/* Blocks are of the sizes 32, 64, 128 and so on. */
static struct {
	size_t used;
	struct block *free[CLASSES];
	_Alignas(max_align_t) unsigned char room[ROOM];
} memory;

static struct {
	void *start;
	size_t size;
} variables[VARIABLES];
static size_t variable_count;
static bool inside;

void
image_enter(void)
{
	inside = true;
}

void
image_leave(void)
{
	inside = false;
}

bool
image_works(void)
{
	void *(*volatile allocate)(size_t) = malloc;
	void (*volatile release)(void *) = free;
	const bool was_inside = inside;
	unsigned char *block;
	bool works;

	inside = true;
	block = allocate(1);
	inside = was_inside;
	works = (uintptr_t)block - (uintptr_t)memory.room < ROOM;
	release(block);
	return works;
}

void
image_add(void *start, size_t size)
{
	if (variable_count == VARIABLES)
		abort();
	variables[variable_count].start = start;
	variables[variable_count].size = size;
	variable_count++;
}

static size_t
memory_size(size_t used)
{
	return (size_t)(memory.room - (unsigned char *)&memory) + used;
}

size_t
image_size(void)
{
	size_t size = memory_size(memory.used), i;

	for (i = 0; i < variable_count; i++)
		size += variables[i].size;
	return size;
}

void
image_save(void *to)
{
	unsigned char *at = to;
	size_t i;

	memcpy(at, &memory, memory_size(memory.used));
	at += memory_size(memory.used);
	for (i = 0; i < variable_count; i++) {
		memcpy(at, variables[i].start, variables[i].size);
		at += variables[i].size;
	}
}

void
image_restore(const void *from)
{
	const unsigned char *at = from;
	size_t size, i;

	memcpy(&memory.used, at, sizeof(memory.used));
	size = memory_size(memory.used);
	memcpy(&memory, at, size);
	at += size;
	for (i = 0; i < variable_count; i++) {
		memcpy(variables[i].start, at, variables[i].size);
		at += variables[i].size;
	}
}

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATCHED 1
#endif

#if defined(__GLIBC__) && !defined(WATCHED)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static _Noreturn void
give_up(void)
{
	static const char text[] = "image: no room\n";

	inside = false;
	fputs(text, stderr);
	abort();
}

static struct block *
block_of(void *start)
{
	return (struct block *)((unsigned char *)start - sizeof(struct block));
}

static bool
is_ours(const void *start)
{
	return (uintptr_t)start - (uintptr_t)memory.room < ROOM;
}

static size_t
size_of(size_t size_class)
{
	return (size_t)SMALLEST << size_class;
}

static void *
take(size_t size)
{
	size_t size_class = 0;
	struct block *block;

	while (size_class < CLASSES && size_of(size_class) < size)
		size_class++;
	if (size_class == CLASSES)
		give_up();
	block = memory.free[size_class];
	if (block != NULL) {
		memory.free[size_class] = block->next;
		return block + 1;
	}
	if (ROOM - memory.used < sizeof(*block) + size_of(size_class))
		give_up();
	block = (struct block *)(memory.room + memory.used);
	memory.used += sizeof(*block) + size_of(size_class);
	block->size_class = size_class;
	return block + 1;
}

void *
malloc(size_t size)
{
	return inside ? take(size) : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	void *start;

	if (!inside)
		return __libc_calloc(count, size);
	if (size != 0 && count > ROOM / size)
		give_up();
	start = take(count * size);
	memset(start, 0, count * size);
	return start;
}

void
free(void *start)
{
	struct block *block;

	if (start == NULL)
		return;
	if (!is_ours(start)) {
		__libc_free(start);
		return;
	}
	block = block_of(start);
	block->next = memory.free[block->size_class];
	memory.free[block->size_class] = block;
}

void *
realloc(void *start, size_t size)
{
	size_t before;
	void *other;

	if (start == NULL)
		return malloc(size);
	if (!is_ours(start))
		return __libc_realloc(start, size);
	before = size_of(block_of(start)->size_class);
	if (size <= before)
		return start;
	other = take(size);
	memcpy(other, start, before);
	free(start);
	return other;
}
#endif
