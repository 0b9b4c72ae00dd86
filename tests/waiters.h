/* SPDX-License-Identifier: MIT */
/* What the tests of locks, semaphores and queues share: those that wait for
 * something, and what they were told. */
#ifndef TESTS_WAITERS_H
#define TESTS_WAITERS_H

#include "support.h"

struct waiter {
	struct evdeferred *d;
	const void *wanted;	 /* what it waits for; NULL is anything */
	enum evrwlock_mode mode; /* of a lock */
	void *value;		 /* what it was granted */
	int granted;		 /* how often it was granted what it wanted */
	int failed;		 /* code */
	int ended;		 /* how often it was told of its end */
	int order;		 /* which of the grants since grants was 0 */
	char message[256];	 /* of the failure */
	struct evowner **ends;	 /* an owner to be freed when it is told */
};
extern int grants;

/* Waits for what the Deferred, which has to be there, is to bring; and frees an owner
 * when it has come or failed. */
void wait_with(struct waiter *waiter, struct evdeferred *d, const void *wanted);
void wait_ending(struct waiter *waiter, struct evdeferred *d,
    const void *wanted, struct evowner **ends);

/* The links of a waiter, for tests that add them themselves. */
struct evresult on_grant(void *value, void *arg);
struct evresult on_loss(struct evfailure *failure, void *arg);

/* The ways in which a waiter leaves: at once, or when its time is over, which has
 * to be set before. */
enum { CANCEL, FREE, WAYS_AT_ONCE, TIME_OUT = WAYS_AT_ONCE, WAYS };
void set_time(struct waiter *waiter, int way);
void give_up(struct waiter *waiter, int way);

void free_waiters(struct waiter *waiters, int count);

/* Lets the loop deliver. */
void settle(void);

/* A body that ends with arg as its value. */
struct evresult body_value(void *arg);

/* By number: 0 and all other even ones read. */
enum evrwlock_mode mode_of(int i);

/* A lock that delivers from the loop, or at once where i is odd. */
struct evrwlock *new_lock(int i);

/* Checks how many are inside a lock and how many wait. */
void lock_counts(const struct evrwlock *lock, size_t readers, size_t writers,
    size_t readers_wait, size_t writers_wait);

/* The functions that name the mode, where there are any. */
struct evdeferred *acquire_by_name(struct evrwlock *, enum evrwlock_mode);
int release_by_name(struct evrwlock *, enum evrwlock_mode);
int try_by_name(struct evrwlock *, enum evrwlock_mode);
struct evdeferred *with_by_name(
    struct evrwlock *, enum evrwlock_mode, evdeferred_body_fn, void *);

struct evowner *new_owner(const char *name);

/* Frees the owner and forgets it. */
void end_owner(struct evowner **owner);

#endif
