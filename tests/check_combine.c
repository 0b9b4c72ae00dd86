/* SPDX-License-Identifier: MIT */
#include "deferreds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL_FLAGS                                                              \
	(EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK |                                \
	    EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK |                              \
	    EVDEFERRED_LIST_CONSUME_ERRORS | EVDEFERRED_LIST_CANCEL_ON_ERROR)

static const unsigned FIRST_VALUE = EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK;
static const unsigned FIRST_ERROR = EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK;
static const unsigned CONSUME = EVDEFERRED_LIST_CONSUME_ERRORS;

static char one, two, three;

/* Three Deferreds to put together. */
static struct evdeferred *in[3];

static void
make_inputs(void)
{
	size_t i;

	for (i = 0; i < 3; i++) {
		in[i] = evdeferred_new(base, NULL, NULL);
		ck_assert_ptr_nonnull(in[i]);
	}
}

/* What a combination fired with. */
struct outcome {
	int count;
	struct evresults *results;
	struct evfailure *failure; /* kept */
};

static struct evresult
note_value(void *value, void *arg)
{
	struct outcome *outcome = arg;

	outcome->count++;
	outcome->results = value;
	return evresult_value(NULL);
}

static struct evresult
note_failure(struct evfailure *failure, void *arg)
{
	struct outcome *outcome = arg;

	outcome->count++;
	outcome->failure = evfailure_ref(failure);
	return evresult_value(NULL);
}

static void
note(struct evdeferred *d, struct outcome *outcome)
{
	ck_assert_ptr_nonnull(d);
	memset(outcome, 0, sizeof(*outcome));
	ck_assert_int_eq(
	    evdeferred_add_callbacks(d, note_value, note_failure, outcome), 0);
}

static void
forget(struct evdeferred *d, struct outcome *outcome)
{
	evresults_free(outcome->results);
	evfailure_unref(outcome->failure);
	evdeferred_free(d);
}

static void *
value_at(const struct evresults *results, size_t i)
{
	ck_assert(!evresult_is_failure(evresults_get(results, i)));
	return evresult_get_value(evresults_get(results, i));
}

static int
code_at(const struct evresults *results, size_t i)
{
	ck_assert(evresult_is_failure(evresults_get(results, i)));
	return evfailure_get_code(
	    evresult_get_failure(evresults_get(results, i)));
}

/*
 * evdeferred_list().
 */

START_TEST(list_has_all_results_in_the_order_of_the_inputs)
{
	struct evdeferred *d;
	struct outcome outcome;

	make_inputs();
	d = evdeferred_list(base, in, 3, CONSUME);
	note(d, &outcome);
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

	make_inputs();
	see(in[1], &seen);
	d = evdeferred_list(base, in, 2, 0);
	note(d, &outcome);
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

	note(d, &outcome);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 0);
	forget(d, &outcome);
}
END_TEST

START_TEST(list_without_inputs_never_has_a_first_value)
{
	struct evdeferred *d = evdeferred_list(base, NULL, 0, FIRST_VALUE);
	struct outcome outcome;

	note(d, &outcome);
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
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_list(base, in, 3, FIRST_VALUE | CONSUME);
	note(d, &outcome);
	evdeferred_errback(in[0], EIO, NULL);
	ck_assert_int_eq(outcome.count, 0);
	evdeferred_callback(in[1], &two);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(evresults_get_count(outcome.results), 1);
	ck_assert_uint_eq(evresults_get_index(outcome.results, 0), 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), &two);
	/* The others go on, and nobody wants what they bring. */
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

	make_inputs();
	d = evdeferred_list(base, in, 3, FIRST_VALUE | CONSUME);
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_list(base, in, 3, FIRST_ERROR | CONSUME);
	note(d, &outcome);
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
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_list(base, in, 3, FIRST_ERROR);
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_list(base, in, 1, 0);
	note(d, &outcome);
	evdeferred_errback(in[0], EIO, NULL);
	ck_assert_int_eq(code_at(outcome.results, 0), EIO);
	report_take(EIO);
	forget(d, &outcome);

	d = evdeferred_list(base, in + 1, 1, CONSUME);
	note(d, &outcome);
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

	make_inputs();
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
	note(d, &outcome);
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
	note(d, &outcome);
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
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_list(base, in, 3, FIRST_VALUE);
	note(d, &outcome);
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
	note(d, &outcome);
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
	note(d, &outcome);
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
		note(d, &outcome);
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

	make_inputs();
	d = evdeferred_list(base, in, 2, 0);
	note(d, &outcome);
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
	note(d, &outcome);
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
	note(d, &outcome);
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
	note(d, &outcome);
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

