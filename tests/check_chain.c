/* SPDX-License-Identifier: MIT */
/* evdeferred_chain(): one Deferred fires another, which may live long while many
 * that are chained to it come and go. */
#include "deferreds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

START_TEST(chain_fires_other)
{
	struct evdeferred *d = fresh(), *other = fresh();
	struct seen mine = {0}, others = {0};
	int n = 0;

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	see(d, &mine);
	see(other, &others);
	evdeferred_callback(d, &n);
	ck_assert_ptr_eq(others.value, &n);
	ck_assert_int_eq(mine.values, 1);
	ck_assert_ptr_null(mine.value);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_passes_failure)
{
	struct evdeferred *d = fresh(), *other = fresh();
	struct seen mine = {0}, others = {0};

	evdeferred_chain(d, other);
	see(d, &mine);
	see(other, &others);
	evdeferred_errback(d, EIO, "x");
	ck_assert_int_eq(others.code, EIO);
	ck_assert_int_eq(mine.values, 1);
	ck_assert_ptr_null(mine.value);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_of_fired_fires_at_once)
{
	struct evdeferred *d = fired(evresult_value(&report)), *other = fresh();
	struct seen others = {0};

	see(other, &others);
	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	ck_assert_ptr_eq(others.value, &report);
	evdeferred_free(other);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_to_fired_is_ealready)
{
	struct evdeferred *d = fresh(), *other = fired(evresult_value(NULL));
	struct seen mine = {0};

	REFUSED(evdeferred_chain(d, other), EALREADY);
	see(d, &mine);
	evdeferred_callback(d, &mine);
	ck_assert_ptr_eq(mine.value, &mine);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_to_cancelled_is_ealready)
{
	struct evdeferred *d = fresh(), *other = fresh();

	evdeferred_cancel(other);
	REFUSED(evdeferred_chain(d, other), EALREADY);
	evdeferred_callback(d, NULL);
	evdeferred_callback(other, NULL);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_of_chained_is_ebusy)
{
	struct evdeferred *a = fresh(), *b = fresh(), *other = fresh();
	struct seen others = {0};

	see(other, &others);
	ck_assert_int_eq(evdeferred_chain(a, other), 0);
	REFUSED(evdeferred_chain(b, other), EBUSY);
	evdeferred_callback(b, &a);
	ck_assert_int_eq(others.values, 0);
	evdeferred_callback(a, &b);
	ck_assert_ptr_eq(others.value, &b);
	evdeferred_free(a);
	evdeferred_free(b);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_across_bases_is_einval)
{
	struct evdefer_base *second = evdefer_base_new(loop);
	struct evdeferred *d = fresh();
	struct evdeferred *other = evdeferred_new(second, NULL, NULL);

	REFUSED(evdeferred_chain(d, other), EINVAL);
	evdeferred_callback(d, NULL);
	evdeferred_callback(other, NULL);
	evdeferred_free(d);
	evdeferred_free(other);
	evdefer_base_free(second);
}
END_TEST

START_TEST(chain_dropped_with_its_deferred_cancels_other)
{
	struct evdeferred *d = fresh(), *other = fresh();
	struct seen others = {0};

	see(other, &others);
	evdeferred_chain(d, other);
	evdeferred_free(d);
	ck_assert_int_eq(others.code, ECANCELED);
	evdeferred_callback(d, NULL);
	evdeferred_free(other);
	ck_assert_int_eq(others.failures, 1);
}
END_TEST

