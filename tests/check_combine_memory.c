/* SPDX-License-Identifier: MIT */
/* Combinations of locks, those without memory, and a million of them. */
#include "combinations.h"

#include <errno.h>
#include <stdlib.h>

/*
 * With locks: _i is the flags of the locks.
 */

START_TEST(lock_grant_that_loses_is_released)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evrwlock *other = evrwlock_new(base, (unsigned)_i);
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evrwlock_writer_acquire(lock);
	in[1] = evrwlock_writer_acquire(other);
	d = evdeferred_race(base, in, 2);
	note_outcome(d, &outcome);
	turns(3);
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_ptr_eq(value_at(outcome.results, 0), lock);
	ck_assert(evrwlock_is_writing(lock));
	ck_assert(!evrwlock_is_writing(other));
	forget(d, &outcome);
	ck_assert(!evrwlock_is_writing(lock));
	evrwlock_free(lock);
	evrwlock_free(other);
}
END_TEST

START_TEST(lock_grant_taken_from_the_results_is_held)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evowner *owner = evowner_new(base, "owner");
	struct evdeferred *d;
	struct outcome outcome;
	struct evresult result;

	in[0] = evrwlock_reader_acquire(lock);
	in[1] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
	in[2] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
	d = evdeferred_gather(base, in, 3, 0);
	note_outcome(d, &outcome);
	turns(3);
	ck_assert_int_eq(outcome.count, 1);
	result = evresults_take(outcome.results, 0);
	ck_assert_ptr_eq(evresult_get_value(result), lock);
	ck_assert_ptr_eq(value_at(outcome.results, 1), lock);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_READ), -1);
	ck_assert_int_eq(errno, EPERM);
	result = evresults_take(outcome.results, 1);
	ck_assert_ptr_eq(evresult_get_value(result), lock);
	forget(d, &outcome);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_READ), -1);
	ck_assert(evrwlock_is_reading(lock));
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert(!evrwlock_is_reading(lock));
	evowner_free(owner);
	evrwlock_free(lock);
}
END_TEST

START_TEST(lock_grant_of_an_owner_that_went_is_a_failure)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evowner *owner = evowner_new(base, "owner");
	struct evdeferred *d;
	struct outcome outcome;
	struct evresult result;

	in[0] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
	in[1] = evrwlock_acquire(lock, owner, EVRWLOCK_READ);
	d = evdeferred_gather(base, in, 2, 0);
	note_outcome(d, &outcome);
	turns(2);
	ck_assert_int_eq(outcome.count, 1);
	evowner_free(owner);
	ck_assert(!evrwlock_is_reading(lock));
	ck_assert_int_eq(code_at(outcome.results, 0), ECANCELED);
	result = evresults_take(outcome.results, 0);
	ck_assert_int_eq(
	    evfailure_get_code(evresult_get_failure(result)), ECANCELED);
	evresult_dispose(result);
	forget(d, &outcome);
	evrwlock_free(lock);
}
END_TEST

START_TEST(lock_waiters_of_a_combination_that_is_freed_leave)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evdeferred *d, *reader;
	struct seen seen = {0};

	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	in[0] = evrwlock_writer_acquire(lock);
	in[1] = evrwlock_writer_acquire(lock);
	d = evdeferred_gather(base, in, 2, 0);
	reader = evrwlock_reader_acquire(lock);
	see(reader, &seen);
	evdeferred_free(d);
	turns(2);
	ck_assert_int_eq(seen.values, 1);
	evrwlock_reader_release(lock);
	evrwlock_reader_release(lock);
	evdeferred_free(reader);
	evrwlock_free(lock);
}
END_TEST

START_TEST(lock_grants_before_the_first_error_are_released)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evdeferred *d;
	struct outcome outcome;

	in[0] = evrwlock_writer_acquire(lock);
	in[1] = evdeferred_new(base, NULL, NULL);
	d = evdeferred_gather(base, in, 2, CONSUME);
	note_outcome(d, &outcome);
	turns(2);
	ck_assert(evrwlock_is_writing(lock));
	evdeferred_errback(in[1], EIO, NULL);
	ck_assert(!evrwlock_is_writing(lock));
	forget(d, &outcome);
	evrwlock_free(lock);
}
END_TEST

/*
 * Memory and scale.
 */

static struct evdeferred *
combine(int kind, struct evdeferred *const *deferreds, size_t count)
{
	switch (kind) {
	case 0:
		return evdeferred_list(base, deferreds, count, CONSUME);
	case 1:
		return evdeferred_gather(base, deferreds, count, CONSUME);
	case 2:
		return evdeferred_race(base, deferreds, count);
	default:
		return evdeferred_list(
		    base, deferreds, count, FIRST_VALUE | CONSUME);
	}
}

