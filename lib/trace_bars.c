/* SPDX-License-Identifier: MIT */
/*
 * The events of a trace.  An acquire is a bar with the name of its lock, and in it
 * stands one for the wait and then one for the hold: "b" events with an id of their own,
 * and an "e" event for each.  The hold begins with the grant, since it keeps out others
 * from then on; that it is told so is an instant ("n") in it.
 *
 * An acquire is found again by its Deferred, and a hold by lock, owner and mode: which
 * of several readers without an owner has left is anybody's guess, and it does not
 * matter.
 */
#include "trace-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum evbar_state {
	EVBAR_EMPTY, /* so far */
	EVBAR_WAITS,
	EVBAR_HOLDS,
	EVBAR_DEFERRED
};

struct evbar {
	struct evbar *next; /* in the table, by the next three */
	const void *of;	    /* a Deferred or a lock */
	const void *owner;
	unsigned mode; /* or one of those below */
	enum evbar_state state;
	uint64_t id;
	const char *verb;
	char name[64];
	char owner_name[64];
};

/* In place of a mode. */
enum { KEY_WAIT = 16, KEY_DEFERRED };

/*
 * The table.
 */

static struct evbar **
bucket_of(const struct evtracing *tracing, const void *of, const void *owner,
    unsigned mode)
{
	uint64_t key = (uint64_t)(uintptr_t)of * UINT64_C(0x9e3779b97f4a7c15);

	key ^=
	    ((uint64_t)(uintptr_t)owner + mode) * UINT64_C(0xc2b2ae3d27d4eb4f);
	key ^= key >> 32;
	return &tracing->buckets[(size_t)key & (tracing->size - 1)];
}

static void
insert_bar(struct evtracing *tracing, struct evbar *bar)
{
	struct evbar **first =
	    bucket_of(tracing, bar->of, bar->owner, bar->mode);

	bar->next = *first;
	*first = bar;
}

static void
grow_bars(struct evtracing *tracing)
{
	struct evbar **old = tracing->buckets, *bar;
	const size_t old_size = tracing->size;
	size_t i;

	if (tracing->count < old_size)
		return;
	tracing->size = old_size > 0 ? 2 * old_size : 64;
	tracing->buckets = calloc(tracing->size, sizeof(struct evbar *));
	if (tracing->buckets == NULL) {
		tracing->buckets = old;
		tracing->size = old_size;
		return;
	}
	for (i = 0; i < old_size; i++) {
		while ((bar = old[i]) != NULL) {
			old[i] = bar->next;
			insert_bar(tracing, bar);
		}
	}
	free(old);
}

static struct evbar *
new_bar(struct evtracing *tracing)
{
	struct evbar *bar = NULL;

	grow_bars(tracing);
	if (tracing->size > 0)
		bar = evpool_get_(&tracing->pool);
	if (bar == NULL) {
		tracing->lost++;
		return NULL;
	}
	*bar = (struct evbar){.id = ++tracing->last_id};
	tracing->count++;
	return bar;
}

static void
free_bar(struct evtracing *tracing, struct evbar *bar)
{
	evpool_put_(&tracing->pool, bar);
	tracing->count--;
}

/* Takes it out.  NULL if there is none: it was lost, or had begun before. */
static struct evbar *
take_bar(
    struct evtracing *tracing, const void *of, const void *owner, unsigned mode)
{
	struct evbar **at, *bar;

	if (tracing->size == 0)
		return NULL;
	at = bucket_of(tracing, of, owner, mode);
	while ((bar = *at) != NULL) {
		if (bar->of == of && bar->owner == owner && bar->mode == mode) {
			*at = bar->next;
			return bar;
		}
		at = &bar->next;
	}
	return NULL;
}

static void
put_bar(struct evtracing *tracing, struct evbar *bar, const void *of,
    const void *owner, unsigned mode)
{
	bar->of = of;
	bar->owner = owner;
	bar->mode = mode;
	insert_bar(tracing, bar);
}

/*
 * Events.
 */

static void
begin_event(struct evtracing *tracing, const struct evbar *bar, char phase,
    uint64_t time)
{
	evpage_add_(&tracing->page,
	    ",\n{\"ph\":\"%c\",\"cat\":\"%s\",\"id\":\"0x%" PRIx64
	    "\",\"ts\":%" PRIu64 ".%03u,\"pid\":%d,\"tid\":%u,\"name\":",
	    phase, bar->state == EVBAR_DEFERRED ? "deferred" : "lock",
	    (uint64_t)tracing->number << 40 | bar->id, time / 1000,
	    (unsigned)(time % 1000), (int)getpid(), tracing->number);
}

static void
end_event(struct evtracing *tracing)
{
	evpage_add_(&tracing->page, "}");
	evtracing_added_(tracing);
}

/* That of an acquire. */
static void
add_outer(struct evtracing *tracing, const struct evbar *bar, char phase,
    uint64_t time)
{
	begin_event(tracing, bar, phase, time);
	evpage_quote_json_(&tracing->page, bar->name);
}

