/* SPDX-License-Identifier: MIT */
/*
 * The arguments of a request, in one piece of memory.
 */
#ifndef KVD_ARGUMENTS_H
#define KVD_ARGUMENTS_H

#include <stddef.h>

#include "bytes.h"

struct place;

/* All of it 0: none. */
struct arguments {
	struct place *places;
	size_t count;
	size_t room; /* how many fit */
	char *text;  /* of all of them, with a NUL after each */
	size_t used;
	size_t capacity;
};

void arguments_destroy(struct arguments *arguments);

/* Takes all out.  Memory that only a long request needs goes. */
void arguments_clear(struct arguments *arguments);

/* Makes room for more text.  0, or -1 without memory. */
int arguments_make_room(struct arguments *arguments, size_t length);

/* Adds one, whose text is there or is to come.  0, or -1 without memory. */
int arguments_add(struct arguments *arguments, size_t offset, size_t length);

/* Moves them, and leaves none.  They get no longer. */
struct arguments arguments_take(struct arguments *arguments);

/* Bytes of memory. */
size_t arguments_size(const struct arguments *arguments);

struct bytes arguments_get(const struct arguments *arguments, size_t index);

#endif
