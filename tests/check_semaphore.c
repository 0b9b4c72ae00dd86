/* SPDX-License-Identifier: MIT */
/* evdefer/semaphore.h.  Most tests run once with each way of delivery: _i (or
 * _i % 2) is 0 for the loop's and 1 for EVSEMAPHORE_FAST. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct evsemaphore *semaphore;

static void
make(int i, size_t tokens)
{
	semaphore =
	    evsemaphore_new(base, tokens, i == 0 ? 0 : EVSEMAPHORE_FAST);
	ck_assert_ptr_nonnull(semaphore);
}

/* One that asks for a token. */
struct party {
	struct evdeferred *d;
	int granted;
	int failed; /* code */
	int ended;  /* how often it was told of its end */
	int order;  /* which grant of all this was */
};

static int grants;

static struct evresult
on_grant(void *value, void *arg)
{
	struct party *party = arg;

	party->granted += value == semaphore;
	party->ended++;
	party->order = ++grants;
	return evresult_value(NULL);
}

static struct evresult
on_loss(struct evfailure *failure, void *arg)
{
	struct party *party = arg;

	party->failed = evfailure_get_code(failure);
	party->ended++;
	return evresult_value(NULL);
}

static void
ask(struct party *party)
{
	memset(party, 0, sizeof(*party));
	party->d = evsemaphore_acquire(semaphore, NULL);
	ck_assert_ptr_nonnull(party->d);
	ck_assert_int_eq(
	    evdeferred_add_callbacks(party->d, on_grant, on_loss, party), 0);
}

/* Lets the loop deliver. */
static void
settle(void)
{
	turns(3);
}

/* Releases and lets the next one enter. */
static void
leave(void)
{
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	settle();
}

static void
counts(size_t inside, size_t waiting)
{
	struct evsemaphore_stats stats;

	evsemaphore_get_stats(semaphore, &stats);
	ck_assert_uint_eq(stats.inside, inside);
	ck_assert_uint_eq(stats.waiting, waiting);
	ck_assert_uint_eq(evsemaphore_get_tokens(semaphore),
	    evsemaphore_get_limit(semaphore) - inside);
}

/* Frees the Deferreds of the parties, and the semaphore, with all its tokens. */
static void
done(struct party *parties, int count)
{
	while (count-- > 0)
		evdeferred_free(parties[count].d);
	counts(0, 0);
	evsemaphore_free(semaphore);
}

static struct evresult
body_value(void *arg)
{
	return evresult_value(arg);
}

/* Arguments. */

START_TEST(bad_arguments_are_einval)
{
	struct evsemaphore_stats stats, none = {0};

	REFUSED_NULL(evsemaphore_new(NULL, 1, 0), EINVAL);
	REFUSED_NULL(evsemaphore_new(base, 0, 0), EINVAL);
	REFUSED_NULL(evsemaphore_new(base, 1, 0x2u), EINVAL);
	REFUSED_NULL(evsemaphore_acquire(NULL, NULL), EINVAL);
	REFUSED(evsemaphore_release(NULL, NULL), EINVAL);
	REFUSED(evsemaphore_try(NULL, NULL), EINVAL);
	REFUSED_NULL(
	    evsemaphore_with(NULL, NULL, NULL, body_value, NULL), EINVAL);
	make(_i, 2);
	REFUSED_NULL(
	    evsemaphore_with(semaphore, NULL, NULL, NULL, NULL), EINVAL);
	counts(0, 0);
	ck_assert_uint_eq(evsemaphore_get_tokens(NULL), 0);
	ck_assert_uint_eq(evsemaphore_get_limit(NULL), 0);
	memset(&stats, 0xff, sizeof(stats));
	evsemaphore_get_stats(NULL, &stats);
	ck_assert_mem_eq(&stats, &none, sizeof(none));
	evsemaphore_free(NULL);
	done(NULL, 0);
}
END_TEST

START_TEST(release_without_a_token_out_is_eperm)
{
	struct party p[1];

	make(_i, 2);
	REFUSED(evsemaphore_release(semaphore, NULL), EPERM);
	ask(&p[0]);
	if (_i == 0)
		/* It is on its way, and nobody's yet. */
		REFUSED(evsemaphore_release(semaphore, NULL), EPERM);
	settle();
	leave();
	REFUSED(evsemaphore_release(semaphore, NULL), EPERM);
	counts(0, 0);
	done(p, 1);
}
END_TEST

