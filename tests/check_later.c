/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "shortage.h"

#include <errno.h>
#include <string.h>

static char value;

/* A body that counts its calls and returns what it was told to. */
struct body {
	int calls;
	struct evresult result;
};

static struct evresult
body(void *arg)
{
	struct body *b = arg;

	b->calls++;
	return b->result;
}

static struct body
returning(struct evresult result)
{
	struct body b = {0, result};

	return b;
}

static const struct timeval three_seconds = {3, 0};

START_TEST(later_runs_the_body_after_the_delay)
{
	struct body b = returning(evresult_value(&value));
	struct evdeferred *d = evdeferred_later(base, &three_seconds, body, &b);
	struct seen seen = {0};

	see(d, &seen);
	clock_advance(2500);
	turns(2);
	ck_assert_int_eq(b.calls, 0);
	clock_advance(501);
	turns(1);
	ck_assert_int_eq(b.calls, 1);
	ck_assert_ptr_eq(seen.value, &value);
	evdeferred_free(d);
}
END_TEST

START_TEST(later_fails_with_the_failure_of_the_body)
{
	struct body b = returning(evresult_fail(EIO, "broken"));
	struct evdeferred *d = evdeferred_later(base, &three_seconds, body, &b);
	struct seen seen = {0};

	see(d, &seen);
	clock_advance(3001);
	turns(1);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

START_TEST(later_without_a_body_fires_with_null)
{
	struct evdeferred *d =
	    evdeferred_later(base, &three_seconds, NULL, NULL);
	struct seen seen = {0};

	see(d, &seen);
	turns(1);
	ck_assert_int_eq(seen.values, 0);
	clock_advance(3001);
	turns(1);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_ptr_null(seen.value);
	evdeferred_free(d);
}
END_TEST

START_TEST(later_waits_for_the_deferred_of_the_body)
{
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);
	struct body b = returning(evresult_deferred(inner));
	struct evdeferred *d = evdeferred_later(base, &three_seconds, body, &b);
	struct seen seen = {0};

	see(d, &seen);
	clock_advance(3001);
	turns(1);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_callback(inner, &value);
	ck_assert_ptr_eq(seen.value, &value);
	evdeferred_free(d);
}
END_TEST

START_TEST(later_that_is_cancelled_does_not_run_the_body)
{
	struct body b = returning(evresult_value(NULL));
	struct evdeferred *d = evdeferred_later(base, &three_seconds, body, &b);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(
	    event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED), 0);
	clock_advance(3001);
	turns(1);
	ck_assert_int_eq(b.calls, 0);
	evdeferred_free(d);
}
END_TEST

START_TEST(later_that_is_freed_stops_its_timer)
{
	struct body b = returning(evresult_value(NULL));

	evdeferred_free(evdeferred_later(base, &three_seconds, body, &b));
	ck_assert_int_eq(
	    event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED), 0);
	clock_advance(3001);
	turns(1);
	ck_assert_int_eq(b.calls, 0);
}
END_TEST

/* Its timer used to fire it once more, after it was freed. */
START_TEST(later_is_fired_by_its_timer_alone)
{
	struct body b = returning(evresult_value(&value));
	struct evdeferred *d = evdeferred_later(base, &three_seconds, body, &b);
	struct evdeferred *source = evdeferred_succeed(base, NULL);

	REFUSED(evdeferred_callback(d, NULL), EPERM);
	REFUSED(evdeferred_chain(source, d), EPERM);
	clock_advance(3001);
	turns(1);
	ck_assert_int_eq(b.calls, 1);
	evdeferred_free(d);
	evdeferred_free(source);
}
END_TEST

START_TEST(later_keeps_its_timer_for_the_next_one)
{
	const struct timeval now = {0, 0};
	struct body b = returning(evresult_value(NULL));
	struct evdeferred *d;
	size_t calls = 0;
	int i;

	if (!alloc_works())
		return;
	for (i = 0; i < 3; i++) {
		if (i == 1)
			calls = alloc_calls();
		d = evdeferred_later(base, &now, body, &b);
		evdeferred_detach(d);
		turns(2);
	}
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
	ck_assert_int_eq(b.calls, 3);
}
END_TEST

