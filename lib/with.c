/* SPDX-License-Identifier: MIT */
/*
 * The link of a body that has a value, a grant say, for as long as it runs: the
 * value is disposed of when the result of the body is there.
 */
#include "with-internal.h"

#include "link-internal.h"

static void
run_body(const struct evlink *link, struct evdeferred *d)
{
	struct evlink finally = {.type = &evlink_finally_};

	if (evresult_is_failure_(d->u.result))
		return;
	finally.arg = d->u.result.data;
	finally.dispose = d->u.result.dispose;
	d->u.result = evresult_value(NULL);
	evlink_push_(d, &finally);
	d->u.result = evresult_take_(link->body(link->arg));
}

const struct evlink_type evlink_with_ = {run_body, NULL};

int
evdeferred_add_with_(struct evdeferred *d, evdeferred_body_fn body, void *arg)
{
	const struct evlink link = {
	    .type = &evlink_with_, .body = body, .arg = arg};

	/* Kept, so that there is memory for the link that disposes. */
	return evlink_add_kept_(d, &link);
}
