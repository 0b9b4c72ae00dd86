/* SPDX-License-Identifier: MIT */
/* evdefer/mutex.h.  What it has of the semaphore is tested there; _i is 0 for
 * delivery from the loop and 1 for EVMUTEX_FAST. */
#include "waiters.h"
#include "shortage.h"

#include <errno.h>
#include <string.h>

static struct evmutex *mutex;

static void
make(int i)
{
	mutex = evmutex_new(base, i == 0 ? 0 : EVMUTEX_FAST);
	ck_assert_ptr_nonnull(mutex);
}

static void
leave(void)
{
	ck_assert_int_eq(evmutex_release(mutex, NULL), 0);
	settle();
}

static struct evresult
body_locked(void *arg)
{
	*(bool *)arg = evmutex_is_locked(mutex);
	return evresult_value(arg);
}

START_TEST(bad_arguments_are_einval)
{
	struct evsemaphore_stats stats, none = {0};

	REFUSED_NULL(evmutex_new(NULL, 0), EINVAL);
	REFUSED_NULL(evmutex_new(base, 0x2u), EINVAL);
	REFUSED_NULL(evmutex_acquire(NULL, NULL), EINVAL);
	REFUSED(evmutex_release(NULL, NULL), EINVAL);
	REFUSED(evmutex_try(NULL, NULL), EINVAL);
	REFUSED_NULL(evmutex_with(NULL, NULL, NULL, body_locked, NULL), EINVAL);
	ck_assert(!evmutex_is_locked(NULL));
	memset(&stats, 0xff, sizeof(stats));
	evmutex_get_stats(NULL, &stats);
	ck_assert_mem_eq(&stats, &none, sizeof(none));
	evmutex_free(NULL);
	make(_i);
	REFUSED_NULL(evmutex_with(mutex, NULL, NULL, NULL, NULL), EINVAL);
	REFUSED(evmutex_release(mutex, NULL), EPERM);
	ck_assert(!evmutex_is_locked(mutex));
	evmutex_free(mutex);
}
END_TEST

START_TEST(one_holds_it_at_a_time)
{
	struct evdeferred *d[3];
	struct seen seen[3] = {{0}};
	int i;

	make(_i);
	for (i = 0; i < 3; i++) {
		d[i] = evmutex_acquire(mutex, NULL);
		see(d[i], &seen[i]);
	}
	ck_assert(evmutex_is_locked(mutex));
	settle();
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(seen[i].values, 1);
		ck_assert_ptr_eq(seen[i].value, mutex);
		if (i < 2)
			ck_assert_int_eq(seen[i + 1].values, 0);
		ck_assert(evmutex_is_locked(mutex));
		leave();
		evdeferred_free(d[i]);
	}
	ck_assert(!evmutex_is_locked(mutex));
	evmutex_free(mutex);
}
END_TEST

START_TEST(delivery_is_as_the_flag_says)
{
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i);
	d = evmutex_acquire(mutex, NULL);
	see(d, &seen);
	ck_assert_int_eq(seen.values, _i);
	settle();
	ck_assert_int_eq(seen.values, 1);
	leave();
	evdeferred_free(d);
	evmutex_free(mutex);
}
END_TEST

START_TEST(try_takes_a_free_lock)
{
	make(_i);
	ck_assert_int_eq(evmutex_try(mutex, NULL), 0);
	REFUSED(evmutex_try(mutex, NULL), EBUSY);
	leave();
	ck_assert_int_eq(evmutex_try(mutex, NULL), 0);
	leave();
	evmutex_free(mutex);
}
END_TEST

START_TEST(with_holds_runs_and_releases)
{
	struct seen seen = {0};
	struct evdeferred *d;
	bool locked = false;

	make(_i);
	d = evmutex_with(mutex, NULL, NULL, body_locked, &locked);
	see(d, &seen);
	settle();
	ck_assert(locked);
	ck_assert_ptr_eq(seen.value, &locked);
	ck_assert(!evmutex_is_locked(mutex));
	evdeferred_free(d);
	evmutex_free(mutex);
}
END_TEST

