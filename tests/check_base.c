/* SPDX-License-Identifier: MIT */
/* evdefer/base.h: the loop, the reports and the memory of a base. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(new_refuses_no_event_base)
{
	REFUSED_NULL(evdefer_base_new(NULL), EINVAL);
}
END_TEST

START_TEST(free_takes_null)
{
	evdefer_base_free(NULL);
}
END_TEST

START_TEST(no_base_is_refused)
{
	ck_assert_ptr_null(evdefer_base_get_event_base(NULL));
	evdefer_base_set_thread(NULL);
	evdefer_base_set_unhandled(NULL, NULL, NULL);
	REFUSED(evdefer_base_reserve(NULL, 1, 1), EINVAL);
}
END_TEST

START_TEST(event_base_is_the_one_given)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evdefer_base *freed = base;

	ck_assert_ptr_nonnull(d);
	ck_assert_ptr_eq(evdefer_base_get_event_base(base), loop);
	support_free_base();
	/* d keeps the memory. */
	ck_assert_ptr_null(evdefer_base_get_event_base(freed));
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(new_without_memory_is_enomem)
{
	struct evdefer_base *b = NULL;
	size_t n;
	int code;

	for (n = 1; b == NULL && n < 100; n++) {
		long live = alloc_live();

		alloc_fail_at(n, true);
		errno = 0;
		b = evdefer_base_new(loop);
		code = errno;
		alloc_fail_at(0, false);
		if (b == NULL) {
			ck_assert_int_eq(code, ENOMEM);
			ck_assert_int_eq(alloc_live(), live);
		}
	}
	ck_assert_ptr_nonnull(b);
	if (alloc_works())
		ck_assert_uint_gt(n, 2);
	evdefer_base_free(b);
}
END_TEST

START_TEST(dispatch_returns_when_nothing_is_left)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d;
	struct seen seen = {0};

	ck_assert_int_eq(events(), 0);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	d = evrwlock_writer_acquire(lock);
	see(d, &seen);
	ck_assert_int_ge(events(), 1);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	ck_assert_ptr_eq(seen.value, lock);
	ck_assert_int_eq(events(), 0);
	evdeferred_free(d);
	evrwlock_writer_release(lock);
	evrwlock_free(lock);
}
END_TEST

/* Reports. */

static char logged[2048];

static void
note_log(int severity, const char *text)
{
	(void)severity;
	snprintf(logged, sizeof(logged), "%s", text);
}

START_TEST(default_handler_writes_libevents_log)
{
	struct evdeferred *d;
	char place[64];
	int line;

	event_set_log_callback(note_log);
	evdefer_base_set_unhandled(base, NULL, &report);
	line = __LINE__ + 1;
	d = evdeferred_fail(base, EIO, "disk %%s");
	evdeferred_free(d);
	event_set_log_callback(NULL);
	snprintf(place, sizeof(place), "%d", line);
	ck_assert_ptr_nonnull(strstr(logged, "disk %s"));
	ck_assert_ptr_nonnull(strstr(logged, __FILE__));
	ck_assert_ptr_nonnull(strstr(logged, place));
	snprintf(place, sizeof(place), "%d", EIO);
	ck_assert_ptr_nonnull(strstr(logged, place));
	ck_assert_int_eq(report.count, 0);
}
END_TEST

START_TEST(new_base_has_the_default_handler)
{
	struct evdefer_base *b = evdefer_base_new(loop);

	event_set_log_callback(note_log);
	evdeferred_free(evdeferred_new_fired(b, evresult_fail(EIO, "plain")));
	event_set_log_callback(NULL);
	ck_assert_ptr_nonnull(strstr(logged, "plain"));
	evdefer_base_free(b);
}
END_TEST

static void
use_library(const struct evfailure *failure, void *arg)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	(void)failure;
	evdeferred_add_callback(d, trace_value, "h");
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	/* Makes one more report while this one is made, but no endless row
	 * of them. */
	if (++*(int *)arg < 3)
		evdeferred_free(
		    evdeferred_new_fired(base, evresult_fail(EIO, "again")));
}

START_TEST(handler_may_use_the_library)
{
	int count = 0;

	evdefer_base_set_unhandled(base, use_library, &count);
	evdeferred_free(evdeferred_new_fired(base, evresult_fail(EIO, "x")));
	ck_assert_int_eq(count, 3);
	ck_assert_str_eq(trace, "hhh");
}
END_TEST

