/* SPDX-License-Identifier: MIT */
/* What a failure carries: evresult_fail_with(). */
#include "support.h"

#include <errno.h>
#include <string.h>

static struct evresult
keep(struct evfailure *failure, void *arg)
{
	*(struct evfailure **)arg = evfailure_ref(failure);
	return evresult_value(NULL);
}

/* A failure that was kept from the errback that got it. */
static struct evfailure *
receive(struct evresult result)
{
	struct evfailure *kept = NULL;
	struct evdeferred *d = evdeferred_new_fired(base, result);

	evdeferred_add_errback(d, keep, &kept);
	evdeferred_free(d);
	ck_assert_ptr_nonnull(kept);
	return kept;
}

START_TEST(payload_lives_as_long_as_the_failure)
{
	struct evfailure *failure;
	struct evresult result;
	int freed = 0, line;

	line = __LINE__ + 1;
	result = evresult_fail_with(&freed, count_free, EIO, "disk %d", 3);
	failure = receive(result);
	ck_assert_int_eq(freed, 0);
	ck_assert_ptr_eq(evfailure_get_payload(failure), &freed);
	ck_assert_int_eq(evfailure_get_code(failure), EIO);
	ck_assert_str_eq(evfailure_get_message(failure), "disk 3");
	ck_assert_str_eq(evfailure_get_file(failure), __FILE__);
	ck_assert_int_eq(evfailure_get_line(failure), line);
	ck_assert_ptr_null(evfailure_get_cause(failure));
	ck_assert_ptr_null(evfailure_get_results(failure));
	evfailure_unref(failure);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(payload_without_a_free_function_stays_the_callers)
{
	int mine = 0;
	struct evfailure *failure =
	    receive(evresult_fail_with(&mine, NULL, EIO, NULL));

	ck_assert_ptr_eq(evfailure_get_payload(failure), &mine);
	ck_assert_str_eq(evfailure_get_message(failure), strerror(EIO));
	evfailure_unref(failure);
}
END_TEST

START_TEST(payload_of_a_failure_that_nobody_handles_is_freed)
{
	int freed = 0;
	struct evdeferred *d = evdeferred_new_fired(
	    base, evresult_fail_with(&freed, count_free, EIO, "lost"));

	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
	report_take(EIO);
	evresult_dispose(evresult_fail_with(&freed, count_free, EIO, "lost"));
	ck_assert_int_eq(freed, 2);
}
END_TEST

START_TEST(other_failures_carry_nothing)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evfailure *failure = NULL;

	ck_assert_ptr_null(evfailure_get_payload(NULL));
	evdeferred_add_errback(d, keep, &failure);
	evdeferred_cancel(d);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	ck_assert_ptr_null(evfailure_get_payload(failure));
	evfailure_unref(failure);
	failure = receive(evresult_fail(EIO, "plain"));
	ck_assert_ptr_null(evfailure_get_payload(failure));
	evfailure_unref(failure);
}
END_TEST

