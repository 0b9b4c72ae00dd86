/* SPDX-License-Identifier: MIT */
/* evdefer/queue.h: objects and gets, and the close. */
#include "queues.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* Arguments and limits. */

START_TEST(bad_arguments_are_einval)
{
	struct evqueue_stats stats, none = {0};

	REFUSED_NULL(evqueue_new(NULL, 1, 1, 0), EINVAL);
	REFUSED_NULL(evqueue_new(base, 1, 1, 0x2u), EINVAL);
	REFUSED(evqueue_put(NULL, evresult_value(NULL)), EINVAL);
	REFUSED_NULL(evqueue_get(NULL), EINVAL);
	memset(&stats, 0xff, sizeof(stats));
	evqueue_get_stats(NULL, &stats);
	ck_assert_mem_eq(&stats, &none, sizeof(none));
	evqueue_free(NULL);
}
END_TEST

START_TEST(put_into_a_full_queue_is_enobufs)
{
	struct waiter p[1];
	int freed = 0;

	make(_i, 2, SIZE_MAX);
	put(0);
	put(1);
	REFUSED(evqueue_put(queue, counting(&freed)), ENOBUFS);
	counts(2, 0);
	/* The object is still the caller's. */
	ck_assert_int_eq(freed, 0);
	get(&p[0]);
	ck_assert_int_eq(evqueue_put(queue, counting(&freed)), 0);
	settle();
	got(&p[0], 0);
	done(p, 1);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(get_over_the_backlog_is_eagain)
{
	struct waiter p[2];

	make(_i, SIZE_MAX, 1);
	get(&p[0]);
	REFUSED_NULL(evqueue_get(queue), EAGAIN);
	counts(0, 1);
	put(0);
	get(&p[1]);
	settle();
	got(&p[0], 0);
	counts(0, 1);
	put(1);
	settle();
	got(&p[1], 1);
	done(p, 2);
}
END_TEST

START_TEST(size_0_needs_a_get_that_waits)
{
	struct waiter p[1];

	make(_i, 0, SIZE_MAX);
	REFUSED(evqueue_put(queue, evresult_value(NULL)), ENOBUFS);
	get(&p[0]);
	put(3);
	REFUSED(evqueue_put(queue, evresult_value(NULL)), ENOBUFS);
	settle();
	got(&p[0], 3);
	done(p, 1);
}
END_TEST

START_TEST(backlog_0_needs_an_object)
{
	struct waiter p[1];

	make(_i, SIZE_MAX, 0);
	REFUSED_NULL(evqueue_get(queue), EAGAIN);
	put(3);
	get(&p[0]);
	REFUSED_NULL(evqueue_get(queue), EAGAIN);
	settle();
	got(&p[0], 3);
	done(p, 1);
}
END_TEST

START_TEST(calls_on_a_freed_base_are_eshutdown)
{
	struct evdefer_base *closed = base;
	struct seen seen = {0};
	struct evdeferred *d;
	int freed = 0;

	make(_i, SIZE_MAX, SIZE_MAX);
	ck_assert_int_eq(evqueue_put(queue, counting(&freed)), 0);
	support_free_base();
	/* The queue keeps its memory. */
	REFUSED_NULL(evqueue_new(closed, 1, 1, 0), ESHUTDOWN);
	REFUSED(evqueue_put(queue, evresult_value(NULL)), ESHUTDOWN);
	d = evqueue_get(queue);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 0);
	done(NULL, 0);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* Order. */

START_TEST(objects_come_out_in_order)
{
	struct waiter p[10];
	int i;

	make(_i, SIZE_MAX, SIZE_MAX);
	for (i = 0; i < 10; i++)
		put(i);
	counts(10, 0);
	for (i = 0; i < 10; i++)
		get(&p[i]);
	settle();
	for (i = 0; i < 10; i++)
		got(&p[i], i);
	done(p, 10);
}
END_TEST

START_TEST(gets_are_served_in_order)
{
	struct waiter p[10];
	int i;

	make(_i, SIZE_MAX, SIZE_MAX);
	for (i = 0; i < 10; i++)
		get(&p[i]);
	counts(0, 10);
	for (i = 0; i < 10; i++)
		put(i);
	settle();
	for (i = 0; i < 10; i++)
		got(&p[i], i);
	counts(0, 0);
	done(p, 10);
}
END_TEST

START_TEST(loop_delivers_never_from_inside)
{
	struct waiter p[2];

	make(0, SIZE_MAX, SIZE_MAX);
	put(0);
	get(&p[0]);
	get(&p[1]);
	put(1);
	ck_assert_int_eq(p[0].ended + p[1].ended, 0);
	counts(0, 0);
	turns(1);
	got(&p[0], 0);
	got(&p[1], 1);
	done(p, 2);
}
END_TEST

START_TEST(fast_delivers_at_once)
{
	struct waiter p[2];

	make(1, SIZE_MAX, SIZE_MAX);
	put(0);
	get(&p[0]);
	got(&p[0], 0);
	get(&p[1]);
	put(1);
	got(&p[1], 1);
	ck_assert_int_eq(event_base_get_num_events(loop,
			     EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
	    0);
	done(p, 2);
}
END_TEST

/* Gets that leave. */

START_TEST(waiting_get_leaves_and_the_others_move_up)
{
	struct waiter p[3];

	make(_i, SIZE_MAX, SIZE_MAX);
	get(&p[0]);
	get(&p[1]);
	get(&p[2]);
	give_up(&p[1], _i / 2);
	counts(0, 2);
	put(0);
	put(1);
	put(2);
	settle();
	got(&p[0], 0);
	got(&p[2], 1);
	counts(1, 0);
	done(p, 3);
}
END_TEST

static struct evresult
put_and_get(struct evfailure *failure, void *arg)
{
	ck_assert_int_eq(evfailure_get_code(failure), ECANCELED);
	ck_assert_int_eq(evqueue_put(queue, evresult_value(arg)), 0);
	return evresult_deferred(evqueue_get(queue));
}

/* It is not in the queue any more when its errback runs. */
START_TEST(cancelled_get_may_put_and_get_anew)
{
	struct evdeferred *d;
	struct seen seen = {0};

	make(_i, SIZE_MAX, SIZE_MAX);
	d = evqueue_get(queue);
	evdeferred_add_errback(d, put_and_get, &numbers[4]);
	see(d, &seen);
	evdeferred_cancel(d);
	settle();
	ck_assert_ptr_eq(seen.value, &numbers[4]);
	counts(0, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(timed_out_get_takes_no_object)
{
	struct timeval second = {1, 0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, SIZE_MAX, SIZE_MAX);
	d = evqueue_get(queue);
	evdeferred_add_timeout(d, &second);
	see(d, &seen);
	clock_advance(1100);
	settle();
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	put(0);
	counts(1, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(object_of_a_get_that_leaves_goes_to_the_next)
{
	struct waiter p[3];

	make(0, SIZE_MAX, SIZE_MAX);
	get(&p[0]);
	get(&p[1]);
	get(&p[2]);
	put(0);
	put(1);
	counts(0, 1);
	give_up(&p[0], _i);
	counts(0, 0);
	settle();
	ck_assert_int_eq(p[0].granted, 0);
	got(&p[1], 0);
	got(&p[2], 1);
	done(p, 3);
}
END_TEST

START_TEST(object_of_a_get_that_leaves_goes_back_to_the_front)
{
	struct waiter p[3];

	make(0, 2, SIZE_MAX);
	get(&p[0]);
	put(0);
	put(1);
	put(2);
	counts(2, 0);
	give_up(&p[0], _i);
	/* One more than its size: nothing is lost. */
	counts(3, 0);
	REFUSED(evqueue_put(queue, evresult_value(NULL)), ENOBUFS);
	get(&p[1]);
	get(&p[2]);
	settle();
	got(&p[1], 0);
	got(&p[2], 1);
	counts(1, 0);
	done(p, 3);
}
END_TEST

START_TEST(all_undelivered_leave_and_the_loop_is_idle)
{
	struct waiter p[3];
	int i;

	make(0, SIZE_MAX, SIZE_MAX);
	for (i = 0; i < 3; i++) {
		get(&p[i]);
		put(i);
	}
	for (i = 2; i >= 0; i--)
		give_up(&p[i], i % WAYS_AT_ONCE);
	counts(3, 0);
	event_base_dispatch(loop);
	done(p, 3);
}
END_TEST

START_TEST(object_nobody_receives_is_disposed_of)
{
	struct evdeferred *d;
	int freed = 0;

	make(_i, SIZE_MAX, SIZE_MAX);
	d = evqueue_get(queue);
	evqueue_put(queue, counting(&freed));
	settle();
	ck_assert_int_eq(freed, 0);
	/* It has its object: a cancel is too late, a free is not. */
	evdeferred_cancel(d);
	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
	done(NULL, 0);
}
END_TEST

START_TEST(forgotten_get_leaves_its_object_disposed_of)
{
	int freed = 0;

	make(_i, SIZE_MAX, SIZE_MAX);
	evdeferred_detach(evqueue_get(queue));
	evqueue_put(queue, counting(&freed));
	settle();
	ck_assert_int_eq(freed, 1);
	done(NULL, 0);
}
END_TEST

START_TEST(received_object_is_the_callbacks)
{
	struct waiter p[1];
	int freed = 0;

	make(_i, SIZE_MAX, SIZE_MAX);
	evqueue_put(queue, counting(&freed));
	get(&p[0]);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	done(p, 1);
	ck_assert_int_eq(freed, 0);
}
END_TEST

/* Results that are no values. */

START_TEST(failure_is_the_result_of_the_get)
{
	struct waiter p[1];

	make(_i, SIZE_MAX, SIZE_MAX);
	evqueue_put(queue, evresult_fail(EIO, "the source"));
	get(&p[0]);
	settle();
	ck_assert_int_eq(p[0].failed, EIO);
	done(p, 1);
}
END_TEST

START_TEST(failure_left_in_the_queue_is_reported)
{
	make(_i, SIZE_MAX, SIZE_MAX);
	evqueue_put(queue, evresult_fail(EIO, "the source"));
	done(NULL, 0);
	report_take(EIO);
}
END_TEST

static struct evresult
put_failure(struct evfailure *failure, void *arg)
{
	(void)arg;
	ck_assert_int_eq(evqueue_put(queue, evresult_from_failure(failure)), 0);
	return evresult_value(NULL);
}

START_TEST(lent_failure_is_kept)
{
	struct evdeferred *source;
	struct waiter p[1];

	make(_i, SIZE_MAX, SIZE_MAX);
	source = evdeferred_new_fired(base, evresult_fail(EIO, "the source"));
	evdeferred_add_errback(source, put_failure, NULL);
	evdeferred_free(source);
	get(&p[0]);
	settle();
	ck_assert_int_eq(p[0].failed, EIO);
	done(p, 1);
}
END_TEST

START_TEST(get_waits_for_a_deferred)
{
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);
	struct waiter p[1];

	make(_i, SIZE_MAX, SIZE_MAX);
	evqueue_put(queue, evresult_deferred(inner));
	get(&p[0]);
	settle();
	ck_assert_int_eq(p[0].ended, 0);
	evdeferred_callback(inner, &numbers[7]);
	got(&p[0], 7);
	done(p, 1);
}
END_TEST

START_TEST(deferred_left_in_the_queue_is_freed)
{
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);
	int freed = 0;

	make(_i, SIZE_MAX, SIZE_MAX);
	evqueue_put(queue, evresult_deferred(inner));
	done(NULL, 0);
	ck_assert_int_eq(evdeferred_fire(inner, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(stats_count)
{
	struct evqueue_stats stats;
	struct waiter p[6];
	int i;

	make(_i, 3, SIZE_MAX);
	for (i = 0; i < 3; i++)
		put(i);
	REFUSED(evqueue_put(queue, evresult_value(NULL)), ENOBUFS);
	for (i = 0; i < 5; i++)
		get(&p[i]);
	settle();
	give_up(&p[4], CANCEL);
	put(4);
	settle();
	put(5);
	evqueue_get_stats(queue, &stats);
	ck_assert_uint_eq(stats.queued, 1);
	ck_assert_uint_eq(stats.waiting, 0);
	ck_assert_uint_eq(stats.put, 5);
	ck_assert_uint_eq(stats.got, 4);
	ck_assert_uint_eq(stats.cancelled, 1);
	ck_assert_uint_eq(stats.most_queued, 3);
	ck_assert_uint_eq(stats.longest_queue, 2);
	done(p, 5);
}
END_TEST

/* Closing. */

START_TEST(close_of_an_empty_queue)
{
	make(_i, SIZE_MAX, SIZE_MAX);
	evqueue_free(queue);
}
END_TEST

START_TEST(close_disposes_of_objects)
{
	int i, freed = 0;

	make(_i, SIZE_MAX, SIZE_MAX);
	for (i = 0; i < 5; i++)
		evqueue_put(queue, counting(&freed));
	evqueue_free(queue);
	ck_assert_int_eq(freed, 5);
}
END_TEST

START_TEST(close_fails_waiting_gets)
{
	struct waiter p[3];
	int i;

	make(_i, SIZE_MAX, SIZE_MAX);
	for (i = 0; i < 3; i++)
		get(&p[i]);
	evqueue_free(queue);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(p[i].failed, ESHUTDOWN);
		ck_assert_int_eq(p[i].ended, 1);
		evdeferred_free(p[i].d);
	}
}
END_TEST

START_TEST(close_fails_gets_whose_object_is_on_its_way)
{
	struct waiter p[3];
	int i, freed = 0;

	make(0, SIZE_MAX, SIZE_MAX);
	for (i = 0; i < 3; i++)
		get(&p[i]);
	evqueue_put(queue, counting(&freed));
	evqueue_put(queue, counting(&freed));
	evqueue_free(queue);
	ck_assert_int_eq(freed, 2);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(p[i].failed, ESHUTDOWN);
		ck_assert_int_eq(p[i].granted, 0);
		evdeferred_free(p[i].d);
	}
	event_base_dispatch(loop);
}
END_TEST

static struct evresult
close_on_object(void *value, void *arg)
{
	evqueue_free(queue);
	return on_grant(value, arg);
}

/* _i / 2: with gets that wait, or objects that are queued. */
START_TEST(close_inside_a_callback)
{
	struct waiter p[4];
	int i, freed = 0;

	make(_i, SIZE_MAX, SIZE_MAX);
	memset(p, 0, sizeof(p));
	p[0].d = evqueue_get(queue);
	evdeferred_add_callbacks(p[0].d, close_on_object, on_loss, &p[0]);
	for (i = 1; _i / 2 == 0 && i < 4; i++)
		get(&p[i]);
	put(5);
	/* With FAST the queue is gone by now. */
	for (i = 1; _i == 2 && i < 4; i++)
		evqueue_put(queue, counting(&freed));
	if (_i == 0)
		put(6);
	settle();
	got(&p[0], 5);
	ck_assert_int_eq(freed, _i == 2 ? 3 : 0);
	for (i = 0; i < 4; i++) {
		if (i > 0 && _i / 2 == 0)
			ck_assert_int_eq(p[i].failed, ESHUTDOWN);
		evdeferred_free(p[i].d);
	}
}
END_TEST

/* When it is told of the close, it frees the second get, cancels the third,
 * and finds that the queue takes and gives nothing any more. */
static struct waiter *others;

static struct evresult
drop_others(struct evfailure *failure, void *arg)
{
	struct evdeferred *d;
	struct seen seen = {0};

	on_loss(failure, arg);
	evdeferred_free(others[1].d);
	others[1].d = NULL;
	evdeferred_cancel(others[2].d);
	REFUSED(evqueue_put(queue, evresult_value(NULL)), ESHUTDOWN);
	d = evqueue_get(queue);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	return evresult_value(NULL);
}

/* _i / 2: how many of them have an object on its way (with FAST, none). */
START_TEST(close_while_gets_leave_meanwhile)
{
	struct waiter p[4];
	int i, freed = 0, ready = _i % 2 == 1 ? 0 : _i / 2;

	make(_i, SIZE_MAX, SIZE_MAX);
	others = p;
	memset(p, 0, sizeof(p));
	p[0].d = evqueue_get(queue);
	evdeferred_add_callbacks(p[0].d, on_grant, drop_others, &p[0]);
	for (i = 1; i < 4; i++)
		get(&p[i]);
	for (i = 0; i < ready; i++)
		evqueue_put(queue, counting(&freed));
	evqueue_free(queue);
	ck_assert_int_eq(p[0].failed, ESHUTDOWN);
	ck_assert_int_eq(p[1].ended, 0);
	ck_assert_int_eq(p[2].failed, ECANCELED);
	ck_assert_int_eq(p[3].failed, ESHUTDOWN);
	ck_assert_int_eq(freed, ready);
	for (i = 0; i < 4; i++)
		evdeferred_free(p[i].d);
}
END_TEST

static struct evresult
free_base(struct evfailure *failure, void *arg)
{
	support_free_base();
	return on_loss(failure, arg);
}

/* _i: whether the get has an object on its way. */
START_TEST(close_whose_errback_frees_the_base)
{
	struct waiter p = {0};
	int freed = 0;

	make(0, SIZE_MAX, SIZE_MAX);
	p.d = evqueue_get(queue);
	evdeferred_add_callbacks(p.d, on_grant, free_base, &p);
	if (_i == 1)
		evqueue_put(queue, counting(&freed));
	evqueue_free(queue);
	ck_assert_int_eq(p.failed, ESHUTDOWN);
	ck_assert_int_eq(freed, _i);
	evdeferred_free(p.d);
}
END_TEST

static void
put_back(void *value)
{
	++*(int *)value;
	REFUSED(evqueue_put(queue, evresult_owned(value, put_back)), ESHUTDOWN);
}

START_TEST(close_is_not_held_up_by_objects_that_come_back)
{
	int freed = 0;

	make(_i, SIZE_MAX, SIZE_MAX);
	evqueue_put(queue, evresult_owned(&freed, put_back));
	evqueue_put(queue, evresult_owned(&freed, put_back));
	evqueue_free(queue);
	ck_assert_int_eq(freed, 2);
}
END_TEST

START_TEST(unhandled_close_is_reported)
{
	struct evdeferred *d;

	make(_i, SIZE_MAX, SIZE_MAX);
	d = evqueue_get(queue);
	evqueue_free(queue);
	evdeferred_free(d);
	report_take(ESHUTDOWN);
}
END_TEST

static void
add_order(Suite *suite)
{
	TCase *tc = add_case(suite, "arguments and limits");

	tcase_add_test(tc, bad_arguments_are_einval);
	tcase_add_loop_test(tc, put_into_a_full_queue_is_enobufs, 0, 2);
	tcase_add_loop_test(tc, get_over_the_backlog_is_eagain, 0, 2);
	tcase_add_loop_test(tc, size_0_needs_a_get_that_waits, 0, 2);
	tcase_add_loop_test(tc, backlog_0_needs_an_object, 0, 2);
	tcase_add_loop_test(tc, calls_on_a_freed_base_are_eshutdown, 0, 2);

	tc = add_case(suite, "order");
	tcase_add_loop_test(tc, objects_come_out_in_order, 0, 2);
	tcase_add_loop_test(tc, gets_are_served_in_order, 0, 2);
	tcase_add_test(tc, loop_delivers_never_from_inside);
	tcase_add_test(tc, fast_delivers_at_once);

	tc = add_case(suite, "results");
	tcase_add_loop_test(tc, failure_is_the_result_of_the_get, 0, 2);
	tcase_add_loop_test(tc, failure_left_in_the_queue_is_reported, 0, 2);
	tcase_add_loop_test(tc, lent_failure_is_kept, 0, 2);
	tcase_add_loop_test(tc, get_waits_for_a_deferred, 0, 2);
	tcase_add_loop_test(tc, deferred_left_in_the_queue_is_freed, 0, 2);
	tcase_add_loop_test(tc, stats_count, 0, 2);
}

static void
add_ends(Suite *suite)
{
	TCase *tc = add_case(suite, "gets that leave");

	tcase_add_loop_test(
	    tc, waiting_get_leaves_and_the_others_move_up, 0, 2 * WAYS_AT_ONCE);
	tcase_add_loop_test(tc, cancelled_get_may_put_and_get_anew, 0, 2);
	tcase_add_loop_test(tc, timed_out_get_takes_no_object, 0, 2);
	tcase_add_loop_test(
	    tc, object_of_a_get_that_leaves_goes_to_the_next, 0, WAYS_AT_ONCE);
	tcase_add_loop_test(tc,
	    object_of_a_get_that_leaves_goes_back_to_the_front, 0,
	    WAYS_AT_ONCE);
	tcase_add_test(tc, all_undelivered_leave_and_the_loop_is_idle);
	tcase_add_loop_test(tc, object_nobody_receives_is_disposed_of, 0, 2);
	tcase_add_loop_test(
	    tc, forgotten_get_leaves_its_object_disposed_of, 0, 2);
	tcase_add_loop_test(tc, received_object_is_the_callbacks, 0, 2);

	tc = add_case(suite, "close");
	tcase_add_loop_test(tc, close_of_an_empty_queue, 0, 2);
	tcase_add_loop_test(tc, close_disposes_of_objects, 0, 2);
	tcase_add_loop_test(tc, close_fails_waiting_gets, 0, 2);
	tcase_add_test(tc, close_fails_gets_whose_object_is_on_its_way);
	tcase_add_loop_test(tc, close_inside_a_callback, 0, 4);
	tcase_add_loop_test(tc, close_while_gets_leave_meanwhile, 0, 10);
	tcase_add_loop_test(tc, close_whose_errback_frees_the_base, 0, 2);
	tcase_add_loop_test(
	    tc, close_is_not_held_up_by_objects_that_come_back, 0, 2);
	tcase_add_loop_test(tc, unhandled_close_is_reported, 0, 2);
}

int
main(void)
{
	Suite *suite = suite_create("queue");

	add_order(suite);
	add_ends(suite);
	return support_main(suite);
}
