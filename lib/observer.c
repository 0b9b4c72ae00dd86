/* SPDX-License-Identifier: MIT */
#include "observer-internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base-internal.h"
#include "deferred-internal.h"
#include "result-internal.h"

void
evdefer_base_observed_inside_(void)
{
	fputs("evdefer: called from inside an observer\n", stderr);
	abort();
}

void
evdefer_base_set_plain_(struct evdefer_base *base)
{
	struct evlist *node;

	base->observed = base->observing.observer != NULL;
	base->plain = !base->debug && !base->observed;
	for (node = base->plains.next; node != &base->plains; node = node->next)
		evdefer_base_update_plain_(
		    base, EVLIST_ELEMENT(node, struct evplain, node));
}

int
evdefer_base_set_observer(
    struct evdefer_base *base, const struct evobserver *observer, void *arg)
{
	if (base == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	base->observing.observer = observer;
	base->observing.arg = arg;
	evdefer_base_set_plain_(base);
	return 0;
}

/* What an observer does with errno is no answer of the library's. */
static int
begin_telling(struct evobserving *observing)
{
	observing->inside = true;
	return errno;
}

static void
end_telling(struct evobserving *observing, int error)
{
	observing->inside = false;
	errno = error;
}

static evobserver_event_fn
function_of(const struct evobserver *observer, enum evstep step)
{
	switch (step) {
	case EVSTEP_ACQUIRE:
		return observer->acquire;
	case EVSTEP_GRANT:
		return observer->grant;
	case EVSTEP_DELIVER:
		return observer->deliver;
	case EVSTEP_RELEASE:
		return observer->release;
	case EVSTEP_CANCEL:
		break;
	}
	return observer->cancel;
}

void
evobserver_tell_(struct evdefer_base *base, enum evstep step,
    const struct evobserver_event *event)
{
	struct evobserving *observing = &base->observing;
	evobserver_event_fn fn;
	int error;

	if (observing->observer == NULL)
		return;
	fn = function_of(observing->observer, step);
	if (fn == NULL)
		return;
	error = begin_telling(observing);
	fn(event, observing->arg);
	end_telling(observing, error);
}

void
evobserver_tell_made_(struct evdeferred *d)
{
	struct evobserving *observing = &d->base->observing;
	int error;

	if (observing->observer == NULL || observing->observer->made == NULL)
		return;
	error = begin_telling(observing);
	observing->observer->made(d, observing->arg);
	end_telling(observing, error);
}

void
evobserver_tell_fired_(struct evdeferred *d, struct evresult result)
{
	struct evobserving *observing = &d->base->observing;
	int error;

	if (observing->observer == NULL || observing->observer->fired == NULL)
		return;
	error = begin_telling(observing);
	observing->observer->fired(d,
	    evresult_is_failure_(result) ? evfailure_get_code(result.data) : 0,
	    observing->arg);
	end_telling(observing, error);
}

void
evobserver_tell_gone_(struct evdeferred *d)
{
	struct evobserving *observing = &d->base->observing;
	int error;

	if (observing->observer == NULL || observing->observer->gone == NULL)
		return;
	error = begin_telling(observing);
	observing->observer->gone(d, observing->arg);
	end_telling(observing, error);
}