START_TEST(handler_is_called_after_the_base_was_freed)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	support_free_base();
	evdeferred_errback(d, EIO, "late");
	evdeferred_free(d);
	report_take(EIO);
}
END_TEST

/* Memory. */

enum { DEFERREDS = 3000, LINKS = 9000 };

static void
use_up(void)
{
	static struct evdeferred *all[DEFERREDS];
	int i;

	for (i = 0; i < DEFERREDS; i++)
		all[i] = evdeferred_new(base, NULL, NULL);
	for (i = 0; i < LINKS; i++)
		evdeferred_add_both(all[i % DEFERREDS], trace_both, "");
	for (i = 0; i < DEFERREDS; i++) {
		evdeferred_callback(all[i], NULL);
		evdeferred_free(all[i]);
	}
}

START_TEST(reserved_memory_is_enough)
{
	size_t calls;

	ck_assert_int_eq(evdefer_base_reserve(base, DEFERREDS, LINKS), 0);
	calls = alloc_calls();
	use_up();
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
	/* What is free already is counted. */
	calls = alloc_calls();
	evdefer_base_reserve(base, DEFERREDS, LINKS);
	evdefer_base_reserve(base, 0, 0);
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(reserve_is_for_what_comes_next)
{
	struct evdeferred *d;
	size_t calls, i;

	/* Those that are in use are not counted as free. */
	d = evdeferred_new(base, NULL, NULL);
	for (i = 0; i < 10; i++)
		evdeferred_add_both(d, trace_both, "");
	evdefer_base_reserve(base, DEFERREDS, LINKS);
	calls = alloc_calls();
	use_up();
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

/* Where each object is an allocation, there are no blocks. */
#ifndef EVPOOL_ONE_BY_ONE
START_TEST(memory_comes_in_ever_larger_blocks)
{
	static struct evdeferred *all[10000];
	const size_t n = sizeof(all) / sizeof(all[0]);
	size_t calls, i;

	if (!alloc_works())
		return;
	calls = alloc_calls();
	for (i = 0; i < n; i++)
		all[i] = evdeferred_new(base, NULL, NULL);
	calls = alloc_calls() - calls;
	ck_assert_uint_le(calls, n / 400);
	for (i = 0; i < n; i++) {
		evdeferred_callback(all[i], NULL);
		evdeferred_free(all[i]);
	}
}
END_TEST
#endif

START_TEST(reserve_of_too_much_is_enomem)
{
	const size_t size = 8 * sizeof(void *); /* of a Deferred, on 64 bits */
	const size_t most[] = {
	    SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / size, SIZE_MAX / size - 1};
	size_t deferreds = _i % 2 == 0 ? most[_i / 2] : 0;
	size_t links = _i % 2 == 1 ? most[_i / 2] : 0;
	struct evdeferred *d;

	/* Valgrind calls such an amount an error. */
	if (!alloc_works())
		return;
	REFUSED(evdefer_base_reserve(base, deferreds, links), ENOMEM);
	d = evdeferred_new(base, NULL, NULL);
	ck_assert_ptr_nonnull(d);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

/* So many that the size of all of them, in pages of 2 KiB, overflows a size_t to 0,
 * however many fit into a page.  Fewer are not tried: on 32 bits they might be
 * had. */
START_TEST(reserve_of_what_cannot_be_counted_is_enomem)
{
	const size_t pages = SIZE_MAX / 2048 + 1;
	const size_t least = 5 * sizeof(void *); /* that one of them takes */
	size_t in_page;

	if (!alloc_works())
		return;
	for (in_page = 1024 / least + 1; in_page <= 128; in_page++) {
		ck_assert_int_eq(
		    evdefer_base_reserve(base, pages * in_page, 0), -1);
		ck_assert_int_eq(
		    evdefer_base_reserve(base, 0, pages * in_page), -1);
	}
}
END_TEST

START_TEST(reserve_without_memory_is_enomem)
{
	int n, r, code;

	if (!alloc_works())
		return;
	for (n = 1; n <= 2; n++) {
		alloc_fail_at((size_t)n, false);
		errno = 0;
		r = evdefer_base_reserve(
		    base, (size_t)n * 10000, (size_t)n * 10000);
		code = errno;
		alloc_fail_at(0, false);
		ck_assert_int_eq(r, -1);
		ck_assert_int_eq(code, ENOMEM);
	}
	ck_assert_int_eq(evdefer_base_reserve(base, 10, 10), 0);
}
END_TEST

/* The end of a base. */

static struct evresult
release_read(void *value, void *arg)
{
	see_value(value, arg);
	evrwlock_reader_release(value);
	return evresult_value(NULL);
}

START_TEST(free_delivers_what_is_ready)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d[3];
	struct seen seen = {0};
	int i;

	for (i = 0; i < 3; i++) {
		d[i] = evrwlock_reader_acquire(lock);
		see(d[i], &seen);
	}
	ck_assert_int_eq(seen.values, 0);
	support_free_base();
	ck_assert_int_eq(seen.values, 3);
	for (i = 0; i < 3; i++) {
		evdeferred_free(d[i]);
		ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	}
	evrwlock_free(lock);
}
END_TEST

/* The release inside the first delivery makes the others, which must not be
 * made again. */
START_TEST(free_delivers_to_readers_that_release_at_once)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d[3];
	struct seen seen = {0};
	int i;

	for (i = 0; i < 3; i++) {
		d[i] = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d[i], release_read, &seen);
	}
	support_free_base();
	ck_assert_int_eq(seen.values, 3);
	ck_assert(!evrwlock_is_reading(lock));
	for (i = 0; i < 3; i++)
		evdeferred_free(d[i]);
	evrwlock_free(lock);
}
END_TEST

