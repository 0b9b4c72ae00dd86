/* SPDX-License-Identifier: MIT */
/* Calls from other threads: evdefer_base_call(). */
#include "deferreds.h"
#include "threads.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of each thread. */
#define CALLS 1000

/* What arrived in the loop. */
static struct log {
	int count;
	int wrong;  /* out of order, or in another thread */
	int wanted; /* the loop is left when so many have come; 0 for never */
	int last[THREADS];
	pthread_t thread;
} log_;

static void
expect_calls(int wanted)
{
	memset(&log_, 0, sizeof(log_));
	log_.wanted = wanted;
	log_.thread = pthread_self();
}

/* The argument is a number: of the thread, and of its call. */
static void *
numbered(int thread, int call)
{
	return (void *)(intptr_t)(thread * (2 * CALLS) + call);
}

static void
note_call(void *arg)
{
	const int number = (int)(intptr_t)arg;
	int *last = &log_.last[number / (2 * CALLS)];

	log_.wrong += number % (2 * CALLS) != *last + 1;
	log_.wrong += !pthread_equal(pthread_self(), log_.thread);
	*last = number % (2 * CALLS);
	if (++log_.count == log_.wanted)
		event_base_loopbreak(loop);
}

struct caller {
	int number;
	int count;
	int refused;
	struct gate *gate; /* before it begins; NULL for none */
};

static void *
call_in_thread(void *arg)
{
	struct caller *caller = arg;
	int i;

	if (caller->gate != NULL)
		gate_pass(caller->gate);
	for (i = 1; i <= caller->count; i++) {
		if (evdefer_base_call(
			base, note_call, numbered(caller->number, i)) == -1)
			caller->refused++;
	}
	return NULL;
}

/* As many as there may be, side by side. */
static void
start_callers(struct caller *callers, pthread_t *threads, int count)
{
	static struct gate gate;
	int i;

	gate.open = false;
	gate.arrived = 0;
	for (i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){i, count, 0, &gate};
		threads[i] = thread_start(call_in_thread, &callers[i]);
	}
	gate_await(&gate, THREADS);
	gate_open(&gate);
}

static void
join_callers(struct caller *callers, pthread_t *threads)
{
	int i;

	for (i = 0; i < THREADS; i++) {
		thread_join(threads[i]);
		ck_assert_int_eq(callers[i].refused, 0);
	}
}

/* _i: with an eventfd, or a pair of sockets. */
static void
use_channel(int i)
{
	support_free_base();
	fail_eventfd(i == 1 ? ENOSYS : 0);
	base = evdefer_base_new(loop);
	fail_eventfd(0);
	ck_assert_ptr_nonnull(base);
}

/* Looks for calls, and runs some of what is there. */
static void
turn_once(void)
{
	event_base_loop(
	    loop, EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY | EVLOOP_ONCE);
}

static void
call(int number)
{
	ck_assert_int_eq(
	    evdefer_base_call(base, note_call, numbered(0, number)), 0);
}

START_TEST(what_is_missing_is_refused)
{
	REFUSED(evdefer_base_call(NULL, note_call, NULL), EINVAL);
	REFUSED(evdefer_base_call(base, NULL, NULL), EINVAL);
}
END_TEST

START_TEST(a_call_runs_after_a_poll)
{
	use_channel(_i);
	expect_calls(0);
	call(1);
	ck_assert_int_eq(log_.count, 0);
	polls(1);
	ck_assert_int_eq(log_.count, 1);
	ck_assert_int_eq(log_.wrong, 0);
	polls(1);
	ck_assert_int_eq(log_.count, 1);
}
END_TEST

START_TEST(a_loop_that_waits_is_woken)
{
	struct caller caller = {0, CALLS, 0, NULL};
	pthread_t thread;

	use_channel(_i);
	expect_calls(CALLS);
	thread = thread_start(call_in_thread, &caller);
	run_until_break();
	thread_join(thread);
	ck_assert_int_eq(log_.count, CALLS);
	ck_assert_int_eq(log_.wrong, 0);
}
END_TEST

