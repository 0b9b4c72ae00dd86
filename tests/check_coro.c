/* SPDX-License-Identifier: MIT */
/* evdefer/coro.h: waits, results, the cleanup, the start. */
#include "jobs.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/*
 * Waiting.
 */

START_TEST(a_coroutine_waits_and_goes_on_with_each_value)
{
	int i, n[3];

	for (i = 0; i < 3; i++)
		job.inputs[i] = fresh();
	start(&job, three_waits);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(job.waits, i);
		ck_assert_int_eq(evdeferred_callback(job.inputs[i], &n[i]), 0);
		ck_assert_ptr_eq(job.values[i], &n[i]);
	}
	ck_assert_int_eq(job.frees, 1);
	check_ended(&job, 0);
	ck_assert_str_eq(job.seen.value, "done");
}
END_TEST

START_TEST(waits_that_are_over_go_on_at_once)
{
	int i, n[3];

	for (i = 0; i < 3; i++)
		job.inputs[i] = fired(evresult_value(&n[i]));
	start(&job, three_waits);
	ck_assert_int_eq(job.waits, 3);
	for (i = 0; i < 3; i++)
		ck_assert_ptr_eq(job.values[i], &n[i]);
	check_ended(&job, 0);
}
END_TEST

/* _i: which one fails. */
START_TEST(a_failure_of_an_await_ends_the_body)
{
	int i;

	for (i = 0; i <= _i; i++)
		job.inputs[i] = fresh();
	start(&job, three_waits);
	for (i = 0; i < _i; i++)
		evdeferred_callback(job.inputs[i], NULL);
	evdeferred_errback(job.inputs[_i], ERANGE, "too far");
	ck_assert_int_eq(job.waits, _i);
	check_ended(&job, ERANGE);
}
END_TEST

/* From _i == 3 on it fails while the coroutine waits. */
START_TEST(a_failure_of_a_try_comes_back)
{
	struct evdeferred *late = NULL;
	int i;

	for (i = 0; i < 3; i++)
		job.inputs[i] = fired(i == _i ? evresult_fail(ERANGE, NULL)
					      : evresult_value("x"));
	if (_i >= 3) {
		evdeferred_free(job.inputs[_i - 3]);
		late = job.inputs[_i - 3] = fresh();
	}
	start(&job, three_tries);
	evdeferred_errback(late, ERANGE, NULL);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(job.codes[i], i == _i % 3 ? ERANGE : 0);
		ck_assert((job.values[i] == NULL) == (i == _i % 3));
	}
	check_ended(&job, 0);
}
END_TEST

START_TEST(awaiting_null_is_a_failure_with_the_code_in_errno)
{
	job.inputs[0] = fired(evresult_value(NULL));
	errno = ENOMEM;
	start(&job, three_waits);
	ck_assert_int_eq(job.waits, 1);
	check_ended(&job, ENOMEM);
}
END_TEST

static struct evresult
await_null(struct evcoro *co, void *arg)
{
	EVCORO_BEGIN(co);
	errno = EBADF;
	EVCORO_AWAIT(co, (struct evdeferred *)NULL);
	*(int *)arg = __LINE__;
	EVCORO_END(co);
}

static struct evresult
check_place(struct evfailure *failure, void *arg)
{
	++*(int *)arg;
	ck_assert_int_eq(evfailure_get_code(failure), EBADF);
	ck_assert_ptr_nonnull(
	    strstr(evfailure_get_file(failure), "check_coro.c"));
	ck_assert_int_gt(evfailure_get_line(failure), 0);
	return evresult_value(NULL);
}

START_TEST(the_failure_of_a_null_names_the_line_of_the_wait)
{
	struct evcoro co = {0};
	int count = 0;
	struct evdeferred *d =
	    evcoro_start(base, &co, await_null, &count, NULL);

	evdeferred_add_errback(d, check_place, &count);
	ck_assert_int_eq(count, 1);
	evdeferred_free(d);
}
END_TEST

/* What it was started for arrives later than the start returns. */
START_TEST(a_wait_of_the_coroutine_for_itself_is_a_deadlock)
{
	job.inputs[0] = fresh();
	start(&job, three_tries);
	job.inputs[1] = job.d;
	job.inputs[2] = fired(evresult_value(NULL));
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.codes[1], EDEADLK);
	ck_assert_int_eq(job.codes[2], 0);
	check_ended(&job, 0);
}
END_TEST