static int readers_left;

static struct evresult
release_last_closes(void *value, void *arg)
{
	if (--readers_left == 0)
		evrwlock_free(value);
	return release_read(value, arg);
}

START_TEST(free_delivers_to_readers_the_last_of_which_closes)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d[3];
	struct seen seen = {0};

	for (readers_left = 0; readers_left < 3; readers_left++) {
		d[readers_left] = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(
		    d[readers_left], release_last_closes, &seen);
	}
	support_free_base();
	ck_assert_int_eq(seen.values, 3);
	while (readers_left < 3)
		evdeferred_free(d[readers_left++]);
}
END_TEST

START_TEST(free_drops_timeouts)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct timeval second = {1, 0};
	struct seen seen = {0};

	evdeferred_add_timeout(d, &second);
	see(d, &seen);
	support_free_base();
	ck_assert_int_eq(events(), 0);
	clock_advance(2000);
	turns(2);
	ck_assert_int_eq(seen.failures, 0);
	REFUSED(evdeferred_add_timeout(d, &second), ESHUTDOWN);
	ck_assert_int_eq(evdeferred_callback(d, &seen), 0);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(free_leaves_locks_to_finish)
{
	const unsigned flags = _i == 0 ? 0 : EVRWLOCK_FAST;
	struct evrwlock *lock = evrwlock_new(base, flags);
	struct evdeferred *d, *late;
	struct seen seen = {0}, refused = {0};
	struct evdefer_base *freed = base;

	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	d = evrwlock_reader_acquire(lock);
	see(d, &seen);
	support_free_base();
	ck_assert_int_eq(seen.values + seen.failures, 0);
	REFUSED(evrwlock_reader_try(lock), ESHUTDOWN);
	REFUSED_NULL(evrwlock_new(freed, flags), ESHUTDOWN);
	late = evrwlock_writer_acquire(lock);
	see(late, &refused);
	ck_assert_int_eq(refused.code, ESHUTDOWN);
	evdeferred_free(late);
	/* At once, as there is no loop any more. */
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	ck_assert_ptr_eq(seen.value, lock);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	evdeferred_free(d);
	evrwlock_free(lock);
}
END_TEST

START_TEST(free_leaves_waiting_deferreds_to_finish)
{
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_deferred(inner));
	struct seen seen = {0};

	see(d, &seen);
	support_free_base();
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

START_TEST(free_leaves_a_lock_alone_to_be_closed)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d;
	struct seen seen = {0};

	evrwlock_writer_try(lock);
	d = evrwlock_reader_acquire(lock);
	see(d, &seen);
	support_free_base();
	evrwlock_free(lock);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}
END_TEST

static struct evresult
free_base_here(void *value, void *arg)
{
	(void)arg;
	trace_add("b");
	support_free_base();
	return evresult_value(value);
}

