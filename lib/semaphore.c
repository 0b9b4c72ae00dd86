/* SPDX-License-Identifier: MIT */
#include <evdefer/semaphore.h>

#include <errno.h>
#include <stdlib.h>

#include "gate-internal.h"
#include "result-internal.h"

_Static_assert(EVSEMAPHORE_FAST == EVGATE_FAST, "flags are handed on");

struct evsemaphore {
	struct evgate gate;
	struct evgate_line line;
	size_t limit;
	size_t inside;
	size_t received; /* of those inside, the ones delivered */
	uint64_t granted;
	uint64_t cancelled;
};

static struct evsemaphore *
semaphore_of(struct evgate *gate)
{
	return EVLIST_ELEMENT(gate, struct evsemaphore, gate);
}

/* Nobody waits where this is true: whoever may enter has been let in. */
static bool
may_enter(const struct evsemaphore *semaphore)
{
	return semaphore->inside < semaphore->limit;
}

static void
enter(struct evsemaphore *semaphore)
{
	semaphore->inside++;
	semaphore->granted++;
}

/*
 * The gate's side.
 */

static void
release(void *semaphore)
{
	evsemaphore_release(semaphore, NULL);
}

static void
deliver(struct evgate *gate, struct evdeferred *d)
{
	struct evsemaphore *semaphore = semaphore_of(gate);

	semaphore->received++;
	evdeferred_produce_(d, evresult_owned(semaphore, release));
}

static bool
is_held(const struct evgate *gate)
{
	return semaphore_of((struct evgate *)gate)->inside > 0;
}

static void
admit(struct evgate *gate)
{
	struct evsemaphore *semaphore = semaphore_of(gate);

	while (semaphore->line.length > 0 && may_enter(semaphore)) {
		enter(semaphore);
		evgate_line_grant_(gate, &semaphore->line);
	}
}

static void
fail_waiters(struct evgate *gate)
{
	struct evsemaphore *semaphore = semaphore_of(gate);

	evgate_fail_all_(&semaphore->line.list, &semaphore->line.length);
}

static void
destroy(struct evgate *gate)
{
	free(semaphore_of(gate));
}

static const struct evgate_type gate_type = {
    deliver, is_held, admit, fail_waiters, destroy};

/* Leaving before the delivery: the canceller. */
static void
leave(struct evdeferred *d, void *arg)
{
	struct evsemaphore *semaphore = arg;

	semaphore->cancelled++;
	if (evgate_line_leave_(&semaphore->gate, &semaphore->line, d))
		semaphore->inside--;
	evgate_changed_(&semaphore->gate);
}

/*
 * What it is for.
 */

struct evdeferred *
evsemaphore_acquire(struct evsemaphore *semaphore, struct evowner *owner)
{
	struct evdeferred *d;

	if (semaphore == NULL || owner != NULL) {
		errno = EINVAL;
		return NULL;
	}
	if (!evgate_is_open_(&semaphore->gate))
		return evgate_refuse_(&semaphore->gate);
	d = evdeferred_new_private_(semaphore->gate.base, leave, semaphore);
	if (d == NULL)
		return NULL;
	if (may_enter(semaphore)) {
		enter(semaphore);
		evgate_line_pass_(&semaphore->gate, d);
	} else {
		evgate_line_wait_(&semaphore->line, d);
	}
	return d;
}

int
evsemaphore_release(struct evsemaphore *semaphore, struct evowner *owner)
{
	if (semaphore == NULL || owner != NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(semaphore->gate.base);
	if (semaphore->received == 0) {
		errno = EPERM;
		return -1;
	}
	semaphore->received--;
	semaphore->inside--;
	evgate_changed_(&semaphore->gate);
	return 0;
}

/* Why nobody gets a token without waiting, or 0. */
static int
refusal(const struct evsemaphore *semaphore)
{
	if (semaphore == NULL)
		return EINVAL;
	evdefer_base_check_(semaphore->gate.base);
	if (!evgate_is_open_(&semaphore->gate))
		return ESHUTDOWN;
	return may_enter(semaphore) ? 0 : EBUSY;
}

int
evsemaphore_try(struct evsemaphore *semaphore, struct evowner *owner)
{
	const int error = owner != NULL ? EINVAL : refusal(semaphore);

	if (error != 0) {
		errno = error;
		return -1;
	}
	enter(semaphore);
	semaphore->received++;
	return 0;
}

struct evdeferred *
evsemaphore_with(struct evsemaphore *semaphore, struct evowner *owner,
    const struct timeval *patience, evdeferred_body_fn body, void *arg)
{
	if (semaphore == NULL) {
		errno = EINVAL;
		return NULL;
	}
	if (evgate_check_with_(&semaphore->gate, patience, body) == -1)
		return NULL;
	return evgate_with_(
	    evsemaphore_acquire(semaphore, owner), patience, body, arg);
}

/*
 * Making, closing, looking.
 */

struct evsemaphore *
evsemaphore_new(struct evdefer_base *base, size_t tokens, unsigned flags)
{
	struct evsemaphore *semaphore;

	if (evgate_check_new_(base, flags) == -1)
		return NULL;
	if (tokens == 0) {
		errno = EINVAL;
		return NULL;
	}
	semaphore = calloc(1, sizeof(*semaphore));
	if (semaphore == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	evgate_init_(&semaphore->gate, &gate_type, base, flags);
	evgate_line_init_(&semaphore->line);
	semaphore->limit = tokens;
	return semaphore;
}

void
evsemaphore_free(struct evsemaphore *semaphore)
{
	if (semaphore != NULL)
		evgate_close_(&semaphore->gate);
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
	stats->waiting = semaphore->line.length;
	stats->granted = semaphore->granted;
	stats->cancelled = semaphore->cancelled;
	stats->longest_queue = semaphore->line.longest;
}
