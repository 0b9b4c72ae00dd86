/* SPDX-License-Identifier: MIT */
/* evdefer/base.h: which failures are unhandled, and a handler of them that drops
 * some itself. */
#include "deferreds.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* What it does, and how it was called. */
static struct handler {
	int calls;
	int depth;
	int deepest;
	int left;  /* how many failures it will drop */
	int width; /* how many of these in one call */
	int sum;   /* of the codes that it was told */
	struct evdefer_base *base;
} handler;

static void
begin_handling(const struct evfailure *failure)
{
	handler.calls++;
	handler.sum += evfailure_get_code(failure);
	if (++handler.depth > handler.deepest)
		handler.deepest = handler.depth;
}

/* Without allocating anything but the failures. */
static void
drop_failure(int code)
{
	evdeferred_free(
	    evdeferred_new_fired(handler.base, evresult_fail(code, NULL)));
}

static void
handle_and_drop(const struct evfailure *failure, void *arg)
{
	int width = handler.width;

	(void)arg;
	begin_handling(failure);
	while (width-- > 0 && handler.left > 0) {
		handler.left--;
		drop_failure(2);
	}
	handler.depth--;
}

static void
set_handler(evdefer_base_unhandled_fn fn, int left, int width)
{
	handler = (struct handler){.left = left, .width = width, .base = base};
	evdefer_base_set_unhandled(base, fn, NULL);
}

START_TEST(handler_that_fails_is_told_when_it_has_returned)
{
	set_handler(handle_and_drop, 5, 1);
	drop_failure(100);
	ck_assert_int_eq(handler.calls, 6);
	ck_assert_int_eq(handler.sum, 110);
	ck_assert_int_eq(handler.deepest, 1);
	ck_assert_int_eq(events(), 0);
}
END_TEST

START_TEST(handler_that_drops_many_at_once_is_told_of_all)
{
	const int many = 2000;

	set_handler(handle_and_drop, many, many);
	drop_failure(100);
	ck_assert_int_eq(handler.calls, 1 + many);
	ck_assert_int_eq(handler.deepest, 1);
	ck_assert_int_eq(events(), 0);
}
END_TEST

START_TEST(handler_that_fails_each_time_goes_on_after_a_pause)
{
	int before;

	set_handler(handle_and_drop, 1000, 1);
	drop_failure(100);
	ck_assert_int_lt(handler.calls, 50);
	before = handler.calls;
	/* The loop is not kept busy by it. */
	event_base_loop(loop, EVLOOP_NONBLOCK);
	ck_assert_int_eq(handler.calls, before);
	ck_assert_int_ge(events(), 1);
	clock_advance(20);
	turns(1);
	ck_assert_int_gt(handler.calls, before);
	ck_assert_int_lt(handler.calls, before + 50);
	while (events() > 0) {
		clock_advance(20);
		turns(1);
	}
	ck_assert_int_eq(handler.calls, 1001);
	ck_assert_int_eq(handler.sum, 100 + 1000 * 2);
	ck_assert_int_eq(handler.deepest, 1);
}
END_TEST

/* The pause is the alarm of one part of the library, the delay that of another.
 * _i: 0 the pause begins first, 1 the delay. */
START_TEST(pause_of_a_handler_that_fails_and_a_delay_end_both)
{
	const struct timeval delay = milliseconds(15);
	struct evdeferred *d;
	struct seen seen = {0};
	int before;

	set_handler(handle_and_drop, 50, 1);
	if (_i == 0)
		drop_failure(100);
	d = evdeferred_later(base, &delay, NULL, NULL);
	see(d, &seen);
	if (_i == 1)
		drop_failure(100);
	before = handler.calls;
	clock_advance(20);
	turns(1);
	ck_assert_int_gt(handler.calls, before);
	ck_assert_int_eq(seen.values, 1);
	while (events() > 0) {
		clock_advance(20);
		turns(1);
	}
	ck_assert_int_eq(handler.calls, 51);
	evdeferred_free(d);
}
END_TEST

static struct evresult
drop_and_break(void *lock, void *arg)
{
	(void)arg;
	drop_failure(100);
	event_base_loopbreak(loop);
	evrwlock_writer_release(lock);
	return evresult_value(NULL);
}