START_TEST(free_inside_a_delivery)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d = evrwlock_reader_acquire(lock);
	struct evdeferred *e = evrwlock_reader_acquire(lock);
	struct seen first = {0}, second = {0};

	evdeferred_add_callback(d, free_base_here, NULL);
	see(d, &first);
	see(e, &second);
	turns(4);
	ck_assert_str_eq(trace, "b");
	ck_assert_int_eq(first.values, 1);
	ck_assert_int_eq(second.values, 1);
	ck_assert_int_eq(events(), 0);
	evdeferred_free(d);
	evdeferred_free(e);
	evrwlock_reader_release(lock);
	evrwlock_reader_release(lock);
	evrwlock_free(lock);
}
END_TEST

static struct evresult
free_base_on_failure(struct evfailure *failure, void *arg)
{
	(void)failure;
	return free_base_here(NULL, arg);
}

START_TEST(free_inside_a_timeout)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct timeval second = {1, 0};

	evdeferred_add_timeout(d, &second);
	evdeferred_add_errback(d, free_base_on_failure, NULL);
	clock_advance(1100);
	turns(2);
	ck_assert_str_eq(trace, "b");
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(two_bases_may_share_a_loop)
{
	struct evdefer_base *second = evdefer_base_new(loop);
	struct evrwlock *lock = evrwlock_new(second, 0);
	struct evdeferred *d = evrwlock_writer_acquire(lock);
	struct seen seen = {0};

	support_free_base();
	see(d, &seen);
	turns(2);
	ck_assert_ptr_eq(seen.value, lock);
	evdeferred_free(d);
	evrwlock_writer_release(lock);
	evrwlock_free(lock);
	evdefer_base_free(second);
}
END_TEST

/* Threads. */

static struct evdefer_base *made_elsewhere;

static void *
make_base(void *arg)
{
	made_elsewhere = evdefer_base_new(arg);
	return NULL;
}

static void
make_in_thread(void)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, make_base, loop), 0);
	pthread_join(thread, NULL);
}

/* The first thread of a process leaves memory behind, which is none of ours. */
static void *
do_nothing(void *arg)
{
	return arg;
}

static void
warm_threads_up(void)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, do_nothing, NULL), 0);
	pthread_join(thread, NULL);
}

START_TEST(base_may_move_to_another_thread)
{
	struct evdeferred *d;

	make_in_thread();
	evdefer_base_set_thread(made_elsewhere);
	d = evdeferred_new(made_elsewhere, NULL, NULL);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	evdefer_base_free(made_elsewhere);
}
END_TEST

#ifdef EVDEFER_DEBUG
START_TEST(debug_build_aborts_on_a_foreign_thread)
{
	make_in_thread();
	evdeferred_new(made_elsewhere, NULL, NULL);
}
END_TEST
#endif

/* Fairness: what else is on the loop is served between two batches. */

struct fair {
	size_t delivered;
	size_t since_poll; /* deliveries since the timer or the socket ran */
	size_t most;
	size_t timer_runs;
	size_t socket_runs;
	struct event *timer;
	struct event *socket;
	struct evrwlock *lock;
};

static struct evresult
count_delivery(void *value, void *arg)
{
	struct fair *fair = arg;

	(void)value;
	fair->delivered++;
	if (++fair->since_poll > fair->most)
		fair->most = fair->since_poll;
	evrwlock_reader_release(fair->lock);
	return evresult_value(NULL);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct fair *fair = arg;

	(void)fd;
	(void)what;
	fair->timer_runs++;
	if (fair->delivered < support_scale()) {
		struct timeval now = {0, 0};

		evtimer_add(fair->timer, &now);
	}
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct fair *fair = arg;

	(void)fd;
	(void)what;
	/* It stays readable, so it runs once after each poll. */
	fair->since_poll = 0;
	fair->socket_runs++;
	if (fair->delivered >= support_scale())
		event_del(fair->socket);
}

