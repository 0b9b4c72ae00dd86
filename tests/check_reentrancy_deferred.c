/* SPDX-License-Identifier: MIT */
/* User code is called everywhere, and each may call anything: cancel or free the very
 * thing at work.  Here it is a Deferred, a coroutine or a combination. */
#include "things.h"

#include <errno.h>
#include <signal.h>

/*
 * A Deferred.
 */

static void
free_in_canceller(struct evdeferred *d, void *arg)
{
	(void)arg;
	ck_assert_ptr_eq(d, thing);
	free_again();
}

static void
free_and_fire(struct evdeferred *d, void *arg)
{
	free_in_canceller(d, arg);
	ck_assert_int_eq(
	    evdeferred_fire(d, evresult_owned(NULL, free_in_dispose)), 0);
}

static void
fire_and_free(struct evdeferred *d, void *arg)
{
	ck_assert_int_eq(evdeferred_fire(d, evresult_fail(EIO, NULL)), 0);
	free_in_canceller(d, arg);
}

static const evdeferred_canceller_fn cancellers[] = {
    free_in_canceller, free_and_fire, fire_and_free};
static const int frees[] = {1, 2, 1};

START_TEST(deferred_freed_by_the_canceller_that_its_own_free_calls)
{
	set_thing(evdeferred_new(base, cancellers[_i], NULL), free_deferred);
	free_thing();
	ck_assert_int_eq(freed_again, frees[_i]);
}
END_TEST

START_TEST(deferred_freed_by_the_canceller_that_its_cancel_calls)
{
	set_thing(evdeferred_new(base, cancellers[_i], NULL), free_deferred);
	evdeferred_cancel(thing);
	ck_assert_int_eq(freed_again, frees[_i]);
	/* Freed before it was cancelled, it has no consumer that knows. */
	if (cancellers[_i] == fire_and_free)
		report_take(EIO);
}
END_TEST

START_TEST(deferred_freed_by_the_free_function_of_its_value)
{
	set_thing(
	    evdeferred_new_fired(base, evresult_owned(NULL, free_in_dispose)),
	    free_deferred);
	free_thing();
	ck_assert_int_eq(freed_again, 1);
}
END_TEST

START_TEST(deferred_freed_by_a_link_that_is_dropped)
{
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);

	set_thing(evdeferred_new(base, NULL, NULL), free_deferred);
	evdeferred_add_errback(other, free_when_cancelled, NULL);
	ck_assert_int_eq(evdeferred_chain(thing, other), 0);
	free_thing();
	ck_assert_int_eq(freed_again, 1);
	evdeferred_callback(thing, NULL);
	evdeferred_free(other);
}
END_TEST

/* From the one that it waits for. */
START_TEST(deferred_freed_by_what_it_waits_for)
{
	struct evdeferred *inner =
	    evdeferred_new_fired(base, evresult_owned(NULL, free_in_dispose));

	evdeferred_pause(inner);
	set_thing(evdeferred_new_fired(base, evresult_deferred(inner)),
	    free_deferred);
	free_thing();
	ck_assert_int_eq(freed_again, 1);
}
END_TEST

/* From the one that it was to wait for, which is of another base and freed. */
START_TEST(deferred_freed_by_what_it_cannot_wait_for)
{
	struct evdefer_base *other = evdefer_base_new(loop);
	struct evdeferred *inner =
	    evdeferred_new_fired(other, evresult_owned(NULL, free_in_dispose));

	set_thing(evdeferred_new(base, NULL, NULL), free_deferred);
	ck_assert_int_eq(evdeferred_fire(thing, evresult_deferred(inner)), 0);
	ck_assert_int_eq(freed_again, 1);
	report_take(EINVAL);
	evdefer_base_free(other);
}
END_TEST

static struct evresult
free_and_wait(void *value, void *arg)
{
	(void)value;
	free_again();
	return evresult_deferred(arg);
}

START_TEST(deferred_freed_by_a_callback_that_says_what_to_wait_for)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evdeferred *inner =
	    evdeferred_new_fired(base, evresult_owned(NULL, free_in_dispose));

	set_thing(d, free_deferred);
	evdeferred_add_callback(d, free_and_wait, inner);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(freed_again, 2);
}
END_TEST

static void
detach_too(void *d)
{
	evdeferred_free(d);
	evdeferred_detach(d);
}

static struct evresult
free_and_pass_on(void *value, void *arg)
{
	(void)arg;
	free_again();
	return evresult_owned(value, count_free);
}

