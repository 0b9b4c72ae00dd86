/* SPDX-License-Identifier: MIT */
/* What Twisted's own tests check of a Deferred, where no other test of ours
 * does: docs/conformance.md has the whole list. */
#include "deferreds.h"

#include <errno.h>
#include <string.h>

static struct evresult
wait_failure(struct evfailure *failure, void *arg)
{
	(void)failure;
	return evresult_deferred(arg);
}

/*
 * Links.
 */

static struct evresult
return_arg(void *value, void *arg)
{
	(void)value;
	return evresult_value(arg);
}

START_TEST(callback_gets_its_own_argument)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int first, second;

	evdeferred_add_callback(d, return_arg, &first);
	evdeferred_add_callback(d, return_arg, &second);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_ptr_eq(seen.value, &second);
	evdeferred_free(d);
}
END_TEST

START_TEST(pair_without_errback_passes_the_failure_on)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_add_callbacks(d, trace_value, NULL, "c");
	evdeferred_errback(d, EIO, "oops");
	see(d, &seen);
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

START_TEST(fired_with_a_value_has_it_at_once)
{
	struct evdeferred *d = fired(evresult_value(&trace));
	struct seen seen = {0};

	see(d, &seen);
	ck_assert_ptr_eq(seen.value, &trace);
	evdeferred_free(d);
}
END_TEST

START_TEST(fired_with_a_failure_has_it_at_once)
{
	struct evdeferred *d = fired(evresult_fail(EIO, "oops"));
	struct seen seen = {0};

	see(d, &seen);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

START_TEST(pause_holds_back_what_a_failed_one_runs)
{
	struct evdeferred *d = fired(evresult_fail(EIO, "oops"));
	struct seen seen = {0};

	evdeferred_pause(d);
	see(d, &seen);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_unpause(d);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
}
END_TEST

START_TEST(callback_that_fails_is_answered_by_the_next_errback)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	int code = EDOM;

	evdeferred_add_callback(d, fail_value, &code);
	evdeferred_add_callback(d, trace_value, "c");
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(seen.code, EDOM);
	evdeferred_free(d);
}
END_TEST

static struct evresult
add_failing(void *value, void *arg)
{
	static int code = ERANGE;

	evdeferred_add_callback(arg, fail_value, &code);
	return evresult_value(value);
}

START_TEST(failure_of_a_link_added_inside_a_link_goes_on)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(d, add_failing, d);
	evdeferred_callback(d, NULL);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ERANGE);
	evdeferred_free(d);
}
END_TEST

/*
 * Deferreds that wait for others.
 */

START_TEST(awaited_that_is_paused_when_it_fires)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	struct seen seen = {0};

	evdeferred_pause(inner);
	evdeferred_add_callback(d, wait_value, inner);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_callback(inner, &seen);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_unpause(inner);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(pause_of_the_waiter_leaves_the_awaited_running)
{
	struct evdeferred *d = fresh(), *inner = fresh();

	evdeferred_add_callback(inner, trace_value, "i");
	evdeferred_add_callback(d, wait_value, inner);
	evdeferred_add_callback(d, trace_value, "o");
	evdeferred_callback(d, NULL);
	evdeferred_pause(d);
	evdeferred_callback(inner, NULL);
	ck_assert_str_eq(trace, "i");
	evdeferred_unpause(d);
	ck_assert_str_eq(trace, "io");
	evdeferred_free(d);
}
END_TEST

/* A link that passes on another value than it got. */
static struct evresult
trace_next(void *value, void *arg)
{
	trace_add(arg);
	return evresult_value(value == NULL ? NULL : (char *)value + 1);
}

/* An outer link that makes a Deferred with two links, of which the first waits
 * for arg, and waits for that. */
static struct evresult
wait_for_one_that_waits(void *value, void *arg)
{
	struct evdeferred *middle = fired(evresult_value(value));

	trace_add("(");
	evdeferred_add_callback(middle, wait_value, arg);
	evdeferred_add_callback(middle, trace_next, "m");
	return evresult_deferred(middle);
}

