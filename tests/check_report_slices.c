/* SPDX-License-Identifier: MIT */
/* How a report gets along with everything else: the loop goes on between its pieces,
 * whoever takes them may do anything, and memory may run out. */
#include "reports.h"
#include "shortage.h"
#include "waiters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCKS 1000

static struct evrwlock **locks;
static struct evdeferred **waits;
static size_t lock_count, wait_count;

/* Makes locks that a writer is inside, with so many that wait for each. */
static void
make_locks(size_t count, size_t waiters)
{
	size_t i;

	locks = support_array(count, sizeof(struct evrwlock *));
	waits = support_array(count * waiters, sizeof(struct evdeferred *));
	lock_count = count;
	wait_count = 0;
	while (count-- > 0) {
		locks[count] = evrwlock_new(base, 0);
		evrwlock_writer_try(locks[count]);
		for (i = 0; i < waiters; i++)
			waits[wait_count++] = evrwlock_acquire(
			    locks[count], NULL, mode_of((int)i));
	}
}

static void
free_locks(void)
{
	while (wait_count > 0)
		evdeferred_free(waits[--wait_count]);
	while (lock_count > 0) {
		lock_count--;
		evrwlock_writer_release(locks[lock_count]);
		evrwlock_free(locks[lock_count]);
	}
	free(waits);
	free(locks);
}

/* Runs it to its end, and notes the most pieces that a turn has brought. */
static int
take_turns(void)
{
	size_t before, length;
	int count = 0;

	while (!evdeferred_has_fired(reader.d) && count < 100000) {
		before = reader.pieces;
		length = reader.length;
		turns(1);
		if (reader.pieces - before > reader.most)
			reader.most = reader.pieces - before;
		length = reader.length - length - reader.last;
		if (length > reader.most_before)
			reader.most_before = length;
		count++;
	}
	return count;
}

START_TEST(thousand_locks_take_several_turns)
{
	make_locks(LOCKS, 0);
	start_report(EVDEFER_REPORT_TEXT);
	ck_assert_int_ge(take_turns(), LOCKS / EVDEFER_BASE_BATCH);
	ck_assert_uint_eq(reader.pieces, LOCKS + 1);
	/* Each lock, and who is inside, is as much as a delivery. */
	ck_assert_uint_le(reader.most, EVDEFER_BASE_BATCH);
	end_report(0);
	free_locks();
}
END_TEST

/* A thousand locks with as many waiters as the scale allows: each of the first ones
 * counts as a delivery, though it is not a line of its own. */
START_TEST(thousand_locks_with_a_million_waiters)
{
	const size_t waiters = support_scale() / LOCKS;

	make_locks(LOCKS, waiters);
	start_report(EVDEFER_REPORT_JSON);
	ck_assert_int_gt(take_turns(), LOCKS / EVDEFER_BASE_BATCH);
	ck_assert_uint_eq(reader.pieces, LOCKS + 1);
	if (waiters >= EVDEFER_REPORT_NAMES)
		ck_assert_uint_le(
		    reader.most, EVDEFER_BASE_BATCH / EVDEFER_REPORT_NAMES + 1);
	end_report(0);
	free_locks();
}
END_TEST

/* A piece may have few lines, and be long: it is the text that takes the time, above all
 * with debugging, and as a graph. */
START_TEST(long_text_takes_more_of_a_turn)
{
	const size_t budget = 64 * EVDEFER_BASE_BATCH;
	char name[1001] = "";
	struct evowner *owners[8];
	struct evrwlock *many[20];
	size_t i, lock;

	memset(name, 'n', sizeof(name) - 1);
	for (i = 0; i < 8; i++)
		owners[i] = new_owner(name);
	for (lock = 0; lock < 20; lock++) {
		many[lock] = evrwlock_new(base, 0);
		for (i = 0; i < 8; i++)
			evrwlock_try(many[lock], owners[i], EVRWLOCK_READ);
	}
	start_report((enum evdefer_report_format)_i);
	ck_assert_int_gt(take_turns(), 1);
	ck_assert_uint_gt(reader.length, 20 * 8 * sizeof(name));
	ck_assert_uint_lt(reader.most_before, budget);
	end_report(0);
	for (i = 0; i < 8; i++)
		evowner_free(owners[i]);
	for (lock = 0; lock < 20; lock++)
		evrwlock_free(many[lock]);
}
END_TEST

