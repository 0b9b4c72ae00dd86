/* SPDX-License-Identifier: MIT */
/*
 * All of a world's memory in one piece, which can be copied away and back: so an explorer
 * returns to a state at once, and needs not go the way to it again.
 *
 * What is allocated between image_enter() and image_leave() comes from there, by malloc()
 * and the like of the program's own, which come before those of libc.  What is not in
 * memory must be at rest whenever an image is made: no byte in a pipe, and no socket
 * that was not there at the first image.
 *
 * Sanitizers and valgrind have allocators of their own, as have other systems than glibc:
 * there image_works() is false.
 */
#ifndef TESTS_CLUSTER_IMAGE_H
#define TESTS_CLUSTER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

bool image_works(void);

void image_enter(void);
void image_leave(void);

/* A variable that belongs to the world as well. */
void image_add(void *start, size_t size);

/* How much an image takes now. */
size_t image_size(void);

void image_save(void *to);
void image_restore(const void *from);

#endif
