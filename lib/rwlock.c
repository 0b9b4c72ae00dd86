/* SPDX-License-Identifier: MIT */
#include <evdefer/rwlock.h>

#include <stdlib.h>

#include "body-internal.h"
#include "link-internal.h"
#include "rules-internal.h"
#include "rwlock-internal.h"
#include "statement-internal.h"
#include "text-internal.h"

_Static_assert(EVRWLOCK_FAST == EVWAITQUEUE_FAST, "flags are handed on");
_Static_assert((int)EVRWLOCK_READ == (int)EVMODE_READ &&
		   (int)EVRWLOCK_UPGRADABLE == (int)EVMODE_UPGRADABLE &&
		   (int)EVRWLOCK_WRITE == (int)EVMODE_WRITE,
    "modes are handed on");

static void
fail_all(struct evwaitqueue *queue)
{
	evlock_fail_waiters_(queue);
	if (!evwaitqueue_is_open_(queue))
		evrwlock_fail_watchers_(evrwlock_of_(queue));
}

static void
destroy_lock(struct evwaitqueue *queue)
{
	struct evrwlock *lock = evrwlock_of_(queue);

	if (lock->lock.source != NULL)
		evsource_detach_(lock->lock.source);
	evhold_forget_lock_(&lock->lock);
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
	evsubject_add_(subject,
	    (struct evfact){.name = "right",
		.word = source->lost
			    ? "lost"
			    : rights[source->type->get_right(source)]});
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
	if (lock->lock.limit > 0)
		evsubject_add_(&subject, (struct evfact){.name = "limit",
					     .number = lock->lock.limit});
	evlock_describe_(&lock->lock, statement, &subject, modes);
}

static const struct evwaitqueue_type queue_type = {evlock_deliver_,
    evlock_is_held_, evrules_admit_, fail_all, destroy_lock, describe_lock};

static const struct evwaitqueue_type queue_type_with_policy = {evlock_deliver_,
    evlock_is_held_, evrules_admit_by_policy_, fail_all, destroy_lock,
    describe_lock};

/*
 * With a source.
 */

/* What those need that are inside. */
static struct evneed
need_of_lock(const struct evlock *lock)
{
	const struct evlock_side *upgradables = &lock->sides[EVMODE_UPGRADABLE];
	const bool upgrading = lock->sides[EVMODE_UPGRADE].waiting > 0;
	struct evneed need = {.writing = lock->sides[EVMODE_WRITE].inside > 0,
	    .reading = lock->sides[EVMODE_READ].inside,
	    .upgrading = upgrading};

	if (upgrading)
		need.reading -= evrules_count_own_reads_(lock);
	if (upgradables->inside > 0 || upgrading)
		need.claim = EVCLAIM_HELD;
	else if (upgradables->waiting > 0)
		need.claim = EVCLAIM_WANTED;
	return need;
}

static enum evright
ask(struct evlock *lock, const struct evneed *need)
{
	return lock->source->type->ask(lock->source, need);
}

/* For one that has just come, as the first: there is nobody in here who keeps it
 * out. */
static enum evright
ask_for(struct evlock *lock, enum evright right, size_t readers)
{
	struct evneed need = need_of_lock(lock);

	need.right = right;
	need.first = true;
	need.readers = readers;
	return ask(lock, &need);
}

static void
ask_for_all(struct evlock *lock)
{
	struct evwaitqueue *queue = &lock->queue;
	const struct evlock_side *readers = &lock->sides[EVMODE_READ];
	const struct evlock_side *writers = &lock->sides[EVMODE_WRITE];
	struct evneed need = need_of_lock(lock);

	if (writers->inside + writers->waiting > 0 || need.upgrading)
		need.right = EVRIGHT_WRITE;
	else if (readers->waiting > 0 || need.claim == EVCLAIM_WANTED)
		need.right = EVRIGHT_READ;
	need.readers = readers->inside + readers->waiting;
	/* On a closed base who waits is about to fail. */
	if (ask(lock, &need) >= need.right &&
	    !evdefer_base_closed_(queue->base))
		evrules_admit_(queue);
}

