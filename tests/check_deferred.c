/* SPDX-License-Identifier: MIT */
/* evdefer/deferred.h: a Deferred has one result, which goes down its links. */
#include "deferreds.h"

#include <errno.h>

/* One result. */

START_TEST(fires_with_value)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int n = 0;

	see(d, &seen);
	ck_assert_int_eq(seen.values, 0);
	ck_assert_int_eq(evdeferred_callback(d, &n), 0);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_int_eq(seen.failures, 0);
	ck_assert_ptr_eq(seen.value, &n);
	evdeferred_free(d);
}
END_TEST

/* Notes the place too. */
static struct evresult
see_place(struct evfailure *failure, void *arg)
{
	*(int *)arg = evfailure_get_line(failure);
	ck_assert_int_eq(evfailure_get_code(failure), EIO);
	ck_assert_str_eq(evfailure_get_message(failure), "disk 5");
	return evresult_value(NULL);
}

START_TEST(errback_remembers_place)
{
	struct evdeferred *d = fresh();
	int line = 0, here;

	ck_assert_int_eq(evdeferred_add_errback(d, see_place, &line), 0);
	here = __LINE__ + 1;
	ck_assert_int_eq(evdeferred_errback(d, EIO, "disk %d", 5), 0);
	ck_assert_int_eq(line, here);
	evdeferred_free(d);
}
END_TEST

START_TEST(errback_takes_place_from_caller)
{
	struct evdeferred *d = fresh();
	int line = 0;

	evdeferred_add_errback(d, see_place, &line);
	ck_assert_int_eq(
	    evdeferred_errback_at("x.c", 77, d, EIO, "disk %d", 5), 0);
	ck_assert_int_eq(line, 77);
	evdeferred_free(d);
}
END_TEST

START_TEST(second_fire_is_ealready_and_keeps_the_result)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int freed = 0;
	size_t calls;

	ck_assert_int_eq(evdeferred_callback(d, &freed), 0);
	REFUSED(evdeferred_fire(d, counting(&freed)), EALREADY);
	ck_assert_int_eq(freed, 0);
	REFUSED(evdeferred_callback(d, NULL), EALREADY);
	calls = alloc_calls();
	errno = 0;
	evdeferred_errback(d, EIO, "no failure is made");
	calls = alloc_calls() - calls;
	ck_assert_int_eq(errno, EALREADY);
	ck_assert_uint_eq(calls, 0);
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, &freed);
	evdeferred_free(d);
}
END_TEST

START_TEST(fire_of_fired_is_ealready)
{
	struct evdeferred *d = fired(evresult_value(NULL));

	REFUSED(evdeferred_callback(d, NULL), EALREADY);
	evdeferred_free(d);
}
END_TEST

START_TEST(second_fire_while_waiting_is_ealready)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	int freed = 0;

	evdeferred_fire(d, evresult_deferred(inner));
	REFUSED(evdeferred_fire(d, counting(&freed)), EALREADY);
	ck_assert_int_eq(freed, 0);
	evdeferred_callback(inner, NULL);
	evdeferred_free(d);
}
END_TEST

static struct evresult
fire_again(void *value, void *arg)
{
	*(int *)arg = evdeferred_callback(value, NULL) == -1 ? errno : 0;
	return evresult_value(NULL);
}

START_TEST(second_fire_inside_a_link_is_ealready)
{
	struct evdeferred *d = fresh();
	int code = 0;

	evdeferred_add_callback(d, fire_again, &code);
	evdeferred_callback(d, d);
	ck_assert_int_eq(code, EALREADY);
	evdeferred_free(d);
}
END_TEST

