/* SPDX-License-Identifier: MIT */
/* evdefer/rwlock.h: who enters and when, grants, and closing.  Most tests run
 * once with each way of delivery: _i is 0 for the loop's and 1 for
 * EVRWLOCK_FAST. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct evrwlock *lock;

static unsigned
flags_of(int i)
{
	return i == 0 ? 0 : EVRWLOCK_FAST;
}

static void
make_lock(int i)
{
	lock = evrwlock_new(base, flags_of(i));
	ck_assert_ptr_nonnull(lock);
}

/* One that asks for the lock. */
struct party {
	struct evdeferred *d;
	bool writer;
	int granted;
	int failed; /* code */
	int ended;  /* how often it was told of its end */
	int order;  /* which grant of all this was */
};

static int grants;

static struct evresult
on_grant(void *value, void *arg)
{
	struct party *party = arg;

	party->granted += value == lock;
	party->ended++;
	party->order = ++grants;
	return evresult_value(NULL);
}

static struct evresult
on_loss(struct evfailure *failure, void *arg)
{
	struct party *party = arg;

	party->failed = evfailure_get_code(failure);
	party->ended++;
	return evresult_value(NULL);
}

static void
ask(struct party *party, bool writer)
{
	memset(party, 0, sizeof(*party));
	party->writer = writer;
	party->d = writer ? evrwlock_writer_acquire(lock)
			  : evrwlock_reader_acquire(lock);
	ck_assert_ptr_nonnull(party->d);
	ck_assert_int_eq(
	    evdeferred_add_callbacks(party->d, on_grant, on_loss, party), 0);
}

static void
reader(struct party *party)
{
	ask(party, false);
}

static void
writer(struct party *party)
{
	ask(party, true);
}

/* Lets the loop deliver. */
static void
settle(void)
{
	turns(3);
}

static int
release(const struct party *party)
{
	return party->writer ? evrwlock_writer_release(lock)
			     : evrwlock_reader_release(lock);
}

/* Releases and lets the next ones enter. */
static void
leave(const struct party *party)
{
	ck_assert_int_eq(release(party), 0);
	settle();
}

static void
counts(size_t readers, size_t writers, size_t readers_wait, size_t writers_wait)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.readers_inside, readers);
	ck_assert_uint_eq(stats.writers_inside, writers);
	ck_assert_uint_eq(stats.readers_waiting, readers_wait);
	ck_assert_uint_eq(stats.writers_waiting, writers_wait);
	ck_assert(evrwlock_is_reading(lock) == (readers > 0));
	ck_assert(evrwlock_is_writing(lock) == (writers > 0));
}

/* Frees the Deferreds of the parties, and the lock, which nobody holds. */
static void
done(struct party *parties, int count)
{
	while (count-- > 0)
		evdeferred_free(parties[count].d);
	counts(0, 0, 0, 0);
	evrwlock_free(lock);
}

/* Bad arguments. */

static struct evresult
body_value(void *arg)
{
	return evresult_value(arg);
}