/* If the right is lost, for nobody before the last of those inside has left. */
static void
admit_by_right(struct evwaitqueue *queue)
{
	struct evlock *lock = evlock_of_(queue);

	if (lock->source->lost) {
		if (lock->source->telling || evlock_is_held_(queue))
			return;
		evsource_end_loss_(lock->source);
	}
	ask_for_all(lock);
}

static bool
must_wait_to_write_by_right(struct evlock *lock)
{
	/* Those elsewhere are held back even while it waits for those in here.  If
	 * writers wait, they are, and the right may have come for these by now. */
	return lock->sides[EVMODE_WRITE].waiting +
		       lock->sides[EVMODE_UPGRADE].waiting >
		   0 ||
	       ask_for(lock, EVRIGHT_WRITE, 0) < EVRIGHT_WRITE ||
	       evrules_must_wait_(lock, EVMODE_WRITE);
}

static bool
must_wait_to_be_upgradable_by_right(struct evlock *lock)
{
	struct evneed need = need_of_lock(lock);

	if (evlock_waiting_(lock) > 0 ||
	    evrules_must_wait_(lock, EVMODE_UPGRADABLE))
		return true;
	need.right = EVRIGHT_READ;
	need.readers = need.reading;
	need.claim = EVCLAIM_WANTED;
	return ask(lock, &need) < EVRIGHT_READ || !lock->source->upgradable;
}

static bool
must_wait_for_right(struct evlock *lock, enum evmode mode)
{
	const size_t reading = lock->sides[EVMODE_READ].inside + 1;

	if (lock->source->lost)
		return true;
	if (mode == EVMODE_WRITE)
		return must_wait_to_write_by_right(lock);
	if (mode == EVMODE_UPGRADABLE)
		return must_wait_to_be_upgradable_by_right(lock);
	/* It may pass those that wait to be upgradable. */
	if (lock->sides[EVMODE_READ].waiting > 0 ||
	    evrules_must_wait_(lock, mode))
		return true;
	return !evsource_publish_(lock->source, reading) &&
	       ask_for(lock, EVRIGHT_READ, reading) < EVRIGHT_READ;
}

/* It comes before the writers in here, which the source may have been asked for, and
 * before those elsewhere. */
static bool
must_wait_to_upgrade_by_right(struct evlock *lock, const struct evhold *hold)
{
	struct evneed need = need_of_lock(lock);

	if (need.writing)
		return false;
	if (need.upgrading)
		return true;
	need.right = EVRIGHT_WRITE;
	need.upgrading = true;
	if (hold != NULL)
		need.reading -= evhold_count_reads_(hold);
	return ask(lock, &need) < EVRIGHT_WRITE ||
	       evrules_must_wait_to_upgrade_(lock, hold);
}

/* One that comes while it is lost waits for all. */
static unsigned
waits_for_by_right(const struct evlock *lock, enum evmode mode, uint32_t ticket)
{
	return lock->source->lost ? EVMODE_ANY
				  : evrules_waits_for_(lock, mode, ticket);
}

static const struct evlock_type lock_type_with_source = {
    .must_wait = must_wait_for_right,
    .answer_holder = evrules_answer_holder_,
    .name = EVRULES_NAME_,
    .waits = evrules_waits_,
    .waits_for = waits_for_by_right,
    .comes_before = evrules_comes_before_,
    .must_wait_to_upgrade = must_wait_to_upgrade_by_right};

static const struct evwaitqueue_type queue_type_with_source = {evlock_deliver_,
    evlock_is_held_, admit_by_right, fail_all, destroy_lock, describe_lock};

/*
 * Without an owner.
 */

