/* SPDX-License-Identifier: MIT */
/*
 * What INFO tells of all loops together.
 */
#include "figures.h"

#include <stdlib.h>

#include <evdefer/deferred.h>

#include "loop.h"
#include "names.h"
#include "server.h"

struct tour {
	struct figures figures; /* comes first: it is the result */
	struct letter letter;
	struct loop *home;
	struct loop *at;
	struct evdeferred *done; /* NULL: nobody waits any more */
};

static void
add_stats(struct evrwlock_stats *sum, const struct evrwlock *lock)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	sum->readers_inside += stats.readers_inside;
	sum->writers_inside += stats.writers_inside;
	sum->readers_waiting += stats.readers_waiting;
	sum->writers_waiting += stats.writers_waiting;
	sum->readers_granted += stats.readers_granted;
	sum->writers_granted += stats.writers_granted;
	sum->cancelled += stats.cancelled;
	sum->longest_queue += stats.longest_queue;
}

void
figures_add(struct figures *figures, const struct loop *loop)
{
	struct names *names = loop->server->names;

	figures->connected += atomic_load(&loop->connected);
	figures->buffered += loop->buffered.bytes;
	figures->evicted += loop->evicted;
	figures->timed_out += loop->timed_out;
	add_stats(&figures->lock, loop->lock);
	if (loop->batch_lock != loop->lock)
		add_stats(&figures->lock, loop->batch_lock);
	figures->named_locks =
	    names != NULL ? names_count(names) : loop->named.count;
	figures->named_lock_waiters += loop->named.waiters;
}

static void
come_home(struct tour *tour)
{
	if (tour->done != NULL)
		evdeferred_fire(tour->done, evresult_owned(tour, free));
	else
		free(tour);
}

static void
go_on(struct tour *tour)
{
	struct server *server = tour->home->server;
	const unsigned next = (tour->at->number + 1) % server->loop_count;

	tour->at = &server->loops[next];
	mailbox_send(&tour->at->mailbox, &tour->letter);
}

static void
visit(void *arg)
{
	struct tour *tour = arg;

	if (tour->at == tour->home) {
		come_home(tour);
		return;
	}
	figures_add(&tour->figures, tour->at);
	go_on(tour);
}

static void
cancel(struct evdeferred *d, void *arg)
{
	struct tour *tour = arg;

	(void)d;
	tour->done = NULL;
}

struct evdeferred *
figures_gather(struct loop *loop)
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
	tour->at = loop;
	figures_add(&tour->figures, loop);
	go_on(tour);
	return tour->done;
}