START_TEST(deferred_freed_and_detached_by_its_callback)
{
	int count = 0;

	set_thing(evdeferred_new(base, NULL, NULL), detach_too);
	evdeferred_add_callback(thing, free_and_pass_on, NULL);
	evdeferred_fire(thing, counting(&count));
	ck_assert_int_eq(freed_again, 1);
	ck_assert_int_eq(count, 1);
}
END_TEST

/* Some deliveries inside one another, more than are made at once.  In the last
 * of them something is done. */
#define LEVELS 20
static struct evdeferred *levels[LEVELS];
static void (*at_the_bottom)(void);

static struct evresult
go_deeper(void *value, void *arg)
{
	struct evdeferred **next = arg;

	if (next == levels + LEVELS)
		at_the_bottom();
	else
		evdeferred_callback(*next, value);
	return evresult_value(NULL);
}

static void
go_deep(int count, void (*bottom)(void))
{
	int i;

	at_the_bottom = bottom;
	for (i = LEVELS - count; i < LEVELS; i++) {
		levels[i] = evdeferred_new(base, NULL, NULL);
		evdeferred_add_callback(levels[i], go_deeper, &levels[i + 1]);
	}
	evdeferred_callback(levels[LEVELS - count], NULL);
	for (i = LEVELS - count; i < LEVELS; i++)
		evdeferred_free(levels[i]);
}

static struct evresult
never(struct evresult result, void *arg)
{
	(void)arg;
	ck_abort_msg("it was called");
	return result;
}

static void
cancel_thing(void)
{
	evdeferred_cancel(thing);
}

/* It is fired where deliveries are nested too deeply, freed then, and to be
 * reported while it stands in the queue. */
START_TEST(deferred_freed_by_its_canceller_while_it_is_queued)
{
	int paused;

	for (paused = 0; paused < 2; paused++) {
		set_thing(
		    evdeferred_new(base, fire_and_free, NULL), free_deferred);
		if (paused) {
			evdeferred_add_both(thing, never, NULL);
			evdeferred_pause(thing);
		} else {
			evdeferred_detach(thing);
		}
		go_deep(_i + 1, cancel_thing);
		ck_assert_int_eq(freed_again, 1);
		report_take(EIO);
	}
}
END_TEST

/*
 * A coroutine.
 */

static struct routine {
	struct evcoro co;
	struct evdeferred *wait;
	int cleanups;
	int bodies;
	int ends;
} routine;

static void
answer_nothing(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
}

static struct evresult
free_in_body(struct evcoro *co, void *arg)
{
	struct routine *r = arg;

	EVCORO_BEGIN(co);
	r->bodies++;
	EVCORO_AWAIT(co, r->wait);
	r->bodies++;
	free_again();
	EVCORO_AWAIT(co, evdeferred_new(base, answer_nothing, NULL));
	r->bodies++;
	EVCORO_FINALLY(co);
	r->cleanups++;
	free_again();
	EVCORO_END(co);
}

static void
free_at_the_end(void *arg)
{
	struct routine *r = arg;

	r->ends++;
	free_again();
}

static void
start_routine(struct evresult result)
{
	routine = (struct routine){.wait = evdeferred_new_fired(base, result)};
	evdeferred_pause(routine.wait);
	set_thing(evcoro_start(base, &routine.co, free_in_body, &routine,
		      free_at_the_end),
	    free_deferred);
}

START_TEST(coroutine_freed_by_its_cleanup_that_its_own_free_runs)
{
	start_routine(evresult_owned(NULL, free_in_dispose));
	free_thing();
	/* The value of the wait, the cleanup, the end. */
	ck_assert_int_eq(freed_again, 3);
	ck_assert_int_eq(routine.bodies, 1);
	ck_assert_int_eq(routine.cleanups, 1);
	ck_assert_int_eq(routine.ends, 1);
}
END_TEST

START_TEST(coroutine_freed_by_its_body)
{
	struct evdeferred *wait;

	start_routine(evresult_value(NULL));
	wait = routine.wait;
	evdeferred_unpause(wait);
	ck_assert_int_eq(freed_again, 3);
	ck_assert_int_eq(routine.bodies, 2);
	ck_assert_int_eq(routine.cleanups, 1);
	ck_assert_int_eq(routine.ends, 1);
}
END_TEST

static struct evresult
count_bodies(struct evcoro *co, void *arg)
{
	struct routine *r = arg;

	EVCORO_BEGIN(co);
	r->bodies++;
	EVCORO_TRY(co, r->wait);
	r->bodies++;
	EVCORO_FINALLY(co);
	r->cleanups++;
	EVCORO_END(co);
}

/* A coroutine whose wait is over, held back by a pause and cancelled: the value of
 * the wait will be dropped for that. */
