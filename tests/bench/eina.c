/* SPDX-License-Identifier: MIT */
/*
 * EFL's Eina_Promise and Eina_Future.  A promise delivers through a scheduler,
 * usually that of Ecore's loop.  This one costs next to nothing: it keeps the one
 * delivery that is due, and the program makes it right after the resolve.
 */
#include <Eina.h>

#include "bench.h"

static size_t links, calls;

static struct {
	Eina_Future_Schedule_Entry entry;
	Eina_Future_Scheduler_Cb deliver;
	Eina_Future *future;
	Eina_Value value;
} due;

static Eina_Future_Schedule_Entry *
schedule(Eina_Future_Scheduler *scheduler, Eina_Future_Scheduler_Cb deliver,
    Eina_Future *future, Eina_Value value)
{
	due.entry.scheduler = scheduler;
	due.deliver = deliver;
	due.future = future;
	due.value = value;
	return &due.entry;
}

static void
recall(Eina_Future_Schedule_Entry *entry)
{
	(void)entry;
	due.deliver = NULL;
}

static Eina_Future_Scheduler scheduler = {schedule, recall};

static Eina_Value
pass(void *data, const Eina_Value value, const Eina_Future *dead)
{
	(void)data;
	(void)dead;
	calls++;
	return value;
}

static void
cancelled(void *data, const Eina_Promise *dead)
{
	(void)data;
	(void)dead;
}

/* new, then, resolve, the delivery; that frees promise and futures. */
static uint64_t
chains(size_t count)
{
	static const Eina_Future_Desc link = {pass, NULL, NULL};
	const uint64_t begun = bench_now();
	Eina_Promise *promise;
	Eina_Future *future;
	size_t i;

	while (count-- > 0) {
		promise = eina_promise_new(&scheduler, cancelled, NULL);
		future = eina_future_new(promise);
		for (i = 0; i < links; i++)
			future = eina_future_then_from_desc(future, link);
		eina_promise_resolve(promise, EINA_VALUE_EMPTY);
		due.deliver(due.future, due.value);
	}
	return bench_now() - begun;
}

static double
chain(size_t n)
{
	double figure;

	links = n;
	figure = bench_measure(chains, n);
	bench_check(calls >= n && calls % n == 0);
	return figure;
}

int
main(int argc, char **argv)
{
	static const struct bench_work works[] = {
	    {"chain", chain},
	    {NULL, NULL},
	};
	int status;

	bench_check(eina_init() > 0);
	status = bench_main(argc, argv, works);
	eina_shutdown();
	return status;
}
