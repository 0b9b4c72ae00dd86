/* SPDX-License-Identifier: MIT */
#include <evdefer/rwlock.h>

#include <stdlib.h>

#include "request-internal.h"
#include "rwlock-internal.h"
#include "statement-internal.h"
#include "text-internal.h"

_Static_assert(EVRWLOCK_FAST == EVWAITQUEUE_FAST, "flags are handed on");
_Static_assert((int)EVRWLOCK_READ == (int)EVMODE_READ &&
		   (int)EVRWLOCK_UPGRADABLE == (int)EVMODE_UPGRADABLE &&
		   (int)EVRWLOCK_WRITE == (int)EVMODE_WRITE,
    "modes are handed on");

/* Who is inside and who waits is in the struct evlock. */
struct evrwlock {
	struct evlock lock;
};

static inline bool
must_wait_to_read(const struct evlock *lock)
{
	return lock->sides[EVMODE_WRITE].inside +
		   lock->sides[EVMODE_WRITE].waiting +
		   lock->sides[EVMODE_UPGRADE].waiting >
	       0;
}

static inline bool
must_wait_for_lock(struct evlock *lock, enum evmode mode)
{
	const struct evlock_side *readers = &lock->sides[EVMODE_READ];
	const struct evlock_side *upgradables = &lock->sides[EVMODE_UPGRADABLE];
	const struct evlock_side *writers = &lock->sides[EVMODE_WRITE];

	if (mode == EVMODE_READ)
		return must_wait_to_read(lock);
	if (mode == EVMODE_WRITE)
		return writers->inside + readers->inside + upgradables->inside >
		       0;
	return must_wait_to_read(lock) ||
	       upgradables->inside + upgradables->waiting > 0;
}

/* Who only reads may only read again.  One that waited to write would wait for itself,
 * and one that waited to be able to, for somebody who may come to wait for it. */
static enum evanswer
answer_holder(unsigned inside, enum evmode mode)
{
	if (mode == EVMODE_READ || (inside & EVMODE_BIT(EVMODE_WRITE)))
		return EVANSWER_ENTER;
	if (!(inside & EVMODE_BIT(EVMODE_UPGRADABLE)))
		return EVANSWER_DEADLOCK;
	return mode == EVMODE_WRITE ? EVANSWER_UPGRADE : EVANSWER_ENTER;
}

/* The hold is that of the one who upgrades, NULL without an owner. */
static bool
others_read(const struct evlock *lock, const struct evhold *hold)
{
	const size_t own = hold != NULL ? evhold_count_reads_(hold) : 0;

	return lock->sides[EVMODE_READ].inside > own;
}

/* It writes already, or nobody else is inside but readers. */
static bool
must_wait_to_upgrade(struct evlock *lock, const struct evhold *hold)
{
	return lock->sides[EVMODE_WRITE].inside == 0 && others_read(lock, hold);
}

static unsigned
waits_for(const struct evlock *lock, enum evmode mode)
{
	/* Nobody else has an upgradable hold. */
	if (mode == EVMODE_UPGRADE)
		return EVMODE_ANY & ~EVMODE_BIT(EVMODE_UPGRADABLE);
	/* Writers that wait for all inside are in front. */
	if (mode == EVMODE_WRITE || lock->sides[EVMODE_WRITE].waiting > 0 ||
	    lock->sides[EVMODE_UPGRADE].waiting > 0)
		return EVMODE_ANY;
	if (mode == EVMODE_UPGRADABLE)
		return EVMODE_BIT(EVMODE_UPGRADABLE) | EVMODE_BIT(EVMODE_WRITE);
	return EVMODE_BIT(EVMODE_WRITE);
}

/* One that upgrades is inside, or was: nobody stands in front of it. */
static bool
comes_before(enum evmode mode, enum evmode other, bool older)
{
	if (other == EVMODE_UPGRADE || mode == EVMODE_READ)
		return false;
	if (mode == EVMODE_UPGRADABLE)
		return older && other == EVMODE_UPGRADABLE;
	return mode == EVMODE_UPGRADE || older || other != EVMODE_WRITE;
}

