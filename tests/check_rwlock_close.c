/* SPDX-License-Identifier: MIT */
/* evrwlock_free() and evrwlock_get_stats(): what becomes of those who wait or are
 * inside when a lock is closed, and what is counted of them before. */
#include "rwlocks.h"

#include <errno.h>
#include <string.h>

START_TEST(stats_count)
{
	struct evrwlock_stats stats;
	struct waiter p[6];
	int i;

	make_lock(_i);
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.longest_queue, 0);
	writer(&p[0]);
	for (i = 1; i < 4; i++)
		reader(&p[i]);
	for (i = 4; i < 6; i++)
		writer(&p[i]);
	settle();
	evdeferred_cancel(p[1].d);
	evdeferred_cancel(p[4].d);
	leave(&p[0]);
	leave(&p[5]);
	leave(&p[2]);
	leave(&p[3]);
	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	evrwlock_reader_release(lock);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	evrwlock_writer_release(lock);
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.readers_granted, 3);
	ck_assert_uint_eq(stats.writers_granted, 3);
	ck_assert_uint_eq(stats.cancelled, 2);
	ck_assert_uint_eq(stats.longest_queue, 5);
	done(p, 6);
}
END_TEST

START_TEST(stats_count_what_left_before_delivery)
{
	struct evrwlock_stats stats;
	struct waiter p[3];

	make_lock(0);
	writer(&p[0]);
	reader(&p[1]);
	reader(&p[2]);
	give_up(&p[0], CANCEL);
	give_up(&p[1], FREE);
	settle();
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.cancelled, 2);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

START_TEST(close_of_a_free_lock)
{
	make_lock(_i);
	evrwlock_free(lock);
}
END_TEST

START_TEST(close_fails_waiters_before_it_returns)
{
	struct waiter p[4];
	int i;

	make_lock(_i);
	writer(&p[0]);
	settle();
	writer(&p[1]);
	reader(&p[2]);
	reader(&p[3]);
	evrwlock_free(lock);
	for (i = 1; i < 4; i++) {
		ck_assert_int_eq(p[i].failed, ESHUTDOWN);
		ck_assert_int_eq(p[i].ended, 1);
		evdeferred_free(p[i].d);
	}
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	evdeferred_free(p[0].d);
}
END_TEST

START_TEST(close_lets_holders_release)
{
	struct waiter p[3];
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	reader(&p[0]);
	reader(&p[1]);
	settle();
	evrwlock_free(lock);
	REFUSED(evrwlock_reader_try(lock), ESHUTDOWN);
	REFUSED(evrwlock_writer_try(lock), ESHUTDOWN);
	d = evrwlock_reader_acquire(lock);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert(evrwlock_is_reading(lock));
	REFUSED(evrwlock_writer_release(lock), EPERM);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	evdeferred_free(p[0].d);
	evdeferred_free(p[1].d);
}
END_TEST

START_TEST(close_delivers_grants_on_their_way)
{
	struct waiter p[3];

	make_lock(0);
	reader(&p[0]);
	reader(&p[1]);
	reader(&p[2]);
	evrwlock_free(lock);
	ck_assert_int_eq(p[0].ended, 0);
	/* One of them is not delivered any more. */
	evdeferred_cancel(p[1].d);
	settle();
	ck_assert_int_eq(p[0].granted + p[2].granted, 2);
	ck_assert_int_eq(p[1].failed, ECANCELED);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	evdeferred_free(p[0].d);
	evdeferred_free(p[1].d);
	evdeferred_free(p[2].d);
}
END_TEST

START_TEST(close_with_only_an_undelivered_grant)
{
	struct waiter p[1];

	make_lock(0);
	writer(&p[0]);
	evrwlock_free(lock);
	/* The memory of the lock goes with it. */
	evdeferred_free(p[0].d);
	settle();
}
END_TEST

START_TEST(close_with_a_forgotten_grant)
{
	struct evdeferred *d;

	make_lock(_i);
	d = evrwlock_writer_acquire(lock);
	settle();
	evrwlock_free(lock);
	evdeferred_free(d);
}
END_TEST

static struct evresult
release_and_close(void *value, void *arg)
{
	const struct waiter *waiter = arg;

	on_grant(value, arg);
	evrwlock_free(value);
	release_by_name(value, waiter->mode);
	return evresult_value(NULL);
}

