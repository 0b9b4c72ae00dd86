/* SPDX-License-Identifier: MIT */
#include "rwlock-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "owner-internal.h"
#include "result-internal.h"

static void leave_as(struct evdeferred *d, void *arg);
static void leave_reader(struct evdeferred *d, void *arg);
static void leave_writer(struct evdeferred *d, void *arg);

static struct evrwlock *
lock_of(struct evgate *gate)
{
	return EVLIST_ELEMENT(gate, struct evrwlock, gate);
}

static void
enter(struct evrwlock *lock, enum evmode mode, size_t count)
{
	lock->sides[mode].inside += count;
	lock->sides[mode].granted += count;
}

/* May an owner or a nobody that is not inside come in without waiting? */
static bool
may_enter(const struct evrwlock *lock, enum evmode mode)
{
	const struct evrwlock_side *readers = &lock->sides[EVMODE_READ];
	const struct evrwlock_side *writers = &lock->sides[EVMODE_WRITE];

	if (mode == EVMODE_READ)
		return writers->inside + writers->waiting == 0;
	return writers->inside + readers->inside == 0;
}

struct evask *
evrwlock_ask_of_(const struct evdeferred *d)
{
	return d->u.canceller.fn == leave_as ? d->u.canceller.arg : NULL;
}

/* Readers are granted all at once, without a look at each. */
static bool
is_ticket_granted(const struct evdeferred *d, const struct evrwlock *lock)
{
	return (int32_t)(d->ticket - lock->granted_ticket) <= 0;
}

bool
evask_is_granted_(const struct evask *ask)
{
	if (ask->granted || ask->mode == EVMODE_WRITE)
		return ask->granted;
	return is_ticket_granted(ask->d, ask->lock);
}

/*
 * The gate's side.
 */

static void
release_reader(void *lock)
{
	evrwlock_reader_release(lock);
}

static void
release_writer(void *lock)
{
	evrwlock_writer_release(lock);
}

static void
set_granted(struct evask *ask)
{
	if (ask->granted)
		return;
	ask->granted = true;
	evlist_remove_(&ask->node);
	evlist_append_(&ask->hold->granted, &ask->node);
	evhold_enter_(ask->hold, ask->mode);
}

static void
deliver(struct evgate *gate, struct evdeferred *d)
{
	struct evrwlock *lock = lock_of(gate);
	struct evask *ask = evrwlock_ask_of_(d);
	enum evmode mode;

	if (ask == NULL) {
		mode = d->u.canceller.fn == leave_reader ? EVMODE_READ
							 : EVMODE_WRITE;
		lock->sides[mode].anonymous++;
		evdeferred_produce_(d,
		    evresult_owned(lock,
			mode == EVMODE_READ ? release_reader : release_writer));
		return;
	}
	set_granted(ask);
	evask_arrive_(ask);
	evlist_remove_(&ask->node);
	evlist_append_(&ask->hold->delivered, &ask->node);
	ask->d = NULL;
	evdeferred_produce_(d, evresult_of_kind_(EVRESULT_ASK, ask));
}

static bool
is_held(const struct evgate *gate)
{
	const struct evrwlock *lock = lock_of((struct evgate *)gate);

	return lock->sides[EVMODE_READ].inside +
		   lock->sides[EVMODE_WRITE].inside >
	       0;
}

static struct evdeferred *
pop_waiter(struct evrwlock_side *side)
{
	side->waiting--;
	return EVLIST_ELEMENT(
	    evlist_pop_(&side->queue), struct evdeferred, node);
}

static void
grant_writer(struct evrwlock *lock)
{
	struct evdeferred *d = pop_waiter(&lock->sides[EVMODE_WRITE]);
	struct evask *ask = evrwlock_ask_of_(d);

	enter(lock, EVMODE_WRITE, 1);
	if (ask != NULL)
		set_granted(ask);
	evgate_grant_(&lock->gate, d);
}

