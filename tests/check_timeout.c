/* SPDX-License-Identifier: MIT */
/*
 * Time: when timeouts and delays end, and in which order.  What a timeout makes
 * of a result is in check_add_timeout.c and check_cancel.c.
 */
#include <errno.h>
#include <string.h>

#include "dice.h"
#include "support.h"

static int
timers(void)
{
	return event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED);
}

/* A delay that is not looked at any more; its body gets arg. */
static void
later(long ms, evdeferred_body_fn body, void *arg)
{
	const struct timeval delay = milliseconds(ms);
	struct evdeferred *d = evdeferred_later(base, &delay, body, arg);

	ck_assert_ptr_nonnull(d);
	evdeferred_detach(d);
}

/* What ended, in the order in which it did. */
static size_t ended[4000], count;

static struct evresult
note(void *arg)
{
	ended[count++] = (size_t)arg;
	return evresult_value(NULL);
}

static struct evresult
note_timeout(struct evfailure *failure, void *arg)
{
	ck_assert_int_eq(evfailure_get_code(failure), ETIMEDOUT);
	return note(arg);
}

/* A Deferred that times out; its canceller leaves it to be freed at once. */
static void
give_up(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
}

static void
time_out(long ms, size_t which)
{
	const struct timeval timeout = milliseconds(ms);
	struct evdeferred *d = evdeferred_new(base, give_up, NULL);

	ck_assert_int_eq(evdeferred_add_timeout(d, &timeout), 0);
	evdeferred_add_errback(d, note_timeout, (void *)which);
	evdeferred_detach(d);
}

static void
check_order(size_t total)
{
	size_t i;

	ck_assert_uint_eq(count, total);
	for (i = 0; i < total; i++)
		ck_assert_uint_eq(ended[i], i);
}

/* libevent goes by the time of its last poll until the callback returns. */
static void
ask_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	clock_advance(300);
	later(200, note, (void *)0);
	time_out(200, 1);
}

START_TEST(duration_counts_from_the_call)
{
	const struct timeval now = {0, 0};

	event_base_once(loop, -1, EV_TIMEOUT, ask_late, NULL, &now);
	turns(3);
	ck_assert_uint_eq(count, 0);
	clock_advance(199);
	turns(3);
	ck_assert_uint_eq(count, 0);
	clock_advance(1);
	turns(2);
	check_order(2);
}
END_TEST

static struct evresult
ask_late_in_a_delivery(void *arg)
{
	ask_late(-1, 0, arg);
	return evresult_value(NULL);
}

START_TEST(duration_counts_from_the_call_in_a_batch_too)
{
	later(0, ask_late_in_a_delivery, NULL);
	turns(3);
	clock_advance(199);
	turns(3);
	ck_assert_uint_eq(count, 0);
	clock_advance(1);
	turns(2);
	check_order(2);
}
END_TEST

/* Timeouts and delays, of _i milliseconds. */
static struct evresult
ask_for_ten(void *arg)
{
	size_t i;

	for (i = 0; i < 10; i++) {
		if (i % 3 == 2)
			time_out(*(long *)arg, i);
		else
			later(*(long *)arg, note, (void *)i);
	}
	return evresult_value(NULL);
}

START_TEST(equal_moments_come_in_the_order_of_asking)
{
	long ms = _i;

	ask_for_ten(&ms);
	clock_advance(ms);
	turns(1);
	check_order(10);
}
END_TEST

START_TEST(equal_moments_of_a_callback_come_in_the_order_of_asking)
{
	long ms = _i;

	later(0, ask_for_ten, &ms);
	turns(1);
	clock_advance(ms);
	turns(1);
	check_order(10);
}
END_TEST

/* The one that ends first is asked for last, and the other way round. */
START_TEST(moments_come_in_their_order)
{
	size_t i;

	for (i = 0; i < 100; i++)
		later((long)(_i == 0 ? i : 99 - i) + 1, note,
		    (void *)(_i == 0 ? i : 99 - i));
	for (i = 1; i <= 100; i++) {
		clock_advance(1);
		turns(1);
		check_order(i);
	}
	turns(1);
	ck_assert_int_eq(timers(), 0);
}
END_TEST

/* Many, of which some are cancelled, at the moments at which others end. */
struct asked {
	struct evdeferred *d;
	long end;
	bool over;
};
static struct asked asked[2000];
static long passed;
static size_t late_ones;

static struct evresult
note_asked(void *arg)
{
	struct asked *a = arg;

	late_ones += a->end != passed;
	a->over = true;
	note((void *)(size_t)(a - asked));
	return evresult_value(NULL);
}

