/* SPDX-License-Identifier: MIT */
/* What owners and their holds need of memory, and a million of them. */
#include "dice.h"
#include "shortage.h"
#include "owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Links of kind both. */

/* Memory. */

static int
one_round(void)
{
	struct evdeferred *d[5];
	struct seen seen = {0, 0, NULL, 0};
	int i, good;

	d[0] = evrwlock_acquire(locks[0], ann, EVRWLOCK_WRITE);
	d[1] = evrwlock_acquire(locks[0], bob, EVRWLOCK_WRITE);
	d[2] = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	d[3] =
	    evrwlock_with(locks[0], cid, EVRWLOCK_READ, NULL, body_value, NULL);
	d[4] = evrwlock_acquire(locks[1], ann, EVRWLOCK_READ);
	for (i = 0; i < 5; i++)
		evdeferred_add_callbacks(d[i], see_value, see_failure, &seen);
	turns(3);
	good = evrwlock_release(locks[0], ann, EVRWLOCK_WRITE) == 0;
	good += evrwlock_release(locks[0], ann, EVRWLOCK_READ) == 0;
	good += evrwlock_release(locks[1], ann, EVRWLOCK_READ) == 0;
	good += evrwlock_try(locks[1], ann, EVRWLOCK_READ) == 0;
	good += evrwlock_release(locks[1], ann, EVRWLOCK_READ) == 0;
	turns(3);
	good += evrwlock_release(locks[0], bob, EVRWLOCK_WRITE) == 0;
	turns(3);
	for (i = 0; i < 5; i++)
		evdeferred_free(d[i]);
	return good + (seen.values == 5);
}

START_TEST(steady_state_allocates_nothing)
{
	make(_i);
	check_steady_state(one_round, 7);
	done();
}
END_TEST

struct attempt {
	bool fast;
	bool wedged;  /* a lock could not be used any more */
	bool through; /* nothing failed */
};

/* Every step may lack memory: what was made must end, and the locks work on. */
static void
attempt(void *arg)
{
	struct attempt *a = arg;
	struct evdefer_base *b = evdefer_base_new(loop);
	struct evrwlock *lock[2] = {NULL, NULL};
	struct evowner *o[3] = {NULL, NULL, NULL};
	struct evdeferred *d[8] = {NULL};
	struct seen seen[8];
	int bad = 0, k;

	memset(seen, 0, sizeof(seen));
	for (k = 0; k < 2; k++) {
		lock[k] = evrwlock_new(b, a->fast ? EVRWLOCK_FAST : 0);
		bad += evrwlock_set_name(lock[k], "one of the locks") != 0;
	}
	for (k = 0; k < 3; k++)
		bad += (o[k] = evowner_new(b, NULL)) == NULL;
	/* Without its owner an acquire would be for nobody in particular. */
	if (o[0] == NULL || o[1] == NULL || o[2] == NULL)
		goto end;
	bad += evrwlock_try(lock[0], o[0], EVRWLOCK_WRITE) != 0;
	d[0] = evrwlock_acquire(lock[0], o[0], EVRWLOCK_READ);
	d[1] = evrwlock_acquire(lock[1], o[1], EVRWLOCK_WRITE);
	d[2] = evrwlock_acquire(lock[1], o[0], EVRWLOCK_READ);
	d[3] = evrwlock_acquire(lock[0], o[1], EVRWLOCK_READ); /* a cycle */
	d[4] = evrwlock_with(
	    lock[0], o[2], EVRWLOCK_WRITE, NULL, body_value, NULL);
	d[5] = evrwlock_acquire(lock[1], o[2], EVRWLOCK_WRITE);
	d[6] = evrwlock_acquire(lock[1], o[2], EVRWLOCK_READ);
	d[7] = evrwlock_acquire(lock[0], o[0], EVRWLOCK_READ);
	for (k = 0; k < 8; k++) {
		bad += d[k] == NULL;
		if (evdeferred_add_callbacks(
			d[k], see_value, see_failure, &seen[k]) != 0)
			bad++;
	}
	if (bad == 0 && seen[3].code != EDEADLK)
		a->wedged = true;
	turns(4);
end:
	evowner_free(o[1]);
	turns(4);
	evowner_free(o[0]);
	turns(4);
	evowner_free(o[2]);
	for (k = 0; k < 8; k++)
		evdeferred_free(d[k]);
	for (k = 0; k < 2; k++) {
		if (lock[k] != NULL && evrwlock_writer_try(lock[k]) != 0)
			a->wedged = true;
		evrwlock_writer_release(lock[k]);
		evrwlock_free(lock[k]);
	}
	evdefer_base_free(b);
	a->through = bad == 0;
}

