/* SPDX-License-Identifier: MIT */
#include "rwlocks.h"

struct evrwlock *lock;

void
make_lock(int i)
{
	lock = new_lock(i);
}

void
want(struct waiter *waiter, enum evrwlock_mode mode)
{
	wait_with(waiter, acquire_by_name(lock, mode), lock);
	waiter->mode = mode;
}

void
reader(struct waiter *waiter)
{
	want(waiter, EVRWLOCK_READ);
}

void
writer(struct waiter *waiter)
{
	want(waiter, EVRWLOCK_WRITE);
}

int
release(const struct waiter *waiter)
{
	return release_by_name(lock, waiter->mode);
}

void
leave(const struct waiter *waiter)
{
	ck_assert_int_eq(release(waiter), 0);
	settle();
}

void
counts(size_t readers, size_t writers, size_t readers_wait, size_t writers_wait)
{
	lock_counts(lock, readers, writers, readers_wait, writers_wait);
}

void
done(struct waiter *waiters, int count)
{
	free_waiters(waiters, count);
	counts(0, 0, 0, 0);
	evrwlock_free(lock);
}

struct evresult
run_body(void *arg)
{
	struct body *body = arg;
	struct evrwlock_stats stats;

	body->runs++;
	evrwlock_get_stats(lock, &stats);
	body->readers = stats.readers_inside;
	body->writers = stats.writers_inside;
	return body->inner != NULL ? evresult_deferred(body->inner)
				   : body->result;
}

struct evdeferred *
with(struct body *body, enum evrwlock_mode mode)
{
	struct evdeferred *d = with_by_name(lock, mode, run_body, body);

	ck_assert_ptr_nonnull(d);
	return d;
}
