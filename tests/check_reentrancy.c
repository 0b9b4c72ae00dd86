/* SPDX-License-Identifier: MIT */
/* User code is called everywhere, and each may call anything: cancel, free or
 * close the very thing at work. */
#include "deferreds.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * A free or close from inside itself.
 */

static struct evowner *owner;

static struct evresult
free_owner(struct evfailure *failure, void *arg)
{
	(void)failure;
	++*(int *)arg;
	evowner_free(owner);
	return evresult_value(NULL);
}

START_TEST(owner_freed_by_an_errback_that_its_own_free_runs)
{
	struct evrwlock *locks[2];
	struct evdeferred *d[2];
	int i, freed = 0;

	owner = evowner_new(base, "connection");
	for (i = 0; i < 2; i++) {
		locks[i] = evrwlock_new(base, EVRWLOCK_FAST);
		ck_assert_int_eq(evrwlock_writer_try(locks[i]), 0);
		d[i] = evrwlock_acquire(locks[i], owner, EVRWLOCK_WRITE);
		evdeferred_add_errback(d[i], free_owner, &freed);
	}
	evowner_free(owner);
	ck_assert_int_eq(freed, 2);
	for (i = 0; i < 2; i++) {
		evdeferred_free(d[i]);
		evrwlock_writer_release(locks[i]);
		evrwlock_free(locks[i]);
	}
}
END_TEST

static void
release_writer(void *lock)
{
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}

static void
release_reader(void *lock)
{
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
}

static struct evresult
free_owner_and_lock(void *value, void *arg)
{
	++*(int *)arg;
	evowner_free(owner);
	evrwlock_free(value);
	return evresult_owned(value, release_writer);
}

START_TEST(owner_freed_by_whom_its_free_lets_in)
{
	struct evrwlock *lock = evrwlock_new(base, EVRWLOCK_FAST);
	struct evdeferred *d;
	int freed = 0;

	owner = evowner_new(base, "connection");
	ck_assert_int_eq(evrwlock_try(lock, owner, EVRWLOCK_WRITE), 0);
	d = evrwlock_writer_acquire(lock);
	evdeferred_add_callback(d, free_owner_and_lock, &freed);
	evowner_free(owner);
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
}
END_TEST

static void *thing;
static void (*free_thing)(void *);
static int freed;

static void
free_again(void)
{
	freed++;
	free_thing(thing);
}

static struct evresult
free_in_errback(struct evfailure *failure, void *arg)
{
	(void)arg;
	ck_assert_int_eq(evfailure_get_code(failure), ESHUTDOWN);
	free_again();
	return evresult_value(NULL);
}

static void
free_in_dispose(void *value)
{
	(void)value;
	free_again();
}

static void
set_thing(void *what, void (*free_it)(void *))
{
	thing = what;
	free_thing = free_it;
	freed = 0;
}

static void
free_lock(void *lock)
{
	evrwlock_free(lock);
}

static void
free_semaphore(void *semaphore)
{
	evsemaphore_free(semaphore);
}

static void
free_mutex(void *mutex)
{
	evmutex_free(mutex);
}

static void
free_queue(void *object)
{
	evqueue_free(object);
}

static void
free_base(void *object)
{
	evdefer_base_free(object);
	base = NULL;
}

/* What waits for the thing, three times, and what closes it. */
static void
close_while_they_wait(struct evdeferred *const d[3])
{
	int i;

	for (i = 0; i < 3; i++)
		ck_assert_int_eq(
		    evdeferred_add_errback(d[i], free_in_errback, NULL), 0);
	free_thing(thing);
	ck_assert_int_eq(freed, 3);
	for (i = 0; i < 3; i++)
		evdeferred_free(d[i]);
}

START_TEST(lock_freed_by_an_errback_that_its_own_free_runs)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evdeferred *d[3];

	set_thing(lock, free_lock);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	d[0] = evrwlock_writer_acquire(lock);
	d[1] = evrwlock_reader_acquire(lock);
	d[2] = evrwlock_writer_acquire(lock);
	close_while_they_wait(d);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}
END_TEST

