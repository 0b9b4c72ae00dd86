/* SPDX-License-Identifier: MIT */
#include "rwlock-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "owner-internal.h"
#include "result-internal.h"

static void leave_reader(struct evdeferred *d, void *arg);
static void leave_writer(struct evdeferred *d, void *arg);

static struct evrwlock *
lock_of(struct evgate *gate)
{
	return EVLIST_ELEMENT(gate, struct evrwlock, gate);
}

struct evask *
evrwlock_ask_of_(const struct evdeferred *d)
{
	return d->u.canceller.fn == evrwlock_leave_as_ ? d->u.canceller.arg
						       : NULL;
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

	evrwlock_enter_(lock, EVMODE_WRITE, 1);
	if (ask != NULL)
		set_granted(ask);
	evgate_grant_(&lock->gate, d);
}

static void
grant_readers(struct evrwlock *lock)
{
	struct evrwlock_side *readers = &lock->sides[EVMODE_READ];

	evrwlock_enter_(lock, EVMODE_READ, readers->waiting);
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

void
evrwlock_remove_(
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

	evrwlock_remove_(lock, d, EVMODE_READ, is_ticket_granted(d, lock));
	evgate_changed_(&lock->gate);
}

static void
leave_writer(struct evdeferred *d, void *arg)
{
	struct evrwlock *lock = arg;

	evrwlock_remove_(
	    lock, d, EVMODE_WRITE, lock->gate.granted.next == &d->node);
	evgate_changed_(&lock->gate);
}

/*
 * Acquiring.
 */

/* Tests take less. */
#ifndef EVRWLOCK_TICKETS
#define EVRWLOCK_TICKETS (INT32_MAX / 2)
#endif

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

uint32_t
evrwlock_draw_ticket_(struct evrwlock *lock)
{
	if (lock->last_ticket - lock->granted_ticket > EVRWLOCK_TICKETS)
		renumber(lock);
	return ++lock->last_ticket;
}

void
evrwlock_enqueue_(struct evrwlock *lock, struct evdeferred *d, enum evmode mode)
{
	evlist_append_(&lock->sides[mode].queue, &d->node);
	lock->sides[mode].waiting++;
	if (evrwlock_waiting_(lock) > lock->longest_queue)
		lock->longest_queue = evrwlock_waiting_(lock);
}

static struct evdeferred *
new_waiter(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d = evdeferred_new_private_(lock->gate.base,
	    mode == EVMODE_READ ? leave_reader : leave_writer, lock);

	if (d != NULL)
		d->ticket = evrwlock_draw_ticket_(lock);
	return d;
}

static EVDEFER_RARE_ struct evdeferred *
wait_in_turn(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d = new_waiter(lock, mode);

	if (d != NULL)
		evrwlock_enqueue_(lock, d, mode);
	return d;
}

/* For one who is to be told by the loop, or after others. */
static EVDEFER_RARE_ struct evdeferred *
enter_in_turn(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d = new_waiter(lock, mode);

	if (d == NULL)
		return NULL;
	if (mode == EVMODE_READ)
		lock->granted_ticket = d->ticket;
	evrwlock_enter_(lock, mode, 1);
	evgate_grant_(&lock->gate, d);
	evgate_hand_out_(&lock->gate);
	return d;
}

/* The same as in turn where nobody is before it: no callback is there yet that
 * could tell the difference. */
static inline struct evdeferred *
enter_at_once(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d =
	    evdeferred_make_(lock->gate.base, EVDEFERRED_FIRED);

	d->u.result = evresult_owned(
	    lock, mode == EVMODE_READ ? release_reader : release_writer);
	evrwlock_enter_(lock, mode, 1);
	lock->sides[mode].anonymous++;
	return d;
}

static inline struct evdeferred *
acquire(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL) {
		errno = EINVAL;
		return NULL;
	}
	evdefer_base_check_(lock->gate.base);
	if (!evgate_is_open_(&lock->gate))
		return evgate_refuse_(&lock->gate);
	if (!evrwlock_may_enter_(lock, mode))
		return wait_in_turn(lock, mode);
	if (evrwlock_delivers_now_(lock))
		return enter_at_once(lock, mode);
	return enter_in_turn(lock, mode);
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

/*
 * Trying.
 */

static int
try(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL)
		return evrwlock_refuse_(EINVAL);
	evdefer_base_check_(lock->gate.base);
	if (!evgate_is_open_(&lock->gate))
		return evrwlock_refuse_(ESHUTDOWN);
	if (!evrwlock_may_enter_(lock, mode))
		return evrwlock_refuse_(EBUSY);
	evrwlock_enter_(lock, mode, 1);
	lock->sides[mode].anonymous++;
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

/*
 * Releasing.
 */

static inline int
release(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL)
		return evrwlock_refuse_(EINVAL);
	evdefer_base_check_(lock->gate.base);
	if (lock->sides[mode].anonymous == 0)
		return evrwlock_refuse_(EPERM);
	lock->sides[mode].anonymous--;
	evrwlock_leave_(lock, mode);
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

/*
 * With: acquire, run, release.
 */

struct evdeferred *
evrwlock_with_reader(struct evrwlock *lock, evdeferred_body_fn body, void *arg)
{
	return evrwlock_with(lock, NULL, EVRWLOCK_READ, NULL, body, arg);
}

struct evdeferred *
evrwlock_with_writer(struct evrwlock *lock, evdeferred_body_fn body, void *arg)
{
	return evrwlock_with(lock, NULL, EVRWLOCK_WRITE, NULL, body, arg);
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

	if (lock == NULL)
		return evrwlock_refuse_(EINVAL);
	if (name != NULL && (copy = strdup(name)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	free(lock->name);
	lock->name = copy;
	return 0;
}

const char *
evrwlock_get_name(const struct evrwlock *lock)
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
