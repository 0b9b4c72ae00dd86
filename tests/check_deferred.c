/* SPDX-License-Identifier: MIT */
/* evdefer/deferred.h: section 4 of the design, whose points the test cases are
 * named after. */
#include "deferreds.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Point 1: one result. */

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
	errno = 0;
	ck_assert_int_eq(evdeferred_fire(d, counting(&freed)), -1);
	ck_assert_int_eq(errno, EALREADY);
	ck_assert_int_eq(freed, 0);
	errno = 0;
	ck_assert_int_eq(evdeferred_callback(d, NULL), -1);
	ck_assert_int_eq(errno, EALREADY);
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

	errno = 0;
	ck_assert_int_eq(evdeferred_callback(d, NULL), -1);
	ck_assert_int_eq(errno, EALREADY);
	evdeferred_free(d);
}
END_TEST

START_TEST(second_fire_while_waiting_is_ealready)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	int freed = 0;

	evdeferred_fire(d, evresult_deferred(inner));
	errno = 0;
	ck_assert_int_eq(evdeferred_fire(d, counting(&freed)), -1);
	ck_assert_int_eq(errno, EALREADY);
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
	errno = 0;
	ck_assert_int_eq(evdeferred_fire(d, counting(&freed)), -1);
	ck_assert_int_eq(errno, EALREADY);
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

/* As where it is not late: it fails with EDEADLK and stays its consumer's. */
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
	REFUSED(evdeferred_add_callbacks(d, NULL, NULL, NULL), EINVAL);
	REFUSED(evdeferred_add_callback(d, NULL, NULL), EINVAL);
	REFUSED(evdeferred_add_errback(d, NULL, NULL), EINVAL);
	REFUSED(evdeferred_add_both(d, NULL, NULL), EINVAL);
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
	evdeferred_free(d);
}
END_TEST

/* Point 2: links. */

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
	/* None where there was no memory to wrap it. */
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

/* Chaining is a link, too. */

START_TEST(chain_fires_other)
{
	struct evdeferred *d = fresh(), *other = fresh();
	struct seen mine = {0}, others = {0};
	int n = 0;

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	see(d, &mine);
	see(other, &others);
	evdeferred_callback(d, &n);
	ck_assert_ptr_eq(others.value, &n);
	ck_assert_int_eq(mine.values, 1);
	ck_assert_ptr_null(mine.value);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_passes_failure)
{
	struct evdeferred *d = fresh(), *other = fresh();
	struct seen mine = {0}, others = {0};

	evdeferred_chain(d, other);
	see(d, &mine);
	see(other, &others);
	evdeferred_errback(d, EIO, "x");
	ck_assert_int_eq(others.code, EIO);
	ck_assert_int_eq(mine.values, 1);
	ck_assert_ptr_null(mine.value);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_of_fired_fires_at_once)
{
	struct evdeferred *d = fired(evresult_value(&report)), *other = fresh();
	struct seen others = {0};

	see(other, &others);
	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	ck_assert_ptr_eq(others.value, &report);
	evdeferred_free(other);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_to_fired_is_ealready)
{
	struct evdeferred *d = fresh(), *other = fired(evresult_value(NULL));
	struct seen mine = {0};

	errno = 0;
	ck_assert_int_eq(evdeferred_chain(d, other), -1);
	ck_assert_int_eq(errno, EALREADY);
	see(d, &mine);
	evdeferred_callback(d, &mine);
	ck_assert_ptr_eq(mine.value, &mine);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_to_cancelled_is_ealready)
{
	struct evdeferred *d = fresh(), *other = fresh();

	evdeferred_cancel(other);
	errno = 0;
	ck_assert_int_eq(evdeferred_chain(d, other), -1);
	ck_assert_int_eq(errno, EALREADY);
	evdeferred_callback(d, NULL);
	evdeferred_callback(other, NULL);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_of_chained_is_ebusy)
{
	struct evdeferred *a = fresh(), *b = fresh(), *other = fresh();
	struct seen others = {0};

	see(other, &others);
	ck_assert_int_eq(evdeferred_chain(a, other), 0);
	errno = 0;
	ck_assert_int_eq(evdeferred_chain(b, other), -1);
	ck_assert_int_eq(errno, EBUSY);
	evdeferred_callback(b, &a);
	ck_assert_int_eq(others.values, 0);
	evdeferred_callback(a, &b);
	ck_assert_ptr_eq(others.value, &b);
	evdeferred_free(a);
	evdeferred_free(b);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_across_bases_is_einval)
{
	struct evdefer_base *second = evdefer_base_new(loop);
	struct evdeferred *d = fresh();
	struct evdeferred *other = evdeferred_new(second, NULL, NULL);

	errno = 0;
	ck_assert_int_eq(evdeferred_chain(d, other), -1);
	ck_assert_int_eq(errno, EINVAL);
	evdeferred_callback(d, NULL);
	evdeferred_callback(other, NULL);
	evdeferred_free(d);
	evdeferred_free(other);
	evdefer_base_free(second);
}
END_TEST

START_TEST(chain_dropped_with_its_deferred_cancels_other)
{
	struct evdeferred *d = fresh(), *other = fresh();
	struct seen others = {0};

	see(other, &others);
	evdeferred_chain(d, other);
	evdeferred_free(d);
	ck_assert_int_eq(others.code, ECANCELED);
	evdeferred_callback(d, NULL);
	evdeferred_free(other);
	ck_assert_int_eq(others.failures, 1);
}
END_TEST

