/* SPDX-License-Identifier: MIT */
/*
 * pthread_rwlock: lock and unlock, and nothing in between.
 */
#include <pthread.h>

#include "bench.h"
#include "threads.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void
read_often(size_t count)
{
	while (count-- > 0) {
		pthread_rwlock_rdlock(&lock);
		pthread_rwlock_unlock(&lock);
	}
}

static void
write_often(size_t count)
{
	while (count-- > 0) {
		pthread_rwlock_wrlock(&lock);
		pthread_rwlock_unlock(&lock);
	}
}

static uint64_t
readers(size_t count)
{
	const uint64_t begun = bench_now();

	read_often(count);
	return bench_now() - begun;
}

static uint64_t
writers(size_t count)
{
	const uint64_t begun = bench_now();

	write_often(count);
	return bench_now() - begun;
}

static double
read_fast(size_t n)
{
	return bench_measure(readers, n);
}

static double
write_fast(size_t n)
{
	return bench_measure(writers, n);
}

/* Two threads, each with so many; and with a write in so many reads. */
#define READS 1000

static void
read_in_thread(size_t count)
{
	bench_threads_begin();
	read_often(count);
	bench_threads_end();
}

static void
mix_in_thread(size_t count)
{
	bench_threads_begin();
	while (count-- > 0) {
		write_often(1);
		read_often(READS);
	}
	bench_threads_end();
}

static uint64_t
two_threads_read(size_t count)
{
	return bench_threads(read_in_thread, count);
}

static uint64_t
two_threads_mix(size_t count)
{
	return bench_threads(mix_in_thread, count);
}

static double
two_readers(size_t n)
{
	return bench_measure(two_threads_read, 2 * n);
}

static double
two_mixed(size_t n)
{
	return bench_measure(two_threads_mix, 2 * n * (READS + 1));
}

int
main(int argc, char **argv)
{
	static const struct bench_work works[] = {
	    {"read-fast", read_fast},
	    {"write-fast", write_fast},
	    {"two-readers", two_readers},
	    {"two-mixed", two_mixed},
	    {NULL, NULL},
	};

	return bench_main(argc, argv, works);
}
