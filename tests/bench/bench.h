/* SPDX-License-Identifier: MIT */
/*
 * What the contenders share.  Each is a program of its own:
 *
 *     CONTENDER WORK N
 *
 * does the work once, with N waiters or links, and prints one number: the
 * figure of this round.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Does the work count times, and returns the nanoseconds that it took, by
 * bench_now(), without those of what has to be prepared. */
typedef uint64_t (*bench_fn)(size_t count);

struct bench_work {
	const char *name;
	/* Returns the figure for n. */
	double (*run)(size_t n);
};

/* Nanoseconds of processor time that this process took, system calls included.
 * No contender ever waits, so on an idle machine this is the time that passes;
 * on a busy one it leaves out when others had the processor. */
uint64_t bench_now(void);

/* Nanoseconds of the monotonic clock. */
uint64_t bench_clock(void);

/*
 * The nanoseconds of one operation in the steady state, where fn() does so many
 * of them each time.  fn() is called with growing counts until it takes long
 * enough to be measured, which warms up caches, pools and the allocator; then
 * several times, of which the median counts.  If fn(1) is long enough, the
 * second call is the only one that is measured: however fast it is, the memory
 * is in the same order.
 */
double bench_measure(bench_fn fn, size_t operations);

/* malloc() that ends the program when there is no memory. */
void *bench_alloc(size_t size);

/* Brings the elements of an array into the same random order each time. */
void bench_shuffle(void **array, size_t count);

/* Ends the program if what is expected did not happen. */
#define bench_check(ok) bench_check_at((ok) ? NULL : #ok, __FILE__, __LINE__)
void bench_check_at(const char *broken, const char *file, int line);

/* Bytes that are allocated now, each block with what the allocator needs for
 * it; only under libcount.so. */
size_t bench_allocated(void);

/* The program.  The works end with one that has no name. */
int bench_main(int argc, char **argv, const struct bench_work *works);

#endif