START_TEST(every_allocation_may_fail)
{
	bool hit = true;
	size_t n;

	event_set_log_callback(ignore_log);
	for (n = 1; hit && n < 10000; n++) {
		struct attempt a = {.fast = _i % 2 == 1};

		hit = fails_at(n, _i / 2 == 1, attempt, &a);
		ck_assert_msg(!a.wedged, "wedged at n = %zu", n);
		ck_assert(hit || a.through);
	}
	ck_assert_uint_lt(n, 10000);
	event_set_log_callback(NULL);
}
END_TEST

START_TEST(acquire_without_memory_acquires_nothing)
{
	const enum evrwlock_mode mode = mode_of(_i / 2);

	make(_i);
	if (_i / 2 < 2)
		NULL_WITHOUT_MEMORY(evrwlock_acquire(locks[0], ann, mode));
	else if (_i / 2 < 4)
		NULL_WITHOUT_MEMORY(run_with(locks[0], ann, mode, NULL));
	else
		REFUSED_WITHOUT_MEMORY(evrwlock_try(locks[0], ann, mode));
	lock_counts(locks[0], 0, 0, 0, 0);
	done();
}
END_TEST

/* There is memory for Deferreds, but none for the hold: one is refused, and then whoever
 * comes gets in.  Returns whether the acquire went through.  The lock ends before the
 * owners do: a hold that was left would lead to it. */
static bool
enter_lacking(size_t n, enum evrwlock_mode mode, bool again)
{
	struct evdefer_base *b = evdefer_base_new(loop);
	struct evrwlock *lock = evrwlock_new(b, EVRWLOCK_FAST);
	struct evowner *first = evowner_new(b, NULL);
	struct evowner *next = evowner_new(b, NULL);
	struct evowner *in = again ? first : next;
	struct evdeferred *d;
	struct waiter waiter;
	bool through;
	int code;

	ck_assert(lock != NULL && first != NULL && next != NULL);
	ck_assert_int_eq(evdefer_base_reserve(b, 1, 1), 0);
	alloc_fail_at(n, false);
	errno = 0;
	d = evrwlock_acquire(lock, first, mode);
	code = errno;
	alloc_fail_at(0, false);
	through = d != NULL;
	ck_assert(alloc_failed() != through);
	if (!through) {
		ck_assert_int_eq(code, ENOMEM);
		lock_counts(lock, 0, 0, 0, 0);
		REFUSED(evrwlock_release(lock, first, mode), EPERM);
		request(&waiter, lock, in, mode);
		ck_assert_int_eq(waiter.granted, 1);
		ck_assert_int_eq(evrwlock_release(lock, in, mode), 0);
		d = waiter.d;
	}
	evdeferred_free(d);
	lock_counts(lock, 0, 0, 0, 0);
	evrwlock_free(lock);
	evowner_free(first);
	evowner_free(next);
	evdefer_base_free(b);
	return through;
}

START_TEST(fast_acquire_without_memory_enters_nothing)
{
	size_t n = 1;

	if (!alloc_works())
		return;
	while (!enter_lacking(n, mode_of(_i), _i / 2 == 1))
		ck_assert_uint_lt(++n, 100);
	/* The hold, and then nothing. */
	ck_assert_uint_gt(n, 1);
}
END_TEST

/* The first acquire of an owner takes a hold, and one beside a grant of its own that is
 * still on its way a request. */