START_TEST(links_of_the_middle_run_between_inner_and_outer)
{
	struct evdeferred *inner = fresh(), *d = fired(evresult_value(NULL));
	struct seen seen = {0};

	evdeferred_add_callback(d, wait_for_one_that_waits, inner);
	ck_assert_str_eq(trace, "(");
	evdeferred_callback(inner, trace);
	ck_assert_str_eq(trace, "(m");
	/* One that is added only now gets it too. */
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, trace + 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(links_of_the_outer_wait_for_those_of_the_middle)
{
	struct evdeferred *inner = fresh(), *d = fresh();

	evdeferred_add_callback(inner, trace_value, "i");
	evdeferred_add_callback(d, wait_for_one_that_waits, inner);
	evdeferred_add_callback(d, trace_value, "o");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "(");
	evdeferred_callback(inner, NULL);
	ck_assert_str_eq(trace, "(imo");
	evdeferred_free(d);
}
END_TEST

START_TEST(links_of_the_inner_change_what_the_outer_gets)
{
	struct evdeferred *inner = fresh(), *d = fired(evresult_value(NULL));
	struct seen seen = {0};
	char changed[2];

	evdeferred_add_callback(inner, return_arg, changed);
	evdeferred_add_callback(d, wait_for_one_that_waits, inner);
	see(d, &seen);
	evdeferred_callback(inner, NULL);
	ck_assert_str_eq(trace, "(m");
	ck_assert_ptr_eq(seen.value, changed + 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(link_added_to_the_middle_while_it_waits)
{
	struct evdeferred *d = fresh(), *middle = fresh(), *inner = fresh();

	evdeferred_add_callback(middle, wait_value, inner);
	evdeferred_callback(middle, NULL);
	evdeferred_add_callback(middle, trace_value, "m");
	evdeferred_add_callback(d, wait_value, middle);
	evdeferred_add_callback(d, trace_value, "o");
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "");
	evdeferred_callback(inner, NULL);
	ck_assert_str_eq(trace, "mo");
	evdeferred_free(d);
}
END_TEST

START_TEST(failure_of_the_awaited_moves_to_the_waiter)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(d, wait_value, inner);
	evdeferred_callback(d, NULL);
	see(d, &seen);
	evdeferred_add_callback(d, trace_value, "after");
	evdeferred_errback(inner, EIO, "oops");
	ck_assert_int_eq(seen.code, EIO);
	ck_assert_str_eq(trace, "after");
	evdeferred_free(d);
	/* Neither of the two has the failure any more. */
	ck_assert_int_eq(report.count, 0);
}
END_TEST

struct hand_over {
	struct evdeferred *to;
	struct seen *seen;
	char after;
};

/* Fires one whose link returns the Deferred that this link is of. */
static struct evresult
hand_over_own(void *value, void *arg)
{
	struct hand_over *hand = arg;

	(void)value;
	evdeferred_callback(hand->to, NULL);
	ck_assert_int_eq(hand->seen->values, 0);
	return evresult_value(&hand->after);
}

START_TEST(deferred_handed_over_by_its_running_link_is_waited_for)
{
	struct evdeferred *d = fresh(), *inner = fresh();
	struct seen seen = {0};
	struct hand_over hand = {d, &seen, 0};

	evdeferred_add_callback(d, wait_value, inner);
	see(d, &seen);
	evdeferred_add_callback(inner, hand_over_own, &hand);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &hand.after);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_is_forgotten_when_it_has_brought_its_result)
{
	struct evdeferred *d = fresh(), *other = fresh(), *late = fresh();
	struct seen seen = {0};

	see(other, &seen);
	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	REFUSED(evdeferred_chain(late, other), EBUSY);
	evdeferred_callback(d, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	REFUSED(evdeferred_chain(late, other), EALREADY);
	evdeferred_callback(late, NULL);
	evdeferred_free(d);
	evdeferred_free(late);
	evdeferred_free(other);
}
END_TEST

/*
 * One result.
 */

static int
fire_once(struct evdeferred *d, bool as_value)
{
	return as_value ? evdeferred_callback(d, NULL)
			: evdeferred_errback(d, EIO, "oops");
}

/* _i: the kinds of the first and the second. */
START_TEST(second_fire_of_any_kind_is_refused)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	ck_assert_int_eq(fire_once(d, _i / 2 == 0), 0);
	ck_assert_int_eq(fire_once(d, _i % 2 == 0), -1);
	ck_assert_int_eq(errno, EALREADY);
	ck_assert_int_eq(seen.values + seen.failures, 1);
	evdeferred_free(d);
}
END_TEST

