/* SPDX-License-Identifier: MIT */
/*
 * The contender libevdefer: what its parts share.
 */
#ifndef BENCH_EVDEFER_H
#define BENCH_EVDEFER_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <evdefer.h>

#include "bench.h"

extern struct event_base *loop;
extern struct evdefer_base *base;

/* Callbacks that got the lock so far, as readers or writers. */
extern size_t granted;

/* Give the lock back at once: what arg is. */
struct evresult read_and_release(void *lock, void *arg);
struct evresult write_and_release(void *lock, void *arg);

/* evdefer_lock.c: without contention. */
double read_fast(size_t n);
double write_fast(size_t n);
double read_loop(size_t n);
double write_loop(size_t n);
double batch(size_t n);
double owner_read_fast(size_t n);
double owner_write_fast(size_t n);
double with_reader_fast(size_t n);
double owner_with_reader_fast(size_t n);

/* evdefer_waiters.c: n of them, nine readers to a writer. */
double waiters_loop(size_t n);
double waiters_fast(size_t n);
double waiters_mixed(size_t n);
double waiters_owners(size_t n);
double grant_loop(size_t n);
double timeouts(size_t n);
double cancel(size_t n);
double memory(size_t n);
double gap(size_t n);

/* evdefer_deferred.c: chains of n links. */
double chain(size_t n);
double waits(size_t n);

/* evdefer_group.c: over two loops. */
double group_read(size_t n);
double two_readers(size_t n);
double two_locks(size_t n);
double two_mixed(size_t n);
double group_pass(size_t n);

#endif
