/* SPDX-License-Identifier: MIT */
/* evdefer/coro.h.  Tests that use locks run once with each way of delivery: _i
 * is 0 for the loop's and 1 for EVRWLOCK_FAST. */
#include "deferreds.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct evrwlock *lock;

static void
make_lock(int i)
{
	lock = evrwlock_new(base, i == 0 ? 0 : EVRWLOCK_FAST);
	ck_assert_ptr_nonnull(lock);
}

static void
check_lock_is_free(void)
{
	ck_assert(!evrwlock_is_reading(lock));
	ck_assert(!evrwlock_is_writing(lock));
}

/* The state of most coroutines here.  The test makes what they wait for. */
struct job {
	struct evcoro co;
	struct evdeferred *d;	      /* the coroutine's own */
	struct evdeferred *inputs[3]; /* what it waits for */
	void *values[3];
	int codes[3];
	int waits; /* how many are over */
	int cleanups;
	int cleanup_code; /* evcoro_failure() there */
	int frees;
	size_t i, count;
	bool held;
	struct job *other;
	struct seen seen;
};

static struct job job;

static void
free_job(void *arg)
{
	struct job *j = arg;

	j->frees++;
}

static int
code_of(const struct evcoro *co)
{
	struct evfailure *failure = evcoro_failure(co);

	return failure == NULL ? 0 : evfailure_get_code(failure);
}

static void
note_wait(struct evcoro *co, struct job *j)
{
	j->values[j->waits] = evcoro_value(co);
	j->codes[j->waits] = code_of(co);
	j->waits++;
}

static void
note_cleanup(struct evcoro *co, struct job *j)
{
	j->cleanups++;
	j->cleanup_code = code_of(co);
}

static void
start(struct job *j, evcoro_fn fn)
{
	j->d = evcoro_start(base, &j->co, fn, j, free_job);
	ck_assert_ptr_nonnull(j->d);
}

static struct evdeferred *
pending(void)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	ck_assert_ptr_nonnull(d);
	return d;
}

/* Waits three times, and fails when one of the waits does. */
static struct evresult
three_waits(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, j->inputs[0]);
	note_wait(co, j);
	EVCORO_AWAIT(co, j->inputs[1]);
	note_wait(co, j);
	EVCORO_AWAIT(co, j->inputs[2]);
	note_wait(co, j);
	EVCORO_RETURN(evresult_value("done"));

	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