static inline struct evdeferred *
acquire(struct evrwlock *lock, enum evmode mode)
{
	if (lock == NULL)
		return evdefer_refuse_new_(EINVAL);
	return evlock_acquire_anonymous_(&lock->lock, mode, evrules_must_wait_);
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
	return evlock_try_anonymous_(&lock->lock, mode, evrules_must_wait_);
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

static bool
lacks_upgradable(const struct evrwlock *lock)
{
	return lock->lock.source != NULL &&
	       lock->lock.source->type->no_upgradable;
}

/* 0, or why it is refused. */
static inline int
find_fault(const struct evrwlock *lock, enum evrwlock_mode mode)
{
	if (lock == NULL || (unsigned)mode > EVRWLOCK_WRITE)
		return EINVAL;
	if (mode == EVRWLOCK_UPGRADABLE && lacks_upgradable(lock))
		return ENOTSUP;
	return 0;
}

static inline int
check_form(const struct evrwlock *lock, enum evrwlock_mode mode)
{
	const int fault = find_fault(lock, mode);

	return fault != 0 ? evdefer_refuse_(fault) : 0;
}

struct evdeferred *
evrwlock_acquire(
    struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode)
{
	const int fault = find_fault(lock, mode);

	if (fault != 0)
		return evdefer_refuse_new_(fault);
	if (owner != NULL)
		return evlock_acquire_for_(
		    &lock->lock, owner, (enum evmode)mode, evrules_must_wait_);
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
	const int fault = find_fault(lock, mode);

	if (fault != 0)
		return evdefer_refuse_(fault);
	if (owner != NULL)
		return evlock_release_(&lock->lock, owner, (enum evmode)mode);
	return release(lock, (enum evmode)mode);
}

struct evdeferred *
evrwlock_upgrade(struct evrwlock *lock, struct evowner *owner)
{
	if (check_form(lock, EVRWLOCK_UPGRADABLE) == -1)
		return NULL;
	if (owner != NULL)
		return evlock_upgrade_(&lock->lock, owner);
	return evlock_upgrade_anonymous_(&lock->lock);
}

int
evrwlock_try_upgrade(struct evrwlock *lock, struct evowner *owner)
{
	if (check_form(lock, EVRWLOCK_UPGRADABLE) == -1)
		return -1;
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
	/* Nothing is left that could become less. */
	if (evlock_is_lost_(&lock->lock))
		return evdefer_refuse_(ESTALE);
	if (owner != NULL)
		return evlock_downgrade_(
		    &lock->lock, owner, (enum evmode)from, (enum evmode)to);
	return evlock_downgrade_anonymous_(
	    &lock->lock, (enum evmode)from, (enum evmode)to);
}

/* Under a right that may be lost. */
static struct evdeferred *
with_right(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode, const struct timeval *patience,
    evdeferred_body_fn fn, void *arg)
{
	struct evbody *body = evbody_new_(&lock->lock, fn, arg);
	struct evdeferred *d;
	struct evlink link;

	if (body == NULL)
		return NULL;
	link = evbody_link_(body);
	d = evwaitqueue_with_link_(&lock->lock.queue,
	    evrwlock_acquire(lock, owner, mode), patience, &link);
	if (d == NULL)
		evbody_free_(body);
	return d;
}

static EVDEFER_NOINLINE_ struct evdeferred *
with_slowly(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode, const struct timeval *patience,
    evdeferred_body_fn body, void *arg)
{
	const int fault = find_fault(lock, mode);

	if (fault != 0)
		return evdefer_refuse_new_(fault);
	if (evwaitqueue_check_with_(&lock->lock.queue, patience, body) == -1)
		return NULL;
	if (lock->lock.source != NULL &&
	    evsource_may_be_lost_(lock->lock.source))
		return with_right(lock, owner, mode, patience, body, arg);
	return evwaitqueue_with_(&lock->lock.queue,
	    evrwlock_acquire(lock, owner, mode), patience, body, arg);
}

static inline struct evdeferred *
with(struct evrwlock *lock, struct evowner *owner, enum evrwlock_mode mode,
    const struct timeval *patience, evdeferred_body_fn body, void *arg)
{
	if (find_fault(lock, mode) != 0 || patience != NULL || body == NULL ||
	    !evlock_runs_at_once_(
		&lock->lock, (enum evmode)mode, evrules_must_wait_))
		return with_slowly(lock, owner, mode, patience, body, arg);
	return evlock_run_body_(
	    &lock->lock, owner, (enum evmode)mode, body, arg);
}

struct evdeferred *
evrwlock_with(struct evrwlock *lock, struct evowner *owner,
    enum evrwlock_mode mode, const struct timeval *patience,
    evdeferred_body_fn body, void *arg)
{
	return with(lock, owner, mode, patience, body, arg);
}

struct evdeferred *
evrwlock_with_reader(struct evrwlock *lock, evdeferred_body_fn body, void *arg)
{
	return with(lock, NULL, EVRWLOCK_READ, NULL, body, arg);
}

struct evdeferred *
evrwlock_with_writer(struct evrwlock *lock, evdeferred_body_fn body, void *arg)
{
	return with(lock, NULL, EVRWLOCK_WRITE, NULL, body, arg);
}

/*
 * Making, closing, looking.
 */

/* Has its rules be those of its policy, if it has one. */
static void
set_policy(struct evrwlock *lock, bool fair, size_t limit)
{
	struct evwaitqueue *queue = &lock->lock.queue;
	const bool plain = !fair && limit == 0;

	lock->lock.limit = limit;
	if (plain)
		lock->lock.type = &evrules_type_;
	else
		lock->lock.type =
		    fair ? &evrules_fair_type_ : &evrules_limited_type_;
	queue->type = plain ? &queue_type : &queue_type_with_policy;
	queue->ways.special = !plain;
	evdefer_base_update_plain_(queue->base, &queue->ways);
}

struct evrwlock *
evrwlock_new(struct evdefer_base *base, unsigned flags)
{
	struct evrwlock *lock;

	if (evwaitqueue_check_new_(base, flags & ~EVRWLOCK_FAIR) == -1)
		return NULL;
	lock = calloc(1, sizeof(*lock));
	if (lock == NULL)
		return evdefer_refuse_new_(ENOMEM);
	evlock_init_(&lock->lock, &evrules_type_, &queue_type, base, flags);
	evlist_init_(&lock->watchers);
	set_policy(lock, (flags & EVRWLOCK_FAIR) != 0, 0);
	return lock;
}

int
evrwlock_set_reader_limit(struct evrwlock *lock, size_t limit)
{
	const bool fair =
	    lock != NULL && lock->lock.type == &evrules_fair_type_;

	if (lock == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(lock->lock.queue.base);
	if (lock->lock.source != NULL)
		return evdefer_refuse_(ENOTSUP);
	/* A holder's, which may end. */
	if (lock->lock.queue.closed)
		return evdefer_refuse_(ESHUTDOWN);
	set_policy(lock, fair, limit);
	evwaitqueue_changed_(&lock->lock.queue);
	return 0;
}

size_t
evrwlock_get_reader_limit(const struct evrwlock *lock)
{
	return lock != NULL ? lock->lock.limit : 0;
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
	return lock != NULL ? evlock_get_name_(&lock->lock) : EVRULES_NAME_;
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
	stats->lost = evlock_is_lost_(&lock->lock);
	if (lock->lock.source != NULL)
		stats->losses = lock->lock.source->losses;
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
	evtext_add_(&text, "%s (%p): %s%s%s, ", evrwlock_get_name(lock),
	    (const void *)lock, lock_state(&stats),
	    stats.lost ? " and lost" : "",
	    lock->lock.queue.closed ? " and closed" : "");
	add_counts(&text, "inside", stats.readers_inside,
	    stats.upgradables_inside, stats.writers_inside);
	evtext_add_(&text, ", ");
	add_counts(&text, "waiting", stats.readers_waiting,
	    stats.upgradables_waiting, stats.writers_waiting);
	return evtext_length_(&text);
}