#define NAME "a lock"

static const char *const waits[] = {[EVMODE_READ] = "waits to read",
    [EVMODE_UPGRADABLE] = "waits to read (upgradable)",
    [EVMODE_WRITE] = "waits to write",
    [EVMODE_UPGRADE] = "waits to upgrade"};

static const struct evlock_type lock_type = {.must_wait = must_wait_for_lock,
    .answer_holder = answer_holder,
    .name = NAME,
    .waits = waits,
    .waits_for = waits_for,
    .comes_before = comes_before,
    .must_wait_to_upgrade = must_wait_to_upgrade};

/* All that upgrade are one party, and become one writer. */
static EVDEFER_NOINLINE_ void
admit_upgrade(struct evlock *lock)
{
	const struct evdeferred *first =
	    EVLIST_ELEMENT(lock->sides[EVMODE_UPGRADE].waiters.next,
		const struct evdeferred, node);
	const struct evrequest *request = evrequest_of_(first);

	if (!others_read(lock, request != NULL ? request->hold : NULL))
		evlock_grant_upgrades_(lock);
}

static EVDEFER_NOINLINE_ void
admit_beside_readers(struct evlock *lock)
{
	const struct evlock_side *upgradables = &lock->sides[EVMODE_UPGRADABLE];

	if (lock->sides[EVMODE_READ].waiting > 0)
		evlock_grant_all_(lock, EVMODE_READ);
	if (upgradables->waiting > 0 && upgradables->inside == 0)
		evlock_grant_first_(lock, EVMODE_UPGRADABLE);
}

static void
admit_to_lock(struct evwaitqueue *queue)
{
	struct evlock *lock = evlock_of_(queue);

	if (queue->closed || lock->sides[EVMODE_WRITE].inside > 0)
		return;
	if (lock->sides[EVMODE_UPGRADE].waiting > 0) {
		admit_upgrade(lock);
	} else if (lock->sides[EVMODE_WRITE].waiting == 0) {
		admit_beside_readers(lock);
	} else if (lock->sides[EVMODE_READ].inside +
		       lock->sides[EVMODE_UPGRADABLE].inside ==
		   0) {
		evlock_grant_first_(lock, EVMODE_WRITE);
	}
}

static void
destroy_lock(struct evwaitqueue *queue)
{
	struct evrwlock *lock =
	    EVLIST_ELEMENT(queue, struct evrwlock, lock.queue);

	if (lock->lock.source != NULL)
		evsource_detach_(lock->lock.source);
	free(lock->lock.name);
	free(lock->lock.trails);
	free(lock);
}

static void
describe_rights(struct evsource *source, struct evsubject *subject)
{
	static const char *const rights[] = {
	    [EVRIGHT_NONE] = "nothing",
	    [EVRIGHT_READ] = "read",
	    [EVRIGHT_WRITE] = "write",
	};

	evsubject_add_(subject,
	    (struct evfact){.name = "reach", .word = source->type->reach});
	evsubject_add_(
	    subject, (struct evfact){.name = "right",
			 .word = rights[source->type->get_right(source)]});
}

static void
describe_lock(const struct evwaitqueue *queue, struct evstatement *statement)
{
	static const char *const modes[] = {[EVMODE_READ] = "read",
	    [EVMODE_UPGRADABLE] = "upgradable read",
	    [EVMODE_WRITE] = "write",
	    [EVMODE_UPGRADE] = "upgrade"};
	const struct evrwlock *lock =
	    EVLIST_ELEMENT(queue, const struct evrwlock, lock.queue);
	struct evsubject subject = {.kind = "lock"};

	if (lock->lock.source != NULL)
		describe_rights(lock->lock.source, &subject);
	evlock_describe_(&lock->lock, statement, &subject, modes);
}

static const struct evwaitqueue_type queue_type = {evlock_deliver_,
    evlock_is_held_, admit_to_lock, evlock_fail_waiters_, destroy_lock,
    describe_lock};

