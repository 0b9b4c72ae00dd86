/* SPDX-License-Identifier: MIT */
/*
 * The chain of a Deferred: what is added to it, and what holds it back.
 */
#include "chain-internal.h"

#include <errno.h>

#include "pool-internal.h"
#include "timeout-internal.h"

static int
append(struct evdeferred *d, const struct evlink *link)
{
	struct evlink *last = evlink_append_(d);

	if (last == NULL)
		return -1;
	evlink_copy_(last, link);
	if (d->flags & EVDEFERRED_FIRED)
		evdeferred_deliver_(d);
	return 0;
}

/* Would a new link run at once?  Then it need not be kept. */
static bool
runs_at_once(const struct evdeferred *d)
{
	return evdeferred_is_through_(d) && !evdeferred_is_stack_full_(d);
}

static void
run_at_once(struct evdeferred *d, const struct evlink *link)
{
	evdeferred_begin_(d);
	evlink_run_(link, d);
	evdeferred_run_on_(d);
}

static int
add(struct evdeferred *d, const struct evlink *link)
{
	evdefer_base_check_(d->base);
	if (!runs_at_once(d))
		return append(d, link);
	run_at_once(d, link);
	return 0;
}

/* Is there a result, and nothing that keeps a new link from running? */
static inline bool
is_free(const struct evdeferred *d)
{
	return evdeferred_is_idle_(d) && d->links == NULL &&
	       !evdeferred_is_stack_full_(d);
}

static EVDEFER_RARE_ int
call(struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	evdefer_base_check_(d->base);
	evdeferred_call_(d, callback, arg);
	return 0;
}

/* Receives the grant of an owner, which is a plain value from then on. */
static bool
receive(struct evdeferred *d)
{
	struct evask *ask = d->u.result.data;

	if (!evresult_is_ask_(d->u.result) || ask->hold == NULL)
		return false;
	d->u.result = evresult_value(evask_receive_(ask));
	return true;
}

static EVDEFER_RARE_ int
add_slowly(struct evdeferred *d, evdeferred_callback_fn callback,
    evdeferred_errback_fn errback, void *arg)
{
	const struct evlink link = {
	    .kind = EVLINK_CALLBACKS, .u.fns = {callback, errback}, .arg = arg};

	if (callback != NULL && is_free(d) && receive(d))
		return call(d, callback, arg);
	return add(d, &link);
}

int
evdeferred_add_callbacks(struct evdeferred *d, evdeferred_callback_fn callback,
    evdeferred_errback_fn errback, void *arg)
{
	struct evlink *link;

	if (d == NULL || (callback == NULL && errback == NULL)) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if ((d->flags & EVDEFERRED_FIRED) || evpool_is_empty_(&d->base->links))
		return add_slowly(d, callback, errback, arg);
	link = evlink_append_(d);
	link->u.fns.callback = callback;
	link->u.fns.errback = errback;
	link->arg = arg;
	link->kind = EVLINK_CALLBACKS;
	return 0;
}

int
evdeferred_add_callback(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	/* The usual case with a lock that was free, if it delivers fast. */
	if (d != NULL && callback != NULL && is_free(d) &&
	    evresult_is_plain_(d->u.result))
		return call(d, callback, arg);
	return evdeferred_add_callbacks(d, callback, NULL, arg);
}

int
evdeferred_add_errback(
    struct evdeferred *d, evdeferred_errback_fn errback, void *arg)
{
	return evdeferred_add_callbacks(d, NULL, errback, arg);
}

int
evdeferred_add_both(struct evdeferred *d, evdeferred_both_fn both, void *arg)
{
	const struct evlink link = {
	    .kind = EVLINK_BOTH, .u.both = both, .arg = arg};

	if (d == NULL || both == NULL) {
		errno = EINVAL;
		return -1;
	}
	return add(d, &link);
}

/* Its argument is freed by a link of its own behind it, when that is reached or
 * dropped. */
static int
add_owned(
    struct evdeferred *d, const struct evlink *link, void (*free_arg)(void *))
{
	struct evlink *last;

	if (free_arg == NULL)
		return add(d, link);
	evdefer_base_check_(d->base);
	if (evpool_reserve_(&d->base->links, 2) == -1)
		return -1;
	evlink_copy_(evlink_append_(d), link);
	last = evlink_append_(d);
	last->kind = EVLINK_FINALLY;
	last->u.held = evresult_owned(link->arg, free_arg);
	if (d->flags & EVDEFERRED_FIRED)
		evdeferred_deliver_(d);
	return 0;
}