START_TEST(later_does_not_fire_after_the_base_is_freed)
{
	struct body b = returning(evresult_value(NULL));
	struct evdeferred *d = evdeferred_later(base, &three_seconds, body, &b);
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);

	/* There are two, so that the base is not gone with the first. */
	support_free_base();
	clock_advance(3001);
	turns(1);
	ck_assert_int_eq(b.calls, 0);
	evdeferred_free(d);
	evdeferred_callback(other, NULL);
	evdeferred_free(other);
}
END_TEST

/* Nobody was left to end it: it leaked, and the base with it. */
START_TEST(later_that_is_detached_ends_with_the_base)
{
	struct body b = returning(evresult_value(NULL));

	evdeferred_detach(evdeferred_later(base, &three_seconds, body, &b));
	support_free_base();
	ck_assert_int_eq(b.calls, 0);
}
END_TEST

START_TEST(all_that_are_later_end_with_the_base)
{
	const struct timeval delays[] = {{3, 0}, {2, 0}, {5, 0}};
	struct evdeferred *d[3];
	struct seen seen[3] = {{0}};
	int i;

	for (i = 0; i < 3; i++) {
		d[i] = evdeferred_later(base, &delays[i], NULL, NULL);
		see(d[i], &seen[i]);
	}
	support_free_base();
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(seen[i].code, ECANCELED);
		evdeferred_free(d[i]);
	}
}
END_TEST

static struct evresult
leave_and_free_base(void *lock, void *arg)
{
	(void)arg;
	evrwlock_reader_release(lock);
	support_free_base();
	return evresult_value(NULL);
}

/* When the first has ended, the end of the second is no time to wake up at: there is
 * no loop any more, and no turn is set while one is under way. */
START_TEST(all_that_are_later_end_with_the_base_in_a_turn)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *acquired = evrwlock_reader_acquire(lock);
	struct evdeferred *d[2];
	struct seen seen[2] = {{0}};
	int i;

	for (i = 0; i < 2; i++) {
		d[i] = evdeferred_later(base, &three_seconds, NULL, NULL);
		see(d[i], &seen[i]);
	}
	evdeferred_add_callback(acquired, leave_and_free_base, NULL);
	turns(1);
	ck_assert_ptr_null(base);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(seen[i].code, ECANCELED);
		evdeferred_free(d[i]);
	}
	evdeferred_free(acquired);
	evrwlock_free(lock);
}
END_TEST

START_TEST(later_refuses_what_is_no_delay)
{
	const struct timeval negative = {-1, 0}, odd = {0, 1000000};

	REFUSED_NULL(
	    evdeferred_later(NULL, &three_seconds, NULL, NULL), EINVAL);
	REFUSED_NULL(evdeferred_later(base, NULL, NULL, NULL), EINVAL);
	REFUSED_NULL(evdeferred_later(base, &negative, NULL, NULL), EINVAL);
	REFUSED_NULL(evdeferred_later(base, &odd, NULL, NULL), EINVAL);
}
END_TEST

static struct evresult
start_later(void *value_, void *arg)
{
	struct evdefer_base *b = arg;

	(void)value_;
	REFUSED_NULL(
	    evdeferred_later(b, &three_seconds, NULL, NULL), ESHUTDOWN);
	return evresult_value(NULL);
}

START_TEST(later_refuses_a_base_that_is_freed)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	evdeferred_add_callback(d, start_later, base);
	support_free_base();
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(later_without_memory)
{
	struct body b = returning(evresult_value(NULL));
	struct evdeferred *d;
	size_t n;

	if (!alloc_works())
		return;
	for (n = 1; n < 1000; n++) {
		alloc_fail_at(n, true);
		errno = 0;
		d = evdeferred_later(base, &three_seconds, body, &b);
		alloc_fail_at(0, false);
		if (d != NULL)
			break;
		ck_assert_int_eq(errno, ENOMEM);
		ck_assert_int_eq(
		    event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED), 0);
	}
	ck_assert_uint_gt(n, 3);
	evdeferred_free(d);
}
END_TEST