START_TEST(one_lock_with_a_million_waiters_is_one_piece)
{
	char expected[64];

	make_locks(1, support_scale());
	start_report(EVDEFER_REPORT_TEXT);
	ck_assert_int_eq(take_turns(), 1);
	ck_assert_uint_eq(reader.pieces, 2);
	/* Each of the first has a line of its own: they alternate. */
	ck_assert_uint_lt(reader.length, 64 * 128);
	snprintf(expected, sizeof(expected), ": inside 1, waiting %zu\n",
	    support_scale());
	reader.text[reader.length] = '\0';
	ck_assert_ptr_nonnull(strstr(reader.text, expected));
	snprintf(expected, sizeof(expected), "and %zu more: read\n",
	    support_scale() / 2 - EVDEFER_REPORT_NAMES / 2);
	ck_assert_ptr_nonnull(strstr(reader.text, expected));
	end_report(0);
	free_locks();
}
END_TEST

static int ticks;

static struct evresult
tick(void *value, void *arg)
{
	(void)arg;
	ticks++;
	evrwlock_reader_release(value);
	return evresult_value(NULL);
}

static int
stop_after_ten(void)
{
	return reader.pieces == 10 ? event_base_loopbreak(loop) : 0;
}

/* What is ready takes turns with the pieces. */
START_TEST(others_are_served_between_the_pieces)
{
	struct evrwlock *lock;
	struct evdeferred *d[5];
	int i;

	make_locks(LOCKS, 0);
	lock = evrwlock_new(base, 0);
	reader.meanwhile = stop_after_ten;
	start_report(EVDEFER_REPORT_TEXT);
	for (i = 0; i < 5; i++) {
		d[i] = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d[i], tick, NULL);
	}
	event_base_dispatch(loop);
	ck_assert_uint_eq(reader.pieces, 10);
	ck_assert_int_eq(ticks, 5);
	event_base_dispatch(loop);
	end_report(0);
	for (i = 0; i < 5; i++)
		evdeferred_free(d[i]);
	evrwlock_free(lock);
	free_locks();
}
END_TEST

static void
run_report(void)
{
	start_report(EVDEFER_REPORT_TEXT);
	event_base_dispatch(loop);
}

START_TEST(report_keeps_the_loop_until_it_is_complete)
{
	make_locks(LOCKS, 0);
	run_report();
	ck_assert_uint_eq(reader.pieces, LOCKS + 1);
	ck_assert_int_eq(events(), 0);
	end_report(0);
	free_locks();
}
END_TEST

START_TEST(locks_that_come_and_go_meanwhile)
{
	struct evrwlock *fresh;
	size_t i;

	make_locks(LOCKS, 0);
	start_report(EVDEFER_REPORT_TEXT);
	turns(1);
	ck_assert_uint_lt(reader.pieces, LOCKS / 2);
	/* The last one made is the first in the array. */
	for (i = 0; i < LOCKS / 2; i++) {
		evrwlock_writer_release(locks[i]);
		evrwlock_free(locks[i]);
		locks[i] = evrwlock_new(base, 0);
		evrwlock_writer_try(locks[i]);
	}
	fresh = evrwlock_new(base, 0);
	take_turns();
	ck_assert_uint_eq(reader.pieces, LOCKS / 2 + 1);
	end_report(0);
	evrwlock_free(fresh);
	free_locks();
}
END_TEST