START_TEST(calls_on_a_freed_base_are_eshutdown)
{
	struct evdefer_base *freed = base;
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	support_free_base();
	/* The semaphore keeps its memory. */
	REFUSED_NULL(evsemaphore_new(freed, 1, 0), ESHUTDOWN);
	REFUSED(evsemaphore_try(semaphore, NULL), ESHUTDOWN);
	d = evsemaphore_acquire(semaphore, NULL);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	done(NULL, 0);
}
END_TEST

/* Order. */

START_TEST(as_many_enter_as_there_are_tokens)
{
	struct party p[5];
	int i;

	make(_i, 3);
	ck_assert_uint_eq(evsemaphore_get_limit(semaphore), 3);
	for (i = 0; i < 5; i++)
		ask(&p[i]);
	settle();
	counts(3, 2);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(p[i].granted, i < 3);
	leave();
	counts(3, 1);
	ck_assert_int_eq(p[3].granted, 1);
	ck_assert_int_eq(p[4].granted, 0);
	for (i = 0; i < 4; i++)
		leave();
	ck_assert_int_eq(p[4].granted, 1);
	done(p, 5);
}
END_TEST

START_TEST(first_come_first_served)
{
	struct party p[10];
	int i;

	make(_i, 2);
	grants = 0;
	for (i = 0; i < 10; i++)
		ask(&p[i]);
	settle();
	for (i = 0; i < 10; i++)
		leave();
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(p[i].order, i + 1);
	done(p, 10);
}
END_TEST

static struct evresult
release_at_once(void *value, void *arg)
{
	on_grant(value, arg);
	ck_assert_int_eq(evsemaphore_release(value, NULL), 0);
	return evresult_value(NULL);
}

START_TEST(released_inside_callbacks_in_order)
{
	struct party p[8];
	int i;

	make(_i, 1);
	grants = 0;
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	memset(p, 0, sizeof(p));
	for (i = 0; i < 8; i++) {
		p[i].d = evsemaphore_acquire(semaphore, NULL);
		evdeferred_add_callback(p[i].d, release_at_once, &p[i]);
	}
	leave();
	turns(10);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(p[i].order, i + 1);
	done(p, 8);
}
END_TEST

/* Waiters that leave. */

enum { CANCEL, FREE, WAYS };

static void
give_up(struct party *party, int way)
{
	if (way == CANCEL) {
		evdeferred_cancel(party->d);
		ck_assert_int_eq(party->failed, ECANCELED);
	} else {
		evdeferred_free(party->d);
		party->d = NULL;
		ck_assert_int_eq(party->ended, 0);
	}
}

START_TEST(waiter_leaves_and_the_others_move_up)
{
	struct party p[4];
	int i;

	make(_i % 2, 1);
	for (i = 0; i < 4; i++)
		ask(&p[i]);
	settle();
	give_up(&p[2], _i / 2);
	counts(1, 2);
	leave();
	ck_assert_int_eq(p[1].granted, 1);
	leave();
	ck_assert_int_eq(p[3].granted, 1);
	leave();
	done(p, 4);
}
END_TEST

