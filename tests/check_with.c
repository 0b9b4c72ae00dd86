/* SPDX-License-Identifier: MIT */
/*
 * Acquire, run, release: what patience bounds, and what it does not.  How a body
 * holds what it runs under is in check_rwlock.c and check_semaphore.c.
 */
#include "waiters.h"

#include <errno.h>
#include <string.h>

/* What is acquired, and for whom.  Most tests run once for each of these, and
 * with each way of delivery: _i % 2 is 0 for the loop's and 1 for the fast one,
 * and _i / 2 % KINDS is the kind. */
enum kind {
	READ,
	WRITE,
	OWNED_READ,
	OWNED_WRITE,
	SEMAPHORE,
	OWNED_SEMAPHORE,
	MUTEX,
	OWNED_MUTEX,
	KINDS,
	BOTH_WAYS = 2 * KINDS
};

static enum kind kind;
static struct evrwlock *lock;
static struct evsemaphore *semaphore;
static struct evmutex *mutex;
static struct evowner *owner;

static bool
is_rwlock(void)
{
	return kind <= OWNED_WRITE;
}

static bool
is_semaphore(void)
{
	return kind == SEMAPHORE || kind == OWNED_SEMAPHORE;
}

static bool
is_owned(void)
{
	return kind == OWNED_READ || kind == OWNED_WRITE ||
	       kind == OWNED_SEMAPHORE || kind == OWNED_MUTEX;
}

static enum evrwlock_mode
mode(void)
{
	return kind == READ || kind == OWNED_READ ? EVRWLOCK_READ
						  : EVRWLOCK_WRITE;
}

static void
make(int i)
{
	const bool fast = i % 2 == 1;

	kind = (enum kind)(i / 2 % KINDS);
	lock = evrwlock_new(base, fast ? EVRWLOCK_FAST : 0);
	semaphore = evsemaphore_new(base, 1, fast ? EVSEMAPHORE_FAST : 0);
	mutex = evmutex_new(base, fast ? EVMUTEX_FAST : 0);
	ck_assert(lock != NULL && semaphore != NULL && mutex != NULL);
	owner = NULL;
	if (is_owned()) {
		owner = evowner_new(base, "owner");
		ck_assert_ptr_nonnull(owner);
	}
}

static void
close_locks(void)
{
	evrwlock_free(lock);
	evsemaphore_free(semaphore);
	evmutex_free(mutex);
}

static struct evdeferred *
with(const struct timeval *patience, evdeferred_body_fn body, void *arg)
{
	if (is_rwlock())
		return evrwlock_with(lock, owner, mode(), patience, body, arg);
	if (is_semaphore())
		return evsemaphore_with(semaphore, owner, patience, body, arg);
	return evmutex_with(mutex, owner, patience, body, arg);
}

/* Somebody else is inside, so that whoever comes has to wait. */
static void
occupy(void)
{
	if (is_rwlock())
		ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	else if (is_semaphore())
		ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	else
		ck_assert_int_eq(evmutex_try(mutex, NULL), 0);
}

static void
vacate(void)
{
	if (is_rwlock())
		ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	else if (is_semaphore())
		ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	else
		ck_assert_int_eq(evmutex_release(mutex, NULL), 0);
}

static struct evsemaphore_stats
stats(void)
{
	struct evsemaphore_stats stats = {0};
	struct evrwlock_stats of_lock;

	if (is_semaphore()) {
		evsemaphore_get_stats(semaphore, &stats);
	} else if (!is_rwlock()) {
		evmutex_get_stats(mutex, &stats);
	} else {
		evrwlock_get_stats(lock, &of_lock);
		stats.inside = of_lock.readers_inside + of_lock.writers_inside;
		stats.waiting =
		    of_lock.readers_waiting + of_lock.writers_waiting;
		stats.cancelled = of_lock.cancelled;
	}
	return stats;
}

static void
counts(size_t inside, size_t waiting)
{
	ck_assert_uint_eq(stats().inside, inside);
	ck_assert_uint_eq(stats().waiting, waiting);
}

