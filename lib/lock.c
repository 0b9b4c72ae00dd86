/* SPDX-License-Identifier: MIT */
#include "trail-internal.h"

#include <stdlib.h>
#include <string.h>

#include "observed-internal.h"

void
evlock_init_(struct evlock *lock, const struct evlock_type *type,
    const struct evwaitqueue_type *queue_type, struct evdefer_base *base,
    unsigned flags)
{
	enum evmode mode;

	evwaitqueue_init_(&lock->queue, queue_type, base, flags);
	lock->type = type;
	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++)
		evlist_init_(&lock->sides[mode].waiters);
	evlist_init_(&lock->holders);
	evlist_init_(&lock->blockers);
}

int
evlock_set_name_(struct evlock *lock, const char *name)
{
	char *copy = NULL;

	if (name != NULL && (copy = strdup(name)) == NULL)
		return evdefer_refuse_(ENOMEM);
	free(lock->name);
	lock->name = copy;
	return 0;
}

void
evlock_start_walk_(
    const struct evlock *lock, const struct evlist *nodes[EVMODES_WAITING])
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++)
		nodes[mode] = lock->sides[mode].waiters.next;
}

struct evdeferred *
evlock_next_waiting_(const struct evlock *lock,
    const struct evlist *nodes[EVMODES_WAITING], enum evmode *mode_found)
{
	struct evdeferred *d, *oldest = NULL;
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++) {
		if (nodes[mode] == &lock->sides[mode].waiters)
			continue;
		d = EVLIST_ELEMENT(nodes[mode], struct evdeferred, node);
		if (oldest == NULL ||
		    (int32_t)(d->ticket - oldest->ticket) < 0) {
			oldest = d;
			*mode_found = mode;
		}
	}
	if (oldest != NULL)
		nodes[*mode_found] = nodes[*mode_found]->next;
	return oldest;
}

void
evlock_renumber_(struct evlock *lock)
{
	const struct evlist *nodes[EVMODES_WAITING];
	const uint32_t first = lock->last_ticket;
	struct evdeferred *d;
	enum evmode mode;

	evlock_start_walk_(lock, nodes);
	while ((d = evlock_next_waiting_(lock, nodes, &mode)) != NULL)
		d->ticket = ++lock->last_ticket;
	lock->first_ticket = first;
	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++)
		lock->sides[mode].granted_ticket = first;
}

void
evlock_enqueue_(struct evlock *lock, struct evdeferred *d, enum evmode mode)
{
	evlist_append_(&lock->sides[mode].waiters, &d->node);
	lock->sides[mode].waiting++;
	if (++lock->waiting > lock->longest_queue)
		lock->longest_queue = lock->waiting;
}

void
evlock_withdraw_(
    struct evlock *lock, struct evdeferred *d, enum evmode mode, bool granted)
{
	lock->cancelled++;
	if (granted) {
		evwaitqueue_withdraw_(&lock->queue, d);
		lock->sides[evmode_inside_(mode)].inside--;
	} else {
		evlist_remove_(&d->node);
		lock->sides[mode].waiting--;
		lock->waiting--;
	}
}

void
evlock_grant_first_(struct evlock *lock, enum evmode mode)
{
	struct evlock_side *side = &lock->sides[mode];
	struct evdeferred *d = EVLIST_ELEMENT(
	    evlist_pop_(&side->waiters), struct evdeferred, node);

	side->waiting--;
	lock->waiting--;
	side->granted_ticket = d->ticket;
	evlock_enter_(lock, mode);
	evwaitqueue_grant_(&lock->queue, d);
	evlock_observe_(lock, EVSTEP_GRANT, d, mode, 0);
}

static void
observe_all(struct evlock *lock, enum evmode mode)
{
	const struct evlist *waiters = &lock->sides[mode].waiters;
	const struct evlist *node;

	for (node = waiters->next; node != waiters; node = node->next)
		evlock_observe_(lock, EVSTEP_GRANT,
		    EVLIST_ELEMENT(node, const struct evdeferred, node), mode,
		    0);
}

