/* SPDX-License-Identifier: MIT */
/* evdefer/deferred.h: evdeferred_gather(), evdeferred_race(), and the results that
 * combinations fire with. */
#include "combinations.h"

#include <errno.h>

/*
 * evresults.
 */

START_TEST(results_are_owned_by_who_takes_them)
{
	struct evdeferred *d;
	struct outcome outcome;
	int kept = 0, left = 0;
	struct evresult result;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, CONSUME);
	note_outcome(d, &outcome);
	evdeferred_fire(in[0], counting(&kept));
	evdeferred_fire(in[1], counting(&left));
	evdeferred_errback(in[2], EIO, NULL);
	result = evresults_take(outcome.results, 0);
	ck_assert_ptr_eq(evresult_get_value(result), &kept);
	ck_assert_ptr_null(value_at(outcome.results, 0));
	ck_assert_ptr_null(
	    evresult_get_value(evresults_take(outcome.results, 0)));
	result = evresults_take(outcome.results, 2);
	evresults_free(outcome.results);
	ck_assert_int_eq(kept, 0);
	ck_assert_int_eq(left, 1);
	ck_assert_int_eq(evfailure_get_code(evresult_get_failure(result)), EIO);
	evresult_dispose(result);
	evdeferred_free(d);
}
END_TEST

START_TEST(results_have_nothing_beyond_their_end)
{
	struct evdeferred *d = evdeferred_list(base, NULL, 0, 0);
	struct outcome outcome;

	note_outcome(d, &outcome);
	ck_assert_ptr_null(value_at(outcome.results, 0));
	ck_assert_ptr_null(
	    evresult_get_value(evresults_take(outcome.results, 0)));
	ck_assert(
	    evresults_get_index(outcome.results, 0) == EVFAILURE_NO_INDEX);
	ck_assert_uint_eq(evresults_get_count(NULL), 0);
	evresults_free(NULL);
	forget(d, &outcome);
}
END_TEST

START_TEST(results_that_nobody_receives_are_disposed_of)
{
	struct evdeferred *d;
	int freed = 0;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, 0);
	evdeferred_fire(in[0], counting(&freed));
	evdeferred_fire(in[1], counting(&freed));
	evdeferred_fire(in[2], counting(&freed));
	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 3);
}
END_TEST

START_TEST(results_outlive_the_base)
{
	struct evdeferred *d;
	struct outcome outcome;
	int freed = 0;

	make_inputs(3);
	d = evdeferred_list(base, in, 1, 0);
	note_outcome(d, &outcome);
	evdeferred_fire(in[0], counting(&freed));
	evdeferred_free(in[1]);
	evdeferred_callback(in[1], NULL);
	evdeferred_free(in[2]);
	evdeferred_callback(in[2], NULL);
	support_free_base();
	forget(d, &outcome);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/*
 * evdeferred_gather().
 */

START_TEST(gather_has_all_values)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs(3);
	d = evdeferred_gather(base, in, 3, 0);
	note_outcome(d, &outcome);
	evdeferred_callback(in[1], &two);
	evdeferred_callback(in[2], &three);
	evdeferred_callback(in[0], &one);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &one);
	ck_assert_ptr_eq(value_at(outcome.results, 1), &two);
	ck_assert_ptr_eq(value_at(outcome.results, 2), &three);
	forget(d, &outcome);
}
END_TEST

START_TEST(gather_fails_with_the_first_error)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs(3);
	d = evdeferred_gather(base, in, 3, CONSUME);
	note_outcome(d, &outcome);
	evdeferred_errback(in[2], EIO, NULL);
	ck_assert_uint_eq(evfailure_get_index(outcome.failure), 2);
	evdeferred_errback(in[0], ENOENT, NULL);
	evdeferred_callback(in[1], NULL);
	ck_assert_int_eq(outcome.count, 1);
	forget(d, &outcome);
}
END_TEST

START_TEST(gather_with_a_timeout_times_out)
{
	struct timeval second = {1, 0};
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	in[1] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_gather(base, in, 2, 0);
	evdeferred_add_timeout(d, &second);
	note_outcome(d, &outcome);
	clock_advance(1001);
	turns(1);
	ck_assert_int_eq(cancelled, 2);
	ck_assert_int_eq(evfailure_get_code(outcome.failure), ETIMEDOUT);
	forget(d, &outcome);
}
END_TEST

