/* SPDX-License-Identifier: MIT */
/* A right that is lost: grants on their way, with the loop's delivery, or when the loss
 * is found in the midst of telling several. */
#include "rights.h"

#define READ EVRWLOCK_READ
#define UPGRADABLE EVRWLOCK_UPGRADABLE
#define WRITE EVRWLOCK_WRITE

START_TEST(a_grant_on_its_way_waits_again)
{
	struct evrwlock_stats stats;
	struct waiter p[4];

	make_lock_with_rights(0);
	reader(&p[0]);
	reader(&p[1]);
	writer(&p[2]);
	reader(&p[3]);
	counts(2, 0, 1, 1);
	rights->most = EVRIGHT_NONE;
	lose();
	/* Nobody was inside that knew of it. */
	check_not_lost(0);
	settle();
	counts(0, 0, 3, 1);
	allow(EVRIGHT_WRITE);
	settle();
	ck_assert_int_eq(p[2].granted, 1);
	leave(&p[2]);
	counts(3, 0, 0, 0);
	ck_assert_int_lt(p[0].order, p[1].order);
	ck_assert_int_lt(p[1].order, p[3].order);
	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.readers_granted, 3);
	ck_assert_uint_eq(stats.cancelled, 0);
	leave(&p[0]);
	leave(&p[1]);
	leave(&p[3]);
	done(p, 4);
}
END_TEST

START_TEST(a_grant_that_was_put_back_can_be_given_up)
{
	struct evowner *ann = new_owner("ann");
	struct waiter p[4];
	int way;

	for (way = 0; way < WAYS; way++) {
		make_lock_with_rights(0);
		reader(&p[0]);
		set_time(&p[0], way);
		want_for(&p[1], ann, READ);
		set_time(&p[1], way);
		rights->most = EVRIGHT_NONE;
		lose();
		settle();
		counts(0, 0, 2, 0);
		if (way != TIME_OUT) {
			give_up(&p[1], way);
			give_up(&p[0], way);
		} else {
			give_up(&p[0], way);
			ck_assert_int_eq(p[1].failed, ECANCELED);
		}
		counts(0, 0, 0, 0);
		evdeferred_free(p[0].d);
		evdeferred_free(p[1].d);
		evrwlock_free(lock);
	}
	evowner_free(ann);
}
END_TEST

START_TEST(a_grant_on_its_way_to_an_owner_waits_again)
{
	struct evowner *ann = new_owner("ann"), *bob = new_owner("bob");
	struct waiter p[3];

	make_lock_with_rights(0);
	want_for(&p[0], ann, READ);
	want_for(&p[1], bob, WRITE);
	lose();
	/* The writer comes first now. */
	settle();
	counts(0, 1, 1, 0);
	ck_assert_int_eq(p[1].granted, 1);
	want_for(&p[2], ann, WRITE);
	ck_assert_int_eq(evrwlock_release(lock, bob, WRITE), 0);
	settle();
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(p[0].granted, 0);
	ck_assert_int_eq(evrwlock_release(lock, ann, WRITE), 0);
	settle();
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(evrwlock_release(lock, ann, READ), 0);
	evowner_free(ann);
	evowner_free(bob);
	done(p, 3);
}
END_TEST

/* It was to enter beside what its owner has, and that is lost. */
START_TEST(a_second_grant_on_its_way_to_an_owner_fails)
{
	struct evowner *ann = new_owner("ann");
	struct waiter p[3];

	make_lock_with_rights(0);
	enter_for(&p[0], ann, READ);
	writer(&p[1]);
	want_for(&p[2], ann, READ);
	counts(2, 0, 0, 1);
	lose();
	check_failed(&p[2], ESTALE);
	counts(1, 0, 0, 1);
	REFUSED(evrwlock_release(lock, ann, READ), ESTALE);
	settle();
	ck_assert_int_eq(p[1].granted, 1);
	leave(&p[1]);
	evowner_free(ann);
	done(p, 3);
}
END_TEST

/* By the time of asking, though it was granted before. */
START_TEST(a_grant_that_is_put_back_stands_where_it_has_come)
{
	struct evowner *ann = new_owner("ann");
	struct waiter p[6];

	make_lock_with_rights(0);
	enter_for(&p[0], ann, WRITE);
	reader(&p[1]);
	want_for(&p[2], ann, READ);
	reader(&p[3]);
	ck_assert_int_eq(evrwlock_release(lock, ann, WRITE), 0);
	counts(3, 0, 0, 0);
	rights->most = EVRIGHT_NONE;
	lose();
	check_not_lost(0);
	allow(EVRIGHT_WRITE);
	settle();
	counts(3, 0, 0, 0);
	ck_assert_int_lt(p[1].order, p[2].order);
	ck_assert_int_lt(p[2].order, p[3].order);
	ck_assert_int_eq(evrwlock_release(lock, ann, READ), 0);
	leave(&p[1]);
	leave(&p[3]);
	evowner_free(ann);
	done(p, 4);
}
END_TEST

