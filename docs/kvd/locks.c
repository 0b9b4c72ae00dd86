/* SPDX-License-Identifier: MIT */
/*
 * Who holds which locks and who waits for them.
 */
#include "locks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/deferred.h>

#include "loop.h"
#include "server.h"
#include "tour.h"

struct inquiry {
	struct tour tour;
	struct evdeferred *part; /* the report of the loop where it is */
	bool over;
	int error;
	enum evdefer_report_format format;
	evdefer_report_write_fn write;
	void *arg;
	void (*free_arg)(void *arg);
};

static void
come_home(struct inquiry *inquiry)
{
	struct evdeferred *done = inquiry->tour.done;
	void *arg = inquiry->arg;
	void (*free_arg)(void *arg) = inquiry->free_arg;
	const int error = inquiry->error;

	free(inquiry);
	if (done != NULL && error == 0) {
		evdeferred_fire(done, evresult_owned(arg, free_arg));
		return;
	}
	free_arg(arg);
	if (done != NULL)
		evdeferred_errback(
		    done, error, "no report of the locks: %s", strerror(error));
}

static void
say(struct inquiry *inquiry, const char *text)
{
	if (inquiry->error != 0 ||
	    inquiry->write(text, strlen(text), inquiry->arg) == 0)
		return;
	inquiry->error = errno != 0 ? errno : EIO;
}

/* What comes before the report of a loop. */
static void
say_loop(struct inquiry *inquiry)
{
	const unsigned number = inquiry->tour.at->number;
	char text[32] = "";

	if (inquiry->format == EVDEFER_REPORT_JSON)
		strcpy(
		    text, inquiry->tour.at == inquiry->tour.home ? "[" : ",");
	else if (inquiry->tour.home->server->loop_count > 1)
		snprintf(text, sizeof(text), "%s loop %u:\n",
		    inquiry->format == EVDEFER_REPORT_TEXT ? "#" : "//",
		    number);
	if (text[0] != '\0')
		say(inquiry, text);
}

static void
go_on(struct inquiry *inquiry)
{
	struct loop *next = tour_next(&inquiry->tour);

	inquiry->over = inquiry->error != 0 || next == inquiry->tour.home;
	if (inquiry->over && inquiry->format == EVDEFER_REPORT_JSON)
		say(inquiry, "]\n");
	tour_send(&inquiry->tour, inquiry->over ? inquiry->tour.home : next);
}

static struct evresult
end_part(struct evresult result, void *arg)
{
	struct inquiry *inquiry = arg;
	const struct evfailure *failure = evresult_get_failure(result);

	if (failure != NULL)
		inquiry->error = evfailure_get_code(failure);
	/* From inside its own link: it goes when this returns. */
	evdeferred_free(inquiry->part);
	go_on(inquiry);
	return evresult_value(NULL);
}

static void
report_loop(struct inquiry *inquiry)
{
	say_loop(inquiry);
	inquiry->part = evdefer_base_report(inquiry->tour.at->base,
	    inquiry->format, inquiry->write, inquiry->arg);
	if (inquiry->part != NULL &&
	    evdeferred_add_both(inquiry->part, end_part, inquiry) == 0)
		return;
	inquiry->error = errno;
	evdeferred_free(inquiry->part);
	go_on(inquiry);
}

static void
visit(void *arg)
{
	struct inquiry *inquiry = arg;

	if (inquiry->over)
		come_home(inquiry);
	else
		report_loop(inquiry);
}

struct evdeferred *
locks_report(struct loop *loop, enum evdefer_report_format format,
    evdefer_report_write_fn write, void *arg, void (*free_arg)(void *arg))
{
	struct inquiry *inquiry = calloc(1, sizeof(*inquiry));

	if (inquiry == NULL)
		return NULL;
	if (tour_init(&inquiry->tour, loop, visit, inquiry) == -1) {
		free(inquiry);
		return NULL;
	}
	inquiry->format = format;
	inquiry->write = write;
	inquiry->arg = arg;
	inquiry->free_arg = free_arg;
	/* As the other loops, in a turn of its own. */
	tour_send(&inquiry->tour, loop);
	return inquiry->tour.done;
}
