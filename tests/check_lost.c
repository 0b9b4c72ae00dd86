/* SPDX-License-Identifier: MIT */
/* A right that is lost: those that are inside, and those that wait.  Most tests run once with each way of delivery. */
#include "rights.h"

#include <string.h>

#define READ EVRWLOCK_READ
#define UPGRADABLE EVRWLOCK_UPGRADABLE
#define WRITE EVRWLOCK_WRITE

/* What the library makes of a loss for one that asks. */
static void
check_refused_as_lost(struct evowner *owner, enum evrwlock_mode mode)
{
	struct waiter p;

	want_for(&p, owner, mode);
	settle();
	check_failed(&p, ESTALE);
	ck_assert_str_eq(p.message, "the right to the lock was lost");
	evdeferred_free(p.d);
	REFUSED(evrwlock_try(lock, owner, mode), ESTALE);
}

START_TEST(no_lock_is_einval)
{
	REFUSED(evrwlock_check(NULL), EINVAL);
	REFUSED_NULL(evrwlock_lost(NULL), EINVAL);
	ck_assert_uint_eq(evrwlock_get_token(NULL), 0);
}
END_TEST

static void
nothing_is_lost(void)
{
	struct waiter p;
	struct evdeferred *d;
	struct seen seen;

	watch(&seen, &d);
	enter(&p, WRITE);
	check_not_lost(0);
	ck_assert_uint_eq(evrwlock_get_token(lock), 0);
	ck_assert_int_eq(release(&p), 0);
	settle();
	ck_assert_int_eq(seen.values + seen.failures, 0);
	done(&p, 1);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
}

START_TEST(without_a_source_nothing_is_lost)
{
	make_lock(_i);
	nothing_is_lost();
}
END_TEST

START_TEST(without_a_check_nothing_is_lost)
{
	make_lock_without_losses();
	nothing_is_lost();
	ck_assert_int_eq(rights_left, 1);
}
END_TEST

/* There may be a check alone. */
START_TEST(without_tokens_there_is_none)
{
	struct waiter p;

	make_lock_without_upgradables();
	enter(&p, WRITE);
	ck_assert_uint_eq(evrwlock_get_token(lock), 0);
	lose();
	REFUSED(release(&p), ESTALE);
	done(&p, 1);
}
END_TEST