START_TEST(chain_disposes_where_other_was_cancelled)
{
	struct evdeferred *d = fresh(), *other = fresh();
	struct seen mine = {0}, others = {0};
	int freed = 0, cancelled = 0;

	evdeferred_free(d);
	evdeferred_callback(d, NULL);
	d = evdeferred_new(base, count_cancel, &cancelled);
	see(other, &others);
	evdeferred_chain(d, other);
	see(d, &mine);
	evdeferred_cancel(other);
	ck_assert_int_eq(others.code, ECANCELED);
	ck_assert_int_eq(cancelled, 0);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(mine.values, 1);
	evdeferred_free(other);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_disposes_where_other_was_freed)
{
	struct evdeferred *d = fresh(), *other = fresh();
	int freed = 0;

	evdeferred_chain(d, other);
	evdeferred_free(other);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_disposes_where_other_was_fired)
{
	struct evdeferred *d = fresh(), *other = fresh();
	int freed = 0;

	evdeferred_chain(d, other);
	ck_assert_int_eq(evdeferred_callback(other, NULL), 0);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_to_freed_then_freed_itself)
{
	struct evdeferred *d = fresh(), *other = fresh();

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	evdeferred_free(other);
	evdeferred_free(d);
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(chain_keeps_other_for_its_canceller)
{
	int cancelled = 0;
	struct evdeferred *d = fresh();
	struct evdeferred *other =
	    evdeferred_new(base, count_cancel, &cancelled);
	int freed = 0;

	evdeferred_chain(d, other);
	evdeferred_free(other);
	ck_assert_int_eq(cancelled, 1);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(late_value_whose_free_function_frees_its_deferred)
{
	struct evdeferred *d = fresh();

	evdeferred_cancel(d);
	ck_assert_int_eq(
	    evdeferred_fire(d, evresult_owned(d, free_deferred)), 0);
}
END_TEST

START_TEST(chained_value_whose_free_function_frees_other)
{
	struct evdeferred *d = fresh(), *other = fresh();

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	evdeferred_cancel(other);
	evdeferred_fire(d, evresult_owned(other, free_deferred));
	evdeferred_free(d);
}
END_TEST

static void
cancel_with_owned_deferred(struct evdeferred *d, void *arg)
{
	evdeferred_fire(d, evresult_owned(arg, free_deferred));
}

START_TEST(free_of_chained_whose_canceller_leads_to_a_free_of_its_chain)
{
	struct evdeferred *d = fresh();
	struct evdeferred *other =
	    evdeferred_new(base, cancel_with_owned_deferred, d);

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	evdeferred_free(other);
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(chain_in_a_ring_ends)
{
	struct evdeferred *a = fresh(), *b = fresh();
	int freed = 0;

	ck_assert_int_eq(evdeferred_chain(a, b), 0);
	if (evdeferred_chain(b, a) == 0) {
		evdeferred_fire(a, counting(&freed));
	} else {
		ck_assert_int_ne(errno, ENOMEM);
		count_free(&freed);
	}
	evdeferred_free(a);
	evdeferred_free(b);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* Point 3: a link that returns a Deferred. */

START_TEST(chain_waits_for_unfired)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(d, wait_value, inner);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_goes_on_with_fired)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(d, wait_value, fired(evresult_value(&seen)));
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_goes_on_with_failed)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(d, wait_value, failed(EIO));
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_waits_for_paused)
{
	struct evdeferred *d = fresh(), *inner = fired(evresult_value(&trace));
	struct seen seen = {0};

	evdeferred_pause(inner);
	evdeferred_add_callback(d, wait_value, inner);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.values, 0);
	ck_assert_int_eq(evdeferred_unpause(inner), 0);
	ck_assert_ptr_eq(seen.value, &trace);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_waits_for_one_that_waits)
{
	struct evdeferred *d = fresh(), *middle = fresh(), *inner = fresh();
	struct seen seen = {0};

	evdeferred_fire(middle, evresult_deferred(inner));
	evdeferred_fire(d, evresult_deferred(middle));
	see(d, &seen);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(links_of_awaited_run_first)
{
	struct evdeferred *d = fresh(), *inner = fresh();

	evdeferred_add_callback(inner, trace_value, "i");
	evdeferred_add_callback(d, wait_value, inner);
	evdeferred_add_callback(d, trace_value, "o");
	evdeferred_callback(d, NULL);
	evdeferred_callback(inner, NULL);
	ck_assert_str_eq(trace, "io");
	evdeferred_free(d);
}
END_TEST

static struct evresult
wait_both(struct evresult result, void *arg)
{
	evresult_dispose(result);
	return evresult_deferred(arg);
}

START_TEST(errback_and_both_may_return_a_deferred)
{
	struct evdeferred *d = failed(EIO);
	struct seen seen = {0};
	struct evdeferred *inner = fresh();

	evdeferred_add_both(d, wait_both, inner);
	see(d, &seen);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(links_may_be_added_while_waiting)
{
	struct evdeferred *d = fresh(), *inner = fresh();

	evdeferred_fire(d, evresult_deferred(inner));
	evdeferred_add_callback(d, trace_value, "a");
	evdeferred_add_callback(d, trace_value, "b");
	ck_assert_str_eq(trace, "");
	evdeferred_callback(inner, NULL);
	ck_assert_str_eq(trace, "ab");
	evdeferred_free(d);
}
END_TEST

START_TEST(fired_with_deferred_waits)
{
	struct evdeferred *inner = fresh();
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_deferred(inner));
	struct seen seen = {0};

	see(d, &seen);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(cancel_goes_to_the_innermost)
{
	int cancelled = 0;
	struct evdeferred *d = fresh(), *middle = fresh();
	struct evdeferred *inner =
	    evdeferred_new(base, count_cancel, &cancelled);
	struct seen seen = {0};

	evdeferred_fire(middle, evresult_deferred(inner));
	evdeferred_fire(d, evresult_deferred(middle));
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
}
END_TEST

START_TEST(cancel_of_the_innermost_may_be_handled_below)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	struct seen below = {0}, seen = {0};

	see(inner, &below);
	evdeferred_fire(d, evresult_deferred(inner));
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(below.code, ECANCELED);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_callback(inner, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(free_frees_what_is_waited_for)
{
	int cancelled = 0, freed = 0;
	struct evdeferred *d = fresh(), *middle = fresh();
	struct evdeferred *inner =
	    evdeferred_new(base, count_cancel, &cancelled);
	struct evdeferred *late = fresh();

	evdeferred_fire(middle, evresult_deferred(inner));
	evdeferred_fire(d, evresult_deferred(middle));
	evdeferred_free(d);
	ck_assert_int_eq(cancelled, 1);
	d = evdeferred_new_fired(base, evresult_deferred(late));
	evdeferred_free(d);
	ck_assert_int_eq(evdeferred_fire(late, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(own_deferred_is_edeadlk)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(d, wait_value, d);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.code, EDEADLK);
	evdeferred_free(d);
}
END_TEST

START_TEST(fire_with_itself_is_edeadlk)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	ck_assert_int_eq(evdeferred_fire(d, evresult_deferred(d)), 0);
	ck_assert_int_eq(seen.code, EDEADLK);
	evdeferred_free(d);
}
END_TEST

/* As a was handed over, nobody is to free it. */
START_TEST(loop_of_two_waits_is_edeadlk)
{
	struct evdeferred *a = fresh(), *b = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(a, wait_value, b);
	evdeferred_add_callback(b, wait_value, a);
	see(a, &seen);
	evdeferred_callback(a, NULL);
	evdeferred_callback(b, NULL);
	ck_assert_int_eq(seen.code, EDEADLK);
}
END_TEST

START_TEST(loop_of_three_waits_is_edeadlk)
{
	struct evdeferred *a = fresh(), *b = fresh(), *c = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(a, wait_value, b);
	evdeferred_add_callback(b, wait_value, c);
	evdeferred_add_callback(c, wait_value, a);
	see(a, &seen);
	evdeferred_callback(b, NULL);
	evdeferred_callback(a, NULL);
	evdeferred_callback(c, NULL);
	ck_assert_int_eq(seen.code, EDEADLK);
}
END_TEST

/* The first waiter keeps what both were given. */
START_TEST(deferred_given_twice_is_einval)
{
	struct evdeferred *a = fired(evresult_value(NULL)),
			  *b = fired(evresult_value(NULL)), *inner = fresh();
	struct seen first = {0}, second = {0};

	evdeferred_add_callback(a, wait_value, inner);
	see(a, &first);
	evdeferred_add_callback(b, wait_value, inner);
	see(b, &second);
	ck_assert_int_eq(second.code, EINVAL);
	ck_assert_int_eq(first.values, 0);
	evdeferred_callback(inner, &first);
	ck_assert_ptr_eq(first.value, &first);
	evdeferred_free(a);
	evdeferred_free(b);
}
END_TEST

START_TEST(deferred_of_another_base_is_einval)
{
	struct evdefer_base *second = evdefer_base_new(loop);
	int freed = 0;
	struct evdeferred *d = fired(evresult_value(NULL));
	struct evdeferred *other =
	    evdeferred_new_fired(second, counting(&freed));
	struct seen seen = {0};

	evdeferred_add_callback(d, wait_value, other);
	see(d, &seen);
	ck_assert_int_eq(seen.code, EINVAL);
	evdeferred_free(d);
	/* It was handed over: nobody else frees it. */
	ck_assert_int_eq(freed, 1);
	evdefer_base_free(second);
}
END_TEST

/* Point 4: pause and cancel. */

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
	errno = 0;
	ck_assert_int_eq(evdeferred_unpause(d), -1);
	ck_assert_int_eq(errno, EPERM);
	evdeferred_free(d);
}
END_TEST

START_TEST(unpause_before_fire_changes_nothing)
{
	struct evdeferred *d = fresh();

	errno = 0;
	ck_assert_int_eq(evdeferred_unpause(d), -1);
	ck_assert_int_eq(errno, EPERM);
	evdeferred_pause(d);
	evdeferred_unpause(d);
	evdeferred_add_callback(d, trace_value, "a");
	ck_assert_str_eq(trace, "");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "a");
	evdeferred_free(d);
}
END_TEST

START_TEST(pause_overflows_after_65535)
{
	struct evdeferred *d = fired(evresult_value(NULL));
	int i, refused = 0;

	for (i = 0; i < 65535; i++)
		refused += evdeferred_pause(d) != 0;
	ck_assert_int_eq(refused, 0);
	errno = 0;
	ck_assert_int_eq(evdeferred_pause(d), -1);
	ck_assert_int_eq(errno, EOVERFLOW);
	evdeferred_add_callback(d, trace_value, "a");
	for (i = 0; i < 65534; i++)
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

START_TEST(cancel_without_canceller_fails)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(cancel_calls_canceller_once)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, count_cancel, &cancelled);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
	ck_assert_int_eq(cancelled, 1);
}
END_TEST

START_TEST(canceller_may_fire_a_value)
{
	int n = 0;
	struct evdeferred *d = evdeferred_new(base, cancel_with_value, &n);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_ptr_eq(seen.value, &n);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_free(d);
}
END_TEST

