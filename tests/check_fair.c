/* SPDX-License-Identifier: MIT */
/* Policies of evdefer/rwlock.h: EVRWLOCK_FAIR, and a limit of the readers. */
#include "rwlocks.h"

#include <stdlib.h>
#include <string.h>

static void
make_fair(int i)
{
	lock = evrwlock_new(
	    base, EVRWLOCK_FAIR | (i % 2 == 1 ? EVRWLOCK_FAST : 0));
	ck_assert_ptr_nonnull(lock);
}

/* One waiter for each letter: r, u or w. */
static void
want_all(struct waiter *waiters, const char *modes)
{
	int i;

	for (i = 0; modes[i] != '\0'; i++)
		want(&waiters[i], modes[i] == 'r'   ? EVRWLOCK_READ
				  : modes[i] == 'u' ? EVRWLOCK_UPGRADABLE
						    : EVRWLOCK_WRITE);
	settle();
}

/* Who is inside or was, by number. */
static void
granted(const struct waiter *waiters, const char *expected)
{
	char seen[32] = "";
	int i;

	for (i = 0; expected[i] != '\0'; i++)
		seen[i] = waiters[i].granted > 0 ? '1' : '0';
	ck_assert_str_eq(seen, expected);
}

/* Fairness. */

START_TEST(first_come_first_served)
{
	struct waiter w[7];

	make_fair(_i);
	want_all(w, "wrrwrwr");
	granted(w, "1000000");
	leave(&w[0]);
	granted(w, "1110000");
	leave(&w[2]);
	granted(w, "1110000");
	leave(&w[1]);
	granted(w, "1111000");
	leave(&w[3]);
	/* Not the second writer, which has come later. */
	granted(w, "1111100");
	leave(&w[4]);
	granted(w, "1111110");
	leave(&w[5]);
	granted(w, "1111111");
	leave(&w[6]);
	done(w, 7);
}
END_TEST

START_TEST(a_newcomer_queues_behind_a_writer_that_waits)
{
	struct waiter w[4];

	make_fair(_i);
	want_all(w, "rwrw");
	granted(w, "1000");
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_READ), EBUSY);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_UPGRADABLE), EBUSY);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_WRITE), EBUSY);
	leave(&w[0]);
	granted(w, "1100");
	leave(&w[1]);
	granted(w, "1110");
	leave(&w[2]);
	leave(&w[3]);
	done(w, 4);
}
END_TEST

START_TEST(an_upgradable_counts_as_a_reader_of_its_place)
{
	struct waiter w[6];

	make_fair(_i);
	want_all(w, "wruwru");
	leave(&w[0]);
	granted(w, "111000");
	leave(&w[1]);
	leave(&w[2]);
	granted(w, "111100");
	leave(&w[3]);
	granted(w, "111111");
	leave(&w[4]);
	leave(&w[5]);
	done(w, 6);
}
END_TEST

/* Another one is that: it waits for its turn, and holds back no reader. */
START_TEST(an_upgradable_that_waits_for_another_lets_readers_pass)
{
	struct waiter w[5];

	make_fair(_i);
	want_all(w, "uurwr");
	granted(w, "10100");
	leave(&w[0]);
	/* Before the writer, which has come later. */
	granted(w, "11100");
	leave(&w[1]);
	leave(&w[2]);
	granted(w, "11110");
	leave(&w[3]);
	leave(&w[4]);
	done(w, 5);
}
END_TEST

START_TEST(one_that_gives_up_lets_the_others_move_on)
{
	struct waiter w[4];
	int way;

	for (way = CANCEL; way < WAYS; way++) {
		make_fair(_i);
		want_all(w, "rwrw");
		set_time(&w[1], way);
		give_up(&w[1], way);
		settle();
		granted(w, "1010");
		leave(&w[0]);
		leave(&w[2]);
		granted(w, "1011");
		leave(&w[3]);
		done(w, 4);
	}
}
END_TEST