/* Nobody is inside or waits, for a lock or for a timer. */
static void
idle(void)
{
	settle();
	counts(0, 0);
	ck_assert_int_eq(events(), 0);
}

static void
done(struct evdeferred *d)
{
	evdeferred_free(d);
	idle();
	evowner_free(owner);
	close_locks();
}

/* What runs inside, and what became of it. */
struct work {
	struct evdeferred *answer; /* what it waits for, or NULL */
	int runs;
	size_t inside; /* while it runs */
	int called_off;
	struct seen seen;
};

static struct evresult
run(void *arg)
{
	struct work *work = arg;

	work->runs++;
	work->inside = stats().inside;
	return work->answer != NULL ? evresult_deferred(work->answer)
				    : evresult_value(work);
}

static void
call_off(struct evdeferred *d, void *arg)
{
	struct work *work = arg;

	(void)d;
	work->called_off++;
}

static struct evdeferred *
begin(const struct timeval *patience, struct work *work)
{
	struct evdeferred *d = with(patience, run, work);

	ck_assert_ptr_nonnull(d);
	see(d, &work->seen);
	return d;
}

static struct evdeferred *
begin_within(long ms, struct work *work)
{
	const struct timeval patience = milliseconds(ms);

	return begin(&patience, work);
}

/* The same, with a body that ends when its answer is fired. */
static struct evdeferred *
begin_slow_within(long ms, struct work *work)
{
	work->answer = evdeferred_new(base, call_off, work);
	ck_assert_ptr_nonnull(work->answer);
	return begin_within(ms, work);
}

static void
check_ran(const struct work *work)
{
	ck_assert_int_eq(work->runs, 1);
	ck_assert_uint_eq(work->inside, 1);
	ck_assert_int_eq(work->seen.values, 1);
	ck_assert_int_eq(work->seen.failures, 0);
}

static void
check_failed(const struct work *work, int code)
{
	ck_assert_int_eq(work->runs, 0);
	ck_assert_int_eq(work->seen.values, 0);
	ck_assert_int_eq(work->seen.failures, 1);
	ck_assert_int_eq(work->seen.code, code);
}

static void
check_under_way(const struct work *work, int runs)
{
	ck_assert_int_eq(work->runs, runs);
	ck_assert_int_eq(work->seen.values + work->seen.failures, 0);
}

/* Patience bounds the wait. */

START_TEST(wait_longer_than_patience_ends_with_etimedout)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	occupy();
	d = begin_within(100, &work);
	clock_advance(99);
	settle();
	check_under_way(&work, 0);
	counts(1, 1);
	clock_advance(1);
	settle();
	check_failed(&work, ETIMEDOUT);
	counts(1, 0);
	ck_assert_uint_eq(stats().cancelled, 1);
	vacate();
	settle();
	ck_assert_int_eq(work.runs, 0);
	done(d);
}
END_TEST

START_TEST(without_patience_it_waits_on)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	occupy();
	d = begin(NULL, &work);
	clock_advance(1000L * 60 * 60 * 24);
	settle();
	check_under_way(&work, 0);
	vacate();
	settle();
	check_ran(&work);
	done(d);
}
END_TEST

/* Patience that runs from 1 to WAITERS milliseconds, but not in the order in
 * which they came. */
#define WAITERS 20

static long
patience_of(int waiter)
{
	return waiter * 7 % WAITERS + 1;
}

/* Who comes next is another one.  Returns the one before. */
static struct evowner *
exchange_owner(void)
{
	struct evowner *before = owner;

	owner = evowner_new(base, "another owner");
	ck_assert_ptr_nonnull(owner);
	return before;
}

