/* SPDX-License-Identifier: MIT */
/*
 * What each part of the library does when an allocation fails.
 *
 * A scenario is written so that it comes to its end whatever is refused to it.
 * It runs with its first, second, third ... allocation failing, that one alone
 * or all after it too, until it gets through without having asked for so many.
 * Each time:
 *
 *  - what was refused was refused with ENOMEM, or ended as a failure with
 *    ENOMEM: if neither came, then all that was asked for was done;
 *  - each value was received or disposed of, once, and no link is called twice;
 *  - nothing is held, nobody waits: the lock can be had at once;
 *  - no memory is left.
 *
 * The library is one whose pools hold one object each, so that each Deferred,
 * link and hold is an allocation.
 */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>

#define MANY 50 /* waiters, of whom the timers need more than libevent has */

static const struct timeval second = {1, 0};

/* The run under way.  Nothing is asserted while allocations fail. */
static struct {
	struct evdefer_base *base;
	unsigned flags;	  /* of locks */
	int refused;	  /* calls */
	int without;	  /* failures with ENOMEM */
	int wrong_errno;  /* a refusal with another one */
	int wrong_code;	  /* a failure that was not foreseen */
	int wedged;	  /* locks that can't be had at the end */
	int owed;	  /* values that were made and not freed */
	int links, calls; /* that were added, and called */
	int values;
	int foreseen; /* the code that a failure may have */
	int other;    /* another one */
	int failures; /* with that */
	long ms;      /* that the clock went ahead */
} run;

static bool
is_there(const void *pointer)
{
	if (pointer != NULL)
		return true;
	run.refused++;
	run.wrong_errno += errno != ENOMEM;
	return false;
}

static bool
is_done(int result)
{
	return is_there(result == 0 ? &run : NULL);
}

static void
free_value(void *value)
{
	(void)value;
	run.owed--;
}

static struct evresult
value(void)
{
	run.owed++;
	return evresult_owned(&run, free_value);
}

static struct evresult
on_value(void *data, void *arg)
{
	(void)arg;
	run.calls++;
	run.values++;
	if (data == &run)
		run.owed--;
	return evresult_value(NULL);
}

static struct evresult
on_failure(struct evfailure *failure, void *arg)
{
	(void)arg;
	run.calls++;
	if (evfailure_get_code(failure) == ENOMEM)
		run.without++;
	else if (evfailure_get_code(failure) == run.foreseen ||
		 evfailure_get_code(failure) == run.other)
		run.failures++;
	else
		run.wrong_code++;
	return evresult_value(NULL);
}

/* Adds links that look at what comes out of it.  False if that was refused. */
static bool
look(struct evdeferred *d)
{
	if (!is_there(d) ||
	    !is_done(evdeferred_add_callbacks(d, on_value, on_failure, NULL)))
		return false;
	run.links++;
	return true;
}