/* Nobody holds it once they have failed: it goes with the first call. */
START_TEST(semaphore_freed_by_an_errback_that_its_own_free_runs)
{
	struct evsemaphore *semaphore = evsemaphore_new(base, 1, (unsigned)_i);
	struct evdeferred *d[3];
	int i;

	set_thing(semaphore, free_semaphore);
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	for (i = 0; i < 3; i++)
		d[i] = evsemaphore_acquire(semaphore, NULL);
	close_while_they_wait(d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
}
END_TEST

START_TEST(mutex_freed_by_an_errback_that_its_own_free_runs)
{
	struct evmutex *mutex = evmutex_new(base, (unsigned)_i);
	struct evdeferred *d[3];
	int i;

	set_thing(mutex, free_mutex);
	ck_assert_int_eq(evmutex_try(mutex, NULL), 0);
	for (i = 0; i < 3; i++)
		d[i] = evmutex_acquire(mutex, NULL);
	close_while_they_wait(d);
	ck_assert_int_eq(evmutex_release(mutex, NULL), 0);
}
END_TEST

START_TEST(queue_freed_by_an_errback_that_its_own_free_runs)
{
	struct evdeferred *d[3];
	int i;

	set_thing(evqueue_new(base, 3, 3, (unsigned)_i), free_queue);
	for (i = 0; i < 3; i++)
		d[i] = evqueue_get(thing);
	close_while_they_wait(d);
}
END_TEST

/* Those that were promised an object, which is not told yet. */
START_TEST(queue_freed_by_a_get_that_was_promised_an_object)
{
	struct evdeferred *d[3];
	int i, objects = 0;

	set_thing(evqueue_new(base, 3, 3, 0), free_queue);
	for (i = 0; i < 3; i++)
		d[i] = evqueue_get(thing);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(evqueue_put(thing, counting(&objects)), 0);
	close_while_they_wait(d);
	ck_assert_int_eq(objects, 4);
}
END_TEST

START_TEST(queue_freed_by_the_free_function_of_an_object)
{
	int i;

	set_thing(evqueue_new(base, 3, 3, 0), free_queue);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(
		    evqueue_put(thing, evresult_owned(thing, free_in_dispose)),
		    0);
	free_thing(thing);
	ck_assert_int_eq(freed, 3);
}
END_TEST

static struct evresult
free_when_granted(void *value, void *arg)
{
	(void)arg;
	free_again();
	return evresult_owned(value, release_reader);
}

/* Readers that are let in together. */
START_TEST(base_freed_by_a_delivery_that_its_own_free_makes)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d[3];
	int i;

	set_thing(base, free_base);
	for (i = 0; i < 3; i++) {
		d[i] = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d[i], free_when_granted, NULL);
	}
	free_base(base);
	ck_assert_int_eq(freed, 3);
	for (i = 0; i < 3; i++)
		evdeferred_free(d[i]);
	evrwlock_free(lock);
}
END_TEST

START_TEST(base_freed_by_a_delivery_that_the_loop_makes)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d[3];
	int i;

	set_thing(base, free_base);
	for (i = 0; i < 3; i++) {
		d[i] = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d[i], free_when_granted, NULL);
	}
	turns(2);
	ck_assert_int_eq(freed, 3);
	for (i = 0; i < 3; i++)
		evdeferred_free(d[i]);
	evrwlock_free(lock);
}
END_TEST

static struct evresult
free_when_cancelled(struct evfailure *failure, void *arg)
{
	ck_assert_int_eq(evfailure_get_code(failure), ECANCELED);
	(void)arg;
	free_again();
	return evresult_value(NULL);
}

START_TEST(base_freed_by_what_it_delays_no_longer)
{
	const struct timeval hour = {3600, 0};
	struct evdeferred *d[3];
	int i;

	set_thing(base, free_base);
	for (i = 0; i < 3; i++) {
		d[i] = evdeferred_later(base, &hour, NULL, NULL);
		evdeferred_add_errback(d[i], free_when_cancelled, NULL);
	}
	free_base(base);
	ck_assert_int_eq(freed, 3);
	for (i = 0; i < 3; i++)
		evdeferred_free(d[i]);
}
END_TEST