START_TEST(chain_disposes_where_other_was_cancelled)
{
	struct evdeferred *d = fresh(), *other = fresh();
	struct seen mine = {0}, others = {0};
	int freed = 0, cancelled = 0;

	evdeferred_free(d);
	evdeferred_callback(d, NULL);
	d = evdeferred_new(base, count_cancel, &cancelled);
	see(other, &others);
	evdeferred_chain(d, other);
	see(d, &mine);
	evdeferred_cancel(other);
	ck_assert_int_eq(others.code, ECANCELED);
	ck_assert_int_eq(cancelled, 0);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(mine.values, 1);
	evdeferred_free(other);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_disposes_where_other_was_freed)
{
	struct evdeferred *d = fresh(), *other = fresh();
	int freed = 0;

	evdeferred_chain(d, other);
	evdeferred_free(other);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(chain_disposes_where_other_was_fired)
{
	struct evdeferred *d = fresh(), *other = fresh();
	int freed = 0;

	evdeferred_chain(d, other);
	ck_assert_int_eq(evdeferred_callback(other, NULL), 0);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chain_to_freed_then_freed_itself)
{
	struct evdeferred *d = fresh(), *other = fresh();

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	evdeferred_free(other);
	evdeferred_free(d);
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(chain_keeps_other_for_its_canceller)
{
	int cancelled = 0;
	struct evdeferred *d = fresh();
	struct evdeferred *other =
	    evdeferred_new(base, count_cancel, &cancelled);
	int freed = 0;

	evdeferred_chain(d, other);
	evdeferred_free(other);
	ck_assert_int_eq(cancelled, 1);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
}
END_TEST

START_TEST(late_value_whose_free_function_frees_its_deferred)
{
	struct evdeferred *d = fresh();

	evdeferred_cancel(d);
	ck_assert_int_eq(
	    evdeferred_fire(d, evresult_owned(d, free_deferred)), 0);
}
END_TEST

START_TEST(chained_value_whose_free_function_frees_other)
{
	struct evdeferred *d = fresh(), *other = fresh();

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	evdeferred_cancel(other);
	evdeferred_fire(d, evresult_owned(other, free_deferred));
	evdeferred_free(d);
}
END_TEST

static void
cancel_with_owned_deferred(struct evdeferred *d, void *arg)
{
	evdeferred_fire(d, evresult_owned(arg, free_deferred));
}

START_TEST(free_of_chained_whose_canceller_leads_to_a_free_of_its_chain)
{
	struct evdeferred *d = fresh();
	struct evdeferred *other =
	    evdeferred_new(base, cancel_with_owned_deferred, d);

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	evdeferred_free(other);
	evdeferred_callback(d, NULL);
}
END_TEST

START_TEST(chain_in_a_ring_ends)
{
	struct evdeferred *a = fresh(), *b = fresh();
	int freed = 0;

	ck_assert_int_eq(evdeferred_chain(a, b), 0);
	if (evdeferred_chain(b, a) == 0) {
		evdeferred_fire(a, counting(&freed));
	} else {
		ck_assert_int_ne(errno, ENOMEM);
		count_free(&freed);
	}
	evdeferred_free(a);
	evdeferred_free(b);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* What is queued may be freed before its turn. */

/* It used to leave the lock's queue pointing to a Deferred that was gone. */
START_TEST(waiter_of_a_lock_is_fired_by_the_lock_alone)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *source = evdeferred_new(base, NULL, NULL);
	struct evdeferred *waiter;
	struct evrwlock_stats stats;

	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	waiter = evrwlock_reader_acquire(lock);
	REFUSED(evdeferred_callback(waiter, NULL), EPERM);
	REFUSED(evdeferred_errback(waiter, EIO, NULL), EPERM);
	REFUSED(evdeferred_chain(source, waiter), EPERM);
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.readers_waiting, 1);
	evdeferred_free(waiter);
	evdeferred_callback(source, NULL);
	evdeferred_free(source);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evrwlock_free(lock);
}
END_TEST

static struct evdeferred *
chained(struct evdeferred *d)
{
	struct evdeferred *other = fresh();

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	return other;
}

/* Calls that were refused for want of memory, where no assertion belongs. */
static int refused;

static void
note(int result)
{
	refused += result == -1;
}

static struct evresult
take(struct evresult result, void *arg)
{
	(void)arg;
	evresult_dispose(result);
	return evresult_value(NULL);
}

/* The ways in which one that is chained ends before its chain fires it. */

static void
end_by_free(struct evdeferred *other)
{
	evdeferred_free(other);
}

static void
end_by_cancel(struct evdeferred *other)
{
	evdeferred_cancel(other);
	evdeferred_free(other);
}

static void
end_by_detach_and_cancel(struct evdeferred *other)
{
	note(evdeferred_add_both(other, take, NULL));
	evdeferred_detach(other);
	evdeferred_cancel(other);
}

static void
end_by_a_fire_of_somebody_else(struct evdeferred *other)
{
	evdeferred_callback(other, NULL);
	evdeferred_free(other);
}

static void
end_by_a_timeout(struct evdeferred *other)
{
	static const struct timeval now = {0, 0};

	note(evdeferred_add_timeout(other, &now));
	note(evdeferred_add_both(other, take, NULL));
	turns(2);
	evdeferred_free(other);
}

static void
end_while_waiting(struct evdeferred *other)
{
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);

	evdeferred_fire(other, evresult_deferred(inner));
	evdeferred_free(other);
	evdeferred_callback(inner, NULL);
}

