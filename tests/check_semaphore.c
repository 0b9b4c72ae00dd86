/* SPDX-License-Identifier: MIT */
/* evdefer/semaphore.h: who gets a token, bodies, and the close. */
#include "semaphores.h"

#include <errno.h>
#include <string.h>

/* Arguments. */

START_TEST(bad_arguments_are_einval)
{
	struct evsemaphore_stats stats, none = {0};

	REFUSED_NULL(evsemaphore_new(NULL, 1, 0), EINVAL);
	REFUSED_NULL(evsemaphore_new(base, 0, 0), EINVAL);
	REFUSED_NULL(evsemaphore_new(base, 1, 0x2u), EINVAL);
	REFUSED_NULL(evsemaphore_acquire(NULL, NULL), EINVAL);
	REFUSED(evsemaphore_release(NULL, NULL), EINVAL);
	REFUSED(evsemaphore_try(NULL, NULL), EINVAL);
	REFUSED_NULL(
	    evsemaphore_with(NULL, NULL, NULL, body_value, NULL), EINVAL);
	make(_i, 2);
	REFUSED_NULL(
	    evsemaphore_with(semaphore, NULL, NULL, NULL, NULL), EINVAL);
	counts(0, 0);
	ck_assert_uint_eq(evsemaphore_get_tokens(NULL), 0);
	ck_assert_uint_eq(evsemaphore_get_limit(NULL), 0);
	memset(&stats, 0xff, sizeof(stats));
	evsemaphore_get_stats(NULL, &stats);
	ck_assert_mem_eq(&stats, &none, sizeof(none));
	evsemaphore_free(NULL);
	done(NULL, 0);
}
END_TEST

START_TEST(release_without_a_token_out_is_eperm)
{
	struct waiter p[1];

	make(_i, 2);
	REFUSED(evsemaphore_release(semaphore, NULL), EPERM);
	want(&p[0]);
	if (_i == 0)
		/* The token is on its way, and nobody's yet. */
		REFUSED(evsemaphore_release(semaphore, NULL), EPERM);
	settle();
	leave();
	REFUSED(evsemaphore_release(semaphore, NULL), EPERM);
	counts(0, 0);
	done(p, 1);
}
END_TEST

START_TEST(calls_on_a_freed_base_are_eshutdown)
{
	struct evdefer_base *freed = base;
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	support_free_base();
	/* The semaphore keeps its memory. */
	REFUSED_NULL(evsemaphore_new(freed, 1, 0), ESHUTDOWN);
	REFUSED(evsemaphore_try(semaphore, NULL), ESHUTDOWN);
	d = evsemaphore_acquire(semaphore, NULL);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	done(NULL, 0);
}
END_TEST

/* Order. */

START_TEST(as_many_enter_as_there_are_tokens)
{
	struct waiter p[5];
	int i;

	make(_i, 3);
	ck_assert_uint_eq(evsemaphore_get_limit(semaphore), 3);
	for (i = 0; i < 5; i++)
		want(&p[i]);
	settle();
	counts(3, 2);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(p[i].granted, i < 3);
	leave();
	counts(3, 1);
	ck_assert_int_eq(p[3].granted, 1);
	ck_assert_int_eq(p[4].granted, 0);
	for (i = 0; i < 4; i++)
		leave();
	ck_assert_int_eq(p[4].granted, 1);
	done(p, 5);
}
END_TEST

START_TEST(first_come_first_served)
{
	struct waiter p[10];
	int i;

	make(_i, 2);
	grants = 0;
	for (i = 0; i < 10; i++)
		want(&p[i]);
	settle();
	for (i = 0; i < 10; i++)
		leave();
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(p[i].order, i + 1);
	done(p, 10);
}
END_TEST

static struct evresult
release_at_once(void *value, void *arg)
{
	on_grant(value, arg);
	ck_assert_int_eq(evsemaphore_release(value, NULL), 0);
	return evresult_value(NULL);
}

