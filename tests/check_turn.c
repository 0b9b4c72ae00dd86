/* SPDX-License-Identifier: MIT */
/* What one turn of the loop may take, whatever it is for. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

/* As deep as deliveries nest on the stack: what the last one that is counted may
 * add, and what runs before the first one has to wait. */
#define DEEP 16

static struct evrwlock *lock;
static size_t delivered;

static struct evresult
leave(void *value, void *arg)
{
	(void)arg;
	delivered++;
	evrwlock_reader_release(value);
	return evresult_value(NULL);
}

static void
start(struct evdeferred *acquired, evdeferred_callback_fn callback)
{
	ck_assert_int_eq(evdeferred_add_callback(acquired, callback, NULL), 0);
	evdeferred_detach(acquired);
}

static void
start_readers(size_t count, evdeferred_callback_fn callback)
{
	delivered = 0;
	while (count-- > 0)
		start(evrwlock_reader_acquire(lock), callback);
}

static struct evresult
leave_and_break(void *value, void *arg)
{
	if (delivered == 9)
		event_base_loopbreak(loop);
	return leave(value, arg);
}

START_TEST(loopbreak_ends_the_turn)
{
	lock = evrwlock_new(base, 0);
	start_readers(1000, leave_and_break);
	event_base_dispatch(loop);
	ck_assert_uint_eq(delivered, 10);
	event_base_dispatch(loop);
	ck_assert_uint_eq(delivered, 1000);
	ck_assert(!evrwlock_is_reading(lock));
	evrwlock_free(lock);
}
END_TEST

static struct evresult
leave_slowly(void *value, void *arg)
{
	clock_advance(1);
	return leave(value, arg);
}

START_TEST(callbacks_that_take_long_end_the_turn)
{
	size_t i;

	lock = evrwlock_new(base, 0);
	start_readers(20, leave_slowly);
	for (i = 2; i <= 20; i += 2) {
		turns(1);
		ck_assert_uint_eq(delivered, i);
	}
	evrwlock_free(lock);
}
END_TEST

/* The look at the clock is not so rare that one slow callback among quick ones is
 * followed by many. */
static struct evresult
leave_slowly_once(void *value, void *arg)
{
	if (delivered == 100)
		clock_advance(1);
	return leave(value, arg);
}

START_TEST(callback_that_takes_long_ends_the_turn_soon)
{
	lock = evrwlock_new(base, 0);
	start_readers(256, leave_slowly_once);
	turns(1);
	ck_assert_uint_gt(delivered, 100);
	ck_assert_uint_le(delivered, 110);
	turns(1);
	ck_assert_uint_eq(delivered, 256);
	evrwlock_free(lock);
}
END_TEST

/* Two by two, deeper than the stack may be. */
static struct evdeferred *tower[2000];

static struct evresult
fire_next(void *value, void *arg)
{
	struct evdeferred **next = arg;

	(void)value;
	delivered++;
	if (*next != NULL)
		evdeferred_callback(*next, NULL);
	return evresult_value(NULL);
}

static void
build_tower(size_t height)
{
	size_t i;

	ck_assert_uint_lt(height, 2000);
	delivered = 0;
	for (i = 0; i < height; i++) {
		tower[i] = evdeferred_new(base, NULL, NULL);
		evdeferred_add_callback(tower[i], fire_next, &tower[i + 1]);
	}
	tower[height] = NULL;
}

static void
free_tower(void)
{
	size_t i;

	for (i = 0; tower[i] != NULL; i++)
		evdeferred_free(tower[i]);
}

START_TEST(what_a_call_causes_runs_before_it_returns)
{
	build_tower(EVDEFER_BASE_BATCH);
	/* This holds however busy the machine is. */
	evdeferred_callback(tower[0], NULL);
	ck_assert_uint_eq(delivered, EVDEFER_BASE_BATCH);
	free_tower();
}
END_TEST

static struct evresult
take_long(void *value, void *arg)
{
	clock_advance(100);
	(void)arg;
	return evresult_value(value);
}

START_TEST(what_a_call_causes_does_not_depend_on_the_time)
{
	size_t i;

	build_tower(100);
	for (i = 0; i < 100; i++)
		evdeferred_add_callback(tower[i], take_long, NULL);
	evdeferred_callback(tower[0], NULL);
	ck_assert_uint_eq(delivered, 100);
	free_tower();
}
END_TEST

START_TEST(what_a_call_causes_beyond_a_batch_is_left_to_the_loop)
{
	build_tower(1999);
	evdeferred_callback(tower[0], NULL);
	ck_assert_uint_ge(delivered, EVDEFER_BASE_BATCH);
	ck_assert_uint_le(delivered, EVDEFER_BASE_BATCH + 2 * DEEP);
	turns(1);
	ck_assert_uint_le(delivered, 2 * EVDEFER_BASE_BATCH + 3 * DEEP);
	event_base_dispatch(loop);
	ck_assert_uint_eq(delivered, 1999);
	free_tower();
}
END_TEST