START_TEST(million_ready_waiters_let_the_loop_poll)
{
	size_t i, scale = support_scale();
	struct timeval now = {0, 0};
	struct fair fair = {0};
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	fair.lock = evrwlock_new(base, 0);
	for (i = 0; i < scale; i++) {
		struct evdeferred *d = evrwlock_reader_acquire(fair.lock);

		if (evdeferred_add_callback(d, count_delivery, &fair) == -1)
			ck_abort_msg("no memory for %zu", i);
		evdeferred_detach(d);
	}
	fair.timer = evtimer_new(loop, on_timer, &fair);
	fair.socket =
	    event_new(loop, pair[0], EV_READ | EV_PERSIST, on_socket, &fair);
	ck_assert_ptr_nonnull(fair.timer);
	ck_assert_ptr_nonnull(fair.socket);
	ck_assert_int_eq(evtimer_add(fair.timer, &now), 0);
	ck_assert_int_eq(event_add(fair.socket, NULL), 0);
	event_base_dispatch(loop);
	ck_assert_uint_eq(fair.delivered, scale);
	ck_assert_uint_le(fair.most, EVDEFER_BASE_BATCH);
	ck_assert_uint_ge(fair.socket_runs, scale / EVDEFER_BASE_BATCH);
	ck_assert_uint_ge(fair.timer_runs, scale / EVDEFER_BASE_BATCH / 2);
	event_free(fair.timer);
	event_free(fair.socket);
	evrwlock_free(fair.lock);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* Re-acquires for ever, until a timer says stop. */
struct eternal {
	struct evrwlock *lock;
	bool stop;
	size_t rounds;
	size_t waiting;
};

static void acquire_again(struct eternal *eternal);

static struct evresult
go_round(void *value, void *arg)
{
	struct eternal *eternal = arg;

	(void)value;
	eternal->rounds++;
	eternal->waiting--;
	if (!eternal->stop)
		acquire_again(eternal);
	evrwlock_writer_release(eternal->lock);
	return evresult_value(NULL);
}

static void
acquire_again(struct eternal *eternal)
{
	struct evdeferred *d = evrwlock_writer_acquire(eternal->lock);

	eternal->waiting++;
	evdeferred_add_callback(d, go_round, eternal);
	evdeferred_detach(d);
}

static void
start_eternal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	acquire_again(arg);
}

static void
stop_eternal(evutil_socket_t fd, short what, void *arg)
{
	struct eternal *eternal = arg;

	(void)fd;
	(void)what;
	eternal->stop = true;
}

static void
once(event_callback_fn function, struct eternal *eternal)
{
	const struct timeval now = {0, 0};

	ck_assert_int_eq(
	    event_base_once(loop, -1, EV_TIMEOUT, function, eternal, &now), 0);
}

START_TEST(acquiring_for_ever_lets_the_loop_poll)
{
	const unsigned flags = _i % 2 == 0 ? 0 : EVRWLOCK_FAST;
	struct eternal eternal = {0};

	eternal.lock = evrwlock_new(base, flags);
	once(start_eternal, &eternal);
	once(stop_eternal, &eternal);
	/* A second acquire, so that the lock is handed over and never free. */
	if (_i / 2 == 1)
		once(start_eternal, &eternal);
	event_base_dispatch(loop);
	ck_assert(eternal.stop);
	ck_assert_uint_eq(eternal.waiting, 0);
	ck_assert_uint_gt(eternal.rounds, 0);
	ck_assert(!evrwlock_is_writing(eternal.lock));
	evrwlock_free(eternal.lock);
}
END_TEST

/* Whoever gets the safe lock ends the rounds of the other one. */
static struct evresult
stop_rounds(void *lock, void *arg)
{
	struct eternal *eternal = arg;

	evrwlock_reader_release(lock);
	eternal->stop = true;
	return evresult_value(NULL);
}

START_TEST(fast_lock_acquired_for_ever_lets_a_safe_one_be_granted)
{
	struct evrwlock *safe = evrwlock_new(base, 0);
	struct eternal eternal = {0};
	struct evdeferred *d = evrwlock_reader_acquire(safe);

	eternal.lock = evrwlock_new(base, EVRWLOCK_FAST);
	ck_assert_int_eq(evdeferred_add_callback(d, stop_rounds, &eternal), 0);
	once(start_eternal, &eternal);
	/* Without the safe grant this would go on for ever. */
	event_base_dispatch(loop);
	ck_assert(eternal.stop);
	evdeferred_free(d);
	evrwlock_free(safe);
	evrwlock_free(eternal.lock);
}
END_TEST

#define ROW 40

struct row {
	struct evdeferred *deferreds[ROW];
	size_t ran;
	size_t grants;
};

static struct evresult
fire_next(void *value, void *arg)
{
	struct row *row = arg;

	(void)value;
	if (++row->ran < ROW)
		evdeferred_callback(row->deferreds[row->ran], NULL);
	return evresult_value(NULL);
}

