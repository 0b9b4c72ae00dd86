/* SPDX-License-Identifier: MIT */
/* What a canceller may do.  A cancel is never lost, and a timeout is told from it. */
#include "deferreds.h"

#include <errno.h>
#include <string.h>

START_TEST(cancel_without_canceller_fails)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(cancel_calls_canceller_once)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, count_cancel, &cancelled);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
	ck_assert_int_eq(cancelled, 1);
}
END_TEST

START_TEST(canceller_may_fire_a_value)
{
	int n = 0;
	struct evdeferred *d = evdeferred_new(base, cancel_with_value, &n);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_ptr_eq(seen.value, &n);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_free(d);
}
END_TEST

START_TEST(canceller_may_fire_a_failure)
{
	int code = EPERM;
	struct evdeferred *d = evdeferred_new(base, cancel_with_failure, &code);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, EPERM);
	evdeferred_free(d);
}
END_TEST

static void
cancel_with_deferred(struct evdeferred *d, void *arg)
{
	evdeferred_fire(d, evresult_deferred(arg));
}

START_TEST(canceller_may_fire_a_deferred)
{
	struct evdeferred *inner = fresh();
	struct evdeferred *d =
	    evdeferred_new(base, cancel_with_deferred, inner);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.values + seen.failures, 0);
	evdeferred_callback(inner, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

static void
cancel_again(struct evdeferred *d, void *arg)
{
	++*(int *)arg;
	evdeferred_cancel(d);
}

START_TEST(cancel_inside_canceller_is_nothing_new)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, cancel_again, &cancelled);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
}
END_TEST

static void
free_in_canceller(struct evdeferred *d, void *arg)
{
	++*(int *)arg;
	evdeferred_free(d);
}

START_TEST(free_inside_canceller)
{
	int cancelled = 0;
	struct evdeferred *d =
	    evdeferred_new(base, free_in_canceller, &cancelled);
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 1);
	ck_assert_int_eq(seen.failures + seen.values, 0);
}
END_TEST

START_TEST(cancel_after_the_result_is_nothing)
{
	int cancelled = 0;
	struct evdeferred *d = evdeferred_new(base, count_cancel, &cancelled);
	struct seen seen = {0};

	evdeferred_callback(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(cancelled, 0);
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_cancel(d);
	evdeferred_free(d);
}
END_TEST

START_TEST(cancel_of_paused_waits_for_unpause)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	evdeferred_pause(d);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_unpause(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

static struct evresult
cancel_own(void *value, void *arg)
{
	evdeferred_cancel(arg);
	return evresult_value(value);
}

START_TEST(cancel_inside_a_link_is_nothing)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	evdeferred_add_callback(d, cancel_own, d);
	see(d, &seen);
	evdeferred_callback(d, &seen);
	ck_assert_ptr_eq(seen.value, &seen);
	evdeferred_free(d);
}
END_TEST

static struct evresult
cancel_own_and_wait(void *value, void *arg)
{
	struct evdeferred *const *own_and_other = arg;

	(void)value;
	evdeferred_cancel(own_and_other[0]);
	return evresult_deferred(own_and_other[1]);
}

START_TEST(cancel_inside_a_link_leaves_alone_what_that_returns)
{
	int cancelled = 0;
	struct evdeferred *all[2];

	all[0] = fresh();
	all[1] = evdeferred_new(base, count_cancel, &cancelled);
	ck_assert_int_eq(
	    evdeferred_add_callback(all[0], cancel_own_and_wait, all), 0);
	evdeferred_callback(all[0], NULL);
	ck_assert_int_eq(cancelled, 0);
	evdeferred_callback(all[1], NULL);
	evdeferred_free(all[0]);
}
END_TEST

START_TEST(cancel_of_a_paused_one_leaves_alone_what_comes_after)
{
	int cancelled = 0;
	struct evdeferred *d = fired(evresult_value(NULL));
	struct evdeferred *other =
	    evdeferred_new(base, count_cancel, &cancelled);

	evdeferred_pause(d);
	ck_assert_int_eq(evdeferred_add_callback(d, wait_value, other), 0);
	evdeferred_cancel(d);
	evdeferred_unpause(d);
	ck_assert_int_eq(cancelled, 0);
	evdeferred_callback(other, NULL);
	evdeferred_free(d);
}
END_TEST

static const struct timeval five = {0, 5000}, twenty = {0, 20000};
static const struct timeval fifty = {0, 50000};

static size_t
writers_waiting(const struct evrwlock *lock)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	return stats.writers_waiting;
}