START_TEST(canceller_may_fire_a_failure)
{
	int code = EPERM;
	struct evdeferred *d = evdeferred_new(base, cancel_with_failure, &code);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, EPERM);
	evdeferred_free(d);
}
END_TEST

static void
cancel_with_deferred(struct evdeferred *d, void *arg)
{
	evdeferred_fire(d, evresult_deferred(arg));
}

START_TEST(canceller_may_fire_a_deferred)
{
	struct evdeferred *inner = fresh();
	struct evdeferred *d =
	    evdeferred_new(base, cancel_with_deferred, inner);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.values + seen.failures, 0);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

static void
cancel_again(struct evdeferred *d, void *arg)
{
	++*(int *)arg;
	evdeferred_cancel(d);
}

START_TEST(cancel_inside_canceller_is_nothing_new)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, cancel_again, &cancelled);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
}
END_TEST

static void
free_in_canceller(struct evdeferred *d, void *arg)
{
	++*(int *)arg;
	evdeferred_free(d);
}

START_TEST(free_inside_canceller)
{
	int cancelled = 0;
	struct evdeferred *d =
	    evdeferred_new(base, free_in_canceller, &cancelled);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.failures + seen.values, 0);
}
END_TEST

START_TEST(cancel_after_the_result_is_nothing)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, count_cancel, &cancelled);
	struct seen seen = {0};

	evdeferred_callback(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 0);
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_cancel(d);
	evdeferred_free(d);
}
END_TEST

START_TEST(cancel_of_paused_waits_for_unpause)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_pause(d);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_unpause(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

static struct evresult
cancel_own(void *value, void *arg)
{
	evdeferred_cancel(arg);
	return evresult_value(value);
}

START_TEST(cancel_inside_a_link_is_nothing)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(d, cancel_own, d);
	see(d, &seen);
	evdeferred_callback(d, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

/* Point 5: timeouts. */

static void
timeout(struct evdeferred *d, long s)
{
	struct timeval tv = {s, 0};

	ck_assert_int_eq(evdeferred_add_timeout(d, &tv), 0);
}

START_TEST(timeout_fails_with_etimedout)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, count_cancel, &cancelled);
	struct seen seen = {0};

	timeout(d, 2);
	see(d, &seen);
	clock_advance(1900);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	clock_advance(200);
	turns(2);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(events(), 0);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_of_0_fails_in_the_next_turn)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 0);
	see(d, &seen);
	ck_assert_int_eq(seen.failures, 0);
	clock_advance(1);
	turns(1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

/* As good as never, and no reason to be early. */
START_TEST(timeout_of_ages_does_not_come_soon)
{
	static const long seconds[] = {INT_MAX, LONG_MAX / 2, LONG_MAX};
	struct timeval tv = {seconds[_i], 999999};
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	ck_assert_int_eq(evdeferred_add_timeout(d, &tv), 0);
	see(d, &seen);
	turns(2);
	clock_advance(1000);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_is_a_cancel_for_earlier_links)
{
	struct evdeferred *d = fresh();
	struct seen early = {0}, late = {0};

	see(d, &early);
	timeout(d, 1);
	see(d, &late);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(early.code, ECANCELED);
	/* Handled, so that what comes after it is the value of see(). */
	ck_assert_int_eq(late.values, 1);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

static struct evresult
note_code(struct evfailure *failure, void *arg)
{
	*(int *)arg = evfailure_get_code(failure);
	return evresult_from_failure(failure);
}

START_TEST(timeout_turns_ecanceled_into_etimedout)
{
	struct evdeferred *d = fresh();
	struct seen late = {0};
	int early = 0;

	evdeferred_add_errback(d, note_code, &early);
	timeout(d, 1);
	see(d, &late);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(early, ECANCELED);
	ck_assert_int_eq(late.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_keeps_other_failures)
{
	int code = EPERM;
	struct evdeferred *d = evdeferred_new(base, cancel_with_failure, &code);
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.code, EPERM);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_goes_when_the_result_comes)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	ck_assert_int_ge(events(), 1);
	see(d, &seen);
	evdeferred_callback(d, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	ck_assert_int_eq(events(), 0);
	clock_advance(2000);
	turns(2);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_covers_only_earlier_links)
{
	struct evdeferred *d = fired(evresult_value(NULL)), *inner = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	evdeferred_add_callback(d, wait_value, inner);
	see(d, &seen);
	ck_assert_int_eq(events(), 0);
	clock_advance(2000);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_reaches_the_innermost)
{
	int cancelled = 0;
	struct evdeferred *inner =
	    evdeferred_new(base, count_cancel, &cancelled);
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_deferred(inner));
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_goes_with_a_cancel)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(events(), 0);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_goes_with_a_free)
{
	struct evdeferred *d = fresh();

	timeout(d, 1);
	timeout(d, 2);
	evdeferred_free(d);
	ck_assert_int_eq(events(), 0);
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(first_of_several_timeouts_wins)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, _i == 0 ? 3 : 1);
	timeout(d, 2);
	timeout(d, _i == 0 ? 1 : 3);
	see(d, &seen);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(events(), 0);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(several_timeouts_each_cover_their_links)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	evdeferred_add_callback(d, wait_value, inner);
	timeout(d, 5);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	clock_advance(2000);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	clock_advance(4000);
	turns(2);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(inner, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(unhandled_timeout_is_reported)
{
	struct evdeferred *d = fresh();

	timeout(d, 1);
	clock_advance(1100);
	turns(2);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	report_take(ETIMEDOUT);
}
END_TEST

START_TEST(timeout_of_paused_waits_for_unpause)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	evdeferred_pause(d);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_unpause(d);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

static struct evresult
free_on_failure(struct evfailure *failure, void *arg)
{
	trace_add("f");
	evdeferred_free(arg);
	return evresult_from_failure(failure);
}

START_TEST(free_inside_a_link_run_by_a_timeout)
{
	struct evdeferred *d = fresh();

	evdeferred_add_errback(d, free_on_failure, d);
	timeout(d, 1);
	clock_advance(1100);
	turns(2);
	ck_assert_str_eq(trace, "f");
	ck_assert_int_eq(events(), 0);
	evdeferred_callback(d, NULL);
}
END_TEST

/* Point 7: lifetime. */

START_TEST(free_before_fire)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_free(d);
	ck_assert_int_eq(evdeferred_callback(d, NULL), 0);
	ck_assert_int_eq(seen.values + seen.failures, 0);
}
END_TEST

START_TEST(free_before_fire_calls_canceller)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, count_cancel, &cancelled);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_free(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.values + seen.failures, 0);
}
END_TEST

static void
cancel_with_owned(struct evdeferred *d, void *arg)
{
	evdeferred_fire(d, counting(arg));
}

START_TEST(free_disposes_of_what_the_canceller_fires)
{
	int freed = 0;
	struct evdeferred *d = evdeferred_new(base, cancel_with_owned, &freed);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(seen.values, 0);
}
END_TEST

static struct evresult
free_and_go_on(struct evresult result, void *arg)
{
	trace_add("f");
	evdeferred_free(arg);
	return result;
}

struct dropped {
	struct evdeferred *d;
	int cancelled;
	int freed;
};

static struct evresult
fire_dropped(struct evfailure *failure, void *arg)
{
	struct dropped *dropped = arg;

	(void)failure;
	ck_assert_int_eq(
	    evdeferred_fire(dropped->d, counting(&dropped->freed)), 0);
	return evresult_value(NULL);
}

/* Whom its chain leads to hears of the free first. */
START_TEST(free_disposes_of_what_is_fired_while_its_links_are_dropped)
{
	struct dropped dropped = {0};
	struct evdeferred *other = fresh();

	dropped.d = evdeferred_new(base, count_cancel, &dropped.cancelled);
	evdeferred_add_errback(other, fire_dropped, &dropped);
	ck_assert_int_eq(evdeferred_chain(dropped.d, other), 0);
	evdeferred_free(dropped.d);
	ck_assert_int_eq(dropped.freed, 1);
	ck_assert_int_eq(dropped.cancelled, 0);
	evdeferred_free(other);
}
END_TEST