START_TEST(each_waits_as_long_as_its_own_patience)
{
	struct work works[WAITERS] = {{0}};
	struct evdeferred *d[WAITERS];
	struct evowner *owners[WAITERS] = {NULL};
	long now;
	int w;

	make(_i);
	occupy();
	/* One owner that asked twice for a mutex would wait for itself. */
	for (w = 0; w < WAITERS; w++) {
		if (is_owned())
			owners[w] = exchange_owner();
		d[w] = begin_within(patience_of(w), &works[w]);
	}
	for (now = 1; now <= WAITERS / 2; now++) {
		clock_advance(1);
		turns(2);
		counts(1, (size_t)(WAITERS - now));
		for (w = 0; w < WAITERS; w++)
			ck_assert_int_eq(
			    works[w].seen.failures, patience_of(w) <= now);
	}
	vacate();
	/* One after the other, where they do not share. */
	turns(3 * WAITERS);
	for (w = 0; w < WAITERS; w++) {
		if (patience_of(w) <= WAITERS / 2)
			check_failed(&works[w], ETIMEDOUT);
		else
			ck_assert_int_eq(works[w].seen.values, 1);
		evdeferred_free(d[w]);
		evowner_free(owners[w]);
	}
	done(NULL);
}
END_TEST

START_TEST(writer_out_of_patience_lets_readers_in)
{
	const struct timeval patience = milliseconds(100);
	struct work writer = {0};
	struct seen reader = {0};
	struct evdeferred *d[2];

	make(_i);
	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	d[0] =
	    evrwlock_with(lock, owner, EVRWLOCK_WRITE, &patience, run, &writer);
	see(d[0], &writer.seen);
	d[1] = evrwlock_acquire(lock, NULL, EVRWLOCK_READ);
	see(d[1], &reader);
	clock_advance(100);
	settle();
	check_failed(&writer, ETIMEDOUT);
	ck_assert_int_eq(reader.values, 1);
	counts(2, 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	evdeferred_free(d[0]);
	done(d[1]);
}
END_TEST

/* It does not bound the body. */

START_TEST(body_may_take_longer_than_patience)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	d = begin_slow_within(100, &work);
	settle();
	check_under_way(&work, 1);
	clock_advance(100000);
	settle();
	check_under_way(&work, 1);
	ck_assert_int_eq(work.called_off, 0);
	counts(1, 0);
	ck_assert_int_eq(evdeferred_fire(work.answer, evresult_value(NULL)), 0);
	check_ran(&work);
	done(d);
}
END_TEST

START_TEST(body_after_a_wait_may_take_longer_than_patience)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	occupy();
	d = begin_slow_within(100, &work);
	clock_advance(99);
	settle();
	vacate();
	settle();
	check_under_way(&work, 1);
	clock_advance(100000);
	settle();
	check_under_way(&work, 1);
	ck_assert_int_eq(work.called_off, 0);
	ck_assert_int_eq(evdeferred_fire(work.answer, evresult_value(NULL)), 0);
	check_ran(&work);
	done(d);
}
END_TEST

START_TEST(timeout_of_the_caller_bounds_the_body_too)
{
	const struct timeval limit = milliseconds(200);
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	work.answer = evdeferred_new(base, call_off, &work);
	d = with(&limit, run, &work);
	ck_assert_int_eq(evdeferred_add_timeout(d, &limit), 0);
	see(d, &work.seen);
	settle();
	check_under_way(&work, 1);
	clock_advance(200);
	settle();
	ck_assert_int_eq(work.called_off, 1);
	ck_assert_int_eq(work.seen.code, ETIMEDOUT);
	done(d);
}
END_TEST

/* The last moment. */

START_TEST(grant_before_the_end_is_in_time_however_late_the_loop_is)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	occupy();
	d = begin_within(100, &work);
	clock_advance(99);
	vacate();
	clock_advance(1);
	settle();
	check_ran(&work);
	done(d);
}
END_TEST

START_TEST(grant_before_the_loop_has_looked_is_in_time)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	occupy();
	d = begin_within(100, &work);
	clock_advance(1000);
	vacate();
	settle();
	check_ran(&work);
	done(d);
}
END_TEST

static struct evresult
vacate_now(void *arg)
{
	(void)arg;
	vacate();
	return evresult_value(NULL);
}

/* The release and the end of patience come in one turn of the loop: the release
 * first, or with _i / BOTH_WAYS the end of patience. */
