/* SPDX-License-Identifier: MIT */
#include <evdefer/rwlock.h>

#include <stdlib.h>
#include <string.h>

#include "lock-internal.h"
#include "text-internal.h"

_Static_assert(EVRWLOCK_FAST == EVWAITQUEUE_FAST, "flags are handed on");
_Static_assert((int)EVRWLOCK_READ == (int)EVMODE_READ &&
		   (int)EVRWLOCK_WRITE == (int)EVMODE_WRITE,
    "modes are handed on");

/*
 * Two queues.  A waiter that is granted counts as inside from then on; all
 * readers are granted in one step.  A reader waits if its ticket is higher than
 * the last one granted.
 */
struct side {
	struct evlist waiters;
	size_t waiting; /* how many these are */
	size_t inside;
	size_t anonymous; /* of these, delivered to nobody in particular */
	uint64_t granted; /* so far */
};

struct evrwlock {
	struct evlock lock;
	struct side sides[2]; /* by evmode */
	uint32_t last_ticket;
	uint32_t granted_ticket; /* of readers */
	uint64_t cancelled;	 /* so far */
	size_t longest_queue;	 /* so far */
	char *name;
};

static void cancel_reader(struct evdeferred *d, void *arg);
static void cancel_writer(struct evdeferred *d, void *arg);

static struct evrwlock *
rwlock_in(const struct evwaitqueue *queue)
{
	return EVLIST_ELEMENT(queue, struct evrwlock, lock.queue);
}

static struct evrwlock *
rwlock_of(const struct evlock *lock)
{
	return EVLIST_ELEMENT(lock, struct evrwlock, lock);
}

static size_t
waiting_at(const struct evrwlock *lock)
{
	return lock->sides[EVMODE_READ].waiting +
	       lock->sides[EVMODE_WRITE].waiting;
}

/* May one that is not inside come in without waiting? */
static inline bool
may_come_in(const struct evrwlock *lock, enum evmode mode)
{
	const struct side *readers = &lock->sides[EVMODE_READ];
	const struct side *writers = &lock->sides[EVMODE_WRITE];

	if (mode == EVMODE_READ)
		return writers->inside + writers->waiting == 0;
	return writers->inside + readers->inside == 0;
}

static inline void
come_in(struct evrwlock *lock, enum evmode mode, size_t count)
{
	lock->sides[mode].inside += count;
	lock->sides[mode].granted += count;
}

/* Readers are granted all at once, without a look at each. */
static inline bool
is_ticket_granted(const struct evrwlock *lock, const struct evdeferred *d)
{
	return (int32_t)(d->ticket - lock->granted_ticket) <= 0;
}

/*
 * For the wait queue.
 */

static void
dispose_read(void *lock)
{
	evrwlock_reader_release(lock);
}

static void
dispose_write(void *lock)
{
	evrwlock_writer_release(lock);
}

static inline struct evresult
anonymous_grant(struct evrwlock *lock, enum evmode mode)
{
	lock->sides[mode].anonymous++;
	return evresult_owned(
	    lock, mode == EVMODE_READ ? dispose_read : dispose_write);
}

static void
deliver_lock(struct evwaitqueue *queue, struct evdeferred *d)
{
	struct evrwlock *lock = rwlock_in(queue);

	if (d->u.canceller.fn == cancel_reader)
		evdeferred_produce_(d, anonymous_grant(lock, EVMODE_READ));
	else if (d->u.canceller.fn == cancel_writer)
		evdeferred_produce_(d, anonymous_grant(lock, EVMODE_WRITE));
	else
		evlock_deliver_(d);
}

static bool
is_lock_held(const struct evwaitqueue *queue)
{
	const struct evrwlock *lock = rwlock_in(queue);

	return lock->sides[EVMODE_READ].inside +
		   lock->sides[EVMODE_WRITE].inside >
	       0;
}