/*
 * evdeferred_race().
 */

START_TEST(race_has_the_first_value_and_cancels_the_others)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	in[1] = evdeferred_new(base, NULL, NULL);
	in[2] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_race(base, in, 3);
	note_outcome(d, &outcome);
	evdeferred_callback(in[1], &two);
	ck_assert_int_eq(cancelled, 2);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 1);
	ck_assert_uint_eq(evresults_get_index(outcome.results, 0), 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &two);
	forget(d, &outcome);
}
END_TEST

START_TEST(race_of_fired_inputs_is_won_by_the_first)
{
	struct evdeferred *d;
	struct outcome outcome;
	int winner = 0, loser = 0;

	in[0] = evdeferred_fail(base, EIO, NULL);
	in[1] = evdeferred_new_fired(base, counting(&winner));
	in[2] = evdeferred_new_fired(base, counting(&loser));
	d = evdeferred_race(base, in, 3);
	ck_assert_int_eq(loser, 1);
	note_outcome(d, &outcome);
	ck_assert_uint_eq(evresults_get_index(outcome.results, 0), 1);
	ck_assert_int_eq(winner, 0);
	forget(d, &outcome);
	ck_assert_int_eq(winner, 1);
}
END_TEST

START_TEST(race_that_all_lose_has_all_failures)
{
	struct evdeferred *d;
	struct outcome outcome;
	const struct evresults *failures;

	make_inputs(3);
	d = evdeferred_race(base, in, 3);
	note_outcome(d, &outcome);
	evdeferred_errback(in[2], EPERM, "three");
	evdeferred_errback(in[0], EIO, "one");
	ck_assert_int_eq(outcome.count, 0);
	evdeferred_errback(in[1], ENOENT, "two");
	ck_assert_int_eq(evfailure_get_code(outcome.failure), EIO);
	ck_assert_str_eq(evfailure_get_message(outcome.failure),
	    "all 3 failed, the first with: one");
	failures = evfailure_get_results(outcome.failure);
	ck_assert_uint_eq(evresults_get_count(failures), 3);
	ck_assert_int_eq(code_at(failures, 0), EIO);
	ck_assert_int_eq(code_at(failures, 1), ENOENT);
	ck_assert_int_eq(code_at(failures, 2), EPERM);
	ck_assert_ptr_eq(evfailure_get_cause(outcome.failure),
	    evresult_get_failure(evresults_get(failures, 0)));
	forget(d, &outcome);
}
END_TEST

START_TEST(race_that_is_cancelled_cancels_all)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	in[1] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_race(base, in, 2);
	note_outcome(d, &outcome);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 2);
	ck_assert_int_eq(evfailure_get_code(outcome.failure), ECANCELED);
	ck_assert_uint_eq(
	    evresults_get_count(evfailure_get_results(outcome.failure)), 2);
	forget(d, &outcome);
}
END_TEST

/* That all were cancelled would be no news, but one of them, _i, has failed. */
START_TEST(race_that_one_loses_and_the_rest_cancel_is_reported)
{
	struct evdeferred *d;
	int i, cancelled = 0;

	for (i = 0; i < 3; i++)
		in[i] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_race(base, in, 3);
	ck_assert_ptr_nonnull(d);
	for (i = 0; i < 3; i++) {
		if (i == _i)
			evdeferred_errback(in[i], EIO, NULL);
		else
			evdeferred_cancel(in[i]);
	}
	evdeferred_free(d);
	if (_i < 3)
		report_take(_i == 0 ? EIO : ECANCELED);
}
END_TEST

START_TEST(race_without_inputs_never_fires)
{
	struct evdeferred *d = evdeferred_race(base, NULL, 0);
	struct outcome outcome;

	note_outcome(d, &outcome);
	turns(2);
	ck_assert_int_eq(outcome.count, 0);
	evdeferred_cancel(d);
	ck_assert_int_eq(evfailure_get_code(outcome.failure), ECANCELED);
	forget(d, &outcome);
}
END_TEST

START_TEST(race_is_not_won_by_a_canceller)
{
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evdeferred_new(base, cancel_with_value, &one);
	in[1] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_race(base, in, 2);
	note_outcome(d, &outcome);
	evdeferred_callback(in[1], &two);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &two);
	forget(d, &outcome);
}
END_TEST