START_TEST(release_at_the_moment_of_the_timeout)
{
	const struct timeval moment = milliseconds(100);
	const bool fast = _i % 2 == 1, before = _i / BOTH_WAYS == 0;
	struct evdeferred *release = NULL, *d;
	struct work work = {0};

	make(_i);
	occupy();
	if (before)
		release = evdeferred_later(base, &moment, vacate_now, NULL);
	d = begin(&moment, &work);
	if (!before)
		release = evdeferred_later(base, &moment, vacate_now, NULL);
	ck_assert_ptr_nonnull(release);
	clock_advance(100);
	settle();
	if (work.runs == 1)
		check_ran(&work);
	else
		check_failed(&work, ETIMEDOUT);
	if (!before)
		ck_assert_int_eq(work.runs, 0);
	else if (fast)
		ck_assert_int_eq(work.runs, 1);
	evdeferred_free(release);
	done(d);
}
END_TEST

START_TEST(patience_of_zero_takes_what_readers_share)
{
	struct work works[WAITERS] = {{0}};
	struct evdeferred *d[WAITERS];
	int w;

	make(_i);
	for (w = 0; w < WAITERS; w++)
		d[w] = begin_within(0, &works[w]);
	settle();
	for (w = 0; w < WAITERS; w++) {
		ck_assert_int_eq(works[w].seen.values, 1);
		evdeferred_free(d[w]);
	}
	done(NULL);
}
END_TEST

START_TEST(patience_of_zero_takes_what_is_free)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	d = begin_within(0, &work);
	settle();
	check_ran(&work);
	done(d);
}
END_TEST

START_TEST(patience_of_zero_does_not_wait)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	occupy();
	d = begin_within(0, &work);
	/* No callback runs before the caller has the Deferred. */
	check_under_way(&work, 0);
	settle();
	check_failed(&work, ETIMEDOUT);
	vacate();
	done(d);
}
END_TEST

/* Other ends. */

static void
stop(struct evdeferred **d, bool freed)
{
	if (!freed) {
		evdeferred_cancel(*d);
		return;
	}
	evdeferred_free(*d);
	*d = NULL;
}

/* With _i / BOTH_WAYS it is freed. */
START_TEST(wait_that_is_called_off_runs_nothing)
{
	const bool freed = _i / BOTH_WAYS == 1;
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	occupy();
	d = begin_within(100, &work);
	stop(&d, freed);
	counts(1, 0);
	if (!freed)
		check_failed(&work, ECANCELED);
	clock_advance(100);
	settle();
	ck_assert_int_eq(work.seen.failures, freed ? 0 : 1);
	vacate();
	settle();
	ck_assert_int_eq(work.runs, 0);
	done(d);
}
END_TEST

/* The same with a grant that is on its way. */
START_TEST(grant_that_is_called_off_runs_nothing)
{
	const bool freed = _i / BOTH_WAYS == 1;
	struct work work = {0};
	struct evdeferred *d;

	if (_i % 2 == 1)
		return; /* it arrives at once */
	make(_i);
	d = begin_within(100, &work);
	counts(1, 0);
	stop(&d, freed);
	counts(0, 0);
	if (!freed)
		check_failed(&work, ECANCELED);
	settle();
	ck_assert_int_eq(work.runs, 0);
	done(d);
}
END_TEST

START_TEST(body_called_off_after_patience_was_not_out_of_time)
{
	const bool freed = _i / BOTH_WAYS == 1;
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	d = begin_slow_within(100, &work);
	settle();
	clock_advance(1000);
	settle();
	stop(&d, freed);
	ck_assert_int_eq(work.runs, 1);
	ck_assert_int_eq(work.called_off, 1);
	ck_assert_int_eq(work.seen.values, 0);
	ck_assert_int_eq(work.seen.code, freed ? 0 : ECANCELED);
	done(d);
}
END_TEST

START_TEST(wait_for_what_is_closed_ends_with_eshutdown)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	occupy();
	d = begin_within(100, &work);
	close_locks();
	check_failed(&work, ESHUTDOWN);
	settle();
	ck_assert_int_eq(events(), 0);
	vacate();
	evdeferred_free(d);
	evowner_free(owner);
}
END_TEST

