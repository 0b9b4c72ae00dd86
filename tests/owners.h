/* SPDX-License-Identifier: MIT */
/* What the tests of owners share: three locks and three owners.  Most tests run once
 * with each way of delivery: _i % 2 is 0 for the loop's and 1 for EVRWLOCK_FAST. */
#ifndef TESTS_OWNERS_H
#define TESTS_OWNERS_H

#include "waiters.h"

extern struct evrwlock *locks[3]; /* named red, green and blue */
extern struct evowner *ann, *bob, *cid;

/* All of them. */
void make(int i);

/* Frees the owners that are left, and the locks, which nobody holds then. */
void done(void);

/* Requests the lock for the owner; and frees another owner when that has ended. */
void request(struct waiter *waiter, struct evrwlock *lock,
    struct evowner *owner, enum evrwlock_mode mode);
void request_ending(struct waiter *waiter, struct evrwlock *lock,
    struct evowner *owner, enum evrwlock_mode mode, struct evowner **ends);

/* Requests it, lets the loop deliver, and gets it. */
void get(struct waiter *waiter, struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode);

/* Releases it, and lets the loop deliver. */
void leave(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode);

/* A body that notes that it runs, and what it does. */
struct body {
	struct evdeferred *waits_for;
	struct evowner **ends;
	int runs;
};
struct evdeferred *run_with(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode, struct body *body);

#endif