/* In a canceller that is so deep in combinations that the cancel is put off. */
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
	note(d, &outcome);
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
	errno = 0;
	ck_assert_ptr_null(evdeferred_list(base, in, 1, 0));
	ck_assert_int_eq(errno, EINVAL);
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
	note(d, &outcome);
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
	note(d, &outcome);
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
	note(d, &outcome);
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

	make_inputs();
	errno = 0;
	ck_assert_ptr_null(evdeferred_list(NULL, in, 3, 0));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(evdeferred_list(base, NULL, 3, 0));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(evdeferred_list(base, in, 3, ALL_FLAGS + 1));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(evdeferred_gather(base, in, 3, FIRST_VALUE));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(evdeferred_race(other, in, 3));
	ck_assert_int_eq(errno, EINVAL);
	list = in[1];
	in[1] = NULL;
	errno = 0;
	ck_assert_ptr_null(evdeferred_gather(base, in, 3, 0));
	ck_assert_int_eq(errno, EINVAL);
	in[1] = list;

	/* What was handed over can't be handed over again. */
	list = evdeferred_list(base, in, 1, 0);
	errno = 0;
	ck_assert_ptr_null(evdeferred_list(base, in, 3, 0));
	ck_assert_int_eq(errno, EINVAL);
	evdeferred_callback(in[0], NULL);
	evdeferred_free(list);
	evdeferred_callback(in[1], NULL);
	evdeferred_free(in[1]);
	evdeferred_callback(in[2], NULL);
	evdeferred_free(in[2]);
	evdefer_base_free(other);
}
END_TEST

/*
 * evresults.
 */

START_TEST(results_are_owned_by_who_takes_them)
{
	struct evdeferred *d;
	struct outcome outcome;
	int kept = 0, left = 0;
	struct evresult result;

	make_inputs();
	d = evdeferred_list(base, in, 3, CONSUME);
	note(d, &outcome);
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

	note(d, &outcome);
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

	make_inputs();
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

	make_inputs();
	d = evdeferred_list(base, in, 1, 0);
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_gather(base, in, 3, 0);
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_gather(base, in, 3, CONSUME);
	note(d, &outcome);
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
	note(d, &outcome);
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
	note(d, &outcome);
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
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_race(base, in, 3);
	note(d, &outcome);
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
	note(d, &outcome);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 2);
	ck_assert_int_eq(evfailure_get_code(outcome.failure), ECANCELED);
	ck_assert_uint_eq(
	    evresults_get_count(evfailure_get_results(outcome.failure)), 2);
	forget(d, &outcome);
}
END_TEST

START_TEST(race_without_inputs_never_fires)
{
	struct evdeferred *d = evdeferred_race(base, NULL, 0);
	struct outcome outcome;

	note(d, &outcome);
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
	note(d, &outcome);
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

	make_inputs();
	d = evdeferred_race(base, in, 2);
	note(d, &outcome);
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
 * With locks: _i is the flags of the locks.
 */

START_TEST(lock_grant_that_loses_is_released)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evrwlock *other = evrwlock_new(base, (unsigned)_i);
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evrwlock_writer_acquire(lock);
	in[1] = evrwlock_writer_acquire(other);
	d = evdeferred_race(base, in, 2);
	note(d, &outcome);
	turns(3);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), lock);
	ck_assert(evrwlock_is_writing(lock));
	ck_assert(!evrwlock_is_writing(other));
	forget(d, &outcome);
	ck_assert(!evrwlock_is_writing(lock));
	evrwlock_free(lock);
	evrwlock_free(other);
}
END_TEST

START_TEST(lock_grant_taken_from_the_results_is_held)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evowner *owner = evowner_new(base, "owner");
	struct evdeferred *d;
	struct outcome outcome;
	struct evresult result;

	in[0] = evrwlock_reader_acquire(lock);
	in[1] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
	in[2] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
	d = evdeferred_gather(base, in, 3, 0);
	note(d, &outcome);
	turns(3);
	ck_assert_int_eq(outcome.count, 1);
	result = evresults_take(outcome.results, 0);
	ck_assert_ptr_eq(evresult_get_value(result), lock);
	ck_assert_ptr_eq(value_at(outcome.results, 1), lock);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_READ), -1);
	ck_assert_int_eq(errno, EPERM);
	result = evresults_take(outcome.results, 1);
	ck_assert_ptr_eq(evresult_get_value(result), lock);
	forget(d, &outcome);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_READ), -1);
	ck_assert(evrwlock_is_reading(lock));
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert(!evrwlock_is_reading(lock));
	evowner_free(owner);
	evrwlock_free(lock);
}
END_TEST

