/* SPDX-License-Identifier: MIT */
/*
 * A report goes through the locks of a base.  Its place is in their list: all before
 * it have been told of.  So it does not matter which of them come and go meanwhile.
 */
#include "report-internal.h"

#include <stdlib.h>
#include <string.h>

#include "waitqueue-internal.h"

_Static_assert(EVDEFER_REPORT_NAMES == EVSTATEMENT_NAMES, "as is promised");

/* So many bytes are as much work as a delivery. */
#define BYTES_OF_A_DELIVERY 64

struct report {
	struct evready ready; /* in the ready queue, but while it is at work */
	struct evplain place;
	uint64_t last; /* the number of the last one to be told of */
	size_t told;
	struct evdefer_base *base;
	struct evdeferred *d; /* NULL once it was cancelled */
	const struct evformat *format;
	evdefer_report_write_fn write;
	void *arg;
	struct evpage page;
	struct evplaces places;
	bool begun;
	bool working;
};

static void
free_report(struct report *report)
{
	struct evdefer_base *base = report->base;

	evlist_remove_(&report->place.node);
	evlist_remove_(&report->ready.node);
	evpage_destroy_(&report->page);
	free(report);
	evdefer_base_unuse_(base);
}

static void
cancel_report(struct evdeferred *d, void *arg)
{
	struct report *report = arg;

	(void)d;
	report->d = NULL;
	if (!report->working)
		free_report(report);
}

/* It is complete, or has failed with an errno code. */
static void
finish_report(struct report *report, int error)
{
	struct evdeferred *d = report->d;

	free_report(report);
	if (d == NULL)
		return;
	evdeferred_produce_(
	    d, error == 0
		   ? evresult_value(NULL)
		   : evresult_fail(error, "the report could not be written: %s",
			 strerror(error)));
}

/* The next one to be told of; NULL if there is none. */
static struct evwaitqueue *
next_queue(const struct report *report)
{
	const struct evlist *node = report->place.node.next;
	const struct evplain *place;

	for (; node != &report->base->plains; node = node->next) {
		place = EVLIST_ELEMENT(node, const struct evplain, node);
		if (place->number > report->last)
			return NULL;
		/* Other reports stand there, too. */
		if (place->number > 0)
			return EVLIST_ELEMENT(place, struct evwaitqueue, ways);
	}
	return NULL;
}

static void
pass(struct report *report, struct evwaitqueue *queue)
{
	evlist_remove_(&report->place.node);
	/* In front of the next one. */
	evlist_append_(queue->ways.node.next, &report->place.node);
}

/* Puts it onto the page. */
static void
tell_of_queue(struct report *report, struct evwaitqueue *queue)
{
	struct evstatement statement = {.format = report->format,
	    .page = &report->page,
	    .places = &report->places,
	    .lock = queue,
	    .number = queue->ways.number,
	    .now = evdefer_base_now_(),
	    .follows = report->told > 0};

	queue->type->describe(queue, &statement);
	evstatement_end_(&statement);
	report->told++;
	report->base->deliveries +=
	    statement.looks + report->page.length / BYTES_OF_A_DELIVERY;
}

/* 0, or an errno code. */
static int
write_page(struct report *report)
{
	struct evpage *page = &report->page;

	if (page->failed)
		return ENOMEM;
	if (page->length == 0)
		return 0;
	errno = 0;
	if (report->write(page->bytes, page->length, report->arg) == 0)
		return 0;
	return errno != 0 ? errno : EIO;
}

/* Writes the next piece, and says whether there is more. */
static bool
tell_more(struct report *report)
{
	struct evwaitqueue *queue = next_queue(report);
	int error;

	evpage_turn_(&report->page);
	if (!report->begun)
		report->format->begin(&report->page, report->base->debug);
	report->begun = true;
	if (queue != NULL) {
		pass(report, queue);
		tell_of_queue(report, queue);
	} else {
		report->format->end(&report->page, report->told);
	}
	report->working = true;
	error = write_page(report);
	report->working = false;
	if (report->d != NULL && error == 0 && queue != NULL)
		return true;
	finish_report(report, error);
	return false;
}

static void
deliver_report(struct evready *ready)
{
	struct report *report = EVLIST_ELEMENT(ready, struct report, ready);

	/* It takes turns with what else is ready.  But when its base was closed, no
	 * turn will come. */
	evlist_remove_(&ready->node);
	while (tell_more(report)) {
		if (!evdefer_base_closed_(report->base)) {
			evlist_append_(&report->base->ready, &ready->node);
			return;
		}
	}
}

static const struct evformat *
find_format(enum evdefer_report_format format)
{
	switch (format) {
	case EVDEFER_REPORT_TEXT:
		return &evformat_text_;
	case EVDEFER_REPORT_JSON:
		return &evformat_json_;
	case EVDEFER_REPORT_GRAPH:
		return &evformat_graph_;
	}
	return NULL;
}

static int
check_report(const struct evdefer_base *base, enum evdefer_report_format format,
    evdefer_report_write_fn write)
{
	if (base == NULL || write == NULL || find_format(format) == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	if (evdefer_base_closed_(base))
		return evdefer_refuse_(ESHUTDOWN);
	return 0;
}

struct evdeferred *
evdefer_base_report(struct evdefer_base *base,
    enum evdefer_report_format format, evdefer_report_write_fn write, void *arg)
{
	struct report *report;

	if (check_report(base, format, write) == -1)
		return NULL;
	report = calloc(1, sizeof(*report));
	if (report == NULL)
		return evdefer_refuse_new_(ENOMEM);
	report->d = evdeferred_new_private_(base, cancel_report, report);
	if (report->d == NULL) {
		free(report);
		return evdefer_refuse_new_(ENOMEM);
	}
	report->base = base;
	report->last = base->last_queue;
	report->format = find_format(format);
	report->write = write;
	report->arg = arg;
	report->ready.deliver = deliver_report;
	evdefer_base_use_(base);
	/* Before all others. */
	evlist_append_(base->plains.next, &report->place.node);
	evdefer_base_make_ready_(base, &report->ready);
	return report->d;
}
