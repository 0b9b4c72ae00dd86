/* SPDX-License-Identifier: MIT */
/* What becomes of the inputs that are left when a combination has fired or was
 * freed. */
#include "combinations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct evresult
free_results(void *value, void *arg)
{
	(void)arg;
	evresults_free(value);
	return evresult_value(NULL);
}

/*
 * EVDEFERRED_LIST_CANCEL_ON_ERROR.
 */

static struct evresult
try_to_read(struct evfailure *failure, void *arg)
{
	(void)failure;
	trace_add(evrwlock_reader_try(arg) == 0 ? "in " : "out ");
	return evresult_value(NULL);
}

/* The writer leaves the wait queue before the failure is told. */
START_TEST(writer_of_a_failed_gather_leaves_the_line)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d;

	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	make_inputs(2);
	evdeferred_free(in[0]);
	evdeferred_callback(in[0], NULL);
	in[0] = evrwlock_writer_acquire(lock);
	d = evdeferred_gather(
	    base, in, 2, _i == 0 ? CONSUME | CANCEL_REST : CONSUME);
	evdeferred_add_errback(d, try_to_read, lock);
	evdeferred_errback(in[1], EIO, "no disk");
	ck_assert_str_eq(trace, _i == 0 ? "in " : "out ");
	if (_i == 0)
		evrwlock_reader_release(lock);
	evdeferred_free(d);
	evrwlock_reader_release(lock);
	evrwlock_free(lock);
	turns(3);
}
END_TEST

/* _i: gathered, or listed for the first error. */
static struct evdeferred *
for_first_error(int i, struct evdeferred **inputs, size_t count)
{
	return i == 0 ? evdeferred_gather(
			    base, inputs, count, CONSUME | CANCEL_REST)
		      : evdeferred_list(base, inputs, count,
			    FIRST_ERROR | CONSUME | CANCEL_REST);
}

START_TEST(first_error_cancels_the_rest)
{
	struct evdeferred *d;

	in[0] = evdeferred_new(base, trace_cancel, "0");
	in[1] = evdeferred_new(base, NULL, NULL);
	in[2] = evdeferred_new(base, trace_cancel, "2");
	evdeferred_add_errback(in[2], trace_failure, "e");
	d = for_first_error(_i, in, 3);
	evdeferred_add_errback(d, trace_failure, "!");
	evdeferred_errback(in[1], EIO, "broken");
	ck_assert_str_eq(trace, "02e!");
	evdeferred_free(d);
	report_take(EIO);
}
END_TEST

START_TEST(first_error_of_a_fired_input_cancels_the_rest)
{
	struct evdeferred *d;
	int freed = 0;

	in[0] = evdeferred_new(base, trace_cancel, "0");
	in[1] = evdeferred_fail(base, EIO, "broken");
	in[2] = evdeferred_new_fired(base, counting(&freed));
	in[3] = evdeferred_new(base, trace_cancel, "3");
	d = for_first_error(_i, in, 4);
	ck_assert_str_eq(trace, "03");
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
	report_take(EIO);
}
END_TEST

/* An answer that comes too late is disposed of. */
static int freed_answers;

static void
cancel_with_owned(struct evdeferred *d, void *arg)
{
	(void)arg;
	evdeferred_fire(d, counting(&freed_answers));
}