START_TEST(timed_out_waiter_fails_with_etimedout)
{
	struct timeval second = {1, 0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	d = evsemaphore_acquire(semaphore, NULL);
	evdeferred_add_timeout(d, &second);
	see(d, &seen);
	clock_advance(1100);
	settle();
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	counts(1, 0);
	evdeferred_free(d);
	leave();
	done(NULL, 0);
}
END_TEST

START_TEST(undelivered_grant_is_cancelled_and_passed_on)
{
	struct party p[3];

	make(0, 1);
	ask(&p[0]);
	ask(&p[1]);
	counts(1, 1);
	give_up(&p[0], _i);
	counts(1, 0);
	ask(&p[2]);
	counts(1, 1);
	settle();
	ck_assert_int_eq(p[0].granted, 0);
	ck_assert_int_eq(p[1].granted, 1);
	leave();
	ck_assert_int_eq(p[2].granted, 1);
	leave();
	done(p, 3);
}
END_TEST

START_TEST(all_undelivered_leave_and_the_loop_is_idle)
{
	struct party p[4];
	int i;

	make(0, 3);
	for (i = 0; i < 4; i++)
		ask(&p[i]);
	for (i = 3; i >= 0; i--)
		give_up(&p[i], i % WAYS);
	counts(0, 0);
	event_base_dispatch(loop);
	done(p, 4);
}
END_TEST

START_TEST(grant_nobody_receives_is_released)
{
	struct evdeferred *d;
	struct party p[1];

	make(_i, 1);
	d = evsemaphore_acquire(semaphore, NULL);
	settle();
	counts(1, 0);
	/* It has its result: a cancel is too late, a free is not. */
	evdeferred_cancel(d);
	ask(&p[0]);
	settle();
	ck_assert_int_eq(p[0].ended, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave();
	done(p, 1);
}
END_TEST

START_TEST(grant_to_a_detached_waiter_is_released)
{
	struct party p[1];

	make(_i, 1);
	evdeferred_detach(evsemaphore_acquire(semaphore, NULL));
	ask(&p[0]);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave();
	done(p, 1);
}
END_TEST

/* Delivery and try. */

START_TEST(loop_delivers_never_from_inside)
{
	struct party p[2];

	make(0, 1);
	ask(&p[0]);
	ck_assert_int_eq(p[0].ended, 0);
	turns(1);
	ck_assert_int_eq(p[0].granted, 1);
	ask(&p[1]);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(p[1].ended, 0);
	turns(1);
	ck_assert_int_eq(p[1].granted, 1);
	leave();
	done(p, 2);
}
END_TEST

START_TEST(fast_delivers_at_once)
{
	struct party p[2];

	make(1, 1);
	ask(&p[0]);
	ck_assert_int_eq(p[0].granted, 1);
	ask(&p[1]);
	ck_assert_int_eq(p[1].granted, 0);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(event_base_get_num_events(loop,
			     EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
	    0);
	done(p, 2);
}
END_TEST

START_TEST(try_takes_a_free_token)
{
	struct party p[1];

	make(_i, 2);
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	/* One that is on its way is not free. */
	ask(&p[0]);
	REFUSED(evsemaphore_try(semaphore, NULL), EBUSY);
	settle();
	REFUSED(evsemaphore_try(semaphore, NULL), EBUSY);
	leave();
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	leave();
	leave();
	done(p, 1);
}
END_TEST

/* With. */

struct with {
	int runs;
	struct evdeferred *inner;
	struct evresult result;
	size_t tokens;
};

static struct evresult
run_body(void *arg)
{
	struct with *with = arg;

	with->runs++;
	with->tokens = evsemaphore_get_tokens(semaphore);
	return with->inner != NULL ? evresult_deferred(with->inner)
				   : with->result;
}

START_TEST(with_holds_runs_and_releases)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 2);
	w.result = evresult_value(&w);
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	ck_assert_int_eq(w.runs, _i);
	see(d, &seen);
	settle();
	ck_assert_int_eq(w.runs, 1);
	ck_assert_uint_eq(w.tokens, 1);
	ck_assert_ptr_eq(seen.value, &w);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_releases_on_failure)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	w.result = evresult_fail(EIO, "body");
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.code, EIO);
	counts(0, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

/* _i / 2: how the body's Deferred ends. */
START_TEST(with_holds_until_the_deferred_is_through)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;
	struct party p[1];

	make(_i % 2, 1);
	w.inner = evdeferred_new(base, NULL, NULL);
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	see(d, &seen);
	ask(&p[0]);
	settle();
	counts(1, 1);
	switch (_i / 2) {
	case 0:
		evdeferred_callback(w.inner, &seen);
		ck_assert_ptr_eq(seen.value, &seen);
		break;
	case 1:
		evdeferred_errback(w.inner, EIO, "inner");
		ck_assert_int_eq(seen.code, EIO);
		break;
	case 2:
		evdeferred_cancel(d);
		evdeferred_callback(w.inner, NULL);
		ck_assert_int_eq(seen.code, ECANCELED);
		break;
	default:
		evdeferred_free(d);
		d = NULL;
		evdeferred_callback(w.inner, NULL);
	}
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	leave();
	evdeferred_free(d);
	done(p, 1);
}
END_TEST

/* The inner one asks for one token more than there is. */
static struct evresult
ask_inside(void *arg)
{
	struct party *p = arg;

	ck_assert_uint_eq(evsemaphore_get_tokens(semaphore), 1);
	ask(&p[0]);
	ask(&p[1]);
	counts(3, 1);
	return evresult_value(arg);
}