static struct evresult
free_base_at_last(void *lock, void *arg)
{
	struct row *row = arg;

	evrwlock_reader_release(lock);
	if (++row->grants == EVDEFER_BASE_BATCH) {
		support_free_base();
		evdeferred_callback(row->deferreds[0], NULL);
	}
	return evresult_value(NULL);
}

START_TEST(base_freed_by_the_last_of_a_batch_loses_no_delivery)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct row row = {.ran = 0};
	struct evdeferred *d;

	for (size_t i = 0; i < ROW; i++) {
		row.deferreds[i] = evdeferred_new(base, NULL, NULL);
		evdeferred_add_callback(row.deferreds[i], fire_next, &row);
	}
	for (size_t i = 0; i < EVDEFER_BASE_BATCH; i++) {
		d = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d, free_base_at_last, &row);
		evdeferred_detach(d);
	}
	event_base_dispatch(loop);
	ck_assert_uint_eq(row.grants, EVDEFER_BASE_BATCH);
	ck_assert_uint_eq(row.ran, ROW);
	for (size_t i = 0; i < ROW; i++)
		evdeferred_free(row.deferreds[i]);
	evrwlock_free(lock);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("base");
	TCase *tc = add_case(suite, "base");

	tcase_add_test(tc, new_refuses_no_event_base);
	tcase_add_test(tc, no_base_is_refused);
	tcase_add_test(tc, free_takes_null);
	tcase_add_test(tc, event_base_is_the_one_given);
	tcase_add_test(tc, new_without_memory_is_enomem);
	tcase_add_test(tc, dispatch_returns_when_nothing_is_left);
	tcase_add_test(tc, two_bases_may_share_a_loop);

	tc = add_case(suite, "reports");
	tcase_add_test(tc, default_handler_writes_libevents_log);
	tcase_add_test(tc, new_base_has_the_default_handler);
	tcase_add_test(tc, handler_may_use_the_library);
	tcase_add_test(tc, handler_is_called_after_the_base_was_freed);

	tc = add_case(suite, "memory");
	tcase_add_test(tc, reserved_memory_is_enough);
	tcase_add_test(tc, reserve_is_for_what_comes_next);
#ifndef EVPOOL_ONE_BY_ONE
	tcase_add_test(tc, memory_comes_in_ever_larger_blocks);
#endif
	tcase_add_loop_test(tc, reserve_of_too_much_is_enomem, 0, 8);
	tcase_add_test(tc, reserve_of_what_cannot_be_counted_is_enomem);
	tcase_add_test(tc, reserve_without_memory_is_enomem);

	tc = add_case(suite, "end");
	tcase_add_test(tc, free_delivers_what_is_ready);
	tcase_add_test(tc, free_delivers_to_readers_that_release_at_once);
	tcase_add_test(tc, free_delivers_to_readers_the_last_of_which_closes);
	tcase_add_test(tc, free_drops_timeouts);
	tcase_add_loop_test(tc, free_leaves_locks_to_finish, 0, 2);
	tcase_add_test(tc, free_leaves_waiting_deferreds_to_finish);
	tcase_add_test(tc, free_leaves_a_lock_alone_to_be_closed);
	tcase_add_test(tc, free_inside_a_delivery);
	tcase_add_test(tc, free_inside_a_timeout);

	tc = tcase_create("threads");
	tcase_add_checked_fixture(tc, warm_threads_up, NULL);
	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, base_may_move_to_another_thread);
	suite_add_tcase(suite, tc);
#ifdef EVDEFER_DEBUG
	tc = tcase_create("foreign threads");
	tcase_add_checked_fixture(tc, support_setup, NULL);
	tcase_add_test_raise_signal(
	    tc, debug_build_aborts_on_a_foreign_thread, 6);
	suite_add_tcase(suite, tc);
#endif

	tc = add_case(suite, "fairness");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, million_ready_waiters_let_the_loop_poll);
	tcase_add_loop_test(tc, acquiring_for_ever_lets_the_loop_poll, 0, 4);
	tcase_add_test(
	    tc, fast_lock_acquired_for_ever_lets_a_safe_one_be_granted);
	tcase_add_test(tc, base_freed_by_the_last_of_a_batch_loses_no_delivery);

	return support_main(suite);
}
