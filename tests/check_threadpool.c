/* SPDX-License-Identifier: MIT */
/* Work in other threads: evthreadpool_defer(), and what comes of it. */
#include "pools.h"
#include "threads.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/*
 * Arguments, and the pool itself.
 */

START_TEST(what_is_missing_is_refused)
{
	make_pool(1);
	REFUSED_NULL(evthreadpool_new(0), EINVAL);
	REFUSED_NULL(evthreadpool_new(EVTHREADPOOL_MAX + 1), EINVAL);
	REFUSED_NULL(evthreadpool_defer(NULL, base, return_null, NULL), EINVAL);
	REFUSED_NULL(evthreadpool_defer(pool, NULL, return_null, NULL), EINVAL);
	REFUSED_NULL(evthreadpool_defer(pool, base, NULL, NULL), EINVAL);
	evthreadpool_free(NULL);
	free_pool();
}
END_TEST

START_TEST(nothing_is_left_of_it)
{
	const int before = thread_objects();

	make_pool(THREADS);
	joins = 0;
	free_pool();
	ck_assert_int_eq(joins, THREADS);
	ck_assert_int_eq(thread_objects(), before);
}
END_TEST

START_TEST(a_closed_base_is_refused)
{
	struct evdeferred *d = fresh();
	struct evdefer_base *b = base;

	make_pool(1);
	support_free_base();
	REFUSED_NULL(evthreadpool_defer(pool, b, return_null, NULL), ESHUTDOWN);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	free_pool();
}
END_TEST

/* _i: which of the threads is not made. */
START_TEST(new_without_a_thread_is_its_error)
{
	const long live = alloc_live();

	fail_thread(_i);
	errno = 0;
	pool = evthreadpool_new(4);
	fail_thread(0);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_ptr_null(pool);
	ck_assert_int_eq(alloc_live(), live);
}
END_TEST

START_TEST(new_without_memory_leaves_nothing)
{
	const long live = alloc_live();
	size_t n;
	int code;

	for (n = 1; n < 100; n++) {
		alloc_fail_at(n, false);
		errno = 0;
		pool = evthreadpool_new(3);
		code = errno;
		alloc_fail_at(0, false);
		if (pool != NULL)
			break;
		/* Of a thread, it is libc that says. */
		ck_assert(code == ENOMEM || (n > 1 && code == EAGAIN));
		ck_assert_int_eq(alloc_live(), live);
	}
	ck_assert_ptr_nonnull(pool);
	if (alloc_works())
		ck_assert_uint_gt(n, 1);
	free_pool();
}
END_TEST

static struct evresult
note_mask(void *arg)
{
	pthread_sigmask(SIG_BLOCK, NULL, arg);
	return evresult_value(arg);
}

START_TEST(signals_are_left_to_the_loops)
{
	sigset_t here, mask;
	struct evdeferred *d;
	int number;

	make_pool(1);
	d = evthreadpool_defer(pool, base, note_mask, &mask);
	ck_assert_ptr_nonnull(d);
	event_base_dispatch(loop);
	pthread_sigmask(SIG_BLOCK, NULL, &here);
	for (number = 1; number < 32; number++) {
		ck_assert_int_eq(sigismember(&here, number), 0);
		if (number != SIGKILL && number != SIGSTOP)
			ck_assert_int_eq(sigismember(&mask, number), 1);
	}
	evdeferred_free(d);
	free_pool();
}
END_TEST

/*
 * Results.
 */

START_TEST(work_is_done_beside_the_loop)
{
	struct work work;

	make_pool(1);
	begin_work(&work, NULL, evresult_value(&work));
	ck_assert_int_eq(work.seen.values, 0);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	ck_assert_ptr_eq(work.seen.value, &work);
	ck_assert_int_eq(work.seen.values, 1);
	ck_assert(!pthread_equal(work.thread, pthread_self()));
	evdeferred_free(work.d);
	free_pool();
}
END_TEST