/* Of what is in it. */
static void
add_inner(struct evtracing *tracing, const struct evbar *bar, char phase,
    const char *before, uint64_t time)
{
	char name[96];

	snprintf(name, sizeof(name), "%s%s%s%s", before, bar->verb,
	    bar->owner_name[0] != '\0' ? ": " : "", bar->owner_name);
	begin_event(tracing, bar, phase, time);
	evpage_quote_json_(&tracing->page, name);
	end_event(tracing);
}

static void
add_wait(struct evtracing *tracing, const struct evbar *bar, char phase,
    uint64_t time)
{
	add_inner(tracing, bar, phase, "waits to ", time);
}

static void
add_instant(struct evtracing *tracing, const struct evbar *bar,
    const char *name, uint64_t time)
{
	begin_event(tracing, bar, 'n', time);
	evpage_add_(&tracing->page, "\"%s\"", name);
	end_event(tracing);
}

static void
end_inner(struct evtracing *tracing, const struct evbar *bar, uint64_t time)
{
	if (bar->state == EVBAR_WAITS)
		add_wait(tracing, bar, 'e', time);
	else if (bar->state == EVBAR_HOLDS)
		add_inner(tracing, bar, 'e', "", time);
}

/* With the reason, or 0. */
static void
end_bar(struct evtracing *tracing, struct evbar *bar, int error)
{
	const uint64_t now = evdefer_base_now_();

	end_inner(tracing, bar, now);
	add_outer(tracing, bar, 'e', now);
	if (error != 0)
		evpage_add_(&tracing->page, ",\"args\":{\"error\":%d}", error);
	end_event(tracing);
	free_bar(tracing, bar);
}

/*
 * The observer of locks.
 */

static const char *
verb_of(const struct evobserver_event *event)
{
	static const char *const modes[] = {[EVRWLOCK_READ] = "read",
	    [EVRWLOCK_UPGRADABLE] = "read upgradably",
	    [EVRWLOCK_WRITE] = "write"};

	switch (event->kind) {
	case EVOBSERVER_QUEUE:
		return "get";
	case EVOBSERVER_RWLOCK:
		return modes[event->mode];
	case EVOBSERVER_MUTEX:
	case EVOBSERVER_SEMAPHORE:
		break;
	}
	return "hold";
}

static const char *
kind_of(const struct evobserver_event *event)
{
	static const char *const kinds[] = {[EVOBSERVER_RWLOCK] = "lock",
	    [EVOBSERVER_SEMAPHORE] = "semaphore",
	    [EVOBSERVER_MUTEX] = "mutex",
	    [EVOBSERVER_QUEUE] = "queue"};

	return kinds[event->kind];
}

static void
name_bar(struct evbar *bar, const struct evobserver_event *event)
{
	bar->verb = verb_of(event);
	if (event->lock_name != NULL)
		snprintf(bar->name, sizeof(bar->name), "%s", event->lock_name);
	else
		snprintf(bar->name, sizeof(bar->name), "%s %p", kind_of(event),
		    event->lock);
	if (event->owner_name != NULL)
		snprintf(bar->owner_name, sizeof(bar->owner_name), "%s",
		    event->owner_name);
}

/* NULL once it has stopped. */
static struct evtracing *
tracing_of(void *arg)
{
	struct evtracing *tracing = arg;

	return atomic_load_explicit(
		   &tracing->trace->error, memory_order_relaxed) == 0
		   ? tracing
		   : NULL;
}

static void
trace_acquire(const struct evobserver_event *event, void *arg)
{
	struct evtracing *tracing = tracing_of(arg);
	struct evbar *bar;
	uint64_t now;

	if (tracing == NULL)
		return;
	bar = new_bar(tracing);
	if (bar == NULL)
		return;
	name_bar(bar, event);
	now = evdefer_base_now_();
	add_outer(tracing, bar, 'b', now);
	evpage_add_(&tracing->page,
	    ",\"args\":{\"kind\":\"%s\","
	    "\"mode\":\"%s\",\"address\":\"%p\",\"owner\":",
	    kind_of(event), bar->verb, event->lock);
	evpage_quote_json_(&tracing->page, event->owner_name);
	evpage_add_(&tracing->page, "}");
	end_event(tracing);
	if (event->waits) {
		bar->state = EVBAR_WAITS;
		add_wait(tracing, bar, 'b', now);
	}
	if (event->deferred == NULL)
		tracing->attempt = bar;
	else
		put_bar(tracing, bar, event->deferred, NULL, KEY_WAIT);
}

/* The bar of an acquire that goes on, taken from where it is. */
static struct evbar *
take_acquire(struct evtracing *tracing, const struct evobserver_event *event)
{
	struct evbar *bar = tracing->attempt;

	if (event->deferred != NULL)
		return take_bar(tracing, event->deferred, NULL, KEY_WAIT);
	tracing->attempt = NULL;
	return bar;
}