START_TEST(two_coroutines_that_wait_for_each_other_are_a_deadlock)
{
	static struct job other;

	job.inputs[0] = fresh();
	other.inputs[0] = fresh();
	start(&job, three_waits);
	start(&other, three_waits);
	job.inputs[1] = other.d;
	other.inputs[1] = job.d;
	evdeferred_callback(job.inputs[0], NULL);
	/* job now waits for other, and owns it. */
	evdeferred_callback(other.inputs[0], NULL);
	ck_assert_int_eq(other.cleanup_code, EDEADLK);
	ck_assert_int_eq(other.frees, 1);
	ck_assert_int_eq(job.cleanup_code, EDEADLK);
	ck_assert_int_eq(job.frees, 1);
	/* The Deferred that closed the loop was handed over, and let go. */
	report_take(EDEADLK);
}
END_TEST

START_TEST(a_value_is_received_by_the_wait)
{
	int freed = 0;

	job.inputs[0] = fired(counting(&freed));
	job.inputs[1] = fresh();
	start(&job, three_waits);
	ck_assert_ptr_eq(job.values[0], &freed);
	evdeferred_free(job.d);
	evdeferred_callback(job.inputs[1], NULL);
	ck_assert_int_eq(freed, 0);
}
END_TEST

START_TEST(a_failure_lives_until_the_next_wait)
{
	job.inputs[0] = fired(evresult_fail(ERANGE, "kept for a while"));
	job.inputs[1] = fresh();
	job.inputs[2] = fired(evresult_value(NULL));
	start(&job, three_tries);
	ck_assert_str_eq(
	    evfailure_get_message(evcoro_failure(&job.co)), "kept for a while");
	evdeferred_callback(job.inputs[1], NULL);
	check_ended(&job, 0);
}
END_TEST

/*
 * Results.
 */

static struct evresult
return_what_it_is_given(struct evcoro *co, void *arg)
{
	struct evresult *result = arg;

	EVCORO_BEGIN(co);
	EVCORO_RETURN(*result);
	EVCORO_END(co);
}

static struct evdeferred *
start_returning(struct evresult *result)
{
	static struct evcoro co;

	return evcoro_start(base, &co, return_what_it_is_given, result, NULL);
}

START_TEST(a_coroutine_returns_a_value)
{
	struct evresult result = evresult_value("six");
	struct evdeferred *d = start_returning(&result);

	see(d, &job.seen);
	ck_assert_str_eq(job.seen.value, "six");
	evdeferred_free(d);
}
END_TEST

START_TEST(an_owned_result_that_nobody_receives_is_freed)
{
	int freed = 0;
	struct evresult result = counting(&freed);
	struct evdeferred *d = start_returning(&result);

	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(a_coroutine_returns_a_failure)
{
	struct evresult result = evresult_fail(ERANGE, "out");
	struct evdeferred *d = start_returning(&result);

	evdeferred_free(d);
	report_take(ERANGE);
}
END_TEST

START_TEST(a_coroutine_that_returns_a_deferred_waits_for_it_last)
{
	struct evdeferred *last = fresh();
	struct evresult result = evresult_deferred(last);
	struct evdeferred *d = start_returning(&result);

	see(d, &job.seen);
	ck_assert_int_eq(job.seen.values, 0);
	evdeferred_callback(last, "late");
	ck_assert_str_eq(job.seen.value, "late");
	evdeferred_free(d);
}
END_TEST

START_TEST(a_body_that_runs_to_its_end_returns_null)
{
	struct evcoro co = {0};
	int ran = 0;
	struct evdeferred *d = evcoro_start(base, &co, no_wait, &ran, NULL);

	ck_assert_int_eq(ran, 1);
	see(d, &job.seen);
	ck_assert_int_eq(job.seen.values, 1);
	ck_assert_ptr_null(job.seen.value);
	evdeferred_free(d);
}
END_TEST

START_TEST(a_body_that_runs_into_its_cleanup_returns_null)
{
	job.inputs[0] = fired(evresult_value("lost"));
	start(&job, wait_then_nothing);
	check_ended(&job, 0);
	ck_assert_ptr_null(job.seen.value);
}
END_TEST

START_TEST(a_failure_can_be_translated_to_another_one)
{
	job.inputs[0] = fired(evresult_fail(EBADF, "cause"));
	start(&job, translate);
	check_ended(&job, ERANGE);
}
END_TEST

START_TEST(a_failure_can_be_translated_to_a_value)
{
	job.inputs[0] = fired(evresult_fail(ENOENT, NULL));
	start(&job, translate);
	check_ended(&job, 0);
	ck_assert_str_eq(job.seen.value, "default");
}
END_TEST

START_TEST(a_failure_can_be_passed_on)
{
	job.inputs[0] = fired(evresult_fail(EIO, NULL));
	start(&job, translate);
	check_ended(&job, EIO);
}
END_TEST

START_TEST(a_failure_that_nobody_handles_is_reported)
{
	job.inputs[0] = fired(evresult_fail(EIO, NULL));
	start(&job, three_waits);
	evdeferred_detach(job.d);
	report_take(EIO);
}
END_TEST

/*
 * The cleanup.
 */

static struct evresult
return_from_cleanup(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_RETURN(evresult_owned(&j->frees, count_free));
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->cleanups == 1)
		EVCORO_RETURN(evresult_value("other"));
	j->cleanups = 100;
	EVCORO_END(co);
}

