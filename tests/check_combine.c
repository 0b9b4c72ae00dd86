/* SPDX-License-Identifier: MIT */
/* evdefer/deferred.h: evdeferred_list(). */
#include "combinations.h"

#include <errno.h>

#define ALL_FLAGS                                                              \
	(EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK |                                \
	    EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK |                              \
	    EVDEFERRED_LIST_CONSUME_ERRORS | EVDEFERRED_LIST_CANCEL_ON_ERROR)

/*
 * evdeferred_list().
 */

START_TEST(list_has_all_results_in_the_order_of_the_inputs)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, CONSUME);
	note_outcome(d, &outcome);
	evdeferred_callback(in[2], &three);
	evdeferred_callback(in[0], &one);
	ck_assert_int_eq(outcome.count, 0);
	evdeferred_errback(in[1], EIO, "broken");
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 3);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &one);
	ck_assert_int_eq(code_at(outcome.results, 1), EIO);
	ck_assert_ptr_eq(value_at(outcome.results, 2), &three);
	ck_assert_uint_eq(evresults_get_index(outcome.results, 2), 2);
	forget(d, &outcome);
}
END_TEST

START_TEST(list_sees_what_the_links_of_an_input_made_of_it)
{
	struct evdeferred *d;
	struct outcome outcome;
	struct seen seen = {0};

	make_inputs(3);
	see(in[1], &seen);
	d = evdeferred_list(base, in, 2, 0);
	note_outcome(d, &outcome);
	evdeferred_callback(in[0], &one);
	evdeferred_errback(in[1], EIO, NULL);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &one);
	ck_assert_ptr_null(value_at(outcome.results, 1));
	forget(d, &outcome);
	evdeferred_callback(in[2], NULL);
	evdeferred_free(in[2]);
}
END_TEST

START_TEST(list_without_inputs_has_fired)
{
	struct evdeferred *d = evdeferred_list(base, NULL, 0, 0);
	struct outcome outcome;

	note_outcome(d, &outcome);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 0);
	forget(d, &outcome);
}
END_TEST

START_TEST(list_without_inputs_never_has_a_first_value)
{
	struct evdeferred *d = evdeferred_list(base, NULL, 0, FIRST_VALUE);
	struct outcome outcome;

	note_outcome(d, &outcome);
	ck_assert_int_eq(outcome.count, 0);
	evdeferred_cancel(d);
	ck_assert_int_eq(evfailure_get_code(outcome.failure), ECANCELED);
	forget(d, &outcome);
	evdeferred_free(evdeferred_list(base, NULL, 0, FIRST_VALUE));
}
END_TEST

START_TEST(list_of_fired_inputs_has_fired)
{
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evdeferred_succeed(base, &one);
	in[1] = evdeferred_fail(base, EIO, "broken");
	d = evdeferred_list(base, in, 2, CONSUME);
	note_outcome(d, &outcome);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &one);
	ck_assert_int_eq(code_at(outcome.results, 1), EIO);
	forget(d, &outcome);
}
END_TEST

START_TEST(first_value_comes_alone_with_its_index)
{
	struct evdeferred *d;
	struct outcome outcome;
	int freed = 0;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, FIRST_VALUE | CONSUME);
	note_outcome(d, &outcome);
	evdeferred_errback(in[0], EIO, NULL);
	ck_assert_int_eq(outcome.count, 0);
	evdeferred_callback(in[1], &two);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 1);
	ck_assert_uint_eq(evresults_get_index(outcome.results, 0), 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &two);
	/* The others go on, but nobody wants what they bring. */
	evdeferred_cancel(d);
	ck_assert_int_eq(evdeferred_fire(in[2], counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(outcome.count, 1);
	forget(d, &outcome);
}
END_TEST

START_TEST(without_a_first_value_there_are_all_failures)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, FIRST_VALUE | CONSUME);
	note_outcome(d, &outcome);
	evdeferred_errback(in[0], EIO, NULL);
	evdeferred_errback(in[1], ENOENT, NULL);
	evdeferred_errback(in[2], EPERM, NULL);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 3);
	ck_assert_int_eq(code_at(outcome.results, 1), ENOENT);
	forget(d, &outcome);
}
END_TEST