/* A race hands its loser back with the first value. */
static void
end_by_losing_a_race(struct evdeferred *other)
{
	struct evdeferred *inputs[] = {other, evdeferred_succeed(base, NULL)};
	struct evdeferred *race = evdeferred_race(base, inputs, 2);

	if (race == NULL) {
		refused++;
		evdeferred_free(inputs[0]);
		evdeferred_free(inputs[1]);
	}
	evdeferred_free(race);
}

static void (*const ways[])(struct evdeferred *other) = {end_by_free,
    end_by_cancel, end_by_detach_and_cancel, end_by_a_fire_of_somebody_else,
    end_by_a_timeout, end_while_waiting, end_by_losing_a_race};
#define ENDS ((int)(sizeof(ways) / sizeof(ways[0])))

static void
end_one(int way, struct evdeferred *other)
{
	refused = 0;
	ways[way](other);
	ck_assert_int_eq(refused, 0);
}

/* More than the pools have room for at first. */
#define ROUNDS 5000

START_TEST(long_lived_keeps_nothing_of_those_that_were_chained)
{
	struct evdeferred *d = fresh(), *other;
	struct seen seen = {0};
	long live = 0;
	int i;

	refused = 0;
	for (i = 0; i < ROUNDS; i++) {
		if (i == 10)
			live = alloc_live();
		other = evdeferred_new(base, NULL, NULL);
		note(evdeferred_chain(d, other));
		ways[_i](other);
	}
	live = alloc_live() - live;
	ck_assert_int_eq(refused, 0);
	ck_assert_int_eq(live, 0);
	other = chained(d);
	see(other, &seen);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(other);
	evdeferred_free(d);
}
END_TEST

/* They are between others that stay. */
START_TEST(long_lived_keeps_nothing_between_those_that_stay)
{
	struct evdeferred *d = fresh(), *stay[4], *other;
	struct seen seen[4] = {0};
	long live = 0;
	int i;

	refused = 0;
	for (i = 0; i < ROUNDS; i++) {
		if (i == 4)
			live = alloc_live();
		if (i < 4)
			stay[i] = chained(d);
		other = evdeferred_new(base, NULL, NULL);
		note(evdeferred_chain(d, other));
		ways[_i](other);
	}
	live = alloc_live() - live;
	ck_assert_int_eq(refused, 0);
	ck_assert_int_eq(live, 0);
	for (i = 0; i < 4; i++)
		see(stay[i], &seen[i]);
	evdeferred_callback(d, &seen);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(seen[i].values, 1);
		ck_assert_ptr_eq(seen[i].value, i == 0 ? &seen : NULL);
		evdeferred_free(stay[i]);
	}
	evdeferred_free(d);
}
END_TEST

/* One that is gone still takes the result, which a link behind it does not
 * see. */
START_TEST(result_does_not_pass_by_those_that_are_gone)
{
	struct evdeferred *d = fresh(), *first, *second;
	struct seen before = {0}, after = {0}, second_saw = {0};
	int freed = 0;

	see(d, &before);
	first = chained(d);
	second = chained(d);
	see(second, &second_saw);
	see(d, &after);
	end_one(_i, first);
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(before.values, 1);
	ck_assert_int_eq(second_saw.values, 1);
	ck_assert_ptr_null(second_saw.value);
	ck_assert_int_eq(after.values, 1);
	ck_assert_ptr_null(after.value);
	evdeferred_free(second);
	evdeferred_free(d);
}
END_TEST

START_TEST(failure_for_one_that_is_gone_is_handled_by_it)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	end_one(_i, chained(d));
	end_one(_i, chained(d));
	see(d, &seen);
	evdeferred_errback(d, EIO, "nobody is there");
	ck_assert_int_eq(seen.values, 1);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_free(d);
}
END_TEST

START_TEST(value_for_one_that_is_gone_is_freed)
{
	struct evdeferred *d = fresh();
	int freed = 0;

	end_one(_i, chained(d));
	evdeferred_fire(d, counting(&freed));
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
}
END_TEST

/* The chain is dropped also when nobody is left that it leads to. */
START_TEST(long_lived_is_freed_after_those_that_were_chained)
{
	struct evdeferred *d = fresh();

	end_one(_i, chained(d));
	end_one(_i, chained(d));
	evdeferred_free(d);
	ck_assert_int_eq(evdeferred_callback(d, NULL), 0);
}
END_TEST

