/* SPDX-License-Identifier: MIT */
/* User code is called everywhere, and each may call anything: free or close the very
 * thing at work.  Here it is an owner, a lock, a queue or the base. */
#include "things.h"

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

/* Three wait for the thing, and its free fails them. */
static void
close_while_they_wait(struct evdeferred *const d[3])
{
	int i;

	for (i = 0; i < 3; i++)
		ck_assert_int_eq(
		    evdeferred_add_errback(d[i], free_when_closed, NULL), 0);
	free_thing();
	ck_assert_int_eq(freed_again, 3);
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
	free_thing();
	ck_assert_int_eq(freed_again, 3);
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
	ck_assert_int_eq(freed_again, 3);
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
	ck_assert_int_eq(freed_again, 3);
	for (i = 0; i < 3; i++)
		evdeferred_free(d[i]);
	evrwlock_free(lock);
}
END_TEST

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
	ck_assert_int_eq(freed_again, 3);
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
	ck_assert_int_eq(freed_again, 1);
	ck_assert_ptr_null(base);
}
END_TEST

START_TEST(base_freed_by_the_free_function_of_its_last_value)
{
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_owned(NULL, free_in_dispose));

	set_thing(base, free_base);
	evdeferred_free(d);
	ck_assert_int_eq(freed_again, 1);
	ck_assert_ptr_null(base);
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

int
main(void)
{
	Suite *suite = suite_create("reentrancy");
	TCase *tc = add_case(suite, "owners");

	tcase_add_test(tc, owner_freed_by_an_errback_that_its_own_free_runs);
	tcase_add_test(tc, owner_freed_by_whom_its_free_lets_in);
	tcase_add_loop_test(
	    tc, grant_of_an_owner_that_is_kept_longer_than_its_base, 0, 2);

	tc = add_case(suite, "locks and queues");
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

	tc = add_case(suite, "base");
	tcase_add_test(tc, base_freed_by_a_delivery_that_its_own_free_makes);
	tcase_add_test(tc, base_freed_by_a_delivery_that_the_loop_makes);
	tcase_add_test(tc, base_freed_by_what_it_delays_no_longer);
	tcase_add_test(tc, base_freed_by_what_it_has_delayed);
	tcase_add_test(tc, base_freed_by_the_free_function_of_its_last_value);
	return support_main(suite);
}
