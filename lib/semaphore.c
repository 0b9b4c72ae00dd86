/* SPDX-License-Identifier: MIT */
#include <evdefer/semaphore.h>

#include <stdlib.h>

#include "lock-internal.h"

_Static_assert(EVSEMAPHORE_FAST == EVWAITQUEUE_FAST, "flags are handed on");

/* An owner that has a token is inside in this mode, as others are not kept out by
 * it alone. */
#define MODE EVMODE_WRITE

struct evsemaphore {
	struct evlock lock;
	struct evfifo fifo;
	size_t limit;
	size_t inside;
	size_t anonymous; /* of these, delivered to nobody in particular */
	uint64_t granted;
	uint64_t cancelled;
};

static void cancel_token(struct evdeferred *d, void *arg);

static struct evsemaphore *
semaphore_in(const struct evwaitqueue *queue)
{
	return EVLIST_ELEMENT(queue, struct evsemaphore, lock.queue);
}

static struct evsemaphore *
semaphore_of(const struct evlock *lock)
{
	return EVLIST_ELEMENT(lock, struct evsemaphore, lock);
}

/* Nobody waits where this is true: whoever may enter has been let in. */
static bool
is_token_free(const struct evsemaphore *semaphore)
{
	return semaphore->inside < semaphore->limit;
}

static void
take_token(struct evsemaphore *semaphore)
{
	semaphore->inside++;
	semaphore->granted++;
}

/*
 * For the wait queue.
 */

static void
dispose_token(void *semaphore)
{
	evsemaphore_release(semaphore, NULL);
}

static void
deliver_token(struct evwaitqueue *queue, struct evdeferred *d)
{
	struct evsemaphore *semaphore = semaphore_in(queue);

	if (d->u.canceller.fn != cancel_token) {
		evlock_deliver_(d);
		return;
	}
	semaphore->anonymous++;
	evdeferred_produce_(d, evresult_owned(semaphore, dispose_token));
}

static bool
is_token_held(const struct evwaitqueue *queue)
{
	return semaphore_in(queue)->inside > 0;
}

static void
admit_to_tokens(struct evwaitqueue *queue)
{
	struct evsemaphore *semaphore = semaphore_in(queue);

	while (semaphore->fifo.length > 0 && is_token_free(semaphore)) {
		take_token(semaphore);
		evlock_note_grant_(evfifo_grant_(queue, &semaphore->fifo));
	}
}

static void
fail_token_waiters(struct evwaitqueue *queue)
{
	struct evsemaphore *semaphore = semaphore_in(queue);

	evlock_fail_all_(&semaphore->fifo.list, &semaphore->fifo.length);
}

static void
destroy_semaphore(struct evwaitqueue *queue)
{
	free(semaphore_in(queue));
}

static const struct evwaitqueue_type queue_type = {deliver_token, is_token_held,
    admit_to_tokens, fail_token_waiters, destroy_semaphore};

/*
 * For owners.
 */

static enum evanswer
answer_for_token(const struct evlock *of, unsigned inside, enum evmode mode)
{
	(void)inside;
	(void)mode;
	return is_token_free(semaphore_of(of)) ? EVANSWER_ENTER : EVANSWER_WAIT;
}

static void
enter_semaphore(struct evlock *of, enum evmode mode)
{
	(void)mode;
	take_token(semaphore_of(of));
}

static bool
leave_semaphore(struct evlock *of, enum evmode mode)
{
	struct evsemaphore *semaphore = semaphore_of(of);

	(void)mode;
	semaphore->inside--;
	return semaphore->fifo.length > 0;
}

/* One that is not put into the queue is granted. */
static uint32_t
draw_fifo_ticket(struct evlock *of)
{
	(void)of;
	return EVFIFO_GRANTED;
}

static void
enqueue_for_token(struct evlock *of, struct evdeferred *d, enum evmode mode)
{
	(void)mode;
	evfifo_wait_(&semaphore_of(of)->fifo, d);
}

static void
withdraw_from_tokens(
    struct evlock *of, struct evdeferred *d, enum evmode mode, bool granted)
{
	struct evsemaphore *semaphore = semaphore_of(of);

	(void)mode;
	(void)granted;
	semaphore->cancelled++;
	if (evfifo_leave_(&of->queue, &semaphore->fifo, d))
		semaphore->inside--;
}

static const struct evlock_type lock_type = {
    .answer = answer_for_token,
    .enter = enter_semaphore,
    .leave = leave_semaphore,
    .draw_ticket = draw_fifo_ticket,
    .enqueue = enqueue_for_token,
    .withdraw = withdraw_from_tokens,
};

