/* SPDX-License-Identifier: MIT */
/* Upgradable holds of owners, their upgrades and downgrades, and the cycles that
 * these may close. */
#include "owners.h"

#include <string.h>

static void
upgradables(size_t inside, size_t waiting, size_t upgrades)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(locks[0], &stats);
	ck_assert_uint_eq(stats.upgradables_inside, inside);
	ck_assert_uint_eq(stats.upgradables_waiting, waiting);
	ck_assert_uint_eq(stats.upgrades_waiting, upgrades);
}

START_TEST(it_reads_and_is_upgradable_again)
{
	struct waiter a[4], w, r;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_UPGRADABLE);
	request(&w, locks[0], bob, EVRWLOCK_WRITE);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	get(&a[2], locks[0], ann, EVRWLOCK_UPGRADABLE);
	request(&r, locks[0], cid, EVRWLOCK_READ);
	/* Also while it upgrades, or has: it is alone. */
	get(&a[3], locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_UPGRADABLE), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	lock_counts(locks[0], 2, 2, 1, 1);
	upgradables(3, 0, 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(w.granted, 0);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(w.granted, 1);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_UPGRADABLE), EPERM);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	leave(locks[0], cid, EVRWLOCK_READ);
	free_waiters(a, 4);
	free_waiters(&w, 1);
	free_waiters(&r, 1);
	done();
}
END_TEST

START_TEST(a_reader_that_asks_for_more_is_edeadlk)
{
	struct waiter a[3];

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_READ);
	request(&a[1], locks[0], ann, EVRWLOCK_UPGRADABLE);
	request(&a[2], locks[0], ann, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(a[1].failed, EDEADLK);
	ck_assert_int_eq(a[2].failed, EDEADLK);
	REFUSED(evrwlock_try(locks[0], ann, EVRWLOCK_UPGRADABLE), EDEADLK);
	lock_counts(locks[0], 1, 0, 0, 0);
	leave(locks[0], ann, EVRWLOCK_READ);
	free_waiters(a, 3);
	done();
}
END_TEST

/* By either name. */
static struct evdeferred *
upgrade(int way, struct evowner *owner)
{
	return way == 0 ? evrwlock_upgrade(locks[0], owner)
			: evrwlock_acquire(locks[0], owner, EVRWLOCK_WRITE);
}

