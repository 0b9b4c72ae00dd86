/* SPDX-License-Identifier: MIT */
#include "link-internal.h"

#include <errno.h>

#include "base-internal.h"
#include "deferred-internal.h"
#include "pool-internal.h"
#include "result-internal.h"
#include "timeout-internal.h"

int
evlink_append_(struct evdeferred *d, const struct evlink *link)
{
	struct evlink *last = evpool_get_(&d->base->links);

	if (last == NULL)
		return -1;
	*last = *link;
	if (d->links == NULL) {
		last->next = last;
	} else {
		last->next = d->links->next;
		d->links->next = last;
	}
	d->links = last;
	return 0;
}

struct evlink
evlink_pop_(struct evdeferred *d)
{
	struct evlink *first = d->links->next;
	struct evlink link = *first;

	if (first == d->links)
		d->links = NULL;
	else
		d->links->next = first->next;
	evpool_put_(&d->base->links, first);
	return link;
}

/* Hands the result of d on.  While its receiver runs, d has none. */
static struct evresult
take_result(struct evdeferred *d)
{
	struct evresult result = d->u.result;

	d->u.result = evresult_value(NULL);
	return result;
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
		    link->u.fns.callback(result.data, link->arg));
		return;
	}
	if (link->u.fns.errback == NULL)
		return;
	result = take_result(d);
	d->u.result =
	    evresult_take_(link->u.fns.errback(result.data, link->arg));
	evfailure_unref(result.data);
}

static void
run_both(const struct evlink *link, struct evdeferred *d)
{
	struct evresult result = take_result(d);
	struct evresult lent = result;

	if (!evresult_is_failure_(result)) {
		d->u.result = evresult_take_(link->u.both(result, link->arg));
		return;
	}
	lent.dispose = evresult_dispose_lent_;
	d->u.result = evresult_take_(link->u.both(lent, link->arg));
	evfailure_unref(result.data);
}

static void
run_timeout(const struct evlink *link, struct evdeferred *d)
{
	struct evresult result = d->u.result;

	if (!evtimeout_stop_(link->u.timeout))
		return;
	if (!evresult_is_failure_(result) ||
	    evfailure_code(result.data) != ECANCELED)
		return;
	d->u.result = evresult_fixed_(EVFAILURE_TIMED_OUT);
	evfailure_unref(result.data);
}

static void
run_with(const struct evlink *link, struct evdeferred *d)
{
	struct evlink *finally;

	if (evresult_is_failure_(d->u.result))
		return;
	/* Cannot fail: the memory of the link that runs was just given back. */
	finally = evpool_get_(&d->base->links);
	assert(finally != NULL);
	finally->kind = EVLINK_FINALLY;
	finally->u.held = take_result(d);
	if (d->links == NULL) {
		finally->next = finally;
		d->links = finally;
	} else {
		finally->next = d->links->next;
		d->links->next = finally;
	}
	d->u.result = evresult_take_(link->u.body(link->arg));
}

void
evlink_run_(const struct evlink *link, struct evdeferred *d)
{
	switch (link->kind) {
	case EVLINK_CALLBACKS:
		run_callbacks(link, d);
		break;
	case EVLINK_BOTH:
		run_both(link, d);
		break;
	case EVLINK_CHAIN:
		evdeferred_fire_chained_(link->u.other, take_result(d));
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

static void
drop(const struct evlink *link)
{
	switch (link->kind) {
	case EVLINK_CHAIN:
		evdeferred_fire_chained_(
		    link->u.other, evresult_fixed_(EVFAILURE_CANCELLED));
		break;
	case EVLINK_TIMEOUT:
		evtimeout_stop_(link->u.timeout);
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
		drop(&link);
	}
}
