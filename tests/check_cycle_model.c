/* SPDX-License-Identifier: MIT */
/*
 * Cycles of owners over readers-writer locks, mutexes and semaphores, against a model
 * that plays all to its end: whoever waits for nothing leaves, and those that may
 * enter do.  Who is left then is stuck.
 */
#include "dice.h"
#include "waiters.h"

#include <string.h>

#define OWNERS 6 /* 0: nobody in particular */
#define LOCKS 5
#define REQUESTS 24

struct request {
	bool used;
	bool inside;
	bool told;
	int owner;
	int lock;
	enum evrwlock_mode mode; /* of tokens WRITE */
	int order;
};

/* What the play changes. */
struct table {
	struct request of[REQUESTS];
};

static struct {
	struct evowner *owners[OWNERS];
	void *locks[LOCKS];
	struct table table;
	struct waiter waiters[REQUESTS];
	int order;
	int deadlocks, waits, choices;
	bool fast;
} model;

/* 0: with readers and writers. */
static const int tokens[LOCKS] = {0, 0, 1, 2, 3};

static int
count(const struct table *t, int lock, int owner, int mode, bool inside)
{
	const struct request *r;
	int n = 0;

	for (r = t->of; r < t->of + REQUESTS; r++)
		n += r->used && r->lock == lock && (int)r->mode == mode &&
		     r->inside == inside && (owner == -1 || r->owner == owner);
	return n;
}

static bool
may_enter(const struct table *t, int lock, int mode)
{
	const int writers = count(t, lock, -1, EVRWLOCK_WRITE, true);

	if (tokens[lock] > 0)
		return writers < tokens[lock];
	if (mode == EVRWLOCK_READ)
		return writers == 0 &&
		       count(t, lock, -1, EVRWLOCK_WRITE, false) == 0;
	return writers == 0 && count(t, lock, -1, EVRWLOCK_READ, true) == 0;
}

/* Lets in the oldest of a mode that may enter. */
static bool
admit_one(struct table *t, int lock, int mode)
{
	struct request *r, *oldest = NULL;

	for (r = t->of; r < t->of + REQUESTS; r++)
		if (r->used && r->lock == lock && (int)r->mode == mode &&
		    !r->inside && (oldest == NULL || r->order < oldest->order))
			oldest = r;
	if (oldest == NULL || !may_enter(t, lock, mode))
		return false;
	oldest->inside = true;
	return true;
}

static void
admit(struct table *t, int lock)
{
	while (admit_one(t, lock, EVRWLOCK_WRITE) ||
	       admit_one(t, lock, EVRWLOCK_READ))
		continue;
}

/* At a lock with readers and writers a second request waits for the first one's
 * owner. */
static bool
is_behind_itself(const struct table *t, const struct request *r)
{
	const struct request *own;

	for (own = t->of; own < t->of + REQUESTS; own++)
		if (tokens[r->lock] == 0 && own->used && own->lock == r->lock &&
		    own->owner == r->owner &&
		    (own->inside || (own->mode == EVRWLOCK_WRITE &&
					(r->mode == EVRWLOCK_READ ||
					    own->order < r->order))))
			return true;
	return false;
}

static bool
is_waiting(const struct table *t, int owner)
{
	const struct request *r;

	for (r = t->of; r < t->of + REQUESTS; r++)
		if (r->used && r->owner == owner && !r->inside &&
		    !is_behind_itself(t, r))
			return true;
	return false;
}

/* Takes away all of an owner's, or what is inside without one. */
static bool
play_leave(struct table *t, int owner)
{
	struct request *r;
	bool any = false;
	int lock;

	if (owner != 0 && is_waiting(t, owner))
		return false;
	for (r = t->of; r < t->of + REQUESTS; r++) {
		if (!r->used || r->owner != owner || (owner == 0 && !r->inside))
			continue;
		r->used = false;
		any = true;
	}
	for (lock = 0; any && lock < LOCKS; lock++)
		admit(t, lock);
	return any;
}

/* Those that are left, a bit for each. */
static unsigned
stuck(void)
{
	struct table t = model.table;
	unsigned found = 0;
	int owner, k;
	bool any = true;

	while (any)
		for (any = false, owner = 0; owner < OWNERS; owner++)
			any |= play_leave(&t, owner);
	for (k = 0; k < REQUESTS; k++)
		if (t.of[k].used)
			found |= 1u << t.of[k].owner;
	return found & ~1u;
}