/* The turn that ends the first pause ends itself before it comes to the handler, and
 * begins another one. */
START_TEST(handler_that_fails_each_time_goes_on_once_after_two_pauses)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d;
	int before;

	set_handler(handle_and_drop, 1000, 1);
	drop_failure(100);
	d = evrwlock_writer_acquire(lock);
	evdeferred_add_callback(d, drop_and_break, NULL);
	clock_advance(20);
	turns(1);
	before = handler.calls;
	clock_advance(20);
	turns(1);
	ck_assert_int_gt(handler.calls, before);
	ck_assert_int_lt(handler.calls, before + 50);
	while (events() > 0) {
		clock_advance(20);
		turns(1);
	}
	ck_assert_int_eq(handler.calls, 1002);
	ck_assert_int_eq(handler.deepest, 1);
	evdeferred_free(d);
	evrwlock_free(lock);
}
END_TEST

START_TEST(handler_that_drops_more_and_more_leaves_the_rest_for_later)
{
	set_handler(handle_and_drop, 20000, 10);
	drop_failure(100);
	ck_assert_int_lt(handler.calls, 5000);
	while (events() > 0) {
		clock_advance(20);
		turns(1);
	}
	ck_assert_int_eq(handler.calls, 20001);
}
END_TEST

static int logged;

static void
count_log(int severity, const char *text)
{
	(void)severity;
	if (strstr(text, "unhandled failure") != NULL)
		logged++;
}

/* Like count_log(), but it fails itself. */
static void
fail_to_log(int severity, const char *text)
{
	count_log(severity, text);
	drop_failure(3);
}

START_TEST(handler_that_always_fails_leaves_the_rest_to_the_log_at_the_end)
{
	logged = 0;
	event_set_log_callback(count_log);
	set_handler(handle_and_drop, INT32_MAX, 1);
	drop_failure(100);
	support_free_base();
	event_set_log_callback(NULL);
	ck_assert_int_lt(handler.calls, 100);
	ck_assert_int_eq(handler.deepest, 1);
	ck_assert_int_eq(logged, 1);
}
END_TEST

/* What it works with may be gone by then. */
START_TEST(handler_that_always_failed_is_not_asked_again_at_the_end)
{
	logged = 0;
	event_set_log_callback(count_log);
	set_handler(handle_and_drop, INT32_MAX, 1);
	drop_failure(100);
	handler.calls = 0;
	support_free_base();
	event_set_log_callback(NULL);
	ck_assert_int_eq(handler.calls, 0);
	ck_assert_int_eq(logged, 1);
}
END_TEST

START_TEST(log_that_always_fails_at_the_end_ends_it_too)
{
	logged = 0;
	event_set_log_callback(fail_to_log);
	set_handler(handle_and_drop, INT32_MAX, 1);
	drop_failure(100);
	support_free_base();
	event_set_log_callback(NULL);
	ck_assert_int_lt(handler.calls, 100);
	ck_assert_int_eq(logged, 1);
}
END_TEST

START_TEST(handler_that_always_fails_after_the_end_of_the_base)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	logged = 0;
	set_handler(handle_and_drop, INT32_MAX, 1);
	support_free_base();
	event_set_log_callback(count_log);
	evdeferred_errback(d, 100, NULL);
	evdeferred_free(d);
	event_set_log_callback(NULL);
	ck_assert_int_lt(handler.calls, 50);
	ck_assert_int_eq(logged, 1);
}
END_TEST

START_TEST(handler_that_always_fails_without_memory_for_a_timer)
{
	struct event *others[8];
	size_t i;

	if (!alloc_works())
		return;
	/* As many as the heap of the loop has room for at first. */
	for (i = 0; i < 8; i++) {
		const struct timeval hour = {3600, 0};

		others[i] = evtimer_new(loop, (event_callback_fn)abort, NULL);
		ck_assert_ptr_nonnull(others[i]);
		evtimer_add(others[i], &hour);
	}
	logged = 0;
	event_set_log_callback(count_log);
	set_handler(handle_and_drop, 1000, 1);
	ck_assert_int_eq(evdefer_base_reserve(base, 64, 0), 0);
	alloc_fail_at(1, true);
	drop_failure(100);
	alloc_fail_at(0, false);
	event_set_log_callback(NULL);
	ck_assert_int_eq(logged, 1);
	ck_assert_int_lt(handler.calls, 50);
	for (i = 0; i < 8; i++)
		event_free(others[i]);
}
END_TEST

