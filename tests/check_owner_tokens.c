/* SPDX-License-Identifier: MIT */
/*
 * Tokens of a semaphore, and mutexes, that are held for an owner.  Most tests run
 * once with each way of delivery, _i % 2 as everywhere, and for both: _i / 2 % 2
 * is 0 for the semaphore and 1 for the mutex.
 */
#include "dice.h"
#include "waiters.h"
#include "worlds.h"

#include <string.h>

#define BOTH 4

static struct evsemaphore *semaphore;
static struct evmutex *mutex; /* NULL where it is about the semaphore */
static struct evowner *ann, *bob, *cid;

static void
make_tokens(int i, size_t tokens)
{
	semaphore =
	    evsemaphore_new(base, tokens, i % 2 == 1 ? EVSEMAPHORE_FAST : 0);
	mutex = NULL;
	ck_assert_ptr_nonnull(semaphore);
	ann = new_owner("ann");
	bob = new_owner("bob");
	cid = new_owner("cid");
	grants = 0;
}

static void
make(int i)
{
	make_tokens(i, 1);
	if (i / 2 % 2 == 0)
		return;
	evsemaphore_free(semaphore);
	semaphore = NULL;
	mutex = evmutex_new(base, i % 2 == 1 ? EVMUTEX_FAST : 0);
	ck_assert_ptr_nonnull(mutex);
}

static struct evdeferred *
acquire(struct evowner *owner)
{
	return mutex != NULL ? evmutex_acquire(mutex, owner)
			     : evsemaphore_acquire(semaphore, owner);
}

static int
try(struct evowner *owner)
{
	return mutex != NULL ? evmutex_try(mutex, owner)
			     : evsemaphore_try(semaphore, owner);
}

static int
release(struct evowner *owner)
{
	return mutex != NULL ? evmutex_release(mutex, owner)
			     : evsemaphore_release(semaphore, owner);
}

static struct evdeferred *
run_with(struct evowner *owner)
{
	return mutex != NULL
		   ? evmutex_with(mutex, owner, NULL, body_value, NULL)
		   : evsemaphore_with(semaphore, owner, NULL, body_value, NULL);
}

static struct evsemaphore_stats
stats(void)
{
	struct evsemaphore_stats stats;

	if (mutex != NULL)
		evmutex_get_stats(mutex, &stats);
	else
		evsemaphore_get_stats(semaphore, &stats);
	return stats;
}

static void
counts(size_t inside, size_t waiting)
{
	ck_assert_uint_eq(stats().inside, inside);
	ck_assert_uint_eq(stats().waiting, waiting);
}

static void
close_it(void)
{
	evsemaphore_free(semaphore);
	evmutex_free(mutex);
}

static void
end_all(void)
{
	end_owner(&ann);
	end_owner(&bob);
	end_owner(&cid);
}

static void
done(struct waiter *waiters, int count)
{
	free_waiters(waiters, count);
	end_all();
	settle();
	counts(0, 0);
	close_it();
}

static void
wait_for(struct waiter *waiter, struct evowner *owner)
{
	wait_with(waiter, acquire(owner),
	    mutex != NULL ? (void *)mutex : (void *)semaphore);
}

static void
hold(struct evowner *owner)
{
	ck_assert_int_eq(try(owner), 0);
}

static void
give_back(struct evowner *owner)
{
	ck_assert_int_eq(release(owner), 0);
	settle();
}

/* Who may release. */

START_TEST(only_its_owner_gives_it_back)
{
	make(_i);
	REFUSED(release(ann), EPERM);
	hold(ann);
	REFUSED(release(bob), EPERM);
	REFUSED(release(NULL), EPERM);
	counts(1, 0);
	ck_assert_int_eq(release(ann), 0);
	counts(0, 0);
	REFUSED(release(ann), EPERM);
	done(NULL, 0);
}
END_TEST

START_TEST(what_is_nobodys_no_owner_gives_back)
{
	make(_i);
	hold(NULL);
	REFUSED(release(ann), EPERM);
	counts(1, 0);
	ck_assert_int_eq(release(NULL), 0);
	REFUSED(release(NULL), EPERM);
	done(NULL, 0);
}
END_TEST