START_TEST(each_thread_has_its_order_and_nothing_is_lost)
{
	struct caller callers[THREADS];
	pthread_t threads[THREADS];

	use_channel(_i);
	expect_calls(THREADS * CALLS);
	start_callers(callers, threads, CALLS);
	run_until_break();
	join_callers(callers, threads);
	ck_assert_int_eq(log_.count, THREADS * CALLS);
	ck_assert_int_eq(log_.wrong, 0);
	/* One at least, and each is for calls that came after the last. */
	ck_assert_int_ge(writes, 1);
	ck_assert_int_le(writes, THREADS * CALLS);
}
END_TEST

static void
count_call(void *arg)
{
	++*(int *)arg;
}

START_TEST(one_write_is_enough_until_the_loop_looks)
{
	struct caller callers[THREADS];
	pthread_t threads[THREADS];
	int others = 0;

	use_channel(_i);
	expect_calls(0);
	writes = 0;
	start_callers(callers, threads, CALLS);
	join_callers(callers, threads);
	ck_assert_int_eq(writes, 1);
	/* It has looked, and has most of them still to run. */
	turn_once();
	ck_assert_int_gt(log_.count, 0);
	ck_assert_int_lt(log_.count, THREADS * CALLS);
	evdefer_base_call(base, count_call, &others);
	evdefer_base_call(base, count_call, &others);
	ck_assert_int_eq(writes, 2);
	polls(1);
	ck_assert_int_eq(log_.count, THREADS * CALLS);
	ck_assert_int_eq(log_.wrong, 0);
	ck_assert_int_eq(others, 2);
	ck_assert_int_eq(writes, 2);
}
END_TEST

/* A function that calls itself, so many times. */
static void
call_again(void *arg)
{
	int *left = arg;

	if (--*left > 0 && evdefer_base_call(base, call_again, left) == -1)
		*left = -1;
}

/* One poll runs it once. */
START_TEST(a_call_from_inside_of_one_waits_for_a_poll)
{
	int left = 3, i;

	ck_assert_int_eq(evdefer_base_call(base, call_again, &left), 0);
	for (i = 2; i >= 0; i--) {
		turn_once();
		ck_assert_int_eq(left, i);
	}
}
END_TEST

static void
fire(void *arg)
{
	evdeferred_callback(arg, &log_);
}

static void *
fire_from_thread(void *arg)
{
	evdefer_base_call(base, fire, arg);
	return NULL;
}

START_TEST(a_call_may_use_the_library)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	thread_join(thread_start(fire_from_thread, d));
	ck_assert_int_eq(seen.values, 0);
	polls(1);
	ck_assert_ptr_eq(seen.value, &log_);
	evdeferred_free(d);
}
END_TEST

static void
trace_call(void *arg)
{
	trace_add(arg);
}

static void
put_object(void *arg)
{
	evqueue_put(arg, evresult_value(NULL));
}

/* Here with an object for a get, which the loop delivers. */
START_TEST(calls_take_turns_with_what_else_is_ready)
{
	struct evqueue *queue = evqueue_new(base, 1, 1, 0);
	struct evdeferred *d = evqueue_get(queue);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(evdeferred_add_callback(d, trace_value, "o"), 0);
	ck_assert_int_eq(evdefer_base_call(base, put_object, queue), 0);
	ck_assert_int_eq(evdefer_base_call(base, trace_call, "1"), 0);
	ck_assert_int_eq(evdefer_base_call(base, trace_call, "2"), 0);
	polls(1);
	ck_assert_str_eq(trace, "1o2");
	evdeferred_free(d);
	evqueue_free(queue);
}
END_TEST