START_TEST(bad_arguments_are_einval)
{
	struct evrwlock_stats stats, none = {0};

	REFUSED_NULL(evrwlock_new(NULL, 0), EINVAL);
	REFUSED_NULL(evrwlock_new(base, 0x2u), EINVAL);
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
	struct party p[1];

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
	struct party p[2];

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

/* Invariants 1 and 2. */

START_TEST(readers_share)
{
	struct party p[3];
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
	struct party p[3];

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
	struct party p[3];

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
	struct party p[3];

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

/* Invariants 3 and 4. */

START_TEST(first_come_first_served)
{
	struct party p[9];
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
	struct party p[4];
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

/* Invariant 5: a waiter that leaves. */

enum { CANCEL, TIME_OUT, FREE, WAYS };

static void
give_up(struct party *party, int way)
{
	switch (way) {
	case CANCEL:
		evdeferred_cancel(party->d);
		ck_assert_int_eq(party->failed, ECANCELED);
		break;
	case TIME_OUT:
		clock_advance(5000);
		turns(1);
		ck_assert_int_eq(party->failed, ECANCELED);
		break;
	default:
		evdeferred_free(party->d);
		party->d = NULL;
		ck_assert_int_eq(party->ended, 0);
		return;
	}
	ck_assert_int_eq(party->ended, 1);
}

/* The timeout comes after the links of the party, which see the cancel. */
static void
arm(struct party *party, int way)
{
	struct timeval three = {3, 0};

	if (way == TIME_OUT)
		ck_assert_int_eq(evdeferred_add_timeout(party->d, &three), 0);
}

START_TEST(readers_enter_when_the_waiting_writer_leaves)
{
	struct party p[5];
	int i;

	make_lock(_i % 2);
	reader(&p[0]);
	settle();
	writer(&p[1]);
	arm(&p[1], _i / 2);
	for (i = 2; i < 5; i++)
		reader(&p[i]);
	settle();
	counts(1, 0, 3, 1);
	give_up(&p[1], _i / 2);
	/* At once, beside the one inside. */
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
	struct party p[4];

	make_lock(_i % 2);
	reader(&p[0]);
	settle();
	writer(&p[1]);
	arm(&p[1], _i / 2);
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
	struct party p[4];

	make_lock(_i % 2);
	writer(&p[0]);
	settle();
	reader(&p[1]);
	reader(&p[2]);
	arm(&p[2], _i / 2);
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
	struct party p[4];

	make_lock(_i % 2);
	writer(&p[0]);
	settle();
	writer(&p[1]);
	arm(&p[1], _i / 2);
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
	struct party p[1];
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

/* Invariant 6: a grant made but not delivered. */

START_TEST(undelivered_grant_is_cancelled_and_passed_on)
{
	struct party p[3];
	bool first_writes = _i / 3 % 2 == 1;

	make_lock(0);
	ask(&p[0], first_writes);
	arm(&p[0], _i % 3);
	writer(&p[1]);
	reader(&p[2]);
	counts(!first_writes, first_writes, 1, 1);
	if (_i % 3 == TIME_OUT) {
		/* The loop could deliver first; either way one end. */
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

/* More than one batch: the timer runs after the first, before the last grant. */
START_TEST(undelivered_grant_times_out)
{
	enum { COUNT = EVDEFER_BASE_BATCH + 10 };
	static struct party p[COUNT];
	int i;

	make_lock(0);
	for (i = 0; i < COUNT; i++)
		reader(&p[i]);
	arm(&p[COUNT - 1], TIME_OUT);
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
	struct party p[5];
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
	struct party p[3];
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
	struct party p[1];

	make_lock(_i % 2);
	d = _i / 2 == 0 ? evrwlock_writer_acquire(lock)
			: evrwlock_reader_acquire(lock);
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
	struct party p[1];

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
	struct party p[2];

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
	struct party p[2];

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
	struct party p[1];
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
	struct party p[2];

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

START_TEST(fast_delivers_at_once)
{
	struct evdeferred *d;
	struct party p[2];

	make_lock(1);
	d = evrwlock_reader_acquire(lock);
	/* It has fired: the link runs before this returns. */
	evdeferred_add_callbacks(d, on_grant, on_loss, &p[0]);
	memset(&p[0], 0, sizeof(p[0]));
	evdeferred_free(d);
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
	struct party p[2];

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
	struct party p[1];

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

/* With. */

struct with {
	int runs;
	struct evdeferred *inner;
	struct evresult result;
	size_t readers;
	size_t writers;
};

static struct evresult
run_body(void *arg)
{
	struct with *with = arg;
	struct evrwlock_stats stats;

	with->runs++;
	evrwlock_get_stats(lock, &stats);
	with->readers = stats.readers_inside;
	with->writers = stats.writers_inside;
	return with->inner != NULL ? evresult_deferred(with->inner)
				   : with->result;
}

static struct evdeferred *
with(struct with *with, int i)
{
	struct evdeferred *d = i / 2 == 0
				   ? evrwlock_with_reader(lock, run_body, with)
				   : evrwlock_with_writer(lock, run_body, with);

	ck_assert_ptr_nonnull(d);
	return d;
}

START_TEST(with_holds_runs_and_releases)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i % 2);
	w.result = evresult_value(&w);
	d = with(&w, _i);
	if (_i % 2 == 0)
		ck_assert_int_eq(w.runs, 0);
	see(d, &seen);
	settle();
	ck_assert_int_eq(w.runs, 1);
	ck_assert_uint_eq(w.readers, _i / 2 == 0);
	ck_assert_uint_eq(w.writers, _i / 2 == 1);
	ck_assert_ptr_eq(seen.value, &w);
	counts(0, 0, 0, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_on_failure)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i % 2);
	w.result = evresult_fail(EIO, "body");
	d = with(&w, _i);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.code, EIO);
	counts(0, 0, 0, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_holds_until_the_deferred_fires)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i % 2);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, _i);
	see(d, &seen);
	settle();
	counts(_i / 2 == 0, _i / 2 == 1, 0, 0);
	evdeferred_callback(w.inner, &seen);
	counts(0, 0, 0, 0);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_when_the_deferred_fails)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i % 2);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, _i);
	see(d, &seen);
	settle();
	evdeferred_errback(w.inner, EIO, "inner");
	counts(0, 0, 0, 0);
	ck_assert_int_eq(seen.code, EIO);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_on_cancel)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i % 2);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, _i);
	see(d, &seen);
	settle();
	evdeferred_cancel(d);
	counts(0, 0, 0, 0);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_callback(w.inner, NULL);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_on_free)
{
	struct with w = {0};
	struct evdeferred *d;
	int freed = 0;

	make_lock(_i % 2);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, _i);
	settle();
	evdeferred_free(d);
	counts(0, 0, 0, 0);
	ck_assert_int_eq(evdeferred_fire(w.inner, counting(&freed)), 0);
	ck_assert_int_eq(freed, 1);
	done(NULL, 0);
}
END_TEST

START_TEST(with_cancelled_while_it_waits_runs_nothing)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i % 2);
	evrwlock_writer_try(lock);
	d = with(&w, _i);
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	ck_assert_int_eq(w.runs, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_on_a_closed_lock_runs_nothing)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i % 2);
	evrwlock_writer_try(lock);
	d = with(&w, _i);
	see(d, &seen);
	evrwlock_free(lock);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	memset(&seen, 0, sizeof(seen));
	d = with(&w, _i);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(w.runs, 0);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}
END_TEST

START_TEST(with_disposes_of_an_owned_result_once)
{
	struct with w = {0};
	int freed = 0;
	struct evdeferred *d;

	make_lock(_i % 2);
	w.result = counting(&freed);
	d = with(&w, _i);
	settle();
	counts(0, 0, 0, 0);
	ck_assert_int_eq(freed, 0);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
	done(NULL, 0);
}
END_TEST

static struct evdeferred *own;

static struct evresult
free_own_in_body(void *arg)
{
	evdeferred_free(own);
	return run_body(arg);
}

/* Only where the loop delivers can the body know its Deferred. */
START_TEST(with_freed_inside_its_body_releases)
{
	struct with w = {0};
	int freed = 0, late = 0;

	make_lock(0);
	if (_i % 2 == 0)
		w.result = counting(&freed);
	else
		w.inner = evdeferred_new(base, NULL, NULL);
	own = _i / 2 == 0 ? evrwlock_with_reader(lock, free_own_in_body, &w)
			  : evrwlock_with_writer(lock, free_own_in_body, &w);
	settle();
	ck_assert_int_eq(w.runs, 1);
	counts(0, 0, 0, 0);
	if (_i % 2 == 1)
		evdeferred_fire(w.inner, counting(&late));
	ck_assert_int_eq(freed + late, 1);
	done(NULL, 0);
}
END_TEST