START_TEST(first_error_has_the_index_and_the_cause)
{
	struct evdeferred *d;
	struct outcome outcome;
	int early = 0, late = 0;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, FIRST_ERROR | CONSUME);
	note_outcome(d, &outcome);
	evdeferred_fire(in[0], counting(&early));
	ck_assert_int_eq(early, 0);
	evdeferred_errback(in[1], EIO, "disk %d", 7);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_int_eq(early, 1);
	ck_assert_int_eq(evfailure_get_code(outcome.failure), EIO);
	ck_assert_uint_eq(evfailure_get_index(outcome.failure), 1);
	ck_assert_str_eq(
	    evfailure_get_message(outcome.failure), "input 1: disk 7");
	ck_assert_str_eq(
	    evfailure_get_message(evfailure_get_cause(outcome.failure)),
	    "disk 7");
	ck_assert(evfailure_get_index(evfailure_get_cause(outcome.failure)) ==
		  EVFAILURE_NO_INDEX);
	ck_assert_ptr_null(evfailure_get_results(outcome.failure));
	evdeferred_fire(in[2], counting(&late));
	ck_assert_int_eq(late, 1);
	forget(d, &outcome);
}
END_TEST

/* _i: whether the second has not fired. */
START_TEST(first_error_of_fired_inputs)
{
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evdeferred_fail(base, EIO, "from 0");
	in[1] = _i == 0 ? evdeferred_fail(base, ENOENT, "from 1")
			: evdeferred_new(base, NULL, NULL);
	d = evdeferred_list(base, in, 2, FIRST_ERROR | CONSUME);
	note_outcome(d, &outcome);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(evfailure_get_index(outcome.failure), 0);
	ck_assert_int_eq(evfailure_get_code(outcome.failure), EIO);
	if (_i == 1)
		evdeferred_callback(in[1], NULL);
	forget(d, &outcome);
}
END_TEST

START_TEST(first_error_does_not_come_without_one)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, FIRST_ERROR);
	note_outcome(d, &outcome);
	evdeferred_callback(in[0], &one);
	evdeferred_callback(in[1], &two);
	evdeferred_callback(in[2], &three);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 3);
	forget(d, &outcome);
}
END_TEST

START_TEST(failures_of_inputs_are_reported_unless_consumed)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs(3);
	d = evdeferred_list(base, in, 1, 0);
	note_outcome(d, &outcome);
	evdeferred_errback(in[0], EIO, NULL);
	ck_assert_int_eq(code_at(outcome.results, 0), EIO);
	report_take(EIO);
	forget(d, &outcome);

	d = evdeferred_list(base, in + 1, 1, CONSUME);
	note_outcome(d, &outcome);
	evdeferred_errback(in[1], EIO, NULL);
	forget(d, &outcome);
	ck_assert_int_eq(report.count, 0);
	evdeferred_callback(in[2], NULL);
	evdeferred_free(in[2]);
}
END_TEST

START_TEST(first_error_is_reported_beside_its_cause)
{
	struct evdeferred *d;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, FIRST_ERROR);
	evdeferred_errback(in[0], EIO, NULL);
	report_take(EIO);
	evdeferred_free(d);
	report_take(EIO);
	evdeferred_errback(in[1], ENOENT, NULL);
	report_take(ENOENT);
	evdeferred_callback(in[2], NULL);
}
END_TEST