static void
grant_readers(struct evrwlock *lock)
{
	struct evrwlock_side *readers = &lock->sides[EVMODE_READ];

	enter(lock, EVMODE_READ, readers->waiting);
	lock->granted_ticket = lock->last_ticket;
	evgate_grant_all_(&lock->gate, &readers->queue, readers->waiting);
	readers->waiting = 0;
}

static void
admit(struct evgate *gate)
{
	struct evrwlock *lock = lock_of(gate);

	if (lock->sides[EVMODE_WRITE].inside > 0)
		return;
	if (lock->sides[EVMODE_WRITE].waiting > 0) {
		if (lock->sides[EVMODE_READ].inside == 0)
			grant_writer(lock);
	} else if (lock->sides[EVMODE_READ].waiting > 0) {
		grant_readers(lock);
	}
}

static void
fail_waiters(struct evrwlock_side *side)
{
	struct evdeferred *d;
	struct evask *ask;

	while (side->waiting > 0) {
		d = pop_waiter(side);
		ask = evrwlock_ask_of_(d);
		if (ask != NULL)
			evask_forget_(ask);
		evdeferred_produce_(d, evresult_fixed_(EVFAILURE_SHUT_DOWN));
	}
}

static void
fail_all_waiters(struct evgate *gate)
{
	fail_waiters(&lock_of(gate)->sides[EVMODE_WRITE]);
	fail_waiters(&lock_of(gate)->sides[EVMODE_READ]);
}

static void
destroy(struct evgate *gate)
{
	struct evrwlock *lock = lock_of(gate);

	free(lock->name);
	free(lock);
}

static const struct evgate_type gate_type = {
    deliver, is_held, admit, fail_all_waiters, destroy};

/*
 * Leaving before the delivery: the cancellers.
 */

/* Takes out a Deferred that was granted or waits. */
static void
withdraw(
    struct evrwlock *lock, struct evdeferred *d, enum evmode mode, bool granted)
{
	lock->cancelled++;
	if (granted) {
		evgate_withdraw_(&lock->gate, d);
		lock->sides[mode].inside--;
	} else {
		evlist_remove_(&d->node);
		lock->sides[mode].waiting--;
	}
}

static void
leave_reader(struct evdeferred *d, void *arg)
{
	struct evrwlock *lock = arg;

	withdraw(lock, d, EVMODE_READ, is_ticket_granted(d, lock));
	evgate_changed_(&lock->gate);
}

static void
leave_writer(struct evdeferred *d, void *arg)
{
	struct evrwlock *lock = arg;

	withdraw(lock, d, EVMODE_WRITE, lock->gate.granted.next == &d->node);
	evgate_changed_(&lock->gate);
}

void
evrwlock_withdraw_(struct evask *ask)
{
	struct evgate *gate = &ask->lock->gate;
	struct evhold *hold = ask->hold;

	/* Until leave_as(), which may come after the callbacks of others. */
	gate->busy++;
	withdraw(ask->lock, ask->d, ask->mode, evask_is_granted_(ask));
	if (ask->granted)
		evhold_exit_(hold, ask->mode);
	evask_arrive_(ask);
	evask_detach_(ask);
	evhold_tidy_(hold);
	if (!gate->closed)
		gate->type->admit(gate);
}

static void
leave_as(struct evdeferred *d, void *arg)
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

/* Tickets are compared by their difference, which must not overflow however
 * many come and leave while nobody is granted: number those who wait anew. */
static void
renumber(struct evrwlock *lock)
{
	struct evlist *queue, *node;
	enum evmode mode;

	lock->last_ticket = lock->granted_ticket;
	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++) {
		queue = &lock->sides[mode].queue;
		for (node = queue->next; node != queue; node = node->next)
			EVLIST_ELEMENT(node, struct evdeferred, node)->ticket =
			    ++lock->last_ticket;
	}
}

/* For one who comes in, and for one who has to wait. */
static uint32_t
draw_ticket(struct evrwlock *lock)
{
	if (lock->last_ticket - lock->granted_ticket > INT32_MAX / 2)
		renumber(lock);
	return ++lock->last_ticket;
}

