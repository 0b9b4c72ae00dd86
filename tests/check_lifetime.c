/* SPDX-License-Identifier: MIT */
/* evdefer/deferred.h: who frees a Deferred, or lets it go, and when its memory
 * goes. */
#include "deferreds.h"

#include <errno.h>
#include <string.h>

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

/* The one that its chain leads to is told of the free first. */
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

/* The producer comes, late, before the link has returned. */
static struct evresult
free_and_fire(struct evfailure *failure, void *arg)
{
	(void)failure;
	evdeferred_free(arg);
	ck_assert_int_eq(evdeferred_callback(arg, NULL), 0);
	return evresult_value(NULL);
}

START_TEST(free_inside_own_link_before_a_late_result)
{
	struct evdeferred *d = fresh();

	ck_assert_int_eq(evdeferred_add_errback(d, free_and_fire, d), 0);
	evdeferred_cancel(d);
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

/* What is queued may be freed before its turn. */

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

int
main(void)
{
	Suite *suite = suite_create("lifetime");
	TCase *tc = add_case(suite, "free");

	tcase_add_test(tc, free_before_fire);
	tcase_add_test(tc, free_before_fire_calls_canceller);
	tcase_add_test(tc, free_disposes_of_what_the_canceller_fires);
	tcase_add_test(
	    tc, free_disposes_of_what_is_fired_while_its_links_are_dropped);
	tcase_add_test(tc, free_inside_own_link_drops_the_rest);
	tcase_add_test(tc, free_inside_own_link_before_a_late_result);
	tcase_add_test(tc, free_inside_own_link_added_late);
	tcase_add_test(tc, free_inside_own_link_reports_the_failure_left);
	tcase_add_test(tc, free_inside_own_link_frees_the_deferred_it_returns);
	tcase_add_test(tc, free_inside_link_of_the_awaited);
	tcase_add_test(tc, free_paused_before_fire);

	tc = add_case(suite, "while it is queued");
	tcase_add_loop_test(tc, free_while_queued_runs_no_link_later, 1, MOST);
	tcase_add_loop_test(tc, detach_while_queued_runs_the_links, 1, MOST);
	tcase_add_loop_test(tc, cancel_while_queued_is_nothing, 1, MOST);
	tcase_add_loop_test(tc, pause_while_queued_holds_links_back, 1, MOST);
	tcase_add_loop_test(tc, free_while_queued_and_paused, 1, MOST);
	tcase_add_loop_test(
	    tc, cancel_while_queued_goes_to_the_innermost, 1, MOST);
	tcase_add_loop_test(
	    tc, free_while_queued_frees_what_is_waited_for, 1, MOST);

	tc = add_case(suite, "let go");
	tcase_add_test(tc, detached_frees_itself_at_the_end);
	tcase_add_test(tc, detach_of_fired_frees_at_once);
	tcase_add_test(tc, detached_is_waited_for);
	tcase_add_test(tc, detach_inside_canceller_takes_effect_after_it);
	tcase_add_test(tc, detached_waits);
	tcase_add_test(tc, detached_paused_goes_on_at_unpause);
	tcase_add_test(tc, detach_inside_own_link_runs_the_rest);
	tcase_add_test(tc, detached_may_be_cancelled_while_it_waits);
	return support_main(suite);
}