START_TEST(lock_that_is_freed_and_held_is_told_of)
{
	make_locks(2, 0);
	evrwlock_free(locks[0]);
	start_report(EVDEFER_REPORT_TEXT);
	take_turns();
	ck_assert_uint_eq(reader.pieces, 3);
	reader.text[reader.length] = '\0';
	ck_assert_ptr_nonnull(strstr(reader.text, ", closed\n"));
	end_report(0);
	evrwlock_writer_release(locks[0]);
	locks[0] = locks[1];
	lock_count = 1;
	free_locks();
}
END_TEST

static struct evdeferred *second;
static struct seen second_seen;

static int
count_piece(const char *text, size_t length, void *arg)
{
	(void)text;
	(void)length;
	++*(int *)arg;
	return 0;
}

START_TEST(two_reports_at_once)
{
	int pieces = 0;

	make_locks(LOCKS, 0);
	start_report(EVDEFER_REPORT_TEXT);
	turns(1);
	second = evdefer_base_report(
	    base, EVDEFER_REPORT_JSON, count_piece, &pieces);
	see(second, &second_seen);
	event_base_dispatch(loop);
	ck_assert_uint_eq(reader.pieces, LOCKS + 1);
	ck_assert_int_eq(pieces, LOCKS + 1);
	ck_assert_int_eq(second_seen.values, 1);
	evdeferred_free(second);
	end_report(0);
	free_locks();
}
END_TEST

/*
 * Whoever takes it does something.
 */

static int
fail_at_third(void)
{
	errno = ENOSPC;
	return reader.pieces == 3 ? -1 : 0;
}

static int
fail_with_nothing(void)
{
	errno = 0;
	return -1;
}

static int
fail_without_errno(void)
{
	return -1;
}

START_TEST(write_that_fails_ends_it)
{
	make_locks(10, 0);
	reader.meanwhile = fail_at_third;
	run_report();
	ck_assert_uint_eq(reader.pieces, 3);
	end_report(ENOSPC);
	reader.meanwhile = fail_with_nothing;
	run_report();
	ck_assert_uint_eq(reader.pieces, 1);
	end_report(EIO);
	/* What errno was before is not the reason. */
	errno = ENOSPC;
	reader.meanwhile = fail_without_errno;
	run_report();
	ck_assert_uint_eq(reader.pieces, 1);
	end_report(EIO);
	free_locks();
}
END_TEST

START_TEST(cancel_ends_it)
{
	make_locks(LOCKS, 0);
	start_report(EVDEFER_REPORT_TEXT);
	evdeferred_cancel(reader.d);
	turns(3);
	ck_assert_uint_eq(reader.pieces, 0);
	end_report(ECANCELED);
	start_report(EVDEFER_REPORT_TEXT);
	turns(1);
	ck_assert_uint_gt(reader.pieces, 0);
	ck_assert_uint_lt(reader.pieces, LOCKS);
	evdeferred_cancel(reader.d);
	reader.pieces = 0;
	turns(3);
	ck_assert_uint_eq(reader.pieces, 0);
	end_report(ECANCELED);
	start_report(EVDEFER_REPORT_TEXT);
	turns(1);
	evdeferred_free(reader.d);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	free_locks();
}
END_TEST

static int
cancel_at_third(void)
{
	if (reader.pieces == 3)
		evdeferred_cancel(reader.d);
	return 0;
}

static int
free_at_third(void)
{
	if (reader.pieces == 3)
		evdeferred_free(reader.d);
	return 0;
}

static int
fail_and_free(void)
{
	evdeferred_free(reader.d);
	errno = EIO;
	return -1;
}

START_TEST(whoever_takes_it_may_cancel_or_free_it)
{
	make_locks(10, 0);
	reader.meanwhile = cancel_at_third;
	run_report();
	ck_assert_uint_eq(reader.pieces, 3);
	end_report(ECANCELED);
	reader.meanwhile = free_at_third;
	run_report();
	ck_assert_uint_eq(reader.pieces, 3);
	reader.meanwhile = fail_and_free;
	run_report();
	ck_assert_uint_eq(reader.pieces, 1);
	reader.meanwhile = NULL;
	free_locks();
}
END_TEST

