/* SPDX-License-Identifier: MIT */
#include <evdefer/rwlock.h>

#include <errno.h>
#include <stdlib.h>

#include "base-internal.h"
#include "deferred-internal.h"
#include "result-internal.h"

/*
 * A waiter is a Deferred in the list of waiting readers or writers.  When it is
 * granted it moves to the list of those granted and counts as inside; all
 * readers move in one step.  It leaves that list by being fired, which is the
 * delivery: at once if the lock is fast, from the ready queue if not.
 */
struct evrwlock {
	struct evready ready; /* in the ready queue while any is granted */
	struct evdefer_base *base;
	struct evlist waiting_readers;
	struct evlist waiting_writers;
	struct evlist granted; /* one writer, or readers only */
	size_t undelivered;    /* how many are in granted */
	/* Readers with a ticket up to the granted one are not waiting. */
	uint32_t last_ticket;
	uint32_t granted_ticket;
	unsigned busy; /* frames on the stack that need the lock */
	bool fast;
	bool closed;
	struct evrwlock_stats stats;
};

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

/* Frees a closed lock once nobody needs it. */
static void
collect(struct evrwlock *lock)
{
	struct evdefer_base *base = lock->base;

	if (!lock->closed || lock->busy > 0 ||
	    lock->stats.readers_inside + lock->stats.writers_inside > 0)
		return;
	free(lock);
	evdefer_base_unuse_(base);
}

/*
 * Granting.
 */

static void
deliver_first(struct evrwlock *lock)
{
	struct evdeferred *d =
	    EVLIST_ELEMENT(evlist_pop_(&lock->granted), struct evdeferred);

	lock->undelivered--;
	evdeferred_fire(d, evresult_owned(lock, lock->stats.writers_inside > 0
						    ? release_writer
						    : release_reader));
}

static void
deliver_ready(struct evready *ready)
{
	struct evrwlock *lock = EVLIST_ELEMENT(ready, struct evrwlock);

	/* Locks take turns: one with many waiters does not hold up another. */
	evlist_remove_(&ready->node);
	if (lock->undelivered > 1)
		evdefer_base_make_ready_(lock->base, ready);
	deliver_first(lock);
}

static void
hand_out(struct evrwlock *lock)
{
	if (lock->fast || evdefer_base_closed_(lock->base)) {
		evlist_remove_(&lock->ready.node);
		while (lock->undelivered > 0)
			deliver_first(lock);
		return;
	}
	if (lock->undelivered > 0 && evlist_empty_(&lock->ready.node))
		evdefer_base_make_ready_(lock->base, &lock->ready);
}

static void
grant_writer(struct evrwlock *lock)
{
	evlist_append_(&lock->granted, evlist_pop_(&lock->waiting_writers));
	lock->undelivered++;
	lock->stats.writers_waiting--;
	lock->stats.writers_inside++;
	lock->stats.writers_granted++;
}

static void
grant_readers(struct evrwlock *lock)
{
	const size_t count = lock->stats.readers_waiting;

	evlist_join_(&lock->granted, &lock->waiting_readers);
	lock->granted_ticket = lock->last_ticket;
	lock->undelivered += count;
	lock->stats.readers_waiting = 0;
	lock->stats.readers_inside += count;
	lock->stats.readers_granted += count;
}

/* Lets in who may enter, after somebody left the lock or its queue. */
static void
admit(struct evrwlock *lock)
{
	const struct evrwlock_stats *stats = &lock->stats;

	lock->busy++;
	if (stats->writers_inside == 0 && !lock->closed) {
		if (stats->writers_waiting == 0 && stats->readers_waiting > 0)
			grant_readers(lock);
		else if (stats->writers_waiting > 0 &&
			 stats->readers_inside == 0)
			grant_writer(lock);
		hand_out(lock);
	}
	lock->busy--;
	collect(lock);
}

/*
 * Leaving before the delivery: the cancellers.
 */

/* Takes back a grant that was not delivered. */
static void
withdraw(struct evrwlock *lock, size_t *inside)
{
	--*inside;
	if (--lock->undelivered == 0)
		evlist_remove_(&lock->ready.node);
}

static void
leave_reader(struct evdeferred *d, void *arg)
{
	struct evrwlock *lock = arg;
	const bool granted = (int32_t)(d->ticket - lock->granted_ticket) <= 0;

	evlist_remove_(&d->node);
	lock->stats.cancelled++;
	if (granted)
		withdraw(lock, &lock->stats.readers_inside);
	else
		lock->stats.readers_waiting--;
	admit(lock);
}

