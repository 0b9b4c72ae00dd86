/* SPDX-License-Identifier: MIT */
/* Work in other threads: evthreadpool_defer(). */
#include "deferreds.h"
#include "threads.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct evthreadpool *pool;

static void
make_pool(unsigned threads)
{
	pool = evthreadpool_new(threads);
	ck_assert_ptr_nonnull(pool);
}

static void
free_pool(void)
{
	evthreadpool_free(pool);
	pool = NULL;
}

/* Another loop with so many priorities, and a base that nothing was done with. */
static void
new_base(int priorities)
{
	support_free_base();
	event_base_free(loop);
	loop = support_new_loop();
	ck_assert_int_eq(event_base_priority_init(loop, priorities), 0);
	base = evdefer_base_new(loop);
	ck_assert_ptr_nonnull(base);
}

/* Some work, and what became of it. */
struct work {
	struct evresult result; /* what it is to return */
	struct gate *gate;	/* that it passes; NULL for none */
	volatile bool done;
	pthread_t thread; /* that has done it */
	int order;	  /* which it was, from 1 on */
	struct evdeferred *d;
	struct seen seen;
};

/* How much was done. */
static atomic_int done_count;

static struct evresult
do_work(void *arg)
{
	struct work *work = arg;

	work->thread = pthread_self();
	if (work->gate != NULL)
		gate_pass(work->gate);
	work->done = true;
	work->order = ++done_count;
	return work->result;
}

static void
begin_unseen(struct work *work, struct gate *gate, struct evresult result)
{
	memset(work, 0, sizeof(*work));
	work->gate = gate;
	work->result = result;
	work->d = evthreadpool_defer(pool, base, do_work, work);
	ck_assert_ptr_nonnull(work->d);
}

static void
begin_work(struct work *work, struct gate *gate, struct evresult result)
{
	begin_unseen(work, gate, result);
	see(work->d, &work->seen);
}

/* The first is at work, and held there; the others wait. */
static void
begin_many(struct work *work, int count, struct gate *gate)
{
	int i;

	done_count = 0;
	for (i = 0; i < count; i++)
		begin_work(
		    &work[i], i == 0 ? gate : NULL, evresult_value(&work[i]));
	gate_await(gate, 1);
}

static void
free_many(struct work *work, int count)
{
	while (count-- > 0)
		evdeferred_free(work[count].d);
}

static struct evresult
return_null(void *arg)
{
	(void)arg;
	return evresult_value(NULL);
}

/* A value that is freed in the thread of the base, once. */
static pthread_t free_thread;
static int free_count;

static void
note_free(void *value)
{
	(void)value;
	free_thread = pthread_self();
	free_count++;
}

static struct evresult
noting(void)
{
	free_count = 0;
	return evresult_owned(&free_count, note_free);
}

static void
freed_here(int count)
{
	ck_assert_int_eq(free_count, count);
	if (count > 0)
		ck_assert(pthread_equal(free_thread, pthread_self()));
}

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

	tc = add_case(suite, "cancelling");
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