START_TEST(one_late_result_is_swallowed_after_cancel)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int freed = 0;

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(evdeferred_fire(d, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
	REFUSED(evdeferred_fire(d, counting(&freed)), EALREADY);
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
	ck_assert_int_eq(seen.failures + seen.values, 1);
}
END_TEST

START_TEST(one_late_result_is_swallowed_after_free)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_free(d);
	ck_assert_int_eq(evdeferred_fire(d, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(late_failure_is_not_reported)
{
	struct evdeferred *d = fresh(), *gone = fresh();

	evdeferred_cancel(d);
	ck_assert_int_eq(evdeferred_errback(d, EIO, "late"), 0);
	evdeferred_free(d);
	evdeferred_free(gone);
	ck_assert_int_eq(evdeferred_errback(gone, EIO, "late"), 0);
	ck_assert_int_eq(report.count, 0);
}
END_TEST

START_TEST(late_deferred_is_freed)
{
	struct evdeferred *d = fresh();
	int freed = 0, cancelled = 0;
	struct evdeferred *inner = evdeferred_new_fired(base, counting(&freed));
	struct evdeferred *unfired =
	    evdeferred_new(base, count_cancel, &cancelled);

	evdeferred_cancel(d);
	ck_assert_int_eq(evdeferred_fire(d, evresult_deferred(inner)), 0);
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
	d = fresh();
	evdeferred_free(d);
	ck_assert_int_eq(evdeferred_fire(d, evresult_deferred(unfired)), 0);
	ck_assert_int_eq(cancelled, 1);
}
END_TEST

/* As with a result that is not late, it fails with EDEADLK and stays its
 * consumer's. */
START_TEST(late_result_that_is_its_own_deferred_frees_nothing)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_cancel(d);
	ck_assert_int_eq(evdeferred_fire(d, evresult_deferred(d)), 0);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);

	d = fresh();
	evdeferred_free(d);
	ck_assert_int_eq(evdeferred_fire(d, evresult_deferred(d)), 0);
}
END_TEST

static void
no_function_is_einval(struct evdeferred *d)
{
	REFUSED(evdeferred_add_callbacks(d, NULL, NULL, NULL), EINVAL);
	REFUSED(evdeferred_add_callback(d, NULL, NULL), EINVAL);
	REFUSED(evdeferred_add_errback(d, NULL, NULL), EINVAL);
	REFUSED(evdeferred_add_both(d, NULL, NULL), EINVAL);
}

START_TEST(bad_arguments_are_einval_and_change_nothing)
{
	struct evdeferred *d = fresh();
	struct timeval bad[] = {{-1, 0}, {0, -1}, {0, 1000000}};
	struct timeval good = {1, 0};
	int freed = 0;
	size_t i;

	REFUSED(evdeferred_fire(NULL, counting(&freed)), EINVAL);
	ck_assert_int_eq(freed, 0);
	REFUSED(evdeferred_callback(NULL, NULL), EINVAL);
	REFUSED(evdeferred_errback(NULL, EIO, "x"), EINVAL);
	REFUSED(evdeferred_add_callbacks(NULL, see_value, see_failure, NULL),
	    EINVAL);
	REFUSED(evdeferred_add_callback(NULL, see_value, NULL), EINVAL);
	REFUSED(evdeferred_add_errback(NULL, see_failure, NULL), EINVAL);
	REFUSED(evdeferred_add_both(NULL, trace_both, NULL), EINVAL);
	no_function_is_einval(d);
	REFUSED(evdeferred_chain(d, NULL), EINVAL);
	REFUSED(evdeferred_chain(NULL, d), EINVAL);
	REFUSED(evdeferred_chain(NULL, NULL), EINVAL);
	REFUSED(evdeferred_chain(d, d), EINVAL);
	REFUSED(evdeferred_pause(NULL), EINVAL);
	REFUSED(evdeferred_unpause(NULL), EINVAL);
	REFUSED(evdeferred_add_timeout(NULL, &good), EINVAL);
	REFUSED(evdeferred_add_timeout(d, NULL), EINVAL);
	for (i = 0; i < 3; i++)
		REFUSED(evdeferred_add_timeout(d, &bad[i]), EINVAL);
	evdeferred_cancel(NULL);
	evdeferred_free(NULL);
	evdeferred_detach(NULL);
	REFUSED_NULL(evdeferred_new(NULL, NULL, NULL), EINVAL);
	REFUSED_NULL(evdeferred_new_fired(NULL, counting(&freed)), EINVAL);
	ck_assert_int_eq(freed, 0);
	ck_assert_int_eq(events(), 0);
	ck_assert_int_eq(evdeferred_callback(d, NULL), 0);
	no_function_is_einval(d);
	evdeferred_free(d);
}
END_TEST

/* Links. */

START_TEST(links_run_in_order)
{
	struct evdeferred *d = fresh();

	evdeferred_add_callback(d, trace_value, "a");
	evdeferred_add_both(d, trace_both, "b");
	evdeferred_add_callbacks(d, trace_value, trace_failure, "c");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "abc");
	evdeferred_free(d);
}
END_TEST

START_TEST(link_without_function_passes_on)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int code = EIO, n = 0;

	evdeferred_add_errback(d, trace_failure, "1");
	evdeferred_add_callback(d, fail_value, &code);
	evdeferred_add_callback(d, trace_value, "2");
	see(d, &seen);
	evdeferred_callback(d, &n);
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

static struct evresult
give(void *value, void *arg)
{
	(void)value;
	return evresult_value(arg);
}