int
evdeferred_add_callbacks_owned(struct evdeferred *d,
    evdeferred_callback_fn callback, evdeferred_errback_fn errback, void *arg,
    void (*free_arg)(void *arg))
{
	const struct evlink link = {
	    .kind = EVLINK_CALLBACKS, .u.fns = {callback, errback}, .arg = arg};

	if (d == NULL || (callback == NULL && errback == NULL)) {
		errno = EINVAL;
		return -1;
	}
	return add_owned(d, &link, free_arg);
}

int
evdeferred_add_both_owned(struct evdeferred *d, evdeferred_both_fn both,
    void *arg, void (*free_arg)(void *arg))
{
	const struct evlink link = {
	    .kind = EVLINK_BOTH, .u.both = both, .arg = arg};

	if (d == NULL || both == NULL) {
		errno = EINVAL;
		return -1;
	}
	return add_owned(d, &link, free_arg);
}

int
evdeferred_add_with_(struct evdeferred *d, evdeferred_body_fn body, void *arg)
{
	const struct evlink link = {
	    .kind = EVLINK_WITH, .u.body = body, .arg = arg};

	/* Never run directly: it needs the memory of a link. */
	return append(d, &link);
}

void
evdeferred_start_coro_(struct evdeferred *d, struct evcoro *co)
{
	struct evlink *link = evlink_append_(d);

	link->kind = EVLINK_CORO;
	link->u.coro = co;
	evdeferred_fire_(d, evresult_value(NULL));
}

int
evdeferred_chain(struct evdeferred *d, struct evdeferred *other)
{
	const struct evlink link = {
	    .kind = EVLINK_CHAIN, .u.chain.other = other};

	if (d == NULL || other == NULL || d == other ||
	    d->base != other->base) {
		errno = EINVAL;
		return -1;
	}
	if (other->flags & EVDEFERRED_CHAINED) {
		errno = EBUSY;
		return -1;
	}
	if (other->flags & EVDEFERRED_FIRED) {
		errno = EALREADY;
		return -1;
	}
	if (other->flags & EVDEFERRED_PRIVATE) {
		errno = EPERM;
		return -1;
	}
	evdefer_base_check_(d->base);
	if (runs_at_once(d)) {
		run_at_once(d, &link);
		return 0;
	}
	if (evlink_append_chain_(d, other) == -1)
		return -1;
	if (d->flags & EVDEFERRED_FIRED)
		evdeferred_deliver_(d);
	return 0;
}

int
evdeferred_pause(struct evdeferred *d)
{
	if (d == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if ((d->flags & EVDEFERRED_PAUSES) == EVDEFERRED_PAUSES) {
		errno = EOVERFLOW;
		return -1;
	}
	d->flags += EVDEFERRED_PAUSE;
	return 0;
}

int
evdeferred_unpause(struct evdeferred *d)
{
	if (d == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if (!evdeferred_is_paused_(d)) {
		errno = EPERM;
		return -1;
	}
	d->flags -= EVDEFERRED_PAUSE;
	evdeferred_deliver_(d);
	return 0;
}

static void
expire(struct evtimeout *timeout)
{
	evdeferred_time_out_(timeout->deferred);
}

int
evdeferred_add_timeout_both(struct evdeferred *d, const struct timeval *timeout,
    evdeferred_both_fn both, void *arg)
{
	struct evlink link = {
	    .kind = EVLINK_TIMEOUT, .u.timed.both = both, .arg = arg};

	if (d == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if (evtimeout_check_(d->base, timeout) == -1)
		return -1;
	if (evdeferred_is_through_(d))
		return 0;
	/* First what can be kept if the rest fails. */
	if (evpool_reserve_(&d->base->links, 1) == -1)
		return -1;
	link.u.timed.timeout = evtimeout_start_(d, timeout, expire);
	if (link.u.timed.timeout == NULL)
		return -1;
	/* What was called off was so before this. */
	evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	return add(d, &link);
}

int
evdeferred_add_timeout(struct evdeferred *d, const struct timeval *timeout)
{
	return evdeferred_add_timeout_both(d, timeout, NULL, NULL);
}
