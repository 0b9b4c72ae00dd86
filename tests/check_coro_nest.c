/* SPDX-License-Identifier: MIT */
/* Coroutines that wait for one another, a million of them too. */
#include "jobs.h"

#include <errno.h>
#include <stdlib.h>

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
				  : i == 0 || _i == 0 ? fresh()
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

/* As many as one call runs go at once, and the others in turns of the loop. */
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
	d = first = fresh();
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
	job.inputs[0] = fresh();
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
	struct evdeferred *input = job.inputs[0] = fresh();
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

int
main(void)
{
	Suite *suite = suite_create("coro_nest");
	TCase *tc = add_job_case(suite, "nesting and loops");

	tcase_add_loop_test(tc, a_coroutine_waits_for_another_one, 0, 4);
	tcase_add_test(tc, a_million_waits_that_are_over_run_in_little_stack);
	tcase_add_test(tc, a_million_coroutines_one_after_the_other);
	tcase_add_loop_test(tc,
	    a_million_coroutines_wait_for_one_another_in_little_stack, 0, 4);
	tcase_add_test(tc, a_recursion_of_a_million_coroutines_in_little_stack);
	tcase_add_test(tc, a_paused_coroutine_does_not_go_on);
	tcase_add_test(tc, a_coroutine_goes_on_after_the_base_was_freed);
	tcase_add_test(tc, a_failure_keeps_its_place_through_other_coroutines);
	return support_main(suite);
}
