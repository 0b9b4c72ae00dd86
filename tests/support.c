/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

extern char **environ;

struct event_base *loop;
struct evdefer_base *base;
_Thread_local unsigned support_marks;
struct report report;
char trace[256];

/* small.c has another. */
__attribute__((weak)) size_t support_most = SIZE_MAX;

static long live_before;

static void
note_report(const struct evfailure *failure, void *arg)
{
	struct report *r = arg;

	r->count++;
	r->code = evfailure_get_code(failure);
	r->line = evfailure_get_line(failure);
	snprintf(r->message, sizeof(r->message), "%s",
	    evfailure_get_message(failure));
	snprintf(r->file, sizeof(r->file), "%s", evfailure_get_file(failure));
}

void
support_setup(void)
{
	memset(&report, 0, sizeof(report));
	trace[0] = '\0';
	/* The first assertion makes Check allocate what it keeps. */
	ck_assert(true);
	live_before = alloc_live();
	loop = event_base_new();
	ck_assert_ptr_nonnull(loop);
	base = evdefer_base_new(loop);
	ck_assert_ptr_nonnull(base);
	evdefer_base_set_unhandled(base, note_report, &report);
}

void
support_free_base(void)
{
	evdefer_base_free(base);
	base = NULL;
}

void
support_teardown(void)
{
	support_free_base();
	event_base_free(loop);
	loop = NULL;
	ck_assert_int_eq(alloc_live(), live_before);
	ck_assert_msg(report.count == 0, "unexpected report: %d %s (%s:%d)",
	    report.code, report.message, report.file, report.line);
}

/* No ck_assert() in these two: tests count what they allocate themselves. */
struct event_base *
support_new_loop(void)
{
	struct event_base *fresh = event_base_new();

	if (fresh == NULL)
		ck_abort_msg("no memory for a loop");
	return fresh;
}

void *
support_array(size_t count, size_t size)
{
	void *array = calloc(count, size);

	if (array == NULL && count > 0)
		ck_abort_msg("no memory for %zu of the test", count);
	return array;
}

void
support_small_stack(void)
{
	struct rlimit limit;
	char here = 0;
	size_t above = 0;
	char **env;

	/* The environment lies on the stack and counts. */
	for (env = environ; *env != NULL; env++) {
		if (*env > &here && (size_t)(*env - &here) > above)
			above = (size_t)(*env - &here);
	}
	if (above > 2 * 1024 * 1024)
		above = 0;
	ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
	limit.rlim_cur = 256 * 1024 + above;
	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
}

size_t
support_scale(void)
{
	const char *text = getenv("EVDEFER_TEST_SCALE");
	const size_t scale = text == NULL ? 1000000 : strtoul(text, NULL, 10);

	return scale < support_most ? scale : support_most;
}

void
turns(int count)
{
	while (count-- > 0) {
		if (event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK) != -1)
			continue;
		/* libevent itself needs memory for select(2): it comes back. */
		alloc_fail_at(0, false);
		event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
}

struct timeval
milliseconds(long ms)
{
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000 * 1000)};

	return tv;
}

int
events(void)
{
	return event_base_get_num_events(
	    loop, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE);
}

void
ignore_failure(const struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
}

void
ignore_log(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

void
report_take(int code)
{
	ck_assert_int_eq(report.count, 1);
	ck_assert_int_eq(report.code, code);
	memset(&report, 0, sizeof(report));
}

void
count_free(void *value)
{
	++*(int *)value;
}

struct evresult
counting(int *counter)
{
	return evresult_owned(counter, count_free);
}

struct evresult
see_value(void *value, void *arg)
{
	struct seen *seen = arg;

	seen->values++;
	seen->value = value;
	return evresult_value(NULL);
}

struct evresult
see_failure(struct evfailure *failure, void *arg)
{
	struct seen *seen = arg;

	seen->failures++;
	seen->code = evfailure_get_code(failure);
	return evresult_value(NULL);
}

void
see(struct evdeferred *d, struct seen *seen)
{
	ck_assert_int_eq(
	    evdeferred_add_callbacks(d, see_value, see_failure, seen), 0);
}

void
trace_add(const char *name)
{
	size_t used = strlen(trace);

	snprintf(trace + used, sizeof(trace) - used, "%s", name);
}

struct evresult
trace_value(void *value, void *arg)
{
	trace_add(arg);
	return evresult_value(value);
}

struct evresult
trace_failure(struct evfailure *failure, void *arg)
{
	trace_add(arg);
	return evresult_from_failure(failure);
}

struct evresult
trace_both(struct evresult result, void *arg)
{
	trace_add(arg);
	return result;
}

#ifdef SUPPORT_GCOV
/* What a test has reached that ends with abort(), as it has to. */
void __gcov_dump(void);

static void
dump(int number)
{
	signal(number, SIG_DFL);
	__gcov_dump();
	raise(number);
}
#endif

TCase *
add_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	suite_add_tcase(suite, tc);
	return tc;
}

int
support_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

#ifdef SUPPORT_GCOV
	signal(SIGABRT, dump);
#endif

	if (!alloc_works())
		fprintf(stderr,
		    "allocations can't be counted here: those tests are "
		    "skipped\n");
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