static struct evresult
free_when_it_is_time(void *arg)
{
	(void)arg;
	free_again();
	return evresult_value(NULL);
}

START_TEST(base_freed_by_what_it_has_delayed)
{
	const struct timeval second = {1, 0};

	set_thing(base, free_base);
	evdeferred_detach(
	    evdeferred_later(base, &second, free_when_it_is_time, NULL));
	clock_advance(1001);
	turns(1);
	ck_assert_int_eq(freed, 1);
	ck_assert_ptr_null(base);
}
END_TEST

START_TEST(base_freed_by_the_free_function_of_its_last_value)
{
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_owned(NULL, free_in_dispose));

	set_thing(base, free_base);
	evdeferred_free(d);
	ck_assert_int_eq(freed, 1);
	ck_assert_ptr_null(base);
}
END_TEST

/*
 * A Deferred.
 */

static void
free_in_canceller(struct evdeferred *d, void *arg)
{
	(void)arg;
	ck_assert_ptr_eq(d, thing);
	free_again();
}

static void
free_and_fire(struct evdeferred *d, void *arg)
{
	free_in_canceller(d, arg);
	ck_assert_int_eq(
	    evdeferred_fire(d, evresult_owned(NULL, free_in_dispose)), 0);
}

static void
fire_and_free(struct evdeferred *d, void *arg)
{
	ck_assert_int_eq(evdeferred_fire(d, evresult_fail(EIO, NULL)), 0);
	free_in_canceller(d, arg);
}

static const evdeferred_canceller_fn cancellers[] = {
    free_in_canceller, free_and_fire, fire_and_free};
static const int frees[] = {1, 2, 1};

START_TEST(deferred_freed_by_the_canceller_that_its_own_free_calls)
{
	set_thing(evdeferred_new(base, cancellers[_i], NULL), free_deferred);
	free_thing(thing);
	ck_assert_int_eq(freed, frees[_i]);
}
END_TEST

START_TEST(deferred_freed_by_the_canceller_that_its_cancel_calls)
{
	set_thing(evdeferred_new(base, cancellers[_i], NULL), free_deferred);
	evdeferred_cancel(thing);
	ck_assert_int_eq(freed, frees[_i]);
	/* Freed before it was cancelled, it has no consumer that knows. */
	if (cancellers[_i] == fire_and_free)
		report_take(EIO);
}
END_TEST

START_TEST(deferred_freed_by_the_free_function_of_its_value)
{
	set_thing(
	    evdeferred_new_fired(base, evresult_owned(NULL, free_in_dispose)),
	    free_deferred);
	free_thing(thing);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(deferred_freed_by_a_link_that_is_dropped)
{
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);

	set_thing(evdeferred_new(base, NULL, NULL), free_deferred);
	evdeferred_add_errback(other, free_when_cancelled, NULL);
	ck_assert_int_eq(evdeferred_chain(thing, other), 0);
	free_thing(thing);
	ck_assert_int_eq(freed, 1);
	evdeferred_callback(thing, NULL);
	evdeferred_free(other);
}
END_TEST

/* From the one that it waits for. */
START_TEST(deferred_freed_by_what_it_waits_for)
{
	struct evdeferred *inner =
	    evdeferred_new_fired(base, evresult_owned(NULL, free_in_dispose));

	evdeferred_pause(inner);
	set_thing(evdeferred_new_fired(base, evresult_deferred(inner)),
	    free_deferred);
	free_thing(thing);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* From the one that it was to wait for, which is of another base and freed. */
START_TEST(deferred_freed_by_what_it_cannot_wait_for)
{
	struct evdefer_base *other = evdefer_base_new(loop);
	struct evdeferred *inner =
	    evdeferred_new_fired(other, evresult_owned(NULL, free_in_dispose));

	set_thing(evdeferred_new(base, NULL, NULL), free_deferred);
	ck_assert_int_eq(evdeferred_fire(thing, evresult_deferred(inner)), 0);
	ck_assert_int_eq(freed, 1);
	report_take(EINVAL);
	evdefer_base_free(other);
}
END_TEST

static struct evresult
free_and_wait(void *value, void *arg)
{
	(void)value;
	free_again();
	return evresult_deferred(arg);
}

START_TEST(deferred_freed_by_a_callback_that_says_what_to_wait_for)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evdeferred *inner =
	    evdeferred_new_fired(base, evresult_owned(NULL, free_in_dispose));

	set_thing(d, free_deferred);
	evdeferred_add_callback(d, free_and_wait, inner);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(freed, 2);
}
END_TEST