/*
 * Cancel.
 */

static int canceller_calls;

static void
note_cancel(struct evdeferred *d, void *arg)
{
	ck_assert_ptr_eq(d, *(struct evdeferred **)arg);
	canceller_calls++;
}

static void
count_and_fail(struct evdeferred *d, void *arg)
{
	(void)arg;
	canceller_calls++;
	evdeferred_errback(d, EIO, "from the canceller");
}

static void
must_not_be_called(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
	ck_abort_msg("a canceller was called");
}

/* _i: the kind of the late result. */
START_TEST(second_late_result_is_refused)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(fire_once(d, _i == 0), 0);
	ck_assert_int_eq(fire_once(d, true), -1);
	ck_assert_int_eq(errno, EALREADY);
	ck_assert_int_eq(fire_once(d, false), -1);
	ck_assert_int_eq(errno, EALREADY);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
}
END_TEST

/* _i: the kind of the late result; 2: none. */
START_TEST(second_cancel_is_nothing)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	if (_i < 2)
		ck_assert_int_eq(fire_once(d, _i == 0), 0);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	if (_i == 2)
		ck_assert_int_eq(fire_once(d, true), 0);
	evdeferred_free(d);
}
END_TEST

START_TEST(canceller_gets_its_deferred_and_no_late_result_is_taken)
{
	struct evdeferred *d;
	struct seen seen = {0};

	canceller_calls = 0;
	d = evdeferred_new(base, note_cancel, &d);
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(canceller_calls, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(fire_once(d, true), -1);
	ck_assert_int_eq(errno, EALREADY);
	ck_assert_int_eq(fire_once(d, false), -1);
	ck_assert_int_eq(errno, EALREADY);
	evdeferred_free(d);
}
END_TEST

/* _i: the kind of the result. */
START_TEST(cancel_after_the_result_calls_no_canceller)
{
	struct evdeferred *d = evdeferred_new(base, count_and_fail, NULL);
	struct seen seen = {0};

	canceller_calls = 0;
	see(d, &seen);
	if (_i == 0)
		evdeferred_callback(d, &seen);
	else
		evdeferred_errback(d, ENOENT, "the result");
	evdeferred_cancel(d);
	ck_assert_int_eq(canceller_calls, 0);
	ck_assert_int_eq(seen.values, _i == 0);
	ck_assert_int_eq(seen.code, _i == 0 ? 0 : ENOENT);
	evdeferred_free(d);
}
END_TEST

START_TEST(cancel_of_a_waiter_calls_the_canceller_of_the_awaited)
{
	struct evdeferred *inner, *d;
	struct seen seen = {0};

	canceller_calls = 0;
	inner = evdeferred_new(base, note_cancel, &inner);
	d = evdeferred_new(base, must_not_be_called, NULL);
	evdeferred_callback(d, NULL);
	evdeferred_add_callback(d, wait_value, inner);
	evdeferred_cancel(d);
	see(d, &seen);
	ck_assert_int_eq(canceller_calls, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
}
END_TEST

/*
 * Timeouts.
 */

enum { VALUE, FAILURE, CANCEL };

/* A link that waits for arg, whatever it gets, and notes that. */
struct wait {
	struct evdeferred *d;
	struct seen seen;
};

static struct evresult
note_and_wait(struct evresult result, void *arg)
{
	struct wait *wait = arg;

	if (evresult_is_failure(result))
		see_failure(evresult_get_failure(result), &wait->seen);
	else
		see_value(evresult_get_value(result), &wait->seen);
	return evresult_deferred(wait->d);
}

static void
pass(long ms)
{
	clock_advance(ms);
	turns(2);
}

static struct evresult
must_not_run(struct evresult result, void *arg)
{
	(void)arg;
	ck_abort_msg("the function of a timeout was called");
	return result;
}

/* _i % 3: what comes before the time is over.  A timeout that still came would
 * cancel what the link behind it waits for.  _i / 3: has it a function. */
START_TEST(timeout_that_is_beaten_leaves_what_comes_later_alone)
{
	const struct timeval ten = {10, 0};
	const int what = _i % 3;
	struct evdeferred *d = fresh();
	struct wait wait = {
	    evdeferred_new(base, must_not_be_called, NULL), {0}};

	evdeferred_add_timeout_both(
	    d, &ten, _i / 3 == 1 ? must_not_run : NULL, NULL);
	evdeferred_add_both(d, note_and_wait, &wait);
	if (what == VALUE)
		evdeferred_callback(d, &wait);
	else if (what == FAILURE)
		evdeferred_errback(d, ENOENT, "fail");
	else
		evdeferred_cancel(d);
	/* At once. */
	ck_assert_int_eq(wait.seen.values, what == VALUE);
	ck_assert_int_eq(wait.seen.failures, what != VALUE);
	ck_assert_ptr_eq(wait.seen.value, what == VALUE ? &wait : NULL);
	if (what != VALUE)
		ck_assert_int_eq(
		    wait.seen.code, what == FAILURE ? ENOENT : ECANCELED);
	pass(15000);
	evdeferred_callback(wait.d, NULL);
	if (what == CANCEL)
		evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

/* What the cancel of a timeout comes to before its function is called. */
enum { NOTHING, PASSED_ON, HANDLED, CANCELLER_FAILS, CANCELLER_FIRES, ANSWERS };

static struct evresult
handle(struct evfailure *failure, void *arg)
{
	trace_failure(failure, arg);
	return evresult_value(NULL);
}

static struct evdeferred *
answering(int answer)
{
	struct evdeferred *d = evdeferred_new(base,
	    answer == CANCELLER_FAILS	? count_and_fail
	    : answer == CANCELLER_FIRES ? cancel_with_value
					: NULL,
	    trace);

	ck_assert_ptr_nonnull(d);
	if (answer == CANCELLER_FIRES)
		evdeferred_add_callback(d, trace_value, "early");
	else if (answer == PASSED_ON)
		evdeferred_add_errback(d, trace_failure, "early");
	else if (answer == HANDLED)
		evdeferred_add_errback(d, handle, "early");
	return d;
}

struct choice {
	struct seen got; /* what there is to choose by */
	struct evresult result;
};

static struct evresult
choose(struct evresult result, void *arg)
{
	struct choice *choice = arg;

	if (evresult_is_failure(result))
		see_failure(evresult_get_failure(result), &choice->got);
	else
		see_value(evresult_get_value(result), &choice->got);
	return choice->result;
}

START_TEST(function_of_a_timeout_chooses_its_result)
{
	static const int codes[ANSWERS] = {ECANCELED, ECANCELED, 0, EIO, 0};
	const struct timeval ten = {10, 0};
	struct evdeferred *d = answering(_i);
	struct choice choice = {{0}, evresult_value(trace + 1)};
	struct seen seen = {0};

	ck_assert_int_eq(
	    evdeferred_add_timeout_both(d, &ten, choose, &choice), 0);
	see(d, &seen);
	pass(9000);
	ck_assert_int_eq(seen.values, 0);
	pass(6000);
	ck_assert_str_eq(
	    trace, _i == NOTHING || _i == CANCELLER_FAILS ? "" : "early");
	ck_assert_int_eq(choice.got.values + choice.got.failures, 1);
	ck_assert_int_eq(choice.got.code, codes[_i]);
	ck_assert_ptr_eq(
	    choice.got.value, _i == CANCELLER_FIRES ? trace : NULL);
	ck_assert_ptr_eq(seen.value, trace + 1);
	if (_i != CANCELLER_FAILS && _i != CANCELLER_FIRES)
		evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

/* A failure instead of a value, and a Deferred. */
START_TEST(function_of_a_timeout_may_fail_or_wait)
{
	const struct timeval ten = {10, 0};
	struct evdeferred *d = answering(CANCELLER_FIRES), *inner = fresh();
	struct choice choice = {{0}, evresult_deferred(inner)};
	struct seen seen = {0};

	evdeferred_add_timeout_both(d, &ten, choose, &choice);
	see(d, &seen);
	pass(15000);
	ck_assert_int_eq(choice.got.values, 1);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_callback(inner, &choice);
	ck_assert_ptr_eq(seen.value, &choice);
	evdeferred_free(d);

	d = answering(CANCELLER_FIRES);
	choice.result = evresult_fail(EDOM, "too late for %s", "that");
	evdeferred_add_timeout_both(d, &ten, choose, &choice);
	see(d, &seen);
	pass(15000);
	ck_assert_int_eq(seen.code, EDOM);
	evdeferred_free(d);
}
END_TEST

static struct evresult
clean_up(struct evfailure *failure, void *arg)
{
	trace_failure(failure, "c");
	return evresult_deferred(arg);
}

/* _i: 0 the time is over first, 1 the cancel is first, 2 and 3 the same with a
 * function.  In Twisted it timed out in all cases. */
START_TEST(cancel_beside_a_timeout_stays_a_cancel)
{
	const struct timeval ten = {10, 0};
	struct evdeferred *d = evdeferred_new(base, note_cancel, &d);
	struct evdeferred *cleaning =
	    evdeferred_new(base, note_cancel, &cleaning);
	struct seen seen = {0};

	canceller_calls = 0;
	evdeferred_add_errback(d, clean_up, cleaning);
	evdeferred_add_timeout_both(
	    d, &ten, _i / 2 == 1 ? must_not_run : NULL, NULL);
	see(d, &seen);
	if (_i % 2 == 1)
		evdeferred_cancel(d);
	pass(_i % 2 == 1 ? 5000 : 15000);
	ck_assert_str_eq(trace, "c");
	ck_assert_int_eq(canceller_calls, 1);
	if (_i % 2 == 0)
		evdeferred_cancel(d);
	else
		pass(15000);
	ck_assert_int_eq(canceller_calls, 2);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
}
END_TEST

/* Twisted forgets it, and the wait has no bound from then on. */
START_TEST(timeout_of_a_paused_one_cancels_what_it_waits_for_next)
{
	const struct timeval ten = {10, 0};
	struct evdeferred *d = fresh();
	struct evdeferred *inner = evdeferred_new(base, note_cancel, &inner);
	struct seen seen = {0};

	canceller_calls = 0;
	evdeferred_add_callback(d, wait_value, inner);
	evdeferred_add_timeout(d, &ten);
	see(d, &seen);
	evdeferred_pause(d);
	evdeferred_callback(d, NULL);
	pass(15000);
	ck_assert_int_eq(canceller_calls, 0);
	evdeferred_unpause(d);
	ck_assert_int_eq(canceller_calls, 1);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_free(d);
}
END_TEST

/*
 * Failures that nobody handled.
 */

START_TEST(failure_of_one_that_nobody_keeps_is_reported_at_once)
{
	struct evdeferred *d = fresh();
	int code = EDOM;

	evdeferred_add_callback(d, fail_value, &code);
	evdeferred_detach(d);
	ck_assert_int_eq(report.count, 0);
	evdeferred_callback(d, NULL);
	report_take(EDOM);
}
END_TEST

START_TEST(failure_taken_over_from_a_fired_one_is_handled_once)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(
	    d, wait_value, fired(evresult_fail(EIO, "zoop")));
	evdeferred_callback(d, NULL);
	see(d, &seen);
	ck_assert_int_eq(seen.values, 0);
	ck_assert_int_eq(seen.failures, 1);
	evdeferred_free(d);
	ck_assert_int_eq(report.count, 0);
}
END_TEST

START_TEST(failure_answered_with_a_deferred_is_not_reported)
{
	struct evdeferred *bad = fired(evresult_fail(EIO, "oh no"));
	struct evdeferred *good = fresh();

	evdeferred_add_errback(bad, wait_failure, good);
	evdeferred_free(bad);
	ck_assert_int_eq(report.count, 0);
	/* The producer of the other one still owes its result. */
	ck_assert_int_eq(evdeferred_callback(good, NULL), 0);
}
END_TEST

static void
add_chains(Suite *suite)
{
	TCase *tc = add_case(suite, "chains");

	tcase_add_test(tc, callback_gets_its_own_argument);
	tcase_add_test(tc, pair_without_errback_passes_the_failure_on);
	tcase_add_test(tc, fired_with_a_value_has_it_at_once);
	tcase_add_test(tc, fired_with_a_failure_has_it_at_once);
	tcase_add_test(tc, pause_holds_back_what_a_failed_one_runs);
	tcase_add_test(tc, callback_that_fails_is_answered_by_the_next_errback);
	tcase_add_test(tc, failure_of_a_link_added_inside_a_link_goes_on);
	tcase_add_test(tc, awaited_that_is_paused_when_it_fires);
	tcase_add_test(tc, pause_of_the_waiter_leaves_the_awaited_running);
	tcase_add_test(tc, links_of_the_middle_run_between_inner_and_outer);
	tcase_add_test(tc, links_of_the_outer_wait_for_those_of_the_middle);
	tcase_add_test(tc, links_of_the_inner_change_what_the_outer_gets);
	tcase_add_test(tc, link_added_to_the_middle_while_it_waits);
	tcase_add_test(tc, failure_of_the_awaited_moves_to_the_waiter);
	tcase_add_test(
	    tc, deferred_handed_over_by_its_running_link_is_waited_for);
	tcase_add_test(tc, chain_is_forgotten_when_it_has_brought_its_result);
}

static void
add_ends(Suite *suite)
{
	TCase *tc = add_case(suite, "results, cancel, reports");

	tcase_add_loop_test(tc, second_fire_of_any_kind_is_refused, 0, 4);
	tcase_add_loop_test(tc, second_late_result_is_refused, 0, 2);
	tcase_add_loop_test(tc, second_cancel_is_nothing, 0, 3);
	tcase_add_test(
	    tc, canceller_gets_its_deferred_and_no_late_result_is_taken);
	tcase_add_loop_test(
	    tc, cancel_after_the_result_calls_no_canceller, 0, 2);
	tcase_add_test(
	    tc, cancel_of_a_waiter_calls_the_canceller_of_the_awaited);
	tcase_add_loop_test(
	    tc, timeout_that_is_beaten_leaves_what_comes_later_alone, 0, 6);
	tcase_add_loop_test(
	    tc, function_of_a_timeout_chooses_its_result, 0, ANSWERS);
	tcase_add_test(tc, function_of_a_timeout_may_fail_or_wait);
	tcase_add_loop_test(tc, cancel_beside_a_timeout_stays_a_cancel, 0, 4);
	tcase_add_test(
	    tc, timeout_of_a_paused_one_cancels_what_it_waits_for_next);
	tcase_add_test(
	    tc, failure_of_one_that_nobody_keeps_is_reported_at_once);
	tcase_add_test(tc, failure_taken_over_from_a_fired_one_is_handled_once);
	tcase_add_test(tc, failure_answered_with_a_deferred_is_not_reported);
}

int
main(void)
{
	Suite *suite = suite_create("twisted");

	add_chains(suite);
	add_ends(suite);
	return support_main(suite);
}