static void
start_cancelled(void (*free_value)(void *value))
{
	routine = (struct routine){.wait = evdeferred_new(base, NULL, NULL)};
	set_thing(evcoro_start(base, &routine.co, count_bodies, &routine, NULL),
	    free_deferred);
	evdeferred_pause(thing);
	evdeferred_fire(routine.wait, evresult_owned(NULL, free_value));
	evdeferred_cancel(thing);
}

START_TEST(coroutine_freed_by_the_value_that_its_cancel_drops_does_not_go_on)
{
	start_cancelled(free_in_dispose);
	evdeferred_unpause(thing);
	ck_assert_int_eq(freed_again, 1);
	ck_assert_int_eq(routine.bodies, 1);
	ck_assert_int_eq(routine.cleanups, 1);
}
END_TEST

static void
free_payload(void *value)
{
	(void)value;
	/* Without memory for the failure it goes before there is anything. */
	if (thing != NULL)
		free_again();
}

/* The failure of one wait goes when the next one is over. */
static struct evresult
wait_twice(struct evcoro *co, void *arg)
{
	struct routine *r = arg;

	EVCORO_BEGIN(co);
	r->bodies++;
	EVCORO_TRY(co, evdeferred_new_fired(base,
			   evresult_fail_with(NULL, free_payload, EIO, NULL)));
	r->bodies++;
	EVCORO_TRY(co, r->wait);
	r->bodies++;
	EVCORO_FINALLY(co);
	r->cleanups++;
	EVCORO_END(co);
}

START_TEST(coroutine_freed_by_the_failure_of_the_wait_before_does_not_go_on)
{
	int values = 0;

	routine = (struct routine){.wait = evdeferred_new(base, NULL, NULL)};
	set_thing(evcoro_start(base, &routine.co, wait_twice, &routine, NULL),
	    free_deferred);
	ck_assert_int_eq(routine.bodies, 2);
	evdeferred_fire(routine.wait, counting(&values));
	ck_assert_int_eq(freed_again, 1);
	ck_assert_int_eq(values, 1);
	ck_assert_int_eq(routine.bodies, 2);
	ck_assert_int_eq(routine.cleanups, 1);
}
END_TEST

static struct evresult
wait_for_itself(struct evcoro *co, void *arg)
{
	struct routine *r = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, r->wait);
	EVCORO_FINALLY(co);
	r->cleanups++;
	EVCORO_TRY(co, thing);
	r->ends++;
	EVCORO_END(co);
}

/* Refused, as each wait in the cleanup; the caller still has it to free. */
START_TEST(coroutine_whose_cleanup_waits_for_itself_is_not_let_go)
{
	routine = (struct routine){.wait = evdeferred_new(base, NULL, NULL)};
	thing =
	    evcoro_start(base, &routine.co, wait_for_itself, &routine, NULL);
	evdeferred_callback(routine.wait, NULL);
	ck_assert_int_eq(routine.cleanups, 1);
	ck_assert_int_eq(routine.ends, 1);
	evdeferred_free(thing);
}
END_TEST

static struct evdeferred *hoard;

/* Without memory, takes all links that are left. */
static void
take_all_links(void *value)
{
	(void)value;
	alloc_fail_at(1, true);
	while (evdeferred_add_both(hoard, never, NULL) == 0)
		;
}

START_TEST(coroutine_goes_on_though_a_value_that_was_dropped_took_the_last_link)
{
	if (!alloc_works())
		return;
	hoard = evdeferred_new(base, answer_nothing, NULL);
	start_cancelled(take_all_links);
	evdeferred_unpause(thing);
	alloc_fail_at(0, false);
	ck_assert_int_eq(routine.cleanups, 1);
	evdeferred_free(hoard);
	evdeferred_free(thing);
}
END_TEST

/*
 * A combination, and what it fires with.
 */

static void
free_results(void *results)
{
	evresults_free(results);
}

static struct evresult
take_results(void *value, void *arg)
{
	*(void **)arg = value;
	return evresult_value(NULL);
}

START_TEST(results_freed_by_the_free_function_of_one)
{
	struct evdeferred *inputs[3], *d;
	struct evresults *results = NULL;
	int i;

	for (i = 0; i < 3; i++) {
		inputs[i] = evdeferred_new_fired(
		    base, evresult_owned(NULL, free_in_dispose));
		evdeferred_pause(inputs[i]);
	}
	d = evdeferred_list(base, inputs, 3, 0);
	evdeferred_add_callback(d, take_results, &results);
	for (i = 0; i < 3; i++)
		evdeferred_unpause(inputs[i]);
	ck_assert_ptr_nonnull(results);
	set_thing(results, free_results);
	evresults_free(results);
	ck_assert_int_eq(freed_again, 3);
	evdeferred_free(d);
}
END_TEST

