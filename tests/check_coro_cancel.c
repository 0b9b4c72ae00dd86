/* SPDX-License-Identifier: MIT */
/* Coroutines that are cancelled or freed, by others or by themselves. */
#include "jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Cancelling.
 */

START_TEST(a_cancel_reaches_what_the_coroutine_waits_for)
{
	int i, cancels = 0;

	for (i = 0; i < _i; i++)
		job.inputs[i] = fired(evresult_value(NULL));
	job.inputs[_i] = evdeferred_new(base, count_cancel, &cancels);
	start(&job, three_waits);
	ck_assert_int_eq(job.waits, _i);
	evdeferred_cancel(job.d);
	ck_assert_int_eq(cancels, 1);
	check_ended(&job, ECANCELED);
}
END_TEST

START_TEST(a_cancelled_wait_can_be_tried)
{
	int i, cancels = 0;

	for (i = 0; i < 3; i++)
		job.inputs[i] =
		    i != _i ? fired(evresult_value(NULL))
			    : evdeferred_new(base, count_cancel, &cancels);
	start(&job, three_tries);
	evdeferred_cancel(job.d);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(job.codes[i], i == _i ? ECANCELED : 0);
	check_ended(&job, 0);
}
END_TEST

static void
fail_instead(struct evdeferred *d, void *code)
{
	evdeferred_errback(d, *(int *)code, "answer to a cancel");
}

START_TEST(the_answer_to_a_cancel_can_be_translated)
{
	int code = _i == 0 ? EBADF : ENOENT;

	job.inputs[0] = evdeferred_new(base, fail_instead, &code);
	start(&job, translate);
	evdeferred_cancel(job.d);
	check_ended(&job, _i == 0 ? ERANGE : 0);
}
END_TEST

static struct evresult
wait_for_more(struct evfailure *failure, void *more)
{
	ck_assert_int_eq(evfailure_get_code(failure), ECANCELED);
	return evresult_deferred(more);
}

START_TEST(a_cancel_takes_as_long_as_what_is_waited_for_needs)
{
	struct evdeferred *more = fresh();

	job.inputs[0] = fresh();
	evdeferred_add_errback(job.inputs[0], wait_for_more, more);
	start(&job, translate);
	evdeferred_cancel(job.d);
	ck_assert_int_eq(job.cleanups, 0);
	evdeferred_callback(more, "after all");
	check_ended(&job, 0);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_str_eq(job.seen.value, "after all");
}
END_TEST

START_TEST(a_timeout_of_a_coroutine_cancels_its_wait)
{
	static const struct timeval limit = {1, 0};
	int cancels = 0;

	job.inputs[0] = evdeferred_new(base, count_cancel, &cancels);
	start(&job, three_waits);
	ck_assert_int_eq(evdeferred_add_timeout(job.d, &limit), 0);
	see(job.d, &job.seen);
	clock_advance(1001);
	turns(2);
	ck_assert_int_eq(cancels, 1);
	ck_assert_int_eq(job.seen.code, ETIMEDOUT);
	ck_assert_int_eq(job.cleanup_code, ECANCELED);
	evdeferred_free(job.d);
}
END_TEST

static struct evresult
cancel_oneself(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, j->inputs[0]);
	evdeferred_cancel(j->d);
	EVCORO_TRY(co, j->inputs[1]);
	note_wait(co, j);
	EVCORO_TRY(co, j->inputs[2]);
	note_wait(co, j);
	EVCORO_FINALLY(co);
	evdeferred_cancel(j->d);
	note_cleanup(co, j);
	EVCORO_END(co);
}

/* _i: whether the next wait is over already. */
START_TEST(a_cancel_of_a_running_coroutine_hits_its_next_wait)
{
	int cancels = 0, freed = 0;

	job.inputs[0] = fresh();
	job.inputs[1] = _i == 0 ? evdeferred_new(base, count_cancel, &cancels)
				: fired(counting(&freed));
	job.inputs[2] = fired(evresult_value(NULL));
	start(&job, cancel_oneself);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.codes[0], ECANCELED);
	ck_assert_int_eq(job.codes[1], 0);
	ck_assert_int_eq(_i == 0 ? cancels : freed, 1);
	check_ended(&job, 0);
}
END_TEST

/* Starts a coroutine so deep in callbacks that it may have to wait for its turn,
 * and cancels it at once. */
static struct evresult
start_below(void *value, void *arg)
{
	int *levels = arg;
	struct evdeferred *d;

	(void)value;
	if (--*levels >= 0) {
		d = fresh();
		evdeferred_add_callback(d, start_below, levels);
		evdeferred_callback(d, NULL);
		evdeferred_detach(d);
		return evresult_value(NULL);
	}
	start(&job, three_waits);
	evdeferred_cancel(job.d);
	return evresult_value(NULL);
}

/* _i: how deep. */
START_TEST(a_cancel_before_the_start_hits_the_first_wait)
{
	int levels = _i, cancels = 0;

	job.inputs[0] = evdeferred_new(base, count_cancel, &cancels);
	start_below(NULL, &levels);
	turns(4);
	ck_assert_int_eq(cancels, 1);
	check_ended(&job, ECANCELED);
}
END_TEST

static struct evresult
cancel_job(struct evresult result, void *arg)
{
	struct job *j = arg;

	evdeferred_cancel(j->d);
	return result;
}