static void
enqueue(struct evrwlock *lock, struct evdeferred *d, enum evmode mode)
{
	evlist_append_(&lock->sides[mode].queue, &d->node);
	lock->sides[mode].waiting++;
	if (evrwlock_waiting_(lock) > lock->longest_queue)
		lock->longest_queue = evrwlock_waiting_(lock);
}

/* Tells one who may enter so before it can have added a callback, if none is
 * before it.  NULL with ENOMEM. */
static inline struct evdeferred *
enter_at_once(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d = evdeferred_make_fired_(lock->gate.base,
	    evresult_owned(
		lock, mode == EVMODE_READ ? release_reader : release_writer));

	if (d == NULL)
		return NULL;
	enter(lock, mode, 1);
	lock->sides[mode].anonymous++;
	return d;
}

static struct evdeferred *
acquire_slowly(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d;

	if (lock == NULL) {
		errno = EINVAL;
		return NULL;
	}
	if (!evgate_is_open_(&lock->gate))
		return evgate_refuse_(&lock->gate);
	d = evdeferred_new(lock->gate.base,
	    mode == EVMODE_READ ? leave_reader : leave_writer, lock);
	if (d == NULL)
		return NULL;
	d->ticket = draw_ticket(lock);
	if (!may_enter(lock, mode)) {
		enqueue(lock, d, mode);
		return d;
	}
	if (mode == EVMODE_READ)
		lock->granted_ticket = d->ticket;
	enter(lock, mode, 1);
	evgate_grant_(&lock->gate, d);
	evgate_hand_out_(&lock->gate);
	return d;
}

static inline struct evdeferred *
acquire(struct evrwlock *lock, enum evmode mode)
{
	if (lock != NULL && lock->gate.fast && evgate_is_open_(&lock->gate) &&
	    lock->gate.undelivered == 0 && may_enter(lock, mode))
		return enter_at_once(lock, mode);
	return acquire_slowly(lock, mode);
}

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

/* What an owner gets that asks for the lock. */
static enum answer
answer(struct evrwlock *lock, struct evowner *owner, enum evmode mode)
{
	const struct evhold *hold = evhold_find_(lock, owner);

	if (is_inside(hold, EVMODE_WRITE))
		return ANSWER_ENTER;
	if (is_inside(hold, EVMODE_READ))
		return mode == EVMODE_READ ? ANSWER_ENTER : ANSWER_DEADLOCK;
	return may_enter(lock, mode) ? ANSWER_ENTER : ANSWER_WAIT;
}

/* Undoes evhold_get_() and evask_new_() when memory runs out. */
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
		enqueue(lock, d, ask->mode);
		return;
	}
	evask_forget_(ask);
	evdeferred_produce_(d, deadlock);
}

/* Makes the Deferred of an owner that may enter or has to wait. */
static struct evdeferred *
ask_for(struct evrwlock *lock, struct evowner *owner, enum evmode mode,
    bool granted)
{
	struct evhold *hold = evhold_get_(lock, owner);
	struct evask *ask;
	struct evdeferred *d;

	if (hold == NULL)
		return NULL;
	ask = evask_new_(hold, mode, granted);
	if (ask == NULL)
		return give_up(hold, NULL);
	d = evdeferred_new(lock->gate.base, leave_as, ask);
	if (d == NULL)
		return give_up(hold, ask);
	ask->d = d;
	d->ticket = draw_ticket(lock);
	if (!granted) {
		wait_for(lock, ask);
		return d;
	}
	evhold_enter_(hold, mode);
	enter(lock, mode, 1);
	evgate_grant_(&lock->gate, d);
	evgate_hand_out_(&lock->gate);
	return d;
}

static int
check_owner(const struct evrwlock *lock, const struct evowner *owner)
{
	if (lock == NULL || owner == NULL || owner->base != lock->gate.base) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(owner->base);
	return 0;
}