START_TEST(an_upgrade_still_comes_first)
{
	struct waiter w[4], up;

	make_fair(_i);
	want_all(w, "ruwr");
	wait_with(&up, evrwlock_upgrade(lock, NULL), lock);
	settle();
	leave(&w[0]);
	ck_assert_int_eq(up.granted, 1);
	granted(w, "1100");
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	settle();
	granted(w, "1100");
	leave(&w[1]);
	granted(w, "1110");
	leave(&w[2]);
	leave(&w[3]);
	free_waiters(&up, 1);
	done(w, 4);
}
END_TEST

START_TEST(downgrades_let_in_who_is_next)
{
	struct waiter w[4];

	make_fair(_i);
	want_all(w, "wrwr");
	ck_assert_int_eq(
	    evrwlock_downgrade(lock, NULL, EVRWLOCK_WRITE, EVRWLOCK_READ), 0);
	settle();
	granted(w, "1100");
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
	leave(&w[1]);
	granted(w, "1110");
	leave(&w[2]);
	leave(&w[3]);
	done(w, 4);
}
END_TEST

/* One that asks again as soon as it has been inside. */
struct restless {
	struct evdeferred *d;
	enum evrwlock_mode mode;
	int entries;
	bool stop;
};
static int entries; /* of all of them */

static void ask_again(struct restless *restless);

static struct evresult
enter_and_leave(void *value, void *arg)
{
	struct restless *restless = arg;
	struct evdeferred *old = restless->d;

	(void)value;
	restless->entries++;
	entries++;
	if (!restless->stop)
		ask_again(restless);
	ck_assert_int_eq(evrwlock_release(lock, NULL, restless->mode), 0);
	evdeferred_free(old);
	return evresult_value(NULL);
}

/* It is in the queue again before it leaves. */
static void
ask_again(struct restless *restless)
{
	restless->d = evrwlock_acquire(lock, NULL, restless->mode);
	ck_assert_ptr_nonnull(restless->d);
	ck_assert_int_eq(
	    evdeferred_add_callback(restless->d, enter_and_leave, restless), 0);
}

/* How many others come before one that has just come, while they never pause. */
static int
others_before(enum evrwlock_mode mode, enum evrwlock_mode theirs, int count)
{
	struct restless *others = support_array((size_t)count, sizeof(*others));
	struct waiter one;
	int before, i;

	for (i = 0; i < count; i++) {
		others[i].mode = theirs;
		ask_again(&others[i]);
	}
	for (i = 0; i < 10; i++)
		turns(1);
	ck_assert_int_gt(entries, 0);
	want(&one, mode);
	before = entries;
	for (i = 0; i < 10000 && one.granted == 0; i++)
		turns(1);
	before = entries - before;
	ck_assert_int_eq(one.granted, 1);
	for (i = 0; i < count; i++)
		others[i].stop = true;
	leave(&one);
	turns(2 * count);
	done(&one, 1);
	free(others);
	return before;
}

/* Each of those that were there may be inside once.  What the loop delivers in the same
 * turn as the one is counted too: they are readers that enter with it, or nobody. */
START_TEST(a_reader_among_writers_that_never_pause)
{
	make_fair(0);
	ck_assert_int_le(others_before(EVRWLOCK_READ, EVRWLOCK_WRITE, 10), 11);
}
END_TEST

START_TEST(an_upgradable_among_writers_that_never_pause)
{
	make_fair(0);
	ck_assert_int_le(
	    others_before(EVRWLOCK_UPGRADABLE, EVRWLOCK_WRITE, 10), 11);
}
END_TEST

START_TEST(a_writer_among_writers_that_never_pause)
{
	make_fair(0);
	ck_assert_int_le(others_before(EVRWLOCK_WRITE, EVRWLOCK_WRITE, 10), 11);
}
END_TEST

START_TEST(a_writer_among_readers_that_never_pause)
{
	make_fair(0);
	ck_assert_int_le(others_before(EVRWLOCK_WRITE, EVRWLOCK_READ, 10), 11);
}
END_TEST