START_TEST(link_gets_what_the_one_before_returned)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int n = 0;

	evdeferred_add_callback(d, give, &n);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_ptr_eq(seen.value, &n);
	evdeferred_free(d);
}
END_TEST

START_TEST(errback_recovers)
{
	struct evdeferred *d = failed(EIO);
	struct seen seen = {0};
	int n = 0;

	evdeferred_add_errback(d, recover, &n);
	see(d, &seen);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_ptr_eq(seen.value, &n);
	evdeferred_free(d);
}
END_TEST

static struct evresult
fail_differently(struct evfailure *failure, void *arg)
{
	return evresult_wrap(failure, *(int *)arg, "wrapped");
}

static struct evresult
see_cause(struct evfailure *failure, void *arg)
{
	struct seen *seen = arg;

	seen->failures++;
	/* There is no cause where there was no memory to wrap it. */
	if (evfailure_get_cause(failure) != NULL)
		failure = evfailure_get_cause(failure);
	seen->code = evfailure_get_code(failure);
	return evresult_value(NULL);
}

START_TEST(errback_may_fail_with_another_failure)
{
	struct evdeferred *d = failed(EIO);
	struct seen seen = {0};
	int code = EPERM;

	evdeferred_add_errback(d, fail_differently, &code);
	evdeferred_add_errback(d, see_cause, &seen);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

START_TEST(both_sees_value_and_failure)
{
	struct evdeferred *d = fresh(), *f = fresh();

	evdeferred_add_both(d, trace_both, "v");
	evdeferred_add_both(f, trace_both, "f");
	evdeferred_callback(d, NULL);
	evdeferred_errback(f, EIO, "x");
	ck_assert_str_eq(trace, "vf");
	evdeferred_free(d);
	evdeferred_free(f);
	report_take(EIO);
}
END_TEST

START_TEST(link_added_after_firing_runs_at_once)
{
	struct evdeferred *d = fired(evresult_value(NULL));

	evdeferred_add_callback(d, trace_value, "a");
	ck_assert_str_eq(trace, "a");
	evdeferred_add_both(d, trace_both, "b");
	ck_assert_str_eq(trace, "ab");
	evdeferred_free(d);
}
END_TEST

static struct evresult
add_two(void *value, void *arg)
{
	trace_add("(");
	evdeferred_add_callback(arg, trace_value, "x");
	evdeferred_add_callback(arg, trace_value, "y");
	trace_add(")");
	return evresult_value(value);
}

START_TEST(links_added_inside_a_link_run_after_it_in_order)
{
	struct evdeferred *d = fresh();

	evdeferred_add_callback(d, add_two, d);
	evdeferred_add_callback(d, trace_value, "b");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "()bxy");
	evdeferred_free(d);
}
END_TEST

START_TEST(links_added_inside_the_last_link_run_after_it)
{
	struct evdeferred *d = fired(evresult_value(NULL));

	evdeferred_add_callback(d, add_two, d);
	ck_assert_str_eq(trace, "()xy");
	evdeferred_free(d);
}
END_TEST

/* Values are owned by whoever receives them. */

START_TEST(owned_value_passes_through_links_to_a_callback)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int freed = 0;

	evdeferred_add_errback(d, trace_failure, "no");
	evdeferred_add_both(d, trace_both, "b");
	evdeferred_add_errback(d, trace_failure, "no");
	see(d, &seen);
	evdeferred_fire(d, counting(&freed));
	ck_assert_ptr_eq(seen.value, &freed);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 0);
}
END_TEST

START_TEST(owned_value_nobody_receives_is_freed_once)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(owned_value_passed_through_missing_callbacks_is_freed_once)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_add_errback(d, trace_failure, "no");
	evdeferred_add_both(d, trace_both, "b");
	evdeferred_fire(d, counting(&freed));
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
}
END_TEST

static struct evresult
give_owned(void *value, void *arg)
{
	(void)value;
	return counting(arg);
}

START_TEST(owned_value_returned_last_is_freed_once)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_add_callback(d, give_owned, &freed);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
}
END_TEST

static struct evresult
free_own(void *value, void *arg)
{
	evdeferred_free(value);
	return counting(arg);
}

START_TEST(owned_value_returned_by_a_link_that_freed_is_freed_once)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_add_callback(d, free_own, &freed);
	evdeferred_callback(d, d);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(owned_value_of_paused_is_freed_once)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int freed = 0;

	see(d, &seen);
	evdeferred_pause(d);
	evdeferred_fire(d, counting(&freed));
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(seen.values, 0);
}
END_TEST