/* The same, but goes on after a failure. */
static struct evresult
three_tries(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_TRY(co, j->inputs[0]);
	note_wait(co, j);
	EVCORO_TRY(co, j->inputs[1]);
	note_wait(co, j);
	EVCORO_TRY(co, j->inputs[2]);
	note_wait(co, j);
	EVCORO_RETURN(evresult_value("done"));

	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

static void
check_ended(struct job *j, int code)
{
	see(j->d, &j->seen);
	evdeferred_free(j->d);
	ck_assert_int_eq(j->seen.values, code == 0);
	ck_assert_int_eq(j->seen.failures, code != 0);
	ck_assert_int_eq(j->seen.code, code);
	ck_assert_int_eq(j->cleanups, 1);
	ck_assert_int_eq(j->cleanup_code, code);
	ck_assert_int_eq(j->frees, 1);
}

/*
 * Waiting.
 */

START_TEST(a_coroutine_waits_and_goes_on_with_each_value)
{
	int i, n[3];

	for (i = 0; i < 3; i++)
		job.inputs[i] = pending();
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
		job.inputs[i] = pending();
	start(&job, three_waits);
	for (i = 0; i < _i; i++)
		evdeferred_callback(job.inputs[i], NULL);
	evdeferred_errback(job.inputs[_i], ERANGE, "too far");
	ck_assert_int_eq(job.waits, _i);
	check_ended(&job, ERANGE);
}
END_TEST

/* From 3 on: it fails while the coroutine waits. */
START_TEST(a_failure_of_a_try_comes_back)
{
	struct evdeferred *late = NULL;
	int i;

	for (i = 0; i < 3; i++)
		job.inputs[i] = fired(i == _i ? evresult_fail(ERANGE, NULL)
					      : evresult_value("x"));
	if (_i >= 3) {
		evdeferred_free(job.inputs[_i - 3]);
		late = job.inputs[_i - 3] = pending();
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
	job.inputs[0] = pending();
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

	job.inputs[0] = pending();
	other.inputs[0] = pending();
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
	job.inputs[1] = pending();
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
	job.inputs[1] = pending();
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
	struct evdeferred *last = pending();
	struct evresult result = evresult_deferred(last);
	struct evdeferred *d = start_returning(&result);

	see(d, &job.seen);
	ck_assert_int_eq(job.seen.values, 0);
	evdeferred_callback(last, "late");
	ck_assert_str_eq(job.seen.value, "late");
	evdeferred_free(d);
}
END_TEST

static struct evresult
no_wait(struct evcoro *co, void *arg)
{
	EVCORO_BEGIN(co);
	++*(int *)arg;
	EVCORO_END(co);
}

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

static struct evresult
wait_then_nothing(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

START_TEST(a_body_that_runs_into_its_cleanup_returns_null)
{
	job.inputs[0] = fired(evresult_value("lost"));
	start(&job, wait_then_nothing);
	check_ended(&job, 0);
	ck_assert_ptr_null(job.seen.value);
}
END_TEST

static struct evresult
translate(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_TRY(co, j->inputs[0]);
	if (code_of(co) == EBADF)
		EVCORO_RETURN(
		    evresult_wrap(evcoro_failure(co), ERANGE, "translated"));
	if (code_of(co) == ENOENT)
		EVCORO_RETURN(evresult_value("default"));
	if (evcoro_failure(co) != NULL)
		EVCORO_RETURN(evresult_from_failure(evcoro_failure(co)));
	EVCORO_RETURN(evresult_value(evcoro_value(co)));

	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

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
	struct evdeferred *more = pending();

	job.inputs[0] = pending();
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

	job.inputs[0] = pending();
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
		d = pending();
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

	job.inputs[0] = pending();
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
	job.inputs[0] = pending();
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
	job.inputs[0] = pending();
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
	struct evdeferred *d, *input = pending();

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
	struct evdeferred *input = job.inputs[0] = pending();

	start(&job, wait_then_nothing);
	evdeferred_detach(job.d);
	ck_assert_int_eq(job.frees, 0);
	evdeferred_callback(input, NULL);
	ck_assert_int_eq(job.frees, 1);
}
END_TEST

START_TEST(links_of_a_coroutine_that_is_freed_do_not_run)
{
	job.inputs[0] = pending();
	start(&job, wait_then_nothing);
	see(job.d, &job.seen);
	evdeferred_free(job.d);
	ck_assert_int_eq(job.seen.values + job.seen.failures, 0);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.cleanups, 1);
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
	job.inputs[0] = pending();
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
	struct evdeferred *input = job.inputs[0] = pending();

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
	struct evdeferred *input = _i == 0 ? pending() : NULL;

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

/* Aborts: only the library calls a coroutine. */
START_TEST(resuming_a_coroutine_that_has_ended_is_caught)
{
	start(&job, three_waits);
	evdeferred_cancel(job.d);
	three_waits(&job.co, &job);
}
END_TEST

START_TEST(resuming_a_coroutine_that_waits_is_caught)
{
	job.inputs[0] = pending();
	start(&job, three_waits);
	three_waits(&job.co, &job);
}
END_TEST

/*
 * Starting.
 */

START_TEST(a_coroutine_that_runs_is_not_started_again)
{
	job.inputs[0] = pending();
	start(&job, wait_then_nothing);
	errno = 0;
	ck_assert_ptr_null(
	    evcoro_start(base, &job.co, wait_then_nothing, &job, free_job));
	ck_assert_int_eq(errno, EBUSY);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.frees, 1);
	evdeferred_free(job.d);
	job.inputs[0] = pending();
	start(&job, wait_then_nothing);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.frees, 2);
	evdeferred_free(job.d);
}
END_TEST

START_TEST(a_start_without_what_it_needs_is_refused)
{
	errno = 0;
	ck_assert_ptr_null(
	    evcoro_start(NULL, &job.co, no_wait, &job, free_job));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(evcoro_start(base, NULL, no_wait, &job, free_job));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(evcoro_start(base, &job.co, NULL, &job, free_job));
	ck_assert_int_eq(errno, EINVAL);
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
		/* Queued: before it has begun. */
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

/*
 * Locks.
 */

/* What each of the methods does under the lock: a step, a wait, a step. */
static int readers, writers, most_readers;

static void
enter(bool writing)
{
	readers += !writing;
	writers += writing;
	ck_assert(writers == 0 || (writers == 1 && readers == 0));
	if (readers > most_readers)
		most_readers = readers;
}

static void
leave(bool writing)
{
	readers -= !writing;
	writers -= writing;
}

static struct evresult
reader_method(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_reader_acquire(lock));
	j->held = true;
	enter(false);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_RETURN(evresult_value(evcoro_value(co)));

	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->held) {
		leave(false);
		ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	}
	EVCORO_END(co);
}