static void
check_still_held(struct evdeferred *inner, void *mode)
{
	(void)inner;
	ck_assert(mode == NULL ? evrwlock_is_reading(lock)
			       : evrwlock_is_writing(lock));
}

START_TEST(with_freed_inside_its_body_calls_off_before_it_releases)
{
	struct with w = {0};

	make_lock(0);
	w.inner = evdeferred_new(base, check_still_held, _i ? lock : NULL);
	own = _i == 0 ? evrwlock_with_reader(lock, free_own_in_body, &w)
		      : evrwlock_with_writer(lock, free_own_in_body, &w);
	settle();
	ck_assert_int_eq(w.runs, 1);
	counts(0, 0, 0, 0);
	done(NULL, 0);
}
END_TEST

static struct evresult
close_in_body(void *arg)
{
	evrwlock_free(lock);
	return run_body(arg);
}

/* The lock outlives the body that closes it, and goes with its release. */
START_TEST(with_closed_inside_its_body)
{
	struct with w = {0};
	struct evdeferred *d;
	struct seen seen = {0};

	make_lock(_i % 2);
	w.inner = evdeferred_new(base, NULL, NULL);
	ck_assert_ptr_nonnull(w.inner);
	d = _i / 2 == 0 ? evrwlock_with_reader(lock, close_in_body, &w)
			: evrwlock_with_writer(lock, close_in_body, &w);
	see(d, &seen);
	settle();
	counts(_i / 2 == 0, _i / 2 == 1, 0, 0);
	evdeferred_callback(w.inner, &w);
	ck_assert_ptr_eq(seen.value, &w);
	evdeferred_free(d);
}
END_TEST

START_TEST(with_lets_waiters_in_before_its_result_goes_on)
{
	struct with w = {0};
	struct evdeferred *d;
	struct party p[1];

	make_lock(_i % 2);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = with(&w, _i);
	settle();
	writer(&p[0]);
	settle();
	ck_assert_int_eq(p[0].ended, 0);
	evdeferred_callback(w.inner, NULL);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	evdeferred_free(d);
	leave(&p[0]);
	done(p, 1);
}
END_TEST

/* Stats. */

START_TEST(stats_count)
{
	struct evrwlock_stats stats;
	struct party p[6];
	int i;

	make_lock(_i);
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.longest_queue, 0);
	writer(&p[0]);
	for (i = 1; i < 4; i++)
		reader(&p[i]);
	for (i = 4; i < 6; i++)
		writer(&p[i]);
	settle();
	evdeferred_cancel(p[1].d);
	evdeferred_cancel(p[4].d);
	leave(&p[0]);
	leave(&p[5]);
	leave(&p[2]);
	leave(&p[3]);
	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	evrwlock_reader_release(lock);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	evrwlock_writer_release(lock);
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.readers_granted, 3);
	ck_assert_uint_eq(stats.writers_granted, 3);
	ck_assert_uint_eq(stats.cancelled, 2);
	ck_assert_uint_eq(stats.longest_queue, 5);
	done(p, 6);
}
END_TEST

START_TEST(stats_count_what_left_before_delivery)
{
	struct evrwlock_stats stats;
	struct party p[3];

	make_lock(0);
	writer(&p[0]);
	reader(&p[1]);
	reader(&p[2]);
	give_up(&p[0], CANCEL);
	give_up(&p[1], FREE);
	settle();
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.cancelled, 2);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

/* Invariant 8: closing. */

START_TEST(close_of_a_free_lock)
{
	make_lock(_i);
	evrwlock_free(lock);
}
END_TEST

START_TEST(close_fails_waiters_before_it_returns)
{
	struct party p[4];
	int i;

	make_lock(_i);
	writer(&p[0]);
	settle();
	writer(&p[1]);
	reader(&p[2]);
	reader(&p[3]);
	evrwlock_free(lock);
	for (i = 1; i < 4; i++) {
		ck_assert_int_eq(p[i].failed, ESHUTDOWN);
		ck_assert_int_eq(p[i].ended, 1);
		evdeferred_free(p[i].d);
	}
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	evdeferred_free(p[0].d);
}
END_TEST

START_TEST(close_lets_holders_release)
{
	struct party p[3];
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	reader(&p[0]);
	reader(&p[1]);
	settle();
	evrwlock_free(lock);
	REFUSED(evrwlock_reader_try(lock), ESHUTDOWN);
	REFUSED(evrwlock_writer_try(lock), ESHUTDOWN);
	d = evrwlock_reader_acquire(lock);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert(evrwlock_is_reading(lock));
	REFUSED(evrwlock_writer_release(lock), EPERM);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	evdeferred_free(p[0].d);
	evdeferred_free(p[1].d);
}
END_TEST

START_TEST(close_delivers_grants_on_their_way)
{
	struct party p[3];

	make_lock(0);
	reader(&p[0]);
	reader(&p[1]);
	reader(&p[2]);
	evrwlock_free(lock);
	ck_assert_int_eq(p[0].ended, 0);
	/* One of them is not delivered any more. */
	evdeferred_cancel(p[1].d);
	settle();
	ck_assert_int_eq(p[0].granted + p[2].granted, 2);
	ck_assert_int_eq(p[1].failed, ECANCELED);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	evdeferred_free(p[0].d);
	evdeferred_free(p[1].d);
	evdeferred_free(p[2].d);
}
END_TEST

START_TEST(close_with_only_an_undelivered_grant)
{
	struct party p[1];

	make_lock(0);
	writer(&p[0]);
	evrwlock_free(lock);
	/* The memory goes with it. */
	evdeferred_free(p[0].d);
	settle();
}
END_TEST

START_TEST(close_with_a_forgotten_grant)
{
	struct evdeferred *d;

	make_lock(_i);
	d = evrwlock_writer_acquire(lock);
	settle();
	evrwlock_free(lock);
	evdeferred_free(d);
}
END_TEST