START_TEST(free_inside_own_link_drops_the_rest)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_add_both(d, free_and_go_on, d);
	evdeferred_add_both(d, trace_both, "never");
	evdeferred_fire(d, counting(&freed));
	ck_assert_str_eq(trace, "f");
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(free_inside_own_link_added_late)
{
	struct evdeferred *d = fired(evresult_value(NULL));

	evdeferred_add_both(d, free_and_go_on, d);
	ck_assert_str_eq(trace, "f");
}
END_TEST

START_TEST(free_inside_own_link_reports_the_failure_left)
{
	struct evdeferred *d = fresh();

	evdeferred_add_both(d, free_and_go_on, d);
	evdeferred_errback(d, EIO, "left");
	report_take(EIO);
}
END_TEST

static struct evdeferred *returned;

static struct evresult
free_and_wait(void *value, void *arg)
{
	(void)value;
	evdeferred_free(arg);
	return evresult_deferred(returned);
}

START_TEST(free_inside_own_link_frees_the_deferred_it_returns)
{
	struct evdeferred *d = fresh();
	int cancelled = 0;

	returned = evdeferred_new(base, count_cancel, &cancelled);
	evdeferred_add_callback(d, free_and_wait, d);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(cancelled, 1);
}
END_TEST

START_TEST(free_inside_link_of_the_awaited)
{
	struct evdeferred *inner = fresh();
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_deferred(inner));
	struct seen seen = {0};
	int freed = 0;

	see(d, &seen);
	evdeferred_add_both(inner, free_and_go_on, d);
	evdeferred_fire(inner, counting(&freed));
	ck_assert_str_eq(trace, "f");
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(seen.values, 0);
}
END_TEST

START_TEST(free_paused_before_fire)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_pause(d);
	evdeferred_free(d);
	ck_assert_int_eq(evdeferred_fire(d, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(detached_frees_itself_at_the_end)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_add_both(d, trace_both, "a");
	evdeferred_detach(d);
	evdeferred_fire(d, counting(&freed));
	ck_assert_str_eq(trace, "a");
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(detach_of_fired_frees_at_once)
{
	int freed = 0;

	evdeferred_detach(evdeferred_new_fired(base, counting(&freed)));
	ck_assert_int_eq(freed, 1);
	evdeferred_detach(failed(EIO));
	report_take(EIO);
}
END_TEST

/* Whoever has let it go knows that it has not come to its end. */
START_TEST(detached_is_waited_for)
{
	struct evdeferred *inner = fresh();
	struct evdeferred *d = fired(evresult_value(NULL));
	struct seen seen = {0};

	evdeferred_detach(inner);
	evdeferred_add_callback(d, wait_value, inner);
	see(d, &seen);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

static void
fire_and_detach(struct evdeferred *d, void *freed)
{
	evdeferred_fire(d, counting(freed));
	evdeferred_detach(d);
	/* It is still needed here. */
	ck_assert_int_eq(*(int *)freed, 0);
}

START_TEST(detach_inside_canceller_takes_effect_after_it)
{
	int freed = 0;

	evdeferred_cancel(evdeferred_new(base, fire_and_detach, &freed));
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(detached_waits)
{
	struct evdeferred *inner = fresh();
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_deferred(inner));
	int freed = 0;

	evdeferred_add_both(d, trace_both, "a");
	evdeferred_detach(d);
	ck_assert_str_eq(trace, "");
	evdeferred_fire(inner, counting(&freed));
	ck_assert_str_eq(trace, "a");
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(detached_paused_goes_on_at_unpause)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_add_both(d, trace_both, "a");
	evdeferred_pause(d);
	evdeferred_detach(d);
	evdeferred_fire(d, counting(&freed));
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(freed, 0);
	evdeferred_unpause(d);
	ck_assert_str_eq(trace, "a");
	ck_assert_int_eq(freed, 1);
}
END_TEST

static struct evresult
detach_own(struct evresult result, void *arg)
{
	trace_add("d");
	evdeferred_detach(arg);
	return result;
}

START_TEST(detach_inside_own_link_runs_the_rest)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	evdeferred_add_both(d, detach_own, d);
	evdeferred_add_both(d, trace_both, "a");
	evdeferred_fire(d, counting(&freed));
	ck_assert_str_eq(trace, "da");
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(detached_times_out)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	timeout(d, 1);
	see(d, &seen);
	evdeferred_detach(d);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(detached_may_be_cancelled_while_it_waits)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_detach(d);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(evdeferred_callback(d, NULL), 0);
}
END_TEST

/* Point 8: reports. */

START_TEST(unhandled_failure_is_reported_when_it_goes)
{
	struct evdeferred *d = fresh();
	int line;

	evdeferred_add_callback(d, trace_value, "no");
	line = __LINE__ + 1;
	evdeferred_errback(d, EIO, "disk %d", 5);
	ck_assert_int_eq(report.count, 0);
	evdeferred_free(d);
	ck_assert_str_eq(report.message, "disk 5");
	ck_assert_str_eq(report.file, __FILE__);
	ck_assert_int_eq(report.line, line);
	report_take(EIO);
}
END_TEST

START_TEST(handled_failure_is_not_reported)
{
	struct evdeferred *d = failed(EIO);

	evdeferred_add_errback(d, recover, NULL);
	evdeferred_free(d);
	ck_assert_int_eq(report.count, 0);
}
END_TEST

START_TEST(failure_seen_and_passed_on_is_reported)
{
	struct evdeferred *d = failed(EIO);

	evdeferred_add_errback(d, trace_failure, "a");
	evdeferred_free(d);
	ck_assert_str_eq(trace, "a");
	report_take(EIO);
}
END_TEST

START_TEST(failure_of_a_paused_deferred_is_reported)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_pause(d);
	see(d, &seen);
	evdeferred_errback(d, EIO, "x");
	evdeferred_free(d);
	ck_assert_int_eq(seen.failures, 0);
	report_take(EIO);
}
END_TEST

START_TEST(cancel_is_not_reported)
{
	struct evdeferred *d = fresh(), *inner = fresh();

	evdeferred_cancel(d);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	d = evdeferred_new_fired(base, evresult_deferred(inner));
	evdeferred_cancel(d);
	evdeferred_callback(inner, NULL);
	evdeferred_free(d);
	ck_assert_int_eq(report.count, 0);
}
END_TEST

START_TEST(failure_of_a_canceller_is_reported)
{
	int code = EPERM;
	struct evdeferred *d = evdeferred_new(base, cancel_with_failure, &code);

	evdeferred_cancel(d);
	evdeferred_free(d);
	report_take(EPERM);
}
END_TEST

START_TEST(failure_of_an_awaited_is_reported_once)
{
	struct evdeferred *inner = fresh();
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_deferred(inner));

	evdeferred_errback(inner, EIO, "x");
	evdeferred_free(d);
	report_take(EIO);
}
END_TEST

START_TEST(failure_of_a_chained_is_reported_once)
{
	struct evdeferred *d = fresh(), *other = fresh();

	evdeferred_chain(d, other);
	evdeferred_errback(d, EIO, "x");
	evdeferred_free(d);
	ck_assert_int_eq(report.count, 0);
	evdeferred_free(other);
	report_take(EIO);
}
END_TEST

START_TEST(failure_kept_by_reference_outlives_its_deferred)
{
	struct evdeferred *d = fresh();
	struct evresult r = evresult_fail(EIO, "kept");
	struct evfailure *f = evfailure_ref(evresult_get_failure(r));

	evdeferred_fire(d, r);
	evdeferred_free(d);
	report_take(EIO);
	ck_assert_str_eq(evfailure_get_message(f), "kept");
	evfailure_unref(f);
}
END_TEST

static struct evfailure *kept;

static struct evresult
keep(struct evfailure *failure, void *arg)
{
	(void)arg;
	kept = evfailure_ref(failure);
	return evresult_value(NULL);
}

START_TEST(failure_may_be_fired_into_another)
{
	struct evdeferred *d = failed(EIO), *other = fresh();
	struct seen seen = {0};

	evdeferred_add_errback(d, keep, NULL);
	evdeferred_free(d);
	see(other, &seen);
	/* fire() takes a reference of its own, and ours stays ours. */
	ck_assert_int_eq(
	    evdeferred_fire(other, evresult_from_failure(kept)), 0);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(other);
	ck_assert_int_eq(evfailure_get_code(kept), EIO);
	evfailure_unref(kept);
}
END_TEST

