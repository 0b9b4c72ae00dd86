/* SPDX-License-Identifier: MIT */
/*
 * Many that wait for one lock, nine readers to a writer, behind a writer.
 */
#define _GNU_SOURCE
#include "evdefer_works.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* One in so many is a writer. */
#define WRITERS 10

/* After so many passes the memory of waiters is in a mixed order. */
#define PASSES 20

struct waiter {
	struct evdeferred *d;
	struct evowner *owner;
};

static struct evrwlock *lock;
static struct waiter *waiters;
static size_t waiter_count;
static size_t failed;

/* The callbacks: release, and free the Deferred, whose chain this ends. */

static struct evresult
read_and_free(void *value, void *arg)
{
	struct waiter *w = arg;

	granted++;
	evrwlock_reader_release(value);
	evdeferred_free(w->d);
	return evresult_value(NULL);
}

static struct evresult
write_and_free(void *value, void *arg)
{
	struct waiter *w = arg;

	granted++;
	evrwlock_writer_release(value);
	evdeferred_free(w->d);
	return evresult_value(NULL);
}

static struct evresult
owner_read_and_free(void *value, void *arg)
{
	struct waiter *w = arg;

	granted++;
	evrwlock_release(value, w->owner, EVRWLOCK_READ);
	evdeferred_free(w->d);
	return evresult_value(NULL);
}

static struct evresult
owner_write_and_free(void *value, void *arg)
{
	struct waiter *w = arg;

	granted++;
	evrwlock_release(value, w->owner, EVRWLOCK_WRITE);
	evdeferred_free(w->d);
	return evresult_value(NULL);
}

static struct evresult
count_failure(struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
	failed++;
	return evresult_value(NULL);
}

static bool
is_writer(size_t i)
{
	return i % WRITERS == WRITERS - 1;
}

static void
enqueue(void)
{
	struct waiter *w;
	size_t i;

	for (i = 0; i < waiter_count; i++) {
		w = &waiters[i];
		if (is_writer(i)) {
			w->d = evrwlock_writer_acquire(lock);
			evdeferred_add_callback(w->d, write_and_free, w);
		} else {
			w->d = evrwlock_reader_acquire(lock);
			evdeferred_add_callback(w->d, read_and_free, w);
		}
	}
}

static void
enqueue_owners(void)
{
	struct waiter *w;
	size_t i;

	for (i = 0; i < waiter_count; i++) {
		w = &waiters[i];
		if (is_writer(i)) {
			w->d = evrwlock_acquire(lock, w->owner, EVRWLOCK_WRITE);
			evdeferred_add_callback(w->d, owner_write_and_free, w);
		} else {
			w->d = evrwlock_acquire(lock, w->owner, EVRWLOCK_READ);
			evdeferred_add_callback(w->d, owner_read_and_free, w);
		}
	}
}

/* One whose wait may fail. */
static void
enqueue_failing(void)
{
	struct waiter *w;
	size_t i;

	for (i = 0; i < waiter_count; i++) {
		w = &waiters[i];
		if (is_writer(i)) {
			w->d = evrwlock_writer_acquire(lock);
			evdeferred_add_callbacks(
			    w->d, write_and_free, count_failure, w);
		} else {
			w->d = evrwlock_reader_acquire(lock);
			evdeferred_add_callbacks(
			    w->d, read_and_free, count_failure, w);
		}
	}
}

static void
grant_all(void)
{
	const size_t before = granted;

	evrwlock_writer_release(lock);
	event_base_dispatch(loop);
	bench_check(granted == before + waiter_count);
}

static void
hold(void)
{
	bench_check(evrwlock_writer_try(lock) == 0);
}

static uint64_t
round_trips(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0) {
		hold();
		enqueue();
		grant_all();
	}
	return bench_now() - begun;
}

static uint64_t
round_trips_of_owners(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0) {
		hold();
		enqueue_owners();
		grant_all();
	}
	return bench_now() - begun;
}

/* From the release on: what is left of the waiters is granted, told and
 * freed. */
static uint64_t
grants(size_t count)
{
	uint64_t begun, taken = 0;

	while (count-- > 0) {
		hold();
		enqueue();
		begun = bench_now();
		grant_all();
		taken += bench_now() - begun;
	}
	return taken;
}

/* One to two minutes, so that none is over, at random. */
static struct timeval
random_timeout(size_t i)
{
	const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t thrown = (i + 1) * factor;
	struct timeval timeout;

	thrown = (thrown ^ thrown >> 32) * factor >> 32;
	timeout.tv_sec = 60 + (long)(thrown * 60 >> 32);
	timeout.tv_usec = (long)(thrown % 1000000);
	return timeout;
}

