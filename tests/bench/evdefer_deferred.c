/* SPDX-License-Identifier: MIT */
/*
 * Deferreds by themselves: new, add_callback, fire, free.
 */
#include "evdefer_works.h"

static size_t links, calls;

static struct evresult
pass(void *value, void *arg)
{
	(void)arg;
	calls++;
	return evresult_value(value);
}

static uint64_t
chains(size_t count)
{
	const uint64_t begun = bench_now();
	struct evdeferred *d;
	size_t i;

	while (count-- > 0) {
		d = evdeferred_new(base, NULL, NULL);
		for (i = 0; i < links; i++)
			evdeferred_add_callback(d, pass, NULL);
		evdeferred_callback(d, &links);
		evdeferred_free(d);
	}
	return bench_now() - begun;
}

/* For one link; with n = 1 that is for one Deferred. */
double
chain(size_t n)
{
	double figure;

	links = n;
	figure = bench_measure(chains, n);
	bench_check(calls >= n && calls % n == 0);
	return figure;
}

static struct evresult
wait_for(void *value, void *next)
{
	(void)value;
	calls++;
	return evresult_deferred(next);
}

/* Each waits for the one made before it; the first is fired last. */
static uint64_t
waiting_chains(size_t count)
{
	const uint64_t begun = bench_now();
	struct evdeferred *first, *d = NULL, *next;
	size_t i;

	while (count-- > 0) {
		first = d = evdeferred_new(base, NULL, NULL);
		for (i = 0; i < links; i++) {
			next = evdeferred_new(base, NULL, NULL);
			evdeferred_add_callback(next, wait_for, d);
			evdeferred_callback(next, NULL);
			d = next;
		}
		evdeferred_callback(first, NULL);
		evdeferred_free(d);
	}
	return bench_now() - begun;
}

double
waits(size_t n)
{
	double figure;

	links = n;
	figure = bench_measure(waiting_chains, n);
	bench_check(calls >= n && calls % n == 0);
	return figure;
}
