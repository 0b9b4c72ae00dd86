/* SPDX-License-Identifier: MIT */
/*
 * Acquire, add_callback, the callback runs and releases, free; or with a body.
 */
#include "evdefer_works.h"

#include <stdlib.h>

static struct evrwlock *lock;
static struct evowner *owner;
static struct evdeferred **batched;
static size_t batch_size;

static double
measured(bench_fn fn, unsigned flags, size_t operations)
{
	double figure;

	lock = evrwlock_new(base, flags);
	owner = evowner_new(base, "owner");
	bench_check(lock != NULL && owner != NULL);
	figure = bench_measure(fn, operations);
	bench_check(!evrwlock_is_reading(lock) && !evrwlock_is_writing(lock));
	bench_check(granted > 0);
	evowner_free(owner);
	evrwlock_free(lock);
	return figure;
}

static uint64_t
readers(size_t count)
{
	const uint64_t begun = bench_now();
	struct evdeferred *d;

	while (count-- > 0) {
		d = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d, read_and_release, NULL);
		evdeferred_free(d);
	}
	return bench_now() - begun;
}

static uint64_t
writers(size_t count)
{
	const uint64_t begun = bench_now();
	struct evdeferred *d;

	while (count-- > 0) {
		d = evrwlock_writer_acquire(lock);
		evdeferred_add_callback(d, write_and_release, NULL);
		evdeferred_free(d);
	}
	return bench_now() - begun;
}

double
read_fast(size_t n)
{
	return measured(readers, EVRWLOCK_FAST, n);
}

double
write_fast(size_t n)
{
	return measured(writers, EVRWLOCK_FAST, n);
}

/* Each with a turn of the loop of its own. */

static uint64_t
readers_by_loop(size_t count)
{
	const uint64_t begun = bench_now();
	struct evdeferred *d;

	while (count-- > 0) {
		d = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d, read_and_release, NULL);
		event_base_loop(loop, EVLOOP_NONBLOCK);
		evdeferred_free(d);
	}
	return bench_now() - begun;
}

static uint64_t
writers_by_loop(size_t count)
{
	const uint64_t begun = bench_now();
	struct evdeferred *d;

	while (count-- > 0) {
		d = evrwlock_writer_acquire(lock);
		evdeferred_add_callback(d, write_and_release, NULL);
		event_base_loop(loop, EVLOOP_NONBLOCK);
		evdeferred_free(d);
	}
	return bench_now() - begun;
}

double
read_loop(size_t n)
{
	return measured(readers_by_loop, 0, n);
}

double
write_loop(size_t n)
{
	return measured(writers_by_loop, 0, n);
}

/* Many readers that come before the loop has its turn. */
static uint64_t
batches(size_t count)
{
	const uint64_t begun = bench_now();
	size_t i;

	while (count-- > 0) {
		for (i = 0; i < batch_size; i++) {
			batched[i] = evrwlock_reader_acquire(lock);
			evdeferred_add_callback(
			    batched[i], read_and_release, NULL);
		}
		event_base_dispatch(loop);
		for (i = 0; i < batch_size; i++)
			evdeferred_free(batched[i]);
	}
	return bench_now() - begun;
}

double
batch(size_t n)
{
	double figure;

	batched = bench_alloc(n * sizeof(struct evdeferred *));
	batch_size = n;
	figure = measured(batches, 0, n);
	free(batched);
	return figure;
}

static struct evresult
owner_read(void *value, void *arg)
{
	(void)arg;
	granted++;
	evrwlock_release(value, owner, EVRWLOCK_READ);
	return evresult_value(NULL);
}

static struct evresult
owner_write(void *value, void *arg)
{
	(void)arg;
	granted++;
	evrwlock_release(value, owner, EVRWLOCK_WRITE);
	return evresult_value(NULL);
}

static uint64_t
owner_readers(size_t count)
{
	const uint64_t begun = bench_now();
	struct evdeferred *d;

	while (count-- > 0) {
		d = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
		evdeferred_add_callback(d, owner_read, NULL);
		evdeferred_free(d);
	}
	return bench_now() - begun;
}

static uint64_t
owner_writers(size_t count)
{
	const uint64_t begun = bench_now();
	struct evdeferred *d;

	while (count-- > 0) {
		d = evrwlock_acquire(lock, owner, EVRWLOCK_WRITE);
		evdeferred_add_callback(d, owner_write, NULL);
		evdeferred_free(d);
	}
	return bench_now() - begun;
}

double
owner_read_fast(size_t n)
{
	return measured(owner_readers, EVRWLOCK_FAST, n);
}

double
owner_write_fast(size_t n)
{
	return measured(owner_writers, EVRWLOCK_FAST, n);
}

static struct evresult
count_body(void *arg)
{
	(void)arg;
	granted++;
	return evresult_value(NULL);
}

static uint64_t
with_readers(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0)
		evdeferred_free(evrwlock_with_reader(lock, count_body, NULL));
	return bench_now() - begun;
}

static uint64_t
owner_with_readers(size_t count)
{
	const uint64_t begun = bench_now();

	while (count-- > 0)
		evdeferred_free(evrwlock_with(
		    lock, owner, EVRWLOCK_READ, NULL, count_body, NULL));
	return bench_now() - begun;
}

double
with_reader_fast(size_t n)
{
	return measured(with_readers, EVRWLOCK_FAST, n);
}

double
owner_with_reader_fast(size_t n)
{
	return measured(owner_with_readers, EVRWLOCK_FAST, n);
}