/* Point 9: no allocation in the steady state. */

static int
one_round(void)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);
	struct seen seen = {0};
	int freed = 0;

	evdeferred_add_callback(d, wait_value, inner);
	evdeferred_add_both(d, trace_both, "");
	evdeferred_chain(d, other);
	evdeferred_add_callbacks(other, see_value, see_failure, &seen);
	evdeferred_pause(d);
	evdeferred_callback(d, NULL);
	evdeferred_unpause(d);
	evdeferred_fire(inner, counting(&freed));
	evdeferred_free(d);
	evdeferred_free(other);
	d = evdeferred_new_fired(base, evresult_value(NULL));
	evdeferred_add_callback(d, trace_value, "");
	evdeferred_detach(d);
	return seen.values;
}

START_TEST(steady_state_allocates_nothing)
{
	int i, good = 0;
	size_t calls;

	one_round();
	calls = alloc_calls();
	for (i = 0; i < 1000; i++)
		good += one_round();
	calls = alloc_calls() - calls;
	ck_assert_int_eq(good, 1000);
	ck_assert_uint_eq(calls, 0);
}
END_TEST

static int
many_at_once(struct evdeferred **all, int count)
{
	int i, j, good = 0;

	for (i = 0; i < count; i++) {
		all[i] = evdeferred_new(base, NULL, NULL);
		for (j = 0; j < 3; j++)
			evdeferred_add_callback(all[i], trace_value, "");
	}
	for (i = 0; i < count; i++)
		good += evdeferred_callback(all[i], NULL) == 0;
	for (i = 0; i < count; i++)
		evdeferred_free(all[i]);
	return good;
}

