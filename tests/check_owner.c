/* SPDX-License-Identifier: MIT */
/* evdefer/owner.h, and the functions of evdefer/rwlock.h that take an owner.  Its
 * end, its deadlocks and more are in the files beside this one. */
#include "owners.h"

#include <errno.h>
#include <string.h>

/* Making, names, bad arguments. */

START_TEST(names)
{
	struct evowner *nameless = new_owner(NULL);
	char name[] = "joe";
	struct evowner *joe = new_owner(name);

	name[0] = 'x';
	ck_assert_str_eq(evowner_get_name(joe), "joe");
	ck_assert_str_ne(evowner_get_name(nameless), "");
	ck_assert_ptr_null(evowner_get_name(NULL));
	evowner_free(joe);
	evowner_free(nameless);
	evowner_free(NULL);
	REFUSED_NULL(evowner_new(NULL, "joe"), EINVAL);
}
END_TEST

/* Also names that end just where their memory does. */
START_TEST(names_of_any_length)
{
	struct evowner *owner;
	char name[64] = "";
	size_t length;

	for (length = 0; length < sizeof(name); length++) {
		memset(name, 'x', length);
		owner = new_owner(name);
		ck_assert_str_eq(evowner_get_name(owner), name);
		evowner_free(owner);
	}
}
END_TEST

START_TEST(names_of_locks)
{
	struct evrwlock *lock = new_lock(0);
	char name[] = "table";

	ck_assert_str_eq(evrwlock_get_name(lock), "a lock");
	ck_assert_int_eq(evrwlock_set_name(lock, name), 0);
	name[0] = 'x';
	ck_assert_str_eq(evrwlock_get_name(lock), "table");
	ck_assert_int_eq(evrwlock_set_name(lock, NULL), 0);
	ck_assert_str_eq(evrwlock_get_name(lock), "a lock");
	ck_assert_str_eq(evrwlock_get_name(NULL), "a lock");
	REFUSED(evrwlock_set_name(NULL, "x"), EINVAL);
	evrwlock_free(lock);
}
END_TEST

static void
refused_for(struct evrwlock *lock, struct evowner *owner)
{
	REFUSED_NULL(evrwlock_acquire(lock, owner, EVRWLOCK_READ), EINVAL);
	REFUSED_NULL(evrwlock_acquire(lock, owner, EVRWLOCK_WRITE), EINVAL);
	REFUSED(evrwlock_release(lock, owner, EVRWLOCK_READ), EINVAL);
	REFUSED(evrwlock_release(lock, owner, EVRWLOCK_WRITE), EINVAL);
	REFUSED(evrwlock_try(lock, owner, EVRWLOCK_READ), EINVAL);
	REFUSED(evrwlock_try(lock, owner, EVRWLOCK_WRITE), EINVAL);
	REFUSED_NULL(
	    evrwlock_with(lock, owner, EVRWLOCK_READ, NULL, body_value, NULL),
	    EINVAL);
	REFUSED_NULL(
	    evrwlock_with(lock, owner, EVRWLOCK_WRITE, NULL, body_value, NULL),
	    EINVAL);
}

static void
refused_in_mode(enum evrwlock_mode mode)
{
	static const struct timeval none = {0, -1};

	REFUSED_NULL(evrwlock_acquire(locks[0], ann, mode), EINVAL);
	REFUSED_NULL(evrwlock_acquire(locks[0], NULL, mode), EINVAL);
	REFUSED(evrwlock_try(locks[0], ann, mode), EINVAL);
	REFUSED(evrwlock_release(locks[0], ann, mode), EINVAL);
	REFUSED_NULL(
	    evrwlock_with(locks[0], ann, mode, NULL, body_value, NULL), EINVAL);
	REFUSED_NULL(evrwlock_with(
			 locks[0], ann, EVRWLOCK_READ, &none, body_value, NULL),
	    EINVAL);
}

START_TEST(bad_arguments_are_einval)
{
	struct evdefer_base *other = evdefer_base_new(loop);
	struct evowner *stranger = evowner_new(other, "stranger");

	ck_assert_ptr_nonnull(stranger);
	make(_i);
	refused_for(NULL, ann);
	refused_for(locks[0], stranger);
	REFUSED_NULL(
	    evrwlock_with(locks[0], ann, EVRWLOCK_READ, NULL, NULL, NULL),
	    EINVAL);
	REFUSED_NULL(
	    evrwlock_with(locks[0], ann, EVRWLOCK_WRITE, NULL, NULL, NULL),
	    EINVAL);
	refused_in_mode((enum evrwlock_mode)7);
	evowner_free(stranger);
	evdefer_base_free(other);
	done();
}
END_TEST