START_TEST(after_the_base_it_fails_with_eshutdown)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	support_free_base();
	d = begin_within(0, &work);
	check_failed(&work, ESHUTDOWN);
	evdeferred_free(d);
	evowner_free(owner);
	close_locks();
}
END_TEST

START_TEST(owner_that_goes_takes_its_wait_along)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	if (owner == NULL) {
		done(NULL);
		return;
	}
	occupy();
	d = begin_within(100, &work);
	evowner_free(owner);
	owner = NULL;
	check_failed(&work, ECANCELED);
	counts(1, 0);
	vacate();
	done(d);
}
END_TEST

START_TEST(owner_that_goes_gives_back_what_a_body_runs_under)
{
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	if (owner == NULL) {
		done(NULL);
		return;
	}
	d = begin_slow_within(100, &work);
	settle();
	evowner_free(owner);
	owner = NULL;
	counts(0, 0);
	occupy();
	clock_advance(1000);
	settle();
	ck_assert_int_eq(work.called_off, 0);
	ck_assert_int_eq(evdeferred_fire(work.answer, evresult_value(NULL)), 0);
	check_ran(&work);
	counts(1, 0);
	vacate();
	done(d);
}
END_TEST

START_TEST(deadlock_is_told_at_once_whatever_the_patience)
{
	const struct timeval patience = milliseconds(100);
	struct work work = {0};
	struct evdeferred *d;

	make(_i);
	if (owner != NULL && is_rwlock()) {
		ck_assert_int_eq(evrwlock_try(lock, owner, EVRWLOCK_READ), 0);
		d = evrwlock_with(
		    lock, owner, EVRWLOCK_WRITE, &patience, run, &work);
		see(d, &work.seen);
		check_failed(&work, EDEADLK);
		counts(1, 0);
		ck_assert_int_eq(
		    evrwlock_release(lock, owner, EVRWLOCK_READ), 0);
		evdeferred_free(d);
	}
	done(NULL);
}
END_TEST

/* What is refused. */

/* With _i / BOTH_WAYS it would have to wait. */
START_TEST(bad_patience_is_einval_and_acquires_nothing)
{
	const struct timeval bad[] = {{-1, 0}, {0, -1}, {1, 1000000}};
	const struct timeval good = milliseconds(100);
	const bool busy = _i / BOTH_WAYS == 1;
	size_t i;

	make(_i);
	if (busy)
		occupy();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		REFUSED_NULL(with(&bad[i], run, NULL), EINVAL);
	REFUSED_NULL(with(&good, NULL, NULL), EINVAL);
	counts(busy, 0);
	if (busy)
		vacate();
	idle();
	/* The owner has nothing, either. */
	occupy();
	vacate();
	done(NULL);
}
END_TEST

/* One try, with the n-th allocation made to fail.  Whether it came to that. */
static bool
fails_without_memory(int i, size_t n, bool onwards, bool busy)
{
	const struct timeval patience = milliseconds(100);
	struct work work = {0};
	struct evdeferred *d;
	bool failed;
	int code;

	/* Another base: this one has no memory in its pools. */
	support_free_base();
	base = evdefer_base_new(loop);
	ck_assert_ptr_nonnull(base);
	make(i);
	if (busy)
		occupy();
	alloc_fail_at(n, onwards);
	errno = 0;
	d = with(&patience, run, &work);
	code = errno;
	failed = alloc_failed();
	alloc_fail_at(0, false);
	ck_assert(d != NULL || (failed && code == ENOMEM));
	if (d == NULL) {
		counts(busy, 0);
		ck_assert_int_eq(work.runs, 0);
	}
	if (busy)
		vacate();
	settle();
	ck_assert_int_eq(work.runs, d != NULL);
	done(d);
	return failed;
}