/* _i: 0 it is a value that comes late, 1 a failure. */
START_TEST(race_takes_no_late_result_of_a_loser)
{
	struct evdeferred *d;
	struct outcome outcome;
	int freed = 0;

	make_inputs(3);
	d = evdeferred_race(base, in, 2);
	note_outcome(d, &outcome);
	evdeferred_callback(in[0], &one);
	ck_assert_int_eq(outcome.count, 1);
	if (_i == 0)
		ck_assert_int_eq(evdeferred_fire(in[1], counting(&freed)), 0);
	else
		ck_assert_int_eq(evdeferred_errback(in[1], EIO, NULL), 0);
	ck_assert_int_eq(freed, _i == 0);
	ck_assert_int_eq(outcome.count, 1);
	forget(d, &outcome);
	evdeferred_callback(in[2], NULL);
	evdeferred_free(in[2]);
}
END_TEST

/* A timeout is a cancel, and a canceller may answer that with a value: then
 * nothing has timed out. */
START_TEST(timeout_answered_with_a_value_is_none)
{
	const struct timeval second = {1, 0};
	struct evdeferred *d = evdeferred_new(base, cancel_with_value, &one);
	struct seen seen = {0};
	static char name[] = "early ";

	evdeferred_add_callback(d, trace_value, name);
	evdeferred_add_timeout(d, &second);
	see(d, &seen);
	clock_advance(1001);
	turns(1);
	ck_assert_str_eq(trace, "early ");
	ck_assert_ptr_eq(seen.value, &one);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_goes_when_a_failure_comes)
{
	const struct timeval second = {1, 0};
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct seen seen = {0};

	evdeferred_add_timeout(d, &second);
	see(d, &seen);
	evdeferred_errback(d, EIO, NULL);
	ck_assert_int_eq(seen.code, EIO);
	ck_assert_int_eq(
	    event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED), 0);
	clock_advance(1001);
	turns(1);
	ck_assert_int_eq(seen.failures, 1);
	evdeferred_free(d);
}
END_TEST

/*
 * Memory and scale.
 */

/* It used to fire the combination once more, after that was freed. */
START_TEST(combination_is_fired_by_its_inputs_alone)
{
	struct evdeferred *input = evdeferred_new(base, NULL, NULL);
	struct evdeferred *source = evdeferred_succeed(base, NULL);
	struct evdeferred *d = evdeferred_gather(base, &input, 1, 0);
	struct seen seen = {0};

	REFUSED(evdeferred_callback(d, NULL), EPERM);
	REFUSED(evdeferred_chain(source, d), EPERM);
	see(d, &seen);
	ck_assert_int_eq(evdeferred_callback(input, NULL), 0);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_uint_eq(evresults_get_count(seen.value), 1);
	evresults_free(seen.value);
	evdeferred_free(d);
	evdeferred_free(source);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("combine_race");
	TCase *tc = add_case(suite, "results");

	tcase_add_test(tc, results_are_owned_by_who_takes_them);
	tcase_add_test(tc, results_have_nothing_beyond_their_end);
	tcase_add_test(tc, results_that_nobody_receives_are_disposed_of);
	tcase_add_test(tc, results_outlive_the_base);
	tcase_add_test(tc, combination_is_fired_by_its_inputs_alone);

	tc = add_case(suite, "gather");
	tcase_add_test(tc, gather_has_all_values);
	tcase_add_test(tc, gather_fails_with_the_first_error);
	tcase_add_test(tc, gather_with_a_timeout_times_out);

	tc = add_case(suite, "race");
	tcase_add_test(tc, race_has_the_first_value_and_cancels_the_others);
	tcase_add_test(tc, race_of_fired_inputs_is_won_by_the_first);
	tcase_add_test(tc, race_that_all_lose_has_all_failures);
	tcase_add_test(tc, race_that_is_cancelled_cancels_all);
	tcase_add_loop_test(
	    tc, race_that_one_loses_and_the_rest_cancel_is_reported, 0, 4);
	tcase_add_test(tc, race_without_inputs_never_fires);
	tcase_add_test(tc, race_is_not_won_by_a_canceller);
	tcase_add_loop_test(tc, race_takes_no_late_result_of_a_loser, 0, 2);
	tcase_add_test(tc, timeout_answered_with_a_value_is_none);
	tcase_add_test(tc, timeout_goes_when_a_failure_comes);
	return support_main(suite);
}