static struct evqueue *queue;

static void
handle_and_free_queue(const struct evfailure *failure, void *arg)
{
	(void)arg;
	begin_handling(failure);
	evqueue_free(queue);
	queue = NULL;
	handler.depth--;
}

START_TEST(handler_that_frees_a_queue_of_failures_is_told_of_them)
{
	int freed = 0;

	queue = evqueue_new(base, 3, 0, 0);
	ck_assert_int_eq(evqueue_put(queue, evresult_fail(1, NULL)), 0);
	ck_assert_int_eq(evqueue_put(queue, counting(&freed)), 0);
	ck_assert_int_eq(evqueue_put(queue, evresult_fail(2, NULL)), 0);
	set_handler(handle_and_free_queue, 0, 0);
	drop_failure(100);
	ck_assert_int_eq(handler.calls, 3);
	ck_assert_int_eq(handler.sum, 103);
	ck_assert_int_eq(handler.deepest, 1);
	ck_assert_int_eq(freed, 1);
}
END_TEST

static struct evdeferred *victims[2];

static void
handle_and_free_victims(const struct evfailure *failure, void *arg)
{
	(void)arg;
	begin_handling(failure);
	if (handler.calls == 1) {
		evdeferred_free(victims[0]);
		evdeferred_free(victims[1]);
	} else if (handler.calls == 2) {
		/* Both wait to be reported, or have been. */
		evdeferred_callback(victims[0], NULL);
		evdeferred_callback(victims[1], NULL);
	}
	handler.depth--;
}

static struct evresult
turn_into_2(struct evfailure *failure, void *arg)
{
	(void)arg;
	return evresult_wrap(failure, 2, NULL);
}

START_TEST(result_that_comes_late_while_the_failure_waits_to_be_reported)
{
	int i;

	for (i = 0; i < 2; i++) {
		victims[i] = evdeferred_new(base, NULL, NULL);
		evdeferred_add_errback(victims[i], turn_into_2, NULL);
		evdeferred_cancel(victims[i]);
	}
	set_handler(handle_and_free_victims, 0, 0);
	drop_failure(100);
	ck_assert_int_eq(handler.calls, 3);
	ck_assert_int_eq(handler.sum, 104);
}
END_TEST

static void
handle_and_free_base(const struct evfailure *failure, void *arg)
{
	(void)arg;
	begin_handling(failure);
	if (handler.left-- > 0) {
		drop_failure(1);
		evdefer_base_free(base);
		base = NULL;
		drop_failure(1);
	}
	handler.depth--;
}

START_TEST(handler_frees_the_base)
{
	set_handler(handle_and_free_base, 1, 0);
	drop_failure(100);
	ck_assert_int_eq(handler.calls, 3);
	ck_assert_int_eq(handler.deepest, 1);
	ck_assert_ptr_null(base);
}
END_TEST

START_TEST(handler_frees_the_base_after_a_pause)
{
	set_handler(handle_and_drop, INT32_MAX, 1);
	drop_failure(100);
	set_handler(handle_and_free_base, 1, 0);
	clock_advance(20);
	turns(1);
	ck_assert_ptr_null(base);
	ck_assert_int_eq(handler.calls, 3);
}
END_TEST

static void
handle_and_hand_on(const struct evfailure *failure, void *arg)
{
	handle_and_drop(failure, arg);
	evdefer_base_set_unhandled(base, handle_and_drop, NULL);
}

static void
count_calls(const struct evfailure *failure, void *arg)
{
	(void)failure;
	++*(int *)arg;
}

static void
handle_and_replace(const struct evfailure *failure, void *arg)
{
	handle_and_drop(failure, arg);
	evdefer_base_set_unhandled(base, count_calls, &logged);
}

