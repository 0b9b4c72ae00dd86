/* SPDX-License-Identifier: MIT */
/* What the tests of the semaphore share: one, and those that want its tokens.  Most
 * tests run once with each way of delivery: _i (or _i % 2) is 0 for the loop's and 1
 * for EVSEMAPHORE_FAST. */
#ifndef TESTS_SEMAPHORES_H
#define TESTS_SEMAPHORES_H

#include "waiters.h"

extern struct evsemaphore *semaphore;

void make(int i, size_t tokens);

/* Waits for a token. */
void want(struct waiter *waiter);

/* Releases one, and lets the next waiter enter. */
void leave(void);

/* Checks how many are inside and how many wait. */
void counts(size_t inside, size_t waiting);

/* Frees the Deferreds of the waiters, and the semaphore, with all its tokens. */
void done(struct waiter *waiters, int count);

#endif