START_TEST(a_writer_among_upgradables_that_never_pause)
{
	make_fair(0);
	ck_assert_int_le(
	    others_before(EVRWLOCK_WRITE, EVRWLOCK_UPGRADABLE, 10), 11);
}
END_TEST

/* Granted one by one, and none is forgotten. */
START_TEST(many_readers_behind_a_writer)
{
	const size_t count = support_scale() / 10;
	struct evdeferred **readers = support_array(count, sizeof(*readers));
	struct waiter w[2];
	size_t i;

	make_fair(0);
	writer(&w[0]);
	settle();
	for (i = 0; i < count; i++) {
		readers[i] = evrwlock_reader_acquire(lock);
		ck_assert_ptr_nonnull(readers[i]);
	}
	writer(&w[1]);
	ck_assert_int_eq(release(&w[0]), 0);
	counts(count, 0, 0, 1);
	for (i = 0; i < count; i++)
		evdeferred_free(readers[i]);
	settle();
	ck_assert_int_eq(w[1].granted, 1);
	leave(&w[1]);
	free(readers);
	done(w, 2);
}
END_TEST

/* A limit. */

START_TEST(no_more_readers_than_the_limit)
{
	struct waiter w[5];

	make_lock(_i);
	ck_assert_uint_eq(evrwlock_get_reader_limit(lock), 0);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 2), 0);
	ck_assert_uint_eq(evrwlock_get_reader_limit(lock), 2);
	want_all(w, "rrrrr");
	granted(w, "11000");
	counts(2, 0, 3, 0);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_READ), EBUSY);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_UPGRADABLE), EBUSY);
	leave(&w[0]);
	granted(w, "11100");
	leave(&w[1]);
	granted(w, "11110");
	leave(&w[2]);
	leave(&w[3]);
	granted(w, "11111");
	leave(&w[4]);
	done(w, 5);
}
END_TEST

START_TEST(a_limit_that_changes)
{
	struct waiter w[6];

	make_lock(_i);
	want_all(w, "rrr");
	/* It lets nobody out. */
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
	counts(3, 0, 0, 0);
	want_all(w + 3, "rrr");
	counts(3, 0, 3, 0);
	leave(&w[0]);
	leave(&w[1]);
	counts(1, 0, 3, 0);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 3), 0);
	settle();
	granted(w, "111110");
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 0), 0);
	settle();
	granted(w, "111111");
	counts(4, 0, 0, 0);
	leave(&w[2]);
	leave(&w[3]);
	leave(&w[4]);
	leave(&w[5]);
	done(w, 6);
}
END_TEST

START_TEST(an_upgradable_is_one_of_them)
{
	struct waiter w[5], up;

	make_lock(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 2), 0);
	want_all(w, "ururu");
	granted(w, "11000");
	leave(&w[1]);
	/* No second one: the reader behind it enters. */
	granted(w, "11010");
	leave(&w[0]);
	granted(w, "11110");
	leave(&w[3]);
	/* Its upgrade needs no place. */
	wait_with(&up, evrwlock_upgrade(lock, NULL), lock);
	settle();
	ck_assert_int_eq(up.granted, 1);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	leave(&w[2]);
	granted(w, "11111");
	leave(&w[4]);
	free_waiters(&up, 1);
	done(w, 5);
}
END_TEST