START_TEST(steady_state_of_many_allocates_nothing)
{
	static struct evdeferred *all[5000];
	size_t calls;
	int good;

	many_at_once(all, 5000);
	calls = alloc_calls();
	good = many_at_once(all, 5000);
	calls = alloc_calls() - calls;
	ck_assert_int_eq(good, 5000);
	ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(cancel_of_a_canceller_that_fires_allocates_nothing)
{
	struct evdeferred *d;
	size_t calls;
	int n = 0;

	evdeferred_free(evdeferred_new(base, cancel_with_value, &n));
	calls = alloc_calls();
	d = evdeferred_new(base, cancel_with_value, &n);
	evdeferred_cancel(d);
	evdeferred_free(d);
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
}
END_TEST

/* Failed allocations. */

struct story {
	bool told; /* nothing failed */
	int freed; /* owned values */
	int made;  /* owned values that were taken over */
	struct seen end;
};

static void
take(struct story *story, struct evdeferred *d)
{
	if (evdeferred_fire(d, counting(&story->freed)) == 0)
		story->made++;
}

/* Every step may fail for want of memory; each is then left out, and what was
 * made is freed as always. */
static void
tell(struct story *story)
{
	struct timeval second = {1, 0};
	struct evdefer_base *b = evdefer_base_new(loop);
	struct evdeferred *d, *other, *inner;
	int bad = 0, chained, i;

	if (b == NULL)
		return;
	evdefer_base_set_unhandled(b, ignore_failure, NULL);
	d = evdeferred_new(b, NULL, NULL);
	other = evdeferred_new(b, NULL, NULL);
	inner = evdeferred_new(b, NULL, NULL);
	bad += d == NULL || other == NULL || inner == NULL;
	/* More links than one piece of the pool holds. */
	for (i = 0; i < 300; i++)
		bad += evdeferred_add_both(d, trace_both, "") != 0;
	bad += evdeferred_add_timeout(d, &second) != 0;
	chained = evdeferred_chain(d, other) == 0;
	bad += !chained;
	bad += evdeferred_add_callbacks(
		   other, see_value, see_failure, &story->end) != 0;
	if (d != NULL && inner != NULL) {
		evdeferred_fire(d, evresult_deferred(inner));
		take(story, inner);
	} else {
		take(story, inner);
		evdeferred_free(inner);
		if (d != NULL)
			evdeferred_errback(d, EIO, "x %d", 1);
	}
	evdeferred_free(other);
	if (!chained && other != NULL)
		evdeferred_callback(other, NULL);
	evdeferred_free(d);
	d = evdeferred_new_fired(b, evresult_fail(EIO, "y"));
	bad += d == NULL;
	evdeferred_add_errback(d, recover, NULL);
	evdeferred_free(d);
	d = evdeferred_new(b, NULL, NULL);
	bad += d == NULL;
	evdeferred_cancel(d);
	bad += evdeferred_add_errback(d, recover, NULL) != 0;
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	bad += evdefer_base_reserve(b, 1000, 1000) != 0;
	evdefer_base_free(b);
	story->told = bad == 0;
}

START_TEST(every_allocation_may_fail)
{
	size_t n;

	for (n = 1; n < 10000; n++) {
		struct story story = {0};
		long live = alloc_live();
		struct event_base *outer = loop;
		bool hit;

		/* A new one: what its timers need may fail, too. */
		loop = support_new_loop();
		alloc_fail_at(n, _i == 1);
		tell(&story);
		alloc_fail_at(0, false);
		event_base_free(loop);
		loop = outer;
		hit = alloc_failed() && alloc_works();
		ck_assert_msg(alloc_live() == live, "n = %zu", n);
		/* The one value is received by see_value() or freed. */
		ck_assert_int_eq(story.freed + story.end.values,
		    story.end.values > 0 && story.end.value == NULL
			? story.end.values
			: story.made);
		if (!hit) {
			ck_assert(story.told);
			ck_assert_int_eq(story.end.values, 1);
			break;
		}
	}
	ck_assert_uint_lt(n, 10000);
	ck_assert_uint_gt(n, alloc_works() ? 5 : 0);
}
END_TEST

START_TEST(fired_without_memory_keeps_the_result)
{
	struct evdeferred *d;
	int freed = 0;

	if (!alloc_works())
		return;
	alloc_fail_at(1, true);
	errno = 0;
	d = evdeferred_new_fired(base, counting(&freed));
	alloc_fail_at(0, false);
	ck_assert_ptr_null(d);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_int_eq(freed, 0);
}
END_TEST

START_TEST(cancel_without_memory_still_fails)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	alloc_fail_at(1, true);
	evdeferred_cancel(d);
	alloc_fail_at(0, false);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert(seen.code == ECANCELED || seen.code == ENOMEM);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_without_memory_is_enomem_and_adds_nothing)
{
	struct evdeferred *d = fresh();
	struct timeval second = {1, 0};
	struct seen seen = {0};
	int n, r = -1, code = 0;

	if (!alloc_works()) {
		evdeferred_callback(d, NULL);
		evdeferred_free(d);
		return;
	}
	for (n = 1; r != 0 && n < 100; n++) {
		alloc_fail_at((size_t)n, true);
		errno = 0;
		r = evdeferred_add_timeout(d, &second);
		code = errno;
		alloc_fail_at(0, false);
		if (r != 0) {
			ck_assert_int_eq(code, ENOMEM);
			ck_assert_int_eq(events(), 0);
		}
	}
	see(d, &seen);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

/* Point 6: the C stack does not grow.  Each runs from outside the loop and
 * from inside a callback of an event. */

static void
call(evutil_socket_t fd, short what, void *arg)
{
	void (*const *function)(void) = arg;

	(void)fd;
	(void)what;
	(*function)();
}

/* Calls the function here (mode 0) or from the loop, and lets the loop run
 * until nothing is left. */
static void
run_in(int mode, void (*function)(void))
{
	struct timeval now = {0, 0};

	if (mode == 0)
		function();
	else
		ck_assert_int_eq(event_base_once(loop, -1, EV_TIMEOUT, call,
				     &function, &now),
		    0);
	event_base_dispatch(loop);
}

static struct evdeferred *first, *last, **many;
static struct seen end;

static void
fire_last(void)
{
	evdeferred_callback(last, &end);
}

static void
free_first(void)
{
	evdeferred_free(first);
}

static void
cancel_first(void)
{
	evdeferred_cancel(first);
}

/* first waits for the next and so on to last; outwards or inwards. */
static void
build_waits(bool outwards)
{
	size_t i, scale = support_scale();

	memset(&end, 0, sizeof(end));
	if (outwards) {
		first = last = evdeferred_new(base, NULL, NULL);
		for (i = 1; i < scale; i++)
			first = evdeferred_new_fired(
			    base, evresult_deferred(first));
	} else {
		struct evdeferred *next;

		first = last = evdeferred_new(base, NULL, NULL);
		for (i = 1; i < scale; i++) {
			next = evdeferred_new(base, NULL, NULL);
			evdeferred_fire(last, evresult_deferred(next));
			last = next;
		}
	}
	see(first, &end);
}

START_TEST(million_waiting_fire)
{
	build_waits(_i / 2 == 0);
	run_in(_i % 2, fire_last);
	ck_assert_int_eq(end.values, 1);
	ck_assert_ptr_eq(end.value, &end);
	evdeferred_free(first);
}
END_TEST

START_TEST(million_waiting_are_freed)
{
	int freed = 0;

	build_waits(_i / 2 == 0);
	run_in(_i % 2, free_first);
	ck_assert_int_eq(evdeferred_fire(last, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(end.values + end.failures, 0);
}
END_TEST

START_TEST(million_waiting_are_cancelled)
{
	build_waits(_i / 2 == 0);
	run_in(_i % 2, cancel_first);
	ck_assert_int_eq(end.code, ECANCELED);
	evdeferred_callback(last, NULL);
	evdeferred_free(first);
}
END_TEST

/* Each has a link which returns the next when it is fired, from the inside. */
static void
fire_backwards(void)
{
	size_t i;

	for (i = support_scale(); i-- > 0;)
		evdeferred_callback(many[i], &end);
}

static void
fire_forwards(void)
{
	size_t i, scale = support_scale();

	for (i = 0; i < scale; i++)
		evdeferred_callback(many[i], &end);
}

START_TEST(million_returned_by_links)
{
	size_t i, scale = support_scale();

	memset(&end, 0, sizeof(end));
	many = support_array(scale, sizeof(struct evdeferred *));
	for (i = scale; i-- > 0;) {
		many[i] = evdeferred_new(base, NULL, NULL);
		if (i + 1 < scale && evdeferred_add_callback(many[i],
					 wait_value, many[i + 1]) == -1)
			ck_abort_msg("no memory for %zu", i);
	}
	see(many[0], &end);
	run_in(_i % 2, _i / 2 == 0 ? fire_backwards : fire_forwards);
	ck_assert_int_eq(end.values, 1);
	ck_assert_ptr_eq(end.value, &end);
	evdeferred_free(many[0]);
	free(many);
}
END_TEST

static void
fire_first(void)
{
	evdeferred_callback(first, &end);
}

START_TEST(million_chained)
{
	size_t i, scale = support_scale();

	memset(&end, 0, sizeof(end));
	many = support_array(scale, sizeof(struct evdeferred *));
	for (i = 0; i < scale; i++)
		many[i] = evdeferred_new(base, NULL, NULL);
	for (i = 1; i < scale; i++)
		evdeferred_chain(many[i - 1], many[i]);
	see(many[scale - 1], &end);
	first = many[0];
	run_in(_i % 2, fire_first);
	ck_assert_ptr_eq(end.value, &end);
	for (i = 0; i < scale; i++)
		evdeferred_free(many[i]);
	free(many);
}
END_TEST

/* Each frees the next one's producer: the failure runs down all of them. */
START_TEST(million_chained_are_dropped)
{
	size_t i, scale = support_scale();

	memset(&end, 0, sizeof(end));
	first = last = evdeferred_new(base, NULL, NULL);
	for (i = 1; i < scale; i++) {
		struct evdeferred *next = evdeferred_new(base, NULL, NULL);

		evdeferred_chain(last, next);
		if (last != first)
			evdeferred_detach(last);
		last = next;
	}
	see(last, &end);
	run_in(_i % 2, free_first);
	ck_assert_int_eq(end.code, ECANCELED);
	ck_assert_int_eq(evdeferred_callback(first, NULL), 0);
	evdeferred_free(last);
}
END_TEST

static size_t count;

static struct evresult
count_link(struct evresult result, void *arg)
{
	(void)arg;
	count++;
	return result;
}

START_TEST(million_links)
{
	size_t i, scale = support_scale();

	count = 0;
	first = evdeferred_new(base, NULL, NULL);
	for (i = 0; i < scale; i++)
		evdeferred_add_both(first, count_link, NULL);
	run_in(_i % 2, fire_first);
	ck_assert_uint_eq(count, scale);
	evdeferred_free(first);
}
END_TEST

/* Fires the next inside a link of the one before. */
static struct evresult
fire_next(void *value, void *arg)
{
	(void)arg;
	count++;
	if (count < support_scale())
		evdeferred_callback(many[count], value);
	return evresult_value(NULL);
}

START_TEST(million_fired_inside_one_another)
{
	size_t i, scale = support_scale();

	count = 0;
	many = support_array(scale, sizeof(struct evdeferred *));
	for (i = 0; i < scale; i++) {
		many[i] = evdeferred_new(base, NULL, NULL);
		evdeferred_add_callback(many[i], fire_next, NULL);
	}
	first = many[0];
	run_in(_i % 2, fire_first);
	ck_assert_uint_eq(count, scale);
	for (i = 0; i < scale; i++)
		evdeferred_free(many[i]);
	free(many);
}
END_TEST

/* Without a loop there is nobody to leave a rest to, however long the row. */
static struct evresult
fire_next_of_all(void *value, void *arg)
{
	if (++count < *(size_t *)arg)
		evdeferred_callback(many[count], value);
	return evresult_value(NULL);
}

START_TEST(million_fired_after_the_base_was_freed)
{
	size_t i, all = support_scale() + support_scale() / 5;

	count = 0;
	many = support_array(all, sizeof(struct evdeferred *));
	for (i = 0; i < all; i++) {
		many[i] = evdeferred_new(base, NULL, NULL);
		evdeferred_add_callback(many[i], fire_next_of_all, &all);
	}
	support_free_base();
	evdeferred_callback(many[0], NULL);
	ck_assert_uint_eq(count, all);
	for (i = 0; i < all; i++)
		evdeferred_free(many[i]);
	free(many);
}
END_TEST

/* A link of one that has fired makes another that has fired, for ever. */
static struct evresult
make_next(struct evresult result, void *arg)
{
	(void)arg;
	if (++count < support_scale()) {
		struct evdeferred *d = evdeferred_new_fired(base, result);

		evdeferred_add_both(d, make_next, NULL);
		return evresult_deferred(d);
	}
	return result;
}

static void
start_making(void)
{
	first = evdeferred_new_fired(base, evresult_value(&end));
	evdeferred_add_both(first, make_next, NULL);
}

START_TEST(million_made_inside_one_another)
{
	memset(&end, 0, sizeof(end));
	count = 0;
	run_in(_i % 2, start_making);
	see(first, &end);
	ck_assert_uint_eq(count, support_scale());
	ck_assert_ptr_eq(end.value, &end);
	evdeferred_free(first);
}
END_TEST

/* What is queued may be freed before its turn. */

struct deep {
	struct evdeferred *d;
	struct evdeferred *next;
	struct evdeferred *victim;
	int depth;
	struct seen seen;
};

static struct evresult
go_deep(void *value, void *arg)
{
	struct deep *deep = arg;

	(void)value;
	trace_add("<");
	if (deep->next != NULL)
		evdeferred_callback(deep->next, NULL);
	if (deep->victim != NULL) {
		evdeferred_free(deep->victim);
		deep->victim = NULL;
	}
	trace_add(">");
	return evresult_value(NULL);
}

START_TEST(queued_deep_is_delivered_and_may_be_freed)
{
	enum { DEEP = 50 };
	static struct deep deep[DEEP];
	int i, ran = 0;

	memset(deep, 0, sizeof(deep));
	for (i = 0; i < DEEP; i++) {
		deep[i].d = fresh();
		evdeferred_add_callback(deep[i].d, go_deep, &deep[i]);
		evdeferred_add_callbacks(
		    deep[i].d, see_value, see_failure, &deep[i].seen);
	}
	for (i = 0; i + 1 < DEEP; i++) {
		deep[i].next = deep[i + 1].d;
		/* Freed right after it was fired: in its link, when it
		 * nests, or while it is queued. */
		if (_i == 1)
			deep[i].victim = deep[i + 1].d;
	}
	evdeferred_callback(deep[0].d, NULL);
	turns(4);
	for (i = 0; i < DEEP; i++)
		ran += deep[i].seen.values;
	if (_i == 0)
		ck_assert_int_eq(ran, DEEP);
	evdeferred_free(deep[0].d);
	for (i = 1; _i == 0 && i < DEEP; i++)
		evdeferred_free(deep[i].d);
	/* With _i == 1 those that were never fired are left to free. */
	for (i = 1; _i == 1 && i < DEEP; i++) {
		if (deep[i - 1].victim != NULL) {
			evdeferred_free(deep[i].d);
			evdeferred_callback(deep[i].d, NULL);
		}
	}
}
END_TEST

enum { MOST = 64 };

/* The last of a tower of links, each of which fires the next Deferred: deep
 * enough for the last one to be queued. */
struct tower {
	struct evdeferred *level[MOST];
	struct evdeferred *last;
	struct evdeferred *inner; /* what the last one is to wait for */
	int height;
	int most;
	int what;
	int inside;
	int freed;
	struct seen seen;
};

static struct evresult
climb(void *value, void *arg)
{
	struct tower *tower = arg;

	(void)value;
	if (++tower->height < tower->most) {
		evdeferred_callback(tower->level[tower->height], NULL);
		return evresult_value(NULL);
	}
	if (tower->inner != NULL)
		evdeferred_fire(tower->last, evresult_deferred(tower->inner));
	else
		evdeferred_fire(tower->last, counting(&tower->freed));
	if (tower->what == 0)
		evdeferred_free(tower->last);
	else if (tower->what == 1)
		evdeferred_detach(tower->last);
	else if (tower->what == 2)
		evdeferred_cancel(tower->last);
	else
		evdeferred_pause(tower->last);
	if (tower->what == 4)
		evdeferred_free(tower->last);
	tower->inside = tower->seen.values;
	return evresult_value(NULL);
}

static void
build_tower(struct tower *tower, int most, int what, struct evdeferred *inner)
{
	int i;

	memset(tower, 0, sizeof(*tower));
	tower->most = most;
	tower->inner = inner;
	tower->what = what;
	tower->last = fresh();
	see(tower->last, &tower->seen);
	for (i = 0; i < most; i++) {
		tower->level[i] = fresh();
		evdeferred_add_callback(tower->level[i], climb, tower);
	}
	evdeferred_callback(tower->level[0], NULL);
	turns(4);
	for (i = 0; i < most; i++)
		evdeferred_free(tower->level[i]);
}

/* "Links that have not begun never run": whoever frees a Deferred may free the
 * argument of its links next. */
START_TEST(free_while_queued_runs_no_link_later)
{
	struct tower tower;

	build_tower(&tower, _i, 0, NULL);
	ck_assert_int_eq(tower.height, _i);
	ck_assert_int_eq(tower.seen.values, tower.inside);
	ck_assert_int_eq(tower.freed, tower.seen.values == 0);
}
END_TEST

START_TEST(detach_while_queued_runs_the_links)
{
	struct tower tower;

	build_tower(&tower, _i, 1, NULL);
	ck_assert_int_eq(tower.seen.values, 1);
	ck_assert_ptr_eq(tower.seen.value, &tower.freed);
}
END_TEST

START_TEST(cancel_while_queued_is_nothing)
{
	struct tower tower;

	build_tower(&tower, _i, 2, NULL);
	ck_assert_int_eq(tower.seen.values, 1);
	evdeferred_free(tower.last);
}
END_TEST

START_TEST(pause_while_queued_holds_links_back)
{
	struct tower tower;

	build_tower(&tower, _i, 3, NULL);
	ck_assert_int_eq(tower.seen.values, tower.inside);
	ck_assert_int_eq(evdeferred_unpause(tower.last), 0);
	ck_assert_int_eq(tower.seen.values, 1);
	evdeferred_free(tower.last);
}
END_TEST

START_TEST(free_while_queued_and_paused)
{
	struct tower tower;

	build_tower(&tower, _i, 4, NULL);
	ck_assert_int_eq(tower.seen.values, tower.inside);
	ck_assert_int_eq(tower.freed, tower.seen.values == 0);
}
END_TEST

/* It waits for inner from the time it was fired, queued or not. */
START_TEST(cancel_while_queued_goes_to_the_innermost)
{
	int cancelled = 0;
	struct tower tower;

	build_tower(
	    &tower, _i, 2, evdeferred_new(base, count_cancel, &cancelled));
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(tower.seen.code, ECANCELED);
	evdeferred_free(tower.last);
}
END_TEST

START_TEST(free_while_queued_frees_what_is_waited_for)
{
	int cancelled = 0;
	struct tower tower;

	build_tower(
	    &tower, _i, 0, evdeferred_new(base, count_cancel, &cancelled));
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(tower.seen.values + tower.seen.failures, 0);
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
add_point_1(Suite *suite)
{
	TCase *tc = tcase_create("4.1 one result");

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
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
	suite_add_tcase(suite, tc);
}

/* It used to leave the lock's queue pointing to a Deferred that was gone. */
START_TEST(waiter_of_a_lock_is_fired_by_the_lock_alone)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *source = evdeferred_new(base, NULL, NULL);
	struct evdeferred *waiter;
	struct evrwlock_stats stats;

	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	waiter = evrwlock_reader_acquire(lock);
	errno = 0;
	ck_assert_int_eq(evdeferred_callback(waiter, NULL), -1);
	ck_assert_int_eq(errno, EPERM);
	errno = 0;
	ck_assert_int_eq(evdeferred_errback(waiter, EIO, NULL), -1);
	ck_assert_int_eq(errno, EPERM);
	errno = 0;
	ck_assert_int_eq(evdeferred_chain(source, waiter), -1);
	ck_assert_int_eq(errno, EPERM);
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.readers_waiting, 1);
	evdeferred_free(waiter);
	evdeferred_callback(source, NULL);
	evdeferred_free(source);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evrwlock_free(lock);
}
END_TEST

static void
add_point_2(Suite *suite)
{
	TCase *tc = tcase_create("4.2 links");

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
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
	suite_add_tcase(suite, tc);

	tc = tcase_create("chain");
	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, waiter_of_a_lock_is_fired_by_the_lock_alone);
	tcase_add_test(tc, chain_fires_other);
	tcase_add_test(tc, chain_passes_failure);
	tcase_add_test(tc, chain_of_fired_fires_at_once);
	tcase_add_test(tc, chain_to_fired_is_ealready);
	tcase_add_test(tc, chain_to_cancelled_is_ealready);
	tcase_add_test(tc, chain_of_chained_is_ebusy);
	tcase_add_test(tc, chain_across_bases_is_einval);
	tcase_add_test(tc, chain_dropped_with_its_deferred_cancels_other);
	tcase_add_test(tc, chain_disposes_where_other_was_cancelled);
	tcase_add_test(tc, chain_disposes_where_other_was_freed);
	tcase_add_test(tc, chain_disposes_where_other_was_fired);
	tcase_add_test(tc, chain_to_freed_then_freed_itself);
	tcase_add_test(tc, chain_keeps_other_for_its_canceller);
	tcase_add_test(tc, late_value_whose_free_function_frees_its_deferred);
	tcase_add_test(tc, chained_value_whose_free_function_frees_other);
	tcase_add_test(
	    tc, free_of_chained_whose_canceller_leads_to_a_free_of_its_chain);
	tcase_add_test(tc, chain_in_a_ring_ends);
	suite_add_tcase(suite, tc);
}

static void
add_point_3(Suite *suite)
{
	TCase *tc = tcase_create("4.3 waiting");

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, chain_waits_for_unfired);
	tcase_add_test(tc, chain_goes_on_with_fired);
	tcase_add_test(tc, chain_goes_on_with_failed);
	tcase_add_test(tc, chain_waits_for_paused);
	tcase_add_test(tc, chain_waits_for_one_that_waits);
	tcase_add_test(tc, links_of_awaited_run_first);
	tcase_add_test(tc, errback_and_both_may_return_a_deferred);
	tcase_add_test(tc, links_may_be_added_while_waiting);
	tcase_add_test(tc, fired_with_deferred_waits);
	tcase_add_test(tc, cancel_goes_to_the_innermost);
	tcase_add_test(tc, cancel_of_the_innermost_may_be_handled_below);
	tcase_add_test(tc, free_frees_what_is_waited_for);
	tcase_add_test(tc, own_deferred_is_edeadlk);
	tcase_add_test(tc, fire_with_itself_is_edeadlk);
	tcase_add_test(tc, loop_of_two_waits_is_edeadlk);
	tcase_add_test(tc, loop_of_three_waits_is_edeadlk);
	tcase_add_test(tc, deferred_given_twice_is_einval);
	tcase_add_test(tc, deferred_of_another_base_is_einval);
	suite_add_tcase(suite, tc);
}