void
evlock_grant_all_(struct evlock *lock, enum evmode mode)
{
	struct evlock_side *side = &lock->sides[mode];

	if (evlock_is_observed_(lock))
		observe_all(lock, mode);
	side->inside += side->waiting;
	side->granted += side->waiting;
	lock->waiting -= side->waiting;
	side->granted_ticket = lock->last_ticket;
	evwaitqueue_grant_all_(&lock->queue, &side->waiters, side->waiting);
	side->waiting = 0;
}

void
evlock_grant_upgrades_(struct evlock *lock)
{
	struct evlock_side *upgrades = &lock->sides[EVMODE_UPGRADE];
	struct evlock_side *writers = &lock->sides[EVMODE_WRITE];

	evlock_grant_all_(lock, EVMODE_UPGRADE);
	writers->inside += upgrades->inside;
	writers->granted += upgrades->inside;
	upgrades->inside = 0;
}

/*
 * Closed, with a source, observed, or with rules of its own.
 */

void
evlock_forgo_(struct evlock *lock)
{
	const int error = errno;

	if (lock->source != NULL)
		evwaitqueue_changed_(&lock->queue);
	errno = error;
}

struct evdeferred *
evlock_refuse_(struct evlock *lock, const struct evowner *owner,
    enum evmode mode, enum evfailure_fixed why, int error)
{
	struct evdeferred *d =
	    evdeferred_new_fired(lock->queue.base, evresult_fixed_(why));

	evlock_tell_refusal_(lock, owner, mode, d, error);
	return d;
}

/* Nothing keeps it out. */
static struct evdeferred *
enter(struct evlock *lock, enum evmode mode)
{
	if (!evwaitqueue_delivers_now_(&lock->queue))
		return evlock_enter_in_turn_(lock, mode);
	return evlock_enter_now_(lock, mode);
}

/* May it enter at once? */
static bool
reads_with_fence(struct evlock *lock)
{
	const struct evlock_side *readers = &lock->sides[EVMODE_READ];

	return lock->source != NULL && lock->source->fenced &&
	       readers->waiting == 0 &&
	       evsource_publish_(lock->source, readers->inside + 1) &&
	       evwaitqueue_delivers_now_(&lock->queue);
}

struct evdeferred *
evlock_acquire_specially_(struct evlock *lock, enum evmode mode)
{
	struct evdeferred *d;

	if (!evwaitqueue_is_open_(&lock->queue)) {
		d = evwaitqueue_refuse_(&lock->queue);
		evlock_tell_refusal_(lock, NULL, mode, d, ESHUTDOWN);
		return d;
	}
	if (mode == EVMODE_READ && reads_with_fence(lock))
		return evlock_enter_now_(lock, mode);
	evlock_catch_up_(lock);
	if (lock->type->must_wait(lock, mode))
		d = evlock_wait_(lock, mode);
	else
		d = enter(lock, mode);
	/* As a reader it may have counted itself. */
	if (d == NULL)
		evlock_forgo_(lock);
	return d;
}

/*
 * A reader that need not ask should cost no more than without a source: no question
 * here that the next two need not put.
 */

struct evdeferred *
evlock_read_specially_(struct evlock *lock)
{
	const struct evlock_side *readers = &lock->sides[EVMODE_READ];

	if (lock->queue.ways.reads && readers->waiting == 0 &&
	    evsource_publish_unfenced_(lock->source, readers->inside + 1) &&
	    evwaitqueue_plain_delivers_now_(&lock->queue))
		return evlock_enter_now_(lock, EVMODE_READ);
	return evlock_acquire_specially_(lock, EVMODE_READ);
}

static EVDEFER_NOINLINE_ int
end_read_with_fence(struct evlock *lock, const struct evowner *owner)
{
	if (!evlock_is_observed_(lock) && lock->source != NULL &&
	    lock->source->fenced &&
	    evsource_publish_(lock->source, lock->sides[EVMODE_READ].inside))
		return 0;
	return evlock_end_slowly_(lock, owner, EVMODE_READ);
}

