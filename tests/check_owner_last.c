/* SPDX-License-Identifier: MIT */
/* The hold that an owner keeps for its next acquire, and the request in it. */
#include "owners.h"

#include <stdlib.h>

static struct evresult
never_run(void *arg)
{
	(void)arg;
	abort();
}

static struct evresult
never_call(void *value, void *arg)
{
	(void)value;
	return never_run(arg);
}

static void
take(struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	ck_assert_int_eq(evrwlock_try(lock, owner, mode), 0);
}

/* A new lock lies where the last one was that is gone only if there is none left of what
 * an allocator may have at hand for each thread. */
#define AT_HAND 16

static void
fill_what_is_at_hand(int i)
{
	struct evrwlock *filling[AT_HAND];
	int k;

	for (k = 0; k < AT_HAND; k++)
		filling[k] = new_lock(i);
	for (k = 0; k < AT_HAND; k += 2)
		evrwlock_free(filling[k]);
	for (k = 1; k < AT_HAND; k += 2)
		evrwlock_free(filling[k]);
}

/* Has the owner keep a hold of a lock that is gone. */
static void
keep_one_of_a_lock_that_is_gone(struct evowner *owner, int i)
{
	struct evrwlock *gone;

	fill_what_is_at_hand(i);
	gone = new_lock(i);
	take(gone, owner, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_release(gone, owner, EVRWLOCK_WRITE), 0);
	evrwlock_free(gone);
}

/* Mostly each lies where the one before was. */
START_TEST(new_lock_has_nothing_of_one_that_is_gone)
{
	const enum evrwlock_mode mode =
	    _i / 2 == 0 ? EVRWLOCK_READ : EVRWLOCK_WRITE;
	struct evrwlock *next;
	struct waiter first, second;
	int round;

	make(_i);
	for (round = 0; round < 3; round++) {
		keep_one_of_a_lock_that_is_gone(ann, _i);
		next = new_lock(_i);
		REFUSED(evrwlock_release(next, ann, EVRWLOCK_WRITE), EPERM);
		REFUSED(evrwlock_downgrade(
			    next, ann, EVRWLOCK_WRITE, EVRWLOCK_READ),
		    EPERM);
		get(&first, next, ann, mode);
		request(&second, next, bob, EVRWLOCK_WRITE);
		lock_counts(
		    next, mode == EVRWLOCK_READ, mode == EVRWLOCK_WRITE, 0, 1);
		leave(next, ann, mode);
		ck_assert_int_eq(second.granted, 1);
		leave(next, bob, EVRWLOCK_WRITE);
		free_waiters(&first, 1);
		free_waiters(&second, 1);
		evrwlock_free(next);
	}
	done();
}
END_TEST

START_TEST(mutex_has_nothing_of_a_lock_that_is_gone)
{
	struct evmutex *mutex;
	struct waiter waiter;

	make(_i);
	keep_one_of_a_lock_that_is_gone(ann, _i);
	mutex = evmutex_new(base, _i % 2 == 0 ? 0 : EVMUTEX_FAST);
	REFUSED(evmutex_release(mutex, ann), EPERM);
	wait_with(&waiter, evmutex_acquire(mutex, ann), mutex);
	settle();
	ck_assert_int_eq(waiter.granted, 1);
	REFUSED(evmutex_try(mutex, ann), EBUSY);
	ck_assert_int_eq(evmutex_release(mutex, ann), 0);
	free_waiters(&waiter, 1);
	evmutex_free(mutex);
	done();
}
END_TEST

static void
fill_with_mutexes(void)
{
	struct evmutex *filling[AT_HAND];
	int k;

	for (k = 0; k < AT_HAND; k++)
		filling[k] = evmutex_new(base, 0);
	for (k = 0; k < AT_HAND; k += 2)
		evmutex_free(filling[k]);
	for (k = 1; k < AT_HAND; k += 2)
		evmutex_free(filling[k]);
}

