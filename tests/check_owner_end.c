/* SPDX-License-Identifier: MIT */
/* evowner_free(): it gives back all that the owner holds and cancels all that it waits
 * for, whatever happens meanwhile. */
#include "owners.h"

#include <errno.h>

/* Links of kind both. */

START_TEST(end_gives_all_back_and_cancels_all)
{
	struct waiter a[6], b[3];
	int k;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	get(&a[2], locks[0], ann, EVRWLOCK_WRITE);
	get(&a[3], locks[1], ann, EVRWLOCK_READ);
	get(&b[2], locks[2], bob, EVRWLOCK_WRITE);
	request(&b[0], locks[0], cid, EVRWLOCK_READ);
	request(&b[1], locks[1], cid, EVRWLOCK_WRITE);
	request(&a[4], locks[2], ann, EVRWLOCK_READ);
	request(&a[5], locks[2], ann, EVRWLOCK_WRITE);
	end_owner(&ann);
	ck_assert_int_eq(a[4].failed, ECANCELED);
	ck_assert_int_eq(a[5].failed, ECANCELED);
	lock_counts(locks[0], 1, 0, 0, 0);
	lock_counts(locks[1], 0, 1, 0, 0);
	lock_counts(locks[2], 0, 1, 0, 0);
	settle();
	ck_assert_int_eq(b[0].granted, 1);
	ck_assert_int_eq(b[1].granted, 1);
	for (k = 0; k < 6; k++)
		ck_assert_int_eq(a[k].ended, 1);
	free_waiters(a, 6);
	free_waiters(b, 3);
	done();
}
END_TEST

START_TEST(end_with_grants_undelivered)
{
	struct waiter w, a[4], b[2];
	int k;

	make(_i);
	get(&w, locks[0], bob, EVRWLOCK_WRITE);
	request(&a[0], locks[0], ann, EVRWLOCK_READ);
	request(&a[1], locks[0], ann, EVRWLOCK_READ);
	request(&a[2], locks[1], ann, EVRWLOCK_WRITE);
	request(&a[3], locks[1], ann, EVRWLOCK_READ);
	request(&b[0], locks[0], cid, EVRWLOCK_READ);
	request(&b[1], locks[1], cid, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_release(locks[0], bob, EVRWLOCK_WRITE), 0);
	end_owner(&ann);
	for (k = 0; k < 4; k++)
		ck_assert_int_eq(
		    _i == 1 ? a[k].granted : a[k].failed == ECANCELED, 1);
	lock_counts(locks[0], 1, 0, 0, 0);
	lock_counts(locks[1], 0, 1, 0, 0);
	settle();
	ck_assert_int_eq(b[0].granted, 1);
	ck_assert_int_eq(b[1].granted, 1);
	free_waiters(&w, 1);
	free_waiters(a, 4);
	free_waiters(b, 2);
	done();
}
END_TEST

START_TEST(end_grants_nothing_to_the_owner_meanwhile)
{
	struct waiter r, a[2];

	make(_i);
	get(&r, locks[0], bob, EVRWLOCK_READ);
	/* The end of its own write would let its own read in. */
	request(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	request(&a[1], locks[0], ann, EVRWLOCK_READ);
	end_owner(&ann);
	ck_assert_int_eq(a[0].failed, ECANCELED);
	ck_assert_int_eq(a[1].failed, ECANCELED);
	ck_assert_int_eq(a[1].granted, 0);
	lock_counts(locks[0], 1, 0, 0, 0);
	free_waiters(&r, 1);
	free_waiters(a, 2);
	done();
}
END_TEST

START_TEST(end_with_grants_fired_but_not_received)
{
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};
	struct waiter b;

	make(_i % 2);
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_WRITE);
	if (_i / 2 == 1)
		ck_assert_int_eq(evdeferred_pause(d), 0);
	settle();
	request(&b, locks[0], bob, EVRWLOCK_WRITE);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(b.granted, 1);
	see(d, &seen);
	if (_i / 2 == 1)
		ck_assert_int_eq(evdeferred_unpause(d), 0);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(seen.values, 0);
	lock_counts(locks[0], 0, 1, 0, 0);
	evdeferred_free(d);
	free_waiters(&b, 1);
	done();
}
END_TEST

START_TEST(end_voids_grants_that_outlive_the_lock)
{
	struct evrwlock *lock;
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	lock = new_lock(_i);
	d = evrwlock_acquire(lock, ann, EVRWLOCK_READ);
	settle();
	evrwlock_free(lock);
	end_owner(&ann);
	/* The lock is gone. */
	see(d, &seen);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
	done();
}
END_TEST

/* Unpauses its argument. */
static struct evresult
unpause(struct evfailure *failure, void *arg)
{
	(void)failure;
	evdeferred_unpause(arg);
	return evresult_value(NULL);
}