static void
pass_a_millisecond(void)
{
	clock_advance(1);
	passed++;
	/* As many turns as it takes. */
	while (timers() > 0) {
		const size_t before = count;

		turns(1);
		if (count == before)
			break;
	}
}

static void
check_moments(void)
{
	size_t i;

	for (i = 1; i < count; i++) {
		const struct asked *a = &asked[ended[i - 1]];
		const struct asked *b = &asked[ended[i]];

		ck_assert_msg(a->end < b->end || (a->end == b->end && a < b),
		    "%zu before %zu", ended[i - 1], ended[i]);
	}
}

START_TEST(many_moments_come_in_their_order)
{
	const size_t total = support_scale() < 2000 ? support_scale() : 2000;
	size_t i, cancelled = 0;
	struct timeval delay;
	struct asked *a;
	long ms;

	dice_seed((uint64_t)_i + 1);
	passed = 0;
	late_ones = 0;
	for (i = 0; i < total; i++) {
		ms = (long)dice(200) + 1;
		delay = milliseconds(ms);
		asked[i] = (struct asked){
		    evdeferred_later(base, &delay, note_asked, &asked[i]),
		    passed + ms, false};
		a = &asked[dice((unsigned)i + 1)];
		if (dice(3) == 0 && !a->over) {
			a->over = true;
			cancelled++;
			evdeferred_cancel(a->d);
		}
		if (dice(40) == 0)
			pass_a_millisecond();
	}
	for (i = 0; i < 201; i++)
		pass_a_millisecond();
	ck_assert_uint_eq(count, total - cancelled);
	ck_assert_uint_eq(late_ones, 0);
	check_moments();
	for (i = 0; i < total; i++)
		evdeferred_free(asked[i].d);
	ck_assert_int_eq(timers(), 0);
}
END_TEST

static struct evresult
ask_at_once(void *arg)
{
	note(arg);
	if (count < 5)
		later(0, ask_at_once, (void *)count);
	return evresult_value(NULL);
}

START_TEST(delay_of_nothing_waits_for_a_poll)
{
	size_t i;

	later(0, ask_at_once, (void *)0);
	for (i = 1; i <= 5; i++) {
		turns(1);
		check_order(i);
	}
}
END_TEST

START_TEST(timeouts_that_end_together_share_turns)
{
	const size_t total = 3 * EVDEFER_BASE_BATCH;
	size_t i;

	for (i = 0; i < total; i++)
		later(10, note, (void *)i);
	clock_advance(10);
	turns(1);
	ck_assert_uint_le(count, EVDEFER_BASE_BATCH);
	event_base_dispatch(loop);
	check_order(total);
}
END_TEST

static struct evresult
release(void *value, void *arg)
{
	(void)arg;
	evrwlock_reader_release(value);
	return evresult_value(NULL);
}

/* There is no second turn before the next poll, either. */
START_TEST(timeouts_and_grants_share_a_turn)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evrwlock_stats stats;
	struct evdeferred *d;
	size_t i;

	for (i = 0; i < EVDEFER_BASE_BATCH; i++) {
		d = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d, release, NULL);
		evdeferred_detach(d);
		later(0, note, (void *)i);
	}
	turns(1);
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_gt(count, 0);
	ck_assert_uint_gt(stats.readers_inside, 0);
	ck_assert_uint_ge(
	    count + EVDEFER_BASE_BATCH - stats.readers_inside, 250);
	ck_assert_uint_le(
	    count + EVDEFER_BASE_BATCH - stats.readers_inside, 256);
	event_base_dispatch(loop);
	check_order(EVDEFER_BASE_BATCH);
	evrwlock_free(lock);
}
END_TEST

/* The event is set for one that has left; the loop looks, and goes on. */
START_TEST(first_to_end_may_leave)
{
	const struct timeval delay = milliseconds(10);
	struct evdeferred *first = evdeferred_later(base, &delay, NULL, NULL);

	later(20, note, (void *)0);
	evdeferred_free(first);
	clock_advance(10);
	turns(2);
	ck_assert_uint_eq(count, 0);
	clock_advance(10);
	turns(1);
	check_order(1);
}
END_TEST

/* The last one leaves in the turn that it would have ended in. */
static struct evresult
free_it(void *arg)
{
	evdeferred_free(arg);
	return note((void *)0);
}

START_TEST(one_that_is_due_may_leave)
{
	const struct timeval delay = milliseconds(10);

	later(9, free_it, evdeferred_later(base, &delay, note, (void *)1));
	clock_advance(20);
	turns(1);
	check_order(1);
	ck_assert_int_eq(timers(), 0);
}
END_TEST