START_TEST(the_rest_runs_after_a_loopbreak)
{
	int i;

	expect_calls(2);
	for (i = 1; i <= 5; i++)
		call(i);
	polls(1);
	ck_assert_int_eq(log_.count, 2);
	polls(1);
	ck_assert_int_eq(log_.count, 5);
	ck_assert_int_eq(log_.wrong, 0);
}
END_TEST

/*
 * When the loop ends.
 */

START_TEST(the_loop_ends_when_nothing_is_due)
{
	use_channel(_i);
	ck_assert_int_eq(events(), 0);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	expect_calls(0);
	call(1);
	polls(1);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	ck_assert_int_eq(log_.count, 1);
}
END_TEST

/* A loop that has nothing else to wait for ends without a look. */
START_TEST(what_the_loop_has_not_seen_is_not_lost)
{
	expect_calls(0);
	call(1);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	call(2);
	polls(1);
	ck_assert_int_eq(log_.count, 2);
	call(3);
	support_free_base();
	ck_assert_int_eq(log_.count, 3);
	ck_assert_int_eq(log_.wrong, 0);
}
END_TEST

static int timer_runs;

/* The first time, it calls ten times, and is set again: that is seen in the same poll
 * as the calls, and the loop has nothing else. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = {0, 0};
	struct event **timer = arg;
	int i;

	(void)fd;
	(void)what;
	if (++timer_runs == 2)
		return;
	for (i = 1; i <= 10; i++)
		call(i);
	ck_assert_int_eq(event_add(*timer, &now), 0);
}

START_TEST(the_loop_runs_what_came_before_its_last_poll)
{
	struct event *timer = evtimer_new(loop, on_timer, &timer);

	ck_assert_ptr_nonnull(timer);
	expect_calls(0);
	timer_runs = 0;
	event_active(timer, EV_TIMEOUT, 1);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	ck_assert_int_eq(timer_runs, 2);
	ck_assert_int_eq(log_.count, 10);
	event_free(timer);
}
END_TEST

/* Its event is not to have a priority that is there no more. */
START_TEST(priorities_may_become_fewer)
{
	support_free_base();
	event_base_free(loop);
	loop = support_new_loop();
	ck_assert_int_eq(event_base_priority_init(loop, 64), 0);
	base = evdefer_base_new(loop);
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(event_base_priority_init(loop, 1), 0);
	expect_calls(0);
	call(1);
	polls(1);
	ck_assert_int_eq(log_.count, 1);
}
END_TEST

/*
 * The end of the base.
 */

START_TEST(free_runs_what_was_accepted)
{
	struct caller callers[THREADS];
	pthread_t threads[THREADS];

	use_channel(_i);
	expect_calls(0);
	start_callers(callers, threads, CALLS);
	join_callers(callers, threads);
	support_free_base();
	ck_assert_int_eq(log_.count, THREADS * CALLS);
	ck_assert_int_eq(log_.wrong, 0);
}
END_TEST

/* Some are in the loop by now, and some are not. */
START_TEST(free_runs_them_in_their_order)
{
	int i;

	expect_calls(0);
	for (i = 1; i <= CALLS; i++)
		call(i);
	turn_once();
	ck_assert_int_lt(log_.count, CALLS);
	call(CALLS + 1);
	support_free_base();
	ck_assert_int_eq(log_.count, CALLS + 1);
	ck_assert_int_eq(log_.wrong, 0);
}
END_TEST

struct closing {
	int again; /* what a call gave then, and its errno */
	int code;
};

static void
close_base(void *arg)
{
	struct closing *closing = arg;
	struct evdefer_base *b = base;

	base = NULL;
	evdefer_base_free(b);
	errno = 0;
	closing->again = evdefer_base_call(b, note_call, NULL);
	closing->code = errno;
}