/* What a request comes to: 0 or EDEADLK. */
static int
model_acquire(struct request *r)
{
	const struct table *t = &model.table;
	const int lock = r->lock;
	const bool reentrant = tokens[lock] == 0 && r->owner != 0;

	r->told = r->inside = false;
	r->order = ++model.order;
	if (reentrant && count(t, lock, r->owner, EVRWLOCK_WRITE, true) > 0)
		r->inside = true;
	else if (reentrant && count(t, lock, r->owner, EVRWLOCK_READ, true) > 0)
		r->inside = r->mode == EVRWLOCK_READ;
	else
		r->inside = may_enter(t, lock, (int)r->mode);
	r->used = true;
	if (r->inside || r->owner == 0)
		return 0;
	model.waits++;
	if (reentrant && count(t, lock, r->owner, EVRWLOCK_READ, true) > 0)
		r->used = false;
	else
		r->used = (stuck() & 1u << r->owner) == 0;
	return r->used ? 0 : EDEADLK;
}

static struct evdeferred *
acquire(const struct request *r)
{
	struct evowner *owner = model.owners[r->owner];

	if (tokens[r->lock] == 0)
		return evrwlock_acquire(model.locks[r->lock], owner, r->mode);
	return tokens[r->lock] == 1
		   ? evmutex_acquire(model.locks[r->lock], owner)
		   : evsemaphore_acquire(model.locks[r->lock], owner);
}

static int
release(int lock, int party, enum evrwlock_mode mode)
{
	struct evowner *owner = model.owners[party];

	if (tokens[lock] == 0)
		return evrwlock_release(model.locks[lock], owner, mode);
	return tokens[lock] == 1
		   ? evmutex_release(model.locks[lock], owner)
		   : evsemaphore_release(model.locks[lock], owner);
}

/* An owner that waits twice at a lock with readers and writers can come to wait for
 * others without a call of its own: not here. */
static bool
waits_twice(const struct request *r)
{
	return tokens[r->lock] == 0 && r->owner != 0 &&
	       count(&model.table, r->lock, r->owner, EVRWLOCK_READ, false) +
		       count(&model.table, r->lock, r->owner, EVRWLOCK_WRITE,
			   false) >
		   0;
}

static void
step_acquire(void)
{
	struct request *r = NULL;
	struct waiter *waiter;
	int k, code;

	for (k = 0; k < REQUESTS && r == NULL; k++)
		if (!model.table.of[k].used)
			r = &model.table.of[k];
	if (r == NULL)
		return;
	/* Nobody in particular is rare. */
	r->owner = (int)dice(4 * OWNERS) % (4 * OWNERS - 3) % OWNERS;
	r->lock = (int)dice(LOCKS);
	r->mode = tokens[r->lock] > 0 ? EVRWLOCK_WRITE : mode_of((int)dice(2));
	if (waits_twice(r))
		return;
	code = model_acquire(r);
	waiter = &model.waiters[r - model.table.of];
	wait_with(waiter, acquire(r), model.locks[r->lock]);
	ck_assert_int_eq(waiter->failed, code);
	if (code != EDEADLK)
		return;
	model.deadlocks++;
	model.choices += strstr(waiter->message, "token") != NULL;
	evdeferred_free(waiter->d);
}

static void
step_release(void)
{
	const int owner = (int)dice(OWNERS), lock = (int)dice(LOCKS);
	const enum evrwlock_mode mode =
	    tokens[lock] > 0 ? EVRWLOCK_WRITE : mode_of((int)dice(2));
	struct request *r;
	int k;

	for (k = 0; k < REQUESTS; k++) {
		r = &model.table.of[k];
		if (r->used && r->told && r->owner == owner &&
		    r->lock == lock && r->mode == mode)
			break;
	}
	if (k == REQUESTS) {
		REFUSED(release(lock, owner, mode), EPERM);
		return;
	}
	r->used = false;
	admit(&model.table, lock);
	ck_assert_int_eq(release(lock, owner, mode), 0);
	evdeferred_free(model.waiters[k].d);
}

static void
step_cancel(void)
{
	const int k = (int)dice(REQUESTS);
	struct request *r = &model.table.of[k];

	if (!r->used || r->told)
		return;
	r->used = false;
	admit(&model.table, r->lock);
	evdeferred_free(model.waiters[k].d);
}

static void
end_owner_of(int owner)
{
	bool gone[REQUESTS];
	struct request *r;
	int k;

	for (k = 0; k < REQUESTS; k++) {
		r = &model.table.of[k];
		gone[k] = r->used && r->owner == owner;
		r->used &= !gone[k];
	}
	for (k = 0; k < LOCKS; k++)
		admit(&model.table, k);
	evowner_free(model.owners[owner]);
	for (k = 0; k < REQUESTS; k++)
		if (gone[k])
			evdeferred_free(model.waiters[k].d);
	model.owners[owner] = new_owner("owner");
}