START_TEST(what_was_left_to_the_loop_runs_when_the_base_goes)
{
	build_tower(1999);
	evdeferred_callback(tower[0], NULL);
	ck_assert_uint_lt(delivered, 1999);
	support_free_base();
	ck_assert_uint_eq(delivered, 1999);
	free_tower();
}
END_TEST

START_TEST(nothing_is_left_to_the_loop_when_the_base_is_gone)
{
	build_tower(1999);
	support_free_base();
	evdeferred_callback(tower[0], NULL);
	ck_assert_uint_eq(delivered, 1999);
	free_tower();
}
END_TEST

static struct evresult
break_loop(void *value, void *arg)
{
	(void)arg;
	event_base_loopbreak(loop);
	return evresult_value(value);
}

static void
fire_tower(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	evdeferred_callback(tower[0], NULL);
}

START_TEST(loopbreak_leaves_what_a_call_causes_to_the_loop)
{
	const struct timeval now = {0, 0};

	build_tower(200);
	evdeferred_add_callback(tower[100], break_loop, NULL);
	event_base_once(loop, -1, EV_TIMEOUT, fire_tower, NULL, &now);
	event_base_dispatch(loop);
	ck_assert_uint_ge(delivered, 100);
	ck_assert_uint_le(delivered, 100 + DEEP);
	event_base_dispatch(loop);
	ck_assert_uint_eq(delivered, 200);
	free_tower();
}
END_TEST

static void
break_and_fire_tower(evutil_socket_t fd, short what, void *arg)
{
	event_base_loopbreak(loop);
	fire_tower(fd, what, arg);
	/* The break was there before: the call is whole. */
	ck_assert_uint_eq(delivered, 200);
}

START_TEST(call_after_a_loopbreak_runs_what_it_causes)
{
	const struct timeval now = {0, 0};

	build_tower(200);
	event_base_once(loop, -1, EV_TIMEOUT, break_and_fire_tower, NULL, &now);
	event_base_dispatch(loop);
	ck_assert_uint_eq(delivered, 200);
	free_tower();
}
END_TEST

/* Readers that re-acquire a fast lock for ever. */
static bool stop;

static struct evresult
acquire_again(void *value, void *arg)
{
	leave(value, arg);
	if (!stop)
		start(evrwlock_reader_acquire(lock), acquire_again);
	return evresult_value(NULL);
}

enum { READERS = 8 };

static void
start_for_ever(void)
{
	stop = false;
	lock = evrwlock_new(base, EVRWLOCK_FAST);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	start_readers(READERS, acquire_again);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}

START_TEST(release_to_readers_that_reacquire_for_ever_is_one_call)
{
	start_for_ever();
	ck_assert_uint_gt(delivered, READERS);
	ck_assert_uint_le(delivered, EVDEFER_BASE_BATCH + DEEP * READERS);
	stop = true;
	event_base_dispatch(loop);
	evrwlock_free(lock);
}
END_TEST

/* A request that has nothing to do with the lock. */
struct requests {
	struct event *event;
	int count;
	size_t before; /* what was delivered before this one */
	size_t most;   /* between two of them */
	size_t inside; /* of them */
};

static struct evresult
answer(void *value, void *arg)
{
	struct requests *r = arg;

	(void)value;
	r->count++;
	return evresult_value(NULL);
}

static void
serve(evutil_socket_t fd, short what, void *arg)
{
	struct requests *r = arg;
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	const size_t begin = delivered;

	(void)fd;
	(void)what;
	if (begin - r->before > r->most)
		r->most = begin - r->before;
	evdeferred_add_callback(d, answer, r);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	r->inside += delivered - begin;
	r->before = delivered;
	if (r->count == 1000) {
		stop = true;
		event_del(r->event);
	}
}

START_TEST(readers_that_reacquire_for_ever_do_not_hold_up_others)
{
	struct requests r = {0};
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	start_for_ever();
	/* It stays readable, so there is a request after each poll. */
	r.event = event_new(loop, pair[0], EV_READ | EV_PERSIST, serve, &r);
	r.before = delivered;
	ck_assert_ptr_nonnull(r.event);
	ck_assert_int_eq(event_add(r.event, NULL), 0);
	event_base_dispatch(loop);
	ck_assert_int_eq(r.count, 1000);
	ck_assert_uint_eq(r.inside, 0);
	ck_assert_uint_gt(r.most, 0);
	ck_assert_uint_le(r.most, EVDEFER_BASE_BATCH + DEEP);
	event_free(r.event);
	evrwlock_free(lock);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* Priorities. */

static struct evmutex *mutex;

static struct evresult
pass_on(void *value, void *arg)
{
	delivered++;
	if (!stop && delivered < 100000)
		start(evmutex_acquire(value, NULL), pass_on);
	(void)arg;
	evmutex_release(value, NULL);
	return evresult_value(NULL);
}

static void
stop_passing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	stop = true;
}