START_TEST(cancel_of_a_list_cancels_its_inputs)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;
	size_t i;

	for (i = 0; i < 3; i++)
		in[i] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_list(base, in, 3, 0);
	note_outcome(d, &outcome);
	evdeferred_callback(in[1], &two);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 2);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_int_eq(code_at(outcome.results, 0), ECANCELED);
	ck_assert_ptr_eq(value_at(outcome.results, 1), &two);
	ck_assert_int_eq(code_at(outcome.results, 2), ECANCELED);
	forget(d, &outcome);
}
END_TEST

START_TEST(array_of_inputs_is_not_kept)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0, other = 0;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	in[1] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_list(base, in, 2, 0);
	note_outcome(d, &outcome);
	in[0] = in[1] = evdeferred_new(base, count_cancel, &other);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 2);
	ck_assert_int_eq(other, 0);
	evdeferred_callback(in[0], NULL);
	evdeferred_free(in[0]);
	forget(d, &outcome);
}
END_TEST

/* _i: 0 no flag, 1 for the first error, 2 gathered. */
START_TEST(cancelled_inputs_may_answer_with_values)
{
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evdeferred_new(base, cancel_with_value, &one);
	in[1] = evdeferred_new(base, cancel_with_value, &two);
	d = _i < 2 ? evdeferred_list(base, in, 2, _i == 0 ? 0 : FIRST_ERROR)
		   : evdeferred_gather(base, in, 2, 0);
	note_outcome(d, &outcome);
	evdeferred_cancel(d);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &one);
	ck_assert_ptr_eq(value_at(outcome.results, 1), &two);
	forget(d, &outcome);
}
END_TEST

START_TEST(cancel_of_a_list_for_the_first_value)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs(3);
	d = evdeferred_list(base, in, 3, FIRST_VALUE);
	note_outcome(d, &outcome);
	evdeferred_cancel(d);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 3);
	ck_assert_int_eq(code_at(outcome.results, 2), ECANCELED);
	forget(d, &outcome);
	evdeferred_callback(in[0], NULL);
	evdeferred_callback(in[1], NULL);
	evdeferred_callback(in[2], NULL);
}
END_TEST

START_TEST(cancelled_input_may_answer_with_the_first_value)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;

	in[0] = evdeferred_new(base, cancel_with_value, &one);
	in[1] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_list(base, in, 2, FIRST_VALUE);
	note_outcome(d, &outcome);
	evdeferred_cancel(d);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_uint_eq(evresults_get_index(outcome.results, 0), 0);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &one);
	forget(d, &outcome);
}
END_TEST

START_TEST(cancel_of_a_list_for_the_first_error)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;
	size_t i;

	for (i = 0; i < 3; i++)
		in[i] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_list(base, in, 3, FIRST_ERROR);
	note_outcome(d, &outcome);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 3);
	ck_assert_int_eq(evfailure_get_code(outcome.failure), ECANCELED);
	ck_assert_uint_eq(evfailure_get_index(outcome.failure), 0);
	forget(d, &outcome);
}
END_TEST

START_TEST(cancel_by_the_consumer_is_not_reported)
{
	struct evdeferred *d;
	int cancelled = 0;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	in[1] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_gather(base, in, 2, 0);
	evdeferred_cancel(d);
	evdeferred_free(d);
	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	in[1] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_race(base, in, 2);
	evdeferred_cancel(d);
	evdeferred_free(d);
	ck_assert_int_eq(cancelled, 4);
	ck_assert_int_eq(report.count, 0);
}
END_TEST

START_TEST(cancel_of_a_fired_list_does_nothing)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;
	unsigned flags;

	for (flags = FIRST_VALUE; flags <= FIRST_ERROR; flags++) {
		in[0] = evdeferred_new(base, NULL, NULL);
		in[1] = evdeferred_new(base, count_cancel, &cancelled);
		d = evdeferred_list(base, in, 2, flags | CONSUME);
		note_outcome(d, &outcome);
		if (flags == FIRST_VALUE)
			evdeferred_callback(in[0], &one);
		else
			evdeferred_errback(in[0], EIO, NULL);
		ck_assert_int_eq(outcome.count, 1);
		evdeferred_cancel(d);
		forget(d, &outcome);
		ck_assert_int_eq(cancelled, 0);
		evdeferred_callback(in[1], NULL);
	}
}
END_TEST

