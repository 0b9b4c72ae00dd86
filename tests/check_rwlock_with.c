/* SPDX-License-Identifier: MIT */
/* evrwlock_with_reader() and evrwlock_with_writer(): acquire, run, release. */
#include "rwlocks.h"

#include <errno.h>
#include <string.h>

START_TEST(with_holds_runs_and_releases)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	w.result = evresult_value(&w);
	d = with(&w, mode_of(_i / 2));
	if (_i % 2 == 0)
		ck_assert_int_eq(w.runs, 0);
	see(d, &seen);
	settle();
	ck_assert_int_eq(w.runs, 1);
	ck_assert_uint_eq(w.readers, _i / 2 == 0);
	ck_assert_uint_eq(w.writers, _i / 2 == 1);
	ck_assert_ptr_eq(seen.value, &w);
	counts(0, 0, 0, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_on_failure)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	w.result = evresult_fail(EIO, "body");
	d = with(&w, mode_of(_i / 2));
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.code, EIO);
	counts(0, 0, 0, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_holds_until_the_deferred_fires)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, mode_of(_i / 2));
	see(d, &seen);
	settle();
	counts(_i / 2 == 0, _i / 2 == 1, 0, 0);
	evdeferred_callback(w.inner, &seen);
	counts(0, 0, 0, 0);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_when_the_deferred_fails)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, mode_of(_i / 2));
	see(d, &seen);
	settle();
	evdeferred_errback(w.inner, EIO, "inner");
	counts(0, 0, 0, 0);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_on_cancel)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, mode_of(_i / 2));
	see(d, &seen);
	settle();
	evdeferred_cancel(d);
	counts(0, 0, 0, 0);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_callback(w.inner, NULL);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_on_free)
{
	struct body w = {0};
	struct evdeferred *d;
	int freed = 0;

	make_lock(_i);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, mode_of(_i / 2));
	settle();
	evdeferred_free(d);
	counts(0, 0, 0, 0);
	ck_assert_int_eq(evdeferred_fire(w.inner, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
	done(NULL, 0);
}
END_TEST

START_TEST(with_cancelled_while_it_waits_runs_nothing)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	evrwlock_writer_try(lock);
	d = with(&w, mode_of(_i / 2));
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	ck_assert_int_eq(w.runs, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_on_a_closed_lock_runs_nothing)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	evrwlock_writer_try(lock);
	d = with(&w, mode_of(_i / 2));
	see(d, &seen);
	evrwlock_free(lock);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	memset(&seen, 0, sizeof(seen));
	d = with(&w, mode_of(_i / 2));
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(w.runs, 0);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}
END_TEST

START_TEST(with_disposes_of_an_owned_result_once)
{
	struct body w = {0};
	int freed = 0;
	struct evdeferred *d;

	make_lock(_i);
	w.result = counting(&freed);
	d = with(&w, mode_of(_i / 2));
	settle();
	counts(0, 0, 0, 0);
	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
	done(NULL, 0);
}
END_TEST

static struct evdeferred *own;

static struct evresult
free_own_in_body(void *arg)
{
	evdeferred_free(own);
	return run_body(arg);
}

/* Only where the loop delivers can the body know its Deferred. */
START_TEST(with_freed_inside_its_body_releases)
{
	struct body w = {0};
	int freed = 0, late = 0;

	make_lock(0);
	if (_i % 2 == 0)
		w.result = counting(&freed);
	else
		w.inner = evdeferred_new(base, NULL, NULL);
	own = with_by_name(lock, mode_of(_i / 2), free_own_in_body, &w);
	settle();
	ck_assert_int_eq(w.runs, 1);
	counts(0, 0, 0, 0);
	if (_i % 2 == 1)
		evdeferred_fire(w.inner, counting(&late));
	ck_assert_int_eq(freed + late, 1);
	done(NULL, 0);
}
END_TEST

static void
check_still_held(struct evdeferred *inner, void *mode)
{
	(void)inner;
	ck_assert(mode == NULL ? evrwlock_is_reading(lock)
			       : evrwlock_is_writing(lock));
}

START_TEST(with_freed_inside_its_body_calls_off_before_it_releases)
{
	struct body w = {0};

	make_lock(0);
	w.inner = evdeferred_new(base, check_still_held, _i == 0 ? NULL : lock);
	own = with_by_name(lock, mode_of(_i), free_own_in_body, &w);
	settle();
	ck_assert_int_eq(w.runs, 1);
	counts(0, 0, 0, 0);
	done(NULL, 0);
}
END_TEST

static struct evresult
close_in_body(void *arg)
{
	evrwlock_free(lock);
	return run_body(arg);
}

/* The lock outlives the body that closes it, and goes with its release. */
START_TEST(with_closed_inside_its_body)
{
	struct body w = {0};
	struct evdeferred *d;
	struct seen seen = {0};

	make_lock(_i);
	w.inner = evdeferred_new(base, NULL, NULL);
	ck_assert_ptr_nonnull(w.inner);
	d = with_by_name(lock, mode_of(_i / 2), close_in_body, &w);
	see(d, &seen);
	settle();
	counts(_i / 2 == 0, _i / 2 == 1, 0, 0);
	evdeferred_callback(w.inner, &w);
	ck_assert_ptr_eq(seen.value, &w);
	evdeferred_free(d);
}
END_TEST

START_TEST(with_lets_waiters_in_before_its_result_goes_on)
{
	struct body w = {0};
	struct evdeferred *d;
	struct waiter p[1];

	make_lock(_i);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, mode_of(_i / 2));
	settle();
	writer(&p[0]);
	settle();
	ck_assert_int_eq(p[0].ended, 0);
	evdeferred_callback(w.inner, NULL);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	evdeferred_free(d);
	leave(&p[0]);
	done(p, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rwlock_with");
	TCase *tc = add_case(suite, "with");

	tcase_add_loop_test(tc, with_holds_runs_and_releases, 0, 4);
	tcase_add_loop_test(tc, with_releases_on_failure, 0, 4);
	tcase_add_loop_test(tc, with_holds_until_the_deferred_fires, 0, 4);
	tcase_add_loop_test(tc, with_releases_when_the_deferred_fails, 0, 4);
	tcase_add_loop_test(tc, with_releases_on_cancel, 0, 4);
	tcase_add_loop_test(tc, with_releases_on_free, 0, 4);
	tcase_add_loop_test(
	    tc, with_cancelled_while_it_waits_runs_nothing, 0, 4);
	tcase_add_loop_test(tc, with_on_a_closed_lock_runs_nothing, 0, 4);
	tcase_add_loop_test(tc, with_freed_inside_its_body_releases, 0, 4);
	tcase_add_loop_test(
	    tc, with_freed_inside_its_body_calls_off_before_it_releases, 0, 2);
	tcase_add_loop_test(tc, with_closed_inside_its_body, 0, 4);
	tcase_add_loop_test(tc, with_disposes_of_an_owned_result_once, 0, 4);
	tcase_add_loop_test(
	    tc, with_lets_waiters_in_before_its_result_goes_on, 0, 4);
	return support_main(suite);
}