static struct evresult
release_and_close(void *value, void *arg)
{
	struct party *party = arg;

	party->granted++;
	party->ended++;
	evrwlock_free(value);
	if (party->writer)
		evrwlock_writer_release(value);
	else
		evrwlock_reader_release(value);
	return evresult_value(NULL);
}

START_TEST(close_inside_a_callback)
{
	struct party p[4];
	bool first_writes = _i / 2 == 1;
	int i;

	make_lock(_i % 2);
	memset(p, 0, sizeof(p));
	evrwlock_writer_try(lock);
	p[0].writer = first_writes;
	p[0].d = first_writes ? evrwlock_writer_acquire(lock)
			      : evrwlock_reader_acquire(lock);
	evdeferred_add_callbacks(p[0].d, release_and_close, on_loss, &p[0]);
	for (i = 1; i < 4; i++)
		ask(&p[i], i == 3 && first_writes);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	for (i = 1; i < 4; i++) {
		ck_assert_int_eq(p[i].ended, 1);
		/* Readers granted together are holders like any other. */
		if (first_writes)
			ck_assert_int_eq(p[i].failed, ESHUTDOWN);
		else
			ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	}
	for (i = 0; i < 4; i++)
		evdeferred_free(p[i].d);
}
END_TEST

/* Told of the close, it frees the others or cancels them. */
static struct party *others;

static struct evresult
drop_others(struct evfailure *failure, void *arg)
{
	on_loss(failure, arg);
	evdeferred_free(others[1].d);
	others[1].d = NULL;
	evdeferred_cancel(others[2].d);
	return evresult_value(NULL);
}

START_TEST(close_while_waiters_leave_meanwhile)
{
	struct party p[3];

	make_lock(_i);
	others = p;
	evrwlock_writer_try(lock);
	memset(p, 0, sizeof(p));
	p[0].d = evrwlock_writer_acquire(lock);
	evdeferred_add_callbacks(p[0].d, on_grant, drop_others, &p[0]);
	writer(&p[1]);
	reader(&p[2]);
	evrwlock_free(lock);
	ck_assert_int_eq(p[0].failed, ESHUTDOWN);
	ck_assert_int_eq(p[1].ended, 0);
	ck_assert_int_eq(p[2].failed, ECANCELED);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evdeferred_free(p[0].d);
	evdeferred_free(p[2].d);
}
END_TEST

/* Told of the close, the holder releases: the lock must outlive the call. */
static struct evresult
release_on_loss(struct evfailure *failure, void *arg)
{
	on_loss(failure, arg);
	evrwlock_writer_release(lock);
	return evresult_value(NULL);
}

START_TEST(close_while_the_last_holder_leaves_meanwhile)
{
	struct party p[3];

	make_lock(_i);
	evrwlock_writer_try(lock);
	memset(p, 0, sizeof(p));
	p[0].d = evrwlock_writer_acquire(lock);
	ck_assert_int_eq(
	    evdeferred_add_callbacks(p[0].d, on_grant, release_on_loss, &p[0]),
	    0);
	writer(&p[1]);
	reader(&p[2]);
	evrwlock_free(lock);
	ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	ck_assert_int_eq(p[2].failed, ESHUTDOWN);
	evdeferred_free(p[0].d);
	evdeferred_free(p[1].d);
	evdeferred_free(p[2].d);
}
END_TEST

/* Unhandled failures are reported, a consumer's own cancel is not. */
START_TEST(unhandled_close_is_reported)
{
	struct evdeferred *d;

	make_lock(_i);
	evrwlock_writer_try(lock);
	d = evrwlock_reader_acquire(lock);
	evrwlock_free(lock);
	evdeferred_free(d);
	report_take(ESHUTDOWN);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}
END_TEST

START_TEST(cancelled_waiter_is_not_reported)
{
	struct evdeferred *waits, *granted;

	make_lock(_i);
	granted = evrwlock_writer_acquire(lock);
	waits = evrwlock_reader_acquire(lock);
	evdeferred_cancel(waits);
	evdeferred_cancel(granted);
	evdeferred_free(waits);
	evdeferred_free(granted);
	ck_assert_int_eq(report.count, 0);
	done(NULL, 0);
}
END_TEST

/* Invariant 7 and point 9: memory. */

static int
lock_round(void)
{
	struct evdeferred *d[4];
	struct party p[4];
	int i;

	memset(p, 0, sizeof(p));
	d[0] = evrwlock_writer_acquire(lock);
	d[1] = evrwlock_writer_acquire(lock);
	d[2] = evrwlock_reader_acquire(lock);
	d[3] = evrwlock_with_reader(lock, body_value, NULL);
	for (i = 0; i < 3; i++)
		evdeferred_add_callbacks(d[i], on_grant, on_loss, &p[i]);
	turns(2);
	evdeferred_cancel(d[1]);
	evrwlock_writer_release(lock);
	turns(2);
	evrwlock_reader_release(lock);
	for (i = 0; i < 4; i++)
		evdeferred_free(d[i]);
	return p[0].granted + p[2].granted + (p[1].failed == ECANCELED);
}

START_TEST(steady_state_allocates_nothing)
{
	int i, good = 0;
	size_t calls;

	make_lock(_i);
	lock_round();
	calls = alloc_calls();
	for (i = 0; i < 1000; i++)
		good += lock_round();
	calls = alloc_calls() - calls;
	ck_assert_int_eq(good, 3000);
	ck_assert_uint_eq(calls, 0);
	done(NULL, 0);
}
END_TEST

struct attempt {
	struct party p[8];
	struct with w;
	struct seen seen;
	int freed;
	bool told;
	bool broken; /* an acquire did not end as it should */
	bool wedged; /* the lock could not be used any more */
};