START_TEST(end_delivers_nothing_from_inside)
{
	struct evdeferred *held, *waits;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	ck_assert_int_eq(evrwlock_try(locks[1], bob, EVRWLOCK_WRITE), 0);
	held = evrwlock_acquire(locks[0], ann, EVRWLOCK_WRITE);
	evdeferred_pause(held);
	see(held, &seen);
	settle();
	waits = evrwlock_acquire(locks[1], ann, EVRWLOCK_WRITE);
	evdeferred_add_errback(waits, unpause, held);
	/* The errback runs while ann still has the other lock. */
	end_owner(&ann);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_free(held);
	evdeferred_free(waits);
	done();
}
END_TEST

START_TEST(end_inside_a_callback_of_its_own)
{
	struct waiter a, rest[2], b;

	make(_i % 2);
	get(&rest[0], locks[1], ann, EVRWLOCK_READ);
	ck_assert_int_eq(evrwlock_writer_try(locks[2]), 0);
	request(&rest[1], locks[2], ann, EVRWLOCK_READ);
	request_ending(&a, locks[0], ann, mode_of(_i / 2), &ann);
	request(&b, locks[0], bob, EVRWLOCK_WRITE);
	settle();
	ck_assert_ptr_null(ann);
	ck_assert_int_eq(a.granted, 1);
	ck_assert_int_eq(rest[1].failed, ECANCELED);
	ck_assert_int_eq(b.granted, 1);
	lock_counts(locks[1], 0, 0, 0, 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[2]), 0);
	free_waiters(&a, 1);
	free_waiters(rest, 2);
	free_waiters(&b, 1);
	done();
}
END_TEST

START_TEST(end_inside_an_errback_of_its_own)
{
	struct waiter a, b;

	make(_i);
	get(&b, locks[0], bob, EVRWLOCK_READ);
	get(&a, locks[1], ann, EVRWLOCK_READ);
	evdeferred_free(a.d);
	request_ending(&a, locks[0], ann, EVRWLOCK_WRITE, &ann);
	evdeferred_cancel(a.d);
	ck_assert_ptr_null(ann);
	ck_assert_int_eq(a.failed, ECANCELED);
	lock_counts(locks[1], 0, 0, 0, 0);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	done();
}
END_TEST

START_TEST(end_inside_a_body_of_its_own)
{
	struct body with = {NULL, &ann, 0};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};
	struct waiter b;

	make(_i % 2);
	d = run_with(locks[0], ann, mode_of(_i / 2), &with);
	see(d, &seen);
	request(&b, locks[0], bob, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(seen.values, 1);
	ck_assert_int_eq(b.granted, 1);
	evdeferred_free(d);
	free_waiters(&b, 1);
	done();
}
END_TEST

START_TEST(end_while_a_body_is_pending)
{
	struct body with = {evdeferred_new(base, NULL, NULL), NULL, 0};
	struct evdeferred *producer = with.waits_for, *d;
	struct seen seen = {0, 0, NULL, 0};
	struct waiter b;

	make(_i % 2);
	d = run_with(locks[0], ann, mode_of(_i / 2), &with);
	see(d, &seen);
	request(&b, locks[0], bob, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(b.ended, 0);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(b.granted, 1);
	ck_assert_int_eq(seen.values + seen.failures, 0);
	switch (_i / 4) {
	case 0:
		evdeferred_callback(producer, NULL);
		ck_assert_int_eq(seen.values, 1);
		break;
	case 1:
		evdeferred_errback(producer, EIO, NULL);
		ck_assert_int_eq(seen.code, EIO);
		break;
	default:
		evdeferred_cancel(d);
		ck_assert_int_eq(seen.code, ECANCELED);
		evdeferred_callback(producer, NULL);
	}
	lock_counts(locks[0], 0, 1, 0, 0);
	evdeferred_free(d);
	free_waiters(&b, 1);
	done();
}
END_TEST

START_TEST(end_while_a_body_has_not_begun)
{
	struct body with = {NULL, NULL, 0};
	struct seen seen = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i % 2);
	if (_i / 2 == 1)
		ck_assert_int_eq(
		    evrwlock_try(locks[0], bob, EVRWLOCK_WRITE), 0);
	d = run_with(locks[0], ann, EVRWLOCK_READ, &with);
	see(d, &seen);
	end_owner(&ann);
	settle();
	if (_i != 1) {
		ck_assert_int_eq(with.runs, 0);
		ck_assert_int_eq(seen.code, ECANCELED);
	}
	evdeferred_free(d);
	done();
}
END_TEST

static void
canceller_ends(struct evdeferred *d, void *arg)
{
	(void)d;
	end_owner(arg);
}

