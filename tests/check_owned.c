/* SPDX-License-Identifier: MIT */
/* Links that own their argument: it is freed once, and not before they have
 * ended. */
#include "deferreds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a link owns, and what its end does with the Deferred it belongs to. */
struct argument {
	struct evdeferred *d;
	struct evdeferred *inner; /* that the link returns, to be waited for */
	void (*at_end)(struct evdeferred *d);
	int calls;
	int freed;
};

static void
free_argument(void *value)
{
	struct argument *argument = value;

	trace_add("freed ");
	argument->freed++;
	if (argument->at_end != NULL)
		argument->at_end(argument->d);
}

static struct evresult
call(struct argument *argument)
{
	ck_assert_int_eq(argument->freed, 0);
	argument->calls++;
	trace_add("link ");
	if (argument->inner != NULL)
		return evresult_deferred(argument->inner);
	return evresult_value(NULL);
}

static struct evresult
on_value(void *value, void *arg)
{
	(void)value;
	return call(arg);
}

static struct evresult
on_failure(struct evfailure *failure, void *arg)
{
	(void)failure;
	return call(arg);
}

static struct evresult
on_both(struct evresult result, void *arg)
{
	evresult_dispose(result);
	return call(arg);
}

/* The three kinds. */
static int
add(struct evdeferred *d, int kind, struct argument *argument)
{
	argument->d = d;
	switch (kind) {
	case 0:
		return evdeferred_add_callbacks_owned(
		    d, on_value, on_failure, argument, free_argument);
	case 1:
		return evdeferred_add_callbacks_owned(
		    d, on_value, NULL, argument, free_argument);
	default:
		return evdeferred_add_both_owned(
		    d, on_both, argument, free_argument);
	}
}

START_TEST(argument_is_freed_when_the_link_has_run)
{
	struct evdeferred *d = fresh();
	struct argument argument = {0};

	ck_assert_int_eq(add(d, _i, &argument), 0);
	evdeferred_add_both(d, trace_both, "next ");
	ck_assert_str_eq(trace, "");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "link freed next ");
	evdeferred_free(d);
	ck_assert_int_eq(argument.freed, 1);
}
END_TEST

START_TEST(argument_of_a_link_added_after_firing_is_freed_at_once)
{
	struct evdeferred *d = evdeferred_succeed(base, NULL);
	struct argument argument = {0};

	ck_assert_int_eq(add(d, _i, &argument), 0);
	ck_assert_str_eq(trace, "link freed ");
	evdeferred_free(d);
}
END_TEST

START_TEST(argument_of_a_link_that_is_dropped_is_freed)
{
	struct evdeferred *d = fresh();
	struct argument argument = {0};

	ck_assert_int_eq(add(d, _i, &argument), 0);
	evdeferred_free(d);
	ck_assert_str_eq(trace, "freed ");
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(argument.freed, 1);
}
END_TEST

START_TEST(argument_of_a_link_that_is_passed_over_is_freed)
{
	struct evdeferred *d = fresh();
	struct argument argument = {0};
	struct seen seen = {0};

	ck_assert_int_eq(add(d, 1, &argument), 0);
	see(d, &seen);
	evdeferred_errback(d, EIO, "passed on");
	ck_assert_str_eq(trace, "freed ");
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

START_TEST(argument_of_an_errback_is_freed)
{
	struct evdeferred *d = fresh();
	struct argument argument = {0};

	ck_assert_int_eq(evdeferred_add_callbacks_owned(
			     d, NULL, on_failure, &argument, free_argument),
	    0);
	if (_i == 0)
		evdeferred_callback(d, NULL);
	else
		evdeferred_errback(d, EIO, "broken");
	ck_assert_str_eq(trace, _i == 0 ? "freed " : "link freed ");
	evdeferred_free(d);
}
END_TEST

START_TEST(argument_lives_until_the_deferred_that_the_link_returned_is_through)
{
	struct argument argument = {.inner = fresh()};
	struct evdeferred *inner = argument.inner, *d = fresh();

	ck_assert_int_eq(add(d, _i, &argument), 0);
	evdeferred_add_both(d, trace_both, "next ");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "link ");
	evdeferred_callback(inner, NULL);
	ck_assert_str_eq(trace, "link freed next ");
	evdeferred_free(d);
}
END_TEST