int
evlock_end_read_specially_(struct evlock *lock, const struct evowner *owner)
{
	struct evwaitqueue *queue = &lock->queue;

	if (queue->fast && queue->undelivered > 0)
		return evlock_end_slowly_(lock, owner, EVMODE_READ);
	if (!queue->ways.reads)
		return end_read_with_fence(lock, owner);
	if (!evsource_publish_unfenced_(
		lock->source, lock->sides[EVMODE_READ].inside))
		return evlock_end_slowly_(lock, owner, EVMODE_READ);
	return 0;
}

EVDEFER_NOINLINE_ int
evlock_end_slowly_(
    struct evlock *lock, const struct evowner *owner, enum evmode mode)
{
	const bool lost = evlock_is_lost_(lock);

	if (evlock_is_observed_(lock))
		evlock_tell_(lock, EVSTEP_RELEASE, owner, mode, 0);
	evwaitqueue_changed_(&lock->queue);
	return lost ? evdefer_refuse_(ESTALE) : 0;
}

/* 0, or why it may not enter. */
static int
try_to_enter(struct evlock *lock, enum evmode mode)
{
	if (!evwaitqueue_is_open_(&lock->queue))
		return ESHUTDOWN;
	evlock_catch_up_(lock);
	return lock->type->must_wait(lock, mode) ? EBUSY : 0;
}

/* One that was told so by then. */
static void
note_anonymous(struct evlock *lock, enum evmode mode)
{
	if (lock->queue.base->debug)
		evtrail_note_(
		    &lock->trails, mode, lock->sides[mode].anonymous, NULL);
}

/* What try_to_enter() or try_to_upgrade() has found comes true. */
static int
end_try(struct evlock *lock, enum evmode mode, int error)
{
	if (evlock_is_observed_(lock))
		evlock_tell_try_(lock, NULL, mode, error);
	if (error == EBUSY)
		evlock_forgo_(lock);
	if (error != 0)
		return evdefer_refuse_(error);
	evlock_enter_(lock, mode);
	lock->sides[mode].anonymous++;
	note_anonymous(lock, mode);
	return 0;
}

int
evlock_try_specially_(struct evlock *lock, enum evmode mode)
{
	return end_try(lock, mode, try_to_enter(lock, mode));
}

bool
evlock_is_held_(const struct evwaitqueue *queue)
{
	const struct evlock *lock = evlock_of_(queue);

	return lock->sides[EVMODE_READ].inside +
		   lock->sides[EVMODE_UPGRADABLE].inside +
		   lock->sides[EVMODE_WRITE].inside >
	       0;
}

/*
 * Without an owner.
 */

static inline void
cancel_unwatched(struct evlock *lock, struct evdeferred *d, enum evmode mode)
{
	evlock_withdraw_(lock, d, mode, evlock_is_granted_(lock, d, mode));
	evwaitqueue_changed_(&lock->queue);
}

/* With a function of its own, the other one needs no frame. */
static EVDEFER_NOINLINE_ void
cancel_watched(struct evlock *lock, struct evdeferred *d, enum evmode mode)
{
	evlock_observe_(lock, EVSTEP_CANCEL, d, mode, ECANCELED);
	cancel_unwatched(lock, d, mode);
}

static inline void
cancel_waiter(struct evlock *lock, struct evdeferred *d, enum evmode mode)
{
	if (d->flags & EVDEFERRED_WATCHED)
		cancel_watched(lock, d, mode);
	else
		cancel_unwatched(lock, d, mode);
}

static void
cancel_reader(struct evdeferred *d, void *arg)
{
	cancel_waiter(arg, d, EVMODE_READ);
}

static void
cancel_upgradable(struct evdeferred *d, void *arg)
{
	cancel_waiter(arg, d, EVMODE_UPGRADABLE);
}

static void
cancel_writer(struct evdeferred *d, void *arg)
{
	cancel_waiter(arg, d, EVMODE_WRITE);
}

