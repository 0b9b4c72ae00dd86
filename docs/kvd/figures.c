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
#include "tour.h"

struct gathering {
	struct figures figures; /* comes first: it is the result */
	struct tour tour;
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
come_home(struct gathering *gathering)
{
	if (gathering->tour.done != NULL)
		evdeferred_fire(
		    gathering->tour.done, evresult_owned(gathering, free));
	else
		free(gathering);
}

static void
visit(void *arg)
{
	struct gathering *gathering = arg;
	struct tour *tour = &gathering->tour;

	if (tour->at == tour->home) {
		come_home(gathering);
		return;
	}
	figures_add(&gathering->figures, tour->at);
	tour_send(tour, tour_next(tour));
}

struct evdeferred *
figures_gather(struct loop *loop)
{
	struct gathering *gathering = calloc(1, sizeof(*gathering));
	struct tour *tour;

	if (gathering == NULL)
		return NULL;
	tour = &gathering->tour;
	if (tour_init(tour, loop, visit, gathering) == -1) {
		free(gathering);
		return NULL;
	}
	figures_add(&gathering->figures, loop);
	tour_send(tour, tour_next(tour));
	return tour->done;
}
