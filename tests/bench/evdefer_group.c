/* SPDX-License-Identifier: MIT */
/*
 * One lock for two threads, each with a loop of its own.  What two threads do beside
 * each other is measured in the time that passes.
 */
#include <stdlib.h>

#include "evdefer_works.h"
#include "threads.h"

static struct evgroup *group;
static bool apart; /* each has a lock of its own, without a group */

struct place {
	struct event_base *loop;
	struct evdefer_base *base;
	struct evrwlock *lock;
	size_t left;
};

static void
make_place(struct place *place, size_t left)
{
	place->loop = event_base_new();
	place->base = evdefer_base_new(place->loop);
	place->lock =
	    apart ? evrwlock_new(place->base, EVRWLOCK_FAST)
		  : evrwlock_new_in_group(group, place->base, EVRWLOCK_FAST);
	place->left = left;
	bench_check(place->lock != NULL);
}

static void
free_place(struct place *place)
{
	evrwlock_free(place->lock);
	evdefer_base_free(place->base);
	event_base_free(place->loop);
}

static double
measured_in_group(bench_fn fn, size_t operations)
{
	double figure;

	group = evgroup_new();
	bench_check(group != NULL);
	figure = bench_measure(fn, operations);
	evgroup_free(group);
	return figure;
}

static struct evresult
release_read(void *value, void *arg)
{
	(void)arg;
	evrwlock_reader_release(value);
	return evresult_value(NULL);
}

static void
read_often(struct evrwlock *lock, size_t count)
{
	struct evdeferred *d;

	while (count-- > 0) {
		d = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d, release_read, NULL);
		evdeferred_free(d);
	}
}

static uint64_t
readers(size_t count)
{
	struct place place;
	uint64_t begun;

	make_place(&place, 0);
	begun = bench_now();
	read_often(place.lock, count);
	begun = bench_now() - begun;
	free_place(&place);
	return begun;
}

double
group_read(size_t n)
{
	return measured_in_group(readers, n);
}

/* Two threads, each with so many. */

static void
read_in_thread(size_t count)
{
	struct place place;

	make_place(&place, 0);
	bench_threads_begin();
	read_often(place.lock, count);
	bench_threads_end();
	free_place(&place);
}

static uint64_t
two_threads_read(size_t count)
{
	return bench_threads(read_in_thread, count);
}

double
two_readers(size_t n)
{
	return measured_in_group(two_threads_read, 2 * n);
}

double
two_locks(size_t n)
{
	apart = true;
	return measured_in_group(two_threads_read, 2 * n);
}

/* One write in so many reads, which waits in the loop if it has to. */
#define READS 1000

static struct evresult
go_on(void *value, void *arg)
{
	struct place *place = arg;

	evrwlock_writer_release(value);
	event_base_loopbreak(place->loop);
	return evresult_value(NULL);
}

static void
write_in_loop(struct place *place)
{
	struct evdeferred *d = evrwlock_writer_acquire(place->lock);

	evdeferred_add_callback(d, go_on, place);
	if (!evdeferred_has_fired(d))
		event_base_dispatch(place->loop);
	evdeferred_free(d);
}

static struct evresult
count_read(void *value, void *arg)
{
	struct place *place = arg;

	place->left--;
	evrwlock_reader_release(value);
	return evresult_value(NULL);
}

static void
read_in_loop(struct place *place)
{
	const size_t left = place->left;
	struct evdeferred *d = evrwlock_reader_acquire(place->lock);

	evdeferred_add_callback(d, count_read, place);
	while (place->left == left)
		event_base_loop(place->loop, EVLOOP_ONCE);
	evdeferred_free(d);
}

static void
mix_in_thread(size_t count)
{
	struct place place;
	size_t i;

	make_place(&place, 0);
	bench_threads_begin();
	while (count-- > 0) {
		write_in_loop(&place);
		for (i = 0; i < READS; i++)
			read_in_loop(&place);
	}
	bench_threads_end();
	free_place(&place);
}

static uint64_t
two_threads_mix(size_t count)
{
	return bench_threads(mix_in_thread, count);
}

double
two_mixed(size_t n)
{
	return measured_in_group(two_threads_mix, 2 * n * (READS + 1));
}

/* A write passes from loop to loop: each gives the lock back and asks again, and the
 * other has waited meanwhile. */

static struct evresult pass_on(void *value, void *arg);

static void
ask_again(struct place *place)
{
	struct evdeferred *d = evrwlock_writer_acquire(place->lock);

	evdeferred_add_callback(d, pass_on, place);
	evdeferred_detach(d);
}

static struct evresult
pass_on(void *value, void *arg)
{
	struct place *place = arg;

	evrwlock_writer_release(value);
	if (--place->left > 0)
		ask_again(place);
	return evresult_value(NULL);
}

/* The first to come holds the lock until the other one waits for it. */
static void
pass_in_thread(size_t count)
{
	struct place place;
	bool first;

	make_place(&place, count);
	first = evrwlock_writer_try(place.lock) == 0;
	bench_threads_meet();
	if (!first)
		ask_again(&place);
	bench_threads_begin();
	if (first) {
		evrwlock_writer_release(place.lock);
		ask_again(&place);
	}
	event_base_dispatch(place.loop);
	bench_threads_end();
	bench_check(place.left == 0);
	free_place(&place);
}

static uint64_t
passes(size_t count)
{
	return bench_threads(pass_in_thread, count);
}

double
group_pass(size_t n)
{
	return measured_in_group(passes, 2 * n);
}