/* Reentrancy. */

START_TEST(read_is_reentrant_also_while_a_writer_waits)
{
	struct waiter a[3], w, r;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_READ);
	request(&w, locks[0], bob, EVRWLOCK_WRITE);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	get(&a[2], locks[0], ann, EVRWLOCK_READ);
	/* One that is not inside waits. */
	request(&r, locks[0], cid, EVRWLOCK_READ);
	settle();
	ck_assert_int_eq(r.ended, 0);
	lock_counts(locks[0], 3, 0, 1, 1);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(w.ended, 0);
	leave(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(w.granted, 1);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], cid, EVRWLOCK_READ);
	free_waiters(a, 3);
	free_waiters(&w, 1);
	free_waiters(&r, 1);
	done();
}
END_TEST

START_TEST(read_is_reentrant_before_its_grant_is_delivered)
{
	struct waiter w, a[3];

	make(_i);
	get(&w, locks[0], bob, EVRWLOCK_WRITE);
	request(&a[0], locks[0], ann, EVRWLOCK_READ);
	/* Readers are granted in one step: nothing knows ann yet. */
	ck_assert_int_eq(evrwlock_release(locks[0], bob, EVRWLOCK_WRITE), 0);
	request(&a[1], locks[0], cid, EVRWLOCK_WRITE);
	request(&a[2], locks[0], ann, EVRWLOCK_READ);
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	ck_assert_int_eq(a[1].ended, 0);
	ck_assert_int_eq(a[2].granted, 1);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(a[1].granted, 1);
	leave(locks[0], cid, EVRWLOCK_WRITE);
	free_waiters(&w, 1);
	free_waiters(a, 3);
	done();
}
END_TEST

START_TEST(write_is_reentrant)
{
	struct waiter a[3], r;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	request(&r, locks[0], bob, EVRWLOCK_READ);
	get(&a[1], locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	lock_counts(locks[0], 0, 3, 1, 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(r.ended, 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], bob, EVRWLOCK_READ);
	free_waiters(a, 2);
	free_waiters(&r, 1);
	done();
}
END_TEST

START_TEST(read_while_writing)
{
	struct waiter a[3], r;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	request(&r, locks[0], bob, EVRWLOCK_READ);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	lock_counts(locks[0], 1, 1, 1, 0);
	/* And write again beside its own read. */
	get(&a[2], locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(r.ended, 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], bob, EVRWLOCK_READ);
	free_waiters(a, 3);
	free_waiters(&r, 1);
	done();
}
END_TEST

START_TEST(write_released_first_goes_on_as_reader)
{
	struct waiter a[2], r[2], w;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	request(&r[0], locks[0], bob, EVRWLOCK_READ);
	request(&r[1], locks[0], cid, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(r[0].granted + r[1].granted, 2);
	lock_counts(locks[0], 3, 0, 0, 0);
	/* It is a reader like others. */
	request(&w, locks[0], ann, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(w.failed, EDEADLK);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], bob, EVRWLOCK_READ);
	leave(locks[0], cid, EVRWLOCK_READ);
	free_waiters(a, 2);
	free_waiters(r, 2);
	free_waiters(&w, 1);
	done();
}
END_TEST

START_TEST(write_released_first_lets_no_writer_in)
{
	struct waiter a[2], w, r;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	request(&w, locks[0], bob, EVRWLOCK_WRITE);
	request(&r, locks[0], cid, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(w.ended + r.ended, 0);
	leave(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(w.granted, 1);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], cid, EVRWLOCK_READ);
	free_waiters(a, 2);
	free_waiters(&w, 1);
	free_waiters(&r, 1);
	done();
}
END_TEST

START_TEST(write_while_only_reading_is_edeadlk_at_once)
{
	struct evrwlock_stats before, after;
	struct waiter r, w;
	struct seen body = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i);
	get(&r, locks[0], ann, EVRWLOCK_READ);
	evrwlock_get_stats(locks[0], &before);
	request(&w, locks[0], ann, EVRWLOCK_WRITE);
	/* No turn of the loop. */
	ck_assert_int_eq(w.failed, EDEADLK);
	REFUSED(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), EDEADLK);
	d = evrwlock_with(
	    locks[0], ann, EVRWLOCK_WRITE, NULL, body_value, NULL);
	see(d, &body);
	ck_assert_int_eq(body.code, EDEADLK);
	evdeferred_free(d);
	evrwlock_get_stats(locks[0], &after);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	/* A read of another owner makes no difference. */
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_READ), 0);
	REFUSED(evrwlock_try(locks[0], cid, EVRWLOCK_WRITE), EBUSY);
	leave(locks[0], bob, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	free_waiters(&r, 1);
	free_waiters(&w, 1);
	done();
}
END_TEST

