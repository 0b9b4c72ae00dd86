/* SPDX-License-Identifier: MIT */
#include <evdefer/semaphore.h>

#include <stdlib.h>

#include "hold-internal.h"
#include "semaphore-internal.h"
#include "statement-internal.h"

_Static_assert(EVSEMAPHORE_FAST == EVWAITQUEUE_FAST, "flags are handed on");

/* An owner that has a token is inside in this mode, though that alone does not keep
 * others out. */
#define MODE EVMODE_WRITE

struct evsemaphore {
	struct evlock lock; /* its limit: all tokens */
};

/* If not, nobody waits: whoever may enter has been let in. */
static bool
must_wait_for_token(struct evlock *lock, enum evmode mode)
{
	return lock->sides[mode].inside == lock->limit;
}

#define NAME "a semaphore"

static const char *const waits_for_token[] = {[MODE] = "waits for a token of"};
static const char *const waits_for_all[] = {[MODE] = "waits for"};

static const struct evlock_type lock_type = {
    .must_wait = must_wait_for_token, .name = NAME, .waits = waits_for_token};
static const struct evlock_type mutex_type = {.must_wait = must_wait_for_token,
    .name = EVMUTEX_NAME_,
    .waits = waits_for_all};

static void
admit_to_tokens(struct evwaitqueue *queue)
{
	struct evlock *lock = evlock_of_(queue);

	while (!queue->closed && lock->sides[MODE].waiting > 0 &&
	       !must_wait_for_token(lock, MODE))
		evlock_grant_first_(lock, MODE);
}

static void
destroy_semaphore(struct evwaitqueue *queue)
{
	struct evsemaphore *semaphore =
	    EVLIST_ELEMENT(queue, struct evsemaphore, lock.queue);

	evhold_forget_lock_(&semaphore->lock);
	free(semaphore->lock.trails);
	free(semaphore->lock.name);
	free(semaphore);
}

static void
describe_semaphore(
    const struct evwaitqueue *queue, struct evstatement *statement)
{
	static const char *const token[EVMODES_WAITING] = {[MODE] = "token"};
	static const char *const lock[EVMODES_WAITING] = {[MODE] = "lock"};
	const struct evsemaphore *semaphore =
	    EVLIST_ELEMENT(queue, const struct evsemaphore, lock.queue);
	const bool is_mutex = semaphore->lock.kind == EVOBSERVER_MUTEX;
	struct evsubject subject = {.kind = is_mutex ? "mutex" : "semaphore"};

	if (!is_mutex)
		evsubject_add_(&subject, (struct evfact){.name = "limit",
					     .number = semaphore->lock.limit});
	evlock_describe_(
	    &semaphore->lock, statement, &subject, is_mutex ? lock : token);
}

static const struct evwaitqueue_type queue_type = {evlock_deliver_,
    evlock_is_held_, admit_to_tokens, evlock_fail_waiters_, destroy_semaphore,
    describe_semaphore};

struct evdeferred *
evsemaphore_acquire(struct evsemaphore *semaphore, struct evowner *owner)
{
	if (semaphore == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (owner != NULL)
		return evlock_acquire_for_(
		    &semaphore->lock, owner, MODE, must_wait_for_token);
	return evlock_acquire_anonymous_(
	    &semaphore->lock, MODE, must_wait_for_token);
}

int
evsemaphore_release(struct evsemaphore *semaphore, struct evowner *owner)
{
	if (semaphore == NULL)
		return evdefer_refuse_(EINVAL);
	if (owner != NULL)
		return evlock_release_(&semaphore->lock, owner, MODE);
	return evlock_release_anonymous_(&semaphore->lock, MODE);
}

int
evsemaphore_try(struct evsemaphore *semaphore, struct evowner *owner)
{
	if (semaphore == NULL)
		return evdefer_refuse_(EINVAL);
	if (owner != NULL)
		return evlock_try_(&semaphore->lock, owner, MODE);
	return evlock_try_anonymous_(
	    &semaphore->lock, MODE, must_wait_for_token);
}

struct evdeferred *
evsemaphore_with(struct evsemaphore *semaphore, struct evowner *owner,
    const struct timeval *patience, evdeferred_body_fn body, void *arg)
{
	if (semaphore == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (patience == NULL && body != NULL &&
	    evlock_runs_at_once_(&semaphore->lock, MODE, must_wait_for_token))
		return evlock_run_body_(
		    &semaphore->lock, owner, MODE, body, arg);
	if (evwaitqueue_check_with_(&semaphore->lock.queue, patience, body) ==
	    -1)
		return NULL;
	return evwaitqueue_with_(&semaphore->lock.queue,
	    evsemaphore_acquire(semaphore, owner), patience, body, arg);
}

/*
 * Making, closing, looking.
 */

static struct evsemaphore *
new_semaphore(struct evdefer_base *base, size_t tokens, unsigned flags,
    const struct evlock_type *type)
{
	struct evsemaphore *semaphore;

	if (evwaitqueue_check_new_(base, flags) == -1)
		return NULL;
	if (tokens == 0)
		return evdefer_refuse_new_(EINVAL);
	semaphore = calloc(1, sizeof(*semaphore));
	if (semaphore == NULL)
		return evdefer_refuse_new_(ENOMEM);
	evlock_init_(&semaphore->lock, type, &queue_type, base, flags);
	semaphore->lock.kind =
	    type == &mutex_type ? EVOBSERVER_MUTEX : EVOBSERVER_SEMAPHORE;
	semaphore->lock.limit = tokens;
	return semaphore;
}

struct evsemaphore *
evsemaphore_new(struct evdefer_base *base, size_t tokens, unsigned flags)
{
	return new_semaphore(base, tokens, flags, &lock_type);
}

struct evsemaphore *
evsemaphore_new_mutex_(struct evdefer_base *base, unsigned flags)
{
	return new_semaphore(base, 1, flags, &mutex_type);
}

void
evsemaphore_free(struct evsemaphore *semaphore)
{
	if (semaphore != NULL)
		evwaitqueue_close_(&semaphore->lock.queue);
}

int
evsemaphore_set_name(struct evsemaphore *semaphore, const char *name)
{
	if (semaphore == NULL)
		return evdefer_refuse_(EINVAL);
	return evlock_set_name_(&semaphore->lock, name);
}

const char *
evsemaphore_get_name(const struct evsemaphore *semaphore)
{
	return semaphore != NULL ? evlock_get_name_(&semaphore->lock) : NAME;
}

size_t
evsemaphore_get_tokens(const struct evsemaphore *semaphore)
{
	if (semaphore == NULL)
		return 0;
	return semaphore->lock.limit - semaphore->lock.sides[MODE].inside;
}

size_t
evsemaphore_get_limit(const struct evsemaphore *semaphore)
{
	return semaphore != NULL ? semaphore->lock.limit : 0;
}

void
evsemaphore_get_stats(
    const struct evsemaphore *semaphore, struct evsemaphore_stats *stats)
{
	const struct evlock_side *side;

	*stats = (struct evsemaphore_stats){0};
	if (semaphore == NULL)
		return;
	side = &semaphore->lock.sides[MODE];
	stats->inside = side->inside;
	stats->waiting = side->waiting;
	stats->granted = side->granted;
	stats->cancelled = semaphore->lock.cancelled;
	stats->longest_queue = semaphore->lock.longest_queue;
}