static struct evresult
run_another(void *arg)
{
	return evresult_deferred(
	    evsemaphore_with(semaphore, NULL, NULL, ask_inside, arg));
}

START_TEST(with_inside_with_takes_two_tokens)
{
	struct party p[2] = {{0}};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 3);
	d = evsemaphore_with(semaphore, NULL, NULL, run_another, p);
	see(d, &seen);
	settle();
	ck_assert_ptr_eq(seen.value, p);
	ck_assert_int_eq(p[0].granted + p[1].granted, 2);
	counts(2, 0);
	leave();
	leave();
	evdeferred_free(d);
	done(p, 2);
}
END_TEST

START_TEST(with_cancelled_while_it_waits_runs_nothing)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	see(d, &seen);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	leave();
	ck_assert_int_eq(w.runs, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(with_on_a_closed_semaphore_runs_nothing)
{
	struct with w = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	d = evsemaphore_with(semaphore, NULL, NULL, run_body, &w);
	see(d, &seen);
	evsemaphore_free(semaphore);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(w.runs, 0);
}
END_TEST

START_TEST(stats_count)
{
	struct evsemaphore_stats stats;
	struct party p[5];
	int i;

	make(_i, 2);
	for (i = 0; i < 5; i++)
		ask(&p[i]);
	settle();
	evdeferred_cancel(p[3].d);
	leave();
	leave();
	leave();
	ck_assert_int_eq(evsemaphore_try(semaphore, NULL), 0);
	leave();
	leave();
	evsemaphore_get_stats(semaphore, &stats);
	ck_assert_uint_eq(stats.inside, 0);
	ck_assert_uint_eq(stats.waiting, 0);
	ck_assert_uint_eq(stats.granted, 5);
	ck_assert_uint_eq(stats.cancelled, 1);
	ck_assert_uint_eq(stats.longest_queue, 3);
	done(p, 5);
}
END_TEST

/* Closing. */

START_TEST(close_of_a_free_semaphore)
{
	make(_i, 3);
	evsemaphore_free(semaphore);
}
END_TEST

START_TEST(close_fails_waiters_and_lets_holders_release)
{
	struct party p[4];
	struct seen seen = {0};
	struct evdeferred *d;
	int i;

	make(_i, 2);
	for (i = 0; i < 4; i++)
		ask(&p[i]);
	settle();
	evsemaphore_free(semaphore);
	ck_assert_int_eq(p[2].failed, ESHUTDOWN);
	ck_assert_int_eq(p[3].failed, ESHUTDOWN);
	REFUSED(evsemaphore_try(semaphore, NULL), ESHUTDOWN);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	REFUSED(evsemaphore_try(semaphore, NULL), ESHUTDOWN);
	d = evsemaphore_acquire(semaphore, NULL);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	for (i = 0; i < 4; i++)
		evdeferred_free(p[i].d);
}
END_TEST

START_TEST(close_delivers_grants_on_their_way)
{
	struct party p[3];
	int i;

	make(0, 3);
	for (i = 0; i < 3; i++)
		ask(&p[i]);
	evsemaphore_free(semaphore);
	ck_assert_int_eq(p[0].ended, 0);
	evdeferred_cancel(p[1].d);
	settle();
	ck_assert_int_eq(p[0].granted + p[2].granted, 2);
	ck_assert_int_eq(p[1].failed, ECANCELED);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	for (i = 0; i < 3; i++)
		evdeferred_free(p[i].d);
}
END_TEST

START_TEST(close_with_only_an_undelivered_grant)
{
	struct party p[1];

	make(0, 1);
	ask(&p[0]);
	evsemaphore_free(semaphore);
	/* The memory goes with it. */
	evdeferred_free(p[0].d);
	settle();
}
END_TEST

START_TEST(close_with_a_forgotten_grant)
{
	struct evdeferred *d;

	make(_i, 1);
	d = evsemaphore_acquire(semaphore, NULL);
	settle();
	evsemaphore_free(semaphore);
	evdeferred_free(d);
}
END_TEST

static struct evresult
close_and_release(void *value, void *arg)
{
	on_grant(value, arg);
	evsemaphore_free(value);
	evsemaphore_release(value, NULL);
	return evresult_value(NULL);
}

/* _i / 2: whether the release comes before somebody else's. */
START_TEST(close_inside_a_callback)
{
	struct party p[3];

	make(_i % 2, 2);
	evsemaphore_try(semaphore, NULL);
	evsemaphore_try(semaphore, NULL);
	memset(p, 0, sizeof(p));
	p[0].d = evsemaphore_acquire(semaphore, NULL);
	evdeferred_add_callbacks(p[0].d, close_and_release, on_loss, &p[0]);
	ask(&p[1]);
	ask(&p[2]);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	if (_i / 2 == 1)
		ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(p[2].failed, ESHUTDOWN);
	/* Where both were granted at once, the second is a holder. */
	if (p[1].granted || _i / 2 == 0)
		ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	else
		ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	evdeferred_free(p[0].d);
	evdeferred_free(p[1].d);
	evdeferred_free(p[2].d);
}
END_TEST

/* Told of the close, it frees the second, cancels the third, and releases. */
static struct party *others;

static struct evresult
drop_others(struct evfailure *failure, void *arg)
{
	on_loss(failure, arg);
	evdeferred_free(others[1].d);
	others[1].d = NULL;
	evdeferred_cancel(others[2].d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	return evresult_value(NULL);
}

START_TEST(close_while_all_leave_meanwhile)
{
	struct party p[4];

	make(_i, 1);
	others = p;
	evsemaphore_try(semaphore, NULL);
	memset(p, 0, sizeof(p));
	p[0].d = evsemaphore_acquire(semaphore, NULL);
	evdeferred_add_callbacks(p[0].d, on_grant, drop_others, &p[0]);
	ask(&p[1]);
	ask(&p[2]);
	ask(&p[3]);
	evsemaphore_free(semaphore);
	ck_assert_int_eq(p[0].failed, ESHUTDOWN);
	ck_assert_int_eq(p[1].ended, 0);
	ck_assert_int_eq(p[2].failed, ECANCELED);
	ck_assert_int_eq(p[3].failed, ESHUTDOWN);
	evdeferred_free(p[0].d);
	evdeferred_free(p[2].d);
	evdeferred_free(p[3].d);
}
END_TEST

START_TEST(unhandled_close_is_reported)
{
	struct evdeferred *d;

	make(_i, 1);
	evsemaphore_try(semaphore, NULL);
	d = evsemaphore_acquire(semaphore, NULL);
	evsemaphore_free(semaphore);
	evdeferred_free(d);
	report_take(ESHUTDOWN);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
}
END_TEST

/* Memory. */

static int
semaphore_round(void)
{
	struct evdeferred *d[4];
	struct party p[4];
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
	int i, good = 0;
	size_t calls;

	make(_i, 1);
	semaphore_round();
	calls = alloc_calls();
	for (i = 0; i < 1000; i++)
		good += semaphore_round();
	calls = alloc_calls() - calls;
	ck_assert_int_eq(good, 3000);
	ck_assert_uint_eq(calls, 0);
	done(NULL, 0);
}
END_TEST

START_TEST(new_without_memory_is_enomem)
{
	struct evsemaphore *none;
	int code;

	if (!alloc_works())
		return;
	alloc_fail_at(1, true);
	errno = 0;
	none = evsemaphore_new(base, 1, _i == 0 ? 0 : EVSEMAPHORE_FAST);
	code = errno;
	alloc_fail_at(0, false);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(code, ENOMEM);
}
END_TEST

/* _i / 2: of an acquire, of a with, of the link that a with needs. */
START_TEST(acquire_without_memory_acquires_nothing)
{
	struct evdeferred *d;
	int code;

	make(_i % 2, 1);
	if (alloc_works()) {
		if (_i / 2 == 2)
			evdefer_base_reserve(base, 10, 0);
		alloc_fail_at(1, true);
		errno = 0;
		d = _i / 2 == 0 ? evsemaphore_acquire(semaphore, NULL)
				: evsemaphore_with(
				      semaphore, NULL, NULL, body_value, NULL);
		code = errno;
		alloc_fail_at(0, false);
		ck_assert_ptr_null(d);
		ck_assert_int_eq(code, ENOMEM);
	}
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

	make(_i % 2, tokens);
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

	make(_i % 2, 1);
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

	make(_i % 2, 1);
	served = 0;
	d = evsemaphore_acquire(semaphore, NULL);
	evdeferred_add_callback(d, again, _i / 2 == 0 ? NULL : &served);
	evdeferred_detach(d);
	event_base_dispatch(loop);
	ck_assert_uint_eq(served, support_scale());
	done(NULL, 0);
}
END_TEST

static void
add_rules(Suite *suite)
{
	TCase *tc = add_case(suite, "arguments");

	tcase_add_loop_test(tc, bad_arguments_are_einval, 0, 2);
	tcase_add_loop_test(tc, release_without_a_token_out_is_eperm, 0, 2);
	tcase_add_loop_test(tc, calls_on_a_freed_base_are_eshutdown, 0, 2);

	tc = add_case(suite, "order");
	tcase_add_loop_test(tc, as_many_enter_as_there_are_tokens, 0, 2);
	tcase_add_loop_test(tc, first_come_first_served, 0, 2);
	tcase_add_loop_test(tc, released_inside_callbacks_in_order, 0, 2);

	tc = add_case(suite, "waiters that leave");
	tcase_add_loop_test(
	    tc, waiter_leaves_and_the_others_move_up, 0, 2 * WAYS);
	tcase_add_loop_test(tc, timed_out_waiter_fails_with_etimedout, 0, 2);
	tcase_add_loop_test(
	    tc, undelivered_grant_is_cancelled_and_passed_on, 0, WAYS);
	tcase_add_test(tc, all_undelivered_leave_and_the_loop_is_idle);
	tcase_add_loop_test(tc, grant_nobody_receives_is_released, 0, 2);
	tcase_add_loop_test(tc, grant_to_a_detached_waiter_is_released, 0, 2);

	tc = add_case(suite, "delivery and try");
	tcase_add_test(tc, loop_delivers_never_from_inside);
	tcase_add_test(tc, fast_delivers_at_once);
	tcase_add_loop_test(tc, try_takes_a_free_token, 0, 2);
}

static void
add_with_and_close(Suite *suite)
{
	TCase *tc = add_case(suite, "with");

	tcase_add_loop_test(tc, with_holds_runs_and_releases, 0, 2);
	tcase_add_loop_test(tc, with_releases_on_failure, 0, 2);
	tcase_add_loop_test(tc, with_holds_until_the_deferred_is_through, 0, 8);
	tcase_add_loop_test(tc, with_inside_with_takes_two_tokens, 0, 2);
	tcase_add_loop_test(
	    tc, with_cancelled_while_it_waits_runs_nothing, 0, 2);
	tcase_add_loop_test(tc, with_on_a_closed_semaphore_runs_nothing, 0, 2);

	tc = add_case(suite, "stats");
	tcase_add_loop_test(tc, stats_count, 0, 2);

	tc = add_case(suite, "close");
	tcase_add_loop_test(tc, close_of_a_free_semaphore, 0, 2);
	tcase_add_loop_test(
	    tc, close_fails_waiters_and_lets_holders_release, 0, 2);
	tcase_add_test(tc, close_delivers_grants_on_their_way);
	tcase_add_test(tc, close_with_only_an_undelivered_grant);
	tcase_add_loop_test(tc, close_with_a_forgotten_grant, 0, 2);
	tcase_add_loop_test(tc, close_inside_a_callback, 0, 4);
	tcase_add_loop_test(tc, close_while_all_leave_meanwhile, 0, 2);
	tcase_add_loop_test(tc, unhandled_close_is_reported, 0, 2);
}

static void
add_memory_and_scale(Suite *suite)
{
	TCase *tc = add_case(suite, "memory");

	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, new_without_memory_is_enomem, 0, 2);
	tcase_add_loop_test(tc, acquire_without_memory_acquires_nothing, 0, 6);

	tc = add_case(suite, "constant stack");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, million_waiters_are_granted_in_one_go, 0, 4);
	tcase_add_loop_test(tc, million_waiters_are_cancelled, 0, 4);
	tcase_add_loop_test(tc, million_waiters_are_shut_out, 0, 2);
	tcase_add_loop_test(tc, million_acquires_by_callbacks, 0, 4);
}

int
main(void)
{
	Suite *suite = suite_create("semaphore");

	add_rules(suite);
	add_with_and_close(suite);
	add_memory_and_scale(suite);
	return support_main(suite);
}