START_TEST(a_cleanup_can_replace_the_result)
{
	job.inputs[0] = fresh();
	job.d = evcoro_start(base, &job.co, return_from_cleanup, &job, NULL);
	if (_i == 0)
		evdeferred_callback(job.inputs[0], NULL);
	else
		evdeferred_errback(job.inputs[0], EIO, NULL);
	see(job.d, &job.seen);
	ck_assert_int_eq(job.frees, _i == 0);
	ck_assert_int_eq(job.cleanups, 1);
	ck_assert_int_eq(job.cleanup_code, _i == 0 ? 0 : EIO);
	ck_assert_str_eq(job.seen.value, "other");
	evdeferred_free(job.d);
}
END_TEST

START_TEST(a_cleanup_runs_before_the_callbacks_of_the_coroutine)
{
	struct evdeferred *input = job.inputs[0] = fresh();

	start(&job, wait_then_nothing);
	evdeferred_add_both(job.d, trace_both, "after");
	evdeferred_callback(input, NULL);
	ck_assert_int_eq(job.cleanups, 1);
	ck_assert_str_eq(trace, "after");
	evdeferred_free(job.d);
}
END_TEST

static struct evresult
wait_in_cleanup(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_FINALLY(co);
	EVCORO_TRY(co, j->inputs[0]);
	note_cleanup(co, j);
	EVCORO_END(co);
}

static struct evresult
wait_inside_of_a_switch(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	switch (j->count) {
	case 0:
		EVCORO_AWAIT(co, j->inputs[0]);
		j->i++;
	}
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

/* A debug build aborts in both. */
START_TEST(a_wait_in_the_cleanup_is_refused)
{
	struct evdeferred *input = _i == 0 ? fresh() : NULL;

	job.inputs[0] = input;
	errno = ENOMEM;
	start(&job, wait_in_cleanup);
	ck_assert_int_eq(job.cleanup_code, EINVAL);
	evdeferred_callback(input, NULL);
	job.cleanup_code = 0;
	check_ended(&job, 0);
}
END_TEST

START_TEST(a_wait_inside_of_another_switch_is_refused)
{
	job.inputs[0] = fired(evresult_value(NULL));
	start(&job, wait_inside_of_a_switch);
	ck_assert_uint_eq(job.i, 0);
	check_ended(&job, EINVAL);
}
END_TEST

/* This aborts: only the library calls a coroutine. */
START_TEST(resuming_a_coroutine_that_has_ended_is_caught)
{
	start(&job, three_waits);
	evdeferred_cancel(job.d);
	three_waits(&job.co, &job);
}
END_TEST

START_TEST(resuming_a_coroutine_that_waits_is_caught)
{
	job.inputs[0] = fresh();
	start(&job, three_waits);
	three_waits(&job.co, &job);
}
END_TEST

/*
 * Starting.
 */

START_TEST(a_coroutine_that_runs_is_not_started_again)
{
	job.inputs[0] = fresh();
	start(&job, wait_then_nothing);
	REFUSED_NULL(
	    evcoro_start(base, &job.co, wait_then_nothing, &job, free_job),
	    EBUSY);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.frees, 1);
	evdeferred_free(job.d);
	job.inputs[0] = fresh();
	start(&job, wait_then_nothing);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.frees, 2);
	evdeferred_free(job.d);
}
END_TEST

START_TEST(a_start_without_what_it_needs_is_refused)
{
	REFUSED_NULL(
	    evcoro_start(NULL, &job.co, no_wait, &job, free_job), EINVAL);
	REFUSED_NULL(evcoro_start(base, NULL, no_wait, &job, free_job), EINVAL);
	REFUSED_NULL(evcoro_start(base, &job.co, NULL, &job, free_job), EINVAL);
	ck_assert_int_eq(job.frees, 0);
}
END_TEST

/* Starts a row of coroutines, each by the one before, until the nesting is so
 * deep that the last one is queued. */