START_TEST(released_inside_callbacks_in_order)
{
	struct waiter p[8];
	int i;

	make(_i, 1);
	grants = 0;
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	memset(p, 0, sizeof(p));
	for (i = 0; i < 8; i++) {
		p[i].d = evsemaphore_acquire(semaphore, NULL);
		evdeferred_add_callback(p[i].d, release_at_once, &p[i]);
	}
	leave();
	turns(10);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(p[i].order, i + 1);
	done(p, 8);
}
END_TEST

/* Waiters that leave. */

START_TEST(waiter_leaves_and_the_others_move_up)
{
	struct waiter p[4];
	int i;

	make(_i, 1);
	for (i = 0; i < 4; i++)
		want(&p[i]);
	settle();
	give_up(&p[2], _i / 2);
	counts(1, 2);
	leave();
	ck_assert_int_eq(p[1].granted, 1);
	leave();
	ck_assert_int_eq(p[3].granted, 1);
	leave();
	done(p, 4);
}
END_TEST

START_TEST(timed_out_waiter_fails_with_etimedout)
{
	struct timeval second = {1, 0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	d = evsemaphore_acquire(semaphore, NULL);
	evdeferred_add_timeout(d, &second);
	see(d, &seen);
	clock_advance(1100);
	settle();
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	counts(1, 0);
	evdeferred_free(d);
	leave();
	done(NULL, 0);
}
END_TEST

START_TEST(undelivered_grant_is_cancelled_and_passed_on)
{
	struct waiter p[3];

	make(0, 1);
	want(&p[0]);
	want(&p[1]);
	counts(1, 1);
	give_up(&p[0], _i);
	counts(1, 0);
	want(&p[2]);
	counts(1, 1);
	settle();
	ck_assert_int_eq(p[0].granted, 0);
	ck_assert_int_eq(p[1].granted, 1);
	leave();
	ck_assert_int_eq(p[2].granted, 1);
	leave();
	done(p, 3);
}
END_TEST

START_TEST(all_undelivered_leave_and_the_loop_is_idle)
{
	struct waiter p[4];
	int i;

	make(0, 3);
	for (i = 0; i < 4; i++)
		want(&p[i]);
	for (i = 3; i >= 0; i--)
		give_up(&p[i], i % WAYS_AT_ONCE);
	counts(0, 0);
	event_base_dispatch(loop);
	done(p, 4);
}
END_TEST

START_TEST(grant_nobody_receives_is_released)
{
	struct evdeferred *d;
	struct waiter p[1];

	make(_i, 1);
	d = evsemaphore_acquire(semaphore, NULL);
	settle();
	counts(1, 0);
	/* It has its result: a cancel is too late, a free is not. */
	evdeferred_cancel(d);
	want(&p[0]);
	settle();
	ck_assert_int_eq(p[0].ended, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave();
	done(p, 1);
}
END_TEST

START_TEST(grant_to_a_detached_waiter_is_released)
{
	struct waiter p[1];

	make(_i, 1);
	evdeferred_detach(evsemaphore_acquire(semaphore, NULL));
	want(&p[0]);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave();
	done(p, 1);
}
END_TEST

/* Delivery and try. */

START_TEST(loop_delivers_never_from_inside)
{
	struct waiter p[2];

	make(0, 1);
	want(&p[0]);
	ck_assert_int_eq(p[0].ended, 0);
	turns(1);
	ck_assert_int_eq(p[0].granted, 1);
	want(&p[1]);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(p[1].ended, 0);
	turns(1);
	ck_assert_int_eq(p[1].granted, 1);
	leave();
	done(p, 2);
}
END_TEST

START_TEST(fast_delivers_at_once)
{
	struct waiter p[2];

	make(1, 1);
	want(&p[0]);
	ck_assert_int_eq(p[0].granted, 1);
	want(&p[1]);
	ck_assert_int_eq(p[1].granted, 0);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(event_base_get_num_events(loop,
			     EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
	    0);
	done(p, 2);
}
END_TEST

START_TEST(try_takes_a_free_token)
{
	struct waiter p[1];

	make(_i, 2);
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	/* One that is on its way is not free. */
	want(&p[0]);
	REFUSED(evsemaphore_try(semaphore, NULL), EBUSY);
	settle();
	REFUSED(evsemaphore_try(semaphore, NULL), EBUSY);
	leave();
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	leave();
	leave();
	done(p, 1);
}
END_TEST

/* With. */

struct body {
	int runs;
	struct evdeferred *inner;
	struct evresult result;
	size_t tokens;
};

static struct evresult
run_body(void *arg)
{
	struct body *body = arg;

	body->runs++;
	body->tokens = evsemaphore_get_tokens(semaphore);
	return body->inner != NULL ? evresult_deferred(body->inner)
				   : body->result;
}

START_TEST(with_holds_runs_and_releases)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 2);
	w.result = evresult_value(&w);
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	ck_assert_int_eq(w.runs, _i);
	see(d, &seen);
	settle();
	ck_assert_int_eq(w.runs, 1);
	ck_assert_uint_eq(w.tokens, 1);
	ck_assert_ptr_eq(seen.value, &w);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_on_failure)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	w.result = evresult_fail(EIO, "body");
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.code, EIO);
	counts(0, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

/* _i / 2: how the body's Deferred ends. */
START_TEST(with_holds_until_the_deferred_is_through)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;
	struct waiter p[1];

	make(_i, 1);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	see(d, &seen);
	want(&p[0]);
	settle();
	counts(1, 1);
	switch (_i / 2) {
	case 0:
		evdeferred_callback(w.inner, &seen);
		ck_assert_ptr_eq(seen.value, &seen);
		break;
	case 1:
		evdeferred_errback(w.inner, EIO, "inner");
		ck_assert_int_eq(seen.code, EIO);
		break;
	case 2:
		evdeferred_cancel(d);
		evdeferred_callback(w.inner, NULL);
		ck_assert_int_eq(seen.code, ECANCELED);
		break;
	default:
		evdeferred_free(d);
		d = NULL;
		evdeferred_callback(w.inner, NULL);
	}
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave();
	evdeferred_free(d);
	done(p, 1);
}
END_TEST

