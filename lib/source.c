/* SPDX-License-Identifier: MIT */
#include "source-internal.h"

#include "call-internal.h"

/* For ask_first. */
static const atomic_uchar always = 1;

/* Those of a base. */
struct sources {
	struct evdefer_base_part part;
	struct evlist all;
};

static void
init_sources(struct evdefer_base_part *part)
{
	evlist_init_(&EVLIST_ELEMENT(part, struct sources, part)->all);
}

/* Nobody can tell a closed base that a right has come: who waits for one fails. */
static void
close_sources(struct evdefer_base_part *part)
{
	struct sources *sources = EVLIST_ELEMENT(part, struct sources, part);
	struct evsource *source;

	while (!evlist_empty_(&sources->all)) {
		source = EVLIST_ELEMENT(
		    evlist_pop_(&sources->all), struct evsource, node);
		evsource_ask_always_(source);
		evwaitqueue_fail_(source->queue);
	}
}

static const struct evdefer_base_part_type sources_type = {
    sizeof(struct sources), init_sources, close_sources, NULL};

int
evsource_attach_(struct evsource *source, struct evwaitqueue *queue)
{
	struct evdefer_base_part *part =
	    evdefer_base_get_part_(queue->base, &sources_type);

	if (part == NULL)
		return -1;
	source->queue = queue;
	evlist_init_(&source->bodies);
	source->ask_first_unlost = source->ask_first;
	queue->ways.has_source = true;
	queue->ways.special = source->fenced;
	evdefer_base_update_plain_(queue->base, &queue->ways);
	evlist_append_(
	    &EVLIST_ELEMENT(part, struct sources, part)->all, &source->node);
	return 0;
}

void
evsource_ask_always_(struct evsource *source)
{
	source->ask_first = source->ask_first_unlost = &always;
}

void
evsource_begin_loss_(struct evsource *source)
{
	source->lost = true;
	source->losses++;
	source->ask_first = &always;
	evsource_await_(source, false);
}

void
evsource_end_loss_(struct evsource *source)
{
	source->lost = false;
	source->ask_first = source->ask_first_unlost;
}

void
evsource_await_(struct evsource *source, bool awaiting)
{
	if (awaiting == source->awaiting)
		return;
	source->awaiting = awaiting;
	if (awaiting)
		evcalls_await_(source->queue->base);
	else
		evcalls_await_no_more_(source->queue->base);
}

void
evsource_detach_(struct evsource *source)
{
	evlist_remove_(&source->node);
	/* Those of owners that were freed may go on. */
	while (!evlist_empty_(&source->bodies))
		evlist_pop_(&source->bodies);
	source->type->leave(source);
}
