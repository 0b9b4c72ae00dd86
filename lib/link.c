/* SPDX-License-Identifier: MIT */
#include "link-internal.h"

#include <errno.h>

#include "base-internal.h"
#include "combine-internal.h"
#include "coro-internal.h"
#include "deferred-internal.h"
#include "hold-internal.h"
#include "pool-internal.h"
#include "result-internal.h"
#include "timeout-internal.h"

/* Hands the result of d on.  While its receiver runs, d has none. */
static struct evresult
take_result(struct evdeferred *d)
{
	struct evresult result = d->u.result;

	d->u.result = evresult_value(NULL);
	return result;
}

/* The value of a result, as a callback receives it. */
static void *
receive(struct evresult result)
{
	if (evresult_is_ask_(result))
		return evask_receive_(result.data);
	return result.data;
}

/* A grant whose owner has given it back meanwhile is none any more. */
static void
check_grant(struct evdeferred *d)
{
	struct evask *ask = d->u.result.data;

	if (!evresult_is_ask_(d->u.result) || ask->hold != NULL)
		return;
	d->u.result = evresult_fixed_(EVFAILURE_CANCELLED);
	evask_unref_(ask);
}

static void
run_callbacks(const struct evlink *link, struct evdeferred *d)
{
	struct evresult result;

	if (!evresult_is_failure_(d->u.result)) {
		if (link->u.fns.callback == NULL)
			return;
		result = take_result(d);
		d->u.result = evresult_take_(
		    link->u.fns.callback(receive(result), link->arg));
		return;
	}
	if (link->u.fns.errback == NULL)
		return;
	result = take_result(d);
	d->u.result =
	    evresult_take_(link->u.fns.errback(result.data, link->arg));
	evfailure_unref(result.data);
}

/* Unlike a callback, it may pass on the grant that it is given. */
static void
call_both_with_grant(evdeferred_both_fn both, void *arg, struct evdeferred *d)
{
	struct evresult result = take_result(d);
	struct evask *ask = result.data;

	evask_lend_(ask);
	d->u.result = evresult_take_(both(result, arg));
	evask_end_loan_(ask);
}

static void
call_both(evdeferred_both_fn both, void *arg, struct evdeferred *d)
{
	struct evresult result, lent;

	if (evresult_is_ask_(d->u.result)) {
		call_both_with_grant(both, arg, d);
		return;
	}
	result = take_result(d);
	if (!evresult_is_failure_(result)) {
		d->u.result = evresult_take_(both(result, arg));
		return;
	}
	lent = evresult_of_kind_(EVRESULT_LENT, result.data);
	d->u.result = evresult_take_(both(lent, arg));
	evfailure_unref(result.data);
}

/*
 * The link that fires another Deferred.  When that one goes, or is fired by
 * somebody else, the link has nothing left to do but to dispose of the result
 * that comes to it.  Behind another link of this kind none can come: then it
 * goes as well, so that any number of Deferreds may come and go in the chain of
 * one that lives long.  That takes the link before it.
 */

int
evlink_append_chain_(struct evdeferred *d, struct evdeferred *other)
{
	struct evlink *prev = d->links;
	struct evlink *link = evlink_append_(d);

	if (link == NULL)
		return -1;
	link->kind = EVLINK_CHAIN;
	link->u.chain.other = other;
	link->u.chain.prev = prev;
	other->chain.from = d;
	other->chain.link = link;
	other->flags |= EVDEFERRED_CHAINED;
	return 0;
}

static void
remove_chain(struct evdeferred *d, struct evlink *link)
{
	struct evlink *prev = link->u.chain.prev;

	prev->next = link->next;
	if (d->links == link)
		d->links = prev;
	else if (link->next->kind == EVLINK_CHAIN)
		link->next->u.chain.prev = prev;
	evpool_put_(&d->base->links, link);
}

void
evlink_leave_chain_(struct evdeferred *other)
{
	struct evdeferred *d = other->chain.from;
	struct evlink *link = other->chain.link;

	other->flags &= ~(uint32_t)EVDEFERRED_CHAINED;
	link->u.chain.other = NULL;
	if (link != d->links->next && link->u.chain.prev->kind == EVLINK_CHAIN)
		remove_chain(d, link);
}

static void
fire_other(const struct evlink *link, struct evresult result)
{
	if (link->u.chain.other != NULL)
		evdeferred_fire_chained_(link->u.chain.other, result);
	else
		evresult_dispose(result);
}