/*
 * A coroutine that is cancelled while it runs, by somebody that it calls.
 */

struct job {
	struct evcoro co;
	struct evdeferred *self;
	struct evdeferred *first;
	struct evrwlock *lock;
	bool cleanup_cancels;
};

static struct evresult
returns_a_wait(struct evcoro *co, void *arg)
{
	struct job *job = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, job->first);
	if (!job->cleanup_cancels)
		evdeferred_cancel(job->self);
	EVCORO_RETURN(evresult_deferred(evrwlock_writer_acquire(job->lock)));
	EVCORO_FINALLY(co);
	if (job->cleanup_cancels)
		evdeferred_cancel(job->self);
	EVCORO_END(co);
}

/* _i: by its cleanup. */
START_TEST(cancel_of_a_running_coroutine_reaches_the_wait_that_it_returns)
{
	struct job job = {.cleanup_cancels = _i == 1};
	struct seen seen = {0};

	job.lock = evrwlock_new(base, 0);
	ck_assert_int_eq(evrwlock_reader_try(job.lock), 0);
	job.first = evdeferred_new(base, NULL, NULL);
	job.self = evcoro_start(base, &job.co, returns_a_wait, &job, NULL);
	see(job.self, &seen);
	evdeferred_callback(job.first, NULL);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_uint_eq(writers_waiting(job.lock), 0);
	evdeferred_free(job.self);
	evrwlock_reader_release(job.lock);
	evrwlock_free(job.lock);
}
END_TEST

static struct evresult
returns_a_value(struct evcoro *co, void *arg)
{
	struct job *job = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, job->first);
	evdeferred_cancel(job->self);
	EVCORO_END(co);
}

START_TEST(cancel_of_a_running_coroutine_reaches_the_wait_of_the_next_link)
{
	struct evdeferred *never = evdeferred_new(base, NULL, NULL);
	struct job job = {.first = evdeferred_new(base, NULL, NULL)};
	struct evdeferred *first = job.first;
	struct seen seen = {0};

	job.self = evcoro_start(base, &job.co, returns_a_value, &job, NULL);
	evdeferred_add_callback(job.self, wait_value, never);
	see(job.self, &seen);
	evdeferred_callback(first, NULL);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	evdeferred_free(job.self);
}
END_TEST

static struct evresult
wait_all_the_same(struct evfailure *failure, void *d)
{
	(void)failure;
	return evresult_deferred(d);
}

/* The one after that is waited for as if nobody had cancelled. */
START_TEST(cancel_of_a_running_coroutine_reaches_one_wait)
{
	struct evdeferred *never = evdeferred_new(base, NULL, NULL);
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);
	struct job job = {.first = evdeferred_new(base, NULL, NULL)};
	struct evdeferred *first = job.first;
	struct seen seen = {0};

	ck_assert_ptr_nonnull(never);
	ck_assert_ptr_nonnull(other);
	ck_assert_ptr_nonnull(first);
	job.self = evcoro_start(base, &job.co, returns_a_value, &job, NULL);
	ck_assert_int_eq(
	    evdeferred_add_callback(job.self, wait_value, never), 0);
	ck_assert_int_eq(
	    evdeferred_add_errback(job.self, wait_all_the_same, other), 0);
	see(job.self, &seen);
	evdeferred_callback(first, NULL);
	ck_assert_int_eq(seen.failures + seen.values, 0);
	evdeferred_callback(other, NULL);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	evdeferred_free(job.self);
}
END_TEST

/* There was nothing left to be cancelled: what is added afterwards is not. */
START_TEST(cancel_is_over_at_the_end_of_the_chain)
{
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);
	struct job job = {.first = evdeferred_new(base, NULL, NULL)};
	struct evdeferred *first = job.first;
	struct seen seen = {0};

	job.self = evcoro_start(base, &job.co, returns_a_value, &job, NULL);
	evdeferred_callback(first, NULL);
	evdeferred_add_callback(job.self, wait_value, other);
	see(job.self, &seen);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_callback(other, NULL);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(job.self);
}
END_TEST

/*
 * A Deferred whose links stand in the queue of nested deliveries.
 */

static struct evdeferred *d, *never;
static struct evresult (*when_deep)(void);

