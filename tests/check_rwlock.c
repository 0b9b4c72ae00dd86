/* SPDX-License-Identifier: MIT */
/* evdefer/rwlock.h: who gets in, in which order, and when it is told. */
#include "rwlocks.h"

#include <errno.h>
#include <string.h>

START_TEST(bad_arguments_are_einval)
{
	struct evrwlock_stats stats, none = {0};

	REFUSED_NULL(evrwlock_new(NULL, 0), EINVAL);
	REFUSED_NULL(evrwlock_new(base, 0x4u), EINVAL);
	REFUSED_NULL(evrwlock_new(base, 0x80000001u), EINVAL);
	REFUSED_NULL(evrwlock_reader_acquire(NULL), EINVAL);
	REFUSED_NULL(evrwlock_writer_acquire(NULL), EINVAL);
	REFUSED(evrwlock_reader_release(NULL), EINVAL);
	REFUSED(evrwlock_writer_release(NULL), EINVAL);
	REFUSED(evrwlock_reader_try(NULL), EINVAL);
	REFUSED(evrwlock_writer_try(NULL), EINVAL);
	REFUSED_NULL(evrwlock_with_reader(NULL, body_value, NULL), EINVAL);
	REFUSED_NULL(evrwlock_with_writer(NULL, body_value, NULL), EINVAL);
	make_lock(_i);
	REFUSED_NULL(evrwlock_with_reader(lock, NULL, NULL), EINVAL);
	REFUSED_NULL(evrwlock_with_writer(lock, NULL, NULL), EINVAL);
	counts(0, 0, 0, 0);
	ck_assert(!evrwlock_is_reading(NULL));
	ck_assert(!evrwlock_is_writing(NULL));
	memset(&stats, 0xff, sizeof(stats));
	evrwlock_get_stats(NULL, &stats);
	ck_assert_mem_eq(&stats, &none, sizeof(none));
	evrwlock_free(NULL);
	done(NULL, 0);
}
END_TEST

START_TEST(release_without_hold_is_eperm)
{
	struct waiter p[1];

	make_lock(_i);
	REFUSED(evrwlock_reader_release(lock), EPERM);
	REFUSED(evrwlock_writer_release(lock), EPERM);
	counts(0, 0, 0, 0);
	reader(&p[0]);
	settle();
	REFUSED(evrwlock_writer_release(lock), EPERM);
	counts(1, 0, 0, 0);
	leave(&p[0]);
	REFUSED(evrwlock_reader_release(lock), EPERM);
	evdeferred_free(p[0].d);
	writer(&p[0]);
	settle();
	REFUSED(evrwlock_reader_release(lock), EPERM);
	counts(0, 1, 0, 0);
	leave(&p[0]);
	REFUSED(evrwlock_writer_release(lock), EPERM);
	done(p, 1);
}
END_TEST

START_TEST(release_of_an_undelivered_grant_is_eperm)
{
	struct waiter p[2];

	make_lock(0);
	if (_i == 0)
		reader(&p[0]);
	else
		writer(&p[0]);
	REFUSED(evrwlock_reader_release(lock), EPERM);
	REFUSED(evrwlock_writer_release(lock), EPERM);
	counts(_i == 0, _i == 1, 0, 0);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	if (_i == 0) {
		/* One hold, and one that is on its way. */
		reader(&p[1]);
		counts(2, 0, 0, 0);
		ck_assert_int_eq(evrwlock_reader_release(lock), 0);
		REFUSED(evrwlock_reader_release(lock), EPERM);
		settle();
		ck_assert_int_eq(p[1].granted, 1);
		leave(&p[1]);
		evdeferred_free(p[1].d);
	} else {
		leave(&p[0]);
	}
	done(p, 1);
}
END_TEST

/* Readers share, a writer is alone; it holds back those who read after it. */

START_TEST(readers_share)
{
	struct waiter p[3];
	int i;

	make_lock(_i);
	for (i = 0; i < 3; i++)
		reader(&p[i]);
	settle();
	counts(3, 0, 0, 0);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(p[i].granted, 1);
	for (i = 0; i < 3; i++)
		leave(&p[i]);
	done(p, 3);
}
END_TEST