/* _i is the kind. */
START_TEST(without_memory_the_inputs_stay_the_callers)
{
	enum { COUNT = 100 };
	struct evdeferred *inputs[COUNT], *d;
	size_t n, i;
	int freed = 0;

	if (!alloc_works())
		return;
	for (i = 0; i < COUNT; i++)
		inputs[i] = evdeferred_new_fired(base, counting(&freed));
	for (n = 1; n < 1000; n++) {
		alloc_fail_at(n, true);
		errno = 0;
		d = combine(_i, inputs, COUNT);
		alloc_fail_at(0, false);
		if (d != NULL)
			break;
		ck_assert_int_eq(errno, ENOMEM);
		ck_assert_int_eq(freed, 0);
	}
	ck_assert_uint_gt(n, 1);
	evdeferred_free(d);
	ck_assert_int_eq(freed, COUNT);
}
END_TEST

START_TEST(without_memory_a_failure_comes_all_the_same)
{
	struct evdeferred *d;
	struct outcome outcome;
	int kind;

	if (!alloc_works())
		return;
	for (kind = 1; kind <= 2; kind++) {
		in[0] = evdeferred_new(base, NULL, NULL);
		d = combine(kind, in, 1);
		note_outcome(d, &outcome);
		alloc_fail_at(2, true);
		evdeferred_errback(in[0], EIO, "x");
		alloc_fail_at(0, false);
		ck_assert_int_eq(outcome.count, 1);
		ck_assert_int_eq(evfailure_get_code(outcome.failure), ENOMEM);
		forget(d, &outcome);
	}
}
END_TEST

/* _i is the kind, and 4 more if the inputs have fired before. */
START_TEST(million_inputs)
{
	const size_t count = support_scale();
	const int kind = _i % 4;
	struct evdeferred **inputs = support_array(count, sizeof(*inputs)), *d;
	struct outcome outcome;
	int freed = 0;
	size_t i;

	support_small_stack();
	for (i = 0; i < count; i++)
		inputs[i] = _i >= 4
				? evdeferred_new_fired(base, counting(&freed))
				: evdeferred_new(base, NULL, NULL);
	d = combine(kind, inputs, count);
	note_outcome(d, &outcome);
	for (i = 0; i < count && _i < 4; i++)
		evdeferred_fire(inputs[i], counting(&freed));
	ck_assert_int_eq(outcome.count, 1);
	ck_assert_uint_eq(
	    evresults_get_count(outcome.results), kind < 2 ? count : 1);
	ck_assert_uint_eq((size_t)freed, kind < 2 ? 0 : count - 1);
	forget(d, &outcome);
	ck_assert_uint_eq((size_t)freed, count);
	free(inputs);
}
END_TEST

/* A combination of one, a million deep.  _i is the kind, and 4 more if the
 * innermost fails, 8 more if the outermost is cancelled, 12 more if freed. */
START_TEST(combinations_a_million_deep)
{
	const size_t count = support_scale();
	struct evdeferred *innermost, *d;
	struct outcome outcome;
	int freed = 0, cancelled = 0;
	size_t i;

	support_small_stack();
	d = innermost = evdeferred_new(base, count_cancel, &cancelled);
	for (i = 0; i < count; i++)
		d = combine(_i % 4, &d, 1);
	if (_i >= 12) {
		evdeferred_free(d);
		ck_assert_int_eq(cancelled, 1);
		return;
	}
	note_outcome(d, &outcome);
	if (_i >= 8)
		evdeferred_cancel(d);
	else if (_i >= 4)
		evdeferred_errback(innermost, EIO, "deep");
	else
		evdeferred_fire(innermost, counting(&freed));
	event_base_dispatch(loop);
	ck_assert_int_eq(outcome.count, 1);
	forget(d, &outcome);
	ck_assert_int_eq(freed, _i < 4);
	ck_assert_int_eq(cancelled, _i >= 8);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("combine_memory");
	TCase *tc = add_case(suite, "locks");

	tcase_add_loop_test(tc, lock_grant_that_loses_is_released, 0, 2);
	tcase_add_loop_test(
	    tc, lock_grant_taken_from_the_results_is_held, 0, 2);
	tcase_add_loop_test(
	    tc, lock_grant_of_an_owner_that_went_is_a_failure, 0, 2);
	tcase_add_loop_test(
	    tc, lock_waiters_of_a_combination_that_is_freed_leave, 0, 2);
	tcase_add_loop_test(
	    tc, lock_grants_before_the_first_error_are_released, 0, 2);

	tc = add_case(suite, "memory and scale");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(
	    tc, without_memory_the_inputs_stay_the_callers, 0, 4);
	tcase_add_test(tc, without_memory_a_failure_comes_all_the_same);
	tcase_add_loop_test(tc, million_inputs, 0, 8);
	tcase_add_loop_test(tc, combinations_a_million_deep, 0, 16);
	return support_main(suite);
}
