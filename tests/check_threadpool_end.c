/* SPDX-License-Identifier: MIT */
/* Work in other threads that is cancelled, pools and bases that end, and what runs
 * out. */
#include "pools.h"
#include "threads.h"

#include <string.h>

/*
 * Cancelling.
 */

/* The ways in which a Deferred ends before its time. */
enum { BY_CANCEL, BY_FREE, BY_TIMEOUT, ENDS };

static void
end_early(struct work *work, int how)
{
	static const struct timeval second = {1, 0};

	if (how == BY_FREE) {
		evdeferred_free(work->d);
		work->d = NULL;
	} else if (how == BY_CANCEL) {
		see(work->d, &work->seen);
		evdeferred_cancel(work->d);
		ck_assert_int_eq(work->seen.code, ECANCELED);
	} else {
		ck_assert_int_eq(evdeferred_add_timeout(work->d, &second), 0);
		see(work->d, &work->seen);
		clock_advance(1001);
		polls(1);
		ck_assert_int_eq(work->seen.code, ETIMEDOUT);
	}
}

START_TEST(what_has_not_begun_is_not_done)
{
	struct gate gate = {0};
	struct work first, second, third;

	make_pool(1);
	done_count = 0;
	begin_work(&first, &gate, evresult_value(&first));
	begin_unseen(&second, NULL, noting());
	begin_work(&third, NULL, evresult_value(&third));
	gate_await(&gate, 1);
	end_early(&second, _i);
	gate_open(&gate);
	event_base_dispatch(loop);
	ck_assert(!second.done);
	freed_here(0);
	ck_assert_ptr_eq(first.seen.value, &first);
	ck_assert_ptr_eq(third.seen.value, &third);
	ck_assert_int_eq(third.order, 2);
	evdeferred_free(first.d);
	evdeferred_free(second.d);
	evdeferred_free(third.d);
	free_pool();
}
END_TEST

START_TEST(what_has_begun_goes_on_for_nobody)
{
	struct gate gate = {0};
	struct work work;

	make_pool(1);
	begin_unseen(&work, &gate, noting());
	gate_await(&gate, 1);
	end_early(&work, _i);
	ck_assert(!work.done);
	freed_here(0);
	gate_open(&gate);
	/* The loop stays until it has come back. */
	event_base_dispatch(loop);
	ck_assert(work.done);
	freed_here(1);
	ck_assert_int_eq(work.seen.values, 0);
	evdeferred_free(work.d);
	free_pool();
}
END_TEST

/* The loop has not seen it yet; its thread is at the next. */
START_TEST(what_is_on_its_way_is_disposed_of)
{
	struct gate gate = {0};
	struct evdeferred *inner;
	struct work work[3];
	int i;

	make_pool(1);
	begin_work(&work[0], NULL, noting());
	inner = evdeferred_new(base, count_cancel, &free_count);
	ck_assert_ptr_nonnull(inner);
	begin_work(&work[1], NULL, evresult_deferred(inner));
	begin_work(&work[2], &gate, evresult_value(NULL));
	gate_await(&gate, 1);
	for (i = 0; i < 3; i++) {
		evdeferred_cancel(work[i].d);
		ck_assert_int_eq(work[i].seen.code, ECANCELED);
		ck_assert_int_eq(work[i].done, i < 2);
	}
	freed_here(0);
	gate_open(&gate);
	event_base_dispatch(loop);
	freed_here(2);
	free_many(work, 3);
	free_pool();
}
END_TEST

/*
 * The end of a pool, and of a base.
 */

/* Gives the work if that was done by then. */
static void *
free_pool_in_thread(void *arg)
{
	struct work *work = arg;

	free_pool();
	return work->done ? work : NULL;
}

/* Runs the loop until the last of them is over. */
static void
run_until_over(struct work *work)
{
	while (work->seen.values + work->seen.failures == 0)
		event_base_loop(loop, EVLOOP_ONCE);
}

START_TEST(free_waits_for_what_runs_and_not_for_what_waits)
{
	struct gate gate = {0};
	struct work work[3];
	pthread_t thread;

	make_pool(1);
	begin_many(work, 3, &gate);
	thread = thread_start(free_pool_in_thread, &work[0]);
	run_until_over(&work[2]);
	ck_assert_int_eq(work[1].seen.code, ESHUTDOWN);
	ck_assert_int_eq(work[2].seen.code, ESHUTDOWN);
	ck_assert_int_eq(work[0].seen.values, 0);
	gate_open(&gate);
	ck_assert_ptr_eq(thread_join(thread), &work[0]);
	ck_assert_ptr_null(pool);
	event_base_dispatch(loop);
	ck_assert_ptr_eq(work[0].seen.value, &work[0]);
	ck_assert(!work[1].done && !work[2].done);
	free_many(work, 3);
}
END_TEST