START_TEST(without_memory_it_acquires_nothing)
{
	const bool busy = _i / BOTH_WAYS == 1;
	size_t n = 0;

	if (!alloc_works())
		return;
	while (fails_without_memory(_i, ++n, false, busy))
		;
	ck_assert_uint_gt(n, 1);
	for (n = 0; fails_without_memory(_i, ++n, true, busy);)
		;
}
END_TEST

/* The mode is a value. */

/* Acquires one way and releases the other. */
START_TEST(functions_with_a_mode_and_those_that_name_it_are_one)
{
	const enum evrwlock_mode how =
	    _i / 2 == 0 ? EVRWLOCK_READ : EVRWLOCK_WRITE;
	struct seen seen = {0};
	struct evdeferred *d[2];

	make(_i % 2);
	d[0] = evrwlock_acquire(lock, NULL, how);
	see(d[0], &seen);
	settle();
	ck_assert_int_eq(seen.values, 1);
	ck_assert_ptr_eq(seen.value, lock);
	counts(1, 0);
	ck_assert_int_eq(release_by_name(lock, how), 0);
	counts(0, 0);

	d[1] = acquire_by_name(lock, how);
	see(d[1], &seen);
	settle();
	ck_assert_int_eq(seen.values, 2);
	ck_assert_int_eq(evrwlock_release(lock, NULL, how), 0);

	ck_assert_int_eq(evrwlock_try(lock, NULL, how), 0);
	ck_assert_int_eq(release_by_name(lock, how), 0);
	ck_assert_int_eq(try_by_name(lock, how), 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, how), 0);
	evdeferred_free(d[0]);
	done(d[1]);
}
END_TEST

