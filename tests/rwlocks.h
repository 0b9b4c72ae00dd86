/* SPDX-License-Identifier: MIT */
/* What the tests of the readers-writer lock share: a lock, and those that want it.
 * Most tests run once with each way of delivery: _i % 2 is 0 for the loop's and 1 for
 * EVRWLOCK_FAST. */
#ifndef TESTS_RWLOCKS_H
#define TESTS_RWLOCKS_H

#include "waiters.h"

extern struct evrwlock *lock;

void make_lock(int i);

/* Waits for the lock. */
void want(struct waiter *waiter, enum evrwlock_mode mode);
void reader(struct waiter *waiter);
void writer(struct waiter *waiter);

int release(const struct waiter *waiter);

/* Releases, and lets the next ones enter. */
void leave(const struct waiter *waiter);

/* Checks how many are inside and how many wait. */
void counts(
    size_t readers, size_t writers, size_t readers_wait, size_t writers_wait);

/* Frees the Deferreds of the waiters, and the lock, which nobody holds. */
void done(struct waiter *waiters, int count);

/* A body, and what was inside when it ran. */
struct body {
	int runs;
	struct evdeferred *inner; /* that it returns, or else the result */
	struct evresult result;
	size_t readers;
	size_t writers;
};
struct evresult run_body(void *body);
struct evdeferred *with(struct body *body, enum evrwlock_mode mode);

#endif
