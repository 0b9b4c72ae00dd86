/* SPDX-License-Identifier: MIT */
#include "unhandled-internal.h"

#include <stdio.h>
#include <string.h>

#include "base-internal.h"
#include "creation-internal.h"
#include "deferred-internal.h"
#include "result-internal.h"
#include "text-internal.h"

/* libevent exports its log to its own libraries, without a public header.  Without
 * it, stderr is where libevent's log goes by default. */
extern void event_warnx(const char *format, ...)
    __attribute__((weak, format(printf, 1, 2)));

static void
write_log(const struct evfailure *failure, void *arg)
{
	const struct evdefer_base *base = arg;
	const struct evdeferred *d = base->unhandled.reported;
	char buffer[1024];
	struct evtext text;

	evtext_init_(&text, buffer, sizeof(buffer));
	evtext_add_(&text,
	    "evdefer: unhandled failure: %.512s (%d: %s), made at %s:%d",
	    evfailure_get_message(failure), evfailure_get_code(failure),
	    strerror(evfailure_get_code(failure)), evfailure_get_file(failure),
	    evfailure_get_line(failure));
	if (base->debug && d != NULL) {
		evtext_add_(&text, ", of a Deferred made at ");
		evcreation_describe_(evdeferred_creation_(d), &text);
	}
	if (event_warnx != NULL)
		event_warnx("%s", buffer);
	else
		fprintf(stderr, "[warn] %s\n", buffer);
}

static void
say_nothing(const struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
}

bool
evunhandled_is_news_(struct evresult result)
{
	return evresult_is_failure_(result) && !evresult_is_cancelled_(result);
}

static void
tell(struct evdeferred *d, evdefer_base_unhandled_fn fn, void *arg)
{
	struct evunhandled *unhandled = &d->base->unhandled;

	unhandled->reported = d;
	fn(d->u.result.data, arg);
	unhandled->reported = NULL;
}

/* Tells of the first that waits, and lets it go. */
static void
tell_first(struct evdefer_base *base, evdefer_base_unhandled_fn fn, void *arg)
{
	struct evunhandled *unhandled = &base->unhandled;
	struct evdeferred *d;
	struct evresult_node *first;
	struct evresult result;

	unhandled->count--;
	if (evlist_empty_(&unhandled->deferreds)) {
		first = EVLIST_ELEMENT(evlist_pop_(&unhandled->results),
		    struct evresult_node, node);
		result = first->result;
		evpool_put_(&base->results, first);
		fn(result.data, arg);
		evresult_dispose(result);
		return;
	}
	d = EVLIST_ELEMENT(
	    evlist_pop_(&unhandled->deferreds), struct evdeferred, node);
	tell(d, fn, arg);
	evdeferred_bury_(d);
}

/* The handler may have been set since, so it is looked up for each failure. */
static void
tell_handler(const struct evfailure *failure, void *arg)
{
	const struct evunhandled *unhandled =
	    &((const struct evdefer_base *)arg)->unhandled;

	unhandled->fn(failure, unhandled->arg);
}

/* Tells of those that wait now, but not of those that come of that. */
static size_t
tell_all(struct evdefer_base *base, evdefer_base_unhandled_fn fn, void *arg)
{
	const size_t count = base->unhandled.count;
	size_t left = count;

	while (left-- > 0)
		tell_first(base, fn, arg);
	return count;
}

/* What waits goes to the log, and not to a handler that fails each time. */
static void
tell_log(struct evdefer_base *base)
{
	tell_all(base, write_log, base);
	/* What is left has come of the log. */
	while (base->unhandled.count > 0)
		tell_all(base, say_nothing, NULL);
}

#define PAUSE_NS 10000000

static void
wake_up(struct evalarm *again, uint64_t now)
{
	struct evdefer_base *base =
	    EVLIST_ELEMENT(again, struct evdefer_base, unhandled.again);

	(void)now;
	again->time = EVALARM_NEVER;
	if (evlist_empty_(&base->unhandled.ready.node))
		evlist_append_(&base->ready, &base->unhandled.ready.node);
}

/* After a pause, so that a handler that fails each time leaves the processor to
 * others. */
static void
put_off(struct evdefer_base *base)
{
	struct evalarm *again = &base->unhandled.again;

	if (!evdefer_base_closed_(base) && again->ring == NULL) {
		again->ring = wake_up;
		evdefer_base_add_alarm_(base, again);
	}
	if (evdefer_base_closed_(base) ||
	    evdefer_base_set_alarm_(
		base, again, evdefer_base_now_() + PAUSE_NS) == -1)
		tell_log(base);
}

static void
tell_in_rounds(struct evdefer_base *base)
{
	size_t told = 0;
	int rounds = 0;

	while (base->unhandled.count > 0) {
		if (told >= EVUNHANDLED_MANY ||
		    rounds++ == EVUNHANDLED_ROUNDS) {
			put_off(base);
			return;
		}
		told += tell_all(base, tell_handler, base);
	}
}

/* The handler may free the base meanwhile. */
static void
begin_report(struct evdefer_base *base)
{
	base->unhandled.busy = true;
	evdefer_base_use_(base);
}

static void
end_report(struct evdefer_base *base)
{
	base->unhandled.busy = false;
	evdefer_base_unuse_(base);
}

static void
report_all(struct evdefer_base *base, void (*report)(struct evdefer_base *base))
{
	if (base->unhandled.busy)
		return;
	begin_report(base);
	report(base);
	end_report(base);
}

static void
go_on(struct evready *ready)
{
	evlist_remove_(&ready->node);
	report_all(EVLIST_ELEMENT(ready, struct evdefer_base, unhandled.ready),
	    tell_in_rounds);
}

void
evunhandled_init_(struct evdefer_base *base)
{
	struct evunhandled *unhandled = &base->unhandled;

	evlist_init_(&unhandled->ready.node);
	unhandled->ready.deliver = go_on;
	evlist_init_(&unhandled->deferreds);
	evlist_init_(&unhandled->results);
	unhandled->fn = write_log;
	unhandled->arg = base;
}

void
evunhandled_leave_loop_(struct evdefer_base *base)
{
	evlist_remove_(&base->unhandled.ready.node);
	report_all(base, tell_log);
}

void
evunhandled_report_(struct evdeferred *d)
{
	struct evdefer_base *base = d->base;

	if (base->unhandled.busy) {
		evlist_append_(&base->unhandled.deferreds, &d->node);
		base->unhandled.count++;
		return;
	}
	begin_report(base);
	tell(d, tell_handler, base);
	evresult_dispose(evdeferred_take_result_(d));
	tell_in_rounds(base);
	/* Not before, since the free of d has not returned yet. */
	evdeferred_bury_(d);
	end_report(base);
}

void
evunhandled_report_node_(struct evdefer_base *base, struct evresult_node *node)
{
	evlist_append_(&base->unhandled.results, &node->node);
	base->unhandled.count++;
	report_all(base, tell_in_rounds);
}

void
evdefer_base_set_unhandled(
    struct evdefer_base *base, evdefer_base_unhandled_fn handler, void *arg)
{
	if (base == NULL)
		return;
	evdefer_base_check_(base);
	base->unhandled.fn = handler != NULL ? handler : write_log;
	base->unhandled.arg = handler != NULL ? arg : base;
}