START_TEST(free_from_inside_a_call)
{
	struct closing closing = {0};
	int i;

	use_channel(_i);
	expect_calls(0);
	for (i = 1; i <= 5; i++)
		call(i);
	ck_assert_int_eq(evdefer_base_call(base, close_base, &closing), 0);
	for (i = 6; i <= CALLS; i++)
		call(i);
	turn_once();
	ck_assert_ptr_null(base);
	ck_assert_int_eq(log_.count, CALLS);
	ck_assert_int_eq(log_.wrong, 0);
	ck_assert_int_eq(closing.again, -1);
	ck_assert_int_eq(closing.code, ESHUTDOWN);
}
END_TEST

static struct evresult
close_base_in_callback(void *value, void *arg)
{
	(void)value;
	close_base(arg);
	return evresult_value(NULL);
}

START_TEST(free_from_inside_a_callback)
{
	struct closing closing = {0};
	struct evdeferred *d = fresh();

	expect_calls(0);
	evdeferred_add_callback(d, close_base_in_callback, &closing);
	call(1);
	call(2);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(log_.count, 2);
	ck_assert_int_eq(closing.code, ESHUTDOWN);
	evdeferred_free(d);
}
END_TEST

static void
try_call(void *arg)
{
	struct closing *closing = arg;

	errno = 0;
	closing->again = evdefer_base_call(base, note_call, NULL);
	closing->code = errno;
}

static void *
try_call_in_thread(void *arg)
{
	try_call(arg);
	return NULL;
}

