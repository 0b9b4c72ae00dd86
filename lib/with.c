/* SPDX-License-Identifier: MIT */
/*
 * A body that has a value, a grant say, for as long as it runs: the value is disposed of
 * when the result of the body is there.
 */
#include "with-internal.h"

#include "link-internal.h"

static void
push_end(struct evdeferred *d, struct evresult held)
{
	const struct evlink finally = {.type = &evlink_finally_,
	    .arg = held.data,
	    .dispose = held.dispose};

	evlink_push_(d, &finally);
}

static void
run_body(const struct evlink *link, struct evdeferred *d)
{
	if (evresult_is_failure_(d->u.result))
		return;
	push_end(d, evlink_take_(d));
	d->u.result = evresult_take_(link->body(link->arg));
}

const struct evlink_type evlink_with_ = {run_body, NULL};

/*
 * Without a link.  Memory for that of its end is kept while the body runs, for one that is
 * not over by then.
 */

static EVDEFER_NOINLINE_ struct evdeferred *
await_body(struct evdeferred *d, struct evresult held, struct evresult result)
{
	d->u.result = evresult_value(NULL);
	push_end(d, held);
	d->u.result = evresult_take_(result);
	evdeferred_set_(d, EVDEFERRED_RUNNING);
	evdeferred_run_on_(d);
	return d;
}

struct evdeferred *
evdeferred_run_body_(struct evdeferred *d, evdeferred_body_fn body, void *arg)
{
	struct evdefer_base *base = d->base;
	const struct evresult held = d->u.result;
	void *memory = evpool_get_(&base->links);
	struct evresult result;

	evdefer_base_enter_(base);
	result = body(arg);
	evpool_put_(&base->links, memory);
	if (!evresult_is_plain_(result))
		return await_body(d, held, result);
	d->u.result = result;
	evresult_dispose(held);
	evdefer_base_leave_(base);
	return d;
}

int
evdeferred_add_with_(struct evdeferred *d, evdeferred_body_fn body, void *arg)
{
	const struct evlink link = {
	    .type = &evlink_with_, .body = body, .arg = arg};

	/* Kept, so that there is memory for the link that disposes. */
	return evlink_add_kept_(d, &link);
}
