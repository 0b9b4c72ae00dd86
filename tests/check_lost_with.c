/* SPDX-License-Identifier: MIT */
/* A right that is lost: bodies that run under it, and those that wait for a loss.
 * Most tests run once with each way of delivery. */
#include "rights.h"

#include "deferreds.h"

#include <string.h>

#define READ EVRWLOCK_READ
#define WRITE EVRWLOCK_WRITE

/*
 * Bodies.
 */

static int calls_off;

/* One that needs not be fired after a cancel. */
static struct evdeferred *
to_cancel(void)
{
	return evdeferred_new(base, count_cancel, &calls_off);
}

static void
check_lost_result(const struct seen *seen)
{
	ck_assert_int_eq(seen->values, 0);
	ck_assert_int_eq(seen->failures, 1);
	ck_assert_int_eq(seen->code, ESTALE);
}

/* One that waits for a Deferred with this canceller. */
static struct evdeferred *
start(struct body *w, struct seen *seen, evdeferred_canceller_fn cancel,
    void *arg, enum evrwlock_mode mode)
{
	struct evdeferred *d;

	*w = (struct body){.inner = evdeferred_new(base, cancel, arg)};
	*seen = (struct seen){0};
	d = with(w, mode);
	see(d, seen);
	settle();
	return d;
}

START_TEST(a_body_is_cancelled)
{
	struct evdeferred *d;
	struct waiter p;
	struct seen seen;
	struct body w;
	int cancelled = 0;

	make_lock_with_rights(_i);
	d = start(&w, &seen, count_cancel, &cancelled, mode_of(_i / 2));
	writer(&p);
	lose();
	ck_assert_int_eq(cancelled, 1);
	check_lost_result(&seen);
	check_not_lost(1);
	settle();
	ck_assert_int_eq(p.granted, 1);
	leave(&p);
	evdeferred_free(d);
	done(&p, 1);
}
END_TEST

static struct evresult
note_failure(struct evfailure *failure, void *arg)
{
	char *message = arg;

	strcpy(message, evfailure_get_message(failure));
	return evresult_value(NULL);
}

