/* SPDX-License-Identifier: MIT */
/* evdeferred_has_fired(): what Twisted's called is. */
#include "deferreds.h"

#include <errno.h>

START_TEST(fired_from_the_first_result_on)
{
	struct evdeferred *d = fresh();

	ck_assert(!evdeferred_has_fired(NULL));
	evdeferred_add_both(d, trace_both, "");
	ck_assert(!evdeferred_has_fired(d));
	if (_i == 0)
		evdeferred_callback(d, NULL);
	else
		evdeferred_errback(d, EIO, "broken");
	ck_assert(evdeferred_has_fired(d));
	evdeferred_free(d);
	if (_i == 1)
		report_take(EIO);
}
END_TEST

static struct evresult
see_itself(void *value, void *arg)
{
	trace_add(evdeferred_has_fired(arg) ? "yes " : "no ");
	return evresult_value(value);
}

START_TEST(fired_while_its_first_link_runs)
{
	struct evdeferred *d = fresh();

	evdeferred_add_callback(d, see_itself, d);
	evdeferred_callback(d, NULL);
	ck_assert_str_eq(trace, "yes ");
	evdeferred_free(d);
}
END_TEST

START_TEST(fired_while_it_is_paused)
{
	struct evdeferred *d = fresh();

	evdeferred_pause(d);
	ck_assert(!evdeferred_has_fired(d));
	evdeferred_callback(d, NULL);
	ck_assert(evdeferred_has_fired(d));
	evdeferred_free(d);
}
END_TEST

START_TEST(fired_while_it_waits_for_another)
{
	struct evdeferred *inner = fresh(), *d = fresh();

	evdeferred_fire(d, evresult_deferred(inner));
	ck_assert(evdeferred_has_fired(d));
	ck_assert(!evdeferred_has_fired(inner));
	evdeferred_callback(inner, NULL);
	ck_assert(evdeferred_has_fired(d));
	evdeferred_free(d);
}
END_TEST

static void
trace_fired(struct evdeferred *d, void *arg)
{
	(void)arg;
	trace_add(evdeferred_has_fired(d) ? "yes " : "no ");
}

START_TEST(fired_when_the_canceller_has_returned)
{
	struct evdeferred *d = evdeferred_new(base, trace_fired, NULL);

	evdeferred_cancel(d);
	ck_assert_str_eq(trace, "no ");
	ck_assert(evdeferred_has_fired(d));
	evdeferred_free(d);
	d = fresh();
	evdeferred_cancel(d);
	ck_assert(evdeferred_has_fired(d));
	/* The late result, which is swallowed, changes nothing. */
	evdeferred_callback(d, NULL);
	ck_assert(evdeferred_has_fired(d));
	evdeferred_free(d);
}
END_TEST

START_TEST(fired_when_freed_before_its_producer_knows)
{
	struct evdeferred *d = fresh();

	evdeferred_free(d);
	ck_assert(evdeferred_has_fired(d));
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(fired_when_the_one_it_is_chained_to_comes_to_that)
{
	struct evdeferred *d = fresh(), *other = fresh();

	evdeferred_pause(d);
	evdeferred_chain(d, other);
	evdeferred_callback(d, NULL);
	ck_assert(!evdeferred_has_fired(other));
	evdeferred_unpause(d);
	ck_assert(evdeferred_has_fired(other));
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

/* An acquire: not when it is granted, but when its callback is called. */
START_TEST(fired_when_the_grant_is_delivered)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d = evrwlock_reader_acquire(lock);

	ck_assert(!evdeferred_has_fired(d));
	turns(2);
	ck_assert(evdeferred_has_fired(d));
	evdeferred_free(d);
	evrwlock_free(lock);
}
END_TEST

/* A combination: when it is decided. */
START_TEST(fired_when_a_gather_is_decided)
{
	struct evdeferred *in[2], *d;

	in[0] = fresh();
	in[1] = fresh();
	d = evdeferred_gather(base, in, 2, EVDEFERRED_LIST_CONSUME_ERRORS);
	ck_assert(!evdeferred_has_fired(d));
	evdeferred_errback(in[1], EIO, "broken");
	ck_assert(evdeferred_has_fired(d));
	evdeferred_callback(in[0], NULL);
	evdeferred_free(d);
	report_take(EIO);
}
END_TEST

struct state {
	struct evdeferred *own;
	struct evdeferred *wait;
	struct evdeferred *last;
};

static struct evresult
wait_once(struct evcoro *co, void *arg)
{
	struct state *state = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, state->wait);
	trace_add(evdeferred_has_fired(state->own) ? "yes " : "no ");
	EVCORO_RETURN(evresult_deferred(state->last));
	EVCORO_END(co);
}

/* A coroutine: when its body has ended, also where it returned a Deferred. */
START_TEST(fired_when_the_body_of_a_coroutine_has_ended)
{
	struct evdeferred *wait = fresh(), *last = fresh();
	struct state state = {NULL, wait, last};
	struct evcoro co = {0};

	state.own = evcoro_start(base, &co, wait_once, &state, NULL);
	ck_assert(!evdeferred_has_fired(state.own));
	evdeferred_callback(wait, NULL);
	ck_assert_str_eq(trace, "no ");
	ck_assert(evdeferred_has_fired(state.own));
	evdeferred_callback(last, NULL);
	evdeferred_free(state.own);
}
END_TEST

START_TEST(fired_when_made_with_a_result)
{
	struct evdeferred *d = evdeferred_succeed(base, NULL);

	ck_assert(evdeferred_has_fired(d));
	evdeferred_free(d);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fired");
	TCase *tc = add_case(suite, "has it fired");

	tcase_add_loop_test(tc, fired_from_the_first_result_on, 0, 2);
	tcase_add_test(tc, fired_while_its_first_link_runs);
	tcase_add_test(tc, fired_while_it_is_paused);
	tcase_add_test(tc, fired_while_it_waits_for_another);
	tcase_add_test(tc, fired_when_the_canceller_has_returned);
	tcase_add_test(tc, fired_when_freed_before_its_producer_knows);
	tcase_add_test(tc, fired_when_the_one_it_is_chained_to_comes_to_that);
	tcase_add_test(tc, fired_when_the_grant_is_delivered);
	tcase_add_test(tc, fired_when_a_gather_is_decided);
	tcase_add_test(tc, fired_when_the_body_of_a_coroutine_has_ended);
	tcase_add_test(tc, fired_when_made_with_a_result);
	return support_main(suite);
}
