/* SPDX-License-Identifier: MIT */
/* Upgradable holds of evdefer/rwlock.h, and what is made of a hold: upgrades and
 * downgrades.  Without owners: those are in check_upgradable_owner.c. */
#include "rwlocks.h"

#include <string.h>

static void
upgradable(struct waiter *waiter)
{
	want(waiter, EVRWLOCK_UPGRADABLE);
}

static void
upgrade(struct waiter *waiter)
{
	wait_with(waiter, evrwlock_upgrade(lock, NULL), lock);
	waiter->mode = EVRWLOCK_WRITE;
}

static int
downgrade(enum evrwlock_mode from, enum evrwlock_mode to)
{
	const int result = evrwlock_downgrade(lock, NULL, from, to);

	if (result == 0)
		settle();
	return result;
}

static struct evrwlock_stats
stats(void)
{
	struct evrwlock_stats now;

	evrwlock_get_stats(lock, &now);
	return now;
}

static void
upgradables(size_t inside, size_t waiting)
{
	const struct evrwlock_stats now = stats();

	ck_assert_uint_eq(now.upgradables_inside, inside);
	ck_assert_uint_eq(now.upgradables_waiting, waiting);
}

/* Who shares with whom. */

START_TEST(it_shares_with_readers)
{
	struct waiter r[2], u;

	make_lock(_i);
	reader(&r[0]);
	upgradable(&u);
	reader(&r[1]);
	settle();
	ck_assert_int_eq(u.granted, 1);
	ck_assert_int_eq(r[1].granted, 1);
	counts(2, 0, 0, 0);
	upgradables(1, 0);
	ck_assert(evrwlock_is_reading(lock));
	leave(&r[0]);
	leave(&r[1]);
	ck_assert(evrwlock_is_reading(lock));
	leave(&u);
	ck_assert(!evrwlock_is_reading(lock));
	ck_assert_uint_eq(stats().upgradables_granted, 1);
	free_waiters(&u, 1);
	done(r, 2);
}
END_TEST

START_TEST(it_keeps_out_writers_and_they_it)
{
	struct waiter u[2], w[2];

	make_lock(_i);
	upgradable(&u[0]);
	writer(&w[0]);
	upgradable(&u[1]);
	writer(&w[1]);
	settle();
	ck_assert_int_eq(w[0].granted, 0);
	leave(&u[0]);
	ck_assert_int_eq(w[0].granted, 1);
	leave(&w[0]);
	/* Writers are preferred. */
	ck_assert_int_eq(w[1].granted, 1);
	ck_assert_int_eq(u[1].granted, 0);
	upgradables(0, 1);
	leave(&w[1]);
	ck_assert_int_eq(u[1].granted, 1);
	leave(&u[1]);
	free_waiters(u, 2);
	done(w, 2);
}
END_TEST

START_TEST(one_at_a_time_in_order)
{
	struct waiter u[3], r;
	int i;

	make_lock(_i);
	for (i = 0; i < 3; i++)
		upgradable(&u[i]);
	reader(&r);
	settle();
	ck_assert_int_eq(r.granted, 1);
	upgradables(1, 2);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(u[i].granted, 1);
		ck_assert_int_eq(u[2].granted, i == 2);
		leave(&u[i]);
	}
	upgradables(0, 0);
	leave(&r);
	free_waiters(u, 3);
	done(&r, 1);
}
END_TEST

START_TEST(a_writer_that_leaves_lets_in_the_readers_and_the_first)
{
	struct waiter w, u[2], r[3];

	make_lock(_i);
	writer(&w);
	reader(&r[0]);
	upgradable(&u[0]);
	upgradable(&u[1]);
	reader(&r[1]);
	reader(&r[2]);
	settle();
	counts(0, 1, 3, 0);
	upgradables(0, 2);
	leave(&w);
	counts(3, 0, 0, 0);
	upgradables(1, 1);
	ck_assert_int_eq(u[0].granted, 1);
	leave(&u[0]);
	ck_assert_int_eq(u[1].granted, 1);
	leave(&u[1]);
	leave(&r[0]);
	leave(&r[1]);
	leave(&r[2]);
	free_waiters(&w, 1);
	free_waiters(u, 2);
	done(r, 3);
}
END_TEST

