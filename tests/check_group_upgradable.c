/* SPDX-License-Identifier: MIT */
/* Upgradable holds in groups: one over all members, whose upgrade waits for the readers
 * of all, and comes before the writers of all. */
#include "groups.h"

#include <string.h>

static void
upgrade_at(int site, struct waiter *waiter)
{
	struct evrwlock *lock = sites[site].lock;

	wait_with(waiter, evrwlock_upgrade(lock, NULL), lock);
	waiter->mode = EVRWLOCK_WRITE;
}

static void
leave_at(int site, enum evrwlock_mode mode)
{
	ck_assert_int_eq(release_at(site, mode), 0);
	look_all();
}

/* Nobody is inside, waits, or has something due, and all goes as before. */
static void
nothing_left(void)
{
	const struct evgroup_stats stats = group_stats();
	int k;

	ck_assert_uint_eq(stats.writing, 0);
	ck_assert_uint_eq(stats.readers_waiting, 0);
	ck_assert_uint_eq(stats.writers_waiting, 0);
	ck_assert_uint_eq(stats.upgradable, 0);
	ck_assert_uint_eq(stats.upgradables_waiting, 0);
	for (k = 0; k < MEMBERS; k++)
		ck_assert_int_eq(event_base_loop(sites[k].loop, 0), 1);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	ck_assert_int_eq(release_at(0, EVRWLOCK_WRITE), 0);
	look_all();
	for (k = 0; k < MEMBERS; k++) {
		ck_assert_int_eq(evrwlock_reader_try(sites[k].lock), 0);
		ck_assert_int_eq(release_at(k, EVRWLOCK_READ), 0);
	}
	free_group();
}