static struct evresult
writer_method(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_writer_acquire(lock));
	j->held = true;
	enter(true);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_RETURN(evresult_value(evcoro_value(co)));

	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->held) {
		leave(true);
		ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	}
	EVCORO_END(co);
}

START_TEST(readers_and_writers_release_in_their_cleanup)
{
	static struct job jobs[5];
	int i;

	make_lock(_i);
	for (i = 0; i < 5; i++) {
		jobs[i].inputs[0] = pending();
		start(&jobs[i], i == 2 ? writer_method : reader_method);
		see(jobs[i].d, &jobs[i].seen);
	}
	turns(2);
	/* The writer waits for two readers, and two wait for the writer. */
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(jobs[i].held, i < 2);
	evdeferred_callback(jobs[0].inputs[0], "0");
	evdeferred_errback(jobs[1].inputs[0], EIO, NULL);
	turns(2);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(jobs[i].held, i < 3);
	evdeferred_cancel(jobs[2].d);
	turns(2);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(jobs[i].held, 1);
	ck_assert_int_eq(most_readers, 2);
	evdeferred_free(jobs[3].d);
	evdeferred_callback(jobs[4].inputs[0], "4");
	check_lock_is_free();
	ck_assert_str_eq(jobs[0].seen.value, "0");
	ck_assert_int_eq(jobs[1].seen.code, EIO);
	ck_assert_int_eq(jobs[2].seen.code, ECANCELED);
	ck_assert_int_eq(jobs[3].cleanups, 1);
	ck_assert_str_eq(jobs[4].seen.value, "4");
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(jobs[i].frees, 1);
		if (i != 3)
			evdeferred_free(jobs[i].d);
	}
	evdeferred_callback(jobs[3].inputs[0], NULL);
	evdeferred_callback(jobs[2].inputs[0], NULL);
	evrwlock_free(lock);
}
END_TEST

/* A waiter that is freed or cancelled is not inside, and does not release. */
START_TEST(a_coroutine_that_leaves_the_queue_has_nothing_to_release)
{
	struct evdeferred *unused = pending();
	int how;

	for (how = 0; how < 2; how++) {
		memset(&job, 0, sizeof(job));
		make_lock(_i);
		ck_assert_int_eq(evrwlock_reader_try(lock), 0);
		job.inputs[0] = unused;
		start(&job, writer_method);
		turns(1);
		if (how == 0)
			evdeferred_cancel(job.d);
		evdeferred_free(job.d);
		ck_assert_int_eq(job.held, false);
		ck_assert_int_eq(job.cleanups, 1);
		/* And readers get in again. */
		ck_assert_int_eq(evrwlock_reader_try(lock), 0);
		evrwlock_reader_release(lock);
		evrwlock_reader_release(lock);
		check_lock_is_free();
		evrwlock_free(lock);
	}
	evdeferred_free(unused);
	evdeferred_callback(unused, NULL);
}
END_TEST

/* Granted, not delivered: freed in between. */
START_TEST(a_grant_on_its_way_to_a_coroutine_is_given_back)
{
	make_lock(0);
	start(&job, writer_method);
	ck_assert(evrwlock_is_writing(lock));
	evdeferred_free(job.d);
	check_lock_is_free();
	ck_assert_int_eq(job.held, false);
	ck_assert_int_eq(job.cleanups, 1);
	evrwlock_free(lock);
}
END_TEST

static struct evowner *owner;

static struct evresult
owned_method(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_acquire(lock, owner, EVRWLOCK_WRITE));
	j->held = true;
	ck_assert_ptr_eq(evcoro_value(co), lock);
	EVCORO_AWAIT(co, evrwlock_acquire(lock, owner, EVRWLOCK_READ));
	ck_assert_ptr_eq(evcoro_value(co), lock);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_READ), 0);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->held)
		evrwlock_release(lock, owner, EVRWLOCK_WRITE);
	EVCORO_END(co);
}

START_TEST(a_coroutine_receives_grants_for_an_owner)
{
	make_lock(_i);
	owner = evowner_new(base, "owner");
	job.inputs[0] = pending();
	start(&job, owned_method);
	turns(3);
	ck_assert(evrwlock_is_writing(lock));
	evdeferred_callback(job.inputs[0], NULL);
	check_lock_is_free();
	check_ended(&job, 0);
	evowner_free(owner);
	evrwlock_free(lock);
}
END_TEST