/* Leaves memory of timeouts that have expired, to be used again. */
static void
expire_some(void)
{
	size_t i;

	for (i = 0; i < 4; i++)
		time_out(10, i);
	clock_advance(10);
	turns(2);
	check_order(4);
}

static struct evdeferred *
with_timeout(evdeferred_canceller_fn canceller, long ms)
{
	const struct timeval timeout = milliseconds(ms);
	struct evdeferred *d = evdeferred_new(base, canceller, NULL);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(evdeferred_add_timeout(d, &timeout), 0);
	return d;
}

static struct evresult
pass_on(struct evfailure *failure, void *arg)
{
	see_failure(failure, arg);
	return evresult_from_failure(failure);
}

START_TEST(longer_of_two_timeouts_does_not_expire_with_the_other)
{
	const struct timeval sooner = milliseconds(10);
	struct seen between, after;
	struct evdeferred *d;

	expire_some();
	memset(&between, 0, sizeof(between));
	memset(&after, 0, sizeof(after));
	d = with_timeout(give_up, 20);
	evdeferred_add_errback(d, pass_on, &between);
	evdeferred_add_timeout(d, &sooner);
	see(d, &after);
	clock_advance(10);
	turns(2);
	/* Between the two it is not said yet why it was cancelled. */
	ck_assert_int_eq(between.code, ECANCELED);
	ck_assert_int_eq(after.code, ETIMEDOUT);
	evdeferred_free(d);
}
END_TEST

static void
answer(struct evdeferred *d, void *arg)
{
	evdeferred_callback(d, arg);
}

static struct evresult
wait_for(void *value, void *arg)
{
	(void)value;
	return evresult_deferred(arg);
}

START_TEST(cancel_after_a_timeout_that_was_answered_is_none_by_the_next)
{
	const struct timeval timeout = milliseconds(20);
	struct evdeferred *d, *other;
	struct seen seen;

	expire_some();
	memset(&seen, 0, sizeof(seen));
	other = evdeferred_new(base, NULL, NULL);
	d = with_timeout(answer, 10);
	evdeferred_add_callback(d, wait_for, other);
	evdeferred_add_timeout(d, &timeout);
	see(d, &seen);
	clock_advance(10);
	turns(2);
	ck_assert_int_eq(evdeferred_errback(other, ECANCELED, "by others"), 0);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
}
END_TEST

/* It holds until its turn comes in the chain. */
START_TEST(timeout_that_has_ended_asks_for_no_other_turn)
{
	const struct timeval timeout = milliseconds(10);
	struct evdeferred *d = evdeferred_succeed(base, NULL);

	evdeferred_pause(d);
	ck_assert_int_eq(evdeferred_add_timeout(d, &timeout), 0);
	ck_assert_int_eq(events(), 1);
	clock_advance(10);
	turns(1);
	ck_assert_int_eq(events(), 0);
	evdeferred_unpause(d);
	evdeferred_free(d);
}
END_TEST

START_TEST(timeout_outlives_the_base)
{
	const struct timeval timeout = milliseconds(10);
	struct evdeferred *d = evdeferred_new(base, give_up, NULL);

	evdeferred_add_timeout(d, &timeout);
	support_free_base();
	evdeferred_free(d);
}
END_TEST

static struct evresult
close_base(void *arg)
{
	support_free_base();
	return note(arg);
}

START_TEST(base_may_be_freed_by_a_timeout_among_others)
{
	size_t i;

	later(10, note, (void *)0);
	later(10, close_base, (void *)1);
	for (i = 2; i < 10; i++)
		later(10, note, (void *)i);
	clock_advance(10);
	turns(2);
	/* Those after it were cancelled. */
	check_order(2);
}
END_TEST

/* libevent needs memory to set an event again, if others have taken the place of
 * the one that ended meanwhile. */
static struct event *others[64];

static void
take_places(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval hour = {3600, 0};
	size_t i;

	(void)fd;
	(void)what;
	(void)arg;
	for (i = 0; i < 64; i++) {
		if (event_add(others[i], &hour) == -1)
			break;
	}
}

static void
nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