START_TEST(handler_that_replaces_itself_is_told_no_more)
{
	logged = 0;
	set_handler(handle_and_replace, 3, 3);
	drop_failure(100);
	ck_assert_int_eq(handler.calls, 1);
	ck_assert_int_eq(logged, 3);
	set_handler(handle_and_hand_on, 3, 3);
	drop_failure(100);
	ck_assert_int_eq(handler.calls, 4);
}
END_TEST

/* What is told of where a Deferred was made is about the one that is
 * reported. */
static void
handle_and_describe(const struct evfailure *failure, void *arg)
{
	char place[64];

	handle_and_drop(failure, arg);
	if (evdefer_base_describe_creation(base, place, sizeof(place)) <= 0)
		handler.sum += 1000;
}

START_TEST(handler_that_fails_is_still_told_where_they_were_made)
{
	if (evdefer_base_set_debug(base, true) == -1)
		return;
	set_handler(handle_and_describe, 2, 2);
	drop_failure(100);
	ck_assert_int_eq(handler.calls, 3);
	ck_assert_int_eq(handler.sum, 104);
}
END_TEST

static struct evdeferred *victim;

static void
handle_and_free_victim(const struct evfailure *failure, void *arg)
{
	handle_and_drop(failure, arg);
	evdeferred_free(victim);
}

/* Its free has not returned when the others are reported. */
START_TEST(deferred_freed_by_the_handler_that_is_told_of_it_and_others)
{
	set_handler(handle_and_free_victim, 3, 1);
	victim = evdeferred_new_fired(base, evresult_fail(100, NULL));
	evdeferred_free(victim);
	ck_assert_int_eq(handler.calls, 4);
	ck_assert_int_eq(handler.sum, 106);
}
END_TEST

static void
drop_another(void *value)
{
	(void)value;
	drop_failure(2);
}

START_TEST(deferred_freed_by_the_handler_that_is_told_of_what_it_carried)
{
	set_handler(handle_and_free_victim, 0, 0);
	victim = evdeferred_new_fired(
	    base, evresult_fail_with(NULL, drop_another, 100, NULL));
	evdeferred_free(victim);
	ck_assert_int_eq(handler.calls, 2);
	ck_assert_int_eq(handler.sum, 102);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("unhandled");
	TCase *tc = add_case(suite, "what is reported");

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

	tc = add_case(suite, "handler");
	tcase_add_test(tc, handler_that_fails_is_told_when_it_has_returned);
	tcase_add_test(tc, handler_that_drops_many_at_once_is_told_of_all);
	tcase_add_test(tc, handler_that_fails_each_time_goes_on_after_a_pause);
	tcase_add_loop_test(
	    tc, pause_of_a_handler_that_fails_and_a_delay_end_both, 0, 2);
	tcase_add_test(
	    tc, handler_that_fails_each_time_goes_on_once_after_two_pauses);
	tcase_add_test(
	    tc, handler_that_drops_more_and_more_leaves_the_rest_for_later);
	tcase_add_test(tc,
	    handler_that_always_fails_leaves_the_rest_to_the_log_at_the_end);
	tcase_add_test(
	    tc, handler_that_always_failed_is_not_asked_again_at_the_end);
	tcase_add_test(tc, log_that_always_fails_at_the_end_ends_it_too);
	tcase_add_test(tc, handler_that_always_fails_after_the_end_of_the_base);
	tcase_add_test(
	    tc, handler_that_always_fails_without_memory_for_a_timer);
	tcase_add_test(
	    tc, handler_that_frees_a_queue_of_failures_is_told_of_them);
	tcase_add_test(
	    tc, result_that_comes_late_while_the_failure_waits_to_be_reported);
	tcase_add_test(tc, handler_frees_the_base);
	tcase_add_test(tc, handler_frees_the_base_after_a_pause);
	tcase_add_test(tc, handler_that_replaces_itself_is_told_no_more);
	tcase_add_test(
	    tc, handler_that_fails_is_still_told_where_they_were_made);
	tcase_add_test(
	    tc, deferred_freed_by_the_handler_that_is_told_of_it_and_others);
	tcase_add_test(
	    tc, deferred_freed_by_the_handler_that_is_told_of_what_it_carried);
	return support_main(suite);
}