static void
detach_too(void *d)
{
	evdeferred_free(d);
	evdeferred_detach(d);
}

static struct evresult
free_and_pass_on(void *value, void *arg)
{
	(void)arg;
	free_again();
	return evresult_owned(value, count_free);
}

START_TEST(deferred_freed_and_detached_by_its_callback)
{
	int count = 0;

	set_thing(evdeferred_new(base, NULL, NULL), detach_too);
	evdeferred_add_callback(thing, free_and_pass_on, NULL);
	evdeferred_fire(thing, counting(&count));
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(count, 1);
}
END_TEST

/* Some deliveries inside one another, more than are made at once.  In the last
 * of them something is done. */
#define LEVELS 20
static struct evdeferred *levels[LEVELS];
static void (*at_the_bottom)(void);

static struct evresult
go_deeper(void *value, void *arg)
{
	struct evdeferred **next = arg;

	if (next == levels + LEVELS)
		at_the_bottom();
	else
		evdeferred_callback(*next, value);
	return evresult_value(NULL);
}

static void
go_deep(int count, void (*bottom)(void))
{
	int i;

	at_the_bottom = bottom;
	for (i = LEVELS - count; i < LEVELS; i++) {
		levels[i] = evdeferred_new(base, NULL, NULL);
		evdeferred_add_callback(levels[i], go_deeper, &levels[i + 1]);
	}
	evdeferred_callback(levels[LEVELS - count], NULL);
	for (i = LEVELS - count; i < LEVELS; i++)
		evdeferred_free(levels[i]);
}

static struct evresult
never(struct evresult result, void *arg)
{
	(void)arg;
	ck_abort_msg("it was called");
	return result;
}

static void
cancel_thing(void)
{
	evdeferred_cancel(thing);
}

/* It is fired where deliveries are nested too deeply, freed then, and to be
 * reported while it stands in the queue. */
START_TEST(deferred_freed_by_its_canceller_while_it_is_queued)
{
	int paused;

	for (paused = 0; paused < 2; paused++) {
		set_thing(
		    evdeferred_new(base, fire_and_free, NULL), free_deferred);
		if (paused) {
			evdeferred_add_both(thing, never, NULL);
			evdeferred_pause(thing);
		} else {
			evdeferred_detach(thing);
		}
		go_deep(_i + 1, cancel_thing);
		ck_assert_int_eq(freed, 1);
		report_take(EIO);
	}
}
END_TEST

/*
 * A coroutine.
 */

static struct routine {
	struct evcoro co;
	struct evdeferred *wait;
	int cleanups;
	int bodies;
	int ends;
} routine;

static void
answer_nothing(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
}

static struct evresult
free_in_body(struct evcoro *co, void *arg)
{
	struct routine *r = arg;

	EVCORO_BEGIN(co);
	r->bodies++;
	EVCORO_AWAIT(co, r->wait);
	r->bodies++;
	free_again();
	EVCORO_AWAIT(co, evdeferred_new(base, answer_nothing, NULL));
	r->bodies++;
	EVCORO_FINALLY(co);
	r->cleanups++;
	free_again();
	EVCORO_END(co);
}

static void
free_at_the_end(void *arg)
{
	struct routine *r = arg;

	r->ends++;
	free_again();
}

static void
start_routine(struct evresult result)
{
	routine = (struct routine){.wait = evdeferred_new_fired(base, result)};
	evdeferred_pause(routine.wait);
	set_thing(evcoro_start(base, &routine.co, free_in_body, &routine,
		      free_at_the_end),
	    free_deferred);
}

START_TEST(coroutine_freed_by_its_cleanup_that_its_own_free_runs)
{
	start_routine(evresult_owned(NULL, free_in_dispose));
	free_thing(thing);
	/* The value of the wait, the cleanup, the end. */
	ck_assert_int_eq(freed, 3);
	ck_assert_int_eq(routine.bodies, 1);
	ck_assert_int_eq(routine.cleanups, 1);
	ck_assert_int_eq(routine.ends, 1);
}
END_TEST