START_TEST(an_owned_value_is_handed_on)
{
	struct work work;

	make_pool(2);
	/* The link of it takes the value. */
	begin_work(&work, NULL, noting());
	event_base_dispatch(loop);
	freed_here(0);
	ck_assert_ptr_eq(work.seen.value, &free_count);
	evdeferred_free(work.d);
	/* And here nobody does. */
	work.d = evthreadpool_defer(pool, base, do_work, &work);
	ck_assert_ptr_nonnull(work.d);
	event_base_dispatch(loop);
	freed_here(0);
	evdeferred_free(work.d);
	freed_here(1);
	free_pool();
}
END_TEST

/* Failures are made in the thread. */
static struct evresult
fail_plainly(void *arg)
{
	return evresult_fail(EIO, "no %s", (const char *)arg);
}

static struct evresult
fail_wrapped(void *arg)
{
	struct evresult cause = fail_plainly(arg);
	struct evresult result =
	    evresult_wrap(evresult_get_failure(cause), ENXIO, "around that");

	evresult_dispose(cause);
	return result;
}

static struct evresult
fail_with_payload(void *arg)
{
	(void)arg;
	free_count = 0;
	return evresult_fail_with(&free_count, note_free, EDOM, NULL);
}

static struct evresult
look_at_failure(struct evfailure *failure, void *arg)
{
	char *text = arg;

	snprintf(text, 64, "%d %s < %s", evfailure_get_code(failure),
	    evfailure_get_message(failure),
	    evfailure_get_message(evfailure_get_cause(failure)));
	return evresult_value(NULL);
}

START_TEST(failures_come_back)
{
	static const struct {
		evdeferred_body_fn fn;
		int code;
		const char *words;
	} cases[] = {{fail_plainly, EIO, "no disk < "},
	    {fail_wrapped, ENXIO, "around that < no disk"},
	    {fail_with_payload, EDOM, NULL}};
	char arg[] = "disk", text[64], wanted[64];
	struct evdeferred *d;

	make_pool(1);
	d = evthreadpool_defer(pool, base, cases[_i].fn, arg);
	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(evdeferred_add_errback(d, look_at_failure, text), 0);
	event_base_dispatch(loop);
	snprintf(wanted, sizeof(wanted), "%d %s", cases[_i].code,
	    cases[_i].words != NULL ? cases[_i].words : "");
	ck_assert_int_eq(strncmp(text, wanted, strlen(wanted)), 0);
	evdeferred_free(d);
	if (cases[_i].fn == fail_with_payload)
		freed_here(1);
	free_pool();
}
END_TEST

/* One that its holder lends, and gives up once the result is there. */
static struct evresult
lend_failure(void *arg)
{
	return evresult_from_failure(arg);
}

START_TEST(a_failure_may_be_passed_on)
{
	struct evresult held =
	    evresult_fail_with(&free_count, note_free, EIO, "kept");
	struct gate gate = {0};
	struct seen seen = {0};
	struct evdeferred *d;
	struct work next;

	make_pool(1);
	d = evthreadpool_defer(
	    pool, base, lend_failure, evresult_get_failure(held));
	ck_assert_ptr_nonnull(d);
	begin_work(&next, &gate, evresult_value(NULL));
	gate_await(&gate, 1);
	/* The function has returned: it is taken. */
	free_count = 0;
	evresult_dispose(held);
	freed_here(0);
	see(d, &seen);
	gate_open(&gate);
	event_base_dispatch(loop);
	ck_assert_int_eq(seen.code, EIO);
	freed_here(1);
	evdeferred_free(d);
	evdeferred_free(next.d);
	free_pool();
}
END_TEST

/* One that was made before, in the thread of the base. */
START_TEST(a_deferred_is_waited_for)
{
	struct evdeferred *inner = fresh();
	struct work work;

	make_pool(1);
	begin_work(&work, NULL, evresult_deferred(inner));
	event_base_dispatch(loop);
	ck_assert(work.done);
	ck_assert_int_eq(work.seen.values, 0);
	evdeferred_callback(inner, &work);
	ck_assert_ptr_eq(work.seen.value, &work);
	evdeferred_free(work.d);
	free_pool();
}
END_TEST

