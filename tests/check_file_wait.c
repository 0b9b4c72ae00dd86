/* SPDX-License-Identifier: MIT */
/* Locks on files: waits that end early, that are called off, that the system refuses. */
#include "files.h"
#include "shortage.h"
#include "threads.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ EVRWLOCK_READ
#define WRITE EVRWLOCK_WRITE

/*
 * Leaving.
 */

/* _i / 2: how. */
START_TEST(only_writer_that_gives_up_lets_readers_in)
{
	struct waiter p[4];

	make_files(_i);
	want_at(0, &p[0], READ);
	look_all();
	want_at(1, &p[1], WRITE);
	want_at(1, &p[2], READ);
	want_at(2, &p[3], READ);
	look_until_blocked(2);
	ck_assert_int_eq(p[2].ended + p[3].ended, 0);
	give_up(&p[1], _i / 2);
	look(1);
	ck_assert_int_eq(p[2].granted, 1);
	await_end(2, &p[3]);
	ck_assert_int_eq(p[3].granted, 1);
	await_threads(0);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_int_eq(release_at(2, READ), 0);
	free_waiters(p, 4);
	free_files();
}
END_TEST

START_TEST(wait_may_time_out)
{
	const struct timeval three = {3, 0};
	struct waiter p[2];

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], mode_of(_i / 2));
	ck_assert_int_eq(evdeferred_add_timeout(p[0].d, &three), 0);
	look_until_blocked(1);
	clock_advance(5000);
	await_end(1, &p[0]);
	ck_assert_int_eq(p[0].failed, ECANCELED);
	ck_assert_int_eq(locks_waited_for(), 0);
	await_threads(0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	ck_assert_int_eq(evrwlock_writer_try(sites[2].lock), 0);
	ck_assert_int_eq(release_at(2, WRITE), 0);
	free_waiters(p, 1);
	free_files();
}
END_TEST

START_TEST(timeout_that_was_not_needed_does_no_harm)
{
	const struct timeval three = {3, 0};
	struct waiter p;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p, WRITE);
	ck_assert_int_eq(evdeferred_add_timeout(p.d, &three), 0);
	look_until_blocked(1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	await_end(1, &p);
	clock_advance(5000);
	look_all();
	ck_assert_int_eq(p.granted, 1);
	ck_assert_int_eq(p.failed, 0);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

/* Once its loop has looked, and before that, when there is no thread to be ended. */
START_TEST(wait_that_is_cancelled_leaves_nothing)
{
	struct waiter p[2];

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], mode_of(_i / 2));
	evdeferred_cancel(p[0].d);
	ck_assert_int_eq(p[0].failed, ECANCELED);
	ck_assert_int_eq(locks_held(), 2);
	look_all();
	await_threads(0);
	want_at(1, &p[1], mode_of(_i / 2));
	look_until_blocked(1);
	await_threads(1);
	evdeferred_cancel(p[1].d);
	ck_assert_int_eq(p[1].failed, ECANCELED);
	await_threads(0);
	ck_assert_int_eq(locks_held(), 2);
	ck_assert_int_eq(locks_waited_for(), 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(p, 2);
	free_files();
}
END_TEST

/* The thread has it, and its loop has not looked yet. */
START_TEST(grant_that_was_not_looked_for_can_be_cancelled)
{
	struct waiter p;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p, mode_of(_i / 2));
	look_until_blocked(1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	while (is_free(F_WRLCK, BYTE_LOCK))
		continue;
	evdeferred_cancel(p.d);
	ck_assert_int_eq(locks_held(), 0);
	look_all();
	ck_assert_int_eq(p.granted, 0);
	ck_assert_int_eq(p.ended, 1);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

/* One that comes in the meantime finds it there. */
START_TEST(grant_that_was_not_looked_for_is_seen_by_others)
{
	struct waiter p[2];

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], READ);
	look_until_blocked(1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	while (is_free(F_WRLCK, BYTE_LOCK))
		continue;
	want_at(1, &p[1], READ);
	await_end(1, &p[0]);
	await_end(1, &p[1]);
	ck_assert_int_eq(p[0].granted + p[1].granted, 2);
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	free_waiters(p, 2);
	free_files();
}
END_TEST

/* The thread goes on to wait for something else. */
START_TEST(wait_to_read_turns_into_one_to_write)
{
	struct waiter p[2];

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], READ);
	look_until_blocked(1);
	want_at(1, &p[1], WRITE);
	look_until_blocked(1);
	await_threads(1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	await_end(1, &p[1]);
	ck_assert_int_eq(p[0].ended, 0);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	look(1);
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(release_at(1, READ), 0);
	free_waiters(p, 2);
	free_files();
}
END_TEST