static void
cancel_upgrade(struct evdeferred *d, void *arg)
{
	cancel_waiter(arg, d, EVMODE_UPGRADE);
}

/* By evmode.  They also tell what a waiter waits for. */
static const evdeferred_canceller_fn cancellers[] = {
    cancel_reader, cancel_upgradable, cancel_writer, cancel_upgrade};

/* Where a Deferred can be made at once nobody watches it: these ways need neither ask
 * for that nor for memory.  The others are functions of their own. */

static inline struct evdeferred *
make_waiter(struct evlock *lock, enum evmode mode)
{
	return evdeferred_make_waiter_(
	    lock->queue.base, EVDEFERRED_PRIVATE, cancellers[mode], lock);
}

static inline void
enqueue(struct evlock *lock, struct evdeferred *d, enum evmode mode)
{
	d->ticket = evlock_draw_ticket_(lock);
	evlock_enqueue_(lock, d, mode);
}

static EVDEFER_NOINLINE_ struct evdeferred *
wait_slowly(struct evlock *lock, enum evmode mode)
{
	struct evdeferred *d =
	    evdeferred_new_private_(lock->queue.base, cancellers[mode], lock);

	if (d == NULL)
		return NULL;
	enqueue(lock, d, mode);
	if (d->flags & EVDEFERRED_WATCHED)
		evlock_tell_wait_(lock, d, mode);
	return d;
}

struct evdeferred *
evlock_wait_(struct evlock *lock, enum evmode mode)
{
	struct evdeferred *d;

	if (!evdeferred_can_make_(lock->queue.base))
		return wait_slowly(lock, mode);
	d = make_waiter(lock, mode);
	enqueue(lock, d, mode);
	return d;
}

static inline void
grant_newcomer(struct evlock *lock, struct evdeferred *d, enum evmode mode)
{
	d->ticket = evlock_draw_ticket_(lock);
	lock->sides[mode].granted_ticket = d->ticket;
	evlock_enter_(lock, evmode_inside_(mode));
	evwaitqueue_grant_(&lock->queue, d);
}

static EVDEFER_NOINLINE_ struct evdeferred *
enter_in_turn_slowly(struct evlock *lock, enum evmode mode)
{
	struct evdeferred *d =
	    evdeferred_new_private_(lock->queue.base, cancellers[mode], lock);

	if (d == NULL)
		return NULL;
	grant_newcomer(lock, d, mode);
	if (d->flags & EVDEFERRED_WATCHED)
		evlock_tell_entry_(lock, d, mode);
	evwaitqueue_hand_out_(&lock->queue);
	return d;
}

/* For one that is to be told by the loop, or after others. */
struct evdeferred *
evlock_enter_in_turn_(struct evlock *lock, enum evmode mode)
{
	struct evdeferred *d;

	if (!evdeferred_can_make_(lock->queue.base))
		return enter_in_turn_slowly(lock, mode);
	d = make_waiter(lock, mode);
	grant_newcomer(lock, d, mode);
	evwaitqueue_hand_out_(&lock->queue);
	return d;
}

enum evmode
evlock_mode_of_anonymous_(const struct evdeferred *d)
{
	enum evmode mode = EVMODE_READ;

	while (d->u.canceller.fn != cancellers[mode])
		mode++;
	return mode;
}

void
evlock_deliver_watched_(struct evlock *lock, struct evdeferred *d)
{
	const enum evmode mode = evmode_inside_(evlock_mode_of_anonymous_(d));

	evlock_observe_(lock, EVSTEP_DELIVER, d, mode, 0);
	if (lock->queue.base->debug)
		evtrail_note_(&lock->trails, mode,
		    lock->sides[mode].anonymous + 1, evdeferred_creation_(d));
	evdeferred_fire_(d, evlock_anonymous_grant_(lock, mode));
}