static void
grant_writer(struct evrwlock *lock)
{
	struct side *writers = &lock->sides[EVMODE_WRITE];
	struct evdeferred *d = EVLIST_ELEMENT(
	    evlist_pop_(&writers->waiters), struct evdeferred, node);

	writers->waiting--;
	come_in(lock, EVMODE_WRITE, 1);
	evlock_note_grant_(d);
	evwaitqueue_grant_(&lock->lock.queue, d);
}

static void
grant_readers(struct evrwlock *lock)
{
	struct side *readers = &lock->sides[EVMODE_READ];

	come_in(lock, EVMODE_READ, readers->waiting);
	lock->granted_ticket = lock->last_ticket;
	evwaitqueue_grant_all_(
	    &lock->lock.queue, &readers->waiters, readers->waiting);
	readers->waiting = 0;
}

static void
admit_to_lock(struct evwaitqueue *queue)
{
	struct evrwlock *lock = rwlock_in(queue);

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
fail_lock_waiters(struct evwaitqueue *queue)
{
	struct side *readers = &rwlock_in(queue)->sides[EVMODE_READ];
	struct side *writers = &rwlock_in(queue)->sides[EVMODE_WRITE];

	evlock_fail_all_(&writers->waiters, &writers->waiting);
	evlock_fail_all_(&readers->waiters, &readers->waiting);
}

static void
destroy_lock(struct evwaitqueue *queue)
{
	struct evrwlock *lock = rwlock_in(queue);

	free(lock->name);
	free(lock);
}

static const struct evwaitqueue_type queue_type = {
    deliver_lock, is_lock_held, admit_to_lock, fail_lock_waiters, destroy_lock};

/*
 * For owners.
 */

static enum evanswer
answer_to_owner(const struct evlock *of, unsigned inside, enum evmode mode)
{
	if (inside & EVMODE_BIT(EVMODE_WRITE))
		return EVANSWER_ENTER;
	if (inside & EVMODE_BIT(EVMODE_READ))
		return mode == EVMODE_READ ? EVANSWER_ENTER : EVANSWER_DEADLOCK;
	return may_come_in(rwlock_of(of), mode) ? EVANSWER_ENTER
						: EVANSWER_WAIT;
}

static void
enter_lock(struct evlock *of, enum evmode mode)
{
	come_in(rwlock_of(of), mode, 1);
}

static bool
leave_lock(struct evlock *of, enum evmode mode)
{
	struct evrwlock *lock = rwlock_of(of);

	lock->sides[mode].inside--;
	return waiting_at(lock) > 0;
}

/* Tests take less. */
#ifndef EVRWLOCK_TICKETS
#define EVRWLOCK_TICKETS (INT32_MAX / 2)
#endif

/* Tickets are compared by their difference, which must not overflow however
 * many come and leave while nobody is granted: number those who wait anew. */
static void
renumber(struct evrwlock *lock)
{
	struct evlist *waiters, *node;
	enum evmode mode;

	lock->last_ticket = lock->granted_ticket;
	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++) {
		waiters = &lock->sides[mode].waiters;
		for (node = waiters->next; node != waiters; node = node->next)
			EVLIST_ELEMENT(node, struct evdeferred, node)->ticket =
			    ++lock->last_ticket;
	}
}

static uint32_t
draw_ticket(struct evlock *of)
{
	struct evrwlock *lock = rwlock_of(of);

	if (lock->last_ticket - lock->granted_ticket > EVRWLOCK_TICKETS)
		renumber(lock);
	return ++lock->last_ticket;
}

static void
enqueue(struct evlock *of, struct evdeferred *d, enum evmode mode)
{
	struct evrwlock *lock = rwlock_of(of);

	evlist_append_(&lock->sides[mode].waiters, &d->node);
	lock->sides[mode].waiting++;
	if (waiting_at(lock) > lock->longest_queue)
		lock->longest_queue = waiting_at(lock);
}

