/* SPDX-License-Identifier: MIT */
/*
 * The readers-writer lock for owners: who asks again for what it holds gets it,
 * and who would wait for itself is told so.
 */
#include "rwlock-internal.h"

#include <errno.h>

#include "owner-internal.h"
#include "result-internal.h"

/*
 * Leaving before the delivery.
 */

void
evrwlock_withdraw_(struct evask *ask)
{
	struct evgate *gate = &ask->lock->gate;
	struct evhold *hold = ask->hold;

	/* Until leave_as(), which may come after the callbacks of others. */
	gate->busy++;
	evrwlock_remove_(ask->lock, ask->d, ask->mode, evask_is_granted_(ask));
	if (ask->granted)
		evhold_exit_(hold, ask->mode);
	evask_arrive_(ask);
	evask_detach_(ask);
	evhold_tidy_(hold);
	if (!gate->closed)
		gate->type->admit(gate);
}

void
evrwlock_leave_as_(struct evdeferred *d, void *arg)
{
	struct evask *ask = arg;
	struct evgate *gate = &ask->lock->gate;

	(void)d;
	if (ask->hold != NULL)
		evrwlock_withdraw_(ask);
	evlist_remove_(&ask->owner_node);
	evask_unref_(ask);
	gate->busy--;
	evgate_changed_(gate);
}

/*
 * Acquiring.
 */

static bool
is_inside(const struct evhold *hold, enum evmode mode)
{
	const struct evask *oldest;

	if (hold == NULL)
		return false;
	if (hold->inside.of[mode] > 0)
		return true;
	if (mode == EVMODE_WRITE || evlist_empty_(&hold->queued[mode]))
		return false;
	oldest = EVLIST_ELEMENT(hold->queued[mode].next, struct evask, node);
	return evask_is_granted_(oldest);
}

enum answer { ANSWER_ENTER, ANSWER_WAIT, ANSWER_DEADLOCK };

/* What an owner gets that asks for the lock, by what it has there. */
static enum answer
answer(const struct evrwlock *lock, const struct evhold *hold, enum evmode mode)
{
	if (is_inside(hold, EVMODE_WRITE))
		return ANSWER_ENTER;
	if (is_inside(hold, EVMODE_READ))
		return mode == EVMODE_READ ? ANSWER_ENTER : ANSWER_DEADLOCK;
	return evrwlock_may_enter_(lock, mode) ? ANSWER_ENTER : ANSWER_WAIT;
}

/* Undoes evhold_new_() and evask_new_() when memory runs out. */
static struct evdeferred *
give_up(struct evhold *hold, struct evask *ask)
{
	if (ask != NULL)
		evask_forget_(ask);
	else
		evhold_tidy_(hold);
	errno = ENOMEM;
	return NULL;
}

/* Puts an ask into the queue, unless it would wait there for itself. */
static void
wait_for(struct evrwlock *lock, struct evask *ask)
{
	const struct evresult deadlock = evrwlock_check_deadlock_(ask);
	struct evdeferred *d = ask->d;

	if (!evresult_is_failure_(deadlock)) {
		evrwlock_enqueue_(lock, d, ask->mode);
		return;
	}
	evask_forget_(ask);
	evdeferred_produce_(d, deadlock);
}

/* Makes the Deferred of an owner that may enter or has to wait. */
static struct evdeferred *
ask_for(struct evhold *hold, enum evmode mode, bool granted)
{
	struct evrwlock *lock = hold->lock;
	struct evask *ask = evask_new_(hold, mode, granted);
	struct evdeferred *d;

	if (ask == NULL)
		return give_up(hold, NULL);
	d = evdeferred_new_private_(lock->gate.base, evrwlock_leave_as_, ask);
	if (d == NULL)
		return give_up(hold, ask);
	ask->d = d;
	d->ticket = evrwlock_draw_ticket_(lock);
	if (!granted) {
		wait_for(lock, ask);
		return d;
	}
	evhold_enter_(hold, mode);
	evrwlock_enter_(lock, mode, 1);
	evgate_grant_(&lock->gate, d);
	evgate_hand_out_(&lock->gate);
	return d;
}

/* Makes one that has fired: the same where nobody is before it, as no callback is
 * there yet that could tell the difference. */