START_TEST(cancel_of_one_input_is_a_failure_of_it)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs(3);
	d = evdeferred_list(base, in, 2, 0);
	note_outcome(d, &outcome);
	evdeferred_cancel(in[0]);
	ck_assert_int_eq(outcome.count, 0);
	evdeferred_callback(in[1], &two);
	ck_assert_int_eq(code_at(outcome.results, 0), ECANCELED);
	evdeferred_callback(in[0], NULL);
	forget(d, &outcome);
	evdeferred_callback(in[2], NULL);
	evdeferred_free(in[2]);
}
END_TEST

START_TEST(cancel_leaves_a_paused_input_to_its_unpause)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	evdeferred_pause(in[0]);
	d = evdeferred_list(base, in, 1, 0);
	note_outcome(d, &outcome);
	evdeferred_cancel(d);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(outcome.count, 0);
	evdeferred_unpause(in[0]);
	ck_assert_int_eq(code_at(outcome.results, 0), ECANCELED);
	forget(d, &outcome);
}
END_TEST

START_TEST(free_of_a_list_frees_its_inputs)
{
	struct evdeferred *d;
	int cancelled = 0, freed = 0;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	in[1] = evdeferred_new(base, NULL, NULL);
	in[2] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_list(base, in, 3, 0);
	evdeferred_fire(in[1], counting(&freed));
	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(freed, 1);
	evdeferred_fire(in[2], counting(&freed));
	ck_assert_int_eq(freed, 2);
}
END_TEST

static struct evresult
free_it(void *value, void *arg)
{
	(void)value;
	evdeferred_free(*(struct evdeferred **)arg);
	return evresult_value(value);
}

START_TEST(free_of_a_list_from_inside_a_link_of_an_input)
{
	struct evdeferred *d;
	int cancelled = 0;

	in[0] = evdeferred_new(base, NULL, NULL);
	in[1] = evdeferred_new(base, count_cancel, &cancelled);
	evdeferred_add_callback(in[0], free_it, &d);
	d = evdeferred_list(base, in, 2, 0);
	evdeferred_callback(in[0], &one);
	ck_assert_int_eq(cancelled, 1);
}
END_TEST

static void
cancel_and_free(struct evdeferred *d, void *arg)
{
	(void)d;
	evdeferred_free(*(struct evdeferred **)arg);
}

START_TEST(free_of_a_list_from_inside_a_canceller)
{
	struct evdeferred *d;
	int cancelled = 0;

	in[0] = evdeferred_new(base, cancel_and_free, &d);
	in[1] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_list(base, in, 2, 0);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
}
END_TEST

START_TEST(free_of_a_race_while_the_losers_go)
{
	struct evdeferred *d;
	int freed = 0;

	in[0] = evdeferred_new(base, cancel_and_free, &d);
	in[1] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_race(base, in, 2);
	evdeferred_fire(in[1], counting(&freed));
	ck_assert_int_eq(freed, 1);
}
END_TEST

static void
cancel_another(struct evdeferred *d, void *arg)
{
	(void)d;
	evdeferred_cancel(*(struct evdeferred **)arg);
}

START_TEST(cancel_of_a_race_while_the_losers_go_is_too_late)
{
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evdeferred_new(base, cancel_another, &d);
	in[1] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_race(base, in, 2);
	note_outcome(d, &outcome);
	evdeferred_callback(in[1], &two);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &two);
	forget(d, &outcome);
}
END_TEST

static void
cancel_this(void *d)
{
	evdeferred_cancel(*(struct evdeferred **)d);
}