/* What the link has started goes first. */
START_TEST(argument_is_freed_behind_what_its_link_waits_for)
{
	struct argument argument = {
	    .inner = evdeferred_new(base, trace_cancel, "cancelled ")};
	struct evdeferred *d = fresh();

	ck_assert_int_eq(add(d, _i, &argument), 0);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	ck_assert_str_eq(trace, "link cancelled freed ");
}
END_TEST

static struct evresult
free_itself(void *value, void *arg)
{
	struct argument *argument = arg;

	evdeferred_free(argument->d);
	return on_value(value, arg);
}

START_TEST(argument_outlives_its_link_that_frees_the_deferred)
{
	struct argument argument = {.d = fresh()};

	evdeferred_add_callbacks_owned(
	    argument.d, free_itself, NULL, &argument, free_argument);
	evdeferred_callback(argument.d, NULL);
	ck_assert_str_eq(trace, "link freed ");
}
END_TEST

static struct evresult
pause_itself(void *value, void *arg)
{
	struct argument *argument = arg;

	evdeferred_pause(argument->d);
	return on_value(value, arg);
}

/* _i: the chain goes on, or is dropped. */
START_TEST(argument_of_a_link_that_pauses_is_freed_once)
{
	struct argument argument = {.d = fresh()};

	evdeferred_add_callbacks_owned(
	    argument.d, pause_itself, NULL, &argument, free_argument);
	evdeferred_callback(argument.d, NULL);
	if (_i == 0)
		evdeferred_unpause(argument.d);
	evdeferred_free(argument.d);
	ck_assert_str_eq(trace, "link freed ");
}
END_TEST

/* The function that frees the argument may do anything to the Deferred. */

static void
end_with_cancel(struct evdeferred *d)
{
	evdeferred_cancel(d);
}

static void
end_with_link(struct evdeferred *d)
{
	evdeferred_add_both(d, trace_both, "added ");
}

static void (*const ends[])(struct evdeferred *d) = {
    evdeferred_free, evdeferred_detach, end_with_cancel, end_with_link};
#define ENDS ((int)(sizeof(ends) / sizeof(ends[0])))

START_TEST(free_function_of_a_link_that_has_run_ends_the_deferred)
{
	struct argument argument = {.at_end = ends[_i]};
	struct evdeferred *d = fresh();

	add(d, 0, &argument);
	evdeferred_add_both(d, trace_both, "next ");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, _i == 0	  ? "link freed "
				: _i == 3 ? "link freed next added "
					  : "link freed next ");
	if (_i > 1)
		evdeferred_free(d);
}
END_TEST

START_TEST(free_function_of_a_link_that_is_dropped_ends_the_deferred)
{
	struct argument argument = {.at_end = ends[_i]}, second = {0};
	struct evdeferred *d = fresh();

	add(d, 0, &argument);
	add(d, 0, &second);
	evdeferred_free(d);
	ck_assert_str_eq(trace, "freed freed ");
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(free_function_of_a_paused_one_that_is_freed_ends_it)
{
	struct argument argument = {.at_end = ends[_i]}, second = {0};
	struct evdeferred *d = evdeferred_succeed(base, NULL);

	evdeferred_pause(d);
	add(d, 0, &argument);
	add(d, 0, &second);
	evdeferred_free(d);
	ck_assert_str_eq(trace, "freed freed ");
}
END_TEST

START_TEST(argument_without_a_free_function_stays_the_callers)
{
	struct evdeferred *d = fresh();
	struct argument argument = {0};

	ck_assert_int_eq(
	    evdeferred_add_callbacks_owned(d, on_value, NULL, &argument, NULL),
	    0);
	ck_assert_int_eq(
	    evdeferred_add_both_owned(d, on_both, &argument, NULL), 0);
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "link link ");
	evdeferred_free(d);
}
END_TEST