static void
withdraw_from_lock(
    struct evlock *of, struct evdeferred *d, enum evmode mode, bool granted)
{
	struct evrwlock *lock = rwlock_of(of);

	lock->cancelled++;
	if (granted) {
		evwaitqueue_withdraw_(&of->queue, d);
		lock->sides[mode].inside--;
	} else {
		evlist_remove_(&d->node);
		lock->sides[mode].waiting--;
	}
}

static bool
is_reader_granted(const struct evlock *of, const struct evdeferred *d)
{
	return is_ticket_granted(rwlock_of(of), d);
}

static bool
is_lock_awaited(const struct evlock *of)
{
	return waiting_at(rwlock_of(of)) > 0;
}

static const char *
get_lock_name(const struct evlock *of)
{
	return evrwlock_get_name(rwlock_of(of));
}

static const struct evlock_type lock_type = {
    .answer = answer_to_owner,
    .enter = enter_lock,
    .leave = leave_lock,
    .draw_ticket = draw_ticket,
    .enqueue = enqueue,
    .withdraw = withdraw_from_lock,
    .is_granted = is_reader_granted,
    .is_awaited = is_lock_awaited,
    .get_name = get_lock_name,
};

/*
 * Acquiring, for nobody in particular.
 */

static void
cancel_reader(struct evdeferred *d, void *arg)
{
	struct evrwlock *lock = arg;

	withdraw_from_lock(
	    &lock->lock, d, EVMODE_READ, is_ticket_granted(lock, d));
	evwaitqueue_changed_(&lock->lock.queue);
}

static void
cancel_writer(struct evdeferred *d, void *arg)
{
	struct evrwlock *lock = arg;

	withdraw_from_lock(&lock->lock, d, EVMODE_WRITE,
	    lock->lock.queue.granted.next == &d->node);
	evwaitqueue_changed_(&lock->lock.queue);
}

static struct evdeferred *
new_waiter(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d = evdeferred_new_private_(lock->lock.queue.base,
	    mode == EVMODE_READ ? cancel_reader : cancel_writer, lock);

	if (d != NULL)
		d->ticket = draw_ticket(&lock->lock);
	return d;
}

static EVDEFER_RARE_ struct evdeferred *
wait_in_turn(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d = new_waiter(lock, mode);

	if (d != NULL)
		enqueue(&lock->lock, d, mode);
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
	come_in(lock, mode, 1);
	evwaitqueue_grant_(&lock->lock.queue, d);
	evwaitqueue_hand_out_(&lock->lock.queue);
	return d;
}

/* The same as in turn where nobody is before it: no callback is there yet that
 * could tell the difference. */
static inline struct evdeferred *
enter_at_once(struct evrwlock *lock, enum evmode mode)
{
	struct evdeferred *d =
	    evdeferred_make_(lock->lock.queue.base, EVDEFERRED_FIRED);

	d->u.result = anonymous_grant(lock, mode);
	come_in(lock, mode, 1);
	return d;
}

