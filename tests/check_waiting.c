/* SPDX-License-Identifier: MIT */
/* evdefer/deferred.h: a link may return a Deferred, and the chain waits for it. */
#include "deferreds.h"

#include <errno.h>

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

static struct evdeferred *waits, *inside;

static struct evresult
wait_for_inside(void *value, void *arg)
{
	(void)value;
	(void)arg;
	return evresult_deferred(inside);
}

static struct evresult
have_it_waited_for(void *value, void *arg)
{
	evdeferred_callback(waits, value);
	return evresult_value(arg);
}

/* _i: whether the link runs when it is added, or when it is fired. */
START_TEST(chain_waits_for_one_whose_only_link_runs)
{
	struct seen seen = {0};

	waits = fresh();
	evdeferred_add_callback(waits, wait_for_inside, NULL);
	see(waits, &seen);
	inside = fresh();
	if (_i == 0)
		evdeferred_callback(inside, NULL);
	evdeferred_add_callback(inside, have_it_waited_for, &seen);
	if (_i == 1)
		evdeferred_callback(inside, NULL);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(waits);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("waiting");
	TCase *tc = add_case(suite, "waiting");

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
	tcase_add_loop_test(tc, chain_waits_for_one_whose_only_link_runs, 0, 2);
	tcase_add_test(tc, deferred_of_another_base_is_einval);
	return support_main(suite);
}