START_TEST(one_that_gives_up_lets_in_the_next)
{
	struct waiter u[3], r;
	int way;

	for (way = CANCEL; way < WAYS; way++) {
		make_lock(_i);
		upgradable(&u[0]);
		upgradable(&u[1]);
		upgradable(&u[2]);
		set_time(&u[1], way);
		give_up(&u[1], way);
		settle();
		upgradables(1, 1);
		leave(&u[0]);
		ck_assert_int_eq(u[2].granted, 1);
		reader(&r);
		settle();
		ck_assert_int_eq(r.granted, 1);
		leave(&u[2]);
		leave(&r);
		free_waiters(u, 3);
		done(&r, 1);
	}
}
END_TEST

/* A grant that nobody received. */
START_TEST(a_grant_on_its_way_is_given_back)
{
	struct waiter u[2];

	make_lock(0);
	upgradable(&u[0]);
	upgradable(&u[1]);
	upgradables(1, 1);
	evdeferred_cancel(u[0].d);
	upgradables(1, 0);
	settle();
	ck_assert_int_eq(u[0].failed, ECANCELED);
	ck_assert_int_eq(u[1].granted, 1);
	leave(&u[1]);
	free_waiters(u, 2);
	/* That it disposes of, too. */
	evdeferred_free(evrwlock_acquire(lock, NULL, EVRWLOCK_UPGRADABLE));
	settle();
	upgradables(0, 0);
	done(NULL, 0);
}
END_TEST

START_TEST(a_grant_that_fired_and_was_never_received_is_given_back)
{
	struct evdeferred *d;

	make_lock(_i);
	d = evrwlock_acquire(lock, NULL, EVRWLOCK_UPGRADABLE);
	settle();
	upgradables(1, 0);
	evdeferred_free(d);
	upgradables(0, 0);
	done(NULL, 0);
}
END_TEST

START_TEST(tries)
{
	make_lock(_i);
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_UPGRADABLE), 0);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_UPGRADABLE), EBUSY);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_WRITE), EBUSY);
	REFUSED(evrwlock_try_upgrade(lock, NULL), EBUSY);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_WRITE), EBUSY);
	ck_assert_int_eq(evrwlock_try_upgrade(lock, NULL), 0);
	/* It writes by now, and may again. */
	ck_assert_int_eq(evrwlock_try_upgrade(lock, NULL), 0);
	counts(0, 2, 0, 0);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_READ), EBUSY);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_UPGRADABLE), EBUSY);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	REFUSED(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), EPERM);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_UPGRADABLE), 0);
	REFUSED(evrwlock_release(lock, NULL, EVRWLOCK_UPGRADABLE), EPERM);
	done(NULL, 0);
}
END_TEST

START_TEST(a_body_runs_under_it)
{
	struct body body = {.runs = 0};
	struct evdeferred *d;

	make_lock(_i);
	body.inner = evdeferred_new(base, NULL, NULL);
	body.result = evresult_value(NULL);
	d = evrwlock_with(
	    lock, NULL, EVRWLOCK_UPGRADABLE, NULL, run_body, &body);
	settle();
	ck_assert_int_eq(body.runs, 1);
	upgradables(1, 0);
	ck_assert_int_eq(evdeferred_callback(body.inner, NULL), 0);
	upgradables(0, 0);
	evdeferred_free(d);
	done(NULL, 0);
}
END_TEST

/* Upgrades. */

START_TEST(an_upgrade_of_one_alone_is_granted)
{
	struct waiter u, w;

	make_lock(_i);
	upgradable(&u);
	settle();
	upgrade(&w);
	settle();
	ck_assert_int_eq(w.granted, 1);
	counts(0, 1, 0, 0);
	upgradables(1, 0);
	leave(&w);
	/* Nested: the hold is as it was. */
	counts(0, 0, 0, 0);
	upgradables(1, 0);
	leave(&u);
	free_waiters(&u, 1);
	done(&w, 1);
}
END_TEST

START_TEST(an_upgrade_waits_for_readers_and_comes_before_writers)
{
	struct waiter r[3], u, w[2], up;

	make_lock(_i);
	reader(&r[0]);
	reader(&r[1]);
	upgradable(&u);
	settle();
	writer(&w[0]);
	upgrade(&up);
	writer(&w[1]);
	reader(&r[2]);
	settle();
	counts(2, 0, 1, 3);
	ck_assert_uint_eq(stats().upgrades_waiting, 1);
	leave(&r[0]);
	ck_assert_int_eq(up.granted, 0);
	leave(&r[1]);
	ck_assert_int_eq(up.granted, 1);
	counts(0, 1, 1, 2);
	leave(&up);
	ck_assert_int_eq(w[0].granted, 0);
	leave(&u);
	ck_assert_int_eq(w[0].granted, 1);
	leave(&w[0]);
	leave(&w[1]);
	ck_assert_int_eq(r[2].granted, 1);
	leave(&r[2]);
	free_waiters(r, 3);
	free_waiters(&u, 1);
	free_waiters(&up, 1);
	done(w, 2);
}
END_TEST