static void
add_points_4_and_5(Suite *suite)
{
	TCase *tc = tcase_create("4.4 pause and cancel");

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, pause_holds_links_back);
	tcase_add_test(tc, unpause_before_fire_changes_nothing);
	tcase_add_test(tc, pause_overflows_after_65535);
	tcase_add_test(tc, pause_inside_a_link_holds_the_next_back);
	tcase_add_test(tc, unpause_inside_a_link_runs_nothing_inside_it);
	tcase_add_test(tc, pause_while_waiting_holds_back);
	tcase_add_test(tc, cancel_without_canceller_fails);
	tcase_add_test(tc, cancel_calls_canceller_once);
	tcase_add_test(tc, canceller_may_fire_a_value);
	tcase_add_test(tc, canceller_may_fire_a_failure);
	tcase_add_test(tc, canceller_may_fire_a_deferred);
	tcase_add_test(tc, cancel_inside_canceller_is_nothing_new);
	tcase_add_test(tc, free_inside_canceller);
	tcase_add_test(tc, cancel_after_the_result_is_nothing);
	tcase_add_test(tc, cancel_of_paused_waits_for_unpause);
	tcase_add_test(tc, cancel_inside_a_link_is_nothing);
	suite_add_tcase(suite, tc);

	tc = tcase_create("4.5 timeouts");
	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, timeout_fails_with_etimedout);
	tcase_add_test(tc, timeout_of_0_fails_in_the_next_turn);
	tcase_add_loop_test(tc, timeout_of_ages_does_not_come_soon, 0, 3);
	tcase_add_test(tc, timeout_is_a_cancel_for_earlier_links);
	tcase_add_test(tc, timeout_turns_ecanceled_into_etimedout);
	tcase_add_test(tc, timeout_keeps_other_failures);
	tcase_add_test(tc, timeout_goes_when_the_result_comes);
	tcase_add_test(tc, timeout_covers_only_earlier_links);
	tcase_add_test(tc, timeout_reaches_the_innermost);
	tcase_add_test(tc, timeout_goes_with_a_cancel);
	tcase_add_test(tc, timeout_goes_with_a_free);
	tcase_add_loop_test(tc, first_of_several_timeouts_wins, 0, 2);
	tcase_add_test(tc, several_timeouts_each_cover_their_links);
	tcase_add_test(tc, unhandled_timeout_is_reported);
	tcase_add_test(tc, timeout_of_paused_waits_for_unpause);
	tcase_add_test(tc, free_inside_a_link_run_by_a_timeout);
	suite_add_tcase(suite, tc);
}