/* The first that is told finds it. */
static struct evresult
check_and_release(void *value, void *arg)
{
	struct waiter *p = arg;

	rights->stale = rights->tells = true;
	REFUSED(evrwlock_check(lock), ESTALE);
	rights->stale = false;
	REFUSED(release(p), ESTALE);
	return evresult_value(value);
}

START_TEST(a_loss_while_others_are_being_told)
{
	struct waiter p[3];

	make_lock_with_rights(_i);
	enter(&p[0], WRITE);
	p[1] = (struct waiter){.d = evrwlock_reader_acquire(lock)};
	ck_assert_int_eq(
	    evdeferred_add_callbacks(p[1].d, check_and_release, NULL, &p[1]),
	    0);
	reader(&p[2]);
	ck_assert_int_eq(release(&p[0]), 0);
	settle();
	/* Once all have left it enters after all. */
	ck_assert_int_eq(p[2].granted, 1);
	counts(1, 0, 0, 0);
	check_not_lost(1);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

/* Its tickets were counted anew meanwhile, or are so by the loss. */
START_TEST(tickets_do_not_matter)
{
	struct waiter p[3], q;
	int k;

	make_lock_with_rights(0);
	reader(&p[0]);
	reader(&p[1]);
	for (k = 0; k < 20; k++) {
		writer(&q);
		give_up(&q, CANCEL);
		evdeferred_free(q.d);
		lose();
	}
	reader(&p[2]);
	counts(3, 0, 0, 0);
	settle();
	for (k = 0; k < 3; k++) {
		ck_assert_int_eq(p[k].granted, 1);
		ck_assert_int_eq(p[k].order - p[0].order, k);
		leave(&p[k]);
	}
	done(p, 3);
}
END_TEST

/* Though what it upgrades is on its way, too, and waits again. */
START_TEST(an_upgrade_on_its_way_fails)
{
	struct evowner *ann = new_owner("ann");
	struct waiter p[3];

	make_lock_with_rights(0);
	enter(&p[0], READ);
	want_for(&p[1], ann, UPGRADABLE);
	wait_with(&p[2], evrwlock_upgrade(lock, ann), lock);
	ck_assert_int_eq(release(&p[0]), 0);
	lose();
	check_failed(&p[2], ESTALE);
	check_not_lost(0);
	settle();
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(evrwlock_release(lock, ann, UPGRADABLE), 0);
	evowner_free(ann);
	done(p, 3);
}
END_TEST

START_TEST(a_grant_on_its_way_of_a_closed_lock_fails)
{
	struct waiter p[2];

	make_lock_with_rights(0);
	enter(&p[0], READ);
	reader(&p[1]);
	evrwlock_free(lock);
	lose();
	check_failed(&p[1], ESHUTDOWN);
	REFUSED(release(&p[0]), ESTALE);
	ck_assert_int_eq(rights_left, 1);
	free_waiters(p, 2);
}
END_TEST

static Suite *
lost_grants_suite(void)
{
	Suite *suite = suite_create("lost grants");
	TCase *on_their_way = add_case(suite, "on their way");

	tcase_add_test(on_their_way, a_grant_on_its_way_waits_again);
	tcase_add_test(on_their_way, a_grant_that_was_put_back_can_be_given_up);
	tcase_add_test(
	    on_their_way, a_grant_on_its_way_to_an_owner_waits_again);
	tcase_add_test(
	    on_their_way, a_second_grant_on_its_way_to_an_owner_fails);
	tcase_add_test(
	    on_their_way, a_grant_that_is_put_back_stands_where_it_has_come);
	tcase_add_loop_test(
	    on_their_way, a_loss_while_others_are_being_told, 0, 2);
	tcase_add_test(on_their_way, tickets_do_not_matter);

	tcase_add_test(on_their_way, an_upgrade_on_its_way_fails);
	tcase_add_test(on_their_way, a_grant_on_its_way_of_a_closed_lock_fails);
	return suite;
}

int
main(void)
{
	return support_main(lost_grants_suite());
}
