/* SPDX-License-Identifier: MIT */
/* What the semaphore needs of memory and of the stack, with a million who wait. */
#include "semaphores.h"
#include "shortage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
semaphore_round(void)
{
	struct evdeferred *d[4];
	struct waiter p[4];
	int i;

	memset(p, 0, sizeof(p));
	for (i = 0; i < 3; i++) {
		d[i] = evsemaphore_acquire(semaphore, NULL);
		evdeferred_add_callbacks(d[i], on_grant, on_loss, &p[i]);
	}
	d[3] = evsemaphore_with(semaphore, NULL, NULL, body_value, NULL);
	turns(2);
	evdeferred_cancel(d[1]);
	evsemaphore_release(semaphore, NULL);
	turns(2);
	evsemaphore_release(semaphore, NULL);
	turns(2);
	for (i = 0; i < 4; i++)
		evdeferred_free(d[i]);
	return p[0].granted + p[2].granted + (p[1].failed == ECANCELED);
}

START_TEST(steady_state_allocates_nothing)
{
	make(_i, 1);
	check_steady_state(semaphore_round, 3);
	done(NULL, 0);
}
END_TEST

START_TEST(new_without_memory_is_enomem)
{
	NULL_WITHOUT_MEMORY(
	    evsemaphore_new(base, 1, _i == 0 ? 0 : EVSEMAPHORE_FAST));
}
END_TEST

/* _i / 2: of an acquire, of a with, of the link that a with needs. */
START_TEST(acquire_without_memory_acquires_nothing)
{
	make(_i, 1);
	if (_i / 2 == 2)
		evdefer_base_reserve(base, 10, 0);
	NULL_WITHOUT_MEMORY(_i / 2 == 0 ? evsemaphore_acquire(semaphore, NULL)
					: evsemaphore_with(semaphore, NULL,
					      NULL, body_value, NULL));
	settle();
	done(NULL, 0);
}
END_TEST

/* Scale. */

static size_t served, rule_broken;

static struct evresult
pass_through(void *value, void *arg)
{
	struct evsemaphore_stats stats;

	/* In order: arg is which one it is.  Of several tokens that are given
	 * back, the second may run while the loop has yet to go on with the
	 * first. */
	if (evsemaphore_get_limit(value) == 1)
		rule_broken += (size_t)arg != served;
	served++;
	evsemaphore_get_stats(value, &stats);
	rule_broken += stats.inside > evsemaphore_get_limit(value);
	evsemaphore_release(value, NULL);
	return evresult_value(NULL);
}

/* _i / 2: with one token, or three. */
START_TEST(million_waiters_are_granted_in_one_go)
{
	const size_t tokens = _i / 2 == 0 ? 1 : 3;
	size_t i, scale = support_scale();
	struct evdeferred *d;

	make(_i, tokens);
	served = rule_broken = 0;
	for (i = 0; i < tokens; i++)
		evsemaphore_try(semaphore, NULL);
	for (i = 0; i < scale; i++) {
		d = evsemaphore_acquire(semaphore, NULL);
		evdeferred_add_callback(d, pass_through, (void *)i);
		evdeferred_detach(d);
	}
	for (i = 0; i < tokens; i++)
		evsemaphore_release(semaphore, NULL);
	event_base_dispatch(loop);
	ck_assert_uint_eq(served, scale);
	ck_assert_uint_eq(rule_broken, 0);
	done(NULL, 0);
}
END_TEST

/* From the middle of the queue, and from both ends. */
START_TEST(million_waiters_are_cancelled)
{
	size_t i, scale = support_scale(), lost = 0;
	struct evdeferred **d =
	    support_array(scale, sizeof(struct evdeferred *));
	struct seen seen = {0};

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	for (i = 0; i < scale; i++) {
		d[i] = evsemaphore_acquire(semaphore, NULL);
		evdeferred_add_callbacks(d[i], see_value, see_failure, &seen);
	}
	for (i = 0; i < scale; i++) {
		size_t which = i % 2 == 0 ? scale - 1 - i / 2 : i / 2;

		if (_i / 2 == 0)
			evdeferred_cancel(d[which]);
		lost += seen.code == ECANCELED;
		evdeferred_free(d[which]);
	}
	ck_assert_uint_eq(lost, _i / 2 == 0 ? scale : 0);
	ck_assert_int_eq(seen.values, 0);
	counts(1, 0);
	leave();
	free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(million_waiters_are_shut_out)
{
	size_t i, scale = support_scale();
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	for (i = 0; i < scale; i++) {
		d = evsemaphore_acquire(semaphore, NULL);
		evdeferred_add_callbacks(d, see_value, see_failure, &seen);
		evdeferred_detach(d);
	}
	evsemaphore_free(semaphore);
	ck_assert_int_eq(seen.failures, (int)scale);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evsemaphore_release(semaphore, NULL);
}
END_TEST

/* arg: whether the release comes first; with FAST the acquire then nests. */
static struct evresult
again(void *value, void *arg)
{
	struct evdeferred *d;

	if (arg != NULL)
		evsemaphore_release(value, NULL);
	if (++served < support_scale()) {
		d = evsemaphore_acquire(value, NULL);
		evdeferred_add_callback(d, again, arg);
		evdeferred_detach(d);
	}
	if (arg == NULL)
		evsemaphore_release(value, NULL);
	return evresult_value(NULL);
}

START_TEST(million_acquires_by_callbacks)
{
	struct evdeferred *d;

	make(_i, 1);
	served = 0;
	d = evsemaphore_acquire(semaphore, NULL);
	evdeferred_add_callback(d, again, _i / 2 == 0 ? NULL : &served);
	evdeferred_detach(d);
	event_base_dispatch(loop);
	ck_assert_uint_eq(served, support_scale());
	done(NULL, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("semaphore_memory");
	TCase *tc = add_case(suite, "memory");

	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, new_without_memory_is_enomem, 0, 2);
	tcase_add_loop_test(tc, acquire_without_memory_acquires_nothing, 0, 6);

	tc = add_case(suite, "scale");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, million_waiters_are_granted_in_one_go, 0, 4);
	tcase_add_loop_test(tc, million_waiters_are_cancelled, 0, 4);
	tcase_add_loop_test(tc, million_waiters_are_shut_out, 0, 2);
	tcase_add_loop_test(tc, million_acquires_by_callbacks, 0, 4);
	return support_main(suite);
}