START_TEST(end_inside_a_canceller)
{
	struct evdeferred *outer = evdeferred_new(base, canceller_ends, &ann);
	struct body with = {outer, NULL, 0};
	struct evdeferred *d;
	struct waiter b;

	make(_i);
	d = run_with(locks[0], ann, EVRWLOCK_WRITE, &with);
	request(&b, locks[0], bob, EVRWLOCK_WRITE);
	settle();
	/* The lock that its canceller gives back is that of the body. */
	if (_i / 2 == 0)
		evdeferred_cancel(d);
	evdeferred_free(d);
	ck_assert_ptr_null(ann);
	settle();
	ck_assert_int_eq(b.granted, 1);
	free_waiters(&b, 1);
	done();
}
END_TEST

START_TEST(end_while_a_waiter_of_its_own_is_being_freed)
{
	struct evdeferred *d, *other = evdeferred_new(base, NULL, NULL);
	struct waiter w, chained;

	make(_i);
	get(&w, locks[0], bob, EVRWLOCK_WRITE);
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	/* The chained one fails, and its link ends ann. */
	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	wait_ending(&chained, other, NULL, &ann);
	evdeferred_free(d);
	ck_assert_ptr_null(ann);
	ck_assert_int_eq(chained.failed, ECANCELED);
	lock_counts(locks[0], 0, 1, 0, 0);
	evdeferred_free(other);
	free_waiters(&w, 1);
	done();
}
END_TEST

START_TEST(ends_nest)
{
	struct waiter a, b, c, d;

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_WRITE);
	get(&b, locks[1], bob, EVRWLOCK_WRITE);
	/* The end of ann lets cid in, who ends bob, which lets cid in ... */
	request_ending(&c, locks[0], cid, EVRWLOCK_WRITE, &bob);
	request_ending(&d, locks[1], cid, EVRWLOCK_WRITE, &cid);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(c.granted, 1);
	ck_assert_int_eq(d.granted, 1);
	ck_assert_ptr_null(bob);
	ck_assert_ptr_null(cid);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	free_waiters(&c, 1);
	free_waiters(&d, 1);
	done();
}
END_TEST

START_TEST(ends_nest_in_errbacks)
{
	struct waiter h, a[2], b[2], c;

	make(_i);
	get(&h, locks[0], cid, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_writer_try(locks[1]), 0);
	request_ending(&a[0], locks[0], ann, EVRWLOCK_WRITE, &bob);
	request(&a[1], locks[1], ann, EVRWLOCK_READ);
	request_ending(&b[0], locks[0], bob, EVRWLOCK_WRITE, &cid);
	request(&b[1], locks[1], bob, EVRWLOCK_READ);
	request(&c, locks[1], cid, EVRWLOCK_READ);
	end_owner(&ann);
	ck_assert_ptr_null(bob);
	ck_assert_ptr_null(cid);
	ck_assert_int_eq(a[0].failed, ECANCELED);
	ck_assert_int_eq(a[1].failed, ECANCELED);
	ck_assert_int_eq(b[0].failed, ECANCELED);
	ck_assert_int_eq(b[1].failed, ECANCELED);
	ck_assert_int_eq(c.failed, ECANCELED);
	ck_assert_int_eq(evrwlock_writer_release(locks[1]), 0);
	free_waiters(&h, 1);
	free_waiters(a, 2);
	free_waiters(b, 2);
	free_waiters(&c, 1);
	done();
}
END_TEST

/* Frees the Deferred that its argument points to. */
static struct evresult
free_other(struct evfailure *failure, void *arg)
{
	struct evdeferred **other = arg;

	(void)failure;
	evdeferred_free(*other);
	*other = NULL;
	return evresult_value(NULL);
}

START_TEST(end_whose_errbacks_free_other_waiters)
{
	struct waiter h;
	struct evdeferred *d[3];
	int k;

	make(_i);
	get(&h, locks[0], bob, EVRWLOCK_READ);
	for (k = 0; k < 3; k++)
		d[k] = evrwlock_acquire(
		    locks[0], ann, k == 1 ? EVRWLOCK_READ : EVRWLOCK_WRITE);
	/* This is allowed for any but the one whose errback runs. */
	evdeferred_add_errback(d[0], free_other, &d[1]);
	end_owner(&ann);
	ck_assert_ptr_null(d[1]);
	evdeferred_free(d[0]);
	evdeferred_free(d[2]);
	free_waiters(&h, 1);
	done();
}
END_TEST

/* Closes the lock. */
static struct evresult
close_lock(struct evfailure *failure, void *arg)
{
	(void)failure;
	evrwlock_free(arg);
	return evresult_value(NULL);
}

