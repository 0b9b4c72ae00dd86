/* SPDX-License-Identifier: MIT */
#include "jobs.h"

#include <string.h>

struct job job;

void
free_job(void *arg)
{
	struct job *j = arg;

	j->frees++;
}

int
code_of(const struct evcoro *co)
{
	struct evfailure *failure = evcoro_failure(co);

	return failure == NULL ? 0 : evfailure_get_code(failure);
}

void
note_wait(struct evcoro *co, struct job *j)
{
	j->values[j->waits] = evcoro_value(co);
	j->codes[j->waits] = code_of(co);
	j->waits++;
}

void
note_cleanup(struct evcoro *co, struct job *j)
{
	j->cleanups++;
	j->cleanup_code = code_of(co);
}

void
start(struct job *j, evcoro_fn fn)
{
	j->d = evcoro_start(base, &j->co, fn, j, free_job);
	ck_assert_ptr_nonnull(j->d);
}

struct evresult
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

struct evresult
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

void
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

struct evresult
no_wait(struct evcoro *co, void *arg)
{
	EVCORO_BEGIN(co);
	++*(int *)arg;
	EVCORO_END(co);
}

struct evresult
wait_then_nothing(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	EVCORO_END(co);
}

struct evresult
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

void
job_setup(void)
{
	support_setup();
	memset(&job, 0, sizeof(job));
}

TCase *
add_job_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, job_setup, support_teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return tc;
}