/*
 * With a source.
 */

static enum evright
ask(struct evlock *lock, enum evright right, size_t readers, bool first)
{
	const struct evneed need = {.right = right,
	    .first = first,
	    .writing = lock->sides[EVMODE_WRITE].inside > 0,
	    .reading = lock->sides[EVMODE_READ].inside,
	    .readers = readers};

	return lock->source->type->ask(lock->source, &need);
}

static void
admit_by_right(struct evwaitqueue *queue)
{
	struct evlock *lock = evlock_of_(queue);
	const struct evlock_side *readers = &lock->sides[EVMODE_READ];
	const struct evlock_side *writers = &lock->sides[EVMODE_WRITE];
	enum evright needed = EVRIGHT_NONE;

	if (writers->inside + writers->waiting > 0)
		needed = EVRIGHT_WRITE;
	else if (readers->waiting > 0)
		needed = EVRIGHT_READ;
	/* On a closed base who waits is about to fail. */
	if (ask(lock, needed, readers->inside + readers->waiting, false) >=
		needed &&
	    !evdefer_base_closed_(queue->base))
		admit_to_lock(queue);
}

static bool
must_wait_for_right(struct evlock *lock, enum evmode mode)
{
	const size_t reading = lock->sides[EVMODE_READ].inside + 1;

	/* Those elsewhere are held back even while it waits for those in here.  If
	 * writers wait, they are, and the right may have come for these by now. */
	if (mode == EVMODE_WRITE)
		return lock->sides[mode].waiting > 0 ||
		       ask(lock, EVRIGHT_WRITE, 0, true) < EVRIGHT_WRITE ||
		       must_wait_for_lock(lock, mode);
	if (evlock_waiting_(lock) > 0 || must_wait_for_lock(lock, mode))
		return true;
	return !evsource_publish_(lock->source, reading) &&
	       ask(lock, EVRIGHT_READ, reading, true) < EVRIGHT_READ;
}

static const struct evlock_type lock_type_with_source = {
    .must_wait = must_wait_for_right,
    .answer_holder = answer_holder,
    .name = NAME,
    .waits = waits,
    .waits_for = waits_for,
    .comes_before = comes_before,
    .must_wait_to_upgrade = must_wait_to_upgrade};

static const struct evwaitqueue_type queue_type_with_source = {evlock_deliver_,
    evlock_is_held_, admit_by_right, evlock_fail_waiters_, destroy_lock,
    describe_lock};

/*
 * Without an owner.
 */