START_TEST(writer_is_alone)
{
	struct waiter p[3];

	make_lock(_i);
	writer(&p[0]);
	writer(&p[1]);
	reader(&p[2]);
	settle();
	counts(0, 1, 1, 1);
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(p[1].ended + p[2].ended, 0);
	leave(&p[0]);
	counts(0, 1, 1, 0);
	ck_assert_int_eq(p[1].granted, 1);
	leave(&p[1]);
	counts(1, 0, 0, 0);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

START_TEST(writer_waits_for_readers)
{
	struct waiter p[3];

	make_lock(_i);
	reader(&p[0]);
	reader(&p[1]);
	writer(&p[2]);
	settle();
	counts(2, 0, 0, 1);
	leave(&p[0]);
	counts(1, 0, 0, 1);
	ck_assert_int_eq(p[2].ended, 0);
	leave(&p[1]);
	counts(0, 1, 0, 0);
	ck_assert_int_eq(p[2].granted, 1);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

START_TEST(reader_waits_behind_a_waiting_writer)
{
	struct waiter p[3];

	make_lock(_i);
	reader(&p[0]);
	writer(&p[1]);
	reader(&p[2]);
	settle();
	counts(1, 0, 1, 1);
	ck_assert_int_eq(p[2].ended, 0);
	leave(&p[0]);
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(p[2].granted, 0);
	leave(&p[1]);
	ck_assert_int_eq(p[2].granted, 1);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

/* Who enters next. */

START_TEST(first_come_first_served)
{
	struct waiter p[9];
	int i;

	make_lock(_i);
	grants = 0;
	writer(&p[0]);
	for (i = 1; i < 5; i++)
		reader(&p[i]);
	for (i = 5; i < 9; i++)
		writer(&p[i]);
	settle();
	leave(&p[0]);
	for (i = 5; i < 9; i++) {
		ck_assert_int_eq(p[i].order, i - 3);
		counts(0, 1, 4, (size_t)(8 - i));
		leave(&p[i]);
	}
	for (i = 1; i < 5; i++)
		ck_assert_int_eq(p[i].order, 5 + i);
	counts(4, 0, 0, 0);
	for (i = 1; i < 5; i++)
		leave(&p[i]);
	done(p, 9);
}
END_TEST

START_TEST(last_writer_lets_all_readers_in)
{
	struct waiter p[4];
	int i;

	make_lock(_i);
	writer(&p[0]);
	for (i = 1; i < 4; i++)
		reader(&p[i]);
	settle();
	ck_assert_int_eq(release(&p[0]), 0);
	counts(3, 0, 0, 0);
	settle();
	for (i = 1; i < 4; i++) {
		ck_assert_int_eq(p[i].granted, 1);
		leave(&p[i]);
	}
	done(p, 4);
}
END_TEST

/* A waiter that leaves does so at once. */

START_TEST(readers_enter_when_the_waiting_writer_leaves)
{
	struct waiter p[5];
	int i;

	make_lock(_i);
	reader(&p[0]);
	settle();
	writer(&p[1]);
	set_time(&p[1], _i / 2);
	for (i = 2; i < 5; i++)
		reader(&p[i]);
	settle();
	counts(1, 0, 3, 1);
	give_up(&p[1], _i / 2);
	/* They enter at once, beside the one inside. */
	counts(4, 0, 0, 0);
	if (_i % 2 == 1)
		ck_assert_int_eq(p[4].granted, 1);
	settle();
	for (i = 2; i < 5; i++)
		ck_assert_int_eq(p[i].granted, 1);
	leave(&p[0]);
	for (i = 2; i < 5; i++)
		leave(&p[i]);
	done(p, 5);
}
END_TEST

START_TEST(readers_wait_on_for_another_waiting_writer)
{
	struct waiter p[4];

	make_lock(_i);
	reader(&p[0]);
	settle();
	writer(&p[1]);
	set_time(&p[1], _i / 2);
	writer(&p[2]);
	reader(&p[3]);
	give_up(&p[1], _i / 2);
	settle();
	counts(1, 0, 1, 1);
	leave(&p[0]);
	ck_assert_int_eq(p[2].granted, 1);
	leave(&p[2]);
	ck_assert_int_eq(p[3].granted, 1);
	leave(&p[3]);
	done(p, 4);
}
END_TEST

START_TEST(waiting_reader_leaves)
{
	struct waiter p[4];

	make_lock(_i);
	writer(&p[0]);
	settle();
	reader(&p[1]);
	reader(&p[2]);
	set_time(&p[2], _i / 2);
	reader(&p[3]);
	give_up(&p[2], _i / 2);
	counts(0, 1, 2, 0);
	leave(&p[0]);
	counts(2, 0, 0, 0);
	ck_assert_int_eq(p[1].granted + p[3].granted, 2);
	ck_assert_int_eq(p[2].granted, 0);
	leave(&p[1]);
	leave(&p[3]);
	done(p, 4);
}
END_TEST

START_TEST(waiter_behind_a_writer_leaves)
{
	struct waiter p[4];

	make_lock(_i);
	writer(&p[0]);
	settle();
	writer(&p[1]);
	set_time(&p[1], _i / 2);
	reader(&p[2]);
	give_up(&p[1], _i / 2);
	settle();
	counts(0, 1, 1, 0);
	ck_assert_int_eq(p[2].ended, 0);
	leave(&p[0]);
	ck_assert_int_eq(p[2].granted, 1);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

START_TEST(timed_out_waiter_fails_with_etimedout)
{
	struct waiter p[1];
	struct timeval second = {1, 0};
	struct evdeferred *d;
	struct seen seen = {0};

	make_lock(_i);
	writer(&p[0]);
	settle();
	d = evrwlock_writer_acquire(lock);
	evdeferred_add_timeout(d, &second);
	see(d, &seen);
	clock_advance(1100);
	settle();
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_free(d);
	leave(&p[0]);
	done(p, 1);
}
END_TEST

/* A grant that was made but not delivered. */

START_TEST(undelivered_grant_is_cancelled_and_passed_on)
{
	struct waiter p[3];
	bool first_writes = _i / 3 % 2 == 1;

	make_lock(0);
	want(&p[0], mode_of(first_writes));
	set_time(&p[0], _i % 3);
	writer(&p[1]);
	reader(&p[2]);
	counts(!first_writes, first_writes, 1, 1);
	if (_i % 3 == TIME_OUT) {
		/* The loop may deliver first; either way it ends once. */
		clock_advance(5000);
		settle();
		ck_assert_int_eq(p[0].ended, 1);
		if (p[0].granted == 1)
			leave(&p[0]);
	} else {
		give_up(&p[0], _i % 3);
		counts(0, 1, 1, 0);
		settle();
	}
	ck_assert_int_eq(p[1].granted, 1);
	leave(&p[1]);
	ck_assert_int_eq(p[2].granted, 1);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

/* There is more than one batch: the timer runs after the first one, and
 * before the last grant. */
START_TEST(undelivered_grant_times_out)
{
	enum { COUNT = EVDEFER_BASE_BATCH + 10 };
	static struct waiter p[COUNT];
	int i;

	make_lock(0);
	for (i = 0; i < COUNT; i++)
		reader(&p[i]);
	set_time(&p[COUNT - 1], TIME_OUT);
	clock_advance(5000);
	turns(1);
	ck_assert_int_eq(p[EVDEFER_BASE_BATCH].ended, 0);
	settle();
	ck_assert_int_eq(p[COUNT - 1].failed, ECANCELED);
	counts(COUNT - 1, 0, 0, 0);
	ck_assert_int_eq(p[COUNT - 1].ended, 1);
	for (i = 0; i < COUNT - 1; i++)
		leave(&p[i]);
	done(p, COUNT);
}
END_TEST

START_TEST(undelivered_readers_leave_one_by_one)
{
	struct waiter p[5];
	int i;

	make_lock(0);
	grants = 0;
	writer(&p[0]);
	settle();
	for (i = 1; i < 5; i++)
		reader(&p[i]);
	ck_assert_int_eq(release(&p[0]), 0);
	counts(4, 0, 0, 0);
	give_up(&p[2], CANCEL);
	counts(3, 0, 0, 0);
	give_up(&p[4], FREE);
	counts(2, 0, 0, 0);
	settle();
	ck_assert_int_eq(p[1].order, 2);
	ck_assert_int_eq(p[3].order, 3);
	ck_assert_int_eq(p[2].granted, 0);
	leave(&p[1]);
	leave(&p[3]);
	done(p, 5);
}
END_TEST

START_TEST(all_undelivered_leave_and_the_loop_is_idle)
{
	struct waiter p[3];
	int i;

	make_lock(0);
	for (i = 0; i < 3; i++)
		reader(&p[i]);
	for (i = 0; i < 3; i++)
		give_up(&p[i], i == 1 ? FREE : CANCEL);
	counts(0, 0, 0, 0);
	event_base_dispatch(loop);
	evdeferred_free(p[0].d);
	writer(&p[0]);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave(&p[0]);
	done(p, 3);
}
END_TEST

START_TEST(grant_nobody_receives_is_released)
{
	struct evdeferred *d;
	struct waiter p[1];

	make_lock(_i);
	d = acquire_by_name(lock, mode_of(_i / 2 == 0));
	settle();
	counts(_i / 2 == 1, _i / 2 == 0, 0, 0);
	/* It has its result: a cancel is too late, a free is not. */
	evdeferred_cancel(d);
	writer(&p[0]);
	settle();
	ck_assert_int_eq(p[0].ended, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave(&p[0]);
	done(p, 1);
}
END_TEST

START_TEST(grant_to_a_detached_waiter_is_released)
{
	struct waiter p[1];

	make_lock(_i);
	evdeferred_detach(evrwlock_writer_acquire(lock));
	writer(&p[0]);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave(&p[0]);
	done(p, 1);
}
END_TEST

START_TEST(grant_that_passed_errbacks_only_is_released)
{
	struct evdeferred *d;

	make_lock(_i);
	d = evrwlock_reader_acquire(lock);
	evdeferred_add_errback(d, trace_failure, "no");
	evdeferred_add_both(d, trace_both, "b");
	settle();
	counts(1, 0, 0, 0);
	evdeferred_free(d);
	counts(0, 0, 0, 0);
	ck_assert_str_eq(trace, "b");
	done(NULL, 0);
}
END_TEST

START_TEST(grant_dropped_by_a_paused_waiter_is_released)
{
	struct waiter p[2];

	make_lock(_i);
	writer(&p[0]);
	settle();
	writer(&p[1]);
	evdeferred_pause(p[1].d);
	leave(&p[0]);
	ck_assert_int_eq(p[1].granted, 0);
	counts(0, 1, 0, 0);
	evdeferred_free(p[1].d);
	p[1].d = NULL;
	counts(0, 0, 0, 0);
	done(p, 2);
}
END_TEST

/* A cancel comes too late for one that has fired. */
START_TEST(grant_behind_a_pause_is_received_after_a_cancel)
{
	struct waiter p[2];

	make_lock(_i);
	writer(&p[0]);
	settle();
	writer(&p[1]);
	evdeferred_pause(p[1].d);
	leave(&p[0]);
	evdeferred_cancel(p[1].d);
	counts(0, 1, 0, 0);
	ck_assert_int_eq(evdeferred_unpause(p[1].d), 0);
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(p[1].ended, 1);
	leave(&p[1]);
	done(p, 2);
}
END_TEST

static struct evresult
wait_here(void *value, void *arg)
{
	(void)value;
	return evresult_deferred(arg);
}

START_TEST(cancel_of_a_chain_that_waits_for_the_lock)
{
	struct waiter p[1];
	struct evdeferred *d, *waiter;
	struct seen seen = {0};

	make_lock(_i);
	writer(&p[0]);
	settle();
	waiter = evrwlock_reader_acquire(lock);
	d = evdeferred_new_fired(base, evresult_value(NULL));
	evdeferred_add_callback(d, wait_here, waiter);
	see(d, &seen);
	counts(0, 1, 1, 0);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	counts(0, 1, 0, 0);
	evdeferred_free(d);
	leave(&p[0]);
	done(p, 1);
}
END_TEST

/* Delivery. */

START_TEST(loop_delivers_never_from_inside)
{
	struct waiter p[2];

	make_lock(0);
	writer(&p[0]);
	ck_assert_int_eq(p[0].ended, 0);
	counts(0, 1, 0, 0);
	turns(1);
	ck_assert_int_eq(p[0].granted, 1);
	writer(&p[1]);
	ck_assert_int_eq(release(&p[0]), 0);
	ck_assert_int_eq(p[1].ended, 0);
	counts(0, 1, 0, 0);
	turns(1);
	ck_assert_int_eq(p[1].granted, 1);
	leave(&p[1]);
	done(p, 2);
}
END_TEST

/* Their tickets are numbered anew meanwhile where those are few. */
START_TEST(many_readers_leave_after_their_grant)
{
	struct waiter p[21];
	int i;

	make_lock(0);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	for (i = 0; i < 20; i++)
		reader(&p[i]);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	writer(&p[20]);
	for (i = 0; i < 20; i++) {
		counts((size_t)(20 - i), 0, 0, 1);
		evdeferred_cancel(p[i].d);
		ck_assert_int_eq(p[i].failed, ECANCELED);
	}
	counts(0, 1, 0, 0);
	settle();
	leave(&p[20]);
	done(p, 21);
}
END_TEST

/* bob comes to wait behind ann, after _i others who have given up. */
START_TEST(writers_keep_their_order_whatever_comes_and_goes)
{
	struct evowner *ann = evowner_new(base, "ann");
	struct evowner *bob = evowner_new(base, "bob");
	struct evrwlock *other = new_lock(0);
	struct waiter p[3];
	int i;

	make_lock(0);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	ck_assert_int_eq(evrwlock_try(other, bob, EVRWLOCK_WRITE), 0);
	for (i = 0; i < _i; i++)
		evdeferred_free(evrwlock_writer_acquire(lock));
	wait_with(&p[0], evrwlock_acquire(lock, ann, EVRWLOCK_WRITE), lock);
	wait_with(&p[1], evrwlock_acquire(lock, bob, EVRWLOCK_WRITE), lock);
	wait_with(&p[2], evrwlock_acquire(other, ann, EVRWLOCK_WRITE), other);
	ck_assert_int_eq(p[2].failed, EDEADLK);
	evowner_free(ann);
	evowner_free(bob);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evrwlock_free(other);
	done(p, 3);
}
END_TEST

START_TEST(fast_delivers_at_once)
{
	struct waiter p[2];

	make_lock(1);
	/* It has fired: the link runs before this returns. */
	reader(&p[0]);
	ck_assert_int_eq(p[0].granted, 1);
	evdeferred_free(p[0].d);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	writer(&p[0]);
	ck_assert_int_eq(p[0].granted, 1);
	writer(&p[1]);
	ck_assert_int_eq(p[1].granted, 0);
	ck_assert_int_eq(release(&p[0]), 0);
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(release(&p[1]), 0);
	ck_assert_int_eq(event_base_get_num_events(loop,
			     EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
	    0);
	done(p, 2);
}
END_TEST

static struct evresult
leave_at_once(void *value, void *arg)
{
	trace_add("(");
	evrwlock_reader_release(value);
	trace_add(")");
	return evresult_value(arg);
}

/* Nobody waits for what it lets go, and still its release tells those who were
 * granted with it. */
START_TEST(fast_release_tells_those_who_are_granted)
{
	struct evdeferred *d;
	int i;

	make_lock(1);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	for (i = 0; i < 3; i++) {
		d = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d, leave_at_once, NULL);
		evdeferred_detach(d);
	}
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	ck_assert_str_eq(trace, "((()))");
	done(NULL, 0);
}
END_TEST

static int nested, deepest;

static void
go_deeper(void)
{
	if (++nested > deepest)
		deepest = nested;
}

static struct evresult
release_deeper(void *value, void *arg)
{
	go_deeper();
	evrwlock_reader_release(value);
	nested--;
	return evresult_value(arg);
}

static struct evresult
fire_deeper(void *value, void *next)
{
	go_deeper();
	evdeferred_callback(next, NULL);
	nested--;
	return evresult_value(value);
}

/* But for one level, which is that of the release. */
START_TEST(fast_releases_nest_as_deep_as_other_deliveries)
{
	struct evdeferred *d[50];
	int i, most;

	nested = deepest = 0;
	for (i = 0; i < 50; i++)
		ck_assert_ptr_nonnull(d[i] = evdeferred_new(base, NULL, NULL));
	for (i = 0; i < 49; i++)
		ck_assert_int_eq(
		    evdeferred_add_callback(d[i], fire_deeper, d[i + 1]), 0);
	evdeferred_callback(d[0], NULL);
	for (i = 0; i < 50; i++)
		evdeferred_free(d[i]);
	most = deepest;
	ck_assert_int_gt(most, 1);
	deepest = 0;
	make_lock(1);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	for (i = 0; i < 50; i++) {
		ck_assert_ptr_nonnull(d[i] = evrwlock_reader_acquire(lock));
		ck_assert_int_eq(
		    evdeferred_add_callback(d[i], release_deeper, NULL), 0);
		evdeferred_detach(d[i]);
	}
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	ck_assert_int_eq(deepest, most - 1);
	done(NULL, 0);
}
END_TEST

/* Try. */

START_TEST(try_takes_a_free_lock)
{
	make_lock(_i);
	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	counts(2, 0, 0, 0);
	REFUSED(evrwlock_writer_try(lock), EBUSY);
	counts(2, 0, 0, 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	counts(0, 1, 0, 0);
	REFUSED(evrwlock_writer_try(lock), EBUSY);
	REFUSED(evrwlock_reader_try(lock), EBUSY);
	counts(0, 1, 0, 0);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	done(NULL, 0);
}
END_TEST

START_TEST(try_does_not_overtake_a_waiting_writer)
{
	struct waiter p[2];

	make_lock(_i);
	reader(&p[0]);
	writer(&p[1]);
	settle();
	REFUSED(evrwlock_reader_try(lock), EBUSY);
	REFUSED(evrwlock_writer_try(lock), EBUSY);
	counts(1, 0, 0, 1);
	leave(&p[0]);
	leave(&p[1]);
	done(p, 2);
}
END_TEST

START_TEST(try_sees_an_undelivered_grant)
{
	struct waiter p[1];

	make_lock(0);
	writer(&p[0]);
	REFUSED(evrwlock_reader_try(lock), EBUSY);
	settle();
	leave(&p[0]);
	evdeferred_free(p[0].d);
	reader(&p[0]);
	REFUSED(evrwlock_writer_try(lock), EBUSY);
	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	settle();
	leave(&p[0]);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	done(p, 1);
}
END_TEST

/* Memory: every acquire ends in a grant or a failure, even where there is none. */

static int fire_error;

static struct evresult
fire_other(void *held, void *other)
{
	errno = 0;
	ck_assert_int_eq(evdeferred_callback(other, NULL), -1);
	fire_error = errno;
	ck_assert_int_eq(evrwlock_reader_release(held), 0);
	return evresult_value(NULL);
}

/* When it leaves it lets others in, whose callbacks run before it has
 * failed. */
START_TEST(waiter_that_is_cancelled_is_not_the_users_to_fire)
{
	struct evrwlock *fast = evrwlock_new(base, EVRWLOCK_FAST);
	struct evdeferred *writer, *reader;

	ck_assert_ptr_nonnull(fast);
	ck_assert_int_eq(evrwlock_reader_try(fast), 0);
	writer = evrwlock_writer_acquire(fast);
	ck_assert_ptr_nonnull(writer);
	reader = evrwlock_reader_acquire(fast);
	ck_assert_ptr_nonnull(reader);
	ck_assert_int_eq(
	    evdeferred_add_callback(reader, fire_other, writer), 0);
	fire_error = 0;
	evdeferred_cancel(writer);
	ck_assert_int_eq(fire_error, EPERM);
	evdeferred_free(writer);
	evdeferred_free(reader);
	ck_assert_int_eq(evrwlock_reader_release(fast), 0);
	evrwlock_free(fast);
}
END_TEST

/* The failure is one of the constants of the library: it has to be in their
 * table. */
START_TEST(upgrade_of_a_reading_owner_fails_with_edeadlk)
{
	struct evrwlock *mine = evrwlock_new(base, EVRWLOCK_FAST);
	struct evowner *owner = evowner_new(base, "one");
	struct evdeferred *d;
	struct seen seen = {0};

	ck_assert_int_eq(evrwlock_try(mine, owner, EVRWLOCK_READ), 0);
	d = evrwlock_acquire(mine, owner, EVRWLOCK_WRITE);
	see(d, &seen);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, EDEADLK);
	evdeferred_free(d);
	evowner_free(owner);
	evrwlock_free(mine);
}
END_TEST

static void
add_order(Suite *suite)
{
	TCase *tc = add_case(suite, "arguments");

	tcase_add_loop_test(tc, bad_arguments_are_einval, 0, 2);
	tcase_add_loop_test(tc, release_without_hold_is_eperm, 0, 2);
	tcase_add_loop_test(tc, release_of_an_undelivered_grant_is_eperm, 0, 2);

	tc = add_case(suite, "order");
	tcase_add_loop_test(tc, readers_share, 0, 2);
	tcase_add_loop_test(tc, writer_is_alone, 0, 2);
	tcase_add_loop_test(tc, writer_waits_for_readers, 0, 2);
	tcase_add_loop_test(tc, reader_waits_behind_a_waiting_writer, 0, 2);
	tcase_add_loop_test(tc, first_come_first_served, 0, 2);
	tcase_add_loop_test(tc, last_writer_lets_all_readers_in, 0, 2);
}

static void
add_leaving(Suite *suite)
{
	TCase *tc = add_case(suite, "waiters that leave");

	tcase_add_loop_test(
	    tc, readers_enter_when_the_waiting_writer_leaves, 0, 2 * WAYS);
	tcase_add_loop_test(
	    tc, readers_wait_on_for_another_waiting_writer, 0, 2 * WAYS);
	tcase_add_loop_test(tc, waiting_reader_leaves, 0, 2 * WAYS);
	tcase_add_loop_test(tc, waiter_behind_a_writer_leaves, 0, 2 * WAYS);
	tcase_add_loop_test(tc, timed_out_waiter_fails_with_etimedout, 0, 2);
	tcase_add_loop_test(
	    tc, cancel_of_a_chain_that_waits_for_the_lock, 0, 2);
	tcase_add_test(tc, waiter_that_is_cancelled_is_not_the_users_to_fire);

	tc = add_case(suite, "undelivered and forgotten");
	tcase_add_loop_test(
	    tc, undelivered_grant_is_cancelled_and_passed_on, 0, 2 * WAYS);
	tcase_add_test(tc, upgrade_of_a_reading_owner_fails_with_edeadlk);
	tcase_add_test(tc, undelivered_grant_times_out);
	tcase_add_test(tc, undelivered_readers_leave_one_by_one);
	tcase_add_test(tc, all_undelivered_leave_and_the_loop_is_idle);
	tcase_add_loop_test(tc, grant_nobody_receives_is_released, 0, 4);
	tcase_add_loop_test(tc, grant_to_a_detached_waiter_is_released, 0, 2);
	tcase_add_loop_test(
	    tc, grant_that_passed_errbacks_only_is_released, 0, 2);
	tcase_add_loop_test(
	    tc, grant_dropped_by_a_paused_waiter_is_released, 0, 2);
	tcase_add_loop_test(
	    tc, grant_behind_a_pause_is_received_after_a_cancel, 0, 2);
}

static void
add_delivery(Suite *suite)
{
	TCase *tc = add_case(suite, "delivery and try");

	tcase_add_test(tc, loop_delivers_never_from_inside);
	tcase_add_test(tc, many_readers_leave_after_their_grant);
	tcase_add_loop_test(
	    tc, writers_keep_their_order_whatever_comes_and_goes, 0, 10);
	tcase_add_test(tc, fast_delivers_at_once);
	tcase_add_test(tc, fast_release_tells_those_who_are_granted);
	tcase_add_test(tc, fast_releases_nest_as_deep_as_other_deliveries);
	tcase_add_loop_test(tc, try_takes_a_free_lock, 0, 2);
	tcase_add_loop_test(tc, try_does_not_overtake_a_waiting_writer, 0, 2);
	tcase_add_test(tc, try_sees_an_undelivered_grant);
}

int
main(void)
{
	Suite *suite = suite_create("rwlock");

	add_order(suite);
	add_leaving(suite);
	add_delivery(suite);
	return support_main(suite);
}