/*
 * Nesting and loops.
 */

static struct evresult
outer(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co,
	    evcoro_start(base, &j->other->co, three_waits, j->other, free_job));
	note_wait(co, j);
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

/* _i: succeed, fail, cancel, free. */
START_TEST(a_coroutine_waits_for_another_one)
{
	static struct job inner;
	int i;

	job.other = &inner;
	for (i = 0; i < 3; i++)
		inner.inputs[i] = _i == 0 && i < 2 ? fired(evresult_value(NULL))
				  : i == 0 || _i == 0 ? pending()
						      : NULL;
	start(&job, outer);
	if (_i == 0)
		evdeferred_callback(inner.inputs[2], NULL);
	else if (_i == 1)
		evdeferred_errback(inner.inputs[0], EIO, NULL);
	else if (_i == 2)
		evdeferred_cancel(job.d);
	if (_i < 3) {
		check_ended(&job, _i == 0 ? 0 : _i == 1 ? EIO : ECANCELED);
	} else {
		evdeferred_free(job.d);
		ck_assert_int_eq(job.cleanups, 1);
	}
	if (_i >= 2)
		evdeferred_callback(inner.inputs[0], NULL);
	ck_assert_int_eq(inner.cleanups, 1);
	ck_assert_int_eq(inner.frees, 1);
	if (_i == 0)
		ck_assert_str_eq(job.values[0], "done");
}
END_TEST

static struct evresult
count_fired(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	for (j->i = 0; j->i < j->count; j->i++)
		EVCORO_AWAIT(
		    co, evdeferred_new_fired(base, evresult_value(NULL)));
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

/* At once as far as a call goes, and then in turns of the loop. */
START_TEST(a_million_waits_that_are_over_run_in_little_stack)
{
	support_small_stack();
	job.count = support_scale();
	start(&job, count_fired);
	ck_assert_uint_gt(job.i, EVDEFER_BASE_BATCH);
	event_base_dispatch(loop);
	ck_assert_uint_eq(job.i, job.count);
	check_ended(&job, 0);
}
END_TEST

static struct evresult
start_in_loop(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	for (j->i = 0; j->i < j->count; j->i++)
		EVCORO_AWAIT(co, evcoro_start(base, &j->other->co, no_wait,
				     &j->waits, NULL));
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

START_TEST(a_million_coroutines_one_after_the_other)
{
	static struct job inner;

	support_small_stack();
	job.other = &inner;
	job.count = support_scale();
	start(&job, start_in_loop);
	turns((int)(support_scale() / 64));
	ck_assert_uint_eq((size_t)job.waits, job.count);
	check_ended(&job, 0);
}
END_TEST

/* Each waits for the one before. */
struct row {
	struct evcoro co;
	struct evdeferred *input;
};

static size_t cleaned;

static struct evresult
pass_on(struct evcoro *co, void *arg)
{
	struct row *row = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, row->input);
	EVCORO_RETURN(evresult_value(evcoro_value(co)));
	EVCORO_FINALLY(co);
	cleaned++;
	EVCORO_END(co);
}

/* _i: fire, fail, cancel, free. */
START_TEST(a_million_coroutines_wait_for_one_another_in_little_stack)
{
	const size_t count = support_scale();
	struct row *row;
	struct evdeferred *d, *first;
	size_t i;

	support_small_stack();
	cleaned = 0;
	row = support_array(count, sizeof(*row));
	d = first = pending();
	for (i = 0; i < count; i++) {
		row[i].input = d;
		d = evcoro_start(base, &row[i].co, pass_on, &row[i], NULL);
	}
	if (_i < 3)
		see(d, &job.seen);
	if (_i == 0)
		evdeferred_callback(first, "end");
	else if (_i == 1)
		evdeferred_errback(first, EIO, NULL);
	else if (_i == 2)
		evdeferred_cancel(d);
	evdeferred_free(d);
	ck_assert_uint_eq(cleaned, count);
	ck_assert_int_eq(job.seen.values, _i == 0);
	ck_assert_int_eq(job.seen.failures, _i == 1 || _i == 2);
	if (_i >= 2)
		evdeferred_callback(first, NULL);
	free(row);
}
END_TEST

/* Each starts the next, and waits for it. */
static struct row *rows, *rows_end;

static struct evresult
descend(struct evcoro *co, void *arg)
{
	struct row *row = arg;

	EVCORO_BEGIN(co);
	if (row + 1 < rows_end)
		EVCORO_AWAIT(
		    co, evcoro_start(base, &row[1].co, descend, row + 1, NULL));
	cleaned++;
	EVCORO_END(co);
}

START_TEST(a_recursion_of_a_million_coroutines_in_little_stack)
{
	const size_t count = support_scale();
	struct evdeferred *d;
	size_t turned;

	support_small_stack();
	cleaned = 0;
	rows = support_array(count, sizeof(*rows));
	rows_end = rows + count;
	d = evcoro_start(base, &rows->co, descend, rows, NULL);
	for (turned = 0; cleaned < count && turned < count; turned++)
		turns(1);
	see(d, &job.seen);
	ck_assert_int_eq(job.seen.values, 1);
	evdeferred_free(d);
	free(rows);
}
END_TEST

static bool stop;

static struct evresult
lock_for_ever(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	while (!stop) {
		EVCORO_AWAIT(co, evrwlock_writer_acquire(lock));
		j->held = true;
		j->i++;
		evrwlock_writer_release(lock);
		j->held = false;
	}
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->held)
		evrwlock_writer_release(lock);
	EVCORO_END(co);
}