/* The failure that wraps it does not carry the same. */
START_TEST(payload_is_that_of_the_cause)
{
	int freed = 0;
	struct evfailure *cause =
	    receive(evresult_fail_with(&freed, count_free, EIO, "the cause"));
	struct evfailure *failure =
	    receive(evresult_wrap(cause, EIO, "around it"));

	evfailure_unref(cause);
	ck_assert_ptr_null(evfailure_get_payload(failure));
	ck_assert_ptr_eq(
	    evfailure_get_payload(evfailure_get_cause(failure)), &freed);
	evfailure_unref(failure);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(payload_of_an_input_comes_with_the_cause)
{
	struct evdeferred *in[2], *d;
	struct evfailure *failure = NULL;
	int freed = 0;

	in[0] = evdeferred_succeed(base, NULL);
	in[1] = evdeferred_new_fired(
	    base, evresult_fail_with(&freed, count_free, EIO, "broken"));
	d = evdeferred_gather(base, in, 2, EVDEFERRED_LIST_CONSUME_ERRORS);
	evdeferred_add_errback(d, keep, &failure);
	evdeferred_free(d);
	ck_assert_ptr_null(evfailure_get_payload(failure));
	ck_assert_ptr_eq(
	    evfailure_get_payload(evfailure_get_cause(failure)), &freed);
	evfailure_unref(failure);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* The library attaches these in the same way, and they are not the user's. */
START_TEST(results_of_a_race_are_no_payload)
{
	struct evdeferred *in[2], *d;
	struct evfailure *failure = NULL;
	struct evresult second;
	int freed = 0;

	in[0] = evdeferred_fail(base, EIO, "first");
	in[1] = evdeferred_new_fired(
	    base, evresult_fail_with(&freed, count_free, EIO, "second"));
	d = evdeferred_race(base, in, 2);
	evdeferred_add_errback(d, keep, &failure);
	evdeferred_free(d);
	ck_assert_ptr_null(evfailure_get_payload(failure));
	ck_assert_uint_eq(
	    evresults_get_count(evfailure_get_results(failure)), 2);
	second = evresults_get(evfailure_get_results(failure), 1);
	ck_assert_ptr_eq(
	    evfailure_get_payload(evresult_get_failure(second)), &freed);
	evfailure_unref(failure);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(payload_is_freed_where_there_is_no_memory_for_the_failure)
{
	struct evresult result;
	int freed = 0;

	if (!alloc_works())
		return;
	alloc_fail_at(1, false);
	result = evresult_fail_with(&freed, count_free, EIO, "lost");
	alloc_fail_at(0, false);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(
	    evfailure_get_code(evresult_get_failure(result)), ENOMEM);
	ck_assert_ptr_null(evfailure_get_payload(evresult_get_failure(result)));
	evresult_dispose(result);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* The function that frees it comes back to what is going. */
struct payload {
	struct evdeferred *d;
	struct evfailure *other;
	int freed;
};

static void
free_all(void *value)
{
	struct payload *payload = value;

	payload->freed++;
	evfailure_unref(payload->other);
	evdeferred_cancel(payload->d);
	evdeferred_free(payload->d);
}

START_TEST(free_function_of_a_payload_frees_its_deferred)
{
	struct payload payload = {0};
	struct seen seen = {0};
	struct evresult result;
	int freed = 0;

	payload.d = evdeferred_new(base, NULL, NULL);
	payload.other =
	    receive(evresult_fail_with(&freed, count_free, EIO, "other"));
	result = evresult_fail_with(&payload, free_all, EIO, "handled");
	ck_assert_int_eq(evfailure_get_code(evresult_get_failure(result)), EIO);
	ck_assert_int_eq(evdeferred_fire(payload.d, result), 0);
	/* Its errback lets the failure go, and with it the Deferred. */
	evdeferred_add_both(payload.d, trace_both, "");
	evdeferred_add_errback(payload.d, see_failure, &seen);
	ck_assert_int_eq(payload.freed, 1);
	ck_assert_int_eq(freed, 1);
}
END_TEST

static void
drop_another(void *value)
{
	count_free(value);
	evdeferred_free(evdeferred_fail(base, ENOENT, "dropped with it"));
}

/* It is the last thing that happens to the failure that was reported. */
START_TEST(failure_dropped_with_a_payload_is_reported)
{
	int freed = 0;

	evdeferred_free(evdeferred_new_fired(
	    base, evresult_fail_with(&freed, drop_another, EIO, "dropped")));
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(report.count, 2);
	ck_assert_int_eq(report.code, ENOENT);
	report.count = 0;
}
END_TEST

/* The same with what the failure of a race carries. */
START_TEST(failure_dropped_with_the_results_of_a_race_is_reported)
{
	struct evdeferred *in[1];
	int freed = 0;

	in[0] = evdeferred_new_fired(
	    base, evresult_fail_with(&freed, drop_another, EIO, "lost"));
	evdeferred_free(evdeferred_race(base, in, 1));
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(report.count, 2);
	ck_assert_int_eq(report.code, ENOENT);
	report.count = 0;
}
END_TEST

static int logged;

static void
count_log(int severity, const char *message)
{
	(void)severity;
	(void)message;
	logged++;
}

static void
drop_one_more(const struct evfailure *failure, void *arg)
{
	(void)failure;
	evdeferred_free(evdeferred_fail(arg, EIO, "one more"));
}

static void
free_base(void *value)
{
	evdefer_base_free(value);
}

/* The handler drops more, whose reports are put off to the loop, and the
 * base goes with the first failure. */
START_TEST(payload_frees_the_base_while_reports_are_put_off)
{
	struct evdefer_base *mine = evdefer_base_new(loop);
	struct evresult first;

	ck_assert_ptr_nonnull(mine);
	evdefer_base_set_unhandled(mine, drop_one_more, mine);
	first = evresult_fail_with(mine, free_base, EIO, "first");
	ck_assert_int_eq(evfailure_get_code(evresult_get_failure(first)), EIO);
	event_set_log_callback(count_log);
	logged = 0;
	evdeferred_free(evdeferred_new_fired(mine, first));
	event_set_log_callback(NULL);
	/* The teardown checks that the memory of the base is gone. */
	ck_assert_int_eq(logged, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("failure");
	TCase *tc = add_case(suite, "what it carries");

	tcase_add_test(tc, payload_lives_as_long_as_the_failure);
	tcase_add_test(tc, payload_without_a_free_function_stays_the_callers);
	tcase_add_test(tc, payload_of_a_failure_that_nobody_handles_is_freed);
	tcase_add_test(tc, other_failures_carry_nothing);
	tcase_add_test(tc, payload_is_that_of_the_cause);
	tcase_add_test(tc, payload_of_an_input_comes_with_the_cause);
	tcase_add_test(tc, results_of_a_race_are_no_payload);
	tcase_add_test(
	    tc, payload_is_freed_where_there_is_no_memory_for_the_failure);
	tcase_add_test(tc, free_function_of_a_payload_frees_its_deferred);
	tcase_add_test(tc, failure_dropped_with_a_payload_is_reported);
	tcase_add_test(tc, payload_frees_the_base_while_reports_are_put_off);
	tcase_add_test(
	    tc, failure_dropped_with_the_results_of_a_race_is_reported);
	return support_main(suite);
}