START_TEST(grants_on_their_way_without_memory_are_refused)
{
	struct evdeferred *first, *second;

	if (!alloc_works())
		return;
	make(EVRWLOCK_FAST);
	ck_assert_int_eq(evdefer_base_reserve(base, 4, 4), 0);
	NULL_WITHOUT_MEMORY(evrwlock_acquire(locks[0], ann, EVRWLOCK_READ));
	lock_counts(locks[0], 0, 0, 0, 0);
	first = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	NULL_WITHOUT_MEMORY(evrwlock_acquire(locks[0], ann, EVRWLOCK_READ));
	lock_counts(locks[0], 1, 0, 0, 0);
	second = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	lock_counts(locks[0], 2, 0, 0, 0);
	evdeferred_free(first);
	lock_counts(locks[0], 1, 0, 0, 0);
	evdeferred_free(second);
	lock_counts(locks[0], 0, 0, 0, 0);
	done();
}
END_TEST

/* More holds than the table of the base has places for: each owner has one, and one that
 * it was given last, which needs no place. */
START_TEST(holds_are_found_where_their_table_cannot_grow)
{
	struct evowner *crowd_of[400];
	const int count = sizeof(crowd_of) / sizeof(crowd_of[0]);
	const int stay = count / 2;
	int good = 0, i;

	make(0);
	for (i = 0; i < count; i++) {
		crowd_of[i] = new_owner(NULL);
		good += evrwlock_try(locks[0], crowd_of[i], EVRWLOCK_READ) == 0;
	}
	/* Their memory is for what comes now. */
	for (i = stay; i < count; i++)
		evowner_free(crowd_of[i]);
	for (i = 0; i < stay; i++) {
		/* It is the first to ask for memory once 64 are in it. */
		alloc_fail_at(i >= 64, false);
		good += evrwlock_try(locks[1], crowd_of[i], EVRWLOCK_READ) == 0;
	}
	alloc_fail_at(0, false);
	if (alloc_works())
		ck_assert(alloc_failed());
	for (i = 0; i < 2 * stay; i++)
		good += evrwlock_release(
			    locks[i % 2], crowd_of[i / 2], EVRWLOCK_READ) == 0;
	ck_assert_int_eq(good, count + 3 * stay);
	done();
	for (i = 0; i < stay; i++)
		evowner_free(crowd_of[i]);
}
END_TEST

/* Until there is no memory for the hold of a second lock: the first is as it was. */
START_TEST(second_lock_without_memory_leaves_the_first)
{
	struct evowner *crowd_of[100];
	const int count = sizeof(crowd_of) / sizeof(crowd_of[0]);
	int refused = -1, i;

	make(0);
	for (i = 0; i < count; i++) {
		crowd_of[i] = new_owner(NULL);
		ck_assert_int_eq(
		    evrwlock_try(locks[0], crowd_of[i], EVRWLOCK_READ), 0);
	}
	/* The table is there then. */
	ck_assert_int_eq(evrwlock_try(locks[1], crowd_of[0], EVRWLOCK_READ), 0);
	for (i = 1; alloc_works() && i < count && refused == -1; i++) {
		alloc_fail_at(1, true);
		if (evrwlock_try(locks[1], crowd_of[i], EVRWLOCK_READ) == -1)
			refused = i;
		alloc_fail_at(0, false);
	}
	if (alloc_works()) {
		ck_assert_int_gt(refused, 0);
		REFUSED(evrwlock_release(
			    locks[1], crowd_of[refused], EVRWLOCK_READ),
		    EPERM);
		leave(locks[0], crowd_of[refused], EVRWLOCK_READ);
	}
	for (i = 0; i < count; i++)
		evowner_free(crowd_of[i]);
	done();
}
END_TEST

static int fire_error;

static struct evresult
fire_other(struct evfailure *failure, void *other)
{
	(void)failure;
	errno = 0;
	ck_assert_int_eq(evdeferred_callback(other, NULL), -1);
	fire_error = errno;
	return evresult_value(NULL);
}

/* It is out of the queue, but not cancelled yet. */
START_TEST(wait_of_an_owner_that_goes_is_not_the_users_to_fire)
{
	struct evdeferred *first, *second;
	struct evowner *owner;

	make(_i);
	owner = new_owner(NULL);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_writer_try(locks[1]), 0);
	first = evrwlock_acquire(locks[0], owner, EVRWLOCK_READ);
	second = evrwlock_acquire(locks[1], owner, EVRWLOCK_READ);
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(second);
	ck_assert_int_eq(evdeferred_add_errback(first, fire_other, second), 0);
	fire_error = 0;
	evowner_free(owner);
	ck_assert_int_eq(fire_error, EPERM);
	evdeferred_free(first);
	evdeferred_free(second);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[1]), 0);
	done();
}
END_TEST