START_TEST(owned_value_of_awaited_is_freed_once)
{
	struct evdeferred *d = fired(evresult_value(NULL)), *inner = fresh();
	int freed = 0;

	evdeferred_add_callback(d, wait_value, inner);
	evdeferred_free(d);
	ck_assert_int_eq(evdeferred_fire(inner, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* Its free function uses the library, even the Deferred that goes. */
static void
free_with_deferred(void *value)
{
	struct evdeferred *d = evdeferred_new_fired(base, evresult_value(NULL));

	evdeferred_add_callback(d, trace_value, value);
	evdeferred_free(d);
}

START_TEST(free_function_may_use_the_library)
{
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_owned("z", free_with_deferred));

	evdeferred_free(d);
	ck_assert_str_eq(trace, "z");
}
END_TEST

/* Pause. */

START_TEST(pause_holds_links_back)
{
	struct evdeferred *d = fresh();

	evdeferred_add_callback(d, trace_value, "a");
	ck_assert_int_eq(evdeferred_pause(d), 0);
	ck_assert_int_eq(evdeferred_pause(d), 0);
	evdeferred_callback(d, NULL);
	evdeferred_add_callback(d, trace_value, "b");
	ck_assert_int_eq(evdeferred_unpause(d), 0);
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(evdeferred_unpause(d), 0);
	ck_assert_str_eq(trace, "ab");
	REFUSED(evdeferred_unpause(d), EPERM);
	evdeferred_free(d);
}
END_TEST

START_TEST(unpause_before_fire_changes_nothing)
{
	struct evdeferred *d = fresh();

	REFUSED(evdeferred_unpause(d), EPERM);
	evdeferred_pause(d);
	evdeferred_unpause(d);
	evdeferred_add_callback(d, trace_value, "a");
	ck_assert_str_eq(trace, "");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "a");
	evdeferred_free(d);
}
END_TEST

START_TEST(pause_overflows_after_32767)
{
	struct evdeferred *d = fired(evresult_value(NULL));
	int i, refused = 0;

	for (i = 0; i < 32767; i++)
		refused += evdeferred_pause(d) != 0;
	ck_assert_int_eq(refused, 0);
	REFUSED(evdeferred_pause(d), EOVERFLOW);
	evdeferred_add_callback(d, trace_value, "a");
	for (i = 0; i < 32766; i++)
		refused += evdeferred_unpause(d) != 0;
	ck_assert_int_eq(refused, 0);
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(evdeferred_unpause(d), 0);
	ck_assert_str_eq(trace, "a");
	evdeferred_free(d);
}
END_TEST

static struct evresult
pause_own(void *value, void *arg)
{
	trace_add("p");
	evdeferred_pause(arg);
	return evresult_value(value);
}

START_TEST(pause_inside_a_link_holds_the_next_back)
{
	struct evdeferred *d = fresh();

	evdeferred_add_callback(d, pause_own, d);
	evdeferred_add_callback(d, trace_value, "a");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "p");
	evdeferred_unpause(d);
	ck_assert_str_eq(trace, "pa");
	evdeferred_free(d);
}
END_TEST

static struct evresult
pause_and_unpause_own(void *value, void *arg)
{
	evdeferred_pause(arg);
	evdeferred_unpause(arg);
	trace_add("p");
	return evresult_value(value);
}

START_TEST(unpause_inside_a_link_runs_nothing_inside_it)
{
	struct evdeferred *d = fresh();

	evdeferred_add_callback(d, pause_and_unpause_own, d);
	evdeferred_add_callback(d, trace_value, "a");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "pa");
	evdeferred_free(d);
}
END_TEST

START_TEST(pause_while_waiting_holds_back)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	struct seen seen = {0};

	evdeferred_fire(d, evresult_deferred(inner));
	see(d, &seen);
	evdeferred_pause(d);
	evdeferred_callback(inner, &seen);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_unpause(d);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(late_failure_that_is_lent_stays_its_owners)
{
	struct evresult r = evresult_fail(EIO, "mine");
	struct evfailure *f = evresult_get_failure(r);
	struct evdeferred *d = fresh();

	evdeferred_cancel(d);
	ck_assert_int_eq(evdeferred_fire(d, evresult_from_failure(f)), 0);
	evdeferred_free(d);
	d = fired(evresult_value(NULL));
	ck_assert_int_eq(evdeferred_fire(d, evresult_from_failure(f)), -1);
	evdeferred_free(d);
	ck_assert_str_eq(evfailure_get_message(f), "mine");
	evresult_dispose(r);
}
END_TEST

