/* SPDX-License-Identifier: MIT */
/* A wait that would close a cycle of owners that wait for one another fails with
 * EDEADLK, and no other does. */
#include "owners.h"

#include <errno.h>

static const char *
message_of(const struct waiter *waiter)
{
	ck_assert_int_eq(waiter->failed, EDEADLK);
	return waiter->message;
}

START_TEST(cycle_of_two)
{
	struct waiter a[2], b[2], retry;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	get(&b[0], locks[1], bob, EVRWLOCK_WRITE);
	request(&a[1], locks[1], ann, EVRWLOCK_WRITE);
	request(&b[1], locks[0], bob, mode_of(_i / 2));
	/* It fails at once, and then waits for nothing. */
	ck_assert_str_eq(message_of(&b[1]),
	    _i / 2 == 0 ? "deadlock: bob waits to read red, held by ann; "
			  "ann waits to write green, held by bob"
			: "deadlock: bob waits to write red, held by ann; "
			  "ann waits to write green, held by bob");
	lock_counts(locks[0], 0, 1, 0, 0);
	leave(locks[1], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(a[1].granted, 1);
	request(&retry, locks[0], bob, mode_of(_i / 2));
	leave(locks[1], ann, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(retry.granted, 1);
	leave(locks[0], bob, mode_of(_i / 2));
	free_waiters(a, 2);
	free_waiters(b, 2);
	free_waiters(&retry, 1);
	done();
}
END_TEST

START_TEST(cycle_of_three)
{
	struct waiter a[2], b[2], c[2];

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	get(&b[0], locks[1], bob, EVRWLOCK_READ);
	get(&c[0], locks[2], cid, EVRWLOCK_WRITE);
	request(&a[1], locks[1], ann, EVRWLOCK_WRITE);
	request(&b[1], locks[2], bob, EVRWLOCK_READ);
	request(&c[1], locks[0], cid, EVRWLOCK_READ);
	ck_assert_str_eq(message_of(&c[1]),
	    "deadlock: cid waits to read red, held by ann; "
	    "ann waits to write green, held by bob; "
	    "bob waits to read blue, held by cid");
	leave(locks[2], cid, EVRWLOCK_WRITE);
	ck_assert_int_eq(b[1].granted, 1);
	leave(locks[2], bob, EVRWLOCK_READ);
	leave(locks[1], bob, EVRWLOCK_READ);
	ck_assert_int_eq(a[1].granted, 1);
	free_waiters(a, 2);
	free_waiters(b, 2);
	free_waiters(&c[0], 1);
	free_waiters(&c[1], 1);
	done();
}
END_TEST

/* cid reads, ann waits to write, bob waits to read behind ann. */
START_TEST(cycle_through_a_reader_behind_a_waiting_writer)
{
	struct waiter c[2], a, b[2];

	make(_i);
	get(&c[0], locks[0], cid, EVRWLOCK_READ);
	get(&b[0], locks[1], bob, EVRWLOCK_WRITE);
	request(&a, locks[0], ann, EVRWLOCK_WRITE);
	request(&b[1], locks[0], bob, EVRWLOCK_READ);
	/* bob waits for ann only because ann waits for cid. */
	request(&c[1], locks[1], cid, EVRWLOCK_READ);
	ck_assert_int_eq(c[1].failed, EDEADLK);
	leave(locks[0], cid, EVRWLOCK_READ);
	ck_assert_int_eq(a.granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(b[1].granted, 1);
	free_waiters(c, 2);
	free_waiters(&a, 1);
	free_waiters(b, 2);
	done();
}
END_TEST

START_TEST(cycle_through_a_grant_that_is_not_delivered)
{
	struct waiter w, a[2], b[2];

	make(0);
	get(&w, locks[0], cid, EVRWLOCK_WRITE);
	get(&b[0], locks[1], bob, EVRWLOCK_WRITE);
	/* ann is one of the readers that enter in one step. */
	request(&a[0], locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(evrwlock_release(locks[0], cid, EVRWLOCK_WRITE), 0);
	request(&b[1], locks[0], bob, EVRWLOCK_WRITE);
	request(&a[1], locks[1], ann, EVRWLOCK_READ);
	/* She is inside, though she does not know it yet. */
	ck_assert_str_eq(message_of(&a[1]),
	    "deadlock: ann waits to read green, held by bob; "
	    "bob waits to write red, held by ann");
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	leave(locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(b[1].granted, 1);
	free_waiters(&w, 1);
	free_waiters(a, 2);
	free_waiters(b, 2);
	done();
}
END_TEST

/* Somebody anonymous reads red.  ann waits to write it and bob, who holds green,
 * to read it behind ann.  If ann then waits for green, she will be inside with
 * bob waiting for her: bob waits for her already.  _i / 2: which request
 * comes last. */
START_TEST(cycle_through_an_owner_with_two_waits)
{
	struct waiter a[2], b[2];

	make(_i);
	ck_assert_int_eq(evrwlock_reader_try(locks[0]), 0);
	get(&b[0], locks[1], bob, EVRWLOCK_WRITE);
	switch (_i / 2) {
	case 0:
		request(&a[0], locks[0], ann, EVRWLOCK_WRITE);
		request(&b[1], locks[0], bob, EVRWLOCK_WRITE);
		request(&a[1], locks[1], ann, EVRWLOCK_READ);
		ck_assert_str_eq(message_of(&a[1]),
		    "deadlock: ann waits to read green, held by bob; "
		    "bob waits to write red, behind ann");
		break;
	case 1:
		request(&a[0], locks[0], ann, EVRWLOCK_WRITE);
		request(&a[1], locks[1], ann, EVRWLOCK_READ);
		request(&b[1], locks[0], bob, EVRWLOCK_WRITE);
		ck_assert_int_eq(b[1].failed, EDEADLK);
		break;
	default:
		/* A writer that comes last stands in front of readers. */
		request(&a[1], locks[1], ann, EVRWLOCK_READ);
		ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
		ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
		request(&b[1], locks[0], bob, EVRWLOCK_READ);
		request(&a[0], locks[0], ann, EVRWLOCK_WRITE);
		ck_assert_int_eq(a[0].failed, EDEADLK);
	}
	if (evrwlock_reader_release(locks[0]) == -1)
		ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	settle();
	ck_assert_int_eq(a[0].ended, 1);
	if (_i / 2 == 0)
		leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(b[1].ended, 1);
	leave(locks[1], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(a[1].ended, 1);
	free_waiters(a, 2);
	free_waiters(b, 2);
	done();
}
END_TEST

START_TEST(no_cycle_through_an_owner_that_is_its_own_blocker)
{
	struct waiter a[3];

	make(_i);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], bob, EVRWLOCK_WRITE), 0);
	request(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	request(&a[1], locks[0], ann, EVRWLOCK_READ);
	/* Now ann is inside, with a read of her own behind her write. */
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	request(&a[2], locks[1], ann, EVRWLOCK_READ);
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	ck_assert_int_eq(a[1].ended + a[2].ended, 0);
	leave(locks[1], bob, EVRWLOCK_WRITE);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(a[1].granted + a[2].granted, 2);
	free_waiters(a, 3);
	done();
}
END_TEST

/* ann waits for a reader that has not been told yet, and that has no owner. */
START_TEST(anonymous_grants_undelivered_take_no_part)
{
	struct evdeferred *d;
	struct waiter a, b;

	make(0);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], ann, EVRWLOCK_WRITE), 0);
	request(&b, locks[1], bob, EVRWLOCK_WRITE);
	d = evrwlock_reader_acquire(locks[0]);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	lock_counts(locks[0], 1, 0, 0, 0);
	request(&a, locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(a.ended, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(a.granted, 1);
	leave(locks[1], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(b.granted, 1);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	done();
}
END_TEST

/* The search ends when all the locks that ann has are looked at, wherever it has
 * come to by then. */
START_TEST(no_cycle_through_locks_that_nobody_waits_for)
{
	struct evrwlock *spare[8];
	struct waiter a, b;
	int k;

	make(_i);
	for (k = 0; k < _i / 2; k++) {
		spare[k] = new_lock(_i);
		ck_assert_int_eq(
		    evrwlock_try(spare[k], ann, EVRWLOCK_WRITE), 0);
	}
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], cid, EVRWLOCK_WRITE), 0);
	request(&b, locks[1], bob, EVRWLOCK_WRITE);
	request(&a, locks[0], ann, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(a.ended + b.ended, 0);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(a.granted, 1);
	leave(locks[1], cid, EVRWLOCK_WRITE);
	ck_assert_int_eq(b.granted, 1);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	for (k = 0; k < _i / 2; k++) {
		leave(spare[k], ann, EVRWLOCK_WRITE);
		evrwlock_free(spare[k]);
	}
	done();
}
END_TEST

/* Two connections, each with a write and a read under way at the same time. */
START_TEST(no_cycle_at_one_lock)
{
	struct waiter a[2], b[2];

	make(_i);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	request(&a[0], locks[0], ann, mode_of(_i / 2 == 0));
	request(&b[0], locks[0], bob, EVRWLOCK_WRITE);
	request(&a[1], locks[0], ann, mode_of(_i / 2 == 1));
	request(&b[1], locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(a[1].failed + b[0].failed + b[1].failed, 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(b[0].granted, 1);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(b[1].granted, 1);
	free_waiters(a, 2);
	free_waiters(b, 2);
	done();
}
END_TEST

START_TEST(no_cycle_behind_a_younger_writer)
{
	struct waiter a, b[2], c;

	make(_i);
	ck_assert_int_eq(evrwlock_reader_try(locks[0]), 0);
	get(&b[0], locks[1], bob, EVRWLOCK_WRITE);
	request(&b[1], locks[0], bob, EVRWLOCK_WRITE);
	/* ann stands behind bob, who waits for nothing that she has. */
	request(&a, locks[0], ann, EVRWLOCK_WRITE);
	request(&c, locks[1], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(a.ended + c.ended, 0);
	ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	settle();
	ck_assert_int_eq(b[1].granted, 1);
	end_owner(&bob);
	settle();
	ck_assert_int_eq(a.granted + c.granted, 2);
	free_waiters(&a, 1);
	free_waiters(b, 2);
	free_waiters(&c, 1);
	done();
}
END_TEST

START_TEST(anonymous_holds_take_no_part)
{
	struct evdeferred *d;
	struct waiter a;

	make(_i);
	/* What would be a cycle if both sides were owners. */
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], ann, EVRWLOCK_WRITE), 0);
	d = evrwlock_writer_acquire(locks[1]);
	request(&a, locks[0], ann, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(a.ended, 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	settle();
	ck_assert_int_eq(a.granted, 1);
	evdeferred_free(d);
	free_waiters(&a, 1);
	done();
}
END_TEST

START_TEST(deadlock_of_a_with_runs_nothing)
{
	struct body with = {NULL, NULL, 0};
	struct seen seen = {0, 0, NULL, 0};
	struct waiter a;
	struct evdeferred *d;

	make(_i);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], bob, EVRWLOCK_WRITE), 0);
	request(&a, locks[1], ann, EVRWLOCK_READ);
	d = run_with(locks[0], bob, EVRWLOCK_READ, &with);
	see(d, &seen);
	ck_assert_int_eq(seen.code, EDEADLK);
	ck_assert_int_eq(with.runs, 0);
	evdeferred_free(d);
	end_owner(&bob);
	settle();
	ck_assert_int_eq(a.granted, 1);
	free_waiters(&a, 1);
	done();
}
END_TEST

START_TEST(long_cycle_is_told_in_part)
{
	enum { MANY = 100 };
	struct evrwlock *ring[MANY];
	struct evowner *owners[MANY];
	struct waiter waiters[MANY];
	int k;

	make(_i);
	for (k = 0; k < MANY; k++) {
		ring[k] = new_lock(_i);
		owners[k] = new_owner("somebody with a long name");
		ck_assert_int_eq(
		    evrwlock_try(ring[k], owners[k], EVRWLOCK_WRITE), 0);
	}
	for (k = 0; k < MANY; k++)
		request(&waiters[k], ring[(k + 1) % MANY], owners[k],
		    EVRWLOCK_READ);
	ck_assert_int_eq(waiters[MANY - 1].failed, EDEADLK);
	for (k = 0; k < MANY; k++)
		ck_assert_int_eq(waiters[k].ended, k == MANY - 1);
	for (k = MANY; k-- > 0;)
		evowner_free(owners[k]);
	settle();
	for (k = 0; k < MANY; k++) {
		evdeferred_free(waiters[k].d);
		evrwlock_free(ring[k]);
	}
	done();
}
END_TEST

/* Scale. */

struct closing {
	struct evrwlock *wanted;
	struct evowner *owner;
	struct evdeferred *d;
	int code;
};

static struct evresult
keep_code(struct evfailure *failure, void *code)
{
	*(int *)code = evfailure_get_code(failure);
	return evresult_value(NULL);
}

static struct evresult
request_while_closing(struct evfailure *failure, void *arg)
{
	struct closing *closing = arg;

	(void)failure;
	closing->d =
	    evrwlock_acquire(closing->wanted, closing->owner, EVRWLOCK_WRITE);
	evdeferred_add_errback(closing->d, keep_code, &closing->code);
	return evresult_value(NULL);
}

/* Those that still waited for the lock that closes made it look like one. */
START_TEST(no_cycle_through_a_lock_that_closes)
{
	struct evrwlock *a = evrwlock_new(base, 0), *b = evrwlock_new(base, 0);
	struct evowner *one = new_owner("one");
	struct evowner *two = new_owner("two");
	struct evowner *three = new_owner("three");
	struct closing closing = {.wanted = b, .owner = one};
	struct evdeferred *writer, *reader;
	int code = 0;

	ck_assert_int_eq(evrwlock_try(a, one, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_try(b, three, EVRWLOCK_READ), 0);
	writer = evrwlock_acquire(a, two, EVRWLOCK_WRITE);
	evdeferred_add_errback(writer, request_while_closing, &closing);
	reader = evrwlock_acquire(a, three, EVRWLOCK_READ);
	evdeferred_add_errback(reader, keep_code, &code);
	evrwlock_free(a);
	ck_assert_int_eq(code, ESHUTDOWN);
	ck_assert_int_eq(closing.code, 0);
	evdeferred_free(closing.d);
	evdeferred_free(writer);
	evdeferred_free(reader);
	evowner_free(one);
	evowner_free(two);
	evowner_free(three);
	evrwlock_free(b);
}
END_TEST

/* Another one that waits for two locks came after both: it was known to stand in front
 * of others before the first was, which is looked for in the order of coming. */
START_TEST(cycle_behind_one_that_waits_for_more_since_then)
{
	struct waiter a[2], b[2], c;

	make(_i);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_writer_try(locks[2]), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], cid, EVRWLOCK_WRITE), 0);
	request(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	request(&c, locks[0], cid, EVRWLOCK_WRITE);
	request(&b[0], locks[0], bob, EVRWLOCK_WRITE);
	request(&b[1], locks[2], bob, EVRWLOCK_WRITE);
	request(&a[1], locks[1], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(a[1].failed, EDEADLK);
	ck_assert_str_eq(a[1].message,
	    "deadlock: ann waits to write green, held by cid; cid waits to "
	    "write red, behind ann");
	ck_assert_int_eq(b[1].failed, 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[2]), 0);
	free_waiters(a, 2);
	free_waiters(b, 2);
	free_waiters(&c, 1);
	done();
}
END_TEST

