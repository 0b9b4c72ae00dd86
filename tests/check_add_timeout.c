/* SPDX-License-Identifier: MIT */
/* evdeferred_add_timeout(): what it makes of a result. */
#include "deferreds.h"

#include <errno.h>
#include <limits.h>

static void
timeout(struct evdeferred *d, long s)
{
	struct timeval tv = {s, 0};

	ck_assert_int_eq(evdeferred_add_timeout(d, &tv), 0);
}

START_TEST(timeout_fails_with_etimedout)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, count_cancel, &cancelled);
	struct seen seen = {0};

	timeout(d, 2);
	see(d, &seen);
	clock_advance(1900);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	clock_advance(200);
	turns(2);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(events(), 0);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_of_0_fails_in_the_next_turn)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 0);
	see(d, &seen);
	ck_assert_int_eq(seen.failures, 0);
	clock_advance(1);
	turns(1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

/* It is as good as never, but that is no reason to be early. */
START_TEST(timeout_of_ages_does_not_come_soon)
{
	static const long seconds[] = {INT_MAX, LONG_MAX / 2, LONG_MAX};
	struct timeval tv = {seconds[_i], 999999};
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	ck_assert_int_eq(evdeferred_add_timeout(d, &tv), 0);
	see(d, &seen);
	turns(2);
	clock_advance(1000);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_is_a_cancel_for_earlier_links)
{
	struct evdeferred *d = fresh();
	struct seen early = {0}, late = {0};

	see(d, &early);
	timeout(d, 1);
	see(d, &late);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(early.code, ECANCELED);
	/* It is handled, so that what comes after it is the value of see(). */
	ck_assert_int_eq(late.values, 1);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

static struct evresult
note_code(struct evfailure *failure, void *arg)
{
	*(int *)arg = evfailure_get_code(failure);
	return evresult_from_failure(failure);
}

START_TEST(timeout_turns_ecanceled_into_etimedout)
{
	struct evdeferred *d = fresh();
	struct seen late = {0};
	int early = 0;

	evdeferred_add_errback(d, note_code, &early);
	timeout(d, 1);
	see(d, &late);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(early, ECANCELED);
	ck_assert_int_eq(late.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_keeps_other_failures)
{
	int code = EPERM;
	struct evdeferred *d = evdeferred_new(base, cancel_with_failure, &code);
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.code, EPERM);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_goes_when_the_result_comes)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	ck_assert_int_ge(events(), 1);
	see(d, &seen);
	evdeferred_callback(d, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	ck_assert_int_eq(events(), 0);
	clock_advance(2000);
	turns(2);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_covers_only_earlier_links)
{
	struct evdeferred *d = fired(evresult_value(NULL)), *inner = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	evdeferred_add_callback(d, wait_value, inner);
	see(d, &seen);
	ck_assert_int_eq(events(), 0);
	clock_advance(2000);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_reaches_the_innermost)
{
	int cancelled = 0;
	struct evdeferred *inner =
	    evdeferred_new(base, count_cancel, &cancelled);
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_deferred(inner));
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_goes_with_a_cancel)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(events(), 0);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_goes_with_a_free)
{
	struct evdeferred *d = fresh();

	timeout(d, 1);
	timeout(d, 2);
	evdeferred_free(d);
	ck_assert_int_eq(events(), 0);
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(first_of_several_timeouts_wins)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, _i == 0 ? 3 : 1);
	timeout(d, 2);
	timeout(d, _i == 0 ? 1 : 3);
	see(d, &seen);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(events(), 0);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(several_timeouts_each_cover_their_links)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	evdeferred_add_callback(d, wait_value, inner);
	timeout(d, 5);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	clock_advance(2000);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	clock_advance(4000);
	turns(2);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(inner, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(unhandled_timeout_is_reported)
{
	struct evdeferred *d = fresh();

	timeout(d, 1);
	clock_advance(1100);
	turns(2);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	report_take(ETIMEDOUT);
}
END_TEST

START_TEST(timeout_of_paused_waits_for_unpause)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	evdeferred_pause(d);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_unpause(d);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

static struct evresult
free_on_failure(struct evfailure *failure, void *arg)
{
	trace_add("f");
	evdeferred_free(arg);
	return evresult_from_failure(failure);
}

START_TEST(free_inside_a_link_run_by_a_timeout)
{
	struct evdeferred *d = fresh();

	evdeferred_add_errback(d, free_on_failure, d);
	timeout(d, 1);
	clock_advance(1100);
	turns(2);
	ck_assert_str_eq(trace, "f");
	ck_assert_int_eq(events(), 0);
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(detached_times_out)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	evdeferred_detach(d);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("add_timeout");
	TCase *tc = add_case(suite, "timeouts");

	tcase_add_test(tc, timeout_fails_with_etimedout);
	tcase_add_test(tc, timeout_of_0_fails_in_the_next_turn);
	tcase_add_loop_test(tc, timeout_of_ages_does_not_come_soon, 0, 3);
	tcase_add_test(tc, timeout_is_a_cancel_for_earlier_links);
	tcase_add_test(tc, timeout_turns_ecanceled_into_etimedout);
	tcase_add_test(tc, timeout_keeps_other_failures);
	tcase_add_test(tc, timeout_goes_when_the_result_comes);
	tcase_add_test(tc, timeout_covers_only_earlier_links);
	tcase_add_test(tc, timeout_reaches_the_innermost);
	tcase_add_test(tc, timeout_goes_with_a_cancel);
	tcase_add_test(tc, timeout_goes_with_a_free);
	tcase_add_loop_test(tc, first_of_several_timeouts_wins, 0, 2);
	tcase_add_test(tc, several_timeouts_each_cover_their_links);
	tcase_add_test(tc, unhandled_timeout_is_reported);
	tcase_add_test(tc, timeout_of_paused_waits_for_unpause);
	tcase_add_test(tc, free_inside_a_link_run_by_a_timeout);
	tcase_add_test(tc, detached_times_out);
	return support_main(suite);
}