/* Also the one that was told of, which is the last of the array at first. */
static int
free_all_locks(void)
{
	if (reader.pieces == 1)
		free_locks();
	return 0;
}

static int
make_one_more(void)
{
	struct evrwlock *lock = evrwlock_new(base, 0);

	/* As the next one may be, which gets its memory. */
	evrwlock_writer_try(lock);
	evrwlock_free(lock);
	evrwlock_writer_release(lock);
	return 0;
}

START_TEST(whoever_takes_it_may_free_and_make_locks)
{
	make_locks(10, 10);
	reader.meanwhile = free_all_locks;
	start_report(EVDEFER_REPORT_GRAPH);
	event_base_dispatch(loop);
	ck_assert_uint_eq(reader.pieces, 2);
	end_report(0);
	make_locks(10, 0);
	reader.meanwhile = make_one_more;
	start_report(EVDEFER_REPORT_GRAPH);
	event_base_dispatch(loop);
	ck_assert_uint_eq(reader.pieces, 11);
	end_report(0);
	free_locks();
}
END_TEST

static int
start_another(void)
{
	if (reader.pieces == 1) {
		second = evdefer_base_report(
		    base, EVDEFER_REPORT_TEXT, count_piece, &ticks);
		see(second, &second_seen);
	}
	return 0;
}

START_TEST(whoever_takes_it_may_start_another)
{
	make_locks(10, 0);
	reader.meanwhile = start_another;
	run_report();
	ck_assert_uint_eq(reader.pieces, 11);
	ck_assert_int_eq(ticks, 11);
	ck_assert_int_eq(second_seen.values, 1);
	evdeferred_free(second);
	end_report(0);
	free_locks();
}
END_TEST

static int
free_base_at_third(void)
{
	if (reader.pieces == 3)
		support_free_base();
	return 0;
}

START_TEST(report_is_completed_when_the_base_is_freed)
{
	make_locks(LOCKS, 0);
	start_report(EVDEFER_REPORT_TEXT);
	turns(1);
	support_free_base();
	ck_assert_uint_eq(reader.pieces, LOCKS + 1);
	end_report(0);
	free_locks();
}
END_TEST

START_TEST(whoever_takes_it_may_free_the_base)
{
	make_locks(LOCKS, 0);
	reader.meanwhile = free_base_at_third;
	start_report(EVDEFER_REPORT_TEXT);
	turns(1);
	ck_assert_uint_eq(reader.pieces, LOCKS + 1);
	end_report(0);
	free_locks();
}
END_TEST

/* The other one, which has not come so far, is completed meanwhile. */
START_TEST(base_is_freed_by_one_of_two_reports)
{
	int pieces = 0;

	make_locks(LOCKS, 0);
	reader.meanwhile = free_base_at_third;
	start_report(EVDEFER_REPORT_TEXT);
	second = evdefer_base_report(
	    base, EVDEFER_REPORT_JSON, count_piece, &pieces);
	see(second, &second_seen);
	turns(1);
	ck_assert_uint_eq(reader.pieces, LOCKS + 1);
	ck_assert_int_eq(pieces, LOCKS + 1);
	ck_assert_int_eq(second_seen.values, 1);
	evdeferred_free(second);
	end_report(0);
	free_locks();
}
END_TEST

static int
free_base_and_report(void)
{
	if (reader.pieces == 3) {
		support_free_base();
		evdeferred_free(reader.d);
	}
	return 0;
}

START_TEST(whoever_takes_it_may_free_the_base_and_it)
{
	make_locks(LOCKS, 0);
	reader.meanwhile = free_base_and_report;
	start_report(EVDEFER_REPORT_TEXT);
	turns(1);
	ck_assert_uint_eq(reader.pieces, 3);
	reader.meanwhile = NULL;
	free_locks();
}
END_TEST