START_TEST(close_fails_waiters_and_lets_others_in)
{
	struct waiter p[3];

	make_files(_i);
	want_at(0, &p[0], READ);
	look_all();
	want_at(1, &p[1], WRITE);
	want_at(2, &p[2], READ);
	look_until_blocked(2);
	evrwlock_free(sites[1].lock);
	sites[1].lock = NULL;
	ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	await_end(2, &p[2]);
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_int_eq(release_at(2, READ), 0);
	free_waiters(p, 3);
	free_files();
}
END_TEST

/* A message to its loop is under way: there is a thread to start, or one is over. */
START_TEST(lock_with_a_message_under_way_may_be_freed)
{
	struct waiter p;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p, mode_of(_i / 2));
	if (_i >= 4) {
		look_until_blocked(1);
		ck_assert_int_eq(release_at(0, WRITE), 0);
		while (is_free(F_WRLCK, BYTE_LOCK))
			continue;
	}
	evrwlock_free(sites[1].lock);
	sites[1].lock = NULL;
	ck_assert_int_eq(p.failed, ESHUTDOWN);
	ck_assert_int_eq(locks_held(), _i >= 4 ? 0 : 2);
	look(1);
	if (_i < 4)
		ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

START_TEST(base_that_is_closed_fails_its_waiters_and_keeps_its_holders)
{
	struct waiter p[4];

	make_files(_i);
	want_at(1, &p[0], READ);
	look_all();
	want_at(2, &p[1], WRITE);
	want_at(1, &p[2], READ);
	want_at(0, &p[3], READ);
	look_until_blocked(3);
	evdefer_base_free(sites[2].base);
	sites[2].base = NULL;
	ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	await_end(0, &p[3]);
	await_end(1, &p[2]);
	ck_assert_int_eq(p[2].granted + p[3].granted, 2);
	evdefer_base_free(sites[1].base);
	sites[1].base = NULL;
	ck_assert_int_eq(release_at(0, READ), 0);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert_int_eq(release_at(1, READ), 0);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(p, 4);
	free_files();
}
END_TEST