START_TEST(event_without_memory_is_set_again_when_there_is_some)
{
	const struct timeval ten = milliseconds(10);
	struct event *first;
	size_t i;
	bool failed;

	if (!alloc_works())
		return;
	first = evtimer_new(loop, take_places, NULL);
	ck_assert_ptr_nonnull(first);
	for (i = 0; i < 64; i++)
		ck_assert_ptr_nonnull(
		    others[i] = evtimer_new(loop, nothing, NULL));
	/* It runs in the same pass, just before. */
	event_add(first, &ten);
	later(10, note, (void *)0);
	later(20, note, (void *)1);
	clock_advance(10);
	alloc_fail_at(1, true);
	turns(1);
	failed = alloc_failed();
	alloc_fail_at(0, false);
	ck_assert_uint_eq(count, 1);
	/* Nothing is lost, whether or not that was so. */
	later(5, note, (void *)2);
	clock_advance(5);
	turns(1);
	ck_assert_uint_eq(count, 2);
	clock_advance(5);
	turns(1);
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(ended[1], 2);
	ck_assert_uint_eq(ended[2], 1);
	ck_assert(failed);
	for (i = 0; i < 64; i++)
		event_free(others[i]);
	event_free(first);
}
END_TEST

/* The turn that comes first could not be set, and is run at once instead; what
 * starts then has its place in libevent's heap all the same. */
/* In a turn, whose own event has left libevent's heap. */
static struct evdeferred *refused;

static struct evresult
start_without_room(void *arg)
{
	const struct timeval ten = milliseconds(10);

	take_places(-1, 0, NULL);
	refused = evdeferred_later(base, &ten, note, arg);
	return evresult_value(NULL);
}

START_TEST(timeout_that_finds_no_room_for_the_next_turn_is_enomem)
{
	size_t i;
	bool failed;

	if (!alloc_works())
		return;
	for (i = 0; i < 64; i++)
		ck_assert_ptr_nonnull(
		    others[i] = evtimer_new(loop, nothing, NULL));
	ck_assert_int_eq(evdefer_base_reserve(base, 8, 8), 0);
	later(0, start_without_room, NULL);
	alloc_fail_at(1, true);
	turns(1);
	failed = alloc_failed();
	alloc_fail_at(0, false);
	ck_assert(failed);
	ck_assert_ptr_null(refused);
	for (i = 0; i < 64; i++)
		event_free(others[i]);
}
END_TEST

START_TEST(timeout_that_starts_while_a_turn_has_no_memory_ends)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdeferred *d;
	bool failed;

	if (!alloc_works()) {
		evrwlock_free(lock);
		return;
	}
	ck_assert_int_eq(evdefer_base_reserve(base, 8, 8), 0);
	alloc_fail_at(1, true);
	d = evrwlock_reader_acquire(lock);
	failed = alloc_failed();
	alloc_fail_at(0, false);
	ck_assert(failed);
	ck_assert_ptr_nonnull(d);
	later(10, note, (void *)0);
	alloc_fail_at(1, true);
	turns(1);
	alloc_fail_at(0, false);
	clock_advance(10);
	turns(2);
	check_order(1);
	evdeferred_free(d);
	evrwlock_free(lock);
}
END_TEST

static void
setup(void)
{
	support_setup();
	count = 0;
}

int
main(void)
{
	Suite *suite = suite_create("timeout");
	TCase *tc = tcase_create("timeout");

	tcase_add_checked_fixture(tc, setup, support_teardown);
	tcase_add_test(tc, duration_counts_from_the_call);
	tcase_add_test(tc, duration_counts_from_the_call_in_a_batch_too);
	tcase_add_loop_test(
	    tc, equal_moments_come_in_the_order_of_asking, 0, 3);
	tcase_add_loop_test(
	    tc, equal_moments_of_a_callback_come_in_the_order_of_asking, 0, 3);
	tcase_add_loop_test(tc, moments_come_in_their_order, 0, 2);
	tcase_add_loop_test(tc, many_moments_come_in_their_order, 0, 5);
	tcase_add_test(tc, delay_of_nothing_waits_for_a_poll);
	tcase_add_test(tc, timeouts_that_end_together_share_turns);
	tcase_add_test(tc, timeouts_and_grants_share_a_turn);
	tcase_add_test(tc, first_to_end_may_leave);
	tcase_add_test(tc, one_that_is_due_may_leave);
	tcase_add_test(
	    tc, longer_of_two_timeouts_does_not_expire_with_the_other);
	tcase_add_test(
	    tc, cancel_after_a_timeout_that_was_answered_is_none_by_the_next);
	tcase_add_test(tc, timeout_that_has_ended_asks_for_no_other_turn);
	tcase_add_test(tc, timeout_outlives_the_base);
	tcase_add_test(tc, base_may_be_freed_by_a_timeout_among_others);
	tcase_add_test(
	    tc, event_without_memory_is_set_again_when_there_is_some);
	tcase_add_test(
	    tc, timeout_that_finds_no_room_for_the_next_turn_is_enomem);
	tcase_add_test(tc, timeout_that_starts_while_a_turn_has_no_memory_ends);
	suite_add_tcase(suite, tc);
	return support_main(suite);
}