static void
compare_lock(int k)
{
	struct evsemaphore_stats stats;
	const size_t inside =
	    (size_t)count(&model.table, k, -1, EVRWLOCK_WRITE, true);
	const size_t waiting =
	    (size_t)count(&model.table, k, -1, EVRWLOCK_WRITE, false);

	if (tokens[k] == 0) {
		lock_counts(model.locks[k],
		    (size_t)count(&model.table, k, -1, EVRWLOCK_READ, true),
		    inside,
		    (size_t)count(&model.table, k, -1, EVRWLOCK_READ, false),
		    waiting);
		return;
	}
	if (tokens[k] == 1)
		evmutex_get_stats(model.locks[k], &stats);
	else
		evsemaphore_get_stats(model.locks[k], &stats);
	ck_assert_uint_eq(stats.inside, inside);
	ck_assert_uint_eq(stats.waiting, waiting);
}

static void
compare(bool settled)
{
	struct request *r;
	int k;

	for (k = 0; k < LOCKS; k++)
		compare_lock(k);
	for (k = 0; k < REQUESTS; k++) {
		r = &model.table.of[k];
		if (!r->used)
			continue;
		if (settled)
			r->told = r->inside;
		ck_assert_int_eq(model.waiters[k].granted, r->told);
		ck_assert_int_eq(model.waiters[k].failed, 0);
	}
	/* One that no acquire has closed was overlooked. */
	ck_assert_uint_eq(stuck(), 0);
}

static void
step(void)
{
	switch (dice(8)) {
	case 0:
	case 1:
	case 2:
	case 3:
		step_acquire();
		break;
	case 4:
	case 5:
		step_release();
		break;
	case 6:
		step_cancel();
		break;
	default:
		if (dice(16) == 0)
			end_owner_of(1 + (int)dice(OWNERS - 1));
	}
}

static void
make(int i)
{
	const unsigned flags = i % 2 == 0 ? 0 : EVSEMAPHORE_FAST;
	int k;

	memset(&model, 0, sizeof(model));
	model.fast = i % 2 == 1;
	for (k = 0; k < LOCKS; k++) {
		if (tokens[k] == 0)
			model.locks[k] = new_lock(i);
		else if (tokens[k] == 1)
			model.locks[k] = evmutex_new(base, flags);
		else
			model.locks[k] =
			    evsemaphore_new(base, (size_t)tokens[k], flags);
		ck_assert_ptr_nonnull(model.locks[k]);
	}
	for (k = 1; k < OWNERS; k++)
		model.owners[k] = new_owner("owner");
}

static void
end(void)
{
	struct request *r;
	int k;

	/* Those that wait first, though that may let in others. */
	for (k = 0; k < REQUESTS; k++)
		if (model.table.of[k].used && model.waiters[k].granted == 0)
			evdeferred_free(model.waiters[k].d);
	for (k = 1; k < OWNERS; k++)
		evowner_free(model.owners[k]);
	for (k = 0; k < REQUESTS; k++) {
		r = &model.table.of[k];
		if (!r->used || model.waiters[k].granted == 0)
			continue;
		if (r->owner == 0)
			ck_assert_int_eq(release(r->lock, 0, r->mode), 0);
		evdeferred_free(model.waiters[k].d);
	}
	for (k = 0; k < LOCKS; k++) {
		if (tokens[k] == 0)
			evrwlock_free(model.locks[k]);
		else if (tokens[k] == 1)
			evmutex_free(model.locks[k]);
		else
			evsemaphore_free(model.locks[k]);
	}
}

START_TEST(cycles_are_those_of_the_model)
{
	const int steps = support_scale() < 1000000 ? 2000 : 6000;
	bool settled;
	int k;

	make(_i);
	dice_seed(20261126u + (unsigned)_i);
	for (k = 0; k < steps; k++) {
		step();
		settled = model.fast || dice(2) == 0;
		if (!model.fast && settled)
			settle();
		compare(settled);
	}
	ck_assert_int_gt(model.deadlocks, steps / 100);
	ck_assert_int_gt(model.choices, steps / 1000);
	ck_assert_int_gt(model.waits, steps / 20);
	end();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cycle_model");
	TCase *tc = add_case(suite, "model");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, cycles_are_those_of_the_model, 0, 8);
	return support_main(suite);
}
