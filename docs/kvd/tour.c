/* SPDX-License-Identifier: MIT */
/*
 * A letter that goes round from loop to loop.
 */
#include "tour.h"

#include <evdefer/deferred.h>

#include "loop.h"
#include "server.h"

static void
cancel(struct evdeferred *d, void *arg)
{
	struct tour *tour = arg;

	(void)d;
	tour->done = NULL;
}

int
tour_init(
    struct tour *tour, struct loop *home, void (*visit)(void *arg), void *arg)
{
	letter_init(&tour->letter, visit, arg);
	tour->home = tour->at = home;
	tour->done = evdeferred_new(home->base, cancel, tour);
	return tour->done != NULL ? 0 : -1;
}

struct loop *
tour_next(const struct tour *tour)
{
	const struct server *server = tour->home->server;

	return &server->loops[(tour->at->number + 1) % server->loop_count];
}

void
tour_send(struct tour *tour, struct loop *to)
{
	tour->at = to;
	mailbox_send(&to->mailbox, &tour->letter);
}