/* It has given back what it wanted to upgrade, so that it is not inside.  The others
 * that wait for two locks stand between, and hold nobody back, or came too late. */
START_TEST(cycle_behind_an_upgrade_that_came_last)
{
	struct evrwlock *fourth = new_lock(_i);
	struct evowner *dan = new_owner("dan");
	struct waiter a[2], b[2], c, d[2];

	make(_i);
	ck_assert_int_eq(evrwlock_reader_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_UPGRADABLE), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], cid, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_writer_try(locks[2]), 0);
	ck_assert_int_eq(evrwlock_writer_try(fourth), 0);
	request(&c, locks[0], cid, EVRWLOCK_WRITE);
	request(&d[0], locks[0], dan, EVRWLOCK_UPGRADABLE);
	request(&d[1], locks[2], dan, EVRWLOCK_WRITE);
	request(&b[0], locks[0], bob, EVRWLOCK_WRITE);
	request(&b[1], fourth, bob, EVRWLOCK_WRITE);
	request(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(
	    evrwlock_release(locks[0], ann, EVRWLOCK_UPGRADABLE), 0);
	request(&a[1], locks[1], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(a[1].failed, EDEADLK);
	ck_assert_str_eq(a[1].message,
	    "deadlock: ann waits to write green, held by cid; cid waits to "
	    "write red, behind ann");
	ck_assert_int_eq(b[1].failed + d[1].failed, 0);
	ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[2]), 0);
	evowner_free(dan);
	free_waiters(a, 2);
	free_waiters(b, 2);
	free_waiters(&c, 1);
	free_waiters(d, 2);
	done();
	ck_assert_int_eq(evrwlock_writer_release(fourth), 0);
	evrwlock_free(fourth);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("deadlock");
	TCase *tc = add_case(suite, "deadlocks");

	tcase_add_loop_test(tc, cycle_of_two, 0, 4);
	tcase_add_loop_test(tc, cycle_of_three, 0, 2);
	tcase_add_loop_test(
	    tc, cycle_through_a_reader_behind_a_waiting_writer, 0, 2);
	tcase_add_test(tc, cycle_through_a_grant_that_is_not_delivered);
	tcase_add_loop_test(tc, cycle_through_an_owner_with_two_waits, 0, 6);
	tcase_add_loop_test(
	    tc, no_cycle_through_an_owner_that_is_its_own_blocker, 0, 2);
	tcase_add_test(tc, no_cycle_through_a_lock_that_closes);
	tcase_add_loop_test(
	    tc, cycle_behind_one_that_waits_for_more_since_then, 0, 2);
	tcase_add_loop_test(tc, cycle_behind_an_upgrade_that_came_last, 0, 2);
	tcase_add_loop_test(tc, no_cycle_at_one_lock, 0, 4);
	tcase_add_test(tc, anonymous_grants_undelivered_take_no_part);
	tcase_add_loop_test(
	    tc, no_cycle_through_locks_that_nobody_waits_for, 0, 16);
	tcase_add_loop_test(tc, no_cycle_behind_a_younger_writer, 0, 2);
	tcase_add_loop_test(tc, anonymous_holds_take_no_part, 0, 2);
	tcase_add_loop_test(tc, deadlock_of_a_with_runs_nothing, 0, 2);
	tcase_add_loop_test(tc, long_cycle_is_told_in_part, 0, 2);
	return support_main(suite);
}