/* The inner one wants one token more than there is. */
static struct evresult
want_inside(void *arg)
{
	struct waiter *p = arg;

	ck_assert_uint_eq(evsemaphore_get_tokens(semaphore), 1);
	want(&p[0]);
	want(&p[1]);
	counts(3, 1);
	return evresult_value(arg);
}

static struct evresult
run_another(void *arg)
{
	return evresult_deferred(
	    evsemaphore_with(semaphore, NULL, NULL, want_inside, arg));
}

START_TEST(with_inside_with_takes_two_tokens)
{
	struct waiter p[2] = {{0}};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 3);
	d = evsemaphore_with(semaphore, NULL, NULL, run_another, p);
	see(d, &seen);
	settle();
	ck_assert_ptr_eq(seen.value, p);
	ck_assert_int_eq(p[0].granted + p[1].granted, 2);
	counts(2, 0);
	leave();
	leave();
	evdeferred_free(d);
	done(p, 2);
}
END_TEST

START_TEST(with_cancelled_while_it_waits_runs_nothing)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	leave();
	ck_assert_int_eq(w.runs, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_on_a_closed_semaphore_runs_nothing)
{
	struct body w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	see(d, &seen);
	evsemaphore_free(semaphore);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(w.runs, 0);
}
END_TEST

START_TEST(stats_count)
{
	struct evsemaphore_stats stats;
	struct waiter p[5];
	int i;

	make(_i, 2);
	for (i = 0; i < 5; i++)
		want(&p[i]);
	settle();
	evdeferred_cancel(p[3].d);
	leave();
	leave();
	leave();
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	leave();
	leave();
	evsemaphore_get_stats(semaphore, &stats);
	ck_assert_uint_eq(stats.inside, 0);
	ck_assert_uint_eq(stats.waiting, 0);
	ck_assert_uint_eq(stats.granted, 5);
	ck_assert_uint_eq(stats.cancelled, 1);
	ck_assert_uint_eq(stats.longest_queue, 3);
	done(p, 5);
}
END_TEST

/* Closing. */