START_TEST(one_thread_does_it_in_its_order)
{
	struct gate gate = {0};
	struct work work[8];
	int i;

	make_pool(1);
	begin_many(work, 8, &gate);
	gate_open(&gate);
	event_base_dispatch(loop);
	for (i = 0; i < 8; i++) {
		ck_assert_int_eq(work[i].order, i + 1);
		ck_assert_ptr_eq(work[i].seen.value, &work[i]);
	}
	free_many(work, 8);
	free_pool();
}
END_TEST

/* However long that takes, and with fewer priorities than at first. */
START_TEST(the_loop_stays_while_work_is_under_way)
{
	struct gate gate = {0};
	struct work work[2];
	int i;

	make_pool(1);
	new_base(64);
	ck_assert_int_eq(event_base_priority_init(loop, 1), 0);
	begin_many(work, 2, &gate);
	for (i = 0; i < 3; i++) {
		clock_advance(24L * 60 * 60 * 1000);
		ck_assert_int_eq(event_base_loop(loop, EVLOOP_NONBLOCK), 0);
		ck_assert_int_eq(events(), 1);
	}
	gate_open(&gate);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	/* Check takes the time of each test. */
	clock_advance(-3 * 24L * 60 * 60 * 1000);
	ck_assert_int_eq(events(), 0);
	for (i = 0; i < 2; i++)
		ck_assert_ptr_eq(work[i].seen.value, &work[i]);
	free_many(work, 2);
	free_pool();
}
END_TEST

/* The wake-up is not an event that the loop ends with, alone.  _i: of so many
 * priorities. */
START_TEST(one_run_of_the_loop_brings_it)
{
	struct work work;

	make_pool(1);
	new_base(_i);
	begin_work(&work, NULL, evresult_value(&work));
	ck_assert_int_eq(event_base_loop(loop, EVLOOP_ONCE), 0);
	ck_assert_ptr_eq(work.seen.value, &work);
	evdeferred_free(work.d);
	free_pool();
}
END_TEST

/* All of them are held at once. */
START_TEST(each_thread_does_some)
{
	struct gate gate = {0};
	struct work work[THREADS];
	int i, j;

	make_pool(THREADS);
	for (i = 0; i < THREADS; i++)
		begin_work(&work[i], &gate, evresult_value(&work[i]));
	gate_await(&gate, THREADS);
	for (i = 0; i < THREADS; i++) {
		for (j = 0; j < i; j++)
			ck_assert(
			    !pthread_equal(work[i].thread, work[j].thread));
	}
	gate_open(&gate);
	evthreadpool_free(pool);
	event_base_dispatch(loop);
	for (i = 0; i < THREADS; i++)
		ck_assert_ptr_eq(work[i].seen.value, &work[i]);
	free_many(work, THREADS);
}
END_TEST

static struct evresult
defer_more(void *value, void *arg)
{
	(void)value;
	return evresult_deferred(
	    evthreadpool_defer(pool, base, return_null, arg));
}

START_TEST(a_link_may_defer_more)
{
	struct work work;

	make_pool(1);
	begin_unseen(&work, NULL, evresult_value(&work));
	ck_assert_int_eq(evdeferred_add_callback(work.d, defer_more, NULL), 0);
	see(work.d, &work.seen);
	event_base_dispatch(loop);
	ck_assert_int_eq(work.seen.values, 1);
	ck_assert_ptr_null(work.seen.value);
	evdeferred_free(work.d);
	free_pool();
}
END_TEST

static struct evresult
free_pool_in_link(void *value, void *arg)
{
	(void)value;
	(void)arg;
	free_pool();
	return evresult_value(NULL);
}

