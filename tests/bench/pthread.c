/* SPDX-License-Identifier: MIT */
/*
 * pthread_rwlock: lock and unlock, and nothing in between.
 */
#include <pthread.h>

#include "bench.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static uint64_t
readers(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0) {
		pthread_rwlock_rdlock(&lock);
		pthread_rwlock_unlock(&lock);
	}
	return bench_now() - begun;
}

static uint64_t
writers(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0) {
		pthread_rwlock_wrlock(&lock);
		pthread_rwlock_unlock(&lock);
	}
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

int
main(int argc, char **argv)
{
	static const struct bench_work works[] = {
	    {"read-fast", read_fast},
	    {"write-fast", write_fast},
	    {NULL, NULL},
	};

	return bench_main(argc, argv, works);
}