/* The most frequent modes first. */
void
evlock_deliver_anonymous_(struct evlock *lock, struct evdeferred *d)
{
	if (d->u.canceller.fn == cancel_reader)
		evdeferred_fire_unwatched_(
		    d, evlock_anonymous_grant_(lock, EVMODE_READ));
	else if (d->u.canceller.fn != cancel_upgradable)
		evdeferred_fire_unwatched_(
		    d, evlock_anonymous_grant_(lock, EVMODE_WRITE));
	else
		evdeferred_fire_unwatched_(
		    d, evlock_anonymous_grant_(lock, EVMODE_UPGRADABLE));
}

void
evlock_dispose_read_(void *lock)
{
	evlock_release_anonymous_(lock, EVMODE_READ);
}

void
evlock_dispose_upgradable_(void *lock)
{
	evlock_release_anonymous_(lock, EVMODE_UPGRADABLE);
}

void
evlock_dispose_write_(void *lock)
{
	evlock_release_anonymous_(lock, EVMODE_WRITE);
}

/*
 * The one that holds it upgradable, without an owner: nobody else does.
 */

static bool
has_upgradable(const struct evlock *lock)
{
	return lock->sides[EVMODE_UPGRADABLE].anonymous > 0;
}

struct evdeferred *
evlock_upgrade_anonymous_(struct evlock *lock)
{
	struct evdeferred *d;

	evdefer_base_check_(lock->queue.base);
	if (!evwaitqueue_is_open_(&lock->queue))
		return evlock_acquire_specially_(lock, EVMODE_UPGRADE);
	if (!has_upgradable(lock))
		return evlock_refuse_(lock, NULL, EVMODE_UPGRADE,
		    EVFAILURE_NOT_UPGRADABLE, EPERM);
	if (evlock_is_lost_(lock))
		return evlock_refuse_(
		    lock, NULL, EVMODE_UPGRADE, EVFAILURE_LOST, ESTALE);
	evlock_catch_up_(lock);
	if (lock->type->must_wait_to_upgrade(lock, NULL))
		d = evlock_wait_(lock, EVMODE_UPGRADE);
	else if (evwaitqueue_delivers_now_(&lock->queue))
		d = evlock_enter_now_(lock, EVMODE_WRITE);
	else
		/* Older writers may wait, so that its ticket is none of theirs. */
		d = evlock_enter_in_turn_(lock, EVMODE_UPGRADE);
	if (d == NULL)
		evlock_forgo_(lock);
	return d;
}

/* 0, or why it may not enter. */
static int
try_to_upgrade(struct evlock *lock)
{
	if (!evwaitqueue_is_open_(&lock->queue))
		return ESHUTDOWN;
	if (!has_upgradable(lock))
		return EPERM;
	if (evlock_is_lost_(lock))
		return ESTALE;
	evlock_catch_up_(lock);
	return lock->type->must_wait_to_upgrade(lock, NULL) ? EBUSY : 0;
}

int
evlock_try_upgrade_anonymous_(struct evlock *lock)
{
	evdefer_base_check_(lock->queue.base);
	return end_try(lock, EVMODE_WRITE, try_to_upgrade(lock));
}

/* In this order, so that somebody is inside all the time. */
void
evlock_change_(struct evlock *lock, const struct evowner *owner,
    enum evmode from, enum evmode to)
{
	evlock_enter_(lock, to);
	evlock_exit_(lock, from);
	if (evlock_is_observed_(lock)) {
		evlock_tell_try_(lock, owner, to, 0);
		evlock_tell_(lock, EVSTEP_RELEASE, owner, from, 0);
	}
	evwaitqueue_changed_(&lock->queue);
}

int
evlock_downgrade_anonymous_(
    struct evlock *lock, enum evmode from, enum evmode to)
{
	evdefer_base_check_(lock->queue.base);
	if (lock->sides[from].anonymous == 0)
		return evdefer_refuse_(EPERM);
	lock->sides[from].anonymous--;
	lock->sides[to].anonymous++;
	note_anonymous(lock, to);
	evlock_change_(lock, NULL, from, to);
	return 0;
}