START_TEST(a_link_may_free_the_pool)
{
	struct work work[3];
	int i, over = 0;

	make_pool(1);
	for (i = 0; i < 3; i++)
		begin_unseen(&work[i], NULL, evresult_value(&work[i]));
	ck_assert_int_eq(
	    evdeferred_add_callback(work[0].d, free_pool_in_link, NULL), 0);
	see(work[1].d, &work[1].seen);
	see(work[2].d, &work[2].seen);
	event_base_dispatch(loop);
	ck_assert_ptr_null(pool);
	/* Whether they had begun by then, nobody knows. */
	for (i = 1; i < 3; i++) {
		ck_assert_int_eq(work[i].done, work[i].seen.values);
		over += work[i].seen.values;
		over += work[i].seen.code == ESHUTDOWN;
	}
	ck_assert_int_eq(over, 2);
	free_many(work, 3);
}
END_TEST

/*
 * Several loops.
 */

#define LOOPS 3
#define ROUNDS 200

struct user {
	int wrong;
	int done;
};

static struct evresult
return_arg(void *arg)
{
	return evresult_value(arg);
}

static struct evresult
note_round(void *value, void *arg)
{
	struct user *user = arg;

	user->wrong += value != user;
	user->done++;
	return evresult_value(NULL);
}

static void *
use_pool(void *arg)
{
	struct user *user = arg;
	struct event_base *own = event_base_new();
	struct evdefer_base *b = own != NULL ? evdefer_base_new(own) : NULL;
	struct evdeferred *d;
	int i;

	for (i = 0; i < ROUNDS && b != NULL; i++) {
		d = evthreadpool_defer(pool, b, return_arg, user);
		if (d == NULL ||
		    evdeferred_add_callback(d, note_round, user) == -1) {
			evdeferred_free(d);
			continue;
		}
		if (i % 3 == 0)
			evdeferred_cancel(d);
		evdeferred_add_errback(d, recover, user);
		evdeferred_detach(d);
		/* The last of them are left to the end of the base. */
		if (i % 16 == 0 && i < ROUNDS - 32)
			event_base_dispatch(own);
	}
	if (user->done == 0 && b != NULL)
		user->wrong++;
	evdefer_base_free(b);
	if (own != NULL)
		event_base_free(own);
	return NULL;
}

START_TEST(loops_may_share_a_pool)
{
	struct user users[LOOPS] = {{0, 0}};
	pthread_t threads[LOOPS];
	int i;

	make_pool(2);
	for (i = 0; i < LOOPS; i++)
		threads[i] = thread_start(use_pool, &users[i]);
	for (i = 0; i < LOOPS; i++)
		thread_join(threads[i]);
	for (i = 0; i < LOOPS; i++)
		ck_assert_int_eq(users[i].wrong, 0);
	free_pool();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("threadpool");
	TCase *tc = add_case(suite, "pool");

	tcase_add_test(tc, what_is_missing_is_refused);
	tcase_add_test(tc, nothing_is_left_of_it);
	tcase_add_test(tc, a_closed_base_is_refused);
	tcase_add_loop_test(tc, new_without_a_thread_is_its_error, 1, 5);
	tcase_add_test(tc, new_without_memory_leaves_nothing);
	tcase_add_test(tc, signals_are_left_to_the_loops);

	tc = add_case(suite, "results");
	tcase_add_test(tc, work_is_done_beside_the_loop);
	tcase_add_test(tc, an_owned_value_is_handed_on);
	tcase_add_loop_test(tc, failures_come_back, 0, 3);
	tcase_add_test(tc, a_failure_may_be_passed_on);
	tcase_add_test(tc, a_deferred_is_waited_for);
	tcase_add_test(tc, one_thread_does_it_in_its_order);
	tcase_add_test(tc, the_loop_stays_while_work_is_under_way);
	tcase_add_loop_test(tc, one_run_of_the_loop_brings_it, 1, 4);
	tcase_add_test(tc, each_thread_does_some);
	tcase_add_test(tc, a_link_may_defer_more);
	tcase_add_test(tc, a_link_may_free_the_pool);
	tcase_add_test(tc, loops_may_share_a_pool);
	return threads_main(suite);
}