START_TEST(an_upgrade_holds_back_readers)
{
	struct waiter r[2], u[2], up;

	make_lock(_i);
	reader(&r[0]);
	upgradable(&u[0]);
	settle();
	upgrade(&up);
	reader(&r[1]);
	upgradable(&u[1]);
	REFUSED(evrwlock_try(lock, NULL, EVRWLOCK_READ), EBUSY);
	settle();
	ck_assert_int_eq(r[1].granted, 0);
	leave(&r[0]);
	ck_assert_int_eq(up.granted, 1);
	ck_assert_int_eq(r[1].granted, 0);
	leave(&up);
	/* Beside the upgradable hold, which is there. */
	ck_assert_int_eq(r[1].granted, 1);
	ck_assert_int_eq(u[1].granted, 0);
	leave(&u[0]);
	ck_assert_int_eq(u[1].granted, 1);
	leave(&u[1]);
	leave(&r[1]);
	free_waiters(&up, 1);
	free_waiters(u, 2);
	done(r, 2);
}
END_TEST

/* A cancelled upgrade wedged readers in other libraries: parking_lot 101. */
START_TEST(an_upgrade_that_ends_lets_in_whom_it_held_back)
{
	struct waiter r[3], u, up;
	int way;

	for (way = CANCEL; way < WAYS; way++) {
		make_lock(_i);
		reader(&r[0]);
		upgradable(&u);
		settle();
		upgrade(&up);
		set_time(&up, way);
		reader(&r[1]);
		reader(&r[2]);
		settle();
		counts(1, 0, 2, 1);
		give_up(&up, way);
		settle();
		ck_assert_int_eq(r[1].granted, 1);
		ck_assert_int_eq(r[2].granted, 1);
		counts(3, 0, 0, 0);
		upgradables(1, 0);
		ck_assert_uint_eq(stats().upgrades_waiting, 0);
		/* The hold is as it was: it may be upgraded. */
		leave(&r[0]);
		leave(&r[1]);
		leave(&r[2]);
		ck_assert_int_eq(evrwlock_try_upgrade(lock, NULL), 0);
		ck_assert_int_eq(
		    evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
		leave(&u);
		free_waiters(&u, 1);
		free_waiters(&up, 1);
		done(r, 3);
	}
}
END_TEST

START_TEST(an_upgrade_that_ends_before_it_is_told_leaves_the_hold)
{
	struct waiter u, up, r;

	make_lock(0);
	upgradable(&u);
	settle();
	upgrade(&up);
	reader(&r);
	counts(0, 1, 1, 0);
	evdeferred_cancel(up.d);
	counts(1, 0, 0, 0);
	upgradables(1, 0);
	settle();
	ck_assert_int_eq(up.failed, ECANCELED);
	ck_assert_int_eq(r.granted, 1);
	leave(&r);
	leave(&u);
	free_waiters(&u, 1);
	free_waiters(&up, 1);
	done(&r, 1);
}
END_TEST

/* And once it had to wait. */
START_TEST(an_upgrade_that_waited_ends_before_it_is_told)
{
	struct waiter u, up, r[2];

	make_lock(0);
	reader(&r[0]);
	upgradable(&u);
	settle();
	upgrade(&up);
	reader(&r[1]);
	ck_assert_int_eq(release(&r[0]), 0);
	counts(0, 1, 1, 0);
	evdeferred_cancel(up.d);
	counts(1, 0, 0, 0);
	settle();
	ck_assert_int_eq(up.failed, ECANCELED);
	ck_assert_int_eq(r[1].granted, 1);
	leave(&r[1]);
	leave(&u);
	free_waiters(&u, 1);
	free_waiters(&up, 1);
	done(r, 2);
}
END_TEST

START_TEST(upgrades_of_one_hold_are_granted_together)
{
	struct waiter u, up[3], r;
	int i;

	make_lock(_i);
	upgradable(&u);
	reader(&r);
	settle();
	upgrade(&up[0]);
	upgrade(&up[1]);
	settle();
	counts(1, 0, 0, 2);
	ck_assert_uint_eq(stats().upgrades_waiting, 2);
	leave(&r);
	counts(0, 2, 0, 0);
	upgrade(&up[2]);
	settle();
	ck_assert_int_eq(up[2].granted, 1);
	counts(0, 3, 0, 0);
	ck_assert_uint_eq(stats().writers_granted, 3);
	for (i = 0; i < 3; i++)
		leave(&up[i]);
	upgradables(1, 0);
	leave(&u);
	free_waiters(up, 3);
	free_waiters(&u, 1);
	done(&r, 1);
}
END_TEST

START_TEST(without_an_upgradable_hold_it_is_eperm)
{
	struct waiter up[3], r, w;

	make_lock(_i);
	upgrade(&up[0]);
	settle();
	ck_assert_int_eq(up[0].failed, EPERM);
	REFUSED(evrwlock_try_upgrade(lock, NULL), EPERM);
	reader(&r);
	settle();
	upgrade(&up[1]);
	settle();
	ck_assert_int_eq(up[1].failed, EPERM);
	leave(&r);
	writer(&w);
	settle();
	upgrade(&up[2]);
	settle();
	ck_assert_int_eq(up[2].failed, EPERM);
	REFUSED(evrwlock_try_upgrade(lock, NULL), EPERM);
	leave(&w);
	REFUSED_NULL(evrwlock_upgrade(NULL, NULL), EINVAL);
	REFUSED(evrwlock_try_upgrade(NULL, NULL), EINVAL);
	free_waiters(&r, 1);
	free_waiters(&w, 1);
	done(up, 3);
}
END_TEST

/* One that waits in the loop is no hold: nobody was told of it. */
START_TEST(a_grant_on_its_way_cannot_be_upgraded)
{
	struct waiter u;

	make_lock(0);
	upgradable(&u);
	REFUSED(evrwlock_try_upgrade(lock, NULL), EPERM);
	settle();
	ck_assert_int_eq(evrwlock_try_upgrade(lock, NULL), 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	leave(&u);
	done(&u, 1);
}
END_TEST

START_TEST(an_upgrade_whose_hold_is_gone_is_the_first_writer)
{
	struct waiter u[2], up, r, w;

	make_lock(_i);
	reader(&r);
	upgradable(&u[0]);
	settle();
	writer(&w);
	upgrade(&up);
	settle();
	leave(&u[0]);
	/* Nobody else gets in as upgradable meanwhile. */
	upgradable(&u[1]);
	settle();
	upgradables(0, 1);
	leave(&r);
	ck_assert_int_eq(up.granted, 1);
	ck_assert_int_eq(w.granted, 0);
	counts(0, 1, 0, 1);
	leave(&up);
	ck_assert_int_eq(w.granted, 1);
	leave(&w);
	ck_assert_int_eq(u[1].granted, 1);
	leave(&u[1]);
	free_waiters(u, 2);
	free_waiters(&up, 1);
	free_waiters(&r, 1);
	done(&w, 1);
}
END_TEST

START_TEST(an_upgrade_at_the_end_of_the_lock)
{
	struct waiter u[2], up[2], r;

	make_lock(_i);
	reader(&r);
	upgradable(&u[0]);
	upgradable(&u[1]);
	settle();
	upgrade(&up[0]);
	settle();
	evrwlock_free(lock);
	settle();
	ck_assert_int_eq(up[0].failed, ESHUTDOWN);
	ck_assert_int_eq(u[1].failed, ESHUTDOWN);
	upgrade(&up[1]);
	settle();
	ck_assert_int_eq(up[1].failed, ESHUTDOWN);
	REFUSED(evrwlock_try_upgrade(lock, NULL), ESHUTDOWN);
	ck_assert_int_eq(release(&r), 0);
	ck_assert_int_eq(release(&u[0]), 0);
	free_waiters(u, 2);
	free_waiters(up, 2);
	free_waiters(&r, 1);
}
END_TEST

/* Downgrades. */

START_TEST(write_becomes_read)
{
	struct waiter w[2], r, u;

	make_lock(_i);
	writer(&w[0]);
	reader(&r);
	upgradable(&u);
	settle();
	ck_assert_int_eq(downgrade(EVRWLOCK_WRITE, EVRWLOCK_READ), 0);
	counts(2, 0, 0, 0);
	upgradables(1, 0);
	ck_assert_int_eq(r.granted, 1);
	REFUSED(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), EPERM);
	writer(&w[1]);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
	leave(&u);
	leave(&r);
	ck_assert_int_eq(w[1].granted, 1);
	leave(&w[1]);
	free_waiters(&u, 1);
	free_waiters(&r, 1);
	done(w, 2);
}
END_TEST

START_TEST(no_writer_comes_between)
{
	static const enum evrwlock_mode to[] = {
	    EVRWLOCK_READ, EVRWLOCK_UPGRADABLE};
	struct waiter w[2], r;
	int i;

	for (i = 0; i < 2; i++) {
		make_lock(_i);
		writer(&w[0]);
		settle();
		writer(&w[1]);
		reader(&r);
		ck_assert_int_eq(downgrade(EVRWLOCK_WRITE, to[i]), 0);
		ck_assert_int_eq(w[1].granted, 0);
		/* It waits: no reader may enter. */
		ck_assert_int_eq(r.granted, 0);
		ck_assert_int_eq(evrwlock_release(lock, NULL, to[i]), 0);
		settle();
		ck_assert_int_eq(w[1].granted, 1);
		leave(&w[1]);
		leave(&r);
		free_waiters(&r, 1);
		done(w, 2);
	}
}
END_TEST

START_TEST(write_becomes_upgradable)
{
	struct waiter w, r, u;

	make_lock(_i);
	writer(&w);
	reader(&r);
	upgradable(&u);
	settle();
	ck_assert_int_eq(downgrade(EVRWLOCK_WRITE, EVRWLOCK_UPGRADABLE), 0);
	ck_assert_int_eq(r.granted, 1);
	ck_assert_int_eq(u.granted, 0);
	upgradables(1, 1);
	leave(&r);
	ck_assert_int_eq(evrwlock_try_upgrade(lock, NULL), 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(downgrade(EVRWLOCK_UPGRADABLE, EVRWLOCK_READ), 0);
	ck_assert_int_eq(u.granted, 1);
	counts(1, 0, 0, 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
	leave(&u);
	free_waiters(&u, 1);
	free_waiters(&r, 1);
	done(&w, 1);
}
END_TEST

START_TEST(what_cannot_be_downgraded)
{
	static const struct {
		int from, to;
	} nonsense[] = {{EVRWLOCK_READ, EVRWLOCK_READ},
	    {EVRWLOCK_READ, EVRWLOCK_UPGRADABLE},
	    {EVRWLOCK_READ, EVRWLOCK_WRITE},
	    {EVRWLOCK_UPGRADABLE, EVRWLOCK_UPGRADABLE},
	    {EVRWLOCK_UPGRADABLE, EVRWLOCK_WRITE},
	    {EVRWLOCK_WRITE, EVRWLOCK_WRITE}, {7, EVRWLOCK_READ},
	    {EVRWLOCK_WRITE, -1}};
	size_t i;

	make_lock(_i);
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_READ), 0);
	for (i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		REFUSED(downgrade((enum evrwlock_mode)nonsense[i].from,
			    (enum evrwlock_mode)nonsense[i].to),
		    EINVAL);
	REFUSED(downgrade(EVRWLOCK_WRITE, EVRWLOCK_READ), EPERM);
	REFUSED(downgrade(EVRWLOCK_UPGRADABLE, EVRWLOCK_READ), EPERM);
	REFUSED(evrwlock_downgrade(NULL, NULL, EVRWLOCK_WRITE, EVRWLOCK_READ),
	    EINVAL);
	counts(1, 0, 0, 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
	done(NULL, 0);
}
END_TEST

/* A closed lock's holder still steps down, and its memory goes with the release. */
START_TEST(a_holder_of_a_closed_lock_downgrades)
{
	make_lock(_i);
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_WRITE), 0);
	evrwlock_free(lock);
	ck_assert_int_eq(downgrade(EVRWLOCK_WRITE, EVRWLOCK_UPGRADABLE), 0);
	ck_assert_int_eq(downgrade(EVRWLOCK_UPGRADABLE, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_READ), 0);
}
END_TEST

START_TEST(in_words)
{
	struct waiter u[2], r;
	char text[200];

	make_lock(_i);
	upgradable(&u[0]);
	upgradable(&u[1]);
	settle();
	ck_assert_int_gt(evrwlock_describe(lock, text, sizeof(text)), 0);
	ck_assert_ptr_nonnull(strstr(text,
	    ": reading, inside: 0 readers, 1 upgradable, 0 writers, "
	    "waiting: 0 readers, 1 upgradable, 0 writers"));
	leave(&u[0]);
	leave(&u[1]);
	reader(&r);
	settle();
	ck_assert_int_gt(evrwlock_describe(lock, text, sizeof(text)), 0);
	ck_assert_ptr_nonnull(strstr(text, "inside: 1 readers, 0 writers, "));
	leave(&r);
	free_waiters(u, 2);
	done(&r, 1);
}
END_TEST

/* Tickets are numbered anew while an upgrade waits: see EVLOCK_TICKETS. */
START_TEST(many_that_come_and_leave_while_an_upgrade_waits)
{
	const size_t count = support_scale() / 10;
	struct waiter r, u, up, other;
	size_t i;

	make_lock(_i);
	reader(&r);
	upgradable(&u);
	settle();
	upgrade(&up);
	for (i = 0; i < count; i++)
		evdeferred_free(
		    evrwlock_acquire(lock, NULL, EVRWLOCK_UPGRADABLE));
	upgradable(&other);
	leave(&r);
	ck_assert_int_eq(up.granted, 1);
	ck_assert_int_eq(other.granted, 0);
	leave(&up);
	leave(&u);
	ck_assert_int_eq(other.granted, 1);
	leave(&other);
	free_waiters(&u, 1);
	free_waiters(&up, 1);
	free_waiters(&other, 1);
	done(&r, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("upgradable");
	TCase *tc = add_case(suite, "hold");

	tcase_add_loop_test(tc, it_shares_with_readers, 0, 2);
	tcase_add_loop_test(tc, it_keeps_out_writers_and_they_it, 0, 2);
	tcase_add_loop_test(tc, one_at_a_time_in_order, 0, 2);
	tcase_add_loop_test(
	    tc, a_writer_that_leaves_lets_in_the_readers_and_the_first, 0, 2);
	tcase_add_loop_test(tc, one_that_gives_up_lets_in_the_next, 0, 2);
	tcase_add_test(tc, a_grant_on_its_way_is_given_back);
	tcase_add_loop_test(
	    tc, a_grant_that_fired_and_was_never_received_is_given_back, 0, 2);
	tcase_add_loop_test(tc, tries, 0, 2);
	tcase_add_loop_test(tc, a_body_runs_under_it, 0, 2);

	tc = add_case(suite, "upgrade");
	tcase_add_loop_test(tc, an_upgrade_of_one_alone_is_granted, 0, 2);
	tcase_add_loop_test(
	    tc, an_upgrade_waits_for_readers_and_comes_before_writers, 0, 2);
	tcase_add_loop_test(tc, an_upgrade_holds_back_readers, 0, 2);
	tcase_add_loop_test(
	    tc, an_upgrade_that_ends_lets_in_whom_it_held_back, 0, 2);
	tcase_add_test(
	    tc, an_upgrade_that_ends_before_it_is_told_leaves_the_hold);
	tcase_add_test(tc, an_upgrade_that_waited_ends_before_it_is_told);
	tcase_add_loop_test(
	    tc, upgrades_of_one_hold_are_granted_together, 0, 2);
	tcase_add_loop_test(tc, without_an_upgradable_hold_it_is_eperm, 0, 2);
	tcase_add_test(tc, a_grant_on_its_way_cannot_be_upgraded);
	tcase_add_loop_test(
	    tc, an_upgrade_whose_hold_is_gone_is_the_first_writer, 0, 2);
	tcase_add_loop_test(tc, an_upgrade_at_the_end_of_the_lock, 0, 2);
	tcase_add_loop_test(
	    tc, many_that_come_and_leave_while_an_upgrade_waits, 0, 2);

	tc = add_case(suite, "downgrade");
	tcase_add_loop_test(tc, write_becomes_read, 0, 2);
	tcase_add_loop_test(tc, no_writer_comes_between, 0, 2);
	tcase_add_loop_test(tc, write_becomes_upgradable, 0, 2);
	tcase_add_loop_test(tc, what_cannot_be_downgraded, 0, 2);
	tcase_add_loop_test(tc, a_holder_of_a_closed_lock_downgrades, 0, 2);
	tcase_add_loop_test(tc, in_words, 0, 2);
	return support_main(suite);
}