static struct evresult
dive(void *value, void *arg)
{
	struct evdeferred *next;
	const int depth = (int)(intptr_t)arg;

	(void)value;
	if (depth == 16)
		return when_deep();
	next = evdeferred_new(base, NULL, NULL);
	evdeferred_add_callback(next, dive, (void *)(intptr_t)(depth + 1));
	evdeferred_callback(next, NULL);
	evdeferred_detach(next);
	return evresult_value(NULL);
}

/* Runs it where the stack is full of deliveries. */
static void deep(struct evresult (*function)(void))
{
	when_deep = function;
	dive(NULL, (void *)0);
}

static struct seen seen;

static void
make_waiting(void)
{
	d = evdeferred_new(base, NULL, NULL);
	never = evdeferred_new(base, NULL, NULL);
	evdeferred_add_callback(d, wait_value, never);
}

static struct evresult
fire_and_cancel(void)
{
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.failures, 0);
	return evresult_value(NULL);
}

START_TEST(cancel_of_a_queued_one_takes_effect_when_it_runs)
{
	make_waiting();
	see(d, &seen);
	deep(fire_and_cancel);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	evdeferred_free(d);
}
END_TEST

static struct evdeferred *chained;

static struct evresult
chain_fired(void)
{
	d = evdeferred_succeed(base, NULL);
	ck_assert_int_eq(evdeferred_chain(d, chained), 0);
	ck_assert_int_eq(seen.values, 0);
	return evresult_value(NULL);
}

START_TEST(chain_of_a_fired_one_runs_when_the_stack_is_not_full_any_more)
{
	seen = (struct seen){0};
	chained = evdeferred_new(base, NULL, NULL);
	see(chained, &seen);
	deep(chain_fired);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(d);
	evdeferred_free(chained);
}
END_TEST

/* More of them than one call runs, so that the loop has the rest. */
static struct evdeferred *many[700];

static struct evresult
fire_many(void)
{
	size_t i;

	for (i = 0; i < 700; i++) {
		many[i] = evdeferred_new(base, NULL, NULL);
		evdeferred_callback(many[i], NULL);
		evdeferred_add_callback(many[i], trace_value, (void *)"");
	}
	make_waiting();
	evdeferred_add_timeout(d, &five);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	return evresult_value(NULL);
}

START_TEST(timeout_of_a_queued_one_takes_effect_when_it_runs)
{
	size_t i;

	deep(fire_many);
	ck_assert_int_eq(seen.failures, 0);
	clock_advance(5);
	turns(10);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	evdeferred_free(d);
	for (i = 0; i < 700; i++)
		evdeferred_free(many[i]);
}
END_TEST

/* It is finished when it has run: what waits for it goes on, and takes the
 * cancel in its place. */
static struct evdeferred *outer;

static struct evresult
fire_and_cancel_outer(void)
{
	evdeferred_callback(d, NULL);
	evdeferred_cancel(outer);
	return evresult_value(NULL);
}

START_TEST(cancel_of_a_queued_one_goes_on_to_who_waits_for_it)
{
	d = evdeferred_new(base, NULL, NULL);
	evdeferred_add_callback(d, trace_value, (void *)"d");
	never = evdeferred_new(base, NULL, NULL);
	outer = evdeferred_new_fired(base, evresult_deferred(d));
	evdeferred_add_callback(outer, wait_value, never);
	see(outer, &seen);
	deep(fire_and_cancel_outer);
	ck_assert_str_eq(trace, "d");
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	evdeferred_free(outer);
}
END_TEST

/* Twisted forgets it, and then nothing bounds the wait. */
START_TEST(timeout_of_a_paused_one_takes_effect_when_it_runs)
{
	make_waiting();
	evdeferred_add_timeout(d, &five);
	see(d, &seen);
	evdeferred_pause(d);
	evdeferred_callback(d, NULL);
	clock_advance(5);
	turns(1);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_unpause(d);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	evdeferred_free(d);
}
END_TEST

/* It waits for something, and its pause has nothing to do with that. */
START_TEST(timeout_of_one_that_waits_and_is_paused_cancels_at_once)
{
	make_waiting();
	evdeferred_add_timeout(d, &five);
	see(d, &seen);
	evdeferred_callback(d, NULL);
	evdeferred_pause(d);
	clock_advance(5);
	turns(1);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_unpause(d);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_free(d);
}
END_TEST

/*
 * An operation with a timeout, which takes a question back when it is cancelled;
 * its caller tries again after timeouts.
 */