START_TEST(loop_stays_while_another_holds_what_it_waits_for)
{
	struct waiter p[1];

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	ck_assert_int_eq(event_base_loop(sites[1].loop, EVLOOP_NONBLOCK), 1);
	want_at(1, &p[0], READ);
	ck_assert_int_eq(event_base_loop(sites[1].loop, EVLOOP_NONBLOCK), 0);
	await_blocked(1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	/* Returns when there is nothing left to wait for. */
	ck_assert_int_eq(event_base_dispatch(sites[1].loop), 1);
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(release_at(1, READ), 0);
	free_waiters(p, 1);
	free_files();
}
END_TEST

/*
 * Others that do as they like with the file.
 */

/* A reader that has waited passes at WRITERS, which it has alone for that moment. */
START_TEST(writer_that_comes_when_a_reader_passes_waits_for_that_alone)
{
	struct waiter p[2];
	int fd;

	make_files(_i);
	want_at(0, &p[0], READ);
	look_all();
	fd = hold_byte(F_WRLCK, BYTE_WRITERS, 1);
	/* Other readers come and go meanwhile. */
	ck_assert_int_eq(evrwlock_reader_try(sites[1].lock), 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	want_at(0, &p[1], WRITE);
	look_until_blocked(1);
	close(fd);
	while (is_free(F_WRLCK, BYTE_WRITERS))
		continue;
	REFUSED(evrwlock_reader_try(sites[1].lock), EBUSY);
	look_all();
	await_threads(0);
	ck_assert_int_eq(p[1].ended, 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	await_end(0, &p[1]);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(p, 2);
	free_files();
}
END_TEST

/* The readers beside it leave while it waits for that; and it gives up meanwhile. */
START_TEST(writer_waits_for_a_reader_that_passes)
{
	struct waiter p[2];
	int fd;

	make_files(_i);
	want_at(0, &p[0], READ);
	look_all();
	fd = hold_byte(F_WRLCK, BYTE_WRITERS, 1);
	want_at(0, &p[1], WRITE);
	look_until_blocked(1);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert(is_free(F_WRLCK, BYTE_LOCK));
	if (_i < 2) {
		close(fd);
		await_end(0, &p[1]);
		ck_assert_int_eq(release_at(0, WRITE), 0);
	} else {
		evdeferred_cancel(p[1].d);
		close(fd);
	}
	ck_assert_int_eq(locks_held(), 0);
	free_waiters(p, 2);
	free_files();
}
END_TEST

/* Somebody has LOCK that has not taken WRITERS. */
START_TEST(reader_waits_for_a_writer_that_has_not_said_so)
{
	struct waiter p[3];
	int fd;

	make_files(_i);
	fd = hold_byte(F_WRLCK, BYTE_LOCK, 1);
	want_at(0, &p[0], READ);
	want_at(0, &p[1], READ);
	look_until_blocked(1);
	/* It goes on to wait if one of them leaves, and ends with the last. */
	evdeferred_cancel(p[0].d);
	await_blocked(1);
	if (_i < 2) {
		close(fd);
		await_end(0, &p[1]);
		ck_assert_int_eq(p[1].granted, 1);
		ck_assert_int_eq(release_at(0, READ), 0);
	} else {
		evdeferred_cancel(p[1].d);
		ck_assert_int_eq(locks_waited_for(), 0);
		ck_assert_int_eq(locks_held(), 1);
		close(fd);
	}
	free_waiters(p, 2);
	free_files();
}
END_TEST

/* It stands at each of the three, and is called off there. */
START_TEST(wait_to_write_is_called_off_anywhere)
{
	struct waiter p;
	int fd;

	make_files(_i);
	fd = hold_byte(F_WRLCK, _i / 2, 1);
	want_at(0, &p, WRITE);
	look_until_blocked(1);
	evdeferred_cancel(p.d);
	ck_assert_int_eq(locks_held(), 1);
	ck_assert_int_eq(locks_waited_for(), 0);
	close(fd);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

static struct gate held;

static void
open_held(void)
{
	gate_open(&held);
}

/* And between them, where it waits for nothing. */
START_TEST(wait_to_write_is_called_off_in_between)
{
	struct waiter p;

	make_files(_i);
	held = (struct gate){0};
	wait_gate = &held;
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p, WRITE);
	look(1);
	gate_await(&held, 1);
	before_kill = open_held;
	evdeferred_cancel(p.d);
	before_kill = NULL;
	wait_gate = NULL;
	ck_assert_int_eq(held.arrived, 1);
	ck_assert_int_eq(locks_held(), 2);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

/*
 * What the system refuses.
 */

START_TEST(wait_without_a_thread_fails_those_that_wait)
{
	struct waiter p[4];

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], READ);
	want_at(1, &p[1], WRITE);
	fail_thread(1);
	look_all();
	fail_thread(0);
	ck_assert_int_eq(p[0].failed, EAGAIN);
	ck_assert_int_eq(p[1].failed, EAGAIN);
	ck_assert_ptr_nonnull(strstr(p[0].message, path));
	ck_assert_int_eq(locks_held(), 2);
	/* It works again once there is one. */
	want_at(1, &p[2], READ);
	look_until_blocked(1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	await_end(1, &p[2]);
	/* Who is inside stays. */
	ck_assert_int_eq(evrwlock_reader_try(sites[0].lock), 0);
	want_at(1, &p[3], WRITE);
	ck_assert_int_eq(release_at(1, READ), 0);
	fail_thread(1);
	look_all();
	fail_thread(0);
	ck_assert_int_eq(p[3].failed, EAGAIN);
	ck_assert_int_eq(release_at(0, READ), 0);
	free_waiters(p, 4);
	free_files();
}
END_TEST

/* How often an acquire that fails was tried again, and how often that may be. */
static int again, at_most;

static struct evresult
try_again(struct evfailure *failure, void *arg)
{
	struct evdeferred *d;

	(void)failure;
	(void)arg;
	if (++again == at_most)
		return evresult_value(NULL);
	d = evrwlock_writer_acquire(sites[1].lock);
	if (d == NULL || evdeferred_add_errback(d, try_again, NULL) == -1)
		again = at_most + 1;
	evdeferred_detach(d);
	return evresult_value(NULL);
}

/* One that fails may ask again at once, and for ever: the loop goes on. */
START_TEST(who_fails_and_asks_again_does_not_hold_up_the_loop)
{
	struct evdeferred *d;

	make_files(_i);
	again = 0;
	at_most = 50;
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	d = evrwlock_writer_acquire(sites[1].lock);
	ck_assert_int_eq(evdeferred_add_errback(d, try_again, NULL), 0);
	evdeferred_detach(d);
	fail_fcntl(F_OFD_SETLKW, ENOLCK);
	while (again < at_most) {
		const int before = again;

		event_base_loop(
		    sites[1].loop, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
		ck_assert_int_le(again, before + 2);
	}
	fail_fcntl(0, 0);
	ck_assert_int_eq(again, at_most);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_files();
}
END_TEST

START_TEST(wait_that_the_system_ends_fails_those_that_wait)
{
	struct waiter p[3];

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], mode_of(_i / 2));
	want_at(1, &p[1], mode_of(_i / 2));
	fail_fcntl(F_OFD_SETLKW, ENOLCK);
	look(1);
	await_end(1, &p[0]);
	await_end(1, &p[1]);
	fail_fcntl(0, 0);
	ck_assert_int_eq(p[0].failed, ENOLCK);
	ck_assert_int_eq(p[1].failed, ENOLCK);
	ck_assert_ptr_nonnull(strstr(p[0].message, strerror(ENOLCK)));
	ck_assert_int_eq(locks_held(), 2);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(p, 2);
	free_files();
}
END_TEST

/* What it tries first fails, and so does the wait, if that is what is wrong. */
START_TEST(system_without_locks_left_is_told)
{
	struct waiter p;

	make_files(_i);
	fail_fcntl(_i < 2 ? F_OFD_SETLK : F_OFD_GETLK, ENOLCK);
	if (_i < 2) {
		REFUSED(evrwlock_reader_try(sites[0].lock), EBUSY);
		REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	}
	want_at(0, &p, READ);
	await_end(0, &p);
	fail_fcntl(0, 0);
	ck_assert_int_eq(p.granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

/* _i / 2: which of its acquires has no memory. */
/* Where it is free, and where it would wait. */
START_TEST(acquire_without_memory_gives_back_what_it_has_asked_for)
{
	make_files(_i);
	if (_i >= 2)
		ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	NULL_WITHOUT_MEMORY(evrwlock_writer_acquire(sites[1].lock));
	NULL_WITHOUT_MEMORY(evrwlock_reader_acquire(sites[1].lock));
	ck_assert_int_eq(locks_held(), _i >= 2 ? 2 : 0);
	if (_i >= 2)
		ck_assert_int_eq(release_at(0, WRITE), 0);
	look_all();
	free_files();
}
END_TEST

static struct evresult
count_and_release(void *lock, void *arg)
{
	int *count = arg;

	*count += evrwlock_is_writing(lock)
		      ? evrwlock_writer_release(lock) == 0
		      : evrwlock_reader_release(lock) == 0;
	return evresult_value(NULL);
}

static int
file_round(void)
{
	struct evdeferred *d[2];
	int k, count = 0;

	for (k = 0; k < 2; k++) {
		d[k] = acquire_by_name(sites[0].lock, mode_of(k));
		evdeferred_add_callback(d[k], count_and_release, &count);
		look(0);
		evdeferred_free(d[k]);
	}
	return count;
}

START_TEST(steady_state_allocates_nothing)
{
	make_files(_i);
	check_steady_state(file_round, 2);
	free_files();
}
END_TEST

/*
 * The signal.
 */

static volatile atomic_int signals;

static void
count_signal(int number)
{
	(void)number;
	signals++;
}

static void
set_action(void (*handler)(int), int flags)
{
	const struct sigaction action = {
	    .sa_handler = handler, .sa_flags = flags};

	ck_assert_int_eq(sigaction(SIGURG, &action, NULL), 0);
}

static void
check_action(void (*handler)(int))
{
	struct sigaction action;

	ck_assert_int_eq(sigaction(SIGURG, NULL, &action), 0);
	ck_assert(action.sa_handler == handler);
}

/* One wait that is called off. */
static void
call_off(void)
{
	struct waiter p;

	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p, WRITE);
	look_until_blocked(1);
	evdeferred_cancel(p.d);
	ck_assert_int_eq(locks_waited_for(), 0);
	await_threads(0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(&p, 1);
}

START_TEST(action_of_the_program_is_left_alone)
{
	sigset_t blocked, now;

	make_files(0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGURG);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	call_off();
	check_action(SIG_DFL);
	set_action(SIG_IGN, 0);
	call_off();
	check_action(SIG_IGN);
	signals = 0;
	set_action(count_signal, 0);
	call_off();
	check_action(count_signal);
	ck_assert_int_gt(signals, 0);
	/* The wait would go on after it. */
	signals = 0;
	set_action(count_signal, SA_RESTART);
	call_off();
	check_action(count_signal);
	ck_assert_int_gt(signals, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	ck_assert_int_eq(sigismember(&now, SIGURG), 1);
	ck_assert_int_eq(sigismember(&now, SIGTERM), 0);
	free_files();
}
END_TEST

static void
take_signal(void)
{
	signals++;
	set_action(count_signal, 0);
}

/* Another thread sets one in that very moment. */
START_TEST(action_that_comes_in_between_stays)
{
	make_files(0);
	before_kill = take_signal;
	signals = 0;
	call_off();
	before_kill = NULL;
	check_action(count_signal);
	ck_assert_int_gt(signals, 1);
	free_files();
}
END_TEST

static void
lose_signal(void)
{
	signals++;
}

START_TEST(signal_that_is_lost_is_sent_again)
{
	make_files(0);
	signals = 0;
	instead_of_kill = lose_signal;
	call_off();
	ck_assert_int_eq(signals, 1);
	check_action(SIG_DFL);
	free_files();
}
END_TEST

/* A signal that comes for another reason ends no wait. */
START_TEST(signal_of_somebody_else_ends_no_wait)
{
	sigset_t blocked;
	struct waiter p;
	int i;

	make_files(0);
	signals = 0;
	set_action(count_signal, 0);
	/* So that it is the thread's. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGURG);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p, WRITE);
	look_until_blocked(1);
	for (i = 1; i <= 3; i++) {
		kill(getpid(), SIGURG);
		while (signals < i)
			continue;
	}
	await_blocked(1);
	ck_assert_int_eq(p.ended, 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	await_end(1, &p);
	ck_assert_int_eq(p.granted, 1);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

static void
add_leaving(Suite *suite)
{
	TCase *tc = add_files_case(suite, "leaving");

	tcase_add_loop_test(
	    tc, only_writer_that_gives_up_lets_readers_in, 0, 2 * WAYS_AT_ONCE);
	tcase_add_loop_test(tc, wait_may_time_out, 0, 4);
	tcase_add_loop_test(tc, timeout_that_was_not_needed_does_no_harm, 0, 2);
	tcase_add_loop_test(tc, wait_that_is_cancelled_leaves_nothing, 0, 4);
	tcase_add_loop_test(
	    tc, grant_that_was_not_looked_for_can_be_cancelled, 0, 4);
	tcase_add_loop_test(
	    tc, grant_that_was_not_looked_for_is_seen_by_others, 0, 2);
	tcase_add_loop_test(tc, wait_to_read_turns_into_one_to_write, 0, 2);
	tcase_add_loop_test(tc, close_fails_waiters_and_lets_others_in, 0, 2);
	tcase_add_loop_test(
	    tc, lock_with_a_message_under_way_may_be_freed, 0, 8);
	tcase_add_loop_test(tc,
	    base_that_is_closed_fails_its_waiters_and_keeps_its_holders, 0, 2);
	tcase_add_loop_test(
	    tc, loop_stays_while_another_holds_what_it_waits_for, 0, 2);
	tcase_add_loop_test(tc,
	    writer_that_comes_when_a_reader_passes_waits_for_that_alone, 0, 2);
	tcase_add_loop_test(tc, writer_waits_for_a_reader_that_passes, 0, 4);
	tcase_add_loop_test(
	    tc, reader_waits_for_a_writer_that_has_not_said_so, 0, 4);
	tcase_add_loop_test(tc, wait_to_write_is_called_off_anywhere, 0, 6);
	tcase_add_loop_test(tc, wait_to_write_is_called_off_in_between, 0, 2);
}

static void
add_refusing(Suite *suite)
{
	TCase *tc = add_files_case(suite, "refusing");

	tcase_add_loop_test(
	    tc, wait_without_a_thread_fails_those_that_wait, 0, 2);
	tcase_add_loop_test(
	    tc, who_fails_and_asks_again_does_not_hold_up_the_loop, 0, 2);
	tcase_add_loop_test(
	    tc, wait_that_the_system_ends_fails_those_that_wait, 0, 4);
	tcase_add_loop_test(tc, system_without_locks_left_is_told, 0, 4);
	tcase_add_loop_test(
	    tc, acquire_without_memory_gives_back_what_it_has_asked_for, 0, 4);
	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
}

static void
add_signals(Suite *suite)
{
	TCase *tc = add_files_case(suite, "signals");

	tcase_add_test(tc, action_of_the_program_is_left_alone);
	tcase_add_test(tc, action_that_comes_in_between_stays);
	tcase_add_test(tc, signal_that_is_lost_is_sent_again);
	tcase_add_test(tc, signal_of_somebody_else_ends_no_wait);
}

int
main(void)
{
	Suite *suite = suite_create("file_wait");

	add_leaving(suite);
	add_refusing(suite);
	add_signals(suite);
	return threads_main(suite);
}