/* Every step may lack memory: what was made must end, and the lock work on. */
static void
attempt(struct attempt *a, int fast)
{
	struct evdefer_base *b = evdefer_base_new(loop);
	struct timeval second = {1, 0};
	struct evdeferred *d, *shut;
	bool asked[8];
	int bad = 0, i;

	lock = evrwlock_new(b, flags_of(fast));
	if (lock == NULL) {
		evdefer_base_free(b);
		return;
	}
	evrwlock_writer_try(lock);
	for (i = 0; i < 8; i++) {
		a->p[i].writer = i % 3 == 1;
		a->p[i].d = a->p[i].writer ? evrwlock_writer_acquire(lock)
					   : evrwlock_reader_acquire(lock);
		asked[i] = evdeferred_add_callbacks(
			       a->p[i].d, on_grant, on_loss, &a->p[i]) == 0;
		if (a->p[i].d == NULL || !asked[i])
			bad++;
		if (a->p[i].d != NULL && !asked[i]) {
			evdeferred_free(a->p[i].d);
			a->p[i].d = NULL;
		}
	}
	bad += a->p[2].d != NULL &&
	       evdeferred_add_timeout(a->p[2].d, &second) != 0;
	a->w.result = counting(&a->freed);
	d = evrwlock_with_writer(lock, run_body, &a->w);
	bad += d == NULL;
	evdeferred_cancel(a->p[3].d);
	evrwlock_writer_release(lock);
	turns(3);
	for (i = 0; i < 32; i++) {
		/* Everybody releases what he got; the next ones get theirs. */
		if (evrwlock_writer_release(lock) != 0)
			evrwlock_reader_release(lock);
		turns(2);
	}
	a->freed += a->w.runs == 0;
	evdeferred_free(d);
	for (i = 0; i < 8; i++) {
		a->broken |= asked[i] && a->p[i].ended != 1;
		a->broken |= !asked[i] && a->p[i].ended != 0;
		evdeferred_free(a->p[i].d);
	}
	a->wedged = evrwlock_writer_try(lock) != 0;
	shut = evrwlock_reader_acquire(lock);
	bad += shut == NULL;
	bad += evdeferred_add_callbacks(
		   shut, see_value, see_failure, &a->seen) != 0;
	evrwlock_free(lock);
	if (!a->wedged)
		evrwlock_writer_release(lock);
	evdeferred_free(shut);
	evdefer_base_free(b);
	a->told = bad == 0;
}

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

/* Its going lets others in, whose callbacks run before it has failed. */
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

START_TEST(every_allocation_may_fail)
{
	size_t n;
	bool hit = true;

	/* The base of the attempt has the default handler. */
	event_set_log_callback(ignore_log);
	evdefer_base_set_unhandled(base, ignore_failure, NULL);
	for (n = 1; hit && n < 10000; n++) {
		struct attempt a;
		long live = alloc_live();
		struct event_base *outer = loop;

		memset(&a, 0, sizeof(a));
		/* A new one: what its timers need may fail, too. */
		loop = support_new_loop();
		alloc_fail_at(n, _i / 2 == 1);
		attempt(&a, _i % 2);
		alloc_fail_at(0, false);
		event_base_free(loop);
		loop = outer;
		hit = alloc_failed() && alloc_works();
		ck_assert_msg(alloc_live() == live, "leak at n = %zu", n);
		ck_assert_msg(!a.broken, "lost wake-up at n = %zu", n);
		ck_assert_msg(!a.wedged, "wedged at n = %zu", n);
		ck_assert_int_le(a.freed, 1);
		if (!hit) {
			ck_assert(a.told);
			ck_assert_int_eq(a.freed, 1);
		}
	}
	ck_assert_uint_lt(n, 10000);
	event_set_log_callback(NULL);
}
END_TEST

START_TEST(new_without_memory_is_enomem)
{
	struct evrwlock *none;
	int code;

	if (!alloc_works())
		return;
	alloc_fail_at(1, true);
	errno = 0;
	none = evrwlock_new(base, flags_of(_i));
	code = errno;
	alloc_fail_at(0, false);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(code, ENOMEM);
}
END_TEST

START_TEST(acquire_without_memory_acquires_nothing)
{
	struct evdeferred *d;
	int code;

	make_lock(_i % 2);
	if (alloc_works()) {
		alloc_fail_at(1, true);
		errno = 0;
		switch (_i / 2) {
		case 0:
			d = evrwlock_reader_acquire(lock);
			break;
		case 1:
			d = evrwlock_writer_acquire(lock);
			break;
		case 2:
			d = evrwlock_with_reader(lock, body_value, NULL);
			break;
		default:
			d = evrwlock_with_writer(lock, body_value, NULL);
		}
		code = errno;
		alloc_fail_at(0, false);
		ck_assert_ptr_null(d);
		ck_assert_int_eq(code, ENOMEM);
	}
	done(NULL, 0);
}
END_TEST

START_TEST(with_without_memory_for_its_link_acquires_nothing)
{
	struct evdeferred *d;
	int code;

	make_lock(_i % 2);
	if (alloc_works()) {
		/* There is memory for the acquire, but not for the link. */
		evdefer_base_reserve(base, 10, 0);
		alloc_fail_at(1, true);
		errno = 0;
		d = _i / 2 == 0 ? evrwlock_with_reader(lock, body_value, NULL)
				: evrwlock_with_writer(lock, body_value, NULL);
		code = errno;
		alloc_fail_at(0, false);
		ck_assert_ptr_null(d);
		ck_assert_int_eq(code, ENOMEM);
	}
	settle();
	done(NULL, 0);
}
END_TEST

/* Point 6: scale. */

static struct party *many;
static size_t served, rule_broken;

static struct evresult
pass_through(void *value, void *arg)
{
	const bool writes = arg != NULL;

	(void)value;
	served++;
	rule_broken += evrwlock_is_writing(lock) != writes;
	rule_broken += evrwlock_is_reading(lock) == writes;
	if (writes)
		evrwlock_writer_release(lock);
	else
		evrwlock_reader_release(lock);
	return evresult_value(NULL);
}