START_TEST(close_inside_a_callback)
{
	struct waiter p[4];
	bool first_writes = _i / 2 == 1;
	int i;

	make_lock(_i);
	memset(p, 0, sizeof(p));
	evrwlock_writer_try(lock);
	p[0].mode = mode_of(first_writes);
	p[0].d = acquire_by_name(lock, p[0].mode);
	evdeferred_add_callbacks(p[0].d, release_and_close, on_loss, &p[0]);
	for (i = 1; i < 4; i++)
		want(&p[i], mode_of(i == 3 && first_writes));
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	for (i = 1; i < 4; i++) {
		ck_assert_int_eq(p[i].ended, 1);
		/* Readers granted together are holders like any other. */
		if (first_writes)
			ck_assert_int_eq(p[i].failed, ESHUTDOWN);
		else
			ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	}
	for (i = 0; i < 4; i++)
		evdeferred_free(p[i].d);
}
END_TEST

/* When it is told of the close, it frees the others or cancels them. */
static struct waiter *others;

static struct evresult
drop_others(struct evfailure *failure, void *arg)
{
	on_loss(failure, arg);
	evdeferred_free(others[1].d);
	others[1].d = NULL;
	evdeferred_cancel(others[2].d);
	return evresult_value(NULL);
}

START_TEST(close_while_waiters_leave_meanwhile)
{
	struct waiter p[3];

	make_lock(_i);
	others = p;
	evrwlock_writer_try(lock);
	memset(p, 0, sizeof(p));
	p[0].d = evrwlock_writer_acquire(lock);
	evdeferred_add_callbacks(p[0].d, on_grant, drop_others, &p[0]);
	writer(&p[1]);
	reader(&p[2]);
	evrwlock_free(lock);
	ck_assert_int_eq(p[0].failed, ESHUTDOWN);
	ck_assert_int_eq(p[1].ended, 0);
	ck_assert_int_eq(p[2].failed, ECANCELED);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evdeferred_free(p[0].d);
	evdeferred_free(p[2].d);
}
END_TEST

/* When it is told of the close, the holder releases: the lock must outlive
 * the call. */
static struct evresult
release_on_loss(struct evfailure *failure, void *arg)
{
	on_loss(failure, arg);
	evrwlock_writer_release(lock);
	return evresult_value(NULL);
}

START_TEST(close_while_the_last_holder_leaves_meanwhile)
{
	struct waiter p[3];

	make_lock(_i);
	evrwlock_writer_try(lock);
	memset(p, 0, sizeof(p));
	p[0].d = evrwlock_writer_acquire(lock);
	ck_assert_int_eq(
	    evdeferred_add_callbacks(p[0].d, on_grant, release_on_loss, &p[0]),
	    0);
	writer(&p[1]);
	reader(&p[2]);
	evrwlock_free(lock);
	ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	ck_assert_int_eq(p[2].failed, ESHUTDOWN);
	evdeferred_free(p[0].d);
	evdeferred_free(p[1].d);
	evdeferred_free(p[2].d);
}
END_TEST

/* Unhandled failures are reported, a consumer's own cancel is not. */
START_TEST(unhandled_close_is_reported)
{
	struct evdeferred *d;

	make_lock(_i);
	evrwlock_writer_try(lock);
	d = evrwlock_reader_acquire(lock);
	evrwlock_free(lock);
	evdeferred_free(d);
	report_take(ESHUTDOWN);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}
END_TEST

START_TEST(cancelled_waiter_is_not_reported)
{
	struct evdeferred *waits, *granted;

	make_lock(_i);
	granted = evrwlock_writer_acquire(lock);
	waits = evrwlock_reader_acquire(lock);
	evdeferred_cancel(waits);
	evdeferred_cancel(granted);
	evdeferred_free(waits);
	evdeferred_free(granted);
	ck_assert_int_eq(report.count, 0);
	done(NULL, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rwlock_close");
	TCase *tc = add_case(suite, "close");

	tcase_add_loop_test(tc, close_of_a_free_lock, 0, 2);
	tcase_add_loop_test(tc, close_fails_waiters_before_it_returns, 0, 2);
	tcase_add_loop_test(tc, close_lets_holders_release, 0, 2);
	tcase_add_test(tc, close_delivers_grants_on_their_way);
	tcase_add_test(tc, close_with_only_an_undelivered_grant);
	tcase_add_loop_test(tc, close_with_a_forgotten_grant, 0, 2);
	tcase_add_loop_test(tc, close_inside_a_callback, 0, 4);
	tcase_add_loop_test(tc, close_while_waiters_leave_meanwhile, 0, 2);
	tcase_add_loop_test(
	    tc, close_while_the_last_holder_leaves_meanwhile, 0, 2);
	tcase_add_loop_test(tc, unhandled_close_is_reported, 0, 2);
	tcase_add_loop_test(tc, cancelled_waiter_is_not_reported, 0, 2);

	tc = add_case(suite, "stats");
	tcase_add_loop_test(tc, stats_count, 0, 2);
	tcase_add_test(tc, stats_count_what_left_before_delivery);
	return support_main(suite);
}
