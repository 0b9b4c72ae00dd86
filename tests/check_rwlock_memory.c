/* SPDX-License-Identifier: MIT */
/* What the lock needs of memory and of the stack, with a million who want it. */
#include "rwlocks.h"
#include "shortage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Memory: every acquire ends in a grant or a failure, even where there is none. */

static int
lock_round(void)
{
	struct evdeferred *d[4];
	struct waiter p[4];
	int i;

	memset(p, 0, sizeof(p));
	d[0] = evrwlock_writer_acquire(lock);
	d[1] = evrwlock_writer_acquire(lock);
	d[2] = evrwlock_reader_acquire(lock);
	d[3] = evrwlock_with_reader(lock, body_value, NULL);
	for (i = 0; i < 3; i++)
		evdeferred_add_callbacks(d[i], on_grant, on_loss, &p[i]);
	turns(2);
	evdeferred_cancel(d[1]);
	evrwlock_writer_release(lock);
	turns(2);
	evrwlock_reader_release(lock);
	for (i = 0; i < 4; i++)
		evdeferred_free(d[i]);
	return p[0].granted + p[2].granted + (p[1].failed == ECANCELED);
}

START_TEST(steady_state_allocates_nothing)
{
	make_lock(_i);
	check_steady_state(lock_round, 3);
	done(NULL, 0);
}
END_TEST

struct attempt {
	bool fast;
	struct waiter p[8];
	struct body w;
	struct seen seen;
	int freed;
	bool told;
	bool broken; /* an acquire did not end as it should */
	bool wedged; /* the lock could not be used any more */
};

/* Every step may lack memory: what was made must end, and the lock work on. */
static void
attempt(void *arg)
{
	struct attempt *a = arg;
	struct evdefer_base *b = evdefer_base_new(loop);
	struct timeval second = {1, 0};
	struct evdeferred *d, *shut;
	bool asked[8];
	int bad = 0, i;

	lock = evrwlock_new(b, a->fast ? EVRWLOCK_FAST : 0);
	if (lock == NULL) {
		evdefer_base_free(b);
		return;
	}
	evrwlock_writer_try(lock);
	for (i = 0; i < 8; i++) {
		a->p[i].d = acquire_by_name(lock, mode_of(i % 3 == 1));
		asked[i] = evdeferred_add_callbacks(
			       a->p[i].d, on_grant, on_loss, &a->p[i]) == 0;
		if (a->p[i].d == NULL || !asked[i])
			bad++;
		if (a->p[i].d != NULL && !asked[i]) {
			evdeferred_free(a->p[i].d);
			a->p[i].d = NULL;
		}
	}
	bad += a->p[2].d != NULL &&
	       evdeferred_add_timeout(a->p[2].d, &second) != 0;
	a->w.result = counting(&a->freed);
	d = evrwlock_with_writer(lock, run_body, &a->w);
	bad += d == NULL;
	evdeferred_cancel(a->p[3].d);
	evrwlock_writer_release(lock);
	turns(3);
	for (i = 0; i < 32; i++) {
		/* Everybody releases what he got; the next ones get theirs. */
		if (evrwlock_writer_release(lock) != 0)
			evrwlock_reader_release(lock);
		turns(2);
	}
	a->freed += a->w.runs == 0;
	evdeferred_free(d);
	for (i = 0; i < 8; i++) {
		a->broken |= asked[i] && a->p[i].ended != 1;
		a->broken |= !asked[i] && a->p[i].ended != 0;
		evdeferred_free(a->p[i].d);
	}
	a->wedged = evrwlock_writer_try(lock) != 0;
	shut = evrwlock_reader_acquire(lock);
	bad += shut == NULL;
	bad += evdeferred_add_callbacks(
		   shut, see_value, see_failure, &a->seen) != 0;
	evrwlock_free(lock);
	if (!a->wedged)
		evrwlock_writer_release(lock);
	evdeferred_free(shut);
	evdefer_base_free(b);
	a->told = bad == 0;
}