/* It leaves alone what the first error has left alone. */
START_TEST(cancel_of_a_list_while_its_first_error_comes_is_too_late)
{
	int cancelled = 0;
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evdeferred_new(base, NULL, NULL);
	in[1] = evdeferred_new(base, NULL, NULL);
	in[2] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_list(base, in, 3, FIRST_ERROR | CONSUME);
	note_outcome(d, &outcome);
	evdeferred_fire(in[0], evresult_owned(&d, cancel_this));
	evdeferred_errback(in[1], EIO, "first");
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_int_eq(cancelled, 0);
	evdeferred_callback(in[2], NULL);
	forget(d, &outcome);
}
END_TEST

static void
cancel_and_free_another(struct evdeferred *d, void *arg)
{
	cancel_another(d, arg);
	cancel_and_free(d, arg);
}

/* Runs in a canceller that is so deep inside of combinations that the cancel
 * is put off. */
START_TEST(cancelled_and_freed_deep_inside_of_other_combinations)
{
	int cancelled = 0;
	struct evdeferred *other, *d;
	struct outcome outcome;
	int i;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	other = evdeferred_list(base, in, 1, 0);
	d = evdeferred_new(base, cancel_and_free_another, &other);
	for (i = 0; i < _i; i++)
		d = evdeferred_list(base, &d, 1, 0);
	note_outcome(d, &outcome);
	evdeferred_cancel(d);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_int_eq(cancelled, 1);
	forget(d, &outcome);
}
END_TEST

START_TEST(input_that_another_waits_for_is_refused)
{
	int cancelled = 0;
	struct evdeferred *outer;

	in[0] = evdeferred_new(base, count_cancel, &cancelled);
	outer = evdeferred_new_fired(base, evresult_deferred(in[0]));
	REFUSED_NULL(evdeferred_list(base, in, 1, 0), EINVAL);
	evdeferred_free(outer);
}
END_TEST

START_TEST(repeated_input_is_owned_once)
{
	struct evdeferred *d;
	struct outcome outcome;
	int freed = 0;

	in[0] = in[1] = in[2] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_list(base, in, 3, 0);
	note_outcome(d, &outcome);
	evdeferred_fire(in[0], counting(&freed));
	ck_assert_uint_eq(evresults_get_count(outcome.results), 3);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &freed);
	ck_assert_ptr_eq(value_at(outcome.results, 2), &freed);
	ck_assert_int_eq(freed, 0);
	forget(d, &outcome);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(repeated_input_is_reported_and_freed_once)
{
	struct evdeferred *d;
	struct outcome outcome;
	int cancelled = 0;

	in[0] = in[1] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_list(base, in, 2, 0);
	note_outcome(d, &outcome);
	evdeferred_errback(in[0], EIO, NULL);
	ck_assert_int_eq(code_at(outcome.results, 0), EIO);
	ck_assert_int_eq(code_at(outcome.results, 1), EIO);
	report_take(EIO);
	forget(d, &outcome);

	in[0] = in[1] = evdeferred_new(base, count_cancel, &cancelled);
	evdeferred_free(evdeferred_race(base, in, 2));
	in[0] = in[1] = evdeferred_new(base, count_cancel, &cancelled);
	d = evdeferred_list(base, in, 2, 0);
	evdeferred_cancel(d);
	evdeferred_free(d);
	ck_assert_int_eq(cancelled, 2);
}
END_TEST