START_TEST(its_own_reads_do_not_count)
{
	struct waiter a[3], b, up;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	get(&b, locks[0], bob, EVRWLOCK_READ);
	wait_with(&up, upgrade(_i / 2, ann), locks[0]);
	settle();
	upgradables(1, 0, 1);
	/* One more of its own, while it waits. */
	get(&a[2], locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(up.granted, 0);
	leave(locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(up.granted, 1);
	lock_counts(locks[0], 2, 1, 0, 0);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(a, 3);
	free_waiters(&b, 1);
	free_waiters(&up, 1);
	done();
}
END_TEST

/* A read that was granted after a wait is its own before it knows of it. */
START_TEST(its_own_read_on_its_way_does_not_count)
{
	struct waiter w, a[3];

	make(0);
	get(&w, locks[0], bob, EVRWLOCK_WRITE);
	request(&a[0], locks[0], ann, EVRWLOCK_READ);
	request(&a[1], locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(a[1].granted, 1);
	ck_assert_int_eq(evrwlock_downgrade(locks[0], ann, EVRWLOCK_WRITE,
			     EVRWLOCK_UPGRADABLE),
	    0);
	ck_assert_int_eq(a[0].granted, 0);
	lock_counts(locks[0], 1, 0, 0, 0);
	upgradables(1, 0, 0);
	/* Nobody else reads. */
	wait_with(&a[2], evrwlock_upgrade(locks[0], ann), locks[0]);
	lock_counts(locks[0], 1, 1, 0, 0);
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	ck_assert_int_eq(a[1].granted, 1);
	ck_assert_int_eq(a[2].granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	leave(locks[0], ann, EVRWLOCK_READ);
	free_waiters(&w, 1);
	free_waiters(a, 3);
	done();
}
END_TEST

START_TEST(upgrades_together)
{
	struct waiter a, b, up[3];
	int i;

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&b, locks[0], bob, EVRWLOCK_READ);
	for (i = 0; i < 3; i++)
		wait_with(&up[i], upgrade(i % 2, ann), locks[0]);
	REFUSED(evrwlock_try_upgrade(locks[0], ann), EBUSY);
	settle();
	upgradables(1, 0, 3);
	evdeferred_cancel(up[1].d);
	leave(locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(up[0].granted, 1);
	ck_assert_int_eq(up[1].failed, ECANCELED);
	ck_assert_int_eq(up[2].granted, 1);
	lock_counts(locks[0], 0, 2, 0, 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), EPERM);
	ck_assert_int_eq(evrwlock_try_upgrade(locks[0], ann), 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	free_waiters(up, 3);
	done();
}
END_TEST

/* Granted, and not told: it writes already. */
START_TEST(an_upgrade_on_its_way_writes)
{
	struct waiter a, b, up;

	make(0);
	get(&a, locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&b, locks[0], bob, EVRWLOCK_READ);
	wait_with(&up, evrwlock_upgrade(locks[0], ann), locks[0]);
	ck_assert_int_eq(evrwlock_release(locks[0], bob, EVRWLOCK_READ), 0);
	lock_counts(locks[0], 0, 1, 0, 0);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	/* The hold that the try has got, not that on its way. */
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(up.granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	free_waiters(&up, 1);
	done();
}
END_TEST

START_TEST(an_upgrade_that_is_dropped_on_its_way)
{
	struct waiter a, b, r;
	struct evdeferred *d;

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&b, locks[0], bob, EVRWLOCK_READ);
	d = evrwlock_upgrade(locks[0], ann);
	request(&r, locks[0], cid, EVRWLOCK_READ);
	ck_assert_int_eq(evrwlock_release(locks[0], bob, EVRWLOCK_READ), 0);
	lock_counts(locks[0], 0, 1, 1, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(r.granted, 1);
	upgradables(1, 0, 0);
	leave(locks[0], cid, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	free_waiters(&r, 1);
	done();
}
END_TEST

START_TEST(without_such_a_hold_it_is_eperm)
{
	struct evdefer_base *other = evdefer_base_new(loop);
	struct evowner *stranger = evowner_new(other, "stranger");
	struct waiter a, up[3];

	make(_i);
	wait_with(&up[0], evrwlock_upgrade(locks[0], ann), locks[0]);
	REFUSED(evrwlock_try_upgrade(locks[0], ann), EPERM);
	get(&a, locks[0], ann, EVRWLOCK_UPGRADABLE);
	/* Somebody else's. */
	wait_with(&up[1], evrwlock_upgrade(locks[0], bob), locks[0]);
	wait_with(&up[2], evrwlock_upgrade(locks[0], NULL), locks[0]);
	REFUSED(evrwlock_try_upgrade(locks[0], bob), EPERM);
	REFUSED(evrwlock_try_upgrade(locks[0], NULL), EPERM);
	settle();
	ck_assert_int_eq(up[0].failed, EPERM);
	ck_assert_int_eq(up[1].failed, EPERM);
	ck_assert_int_eq(up[2].failed, EPERM);
	REFUSED_NULL(evrwlock_upgrade(locks[0], stranger), EINVAL);
	REFUSED(evrwlock_try_upgrade(locks[0], stranger), EINVAL);
	REFUSED(evrwlock_downgrade(
		    locks[0], stranger, EVRWLOCK_WRITE, EVRWLOCK_READ),
	    EINVAL);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(&a, 1);
	free_waiters(up, 3);
	evowner_free(stranger);
	evdefer_base_free(other);
	done();
}
END_TEST

START_TEST(upgrades_of_a_lock_that_is_closed)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter a[2];

	make(_i);
	get(&a[0], lock, ann, EVRWLOCK_UPGRADABLE);
	evrwlock_free(lock);
	wait_with(&a[1], evrwlock_upgrade(lock, ann), lock);
	settle();
	ck_assert_int_eq(a[1].failed, ESHUTDOWN);
	REFUSED(evrwlock_try_upgrade(lock, ann), ESHUTDOWN);
	leave(lock, ann, EVRWLOCK_UPGRADABLE);
	free_waiters(a, 2);
	done();
}
END_TEST

/* It is granted with a ticket of its own: those of writers that came before it are
 * older, and they have not been granted. */
START_TEST(writers_that_wait_are_not_granted_with_an_upgrade)
{
	struct waiter u, up, b;

	make(0);
	wait_with(&u, evrwlock_acquire(locks[0], NULL, EVRWLOCK_UPGRADABLE),
	    locks[0]);
	settle();
	request(&b, locks[0], bob, EVRWLOCK_WRITE);
	wait_with(&up, evrwlock_upgrade(locks[0], NULL), locks[0]);
	evdeferred_free(up.d);
	settle();
	lock_counts(locks[0], 0, 0, 0, 1);
	evdeferred_free(b.d);
	lock_counts(locks[0], 0, 0, 0, 0);
	upgradables(1, 0, 0);
	leave(locks[0], NULL, EVRWLOCK_UPGRADABLE);
	free_waiters(&u, 1);
	done();
}
END_TEST

/* The end of an owner. */

START_TEST(an_owner_that_ends_gives_back_all)
{
	struct waiter a[3], b, c, up;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	get(&b, locks[0], bob, EVRWLOCK_READ);
	wait_with(&up, evrwlock_upgrade(locks[0], ann), locks[0]);
	request(&c, locks[0], cid, EVRWLOCK_UPGRADABLE);
	settle();
	end_owner(&ann);
	settle();
	ck_assert_int_eq(up.failed, ECANCELED);
	ck_assert_int_eq(c.granted, 1);
	lock_counts(locks[0], 1, 0, 0, 0);
	leave(locks[0], bob, EVRWLOCK_READ);
	wait_with(&a[2], evrwlock_upgrade(locks[0], cid), locks[0]);
	settle();
	ck_assert_int_eq(a[2].granted, 1);
	/* One that has upgraded. */
	end_owner(&cid);
	free_waiters(a, 3);
	free_waiters(&b, 1);
	free_waiters(&c, 1);
	free_waiters(&up, 1);
	done();
}
END_TEST

/* Downgrades. */

START_TEST(downgrades)
{
	struct waiter a, b[2], c;

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_WRITE);
	request(&b[0], locks[0], bob, EVRWLOCK_READ);
	request(&c, locks[0], cid, EVRWLOCK_UPGRADABLE);
	settle();
	REFUSED(
	    evrwlock_downgrade(locks[0], bob, EVRWLOCK_WRITE, EVRWLOCK_READ),
	    EPERM);
	REFUSED(evrwlock_downgrade(
		    locks[0], ann, EVRWLOCK_UPGRADABLE, EVRWLOCK_READ),
	    EPERM);
	ck_assert_int_eq(evrwlock_downgrade(locks[0], ann, EVRWLOCK_WRITE,
			     EVRWLOCK_UPGRADABLE),
	    0);
	settle();
	ck_assert_int_eq(b[0].granted, 1);
	ck_assert_int_eq(c.granted, 0);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), EPERM);
	request(&b[1], locks[1], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_downgrade(
			     locks[0], ann, EVRWLOCK_UPGRADABLE, EVRWLOCK_READ),
	    0);
	settle();
	ck_assert_int_eq(c.granted, 1);
	lock_counts(locks[0], 2, 0, 0, 0);
	/* A reader by now. */
	REFUSED(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), EDEADLK);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], bob, EVRWLOCK_READ);
	leave(locks[0], cid, EVRWLOCK_UPGRADABLE);
	leave(locks[1], bob, EVRWLOCK_WRITE);
	free_waiters(&a, 1);
	free_waiters(b, 2);
	free_waiters(&c, 1);
	done();
}
END_TEST