/* Release and try. */

START_TEST(release_by_a_stranger_is_eperm)
{
	struct evrwlock_stats before, after;
	struct waiter a;

	make(_i);
	get(&a, locks[0], ann, mode_of(_i / 2));
	evrwlock_get_stats(locks[0], &before);
	REFUSED(evrwlock_release(locks[0], bob, mode_of(_i / 2)), EPERM);
	REFUSED(evrwlock_release(locks[0], ann, mode_of(!(_i / 2))), EPERM);
	REFUSED(evrwlock_release(locks[1], ann, mode_of(_i / 2)), EPERM);
	REFUSED(evrwlock_reader_release(locks[0]), EPERM);
	REFUSED(evrwlock_writer_release(locks[0]), EPERM);
	evrwlock_get_stats(locks[0], &after);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	leave(locks[0], ann, mode_of(_i / 2));
	REFUSED(evrwlock_release(locks[0], ann, mode_of(_i / 2)), EPERM);
	free_waiters(&a, 1);
	done();
}
END_TEST

START_TEST(owner_cannot_release_an_anonymous_hold)
{
	make(_i);
	ck_assert_int_eq(evrwlock_reader_try(locks[0]), 0);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_READ), EPERM);
	/* The owner is not inside because somebody is. */
	REFUSED(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), EBUSY);
	ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	done();
}
END_TEST

START_TEST(release_of_an_undelivered_grant_is_eperm)
{
	struct waiter a[2];

	make(0);
	request(&a[0], locks[0], ann, mode_of(_i));
	REFUSED(evrwlock_release(locks[0], ann, mode_of(_i)), EPERM);
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	/* The one that was received does not stand for one on its way,
	 * either. */
	request(&a[1], locks[0], ann, mode_of(_i));
	ck_assert_int_eq(evrwlock_release(locks[0], ann, mode_of(_i)), 0);
	REFUSED(evrwlock_release(locks[0], ann, mode_of(_i)), EPERM);
	settle();
	ck_assert_int_eq(a[1].granted, 1);
	leave(locks[0], ann, mode_of(_i));
	free_waiters(a, 2);
	done();
}
END_TEST

START_TEST(try_takes_for_the_owner)
{
	make(_i);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_READ), 0);
	REFUSED(evrwlock_try(locks[0], cid, EVRWLOCK_WRITE), EBUSY);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(evrwlock_try(locks[0], cid, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], cid, EVRWLOCK_READ), 0);
	REFUSED(evrwlock_try(locks[0], ann, EVRWLOCK_READ), EBUSY);
	leave(locks[0], cid, EVRWLOCK_WRITE);
	leave(locks[0], cid, EVRWLOCK_READ);
	done();
}
END_TEST

START_TEST(closed_lock_is_eshutdown)
{
	struct waiter a, w, late;
	struct evrwlock *lock;

	make(_i);
	lock = new_lock(_i);
	get(&a, lock, ann, EVRWLOCK_READ);
	request(&w, lock, bob, EVRWLOCK_WRITE);
	evrwlock_free(lock);
	ck_assert_int_eq(w.failed, ESHUTDOWN);
	request(&late, lock, ann, EVRWLOCK_READ);
	ck_assert_int_eq(late.failed, ESHUTDOWN);
	REFUSED(evrwlock_try(lock, ann, EVRWLOCK_READ), ESHUTDOWN);
	/* The holder may release, also by its end. */
	if (_i / 2 == 0)
		ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_READ), 0);
	free_waiters(&a, 1);
	free_waiters(&w, 1);
	free_waiters(&late, 1);
	done();
}
END_TEST