/* Also where it is the older one that needs a place, and not the reader. */
START_TEST(a_place_is_the_one_of_whom_that_came_first)
{
	struct waiter w[3];

	make_lock(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
	want_all(w, "rur");
	leave(&w[0]);
	granted(w, "110");
	leave(&w[1]);
	granted(w, "111");
	leave(&w[2]);
	done(w, 3);
}
END_TEST

START_TEST(writers_are_preferred_all_the_same)
{
	struct waiter w[4];

	make_lock(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
	want_all(w, "rrwr");
	granted(w, "1000");
	leave(&w[0]);
	granted(w, "1010");
	leave(&w[2]);
	granted(w, "1110");
	leave(&w[1]);
	leave(&w[3]);
	done(w, 4);
}
END_TEST

START_TEST(fair_with_a_limit)
{
	struct waiter w[6];

	make_fair(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
	want_all(w, "rrwrwr");
	leave(&w[0]);
	granted(w, "110000");
	leave(&w[1]);
	granted(w, "111000");
	leave(&w[2]);
	granted(w, "111100");
	/* Without it the lock is as fair as before. */
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 0), 0);
	leave(&w[3]);
	granted(w, "111110");
	leave(&w[4]);
	leave(&w[5]);
	done(w, 6);
}
END_TEST

START_TEST(one_that_waits_for_a_place_gives_up)
{
	struct waiter w[3];
	int way;

	for (way = CANCEL; way < WAYS; way++) {
		make_lock(_i);
		ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
		want_all(w, "rrr");
		set_time(&w[1], way);
		give_up(&w[1], way);
		settle();
		leave(&w[0]);
		granted(w, "101");
		leave(&w[2]);
		done(w, 3);
	}
}
END_TEST

START_TEST(a_downgrade_needs_no_place)
{
	struct waiter w[3];

	make_lock(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
	want_all(w, "wru");
	ck_assert_int_eq(
	    evrwlock_downgrade(lock, NULL, EVRWLOCK_WRITE, EVRWLOCK_READ), 0);
	settle();
	counts(1, 0, 1, 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
	settle();
	granted(w, "110");
	leave(&w[1]);
	leave(&w[2]);
	done(w, 3);
}
END_TEST

START_TEST(an_owner_that_is_inside_needs_no_place)
{
	struct evowner *ann = new_owner("ann");
	struct waiter w[2];

	make_lock(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
	ck_assert_int_eq(evrwlock_try(lock, ann, EVRWLOCK_READ), 0);
	want_all(w, "r");
	ck_assert_int_eq(evrwlock_try(lock, ann, EVRWLOCK_READ), 0);
	counts(2, 0, 1, 0);
	ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_READ), 0);
	settle();
	granted(w, "0");
	ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_READ), 0);
	settle();
	granted(w, "1");
	leave(&w[0]);
	evowner_free(ann);
	done(w, 1);
}
END_TEST

START_TEST(a_wait_for_a_place_closes_a_cycle)
{
	struct evowner *ann = new_owner("ann"), *bob = new_owner("bob");
	struct evrwlock *other = new_lock(0);
	struct waiter a, b;

	make_lock(_i);
	ck_assert_int_eq(
	    evrwlock_set_reader_limit(lock, _i / 2 == 0 ? 1 : 2), 0);
	ck_assert_int_eq(evrwlock_try(lock, ann, EVRWLOCK_READ), 0);
	if (_i / 2 == 1)
		ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_try(other, bob, EVRWLOCK_WRITE), 0);
	wait_with(&b, evrwlock_acquire(lock, bob, EVRWLOCK_READ), lock);
	wait_with(&a, evrwlock_acquire(other, ann, EVRWLOCK_WRITE), other);
	settle();
	/* With two places the other one may be free some day. */
	ck_assert_int_eq(a.failed, _i / 2 == 0 ? EDEADLK : 0);
	evdeferred_cancel(a.d);
	evowner_free(ann);
	settle();
	ck_assert_int_eq(b.granted, 1);
	evowner_free(bob);
	if (_i / 2 == 1)
		ck_assert_int_eq(
		    evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
	evrwlock_free(other);
	free_waiters(&a, 1);
	done(&b, 1);
}
END_TEST