START_TEST(a_token_is_that_of_the_right_to_write)
{
	struct waiter p[3];

	make_lock_with_rights(_i);
	ck_assert_uint_eq(evrwlock_get_token(lock), 0);
	enter(&p[0], READ);
	ck_assert_uint_eq(evrwlock_get_token(lock), 0);
	leave(&p[0]);
	enter(&p[1], WRITE);
	ck_assert_uint_eq(evrwlock_get_token(lock), 1);
	leave(&p[1]);
	ck_assert_uint_eq(evrwlock_get_token(lock), 0);
	enter(&p[2], WRITE);
	ck_assert_uint_eq(evrwlock_get_token(lock), 2);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

START_TEST(a_check_asks_for_those_that_are_inside)
{
	struct waiter p;

	make_lock_with_rights(_i);
	rights->stale = true;
	ck_assert_int_eq(evrwlock_check(lock), 0);
	ck_assert_int_eq(rights->checked, 0);
	enter(&p, READ);
	REFUSED(evrwlock_check(lock), ESTALE);
	ck_assert_int_eq(rights->checked, 1);
	/* It has said nothing of a loss. */
	rights->stale = false;
	check_not_lost(0);
	ck_assert_int_eq(rights->checked, 2);
	leave(&p);
	done(&p, 1);
}
END_TEST

START_TEST(a_check_may_find_the_loss)
{
	struct evdeferred *d;
	struct waiter p;
	struct seen seen;

	make_lock_with_rights(_i);
	rights->stale = rights->tells = true;
	watch(&seen, &d);
	enter(&p, WRITE);
	REFUSED(evrwlock_check(lock), ESTALE);
	ck_assert_int_eq(seen.values, 1);
	ck_assert_ptr_null(seen.value);
	check_lost(1);
	/* It is known by then. */
	ck_assert_int_eq(rights->checked, 1);
	REFUSED(release(&p), ESTALE);
	check_not_lost(1);
	evdeferred_free(d);
	done(&p, 1);
}
END_TEST

/* The only users of its memory are those that the check tells. */
static struct evresult
close_and_leave(void *value, void *arg)
{
	const struct waiter *p = arg;

	evrwlock_free(lock);
	REFUSED(release(p), ESTALE);
	return evresult_value(value);
}

START_TEST(a_check_may_be_the_last_use_of_the_lock)
{
	struct evdeferred *d;
	struct waiter p;

	make_lock_with_rights(_i);
	rights->stale = rights->tells = true;
	enter(&p, WRITE);
	d = evrwlock_lost(lock);
	ck_assert_int_eq(evdeferred_add_callback(d, close_and_leave, &p), 0);
	REFUSED(evrwlock_check(lock), ESTALE);
	ck_assert_int_eq(rights_left, 1);
	evdeferred_free(d);
	evdeferred_free(p.d);
}
END_TEST

START_TEST(lost_readers_stay_until_they_release)
{
	struct waiter p[4];
	int asked;

	make_lock_with_rights(_i);
	enter(&p[0], READ);
	enter(&p[1], READ);
	lose();
	check_lost(1);
	asked = rights->asked;
	reader(&p[2]);
	writer(&p[3]);
	REFUSED(evrwlock_reader_try(lock), EBUSY);
	REFUSED(evrwlock_writer_try(lock), EBUSY);
	settle();
	counts(2, 0, 1, 1);
	REFUSED(release(&p[0]), ESTALE);
	settle();
	counts(1, 0, 1, 1);
	check_lost(1);
	ck_assert_int_eq(rights->asked, asked);
	REFUSED(release(&p[1]), ESTALE);
	settle();
	/* As new: for those that wait. */
	counts(0, 1, 1, 0);
	check_not_lost(1);
	ck_assert_uint_eq(evrwlock_get_token(lock), 1);
	leave(&p[3]);
	counts(1, 0, 0, 0);
	leave(&p[2]);
	REFUSED(evrwlock_reader_release(lock), EPERM);
	done(p, 4);
}
END_TEST

START_TEST(a_lost_writer_stays_until_it_releases)
{
	struct waiter p[3];

	make_lock_with_rights(_i);
	enter(&p[0], WRITE);
	reader(&p[1]);
	lose();
	reader(&p[2]);
	settle();
	counts(0, 1, 2, 0);
	check_lost(1);
	/* What is lost is lost, also if the source has got it anew. */
	rights->right = EVRIGHT_WRITE;
	lose();
	rights->right = EVRIGHT_WRITE;
	check_lost(1);
	REFUSED(release(&p[0]), ESTALE);
	settle();
	counts(2, 0, 0, 0);
	leave(&p[1]);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

START_TEST(the_next_ones_wait_for_a_new_right)
{
	struct waiter p[2];

	make_lock_with_rights(_i);
	enter(&p[0], WRITE);
	writer(&p[1]);
	rights->most = EVRIGHT_NONE;
	lose();
	ck_assert(!rights->source.awaiting);
	REFUSED(release(&p[0]), ESTALE);
	settle();
	counts(0, 0, 0, 1);
	/* Now the loop goes on for it. */
	ck_assert(rights->source.awaiting);
	check_not_lost(1);
	allow(EVRIGHT_WRITE);
	settle();
	counts(0, 1, 0, 0);
	leave(&p[1]);
	done(p, 2);
}
END_TEST

START_TEST(what_was_due_is_not_while_it_is_lost)
{
	struct waiter p[2];

	make_lock_with_rights(_i);
	rights->most = EVRIGHT_READ;
	enter(&p[0], READ);
	writer(&p[1]);
	allow(EVRIGHT_READ);
	ck_assert(rights->source.awaiting);
	lose();
	ck_assert(!rights->source.awaiting);
	rights->most = EVRIGHT_WRITE;
	REFUSED(release(&p[0]), ESTALE);
	settle();
	ck_assert_int_eq(p[1].granted, 1);
	leave(&p[1]);
	done(p, 2);
}
END_TEST

START_TEST(with_nobody_inside_nothing_is_lost)
{
	struct evdeferred *d;
	struct waiter p;
	struct seen seen;
	int asked;

	make_lock_with_rights(_i);
	watch(&seen, &d);
	rights->most = EVRIGHT_NONE;
	reader(&p);
	settle();
	counts(0, 0, 1, 0);
	rights->most = EVRIGHT_WRITE;
	asked = rights->asked;
	lose();
	ck_assert_int_gt(rights->asked, asked);
	settle();
	counts(1, 0, 0, 0);
	check_not_lost(0);
	ck_assert_int_eq(seen.values, 0);
	leave(&p);
	evdeferred_free(d);
	done(&p, 1);
}
END_TEST

/* As those of a kept right to read do. */
START_TEST(readers_that_need_not_ask_see_the_loss)
{
	struct waiter p[3];

	make_lock_with_rights(_i);
	rights->asks = 0;
	rights->right = EVRIGHT_READ;
	enter(&p[0], READ);
	lose();
	reader(&p[1]);
	settle();
	counts(1, 0, 1, 0);
	REFUSED(release(&p[0]), ESTALE);
	settle();
	counts(1, 0, 0, 0);
	/* And then it is as it was. */
	ck_assert_ptr_eq(rights->source.ask_first, &rights->asks);
	enter(&p[2], READ);
	ck_assert_int_eq(release(&p[1]), 0);
	ck_assert_int_eq(release(&p[2]), 0);
	done(p, 3);
}
END_TEST

/*
 * Owners.
 */

START_TEST(an_owner_that_is_inside_is_refused)
{
	struct evowner *ann = new_owner("ann"), *bob = new_owner("bob");
	struct waiter p[3];

	make_lock_with_rights(_i);
	enter_for(&p[0], ann, READ);
	enter_for(&p[1], ann, READ);
	lose();
	check_refused_as_lost(ann, READ);
	check_refused_as_lost(ann, WRITE);
	want_for(&p[2], bob, READ);
	REFUSED(evrwlock_try(lock, bob, READ), EBUSY);
	settle();
	counts(2, 0, 1, 0);
	REFUSED(evrwlock_release(lock, ann, WRITE), EPERM);
	REFUSED(evrwlock_release(lock, ann, READ), ESTALE);
	check_refused_as_lost(ann, READ);
	REFUSED(evrwlock_release(lock, ann, READ), ESTALE);
	settle();
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(evrwlock_try(lock, ann, READ), 0);
	ck_assert_int_eq(evrwlock_release(lock, ann, READ), 0);
	ck_assert_int_eq(evrwlock_release(lock, bob, READ), 0);
	done(p, 3);
	evowner_free(ann);
	evowner_free(bob);
}
END_TEST

START_TEST(an_owner_that_is_freed_leaves)
{
	struct evowner *ann = new_owner("ann");
	struct waiter p[3];

	make_lock_with_rights(_i);
	enter_for(&p[0], ann, WRITE);
	enter_for(&p[1], ann, READ);
	reader(&p[2]);
	lose();
	evowner_free(ann);
	settle();
	check_not_lost(1);
	ck_assert_int_eq(p[2].granted, 1);
	leave(&p[2]);
	done(p, 3);
}
END_TEST

START_TEST(a_lost_grant_that_nobody_receives_leaves)
{
	struct evowner *ann = new_owner("ann");
	struct waiter p;
	struct evdeferred *d;
	struct evowner *owner = _i < 2 ? NULL : ann;

	make_lock_with_rights(_i);
	d = evrwlock_acquire(lock, owner, WRITE);
	evdeferred_pause(d);
	settle();
	lose();
	check_lost(1);
	reader(&p);
	settle();
	ck_assert_int_eq(p.granted, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(p.granted, 1);
	check_not_lost(1);
	leave(&p);
	done(&p, 1);
	evowner_free(ann);
}
END_TEST

/* It waits for all that are inside, also as a reader. */
START_TEST(an_owner_that_would_wait_for_itself_through_others_is_refused)
{
	struct evowner *ann = new_owner("ann"), *bob = new_owner("bob");
	struct evrwlock *other = new_lock(_i);
	struct waiter p[4];

	make_lock_with_rights(_i);
	enter_for(&p[0], ann, READ);
	wait_with(&p[1], evrwlock_acquire(other, bob, WRITE), other);
	settle();
	lose();
	wait_with(&p[2], evrwlock_acquire(other, ann, WRITE), other);
	want_for(&p[3], bob, READ);
	settle();
	check_failed(&p[3], EDEADLK);
	REFUSED(evrwlock_release(lock, ann, READ), ESTALE);
	ck_assert_int_eq(evrwlock_release(other, bob, WRITE), 0);
	settle();
	ck_assert_int_eq(evrwlock_release(other, ann, WRITE), 0);
	evowner_free(ann);
	evowner_free(bob);
	done(p, 4);
	evrwlock_free(other);
}
END_TEST

/* Its own hold keeps it out for as long as it is there. */
START_TEST(one_that_waits_beside_its_own_hold_fails)
{
	struct evowner *ann = new_owner("ann");
	struct waiter p[4];

	make_lock_with_rights(_i);
	enter(&p[0], WRITE);
	want_for(&p[1], ann, WRITE);
	want_for(&p[2], ann, READ);
	want_for(&p[3], ann, WRITE);
	leave(&p[0]);
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(p[2].granted, 0);
	lose();
	check_failed(&p[2], ESTALE);
	check_failed(&p[3], ESTALE);
	check_lost(1);
	REFUSED(evrwlock_release(lock, ann, WRITE), ESTALE);
	evowner_free(ann);
	done(p, 4);
}
END_TEST

/*
 * Upgradable reads.
 */

START_TEST(an_upgrade_that_waits_fails)
{
	struct evowner *ann = new_owner("ann");
	struct evowner *owner = _i < 2 ? NULL : ann;
	struct waiter p[3];

	make_lock_with_rights(_i);
	enter_for(&p[0], owner, UPGRADABLE);
	enter(&p[1], READ);
	wait_with(&p[2], evrwlock_upgrade(lock, owner), lock);
	settle();
	lose();
	check_failed(&p[2], ESTALE);
	evdeferred_free(p[2].d);
	/* Nor can it be asked for. */
	wait_with(&p[2], evrwlock_upgrade(lock, owner), lock);
	settle();
	check_failed(&p[2], ESTALE);
	REFUSED(evrwlock_try_upgrade(lock, owner), ESTALE);
	REFUSED(evrwlock_downgrade(lock, owner, UPGRADABLE, READ), ESTALE);
	REFUSED(evrwlock_release(lock, owner, UPGRADABLE), ESTALE);
	REFUSED(release(&p[1]), ESTALE);
	check_not_lost(1);
	evowner_free(ann);
	done(p, 3);
}
END_TEST

static struct evresult
free_next(struct evfailure *failure, void *arg)
{
	struct waiter *next = arg;

	ck_assert_int_eq(evfailure_get_code(failure), ESTALE);
	evdeferred_free(next->d);
	next->d = NULL;
	return evresult_value(NULL);
}

START_TEST(an_upgrade_that_fails_may_free_another_one)
{
	struct evowner *ann = new_owner("ann");
	struct waiter p[4];

	make_lock_with_rights(_i);
	enter(&p[0], READ);
	enter_for(&p[1], ann, UPGRADABLE);
	p[2].d = evrwlock_upgrade(lock, ann);
	evdeferred_add_errback(p[2].d, free_next, &p[3]);
	wait_with(&p[3], evrwlock_upgrade(lock, ann), lock);
	lose();
	ck_assert_ptr_null(p[3].d);
	ck_assert_int_eq(p[3].ended, 0);
	REFUSED(release(&p[0]), ESTALE);
	evowner_free(ann);
	check_not_lost(1);
	done(p, 4);
}
END_TEST

START_TEST(a_lost_hold_can_not_become_less)
{
	struct waiter p;

	make_lock_with_rights(_i);
	enter(&p, WRITE);
	lose();
	REFUSED(evrwlock_downgrade(lock, NULL, WRITE, READ), ESTALE);
	counts(0, 1, 0, 0);
	REFUSED(release(&p), ESTALE);
	done(&p, 1);
}
END_TEST

static struct evresult
never_run(void *arg)
{
	ck_abort_msg("a body of %p is run", arg);
	return evresult_value(NULL);
}

START_TEST(without_upgradable_reads_they_are_enotsup)
{
	struct evowner *ann = new_owner("ann");
	struct evowner *owner = _i % 2 == 0 ? NULL : ann;
	struct waiter p;

	make_lock_without_upgradables();
	REFUSED_NULL(evrwlock_acquire(lock, owner, UPGRADABLE), ENOTSUP);
	REFUSED(evrwlock_try(lock, owner, UPGRADABLE), ENOTSUP);
	REFUSED(evrwlock_release(lock, owner, UPGRADABLE), ENOTSUP);
	REFUSED_NULL(
	    evrwlock_with(lock, owner, UPGRADABLE, NULL, never_run, NULL),
	    ENOTSUP);
	REFUSED_NULL(evrwlock_upgrade(lock, owner), ENOTSUP);
	REFUSED(evrwlock_try_upgrade(lock, owner), ENOTSUP);
	enter_for(&p, owner, WRITE);
	REFUSED(evrwlock_downgrade(lock, owner, WRITE, UPGRADABLE), ENOTSUP);
	ck_assert_int_eq(evrwlock_downgrade(lock, owner, WRITE, READ), 0);
	ck_assert_int_eq(evrwlock_release(lock, owner, READ), 0);
	REFUSED_NULL(evrwlock_acquire(lock, owner, WRITE + 1), EINVAL);
	evowner_free(ann);
	done(&p, 1);
}
END_TEST

/*
 * Closing.
 */

START_TEST(a_lost_lock_can_be_closed)
{
	struct waiter p[2];

	make_lock_with_rights(_i);
	rights->asks = 0;
	enter(&p[0], READ);
	lose();
	reader(&p[1]);
	evrwlock_free(lock);
	check_failed(&p[1], ESHUTDOWN);
	ck_assert_int_eq(rights_left, 0);
	REFUSED(release(&p[0]), ESTALE);
	ck_assert_int_eq(rights_left, 1);
	free_waiters(p, 2);
}
END_TEST

START_TEST(a_base_can_be_closed_while_it_is_lost)
{
	struct waiter p[2];

	make_lock_with_rights(_i);
	rights->asks = 0;
	enter(&p[0], WRITE);
	lose();
	reader(&p[1]);
	support_free_base();
	check_failed(&p[1], ESHUTDOWN);
	REFUSED(release(&p[0]), ESTALE);
	/* Readers have to ask ever after. */
	ck_assert(rights->source.ask_first != &rights->asks);
	free_waiters(p, 2);
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_right_can_be_lost_on_a_closed_base)
{
	struct waiter p[2];

	make_lock_with_rights(_i);
	enter(&p[0], READ);
	support_free_base();
	lose();
	check_lost(1);
	REFUSED(release(&p[0]), ESTALE);
	check_not_lost(1);
	free_waiters(p, 1);
	evrwlock_free(lock);
}
END_TEST

/*
 * Seeing.
 */

START_TEST(a_description_says_that_it_is_lost)
{
	char text[256];
	struct waiter p;

	make_lock_with_rights(_i);
	enter(&p, READ);
	evrwlock_describe(lock, text, sizeof(text));
	ck_assert_ptr_null(strstr(text, "lost"));
	lose();
	evrwlock_describe(lock, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, ": reading and lost, inside: 1"));
	REFUSED(release(&p), ESTALE);
	evrwlock_describe(lock, text, sizeof(text));
	ck_assert_ptr_null(strstr(text, "lost"));
	done(&p, 1);
}
END_TEST

START_TEST(who_waits_is_told_the_reason_of_the_source)
{
	struct waiter p;

	make_lock_with_rights(_i);
	allow(EVRIGHT_NONE);
	want(&p, WRITE);
	rights->source.error = EACCES;
	rights->source.reason = "nobody may";
	evwaitqueue_fail_(rights->source.queue);
	settle();
	check_failed(&p, EACCES);
	ck_assert_str_eq(p.message, "nobody may");
	done(&p, 1);
}
END_TEST

static Suite *
lost_suite(void)
{
	Suite *suite = suite_create("lost");
	TCase *inside = add_case(suite, "inside");
	TCase *owned = add_case(suite, "owners");
	TCase *upgradable = add_case(suite, "upgradable");
	TCase *closed = add_case(suite, "closed");

	tcase_add_test(inside, no_lock_is_einval);
	tcase_add_loop_test(inside, without_a_source_nothing_is_lost, 0, 2);
	tcase_add_test(inside, without_a_check_nothing_is_lost);
	tcase_add_test(inside, without_tokens_there_is_none);
	tcase_add_loop_test(
	    inside, a_token_is_that_of_the_right_to_write, 0, 2);
	tcase_add_loop_test(
	    inside, a_check_asks_for_those_that_are_inside, 0, 2);
	tcase_add_loop_test(inside, a_check_may_find_the_loss, 0, 2);
	tcase_add_loop_test(
	    inside, a_check_may_be_the_last_use_of_the_lock, 0, 2);
	tcase_add_loop_test(inside, lost_readers_stay_until_they_release, 0, 2);
	tcase_add_loop_test(
	    inside, a_lost_writer_stays_until_it_releases, 0, 2);
	tcase_add_loop_test(inside, the_next_ones_wait_for_a_new_right, 0, 2);
	tcase_add_loop_test(inside, what_was_due_is_not_while_it_is_lost, 0, 2);
	tcase_add_loop_test(inside, with_nobody_inside_nothing_is_lost, 0, 2);
	tcase_add_loop_test(
	    inside, readers_that_need_not_ask_see_the_loss, 0, 2);
	tcase_add_loop_test(inside, a_description_says_that_it_is_lost, 0, 2);

	tcase_add_loop_test(owned, an_owner_that_is_inside_is_refused, 0, 2);
	tcase_add_loop_test(owned, an_owner_that_is_freed_leaves, 0, 2);
	tcase_add_loop_test(
	    owned, a_lost_grant_that_nobody_receives_leaves, 0, 4);
	tcase_add_loop_test(owned,
	    an_owner_that_would_wait_for_itself_through_others_is_refused, 0,
	    2);
	tcase_add_loop_test(
	    owned, one_that_waits_beside_its_own_hold_fails, 0, 2);

	tcase_add_loop_test(upgradable, an_upgrade_that_waits_fails, 0, 4);
	tcase_add_loop_test(
	    upgradable, an_upgrade_that_fails_may_free_another_one, 0, 2);
	tcase_add_loop_test(upgradable, a_lost_hold_can_not_become_less, 0, 2);
	tcase_add_loop_test(
	    upgradable, without_upgradable_reads_they_are_enotsup, 0, 2);

	tcase_add_loop_test(closed, a_lost_lock_can_be_closed, 0, 2);
	tcase_add_loop_test(
	    closed, a_base_can_be_closed_while_it_is_lost, 0, 2);
	tcase_add_loop_test(closed, a_right_can_be_lost_on_a_closed_base, 0, 2);
	tcase_add_loop_test(
	    closed, who_waits_is_told_the_reason_of_the_source, 0, 2);
	return suite;
}

int
main(void)
{
	return support_main(lost_suite());
}