START_TEST(grant_is_given_back_once_received)
{
	const bool fast = _i % 2 == 1;
	struct waiter waiter;

	make(_i);
	wait_for(&waiter, ann);
	counts(1, 0);
	ck_assert_int_eq(waiter.granted, fast);
	if (!fast)
		REFUSED(release(ann), EPERM);
	settle();
	ck_assert_int_eq(waiter.granted, 1);
	REFUSED(release(NULL), EPERM);
	ck_assert_int_eq(release(ann), 0);
	done(&waiter, 1);
}
END_TEST

START_TEST(owner_may_have_several_tokens)
{
	struct waiter waiter;
	int i;

	make_tokens(_i, 3);
	hold(ann);
	wait_for(&waiter, ann);
	settle();
	hold(ann);
	REFUSED(try(ann), EBUSY);
	REFUSED(try(bob), EBUSY);
	for (i = 3; i > 0; i--) {
		counts((size_t)i, 0);
		ck_assert_int_eq(release(ann), 0);
	}
	REFUSED(release(ann), EPERM);
	done(&waiter, 1);
}
END_TEST

START_TEST(grant_nobody_receives_is_given_back)
{
	struct evdeferred *d;

	make(_i);
	d = acquire(ann);
	ck_assert_ptr_nonnull(d);
	settle();
	counts(1, 0);
	evdeferred_free(d);
	settle();
	counts(0, 0);
	REFUSED(release(ann), EPERM);
	done(NULL, 0);
}
END_TEST

/* Who waits. */

START_TEST(owners_and_others_stand_in_one_queue)
{
	struct evowner *parties[4];
	struct waiter waiters[4];
	int i;

	make(_i);
	parties[0] = ann;
	parties[1] = NULL;
	parties[2] = bob;
	parties[3] = NULL;
	hold(cid);
	for (i = 0; i < 4; i++)
		wait_for(&waiters[i], parties[i]);
	counts(1, 4);
	give_back(cid);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(waiters[i].order, i + 1);
		ck_assert_int_eq(grants, i + 1);
		REFUSED(release(cid), EPERM);
		give_back(parties[i]);
	}
	done(waiters, 4);
}
END_TEST

START_TEST(owner_that_has_it_would_wait_for_itself)
{
	struct waiter waiter;

	make(_i);
	hold(ann);
	REFUSED(try(ann), EBUSY);
	wait_for(&waiter, ann);
	ck_assert_int_eq(waiter.failed, EDEADLK);
	counts(1, 0);
	give_back(ann);
	done(&waiter, 1);
}
END_TEST

/* _i / BOTH is the way in which it leaves. */
START_TEST(owner_that_waits_may_leave)
{
	const int way = _i / BOTH;
	struct waiter waiters[2];

	make(_i);
	hold(bob);
	wait_for(&waiters[0], ann);
	set_time(&waiters[0], way);
	wait_for(&waiters[1], cid);
	give_up(&waiters[0], way);
	counts(1, 1);
	ck_assert_uint_eq(stats().cancelled, 1);
	give_back(bob);
	ck_assert_int_eq(waiters[1].granted, 1);
	REFUSED(release(ann), EPERM);
	give_back(cid);
	done(waiters, 2);
}
END_TEST

START_TEST(grant_on_its_way_to_an_owner_is_cancelled_and_passed_on)
{
	struct waiter waiters[2];

	make(_i);
	hold(bob);
	wait_for(&waiters[0], ann);
	wait_for(&waiters[1], cid);
	ck_assert_int_eq(release(bob), 0);
	if (_i % 2 == 0) {
		evdeferred_cancel(waiters[0].d);
		ck_assert_int_eq(waiters[0].failed, ECANCELED);
	} else {
		give_back(ann);
	}
	settle();
	ck_assert_int_eq(waiters[1].granted, 1);
	counts(1, 0);
	give_back(cid);
	done(waiters, 2);
}
END_TEST

/* The end of an owner. */

START_TEST(end_gives_all_tokens_back)
{
	struct waiter waiters[4];

	make_tokens(_i, 3);
	hold(ann);
	hold(ann);
	wait_for(&waiters[0], ann);
	settle();
	wait_for(&waiters[1], bob);
	wait_for(&waiters[2], NULL);
	wait_for(&waiters[3], cid);
	counts(3, 3);
	end_owner(&ann);
	settle();
	counts(3, 0);
	ck_assert_int_eq(
	    waiters[1].granted + waiters[2].granted + waiters[3].granted, 3);
	give_back(NULL);
	done(waiters, 4);
}
END_TEST

