/* SPDX-License-Identifier: MIT */
/*
 * The floor: the least that a readers-writer lock with callbacks can do.  Two
 * counters, no queue, no Deferred; who can't get in is refused.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stddef.h>

struct floor_lock;
typedef void (*floor_fn)(struct floor_lock *lock, void *arg);

struct floor_lock *floor_new(void);
void floor_free(struct floor_lock *lock);

/* Call fn(lock, arg) inside of the lock.  0, or -1 if that is taken. */
int floor_read(struct floor_lock *lock, floor_fn fn, void *arg);
int floor_write(struct floor_lock *lock, floor_fn fn, void *arg);

/* 0, or -1 if nobody is inside. */
int floor_read_release(struct floor_lock *lock);
int floor_write_release(struct floor_lock *lock);

#endif
