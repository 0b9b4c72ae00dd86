/* SPDX-License-Identifier: MIT */
/*
 * Counts and fails allocations.  The program's own malloc(), calloc(),
 * realloc() and free() come before those of libc, for all libraries.  With
 * AddressSanitizer they hand on to its own.  Valgrind puts its allocator
 * before ours, ThreadSanitizer has to see each block come and go, and other
 * systems than glibc need none of this: there alloc_works() is false, and a test
 * that needs to count has to say that it is skipped.
 *
 * Check allocates in each ck_assert(): none of them belongs between two
 * readings of the counters, or where an allocation is to fail.
 */
#ifndef TESTS_ALLOC_H
#define TESTS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Whether allocations are counted and can fail. */
bool alloc_works(void);

/* Calls so far that reached the allocator, free() among them. */
size_t alloc_calls(void);

/* Blocks that are allocated now. */
long alloc_live(void);

/* Makes the n-th allocation of this thread from now on fail, and with onwards all
 * after it too; n == 0 ends this. */
void alloc_fail_at(size_t n, bool onwards);

/* Whether one failed since alloc_fail_at(n) was called with n > 0. */
bool alloc_failed(void);

/* The same, beside what a test does with alloc_fail_at(); *hit tells whether one
 * failed on this account. */
void alloc_plan(size_t n, bool onwards, volatile bool *hit);

#endif