START_TEST(coroutine_freed_by_its_body)
{
	struct evdeferred *wait;

	start_routine(evresult_value(NULL));
	wait = routine.wait;
	evdeferred_unpause(wait);
	ck_assert_int_eq(freed, 3);
	ck_assert_int_eq(routine.bodies, 2);
	ck_assert_int_eq(routine.cleanups, 1);
	ck_assert_int_eq(routine.ends, 1);
}
END_TEST

static struct evresult
count_bodies(struct evcoro *co, void *arg)
{
	struct routine *r = arg;

	EVCORO_BEGIN(co);
	r->bodies++;
	EVCORO_TRY(co, r->wait);
	r->bodies++;
	EVCORO_FINALLY(co);
	r->cleanups++;
	EVCORO_END(co);
}

/* A coroutine whose wait is over, held back by a pause and cancelled: the value of
 * the wait will be dropped for that. */
static void
start_cancelled(void (*free_value)(void *value))
{
	routine = (struct routine){.wait = evdeferred_new(base, NULL, NULL)};
	set_thing(evcoro_start(base, &routine.co, count_bodies, &routine, NULL),
	    free_deferred);
	evdeferred_pause(thing);
	evdeferred_fire(routine.wait, evresult_owned(NULL, free_value));
	evdeferred_cancel(thing);
}

START_TEST(coroutine_freed_by_the_value_that_its_cancel_drops_does_not_go_on)
{
	start_cancelled(free_in_dispose);
	evdeferred_unpause(thing);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(routine.bodies, 1);
	ck_assert_int_eq(routine.cleanups, 1);
}
END_TEST

static void
free_payload(void *value)
{
	(void)value;
	/* Without memory for the failure it goes before there is anything. */
	if (thing != NULL)
		free_again();
}

/* The failure of one wait goes when the next one is over. */
static struct evresult
wait_twice(struct evcoro *co, void *arg)
{
	struct routine *r = arg;

	EVCORO_BEGIN(co);
	r->bodies++;
	EVCORO_TRY(co, evdeferred_new_fired(base,
			   evresult_fail_with(NULL, free_payload, EIO, NULL)));
	r->bodies++;
	EVCORO_TRY(co, r->wait);
	r->bodies++;
	EVCORO_FINALLY(co);
	r->cleanups++;
	EVCORO_END(co);
}

START_TEST(coroutine_freed_by_the_failure_of_the_wait_before_does_not_go_on)
{
	int values = 0;

	routine = (struct routine){.wait = evdeferred_new(base, NULL, NULL)};
	set_thing(evcoro_start(base, &routine.co, wait_twice, &routine, NULL),
	    free_deferred);
	ck_assert_int_eq(routine.bodies, 2);
	evdeferred_fire(routine.wait, counting(&values));
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(values, 1);
	ck_assert_int_eq(routine.bodies, 2);
	ck_assert_int_eq(routine.cleanups, 1);
}
END_TEST

static struct evresult
wait_for_itself(struct evcoro *co, void *arg)
{
	struct routine *r = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, r->wait);
	EVCORO_FINALLY(co);
	r->cleanups++;
	EVCORO_TRY(co, thing);
	r->ends++;
	EVCORO_END(co);
}

/* Refused, as each wait in the cleanup; the caller still has it to free. */
START_TEST(coroutine_whose_cleanup_waits_for_itself_is_not_let_go)
{
	routine = (struct routine){.wait = evdeferred_new(base, NULL, NULL)};
	thing =
	    evcoro_start(base, &routine.co, wait_for_itself, &routine, NULL);
	evdeferred_callback(routine.wait, NULL);
	ck_assert_int_eq(routine.cleanups, 1);
	ck_assert_int_eq(routine.ends, 1);
	evdeferred_free(thing);
}
END_TEST

static struct evdeferred *hoard;

/* Without memory, takes all links that are left. */
static void
take_all_links(void *value)
{
	(void)value;
	alloc_fail_at(1, true);
	while (evdeferred_add_both(hoard, never, NULL) == 0)
		freed++;
}