START_TEST(lock_grant_of_an_owner_that_went_is_a_failure)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evowner *owner = evowner_new(base, "owner");
	struct evdeferred *d;
	struct outcome outcome;
	struct evresult result;

	in[0] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
	in[1] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
	d = evdeferred_gather(base, in, 2, 0);
	note(d, &outcome);
	turns(2);
	ck_assert_int_eq(outcome.count, 1);
	evowner_free(owner);
	ck_assert(!evrwlock_is_reading(lock));
	ck_assert_int_eq(code_at(outcome.results, 0), ECANCELED);
	result = evresults_take(outcome.results, 0);
	ck_assert_int_eq(
	    evfailure_get_code(evresult_get_failure(result)), ECANCELED);
	evresult_dispose(result);
	forget(d, &outcome);
	evrwlock_free(lock);
}
END_TEST

START_TEST(lock_waiters_of_a_combination_that_is_freed_leave)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evdeferred *d, *reader;
	struct seen seen = {0};

	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	in[0] = evrwlock_writer_acquire(lock);
	in[1] = evrwlock_writer_acquire(lock);
	d = evdeferred_gather(base, in, 2, 0);
	reader = evrwlock_reader_acquire(lock);
	see(reader, &seen);
	evdeferred_free(d);
	turns(2);
	ck_assert_int_eq(seen.values, 1);
	evrwlock_reader_release(lock);
	evrwlock_reader_release(lock);
	evdeferred_free(reader);
	evrwlock_free(lock);
}
END_TEST

START_TEST(lock_grants_before_the_first_error_are_released)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evrwlock_writer_acquire(lock);
	in[1] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_gather(base, in, 2, CONSUME);
	note(d, &outcome);
	turns(2);
	ck_assert(evrwlock_is_writing(lock));
	evdeferred_errback(in[1], EIO, NULL);
	ck_assert(!evrwlock_is_writing(lock));
	forget(d, &outcome);
	evrwlock_free(lock);
}
END_TEST

/*
 * Memory and scale.
 */

static struct evdeferred *
combine(int kind, struct evdeferred *const *deferreds, size_t count)
{
	switch (kind) {
	case 0:
		return evdeferred_list(base, deferreds, count, CONSUME);
	case 1:
		return evdeferred_gather(base, deferreds, count, CONSUME);
	case 2:
		return evdeferred_race(base, deferreds, count);
	default:
		return evdeferred_list(
		    base, deferreds, count, FIRST_VALUE | CONSUME);
	}
}

/* _i is the kind. */
START_TEST(without_memory_the_inputs_stay_the_callers)
{
	enum { COUNT = 100 };
	struct evdeferred *inputs[COUNT], *d;
	size_t n, i;
	int freed = 0;

	if (!alloc_works())
		return;
	for (i = 0; i < COUNT; i++)
		inputs[i] = evdeferred_new_fired(base, counting(&freed));
	for (n = 1; n < 1000; n++) {
		alloc_fail_at(n, true);
		errno = 0;
		d = combine(_i, inputs, COUNT);
		alloc_fail_at(0, false);
		if (d != NULL)
			break;
		ck_assert_int_eq(errno, ENOMEM);
		ck_assert_int_eq(freed, 0);
	}
	ck_assert_uint_gt(n, 1);
	evdeferred_free(d);
	ck_assert_int_eq(freed, COUNT);
}
END_TEST

START_TEST(without_memory_a_failure_comes_all_the_same)
{
	struct evdeferred *d;
	struct outcome outcome;
	int kind;

	if (!alloc_works())
		return;
	for (kind = 1; kind <= 2; kind++) {
		in[0] = evdeferred_new(base, NULL, NULL);
		d = combine(kind, in, 1);
		note(d, &outcome);
		alloc_fail_at(2, true);
		evdeferred_errback(in[0], EIO, "x");
		alloc_fail_at(0, false);
		ck_assert_int_eq(outcome.count, 1);
		ck_assert_int_eq(evfailure_get_code(outcome.failure), ENOMEM);
		forget(d, &outcome);
	}
}
END_TEST

/* _i is the kind, and 4 more if the inputs have fired before. */
START_TEST(million_inputs)
{
	const size_t count = support_scale();
	const int kind = _i % 4;
	struct evdeferred **inputs = support_array(count, sizeof(*inputs)), *d;
	struct outcome outcome;
	int freed = 0;
	size_t i;

	support_small_stack();
	for (i = 0; i < count; i++)
		inputs[i] = _i >= 4
				? evdeferred_new_fired(base, counting(&freed))
				: evdeferred_new(base, NULL, NULL);
	d = combine(kind, inputs, count);
	note(d, &outcome);
	for (i = 0; i < count && _i < 4; i++)
		evdeferred_fire(inputs[i], counting(&freed));
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(
	    evresults_get_count(outcome.results), kind < 2 ? count : 1);
	ck_assert_uint_eq((size_t)freed, kind < 2 ? 0 : count - 1);
	forget(d, &outcome);
	ck_assert_uint_eq((size_t)freed, count);
	free(inputs);
}
END_TEST