START_TEST(chained_that_has_left_is_refused_as_fired)
{
	struct evdeferred *a = fresh(), *b = fresh(), *other = chained(a);

	evdeferred_cancel(other);
	REFUSED(evdeferred_chain(b, other), EALREADY);
	REFUSED(evdeferred_callback(other, NULL), EALREADY);
	evdeferred_callback(a, NULL);
	evdeferred_callback(b, NULL);
	evdeferred_free(a);
	evdeferred_free(b);
	evdeferred_free(other);
}
END_TEST

/* What a link does to others, of the same chain. */
struct crowd {
	struct evdeferred *others[5];
	bool kept[5];
	int calls;
};

static struct evresult
free_all_but_own(struct crowd *crowd)
{
	static const int order[] = {2, 1, 4, 3};
	int i;

	crowd->calls++;
	for (i = 0; i < 4; i++) {
		if (!crowd->kept[order[i]])
			evdeferred_free(crowd->others[order[i]]);
	}
	return evresult_value(NULL);
}

static struct evresult
free_others(struct evresult result, void *arg)
{
	evresult_dispose(result);
	return free_all_but_own(arg);
}

static void
gather_crowd(struct crowd *crowd, struct evdeferred *d, int kept)
{
	int i;

	memset(crowd, 0, sizeof(*crowd));
	for (i = 0; i < 5; i++)
		crowd->others[i] = chained(d);
	crowd->kept[kept] = true;
	evdeferred_add_both(crowd->others[0], free_others, crowd);
}

START_TEST(first_of_a_running_chain_frees_those_behind_it)
{
	struct evdeferred *d = fresh();
	struct seen kept = {0}, end = {0};
	struct crowd crowd;

	gather_crowd(&crowd, d, _i);
	if (_i > 0)
		see(crowd.others[_i], &kept);
	see(d, &end);
	evdeferred_callback(d, &crowd);
	ck_assert_int_eq(crowd.calls, 1);
	ck_assert_int_eq(kept.values, _i > 0);
	ck_assert_int_eq(end.values, 1);
	evdeferred_free(crowd.others[0]);
	if (_i > 0)
		evdeferred_free(crowd.others[_i]);
	evdeferred_free(d);
}
END_TEST

START_TEST(first_of_a_dropped_chain_frees_those_behind_it)
{
	struct evdeferred *d = fresh();
	struct seen kept = {0};
	struct crowd crowd;

	gather_crowd(&crowd, d, _i);
	if (_i > 0)
		see(crowd.others[_i], &kept);
	evdeferred_free(d);
	evdeferred_callback(d, NULL);
	ck_assert_int_eq(crowd.calls, 1);
	ck_assert_int_eq(kept.code, _i > 0 ? ECANCELED : 0);
	evdeferred_free(crowd.others[0]);
	if (_i > 0)
		evdeferred_free(crowd.others[_i]);
}
END_TEST

/* The link that a body or a coroutine puts before those that are chained. */
static struct evresult
wait_for(void *arg)
{
	return evresult_deferred(arg);
}

START_TEST(others_leave_while_a_body_runs_before_them)
{
	struct evrwlock *lock = evrwlock_new(base, EVRWLOCK_FAST);
	struct evdeferred *inner = fresh(), *d, *others[3];
	struct seen seen = {0};
	int i;

	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	d = evrwlock_with_writer(lock, wait_for, inner);
	for (i = 0; i < 3; i++)
		others[i] = chained(d);
	evrwlock_writer_release(lock);
	for (i = 0; i < 3; i++) {
		if (i != _i)
			evdeferred_free(others[i]);
	}
	see(others[_i], &seen);
	evdeferred_callback(inner, &seen);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_ptr_eq(seen.value, _i == 0 ? &seen : NULL);
	evdeferred_free(others[_i]);
	evdeferred_free(d);
	evrwlock_free(lock);
}
END_TEST

static struct evdeferred *first_wait, *second_wait;

static struct evresult
wait_twice(struct evcoro *co, void *arg)
{
	(void)arg;
	EVCORO_BEGIN(co);
	EVCORO_TRY(co, first_wait);
	EVCORO_TRY(co, second_wait);
	EVCORO_RETURN(evresult_value(evcoro_value(co)));
	EVCORO_END(co);
}