static struct evresult
dispose_both(struct evresult result, void *arg)
{
	(void)arg;
	evresult_dispose(result);
	return evresult_value(NULL);
}

START_TEST(both_may_dispose_of_what_it_gets)
{
	struct evdeferred *d = failed(EIO);
	int freed = 0;

	evdeferred_add_both(d, dispose_both, NULL);
	evdeferred_free(d);
	d = evdeferred_new_fired(base, counting(&freed));
	evdeferred_add_both(d, dispose_both, NULL);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
}
END_TEST

static struct evresult
lend_on(struct evresult result, void *arg)
{
	struct evdeferred *other = arg;

	ck_assert_int_eq(evdeferred_fire(other, result), 0);
	return evresult_value(NULL);
}

START_TEST(both_may_fire_another_with_what_it_gets)
{
	struct evdeferred *d = failed(EIO), *other = fresh();
	struct seen seen = {0};
	int freed = 0;

	evdeferred_add_both(d, lend_on, other);
	evdeferred_free(d);
	see(other, &seen);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(other);
	other = fresh();
	d = evdeferred_new_fired(base, counting(&freed));
	evdeferred_add_both(d, lend_on, other);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 0);
	evdeferred_free(other);
	ck_assert_int_eq(freed, 1);
}
END_TEST

static void
add_results(Suite *suite)
{
	TCase *tc = add_case(suite, "one result");

	tcase_add_test(tc, fires_with_value);
	tcase_add_test(tc, errback_remembers_place);
	tcase_add_test(tc, errback_takes_place_from_caller);
	tcase_add_test(tc, second_fire_is_ealready_and_keeps_the_result);
	tcase_add_test(tc, fire_of_fired_is_ealready);
	tcase_add_test(tc, second_fire_while_waiting_is_ealready);
	tcase_add_test(tc, second_fire_inside_a_link_is_ealready);
	tcase_add_test(tc, one_late_result_is_swallowed_after_cancel);
	tcase_add_test(tc, one_late_result_is_swallowed_after_free);
	tcase_add_test(tc, late_failure_is_not_reported);
	tcase_add_test(tc, late_failure_that_is_lent_stays_its_owners);
	tcase_add_test(tc, late_deferred_is_freed);
	tcase_add_test(tc, late_result_that_is_its_own_deferred_frees_nothing);
	tcase_add_test(tc, bad_arguments_are_einval_and_change_nothing);
}

static void
add_links(Suite *suite)
{
	TCase *tc = add_case(suite, "links");

	tcase_add_test(tc, links_run_in_order);
	tcase_add_test(tc, link_without_function_passes_on);
	tcase_add_test(tc, link_gets_what_the_one_before_returned);
	tcase_add_test(tc, errback_recovers);
	tcase_add_test(tc, errback_may_fail_with_another_failure);
	tcase_add_test(tc, both_sees_value_and_failure);
	tcase_add_test(tc, link_added_after_firing_runs_at_once);
	tcase_add_test(tc, links_added_inside_a_link_run_after_it_in_order);
	tcase_add_test(tc, links_added_inside_the_last_link_run_after_it);
	tcase_add_test(tc, owned_value_passes_through_links_to_a_callback);
	tcase_add_test(tc, owned_value_nobody_receives_is_freed_once);
	tcase_add_test(
	    tc, owned_value_passed_through_missing_callbacks_is_freed_once);
	tcase_add_test(tc, owned_value_returned_last_is_freed_once);
	tcase_add_test(
	    tc, owned_value_returned_by_a_link_that_freed_is_freed_once);
	tcase_add_test(tc, owned_value_of_paused_is_freed_once);
	tcase_add_test(tc, owned_value_of_awaited_is_freed_once);
	tcase_add_test(tc, both_may_dispose_of_what_it_gets);
	tcase_add_test(tc, both_may_fire_another_with_what_it_gets);
	tcase_add_test(tc, free_function_may_use_the_library);

	tc = add_case(suite, "pause");
	tcase_add_test(tc, pause_holds_links_back);
	tcase_add_test(tc, unpause_before_fire_changes_nothing);
	tcase_add_test(tc, pause_overflows_after_32767);
	tcase_add_test(tc, pause_inside_a_link_holds_the_next_back);
	tcase_add_test(tc, unpause_inside_a_link_runs_nothing_inside_it);
	tcase_add_test(tc, pause_while_waiting_holds_back);
}

int
main(void)
{
	Suite *suite = suite_create("deferred");

	add_results(suite);
	add_links(suite);
	return support_main(suite);
}