static struct evdeferred *
acquire_as(struct evrwlock *lock, struct evowner *owner, enum evmode mode)
{
	if (check_owner(lock, owner) == -1)
		return NULL;
	if (!evgate_is_open_(&lock->gate) || owner->freed)
		return evgate_refuse_(&lock->gate);
	switch (answer(lock, owner, mode)) {
	case ANSWER_ENTER:
		return ask_for(lock, owner, mode, true);
	case ANSWER_DEADLOCK:
		return evdeferred_fired(
		    lock->gate.base, evresult_fixed_(EVFAILURE_UPGRADE));
	case ANSWER_WAIT:
		break;
	}
	return ask_for(lock, owner, mode, false);
}

struct evdeferred *
evrwlock_reader_acquire(struct evrwlock *lock)
{
	return acquire(lock, EVMODE_READ);
}

struct evdeferred *
evrwlock_writer_acquire(struct evrwlock *lock)
{
	return acquire(lock, EVMODE_WRITE);
}

struct evdeferred *
evrwlock_reader_acquire_as(struct evrwlock *lock, struct evowner *owner)
{
	return acquire_as(lock, owner, EVMODE_READ);
}

struct evdeferred *
evrwlock_writer_acquire_as(struct evrwlock *lock, struct evowner *owner)
{
	return acquire_as(lock, owner, EVMODE_WRITE);
}

/*
 * Trying.
 */

static int
refuse_try(int error)
{
	errno = error;
	return -1;
}

static int
try(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL)
		return refuse_try(EINVAL);
	evdefer_base_check_(lock->gate.base);
	if (!evgate_is_open_(&lock->gate))
		return refuse_try(ESHUTDOWN);
	if (!may_enter(lock, mode))
		return refuse_try(EBUSY);
	enter(lock, mode, 1);
	lock->sides[mode].anonymous++;
	return 0;
}

static int
try_as(struct evrwlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold;

	if (check_owner(lock, owner) == -1)
		return -1;
	if (!evgate_is_open_(&lock->gate) || owner->freed)
		return refuse_try(ESHUTDOWN);
	switch (answer(lock, owner, mode)) {
	case ANSWER_WAIT:
		return refuse_try(EBUSY);
	case ANSWER_DEADLOCK:
		return refuse_try(EDEADLK);
	case ANSWER_ENTER:
		break;
	}
	hold = evhold_get_(lock, owner);
	if (hold == NULL)
		return -1;
	evhold_enter_(hold, mode);
	hold->received.of[mode]++;
	enter(lock, mode, 1);
	return 0;
}

int
evrwlock_reader_try(struct evrwlock *lock)
{
	return try(lock, EVMODE_READ);
}

int
evrwlock_writer_try(struct evrwlock *lock)
{
	return try(lock, EVMODE_WRITE);
}

int
evrwlock_reader_try_as(struct evrwlock *lock, struct evowner *owner)
{
	return try_as(lock, owner, EVMODE_READ);
}

int
evrwlock_writer_try_as(struct evrwlock *lock, struct evowner *owner)
{
	return try_as(lock, owner, EVMODE_WRITE);
}

/*
 * Releasing.
 */

/* Is there nothing to do when somebody leaves? */
static bool
is_idle(const struct evrwlock *lock)
{
	return evrwlock_waiting_(lock) + lock->gate.undelivered == 0 &&
	       !lock->gate.closed;
}

static inline int
release(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(lock->gate.base);
	if (lock->sides[mode].anonymous == 0) {
		errno = EPERM;
		return -1;
	}
	lock->sides[mode].anonymous--;
	lock->sides[mode].inside--;
	if (!is_idle(lock))
		evgate_changed_(&lock->gate);
	return 0;
}

void
evrwlock_give_back_(struct evhold *hold, enum evmode mode)
{
	struct evrwlock *lock = hold->lock;

	evhold_exit_(hold, mode);
	evhold_tidy_(hold);
	lock->sides[mode].inside--;
	evgate_changed_(&lock->gate);
}

static int
release_as(struct evrwlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold;

	if (check_owner(lock, owner) == -1)
		return -1;
	hold = evhold_find_(lock, owner);
	if (hold == NULL || !evhold_take_(hold, mode)) {
		errno = EPERM;
		return -1;
	}
	evrwlock_give_back_(hold, mode);
	return 0;
}