/*
 * What it is for.
 */

/* The canceller of who asks for nobody in particular. */
static void
cancel_token(struct evdeferred *d, void *arg)
{
	struct evsemaphore *semaphore = arg;

	withdraw_from_tokens(&semaphore->lock, d, MODE, false);
	evwaitqueue_changed_(&semaphore->lock.queue);
}

struct evdeferred *
evsemaphore_acquire(struct evsemaphore *semaphore, struct evowner *owner)
{
	struct evwaitqueue *queue;
	struct evdeferred *d;

	if (semaphore == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (owner != NULL)
		return evlock_acquire_(&semaphore->lock, owner, MODE);
	queue = &semaphore->lock.queue;
	if (!evwaitqueue_is_open_(queue))
		return evwaitqueue_refuse_(queue);
	d = evdeferred_new_private_(queue->base, cancel_token, semaphore);
	if (d == NULL)
		return NULL;
	if (is_token_free(semaphore)) {
		take_token(semaphore);
		evfifo_pass_(queue, d);
	} else {
		evfifo_wait_(&semaphore->fifo, d);
	}
	return d;
}

int
evsemaphore_release(struct evsemaphore *semaphore, struct evowner *owner)
{
	if (semaphore == NULL)
		return evdefer_refuse_(EINVAL);
	if (owner != NULL)
		return evlock_release_(&semaphore->lock, owner, MODE);
	evdefer_base_check_(semaphore->lock.queue.base);
	if (semaphore->anonymous == 0)
		return evdefer_refuse_(EPERM);
	semaphore->anonymous--;
	evwaitqueue_left_(
	    &semaphore->lock.queue, leave_semaphore(&semaphore->lock, MODE));
	return 0;
}

int
evsemaphore_try(struct evsemaphore *semaphore, struct evowner *owner)
{
	if (semaphore == NULL)
		return evdefer_refuse_(EINVAL);
	if (owner != NULL)
		return evlock_try_(&semaphore->lock, owner, MODE);
	evdefer_base_check_(semaphore->lock.queue.base);
	if (!evwaitqueue_is_open_(&semaphore->lock.queue))
		return evdefer_refuse_(ESHUTDOWN);
	if (!is_token_free(semaphore))
		return evdefer_refuse_(EBUSY);
	take_token(semaphore);
	semaphore->anonymous++;
	return 0;
}

struct evdeferred *
evsemaphore_with(struct evsemaphore *semaphore, struct evowner *owner,
    const struct timeval *patience, evdeferred_body_fn body, void *arg)
{
	if (semaphore == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (evwaitqueue_check_with_(&semaphore->lock.queue, patience, body) ==
	    -1)
		return NULL;
	return evwaitqueue_with_(&semaphore->lock.queue,
	    evsemaphore_acquire(semaphore, owner), patience, body, arg);
}

/*
 * Making, closing, looking.
 */

struct evsemaphore *
evsemaphore_new(struct evdefer_base *base, size_t tokens, unsigned flags)
{
	struct evsemaphore *semaphore;

	if (evwaitqueue_check_new_(base, flags) == -1)
		return NULL;
	if (tokens == 0)
		return evdefer_refuse_new_(EINVAL);
	semaphore = calloc(1, sizeof(*semaphore));
	if (semaphore == NULL)
		return evdefer_refuse_new_(ENOMEM);
	evwaitqueue_init_(&semaphore->lock.queue, &queue_type, base, flags);
	evlock_init_(&semaphore->lock, &lock_type);
	evfifo_init_(&semaphore->fifo);
	semaphore->limit = tokens;
	return semaphore;
}

void
evsemaphore_free(struct evsemaphore *semaphore)
{
	if (semaphore != NULL)
		evwaitqueue_close_(&semaphore->lock.queue);
}

size_t
evsemaphore_get_tokens(const struct evsemaphore *semaphore)
{
	return semaphore != NULL ? semaphore->limit - semaphore->inside : 0;
}

size_t
evsemaphore_get_limit(const struct evsemaphore *semaphore)
{
	return semaphore != NULL ? semaphore->limit : 0;
}

void
evsemaphore_get_stats(
    const struct evsemaphore *semaphore, struct evsemaphore_stats *stats)
{
	*stats = (struct evsemaphore_stats){0};
	if (semaphore == NULL)
		return;
	stats->inside = semaphore->inside;
	stats->waiting = semaphore->fifo.length;
	stats->granted = semaphore->granted;
	stats->cancelled = semaphore->cancelled;
	stats->longest_queue = semaphore->fifo.longest;
}