START_TEST(coroutines_that_lock_for_ever_let_the_loop_run)
{
	static struct job jobs[3];
	size_t before[3];
	int i, turn;

	make_lock(_i);
	stop = false;
	for (i = 0; i < 3; i++)
		start(&jobs[i], lock_for_ever);
	for (turn = 0; turn < 5; turn++) {
		for (i = 0; i < 3; i++)
			before[i] = jobs[i].i;
		turns(2);
		for (i = 0; i < 3; i++)
			ck_assert_uint_gt(jobs[i].i, before[i]);
	}
	/* Two are stopped between two waits, one stops. */
	evdeferred_cancel(jobs[0].d);
	evdeferred_free(jobs[1].d);
	ck_assert_int_eq(jobs[1].cleanups, 1);
	turns(4);
	ck_assert_int_eq(jobs[0].cleanup_code, ECANCELED);
	ck_assert_int_eq(jobs[2].cleanups, 0);
	stop = true;
	turns(4);
	ck_assert_int_eq(jobs[2].cleanups, 1);
	evdeferred_free(jobs[0].d);
	evdeferred_free(jobs[2].d);
	check_lock_is_free();
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_coroutine_that_locks_for_ever_ends_with_its_base)
{
	make_lock(_i);
	stop = false;
	start(&job, lock_for_ever);
	see(job.d, &job.seen);
	turns(3);
	support_free_base();
	ck_assert_int_eq(job.seen.code, ESHUTDOWN);
	ck_assert_int_eq(job.cleanups, 1);
	evdeferred_free(job.d);
	evrwlock_free(lock);
}
END_TEST

static struct evresult
thousand_waits(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	for (j->i = 0; j->i < 1000; j->i++)
		EVCORO_AWAIT(
		    co, evdeferred_new_fired(base, evresult_value(NULL)));
	EVCORO_END(co);
}

static struct evresult
pause_job(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, j->inputs[0]);
	evdeferred_pause(j->d);
	EVCORO_AWAIT(co, evdeferred_new_fired(base, evresult_value(NULL)));
	j->waits++;
	EVCORO_END(co);
}

START_TEST(a_paused_coroutine_does_not_go_on)
{
	job.inputs[0] = pending();
	start(&job, pause_job);
	evdeferred_callback(job.inputs[0], NULL);
	ck_assert_int_eq(job.waits, 0);
	evdeferred_unpause(job.d);
	ck_assert_int_eq(job.waits, 1);
	evdeferred_free(job.d);
}
END_TEST

START_TEST(a_coroutine_goes_on_after_the_base_was_freed)
{
	struct evdeferred *input = job.inputs[0] = pending();
	struct evdeferred *d;

	start(&job, wait_then_nothing);
	d = job.d;
	support_free_base();
	evdeferred_callback(input, NULL);
	ck_assert_int_eq(job.cleanups, 1);
	evdeferred_free(d);
}
END_TEST

static int failed_line;

static struct evresult
fail_here(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, j->inputs[0]);
	failed_line = __LINE__ + 1;
	EVCORO_RETURN(evresult_fail(ERANGE, "from the innermost"));
	EVCORO_END(co);
}

static struct evresult
call_fail_here(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co,
	    evcoro_start(base, &j->other->co, fail_here, j->other, free_job));
	EVCORO_END(co);
}