static void
pass(int count)
{
	while (count-- > 0)
		event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
advance(long ms)
{
	run.ms += ms;
	clock_advance(ms);
	pass(4);
}

/*
 * Deferreds.
 */

static void
links_and_values(void)
{
	struct evdeferred *d = evdeferred_new(run.base, NULL, NULL);
	struct evresult result = value();

	look(d);
	if (d == NULL || evdeferred_fire(d, result) == -1)
		evresult_dispose(result);
	look(d);
	evdeferred_free(d);
}

static void
fired_at_once(void)
{
	struct evresult result = value();
	struct evdeferred *d = evdeferred_new_fired(run.base, result);

	look(d);
	if (d == NULL)
		evresult_dispose(result);
	evdeferred_free(d);
	d = evdeferred_succeed(run.base, NULL);
	look(d);
	evdeferred_free(d);
	run.foreseen = EIO;
	d = evdeferred_fail(run.base, EIO, "a %s that is told", "reason");
	look(d);
	evdeferred_free(d);
}

static struct evresult
return_deferred(void *data, void *arg)
{
	struct evdeferred **inner = arg;

	(void)data;
	*inner = evdeferred_new(run.base, NULL, NULL);
	if (*inner == NULL)
		return evresult_fail(errno, "no Deferred");
	return evresult_deferred(*inner);
}

static void
wait_for_another(void)
{
	struct evdeferred *d = evdeferred_succeed(run.base, NULL);
	struct evdeferred *inner = NULL;
	struct evresult result = value();

	if (is_there(d))
		is_done(evdeferred_add_callback(d, return_deferred, &inner));
	look(d);
	if (inner == NULL || evdeferred_fire(inner, result) == -1)
		evresult_dispose(result);
	evdeferred_free(d);
}

static void
chained(void)
{
	struct evdeferred *d = evdeferred_new(run.base, NULL, NULL);
	struct evdeferred *other = evdeferred_new(run.base, NULL, NULL);
	bool is_chained = false;

	if (is_there(d) && is_there(other))
		is_chained = is_done(evdeferred_chain(d, other));
	look(other);
	if (d != NULL)
		evdeferred_callback(d, NULL);
	if (other != NULL && !is_chained)
		evdeferred_callback(other, NULL);
	evdeferred_free(d);
	evdeferred_free(other);
}

static struct evresult
make_value(void *arg)
{
	(void)arg;
	return value();
}

static void
bodies(void)
{
	struct evdeferred *now = evdeferred_maybe(run.base, make_value, NULL);
	struct evdeferred *later =
	    evdeferred_later(run.base, &second, make_value, NULL);

	look(now);
	look(later);
	advance(1500);
	evdeferred_free(now);
	evdeferred_free(later);
}

static void
timed_out(void)
{
	struct evdeferred *d = evdeferred_new(run.base, NULL, NULL);

	run.foreseen = ETIMEDOUT;
	if (is_there(d) && is_done(evdeferred_add_timeout(d, &second))) {
		look(d);
		advance(1500);
	}
	if (d != NULL)
		evdeferred_callback(d, NULL);
	evdeferred_free(d);
}

/* A cancel needs no memory, nor does the late result. */
static void
cancelled(void)
{
	struct evdeferred *d = evdeferred_new(run.base, NULL, NULL);

	run.foreseen = ECANCELED;
	look(d);
	evdeferred_cancel(d);
	if (d != NULL)
		evdeferred_fire(d, value());
	evdeferred_free(d);
}

static struct evresult
wrap(struct evfailure *failure, void *arg)
{
	(void)arg;
	return evresult_wrap(failure, EPROTO, "%s, so that %s",
	    evfailure_get_message(failure), "nothing came of it");
}

static void
failures(void)
{
	struct evdeferred *d = evdeferred_new(run.base, NULL, NULL);

	run.foreseen = EPROTO;
	if (is_there(d)) {
		if (!is_done(evdeferred_add_errback(d, wrap, NULL)))
			run.foreseen = EIO;
		look(d);
		evdeferred_errback(d, EIO, "%0200d", 1);
	}
	evdeferred_free(d);
}

static void
debugged(void)
{
	struct evdeferred *d;
	char text[512];

	is_done(evdefer_base_set_debug(run.base, true));
	is_done(evdefer_base_reserve(run.base, 4, 4));
	d = evdeferred_new(run.base, NULL, NULL);
	look(d);
	evdeferred_describe(d, text, sizeof(text));
	if (d != NULL)
		evdeferred_callback(d, NULL);
	evdeferred_free(d);
}

/* A failure that nobody handles is reported, also without memory. */
static void
unhandled(void)
{
	struct evdeferred *d = evdeferred_new(run.base, NULL, NULL);

	if (is_there(d))
		evdeferred_errback(d, EIO, "nobody handles %s", "this");
	evdeferred_free(d);
}

/*
 * Combinations.
 */

static struct evresult
on_results(void *data, void *arg)
{
	struct evresults *results = data;
	size_t i;

	(void)arg;
	run.calls++;
	for (i = 0; i < evresults_get_count(results); i++)
		evresult_dispose(evresults_take(results, i));
	evresults_free(results);
	return evresult_value(NULL);
}

static void
combine(int kind)
{
	struct evdeferred *in[3], *d = NULL;
	size_t i, count = 0;

	for (i = 0; i < 3; i++) {
		in[count] = evdeferred_new(run.base, NULL, NULL);
		if (is_there(in[count]))
			count++;
	}
	if (kind == 0)
		d = evdeferred_list(run.base, in, count, 0);
	else if (kind == 1)
		d = evdeferred_gather(run.base, in, count, 0);
	else if (count > 0)
		d = evdeferred_race(run.base, in, count);
	run.foreseen = EIO;
	if ((count > 0 || kind < 2) && is_there(d) &&
	    is_done(evdeferred_add_callbacks(d, on_results, on_failure, NULL)))
		run.links++;
	for (i = 0; i < count; i++)
		if (i == 0 || kind == 1)
			evdeferred_fire(in[i], value());
		else if (kind == 0)
			evdeferred_errback(in[i], EIO, "part %zu", i);
	if (d == NULL)
		for (i = 0; i < count; i++)
			evdeferred_free(in[i]);
	evdeferred_free(d);
	/* The losers of a race, and what was freed, may come late. */
	for (i = 1; i < count && kind == 2; i++)
		evdeferred_fire(in[i], value());
}

static void
list(void)
{
	combine(0);
}

static void
gather(void)
{
	combine(1);
}

static void
race(void)
{
	combine(2);
}

/* All fail: the failure has those of all. */
static void
race_of_failures(void)
{
	struct evdeferred *in[2], *d;
	int i;

	run.foreseen = EIO;
	for (i = 0; i < 2; i++)
		in[i] = evdeferred_new(run.base, NULL, NULL);
	if (!is_there(in[0]) || !is_there(in[1]))
		d = NULL;
	else
		d = evdeferred_race(run.base, in, 2);
	if (d == NULL && in[0] != NULL && in[1] != NULL)
		is_there(d);
	if (d != NULL)
		look(d);
	for (i = 0; i < 2; i++) {
		if (in[i] == NULL)
			continue;
		run.foreseen = EIO;
		if (d == NULL)
			evdeferred_callback(in[i], NULL);
		else
			evdeferred_errback(in[i], EIO, "loser %d", i);
		if (d == NULL)
			evdeferred_free(in[i]);
	}
	evdeferred_free(d);
}

/*
 * Semaphore, mutex, queue.
 */

static void
release_token(struct evsemaphore *semaphore, struct evdeferred *d)
{
	const int before = run.values;

	look(d);
	pass(1);
	/* Where the link that looks was refused, freeing it gives the token
	 * back. */
	if (run.values > before)
		evsemaphore_release(semaphore, NULL);
	evdeferred_free(d);
}

static void
semaphore(void)
{
	struct evsemaphore *tokens =
	    evsemaphore_new(run.base, 2, run.flags ? EVSEMAPHORE_FAST : 0);
	struct evdeferred *d[4];
	int i;

	if (!is_there(tokens))
		return;
	for (i = 0; i < 3; i++)
		d[i] = evsemaphore_acquire(tokens, NULL);
	d[3] = evsemaphore_with(tokens, NULL, NULL, make_value, NULL);
	for (i = 0; i < 3; i++)
		release_token(tokens, d[i]);
	look(d[3]);
	pass(2);
	evdeferred_free(d[3]);
	run.wedged += evsemaphore_get_tokens(tokens) != 2;
	evsemaphore_free(tokens);
}

static void
mutex(void)
{
	struct evmutex *m = evmutex_new(run.base, run.flags ? EVMUTEX_FAST : 0);
	struct evdeferred *first, *second_one;
	int before;

	if (!is_there(m))
		return;
	first = evmutex_acquire(m, NULL);
	second_one = evmutex_with(m, NULL, NULL, make_value, NULL);
	look(second_one);
	before = run.values;
	look(first);
	pass(2);
	if (first != NULL && run.values > before)
		evmutex_release(m, NULL);
	evdeferred_free(first);
	pass(2);
	evdeferred_free(second_one);
	run.wedged += evmutex_is_locked(m);
	evmutex_free(m);
}

static void
queue(void)
{
	struct evqueue *q =
	    evqueue_new(run.base, 4, 4, run.flags ? EVQUEUE_FAST : 0);
	struct evdeferred *d[3];
	struct evresult object;
	int i;

	if (!is_there(q))
		return;
	for (i = 0; i < 3; i++) {
		d[i] = evqueue_get(q);
		look(d[i]);
	}
	for (i = 0; i < 5; i++) {
		object = value();
		if (!is_done(evqueue_put(q, object)))
			evresult_dispose(object);
	}
	pass(2);
	for (i = 0; i < 3; i++)
		evdeferred_free(d[i]);
	evqueue_free(q);
}

/*
 * The lock.
 */

static struct evresult
release_read(void *lock, void *arg)
{
	evrwlock_reader_release(lock);
	return on_value(lock, arg);
}

static struct evresult
release_write(void *lock, void *arg)
{
	evrwlock_writer_release(lock);
	return on_value(lock, arg);
}

static void
look_and_release(struct evdeferred *d, bool writes)
{
	if (is_there(d) &&
	    is_done(evdeferred_add_callbacks(
		d, writes ? release_write : release_read, on_failure, NULL)))
		run.links++;
}

/* Somebody who comes later has memory. */
static void
close_lock(struct evrwlock *lock)
{
	run.wedged += evrwlock_writer_try(lock) != 0;
	evrwlock_writer_release(lock);
	evrwlock_free(lock);
}

static struct evresult
return_late(void *arg)
{
	struct evdeferred **inner = arg;

	return return_deferred(NULL, inner);
}

static void
read_and_write(void)
{
	struct evrwlock *lock = evrwlock_new(run.base, run.flags);
	struct evdeferred *d[4], *inner = NULL;
	char text[64];
	int i;

	if (!is_there(lock))
		return;
	is_done(evrwlock_set_name(lock, "a name that is copied"));
	evrwlock_describe(lock, text, sizeof(text));
	d[0] = evrwlock_with_writer(lock, return_late, &inner);
	d[1] = evrwlock_reader_acquire(lock);
	d[2] = evrwlock_writer_acquire(lock);
	d[3] = evrwlock_with_reader(lock, make_value, NULL);
	look(d[0]);
	look_and_release(d[1], false);
	look_and_release(d[2], true);
	look(d[3]);
	pass(2);
	if (inner != NULL)
		evdeferred_callback(inner, NULL);
	pass(4);
	for (i = 0; i < 4; i++)
		evdeferred_free(d[i]);
	pass(4);
	close_lock(lock);
}

/* Waiters with a time limit: the writer stays too long. */
static void
many_in_time(void)
{
	struct evrwlock *lock = evrwlock_new(run.base, run.flags);
	struct evdeferred *d[MANY];
	int i;

	if (!is_there(lock))
		return;
	run.foreseen = ETIMEDOUT;
	evrwlock_writer_try(lock);
	for (i = 0; i < MANY; i++) {
		d[i] = i % 5 == 0 ? evrwlock_writer_acquire(lock)
				  : evrwlock_reader_acquire(lock);
		if (is_there(d[i]))
			is_done(evdeferred_add_timeout(d[i], &second));
		look_and_release(d[i], i % 5 == 0);
	}
	advance(1500);
	evrwlock_writer_release(lock);
	pass(4);
	for (i = 0; i < MANY; i++)
		evdeferred_free(d[i]);
	pass(4);
	close_lock(lock);
}

/* Each of two owners holds a lock and requests the other's. */
static void
deadlock(void)
{
	struct evrwlock *lock[2];
	struct evowner *owner[2];
	struct evdeferred *d[2] = {NULL, NULL};
	bool holds[2] = {false, false};
	int i;

	run.foreseen = EDEADLK;
	run.other = ECANCELED;
	for (i = 0; i < 2; i++) {
		lock[i] = evrwlock_new(run.base, run.flags);
		owner[i] = evowner_new(run.base, i == 0 ? "one" : NULL);
		if (is_there(lock[i]) && is_there(owner[i]))
			holds[i] = is_done(
			    evrwlock_try(lock[i], owner[i], EVRWLOCK_WRITE));
	}
	for (i = 0; i < 2 && holds[0] && holds[1]; i++) {
		d[i] = evrwlock_acquire(lock[1 - i], owner[i], EVRWLOCK_READ);
		look(d[i]);
	}
	for (i = 1; i >= 0; i--) {
		evowner_free(owner[i]);
		pass(2);
	}
	for (i = 0; i < 2; i++) {
		evdeferred_free(d[i]);
		pass(2);
		if (lock[i] != NULL)
			close_lock(lock[i]);
	}
}

/* Holds, waits, bodies and grants on their way: one call ends them all. */
static void
owner_goes(void)
{
	struct evrwlock *lock = evrwlock_new(run.base, run.flags);
	struct evowner *owner = evowner_new(run.base, "who goes");
	struct evowner *other = evowner_new(run.base, "who stays");
	struct evdeferred *d[4] = {NULL, NULL, NULL, NULL};
	int i;

	run.foreseen = ECANCELED;
	if (is_there(lock) && is_there(owner) && is_there(other)) {
		d[0] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
		d[1] = evrwlock_with(
		    lock, owner, EVRWLOCK_READ, NULL, make_value, NULL);
		is_done(evrwlock_try(lock, owner, EVRWLOCK_READ));
		d[2] = evrwlock_acquire(lock, other, EVRWLOCK_WRITE);
		d[3] = evrwlock_with(
		    lock, other, EVRWLOCK_WRITE, NULL, make_value, NULL);
		for (i = 0; i < 4; i++)
			look(d[i]);
		pass(2);
	}
	evowner_free(owner);
	pass(2);
	evowner_free(other);
	pass(2);
	for (i = 0; i < 4; i++)
		evdeferred_free(d[i]);
	if (lock != NULL)
		close_lock(lock);
}

/* The base goes first, with all that is under way. */
static void
base_goes(void)
{
	struct evrwlock *lock = evrwlock_new(run.base, run.flags);
	struct evdeferred *d[3];
	int i;

	if (!is_there(lock))
		return;
	run.foreseen = ESHUTDOWN;
	d[0] = evrwlock_writer_acquire(lock);
	d[1] = evrwlock_reader_acquire(lock);
	d[2] = evdeferred_later(run.base, &second, make_value, NULL);
	look_and_release(d[0], true);
	look_and_release(d[1], false);
	run.foreseen = ECANCELED;
	look(d[2]);
	evdefer_base_free(run.base);
	run.base = NULL;
	for (i = 0; i < 3; i++)
		evdeferred_free(d[i]);
	run.wedged += evrwlock_is_reading(lock) || evrwlock_is_writing(lock);
	evrwlock_free(lock);
}

/*
 * A coroutine that waits for a lock and a Deferred.
 */

struct job {
	struct evcoro co;
	struct evrwlock *lock;
	struct evdeferred *input;
	bool holds;
	int cleanups;
};

static struct evresult
work(struct evcoro *co, void *arg)
{
	struct job *job = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_writer_acquire(job->lock));
	job->holds = true;
	job->input = evdeferred_new(run.base, NULL, NULL);
	EVCORO_AWAIT(co, job->input);
	EVCORO_RETURN(value());
	EVCORO_FINALLY(co);
	job->cleanups++;
	if (job->holds)
		evrwlock_writer_release(job->lock);
	EVCORO_END(co);
}