START_TEST(coroutine_goes_on_though_a_value_that_was_dropped_took_the_last_link)
{
	if (!alloc_works())
		return;
	hoard = evdeferred_new(base, answer_nothing, NULL);
	start_cancelled(take_all_links);
	evdeferred_unpause(thing);
	alloc_fail_at(0, false);
	ck_assert_int_eq(routine.cleanups, 1);
	evdeferred_free(hoard);
	evdeferred_free(thing);
}
END_TEST

/*
 * What is kept longer than anything that it came from.
 */

static struct evresult kept;

static struct evresult
keep_grant(struct evresult result, void *arg)
{
	(void)arg;
	kept = result;
	return evresult_value(NULL);
}

START_TEST(grant_of_an_owner_that_is_kept_longer_than_its_base)
{
	struct evrwlock *lock = evrwlock_new(base, EVRWLOCK_FAST);
	struct evdeferred *d;

	owner = evowner_new(base, "connection");
	d = evrwlock_acquire(lock, owner, EVRWLOCK_WRITE);
	evdeferred_add_both(d, keep_grant, NULL);
	evowner_free(owner);
	evrwlock_free(lock);
	evdeferred_free(d);
	support_free_base();
	if (_i == 0)
		evresult_dispose(kept);
	else
		ck_assert_ptr_null(evresult_get_value(kept));
}
END_TEST

/*
 * A combination, and what it fires with.
 */

static void
free_results(void *results)
{
	evresults_free(results);
}

static struct evresult
take_results(void *value, void *arg)
{
	*(void **)arg = value;
	return evresult_value(NULL);
}

START_TEST(results_freed_by_the_free_function_of_one)
{
	struct evdeferred *inputs[3], *d;
	struct evresults *results = NULL;
	int i;

	for (i = 0; i < 3; i++) {
		inputs[i] = evdeferred_new_fired(
		    base, evresult_owned(NULL, free_in_dispose));
		evdeferred_pause(inputs[i]);
	}
	d = evdeferred_list(base, inputs, 3, 0);
	evdeferred_add_callback(d, take_results, &results);
	for (i = 0; i < 3; i++)
		evdeferred_unpause(inputs[i]);
	ck_assert_ptr_nonnull(results);
	set_thing(results, free_results);
	evresults_free(results);
	ck_assert_int_eq(freed, 3);
	evdeferred_free(d);
}
END_TEST

/* All in one: each input frees the combination in its canceller. */
static void
free_when_asked(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
	free_again();
}

static void
combine_three(bool race)
{
	struct evdeferred *inputs[3];
	int i;

	for (i = 0; i < 3; i++)
		inputs[i] = evdeferred_new(base, free_when_asked, NULL);
	set_thing(race ? evdeferred_race(base, inputs, 3)
		       : evdeferred_list(base, inputs, 3, 0),
	    free_deferred);
}

START_TEST(combination_freed_by_a_canceller_that_its_own_free_calls)
{
	combine_three(_i);
	free_thing(thing);
	ck_assert_int_eq(freed, 3);
}
END_TEST

START_TEST(combination_freed_by_a_canceller_that_its_cancel_calls)
{
	combine_three(_i);
	evdeferred_cancel(thing);
	ck_assert_int_eq(freed, 3);
}
END_TEST

START_TEST(race_freed_by_the_canceller_of_a_loser)
{
	struct evdeferred *inputs[3];
	int i;

	for (i = 0; i < 3; i++)
		inputs[i] =
		    evdeferred_new(base, i == 1 ? NULL : free_when_asked, NULL);
	set_thing(evdeferred_race(base, inputs, 3), free_deferred);
	evdeferred_fire(inputs[1], evresult_owned(NULL, free_in_dispose));
	ck_assert_int_eq(freed, 3);
}
END_TEST

