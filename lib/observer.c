/* SPDX-License-Identifier: MIT */
#include "observer-internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base-internal.h"
#include "deferred-internal.h"
#include "result-internal.h"

/*
 * Probes.  A tracer finds them by the notes of the object file; a probe is a nop until
 * then.
 */

#ifdef EVDEFER_USDT
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

/* The macros of that header leave out arguments, as GNU C allows. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

unsigned short evprobes_tracers_ __attribute__((section(".probes")));

/* Each probe is found by a semaphore of its name. */
#define SEMAPHORE(probe)                                                       \
	extern unsigned short evdefer_##probe##_semaphore                      \
	    __attribute__((alias("evprobes_tracers_"), visibility("hidden")))
SEMAPHORE(acquire);
SEMAPHORE(grant);
SEMAPHORE(deliver);
SEMAPHORE(release);
SEMAPHORE(cancel);
SEMAPHORE(made);
SEMAPHORE(fired);
SEMAPHORE(gone);

/* No more than six arguments: older tracers see no others. */
#define PROBE_STEP(step, event)                                                \
	STAP_PROBE5(evdefer, step, (event)->lock, (event)->lock_name,          \
	    (int)(event)->mode, (event)->owner_name, (event)->deferred)
#define PROBE_STEP_WITH(step, event, last)                                     \
	STAP_PROBE6(evdefer, step, (event)->lock, (event)->lock_name,          \
	    (int)(event)->mode, (event)->owner_name, (event)->deferred, last)

static EVDEFER_NOINLINE_ void
probe(enum evstep step, const struct evobserver_event *event)
{
	switch (step) {
	case EVSTEP_ACQUIRE:
		PROBE_STEP_WITH(acquire, event, (int)event->waits);
		break;
	case EVSTEP_GRANT:
		PROBE_STEP(grant, event);
		break;
	case EVSTEP_DELIVER:
		PROBE_STEP(deliver, event);
		break;
	case EVSTEP_RELEASE:
		PROBE_STEP(release, event);
		break;
	case EVSTEP_CANCEL:
		PROBE_STEP_WITH(cancel, event, event->error);
		break;
	}
}

static EVDEFER_NOINLINE_ void
probe_made(const struct evdeferred *d)
{
	STAP_PROBE1(evdefer, made, d);
}

static EVDEFER_NOINLINE_ void
probe_fired(const struct evdeferred *d, int code)
{
	STAP_PROBE2(evdefer, fired, d, code);
}

static EVDEFER_NOINLINE_ void
probe_gone(const struct evdeferred *d)
{
	STAP_PROBE1(evdefer, gone, d);
}
#else
static void
probe(enum evstep step, const struct evobserver_event *event)
{
	(void)step;
	(void)event;
}

static void
probe_made(const struct evdeferred *d)
{
	(void)d;
}

static void
probe_fired(const struct evdeferred *d, int code)
{
	(void)d;
	(void)code;
}

static void
probe_gone(const struct evdeferred *d)
{
	(void)d;
}
#endif

/*
 * Observers.
 */

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

	base->traced = EVPROBES_ON();
	base->observed = base->observing.observer != NULL || base->traced;
	base->plain =
	    !base->debug && !base->observed && !evdefer_base_closed_(base);
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

	probe(step, event);
	if (observing->observer == NULL)
		return;
	fn = function_of(observing->observer, step);
	if (fn == NULL)
		return;
	error = begin_telling(observing);
	fn(event, observing->arg);
	end_telling(observing, error);
}

static void
tell_of_deferred(
    struct evdeferred *d, void (*fn)(const struct evdeferred *d, void *arg))
{
	struct evobserving *observing = &d->base->observing;
	int error;

	if (fn == NULL)
		return;
	error = begin_telling(observing);
	fn(d, observing->arg);
	end_telling(observing, error);
}

void
evobserver_tell_made_(struct evdeferred *d)
{
	const struct evobserver *observer = d->base->observing.observer;

	probe_made(d);
	if (observer != NULL)
		tell_of_deferred(d, observer->made);
}

void
evobserver_tell_fired_(struct evdeferred *d, struct evresult result)
{
	const int code =
	    evresult_is_failure_(result) ? evfailure_get_code(result.data) : 0;
	struct evobserving *observing = &d->base->observing;
	int error;

	probe_fired(d, code);
	if (observing->observer == NULL || observing->observer->fired == NULL)
		return;
	error = begin_telling(observing);
	observing->observer->fired(d, code, observing->arg);
	end_telling(observing, error);
}

void
evobserver_tell_gone_(struct evdeferred *d)
{
	const struct evobserver *observer = d->base->observing.observer;

	probe_gone(d);
	if (observer != NULL)
		tell_of_deferred(d, observer->gone);
}
