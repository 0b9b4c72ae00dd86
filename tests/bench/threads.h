/* SPDX-License-Identifier: MIT */
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include <stddef.h>
#include <stdint.h>

/* Has two threads call fn(count), and returns the nanoseconds that passed between the
 * moment when both had called bench_threads_begin() and that when both had called
 * bench_threads_end(). */
uint64_t bench_threads(void (*fn)(size_t count), size_t count);
void bench_threads_begin(void);

/* The two wait for each other. */
void bench_threads_meet(void);
void bench_threads_end(void);

#endif