START_TEST(the_failure_says_what_has_happened)
{
	struct body w = {.inner = to_cancel()};
	struct evdeferred *d;
	char message[80] = "";

	make_lock_with_rights(_i);
	d = with(&w, WRITE);
	evdeferred_add_errback(d, note_failure, message);
	settle();
	lose();
	ck_assert_str_eq(message, "the right to the lock was lost");
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

/* Whatever the body makes of it. */
static void
cancel_with_counted(struct evdeferred *d, void *arg)
{
	evdeferred_fire(d, counting(arg));
}

START_TEST(a_body_that_ends_well_is_lost_all_the_same)
{
	struct evdeferred *d;
	struct seen seen;
	struct body w;
	int freed = 0;

	make_lock_with_rights(_i);
	d = start(&w, &seen, cancel_with_counted, &freed, READ);
	lose();
	check_lost_result(&seen);
	ck_assert_int_eq(freed, 1);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

/* A link in place of what was cancelled. */
static struct evresult
wait_instead(struct evfailure *failure, void *arg)
{
	(void)failure;
	return evresult_deferred(arg);
}

START_TEST(a_body_may_take_its_time_to_end)
{
	struct evdeferred *d, *more = fresh();
	struct waiter p;
	struct seen seen;
	struct body w;

	make_lock_with_rights(_i);
	d = start(&w, &seen, count_cancel, &calls_off, WRITE);
	evdeferred_add_errback(w.inner, wait_instead, more);
	lose();
	check_lost(1);
	reader(&p);
	settle();
	ck_assert_int_eq(seen.failures + p.granted, 0);
	evdeferred_callback(more, NULL);
	check_lost_result(&seen);
	settle();
	ck_assert_int_eq(p.granted, 1);
	leave(&p);
	evdeferred_free(d);
	done(&p, 1);
}
END_TEST

START_TEST(a_body_that_has_ended_is_not_lost)
{
	struct body w = {.result = evresult_value(&w)};
	struct evdeferred *d, *e;
	struct seen seen = {0}, other;
	struct body v;

	make_lock_with_rights(_i);
	e = start(&v, &other, count_cancel, &calls_off, READ);
	d = with(&w, READ);
	settle();
	lose();
	see(d, &seen);
	settle();
	ck_assert_ptr_eq(seen.value, &w);
	check_lost_result(&other);
	evdeferred_free(d);
	evdeferred_free(e);
	done(NULL, 0);
}
END_TEST

/* It runs while it is lost. */
static struct evresult
find_loss(void *arg)
{
	struct body *w = arg;

	w->runs++;
	rights->stale = rights->tells = true;
	REFUSED(evrwlock_check(lock), ESTALE);
	rights->stale = false;
	check_lost(1);
	return w->inner != NULL ? evresult_deferred(w->inner) : w->result;
}

START_TEST(a_body_may_find_the_loss)
{
	struct evdeferred *d;
	struct seen seen = {0};
	struct body w = {0};
	int freed = 0, cancelled = 0;

	make_lock_with_rights(_i);
	if (_i < 2)
		w.result = counting(&freed);
	else
		w.inner = evdeferred_new(base, count_cancel, &cancelled);
	d = with_by_name(lock, WRITE, find_loss, &w);
	see(d, &seen);
	settle();
	check_lost_result(&seen);
	ck_assert_int_eq(freed + cancelled, 1);
	evdeferred_free(d);
	check_not_lost(1);
	done(NULL, 0);
}
END_TEST

static struct evresult
lose_then_wait(void *value, void *arg)
{
	(void)value;
	lose();
	return evresult_deferred(arg);
}

/* A link of what the body waits for is on the stack: its next wait is called off. */
START_TEST(a_link_of_a_body_may_find_the_loss)
{
	struct evdeferred *d, *next, *after = fresh();
	struct seen seen;
	struct body w;
	int cancelled = 0;

	make_lock_with_rights(_i);
	next = evdeferred_new(base, count_cancel, &cancelled);
	d = start(&w, &seen, count_cancel, &calls_off, WRITE);
	evdeferred_add_callback(w.inner, lose_then_wait, next);
	/* The cancel is for the body alone. */
	evdeferred_add_callback(d, wait_value, after);
	evdeferred_callback(w.inner, NULL);
	ck_assert_int_eq(cancelled, 1);
	check_lost_result(&seen);
	check_not_lost(1);
	evdeferred_add_callback(d, see_value, &seen);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_callback(after, NULL);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

/* A coroutine that waits twice, and may find the loss in between. */
struct two_waits {
	struct evcoro co;
	struct evdeferred *waits[2];
	bool finds;
	int steps;
	int cleanups;
};

static struct evresult
wait_twice(struct evcoro *co, void *arg)
{
	struct two_waits *two = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, two->waits[0]);
	two->steps++;
	if (two->finds)
		lose();
	EVCORO_AWAIT(co, two->waits[1]);
	two->steps++;
	EVCORO_FINALLY(co);
	two->cleanups++;
	EVCORO_END(co);
}

static struct evresult
run_coroutine(void *arg)
{
	struct two_waits *two = arg;

	return evresult_deferred(
	    evcoro_start(base, &two->co, wait_twice, two, NULL));
}

START_TEST(a_body_may_be_a_coroutine)
{
	struct two_waits two = {.finds = _i < 2};
	struct evdeferred *d;
	struct seen seen = {0};

	make_lock_with_rights(_i);
	calls_off = 0;
	two.waits[0] = to_cancel();
	two.waits[1] = to_cancel();
	d = with_by_name(lock, WRITE, run_coroutine, &two);
	see(d, &seen);
	settle();
	evdeferred_callback(two.waits[0], NULL);
	if (!two.finds)
		lose();
	ck_assert_int_eq(two.steps, 1);
	ck_assert_int_eq(two.cleanups, 1);
	ck_assert_int_eq(calls_off, 1);
	check_lost_result(&seen);
	check_not_lost(1);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(a_cancel_that_a_body_has_not_taken_is_for_nobody_else)
{
	struct evdeferred *d, *after = fresh();
	struct seen seen;
	struct body w;

	make_lock_with_rights(_i);
	d = start(&w, &seen, count_cancel, &calls_off, WRITE);
	evdeferred_pause(w.inner);
	evdeferred_callback(w.inner, NULL);
	/* Nothing is left to be cancelled in there. */
	evdeferred_add_callback(d, wait_value, after);
	lose();
	check_lost(1);
	evdeferred_unpause(w.inner);
	check_lost_result(&seen);
	check_not_lost(1);
	evdeferred_add_callback(d, see_value, &seen);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_callback(after, NULL);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(a_body_that_waits_for_the_lock_runs_later)
{
	struct body w = {.result = evresult_value(&w)};
	struct evdeferred *d;
	struct seen seen = {0};
	struct waiter p;

	make_lock_with_rights(_i);
	writer(&p);
	settle();
	d = with(&w, READ);
	see(d, &seen);
	lose();
	settle();
	ck_assert_int_eq(w.runs, 0);
	REFUSED(release(&p), ESTALE);
	settle();
	ck_assert_int_eq(w.runs, 1);
	ck_assert_ptr_eq(seen.value, &w);
	evdeferred_free(d);
	done(&p, 1);
}
END_TEST

START_TEST(a_body_that_waits_may_be_given_up)
{
	struct body w = {.result = evresult_value(&w)};
	const struct timeval patience = {1, 0};
	struct evdeferred *d[3];
	struct waiter p;
	struct seen seen[3] = {{0}};
	int k;

	make_lock_with_rights(_i);
	writer(&p);
	settle();
	for (k = 0; k < 3; k++) {
		d[k] = evrwlock_with(lock, NULL, READ, &patience, run_body, &w);
		see(d[k], &seen[k]);
	}
	lose();
	evdeferred_cancel(d[0]);
	evdeferred_free(d[1]);
	clock_advance(2000);
	turns(1);
	ck_assert_int_eq(seen[0].code, ECANCELED);
	ck_assert_int_eq(seen[2].code, ETIMEDOUT);
	REFUSED(release(&p), ESTALE);
	settle();
	ck_assert_int_eq(w.runs, 0);
	evdeferred_free(d[0]);
	evdeferred_free(d[2]);
	done(&p, 1);
}
END_TEST

/* It has the lock by then, but a pause holds it back. */
START_TEST(a_body_that_begins_after_the_loss_is_not_run)
{
	struct evowner *ann = new_owner("ann");
	struct body w = {.result = evresult_value(&w)};
	struct evdeferred *d;
	struct seen seen = {0};
	struct waiter p;

	make_lock_with_rights(_i);
	writer(&p);
	settle();
	d = evrwlock_with(lock, _i < 2 ? NULL : ann, READ, NULL, run_body, &w);
	see(d, &seen);
	evdeferred_pause(d);
	ck_assert_int_eq(release(&p), 0);
	settle();
	lose();
	check_lost(1);
	evdeferred_unpause(d);
	check_lost_result(&seen);
	ck_assert_int_eq(w.runs, 0);
	check_not_lost(1);
	evdeferred_free(d);
	evowner_free(ann);
	done(&p, 1);
}
END_TEST

START_TEST(a_body_fails_where_its_acquire_is_refused)
{
	struct evowner *ann = new_owner("ann");
	struct body w = {.result = evresult_value(&w)};
	struct evdeferred *d;
	struct seen seen = {0};

	make_lock_with_rights(_i);
	ck_assert_int_eq(evrwlock_try(lock, ann, READ), 0);
	lose();
	d = evrwlock_with(lock, ann, READ, NULL, run_body, &w);
	see(d, &seen);
	settle();
	check_lost_result(&seen);
	ck_assert_int_eq(w.runs, 0);
	evdeferred_free(d);
	REFUSED(evrwlock_release(lock, ann, READ), ESTALE);
	evowner_free(ann);
	done(NULL, 0);
}
END_TEST

START_TEST(a_body_can_be_cancelled_or_freed_as_ever)
{
	struct evdeferred *d;
	struct seen seen;
	struct body w;
	int cancelled = 0;

	make_lock_with_rights(_i);
	d = start(&w, &seen, count_cancel, &cancelled, READ);
	evdeferred_cancel(d);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
	d = start(&w, &seen, count_cancel, &cancelled, READ);
	evdeferred_free(d);
	ck_assert_int_eq(cancelled, 2);
	ck_assert_int_eq(seen.failures, 0);
	lose();
	check_not_lost(0);
	done(NULL, 0);
}
END_TEST

/* The lock may be gone, too, or have been lost without it. */
START_TEST(a_body_whose_owner_was_freed_goes_on)
{
	struct evowner *ann = new_owner("ann");
	struct body w = {.inner = to_cancel()};
	struct evdeferred *d;
	struct seen seen = {0};
	struct waiter p;

	make_lock_with_rights(_i);
	reader(&p);
	d = evrwlock_with(lock, ann, READ, NULL, run_body, &w);
	see(d, &seen);
	settle();
	evowner_free(ann);
	if (_i < 2)
		lose();
	ck_assert_int_eq(release(&p), _i < 2 ? -1 : 0);
	done(&p, 1);
	ck_assert_int_eq(rights_left, 1);
	ck_assert_int_eq(seen.values + seen.failures, 0);
	evdeferred_callback(w.inner, &w);
	ck_assert_ptr_eq(seen.value, &w);
	evdeferred_free(d);
}
END_TEST

START_TEST(a_body_whose_owner_is_freed_after_the_loss_is_lost)
{
	struct evowner *ann = new_owner("ann");
	struct evdeferred *d, *more = fresh();
	struct body w = {.inner = to_cancel()};
	struct seen seen = {0};

	make_lock_with_rights(_i);
	evdeferred_add_errback(w.inner, wait_instead, more);
	d = evrwlock_with(lock, ann, READ, NULL, run_body, &w);
	see(d, &seen);
	settle();
	lose();
	evowner_free(ann);
	check_not_lost(1);
	done(NULL, 0);
	evdeferred_callback(more, NULL);
	check_lost_result(&seen);
	evdeferred_free(d);
}
END_TEST

/* Cancellers may do anything, to other bodies, too. */
static struct evdeferred *victim;

static void
free_victim(struct evdeferred *d, void *arg)
{
	struct evdeferred *one = victim;

	(void)d;
	(*(int *)arg)++;
	victim = NULL;
	evdeferred_free(one);
}

START_TEST(a_body_may_free_another_one)
{
	struct evdeferred *d;
	struct seen seen[2];
	struct body w[2];
	int cancelled = 0;

	make_lock_with_rights(_i);
	d = start(&w[0], &seen[0], free_victim, &cancelled, READ);
	victim = start(&w[1], &seen[1], free_victim, &cancelled, READ);
	lose();
	ck_assert_int_eq(cancelled, 2);
	check_lost_result(&seen[0]);
	ck_assert_int_eq(seen[1].failures, 0);
	check_not_lost(1);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

static void
close_lock(struct evdeferred *d, void *arg)
{
	(void)d;
	(*(int *)arg)++;
	evrwlock_free(lock);
}

START_TEST(a_body_may_close_the_lock)
{
	struct evdeferred *d[2], *watcher;
	struct waiter p;
	struct seen seen[2], told;
	struct body w[2];
	int cancelled = 0;

	make_lock_with_rights(_i);
	watch(&told, &watcher);
	d[0] = start(&w[0], &seen[0], close_lock, &cancelled, READ);
	d[1] = start(&w[1], &seen[1], count_cancel, &cancelled, READ);
	writer(&p);
	lose();
	ck_assert_int_eq(cancelled, 2);
	check_lost_result(&seen[0]);
	check_lost_result(&seen[1]);
	ck_assert_int_eq(p.failed, ESHUTDOWN);
	ck_assert_int_eq(told.code, ESHUTDOWN);
	ck_assert_int_eq(rights_left, 1);
	evdeferred_free(watcher);
	evdeferred_free(p.d);
	evdeferred_free(d[0]);
	evdeferred_free(d[1]);
}
END_TEST

/* Each body runs another one, and waits for it. */
#define NESTED 200

static int nested, nested_cancelled;

static struct evresult
nest(void *arg)
{
	if (++nested == NESTED)
		return evresult_deferred(
		    evdeferred_new(base, count_cancel, &nested_cancelled));
	return evresult_deferred(evrwlock_with_reader(lock, nest, arg));
}

START_TEST(bodies_in_bodies_are_cancelled_once)
{
	struct evdeferred *d;
	struct seen seen = {0};

	make_lock_with_rights(_i);
	nested = nested_cancelled = 0;
	d = evrwlock_with_reader(lock, nest, NULL);
	see(d, &seen);
	turns(2 * NESTED);
	counts(NESTED, 0, 0, 0);
	lose();
	ck_assert_int_eq(nested_cancelled, 1);
	settle();
	check_lost_result(&seen);
	check_not_lost(1);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

/*
 * Those that wait for a loss.
 */

static void
trace_body_end(struct evdeferred *d, void *arg)
{
	check_lost(1);
	trace_cancel(d, arg);
}

static struct evresult
trace_loss(void *value, void *arg)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	ck_assert(stats.lost);
	trace_add(arg);
	return evresult_value(value);
}

static void *
trace_entry(void *value, void *arg)
{
	trace_add(arg);
	return value;
}

static struct evresult
enter_and_leave(void *value, void *arg)
{
	trace_entry(value, arg);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	return evresult_value(NULL);
}

START_TEST(all_are_told_in_order_before_anybody_enters)
{
	struct evdeferred *d, *watchers[2], *next;
	struct seen seen;
	struct body w;
	int k;

	make_lock_with_rights(_i);
	for (k = 0; k < 2; k++) {
		watchers[k] = evrwlock_lost(lock);
		evdeferred_add_callback(
		    watchers[k], trace_loss, k == 0 ? "1" : "2");
	}
	d = start(&w, &seen, trace_body_end, "b", WRITE);
	next = evrwlock_writer_acquire(lock);
	evdeferred_add_callback(next, enter_and_leave, "n");
	lose();
	settle();
	ck_assert_str_eq(trace, "b12n");
	evdeferred_free(d);
	evdeferred_free(next);
	for (k = 0; k < 2; k++)
		evdeferred_free(watchers[k]);
	done(NULL, 0);
}
END_TEST

START_TEST(a_watcher_can_be_given_up)
{
	struct evdeferred *d[3];
	struct seen seen[3];
	struct waiter p;
	int k;

	make_lock_with_rights(_i);
	for (k = 0; k < 3; k++)
		watch(&seen[k], &d[k]);
	evdeferred_cancel(d[0]);
	ck_assert_int_eq(seen[0].code, ECANCELED);
	evdeferred_free(d[1]);
	reader(&p);
	settle();
	lose();
	ck_assert_int_eq(seen[1].values, 0);
	ck_assert_int_eq(seen[2].values, 1);
	REFUSED(release(&p), ESTALE);
	evdeferred_free(d[0]);
	evdeferred_free(d[2]);
	done(&p, 1);
}
END_TEST

static struct seen again;
static struct evdeferred *rearmed, *rivals[2];

static struct evresult
watch_again(void *value, void *arg)
{
	int k;

	(void)arg;
	watch(&again, &rearmed);
	for (k = 0; k < 2; k++)
		evdeferred_free(rivals[k]);
	return evresult_value(value);
}

START_TEST(a_watcher_may_watch_again_and_free_others)
{
	struct evdeferred *d;
	struct seen other;
	struct waiter p;

	make_lock_with_rights(_i);
	watch(&other, &rivals[0]);
	/* That one is told, and freed then. */
	d = evrwlock_lost(lock);
	evdeferred_add_callback(d, watch_again, NULL);
	watch(&again, &rivals[1]);
	reader(&p);
	settle();
	lose();
	ck_assert_int_eq(other.values, 1);
	/* That is for the next loss. */
	ck_assert_int_eq(again.values, 0);
	REFUSED(release(&p), ESTALE);
	evdeferred_free(p.d);
	reader(&p);
	settle();
	lose();
	ck_assert_int_eq(again.values, 1);
	check_lost(2);
	REFUSED(release(&p), ESTALE);
	evdeferred_free(d);
	evdeferred_free(rearmed);
	done(&p, 1);
}
END_TEST

static struct evresult
free_lock_and_leave(void *value, void *arg)
{
	evrwlock_free(lock);
	REFUSED(release(arg), ESTALE);
	return evresult_value(value);
}

START_TEST(a_watcher_may_close_the_lock)
{
	struct evdeferred *d, *other;
	struct waiter p;
	struct seen seen;

	make_lock_with_rights(_i);
	reader(&p);
	settle();
	d = evrwlock_lost(lock);
	evdeferred_add_callback(d, free_lock_and_leave, &p);
	watch(&seen, &other);
	lose();
	/* It has been lost before it was closed. */
	ck_assert_int_eq(seen.values, 1);
	ck_assert_int_eq(rights_left, 1);
	free_waiters(&p, 1);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(a_watcher_fails_when_the_lock_is_closed)
{
	struct evdeferred *d[2];
	struct seen seen[2];
	struct waiter p;

	make_lock_with_rights(_i);
	reader(&p);
	settle();
	watch(&seen[0], &d[0]);
	evrwlock_free(lock);
	ck_assert_int_eq(seen[0].code, ESHUTDOWN);
	watch(&seen[1], &d[1]);
	ck_assert_int_eq(seen[1].code, ESHUTDOWN);
	ck_assert_int_eq(release(&p), 0);
	free_waiters(&p, 1);
	evdeferred_free(d[0]);
	evdeferred_free(d[1]);
}
END_TEST

START_TEST(a_watcher_fails_when_the_base_is_closed)
{
	struct evdeferred *d;
	struct seen seen;

	make_lock_with_rights(_i);
	watch(&seen, &d);
	support_free_base();
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	evrwlock_free(lock);
}
END_TEST

/* An error of the source is no loss. */
START_TEST(a_watcher_stays_when_waiters_fail)
{
	struct evdeferred *d;
	struct seen seen;
	struct waiter p;

	make_lock_with_rights(_i);
	watch(&seen, &d);
	rights->most = EVRIGHT_NONE;
	reader(&p);
	rights->source.error = EIO;
	evwaitqueue_fail_(&lock->lock.queue);
	ck_assert_int_eq(p.failed, EIO);
	ck_assert_int_eq(seen.failures, 0);
	evdeferred_free(d);
	done(&p, 1);
}
END_TEST

static int
take_piece(const char *text, size_t length, void *arg)
{
	strncat(arg, text, length);
	return 0;
}

/* A report on the lock says that. */
static void
check_report(enum evdefer_report_format format, const char *what)
{
	char text[4096] = "";
	struct evdeferred *d =
	    evdefer_base_report(base, format, take_piece, text);

	ck_assert_ptr_nonnull(d);
	settle();
	ck_assert_msg(strstr(text, what) != NULL, "no %s in %s", what, text);
	evdeferred_free(d);
}

START_TEST(a_report_says_that_it_is_lost)
{
	struct waiter p;

	make_lock_with_rights(_i);
	reader(&p);
	settle();
	check_report(EVDEFER_REPORT_TEXT, "reach tests, right read");
	lose();
	check_report(EVDEFER_REPORT_TEXT, "reach tests, right lost");
	check_report(EVDEFER_REPORT_JSON, "\"right\":\"lost\"");
	check_report(EVDEFER_REPORT_GRAPH, "right lost");
	REFUSED(release(&p), ESTALE);
	done(&p, 1);
}
END_TEST

static Suite *
lost_with_suite(void)
{
	Suite *suite = suite_create("lost with");
	TCase *bodies = add_case(suite, "bodies");
	TCase *watchers = add_case(suite, "watchers");

	tcase_add_loop_test(bodies, a_body_is_cancelled, 0, 4);
	tcase_add_loop_test(bodies, the_failure_says_what_has_happened, 0, 2);
	tcase_add_loop_test(
	    bodies, a_body_that_ends_well_is_lost_all_the_same, 0, 2);
	tcase_add_loop_test(bodies, a_body_may_take_its_time_to_end, 0, 2);
	tcase_add_loop_test(bodies, a_body_that_has_ended_is_not_lost, 0, 2);
	tcase_add_loop_test(bodies, a_body_may_find_the_loss, 0, 4);
	tcase_add_loop_test(bodies, a_link_of_a_body_may_find_the_loss, 0, 2);
	tcase_add_loop_test(bodies, a_body_may_be_a_coroutine, 0, 4);
	tcase_add_loop_test(bodies,
	    a_cancel_that_a_body_has_not_taken_is_for_nobody_else, 0, 2);
	tcase_add_loop_test(
	    bodies, a_body_that_waits_for_the_lock_runs_later, 0, 2);
	tcase_add_loop_test(bodies, a_body_that_waits_may_be_given_up, 0, 2);
	tcase_add_loop_test(
	    bodies, a_body_that_begins_after_the_loss_is_not_run, 0, 4);
	tcase_add_loop_test(
	    bodies, a_body_fails_where_its_acquire_is_refused, 0, 2);
	tcase_add_loop_test(
	    bodies, a_body_can_be_cancelled_or_freed_as_ever, 0, 2);
	tcase_add_loop_test(bodies, a_body_whose_owner_was_freed_goes_on, 0, 4);
	tcase_add_loop_test(
	    bodies, a_body_whose_owner_is_freed_after_the_loss_is_lost, 0, 2);
	tcase_add_loop_test(bodies, a_body_may_free_another_one, 0, 2);
	tcase_add_loop_test(bodies, a_body_may_close_the_lock, 0, 2);
	tcase_add_loop_test(bodies, bodies_in_bodies_are_cancelled_once, 0, 2);

	tcase_add_loop_test(
	    watchers, all_are_told_in_order_before_anybody_enters, 0, 2);
	tcase_add_loop_test(watchers, a_watcher_can_be_given_up, 0, 2);
	tcase_add_loop_test(
	    watchers, a_watcher_may_watch_again_and_free_others, 0, 2);
	tcase_add_loop_test(watchers, a_watcher_may_close_the_lock, 0, 2);
	tcase_add_loop_test(
	    watchers, a_watcher_fails_when_the_lock_is_closed, 0, 2);
	tcase_add_loop_test(
	    watchers, a_watcher_fails_when_the_base_is_closed, 0, 2);
	tcase_add_loop_test(watchers, a_watcher_stays_when_waiters_fail, 0, 2);
	tcase_add_loop_test(watchers, a_report_says_that_it_is_lost, 0, 2);
	return suite;
}

int
main(void)
{
	return support_main(lost_with_suite());
}