/* A combination of one, a million deep.  _i is the kind, and 4 more if the
 * innermost fails, 8 more if the outermost is cancelled, 12 more if freed. */
START_TEST(combinations_a_million_deep)
{
	const size_t count = support_scale();
	struct evdeferred *innermost, *d;
	struct outcome outcome;
	int freed = 0, cancelled = 0;
	size_t i;

	support_small_stack();
	d = innermost = evdeferred_new(base, count_cancel, &cancelled);
	for (i = 0; i < count; i++)
		d = combine(_i % 4, &d, 1);
	if (_i >= 12) {
		evdeferred_free(d);
		ck_assert_int_eq(cancelled, 1);
		return;
	}
	note(d, &outcome);
	if (_i >= 8)
		evdeferred_cancel(d);
	else if (_i >= 4)
		evdeferred_errback(innermost, EIO, "deep");
	else
		evdeferred_fire(innermost, counting(&freed));
	event_base_dispatch(loop);
	ck_assert_int_eq(outcome.count, 1);
	forget(d, &outcome);
	ck_assert_int_eq(freed, _i < 4);
	ck_assert_int_eq(cancelled, _i >= 8);
}
END_TEST

/* It used to fire the combination once more, after that was freed. */
START_TEST(combination_is_fired_by_its_inputs_alone)
{
	struct evdeferred *input = evdeferred_new(base, NULL, NULL);
	struct evdeferred *source = evdeferred_succeed(base, NULL);
	struct evdeferred *d = evdeferred_gather(base, &input, 1, 0);
	struct seen seen = {0};

	errno = 0;
	ck_assert_int_eq(evdeferred_callback(d, NULL), -1);
	ck_assert_int_eq(errno, EPERM);
	errno = 0;
	ck_assert_int_eq(evdeferred_chain(source, d), -1);
	ck_assert_int_eq(errno, EPERM);
	see(d, &seen);
	ck_assert_int_eq(evdeferred_callback(input, NULL), 0);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_uint_eq(evresults_get_count(seen.value), 1);
	evresults_free(seen.value);
	evdeferred_free(d);
	evdeferred_free(source);
}
END_TEST

static void
add_list(Suite *suite)
{
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
}

static void
add_others(Suite *suite)
{
	TCase *tc = add_case(suite, "results, gather and race");

	tcase_add_test(tc, results_are_owned_by_who_takes_them);
	tcase_add_test(tc, results_have_nothing_beyond_their_end);
	tcase_add_test(tc, results_that_nobody_receives_are_disposed_of);
	tcase_add_test(tc, results_outlive_the_base);
	tcase_add_test(tc, combination_is_fired_by_its_inputs_alone);
	tcase_add_test(tc, gather_has_all_values);
	tcase_add_test(tc, gather_fails_with_the_first_error);
	tcase_add_test(tc, gather_with_a_timeout_times_out);
	tcase_add_test(tc, race_has_the_first_value_and_cancels_the_others);
	tcase_add_test(tc, race_of_fired_inputs_is_won_by_the_first);
	tcase_add_test(tc, race_that_all_lose_has_all_failures);
	tcase_add_test(tc, race_that_is_cancelled_cancels_all);
	tcase_add_test(tc, race_without_inputs_never_fires);
	tcase_add_test(tc, race_is_not_won_by_a_canceller);
	tcase_add_loop_test(tc, race_takes_no_late_result_of_a_loser, 0, 2);
	tcase_add_test(tc, timeout_answered_with_a_value_is_none);
	tcase_add_test(tc, timeout_goes_when_a_failure_comes);
}

static void
add_locks_memory_and_scale(Suite *suite)
{
	TCase *tc = add_case(suite, "locks, memory and scale");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, lock_grant_that_loses_is_released, 0, 2);
	tcase_add_loop_test(
	    tc, lock_grant_taken_from_the_results_is_held, 0, 2);
	tcase_add_loop_test(
	    tc, lock_grant_of_an_owner_that_went_is_a_failure, 0, 2);
	tcase_add_loop_test(
	    tc, lock_waiters_of_a_combination_that_is_freed_leave, 0, 2);
	tcase_add_loop_test(
	    tc, lock_grants_before_the_first_error_are_released, 0, 2);
	tcase_add_loop_test(
	    tc, without_memory_the_inputs_stay_the_callers, 0, 4);
	tcase_add_test(tc, without_memory_a_failure_comes_all_the_same);
	tcase_add_loop_test(tc, million_inputs, 0, 8);
	tcase_add_loop_test(tc, combinations_a_million_deep, 0, 16);
}

int
main(void)
{
	Suite *suite = suite_create("combine");

	add_list(suite);
	add_others(suite);
	add_locks_memory_and_scale(suite);
	return support_main(suite);
}