START_TEST(new_without_memory_is_enomem)
{
	make(0);
	NULL_WITHOUT_MEMORY(evowner_new(base, "joe"));
	REFUSED_WITHOUT_MEMORY(evrwlock_set_name(locks[0], "purple"));
	ck_assert_str_eq(evrwlock_get_name(locks[0]), "red");
	done();
}
END_TEST

/* Scale. */

#define SHARED 1000
#define EACH 100

static struct evowner **crowd;
static size_t through_count, cancelled_count;

static struct evresult
free_one(void *value, void *arg)
{
	struct evowner **owner = arg;

	(void)value;
	evowner_free(*owner);
	*owner = NULL;
	return evresult_value(NULL);
}

static struct evresult
count_through(void *arg)
{
	(void)arg;
	through_count++;
	return evresult_value(NULL);
}

static struct evresult
count_cancelled(struct evfailure *failure, void *arg)
{
	(void)arg;
	cancelled_count += evfailure_get_code(failure) == ECANCELED;
	return evresult_value(NULL);
}

static void
shuffle(struct evowner **owners, size_t n)
{
	struct evowner *owner;
	size_t i, k;

	for (i = n; i > 1; i--) {
		k = dice((unsigned)i);
		owner = owners[i - 1];
		owners[i - 1] = owners[k];
		owners[k] = owner;
	}
}

static void
join_crowd(
    struct evowner *owner, struct evrwlock **shared, struct evrwlock *shut)
{
	const size_t first = dice(SHARED);
	struct evdeferred *d;
	size_t k;

	for (k = 0; k < EACH; k++)
		ck_assert_int_eq(evrwlock_try(shared[(first + k * 7) % SHARED],
				     owner, EVRWLOCK_READ),
		    0);
	d = evrwlock_acquire(shut, owner, EVRWLOCK_READ);
	evdeferred_add_errback(d, count_cancelled, NULL);
	evdeferred_detach(d);
}

START_TEST(crowd_of_owners_goes_in_random_order)
{
	const size_t n = support_scale() / EACH;
	struct evrwlock *shared[SHARED], *shut = new_lock(_i);
	struct evdeferred *d;
	size_t k;

	dice_seed(1);
	through_count = cancelled_count = 0;
	crowd = support_array(n, sizeof(struct evowner *));
	ck_assert_int_eq(evrwlock_writer_try(shut), 0);
	for (k = 0; k < SHARED; k++)
		shared[k] = new_lock(_i);
	for (k = 0; k < n; k++) {
		crowd[k] = new_owner(NULL);
		join_crowd(crowd[k], shared, shut);
	}
	for (k = 0; k < SHARED; k++)
		evdeferred_detach(
		    evrwlock_with_writer(shared[k], count_through, NULL));
	shuffle(crowd, n);
	for (k = 0; k < n; k++) {
		d = evdeferred_new_fired(base, evresult_value(NULL));
		evdeferred_add_callback(d, free_one, &crowd[k]);
		evdeferred_free(d);
		if (k % 64 == 0)
			turns(1);
	}
	turns(20);
	ck_assert_uint_eq(through_count, SHARED);
	ck_assert_uint_eq(cancelled_count, n);
	for (k = 0; k < SHARED; k++) {
		lock_counts(shared[k], 0, 0, 0, 0);
		evrwlock_free(shared[k]);
	}
	lock_counts(shut, 0, 1, 0, 0);
	ck_assert_int_eq(evrwlock_writer_release(shut), 0);
	evrwlock_free(shut);
	free(crowd);
}
END_TEST

/* Each owner's callback frees the next one, who lets the one after that in. */
static struct evresult
free_next(void *value, void *arg)
{
	struct evowner **owner = arg;

	(void)value;
	through_count++;
	end_owner(owner);
	return evresult_value(NULL);
}