START_TEST(argument_of_a_link_that_is_refused_stays_the_callers)
{
	struct evdeferred *d = fresh();
	struct argument argument = {0};

	REFUSED(add(NULL, 0, &argument), EINVAL);
	REFUSED(add(NULL, 2, &argument), EINVAL);
	REFUSED(evdeferred_add_callbacks_owned(
		    d, NULL, NULL, &argument, free_argument),
	    EINVAL);
	REFUSED(evdeferred_add_both_owned(d, NULL, &argument, free_argument),
	    EINVAL);
	evdeferred_free(d);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(argument.freed, 0);
}
END_TEST

START_TEST(argument_of_a_link_without_memory_stays_the_callers)
{
	struct evdeferred *d = fresh();
	struct argument argument = {0};
	int result, code;

	alloc_fail_at(1, true);
	do
		result = evdeferred_add_both(d, on_both, &argument);
	while (result == 0 && alloc_works());
	errno = 0;
	result = add(d, _i, &argument);
	code = errno;
	alloc_fail_at(0, false);
	if (alloc_works()) {
		ck_assert_int_eq(result, -1);
		ck_assert_int_eq(code, ENOMEM);
	}
	evdeferred_free(d);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(argument.freed, alloc_works() ? 0 : 1);
	ck_assert_int_eq(argument.calls, 0);
}
END_TEST

/* This is deeper than deliveries nest. */
START_TEST(arguments_of_a_cascade_are_freed)
{
	static struct argument arguments[100];
	struct evdeferred *d[100];
	int i;

	memset(arguments, 0, sizeof(arguments));
	for (i = 0; i < 100; i++) {
		d[i] = fresh();
		if (i > 0)
			evdeferred_chain(d[i - 1], d[i]);
		add(d[i], 0, &arguments[i]);
	}
	evdeferred_callback(d[0], NULL);
	for (i = 0; i < 100; i++) {
		ck_assert_int_eq(arguments[i].calls, 1);
		ck_assert_int_eq(arguments[i].freed, 1);
		evdeferred_free(d[i]);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("owned");
	TCase *tc = add_case(suite, "arguments of links");

	tcase_add_loop_test(tc, argument_is_freed_when_the_link_has_run, 0, 3);
	tcase_add_loop_test(
	    tc, argument_of_a_link_added_after_firing_is_freed_at_once, 0, 3);
	tcase_add_loop_test(
	    tc, argument_of_a_link_that_is_dropped_is_freed, 0, 3);
	tcase_add_test(tc, argument_of_a_link_that_is_passed_over_is_freed);
	tcase_add_loop_test(tc, argument_of_an_errback_is_freed, 0, 2);
	tcase_add_loop_test(tc,
	    argument_lives_until_the_deferred_that_the_link_returned_is_through,
	    0, 3);
	tcase_add_loop_test(
	    tc, argument_is_freed_behind_what_its_link_waits_for, 0, 3);
	tcase_add_test(tc, argument_outlives_its_link_that_frees_the_deferred);
	tcase_add_loop_test(
	    tc, argument_of_a_link_that_pauses_is_freed_once, 0, 2);
	tcase_add_loop_test(tc,
	    free_function_of_a_link_that_has_run_ends_the_deferred, 0, ENDS);
	tcase_add_loop_test(tc,
	    free_function_of_a_link_that_is_dropped_ends_the_deferred, 0, ENDS);
	tcase_add_loop_test(
	    tc, free_function_of_a_paused_one_that_is_freed_ends_it, 0, ENDS);
	tcase_add_test(tc, argument_without_a_free_function_stays_the_callers);
	tcase_add_test(
	    tc, argument_of_a_link_that_is_refused_stays_the_callers);
	tcase_add_loop_test(
	    tc, argument_of_a_link_without_memory_stays_the_callers, 0, 3);
	tcase_add_test(tc, arguments_of_a_cascade_are_freed);
	return support_main(suite);
}