START_TEST(gather_freed_by_the_free_function_of_a_value)
{
	struct evdeferred *inputs[3];
	int i;

	for (i = 0; i < 3; i++)
		inputs[i] = evdeferred_new(base, NULL, NULL);
	set_thing(
	    evdeferred_gather(base, inputs, 3, EVDEFERRED_LIST_CONSUME_ERRORS),
	    free_deferred);
	evdeferred_fire(inputs[0], evresult_owned(NULL, free_in_dispose));
	evdeferred_fire(inputs[1], evresult_owned(NULL, free_in_dispose));
	evdeferred_errback(inputs[2], EIO, NULL);
	ck_assert_int_eq(freed, 2);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reentrancy");
	TCase *tc = add_case(suite, "free in free");

	tcase_add_test(tc, owner_freed_by_an_errback_that_its_own_free_runs);
	tcase_add_test(tc, owner_freed_by_whom_its_free_lets_in);
	tcase_add_loop_test(
	    tc, lock_freed_by_an_errback_that_its_own_free_runs, 0, 2);
	tcase_add_loop_test(
	    tc, semaphore_freed_by_an_errback_that_its_own_free_runs, 0, 2);
	tcase_add_loop_test(
	    tc, mutex_freed_by_an_errback_that_its_own_free_runs, 0, 2);
	tcase_add_loop_test(
	    tc, queue_freed_by_an_errback_that_its_own_free_runs, 0, 2);
	tcase_add_test(tc, queue_freed_by_a_get_that_was_promised_an_object);
	tcase_add_test(tc, queue_freed_by_the_free_function_of_an_object);
	tcase_add_test(tc, base_freed_by_a_delivery_that_its_own_free_makes);
	tcase_add_test(tc, base_freed_by_a_delivery_that_the_loop_makes);
	tcase_add_test(tc, base_freed_by_what_it_delays_no_longer);
	tcase_add_test(tc, base_freed_by_what_it_has_delayed);
	tcase_add_test(tc, base_freed_by_the_free_function_of_its_last_value);
	tcase_add_loop_test(
	    tc, deferred_freed_by_the_canceller_that_its_own_free_calls, 0, 3);
	tcase_add_loop_test(
	    tc, deferred_freed_by_the_canceller_that_its_cancel_calls, 0, 3);
	tcase_add_test(tc, deferred_freed_by_the_free_function_of_its_value);
	tcase_add_test(tc, deferred_freed_by_a_link_that_is_dropped);
	tcase_add_test(tc, deferred_freed_by_what_it_waits_for);
	tcase_add_test(tc, deferred_freed_by_what_it_cannot_wait_for);
	tcase_add_test(
	    tc, deferred_freed_by_a_callback_that_says_what_to_wait_for);
	tcase_add_test(tc, deferred_freed_and_detached_by_its_callback);
	tcase_add_loop_test(
	    tc, deferred_freed_by_its_canceller_while_it_is_queued, 0, LEVELS);
	tcase_add_test(
	    tc, coroutine_freed_by_its_cleanup_that_its_own_free_runs);
	tcase_add_test(tc, coroutine_freed_by_its_body);
	tcase_add_test(tc,
	    coroutine_freed_by_the_value_that_its_cancel_drops_does_not_go_on);
	tcase_add_test(tc,
	    coroutine_freed_by_the_failure_of_the_wait_before_does_not_go_on);
#ifdef EVDEFER_DEBUG
	tcase_add_test_raise_signal(tc,
	    coroutine_whose_cleanup_waits_for_itself_is_not_let_go, SIGABRT);
#else
	tcase_add_test(
	    tc, coroutine_whose_cleanup_waits_for_itself_is_not_let_go);
#endif
	tcase_add_test(tc,
	    coroutine_goes_on_though_a_value_that_was_dropped_took_the_last_link);
	tcase_add_loop_test(
	    tc, grant_of_an_owner_that_is_kept_longer_than_its_base, 0, 2);
	tcase_add_test(tc, results_freed_by_the_free_function_of_one);
	tcase_add_loop_test(
	    tc, combination_freed_by_a_canceller_that_its_own_free_calls, 0, 2);
	tcase_add_loop_test(
	    tc, combination_freed_by_a_canceller_that_its_cancel_calls, 0, 2);
	tcase_add_test(tc, race_freed_by_the_canceller_of_a_loser);
	tcase_add_test(tc, gather_freed_by_the_free_function_of_a_value);
	return support_main(suite);
}