START_TEST(one_hold_of_several_is_downgraded)
{
	struct waiter a[2], b;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	get(&a[1], locks[0], ann, EVRWLOCK_WRITE);
	request(&b, locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(
	    evrwlock_downgrade(locks[0], ann, EVRWLOCK_WRITE, EVRWLOCK_READ),
	    0);
	settle();
	lock_counts(locks[0], 1, 1, 1, 0);
	ck_assert_int_eq(
	    evrwlock_downgrade(locks[0], ann, EVRWLOCK_WRITE, EVRWLOCK_READ),
	    0);
	settle();
	lock_counts(locks[0], 3, 0, 0, 0);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], bob, EVRWLOCK_READ);
	free_waiters(a, 2);
	free_waiters(&b, 1);
	done();
}
END_TEST

START_TEST(what_a_body_runs_under_is_the_librarys)
{
	struct body body = {.runs = 0};
	struct evdeferred *d;

	make(_i);
	body.waits_for = evdeferred_new(base, NULL, NULL);
	d = run_with(locks[0], ann, EVRWLOCK_UPGRADABLE, &body);
	settle();
	ck_assert_int_eq(body.runs, 1);
	REFUSED(evrwlock_downgrade(
		    locks[0], ann, EVRWLOCK_UPGRADABLE, EVRWLOCK_READ),
	    EPERM);
	/* But it may be upgraded in there. */
	ck_assert_int_eq(evrwlock_try_upgrade(locks[0], ann), 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(evdeferred_callback(body.waits_for, NULL), 0);
	settle();
	upgradables(0, 0, 0);
	evdeferred_free(d);
	done();
}
END_TEST

/* Cycles. */

START_TEST(an_upgrade_that_closes_a_cycle)
{
	struct waiter a[2], b[2], up;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&b[0], locks[0], bob, EVRWLOCK_READ);
	get(&a[1], locks[1], ann, EVRWLOCK_WRITE);
	request(&b[1], locks[1], bob, EVRWLOCK_READ);
	settle();
	wait_with(&up, evrwlock_upgrade(locks[0], ann), locks[0]);
	settle();
	ck_assert_int_eq(up.failed, EDEADLK);
	ck_assert_str_eq(up.message,
	    "deadlock: ann waits to upgrade red, held by bob; "
	    "bob waits to read green, held by ann");
	upgradables(1, 0, 0);
	leave(locks[1], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(b[1].granted, 1);
	leave(locks[1], bob, EVRWLOCK_READ);
	leave(locks[0], bob, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(a, 2);
	free_waiters(b, 2);
	free_waiters(&up, 1);
	done();
}
END_TEST

START_TEST(a_wait_for_one_that_upgrades_closes_a_cycle)
{
	struct waiter a[2], b[2], up;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&a[1], locks[1], ann, EVRWLOCK_WRITE);
	get(&b[0], locks[0], bob, EVRWLOCK_READ);
	wait_with(&up, evrwlock_upgrade(locks[0], ann), locks[0]);
	request(&b[1], locks[1], bob, EVRWLOCK_UPGRADABLE);
	settle();
	ck_assert_int_eq(b[1].failed, EDEADLK);
	ck_assert_str_eq(b[1].message,
	    "deadlock: bob waits to read (upgradable) green, held by ann; "
	    "ann waits to upgrade red, held by bob");
	leave(locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(up.granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	leave(locks[1], ann, EVRWLOCK_WRITE);
	free_waiters(a, 2);
	free_waiters(b, 2);
	free_waiters(&up, 1);
	done();
}
END_TEST

/* Two that are to be upgradable, each of the other's lock. */
START_TEST(upgradable_holds_in_a_cycle)
{
	struct waiter a[2], b[2];

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&b[0], locks[1], bob, EVRWLOCK_UPGRADABLE);
	request(&a[1], locks[1], ann, EVRWLOCK_UPGRADABLE);
	request(&b[1], locks[0], bob, EVRWLOCK_UPGRADABLE);
	settle();
	ck_assert_int_eq(a[1].ended, 0);
	ck_assert_int_eq(b[1].failed, EDEADLK);
	leave(locks[1], bob, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(a[1].granted, 1);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	leave(locks[1], ann, EVRWLOCK_UPGRADABLE);
	free_waiters(a, 2);
	free_waiters(b, 2);
	done();
}
END_TEST

/* One that waits to be upgradable does not wait for readers. */
START_TEST(no_cycle_where_nobody_waits_for_a_reader)
{
	struct waiter a, b[2], c[2];

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&b[0], locks[0], bob, EVRWLOCK_READ);
	get(&c[0], locks[1], cid, EVRWLOCK_WRITE);
	request(&c[1], locks[0], cid, EVRWLOCK_UPGRADABLE);
	request(&b[1], locks[1], bob, EVRWLOCK_READ);
	settle();
	ck_assert_int_eq(b[1].ended, 0);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(c[1].granted, 1);
	leave(locks[0], cid, EVRWLOCK_UPGRADABLE);
	leave(locks[1], cid, EVRWLOCK_WRITE);
	ck_assert_int_eq(b[1].granted, 1);
	leave(locks[1], bob, EVRWLOCK_READ);
	leave(locks[0], bob, EVRWLOCK_READ);
	free_waiters(&a, 1);
	free_waiters(b, 2);
	free_waiters(c, 2);
	done();
}
END_TEST

/* But it does while a writer waits, which holds it back. */
START_TEST(a_cycle_behind_a_writer_that_waits_for_a_reader)
{
	struct waiter b[2], c[2], w;

	make(_i);
	get(&b[0], locks[0], bob, EVRWLOCK_READ);
	get(&c[0], locks[1], cid, EVRWLOCK_WRITE);
	request(&w, locks[0], ann, EVRWLOCK_WRITE);
	request(&c[1], locks[0], cid, EVRWLOCK_UPGRADABLE);
	request(&b[1], locks[1], bob, EVRWLOCK_READ);
	settle();
	ck_assert_int_eq(b[1].failed, EDEADLK);
	leave(locks[0], bob, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	leave(locks[0], cid, EVRWLOCK_UPGRADABLE);
	leave(locks[1], cid, EVRWLOCK_WRITE);
	free_waiters(b, 2);
	free_waiters(c, 2);
	free_waiters(&w, 1);
	done();
}
END_TEST

/* In front of it in the queue. */
START_TEST(a_cycle_behind_another_that_wants_to_be_upgradable)
{
	struct evowner *dan = new_owner("dan");
	struct waiter a, b[2], c[2], d;

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&c[0], locks[1], cid, EVRWLOCK_WRITE);
	/* bob waits for two things, and stands in front of cid. */
	request(&b[0], locks[0], bob, EVRWLOCK_UPGRADABLE);
	request(&b[1], locks[1], bob, EVRWLOCK_READ);
	request(&d, locks[0], dan, EVRWLOCK_UPGRADABLE);
	request(&c[1], locks[0], cid, EVRWLOCK_UPGRADABLE);
	settle();
	ck_assert_int_eq(c[1].failed, EDEADLK);
	ck_assert_str_eq(c[1].message,
	    "deadlock: cid waits to read (upgradable) red, behind bob; "
	    "bob waits to read green, held by cid");
	leave(locks[1], cid, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	leave(locks[0], bob, EVRWLOCK_UPGRADABLE);
	leave(locks[1], bob, EVRWLOCK_READ);
	leave(locks[0], dan, EVRWLOCK_UPGRADABLE);
	free_waiters(&a, 1);
	free_waiters(b, 2);
	free_waiters(c, 2);
	free_waiters(&d, 1);
	end_owner(&dan);
	done();
}
END_TEST

/* Its own upgrade in front of it, that went on alone, looked like a cycle. */
START_TEST(an_owner_behind_its_own_upgrade_is_no_cycle)
{
	struct waiter a[3], b;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_UPGRADABLE);
	get(&b, locks[0], bob, EVRWLOCK_READ);
	wait_with(&a[1], evrwlock_upgrade(locks[0], ann), locks[0]);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	request(&a[2], locks[0], ann, mode_of(_i / 2));
	ck_assert_int_eq(a[1].ended + a[2].ended, 0);
	leave(locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(a[1].granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(a[2].granted, 1);
	free_waiters(a, 3);
	free_waiters(&b, 1);
	done();
}
END_TEST

/* Let in to read, while it still waited to be upgradable, one would keep out a writer
 * that it waits for: even one without an owner, which nobody is told of. */
START_TEST(one_that_waits_to_be_upgradable_asks_for_nothing_else)
{
	struct waiter a, b[3], c[2];

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_UPGRADABLE);
	request(&b[0], locks[0], bob, EVRWLOCK_UPGRADABLE);
	REFUSED(evrwlock_try(locks[0], bob, EVRWLOCK_READ), EDEADLK);
	request(&b[1], locks[0], bob, EVRWLOCK_READ);
	request(&b[2], locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(b[1].failed, EDEADLK);
	ck_assert_int_eq(b[2].failed, EDEADLK);
	/* Nor may it have asked for something. */
	ck_assert_int_eq(evrwlock_try_upgrade(locks[0], ann), 0);
	request(&c[0], locks[0], cid, EVRWLOCK_READ);
	request(&c[1], locks[0], cid, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(c[1].failed, EDEADLK);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(c[0].granted, 1);
	leave(locks[0], ann, EVRWLOCK_UPGRADABLE);
	ck_assert_int_eq(b[0].granted, 1);
	free_waiters(&a, 1);
	free_waiters(b, 3);
	free_waiters(c, 2);
	done();
}
END_TEST

/* ann and cid have the tokens, and ann's upgrade waits for bob, who asks for a token.
 * That is a deadlock if cid waits for bob, too. */
START_TEST(tokens_and_an_upgrade)
{
	struct evsemaphore *tokens = evsemaphore_new(base, 2, 0);
	struct waiter a, b, c;

	make(_i);
	ck_assert_int_eq(evsemaphore_try(tokens, ann), 0);
	ck_assert_int_eq(evsemaphore_try(tokens, cid), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_UPGRADABLE), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], bob, EVRWLOCK_UPGRADABLE), 0);
	wait_with(&a, evrwlock_upgrade(locks[0], ann), locks[0]);
	/* For nothing, behind the upgrade, or to be upgradable. */
	if (_i / 2 > 0)
		request(&c, locks[_i / 2 - 1], cid,
		    _i / 2 == 1 ? EVRWLOCK_READ : EVRWLOCK_UPGRADABLE);
	wait_with(&b, evsemaphore_acquire(tokens, bob), tokens);
	settle();
	ck_assert_int_eq(b.failed, _i / 2 > 0 ? EDEADLK : 0);
	end_owner(&cid);
	settle();
	ck_assert_int_eq(b.granted, _i / 2 == 0);
	end_owner(&bob);
	settle();
	ck_assert_int_eq(a.granted, 1);
	end_owner(&ann);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	if (_i / 2 > 0)
		free_waiters(&c, 1);
	evsemaphore_free(tokens);
	done();
}
END_TEST

static int late_code, late_try;

static struct evresult
upgrade_late(struct evfailure *failure, void *owner)
{
	struct waiter up;

	(void)failure;
	wait_with(&up, evrwlock_upgrade(locks[0], owner), locks[0]);
	late_code = up.failed;
	free_waiters(&up, 1);
	late_try = evrwlock_try_upgrade(locks[0], owner) == -1 ? errno : 0;
	return evresult_value(NULL);
}

START_TEST(while_its_owner_is_freed_it_is_eshutdown)
{
	struct evdeferred *d;
	struct waiter w;

	make(1);
	get(&w, locks[0], bob, EVRWLOCK_WRITE);
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	evdeferred_add_errback(d, upgrade_late, ann);
	end_owner(&ann);
	ck_assert_int_eq(late_code, ESHUTDOWN);
	ck_assert_int_eq(late_try, ESHUTDOWN);
	evdeferred_free(d);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	free_waiters(&w, 1);
	done();
}
END_TEST

/* Of three: one that only reads, one that has nothing, and a lock that is closed. */
START_TEST(without_such_a_hold_nothing_changes)
{
	struct waiter a, up;

	make(_i);
	get(&a, locks[0], ann, EVRWLOCK_READ);
	wait_with(&up, evrwlock_upgrade(locks[0], ann), locks[0]);
	settle();
	ck_assert_int_eq(up.failed, EPERM);
	REFUSED(evrwlock_try_upgrade(locks[0], ann), EPERM);
	REFUSED(
	    evrwlock_downgrade(locks[0], bob, EVRWLOCK_WRITE, EVRWLOCK_READ),
	    EPERM);
	evrwlock_free(locks[0]);
	free_waiters(&up, 1);
	wait_with(&up, evrwlock_upgrade(locks[0], bob), locks[0]);
	settle();
	ck_assert_int_eq(up.failed, ESHUTDOWN);
	REFUSED(evrwlock_try_upgrade(locks[0], bob), ESHUTDOWN);
	leave(locks[0], ann, EVRWLOCK_READ);
	locks[0] = evrwlock_new(base, 0);
	free_waiters(&a, 1);
	free_waiters(&up, 1);
	done();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("upgradable_owner");
	TCase *tc = add_case(suite, "owner");

	tcase_add_test(tc, while_its_owner_is_freed_it_is_eshutdown);
	tcase_add_loop_test(tc, without_such_a_hold_nothing_changes, 0, 2);
	tcase_add_loop_test(tc, it_reads_and_is_upgradable_again, 0, 2);
	tcase_add_loop_test(tc, a_reader_that_asks_for_more_is_edeadlk, 0, 2);
	tcase_add_loop_test(tc, its_own_reads_do_not_count, 0, 4);
	tcase_add_test(tc, its_own_read_on_its_way_does_not_count);
	tcase_add_loop_test(tc, upgrades_together, 0, 2);
	tcase_add_test(tc, an_upgrade_on_its_way_writes);
	tcase_add_loop_test(tc, an_upgrade_that_is_dropped_on_its_way, 0, 2);
	tcase_add_loop_test(tc, without_such_a_hold_it_is_eperm, 0, 2);
	tcase_add_loop_test(tc, upgrades_of_a_lock_that_is_closed, 0, 2);
	tcase_add_test(tc, writers_that_wait_are_not_granted_with_an_upgrade);
	tcase_add_loop_test(tc, an_owner_that_ends_gives_back_all, 0, 2);
	tcase_add_loop_test(tc, downgrades, 0, 2);
	tcase_add_loop_test(tc, one_hold_of_several_is_downgraded, 0, 2);
	tcase_add_loop_test(tc, what_a_body_runs_under_is_the_librarys, 0, 2);

	tc = add_case(suite, "cycles");
	tcase_add_loop_test(tc, an_upgrade_that_closes_a_cycle, 0, 2);
	tcase_add_loop_test(
	    tc, a_wait_for_one_that_upgrades_closes_a_cycle, 0, 2);
	tcase_add_loop_test(tc, upgradable_holds_in_a_cycle, 0, 2);
	tcase_add_loop_test(tc, no_cycle_where_nobody_waits_for_a_reader, 0, 2);
	tcase_add_loop_test(
	    tc, a_cycle_behind_a_writer_that_waits_for_a_reader, 0, 2);
	tcase_add_loop_test(
	    tc, a_cycle_behind_another_that_wants_to_be_upgradable, 0, 2);
	tcase_add_loop_test(
	    tc, an_owner_behind_its_own_upgrade_is_no_cycle, 0, 4);
	tcase_add_loop_test(
	    tc, one_that_waits_to_be_upgradable_asks_for_nothing_else, 0, 2);
	tcase_add_loop_test(tc, tokens_and_an_upgrade, 0, 6);
	return support_main(suite);
}
