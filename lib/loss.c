/* SPDX-License-Identifier: MIT */
/*
 * A right is lost.
 *
 * Those that are inside stay there until they release what they have: they may be at
 * work with what the lock is for, and whoever enters next in this process must not
 * meet them.  As long as any is inside the lock is lost.  Nobody enters, and the
 * source is not asked: see admit_by_right() in rwlock.c.
 *
 * What was granted and not delivered has seen nothing of the lock, and waits again.
 * Nor does it enter before all have been told.
 */
#include "body-internal.h"
#include "observed-internal.h"
#include "hold-internal.h"
#include "rwlock-internal.h"

/*
 * Telling.
 */

static void
fire_watchers(struct evrwlock *lock)
{
	struct evlist due;

	/* Those that come from now on are for the next loss. */
	evlist_init_(&due);
	if (!evlist_empty_(&lock->watchers))
		evlist_join_(&due, &lock->watchers);
	while (!evlist_empty_(&due))
		evdeferred_produce_(
		    EVLIST_ELEMENT(evlist_pop_(&due), struct evdeferred, node),
		    evresult_value(NULL));
}

void
evrwlock_fail_watchers_(struct evrwlock *lock)
{
	while (!evlist_empty_(&lock->watchers))
		evdeferred_produce_(EVLIST_ELEMENT(evlist_pop_(&lock->watchers),
					struct evdeferred, node),
		    evresult_fixed_(EVFAILURE_SHUT_DOWN));
}

/*
 * Those that would wait for themselves.
 */

/* One that waits beside a hold that is lost, NULL if there is none. */
static struct evrequest *
find_hopeless(const struct evlock *lock)
{
	const struct evlist *waiting;
	const struct evhold *hold;
	enum evmode mode;

	for (hold = evhold_first_inside_(lock); hold != NULL;
	     hold = evhold_next_inside_(hold)) {
		for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++) {
			waiting = &hold->waiting[mode];
			if (!evlist_empty_(waiting))
				return EVLIST_ELEMENT(
				    waiting->next, struct evrequest, node);
		}
	}
	return NULL;
}

static void
fail_lost_waiter(struct evlock *lock, struct evdeferred *d, enum evmode mode)
{
	evlock_fail_waiter_(
	    lock, d, mode, ESTALE, evresult_fixed_(EVFAILURE_LOST));
}

/* All that upgrade, as what they would upgrade is lost; only those that wait by now. */
static void
fail_upgrades(struct evlock *lock)
{
	struct evlock_side *upgrades = &lock->sides[EVMODE_UPGRADE];
	size_t count = upgrades->waiting;

	while (count-- > 0 && upgrades->waiting > 0)
		fail_lost_waiter(lock,
		    EVLIST_ELEMENT(
			upgrades->waiters.next, struct evdeferred, node),
		    EVMODE_UPGRADE);
}

static void
fail_hopeless(struct evlock *lock)
{
	struct evrequest *request;

	while ((request = find_hopeless(lock)) != NULL)
		fail_lost_waiter(lock, request->d, request->mode);
}

/*
 * The loss.
 */

/* Whatever those do that are told, nobody enters before all have been. */
static void
lose_holds(struct evrwlock *lock)
{
	struct evsource *source = lock->lock.source;

	evsource_begin_loss_(source);
	source->telling = true;
	fail_upgrades(&lock->lock);
	fail_hopeless(&lock->lock);
	evbody_lose_all_(source);
	fire_watchers(lock);
	source->telling = false;
}

void
evsource_lose_(struct evsource *source)
{
	struct evwaitqueue *queue = source->queue;
	struct evlock *lock = evlock_of_(queue);

	/* What is inside has been lost before. */
	if (source->lost)
		return;
	queue->users++;
	evlock_put_back_grants_(lock);
	if (evlock_is_held_(queue))
		lose_holds(evrwlock_of_(queue));
	else
		fail_upgrades(lock);
	/* Those that were put back wait for nothing there. */
	if (!evwaitqueue_is_open_(queue))
		queue->type->fail_waiters(queue);
	queue->users--;
	evwaitqueue_changed_(queue);
}

/*
 * For the public.
 */

static struct evsource *
source_of(const struct evrwlock *lock)
{
	struct evsource *source = lock != NULL ? lock->lock.source : NULL;

	return source != NULL && evsource_may_be_lost_(source) ? source : NULL;
}

uint64_t
evrwlock_get_token(const struct evrwlock *lock)
{
	struct evsource *source = source_of(lock);

	if (source == NULL || source->lost || source->type->get_token == NULL)
		return 0;
	return source->type->get_token(source);
}

int
evrwlock_check(struct evrwlock *lock)
{
	struct evsource *source = source_of(lock);
	struct evwaitqueue *queue;

	if (lock == NULL)
		return evdefer_refuse_(EINVAL);
	queue = &lock->lock.queue;
	evdefer_base_check_(queue->base);
	if (source == NULL || !evlock_is_held_(queue))
		return 0;
	if (source->lost)
		return evdefer_refuse_(ESTALE);
	queue->users++;
	if (source->type->check(source) == 0) {
		queue->users--;
		return 0;
	}
	queue->users--;
	/* It may have been the last use of a lock that was freed. */
	evwaitqueue_changed_(queue);
	return evdefer_refuse_(ESTALE);
}

static void
forget_watcher(struct evdeferred *d, void *arg)
{
	(void)arg;
	evlist_remove_(&d->node);
}

struct evdeferred *
evrwlock_lost(struct evrwlock *lock)
{
	struct evdeferred *d;

	if (lock == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(lock->lock.queue.base);
	if (!evwaitqueue_is_open_(&lock->lock.queue))
		return evwaitqueue_refuse_(&lock->lock.queue);
	d = evdeferred_new_private_(
	    lock->lock.queue.base, forget_watcher, NULL);
	if (d != NULL)
		evlist_append_(&lock->watchers, &d->node);
	return d;
}