static void
coroutine(void)
{
	struct job job = {.lock = evrwlock_new(run.base, run.flags)};
	struct evdeferred *d;

	if (!is_there(job.lock))
		return;
	d = evcoro_start(run.base, &job.co, work, &job, NULL);
	look(d);
	pass(4);
	if (job.input != NULL)
		evdeferred_callback(job.input, NULL);
	pass(4);
	evdeferred_free(d);
	run.wedged += job.cleanups != (d != NULL);
	close_lock(job.lock);
}

/*
 * All of them.
 */

static void (*const scenarios[])(void) = {links_and_values, fired_at_once,
    wait_for_another, chained, bodies, timed_out, cancelled, failures, debugged,
    unhandled, list, gather, race, race_of_failures, semaphore, mutex, queue,
    read_and_write, many_in_time, deadlock, owner_goes, base_goes, coroutine};
#define SCENARIOS ((int)(sizeof(scenarios) / sizeof(scenarios[0])))

static void
play(void (*scenario)(void), unsigned flags)
{
	memset(&run, 0, sizeof(run));
	run.flags = flags;
	run.base = evdefer_base_new(loop);
	if (!is_there(run.base))
		return;
	scenario();
	evdefer_base_free(run.base);
	clock_advance(-run.ms);
}

/* Whether one failed. */
static bool
play_failing(void (*scenario)(void), unsigned flags, size_t n, bool onwards)
{
	struct event_base *outer = loop;
	const long live = alloc_live();
	long left;

	/* A new one: what its timers need may fail, too. */
	loop = support_new_loop();
	alloc_fail_at(n, onwards);
	play(scenario, flags);
	alloc_fail_at(0, false);
	event_base_free(loop);
	loop = outer;
	left = alloc_live() - live;
	ck_assert_msg(left == 0, "n = %zu: %ld blocks are left", n, left);
	ck_assert_msg(run.owed == 0, "n = %zu: %d values", n, run.owed);
	ck_assert_msg(run.wedged == 0, "n = %zu: a lock is wedged", n);
	ck_assert_msg(run.wrong_errno == 0, "n = %zu: another errno", n);
	ck_assert_msg(run.wrong_code == 0, "n = %zu: another failure", n);
	/* One may be freed before it fires where what fires it was refused. */
	ck_assert_msg(run.calls <= run.links &&
			  (run.calls == run.links || run.refused > 0),
	    "n = %zu: %d links, %d calls", n, run.links, run.calls);
	return alloc_failed();
}

START_TEST(each_allocation_may_fail)
{
	void (*const scenario)(void) = scenarios[_i / 4];
	const unsigned flags = _i % 2 == 0 ? 0 : EVRWLOCK_FAST;
	const bool onwards = _i / 2 % 2 == 1;
	int values, failed;
	size_t n;

	event_set_log_callback(ignore_log);
	play(scenario, flags);
	values = run.values;
	failed = run.failures;
	ck_assert_int_eq(run.refused + run.without, 0);
	for (n = 1; alloc_works(); n++) {
		if (!play_failing(scenario, flags, n, onwards))
			break;
		/* Nothing is left undone in silence. */
		if (run.refused + run.without == 0) {
			ck_assert_int_eq(run.values, values);
			ck_assert_int_eq(run.failures, failed);
		}
	}
	ck_assert_uint_gt(n, alloc_works() ? 3 : 0);
	event_set_log_callback(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("failing");
	TCase *tc = add_case(suite, "allocations");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, each_allocation_may_fail, 0, 4 * SCENARIOS);
	return support_main(suite);
}