START_TEST(a_base_that_is_closed_accepts_no_more)
{
	struct evdeferred *d = fresh();
	struct closing inside = {0}, after = {0};
	struct evdefer_base *b = base;

	expect_calls(0);
	ck_assert_int_eq(evdefer_base_call(base, try_call, &inside), 0);
	evdefer_base_free(base);
	ck_assert_int_eq(inside.again, -1);
	ck_assert_int_eq(inside.code, ESHUTDOWN);
	thread_join(thread_start(try_call_in_thread, &after));
	ck_assert_int_eq(after.again, -1);
	ck_assert_int_eq(after.code, ESHUTDOWN);
	REFUSED(evdefer_base_call(b, note_call, NULL), ESHUTDOWN);
	ck_assert_int_eq(log_.count, 0);
	base = NULL;
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

static struct gate writing;

static void
note_writes(void *arg)
{
	*(int *)arg = writes;
}

static void *
call_note_writes(void *arg)
{
	evdefer_base_call(base, note_writes, arg);
	return NULL;
}

/* Lets it write once that thread has nothing left to do but to wait. */
static void *
let_write(void *number)
{
	thread_await_sleep(*(long *)number);
	gate_open(&writing);
	return NULL;
}

/* What a thread has accepted from it may run when that thread is through with the
 * descriptor, and not before: it may be gone then. */
START_TEST(free_waits_for_a_wake_up_that_is_under_way)
{
	long number = thread_number();
	int seen = -1;
	pthread_t thread, other;

	writes = 0;
	writing = (struct gate){0};
	write_gate = &writing;
	thread = thread_start(call_note_writes, &seen);
	gate_await(&writing, 1);
	other = thread_start(let_write, &number);
	support_free_base();
	ck_assert_int_eq(seen, 1);
	thread_join(other);
	thread_join(thread);
	write_gate = NULL;
}
END_TEST

/* Nobody else would wake the loop. */
START_TEST(a_thread_is_not_cancelled_before_its_wake_up)
{
	expect_calls(0);
	writes = cancellable_writes = 0;
	call(1);
	ck_assert_int_eq(writes, 1);
	ck_assert_int_eq(cancellable_writes, 0);
	ck_assert(may_be_cancelled());
}
END_TEST

START_TEST(an_interrupted_wake_up_is_made_again)
{
	expect_calls(1);
	writes = 0;
	fail_write(EINTR);
	call(1);
	ck_assert_int_eq(writes, 2);
	run_until_break();
	ck_assert_int_eq(log_.count, 1);
}
END_TEST

/* That it is full says that the loop is about to look. */
START_TEST(a_wake_up_that_fails_is_no_failure)
{
	expect_calls(0);
	writes = 0;
	fail_write(EAGAIN);
	call(1);
	call(2);
	ck_assert_int_eq(writes, 1);
	support_free_base();
	ck_assert_int_eq(log_.count, 2);
}
END_TEST

/*
 * Another process.
 */

/* All that a daemon does with a base that was made before it went into the background.
 * What went wrong, or 0. */
static int
go_on_as_child(void)
{
	struct caller caller = {0, CALLS, 0, NULL};
	pthread_t thread;

	if (event_reinit(loop) != 0)
		return 1;
	expect_calls(CALLS);
	thread = thread_start(call_in_thread, &caller);
	run_until_break();
	thread_join(thread);
	if (log_.count != CALLS || log_.wrong != 0 || caller.refused != 0)
		return 2;
	support_free_base();
	event_base_free(loop);
	return 0;
}

/* The parent does nothing meanwhile. */
START_TEST(a_child_may_go_on_with_a_base)
{
	int status = -1;
	pid_t child;

	use_channel(_i);
	child = fork();
	ck_assert_int_ne(child, -1);
	if (child == 0)
		_exit(go_on_as_child());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* How many descriptors block, or would be there for a program that is executed now. */
static int
wrong_descriptors(void)
{
	int fd, count = 0;

	for (fd = 0; fd < 256; fd++) {
		count += fcntl(fd, F_GETFD) == 0;
		count += fcntl(fd, F_GETFD) != -1 &&
			 (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
	}
	return count;
}

START_TEST(its_descriptors_are_not_inherited_and_do_not_block)
{
	int before, wrong;

	support_free_base();
	before = descriptors();
	wrong = wrong_descriptors();
	fail_eventfd(_i == 1 ? ENOSYS : 0);
	base = evdefer_base_new(loop);
	fail_eventfd(0);
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(descriptors(), before + 1 + _i);
	ck_assert_int_eq(wrong_descriptors(), wrong);
}
END_TEST

/* One that shares the descriptor may take a wake-up, or give one. */
START_TEST(a_wake_up_for_nothing_does_no_harm)
{
	const uint64_t one = 1;
	int fd;

	support_free_base();
	fd = dup(STDIN_FILENO);
	close(fd);
	base = evdefer_base_new(loop);
	ck_assert_ptr_nonnull(base);
	expect_calls(0);
	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
	polls(1);
	call(1);
	polls(1);
	call(2);
	polls(1);
	ck_assert_int_eq(log_.count, 2);
	ck_assert_int_eq(log_.wrong, 0);
}
END_TEST

/*
 * What runs out.
 */

START_TEST(a_call_without_memory_is_enomem)
{
	int code, result;

	if (!alloc_works())
		return;
	expect_calls(0);
	alloc_fail_at(1, true);
	errno = 0;
	result = evdefer_base_call(base, note_call, NULL);
	code = errno;
	alloc_fail_at(0, false);
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(code, ENOMEM);
	polls(1);
	ck_assert_int_eq(log_.count, 0);
	call(1);
	polls(1);
	ck_assert_int_eq(log_.count, 1);
}
END_TEST

static void
call_round(void)
{
	int i;

	log_.last[0] = 0;
	for (i = 1; i <= 100; i++)
		evdefer_base_call(base, note_call, numbered(0, i));
	polls(1);
}

START_TEST(steady_state_allocates_nothing)
{
	size_t calls;
	int i;

	use_channel(_i);
	expect_calls(0);
	call_round();
	calls = alloc_calls();
	for (i = 0; i < 100; i++)
		call_round();
	calls = alloc_calls() - calls;
	ck_assert_int_eq(log_.count, 10100);
	ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(new_without_memory_leaves_nothing)
{
	const long live = alloc_live();
	struct event_base *own = support_new_loop();
	const int before = descriptors();
	const int objects = thread_objects();
	struct evdefer_base *b = NULL;
	size_t n;
	int code;

	fail_eventfd(_i == 1 ? ENOSYS : 0);
	for (n = 1; n < 100; n++) {
		alloc_fail_at(n, false);
		errno = 0;
		b = evdefer_base_new(own);
		code = errno;
		alloc_fail_at(0, false);
		if (b != NULL)
			break;
		ck_assert_int_eq(code, ENOMEM);
		ck_assert_int_eq(descriptors(), before);
	}
	fail_eventfd(0);
	ck_assert_ptr_nonnull(b);
	ck_assert(!alloc_failed());
	if (alloc_works())
		ck_assert_uint_gt(n, 4);
	evdefer_base_free(b);
	ck_assert_int_eq(descriptors(), before);
	ck_assert_int_eq(thread_objects(), objects);
	event_base_free(own);
	ck_assert_int_eq(alloc_live(), live);
}
END_TEST

START_TEST(new_without_a_descriptor_is_its_error)
{
	const int code = _i == 0 ? EMFILE : ENFILE;
	const long live = alloc_live();

	fail_eventfd(code);
	fail_socketpair(code);
	REFUSED_NULL(evdefer_base_new(loop), code);
	fail_eventfd(0);
	fail_socketpair(0);
	ck_assert_int_eq(alloc_live(), live);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("call");
	TCase *tc = add_case(suite, "call");

	tcase_add_test(tc, what_is_missing_is_refused);
	tcase_add_loop_test(tc, a_call_runs_after_a_poll, 0, 2);
	tcase_add_loop_test(tc, a_loop_that_waits_is_woken, 0, 2);
	tcase_add_loop_test(
	    tc, each_thread_has_its_order_and_nothing_is_lost, 0, 2);
	tcase_add_loop_test(tc, one_write_is_enough_until_the_loop_looks, 0, 2);
	tcase_add_test(tc, a_call_from_inside_of_one_waits_for_a_poll);
	tcase_add_test(tc, a_call_may_use_the_library);
	tcase_add_test(tc, calls_take_turns_with_what_else_is_ready);
	tcase_add_test(tc, the_rest_runs_after_a_loopbreak);

	tc = add_case(suite, "end of the loop");
	tcase_add_loop_test(tc, the_loop_ends_when_nothing_is_due, 0, 2);
	tcase_add_test(tc, what_the_loop_has_not_seen_is_not_lost);
	tcase_add_test(tc, the_loop_runs_what_came_before_its_last_poll);
	tcase_add_test(tc, priorities_may_become_fewer);

	tc = add_case(suite, "end of the base");
	tcase_add_loop_test(tc, free_runs_what_was_accepted, 0, 2);
	tcase_add_test(tc, free_runs_them_in_their_order);
	tcase_add_loop_test(tc, free_from_inside_a_call, 0, 2);
	tcase_add_test(tc, free_from_inside_a_callback);
	tcase_add_test(tc, a_base_that_is_closed_accepts_no_more);
	tcase_add_test(tc, free_waits_for_a_wake_up_that_is_under_way);
	tcase_add_test(tc, a_thread_is_not_cancelled_before_its_wake_up);
	tcase_add_test(tc, an_interrupted_wake_up_is_made_again);
	tcase_add_test(tc, a_wake_up_that_fails_is_no_failure);

	tc = add_case(suite, "another process");
	tcase_add_loop_test(tc, a_child_may_go_on_with_a_base, 0, 2);
	tcase_add_loop_test(
	    tc, its_descriptors_are_not_inherited_and_do_not_block, 0, 2);
	tcase_add_test(tc, a_wake_up_for_nothing_does_no_harm);

	tc = add_case(suite, "what runs out");
	tcase_add_test(tc, a_call_without_memory_is_enomem);
	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, new_without_memory_leaves_nothing, 0, 2);
	tcase_add_loop_test(tc, new_without_a_descriptor_is_its_error, 0, 2);
	return threads_main(suite);
}