START_TEST(a_cancel_while_the_result_is_on_its_way_ends_the_wait)
{
	int freed = 0;

	job.inputs[0] = fresh();
	evdeferred_add_both(job.inputs[0], cancel_job, &job);
	start(&job, three_waits);
	evdeferred_fire(job.inputs[0], counting(&freed));
	ck_assert_int_eq(freed, 1);
	check_ended(&job, ECANCELED);
}
END_TEST

START_TEST(a_cancel_after_the_end_does_nothing)
{
	int i;

	for (i = 0; i < 3; i++)
		job.inputs[i] = fired(evresult_value(NULL));
	start(&job, three_waits);
	evdeferred_cancel(job.d);
	check_ended(&job, 0);
}
END_TEST

static void
free_and_cancel(void *arg)
{
	struct job *j = arg;

	memset(&j->co, 0x5a, sizeof(j->co)); /* it is gone now */
	j->frees++;
	evdeferred_cancel(j->d);
}

START_TEST(a_free_function_may_cancel)
{
	job.inputs[0] = fresh();
	job.d = evcoro_start(
	    base, &job.co, wait_then_nothing, &job, free_and_cancel);
	evdeferred_callback(job.inputs[0], NULL);
	check_ended(&job, 0);
}
END_TEST

/*
 * Freeing.
 */

START_TEST(a_free_in_a_wait_frees_that_and_cleans_up)
{
	int i, cancels = 0;

	for (i = 0; i < _i; i++)
		job.inputs[i] = fired(evresult_value(NULL));
	job.inputs[_i] = evdeferred_new(base, count_cancel, &cancels);
	start(&job, three_tries);
	evdeferred_free(job.d);
	ck_assert_int_eq(cancels, 1);
	ck_assert_int_eq(job.waits, _i);
	ck_assert_int_eq(job.cleanups, 1);
	ck_assert_int_eq(job.cleanup_code, ECANCELED);
	ck_assert_int_eq(job.frees, 1);
}
END_TEST

static struct evresult
free_oneself(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, j->inputs[0]);
	evdeferred_free(j->d);
	trace_add("a");
	EVCORO_AWAIT(co, j->inputs[1]);
	trace_add("b");
	EVCORO_FINALLY(co);
	trace_add("c");
	note_cleanup(co, j);
	EVCORO_END(co);
}

START_TEST(a_coroutine_that_frees_itself_ends_at_its_next_wait)
{
	job.inputs[0] = fresh();
	job.inputs[1] = evdeferred_new(base, trace_cancel, "x");
	start(&job, free_oneself);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_str_eq(trace, "axc");
	ck_assert_int_eq(job.cleanups, 1);
	ck_assert_int_eq(job.frees, 1);
}
END_TEST

static void
count_heap(void *arg)
{
	job.frees++;
	free(arg);
}

START_TEST(the_state_can_be_on_the_heap)
{
	struct job *j = support_array(1, sizeof(*j));
	struct evdeferred *d, *input = fresh();

	j->inputs[0] = input;
	d = evcoro_start(base, &j->co, wait_then_nothing, j, count_heap);
	if (_i == 0)
		evdeferred_callback(input, NULL);
	else if (_i == 1)
		evdeferred_cancel(d);
	evdeferred_free(d);
	ck_assert_int_eq(job.frees, 1);
	if (_i > 0)
		evdeferred_callback(input, NULL);
}
END_TEST

START_TEST(a_detached_coroutine_frees_itself_at_its_end)
{
	struct evdeferred *input = job.inputs[0] = fresh();

	start(&job, wait_then_nothing);
	evdeferred_detach(job.d);
	ck_assert_int_eq(job.frees, 0);
	evdeferred_callback(input, NULL);
	ck_assert_int_eq(job.frees, 1);
}
END_TEST

START_TEST(links_of_a_coroutine_that_is_freed_do_not_run)
{
	job.inputs[0] = fresh();
	start(&job, wait_then_nothing);
	see(job.d, &job.seen);
	evdeferred_free(job.d);
	ck_assert_int_eq(job.seen.values + job.seen.failures, 0);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.cleanups, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("coro_cancel");
	TCase *tc = add_job_case(suite, "cancel");

	tcase_add_loop_test(
	    tc, a_cancel_reaches_what_the_coroutine_waits_for, 0, 3);
	tcase_add_loop_test(tc, a_cancelled_wait_can_be_tried, 0, 3);
	tcase_add_loop_test(tc, the_answer_to_a_cancel_can_be_translated, 0, 2);
	tcase_add_test(tc, a_cancel_takes_as_long_as_what_is_waited_for_needs);
	tcase_add_test(tc, a_timeout_of_a_coroutine_cancels_its_wait);
	tcase_add_loop_test(
	    tc, a_cancel_of_a_running_coroutine_hits_its_next_wait, 0, 2);
	tcase_add_loop_test(
	    tc, a_cancel_before_the_start_hits_the_first_wait, 0, 24);
	tcase_add_test(
	    tc, a_cancel_while_the_result_is_on_its_way_ends_the_wait);
	tcase_add_test(tc, a_cancel_after_the_end_does_nothing);
	tcase_add_test(tc, a_free_function_may_cancel);

	tc = add_job_case(suite, "free");
	tcase_add_loop_test(
	    tc, a_free_in_a_wait_frees_that_and_cleans_up, 0, 3);
	tcase_add_test(tc, a_coroutine_that_frees_itself_ends_at_its_next_wait);
	tcase_add_loop_test(tc, the_state_can_be_on_the_heap, 0, 3);
	tcase_add_test(tc, a_detached_coroutine_frees_itself_at_its_end);
	tcase_add_test(tc, links_of_a_coroutine_that_is_freed_do_not_run);
	return support_main(suite);
}