START_TEST(a_failure_keeps_its_place_through_other_coroutines)
{
	static struct job inner;
	struct evdeferred *d;
	struct row row = {.input = NULL};

	inner.inputs[0] = fired(evresult_value(NULL));
	job.other = &inner;
	start(&job, call_fail_here);
	row.input = job.d;
	d = evcoro_start(base, &row.co, pass_on, &row, NULL);
	evdeferred_free(d);
	ck_assert_int_eq(report.line, failed_line);
	ck_assert_str_eq(report.message, "from the innermost");
	report_take(ERANGE);
}
END_TEST

/*
 * Anything, in any order.
 */

enum { ACTORS = 12 };

struct actor {
	struct evcoro co;
	struct evdeferred *d;
	struct evdeferred *wait;
	bool running, writing, inside;
	int starts, cleanups, frees, left;
};

static struct actor actors[ACTORS];
static uint64_t random_state;

static unsigned
pick(unsigned below)
{
	random_state =
	    random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % below;
}

static void
forget_wait(struct evdeferred *d, void *arg)
{
	struct actor *a = arg;

	(void)d;
	a->wait = NULL;
}

static struct evresult
act(struct evcoro *co, void *arg)
{
	struct actor *a = arg;

	EVCORO_BEGIN(co);
	for (a->left = (int)pick(4); a->left > 0; a->left--) {
		EVCORO_AWAIT(co, a->writing ? evrwlock_writer_acquire(lock)
					    : evrwlock_reader_acquire(lock));
		a->inside = true;
		enter(a->writing);
		a->wait = evdeferred_new(base, forget_wait, a);
		EVCORO_TRY(co, a->wait);
		a->wait = NULL;
		if (evcoro_failure(co) != NULL && pick(2) == 0)
			EVCORO_RETURN(
			    evresult_from_failure(evcoro_failure(co)));
		leave(a->writing);
		a->inside = false;
		if (a->writing)
			evrwlock_writer_release(lock);
		else
			evrwlock_reader_release(lock);
		while (pick(3) == 0)
			EVCORO_AWAIT(co,
			    evdeferred_new_fired(base, evresult_value(NULL)));
	}
	EVCORO_FINALLY(co);
	a->cleanups++;
	if (a->inside) {
		a->inside = false;
		leave(a->writing);
		if (a->writing)
			evrwlock_writer_release(lock);
		else
			evrwlock_reader_release(lock);
	}
	EVCORO_END(co);
}

static void
actor_ended(void *arg)
{
	struct actor *a = arg;

	a->frees++;
	a->running = false;
}

static struct evresult
ignore(struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
	return evresult_value(NULL);
}

static void
actor_free(struct actor *a)
{
	struct evdeferred *d = a->d;

	a->d = NULL;
	evdeferred_free(d);
}

static void
do_anything(struct actor *a)
{
	struct evdeferred *wait = a->wait;

	if (a->d == NULL) {
		a->writing = pick(3) == 0;
		a->running = true;
		a->starts++;
		a->d = evcoro_start(base, &a->co, act, a, actor_ended);
		evdeferred_add_errback(a->d, ignore, NULL);
		return;
	}
	switch (pick(6)) {
	case 0:
		evdeferred_cancel(a->d);
		break;
	case 1:
		actor_free(a);
		break;
	case 2:
		if (wait != NULL)
			evdeferred_errback(wait, EIO, NULL);
		break;
	case 3:
		turns(1);
		break;
	default:
		if (wait != NULL)
			evdeferred_callback(wait, NULL);
		else if (!a->running)
			actor_free(a);
	}
}

START_TEST(whatever_happens_all_is_cleaned_up_once)
{
	size_t steps = 1000 + support_scale() / 20;
	int i;

	make_lock(_i % 2);
	memset(actors, 0, sizeof(actors));
	random_state = (uint64_t)_i;
	while (steps-- > 0)
		do_anything(&actors[pick(ACTORS)]);
	for (i = 0; i < ACTORS; i++)
		actor_free(&actors[i]);
	for (i = 0; i < ACTORS; i++) {
		ck_assert_int_eq(actors[i].cleanups, actors[i].starts);
		ck_assert_int_eq(actors[i].frees, actors[i].starts);
		ck_assert(!actors[i].inside);
	}
	ck_assert_int_gt(actors[0].starts, 1);
	check_lock_is_free();
	evrwlock_free(lock);
}
END_TEST

/*
 * Memory.
 */

static struct evresult
lock_and_wait(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_reader_acquire(lock));
	j->held = true;
	EVCORO_AWAIT(co,
	    evcoro_start(base, &j->other->co, thousand_waits, j->other, NULL));
	EVCORO_FINALLY(co);
	if (j->held)
		evrwlock_reader_release(lock);
	j->held = false;
	EVCORO_END(co);
}

