/* SPDX-License-Identifier: MIT */
/*
 * Time, as check_timeout.c has it, where its wheel turns: at the borders of its slots,
 * with many in one of them, after jumps of the clock, and against a model.
 */
#define _DEFAULT_SOURCE
#include "dice.h"
#include "support.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#ifdef __linux__
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define SLOTS 64
#define MANY 300

/* Check goes by the clock, too, and can't tell that a test took years. */
static long long begun;

static void
take_the_clock_back(void)
{
	clock_advance_us(begun - clock_us());
}

static struct timeval
microseconds(long long us)
{
	struct timeval tv = {
	    (time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	return tv;
}

static size_t ended[4 * MANY], count;

static struct evresult
note(void *arg)
{
	ended[count++ % (4 * MANY)] = (size_t)arg;
	return evresult_value(NULL);
}

static struct evdeferred *
ask(long long us, evdeferred_body_fn body, size_t which)
{
	const struct timeval delay = microseconds(us);
	struct evdeferred *d =
	    evdeferred_later(base, &delay, body, (void *)which);

	ck_assert_ptr_nonnull(d);
	return d;
}

static void
later(long long us, size_t which)
{
	evdeferred_detach(ask(us, note, which));
}

static void
check_order(size_t total)
{
	size_t i;

	ck_assert_uint_eq(count, total);
	for (i = 0; i < total; i++)
		ck_assert_uint_eq(ended[i], i);
}

/* So that the test knows in which slots things are: where a level 1, of six bits of
 * milliseconds, begins. */
static void
go_to_the_start_of_a_slot(long long ms)
{
	const long long us = 1000 * ms;

	clock_advance_us(us - clock_us() % us);
}

/* 64 to the power of that. */
static long long
power(int exponent)
{
	return 1LL << 6 * exponent;
}

/* From before, at and behind such a border, for a time that ends before, at and behind
 * one. */
START_TEST(time_ends_at_each_border_of_the_wheel)
{
	const long long border = 1000 * power(_i);
	long long from, to;

	for (from = -1000; from <= 1000; from += 500) {
		for (to = -1000; to <= 1000; to += 1000) {
			if (border + to <= 0)
				continue;
			go_to_the_start_of_a_slot(power(_i < 4 ? _i + 1 : 4));
			clock_advance_us(2000 + from);
			count = 0;
			later(border + to, 0);
			clock_advance_us(border + to - 1);
			turns(3);
			ck_assert_uint_eq(count, 0);
			/* A whole millisecond of the clock's. */
			clock_advance_us(from % 1000 == 0 ? 1 : 501);
			turns(1);
			check_order(1);
			ck_assert_int_eq(events(), 0);
		}
	}
	take_the_clock_back();
}
END_TEST

START_TEST(delay_of_nothing_is_no_tick)
{
	clock_advance_us(300);
	later(0, 0);
	turns(1);
	check_order(1);
}
END_TEST

START_TEST(time_within_a_tick_ends_with_it)
{
	clock_advance_us(300);
	later(100, 0);
	later(50, 1);
	clock_advance_us(100);
	turns(2);
	ck_assert_uint_eq(count, 0);
	clock_advance_us(600);
	turns(1);
	check_order(2);
}
END_TEST

START_TEST(delay_of_nothing_comes_between_the_ends_beside_it)
{
	later(10000, 0);
	later(10001, 2);
	clock_advance_us(10000);
	later(0, 1);
	clock_advance_us(1000);
	turns(1);
	check_order(3);
}
END_TEST

START_TEST(event_goes_with_the_delay_of_nothing_that_leaves)
{
	evdeferred_free(ask(0, note, 0));
	ck_assert_int_eq(events(), 0);
}
END_TEST

/* Longer than a process runs, but that is no reason not to end. */
START_TEST(time_of_ages_ends)
{
	const long long seconds =
	    sizeof(time_t) > 4 ? INT32_MAX : INT32_C(1) << 28;
	const struct timeval ages = {
	    (time_t)(LONG_MAX < INT32_MAX + 1LL ? LONG_MAX : LONG_MAX / 2), 0};
	struct evdeferred *d = evdeferred_later(base, &ages, note, (void *)1);

	ck_assert_ptr_nonnull(d);
	later(1000000 * (seconds - 1), 0);
	clock_advance_us(1000000 * seconds - 1);
	turns(2);
	check_order(1);
	clock_advance_us(1);
	turns(1);
	check_order(2);
	evdeferred_free(d);
	take_the_clock_back();
}
END_TEST

/* A machine that was suspended: all of it is over at once. */
START_TEST(jump_of_the_clock_ends_all_in_their_order)
{
	int level, i;

	for (level = 5; level >= 0; level--) {
		for (i = 6; i >= 0; i--)
			later(1000 * (i + 1) * power(level),
			    (size_t)(7 * level + i));
	}
	clock_advance_us(1000 * power(6));
	turns(1);
	check_order(42);
	ck_assert_int_eq(events(), 0);
	take_the_clock_back();
}
END_TEST

/* The monotonic clock does not.  Still nothing ends early. */
START_TEST(clock_that_goes_back_ends_nothing_early)
{
	later(1000 * power(2), 3);
	turns(1);
	clock_advance_us(-5000000);
	later(10000, 0);
	later(1000 * power(1) + 5000000, 2);
	clock_advance_us(9999);
	turns(2);
	ck_assert_uint_eq(count, 0);
	clock_advance_us(5000001 - 10000);
	later(1000, 1);
	turns(2);
	ck_assert_uint_le(count, 1);
	clock_advance_us(1000);
	turns(2);
	check_order(2);
	clock_advance_us(1000 * power(1) + 10000);
	turns(2);
	check_order(3);
	clock_advance_us(1000 * power(2));
	turns(2);
	check_order(4);
}
END_TEST

/*
 * Many in one slot, which sink some at a time.
 */

/* All end 10 ms after the start of their slot. */
static void
put_many_into_a_slot(size_t many)
{
	size_t i;

	go_to_the_start_of_a_slot(power(2));
	for (i = 0; i < many; i++)
		later(1000 * SLOTS + 10000, i);
	clock_advance_us(1000 * SLOTS);
}

/* What happens beside them: grants of a lock, which take turns with them. */
static struct evdeferred *readers[4];
static size_t asked;
static struct evdeferred *sinking;

static struct evresult
ask_meanwhile(void *value, void *arg)
{
	evrwlock_reader_release(value);
	later(*(long long *)arg, MANY + asked++);
	return evresult_value(NULL);
}

static struct evresult
free_one_that_sinks(void *value, void *arg)
{
	(void)arg;
	evrwlock_reader_release(value);
	evdeferred_free(sinking);
	sinking = NULL;
	return evresult_value(NULL);
}

static struct evrwlock *
read_meanwhile(evdeferred_callback_fn callback, void *arg, size_t how_many)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	size_t i;

	for (i = 0; i < how_many; i++) {
		readers[i] = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(readers[i], callback, arg);
		evdeferred_detach(readers[i]);
	}
	return lock;
}

/* For the same end, and for that of another slot. */
START_TEST(one_that_is_asked_for_while_others_sink_ends_after_them)
{
	long long delay = 1000 * (_i == 0 ? 10 : 2 * SLOTS);
	struct evrwlock *lock;

	put_many_into_a_slot(MANY);
	asked = 0;
	lock = read_meanwhile(ask_meanwhile, &delay, 4);
	turns(1);
	ck_assert_uint_eq(asked, 4);
	ck_assert_uint_eq(count, 0);
	clock_advance_us(10000);
	turns(2);
	ck_assert_uint_eq(count, MANY + (_i == 0 ? 4 : 0));
	clock_advance_us(delay);
	turns(1);
	check_order(MANY + 4);
	evrwlock_free(lock);
}
END_TEST

START_TEST(delay_of_nothing_waits_for_those_that_sink)
{
	size_t i;

	put_many_into_a_slot(MANY);
	clock_advance_us(10000);
	later(0, MANY);
	for (i = 0; i < 5 && count <= MANY; i++)
		turns(1);
	check_order(MANY + 1);
}
END_TEST

START_TEST(one_that_sinks_may_leave)
{
	struct evrwlock *lock;

	put_many_into_a_slot(MANY - 1);
	sinking = ask(10000, note, MANY);
	lock = read_meanwhile(free_one_that_sinks, NULL, 1);
	turns(1);
	ck_assert_ptr_null(sinking);
	clock_advance_us(10000);
	event_base_dispatch(loop);
	check_order(MANY - 1);
	evrwlock_free(lock);
}
END_TEST

static size_t polls;

static void
poll_again(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval now = {0, 0};

	(void)fd;
	(void)what;
	polls++;
	event_add(*(struct event **)arg, &now);
}

/* The test's clock stands still: it is the number that ends a turn. */
START_TEST(loop_polls_while_many_sink)
{
	const size_t most = 256 * 64; /* deliveries, and for each of them */
	const size_t many = support_scale();
	const struct timeval ten = milliseconds(10);
	struct event *event = evtimer_new(loop, poll_again, &event);
	struct evdeferred *last;
	size_t i;

	ck_assert_ptr_nonnull(event);
	go_to_the_start_of_a_slot(power(2));
	for (i = 0; i < many; i++)
		later(1000 * SLOTS + 20000, i);
	clock_advance_us(1000 * SLOTS);
	last = evdeferred_later(base, &ten, note, NULL);
	clock_advance_us(10000);
	polls = 0;
	event_active(event, EV_TIMEOUT, 1);
	while (count == 0)
		turns(1);
	ck_assert_uint_ge(polls, many / most);
	ck_assert_uint_le(polls, many / most + 2);
	evdeferred_free(last);
	event_free(event);
	support_free_base();
}
END_TEST

/* Their callbacks come in the order of their ends, not in that of slots. */
static struct evresult
note_the_end(struct evfailure *failure, void *arg)
{
	ck_assert_int_eq(evfailure_get_code(failure), ECANCELED);
	return note(arg);
}

static struct evdeferred *
ask_and_fail(long long us, size_t which)
{
	struct evdeferred *d = ask(us, note, 0);

	evdeferred_add_errback(d, note_the_end, (void *)which);
	return d;
}

START_TEST(base_that_is_freed_ends_all_in_their_order)
{
	struct evdeferred *d[MANY];
	size_t i;

	go_to_the_start_of_a_slot(power(2));
	/* All in one slot but one; the first to end is asked for last. */
	for (i = 1; i < MANY; i++)
		d[i] = ask_and_fail(5300000 - 1000 * (long long)i, MANY - i);
	d[0] = ask_and_fail(0, 0);
	support_free_base();
	check_order(MANY);
	for (i = 0; i < MANY; i++)
		evdeferred_free(d[i]);
}
END_TEST

/*
 * How often the loop wakes.
 */

#ifdef __linux__

static bool time_flies;
static size_t wakes;

/* Stands before that of libc: the clock moves on instead of standing still. */
int
epoll_wait(int fd, struct epoll_event *found, int most, int timeout)
{
	if (time_flies && timeout > 0) {
		wakes++;
		clock_advance(timeout);
		timeout = 0;
	}
	return (int)syscall(
	    SYS_epoll_pwait, fd, found, most, timeout, NULL, _NSIG / 8);
}

/* libevent takes another way to wait if it has no memory for this one. */
static bool
waits_with_epoll(void)
{
	return strcmp(event_base_get_method(loop), "epoll") == 0;
}

static void
let_time_fly(void)
{
	wakes = 0;
	time_flies = true;
	event_base_dispatch(loop);
	time_flies = false;
}

START_TEST(loop_wakes_for_one_no_more_often_than_it_sinks)
{
	long long before;
	int level;

	if (!waits_with_epoll())
		return;
	for (level = 1; level < 4; level++) {
		before = clock_us();
		count = 0;
		later(1000 * (3 * power(level) + 5), 0);
		let_time_fly();
		ck_assert_uint_eq(count, 1);
		/* And once more where libevent's clock is behind. */
		ck_assert_uint_le(wakes, (size_t)level + 2);
		ck_assert_int_ge(
		    clock_us() - before, 1000 * (3 * power(level) + 5));
	}
	take_the_clock_back();
}
END_TEST

START_TEST(loop_wakes_for_many_once_for_each_slot)
{
	size_t i;

	if (!waits_with_epoll())
		return;
	dice_seed(1);
	for (i = 0; i < 1000; i++)
		later(1000 * (4096 + (long long)dice(60000)), i);
	let_time_fly();
	ck_assert_uint_eq(count, 1000);
	/* Of levels 0, 1 and 2: they end in 64 seconds. */
	ck_assert_uint_le(wakes, 1000 + 64096 / 64 + 64096 / 4096 + 2);
}
END_TEST

#endif

/*
 * The model: all that were asked for, in their order.
 */

#define MOST 400

struct timer {
	struct evdeferred *d;
	long long tick; /* at which it ends, in milliseconds */
	long long end;	/* in microseconds, as it was asked for */
	size_t order;
	unsigned turn; /* in which it was asked for */
	bool lives;
};

static struct timer model[MOST];
static size_t order;
static unsigned turn;
static long long last_delay;
static size_t broken;

static struct timer *
first_in_model(void)
{
	struct timer *first = NULL;
	size_t i;

	for (i = 0; i < MOST; i++) {
		struct timer *t = &model[i];

		if (t->lives &&
		    (first == NULL || t->tick < first->tick ||
			(t->tick == first->tick && t->order < first->order)))
			first = t;
	}
	return first;
}

static long long
random_delay(void)
{
	switch (dice(9)) {
	case 0:
		return 0;
	case 1:
		return dice(1000);
	case 2:
		return 1000LL * dice(20);
	case 3:
		return 1000 * (power((int)dice(6)) + dice(3) - 1);
	case 4:
		return 1000LL * dice(5000);
	case 5:
		return 1000LL * dice(200000) + dice(1000);
	case 6:
		return last_delay;
	case 7:
		return 1000LL * SLOTS * (dice(64) + 1) - clock_us() % 64000;
	default:
		return 1000000LL * dice(dice(3) == 0 ? 100000000 : 1000);
	}
}

static struct evresult expire_in_model(void *arg);

static struct evresult
time_out_in_model(struct evfailure *failure, void *arg)
{
	broken += evfailure_get_code(failure) != ETIMEDOUT;
	return expire_in_model(arg);
}

static void
give_up(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
}

static struct evdeferred *
with_timeout(const struct timeval *timeout, struct timer *t)
{
	struct evdeferred *d = evdeferred_new(base, give_up, NULL);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(evdeferred_add_timeout(d, timeout), 0);
	evdeferred_add_errback(d, time_out_in_model, t);
	return d;
}

static void
start_one(void)
{
	struct timer *t = &model[dice(MOST)];
	long long delay = random_delay();
	struct timeval tv;

	if (t->lives || t->d != NULL)
		return;
	if (delay < 0)
		delay = 0;
	last_delay = delay;
	tv = microseconds(delay);
	t->end = clock_us() + delay;
	t->tick = delay == 0 ? t->end / 1000 : (t->end + 999) / 1000;
	t->order = order++;
	t->turn = turn;
	t->lives = true;
	if (dice(2) == 0)
		t->d = with_timeout(&tv, t);
	else
		t->d = evdeferred_later(base, &tv, expire_in_model, t);
	ck_assert_ptr_nonnull(t->d);
}

static void
stop_one(void)
{
	struct timer *t = &model[dice(MOST)];

	if (!t->lives)
		return;
	t->lives = false;
	evdeferred_free(t->d);
	t->d = NULL;
}

static struct evresult
expire_in_model(void *arg)
{
	struct timer *t = arg;

	broken +=
	    t != first_in_model() || t->end > clock_us() || t->turn == turn;
	t->lives = false;
	if (dice(4) == 0)
		start_one();
	if (dice(4) == 0)
		stop_one();
	return evresult_value(NULL);
}

static void
free_those_that_ended(void)
{
	size_t i;

	for (i = 0; i < MOST; i++) {
		if (!model[i].lives && model[i].d != NULL) {
			evdeferred_free(model[i].d);
			model[i].d = NULL;
		}
	}
}

static bool
is_one_over(void)
{
	const struct timer *first = first_in_model();

	return first != NULL && first->tick <= clock_us() / 1000;
}

static void
run_until_none_is_over(void)
{
	int i;

	for (i = 0; i < 200 && is_one_over(); i++) {
		turn++;
		turns(1);
		ck_assert_uint_eq(broken, 0);
	}
	ck_assert(!is_one_over());
	turn++;
	turns(1);
	free_those_that_ended();
}

static void
move_the_clock(void)
{
	const struct timer *first = first_in_model();
	long long to;

	switch (dice(8)) {
	case 0:
		clock_advance_us(dice(1500));
		break;
	case 1:
		clock_advance_us(1000);
		break;
	case 2:
	case 3:
		to = first != NULL ? 1000 * first->tick + dice(3) - 1 : 0;
		if (to > clock_us())
			clock_advance_us(to - clock_us());
		break;
	case 4:
		clock_advance_us(1000 * power((int)dice(5)));
		break;
	case 5:
		clock_advance_us(1000LL * dice(10000));
		break;
	case 6:
		if (dice(20) == 0)
			clock_advance_us(1000000LL * dice(10000000));
		break;
	default:
		break;
	}
}

START_TEST(all_end_as_in_the_model)
{
	int step, some;

	dice_seed((uint64_t)_i + 1);
	for (step = 0; step < 2000; step++) {
		for (some = (int)dice(12); some > 0; some--)
			start_one();
		for (some = (int)dice(4); some > 0; some--)
			stop_one();
		move_the_clock();
		/* Or the turn is late. */
		if (dice(4) > 0)
			run_until_none_is_over();
	}
	while (first_in_model() != NULL) {
		if (!is_one_over())
			clock_advance_us(
			    1000 * first_in_model()->tick - clock_us());
		run_until_none_is_over();
	}
	ck_assert_int_eq(events(), 0);
	take_the_clock_back();
}
END_TEST

static void
setup(void)
{
	support_setup();
	count = 0;
	begun = clock_us();
}

int
main(void)
{
	Suite *suite = suite_create("wheel");
	TCase *tc = tcase_create("wheel");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, support_teardown);
	tcase_add_loop_test(tc, time_ends_at_each_border_of_the_wheel, 0, 5);
	tcase_add_test(tc, delay_of_nothing_is_no_tick);
	tcase_add_test(tc, time_within_a_tick_ends_with_it);
	tcase_add_test(tc, delay_of_nothing_comes_between_the_ends_beside_it);
	tcase_add_test(tc, event_goes_with_the_delay_of_nothing_that_leaves);
	tcase_add_test(tc, time_of_ages_ends);
	tcase_add_test(tc, jump_of_the_clock_ends_all_in_their_order);
	tcase_add_test(tc, clock_that_goes_back_ends_nothing_early);
	tcase_add_loop_test(
	    tc, one_that_is_asked_for_while_others_sink_ends_after_them, 0, 2);
	tcase_add_test(tc, delay_of_nothing_waits_for_those_that_sink);
	tcase_add_test(tc, one_that_sinks_may_leave);
	tcase_add_test(tc, loop_polls_while_many_sink);
	tcase_add_test(tc, base_that_is_freed_ends_all_in_their_order);
#ifdef __linux__
	tcase_add_test(tc, loop_wakes_for_one_no_more_often_than_it_sinks);
	tcase_add_test(tc, loop_wakes_for_many_once_for_each_slot);
#endif
	tcase_add_loop_test(tc, all_end_as_in_the_model, 0, 8);
	suite_add_tcase(suite, tc);
	return support_main(suite);
}