static struct evresult
start_deeper(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	j->waits++;
	if (j->other == NULL)
		EVCORO_RETURN(evresult_value(NULL));
	j->other->d =
	    evcoro_start(base, &j->other->co, start_deeper, j->other, free_job);
	if (j->other->waits == 0) {
		/* This one is queued, and has not begun. */
		evdeferred_cancel(j->other->d);
		evdeferred_free(j->other->d);
		EVCORO_RETURN(evresult_value(NULL));
	}
	EVCORO_AWAIT(co, j->other->d);
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

START_TEST(a_coroutine_that_is_freed_before_it_began_is_cleaned_up)
{
	static struct job row[30];
	const int depth = 30;
	int i, begun = 0;

	for (i = 0; i < depth - 1; i++)
		row[i].other = &row[i + 1];
	start(&row[0], start_deeper);
	evdeferred_free(row[0].d);
	while (row[begun].waits == 1)
		begun++;
	ck_assert_int_gt(begun, 1);
	ck_assert_int_lt(begun, depth - 1);
	for (i = 0; i < depth; i++) {
		ck_assert_int_eq(row[i].waits, i < begun);
		ck_assert_int_eq(row[i].cleanups, i <= begun);
		ck_assert_int_eq(row[i].frees, i <= begun);
	}
	ck_assert_int_eq(row[begun].cleanup_code, ECANCELED);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("coro");
	TCase *tc = add_job_case(suite, "waiting");

	tcase_add_test(tc, a_coroutine_waits_and_goes_on_with_each_value);
	tcase_add_test(tc, waits_that_are_over_go_on_at_once);
	tcase_add_loop_test(tc, a_failure_of_an_await_ends_the_body, 0, 3);
	tcase_add_loop_test(tc, a_failure_of_a_try_comes_back, 0, 6);
	tcase_add_test(tc, awaiting_null_is_a_failure_with_the_code_in_errno);
	tcase_add_test(tc, the_failure_of_a_null_names_the_line_of_the_wait);
	tcase_add_test(tc, a_wait_of_the_coroutine_for_itself_is_a_deadlock);
	tcase_add_test(
	    tc, two_coroutines_that_wait_for_each_other_are_a_deadlock);
	tcase_add_test(tc, a_value_is_received_by_the_wait);
	tcase_add_test(tc, a_failure_lives_until_the_next_wait);

	tc = add_job_case(suite, "results");
	tcase_add_test(tc, a_coroutine_returns_a_value);
	tcase_add_test(tc, an_owned_result_that_nobody_receives_is_freed);
	tcase_add_test(tc, a_coroutine_returns_a_failure);
	tcase_add_test(
	    tc, a_coroutine_that_returns_a_deferred_waits_for_it_last);
	tcase_add_test(tc, a_body_that_runs_to_its_end_returns_null);
	tcase_add_test(tc, a_body_that_runs_into_its_cleanup_returns_null);
	tcase_add_test(tc, a_failure_can_be_translated_to_another_one);
	tcase_add_test(tc, a_failure_can_be_translated_to_a_value);
	tcase_add_test(tc, a_failure_can_be_passed_on);
	tcase_add_test(tc, a_failure_that_nobody_handles_is_reported);

	tc = add_job_case(suite, "cleanup");
	tcase_add_loop_test(tc, a_cleanup_can_replace_the_result, 0, 2);
	tcase_add_test(
	    tc, a_cleanup_runs_before_the_callbacks_of_the_coroutine);
#ifdef EVDEFER_DEBUG
	tcase_add_loop_test_raise_signal(
	    tc, a_wait_in_the_cleanup_is_refused, SIGABRT, 0, 2);
	tcase_add_test_raise_signal(
	    tc, a_wait_inside_of_another_switch_is_refused, SIGABRT);
#else
	tcase_add_loop_test(tc, a_wait_in_the_cleanup_is_refused, 0, 2);
	tcase_add_test(tc, a_wait_inside_of_another_switch_is_refused);
#endif
#ifndef NDEBUG
	tcase_add_test_raise_signal(
	    tc, resuming_a_coroutine_that_has_ended_is_caught, SIGABRT);
	tcase_add_test_raise_signal(
	    tc, resuming_a_coroutine_that_waits_is_caught, SIGABRT);
#endif

	tc = add_job_case(suite, "start");
	tcase_add_test(tc, a_coroutine_that_runs_is_not_started_again);
	tcase_add_test(tc, a_start_without_what_it_needs_is_refused);
	tcase_add_test(
	    tc, a_coroutine_that_is_freed_before_it_began_is_cleaned_up);
	return support_main(suite);
}