struct operation {
	struct evcoro co;
};

static struct evresult
operation(struct evcoro *co, void *arg)
{
	(void)arg;
	EVCORO_BEGIN(co);
	EVCORO_TRY(co, evdeferred_later(base, &fifty, NULL, NULL));
	if (evcoro_failure(co) != NULL) {
		EVCORO_TRY(co, evdeferred_later(base, &twenty, NULL, NULL));
		EVCORO_RETURN(evresult_fail(ECANCELED, "taken back"));
	}
	EVCORO_END(co);
}

struct caller {
	struct evcoro co;
	struct operation operation;
	int tries;
};

static struct evdeferred *
start_operation(struct caller *c)
{
	struct evdeferred *started;

	c->operation = (struct operation){0};
	started = evcoro_start(
	    base, &c->operation.co, operation, &c->operation, NULL);
	evdeferred_add_timeout(started, &five);
	return started;
}

static struct evresult
caller(struct evcoro *co, void *arg)
{
	struct caller *c = arg;

	EVCORO_BEGIN(co);
	for (c->tries = 1; c->tries < 5; c->tries++) {
		EVCORO_TRY(co, start_operation(c));
		if (evfailure_get_code(evcoro_failure(co)) != ETIMEDOUT)
			break;
	}
	if (evcoro_failure(co) != NULL)
		EVCORO_RETURN(evresult_from_failure(evcoro_failure(co)));
	EVCORO_END(co);
}

static void
pass(int ms)
{
	while (ms-- > 0) {
		clock_advance(1);
		turns(1);
	}
}

/* After _i milliseconds: before the time is over, and while the operation cleans
 * up because it is. */