static void
trace_grant(const struct evobserver_event *event, void *arg)
{
	struct evtracing *tracing = tracing_of(arg);
	struct evbar *bar;
	uint64_t now;

	if (tracing == NULL)
		return;
	bar = take_acquire(tracing, event);
	if (bar == NULL)
		return;
	now = evdefer_base_now_();
	end_inner(tracing, bar, now);
	bar->state = EVBAR_HOLDS;
	add_inner(tracing, bar, 'b', "", now);
	if (event->deferred == NULL)
		tracing->attempt = bar;
	else
		put_bar(tracing, bar, event->deferred, NULL, KEY_WAIT);
}

static void
trace_delivery(const struct evobserver_event *event, void *arg)
{
	struct evtracing *tracing = tracing_of(arg);
	struct evbar *bar;

	if (tracing == NULL)
		return;
	bar = take_acquire(tracing, event);
	if (bar == NULL)
		return;
	add_instant(tracing, bar, "delivered", evdefer_base_now_());
	if (event->kind == EVOBSERVER_QUEUE)
		end_bar(tracing, bar, 0);
	else
		put_bar(tracing, bar, event->lock, event->owner, event->mode);
}

static void
trace_release(const struct evobserver_event *event, void *arg)
{
	struct evtracing *tracing = tracing_of(arg);
	struct evbar *bar;

	if (tracing == NULL)
		return;
	bar = take_bar(tracing, event->lock, event->owner, event->mode);
	if (bar != NULL)
		end_bar(tracing, bar, 0);
}

static void
trace_cancel(const struct evobserver_event *event, void *arg)
{
	struct evtracing *tracing = tracing_of(arg);
	struct evbar *bar;

	if (tracing == NULL)
		return;
	bar = take_acquire(tracing, event);
	if (bar != NULL)
		end_bar(tracing, bar, event->error);
}

/*
 * That of Deferreds.
 */

static void
trace_made(const struct evdeferred *d, void *arg)
{
	struct evtracing *tracing = tracing_of(arg);
	struct evbar *bar;

	if (tracing == NULL || (bar = new_bar(tracing)) == NULL)
		return;
	bar->state = EVBAR_DEFERRED;
	snprintf(bar->name, sizeof(bar->name), "Deferred");
	put_bar(tracing, bar, d, NULL, KEY_DEFERRED);
	add_outer(tracing, bar, 'b', evdefer_base_now_());
	evpage_add_(
	    &tracing->page, ",\"args\":{\"address\":\"%p\"}", (const void *)d);
	end_event(tracing);
}

static void
trace_fired(const struct evdeferred *d, int code, void *arg)
{
	struct evtracing *tracing = tracing_of(arg);
	struct evbar *bar;

	if (tracing == NULL)
		return;
	bar = take_bar(tracing, d, NULL, KEY_DEFERRED);
	if (bar == NULL)
		return;
	insert_bar(tracing, bar);
	begin_event(tracing, bar, 'n', evdefer_base_now_());
	evpage_add_(&tracing->page, "\"fired\",\"args\":{\"error\":%d}", code);
	end_event(tracing);
}

static void
trace_gone(const struct evdeferred *d, void *arg)
{
	struct evtracing *tracing = tracing_of(arg);
	struct evbar *bar;

	if (tracing == NULL)
		return;
	bar = take_bar(tracing, d, NULL, KEY_DEFERRED);
	if (bar != NULL)
		end_bar(tracing, bar, 0);
}

const struct evobserver evtrace_locks_ = {.acquire = trace_acquire,
    .grant = trace_grant,
    .deliver = trace_delivery,
    .release = trace_release,
    .cancel = trace_cancel};

const struct evobserver evtrace_all_ = {trace_acquire, trace_grant,
    trace_delivery, trace_release, trace_cancel, trace_made, trace_fired,
    trace_gone};

/*
 * Beginning and end.
 */

void
evtracing_init_bars_(struct evtracing *tracing)
{
	evpool_init_(&tracing->pool, sizeof(struct evbar));
	tracing->buckets = NULL;
	tracing->size = tracing->count = tracing->lost = 0;
	tracing->last_id = 0;
	tracing->attempt = NULL;
}

/* An instant of its own says what is missing. */
static void
add_lost(struct evtracing *tracing)
{
	const uint64_t now = evdefer_base_now_();

	if (tracing->lost == 0)
		return;
	evpage_add_(&tracing->page,
	    ",\n{\"ph\":\"i\",\"s\":\"t\",\"ts\":%" PRIu64
	    ",\"pid\":%d,\"tid\":%u,\"name\":\"lost\",\"args\":{\"count\":"
	    "%zu}}",
	    now / 1000, (int)getpid(), tracing->number, tracing->lost);
}

void
evtracing_end_bars_(struct evtracing *tracing)
{
	struct evbar *bar;
	size_t i;

	for (i = 0; i < tracing->size; i++) {
		while ((bar = tracing->buckets[i]) != NULL) {
			tracing->buckets[i] = bar->next;
			end_bar(tracing, bar, 0);
		}
	}
	add_lost(tracing);
}

void
evtracing_destroy_bars_(struct evtracing *tracing)
{
	evpool_destroy_(&tracing->pool);
	free(tracing->buckets);
}