/* Before it is granted, and after. */
START_TEST(cancelled_acquire)
{
	struct evdeferred *holder, *waiter;
	struct seen held = {0}, lost = {0};

	make(_i);
	holder = evmutex_acquire(mutex, NULL);
	waiter = evmutex_acquire(mutex, NULL);
	see(holder, &held);
	see(waiter, &lost);
	settle();
	evdeferred_cancel(holder);
	ck_assert(evmutex_is_locked(mutex));
	ck_assert_int_eq(lost.failures + lost.values, 0);
	evdeferred_cancel(waiter);
	ck_assert_int_eq(lost.code, ECANCELED);
	leave();
	ck_assert(!evmutex_is_locked(mutex));
	ck_assert_int_eq(held.values, 1);
	ck_assert_int_eq(lost.values, 0);
	evdeferred_free(holder);
	evdeferred_free(waiter);
	evmutex_free(mutex);
}
END_TEST

START_TEST(forgotten_grant_is_released)
{
	make(_i);
	evdeferred_detach(evmutex_acquire(mutex, NULL));
	settle();
	ck_assert(!evmutex_is_locked(mutex));
	evmutex_free(mutex);
}
END_TEST

START_TEST(close_fails_waiters_and_the_holder_releases)
{
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i);
	evmutex_try(mutex, NULL);
	d = evmutex_acquire(mutex, NULL);
	see(d, &seen);
	evmutex_free(mutex);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	ck_assert(evmutex_is_locked(mutex));
	REFUSED(evmutex_try(mutex, NULL), ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evmutex_release(mutex, NULL), 0);
}
END_TEST

START_TEST(stats_count)
{
	struct evsemaphore_stats stats;
	struct evdeferred *d[2];

	make(_i);
	evmutex_try(mutex, NULL);
	d[0] = evmutex_acquire(mutex, NULL);
	d[1] = evmutex_acquire(mutex, NULL);
	evdeferred_free(d[0]);
	evmutex_get_stats(mutex, &stats);
	ck_assert_uint_eq(stats.inside, 1);
	ck_assert_uint_eq(stats.waiting, 1);
	ck_assert_uint_eq(stats.granted, 1);
	ck_assert_uint_eq(stats.cancelled, 1);
	ck_assert_uint_eq(stats.longest_queue, 2);
	leave();
	evdeferred_free(d[1]);
	evmutex_free(mutex);
}
END_TEST

START_TEST(new_without_memory_is_enomem)
{
	NULL_WITHOUT_MEMORY(evmutex_new(base, 0));
}
END_TEST

/* Twisted's DeferredLock recurses here. */

static size_t served;

static struct evresult
count_and_release(void *value, void *arg)
{
	(void)arg;
	served++;
	evmutex_release(value, NULL);
	return evresult_value(NULL);
}

START_TEST(million_waiters_are_granted_in_one_go)
{
	size_t i, scale = support_scale();
	struct evdeferred *d;

	make(_i);
	served = 0;
	evmutex_try(mutex, NULL);
	for (i = 0; i < scale; i++) {
		d = evmutex_acquire(mutex, NULL);
		evdeferred_add_callback(d, count_and_release, NULL);
		evdeferred_detach(d);
	}
	evmutex_release(mutex, NULL);
	event_base_dispatch(loop);
	ck_assert_uint_eq(served, scale);
	evmutex_free(mutex);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("mutex");
	TCase *tc = add_case(suite, "mutex");

	tcase_add_loop_test(tc, bad_arguments_are_einval, 0, 2);
	tcase_add_loop_test(tc, one_holds_it_at_a_time, 0, 2);
	tcase_add_loop_test(tc, delivery_is_as_the_flag_says, 0, 2);
	tcase_add_loop_test(tc, try_takes_a_free_lock, 0, 2);
	tcase_add_loop_test(tc, with_holds_runs_and_releases, 0, 2);
	tcase_add_loop_test(tc, cancelled_acquire, 0, 2);
	tcase_add_loop_test(tc, forgotten_grant_is_released, 0, 2);
	tcase_add_loop_test(
	    tc, close_fails_waiters_and_the_holder_releases, 0, 2);
	tcase_add_loop_test(tc, stats_count, 0, 2);
	tcase_add_test(tc, new_without_memory_is_enomem);

	tc = add_case(suite, "constant stack");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, million_waiters_are_granted_in_one_go, 0, 2);
	return support_main(suite);
}
