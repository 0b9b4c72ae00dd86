/* SPDX-License-Identifier: MIT */
#include "floor.h"

#include "bench.h"

static struct floor_lock *lock;
static size_t granted;

static void
read_and_release(struct floor_lock *held, void *arg)
{
	(void)arg;
	granted++;
	floor_read_release(held);
}

static void
write_and_release(struct floor_lock *held, void *arg)
{
	(void)arg;
	granted++;
	floor_write_release(held);
}

static uint64_t
readers(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0)
		floor_read(lock, read_and_release, NULL);
	return bench_now() - begun;
}

static uint64_t
writers(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0)
		floor_write(lock, write_and_release, NULL);
	return bench_now() - begun;
}

static double
measured(bench_fn fn, size_t n)
{
	double figure;

	lock = floor_new();
	bench_check(lock != NULL);
	figure = bench_measure(fn, n);
	bench_check(granted > 0);
	floor_free(lock);
	return figure;
}

static double
read_fast(size_t n)
{
	return measured(readers, n);
}

static double
write_fast(size_t n)
{
	return measured(writers, n);
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
