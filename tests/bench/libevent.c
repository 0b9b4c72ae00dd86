/* SPDX-License-Identifier: MIT */
/*
 * libevent's own way to have a function called by the loop: event_base_once().
 * Without a time to wait for it is made active at once, and no timer is set.
 */
#include <event2/event.h>

#include "bench.h"

static struct event_base *loop;
static size_t batch_size, calls;

static void
called(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	calls++;
}

static uint64_t
single(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0) {
		event_base_once(loop, -1, EV_TIMEOUT, called, NULL, NULL);
		event_base_loop(loop, EVLOOP_NONBLOCK);
	}
	return bench_now() - begun;
}

static uint64_t
batches(size_t count)
{
	const uint64_t begun = bench_now();
	size_t i;

	while (count-- > 0) {
		for (i = 0; i < batch_size; i++)
			event_base_once(
			    loop, -1, EV_TIMEOUT, called, NULL, NULL);
		event_base_dispatch(loop);
	}
	return bench_now() - begun;
}

static double
one_by_one(size_t n)
{
	return bench_measure(single, n);
}

static double
batch(size_t n)
{
	double figure;

	batch_size = n;
	figure = bench_measure(batches, n);
	bench_check(calls >= n && calls % n == 0);
	return figure;
}

/* All are called in one go, before the next poll. */
static double
gap(size_t n)
{
	uint64_t begun;
	size_t i;

	for (i = 0; i < n; i++)
		event_base_once(loop, -1, EV_TIMEOUT, called, NULL, NULL);
	begun = bench_clock();
	event_base_loop(loop, EVLOOP_NONBLOCK);
	bench_check(calls == n);
	return (double)(bench_clock() - begun) / 1e3;
}

int
main(int argc, char **argv)
{
	static const struct bench_work works[] = {
	    {"read-loop", one_by_one},
	    {"batch", batch},
	    {"waiters", batch},
	    {"grant", batch},
	    {"gap", gap},
	    {NULL, NULL},
	};
	int status;

	loop = event_base_new();
	bench_check(loop != NULL);
	status = bench_main(argc, argv, works);
	event_base_free(loop);
	return status;
}