static uint64_t
with_timeouts(size_t count)
{
	const uint64_t begun = bench_now();
	struct timeval timeout;
	size_t i;

	while (count-- > 0) {
		hold();
		enqueue();
		for (i = 0; i < waiter_count; i++) {
			timeout = random_timeout(i);
			evdeferred_add_timeout(waiters[i].d, &timeout);
		}
		grant_all();
	}
	return bench_now() - begun;
}

static void **order;

static uint64_t
cancels(size_t count)
{
	const size_t before = failed;
	uint64_t begun, taken = 0;
	size_t i, round;

	for (round = 0; round < count; round++) {
		hold();
		enqueue_failing();
		for (i = 0; i < waiter_count; i++)
			order[i] = waiters[i].d;
		bench_shuffle(order, waiter_count);
		begun = bench_now();
		for (i = 0; i < waiter_count; i++) {
			evdeferred_cancel(order[i]);
			evdeferred_free(order[i]);
		}
		taken += bench_now() - begun;
		bench_check(evrwlock_writer_release(lock) == 0);
	}
	bench_check(failed == before + count * waiter_count);
	return taken;
}

static void
prepare(size_t n, unsigned flags)
{
	lock = evrwlock_new(base, flags);
	bench_check(lock != NULL);
	waiters = bench_alloc(n * sizeof(waiters[0]));
	waiter_count = n;
}

static void
finish(void)
{
	bench_check(!evrwlock_is_reading(lock) && !evrwlock_is_writing(lock));
	evrwlock_free(lock);
	free(waiters);
}

static double
measured(bench_fn fn, size_t n, unsigned flags)
{
	double figure;

	prepare(n, flags);
	figure = bench_measure(fn, n);
	finish();
	return figure;
}

double
waiters_loop(size_t n)
{
	return measured(round_trips, n, 0);
}

double
waiters_fast(size_t n)
{
	return measured(round_trips, n, EVRWLOCK_FAST);
}

/* Writers leave before readers, and so give their memory back before.  After
 * some passes it is handed out in an order that no cache foresees. */
double
waiters_mixed(size_t n)
{
	double figure;

	prepare(n, 0);
	round_trips(PASSES);
	figure = (double)round_trips(1) / (double)n;
	finish();
	return figure;
}

double
grant_loop(size_t n)
{
	return measured(grants, n, 0);
}

double
timeouts(size_t n)
{
	return measured(with_timeouts, n, 0);
}

double
waiters_owners(size_t n)
{
	double figure;
	size_t i;

	prepare(n, 0);
	for (i = 0; i < n; i++) {
		waiters[i].owner = evowner_new(base, NULL);
		bench_check(waiters[i].owner != NULL);
	}
	figure = bench_measure(round_trips_of_owners, n);
	for (i = 0; i < n; i++)
		evowner_free(waiters[i].owner);
	finish();
	return figure;
}

double
cancel(size_t n)
{
	double figure;

	order = bench_alloc(n * sizeof(order[0]));
	figure = measured(cancels, n, 0);
	free(order);
	return figure;
}

/* What all waiters take, lock included, by the first of them: the pools are
 * empty before. */
double
memory(size_t n)
{
	size_t before, after;

	waiters = bench_alloc(n * sizeof(waiters[0]));
	waiter_count = n;
	before = bench_allocated();
	lock = evrwlock_new(base, 0);
	bench_check(lock != NULL);
	hold();
	enqueue();
	after = bench_allocated();
	grant_all();
	finish();
	return (double)(after - before) / (double)n;
}

/* The longest time that the loop was away from its poll.  libevent calls this
 * function of the program instead of that of libc.  Other works do not pay for the
 * two looks at the clock. */
static uint64_t left_poll, longest;

int
epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);
	uint64_t now;
	int ready;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
	if (left_poll == 0)
		return real(epfd, events, maxevents, timeout);
	now = bench_clock();
	if (now - left_poll > longest)
		longest = now - left_poll;
	ready = real(epfd, events, maxevents, timeout);
	left_poll = bench_clock();
	return ready;
}

double
gap(size_t n)
{
	prepare(n, 0);
	hold();
	enqueue();
	longest = 0;
	left_poll = bench_clock();
	grant_all();
	bench_check(longest > 0);
	finish();
	return (double)longest / 1e3;
}