static void
run_once(struct job *j)
{
	j->d = evcoro_start(base, &j->co, lock_and_wait, j, NULL);
	turns(30);
	evdeferred_free(j->d);
}

START_TEST(the_steady_state_allocates_nothing)
{
	static struct job inner;
	size_t calls;
	int i;

	if (!alloc_works())
		return;
	job.other = &inner;
	make_lock(_i);
	run_once(&job);
	calls = alloc_calls();
	for (i = 0; i < 10; i++)
		run_once(&job);
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
	ck_assert_uint_eq(inner.i, 1000);
	check_lock_is_free();
	evrwlock_free(lock);
}
END_TEST

/* A new base for each allocation that fails, so that all pools are empty. */
static bool
run_with_failure(size_t nth, bool onwards, int i)
{
	static struct job inner;
	struct evdefer_base *old = base;
	bool failed;

	memset(&job, 0, sizeof(job));
	memset(&inner, 0, sizeof(inner));
	job.other = &inner;
	base = evdefer_base_new(loop);
	make_lock(i);
	alloc_fail_at(nth, onwards);
	job.d = evcoro_start(base, &job.co, lock_and_wait, &job, NULL);
	failed = job.d == NULL && errno == ENOMEM;
	turns(30);
	if (job.d != NULL)
		evdeferred_add_callbacks(
		    job.d, see_value, see_failure, &job.seen);
	failed = alloc_failed();
	alloc_fail_at(0, false);
	if (job.d != NULL)
		ck_assert_int_eq(job.seen.values + job.seen.failures, 1);
	ck_assert(!job.seen.failures || job.seen.code == ENOMEM);
	evdeferred_free(job.d);
	ck_assert(!job.held);
	check_lock_is_free();
	evrwlock_free(lock);
	evdefer_base_free(base);
	base = old;
	return failed;
}

START_TEST(each_allocation_may_fail)
{
	size_t nth;
	int onwards;

	if (!alloc_works())
		return;
	for (onwards = 0; onwards < 2; onwards++) {
		nth = 1;
		while (nth < 1000 && run_with_failure(nth, onwards == 1, _i))
			nth++;
		ck_assert_uint_gt(nth, 2);
	}
}
END_TEST

static void
setup(void)
{
	support_setup();
	memset(&job, 0, sizeof(job));
	readers = writers = most_readers = 0;
}

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("coro");
	TCase *tcase = tcase_create("coro");

	tcase_add_checked_fixture(tcase, setup, support_teardown);
	tcase_set_timeout(tcase, 60);

	tcase_add_test(tcase, a_coroutine_waits_and_goes_on_with_each_value);
	tcase_add_test(tcase, waits_that_are_over_go_on_at_once);
	tcase_add_loop_test(tcase, a_failure_of_an_await_ends_the_body, 0, 3);
	tcase_add_loop_test(tcase, a_failure_of_a_try_comes_back, 0, 6);
	tcase_add_test(
	    tcase, awaiting_null_is_a_failure_with_the_code_in_errno);
	tcase_add_test(tcase, the_failure_of_a_null_names_the_line_of_the_wait);
	tcase_add_test(tcase, a_wait_of_the_coroutine_for_itself_is_a_deadlock);
	tcase_add_test(
	    tcase, two_coroutines_that_wait_for_each_other_are_a_deadlock);
	tcase_add_test(tcase, a_value_is_received_by_the_wait);
	tcase_add_test(tcase, a_failure_lives_until_the_next_wait);

	tcase_add_test(tcase, a_coroutine_returns_a_value);
	tcase_add_test(tcase, an_owned_result_that_nobody_receives_is_freed);
	tcase_add_test(tcase, a_coroutine_returns_a_failure);
	tcase_add_test(
	    tcase, a_coroutine_that_returns_a_deferred_waits_for_it_last);
	tcase_add_test(tcase, a_body_that_runs_to_its_end_returns_null);
	tcase_add_test(tcase, a_body_that_runs_into_its_cleanup_returns_null);
	tcase_add_test(tcase, a_failure_can_be_translated_to_another_one);
	tcase_add_test(tcase, a_failure_can_be_translated_to_a_value);
	tcase_add_test(tcase, a_failure_can_be_passed_on);
	tcase_add_test(tcase, a_failure_that_nobody_handles_is_reported);

	tcase_add_loop_test(
	    tcase, a_cancel_reaches_what_the_coroutine_waits_for, 0, 3);
	tcase_add_loop_test(tcase, a_cancelled_wait_can_be_tried, 0, 3);
	tcase_add_loop_test(
	    tcase, the_answer_to_a_cancel_can_be_translated, 0, 2);
	tcase_add_test(
	    tcase, a_cancel_takes_as_long_as_what_is_waited_for_needs);
	tcase_add_test(tcase, a_timeout_of_a_coroutine_cancels_its_wait);
	tcase_add_loop_test(
	    tcase, a_cancel_of_a_running_coroutine_hits_its_next_wait, 0, 2);
	tcase_add_loop_test(
	    tcase, a_cancel_before_the_start_hits_the_first_wait, 0, 24);
	tcase_add_test(
	    tcase, a_cancel_while_the_result_is_on_its_way_ends_the_wait);
	tcase_add_test(tcase, a_cancel_after_the_end_does_nothing);
	tcase_add_test(tcase, a_free_function_may_cancel);

	tcase_add_loop_test(
	    tcase, a_free_in_a_wait_frees_that_and_cleans_up, 0, 3);
	tcase_add_test(
	    tcase, a_coroutine_that_frees_itself_ends_at_its_next_wait);
	tcase_add_loop_test(tcase, the_state_can_be_on_the_heap, 0, 3);
	tcase_add_test(tcase, a_detached_coroutine_frees_itself_at_its_end);
	tcase_add_test(tcase, links_of_a_coroutine_that_is_freed_do_not_run);

	tcase_add_loop_test(tcase, a_cleanup_can_replace_the_result, 0, 2);
	tcase_add_test(
	    tcase, a_cleanup_runs_before_the_callbacks_of_the_coroutine);
