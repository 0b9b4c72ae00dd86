/* SPDX-License-Identifier: MIT */
/* evdefer/deferred.h: nothing is allocated in the steady state, and every
 * allocation may fail. */
#include "deferreds.h"
#include "shortage.h"

#include <errno.h>

static int
one_round(void)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);
	struct seen seen = {0};
	int freed = 0;

	evdeferred_add_callback(d, wait_value, inner);
	evdeferred_add_both(d, trace_both, "");
	evdeferred_chain(d, other);
	evdeferred_add_callbacks(other, see_value, see_failure, &seen);
	evdeferred_pause(d);
	evdeferred_callback(d, NULL);
	evdeferred_unpause(d);
	evdeferred_fire(inner, counting(&freed));
	evdeferred_free(d);
	evdeferred_free(other);
	d = evdeferred_new_fired(base, evresult_value(NULL));
	evdeferred_add_callback(d, trace_value, "");
	evdeferred_detach(d);
	return seen.values;
}

START_TEST(steady_state_allocates_nothing)
{
	check_steady_state(one_round, 1);
}
END_TEST

static int
many_at_once(struct evdeferred **all, int count)
{
	int i, j, good = 0;

	for (i = 0; i < count; i++) {
		all[i] = evdeferred_new(base, NULL, NULL);
		for (j = 0; j < 3; j++)
			evdeferred_add_callback(all[i], trace_value, "");
	}
	for (i = 0; i < count; i++)
		good += evdeferred_callback(all[i], NULL) == 0;
	for (i = 0; i < count; i++)
		evdeferred_free(all[i]);
	return good;
}

START_TEST(steady_state_of_many_allocates_nothing)
{
	static struct evdeferred *all[5000];
	size_t calls;
	int good;

	many_at_once(all, 5000);
	calls = alloc_calls();
	good = many_at_once(all, 5000);
	calls = alloc_calls() - calls;
	ck_assert_int_eq(good, 5000);
	ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(cancel_of_a_canceller_that_fires_allocates_nothing)
{
	struct evdeferred *d;
	size_t calls;
	int n = 0;

	evdeferred_free(evdeferred_new(base, cancel_with_value, &n));
	calls = alloc_calls();
	d = evdeferred_new(base, cancel_with_value, &n);
	evdeferred_cancel(d);
	evdeferred_free(d);
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
}
END_TEST

/* Failed allocations. */

struct story {
	bool told; /* nothing failed */
	int freed; /* owned values */
	int made;  /* owned values that were taken over */
	struct seen end;
};

static void
take(struct story *story, struct evdeferred *d)
{
	if (evdeferred_fire(d, counting(&story->freed)) == 0)
		story->made++;
}

/* Every step may fail for want of memory; each is then left out, and what was
 * made is freed as always. */
static void
tell(void *arg)
{
	struct story *story = arg;
	struct timeval second = {1, 0};
	struct evdefer_base *b = evdefer_base_new(loop);
	struct evdeferred *d, *other, *inner;
	int bad = 0, chained, i;

	if (b == NULL)
		return;
	evdefer_base_set_unhandled(b, ignore_failure, NULL);
	d = evdeferred_new(b, NULL, NULL);
	other = evdeferred_new(b, NULL, NULL);
	inner = evdeferred_new(b, NULL, NULL);
	bad += d == NULL || other == NULL || inner == NULL;
	/* More links than one piece of the pool holds. */
	for (i = 0; i < 300; i++)
		bad += evdeferred_add_both(d, trace_both, "") != 0;
	bad += evdeferred_add_timeout(d, &second) != 0;
	chained = evdeferred_chain(d, other) == 0;
	bad += !chained;
	bad += evdeferred_add_callbacks(
		   other, see_value, see_failure, &story->end) != 0;
	if (d != NULL && inner != NULL) {
		evdeferred_fire(d, evresult_deferred(inner));
		take(story, inner);
	} else {
		take(story, inner);
		evdeferred_free(inner);
		if (d != NULL)
			evdeferred_errback(d, EIO, "x %d", 1);
	}
	evdeferred_free(other);
	if (!chained && other != NULL)
		evdeferred_callback(other, NULL);
	evdeferred_free(d);
	d = evdeferred_new_fired(b, evresult_fail(EIO, "y"));
	bad += d == NULL;
	evdeferred_add_errback(d, recover, NULL);
	evdeferred_free(d);
	d = evdeferred_new(b, NULL, NULL);
	bad += d == NULL;
	evdeferred_cancel(d);
	bad += evdeferred_add_errback(d, recover, NULL) != 0;
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	bad += evdefer_base_reserve(b, 1000, 1000) != 0;
	evdefer_base_free(b);
	story->told = bad == 0;
}

START_TEST(every_allocation_may_fail)
{
	bool hit = true;
	size_t n;

	for (n = 1; hit && n < 10000; n++) {
		struct story story = {0};

		hit = fails_at(n, _i == 1, tell, &story);
		/* The one value is received by see_value() or freed. */
		ck_assert_int_eq(story.freed + story.end.values,
		    story.end.values > 0 && story.end.value == NULL
			? story.end.values
			: story.made);
		if (!hit) {
			ck_assert(story.told);
			ck_assert_int_eq(story.end.values, 1);
		}
	}
	ck_assert_uint_lt(n, 10000);
	ck_assert_uint_gt(n, alloc_works() ? 5 : 0);
}
END_TEST

START_TEST(fired_without_memory_keeps_the_result)
{
	int freed = 0;

	NULL_WITHOUT_MEMORY(evdeferred_new_fired(base, counting(&freed)));
	ck_assert_int_eq(freed, 0);
}
END_TEST

START_TEST(cancel_without_memory_still_fails)
{
	struct evdeferred *d = fresh();
	struct seen seen = {0};

	see(d, &seen);
	alloc_fail_at(1, true);
	evdeferred_cancel(d);
	alloc_fail_at(0, false);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert(seen.code == ECANCELED || seen.code == ENOMEM);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_without_memory_is_enomem_and_adds_nothing)
{
	struct evdeferred *d = fresh();
	struct timeval second = {1, 0};
	struct seen seen = {0};
	int n, r = -1, code = 0;

	if (!alloc_works()) {
		evdeferred_callback(d, NULL);
		evdeferred_free(d);
		return;
	}
	for (n = 1; r != 0 && n < 100; n++) {
		alloc_fail_at((size_t)n, true);
		errno = 0;
		r = evdeferred_add_timeout(d, &second);
		code = errno;
		alloc_fail_at(0, false);
		if (r != 0) {
			ck_assert_int_eq(code, ENOMEM);
			ck_assert_int_eq(events(), 0);
		}
	}
	see(d, &seen);
	clock_advance(1100);
	turns(2);
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("deferred_memory");
	TCase *tc = add_case(suite, "memory");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, steady_state_allocates_nothing);
	tcase_add_test(tc, steady_state_of_many_allocates_nothing);
	tcase_add_test(tc, cancel_of_a_canceller_that_fires_allocates_nothing);
	tcase_add_loop_test(tc, every_allocation_may_fail, 0, 2);
	tcase_add_test(tc, fired_without_memory_keeps_the_result);
	tcase_add_test(tc, cancel_without_memory_still_fails);
	tcase_add_test(tc, timeout_without_memory_is_enomem_and_adds_nothing);
	return support_main(suite);
}