START_TEST(one_in_the_whole_group)
{
	struct waiter u[4], r;
	int k;

	make_group(_i);
	for (k = 0; k < MEMBERS; k++)
		want_at(k, &u[k], EVRWLOCK_UPGRADABLE);
	want_at(0, &u[3], EVRWLOCK_UPGRADABLE);
	look_all();
	ck_assert_int_eq(u[0].granted, 1);
	ck_assert_int_eq(u[1].granted + u[2].granted + u[3].granted, 0);
	ck_assert_uint_eq(group_stats().upgradable, 1);
	ck_assert_uint_eq(group_stats().upgradables_waiting, 2);
	REFUSED(evrwlock_try(sites[1].lock, NULL, EVRWLOCK_UPGRADABLE), EBUSY);
	/* Readers are not held back: by none of those that wait, either. */
	for (k = 0; k < MEMBERS; k++) {
		want_at(k, &r, EVRWLOCK_READ);
		look(k);
		ck_assert_int_eq(r.granted, 1);
		leave_at(k, EVRWLOCK_READ);
		free_waiters(&r, 1);
	}
	/* In turns. */
	leave_at(0, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(u[1].granted, 1);
	ck_assert_int_eq(u[2].granted + u[3].granted, 0);
	leave_at(1, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(u[2].granted, 1);
	leave_at(2, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(u[3].granted, 1);
	leave_at(0, EVRWLOCK_UPGRADABLE);
	free_waiters(u, 4);
	nothing_left();
}
END_TEST

START_TEST(it_keeps_out_writers_of_others)
{
	struct waiter u, w[2];

	make_group(_i);
	want_at(0, &u, EVRWLOCK_UPGRADABLE);
	look_all();
	REFUSED(evrwlock_writer_try(sites[1].lock), EBUSY);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	want_at(1, &w[0], EVRWLOCK_WRITE);
	want_at(0, &w[1], EVRWLOCK_WRITE);
	look_all();
	ck_assert_int_eq(w[0].granted + w[1].granted, 0);
	/* And a reader that leaves beside it does not let them in. */
	leave_at(0, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(w[0].granted, 1);
	ck_assert_int_eq(w[1].granted, 0);
	leave_at(1, EVRWLOCK_WRITE);
	ck_assert_int_eq(w[1].granted, 1);
	leave_at(0, EVRWLOCK_WRITE);
	free_waiters(&u, 1);
	free_waiters(w, 2);
	nothing_left();
}
END_TEST

/* A reader of its member publishes that it has left: it does not say that nobody is
 * inside. */
START_TEST(a_reader_that_leaves_beside_it_lets_in_no_writer)
{
	struct waiter u, r, w;

	make_group(_i);
	want_at(0, &u, EVRWLOCK_UPGRADABLE);
	want_at(0, &r, EVRWLOCK_READ);
	look_all();
	want_at(1, &w, EVRWLOCK_WRITE);
	look_all();
	leave_at(0, EVRWLOCK_READ);
	ck_assert_int_eq(w.granted, 0);
	leave_at(0, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(w.granted, 1);
	leave_at(1, EVRWLOCK_WRITE);
	free_waiters(&u, 1);
	free_waiters(&r, 1);
	free_waiters(&w, 1);
	nothing_left();
}
END_TEST

START_TEST(it_waits_for_writers_of_others)
{
	struct waiter u[2], w[2], r;

	make_group(_i);
	want_at(0, &w[0], EVRWLOCK_WRITE);
	look_all();
	want_at(1, &u[0], EVRWLOCK_UPGRADABLE);
	want_at(2, &u[1], EVRWLOCK_UPGRADABLE);
	want_at(2, &r, EVRWLOCK_READ);
	want_at(0, &w[1], EVRWLOCK_WRITE);
	look_all();
	ck_assert_int_eq(u[0].granted + u[1].granted + r.granted, 0);
	leave_at(0, EVRWLOCK_WRITE);
	ck_assert_int_eq(w[1].granted, 1);
	leave_at(0, EVRWLOCK_WRITE);
	ck_assert_int_eq(r.granted, 1);
	ck_assert_int_eq(u[0].granted, 1);
	ck_assert_int_eq(u[1].granted, 0);
	leave_at(1, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(u[1].granted, 1);
	leave_at(2, EVRWLOCK_UPGRADABLE);
	leave_at(2, EVRWLOCK_READ);
	free_waiters(w, 2);
	free_waiters(u, 2);
	free_waiters(&r, 1);
	nothing_left();
}
END_TEST

START_TEST(an_upgrade_waits_for_readers_of_others_and_comes_before_writers)
{
	struct waiter u, up, r[3], w[2];

	make_group(_i);
	want_at(0, &u, EVRWLOCK_UPGRADABLE);
	want_at(1, &r[0], EVRWLOCK_READ);
	want_at(0, &r[1], EVRWLOCK_READ);
	look_all();
	want_at(1, &w[0], EVRWLOCK_WRITE);
	want_at(0, &w[1], EVRWLOCK_WRITE);
	upgrade_at(0, &up);
	REFUSED(evrwlock_try_upgrade(sites[0].lock, NULL), EBUSY);
	want_at(2, &r[2], EVRWLOCK_READ);
	look_all();
	ck_assert_int_eq(r[2].granted, 0);
	leave_at(0, EVRWLOCK_READ);
	ck_assert_int_eq(up.granted, 0);
	leave_at(1, EVRWLOCK_READ);
	ck_assert_int_eq(up.granted, 1);
	ck_assert_int_eq(w[0].granted + w[1].granted, 0);
	leave_at(0, EVRWLOCK_WRITE);
	/* The hold is there: no writer enters. */
	ck_assert_int_eq(w[0].granted + w[1].granted, 0);
	leave_at(0, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(w[0].granted + w[1].granted, 1);
	leave_at(w[0].granted > 0 ? 1 : 0, EVRWLOCK_WRITE);
	ck_assert_int_eq(w[0].granted + w[1].granted, 2);
	leave_at(w[0].order > w[1].order ? 1 : 0, EVRWLOCK_WRITE);
	ck_assert_int_eq(r[2].granted, 1);
	leave_at(2, EVRWLOCK_READ);
	free_waiters(&u, 1);
	free_waiters(&up, 1);
	free_waiters(r, 3);
	free_waiters(w, 2);
	nothing_left();
}
END_TEST

/* A writer elsewhere held it back and has given up: it is let in, though its loop has
 * not looked yet.  _i / 2: before a try. */
START_TEST(an_upgrade_comes_after_a_reader_that_is_let_in)
{
	struct waiter u, up, r, w;

	make_group(_i);
	want_at(0, &u, EVRWLOCK_UPGRADABLE);
	look_all();
	want_at(1, &w, EVRWLOCK_WRITE);
	look_all();
	want_at(0, &r, EVRWLOCK_READ);
	look_all();
	ck_assert_int_eq(r.granted, 0);
	give_up(&w, CANCEL);
	if (_i / 2 == 1)
		REFUSED(evrwlock_try_upgrade(sites[0].lock, NULL), EBUSY);
	upgrade_at(0, &up);
	look_all();
	ck_assert_int_eq(r.granted, 1);
	ck_assert_int_eq(up.granted, 0);
	leave_at(0, EVRWLOCK_READ);
	ck_assert_int_eq(up.granted, 1);
	leave_at(0, EVRWLOCK_WRITE);
	leave_at(0, EVRWLOCK_UPGRADABLE);
	free_waiters(&u, 1);
	free_waiters(&up, 1);
	free_waiters(&r, 1);
	free_waiters(&w, 1);
	nothing_left();
}
END_TEST

START_TEST(an_upgrade_that_ends_lets_in_readers_of_others)
{
	struct waiter u, up, r[4];
	int way;

	for (way = CANCEL; way < WAYS_AT_ONCE; way++) {
		make_group(_i);
		want_at(0, &u, EVRWLOCK_UPGRADABLE);
		want_at(1, &r[0], EVRWLOCK_READ);
		look_all();
		upgrade_at(0, &up);
		want_at(2, &r[1], EVRWLOCK_READ);
		want_at(0, &r[2], EVRWLOCK_READ);
		want_at(1, &r[3], EVRWLOCK_READ);
		look_all();
		ck_assert_int_eq(r[1].granted + r[2].granted + r[3].granted, 0);
		give_up(&up, way);
		look_all();
		ck_assert_int_eq(r[1].granted + r[2].granted + r[3].granted, 3);
		ck_assert_uint_eq(group_stats().upgradable, 1);
		REFUSED(evrwlock_writer_try(sites[2].lock), EBUSY);
		leave_at(0, EVRWLOCK_READ);
		leave_at(1, EVRWLOCK_READ);
		leave_at(1, EVRWLOCK_READ);
		leave_at(2, EVRWLOCK_READ);
		ck_assert_int_eq(evrwlock_try_upgrade(sites[0].lock, NULL), 0);
		leave_at(0, EVRWLOCK_WRITE);
		leave_at(0, EVRWLOCK_UPGRADABLE);
		free_waiters(&u, 1);
		free_waiters(&up, 1);
		free_waiters(r, 4);
		nothing_left();
	}
}
END_TEST

/* What was asked for a try that was refused is given back. */
START_TEST(a_try_that_is_refused_holds_back_nobody)
{
	struct waiter u, r[2];

	make_group(_i);
	want_at(0, &u, EVRWLOCK_UPGRADABLE);
	want_at(1, &r[0], EVRWLOCK_READ);
	look_all();
	REFUSED(evrwlock_try_upgrade(sites[0].lock, NULL), EBUSY);
	REFUSED(evrwlock_try(sites[2].lock, NULL, EVRWLOCK_UPGRADABLE), EBUSY);
	ck_assert_uint_eq(group_stats().upgradables_waiting, 0);
	want_at(2, &r[1], EVRWLOCK_READ);
	look(2);
	ck_assert_int_eq(r[1].granted, 1);
	leave_at(2, EVRWLOCK_READ);
	leave_at(1, EVRWLOCK_READ);
	leave_at(0, EVRWLOCK_UPGRADABLE);
	free_waiters(&u, 1);
	free_waiters(r, 2);
	nothing_left();
}
END_TEST

START_TEST(downgrades_let_in_those_of_others)
{
	struct waiter w[2], u, r;

	make_group(_i);
	want_at(0, &w[0], EVRWLOCK_WRITE);
	look_all();
	want_at(1, &u, EVRWLOCK_UPGRADABLE);
	want_at(1, &r, EVRWLOCK_READ);
	look_all();
	ck_assert_int_eq(evrwlock_downgrade(sites[0].lock, NULL, EVRWLOCK_WRITE,
			     EVRWLOCK_UPGRADABLE),
	    0);
	look_all();
	ck_assert_int_eq(r.granted, 1);
	ck_assert_int_eq(u.granted, 0);
	want_at(2, &w[1], EVRWLOCK_WRITE);
	look_all();
	ck_assert_int_eq(evrwlock_downgrade(sites[0].lock, NULL,
			     EVRWLOCK_UPGRADABLE, EVRWLOCK_READ),
	    0);
	look_all();
	/* Not while a writer waits. */
	ck_assert_int_eq(u.granted, 0);
	leave_at(1, EVRWLOCK_READ);
	ck_assert_int_eq(w[1].granted, 0);
	leave_at(0, EVRWLOCK_READ);
	ck_assert_int_eq(w[1].granted, 1);
	ck_assert_int_eq(evrwlock_downgrade(sites[2].lock, NULL, EVRWLOCK_WRITE,
			     EVRWLOCK_READ),
	    0);
	look_all();
	ck_assert_int_eq(u.granted, 1);
	leave_at(2, EVRWLOCK_READ);
	leave_at(1, EVRWLOCK_UPGRADABLE);
	free_waiters(w, 2);
	free_waiters(&u, 1);
	free_waiters(&r, 1);
	nothing_left();
}
END_TEST

START_TEST(one_that_waits_gives_up)
{
	struct waiter u[3];
	int way;

	for (way = CANCEL; way < WAYS_AT_ONCE; way++) {
		make_group(_i);
		want_at(0, &u[0], EVRWLOCK_UPGRADABLE);
		look_all();
		want_at(1, &u[1], EVRWLOCK_UPGRADABLE);
		want_at(2, &u[2], EVRWLOCK_UPGRADABLE);
		look_all();
		give_up(&u[1], way);
		look_all();
		ck_assert_uint_eq(group_stats().upgradables_waiting, 1);
		leave_at(0, EVRWLOCK_UPGRADABLE);
		ck_assert_int_eq(u[2].granted, 1);
		leave_at(2, EVRWLOCK_UPGRADABLE);
		free_waiters(u, 3);
		nothing_left();
	}
}
END_TEST

/* The next was told that it is its turn, and leaves before it looks. */
START_TEST(one_that_was_told_gives_up)
{
	struct waiter u[3];

	make_group(_i);
	want_at(0, &u[0], EVRWLOCK_UPGRADABLE);
	look_all();
	want_at(1, &u[1], EVRWLOCK_UPGRADABLE);
	want_at(2, &u[2], EVRWLOCK_UPGRADABLE);
	look_all();
	ck_assert_int_eq(release_at(0, EVRWLOCK_UPGRADABLE), 0);
	give_up(&u[1], CANCEL);
	look_all();
	ck_assert_int_eq(u[2].granted, 1);
	leave_at(2, EVRWLOCK_UPGRADABLE);
	free_waiters(u, 3);
	nothing_left();
}
END_TEST

START_TEST(the_end_of_a_lock_and_of_a_base)
{
	struct waiter u[3], up;

	make_group(_i);
	want_at(0, &u[0], EVRWLOCK_UPGRADABLE);
	want_at(1, &u[1], EVRWLOCK_UPGRADABLE);
	want_at(2, &u[2], EVRWLOCK_UPGRADABLE);
	look_all();
	ck_assert_int_eq(evrwlock_reader_try(sites[2].lock), 0);
	upgrade_at(0, &up);
	look_all();
	/* Those that wait fail, and the next one has its turn. */
	evrwlock_free(sites[1].lock);
	sites[1].lock = NULL;
	look_all();
	ck_assert_int_eq(u[1].failed, ESHUTDOWN);
	evrwlock_free(sites[0].lock);
	sites[0].lock = NULL;
	look_all();
	ck_assert_int_eq(up.failed, ESHUTDOWN);
	ck_assert_int_eq(u[2].granted, 0);
	ck_assert_int_eq(
	    evrwlock_release(u[0].value, NULL, EVRWLOCK_UPGRADABLE), 0);
	look_all();
	ck_assert_int_eq(u[2].granted, 1);
	free_waiters(u, 2);
	free_waiters(&up, 1);
	ck_assert_int_eq(release_at(2, EVRWLOCK_READ), 0);
	ck_assert_int_eq(release_at(2, EVRWLOCK_UPGRADABLE), 0);
	free_waiters(&u[2], 1);
	free_group();
}
END_TEST

/* An owner's own reads are none of those that its upgrade waits for, in its member. */
START_TEST(the_reads_of_an_owner)
{
	struct evowner *ann;
	struct waiter a[3], r, w;
	struct evrwlock *lock;

	make_group(_i);
	lock = sites[0].lock;
	ann = evowner_new(sites[0].base, "ann");
	ck_assert_ptr_nonnull(ann);
	wait_with(
	    &a[0], evrwlock_acquire(lock, ann, EVRWLOCK_UPGRADABLE), lock);
	look_all();
	wait_with(&a[1], evrwlock_acquire(lock, ann, EVRWLOCK_READ), lock);
	want_at(1, &r, EVRWLOCK_READ);
	look_all();
	wait_with(&a[2], evrwlock_acquire(lock, ann, EVRWLOCK_WRITE), lock);
	look_all();
	ck_assert_int_eq(a[2].granted, 0);
	leave_at(1, EVRWLOCK_READ);
	ck_assert_int_eq(a[2].granted, 1);
	want_at(1, &w, EVRWLOCK_WRITE);
	look_all();
	/* In any order: it keeps the writer out as long as anything is left. */
	ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_UPGRADABLE), 0);
	look_all();
	ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_WRITE), 0);
	look_all();
	ck_assert_int_eq(w.granted, 0);
	ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_READ), 0);
	look_all();
	ck_assert_int_eq(w.granted, 1);
	leave_at(1, EVRWLOCK_WRITE);
	free_waiters(a, 3);
	free_waiters(&r, 1);
	free_waiters(&w, 1);
	evowner_free(ann);
	nothing_left();
}
END_TEST

/*
 * What a report says of a member while the group is closed to all others that read.
 */

struct account {
	char text[4096];
	void (*before)(void); /* it is written; once */
	struct evdeferred *d;
};

static int
append(const char *text, size_t length, void *arg)
{
	struct account *account = arg;
	void (*before)(void) = account->before;

	account->before = NULL;
	if (before != NULL)
		before();
	ck_assert_uint_lt(
	    strlen(account->text) + length, sizeof(account->text));
	strncat(account->text, text, length);
	return 0;
}

static void
report_at(int site, struct account *account)
{
	account->d = evdefer_base_report(
	    sites[site].base, EVDEFER_REPORT_JSON, append, account);
	ck_assert_ptr_nonnull(account->d);
}

static void
may_read(struct account *account)
{
	ck_assert(evdeferred_has_fired(account->d));
	ck_assert_ptr_nonnull(strstr(account->text, "\"right\":\"read\""));
	evdeferred_free(account->d);
}

START_TEST(a_report_of_one_that_is_upgradable_before_a_writer)
{
	struct account account = {.text = ""};
	struct waiter u, w;

	make_group(_i);
	want_at(0, &u, EVRWLOCK_UPGRADABLE);
	look_all();
	want_at(1, &w, EVRWLOCK_WRITE);
	report_at(0, &account);
	look_all();
	may_read(&account);
	leave_at(0, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(w.granted, 1);
	leave_at(1, EVRWLOCK_WRITE);
	free_waiters(&u, 1);
	free_waiters(&w, 1);
	nothing_left();
}
END_TEST

static struct account after;
static struct waiter late;

/* The first writer leaves, the next comes, and nobody has looked yet. */
static void
pass_readers_by(void)
{
	ck_assert_int_eq(release_at(0, EVRWLOCK_WRITE), 0);
	want_at(2, &late, EVRWLOCK_WRITE);
	report_at(1, &after);
}

START_TEST(a_report_of_one_that_is_let_in_and_does_not_know_it)
{
	struct account account = {.before = pass_readers_by};
	struct waiter w, r;

	after.text[0] = '\0';
	make_group(_i);
	want_at(0, &w, EVRWLOCK_WRITE);
	look_all();
	want_at(1, &r, EVRWLOCK_READ);
	look_all();
	ck_assert_int_eq(w.granted, 1);
	ck_assert_int_eq(r.granted, 0);
	report_at(1, &account);
	look_all();
	may_read(&after);
	evdeferred_free(account.d);
	ck_assert_int_eq(r.granted, 1);
	ck_assert_int_eq(late.granted, 0);
	leave_at(1, EVRWLOCK_READ);
	ck_assert_int_eq(late.granted, 1);
	leave_at(2, EVRWLOCK_WRITE);
	free_waiters(&w, 1);
	free_waiters(&r, 1);
	free_waiters(&late, 1);
	nothing_left();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("group_upgradable");
	TCase *tc = add_group_case(suite, "group");

	tcase_add_loop_test(tc, one_in_the_whole_group, 0, 2);
	tcase_add_loop_test(tc, it_keeps_out_writers_of_others, 0, 2);
	tcase_add_loop_test(
	    tc, a_reader_that_leaves_beside_it_lets_in_no_writer, 0, 2);
	tcase_add_loop_test(tc, it_waits_for_writers_of_others, 0, 2);
	tcase_add_loop_test(tc,
	    an_upgrade_waits_for_readers_of_others_and_comes_before_writers, 0,
	    2);
	tcase_add_loop_test(
	    tc, an_upgrade_comes_after_a_reader_that_is_let_in, 0, 4);
	tcase_add_loop_test(
	    tc, an_upgrade_that_ends_lets_in_readers_of_others, 0, 2);
	tcase_add_loop_test(tc, a_try_that_is_refused_holds_back_nobody, 0, 2);
	tcase_add_loop_test(tc, downgrades_let_in_those_of_others, 0, 2);
	tcase_add_loop_test(tc, one_that_waits_gives_up, 0, 2);
	tcase_add_loop_test(tc, one_that_was_told_gives_up, 0, 2);
	tcase_add_loop_test(tc, the_end_of_a_lock_and_of_a_base, 0, 2);
	tcase_add_loop_test(tc, the_reads_of_an_owner, 0, 2);
	tcase_add_loop_test(
	    tc, a_report_of_one_that_is_upgradable_before_a_writer, 0, 2);
	tcase_add_loop_test(
	    tc, a_report_of_one_that_is_let_in_and_does_not_know_it, 0, 2);
	return support_main(suite);
}