START_TEST(end_whose_errbacks_close_the_lock)
{
	struct evrwlock *lock;
	struct evdeferred *d[2];

	make(_i);
	lock = new_lock(_i);
	ck_assert_int_eq(evrwlock_try(lock, bob, EVRWLOCK_READ), 0);
	d[0] = evrwlock_acquire(lock, ann, EVRWLOCK_WRITE);
	d[1] = evrwlock_acquire(lock, ann, EVRWLOCK_READ);
	ck_assert_int_eq(evdeferred_add_errback(d[0], close_lock, lock), 0);
	end_owner(&ann);
	ck_assert_int_eq(evrwlock_release(lock, bob, EVRWLOCK_READ), 0);
	evdeferred_free(d[0]);
	evdeferred_free(d[1]);
	done();
}
END_TEST

/* The lock is closed after the end has let another in, and before that is told. */
START_TEST(end_whose_errbacks_close_a_lock_tells_those_let_in)
{
	struct evrwlock *lock;
	struct evdeferred *first;
	struct waiter h, a, c;

	make(_i);
	lock = new_lock(_i);
	get(&h, locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_try(lock, bob, EVRWLOCK_READ), 0);
	first = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(evdeferred_add_errback(first, close_lock, lock), 0);
	request(&a, lock, ann, EVRWLOCK_WRITE);
	request(&c, lock, cid, EVRWLOCK_READ);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(a.failed, ECANCELED);
	ck_assert_int_eq(c.granted, 1);
	ck_assert_int_eq(evrwlock_release(lock, cid, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_release(lock, bob, EVRWLOCK_READ), 0);
	evdeferred_free(first);
	free_waiters(&h, 1);
	free_waiters(&a, 1);
	free_waiters(&c, 1);
	done();
}
END_TEST

static struct waiter meanwhile;

static struct evresult
request_again(struct evfailure *failure, void *arg)
{
	(void)failure;
	request(&meanwhile, locks[1], arg, EVRWLOCK_READ);
	REFUSED(evrwlock_try(locks[1], arg, EVRWLOCK_READ), ESHUTDOWN);
	return evresult_value(NULL);
}

START_TEST(acquire_of_an_owner_that_ends_is_eshutdown)
{
	struct waiter h;
	struct evdeferred *d;

	make(_i);
	get(&h, locks[0], bob, EVRWLOCK_READ);
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_WRITE);
	evdeferred_add_errback(d, request_again, ann);
	end_owner(&ann);
	ck_assert_int_eq(meanwhile.failed, ESHUTDOWN);
	lock_counts(locks[1], 0, 0, 0, 0);
	evdeferred_free(d);
	free_waiters(&h, 1);
	free_waiters(&meanwhile, 1);
	done();
}
END_TEST

START_TEST(cancelled_waits_are_not_reported)
{
	struct evdeferred *d;

	make(_i);
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_WRITE), 0);
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	end_owner(&ann);
	evdeferred_free(d);
	ck_assert_int_eq(report.count, 0);
	done();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("owner_end");
	TCase *tc = add_case(suite, "the end of an owner");

	tcase_add_loop_test(tc, end_gives_all_back_and_cancels_all, 0, 2);
	tcase_add_loop_test(tc, end_with_grants_undelivered, 0, 2);
	tcase_add_loop_test(
	    tc, end_grants_nothing_to_the_owner_meanwhile, 0, 2);
	tcase_add_loop_test(tc, end_with_grants_fired_but_not_received, 0, 4);
	tcase_add_loop_test(tc, end_voids_grants_that_outlive_the_lock, 0, 2);
	tcase_add_loop_test(tc, end_delivers_nothing_from_inside, 0, 2);
	tcase_add_loop_test(tc, end_inside_a_callback_of_its_own, 0, 4);
	tcase_add_loop_test(tc, end_inside_an_errback_of_its_own, 0, 2);
	tcase_add_loop_test(tc, end_inside_a_body_of_its_own, 0, 4);
	tcase_add_loop_test(tc, end_while_a_body_is_pending, 0, 12);
	tcase_add_loop_test(tc, end_while_a_body_has_not_begun, 0, 4);
	tcase_add_loop_test(tc, end_inside_a_canceller, 0, 4);
	tcase_add_loop_test(
	    tc, end_while_a_waiter_of_its_own_is_being_freed, 0, 2);
	tcase_add_loop_test(tc, ends_nest, 0, 2);
	tcase_add_loop_test(tc, ends_nest_in_errbacks, 0, 2);
	tcase_add_loop_test(tc, end_whose_errbacks_free_other_waiters, 0, 2);
	tcase_add_loop_test(tc, end_whose_errbacks_close_the_lock, 0, 2);
	tcase_add_loop_test(
	    tc, end_whose_errbacks_close_a_lock_tells_those_let_in, 0, 2);
	tcase_add_loop_test(
	    tc, acquire_of_an_owner_that_ends_is_eshutdown, 0, 2);
	tcase_add_loop_test(tc, cancelled_waits_are_not_reported, 0, 2);
	return support_main(suite);
}