START_TEST(maybe_has_the_value_of_the_body)
{
	struct body b = returning(evresult_value(&value));
	struct evdeferred *d = evdeferred_maybe(base, body, &b);
	struct seen seen = {0};

	ck_assert_int_eq(b.calls, 1);
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, &value);
	evdeferred_free(d);
}
END_TEST

START_TEST(maybe_has_the_failure_of_the_body)
{
	struct body b = returning(evresult_fail(EIO, "broken"));
	struct evdeferred *d = evdeferred_maybe(base, body, &b);
	struct seen seen = {0};

	see(d, &seen);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

/* _i: 0 it succeeds, 1 it fails. */
START_TEST(maybe_waits_for_the_deferred_of_the_body)
{
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);
	struct body b = returning(evresult_deferred(inner));
	struct evdeferred *d = evdeferred_maybe(base, body, &b);
	struct seen seen = {0};

	see(d, &seen);
	ck_assert_int_eq(seen.values, 0);
	if (_i == 0)
		evdeferred_callback(inner, &value);
	else
		evdeferred_errback(inner, EIO, "broken");
	ck_assert_int_eq(seen.values, _i == 0);
	ck_assert_int_eq(seen.failures, _i == 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(maybe_does_not_run_the_body_without_memory)
{
	struct body b = returning(evresult_value(NULL));

	REFUSED_NULL(evdeferred_maybe(base, NULL, NULL), EINVAL);
	REFUSED_NULL(evdeferred_maybe(NULL, body, &b), EINVAL);
	NULL_WITHOUT_MEMORY(evdeferred_maybe(base, body, &b));
	ck_assert_int_eq(b.calls, 0);
}
END_TEST

START_TEST(succeed_and_fail_have_fired)
{
	struct evdeferred *d = evdeferred_succeed(base, &value);
	struct seen seen = {0};

	see(d, &seen);
	ck_assert_ptr_eq(seen.value, &value);
	evdeferred_free(d);
	evdeferred_free(evdeferred_fail(base, EIO, "disk %d", 7));
	ck_assert_str_eq(report.message, "disk 7");
	ck_assert_int_eq(report.line, __LINE__ - 2);
	ck_assert_ptr_nonnull(strstr(report.file, "check_later.c"));
	report_take(EIO);
	REFUSED_NULL(evdeferred_succeed(NULL, NULL), EINVAL);
	REFUSED_NULL(evdeferred_fail(NULL, EIO, NULL), EINVAL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("later");
	TCase *tc = add_case(suite, "later, maybe, succeed and fail");

	tcase_add_test(tc, later_runs_the_body_after_the_delay);
	tcase_add_test(tc, later_fails_with_the_failure_of_the_body);
	tcase_add_test(tc, later_without_a_body_fires_with_null);
	tcase_add_test(tc, later_waits_for_the_deferred_of_the_body);
	tcase_add_test(tc, later_that_is_cancelled_does_not_run_the_body);
	tcase_add_test(tc, later_that_is_freed_stops_its_timer);
	tcase_add_test(tc, later_is_fired_by_its_timer_alone);
	tcase_add_test(tc, later_keeps_its_timer_for_the_next_one);
	tcase_add_test(tc, later_does_not_fire_after_the_base_is_freed);
	tcase_add_test(tc, later_that_is_detached_ends_with_the_base);
	tcase_add_test(tc, all_that_are_later_end_with_the_base);
	tcase_add_test(tc, all_that_are_later_end_with_the_base_in_a_turn);
	tcase_add_test(tc, later_refuses_what_is_no_delay);
	tcase_add_test(tc, later_refuses_a_base_that_is_freed);
	tcase_add_test(tc, later_without_memory);
	tcase_add_test(tc, maybe_has_the_value_of_the_body);
	tcase_add_test(tc, maybe_has_the_failure_of_the_body);
	tcase_add_loop_test(tc, maybe_waits_for_the_deferred_of_the_body, 0, 2);
	tcase_add_test(tc, maybe_does_not_run_the_body_without_memory);
	tcase_add_test(tc, succeed_and_fail_have_fired);
	return support_main(suite);
}