static void
run_timeout(const struct evlink *link, struct evdeferred *d)
{
	struct evresult result = d->u.result;

	if (!evtimeout_stop_(d->base, link->u.timed.timeout) ||
	    !(d->flags & EVDEFERRED_TIMED_OUT))
		return;
	if (link->u.timed.both != NULL) {
		call_both(link->u.timed.both, link->arg, d);
		return;
	}
	if (!evresult_is_failure_(result) ||
	    evfailure_get_code(result.data) != ECANCELED)
		return;
	d->u.result = evresult_fixed_(EVFAILURE_TIMED_OUT);
	evfailure_unref(result.data);
}

/* Puts a link before all others.  Cannot fail where a link runs that was taken
 * out of the chain, as long as no function of the user's has run since: its
 * memory was just given back. */
static void
push(struct evdeferred *d, const struct evlink *link)
{
	struct evlink *first = evpool_get_(&d->base->links);

	assert(first != NULL);
	*first = *link;
	if (d->links == NULL) {
		first->next = first;
		d->links = first;
	} else {
		first->next = d->links->next;
		d->links->next = first;
		if (first->next->kind == EVLINK_CHAIN)
			first->next->u.chain.prev = first;
	}
}

static void
run_with(const struct evlink *link, struct evdeferred *d)
{
	struct evlink finally = {.kind = EVLINK_FINALLY};

	if (evresult_is_failure_(d->u.result))
		return;
	finally.u.held = take_result(d);
	push(d, &finally);
	d->u.result = evresult_take_(link->u.body(link->arg));
}

/* The link stays in its place until the coroutine has ended. */
static void
run_coro(const struct evlink *link, struct evdeferred *d)
{
	struct evcoro *co = link->u.coro;
	struct evresult result;

	push(d, link);
	evcoro_forget_last_(co);
	if ((d->flags & EVDEFERRED_CANCEL) && evcoro_has_begun_(co)) {
		d->flags &= ~(uint32_t)EVDEFERRED_CANCEL;
		evresult_dispose(take_result(d));
		d->u.result = evresult_fixed_(EVFAILURE_CANCELLED);
	}
	/* By what has gone, whose owner may have, too: only the cleanup is left. */
	if (d->flags & EVDEFERRED_FREED)
		return;
	check_grant(d);
	result = take_result(d);
	if (!evresult_is_failure_(result))
		result = evresult_value(receive(result));
	d->base->deliveries++;
	result = evcoro_resume_(co, result);
	if (!evcoro_is_waiting_(co)) {
		result = evcoro_end_(co, d, result);
		evlink_pop_(d);
		d->u.result = result;
	} else {
		d->u.result = result;
	}
}

void
evlink_run_(const struct evlink *link, struct evdeferred *d)
{
	check_grant(d);
	/* A coroutine that gets a value may still be about its cancel. */
	if (!evresult_is_failure_(d->u.result) && link->kind != EVLINK_CORO)
		d->flags &= ~(uint32_t)EVDEFERRED_CALLED_OFF;
	switch (link->kind) {
	case EVLINK_CALLBACKS:
		run_callbacks(link, d);
		break;
	case EVLINK_BOTH:
		call_both(link->u.both, link->arg, d);
		break;
	case EVLINK_CHAIN:
		fire_other(link, take_result(d));
		break;
	case EVLINK_CORO:
		run_coro(link, d);
		break;
	case EVLINK_PART:
		d->u.result = evcombine_arrive_(link->u.part, take_result(d));
		break;
	case EVLINK_TIMEOUT:
		run_timeout(link, d);
		break;
	case EVLINK_WITH:
		run_with(link, d);
		break;
	case EVLINK_FINALLY:
		evresult_dispose(link->u.held);
		break;
	}
}

void
evlink_run_first_(struct evdeferred *d)
{
	const struct evlink link = evlink_pop_(d);

	evlink_run_(&link, d);
}

static void
drop(const struct evlink *link, struct evdeferred *d)
{
	switch (link->kind) {
	case EVLINK_CHAIN:
		fire_other(link, evresult_fixed_(EVFAILURE_CANCELLED));
		break;
	case EVLINK_CORO:
		evcoro_drop_(link->u.coro);
		break;
	case EVLINK_PART:
		evcombine_drop_(link->u.part);
		break;
	case EVLINK_TIMEOUT:
		evtimeout_stop_(d->base, link->u.timed.timeout);
		break;
	case EVLINK_FINALLY:
		evresult_dispose(link->u.held);
		break;
	case EVLINK_CALLBACKS:
	case EVLINK_BOTH:
	case EVLINK_WITH:
		break;
	}
}

void
evlink_drop_all_(struct evdeferred *d)
{
	struct evlink link;

	while (d->links != NULL) {
		link = evlink_pop_(d);
		drop(&link, d);
	}
}