static inline struct evdeferred *
acquire(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL)
		return evdefer_refuse_new_(EINVAL);
	return evlock_acquire_anonymous_(&lock->lock, mode, must_wait_for_lock);
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
	return evlock_try_anonymous_(&lock->lock, mode, must_wait_for_lock);
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
	return evlock_release_anonymous_(&lock->lock, mode);
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
	if (lock == NULL || (unsigned)mode > EVRWLOCK_WRITE)
		return evdefer_refuse_(EINVAL);
	if (mode == EVRWLOCK_UPGRADABLE && lock->lock.source != NULL)
		return evdefer_refuse_(ENOTSUP);
	return 0;
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
evrwlock_upgrade(struct evrwlock *lock, struct evowner *owner)
{
	if (lock == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (owner != NULL)
		return evlock_upgrade_(&lock->lock, owner);
	return evlock_upgrade_anonymous_(&lock->lock);
}

int
evrwlock_try_upgrade(struct evrwlock *lock, struct evowner *owner)
{
	if (lock == NULL)
		return evdefer_refuse_(EINVAL);
	if (owner != NULL)
		return evlock_try_upgrade_(&lock->lock, owner);
	return evlock_try_upgrade_anonymous_(&lock->lock);
}

int
evrwlock_downgrade(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode from, enum evrwlock_mode to)
{
	if (check_form(lock, from) == -1 || check_form(lock, to) == -1)
		return -1;
	if (from <= to)
		return evdefer_refuse_(EINVAL);
	if (owner != NULL)
		return evlock_downgrade_(
		    &lock->lock, owner, (enum evmode)from, (enum evmode)to);
	return evlock_downgrade_anonymous_(
	    &lock->lock, (enum evmode)from, (enum evmode)to);
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
	evlock_init_(&lock->lock, &lock_type, &queue_type, base, flags);
	return lock;
}

int
evrwlock_set_source_(struct evrwlock *lock, struct evsource *source)
{
	if (evsource_attach_(source, &lock->lock.queue) == -1)
		return -1;
	lock->lock.source = source;
	lock->lock.type = &lock_type_with_source;
	lock->lock.queue.type = &queue_type_with_source;
	return 0;
}

void
evrwlock_free(struct evrwlock *lock)
{
	if (lock == NULL)
		return;
	if (lock->lock.source != NULL)
		evsource_ask_always_(lock->lock.source);
	evwaitqueue_close_(&lock->lock.queue);
}

int
evrwlock_set_name(struct evrwlock *lock, const char *name)
{
	if (lock == NULL)
		return evdefer_refuse_(EINVAL);
	return evlock_set_name_(&lock->lock, name);
}

const char *
evrwlock_get_name(const struct evrwlock *lock)
{
	return lock != NULL ? evlock_get_name_(&lock->lock) : NAME;
}

bool
evrwlock_is_reading(const struct evrwlock *lock)
{
	return lock != NULL &&
	       lock->lock.sides[EVMODE_READ].inside +
		       lock->lock.sides[EVMODE_UPGRADABLE].inside >
		   0;
}

bool
evrwlock_is_writing(const struct evrwlock *lock)
{
	return lock != NULL && lock->lock.sides[EVMODE_WRITE].inside > 0;
}

void
evrwlock_get_stats(const struct evrwlock *lock, struct evrwlock_stats *stats)
{
	const struct evlock_side *readers, *upgradables, *writers;

	*stats = (struct evrwlock_stats){0};
	if (lock == NULL)
		return;
	readers = &lock->lock.sides[EVMODE_READ];
	upgradables = &lock->lock.sides[EVMODE_UPGRADABLE];
	writers = &lock->lock.sides[EVMODE_WRITE];
	stats->readers_inside = readers->inside;
	stats->writers_inside = writers->inside;
	stats->readers_waiting = readers->waiting;
	stats->upgradables_inside = upgradables->inside;
	stats->upgradables_waiting = upgradables->waiting;
	stats->upgrades_waiting = lock->lock.sides[EVMODE_UPGRADE].waiting;
	stats->writers_waiting = writers->waiting + stats->upgrades_waiting;
	stats->readers_granted = readers->granted;
	stats->upgradables_granted = upgradables->granted;
	stats->writers_granted = writers->granted;
	stats->cancelled = lock->lock.cancelled;
	stats->longest_queue = lock->lock.longest_queue;
}

static const char *
lock_state(const struct evrwlock_stats *stats)
{
	const size_t reading =
	    stats->readers_inside + stats->upgradables_inside;

	if (stats->writers_inside > 0)
		return reading > 0 ? "writing and reading" : "writing";
	return reading > 0 ? "reading" : "free";
}

static void
add_counts(struct evtext *text, const char *what, size_t readers,
    size_t upgradables, size_t writers)
{
	evtext_add_(text, "%s: %zu readers, ", what, readers);
	/* Most locks never have any. */
	if (upgradables > 0)
		evtext_add_(text, "%zu upgradable, ", upgradables);
	evtext_add_(text, "%zu writers", writers);
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
	evtext_add_(&text, "%s (%p): %s%s, ", evrwlock_get_name(lock),
	    (const void *)lock, lock_state(&stats),
	    lock->lock.queue.closed ? " and closed" : "");
	add_counts(&text, "inside", stats.readers_inside,
	    stats.upgradables_inside, stats.writers_inside);
	evtext_add_(&text, ", ");
	add_counts(&text, "waiting", stats.readers_waiting,
	    stats.upgradables_waiting, stats.writers_waiting);
	return evtext_length_(&text);
}