START_TEST(value_that_answers_the_cancel_is_freed)
{
	struct evdeferred *d;
	struct seen seen = {0};

	freed_answers = 0;
	in[0] = evdeferred_new(base, cancel_with_owned, NULL);
	in[1] = evdeferred_new(base, NULL, NULL);
	d = for_first_error(_i, in, 2);
	see(d, &seen);
	evdeferred_errback(in[1], EIO, "broken");
	ck_assert_int_eq(freed_answers, 1);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

static struct evresult
clean_up(struct evfailure *failure, void *arg)
{
	(void)failure;
	trace_add("cleaning ");
	return evresult_deferred(arg);
}

/* Each of the others fails because it was cancelled, which is no reason to
 * cancel what one of them does about that. */
START_TEST(cleanup_of_a_cancelled_input_is_left_alone)
{
	struct evdeferred *cleanup = evdeferred_new(base, trace_cancel, "no ");
	struct evdeferred *d;

	make_inputs(3);
	evdeferred_callback(in[0], NULL);
	evdeferred_free(in[0]);
	in[0] = evdeferred_new(base, trace_cancel, "");
	evdeferred_add_errback(in[0], clean_up, cleanup);
	evdeferred_add_callback(in[0], trace_value, "clean ");
	d = _i < 2 ? for_first_error(_i, in, 3)
		   : evdeferred_list(base, in, 3, CONSUME | CANCEL_REST);
	evdeferred_add_callback(d, free_results, NULL);
	evdeferred_add_both(d, trace_both, "! ");
	evdeferred_errback(in[1], EIO, "broken");
	ck_assert_str_eq(trace, _i < 2 ? "cleaning ! " : "cleaning ");
	evdeferred_callback(cleanup, NULL);
	ck_assert_str_eq(
	    trace, _i < 2 ? "cleaning ! clean " : "cleaning clean ! ");
	evdeferred_callback(in[2], NULL);
	evdeferred_free(d);
	if (_i < 2)
		report_take(EIO);
}
END_TEST

static struct evresult
check_all(void *value, void *arg)
{
	struct evresults *results = value;
	struct evfailure *failure;

	ck_assert_uint_eq(evresults_get_count(results), 3);
	ck_assert_ptr_eq(evresult_get_value(evresults_get(results, 0)), arg);
	failure = evresult_get_failure(evresults_get(results, 1));
	ck_assert_int_eq(evfailure_get_code(failure), EIO);
	failure = evresult_get_failure(evresults_get(results, 2));
	ck_assert_int_eq(evfailure_get_code(failure), ECANCELED);
	evresults_free(results);
	trace_add("!");
	return evresult_value(NULL);
}

START_TEST(list_has_what_those_that_it_cancelled_answer)
{
	struct evdeferred *d;

	in[0] = evdeferred_new(base, cancel_with_value, trace);
	in[1] = evdeferred_new(base, NULL, NULL);
	in[2] = evdeferred_new(base, trace_cancel, "2");
	d = evdeferred_list(base, in, 3, CONSUME | CANCEL_REST);
	evdeferred_add_callback(d, check_all, trace);
	evdeferred_errback(in[1], EIO, "broken");
	ck_assert_str_eq(trace, "2!");
	evdeferred_free(d);
}
END_TEST

START_TEST(last_error_has_none_to_cancel)
{
	struct evdeferred *d;

	make_inputs(2);
	d = evdeferred_list(base, in, 2, CONSUME | CANCEL_REST);
	ck_assert_ptr_nonnull(d);
	evdeferred_add_callback(d, free_results, NULL);
	evdeferred_callback(in[0], NULL);
	evdeferred_errback(in[1], EIO, "broken");
	evdeferred_free(d);
}
END_TEST

static void
cancel_and_free(struct evdeferred *d, void *arg)
{
	struct evdeferred **combination = arg;

	(void)d;
	trace_add("freed ");
	evdeferred_free(*combination);
	*combination = NULL;
}

START_TEST(canceller_of_an_input_frees_the_combination)
{
	struct evdeferred *d = NULL;

	in[0] = evdeferred_new(base, cancel_and_free, &d);
	in[1] = evdeferred_new(base, NULL, NULL);
	in[2] = evdeferred_new(base, trace_cancel, "2");
	d = _i < 2 ? for_first_error(_i, in, 3)
		   : evdeferred_list(base, in, 3, CONSUME | CANCEL_REST);
	evdeferred_errback(in[1], EIO, "broken");
	ck_assert_str_eq(trace, "freed 2");
	ck_assert_ptr_null(d);
}
END_TEST

START_TEST(error_cancels_through_gathers_of_gathers)
{
	struct evdeferred *d, *pair[2], *broken, *deepest;
	int i;

	deepest = evdeferred_new(base, trace_cancel, "deep");
	for (d = deepest, i = 0; i < 100; i++) {
		pair[0] = d;
		pair[1] = evdeferred_succeed(base, NULL);
		d = evdeferred_gather(base, pair, 2, CONSUME | CANCEL_REST);
	}
	pair[0] = d;
	pair[1] = broken = evdeferred_new(base, NULL, NULL);
	d = evdeferred_gather(base, pair, 2, CONSUME | CANCEL_REST);
	evdeferred_add_errback(d, trace_failure, "!");
	evdeferred_errback(broken, EIO, "broken");
	ck_assert_str_eq(trace, "deep!");
	evdeferred_free(d);
	report_take(EIO);
}
END_TEST

/*
 * The memory of a combination that is over does not wait for the inputs that are
 * left.
 */

/* The ways in which it is over before the first of its inputs is. */

static struct evdeferred *
end_with_first_value(void)
{
	struct evdeferred *d =
	    evdeferred_list(base, in, MOST_INPUTS, FIRST_VALUE | CONSUME);

	evdeferred_add_callback(d, free_results, NULL);
	evdeferred_callback(in[MOST_INPUTS / 2], NULL);
	in[MOST_INPUTS / 2] = NULL;
	return d;
}

static struct evdeferred *
end_with_first_error(void)
{
	struct evdeferred *d =
	    evdeferred_gather(base, in, MOST_INPUTS, CONSUME);

	evdeferred_add_errback(d, trace_failure, "");
	evdeferred_add_both(d, trace_both, "");
	evdeferred_errback(in[MOST_INPUTS / 2], EIO, "broken");
	in[MOST_INPUTS / 2] = NULL;
	return d;
}

static struct evdeferred *
end_with_a_cancel(void)
{
	struct evdeferred *d =
	    evdeferred_gather(base, in, MOST_INPUTS, CONSUME);

	evdeferred_cancel(d);
	return d;
}

static struct evdeferred *(*const ends[])(void) = {
    end_with_first_value, end_with_first_error, end_with_a_cancel};
#define ENDS ((int)(sizeof(ends) / sizeof(ends[0])))

static struct evresult
take_failure(struct evfailure *failure, void *arg)
{
	(void)failure, (void)arg;
	return evresult_value(NULL);
}

/* The first one has not ended when the combination has: its failure is
 * answered with a wait. */
START_TEST(combination_that_is_over_keeps_nothing_for_the_rest)
{
	struct evdeferred *d, *left;
	long live;
	int i;

	ck_assert_int_eq(
	    evdefer_base_reserve(base, 2 * MOST_INPUTS, 3 * MOST_INPUTS), 0);
	make_inputs(MOST_INPUTS);
	left = evdeferred_new(base, NULL, NULL);
	evdeferred_add_errback(in[0], clean_up, left);
	evdeferred_pause(left);
	/* The first combination of a base needs memory that stays. */
	evdeferred_free(evdeferred_list(base, NULL, 0, 0));
	live = alloc_live();
	d = ends[_i]();
	evdeferred_add_errback(d, take_failure, NULL);
	evdeferred_free(d);
	for (i = 1; i < MOST_INPUTS; i++)
		evdeferred_callback(in[i], NULL);
	live = alloc_live() - live;
	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(live, 0);
	evdeferred_errback(in[0], EIO, "late");
	evdeferred_unpause(left);
	evdeferred_errback(left, ENOENT, "later");
	/* Its failure is consumed all the same. */
	ck_assert_int_eq(report.count, 0);
}
END_TEST

/* Without the flag to consume it. */
START_TEST(failure_after_a_combination_is_reported_unless_consumed)
{
	const unsigned flags = _i == 0 ? FIRST_VALUE : FIRST_VALUE | CONSUME;
	struct evdeferred *d;

	make_inputs(2);
	d = evdeferred_list(base, in, 2, flags);
	ck_assert_ptr_nonnull(d);
	evdeferred_add_callback(d, free_results, NULL);
	evdeferred_callback(in[1], NULL);
	evdeferred_free(d);
	evdeferred_errback(in[0], EIO, "late");
	if (_i == 0)
		report_take(EIO);
}
END_TEST

START_TEST(value_after_a_combination_is_freed)
{
	struct evdeferred *d;
	int freed = 0;

	make_inputs(2);
	in[2] = in[0];
	d = evdeferred_list(base, in, 3, FIRST_VALUE);
	ck_assert_ptr_nonnull(d);
	evdeferred_add_callback(d, free_results, NULL);
	evdeferred_callback(in[1], NULL);
	evdeferred_free(d);
	evdeferred_fire(in[0], counting(&freed));
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* The results are read later than the rest comes. */
START_TEST(results_outlive_the_rest)
{
	struct evresults *results = NULL;
	struct evdeferred *d;
	struct seen seen = {0};
	int freed = 0;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, FIRST_VALUE);
	ck_assert_ptr_nonnull(d);
	see(d, &seen);
	evdeferred_callback(in[1], &seen);
	results = seen.value;
	evdeferred_free(d);
	evdeferred_fire(in[2], counting(&freed));
	ck_assert_int_eq(freed, 1);
	ck_assert_ptr_eq(evresult_get_value(evresults_get(results, 0)), &seen);
	evresults_free(results);
	evdeferred_fire(in[0], counting(&freed));
	ck_assert_int_eq(freed, 2);
}
END_TEST

/* An input is not over while its link runs, which frees the combination. */
static struct evdeferred *combination;

static struct evresult
free_combination(void *value, void *arg)
{
	evdeferred_free(combination);
	return evresult_owned(value, arg == NULL ? NULL : count_free);
}

START_TEST(link_of_an_input_frees_the_combination)
{
	int freed = 0;

	make_inputs(3);
	evdeferred_add_callback(in[1], free_combination, &freed);
	combination = evdeferred_gather(base, in, 3, _i == 0 ? 0 : CONSUME);
	evdeferred_callback(in[1], &freed);
	ck_assert_int_eq(freed, 1);
	evdeferred_callback(in[0], NULL);
	evdeferred_callback(in[2], NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("combine: the rest");
	TCase *tc = add_case(suite, "cancelled by the first error");

	tcase_add_loop_test(
	    tc, writer_of_a_failed_gather_leaves_the_line, 0, 2);
	tcase_add_loop_test(tc, first_error_cancels_the_rest, 0, 2);
	tcase_add_loop_test(
	    tc, first_error_of_a_fired_input_cancels_the_rest, 0, 2);
	tcase_add_loop_test(tc, value_that_answers_the_cancel_is_freed, 0, 2);
	tcase_add_loop_test(
	    tc, cleanup_of_a_cancelled_input_is_left_alone, 0, 3);
	tcase_add_test(tc, list_has_what_those_that_it_cancelled_answer);
	tcase_add_test(tc, last_error_has_none_to_cancel);
	tcase_add_loop_test(
	    tc, canceller_of_an_input_frees_the_combination, 0, 3);
	tcase_add_test(tc, error_cancels_through_gathers_of_gathers);

	tc = add_case(suite, "on their own");
	tcase_add_loop_test(
	    tc, combination_that_is_over_keeps_nothing_for_the_rest, 0, ENDS);
	tcase_add_loop_test(
	    tc, failure_after_a_combination_is_reported_unless_consumed, 0, 2);
	tcase_add_test(tc, value_after_a_combination_is_freed);
	tcase_add_test(tc, results_outlive_the_rest);
	tcase_add_loop_test(tc, link_of_an_input_frees_the_combination, 0, 2);
	return support_main(suite);
}