/* They stand in one queue. */
START_TEST(waiters_with_a_mode_and_those_that_name_it_take_turns)
{
	struct seen seen[4] = {{0}};
	struct evdeferred *d[4];
	int i;

	make(_i);
	occupy();
	d[0] = evrwlock_acquire(lock, NULL, EVRWLOCK_WRITE);
	d[1] = evrwlock_writer_acquire(lock);
	d[2] = evrwlock_reader_acquire(lock);
	d[3] = evrwlock_acquire(lock, NULL, EVRWLOCK_READ);
	for (i = 0; i < 4; i++)
		see(d[i], &seen[i]);
	vacate();
	settle();
	ck_assert_int_eq(seen[0].values, 1);
	ck_assert_int_eq(seen[1].values, 0);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	ck_assert_int_eq(seen[1].values, 1);
	ck_assert_int_eq(seen[2].values, 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	settle();
	ck_assert_int_eq(seen[2].values, 1);
	ck_assert_int_eq(seen[3].values, 1);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	for (i = 0; i < 4; i++)
		evdeferred_free(d[i]);
	done(NULL);
}
END_TEST

/* _i / 2 is whether it is for an owner. */
START_TEST(no_such_mode_is_einval)
{
	const enum evrwlock_mode none = (enum evrwlock_mode)7;

	make(_i / 2 == 0 ? _i : 2 * OWNED_READ + _i % 2);
	ck_assert(_i / 2 == 0 || owner != NULL);
	REFUSED_NULL(evrwlock_acquire(lock, owner, none), EINVAL);
	REFUSED(evrwlock_try(lock, owner, none), EINVAL);
	REFUSED(evrwlock_release(lock, owner, none), EINVAL);
	REFUSED_NULL(evrwlock_with(lock, owner, none, NULL, run, NULL), EINVAL);
	counts(0, 0);
	occupy();
	REFUSED(evrwlock_release(lock, owner, none), EINVAL);
	counts(1, 0);
	vacate();
	done(NULL);
}
END_TEST

START_TEST(owner_of_another_base_is_einval)
{
	struct evdefer_base *other = evdefer_base_new(loop);
	struct evowner *stranger = evowner_new(other, "stranger");

	make(_i);
	ck_assert_ptr_nonnull(stranger);
	REFUSED_NULL(evrwlock_acquire(lock, stranger, EVRWLOCK_READ), EINVAL);
	REFUSED(evrwlock_try(lock, stranger, EVRWLOCK_READ), EINVAL);
	REFUSED(evrwlock_release(lock, stranger, EVRWLOCK_READ), EINVAL);
	REFUSED_NULL(
	    evrwlock_with(lock, stranger, EVRWLOCK_READ, NULL, run, NULL),
	    EINVAL);
	counts(0, 0);
	evowner_free(stranger);
	evdefer_base_free(other);
	done(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("with");
	TCase *tc = add_case(suite, "patience");

	tcase_add_loop_test(
	    tc, wait_longer_than_patience_ends_with_etimedout, 0, BOTH_WAYS);
	tcase_add_loop_test(tc, without_patience_it_waits_on, 0, BOTH_WAYS);
	tcase_add_loop_test(
	    tc, each_waits_as_long_as_its_own_patience, 0, BOTH_WAYS);
	tcase_add_loop_test(tc, writer_out_of_patience_lets_readers_in, 0,
	    2 * (OWNED_WRITE + 1));
	tcase_add_loop_test(
	    tc, body_may_take_longer_than_patience, 0, BOTH_WAYS);
	tcase_add_loop_test(
	    tc, body_after_a_wait_may_take_longer_than_patience, 0, BOTH_WAYS);
	tcase_add_loop_test(
	    tc, timeout_of_the_caller_bounds_the_body_too, 0, BOTH_WAYS);
	tcase_add_loop_test(tc,
	    grant_before_the_end_is_in_time_however_late_the_loop_is, 0,
	    BOTH_WAYS);
	tcase_add_loop_test(
	    tc, grant_before_the_loop_has_looked_is_in_time, 0, BOTH_WAYS);
	tcase_add_loop_test(
	    tc, release_at_the_moment_of_the_timeout, 0, 2 * BOTH_WAYS);
	tcase_add_loop_test(
	    tc, patience_of_zero_takes_what_is_free, 0, BOTH_WAYS);
	tcase_add_loop_test(tc, patience_of_zero_does_not_wait, 0, BOTH_WAYS);
	tcase_add_loop_test(
	    tc, patience_of_zero_takes_what_readers_share, 0, 2);

	tc = add_case(suite, "ends");
	tcase_add_loop_test(
	    tc, wait_that_is_called_off_runs_nothing, 0, 2 * BOTH_WAYS);
	tcase_add_loop_test(
	    tc, grant_that_is_called_off_runs_nothing, 0, 2 * BOTH_WAYS);
	tcase_add_loop_test(tc,
	    body_called_off_after_patience_was_not_out_of_time, 0,
	    2 * BOTH_WAYS);
	tcase_add_loop_test(
	    tc, wait_for_what_is_closed_ends_with_eshutdown, 0, BOTH_WAYS);
	tcase_add_loop_test(
	    tc, after_the_base_it_fails_with_eshutdown, 0, BOTH_WAYS);
	tcase_add_loop_test(
	    tc, owner_that_goes_takes_its_wait_along, 0, BOTH_WAYS);
	tcase_add_loop_test(tc,
	    owner_that_goes_gives_back_what_a_body_runs_under, 0, BOTH_WAYS);
	tcase_add_loop_test(
	    tc, deadlock_is_told_at_once_whatever_the_patience, 0, BOTH_WAYS);

	tc = add_case(suite, "refused");
	tcase_add_loop_test(
	    tc, bad_patience_is_einval_and_acquires_nothing, 0, 2 * BOTH_WAYS);
	tcase_add_loop_test(
	    tc, without_memory_it_acquires_nothing, 0, 2 * BOTH_WAYS);

	tc = add_case(suite, "modes");
	tcase_add_loop_test(
	    tc, functions_with_a_mode_and_those_that_name_it_are_one, 0, 4);
	tcase_add_loop_test(
	    tc, waiters_with_a_mode_and_those_that_name_it_take_turns, 0, 2);
	tcase_add_loop_test(tc, no_such_mode_is_einval, 0, 4);
	tcase_add_loop_test(tc, owner_of_another_base_is_einval, 0, 2);
	return support_main(suite);
}