/* The pool is gone when the base ends, with all that it has sent. */
START_TEST(a_base_ends_after_its_pool)
{
	struct work work[3];
	int i;

	make_pool(2);
	for (i = 0; i < 3; i++)
		begin_work(&work[i], NULL, evresult_value(&work[i]));
	free_pool();
	support_free_base();
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(work[i].seen.code, ECANCELED);
	free_many(work, 3);
}
END_TEST

static struct evresult
open_gate(struct evfailure *failure, void *arg)
{
	(void)failure;
	gate_open(arg);
	return evresult_value(NULL);
}

static void
count_call(void *arg)
{
	++*(int *)arg;
}

struct late {
	struct gate gate;
	long waits; /* the thread that it is late for */
	int calls;
	int refused;
};

static struct evresult
call_late(void *arg)
{
	struct late *late = arg;

	gate_pass(&late->gate);
	thread_await_sleep(late->waits);
	late->refused = evdefer_base_call(base, count_call, &late->calls);
	return noting();
}

/* The cancel lets the function go on that the base waits for, and the base accepts
 * what that has to tell. */
START_TEST(a_base_ends_with_what_waits_and_runs)
{
	struct late late = {.waits = thread_number()};
	struct work work[2];
	struct evdeferred *d;
	int i;

	make_pool(1);
	d = evthreadpool_defer(pool, base, call_late, &late);
	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(evdeferred_add_errback(d, open_gate, &late.gate), 0);
	for (i = 0; i < 2; i++)
		begin_work(&work[i], NULL, evresult_value(&work[i]));
	gate_await(&late.gate, 1);
	support_free_base();
	ck_assert_int_eq(late.refused, 0);
	ck_assert_int_eq(late.calls, 1);
	freed_here(1);
	for (i = 0; i < 2; i++) {
		ck_assert(!work[i].done);
		ck_assert_int_eq(work[i].seen.code, ECANCELED);
	}
	free_many(work, 2);
	evdeferred_free(d);
	free_pool();
}
END_TEST

/* The only one that runs was cancelled before. */
START_TEST(a_base_ends_with_what_runs_for_nobody)
{
	struct gate gate = {0};
	struct work work[2];

	make_pool(1);
	begin_work(&work[0], &gate, noting());
	begin_unseen(&work[1], NULL, evresult_value(NULL));
	ck_assert_int_eq(
	    evdeferred_add_errback(work[1].d, open_gate, &gate), 0);
	gate_await(&gate, 1);
	evdeferred_cancel(work[0].d);
	support_free_base();
	ck_assert(work[0].done);
	ck_assert(!work[1].done);
	freed_here(1);
	free_many(work, 2);
	free_pool();
}
END_TEST

static struct evresult
end_all(struct evfailure *failure, void *arg)
{
	(void)failure;
	gate_open(arg);
	free_pool();
	return evresult_value(NULL);
}

START_TEST(a_pool_may_be_freed_while_a_base_ends)
{
	struct gate gate = {0};
	struct work work[3];
	int i;

	make_pool(1);
	begin_unseen(&work[0], &gate, evresult_value(NULL));
	ck_assert_int_eq(evdeferred_add_errback(work[0].d, end_all, &gate), 0);
	for (i = 1; i < 3; i++)
		begin_work(&work[i], NULL, evresult_value(&work[i]));
	gate_await(&gate, 1);
	support_free_base();
	ck_assert_ptr_null(pool);
	for (i = 1; i < 3; i++) {
		ck_assert(!work[i].done);
		ck_assert_int_eq(work[i].seen.code, ECANCELED);
	}
	free_many(work, 3);
}
END_TEST