START_TEST(every_allocation_may_fail)
{
	size_t n;
	bool hit = true;

	/* The base of the attempt has the default handler. */
	event_set_log_callback(ignore_log);
	evdefer_base_set_unhandled(base, ignore_failure, NULL);
	for (n = 1; hit && n < 10000; n++) {
		struct attempt a = {.fast = _i % 2 == 1};

		hit = fails_at(n, _i / 2 == 1, attempt, &a);
		ck_assert_msg(!a.broken, "lost wake-up at n = %zu", n);
		ck_assert_msg(!a.wedged, "wedged at n = %zu", n);
		ck_assert_int_le(a.freed, 1);
		if (!hit) {
			ck_assert(a.told);
			ck_assert_int_eq(a.freed, 1);
		}
	}
	ck_assert_uint_lt(n, 10000);
	event_set_log_callback(NULL);
}
END_TEST

START_TEST(new_without_memory_is_enomem)
{
	NULL_WITHOUT_MEMORY(evrwlock_new(base, _i == 0 ? 0 : EVRWLOCK_FAST));
}
END_TEST

START_TEST(acquire_without_memory_acquires_nothing)
{
	const enum evrwlock_mode mode = mode_of(_i / 2);

	make_lock(_i);
	NULL_WITHOUT_MEMORY(_i / 4 == 0
				? acquire_by_name(lock, mode)
				: with_by_name(lock, mode, body_value, NULL));
	done(NULL, 0);
}
END_TEST

START_TEST(upgrade_without_memory_changes_nothing)
{
	make_lock(_i);
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_UPGRADABLE), 0);
	NULL_WITHOUT_MEMORY(evrwlock_upgrade(lock, NULL));
	ck_assert_int_eq(evrwlock_try_upgrade(lock, NULL), 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_UPGRADABLE), 0);
	done(NULL, 0);
}
END_TEST

START_TEST(with_without_memory_for_its_link_acquires_nothing)
{
	make_lock(_i);
	/* There is memory for the acquire, but not for the link. */
	evdefer_base_reserve(base, 10, 0);
	NULL_WITHOUT_MEMORY(
	    with_by_name(lock, mode_of(_i / 2), body_value, NULL));
	settle();
	done(NULL, 0);
}
END_TEST

/* Scale. */

static size_t served, rule_broken;

static struct evresult
pass_through(void *value, void *arg)
{
	const bool writes = arg != NULL;

	(void)value;
	served++;
	rule_broken += evrwlock_is_writing(lock) != writes;
	rule_broken += evrwlock_is_reading(lock) == writes;
	release_by_name(lock, mode_of(writes));
	return evresult_value(NULL);
}

static void
queue_up(size_t scale, int writer_every)
{
	size_t i;

	served = rule_broken = 0;
	for (i = 0; i < scale; i++) {
		const bool writes =
		    writer_every > 0 && i % (size_t)writer_every == 0;
		struct evdeferred *d = acquire_by_name(lock, mode_of(writes));

		evdeferred_add_callback(
		    d, pass_through, writes ? &served : NULL);
		evdeferred_detach(d);
	}
}

/* _i / 2 is how many of them write: none, all, every third. */
START_TEST(million_waiters_are_granted_in_one_go)
{
	static const int every[] = {0, 1, 3};
	size_t scale = support_scale();

	make_lock(_i);
	evrwlock_writer_try(lock);
	queue_up(scale, every[_i / 2]);
	ck_assert_uint_eq(served, 0);
	evrwlock_writer_release(lock);
	event_base_dispatch(loop);
	ck_assert_uint_eq(served, scale);
	ck_assert_uint_eq(rule_broken, 0);
	done(NULL, 0);
}
END_TEST