START_TEST(end_calls_its_waits_off)
{
	struct waiter waiters[2];

	make(_i);
	hold(bob);
	wait_for(&waiters[0], ann);
	wait_for(&waiters[1], cid);
	end_owner(&ann);
	ck_assert_int_eq(waiters[0].failed, ECANCELED);
	counts(1, 1);
	ck_assert_uint_eq(stats().cancelled, 1);
	give_back(bob);
	ck_assert_int_eq(waiters[1].granted, 1);
	give_back(cid);
	done(waiters, 2);
}
END_TEST

/* What it had does not go to what it waited for: two more tokens, of three. */
START_TEST(end_of_one_that_waits_for_more)
{
	struct waiter waiters[3];

	make_tokens(_i, 3);
	hold(ann);
	hold(bob);
	hold(bob);
	wait_for(&waiters[0], ann);
	wait_for(&waiters[1], ann);
	wait_for(&waiters[2], cid);
	counts(3, 3);
	end_owner(&ann);
	ck_assert_int_eq(waiters[0].failed, ECANCELED);
	ck_assert_int_eq(waiters[1].failed, ECANCELED);
	settle();
	ck_assert_int_eq(waiters[0].granted + waiters[1].granted, 0);
	ck_assert_int_eq(waiters[2].granted, 1);
	counts(3, 0);
	ck_assert_uint_eq(stats().cancelled, 2);
	done(waiters, 3);
}
END_TEST

START_TEST(end_with_a_grant_on_its_way)
{
	struct waiter waiters[2];

	make(_i);
	wait_for(&waiters[0], ann);
	wait_for(&waiters[1], bob);
	end_owner(&ann);
	ck_assert_int_eq(waiters[0].failed, _i % 2 == 0 ? ECANCELED : 0);
	settle();
	ck_assert_int_eq(waiters[1].granted, 1);
	give_back(bob);
	done(waiters, 2);
}
END_TEST

START_TEST(end_with_a_grant_that_no_link_has_received)
{
	struct waiter waiters[2];

	make(_i);
	waiters[0].d = acquire(ann);
	settle();
	wait_for(&waiters[1], bob);
	counts(1, 1);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(waiters[1].granted, 1);
	wait_with(&waiters[0], waiters[0].d, NULL);
	ck_assert_int_eq(waiters[0].granted, 0);
	ck_assert_int_eq(waiters[0].failed, ECANCELED);
	give_back(bob);
	done(waiters, 2);
}
END_TEST

/* From a callback that the end runs. */
static struct evresult
try_again(struct evfailure *failure, void *arg)
{
	struct evowner *owner = *(struct evowner **)arg;
	struct seen seen = {0};
	struct evdeferred *d;

	ck_assert_int_eq(evfailure_get_code(failure), ECANCELED);
	REFUSED(try(owner), ESHUTDOWN);
	d = acquire(owner);
	see(d, &seen);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	evowner_free(owner); /* nothing */
	return evresult_value(NULL);
}

START_TEST(owner_that_ends_gets_nothing_any_more)
{
	struct evdeferred *d;

	make(_i);
	hold(bob);
	d = acquire(ann);
	evdeferred_add_errback(d, try_again, &ann);
	evowner_free(ann);
	ann = NULL;
	counts(1, 0);
	evdeferred_free(d);
	give_back(bob);
	done(NULL, 0);
}
END_TEST

START_TEST(owner_ends_in_the_callback_of_its_grant)
{
	struct waiter waiters[2];

	make(_i);
	hold(bob);
	wait_ending(&waiters[0], acquire(ann), NULL, &ann);
	wait_for(&waiters[1], cid);
	give_back(bob);
	ck_assert_ptr_null(ann);
	ck_assert_int_eq(waiters[0].granted, 1);
	ck_assert_int_eq(waiters[1].granted, 1);
	give_back(cid);
	done(waiters, 2);
}
END_TEST

/* Closing. */

