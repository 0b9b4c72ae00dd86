/* SPDX-License-Identifier: MIT */
/* evdefer/deferred.h: the C stack does not grow, however long a chain is, and
 * however deep Deferreds wait for one another. */
#include "deferreds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	/* With _i == 1 those that were never fired are still to be freed. */
	for (i = 1; _i == 1 && i < DEEP; i++) {
		if (deep[i - 1].victim != NULL) {
			evdeferred_free(deep[i].d);
			evdeferred_callback(deep[i].d, NULL);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("stack");
	TCase *tc = add_case(suite, "constant stack");

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
	return support_main(suite);
}