#ifdef EVDEFER_DEBUG
	tcase_add_loop_test_raise_signal(
	    tcase, a_wait_in_the_cleanup_is_refused, SIGABRT, 0, 2);
	tcase_add_test_raise_signal(
	    tcase, a_wait_inside_of_another_switch_is_refused, SIGABRT);
#else
	tcase_add_loop_test(tcase, a_wait_in_the_cleanup_is_refused, 0, 2);
	tcase_add_test(tcase, a_wait_inside_of_another_switch_is_refused);
#endif
#ifndef NDEBUG
	tcase_add_test_raise_signal(
	    tcase, resuming_a_coroutine_that_has_ended_is_caught, SIGABRT);
	tcase_add_test_raise_signal(
	    tcase, resuming_a_coroutine_that_waits_is_caught, SIGABRT);
#endif

	tcase_add_test(tcase, a_coroutine_that_runs_is_not_started_again);
	tcase_add_test(tcase, a_start_without_what_it_needs_is_refused);
	tcase_add_test(
	    tcase, a_coroutine_that_is_freed_before_it_began_is_cleaned_up);

	tcase_add_loop_test(
	    tcase, readers_and_writers_release_in_their_cleanup, 0, 2);
	tcase_add_loop_test(tcase,
	    a_coroutine_that_leaves_the_queue_has_nothing_to_release, 0, 2);
	tcase_add_test(tcase, a_grant_on_its_way_to_a_coroutine_is_given_back);
	tcase_add_loop_test(
	    tcase, a_coroutine_receives_grants_for_an_owner, 0, 2);

	tcase_add_loop_test(tcase, a_coroutine_waits_for_another_one, 0, 4);
	tcase_add_test(
	    tcase, a_million_waits_that_are_over_run_in_little_stack);
	tcase_add_test(tcase, a_million_coroutines_one_after_the_other);
	tcase_add_loop_test(tcase,
	    a_million_coroutines_wait_for_one_another_in_little_stack, 0, 4);
	tcase_add_test(
	    tcase, a_recursion_of_a_million_coroutines_in_little_stack);
	tcase_add_loop_test(
	    tcase, coroutines_that_lock_for_ever_let_the_loop_run, 0, 2);
	tcase_add_loop_test(
	    tcase, a_coroutine_that_locks_for_ever_ends_with_its_base, 0, 2);
	tcase_add_test(tcase, a_paused_coroutine_does_not_go_on);
	tcase_add_test(tcase, a_coroutine_goes_on_after_the_base_was_freed);

	tcase_add_test(
	    tcase, a_failure_keeps_its_place_through_other_coroutines);
	tcase_add_loop_test(
	    tcase, whatever_happens_all_is_cleaned_up_once, 0, 20);
	tcase_add_loop_test(tcase, the_steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tcase, each_allocation_may_fail, 0, 2);

	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	return support_main(make_suite());
}