static void
leave_writer(struct evdeferred *d, void *arg)
{
	struct evrwlock *lock = arg;
	const bool granted = lock->granted.next == &d->node;

	evlist_remove_(&d->node);
	lock->stats.cancelled++;
	if (granted)
		withdraw(lock, &lock->stats.writers_inside);
	else
		lock->stats.writers_waiting--;
	admit(lock);
}

/*
 * Acquiring.
 */

static int
check_open(const struct evrwlock *lock)
{
	if (lock == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(lock->base);
	if (lock->closed || evdefer_base_closed_(lock->base)) {
		errno = ESHUTDOWN;
		return -1;
	}
	return 0;
}

static bool
reader_may_enter(const struct evrwlock *lock)
{
	return lock->stats.writers_inside + lock->stats.writers_waiting == 0;
}

static bool
writer_may_enter(const struct evrwlock *lock)
{
	return lock->stats.writers_inside + lock->stats.readers_inside == 0;
}

static void
enter_reader(struct evrwlock *lock)
{
	lock->stats.readers_inside++;
	lock->stats.readers_granted++;
}

static void
enter_writer(struct evrwlock *lock)
{
	lock->stats.writers_inside++;
	lock->stats.writers_granted++;
}

/* Tickets are compared by their difference, which must not overflow however
 * many come and leave while nobody is granted: number those who wait anew. */
static void
renumber(struct evrwlock *lock)
{
	struct evlist *node = lock->waiting_readers.next;

	lock->last_ticket = lock->granted_ticket;
	for (; node != &lock->waiting_readers; node = node->next)
		EVLIST_ELEMENT(node, struct evdeferred)->ticket =
		    ++lock->last_ticket;
}

static uint32_t
draw_ticket(struct evrwlock *lock)
{
	if (lock->last_ticket - lock->granted_ticket > INT32_MAX / 2)
		renumber(lock);
	return ++lock->last_ticket;
}

/* Puts a waiter at the end of a queue. */
static void
enqueue(struct evrwlock *lock, struct evdeferred *d, struct evlist *queue,
    size_t *waiting)
{
	struct evrwlock_stats *stats = &lock->stats;

	evlist_append_(queue, &d->node);
	++*waiting;
	if (stats->readers_waiting + stats->writers_waiting >
	    stats->longest_queue)
		stats->longest_queue =
		    stats->readers_waiting + stats->writers_waiting;
}

/* Delivers to one who did not have to wait. */
static void
hand_out_to(struct evrwlock *lock, struct evdeferred *d)
{
	evlist_append_(&lock->granted, &d->node);
	lock->undelivered++;
	hand_out(lock);
}

/* A new waiter; a Deferred that has failed if the lock is closed. */
struct evdeferred *
evrwlock_reader_acquire(struct evrwlock *lock)
{
	const bool open = check_open(lock) == 0;
	struct evdeferred *d;

	if (lock == NULL)
		return NULL;
	if (!open)
		return evdeferred_fired(
		    lock->base, evresult_fixed_(EVFAILURE_SHUT_DOWN));
	d = evdeferred_new(lock->base, leave_reader, lock);
	if (d == NULL)
		return NULL;
	d->ticket = draw_ticket(lock);
	if (!reader_may_enter(lock)) {
		enqueue(lock, d, &lock->waiting_readers,
		    &lock->stats.readers_waiting);
		return d;
	}
	lock->granted_ticket = d->ticket;
	enter_reader(lock);
	hand_out_to(lock, d);
	return d;
}

struct evdeferred *
evrwlock_writer_acquire(struct evrwlock *lock)
{
	const bool open = check_open(lock) == 0;
	struct evdeferred *d;

	if (lock == NULL)
		return NULL;
	if (!open)
		return evdeferred_fired(
		    lock->base, evresult_fixed_(EVFAILURE_SHUT_DOWN));
	d = evdeferred_new(lock->base, leave_writer, lock);
	if (d == NULL)
		return NULL;
	if (!writer_may_enter(lock)) {
		enqueue(lock, d, &lock->waiting_writers,
		    &lock->stats.writers_waiting);
		return d;
	}
	enter_writer(lock);
	hand_out_to(lock, d);
	return d;
}

int
evrwlock_reader_try(struct evrwlock *lock)
{
	if (check_open(lock) == -1)
		return -1;
	if (!reader_may_enter(lock)) {
		errno = EBUSY;
		return -1;
	}
	enter_reader(lock);
	return 0;
}

int
evrwlock_writer_try(struct evrwlock *lock)
{
	if (check_open(lock) == -1)
		return -1;
	if (!writer_may_enter(lock)) {
		errno = EBUSY;
		return -1;
	}
	enter_writer(lock);
	return 0;
}

/*
 * Releasing.
 */

static int
release(struct evrwlock *lock, size_t *inside)
{
	evdefer_base_check_(lock->base);
	/* Readers and a writer are never inside together, so those not told of
	 * their grant yet are of the kind that is inside. */
	if (*inside == 0 || *inside == lock->undelivered) {
		errno = EPERM;
		return -1;
	}
	--*inside;
	admit(lock);
	return 0;
}

int
evrwlock_reader_release(struct evrwlock *lock)
{
	if (lock == NULL) {
		errno = EINVAL;
		return -1;
	}
	return release(lock, &lock->stats.readers_inside);
}

int
evrwlock_writer_release(struct evrwlock *lock)
{
	if (lock == NULL) {
		errno = EINVAL;
		return -1;
	}
	return release(lock, &lock->stats.writers_inside);
}

static struct evdeferred *
with(struct evdeferred *acquired, evrwlock_body_fn body, void *arg)
{
	if (acquired == NULL)
		return NULL;
	if (evdeferred_add_with_(acquired, body, arg) == 0)
		return acquired;
	evdeferred_free(acquired);
	errno = ENOMEM;
	return NULL;
}

struct evdeferred *
evrwlock_with_reader(struct evrwlock *lock, evrwlock_body_fn body, void *arg)
{
	if (body == NULL) {
		errno = EINVAL;
		return NULL;
	}
	return with(evrwlock_reader_acquire(lock), body, arg);
}

struct evdeferred *
evrwlock_with_writer(struct evrwlock *lock, evrwlock_body_fn body, void *arg)
{
	if (body == NULL) {
		errno = EINVAL;
		return NULL;
	}
	return with(evrwlock_writer_acquire(lock), body, arg);
}

/*
 * Making, closing, looking.
 */

struct evrwlock *
evrwlock_new(struct evdefer_base *base, unsigned flags)
{
	struct evrwlock *lock;

	if (base == NULL || (flags & ~EVRWLOCK_FAST) != 0) {
		errno = EINVAL;
		return NULL;
	}
	evdefer_base_check_(base);
	if (evdefer_base_closed_(base)) {
		errno = ESHUTDOWN;
		return NULL;
	}
	lock = calloc(1, sizeof(*lock));
	if (lock == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	evdefer_base_use_(base);
	lock->base = base;
	lock->fast = (flags & EVRWLOCK_FAST) != 0;
	lock->ready.deliver = deliver_ready;
	evlist_init_(&lock->ready.node);
	evlist_init_(&lock->waiting_readers);
	evlist_init_(&lock->waiting_writers);
	evlist_init_(&lock->granted);
	return lock;
}

static void
fail_all(struct evlist *queue, size_t *waiting)
{
	while (!evlist_empty_(queue)) {
		--*waiting;
		evdeferred_fire(
		    EVLIST_ELEMENT(evlist_pop_(queue), struct evdeferred),
		    evresult_fixed_(EVFAILURE_SHUT_DOWN));
	}
}

void
evrwlock_free(struct evrwlock *lock)
{
	if (lock == NULL)
		return;
	evdefer_base_check_(lock->base);
	lock->closed = true;
	lock->busy++;
	fail_all(&lock->waiting_writers, &lock->stats.writers_waiting);
	fail_all(&lock->waiting_readers, &lock->stats.readers_waiting);
	lock->busy--;
	collect(lock);
}

bool
evrwlock_is_reading(const struct evrwlock *lock)
{
	return lock != NULL && lock->stats.readers_inside > 0;
}

bool
evrwlock_is_writing(const struct evrwlock *lock)
{
	return lock != NULL && lock->stats.writers_inside > 0;
}

void
evrwlock_get_stats(const struct evrwlock *lock, struct evrwlock_stats *stats)
{
	static const struct evrwlock_stats none;

	*stats = lock != NULL ? lock->stats : none;
}
