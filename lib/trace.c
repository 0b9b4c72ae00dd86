/* SPDX-License-Identifier: MIT */
#include "trace-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static int
write_fd(const void *data, size_t length, void *arg)
{
	const struct evtrace *trace = arg;
	const char *rest = data;
	ssize_t count;

	while (length > 0) {
		count = write(trace->fd, rest, length);
		if (count == -1 && errno == EINTR)
			continue;
		if (count == -1)
			return -1;
		rest += count;
		length -= (size_t)count;
	}
	return 0;
}

static int
result_of(const struct evtrace *trace)
{
	const int error = atomic_load(&trace->error);

	return error != 0 ? evdefer_refuse_(error) : 0;
}

/*
 * Bases.
 */

static void
init_tracing(struct evdefer_base_part *part)
{
	evtracing_init_bars_(EVLIST_ELEMENT(part, struct evtracing, part));
}

static void
remove_tracing(struct evtracing *tracing)
{
	struct evtrace *trace = tracing->trace;

	evdefer_base_set_observer(tracing->part.base, NULL, NULL);
	evtracing_end_bars_(tracing);
	evtracing_write_(tracing);
	evtracing_destroy_bars_(tracing);
	evtracing_init_bars_(tracing);
	evpage_destroy_(&tracing->page);
	tracing->page = (struct evpage){0};
	tracing->trace = NULL;
	pthread_mutex_lock(&trace->mutex);
	trace->bases--;
	pthread_mutex_unlock(&trace->mutex);
}

static void
close_tracing(struct evdefer_base_part *part)
{
	struct evtracing *tracing =
	    EVLIST_ELEMENT(part, struct evtracing, part);

	if (tracing->trace != NULL)
		remove_tracing(tracing);
}

static const struct evdefer_base_part_type tracing_type = {
    .size = sizeof(struct evtracing),
    .init = init_tracing,
    .close = close_tracing};

static void
add_thread_name(struct evtracing *tracing, const char *name)
{
	struct evpage *page = &tracing->page;

	evpage_add_(page,
	    ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%u,"
	    "\"name\":\"thread_name\",\"args\":{\"name\":",
	    (int)getpid(), tracing->number);
	if (name != NULL)
		evpage_quote_json_(page, name);
	else
		evpage_add_(page, "\"loop %u\"", tracing->number);
	evpage_add_(page, "}}");
}

int
evtrace_add(struct evtrace *trace, struct evdefer_base *base, const char *name)
{
	struct evdefer_base_part *part;
	struct evtracing *tracing;

	if (trace == NULL || base == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	if (evdefer_base_closed_(base))
		return evdefer_refuse_(ESHUTDOWN);
	if (base->observing.observer != NULL)
		return evdefer_refuse_(EBUSY);
	part = evdefer_base_get_part_(base, &tracing_type);
	if (part == NULL)
		return -1;
	tracing = EVLIST_ELEMENT(part, struct evtracing, part);
	if (!evpage_reserve_(
		&tracing->page, EVTRACE_KEPT + EVTRACE_LONGEST_EVENT))
		return evdefer_refuse_(ENOMEM);
	tracing->trace = trace;
	pthread_mutex_lock(&trace->mutex);
	trace->bases++;
	tracing->number = ++trace->last_number;
	pthread_mutex_unlock(&trace->mutex);
	add_thread_name(tracing, name);
	return evdefer_base_set_observer(base,
	    trace->flags & EVTRACE_DEFERREDS ? &evtrace_all_ : &evtrace_locks_,
	    tracing);
}

/* NULL with errno. */
static struct evtracing *
find_tracing(struct evdefer_base *base)
{
	struct evdefer_base_part *part;

	if (base == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(base);
	for (part = base->parts; part != NULL; part = part->next) {
		struct evtracing *tracing =
		    EVLIST_ELEMENT(part, struct evtracing, part);

		if (part->type == &tracing_type && tracing->trace != NULL)
			return tracing;
	}
	return evdefer_refuse_new_(ENOENT);
}

int
evtrace_remove(struct evdefer_base *base)
{
	struct evtracing *tracing = find_tracing(base);
	struct evtrace *trace;

	if (tracing == NULL)
		return -1;
	trace = tracing->trace;
	remove_tracing(tracing);
	return result_of(trace);
}

int
evtrace_flush(struct evdefer_base *base)
{
	struct evtracing *tracing = find_tracing(base);

	if (tracing == NULL)
		return -1;
	evtracing_write_(tracing);
	return result_of(tracing->trace);
}

/*
 * Making and ending.
 */

struct evtrace *
evtrace_new(evtrace_write_fn write, void *arg, unsigned flags)
{
	struct evtrace *trace;

	if (write == NULL || (flags & ~EVTRACE_DEFERREDS) != 0)
		return evdefer_refuse_new_(EINVAL);
	trace = calloc(1, sizeof(*trace));
	if (trace == NULL)
		return evdefer_refuse_new_(ENOMEM);
	trace->write = write;
	trace->arg = arg;
	trace->flags = flags;
	pthread_mutex_init(&trace->mutex, NULL);
	return trace;
}

struct evtrace *
evtrace_new_fd(int fd, unsigned flags)
{
	struct evtrace *trace = evtrace_new(write_fd, NULL, flags);

	if (trace == NULL)
		return NULL;
	trace->fd = fd;
	trace->arg = trace;
	return trace;
}

int
evtrace_free(struct evtrace *trace)
{
	const char *end;
	size_t bases;
	int result;

	if (trace == NULL)
		return 0;
	pthread_mutex_lock(&trace->mutex);
	bases = trace->bases;
	pthread_mutex_unlock(&trace->mutex);
	if (bases > 0)
		return evdefer_refuse_(EBUSY);
	end = trace->begun ? "\n]\n" : "[]\n";
	evtrace_write_out_(trace, end, 3);
	result = result_of(trace);
	pthread_mutex_destroy(&trace->mutex);
	free(trace);
	return result;
}