static inline struct evdeferred *
acquire(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(lock->lock.queue.base);
	if (!evwaitqueue_is_open_(&lock->lock.queue))
		return evwaitqueue_refuse_(&lock->lock.queue);
	if (!may_come_in(lock, mode))
		return wait_in_turn(lock, mode);
	if (evwaitqueue_delivers_now_(&lock->lock.queue))
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

static inline int
try_acquire(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(lock->lock.queue.base);
	if (!evwaitqueue_is_open_(&lock->lock.queue))
		return evdefer_refuse_(ESHUTDOWN);
	if (!may_come_in(lock, mode))
		return evdefer_refuse_(EBUSY);
	come_in(lock, mode, 1);
	lock->sides[mode].anonymous++;
	return 0;
}

int
evrwlock_reader_try(struct evrwlock *lock)
{
	return try_acquire(lock, EVMODE_READ);
}

int
evrwlock_writer_try(struct evrwlock *lock)
{
	return try_acquire(lock, EVMODE_WRITE);
}

static inline int
release(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(lock->lock.queue.base);
	if (lock->sides[mode].anonymous == 0)
		return evdefer_refuse_(EPERM);
	lock->sides[mode].anonymous--;
	lock->sides[mode].inside--;
	evwaitqueue_left_(&lock->lock.queue, waiting_at(lock) > 0);
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
 * The one form for all.
 */

static int
check_form(const struct evrwlock *lock, enum evrwlock_mode mode)
{
	if (lock != NULL && (mode == EVRWLOCK_READ || mode == EVRWLOCK_WRITE))
		return 0;
	return evdefer_refuse_(EINVAL);
}

struct evdeferred *
evrwlock_acquire(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	if (check_form(lock, mode) == -1)
		return NULL;
	if (owner != NULL)
		return evlock_acquire_(&lock->lock, owner, (enum evmode)mode);
	return acquire(lock, (enum evmode)mode);
}

int
evrwlock_try(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	if (check_form(lock, mode) == -1)
		return -1;
	if (owner != NULL)
		return evlock_try_(&lock->lock, owner, (enum evmode)mode);
	return try_acquire(lock, (enum evmode)mode);
}

int
evrwlock_release(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	if (check_form(lock, mode) == -1)
		return -1;
	if (owner != NULL)
		return evlock_release_(&lock->lock, owner, (enum evmode)mode);
	return release(lock, (enum evmode)mode);
}

struct evdeferred *
evrwlock_with(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode, const struct timeval *patience,
    evdeferred_body_fn body, void *arg)
{
	if (check_form(lock, mode) == -1 ||
	    evwaitqueue_check_with_(&lock->lock.queue, patience, body) == -1)
		return NULL;
	return evwaitqueue_with_(&lock->lock.queue,
	    evrwlock_acquire(lock, owner, mode), patience, body, arg);
}

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

	if (evwaitqueue_check_new_(base, flags) == -1)
		return NULL;
	lock = calloc(1, sizeof(*lock));
	if (lock == NULL)
		return evdefer_refuse_new_(ENOMEM);
	evwaitqueue_init_(&lock->lock.queue, &queue_type, base, flags);
	evlock_init_(&lock->lock, &lock_type);
	evlist_init_(&lock->sides[EVMODE_READ].waiters);
	evlist_init_(&lock->sides[EVMODE_WRITE].waiters);
	return lock;
}

void
evrwlock_free(struct evrwlock *lock)
{
	if (lock != NULL)
		evwaitqueue_close_(&lock->lock.queue);
}

int
evrwlock_set_name(struct evrwlock *lock, const char *name)
{
	char *copy = NULL;

	if (lock == NULL)
		return evdefer_refuse_(EINVAL);
	if (name != NULL && (copy = strdup(name)) == NULL)
		return evdefer_refuse_(ENOMEM);
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
	const struct side *readers, *writers;

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

static const char *
lock_state(const struct evrwlock_stats *stats)
{
	if (stats->writers_inside > 0)
		return stats->readers_inside > 0 ? "writing and reading"
						 : "writing";
	return stats->readers_inside > 0 ? "reading" : "free";
}

int
evrwlock_describe(const struct evrwlock *lock, char *buffer, size_t size)
{
	struct evrwlock_stats stats;
	struct evtext text;

	if (lock == NULL || (buffer == NULL && size > 0))
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(lock->lock.queue.base);
	evrwlock_get_stats(lock, &stats);
	evtext_init_(&text, buffer, size);
	evtext_add_(&text,
	    "%s (%p): %s%s, inside: %zu readers, %zu writers, "
	    "waiting: %zu readers, %zu writers",
	    evrwlock_get_name(lock), (const void *)lock, lock_state(&stats),
	    lock->lock.queue.closed ? " and closed" : "", stats.readers_inside,
	    stats.writers_inside, stats.readers_waiting, stats.writers_waiting);
	return evtext_length_(&text);
}