START_TEST(crowd_of_owners_ends_itself_on_a_small_stack)
{
	const size_t n = support_scale() / 10;
	struct evrwlock *lock = new_lock(_i);
	struct evdeferred *d;
	size_t k;

	through_count = 0;
	crowd = support_array(n, sizeof(struct evowner *));
	for (k = 0; k < n; k++) {
		crowd[k] = new_owner(NULL);
		d = evrwlock_acquire(lock, crowd[k], EVRWLOCK_WRITE);
		evdeferred_add_callback(d, free_next, &crowd[k]);
		evdeferred_detach(d);
	}
	for (k = 0; through_count < n && k < n; k++)
		turns(1);
	ck_assert_uint_eq(through_count, n);
	lock_counts(lock, 0, 0, 0, 0);
	evrwlock_free(lock);
	free(crowd);
}
END_TEST

START_TEST(hold_among_a_million_holders)
{
	const size_t n = support_scale();
	struct evrwlock *lock = new_lock(_i);
	struct evowner *one = new_owner(NULL);
	size_t k;

	crowd = support_array(n, sizeof(struct evowner *));
	for (k = 0; k < n; k++) {
		crowd[k] = new_owner(NULL);
		ck_assert(evrwlock_try(lock, crowd[k], EVRWLOCK_READ) == 0);
	}
	/* If one of these were O(holders), this would not come to an end. */
	for (k = 0; k < n; k++) {
		ck_assert(evrwlock_try(lock, one, EVRWLOCK_READ) == 0);
		ck_assert(evrwlock_release(lock, one, EVRWLOCK_READ) == 0);
	}
	for (k = 0; k < n; k++)
		evowner_free(crowd[k]);
	lock_counts(lock, 0, 0, 0, 0);
	evowner_free(one);
	evrwlock_free(lock);
	free(crowd);
}
END_TEST

/* What the one that waits has itself. */
enum { A_LOCK, A_MUTEX, THE_LOCK, KINDS_OF_OWN };

static void
take_own(struct evowner *one, int kind, struct evrwlock *lock,
    struct evrwlock *own, struct evmutex *mutex)
{
	if (kind == A_LOCK)
		ck_assert_int_eq(evrwlock_try(own, one, EVRWLOCK_WRITE), 0);
	else if (kind == A_MUTEX)
		ck_assert_int_eq(evmutex_try(mutex, one), 0);
	else
		ck_assert_int_eq(
		    evrwlock_try(lock, one, EVRWLOCK_UPGRADABLE), 0);
}

/* A wait does not search them all, either, where nobody waits for the
 * waiter: those that wait for the same lock do not wait for it, however
 * often it has waited before. */
START_TEST(wait_for_a_million_holders_searches_none)
{
	const size_t n = support_scale();
	const int kind = _i / 2;
	struct evrwlock *lock = new_lock(_i), *own = new_lock(_i);
	struct evmutex *mutex = evmutex_new(base, 0);
	struct evowner *one = new_owner(NULL);
	struct evdeferred *other = NULL;
	size_t k;

	crowd = support_array(n, sizeof(struct evowner *));
	for (k = 0; k < n; k++) {
		crowd[k] = new_owner(NULL);
		ck_assert(evrwlock_try(lock, crowd[k], EVRWLOCK_READ) == 0);
	}
	take_own(one, kind, lock, own, mutex);
	if (kind != THE_LOCK)
		other = evrwlock_writer_acquire(lock);
	for (k = 0; k < n; k++)
		evdeferred_free(evrwlock_acquire(lock, one, EVRWLOCK_WRITE));
	evdeferred_free(other);
	for (k = 0; k < n; k++)
		evowner_free(crowd[k]);
	evowner_free(one);
	evrwlock_free(lock);
	evrwlock_free(own);
	evmutex_free(mutex);
	free(crowd);
}
END_TEST

/* One for whose lock somebody waits asks for another, which has it search; so often. */
static void
search(struct evrwlock *lock, int fast, int times)
{
	struct evrwlock *own = new_lock(fast);
	struct evowner *one = new_owner(NULL);
	struct evdeferred *other, *d;

	ck_assert_int_eq(evrwlock_try(own, one, EVRWLOCK_WRITE), 0);
	other = evrwlock_writer_acquire(own);
	while (times-- > 0) {
		d = evrwlock_acquire(lock, one, EVRWLOCK_WRITE);
		ck_assert_ptr_nonnull(d);
		ck_assert(!evdeferred_has_fired(d));
		evdeferred_free(d);
	}
	evdeferred_free(other);
	evowner_free(one);
	evrwlock_free(own);
}