START_TEST(closed_it_is_still_given_back)
{
	struct waiter waiter;

	make(_i);
	hold(ann);
	wait_for(&waiter, bob);
	close_it();
	ck_assert_int_eq(waiter.failed, ESHUTDOWN);
	REFUSED(try(ann), ESHUTDOWN);
	REFUSED(release(bob), EPERM);
	ck_assert_int_eq(release(ann), 0); /* and it is gone */
	evdeferred_free(waiter.d);
	end_all();
}
END_TEST

START_TEST(closed_it_goes_with_its_last_owner)
{
	struct evdeferred *d;

	make_tokens(_i, 3);
	hold(ann);
	hold(bob);
	d = acquire(bob);
	evsemaphore_free(semaphore);
	end_owner(&ann);
	settle();
	end_owner(&bob);
	evdeferred_free(d);
	end_all();
}
END_TEST

/* What is refused. */

START_TEST(owner_of_another_base_is_einval)
{
	struct evdefer_base *other = evdefer_base_new(loop);
	struct evowner *stranger = evowner_new(other, "stranger");

	make(_i);
	ck_assert_ptr_nonnull(stranger);
	REFUSED_NULL(acquire(stranger), EINVAL);
	REFUSED_NULL(run_with(stranger), EINVAL);
	REFUSED(try(stranger), EINVAL);
	REFUSED(release(stranger), EINVAL);
	counts(0, 0);
	evowner_free(stranger);
	evdefer_base_free(other);
	done(NULL, 0);
}
END_TEST

/* The n-th allocation of a try, or with _i / BOTH == 1 of an acquire, fails.
 * Whether it came to that. */
static bool
fails_without_memory(int i, size_t n)
{
	const bool acquires = i / BOTH == 1;
	struct evdeferred *d = NULL;
	int result = -1, code;
	bool failed;

	support_free_base();
	base = evdefer_base_new(loop);
	make(i);
	alloc_fail_at(n, true);
	errno = 0;
	if (acquires)
		d = acquire(ann);
	else
		result = try(ann);
	code = errno;
	failed = alloc_failed();
	alloc_fail_at(0, false);
	if (d == NULL && result == -1) {
		ck_assert(failed);
		ck_assert_int_eq(code, ENOMEM);
		counts(0, 0);
		hold(bob);
		give_back(bob);
	}
	evdeferred_free(d);
	done(NULL, 0);
	return failed;
}

START_TEST(without_memory_it_acquires_nothing)
{
	size_t n = 0;

	if (!alloc_works())
		return;
	while (fails_without_memory(_i, ++n))
		;
	ck_assert_uint_gt(n, 1);
}
END_TEST

/*
 * Anything, beside a count for each party.
 */

#define PARTIES 4 /* the last is nobody in particular */
#define WAITERS 8

static struct evowner *parties[PARTIES];
static size_t held[PARTIES];
static struct {
	struct waiter waiter;
	int party;
	bool counted;
} crowd[WAITERS];
static size_t limit;

/* Those who were granted something since the last time hold it. */
static void
count_grants(void)
{
	int i;

	for (i = 0; i < WAITERS; i++) {
		if (crowd[i].waiter.granted == 1 && !crowd[i].counted) {
			crowd[i].counted = true;
			held[crowd[i].party]++;
		}
	}
}

static void
check_counts(void)
{
	size_t i, sum = 0;

	count_grants();
	for (i = 0; i < PARTIES; i++)
		sum += held[i];
	ck_assert_msg(sum <= stats().inside && stats().inside <= limit,
	    "world %lu: %zu held, %zu inside", world, sum, stats().inside);
	ck_assert_msg(stats().waiting == 0 || stats().inside == limit,
	    "world %lu: %zu wait", world, stats().waiting);
}

static void
step_acquire(int party)
{
	int i = (int)dice(WAITERS);

	evdeferred_free(crowd[i].waiter.d);
	count_grants();
	crowd[i].party = party;
	crowd[i].counted = false;
	wait_for(&crowd[i].waiter, parties[party]);
}

static void
step_release(int party)
{
	const int result = release(parties[party]);

	ck_assert_msg((result == 0) == (held[party] > 0),
	    "world %lu: party %d releases %zu: %d", world, party, held[party],
	    result);
	if (result == 0)
		held[party]--;
}

