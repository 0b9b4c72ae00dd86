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

struct tour {
	struct letter letter;
	struct loop *home;
	struct loop *at;
	struct evdeferred *done; /* NULL: nobody waits any more */
	struct evdeferred *part; /* the report of the loop where it is */
	bool over;
	int error;
	enum evdefer_report_format format;
	evdefer_report_write_fn write;
	void *arg;
	void (*free_arg)(void *arg);
};

static void
come_home(struct tour *tour)
{
	struct evdeferred *done = tour->done;
	void *arg = tour->arg;
	void (*free_arg)(void *arg) = tour->free_arg;
	const int error = tour->error;

	free(tour);
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
send_on(struct tour *tour, struct loop *to)
{
	tour->at = to;
	mailbox_send(&to->mailbox, &tour->letter);
}

static void
say(struct tour *tour, const char *text)
{
	if (tour->error != 0 || tour->write(text, strlen(text), tour->arg) == 0)
		return;
	tour->error = errno != 0 ? errno : EIO;
}

/* What comes before the report of a loop. */
static void
say_loop(struct tour *tour)
{
	const unsigned number = tour->at->number;
	char text[32] = "";

	if (tour->format == EVDEFER_REPORT_JSON)
		strcpy(text, tour->at == tour->home ? "[" : ",");
	else if (tour->home->server->loop_count > 1)
		snprintf(text, sizeof(text), "%s loop %u:\n",
		    tour->format == EVDEFER_REPORT_TEXT ? "#" : "//", number);
	if (text[0] != '\0')
		say(tour, text);
}

static void
go_on(struct tour *tour)
{
	struct server *server = tour->home->server;
	struct loop *next =
	    &server->loops[(tour->at->number + 1) % server->loop_count];

	tour->over = tour->error != 0 || next == tour->home;
	if (tour->over && tour->format == EVDEFER_REPORT_JSON)
		say(tour, "]\n");
	send_on(tour, tour->over ? tour->home : next);
}

static struct evresult
end_part(struct evresult result, void *arg)
{
	struct tour *tour = arg;
	const struct evfailure *failure = evresult_get_failure(result);

	if (failure != NULL)
		tour->error = evfailure_get_code(failure);
	/* From inside its own link: it goes when this returns. */
	evdeferred_free(tour->part);
	go_on(tour);
	return evresult_value(NULL);
}

static void
report_loop(struct tour *tour)
{
	say_loop(tour);
	tour->part = evdefer_base_report(
	    tour->at->base, tour->format, tour->write, tour->arg);
	if (tour->part != NULL &&
	    evdeferred_add_both(tour->part, end_part, tour) == 0)
		return;
	tour->error = errno;
	evdeferred_free(tour->part);
	go_on(tour);
}

static void
visit(void *arg)
{
	struct tour *tour = arg;

	if (tour->over)
		come_home(tour);
	else
		report_loop(tour);
}

static void
cancel(struct evdeferred *d, void *arg)
{
	struct tour *tour = arg;

	(void)d;
	tour->done = NULL;
}

struct evdeferred *
locks_report(struct loop *loop, enum evdefer_report_format format,
    evdefer_report_write_fn write, void *arg, void (*free_arg)(void *arg))
{
	struct tour *tour = calloc(1, sizeof(*tour));

	if (tour == NULL)
		return NULL;
	tour->done = evdeferred_new(loop->base, cancel, tour);
	if (tour->done == NULL) {
		free(tour);
		return NULL;
	}
	letter_init(&tour->letter, visit, tour);
	tour->home = loop;
	tour->format = format;
	tour->write = write;
	tour->arg = arg;
	tour->free_arg = free_arg;
	/* As the other loops, in a turn of its own. */
	send_on(tour, loop);
	return tour->done;
}