START_TEST(cancel_is_no_timeout)
{
	struct caller c = {.tries = 0};

	d = evcoro_start(base, &c.co, caller, &c, NULL);
	see(d, &seen);
	pass(_i);
	evdeferred_cancel(d);
	pass(100);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(c.tries, 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(operation_that_times_out_is_tried_again)
{
	struct caller c = {.tries = 0};

	d = evcoro_start(base, &c.co, caller, &c, NULL);
	see(d, &seen);
	pass(200);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(c.tries, 5);
	evdeferred_free(d);
}
END_TEST

/* The same with links, whose errback takes the question back. */
static struct evresult
take_back(struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
	return evresult_deferred(never);
}

static void
make_one_that_takes_back(void)
{
	d = evdeferred_new(base, NULL, NULL);
	never = evdeferred_new(base, NULL, NULL);
	ck_assert_int_eq(evdeferred_add_errback(d, take_back, NULL), 0);
}

/* Both were cancelled, and their producers may still fire them. */
static void
check_ended(int code)
{
	ck_assert_int_eq(seen.code, code);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	ck_assert_int_eq(evdeferred_callback(d, NULL), 0);
	evdeferred_free(d);
}

START_TEST(cancel_during_the_errback_of_a_timeout_is_no_timeout)
{
	make_one_that_takes_back();
	evdeferred_add_timeout(d, &five);
	see(d, &seen);
	pass(5);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_cancel(d);
	check_ended(ECANCELED);
}
END_TEST

START_TEST(timeout_during_the_errback_of_a_cancel_is_no_timeout)
{
	make_one_that_takes_back();
	ck_assert_int_eq(evdeferred_add_timeout(d, &five), 0);
	see(d, &seen);
	evdeferred_cancel(d);
	pass(5);
	check_ended(ECANCELED);
}
END_TEST

/* What was cancelled is over; the chain has begun with something else. */
START_TEST(timeout_after_a_cancel_that_was_handled_is_a_timeout)
{
	never = evdeferred_new(base, NULL, NULL);
	d = evdeferred_new(base, NULL, NULL);
	evdeferred_add_errback(d, recover, NULL);
	evdeferred_add_callback(d, wait_value, never);
	evdeferred_add_timeout(d, &five);
	see(d, &seen);
	evdeferred_cancel(d);
	pass(5);
	check_ended(ETIMEDOUT);
}
END_TEST

static struct evresult
wait_both(struct evresult result, void *arg)
{
	evresult_dispose(result);
	return evresult_deferred(arg);
}

/* _i: to whatever comes, and not to a value alone. */
START_TEST(timeout_after_a_cancel_that_was_answered_is_a_timeout)
{
	never = evdeferred_new(base, NULL, NULL);
	d = evdeferred_new(base, cancel_with_value, NULL);
	if (_i == 0)
		evdeferred_add_callback(d, wait_value, never);
	else
		evdeferred_add_both(d, wait_both, never);
	evdeferred_add_timeout(d, &five);
	see(d, &seen);
	evdeferred_cancel(d);
	pass(5);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	evdeferred_free(d);
}
END_TEST

/* The same, where the timeout was asked for after the cancel; _i: while there was
 * another. */
START_TEST(timeout_that_is_added_after_a_cancel_is_a_timeout)
{
	make_one_that_takes_back();
	if (_i > 0)
		evdeferred_add_timeout(d, &fifty);
	evdeferred_cancel(d);
	evdeferred_add_timeout(d, &five);
	see(d, &seen);
	pass(5);
	check_ended(ETIMEDOUT);
}
END_TEST

/* A cancel that comes too late to do anything does nothing later. */
START_TEST(cancel_of_one_that_has_its_result_is_forgotten)
{
	never = evdeferred_new(base, NULL, NULL);
	d = evdeferred_fail(base, EIO, "disk");
	evdeferred_cancel(d);
	evdeferred_pause(d);
	evdeferred_add_errback(d, take_back, NULL);
	evdeferred_add_timeout(d, &five);
	see(d, &seen);
	evdeferred_unpause(d);
	pass(5);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(evdeferred_callback(never, NULL), 0);
	evdeferred_free(d);
}
END_TEST

/* evdeferred_add_timeout_both() tells its function what became of the
 * timeout. */

static struct {
	int calls;
	int code;
	void *value;
} told;

static char mine, other_value;

static struct evresult
tell(struct evresult result, void *arg)
{
	struct evfailure *failure = evresult_get_failure(result);

	ck_assert_ptr_eq(arg, &told);
	told.calls++;
	if (failure != NULL) {
		told.code = evfailure_get_code(failure);
		return evresult_fail(EAGAIN, "again");
	}
	told.value = evresult_get_value(result);
	return evresult_value(&mine);
}

static void
answer_value(struct evdeferred *cancelled, void *arg)
{
	(void)arg;
	evdeferred_callback(cancelled, &other_value);
}

static void
answer_failure(struct evdeferred *cancelled, void *arg)
{
	(void)arg;
	evdeferred_errback(cancelled, EIO, "disk");
}

static void
answer_nothing(struct evdeferred *cancelled, void *arg)
{
	(void)cancelled;
	(void)arg;
}

static void
time_out_with(evdeferred_canceller_fn canceller)
{
	d = evdeferred_new(base, canceller, NULL);
	ck_assert_int_eq(evdeferred_add_timeout_both(d, &five, tell, &told), 0);
	see(d, &seen);
	pass(5);
	ck_assert_int_eq(told.calls, 1);
}

START_TEST(timeout_function_is_told_of_a_timeout)
{
	time_out_with(answer_nothing);
	ck_assert_int_eq(told.code, ECANCELED);
	ck_assert_int_eq(seen.code, EAGAIN);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_function_is_told_what_the_canceller_answered)
{
	time_out_with(answer_value);
	ck_assert_ptr_eq(told.value, &other_value);
	ck_assert_ptr_eq(seen.value, &mine);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_function_is_told_how_the_canceller_failed)
{
	time_out_with(answer_failure);
	ck_assert_int_eq(told.code, EIO);
	ck_assert_int_eq(seen.code, EAGAIN);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_function_is_told_what_an_errback_made_of_it)
{
	d = evdeferred_new(base, answer_nothing, NULL);
	evdeferred_add_errback(d, recover, NULL);
	evdeferred_add_timeout_both(d, &five, tell, &told);
	see(d, &seen);
	pass(5);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_ptr_null(told.value);
	ck_assert_ptr_eq(seen.value, &mine);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_function_is_not_told_of_results_and_cancels)
{
	d = evdeferred_new(base, answer_nothing, NULL);
	evdeferred_add_timeout_both(d, &five, tell, &told);
	see(d, &seen);
	if (_i == 0)
		evdeferred_callback(d, &other_value);
	else
		evdeferred_cancel(d);
	pass(5);
	ck_assert_int_eq(told.calls, 0);
	ck_assert_int_eq(seen.code, _i == 0 ? 0 : ECANCELED);
	evdeferred_free(d);
}
END_TEST

static struct evresult
pass_on(struct evresult result, void *arg)
{
	++*(int *)arg;
	return result;
}

START_TEST(two_timeouts_are_both_told)
{
	int calls = 0;

	d = evdeferred_new(base, answer_nothing, NULL);
	never = evdeferred_new(base, answer_nothing, NULL);
	evdeferred_add_errback(d, take_back, NULL);
	evdeferred_add_timeout_both(d, &five, pass_on, &calls);
	evdeferred_add_timeout_both(d, &five, pass_on, &calls);
	see(d, &seen);
	pass(5);
	ck_assert_int_eq(calls, 2);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
}
END_TEST

static void
setup(void)
{
	support_setup();
	seen = (struct seen){0};
	memset(&told, 0, sizeof(told));
}

int
main(void)
{
	Suite *suite = suite_create("cancel");
	TCase *tc = add_case(suite, "cancellers");

	tcase_add_test(tc, cancel_without_canceller_fails);
	tcase_add_test(tc, cancel_calls_canceller_once);
	tcase_add_test(tc, canceller_may_fire_a_value);
	tcase_add_test(tc, canceller_may_fire_a_failure);
	tcase_add_test(tc, canceller_may_fire_a_deferred);
	tcase_add_test(tc, cancel_inside_canceller_is_nothing_new);
	tcase_add_test(tc, free_inside_canceller);
	tcase_add_test(tc, cancel_after_the_result_is_nothing);
	tcase_add_test(tc, cancel_of_paused_waits_for_unpause);
	tcase_add_test(tc, cancel_inside_a_link_is_nothing);
	tcase_add_test(tc, cancel_inside_a_link_leaves_alone_what_that_returns);
	tcase_add_test(
	    tc, cancel_of_a_paused_one_leaves_alone_what_comes_after);

	tc = tcase_create("cancel");
	tcase_add_checked_fixture(tc, setup, support_teardown);
	tcase_add_loop_test(tc,
	    cancel_of_a_running_coroutine_reaches_the_wait_that_it_returns, 0,
	    2);
	tcase_add_test(tc,
	    cancel_of_a_running_coroutine_reaches_the_wait_of_the_next_link);
	tcase_add_test(tc, cancel_of_a_running_coroutine_reaches_one_wait);
	tcase_add_test(tc, cancel_is_over_at_the_end_of_the_chain);
	tcase_add_test(tc, cancel_of_a_queued_one_takes_effect_when_it_runs);
	tcase_add_test(tc, timeout_of_a_queued_one_takes_effect_when_it_runs);
	tcase_add_test(tc, cancel_of_a_queued_one_goes_on_to_who_waits_for_it);
	tcase_add_test(tc, timeout_of_a_paused_one_takes_effect_when_it_runs);
	tcase_add_test(
	    tc, timeout_of_one_that_waits_and_is_paused_cancels_at_once);
	tcase_add_loop_test(tc, cancel_is_no_timeout, 1, 25);
	tcase_add_test(tc, operation_that_times_out_is_tried_again);
	tcase_add_test(
	    tc, cancel_during_the_errback_of_a_timeout_is_no_timeout);
	tcase_add_test(
	    tc, timeout_during_the_errback_of_a_cancel_is_no_timeout);
	tcase_add_test(
	    tc, timeout_after_a_cancel_that_was_handled_is_a_timeout);
	tcase_add_loop_test(
	    tc, timeout_after_a_cancel_that_was_answered_is_a_timeout, 0, 2);
	tcase_add_loop_test(
	    tc, timeout_that_is_added_after_a_cancel_is_a_timeout, 0, 2);
	tcase_add_test(
	    tc, chain_of_a_fired_one_runs_when_the_stack_is_not_full_any_more);
	tcase_add_test(tc, cancel_of_one_that_has_its_result_is_forgotten);
	tcase_add_test(tc, timeout_function_is_told_of_a_timeout);
	tcase_add_test(
	    tc, timeout_function_is_told_what_the_canceller_answered);
	tcase_add_test(tc, timeout_function_is_told_how_the_canceller_failed);
	tcase_add_test(tc, timeout_function_is_told_what_an_errback_made_of_it);
	tcase_add_loop_test(
	    tc, timeout_function_is_not_told_of_results_and_cancels, 0, 2);
	tcase_add_test(tc, two_timeouts_are_both_told);
	suite_add_tcase(suite, tc);
	return support_main(suite);
}
