/* SPDX-License-Identifier: MIT */
#include "threads.h"

#include <pthread.h>

#include "bench.h"

static pthread_barrier_t barrier, meeting;

struct work {
	void (*fn)(size_t count);
	size_t count;
};

static void *
run(void *arg)
{
	const struct work *work = arg;

	work->fn(work->count);
	return NULL;
}

void
bench_threads_meet(void)
{
	pthread_barrier_wait(&meeting);
}

void
bench_threads_begin(void)
{
	pthread_barrier_wait(&barrier);
}

void
bench_threads_end(void)
{
	pthread_barrier_wait(&barrier);
}

uint64_t
bench_threads(void (*fn)(size_t count), size_t count)
{
	struct work work = {fn, count};
	pthread_t threads[2];
	uint64_t begun, ended;
	int i;

	pthread_barrier_init(&barrier, NULL, 3);
	pthread_barrier_init(&meeting, NULL, 2);
	for (i = 0; i < 2; i++)
		bench_check(pthread_create(&threads[i], NULL, run, &work) == 0);
	bench_threads_begin();
	begun = bench_clock();
	bench_threads_end();
	ended = bench_clock();
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	pthread_barrier_destroy(&meeting);
	return ended - begun;
}