static struct evresult
free_it(void *value, void *arg)
{
	(void)arg;
	evdeferred_free(reader.d);
	free_locks();
	support_free_base();
	return evresult_value(value);
}

START_TEST(end_of_the_report_may_be_that_of_all)
{
	make_locks(10, 0);
	start_report(EVDEFER_REPORT_TEXT);
	evdeferred_add_callback(reader.d, free_it, NULL);
	turns(1);
	ck_assert_int_eq(reader.seen.values, 1);
}
END_TEST

/*
 * Memory.
 */

/* Whether it was complete, without ck_assert(). */
static void
try_report(void *arg)
{
	struct evdefer_base *own = evdefer_base_new(loop);
	struct evrwlock *lock = own != NULL ? evrwlock_new(own, 0) : NULL;
	struct evdeferred *d;
	struct seen seen = {0};
	int pieces = 0;

	if (lock != NULL) {
		evrwlock_set_name(lock, arg);
		d = evdefer_base_report(
		    own, (enum evdefer_report_format)0, count_piece, &pieces);
		if (d != NULL && evdeferred_add_callbacks(
				     d, see_value, see_failure, &seen) == 0) {
			event_base_loop(loop, EVLOOP_NONBLOCK);
			if (seen.values + seen.failures != 1 ||
			    (seen.failures == 1 && seen.code != ENOMEM) ||
			    (seen.values == 1 && pieces != 2))
				ck_abort_msg("neither complete nor ENOMEM");
		}
		evdeferred_free(d);
	}
	evrwlock_free(lock);
	evdefer_base_free(own);
}

/* _i: whether all allocations after it fail, too. */
START_TEST(report_without_memory_fails)
{
	char *name = support_array(5001, 1);
	size_t n = 1;

	memset(name, 'n', 5000);
	while (alloc_works() && fails_at(n, _i == 1, try_report, name))
		n++;
	ck_assert(n > 5 || !alloc_works());
	free(name);
}
END_TEST

static Suite *
report_suite(void)
{
	Suite *suite = suite_create("report_slices");
	TCase *tcase = add_case(suite, "slices");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, thousand_locks_take_several_turns);
	tcase_add_test(tcase, thousand_locks_with_a_million_waiters);
	tcase_add_loop_test(tcase, long_text_takes_more_of_a_turn, 0, 3);
	tcase_add_test(tcase, one_lock_with_a_million_waiters_is_one_piece);
	tcase_add_test(tcase, others_are_served_between_the_pieces);
	tcase_add_test(tcase, report_keeps_the_loop_until_it_is_complete);
	tcase_add_test(tcase, locks_that_come_and_go_meanwhile);
	tcase_add_test(tcase, lock_that_is_freed_and_held_is_told_of);
	tcase_add_test(tcase, two_reports_at_once);

	tcase = add_case(suite, "user code");
	tcase_add_test(tcase, write_that_fails_ends_it);
	tcase_add_test(tcase, cancel_ends_it);
	tcase_add_test(tcase, whoever_takes_it_may_cancel_or_free_it);
	tcase_add_test(tcase, whoever_takes_it_may_free_and_make_locks);
	tcase_add_test(tcase, whoever_takes_it_may_start_another);
	tcase_add_test(tcase, report_is_completed_when_the_base_is_freed);
	tcase_add_test(tcase, whoever_takes_it_may_free_the_base);
	tcase_add_test(tcase, base_is_freed_by_one_of_two_reports);
	tcase_add_test(tcase, whoever_takes_it_may_free_the_base_and_it);
	tcase_add_test(tcase, end_of_the_report_may_be_that_of_all);

	tcase = add_case(suite, "memory");
	tcase_add_loop_test(tcase, report_without_memory_fails, 0, 2);
	return suite;
}

int
main(void)
{
	return support_main(report_suite());
}