/* All in one: each input frees the combination in its canceller. */
static void
free_when_asked(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
	free_again();
}

static void
combine_three(bool race)
{
	struct evdeferred *inputs[3];
	int i;

	for (i = 0; i < 3; i++)
		inputs[i] = evdeferred_new(base, free_when_asked, NULL);
	set_thing(race ? evdeferred_race(base, inputs, 3)
		       : evdeferred_list(base, inputs, 3, 0),
	    free_deferred);
}

START_TEST(combination_freed_by_a_canceller_that_its_own_free_calls)
{
	combine_three(_i);
	free_thing();
	ck_assert_int_eq(freed_again, 3);
}
END_TEST

START_TEST(combination_freed_by_a_canceller_that_its_cancel_calls)
{
	combine_three(_i);
	evdeferred_cancel(thing);
	ck_assert_int_eq(freed_again, 3);
}
END_TEST

START_TEST(race_freed_by_the_canceller_of_a_loser)
{
	struct evdeferred *inputs[3];
	int i;

	for (i = 0; i < 3; i++)
		inputs[i] =
		    evdeferred_new(base, i == 1 ? NULL : free_when_asked, NULL);
	set_thing(evdeferred_race(base, inputs, 3), free_deferred);
	evdeferred_fire(inputs[1], evresult_owned(NULL, free_in_dispose));
	ck_assert_int_eq(freed_again, 3);
}
END_TEST

START_TEST(gather_freed_by_the_free_function_of_a_value)
{
	struct evdeferred *inputs[3];
	int i;

	for (i = 0; i < 3; i++)
		inputs[i] = evdeferred_new(base, NULL, NULL);
	set_thing(
	    evdeferred_gather(base, inputs, 3, EVDEFERRED_LIST_CONSUME_ERRORS),
	    free_deferred);
	evdeferred_fire(inputs[0], evresult_owned(NULL, free_in_dispose));
	evdeferred_fire(inputs[1], evresult_owned(NULL, free_in_dispose));
	evdeferred_errback(inputs[2], EIO, NULL);
	ck_assert_int_eq(freed_again, 2);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reentrancy_deferred");
	TCase *tc = add_case(suite, "Deferreds");

	tcase_add_loop_test(
	    tc, deferred_freed_by_the_canceller_that_its_own_free_calls, 0, 3);
	tcase_add_loop_test(
	    tc, deferred_freed_by_the_canceller_that_its_cancel_calls, 0, 3);
	tcase_add_test(tc, deferred_freed_by_the_free_function_of_its_value);
	tcase_add_test(tc, deferred_freed_by_a_link_that_is_dropped);
	tcase_add_test(tc, deferred_freed_by_what_it_waits_for);
	tcase_add_test(tc, deferred_freed_by_what_it_cannot_wait_for);
	tcase_add_test(
	    tc, deferred_freed_by_a_callback_that_says_what_to_wait_for);
	tcase_add_test(tc, deferred_freed_and_detached_by_its_callback);
	tcase_add_loop_test(
	    tc, deferred_freed_by_its_canceller_while_it_is_queued, 0, LEVELS);

	tc = add_case(suite, "coroutines");
	tcase_add_test(
	    tc, coroutine_freed_by_its_cleanup_that_its_own_free_runs);
	tcase_add_test(tc, coroutine_freed_by_its_body);
	tcase_add_test(tc,
	    coroutine_freed_by_the_value_that_its_cancel_drops_does_not_go_on);
	tcase_add_test(tc,
	    coroutine_freed_by_the_failure_of_the_wait_before_does_not_go_on);
#ifdef EVDEFER_DEBUG
	tcase_add_test_raise_signal(tc,
	    coroutine_whose_cleanup_waits_for_itself_is_not_let_go, SIGABRT);
#else
	tcase_add_test(
	    tc, coroutine_whose_cleanup_waits_for_itself_is_not_let_go);
#endif
	tcase_add_test(tc,
	    coroutine_goes_on_though_a_value_that_was_dropped_took_the_last_link);

	tc = add_case(suite, "combinations");
	tcase_add_test(tc, results_freed_by_the_free_function_of_one);
	tcase_add_loop_test(
	    tc, combination_freed_by_a_canceller_that_its_own_free_calls, 0, 2);
	tcase_add_loop_test(
	    tc, combination_freed_by_a_canceller_that_its_cancel_calls, 0, 2);
	tcase_add_test(tc, race_freed_by_the_canceller_of_a_loser);
	tcase_add_test(tc, gather_freed_by_the_free_function_of_a_value);
	return support_main(suite);
}