/* Mostly the new one lies where the old one was: whoever has it is known there. */
START_TEST(deadlock_at_a_mutex_where_one_is_that_is_gone)
{
	struct waiter ann_waits, bob_waits;
	struct evmutex *mutex;

	make(_i);
	fill_with_mutexes();
	mutex = evmutex_new(base, 0);
	ck_assert_int_eq(evmutex_try(mutex, ann), 0);
	ck_assert_int_eq(evmutex_release(mutex, ann), 0);
	evmutex_free(mutex);
	mutex = evmutex_new(base, 0);
	ck_assert_int_eq(evmutex_try(mutex, ann), 0);
	take(locks[0], bob, EVRWLOCK_WRITE);
	request(&ann_waits, locks[0], ann, EVRWLOCK_READ);
	wait_with(&bob_waits, evmutex_acquire(mutex, bob), mutex);
	settle();
	ck_assert_int_eq(bob_waits.failed, EDEADLK);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(ann_waits.granted, 1);
	leave(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(evmutex_release(mutex, ann), 0);
	free_waiters(&ann_waits, 1);
	free_waiters(&bob_waits, 1);
	evmutex_free(mutex);
	done();
}
END_TEST

/* Another base's, which may lie where the first was. */
START_TEST(lock_of_another_base_has_nothing_of_one_that_is_gone)
{
	struct event_base *other_loop = event_base_new();
	struct evdefer_base *other = evdefer_base_new(other_loop);
	struct evrwlock *lock;

	make(_i);
	keep_one_of_a_lock_that_is_gone(ann, _i);
	lock = evrwlock_new(other, _i % 2 == 0 ? 0 : EVRWLOCK_FAST);
	ck_assert_ptr_nonnull(lock);
	REFUSED_NULL(evrwlock_acquire(lock, ann, EVRWLOCK_READ), EINVAL);
	REFUSED_NULL(
	    evrwlock_with(lock, ann, EVRWLOCK_READ, NULL, never_run, NULL),
	    EINVAL);
	REFUSED(evrwlock_release(lock, ann, EVRWLOCK_READ), EINVAL);
	evrwlock_free(lock);
	evdefer_base_free(other);
	event_base_free(other_loop);
	done();
}
END_TEST

/* The search for cycles comes to it with the others of its owner. */
START_TEST(search_for_cycles_passes_by_the_hold_of_a_lock_that_is_gone)
{
	struct waiter waiter;

	make(_i);
	take(locks[0], ann, EVRWLOCK_UPGRADABLE);
	take(locks[0], bob, EVRWLOCK_READ);
	keep_one_of_a_lock_that_is_gone(ann, _i);
	request(&waiter, locks[0], ann, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(waiter.ended, 0);
	leave(locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(waiter.granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(&waiter, 1);
	done();
}
END_TEST

/* Ann has left the lock that cid waits for, so that cid does not wait for her. */
START_TEST(search_for_cycles_passes_by_one_that_has_left)
{
	struct waiter ann_waits, cid_waits;

	make(_i);
	take(locks[1], ann, EVRWLOCK_UPGRADABLE);
	take(locks[1], cid, EVRWLOCK_READ);
	take(locks[0], ann, EVRWLOCK_READ);
	take(locks[0], bob, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	request(&ann_waits, locks[1], ann, EVRWLOCK_WRITE);
	request(&cid_waits, locks[0], cid, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(ann_waits.ended + cid_waits.ended, 0);
	leave(locks[0], bob, EVRWLOCK_READ);
	leave(locks[0], cid, EVRWLOCK_WRITE);
	leave(locks[1], cid, EVRWLOCK_READ);
	ck_assert_int_eq(ann_waits.granted, 1);
	/* She is known again where she comes again. */
	take(locks[0], ann, EVRWLOCK_READ);
	take(locks[2], cid, EVRWLOCK_WRITE);
	free_waiters(&cid_waits, 1);
	request(&cid_waits, locks[0], cid, EVRWLOCK_WRITE);
	free_waiters(&ann_waits, 1);
	request(&ann_waits, locks[2], ann, EVRWLOCK_READ);
	settle();
	ck_assert_int_eq(ann_waits.failed, EDEADLK);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], cid, EVRWLOCK_WRITE);
	leave(locks[2], cid, EVRWLOCK_WRITE);
	leave(locks[1], ann, EVRWLOCK_WRITE);
	leave(locks[1], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(&ann_waits, 1);
	free_waiters(&cid_waits, 1);
	done();
}
END_TEST

/* The hold that is at hand is not for that. */
START_TEST(one_that_reads_may_read_again_and_not_become_upgradable)
{
	struct waiter waiters[3];

	make(_i);
	get(&waiters[0], locks[0], ann, EVRWLOCK_READ);
	get(&waiters[1], locks[0], ann, EVRWLOCK_READ);
	lock_counts(locks[0], 2, 0, 0, 0);
	request(&waiters[2], locks[0], ann, EVRWLOCK_UPGRADABLE);
	settle();
	ck_assert_int_eq(waiters[2].failed, EDEADLK);
	lock_counts(locks[0], 2, 0, 0, 0);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	free_waiters(waiters, 3);
	get(&waiters[0], locks[0], ann, EVRWLOCK_UPGRADABLE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(waiters, 1);
	done();
}
END_TEST

/* Bob leaves, since he waits for nothing, and has a token for ann. */
START_TEST(one_that_leaves_has_nothing_of_a_lock_that_is_gone)
{
	struct evsemaphore *semaphore = evsemaphore_new(base, 2, 0);
	struct waiter first, second;

	make(_i);
	take(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(evsemaphore_try(semaphore, bob), 0);
	ck_assert_int_eq(evsemaphore_try(semaphore, cid), 0);
	keep_one_of_a_lock_that_is_gone(bob, _i);
	request(&first, locks[0], cid, EVRWLOCK_READ);
	wait_with(&second, evsemaphore_acquire(semaphore, ann), semaphore);
	settle();
	ck_assert_int_eq(first.ended + second.ended, 0);
	ck_assert_int_eq(evsemaphore_release(semaphore, bob), 0);
	settle();
	ck_assert_int_eq(second.granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(first.granted, 1);
	free_waiters(&first, 1);
	free_waiters(&second, 1);
	done();
	evsemaphore_free(semaphore);
}
END_TEST

/* The first is in the hold, the second is not; whichever ends first. */
START_TEST(grants_of_one_owner_on_their_way_end_in_any_order)
{
	struct evdeferred *d[2];

	make(_i);
	d[0] = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	d[1] = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	settle();
	lock_counts(locks[0], 2, 0, 0, 0);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_READ), EPERM);
	evdeferred_free(d[_i / 2 % 2]);
	lock_counts(locks[0], 1, 0, 0, 0);
	if (_i / 4 == 1)
		end_owner(&ann);
	evdeferred_free(d[1 - _i / 2 % 2]);
	done();
}
END_TEST

static struct evresult
release_first(struct evfailure *failure, void *arg)
{
	(void)failure;
	*(int *)arg = evrwlock_release(locks[0], ann, EVRWLOCK_READ);
	return evresult_value(NULL);
}

/* What it has received it may release until its end is over. */
START_TEST(owner_that_ends_may_release_its_last_hold)
{
	struct evdeferred *d;
	int released = -1;

	make(_i);
	take(locks[1], bob, EVRWLOCK_WRITE);
	d = evrwlock_acquire(locks[1], ann, EVRWLOCK_READ);
	ck_assert_int_eq(
	    evdeferred_add_errback(d, release_first, &released), 0);
	take(locks[0], ann, EVRWLOCK_READ);
	evowner_free(ann);
	ann = NULL;
	ck_assert_int_eq(released, 0);
	lock_counts(locks[0], 0, 0, 0, 0);
	evdeferred_free(d);
	done();
}
END_TEST

struct both {
	struct evrwlock *next; /* that is acquired beside the grant */
	struct evdeferred *d;
	struct evresult kept;
};

static struct evresult
keep(struct evresult result, void *arg)
{
	((struct both *)arg)->kept = result;
	return evresult_value(NULL);
}

/* What is kept is in the hold, and another acquire comes beside it. */
START_TEST(grant_that_is_kept_leaves_room_for_others)
{
	struct both both;
	struct evdeferred *d;
	struct waiter again, next;

	make(_i);
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(evdeferred_add_both(d, keep, &both), 0);
	settle();
	get(&again, locks[0], ann, EVRWLOCK_READ);
	get(&next, locks[1], ann, EVRWLOCK_WRITE);
	lock_counts(locks[0], 2, 0, 0, 0);
	if (_i / 2 == 1)
		end_owner(&ann);
	else
		leave(locks[0], ann, EVRWLOCK_READ);
	evresult_dispose(both.kept);
	lock_counts(locks[0], 0, 0, 0, 0);
	lock_counts(locks[1], 0, _i / 2 == 0, 0, 0);
	evdeferred_free(d);
	free_waiters(&again, 1);
	free_waiters(&next, 1);
	done();
}
END_TEST

/* Takes the value and releases, so that the hold is idle while a function has its
 * request; and has the owner acquire another lock before or after that. */
static struct evresult
release_beside(struct evresult result, void *arg)
{
	struct both *both = arg;
	const bool before = both->next == locks[1];

	ck_assert_ptr_eq(evresult_get_value(result), locks[0]);
	if (before)
		take(both->next, ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_release(locks[0], ann, EVRWLOCK_READ), 0);
	both->d = evrwlock_acquire(both->next, ann, EVRWLOCK_WRITE);
	return evresult_value(NULL);
}

START_TEST(hold_that_is_released_in_a_function_may_be_of_another_lock)
{
	struct both both = {.next = locks[1 + _i / 2]};
	struct evdeferred *d;

	make(_i);
	both.next = locks[1 + _i / 2];
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(evdeferred_add_both(d, release_beside, &both), 0);
	settle();
	lock_counts(locks[0], 0, 0, 0, 0);
	lock_counts(both.next, 0, _i / 2 == 0 ? 2 : 1, 0, 0);
	evdeferred_free(both.d);
	evdeferred_free(d);
	take(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	done();
}
END_TEST

/*
 * Bodies that run at once.
 */

/* Uses up the memory of links, and waits. */
static struct evresult
take_all_links(void *arg)
{
	struct evdeferred **d = arg;

	if (alloc_works()) {
		alloc_fail_at(1, true);
		while (evdeferred_add_callback(d[1], never_call, NULL) == 0)
			continue;
		alloc_fail_at(0, false);
	}
	return evresult_deferred(d[0]);
}

START_TEST(body_that_leaves_no_memory_can_still_wait)
{
	struct evdeferred *d[2], *body;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	d[0] = evdeferred_new(base, NULL, NULL);
	d[1] = evdeferred_new(base, NULL, NULL);
	ck_assert_int_eq(evdefer_base_reserve(base, 1, 1), 0);
	take(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	body = evrwlock_with(locks[0], _i / 2 == 0 ? NULL : ann, EVRWLOCK_WRITE,
	    NULL, take_all_links, d);
	ck_assert_ptr_nonnull(body);
	settle();
	lock_counts(locks[0], 0, 1, 0, 0);
	see(body, &seen);
	ck_assert_int_eq(evdeferred_callback(d[0], ann), 0);
	lock_counts(locks[0], 0, 0, 0, 0);
	ck_assert_ptr_eq(seen.value, ann);
	evdeferred_free(body);
	evdeferred_free(d[1]);
	ck_assert_int_eq(evdeferred_callback(d[1], NULL), 0);
	done();
}
END_TEST

/* Frees what it runs under, and returns a value or a failure. */
static struct evresult
free_owner_and_lock(void *arg)
{
	const int i = *(int *)arg;

	end_owner(&ann);
	/* What it had is given back, and it is nobody's. */
	lock_counts(locks[0], 0, 0, 0, 0);
	evrwlock_free(locks[0]);
	locks[0] = new_lock(i);
	return i / 2 == 0 ? evresult_value(&grants)
			  : evresult_fail(EIO, "no more");
}

START_TEST(body_frees_its_owner_and_its_lock)
{
	struct seen seen = {0, 0, NULL, 0};
	int i = _i;
	struct evdeferred *d;

	make(_i);
	take(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	d = evrwlock_with(
	    locks[0], ann, EVRWLOCK_READ, NULL, free_owner_and_lock, &i);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.values, _i / 2 == 0);
	ck_assert_int_eq(seen.code, _i / 2 == 0 ? 0 : EIO);
	evdeferred_free(d);
	done();
}
END_TEST

/* As deep as a body may be, and once more. */
struct nest {
	int depth;
	int runs;
};

static struct evresult
nest(void *arg)
{
	struct nest *at = arg;

	at->runs++;
	if (--at->depth == 0)
		return evresult_value(NULL);
	return evresult_deferred(
	    evrwlock_with(locks[0], ann, EVRWLOCK_READ, NULL, nest, at));
}

START_TEST(bodies_in_bodies_all_run)
{
	struct nest at = {100, 0};
	struct seen seen = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i);
	d = evrwlock_with(locks[0], ann, EVRWLOCK_READ, NULL, nest, &at);
	see(d, &seen);
	settle();
	ck_assert_int_eq(at.runs, 100);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(d);
	done();
}
END_TEST

static struct waiter late;

/* Releases where the stack is full of deliveries. */
static struct evresult
release_deep(void *value, void *arg)
{
	const int depth = (int)(intptr_t)arg;
	struct evdeferred *next;

	if (depth == 16) {
		ck_assert_int_eq(
		    evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), 0);
		ck_assert_int_eq(late.granted, 0);
		return evresult_value(NULL);
	}
	next = evdeferred_new(base, NULL, NULL);
	evdeferred_add_callback(
	    next, release_deep, (void *)(intptr_t)(depth + 1));
	evdeferred_callback(next, value);
	evdeferred_detach(next);
	return evresult_value(NULL);
}

START_TEST(grant_is_delivered_when_the_stack_is_not_full_any_more)
{
	struct waiter first;

	make(1);
	get(&first, locks[0], ann, EVRWLOCK_WRITE);
	request(&late, locks[0], bob, EVRWLOCK_WRITE);
	release_deep(NULL, (void *)0);
	ck_assert_int_eq(late.granted, 1);
	ck_assert_int_eq(evrwlock_release(locks[0], bob, EVRWLOCK_WRITE), 0);
	evdeferred_free(first.d);
	evdeferred_free(late.d);
	done();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("owner_last");
	TCase *tc = add_case(suite, "hold");

	tcase_add_loop_test(tc, new_lock_has_nothing_of_one_that_is_gone, 0, 4);
	tcase_add_loop_test(tc, mutex_has_nothing_of_a_lock_that_is_gone, 0, 2);
	tcase_add_loop_test(
	    tc, deadlock_at_a_mutex_where_one_is_that_is_gone, 0, 2);
	tcase_add_loop_test(
	    tc, lock_of_another_base_has_nothing_of_one_that_is_gone, 0, 2);
	tcase_add_loop_test(
	    tc, search_for_cycles_passes_by_one_that_has_left, 0, 2);
	tcase_add_loop_test(
	    tc, one_that_reads_may_read_again_and_not_become_upgradable, 0, 2);
	tcase_add_loop_test(tc,
	    search_for_cycles_passes_by_the_hold_of_a_lock_that_is_gone, 0, 2);
	tcase_add_loop_test(
	    tc, one_that_leaves_has_nothing_of_a_lock_that_is_gone, 0, 2);
	tcase_add_loop_test(tc,
	    hold_that_is_released_in_a_function_may_be_of_another_lock, 0, 4);

	tcase_add_loop_test(
	    tc, owner_that_ends_may_release_its_last_hold, 0, 2);

	tc = add_case(suite, "request");
	tcase_add_loop_test(
	    tc, grants_of_one_owner_on_their_way_end_in_any_order, 0, 8);
	tcase_add_loop_test(
	    tc, grant_that_is_kept_leaves_room_for_others, 0, 4);
	tcase_add_test(
	    tc, grant_is_delivered_when_the_stack_is_not_full_any_more);

	tc = add_case(suite, "body");
	tcase_add_loop_test(
	    tc, body_that_leaves_no_memory_can_still_wait, 0, 4);
	tcase_add_loop_test(tc, body_frees_its_owner_and_its_lock, 0, 4);
	tcase_add_loop_test(tc, bodies_in_bodies_all_run, 0, 2);
	return support_main(suite);
}