START_TEST(closed_base_is_eshutdown)
{
	struct waiter a, late;

	make(_i);
	request(&a, locks[0], ann, EVRWLOCK_WRITE);
	support_free_base();
	ck_assert_int_eq(a.granted, 1);
	request(&late, locks[1], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(late.failed, ESHUTDOWN);
	REFUSED(evrwlock_try(locks[1], ann, EVRWLOCK_WRITE), ESHUTDOWN);
	free_waiters(&a, 1);
	free_waiters(&late, 1);
	done();
}
END_TEST

/* Leaving. */

START_TEST(grant_of_a_lock_that_was_closed_is_cancelled)
{
	struct evrwlock *lock = new_lock(0);
	struct waiter a;

	make(0);
	request(&a, lock, ann, mode_of(_i));
	evrwlock_free(lock);
	ck_assert_int_eq(a.ended, 0);
	evdeferred_cancel(a.d);
	ck_assert_int_eq(a.failed, ECANCELED);
	free_waiters(&a, 1);
	done();
}
END_TEST

/* The end of ann makes room, but by then the lock grants nothing any more. */
START_TEST(grant_given_up_while_the_lock_closes_passes_to_nobody)
{
	struct evrwlock *lock = new_lock(0);
	struct waiter a, b, c;

	make(0);
	request(&a, lock, ann, EVRWLOCK_WRITE);
	request_ending(&b, lock, bob, mode_of(_i), &ann);
	request(&c, lock, cid, mode_of(_i));
	evrwlock_free(lock);
	settle();
	ck_assert_int_eq(a.failed, ECANCELED);
	ck_assert_int_eq(b.failed, ESHUTDOWN);
	ck_assert_int_eq(c.failed, ESHUTDOWN);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	free_waiters(&c, 1);
	done();
}
END_TEST

/* What the first of two readers requests as soon as it is told. */
struct latecomer {
	struct waiter waiter;
	bool anonymous;
};

static struct evresult
come_late(void *lock, void *arg)
{
	struct latecomer *late = arg;

	if (late->anonymous)
		wait_with(&late->waiter, evrwlock_reader_acquire(lock), lock);
	else
		request(&late->waiter, lock, cid, EVRWLOCK_READ);
	return evresult_value(NULL);
}

START_TEST(reader_that_comes_while_others_are_told_is_told_after_them)
{
	struct latecomer late = {.anonymous = _i / 2 == 1};
	struct evdeferred *d;
	struct waiter b;

	make(_i);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	evdeferred_add_callback(d, come_late, &late);
	request(&b, locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	settle();
	ck_assert_int_eq(b.order, 1);
	ck_assert_int_eq(late.waiter.order, 2);
	lock_counts(locks[0], 3, 0, 0, 0);
	if (late.anonymous)
		ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	evdeferred_free(d);
	free_waiters(&late.waiter, 1);
	free_waiters(&b, 1);
	done();
}
END_TEST

/* _i / 2: a reader behind a writer, a writer behind a writer, and a writer
 * behind a reader. */
START_TEST(waiter_cancelled_in_the_turn_of_its_grant_passes_it_on)
{
	const enum evrwlock_mode first = mode_of(_i / 4 == 0);
	const enum evrwlock_mode second =
	    _i / 4 == 0 ? mode_of(_i / 2) : EVRWLOCK_WRITE;
	struct waiter a, b, c;

	make(_i % 2);
	get(&a, locks[0], ann, first);
	request(&b, locks[0], bob, second);
	request(&c, locks[0], cid, EVRWLOCK_WRITE);
	if (_i % 2 == 1 || second == EVRWLOCK_READ) {
		/* With FAST, or behind the other, it still waits. */
		evdeferred_cancel(b.d);
		ck_assert_int_eq(evrwlock_release(locks[0], ann, first), 0);
	} else {
		ck_assert_int_eq(evrwlock_release(locks[0], ann, first), 0);
		evdeferred_cancel(b.d);
	}
	settle();
	ck_assert_int_eq(b.failed, ECANCELED);
	ck_assert_int_eq(c.granted, 1);
	leave(locks[0], cid, EVRWLOCK_WRITE);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	free_waiters(&c, 1);
	done();
}
END_TEST

START_TEST(readers_cancelled_in_the_turn_of_their_grant)
{
	struct waiter a, b, c, w;

	make(0);
	get(&a, locks[0], ann, EVRWLOCK_WRITE);
	request(&b, locks[0], bob, EVRWLOCK_READ);
	request(&c, locks[0], cid, EVRWLOCK_READ);
	ck_assert_int_eq(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), 0);
	evdeferred_cancel(b.d);
	request(&w, locks[0], ann, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(b.failed, ECANCELED);
	ck_assert_int_eq(c.granted, 1);
	REFUSED(evrwlock_release(locks[0], bob, EVRWLOCK_READ), EPERM);
	leave(locks[0], cid, EVRWLOCK_READ);
	ck_assert_int_eq(w.granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	free_waiters(&c, 1);
	free_waiters(&w, 1);
	done();
}
END_TEST

START_TEST(one_of_several_waiting_readers_is_cancelled)
{
	struct waiter a, b[2];

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_WRITE);
	request(&b[0], locks[0], bob, EVRWLOCK_READ);
	request(&b[1], locks[0], cid, EVRWLOCK_READ);
	evdeferred_cancel(b[1].d);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(b[1].failed, ECANCELED);
	ck_assert_int_eq(b[0].granted, 1);
	leave(locks[0], bob, EVRWLOCK_READ);
	lock_counts(locks[0], 0, 0, 0, 0);
	free_waiters(&a, 1);
	free_waiters(b, 2);
	done();
}
END_TEST

START_TEST(one_of_several_waiting_writers_is_cancelled)
{
	struct waiter a, b[2];

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_READ);
	request(&b[0], locks[0], bob, EVRWLOCK_WRITE);
	request(&b[1], locks[0], cid, EVRWLOCK_WRITE);
	evdeferred_cancel(b[1].d);
	leave(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(b[1].failed, ECANCELED);
	ck_assert_int_eq(b[0].granted, 1);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	lock_counts(locks[0], 0, 0, 0, 0);
	free_waiters(&a, 1);
	free_waiters(b, 2);
	done();
}
END_TEST

START_TEST(waiter_times_out)
{
	const struct timeval second = {1, 0};
	struct waiter a, r;
	struct seen seen = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_READ);
	d = evrwlock_acquire(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(evdeferred_add_timeout(d, &second), 0);
	see(d, &seen);
	request(&r, locks[0], cid, EVRWLOCK_READ);
	clock_advance(1100);
	settle();
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], cid, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	evdeferred_free(d);
	free_waiters(&a, 1);
	free_waiters(&r, 1);
	done();
}
END_TEST

START_TEST(forgotten_grant_is_released)
{
	struct evdeferred *d;
	struct waiter b;

	make(_i % 2);
	/* No callback at all, or only one for failures. */
	d = evrwlock_acquire(locks[0], ann, mode_of(_i / 2));
	evdeferred_add_errback(d, see_failure, NULL);
	request(&b, locks[0], bob, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(b.ended, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(b.granted, 1);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	free_waiters(&b, 1);
	done();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("owner");
	TCase *tc = add_case(suite, "names and arguments");

	tcase_add_test(tc, names);
	tcase_add_test(tc, names_of_any_length);
	tcase_add_test(tc, names_of_locks);
	tcase_add_loop_test(tc, bad_arguments_are_einval, 0, 2);

	tc = add_case(suite, "reentrancy");
	tcase_add_loop_test(
	    tc, read_is_reentrant_also_while_a_writer_waits, 0, 2);
	tcase_add_loop_test(
	    tc, read_is_reentrant_before_its_grant_is_delivered, 0, 2);
	tcase_add_loop_test(tc, write_is_reentrant, 0, 2);
	tcase_add_loop_test(tc, read_while_writing, 0, 2);
	tcase_add_loop_test(tc, write_released_first_goes_on_as_reader, 0, 2);
	tcase_add_loop_test(tc, write_released_first_lets_no_writer_in, 0, 2);
	tcase_add_loop_test(
	    tc, write_while_only_reading_is_edeadlk_at_once, 0, 2);

	tc = add_case(suite, "release, try, close");
	tcase_add_loop_test(tc, release_by_a_stranger_is_eperm, 0, 4);
	tcase_add_loop_test(tc, owner_cannot_release_an_anonymous_hold, 0, 2);
	tcase_add_loop_test(tc, release_of_an_undelivered_grant_is_eperm, 0, 2);
	tcase_add_loop_test(tc, try_takes_for_the_owner, 0, 2);
	tcase_add_loop_test(tc, closed_lock_is_eshutdown, 0, 4);
	tcase_add_loop_test(tc, closed_base_is_eshutdown, 0, 2);

	tc = add_case(suite, "leaving");
	tcase_add_loop_test(
	    tc, grant_of_a_lock_that_was_closed_is_cancelled, 0, 2);
	tcase_add_loop_test(
	    tc, grant_given_up_while_the_lock_closes_passes_to_nobody, 0, 2);
	tcase_add_loop_test(tc,
	    reader_that_comes_while_others_are_told_is_told_after_them, 0, 4);
	tcase_add_loop_test(
	    tc, waiter_cancelled_in_the_turn_of_its_grant_passes_it_on, 0, 6);
	tcase_add_test(tc, readers_cancelled_in_the_turn_of_their_grant);
	tcase_add_loop_test(
	    tc, one_of_several_waiting_readers_is_cancelled, 0, 2);
	tcase_add_loop_test(
	    tc, one_of_several_waiting_writers_is_cancelled, 0, 2);
	tcase_add_loop_test(tc, waiter_times_out, 0, 2);
	tcase_add_loop_test(tc, forgotten_grant_is_released, 0, 4);
	return support_main(suite);
}