static void
queue_up(size_t scale, int writer_every)
{
	size_t i;

	served = rule_broken = 0;
	for (i = 0; i < scale; i++) {
		const bool writes =
		    writer_every > 0 && i % (size_t)writer_every == 0;
		struct evdeferred *d = writes ? evrwlock_writer_acquire(lock)
					      : evrwlock_reader_acquire(lock);

		evdeferred_add_callback(
		    d, pass_through, writes ? &served : NULL);
		evdeferred_detach(d);
	}
}

/* _i / 2 is how many of them write: none, all, every third. */
START_TEST(million_waiters_are_granted_in_one_go)
{
	static const int every[] = {0, 1, 3};
	size_t scale = support_scale();

	make_lock(_i % 2);
	evrwlock_writer_try(lock);
	queue_up(scale, every[_i / 2]);
	ck_assert_uint_eq(served, 0);
	evrwlock_writer_release(lock);
	event_base_dispatch(loop);
	ck_assert_uint_eq(served, scale);
	ck_assert_uint_eq(rule_broken, 0);
	done(NULL, 0);
}
END_TEST

START_TEST(million_waiters_are_cancelled)
{
	size_t i, scale = support_scale();
	size_t lost = 0;

	make_lock(_i % 2);
	evrwlock_writer_try(lock);
	many = support_array(scale, sizeof(*many));
	for (i = 0; i < scale; i++) {
		many[i].d = i % 3 == 0 ? evrwlock_writer_acquire(lock)
				       : evrwlock_reader_acquire(lock);
		evdeferred_add_callbacks(
		    many[i].d, on_grant, on_loss, &many[i]);
	}
	/* From the middle of the queue, and from both ends. */
	for (i = 0; i < scale; i++) {
		struct party *p = &many[i % 2 == 0 ? scale - 1 - i / 2 : i / 2];

		if (_i / 2 == 0)
			evdeferred_cancel(p->d);
		lost += p->failed == ECANCELED;
		evdeferred_free(p->d);
	}
	ck_assert_uint_eq(lost, _i / 2 == 0 ? scale : 0);
	counts(0, 1, 0, 0);
	evrwlock_writer_release(lock);
	free(many);
	done(NULL, 0);
}
END_TEST

START_TEST(million_waiters_are_shut_out)
{
	size_t i, lost = 0, scale = support_scale();

	make_lock(_i);
	evrwlock_writer_try(lock);
	many = support_array(scale, sizeof(*many));
	for (i = 0; i < scale; i++) {
		many[i].d = i % 3 == 0 ? evrwlock_writer_acquire(lock)
				       : evrwlock_reader_acquire(lock);
		evdeferred_add_callbacks(
		    many[i].d, on_grant, on_loss, &many[i]);
	}
	evrwlock_free(lock);
	for (i = 0; i < scale; i++) {
		lost += many[i].failed == ESHUTDOWN;
		evdeferred_free(many[i].d);
	}
	ck_assert_uint_eq(lost, scale);
	evrwlock_writer_release(lock);
	free(many);
}
END_TEST

static bool again_writes;

static struct evresult
again(void *value, void *arg)
{
	struct evdeferred *d;

	(void)arg;
	if (++served < support_scale()) {
		d = again_writes ? evrwlock_writer_acquire(value)
				 : evrwlock_reader_acquire(value);
		evdeferred_add_callback(d, again, NULL);
		evdeferred_detach(d);
	}
	if (again_writes)
		evrwlock_writer_release(value);
	else
		evrwlock_reader_release(value);
	return evresult_value(NULL);
}

/* The release comes first: with FAST the acquire then nests. */
static struct evresult
again_from_outside(void *value, void *arg)
{
	struct evdeferred *d;

	(void)arg;
	if (again_writes)
		evrwlock_writer_release(value);
	else
		evrwlock_reader_release(value);
	if (++served < support_scale()) {
		d = again_writes ? evrwlock_writer_acquire(value)
				 : evrwlock_reader_acquire(value);
		evdeferred_add_callback(d, again_from_outside, NULL);
		evdeferred_detach(d);
	}
	return evresult_value(NULL);
}

START_TEST(million_acquires_by_callbacks)
{
	struct evdeferred *d;

	make_lock(_i % 2);
	served = 0;
	again_writes = _i / 2 % 2 == 1;
	d = again_writes ? evrwlock_writer_acquire(lock)
			 : evrwlock_reader_acquire(lock);
	evdeferred_add_callback(
	    d, _i / 4 == 0 ? again : again_from_outside, NULL);
	evdeferred_detach(d);
	event_base_dispatch(loop);
	ck_assert_uint_eq(served, support_scale());
	done(NULL, 0);
}
END_TEST

/* The lock against a model that is too simple to be wrong: arrays, searched
 * from the start. */

enum { PARTIES = 24, MODEL_STEPS = 200000 };
enum { IDLE, WAITS, GRANTED, HOLDS };

struct model_party {
	struct evdeferred *d;
	int state;
	bool writer;
	unsigned long arrival; /* orders waiters, then grants */
	int told_granted;
	int told_failed;
};

static struct model_party model[PARTIES];
static unsigned long arrivals, model_grants;
static size_t tries_inside; /* holds by try: all of the kind that is inside */
static bool tries_write;
static struct evrwlock_stats expected;
static bool model_fast;
static int order_errors;
static unsigned long last_delivered;

static struct evresult
model_granted(void *value, void *arg)
{
	struct model_party *p = arg;

	p->told_granted += value == lock;
	/* In the order of the grants. */
	if (!model_fast) {
		order_errors += p->state != GRANTED;
		order_errors += p->arrival <= last_delivered;
		last_delivered = p->arrival;
		p->state = HOLDS;
	}
	return evresult_value(NULL);
}