START_TEST(close_of_a_free_semaphore)
{
	make(_i, 3);
	evsemaphore_free(semaphore);
}
END_TEST

START_TEST(close_fails_waiters_and_lets_holders_release)
{
	struct waiter p[4];
	struct seen seen = {0};
	struct evdeferred *d;
	int i;

	make(_i, 2);
	for (i = 0; i < 4; i++)
		want(&p[i]);
	settle();
	evsemaphore_free(semaphore);
	ck_assert_int_eq(p[2].failed, ESHUTDOWN);
	ck_assert_int_eq(p[3].failed, ESHUTDOWN);
	REFUSED(evsemaphore_try(semaphore, NULL), ESHUTDOWN);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	REFUSED(evsemaphore_try(semaphore, NULL), ESHUTDOWN);
	d = evsemaphore_acquire(semaphore, NULL);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	for (i = 0; i < 4; i++)
		evdeferred_free(p[i].d);
}
END_TEST

START_TEST(close_delivers_grants_on_their_way)
{
	struct waiter p[3];
	int i;

	make(0, 3);
	for (i = 0; i < 3; i++)
		want(&p[i]);
	evsemaphore_free(semaphore);
	ck_assert_int_eq(p[0].ended, 0);
	evdeferred_cancel(p[1].d);
	settle();
	ck_assert_int_eq(p[0].granted + p[2].granted, 2);
	ck_assert_int_eq(p[1].failed, ECANCELED);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	for (i = 0; i < 3; i++)
		evdeferred_free(p[i].d);
}
END_TEST

START_TEST(close_with_only_an_undelivered_grant)
{
	struct waiter p[1];

	make(0, 1);
	want(&p[0]);
	evsemaphore_free(semaphore);
	/* The memory of the semaphore goes with it. */
	evdeferred_free(p[0].d);
	settle();
}
END_TEST

START_TEST(close_with_a_forgotten_grant)
{
	struct evdeferred *d;

	make(_i, 1);
	d = evsemaphore_acquire(semaphore, NULL);
	settle();
	evsemaphore_free(semaphore);
	evdeferred_free(d);
}
END_TEST

static struct evresult
close_and_release(void *value, void *arg)
{
	on_grant(value, arg);
	evsemaphore_free(value);
	evsemaphore_release(value, NULL);
	return evresult_value(NULL);
}

/* _i / 2: whether the release comes before somebody else's. */
START_TEST(close_inside_a_callback)
{
	struct waiter p[3];

	make(_i, 2);
	evsemaphore_try(semaphore, NULL);
	evsemaphore_try(semaphore, NULL);
	memset(p, 0, sizeof(p));
	p[0].d = evsemaphore_acquire(semaphore, NULL);
	evdeferred_add_callbacks(p[0].d, close_and_release, on_loss, &p[0]);
	want(&p[1]);
	want(&p[2]);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	if (_i / 2 == 1)
		ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(p[2].failed, ESHUTDOWN);
	/* Where both were granted at once, the second is a holder. */
	if (p[1].granted || _i / 2 == 0)
		ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	else
		ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	evdeferred_free(p[0].d);
	evdeferred_free(p[1].d);
	evdeferred_free(p[2].d);
}
END_TEST

/* When it is told of the close, it frees the second, cancels the third, and
 * releases. */
static struct waiter *others;