/* Another base goes on, and finds what the pool had of it when that went. */
START_TEST(a_pool_ends_for_each_of_its_bases)
{
	struct event_base *other_loop = support_new_loop();
	struct evdefer_base *other = evdefer_base_new(other_loop);
	struct gate gate = {0};
	struct work work;
	struct evdeferred *d;
	struct seen seen = {0};
	pthread_t thread;

	ck_assert_ptr_nonnull(other);
	make_pool(1);
	begin_work(&work, &gate, evresult_value(&work));
	gate_await(&gate, 1);
	d = evthreadpool_defer(pool, other, return_null, NULL);
	ck_assert_ptr_nonnull(d);
	see(d, &seen);
	thread = thread_start(free_pool_in_thread, &work);
	event_base_dispatch(other_loop);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	gate_open(&gate);
	ck_assert_ptr_eq(thread_join(thread), &work);
	support_free_base();
	ck_assert_int_eq(work.seen.code, ECANCELED);
	evdeferred_free(work.d);
	evdeferred_free(d);
	evdefer_base_free(other);
	event_base_free(other_loop);
}
END_TEST

/*
 * What runs out.
 */

/* Defers without the n-th allocation.  Gives whether there were that many. */
static bool
defer_without(size_t n, bool onwards, bool sockets)
{
	struct evdeferred *d;
	struct seen seen = {0};
	int code;

	make_pool(1);
	fail_eventfd(sockets ? ENOSYS : 0);
	new_base(1);
	fail_eventfd(0);
	alloc_fail_at(n, onwards);
	errno = 0;
	d = evthreadpool_defer(pool, base, return_null, NULL);
	code = errno;
	alloc_fail_at(0, false);
	if (d == NULL) {
		ck_assert_int_eq(code, ENOMEM);
		/* Nothing keeps the loop, and nothing comes. */
		ck_assert_int_eq(event_base_dispatch(loop), 1);
		free_pool();
		return true;
	}
	see(d, &seen);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(d);
	free_pool();
	return alloc_failed();
}

/* _i: that one alone, or all after it, too; and with an eventfd, or sockets. */
START_TEST(without_memory_nothing_is_begun)
{
	size_t n = 1;

	if (!alloc_works())
		return;
	while (n < 100 && defer_without(n, _i % 2 == 1, _i / 2 == 1))
		n++;
	/* What is kept of the base, the job and the Deferred; that the loop stays needs
	 * none. */
	ck_assert_uint_eq(n, 4);
}
END_TEST

static int
pool_round(void)
{
	struct evdeferred *d[8];
	struct seen seen = {0};
	int i;

	for (i = 0; i < 8; i++) {
		d[i] = evthreadpool_defer(pool, base, return_null, NULL);
		evdeferred_add_callbacks(d[i], see_value, see_failure, &seen);
	}
	evdeferred_cancel(d[7]);
	event_base_dispatch(loop);
	for (i = 0; i < 8; i++)
		evdeferred_free(d[i]);
	return seen.values;
}

START_TEST(steady_state_allocates_nothing)
{
	struct gate gate = {0};
	struct work work[2];
	size_t calls;
	int i, good = 0;

	make_pool(2);
	/* Threads have their own needs when they begin. */
	begin_work(&work[0], &gate, evresult_value(NULL));
	begin_work(&work[1], &gate, evresult_value(NULL));
	gate_await(&gate, 2);
	gate_open(&gate);
	pool_round();
	calls = alloc_calls();
	for (i = 0; i < 100; i++)
		good += pool_round();
	calls = alloc_calls() - calls;
	ck_assert_int_eq(good, 700);
	ck_assert_uint_eq(calls, 0);
	free_many(work, 2);
	free_pool();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("threadpool_end");
	TCase *tc = add_case(suite, "cancelling");

	tcase_add_loop_test(tc, what_has_not_begun_is_not_done, 0, ENDS);
	tcase_add_loop_test(tc, what_has_begun_goes_on_for_nobody, 0, ENDS);
	tcase_add_test(tc, what_is_on_its_way_is_disposed_of);

	tc = add_case(suite, "ends");
	tcase_add_test(tc, free_waits_for_what_runs_and_not_for_what_waits);
	tcase_add_test(tc, a_base_ends_after_its_pool);
	tcase_add_test(tc, a_base_ends_with_what_waits_and_runs);
	tcase_add_test(tc, a_base_ends_with_what_runs_for_nobody);
	tcase_add_test(tc, a_pool_may_be_freed_while_a_base_ends);
	tcase_add_test(tc, a_pool_ends_for_each_of_its_bases);

	tc = add_case(suite, "what runs out");
	tcase_add_loop_test(tc, without_memory_nothing_is_begun, 0, 4);
	tcase_add_test(tc, steady_state_allocates_nothing);
	return threads_main(suite);
}