int
evrwlock_reader_release(struct evrwlock *lock)
{
	return release(lock, EVMODE_READ);
}

int
evrwlock_writer_release(struct evrwlock *lock)
{
	return release(lock, EVMODE_WRITE);
}

int
evrwlock_reader_release_as(struct evrwlock *lock, struct evowner *owner)
{
	return release_as(lock, owner, EVMODE_READ);
}

int
evrwlock_writer_release_as(struct evrwlock *lock, struct evowner *owner)
{
	return release_as(lock, owner, EVMODE_WRITE);
}

/*
 * With: acquire, run, release.
 */

struct evdeferred *
evrwlock_with_reader(struct evrwlock *lock, evrwlock_body_fn body, void *arg)
{
	if (evgate_check_body_(body) == -1)
		return NULL;
	return evgate_with_(acquire(lock, EVMODE_READ), body, arg);
}

struct evdeferred *
evrwlock_with_writer(struct evrwlock *lock, evrwlock_body_fn body, void *arg)
{
	if (evgate_check_body_(body) == -1)
		return NULL;
	return evgate_with_(acquire(lock, EVMODE_WRITE), body, arg);
}

struct evdeferred *
evrwlock_with_reader_as(struct evrwlock *lock, struct evowner *owner,
    evrwlock_body_fn body, void *arg)
{
	if (evgate_check_body_(body) == -1)
		return NULL;
	return evgate_with_(acquire_as(lock, owner, EVMODE_READ), body, arg);
}

struct evdeferred *
evrwlock_with_writer_as(struct evrwlock *lock, struct evowner *owner,
    evrwlock_body_fn body, void *arg)
{
	if (evgate_check_body_(body) == -1)
		return NULL;
	return evgate_with_(acquire_as(lock, owner, EVMODE_WRITE), body, arg);
}

/*
 * Making, closing, looking.
 */

struct evrwlock *
evrwlock_new(struct evdefer_base *base, unsigned flags)
{
	struct evrwlock *lock;

	if (evgate_check_new_(base, flags) == -1)
		return NULL;
	lock = calloc(1, sizeof(*lock));
	if (lock == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	evgate_init_(&lock->gate, &gate_type, base, flags);
	evlist_init_(&lock->sides[EVMODE_READ].queue);
	evlist_init_(&lock->sides[EVMODE_WRITE].queue);
	evlist_init_(&lock->holders);
	evlist_init_(&lock->rivals);
	return lock;
}

void
evrwlock_free(struct evrwlock *lock)
{
	if (lock != NULL)
		evgate_close_(&lock->gate);
}

int
evrwlock_set_name(struct evrwlock *lock, const char *name)
{
	char *copy = NULL;

	if (lock == NULL) {
		errno = EINVAL;
		return -1;
	}
	if (name != NULL && (copy = strdup(name)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	free(lock->name);
	lock->name = copy;
	return 0;
}

const char *
evrwlock_name(const struct evrwlock *lock)
{
	return lock != NULL && lock->name != NULL ? lock->name : "a lock";
}

bool
evrwlock_is_reading(const struct evrwlock *lock)
{
	return lock != NULL && lock->sides[EVMODE_READ].inside > 0;
}

bool
evrwlock_is_writing(const struct evrwlock *lock)
{
	return lock != NULL && lock->sides[EVMODE_WRITE].inside > 0;
}

void
evrwlock_get_stats(const struct evrwlock *lock, struct evrwlock_stats *stats)
{
	const struct evrwlock_side *readers, *writers;

	*stats = (struct evrwlock_stats){0};
	if (lock == NULL)
		return;
	readers = &lock->sides[EVMODE_READ];
	writers = &lock->sides[EVMODE_WRITE];
	stats->readers_inside = readers->inside;
	stats->writers_inside = writers->inside;
	stats->readers_waiting = readers->waiting;
	stats->writers_waiting = writers->waiting;
	stats->readers_granted = readers->granted;
	stats->writers_granted = writers->granted;
	stats->cancelled = lock->cancelled;
	stats->longest_queue = lock->longest_queue;
}