static struct evresult
drop_others(struct evfailure *failure, void *arg)
{
	on_loss(failure, arg);
	evdeferred_free(others[1].d);
	others[1].d = NULL;
	evdeferred_cancel(others[2].d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	return evresult_value(NULL);
}

START_TEST(close_while_all_leave_meanwhile)
{
	struct waiter p[4];

	make(_i, 1);
	others = p;
	evsemaphore_try(semaphore, NULL);
	memset(p, 0, sizeof(p));
	p[0].d = evsemaphore_acquire(semaphore, NULL);
	evdeferred_add_callbacks(p[0].d, on_grant, drop_others, &p[0]);
	want(&p[1]);
	want(&p[2]);
	want(&p[3]);
	evsemaphore_free(semaphore);
	ck_assert_int_eq(p[0].failed, ESHUTDOWN);
	ck_assert_int_eq(p[1].ended, 0);
	ck_assert_int_eq(p[2].failed, ECANCELED);
	ck_assert_int_eq(p[3].failed, ESHUTDOWN);
	evdeferred_free(p[0].d);
	evdeferred_free(p[2].d);
	evdeferred_free(p[3].d);
}
END_TEST

START_TEST(unhandled_close_is_reported)
{
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	d = evsemaphore_acquire(semaphore, NULL);
	evsemaphore_free(semaphore);
	evdeferred_free(d);
	report_take(ESHUTDOWN);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
}
END_TEST

static void
add_order(Suite *suite)
{
	TCase *tc = add_case(suite, "arguments");

	tcase_add_loop_test(tc, bad_arguments_are_einval, 0, 2);
	tcase_add_loop_test(tc, release_without_a_token_out_is_eperm, 0, 2);
	tcase_add_loop_test(tc, calls_on_a_freed_base_are_eshutdown, 0, 2);

	tc = add_case(suite, "order");
	tcase_add_loop_test(tc, as_many_enter_as_there_are_tokens, 0, 2);
	tcase_add_loop_test(tc, first_come_first_served, 0, 2);
	tcase_add_loop_test(tc, released_inside_callbacks_in_order, 0, 2);
}

static void
add_leaving(Suite *suite)
{
	TCase *tc = add_case(suite, "waiters that leave");

	tcase_add_loop_test(
	    tc, waiter_leaves_and_the_others_move_up, 0, 2 * WAYS_AT_ONCE);
	tcase_add_loop_test(tc, timed_out_waiter_fails_with_etimedout, 0, 2);
	tcase_add_loop_test(
	    tc, undelivered_grant_is_cancelled_and_passed_on, 0, WAYS_AT_ONCE);
	tcase_add_test(tc, all_undelivered_leave_and_the_loop_is_idle);
	tcase_add_loop_test(tc, grant_nobody_receives_is_released, 0, 2);
	tcase_add_loop_test(tc, grant_to_a_detached_waiter_is_released, 0, 2);

	tc = add_case(suite, "delivery and try");
	tcase_add_test(tc, loop_delivers_never_from_inside);
	tcase_add_test(tc, fast_delivers_at_once);
	tcase_add_loop_test(tc, try_takes_a_free_token, 0, 2);
}

static void
add_with_and_close(Suite *suite)
{
	TCase *tc = add_case(suite, "with");

	tcase_add_loop_test(tc, with_holds_runs_and_releases, 0, 2);
	tcase_add_loop_test(tc, with_releases_on_failure, 0, 2);
	tcase_add_loop_test(tc, with_holds_until_the_deferred_is_through, 0, 8);
	tcase_add_loop_test(tc, with_inside_with_takes_two_tokens, 0, 2);
	tcase_add_loop_test(
	    tc, with_cancelled_while_it_waits_runs_nothing, 0, 2);
	tcase_add_loop_test(tc, with_on_a_closed_semaphore_runs_nothing, 0, 2);

	tc = add_case(suite, "stats");
	tcase_add_loop_test(tc, stats_count, 0, 2);

	tc = add_case(suite, "close");
	tcase_add_loop_test(tc, close_of_a_free_semaphore, 0, 2);
	tcase_add_loop_test(
	    tc, close_fails_waiters_and_lets_holders_release, 0, 2);
	tcase_add_test(tc, close_delivers_grants_on_their_way);
	tcase_add_test(tc, close_with_only_an_undelivered_grant);
	tcase_add_loop_test(tc, close_with_a_forgotten_grant, 0, 2);
	tcase_add_loop_test(tc, close_inside_a_callback, 0, 4);
	tcase_add_loop_test(tc, close_while_all_leave_meanwhile, 0, 2);
	tcase_add_loop_test(tc, unhandled_close_is_reported, 0, 2);
}

int
main(void)
{
	Suite *suite = suite_create("semaphore");

	add_order(suite);
	add_leaving(suite);
	add_with_and_close(suite);
	return support_main(suite);
}