START_TEST(others_leave_a_coroutine)
{
	struct evcoro co = {0};
	struct evdeferred *d, *others[3];
	struct evdeferred *second = second_wait = fresh();
	struct evdeferred *first = first_wait = fresh();
	struct seen seen = {0};
	int i;

	d = evcoro_start(base, &co, wait_twice, NULL, NULL);
	for (i = 0; i < 3; i++)
		others[i] = chained(d);
	evdeferred_callback(first, NULL);
	for (i = 0; i < 3; i++) {
		if (i != _i)
			evdeferred_free(others[i]);
	}
	see(others[_i], &seen);
	evdeferred_callback(second, &seen);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_ptr_eq(seen.value, _i == 0 ? &seen : NULL);
	evdeferred_free(others[_i]);
	evdeferred_free(d);
}
END_TEST

/* From all over the chain, each in O(1); a third stays. */
START_TEST(million_leave_one_chain)
{
	const size_t scale = support_scale() / 3 * 3;
	struct evdeferred **others = support_array(scale, sizeof(*others));
	struct evdeferred *d = fresh();
	struct seen seen = {0};
	size_t i, at = 0;

	refused = 0;
	for (i = 0; i < scale; i++) {
		others[i] = evdeferred_new(base, NULL, NULL);
		refused += evdeferred_chain(d, others[i]) == -1;
	}
	ck_assert_int_eq(refused, 0);
	/* scale is a multiple of 3, and has no divisor in common with this. */
	for (i = 0; i < scale; i++) {
		at = (at + 7919) % scale;
		if (at % 3 == 0)
			see(others[at], &seen);
		else if (_i == 0)
			evdeferred_free(others[at]);
		else
			evdeferred_cancel(others[at]);
	}
	evdeferred_callback(d, NULL);
	ck_assert_uint_eq((size_t)seen.values, scale / 3);
	for (i = 0; i < scale; i++) {
		if (i % 3 == 0 || _i == 1)
			evdeferred_free(others[i]);
	}
	evdeferred_free(d);
	free(others);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("chain");
	TCase *tc = add_case(suite, "one that fires another");

	tcase_add_test(tc, waiter_of_a_lock_is_fired_by_the_lock_alone);
	tcase_add_test(tc, chain_fires_other);
	tcase_add_test(tc, chain_passes_failure);
	tcase_add_test(tc, chain_of_fired_fires_at_once);
	tcase_add_test(tc, chain_to_fired_is_ealready);
	tcase_add_test(tc, chain_to_cancelled_is_ealready);
	tcase_add_test(tc, chain_of_chained_is_ebusy);
	tcase_add_test(tc, chain_across_bases_is_einval);
	tcase_add_test(tc, chain_dropped_with_its_deferred_cancels_other);
	tcase_add_test(tc, chain_disposes_where_other_was_cancelled);
	tcase_add_test(tc, chain_disposes_where_other_was_freed);
	tcase_add_test(tc, chain_disposes_where_other_was_fired);
	tcase_add_test(tc, chain_to_freed_then_freed_itself);
	tcase_add_test(tc, chain_keeps_other_for_its_canceller);
	tcase_add_test(tc, late_value_whose_free_function_frees_its_deferred);
	tcase_add_test(tc, chained_value_whose_free_function_frees_other);
	tcase_add_test(
	    tc, free_of_chained_whose_canceller_leads_to_a_free_of_its_chain);
	tcase_add_test(tc, chain_in_a_ring_ends);

	tc = add_case(suite, "those that come and go");
	tcase_add_loop_test(
	    tc, long_lived_keeps_nothing_of_those_that_were_chained, 0, ENDS);
	tcase_add_loop_test(
	    tc, long_lived_keeps_nothing_between_those_that_stay, 0, ENDS);
	tcase_add_loop_test(
	    tc, result_does_not_pass_by_those_that_are_gone, 0, ENDS);
	tcase_add_loop_test(
	    tc, failure_for_one_that_is_gone_is_handled_by_it, 0, ENDS);
	tcase_add_loop_test(tc, value_for_one_that_is_gone_is_freed, 0, ENDS);
	tcase_add_loop_test(
	    tc, long_lived_is_freed_after_those_that_were_chained, 0, ENDS);
	tcase_add_test(tc, chained_that_has_left_is_refused_as_fired);

	tc = add_case(suite, "from inside");
	tcase_add_loop_test(
	    tc, first_of_a_running_chain_frees_those_behind_it, 0, 5);
	tcase_add_loop_test(
	    tc, first_of_a_dropped_chain_frees_those_behind_it, 0, 5);
	tcase_add_loop_test(
	    tc, others_leave_while_a_body_runs_before_them, 0, 3);
	tcase_add_loop_test(tc, others_leave_a_coroutine, 0, 3);

	tc = add_case(suite, "scale");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, million_leave_one_chain, 0, 2);
	return support_main(suite);
}