/* Every third writes. */
static struct evdeferred **
wait_for_ever(size_t count, struct seen *seen)
{
	struct evdeferred **d =
	    support_array(count, sizeof(struct evdeferred *));
	size_t i;

	for (i = 0; i < count; i++) {
		d[i] = acquire_by_name(lock, mode_of(i % 3 == 0));
		evdeferred_add_callbacks(d[i], see_value, see_failure, seen);
	}
	return d;
}

/* From the middle of the queue, and from both ends. */
START_TEST(million_waiters_are_cancelled)
{
	size_t i, scale = support_scale();
	struct seen seen = {0};
	struct evdeferred **d;

	make_lock(_i);
	evrwlock_writer_try(lock);
	d = wait_for_ever(scale, &seen);
	for (i = 0; i < scale; i++) {
		size_t which = i % 2 == 0 ? scale - 1 - i / 2 : i / 2;

		if (_i / 2 == 0)
			evdeferred_cancel(d[which]);
		evdeferred_free(d[which]);
	}
	ck_assert_int_eq(seen.failures, _i / 2 == 0 ? (int)scale : 0);
	ck_assert_int_eq(seen.code, _i / 2 == 0 ? ECANCELED : 0);
	counts(0, 1, 0, 0);
	evrwlock_writer_release(lock);
	free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(million_waiters_are_shut_out)
{
	size_t i, scale = support_scale();
	struct seen seen = {0};
	struct evdeferred **d;

	make_lock(_i);
	evrwlock_writer_try(lock);
	d = wait_for_ever(scale, &seen);
	evrwlock_free(lock);
	ck_assert_int_eq(seen.failures, (int)scale);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	for (i = 0; i < scale; i++)
		evdeferred_free(d[i]);
	evrwlock_writer_release(lock);
	free(d);
}
END_TEST

static bool again_writes;

static struct evresult
again(void *value, void *arg)
{
	struct evdeferred *d;

	(void)arg;
	if (++served < support_scale()) {
		d = acquire_by_name(value, mode_of(again_writes));
		evdeferred_add_callback(d, again, NULL);
		evdeferred_detach(d);
	}
	release_by_name(value, mode_of(again_writes));
	return evresult_value(NULL);
}

/* The release comes first: with FAST the acquire then nests. */
static struct evresult
again_from_outside(void *value, void *arg)
{
	struct evdeferred *d;

	(void)arg;
	release_by_name(value, mode_of(again_writes));
	if (++served < support_scale()) {
		d = acquire_by_name(value, mode_of(again_writes));
		evdeferred_add_callback(d, again_from_outside, NULL);
		evdeferred_detach(d);
	}
	return evresult_value(NULL);
}

START_TEST(million_acquires_by_callbacks)
{
	struct evdeferred *d;

	make_lock(_i);
	served = 0;
	again_writes = _i / 2 % 2 == 1;
	d = acquire_by_name(lock, mode_of(again_writes));
	evdeferred_add_callback(
	    d, _i / 4 == 0 ? again : again_from_outside, NULL);
	evdeferred_detach(d);
	event_base_dispatch(loop);
	ck_assert_uint_eq(served, support_scale());
	done(NULL, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rwlock_memory");
	TCase *tc = add_case(suite, "memory");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, every_allocation_may_fail, 0, 4);
	tcase_add_loop_test(tc, new_without_memory_is_enomem, 0, 2);
	tcase_add_loop_test(tc, acquire_without_memory_acquires_nothing, 0, 8);
	tcase_add_loop_test(tc, upgrade_without_memory_changes_nothing, 0, 2);
	tcase_add_loop_test(
	    tc, with_without_memory_for_its_link_acquires_nothing, 0, 4);

	tc = add_case(suite, "scale");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, million_waiters_are_granted_in_one_go, 0, 6);
	tcase_add_loop_test(tc, million_waiters_are_cancelled, 0, 4);
	tcase_add_loop_test(tc, million_waiters_are_shut_out, 0, 2);
	tcase_add_loop_test(tc, million_acquires_by_callbacks, 0, 8);
	return support_main(suite);
}