START_TEST(repeated_winner_of_a_race)
{
	struct evdeferred *d;
	struct outcome outcome;
	int freed = 0;

	in[0] = in[1] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_race(base, in, 2);
	note_outcome(d, &outcome);
	evdeferred_fire(in[0], counting(&freed));
	ck_assert_uint_eq(evresults_get_count(outcome.results), 1);
	ck_assert_int_eq(freed, 0);
	forget(d, &outcome);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(bad_arguments_change_nothing)
{
	struct evdefer_base *other = evdefer_base_new(loop);
	struct evdeferred *list;

	make_inputs(3);
	REFUSED_NULL(evdeferred_list(NULL, in, 3, 0), EINVAL);
	REFUSED_NULL(evdeferred_list(base, NULL, 3, 0), EINVAL);
	REFUSED_NULL(evdeferred_list(base, in, 3, ALL_FLAGS + 1), EINVAL);
	REFUSED_NULL(evdeferred_gather(base, in, 3, FIRST_VALUE), EINVAL);
	REFUSED_NULL(evdeferred_race(other, in, 3), EINVAL);
	list = in[1];
	in[1] = NULL;
	REFUSED_NULL(evdeferred_gather(base, in, 3, 0), EINVAL);
	in[1] = list;

	/* What was handed over can't be handed over again. */
	list = evdeferred_list(base, in, 1, 0);
	REFUSED_NULL(evdeferred_list(base, in, 3, 0), EINVAL);
	evdeferred_callback(in[0], NULL);
	evdeferred_free(list);
	evdeferred_callback(in[1], NULL);
	evdeferred_free(in[1]);
	evdeferred_callback(in[2], NULL);
	evdeferred_free(in[2]);
	evdefer_base_free(other);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("combine");
	TCase *tc = add_case(suite, "list");

	tcase_add_test(tc, list_has_all_results_in_the_order_of_the_inputs);
	tcase_add_test(tc, list_sees_what_the_links_of_an_input_made_of_it);
	tcase_add_test(tc, list_without_inputs_has_fired);
	tcase_add_test(tc, list_without_inputs_never_has_a_first_value);
	tcase_add_test(tc, list_of_fired_inputs_has_fired);
	tcase_add_test(tc, first_value_comes_alone_with_its_index);
	tcase_add_test(tc, without_a_first_value_there_are_all_failures);
	tcase_add_test(tc, first_error_has_the_index_and_the_cause);
	tcase_add_loop_test(tc, first_error_of_fired_inputs, 0, 2);
	tcase_add_test(tc, first_error_does_not_come_without_one);
	tcase_add_test(tc, failures_of_inputs_are_reported_unless_consumed);
	tcase_add_test(tc, first_error_is_reported_beside_its_cause);
	tcase_add_test(tc, cancel_of_a_list_cancels_its_inputs);
	tcase_add_test(tc, array_of_inputs_is_not_kept);
	tcase_add_loop_test(tc, cancelled_inputs_may_answer_with_values, 0, 3);
	tcase_add_test(tc, cancel_of_a_list_for_the_first_value);
	tcase_add_test(tc, cancelled_input_may_answer_with_the_first_value);
	tcase_add_test(tc, cancel_of_a_list_for_the_first_error);
	tcase_add_test(tc, cancel_by_the_consumer_is_not_reported);
	tcase_add_test(tc, cancel_of_a_fired_list_does_nothing);
	tcase_add_test(tc, cancel_of_one_input_is_a_failure_of_it);
	tcase_add_test(tc, cancel_leaves_a_paused_input_to_its_unpause);
	tcase_add_test(tc, free_of_a_list_frees_its_inputs);
	tcase_add_test(tc, free_of_a_list_from_inside_a_link_of_an_input);
	tcase_add_test(tc, free_of_a_list_from_inside_a_canceller);
	tcase_add_test(tc, free_of_a_race_while_the_losers_go);
	tcase_add_test(tc, cancel_of_a_race_while_the_losers_go_is_too_late);
	tcase_add_test(
	    tc, cancel_of_a_list_while_its_first_error_comes_is_too_late);
	tcase_add_loop_test(
	    tc, cancelled_and_freed_deep_inside_of_other_combinations, 0, 24);
	tcase_add_test(tc, input_that_another_waits_for_is_refused);
	tcase_add_test(tc, repeated_input_is_owned_once);
	tcase_add_test(tc, repeated_input_is_reported_and_freed_once);
	tcase_add_test(tc, repeated_winner_of_a_race);
	tcase_add_test(tc, bad_arguments_change_nothing);
	return support_main(suite);
}