/* Under fairness a reader that waits stands in front of a writer. */
START_TEST(a_cycle_behind_a_reader)
{
	struct evowner *ann = new_owner("ann"), *bob = new_owner("bob");
	struct evrwlock *other = new_lock(0);
	struct waiter b[2], a, w;

	make_fair(_i);
	want_all(&w, "w");
	ck_assert_int_eq(evrwlock_try(other, ann, EVRWLOCK_WRITE), 0);
	wait_with(&b[0], evrwlock_acquire(lock, bob, EVRWLOCK_READ), lock);
	wait_with(&b[1], evrwlock_acquire(other, bob, EVRWLOCK_WRITE), other);
	wait_with(&a, evrwlock_acquire(lock, ann, EVRWLOCK_WRITE), lock);
	settle();
	ck_assert_int_eq(a.failed, EDEADLK);
	ck_assert_ptr_nonnull(strstr(a.message, "behind bob"));
	leave(&w);
	ck_assert_int_eq(b[0].granted, 1);
	evowner_free(ann);
	evowner_free(bob);
	settle();
	free_waiters(&a, 1);
	free_waiters(b, 2);
	evrwlock_free(other);
	done(&w, 1);
}
END_TEST

/* Under fairness its write waits for its read, and for nobody else: no deadlock, either
 * with the writer inside or with one that reads beside it. */
START_TEST(an_owner_that_asks_to_read_and_then_to_write)
{
	struct evowner *ann = new_owner("ann"), *bob = new_owner("bob");
	struct evrwlock *other = new_lock(0);
	struct waiter a[2], b[2], w;

	make_fair(_i);
	want_all(&w, "w");
	ck_assert_int_eq(evrwlock_try(other, ann, EVRWLOCK_WRITE), 0);
	wait_with(&a[0], evrwlock_acquire(lock, ann, EVRWLOCK_READ), lock);
	wait_with(&b[0], evrwlock_acquire(lock, bob, EVRWLOCK_READ), lock);
	wait_with(&a[1], evrwlock_acquire(lock, ann, EVRWLOCK_WRITE), lock);
	wait_with(&b[1], evrwlock_acquire(other, bob, EVRWLOCK_WRITE), other);
	settle();
	ck_assert_int_eq(a[1].failed, 0);
	ck_assert_int_eq(b[1].failed, 0);
	leave(&w);
	ck_assert_int_eq(a[0].granted, 1);
	ck_assert_int_eq(b[0].granted, 1);
	ck_assert_int_eq(evrwlock_release(other, ann, EVRWLOCK_WRITE), 0);
	settle();
	ck_assert_int_eq(b[1].granted, 1);
	evowner_free(bob);
	ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_READ), 0);
	settle();
	ck_assert_int_eq(a[1].granted, 1);
	evowner_free(ann);
	free_waiters(a, 2);
	free_waiters(b, 2);
	evrwlock_free(other);
	done(&w, 1);
}
END_TEST

static int
append(const char *text, size_t length, void *arg)
{
	char *all = arg;
	const size_t before = strlen(all);

	ck_assert_uint_lt(before + length, 4096);
	memcpy(all + before, text, length);
	all[before + length] = '\0';
	return 0;
}

START_TEST(a_report_names_the_limit)
{
	char text[4096] = "";
	struct evdeferred *d;
	struct waiter w[2];

	make_lock(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
	want_all(w, "ru");
	d = evdefer_base_report(base, EVDEFER_REPORT_JSON, append, text);
	turns(3);
	ck_assert(evdeferred_has_fired(d));
	ck_assert_ptr_nonnull(strstr(text, "\"limit\":1"));
	ck_assert_ptr_nonnull(strstr(text, "\"mode\":\"upgradable read\""));
	evdeferred_free(d);
	leave(&w[0]);
	leave(&w[1]);
	done(w, 2);
}
END_TEST

/* What is refused. */

START_TEST(bad_arguments)
{
	struct evgroup *group = evgroup_new();

	REFUSED_NULL(evrwlock_new(base, 4), EINVAL);
	REFUSED_NULL(evrwlock_new(NULL, EVRWLOCK_FAIR), EINVAL);
	REFUSED_NULL(
	    evrwlock_new_in_group(group, base, EVRWLOCK_FAIR), ENOTSUP);
	REFUSED_NULL(
	    evrwlock_new_on_file(base, "nowhere", EVRWLOCK_FAIR), ENOTSUP);
	REFUSED(evrwlock_set_reader_limit(NULL, 1), EINVAL);
	ck_assert_uint_eq(evrwlock_get_reader_limit(NULL), 0);
	lock = evrwlock_new_in_group(group, base, 0);
	ck_assert_ptr_nonnull(lock);
	REFUSED(evrwlock_set_reader_limit(lock, 1), ENOTSUP);
	evrwlock_free(lock);
	evgroup_free(group);
	make_lock(0);
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_READ), 0);
	evrwlock_free(lock);
	REFUSED(evrwlock_set_reader_limit(lock, 1), ESHUTDOWN);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
}
END_TEST