/* How many rounds go by before an event of the default priority runs. */
static size_t
rounds_before_an_event(void)
{
	struct event *event;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	event = event_new(loop, pair[0], EV_READ, stop_passing, NULL);
	ck_assert_ptr_nonnull(event);
	ck_assert_int_eq(event_add(event, NULL), 0);
	stop = false;
	delivered = 0;
	mutex = evmutex_new(base, 0);
	start(evmutex_acquire(mutex, NULL), pass_on);
	start(evmutex_acquire(mutex, NULL), pass_on);
	event_base_dispatch(loop);
	event_free(event);
	evmutex_free(mutex);
	close(pair[0]);
	close(pair[1]);
	return delivered;
}

START_TEST(priorities_that_are_set_up_later_starve_nobody)
{
	ck_assert_int_eq(event_base_priority_init(loop, 3), 0);
	ck_assert_uint_lt(rounds_before_an_event(), 1000);
}
END_TEST

START_TEST(turns_have_the_priority_that_was_set)
{
	ck_assert_int_eq(event_base_priority_init(loop, 3), 0);
	ck_assert_int_eq(evdefer_base_set_priority(base, 0), 0);
	ck_assert_uint_ge(rounds_before_an_event(), 100000);
	ck_assert_int_eq(evdefer_base_set_priority(base, 2), 0);
	ck_assert_uint_lt(rounds_before_an_event(), 1000);
	/* Fewer than there were: the last one. */
	ck_assert_int_eq(event_base_priority_init(loop, 2), 0);
	ck_assert_uint_lt(rounds_before_an_event(), 1000);
}
END_TEST

/* Another event of the same pass, in which the turn's is active already. */
static void
set_and_ask(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ck_assert_int_eq(evdefer_base_set_priority(base, 0), 0);
	start(evrwlock_reader_acquire(arg), leave);
}

START_TEST(priority_that_is_set_while_the_turn_is_active_comes_to_be)
{
	const struct timeval ten = {0, 10000};
	struct event *event;

	ck_assert_int_eq(event_base_priority_init(loop, 3), 0);
	lock = evrwlock_new(base, 0);
	event = evtimer_new(loop, set_and_ask, lock);
	ck_assert_ptr_nonnull(event);
	ck_assert_int_eq(event_add(event, &ten), 0);
	evdeferred_detach(evdeferred_later(base, &ten, NULL, NULL));
	clock_advance(10);
	event_base_dispatch(loop);
	ck_assert_uint_ge(rounds_before_an_event(), 100000);
	event_free(event);
	evrwlock_free(lock);
}
END_TEST

static int
refused(struct evdefer_base *b, int priority)
{
	errno = 0;
	ck_assert_int_eq(evdefer_base_set_priority(b, priority), -1);
	return errno;
}

START_TEST(priority_that_does_not_exist_is_refused)
{
	struct evrwlock *holder = evrwlock_new(base, 0);
	struct evdefer_base *closed = base;

	ck_assert_int_eq(event_base_priority_init(loop, 3), 0);
	ck_assert_int_eq(refused(NULL, 0), EINVAL);
	ck_assert_int_eq(refused(base, -1), EINVAL);
	ck_assert_int_eq(refused(base, 3), EINVAL);
	/* What keeps the memory of the base. */
	ck_assert_int_eq(evrwlock_reader_try(holder), 0);
	support_free_base();
	ck_assert_int_eq(refused(closed, 0), ESHUTDOWN);
	evrwlock_reader_release(holder);
	evrwlock_free(holder);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("turn");
	TCase *tc = add_case(suite, "turn");

	tcase_add_test(tc, loopbreak_ends_the_turn);
	tcase_add_test(tc, callbacks_that_take_long_end_the_turn);
	tcase_add_test(tc, callback_that_takes_long_ends_the_turn_soon);
	tcase_add_test(tc, what_a_call_causes_runs_before_it_returns);
	tcase_add_test(tc, what_a_call_causes_does_not_depend_on_the_time);
	tcase_add_test(
	    tc, what_a_call_causes_beyond_a_batch_is_left_to_the_loop);
	tcase_add_test(tc, what_was_left_to_the_loop_runs_when_the_base_goes);
	tcase_add_test(tc, nothing_is_left_to_the_loop_when_the_base_is_gone);
	tcase_add_test(tc, loopbreak_leaves_what_a_call_causes_to_the_loop);
	tcase_add_test(tc, call_after_a_loopbreak_runs_what_it_causes);
	tcase_add_test(
	    tc, release_to_readers_that_reacquire_for_ever_is_one_call);
	tcase_add_test(
	    tc, readers_that_reacquire_for_ever_do_not_hold_up_others);
	tcase_add_test(tc, priorities_that_are_set_up_later_starve_nobody);
	tcase_add_test(tc, turns_have_the_priority_that_was_set);
	tcase_add_test(
	    tc, priority_that_is_set_while_the_turn_is_active_comes_to_be);
	tcase_add_test(tc, priority_that_does_not_exist_is_refused);
	return support_main(suite);
}