static void
add_point_6(Suite *suite)
{
	TCase *tc = tcase_create("4.6 constant stack");

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, million_waiting_fire, 0, 4);
	tcase_add_loop_test(tc, million_waiting_are_freed, 0, 4);
	tcase_add_loop_test(tc, million_waiting_are_cancelled, 0, 4);
	tcase_add_loop_test(tc, million_returned_by_links, 0, 4);
	tcase_add_loop_test(tc, million_chained, 0, 2);
	tcase_add_loop_test(tc, million_chained_are_dropped, 0, 2);
	tcase_add_loop_test(tc, million_links, 0, 2);
	tcase_add_loop_test(tc, million_fired_inside_one_another, 0, 2);
	tcase_add_test(tc, million_fired_after_the_base_was_freed);
	tcase_add_loop_test(tc, million_made_inside_one_another, 0, 2);
	tcase_add_loop_test(
	    tc, queued_deep_is_delivered_and_may_be_freed, 0, 2);
	suite_add_tcase(suite, tc);
}

static void
add_point_7(Suite *suite)
{
	TCase *tc = tcase_create("4.7 lifetime");

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, free_before_fire);
	tcase_add_test(tc, free_before_fire_calls_canceller);
	tcase_add_test(tc, free_disposes_of_what_the_canceller_fires);
	tcase_add_test(
	    tc, free_disposes_of_what_is_fired_while_its_links_are_dropped);
	tcase_add_test(tc, free_inside_own_link_drops_the_rest);
	tcase_add_test(tc, free_inside_own_link_added_late);
	tcase_add_test(tc, free_inside_own_link_reports_the_failure_left);
	tcase_add_test(tc, free_inside_own_link_frees_the_deferred_it_returns);
	tcase_add_test(tc, free_inside_link_of_the_awaited);
	tcase_add_test(tc, free_paused_before_fire);
	tcase_add_loop_test(tc, free_while_queued_runs_no_link_later, 1, MOST);
	tcase_add_loop_test(tc, detach_while_queued_runs_the_links, 1, MOST);
	tcase_add_loop_test(tc, cancel_while_queued_is_nothing, 1, MOST);
	tcase_add_loop_test(tc, pause_while_queued_holds_links_back, 1, MOST);
	tcase_add_loop_test(tc, free_while_queued_and_paused, 1, MOST);
	tcase_add_loop_test(
	    tc, cancel_while_queued_goes_to_the_innermost, 1, MOST);
	tcase_add_loop_test(
	    tc, free_while_queued_frees_what_is_waited_for, 1, MOST);
	tcase_add_test(tc, detached_frees_itself_at_the_end);
	tcase_add_test(tc, detach_of_fired_frees_at_once);
	tcase_add_test(tc, detached_is_waited_for);
	tcase_add_test(tc, detach_inside_canceller_takes_effect_after_it);
	tcase_add_test(tc, detached_waits);
	tcase_add_test(tc, detached_paused_goes_on_at_unpause);
	tcase_add_test(tc, detach_inside_own_link_runs_the_rest);
	tcase_add_test(tc, detached_times_out);
	tcase_add_test(tc, detached_may_be_cancelled_while_it_waits);
	suite_add_tcase(suite, tc);
}

static void
add_points_8_and_9(Suite *suite)
{
	TCase *tc = tcase_create("4.8 reports");

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, unhandled_failure_is_reported_when_it_goes);
	tcase_add_test(tc, handled_failure_is_not_reported);
	tcase_add_test(tc, failure_seen_and_passed_on_is_reported);
	tcase_add_test(tc, failure_of_a_paused_deferred_is_reported);
	tcase_add_test(tc, cancel_is_not_reported);
	tcase_add_test(tc, failure_of_a_canceller_is_reported);
	tcase_add_test(tc, failure_of_an_awaited_is_reported_once);
	tcase_add_test(tc, failure_of_a_chained_is_reported_once);
	tcase_add_test(tc, failure_kept_by_reference_outlives_its_deferred);
	tcase_add_test(tc, failure_may_be_fired_into_another);
	suite_add_tcase(suite, tc);

	tc = tcase_create("4.9 memory");
	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, steady_state_allocates_nothing);
	tcase_add_test(tc, steady_state_of_many_allocates_nothing);
	tcase_add_test(tc, cancel_of_a_canceller_that_fires_allocates_nothing);
	tcase_add_loop_test(tc, every_allocation_may_fail, 0, 2);
	tcase_add_test(tc, fired_without_memory_keeps_the_result);
	tcase_add_test(tc, cancel_without_memory_still_fails);
	tcase_add_test(tc, timeout_without_memory_is_enomem_and_adds_nothing);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
}

int
main(void)
{
	Suite *suite = suite_create("deferred");

	add_point_1(suite);
	add_point_2(suite);
	add_point_3(suite);
	add_points_4_and_5(suite);
	add_point_6(suite);
	add_point_7(suite);
	add_points_8_and_9(suite);
	return support_main(suite);
}
