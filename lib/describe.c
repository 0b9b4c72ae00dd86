/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base-internal.h"
#include "creation-internal.h"
#include "deferred-internal.h"
#include "result-internal.h"
#include "text-internal.h"

static void
add_result(struct evtext *text, struct evresult result)
{
	const struct evfailure *failure;

	if (evresult_is_deferred_(result)) {
		evtext_add_(text, "waiting for Deferred %p", result.data);
	} else if (evresult_is_failure_(result)) {
		failure = result.data;
		evtext_add_(text, "failed with %d (%s): %s",
		    evfailure_get_code(failure),
		    strerror(evfailure_get_code(failure)),
		    evfailure_get_message(failure));
	} else if (evresult_is_grant_(result)) {
		evtext_add_(text, "fired with a grant of %p",
		    ((struct evgrant *)result.data)->value);
	} else {
		evtext_add_(text, "fired with %p", result.data);
	}
}

static void
add_state(struct evtext *text, const struct evdeferred *d)
{
	if (d->flags & EVDEFERRED_CHAINED)
		evtext_add_(text, "waiting for Deferred %p, chained to it",
		    (void *)d->chain.from);
	else if (!(d->flags & EVDEFERRED_FIRED))
		evtext_add_(text, "waiting");
	else if (d->flags & EVDEFERRED_RUNNING)
		evtext_add_(text, "running");
	else
		add_result(text, d->u.result);
	if (d->flags & EVDEFERRED_LATE)
		evtext_add_(text, ", cancelled before its result came");
	if (evdeferred_pauses_(d) > 0)
		evtext_add_(text, ", paused %u times", evdeferred_pauses_(d));
}

int
evdeferred_describe(const struct evdeferred *d, char *buffer, size_t size)
{
	struct evtext text;

	if (d == NULL || (buffer == NULL && size > 0))
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(d->base);
	evtext_init_(&text, buffer, size);
	evtext_add_(&text, "Deferred %p: ", (const void *)d);
	add_state(&text, d);
	if (d->base->debug) {
		evtext_add_(&text, ", made at ");
		evcreation_describe_(evdeferred_creation_(d), &text);
	}
	return evtext_length_(&text);
}

int
evdefer_base_describe_creation(
    const struct evdefer_base *base, char *buffer, size_t size)
{
	struct evtext text;

	if (base == NULL || (buffer == NULL && size > 0))
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	evtext_init_(&text, buffer, size);
	if (base->debug && base->unhandled.reported != NULL)
		evcreation_describe_(
		    evdeferred_creation_(base->unhandled.reported), &text);
	return evtext_length_(&text);
}
