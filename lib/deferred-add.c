/* SPDX-License-Identifier: MIT */
/*
 * The chain of a Deferred: what is added to it, and what holds it back.
 */
#include "chain-internal.h"

#include <errno.h>

#include "pool-internal.h"
#include "timeout-internal.h"

static inline int
append(struct evdeferred *d, const struct evlink *link)
{
	if (evlink_append_(d, link) == -1)
		return -1;
	if (d->flags & EVDEFERRED_FIRED)
		evdeferred_deliver_(d);
	return 0;
}

static inline int
add(struct evdeferred *d, const struct evlink *link)
{
	evdefer_base_check_(d->base);
	/* A link that can run at once need not be kept. */
	if (!evdeferred_is_through_(d) || evdeferred_is_stack_full_(d))
		return append(d, link);
	evdeferred_begin_(d);
	evlink_run_(link, d);
	evdeferred_run_on_(d);
	return 0;
}

int
evdeferred_add_callbacks(struct evdeferred *d, evdeferred_callback_fn callback,
    evdeferred_errback_fn errback, void *arg)
{
	const struct evlink link = {
	    .kind = EVLINK_CALLBACKS, .u.fns = {callback, errback}, .arg = arg};

	if (d == NULL || (callback == NULL && errback == NULL)) {
		errno = EINVAL;
		return -1;
	}
	return add(d, &link);
}

/* Would a callback be called at once, with the plain value that is there?  That
 * is so for the grant of a lock that was free, if it delivers fast. */
static inline bool
can_call(const struct evdeferred *d)
{
	return evdeferred_is_idle_(d) && d->links == NULL &&
	       !evdeferred_is_stack_full_(d) && evresult_is_plain_(d->u.result);
}

int
evdeferred_add_callback(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	struct evdefer_base *base;

	if (d == NULL || callback == NULL || !can_call(d))
		return evdeferred_add_callbacks(d, callback, NULL, arg);
	evdefer_base_check_(d->base);
	base = d->base;
	evdeferred_begin_(d);
	d->u.result = callback(d->u.result.data, arg);
	/* Nothing more has come of it, mostly. */
	if (d->u.result.dispose == NULL && d->links == NULL &&
	    d->waiter == NULL &&
	    d->flags == (EVDEFERRED_FIRED | EVDEFERRED_RUNNING)) {
		d->flags = EVDEFERRED_FIRED;
		evdefer_base_leave_(base);
		return 0;
	}
	d->u.result = evresult_take_(d->u.result);
	evdeferred_run_on_(d);
	return 0;
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

int
evdeferred_add_with_(struct evdeferred *d, evrwlock_body_fn body, void *arg)
{
	const struct evlink link = {
	    .kind = EVLINK_WITH, .u.body = body, .arg = arg};

	/* Never run directly: it needs the memory of a link. */
	return append(d, &link);
}

void
evdeferred_start_coro_(struct evdeferred *d, struct evcoro *co)
{
	const struct evlink link = {.kind = EVLINK_CORO, .u.coro = co};

	evlink_append_(d, &link);
	evdeferred_fire_(d, evresult_value(NULL));
}

int
evdeferred_chain(struct evdeferred *d, struct evdeferred *other)
{
	const struct evlink link = {.kind = EVLINK_CHAIN, .u.other = other};

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
	if (evdeferred_is_private_(other)) {
		errno = EPERM;
		return -1;
	}
	evdeferred_set_(other, EVDEFERRED_CHAINED);
	if (add(d, &link) == 0)
		return 0;
	evdeferred_clear_(other, EVDEFERRED_CHAINED);
	return -1;
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
	evdeferred_cancel(timeout->deferred);
}

int
evdeferred_add_timeout(struct evdeferred *d, const struct timeval *timeout)
{
	struct evlink link = {.kind = EVLINK_TIMEOUT};

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
	link.u.timeout = evtimeout_start_(d, timeout, expire);
	if (link.u.timeout == NULL)
		return -1;
	return add(d, &link);
}
