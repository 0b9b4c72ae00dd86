/* SPDX-License-Identifier: MIT */
/*
 * Cycles of owners over readers-writer locks in all modes and with all policies, mutexes
 * and semaphores, against a model
 * that plays all to its end: whoever waits for nothing leaves, and those that may
 * enter do.  Who is left then is stuck.
 */
#include "dice.h"
#include "waiters.h"

#include <string.h>

#define OWNERS 6 /* 0: nobody in particular */
#define LOCKS 7
#define REQUESTS 24

struct request {
	bool used;
	bool inside;
	bool told;
	int owner;
	int lock;
	int mode; /* of tokens WRITE */
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

/* The modes are those of the library, and that of one that waits to upgrade. */
enum {
	READ = EVRWLOCK_READ,
	UPGRADABLE = EVRWLOCK_UPGRADABLE,
	WRITE = EVRWLOCK_WRITE,
	UPGRADE
};

/* 0: with readers and writers. */
static const int tokens[LOCKS] = {0, 0, 0, 0, 1, 2, 3};

/* Two of these are fair, and two have a limit of readers. */
static const bool fair[LOCKS] = {false, true, false, true};
static const int limits[LOCKS] = {0, 0, 2, 2};

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

/* The oldest that waits in a mode. */
static struct request *
first(struct table *t, int lock, int mode)
{
	struct request *r, *oldest = NULL;

	for (r = t->of; r < t->of + REQUESTS; r++)
		if (r->used && r->lock == lock && r->mode == mode &&
		    !r->inside && (oldest == NULL || r->order < oldest->order))
			oldest = r;
	return oldest;
}

static int
count_readers(const struct table *t, int lock)
{
	return count(t, lock, -1, READ, true) +
	       count(t, lock, -1, UPGRADABLE, true);
}

static bool
is_full(const struct table *t, int lock)
{
	return limits[lock] > 0 && count_readers(t, lock) >= limits[lock];
}

/* For one that is not inside. */
static bool
may_enter(const struct table *t, int lock, int mode)
{
	const int writers = count(t, lock, -1, WRITE, true);

	if (tokens[lock] > 0)
		return writers < tokens[lock];
	if (mode == WRITE)
		return writers + count_readers(t, lock) == 0;
	if (writers + count(t, lock, -1, WRITE, false) +
		    count(t, lock, -1, UPGRADE, false) >
		0 ||
	    is_full(t, lock))
		return false;
	return mode == READ || count(t, lock, -1, UPGRADABLE, true) +
				       count(t, lock, -1, UPGRADABLE, false) ==
				   0;
}

static bool
others_read(const struct table *t, int lock, int owner)
{
	return count(t, lock, -1, READ, true) >
	       count(t, lock, owner, READ, true);
}

static void
admit_to_tokens(struct table *t, int lock)
{
	struct request *r;

	while (may_enter(t, lock, WRITE) && (r = first(t, lock, WRITE)) != NULL)
		r->inside = true;
}

/* The first reader that may enter beside others. */
static struct request *
next_reader(struct table *t, int lock)
{
	struct request *reader = first(t, lock, READ);
	struct request *upgradable = first(t, lock, UPGRADABLE);
	const struct request *writer = first(t, lock, WRITE);

	if (is_full(t, lock))
		return NULL;
	if (count(t, lock, -1, UPGRADABLE, true) > 0)
		upgradable = NULL;
	if (reader == NULL ||
	    (upgradable != NULL && upgradable->order < reader->order))
		reader = upgradable;
	if (reader != NULL && writer != NULL &&
	    !(fair[lock] && reader->order < writer->order))
		return NULL;
	return reader;
}

/* All that upgrade are of one owner. */
static void
admit_upgrades(struct table *t, int lock)
{
	struct request *r;

	while ((r = first(t, lock, UPGRADE)) != NULL &&
	       !others_read(t, lock, r->owner)) {
		r->inside = true;
		r->mode = WRITE;
	}
}

static void
admit(struct table *t, int lock)
{
	struct request *r;

	if (tokens[lock] > 0) {
		admit_to_tokens(t, lock);
		return;
	}
	if (count(t, lock, -1, WRITE, true) > 0)
		return;
	if (first(t, lock, UPGRADE) != NULL) {
		admit_upgrades(t, lock);
		return;
	}
	while ((r = next_reader(t, lock)) != NULL)
		r->inside = true;
	r = first(t, lock, WRITE);
	if (r != NULL && may_enter(t, lock, WRITE))
		r->inside = true;
}

static bool
is_waiting(const struct table *t, int owner)
{
	const struct request *r;

	for (r = t->of; r < t->of + REQUESTS; r++)
		if (r->used && r->owner == owner && !r->inside)
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

/* What an owner gets that is inside: 0, EBUSY or EDEADLK. */
static int
answer_holder(struct request *r)
{
	const struct table *t = &model.table;

	if (r->mode == READ || count(t, r->lock, r->owner, WRITE, true) > 0)
		return 0;
	if (count(t, r->lock, r->owner, UPGRADABLE, true) == 0)
		return EDEADLK;
	if (r->mode == UPGRADABLE)
		return 0;
	r->mode = UPGRADE;
	return others_read(t, r->lock, r->owner) ? EBUSY : 0;
}

static int
answer(struct request *r)
{
	const struct table *t = &model.table;

	if (tokens[r->lock] == 0 && r->owner != 0 &&
	    count(t, r->lock, r->owner, READ, true) +
		    count(t, r->lock, r->owner, UPGRADABLE, true) +
		    count(t, r->lock, r->owner, WRITE, true) >
		0)
		return answer_holder(r);
	return may_enter(t, r->lock, r->mode) ? 0 : EBUSY;
}

/* What a request comes to: 0 or EDEADLK; or EINVAL for one without an owner that
 * would leave others stuck, and can't be told. */
static int
model_acquire(struct request *r)
{
	int code = answer(r);

	r->told = false;
	r->order = ++model.order;
	r->inside = code == 0;
	r->used = code != EDEADLK;
	if (code == 0 && r->mode == UPGRADE)
		r->mode = WRITE;
	if (code != EBUSY)
		return code;
	model.waits++;
	r->used = stuck() == 0;
	if (r->owner == 0)
		return r->used ? 0 : EINVAL;
	return r->used ? 0 : EDEADLK;
}

static struct evdeferred *
acquire(const struct request *r)
{
	struct evowner *owner = model.owners[r->owner];

	if (tokens[r->lock] == 0)
		return evrwlock_acquire(model.locks[r->lock], owner,
		    (enum evrwlock_mode)(r->mode == UPGRADE ? WRITE : r->mode));
	return tokens[r->lock] == 1
		   ? evmutex_acquire(model.locks[r->lock], owner)
		   : evsemaphore_acquire(model.locks[r->lock], owner);
}

static int
release(int lock, int party, int mode)
{
	struct evowner *owner = model.owners[party];

	if (tokens[lock] == 0)
		return evrwlock_release(
		    model.locks[lock], owner, (enum evrwlock_mode)mode);
	return tokens[lock] == 1
		   ? evmutex_release(model.locks[lock], owner)
		   : evsemaphore_release(model.locks[lock], owner);
}

/* An owner that waits twice at a lock with readers and writers can come to wait for
 * others without a call of its own: not here. */
static bool
waits_twice(const struct request *r)
{
	int mode, waiting = 0;

	for (mode = READ; mode <= UPGRADE; mode++)
		waiting += count(&model.table, r->lock, r->owner, mode, false);
	return tokens[r->lock] == 0 && r->owner != 0 && waiting > 0;
}

/* Where readers are limited, what one that waits elsewhere gets again at once can have
 * others wait for it that did not: not here either. */
static bool
takes_room_again(const struct request *r)
{
	const struct table *t = &model.table;

	return limits[r->lock] > 0 && r->owner != 0 &&
	       count(t, r->lock, r->owner, READ, true) +
		       count(t, r->lock, r->owner, UPGRADABLE, true) +
		       count(t, r->lock, r->owner, WRITE, true) >
		   0 &&
	       r->mode != WRITE;
}

/* Nor one that waits to be upgradable where readers are limited: it takes no room while
 * another one is upgradable, and may be the first in front when that leaves. */
static int
any_mode(int lock)
{
	if (tokens[lock] > 0)
		return WRITE;
	if (limits[lock] > 0)
		return (int)mode_of((int)dice(2));
	return (int)dice(WRITE + 1);
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
	r->mode = any_mode(r->lock);
	if (waits_twice(r) || takes_room_again(r))
		return;
	code = model_acquire(r);
	if (code == EINVAL)
		return;
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
	const int mode = any_mode(lock);
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
step_downgrade(void)
{
	struct request *r = &model.table.of[dice(REQUESTS)];
	const int from = r->mode;

	if (!r->used || !r->told || tokens[r->lock] > 0 || from == READ)
		return;
	r->mode = limits[r->lock] > 0 ? READ : (int)dice((unsigned)from);
	admit(&model.table, r->lock);
	ck_assert_int_eq(
	    evrwlock_downgrade(model.locks[r->lock], model.owners[r->owner],
		(enum evrwlock_mode)from, (enum evrwlock_mode)r->mode),
	    0);
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

static size_t
counted(int lock, int mode, bool inside)
{
	return (size_t)count(&model.table, lock, -1, mode, inside);
}

static void
compare_rwlock(int k)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(model.locks[k], &stats);
	ck_assert(stats.readers_inside == counted(k, READ, true) &&
		  stats.upgradables_inside == counted(k, UPGRADABLE, true) &&
		  stats.writers_inside == counted(k, WRITE, true));
	ck_assert(stats.readers_waiting == counted(k, READ, false) &&
		  stats.upgradables_waiting == counted(k, UPGRADABLE, false) &&
		  stats.upgrades_waiting == counted(k, UPGRADE, false) &&
		  stats.writers_waiting ==
		      counted(k, WRITE, false) + counted(k, UPGRADE, false));
}

static void
compare_lock(int k)
{
	struct evsemaphore_stats stats;

	if (tokens[k] == 0) {
		compare_rwlock(k);
		return;
	}
	if (tokens[k] == 1)
		evmutex_get_stats(model.locks[k], &stats);
	else
		evsemaphore_get_stats(model.locks[k], &stats);
	ck_assert(stats.inside == counted(k, WRITE, true) &&
		  stats.waiting == counted(k, WRITE, false));
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
		ck_assert(model.waiters[k].granted == r->told &&
			  model.waiters[k].failed == 0);
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
		step_downgrade();
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
			model.locks[k] = evrwlock_new(
			    base, (i % 2 == 0 ? 0 : EVRWLOCK_FAST) |
				      (fair[k] ? EVRWLOCK_FAIR : 0));
		else if (tokens[k] == 1)
			model.locks[k] = evmutex_new(base, flags);
		else
			model.locks[k] =
			    evsemaphore_new(base, (size_t)tokens[k], flags);
		ck_assert_ptr_nonnull(model.locks[k]);
		if (limits[k] > 0)
			ck_assert_int_eq(evrwlock_set_reader_limit(
					     model.locks[k], (size_t)limits[k]),
			    0);
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
	const int steps = support_scale() < 10000     ? 400
			  : support_scale() < 1000000 ? 2000
						      : 6000;
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
	ck_assert_int_ge(model.choices, steps / 1000);
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