static struct evresult
model_failed(struct evfailure *failure, void *arg)
{
	struct model_party *p = arg;

	p->told_failed += evfailure_get_code(failure) == ECANCELED;
	return evresult_value(NULL);
}

static void
model_grant(struct model_party *p)
{
	p->state = model_fast ? HOLDS : GRANTED;
	p->arrival = ++model_grants;
	if (p->writer) {
		expected.writers_inside++;
		expected.writers_granted++;
	} else {
		expected.readers_inside++;
		expected.readers_granted++;
	}
}

static struct model_party *
first_waiting(bool writes)
{
	struct model_party *first = NULL;
	int i;

	for (i = 0; i < PARTIES; i++) {
		if (model[i].state == WAITS && model[i].writer == writes &&
		    (first == NULL || model[i].arrival < first->arrival))
			first = &model[i];
	}
	return first;
}

/* Lets in whoever may enter now. */
static void
model_admit(void)
{
	struct model_party *p = first_waiting(true);

	if (expected.writers_inside > 0)
		return;
	if (p != NULL) {
		if (expected.readers_inside == 0) {
			expected.writers_waiting--;
			model_grant(p);
		}
		return;
	}
	while ((p = first_waiting(false)) != NULL) {
		expected.readers_waiting--;
		model_grant(p);
	}
}

static void
model_ask(struct model_party *p, bool writes)
{
	const size_t others_inside =
	    expected.writers_inside +
	    (writes ? expected.readers_inside : expected.writers_waiting);

	p->writer = writes;
	p->told_granted = p->told_failed = 0;
	if (others_inside == 0) {
		model_grant(p);
	} else {
		p->state = WAITS;
		p->arrival = ++arrivals;
		if (writes)
			expected.writers_waiting++;
		else
			expected.readers_waiting++;
		if (expected.readers_waiting + expected.writers_waiting >
		    expected.longest_queue)
			expected.longest_queue =
			    expected.readers_waiting + expected.writers_waiting;
	}
	p->d = writes ? evrwlock_writer_acquire(lock)
		      : evrwlock_reader_acquire(lock);
	evdeferred_add_callbacks(p->d, model_granted, model_failed, p);
}

static void
model_leave(bool writes)
{
	if (writes)
		expected.writers_inside--;
	else
		expected.readers_inside--;
	model_admit();
}

/* Whether the library said what the model says. */
static int
model_release(struct model_party *p)
{
	int r;

	p->state = IDLE;
	model_leave(p->writer);
	r = p->writer ? evrwlock_writer_release(lock)
		      : evrwlock_reader_release(lock);
	evdeferred_free(p->d);
	p->d = NULL;
	return r != 0;
}

static int
model_give_up(struct model_party *p, bool cancels)
{
	const int state = p->state;
	struct evdeferred *d = p->d;
	int errors = 0;

	p->state = IDLE;
	p->d = NULL;
	expected.cancelled++;
	if (state == WAITS) {
		if (p->writer)
			expected.writers_waiting--;
		else
			expected.readers_waiting--;
		model_admit();
	} else {
		model_leave(p->writer);
	}
	if (cancels) {
		evdeferred_cancel(d);
		errors += p->told_failed != 1;
	}
	evdeferred_free(d);
	errors += p->told_granted != 0 || p->told_failed != cancels;
	return errors;
}

static int
model_try(bool writes)
{
	const bool free_for_me = expected.writers_inside == 0 &&
				 (writes ? expected.readers_inside == 0
					 : expected.writers_waiting == 0);
	int r;

	/* Few enough for the others to get their turn. */
	if (tries_inside >= 2)
		return 0;
	errno = 0;
	r = writes ? evrwlock_writer_try(lock) : evrwlock_reader_try(lock);
	if (!free_for_me)
		return r != -1 || errno != EBUSY;
	tries_inside++;
	tries_write = writes;
	if (writes) {
		expected.writers_inside++;
		expected.writers_granted++;
	} else {
		expected.readers_inside++;
		expected.readers_granted++;
	}
	return r != 0;
}

static int
model_untry(void)
{
	if (tries_inside == 0)
		return 0;
	tries_inside--;
	model_leave(tries_write);
	return (tries_write ? evrwlock_writer_release(lock)
			    : evrwlock_reader_release(lock)) != 0;
}

/* A release by one who holds nothing, if nobody does. */
static int
model_bad_release(bool writes)
{
	int i;

	if (tries_inside > 0)
		return 0;
	for (i = 0; i < PARTIES; i++) {
		if (model[i].state == HOLDS)
			return 0;
	}
	errno = 0;
	return (writes ? evrwlock_writer_release(lock)
		       : evrwlock_reader_release(lock)) != -1 ||
	       errno != EPERM;
}

static int
model_check(void)
{
	struct evrwlock_stats stats;
	int i, errors = 0;

	evrwlock_get_stats(lock, &stats);
	errors += stats.readers_inside != expected.readers_inside;
	errors += stats.writers_inside != expected.writers_inside;
	errors += stats.readers_waiting != expected.readers_waiting;
	errors += stats.writers_waiting != expected.writers_waiting;
	errors += stats.readers_granted != expected.readers_granted;
	errors += stats.writers_granted != expected.writers_granted;
	errors += stats.cancelled != expected.cancelled;
	errors += stats.longest_queue != expected.longest_queue;
	errors += stats.writers_inside > 1;
	errors += stats.writers_inside > 0 && stats.readers_inside > 0;
	errors += evrwlock_is_reading(lock) != (stats.readers_inside > 0);
	errors += evrwlock_is_writing(lock) != (stats.writers_inside > 0);
	for (i = 0; i < PARTIES; i++) {
		const struct model_party *p = &model[i];

		if (p->state == HOLDS)
			errors += p->told_granted != 1 || p->told_failed != 0;
		else if (p->state != IDLE)
			errors += p->told_granted + p->told_failed != 0;
	}
	return errors + order_errors;
}