static struct evdeferred *
enter_at_once(struct evhold *hold, enum evmode mode)
{
	struct evask *ask = evask_new_delivered_(hold, mode);
	struct evdeferred *d;

	if (ask == NULL)
		return give_up(hold, NULL);
	d = evdeferred_make_(hold->lock->gate.base, EVDEFERRED_FIRED);
	d->u.result = evresult_of_kind_(EVRESULT_ASK, ask);
	evhold_enter_(hold, mode);
	evrwlock_enter_(hold->lock, mode, 1);
	return d;
}

static int
check_mode(enum evrwlock_mode mode)
{
	if (mode == EVRWLOCK_READ || mode == EVRWLOCK_WRITE)
		return 0;
	return evrwlock_refuse_(EINVAL);
}

static int
check_owner(const struct evrwlock *lock, const struct evowner *owner)
{
	if (lock == NULL || owner == NULL || owner->base != lock->gate.base)
		return evrwlock_refuse_(EINVAL);
	evdefer_base_check_(owner->base);
	return 0;
}

static struct evdeferred *
acquire_as(struct evrwlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold;
	enum answer got;

	if (check_owner(lock, owner) == -1)
		return NULL;
	if (!evgate_is_open_(&lock->gate) || owner->freed)
		return evgate_refuse_(&lock->gate);
	hold = evhold_find_(lock, owner);
	got = answer(lock, hold, mode);
	if (got == ANSWER_DEADLOCK)
		return evdeferred_new_fired(
		    lock->gate.base, evresult_fixed_(EVFAILURE_UPGRADE));
	if (hold == NULL && (hold = evhold_new_(lock, owner)) == NULL)
		return NULL;
	if (got == ANSWER_ENTER && evrwlock_delivers_now_(lock))
		return enter_at_once(hold, mode);
	return ask_for(hold, mode, got == ANSWER_ENTER);
}

struct evdeferred *
evrwlock_acquire(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	if (check_mode(mode) == -1)
		return NULL;
	if (owner != NULL)
		return acquire_as(lock, owner, (enum evmode)mode);
	return mode == EVRWLOCK_READ ? evrwlock_reader_acquire(lock)
				     : evrwlock_writer_acquire(lock);
}

/*
 * Trying.
 */

static int
try_as(struct evrwlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold;

	if (check_owner(lock, owner) == -1)
		return -1;
	if (!evgate_is_open_(&lock->gate) || owner->freed)
		return evrwlock_refuse_(ESHUTDOWN);
	hold = evhold_find_(lock, owner);
	switch (answer(lock, hold, mode)) {
	case ANSWER_WAIT:
		return evrwlock_refuse_(EBUSY);
	case ANSWER_DEADLOCK:
		return evrwlock_refuse_(EDEADLK);
	case ANSWER_ENTER:
		break;
	}
	if (hold == NULL && (hold = evhold_new_(lock, owner)) == NULL)
		return -1;
	evhold_enter_(hold, mode);
	hold->received.of[mode]++;
	evrwlock_enter_(lock, mode, 1);
	return 0;
}

int
evrwlock_try(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	if (check_mode(mode) == -1)
		return -1;
	if (owner != NULL)
		return try_as(lock, owner, (enum evmode)mode);
	return mode == EVRWLOCK_READ ? evrwlock_reader_try(lock)
				     : evrwlock_writer_try(lock);
}

/*
 * Releasing.
 */

void
evrwlock_give_back_(struct evhold *hold, enum evmode mode)
{
	struct evrwlock *lock = hold->lock;

	evhold_exit_(hold, mode);
	evhold_tidy_(hold);
	evrwlock_leave_(lock, mode);
}

static int
release_as(struct evrwlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold;

	if (check_owner(lock, owner) == -1)
		return -1;
	hold = evhold_find_(lock, owner);
	if (hold == NULL || !evhold_take_(hold, mode))
		return evrwlock_refuse_(EPERM);
	evrwlock_give_back_(hold, mode);
	return 0;
}

int
evrwlock_release(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	if (check_mode(mode) == -1)
		return -1;
	if (owner != NULL)
		return release_as(lock, owner, (enum evmode)mode);
	return mode == EVRWLOCK_READ ? evrwlock_reader_release(lock)
				     : evrwlock_writer_release(lock);
}

/*
 * With: acquire, run, release.
 */

struct evdeferred *
evrwlock_with(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode, const struct timeval *patience,
    evdeferred_body_fn body, void *arg)
{
	if (lock == NULL) {
		errno = EINVAL;
		return NULL;
	}
	if (evgate_check_with_(&lock->gate, patience, body) == -1)
		return NULL;
	return evgate_with_(
	    evrwlock_acquire(lock, owner, mode), patience, body, arg);
}