START_TEST(one_that_is_closed)
{
	struct waiter w[4];

	make_fair(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(lock, 1), 0);
	want_all(w, "rrwu");
	evrwlock_free(lock);
	settle();
	granted(w, "1000");
	ck_assert_int_eq(w[1].failed, ESHUTDOWN);
	ck_assert_int_eq(w[2].failed, ESHUTDOWN);
	ck_assert_int_eq(w[3].failed, ESHUTDOWN);
	ck_assert_int_eq(release(&w[0]), 0);
	free_waiters(w, 4);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fair");
	TCase *tc = add_case(suite, "fair");

	tcase_add_loop_test(tc, first_come_first_served, 0, 2);
	tcase_add_loop_test(
	    tc, a_newcomer_queues_behind_a_writer_that_waits, 0, 2);
	tcase_add_loop_test(
	    tc, an_upgradable_counts_as_a_reader_of_its_place, 0, 2);
	tcase_add_loop_test(
	    tc, an_upgradable_that_waits_for_another_lets_readers_pass, 0, 2);
	tcase_add_loop_test(
	    tc, one_that_gives_up_lets_the_others_move_on, 0, 2);
	tcase_add_loop_test(tc, an_upgrade_still_comes_first, 0, 2);
	tcase_add_loop_test(tc, downgrades_let_in_who_is_next, 0, 2);
	tcase_add_test(tc, a_reader_among_writers_that_never_pause);
	tcase_add_test(tc, an_upgradable_among_writers_that_never_pause);
	tcase_add_test(tc, a_writer_among_writers_that_never_pause);
	tcase_add_test(tc, a_writer_among_readers_that_never_pause);
	tcase_add_test(tc, a_writer_among_upgradables_that_never_pause);
	tcase_add_test(tc, many_readers_behind_a_writer);
	tcase_add_loop_test(tc, a_cycle_behind_a_reader, 0, 2);
	tcase_add_loop_test(
	    tc, an_owner_that_asks_to_read_and_then_to_write, 0, 2);

	tc = add_case(suite, "limit");
	tcase_add_loop_test(tc, no_more_readers_than_the_limit, 0, 2);
	tcase_add_loop_test(tc, a_limit_that_changes, 0, 2);
	tcase_add_loop_test(tc, an_upgradable_is_one_of_them, 0, 2);
	tcase_add_loop_test(
	    tc, a_place_is_the_one_of_whom_that_came_first, 0, 2);
	tcase_add_loop_test(tc, writers_are_preferred_all_the_same, 0, 2);
	tcase_add_loop_test(tc, fair_with_a_limit, 0, 2);
	tcase_add_loop_test(tc, one_that_waits_for_a_place_gives_up, 0, 2);
	tcase_add_loop_test(tc, a_downgrade_needs_no_place, 0, 2);
	tcase_add_loop_test(tc, an_owner_that_is_inside_needs_no_place, 0, 2);
	tcase_add_loop_test(tc, a_wait_for_a_place_closes_a_cycle, 0, 4);
	tcase_add_loop_test(tc, a_report_names_the_limit, 0, 2);

	tc = add_case(suite, "refused");
	tcase_add_test(tc, bad_arguments);
	tcase_add_loop_test(tc, one_that_is_closed, 0, 2);
	return support_main(suite);
}
