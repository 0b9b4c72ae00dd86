/* SPDX-License-Identifier: MIT */
#include "owners.h"

struct evrwlock *locks[3];
struct evowner *ann, *bob, *cid;

void
make(int i)
{
	static const char *const names[] = {"red", "green", "blue"};
	int k;

	for (k = 0; k < 3; k++) {
		locks[k] = new_lock(i);
		ck_assert_int_eq(evrwlock_set_name(locks[k], names[k]), 0);
	}
	ann = new_owner("ann");
	bob = new_owner("bob");
	cid = new_owner("cid");
	grants = 0;
}

void
done(void)
{
	int k;

	end_owner(&ann);
	end_owner(&bob);
	end_owner(&cid);
	settle();
	for (k = 0; k < 3; k++) {
		lock_counts(locks[k], 0, 0, 0, 0);
		evrwlock_free(locks[k]);
	}
}

void
request_ending(struct waiter *waiter, struct evrwlock *lock,
    struct evowner *owner, enum evrwlock_mode mode, struct evowner **ends)
{
	wait_ending(waiter, evrwlock_acquire(lock, owner, mode), lock, ends);
}

void
request(struct waiter *waiter, struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode)
{
	wait_with(waiter, evrwlock_acquire(lock, owner, mode), lock);
}

void
get(struct waiter *waiter, struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode)
{
	request(waiter, lock, owner, mode);
	settle();
	ck_assert_int_eq(waiter->granted, 1);
}

void
leave(struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	ck_assert_int_eq(evrwlock_release(lock, owner, mode), 0);
	settle();
}

static struct evresult
run(void *arg)
{
	struct body *body = arg;

	body->runs++;
	if (body->ends != NULL)
		end_owner(body->ends);
	if (body->waits_for != NULL)
		return evresult_deferred(body->waits_for);
	return evresult_value(body);
}

struct evdeferred *
run_with(struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode,
    struct body *body)
{
	return evrwlock_with(lock, owner, mode, NULL, run, body);
}