/* Half of them hold a lock, and the others wait for it: the search comes to it by each
 * of these, and goes through its holders once. */
START_TEST(search_passes_a_million_holders_once)
{
	const size_t n = support_scale();
	struct evrwlock *shut = new_lock(_i), *shared = new_lock(_i);
	size_t k;

	crowd = support_array(n, sizeof(struct evowner *));
	for (k = 0; k < n; k++) {
		crowd[k] = new_owner(NULL);
		ck_assert(evrwlock_try(k < n / 2 ? shut : shared, crowd[k],
			      EVRWLOCK_READ) == 0);
		if (k >= n / 2)
			evdeferred_detach(
			    evrwlock_acquire(shut, crowd[k], EVRWLOCK_WRITE));
	}
	/* Some searches, so that a square of them does not come to an end. */
	search(shared, _i, 20);
	for (k = n; k-- > 0;)
		evowner_free(crowd[k]);
	evrwlock_free(shared);
	evrwlock_free(shut);
	free(crowd);
}
END_TEST

/* Each of them waits for two locks, and stands in front of those after it at both.  Each
 * second wait is a search as well: a square of all is what they may cost. */
START_TEST(search_passes_each_that_stands_in_front_once)
{
	const size_t scale = support_scale() / 25;
	const size_t n = scale < 3000 ? scale : 3000;
	struct evrwlock *shared = new_lock(_i);
	struct evrwlock *shut[2] = {new_lock(_i), new_lock(_i)};
	size_t k, first;

	crowd = support_array(n, sizeof(struct evowner *));
	ck_assert_int_eq(evrwlock_writer_try(shut[0]), 0);
	ck_assert_int_eq(evrwlock_writer_try(shut[1]), 0);
	for (k = 0; k < n; k++) {
		first = k % 2;
		crowd[k] = new_owner(NULL);
		ck_assert(evrwlock_try(shared, crowd[k], EVRWLOCK_READ) == 0);
		evdeferred_detach(
		    evrwlock_acquire(shut[first], crowd[k], EVRWLOCK_WRITE));
		evdeferred_detach(evrwlock_acquire(
		    shut[1 - first], crowd[k], EVRWLOCK_WRITE));
	}
	search(shared, _i, 1);
	for (k = 0; k < n; k++)
		evowner_free(crowd[k]);
	for (k = 0; k < 2; k++) {
		ck_assert_int_eq(evrwlock_writer_release(shut[k]), 0);
		evrwlock_free(shut[k]);
	}
	evrwlock_free(shared);
	free(crowd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("owner_memory");
	TCase *tc = add_case(suite, "memory");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, every_allocation_may_fail, 0, 4);
	tcase_add_loop_test(tc, acquire_without_memory_acquires_nothing, 0, 12);
	tcase_add_loop_test(
	    tc, fast_acquire_without_memory_enters_nothing, 0, 4);
	tcase_add_test(tc, grants_on_their_way_without_memory_are_refused);
	tcase_add_test(tc, second_lock_without_memory_leaves_the_first);
	tcase_add_test(tc, holds_are_found_where_their_table_cannot_grow);
	tcase_add_loop_test(
	    tc, wait_of_an_owner_that_goes_is_not_the_users_to_fire, 0, 2);
	tcase_add_test(tc, new_without_memory_is_enomem);

	tc = add_case(suite, "scale");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, crowd_of_owners_goes_in_random_order, 0, 2);
	tcase_add_loop_test(
	    tc, crowd_of_owners_ends_itself_on_a_small_stack, 0, 2);
	tcase_add_loop_test(tc, hold_among_a_million_holders, 0, 2);
	tcase_add_loop_test(
	    tc, wait_for_a_million_holders_searches_none, 0, 2 * KINDS_OF_OWN);
	tcase_add_loop_test(tc, search_passes_a_million_holders_once, 0, 2);
	tcase_add_loop_test(
	    tc, search_passes_each_that_stands_in_front_once, 0, 2);
	return support_main(suite);
}