static void
step_end(int party)
{
	if (party == PARTIES - 1)
		return;
	evowner_free(parties[party]);
	count_grants();
	held[party] = 0;
	parties[party] = new_owner("another");
}

static void
step(void)
{
	const int party = (int)dice(PARTIES);

	switch (dice(6)) {
	case 0:
	case 1:
		step_acquire(party);
		break;
	case 2:
		if (try(parties[party]) == 0)
			held[party]++;
		break;
	case 3:
		step_release(party);
		break;
	case 4:
		if (dice(4) == 0)
			step_end(party);
		else
			evdeferred_cancel(crowd[dice(WAITERS)].waiter.d);
		break;
	default:
		turns(1);
	}
	check_counts();
}

static void
run_world(void)
{
	int i;

	loop = support_new_loop();
	base = evdefer_base_new(loop);
	dice_seed((world + 1) * UINT64_C(0x9e3779b97f4a7c15));
	limit = 1 + dice(3);
	make_tokens((int)dice(2), limit);
	memset(crowd, 0, sizeof(crowd));
	memset(held, 0, sizeof(held));
	parties[0] = ann;
	parties[1] = bob;
	parties[2] = cid;
	parties[3] = NULL;
	for (i = 0; i < 60; i++)
		step();
	for (i = 0; i < WAITERS; i++)
		evdeferred_free(crowd[i].waiter.d);
	count_grants();
	while (held[PARTIES - 1]-- > 0)
		ck_assert_int_eq(release(NULL), 0);
	ann = parties[0];
	bob = parties[1];
	cid = parties[2];
	done(NULL, 0);
	evdefer_base_free(base);
	event_base_free(loop);
}

START_TEST(whatever_happens_each_party_has_what_it_was_granted)
{
	run_worlds(run_world, support_scale() / 4000, 4, _i);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("owner_tokens");
	TCase *tc;

	tc = add_case(suite, "release");
	tcase_add_loop_test(tc, only_its_owner_gives_it_back, 0, BOTH);
	tcase_add_loop_test(tc, what_is_nobodys_no_owner_gives_back, 0, BOTH);
	tcase_add_loop_test(tc, grant_is_given_back_once_received, 0, BOTH);
	tcase_add_loop_test(tc, owner_may_have_several_tokens, 0, 2);
	tcase_add_loop_test(tc, grant_nobody_receives_is_given_back, 0, BOTH);

	tc = add_case(suite, "wait");
	tcase_add_loop_test(tc, owners_and_others_stand_in_one_queue, 0, BOTH);
	tcase_add_loop_test(
	    tc, owner_that_has_it_would_wait_for_itself, 0, BOTH);
	tcase_add_loop_test(tc, owner_that_waits_may_leave, 0, WAYS * BOTH);
	tcase_add_loop_test(tc,
	    grant_on_its_way_to_an_owner_is_cancelled_and_passed_on, 0, BOTH);

	tc = add_case(suite, "end");
	tcase_add_loop_test(tc, end_gives_all_tokens_back, 0, 2);
	tcase_add_loop_test(tc, end_calls_its_waits_off, 0, BOTH);
	tcase_add_loop_test(tc, end_of_one_that_waits_for_more, 0, 2);
	tcase_add_loop_test(tc, end_with_a_grant_on_its_way, 0, BOTH);
	tcase_add_loop_test(
	    tc, end_with_a_grant_that_no_link_has_received, 0, BOTH);
	tcase_add_loop_test(tc, owner_that_ends_gets_nothing_any_more, 0, BOTH);
	tcase_add_loop_test(
	    tc, owner_ends_in_the_callback_of_its_grant, 0, BOTH);

	tc = add_case(suite, "close");
	tcase_add_loop_test(tc, closed_it_is_still_given_back, 0, BOTH);
	tcase_add_loop_test(tc, closed_it_goes_with_its_last_owner, 0, 2);

	tc = add_case(suite, "refused");
	tcase_add_loop_test(tc, owner_of_another_base_is_einval, 0, BOTH);
	tcase_add_loop_test(
	    tc, without_memory_it_acquires_nothing, 0, 2 * BOTH);

	tc = tcase_create("random"); /* each world has a loop of its own */
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(
	    tc, whatever_happens_each_party_has_what_it_was_granted, 0, 4);
	return support_main(suite);
}