static unsigned
next_random(void)
{
	static unsigned long long state = 20240229;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(state >> 40);
}

static int
model_step(void)
{
	struct model_party *p = &model[next_random() % PARTIES];
	const unsigned what = next_random() % 100;
	int i, errors = 0;

	if (what < 60) {
		if (p->state == IDLE)
			model_ask(p, next_random() % 3 == 0);
		else if (p->state == HOLDS)
			errors = model_release(p);
		else if (what < 12)
			errors = model_give_up(p, what < 6);
	} else if (what < 68) {
		errors = model_try(what < 64);
	} else if (what < 80) {
		errors = model_untry();
	} else if (what < 84) {
		errors = model_bad_release(what < 82);
	} else {
		turns(1);
		for (i = 0; i < PARTIES; i++)
			errors += model[i].state == GRANTED;
	}
	return errors;
}

START_TEST(lock_does_what_the_model_does)
{
	size_t scale = support_scale();
	size_t i, steps = scale < MODEL_STEPS ? scale : MODEL_STEPS;
	int errors = 0;

	model_fast = _i == 1;
	make_lock(_i);
	for (i = 0; i < steps && errors == 0; i++)
		errors = model_step() + model_check();
	ck_assert_msg(errors == 0, "%d differences after step %zu", errors, i);
	while (tries_inside > 0)
		model_untry();
	/* Each end lets others in, until nobody is left. */
	for (i = 0; i < 10 * PARTIES; i++) {
		struct model_party *p = &model[i % PARTIES];

		turns(1);
		if (p->state == HOLDS)
			errors += model_release(p);
	}
	ck_assert_int_eq(errors + model_check(), 0);
	ck_assert_uint_gt(expected.cancelled, 0);
	done(NULL, 0);
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
add_rules(Suite *suite)
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

	tc = add_case(suite, "waiters that leave");
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

	tc = add_case(suite, "delivery and try");
	tcase_add_test(tc, loop_delivers_never_from_inside);
	tcase_add_test(tc, fast_delivers_at_once);
	tcase_add_loop_test(tc, try_takes_a_free_lock, 0, 2);
	tcase_add_loop_test(tc, try_does_not_overtake_a_waiting_writer, 0, 2);
	tcase_add_test(tc, try_sees_an_undelivered_grant);
}

static void
add_with_and_close(Suite *suite)
{
	TCase *tc = add_case(suite, "with");

	tcase_add_loop_test(tc, with_holds_runs_and_releases, 0, 4);
	tcase_add_loop_test(tc, with_releases_on_failure, 0, 4);
	tcase_add_loop_test(tc, with_holds_until_the_deferred_fires, 0, 4);
	tcase_add_loop_test(tc, with_releases_when_the_deferred_fails, 0, 4);
	tcase_add_loop_test(tc, with_releases_on_cancel, 0, 4);
	tcase_add_loop_test(tc, with_releases_on_free, 0, 4);
	tcase_add_loop_test(
	    tc, with_cancelled_while_it_waits_runs_nothing, 0, 4);
	tcase_add_loop_test(tc, with_on_a_closed_lock_runs_nothing, 0, 4);
	tcase_add_loop_test(tc, with_freed_inside_its_body_releases, 0, 4);
	tcase_add_loop_test(
	    tc, with_freed_inside_its_body_calls_off_before_it_releases, 0, 2);
	tcase_add_loop_test(tc, with_closed_inside_its_body, 0, 4);
	tcase_add_loop_test(tc, with_disposes_of_an_owned_result_once, 0, 4);
	tcase_add_loop_test(
	    tc, with_lets_waiters_in_before_its_result_goes_on, 0, 4);

	tc = add_case(suite, "stats");
	tcase_add_loop_test(tc, stats_count, 0, 2);
	tcase_add_test(tc, stats_count_what_left_before_delivery);

	tc = add_case(suite, "close");
	tcase_add_loop_test(tc, close_of_a_free_lock, 0, 2);
	tcase_add_loop_test(tc, close_fails_waiters_before_it_returns, 0, 2);
	tcase_add_loop_test(tc, close_lets_holders_release, 0, 2);
	tcase_add_test(tc, close_delivers_grants_on_their_way);
	tcase_add_test(tc, close_with_only_an_undelivered_grant);
	tcase_add_loop_test(tc, close_with_a_forgotten_grant, 0, 2);
	tcase_add_loop_test(tc, close_inside_a_callback, 0, 4);
	tcase_add_loop_test(tc, close_while_waiters_leave_meanwhile, 0, 2);
	tcase_add_loop_test(
	    tc, close_while_the_last_holder_leaves_meanwhile, 0, 2);
	tcase_add_loop_test(tc, unhandled_close_is_reported, 0, 2);
	tcase_add_loop_test(tc, cancelled_waiter_is_not_reported, 0, 2);
}

static void
add_memory_and_scale(Suite *suite)
{
	TCase *tc = add_case(suite, "memory");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, every_allocation_may_fail, 0, 4);
	tcase_add_loop_test(tc, new_without_memory_is_enomem, 0, 2);
	tcase_add_loop_test(tc, acquire_without_memory_acquires_nothing, 0, 8);
	tcase_add_loop_test(
	    tc, with_without_memory_for_its_link_acquires_nothing, 0, 4);

	tc = add_case(suite, "constant stack");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, million_waiters_are_granted_in_one_go, 0, 6);
	tcase_add_loop_test(tc, million_waiters_are_cancelled, 0, 4);
	tcase_add_loop_test(tc, million_waiters_are_shut_out, 0, 2);
	tcase_add_loop_test(tc, million_acquires_by_callbacks, 0, 8);

	tc = add_case(suite, "model");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, lock_does_what_the_model_does, 0, 2);
}

int
main(void)
{
	Suite *suite = suite_create("rwlock");

	add_rules(suite);
	add_with_and_close(suite);
	add_memory_and_scale(suite);
	return support_main(suite);
}
