/* SPDX-License-Identifier: MIT */
/* Its memory, and who waits for it. */
#include "cluster-internal.h"

#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include <evdefer/deferred.h>

#include "../base-internal.h"
#include "../refuse-internal.h"

/* Somebody who waits for it to be connected, or closed. */
struct waiting {
	struct evlist node;
	struct evdeferred *d;
};

/*
 * Memory.
 */

void
evcluster_destroy_(struct evcluster *cluster)
{
	struct evdefer_base *base = cluster->base;

	evlist_remove_(&cluster->node);
	if (cluster->timer != NULL)
		event_free(cluster->timer);
	free((char *)cluster->options.root);
	free((char *)cluster->options.auth_scheme);
	free((char *)cluster->options.auth_credentials);
	free(cluster->servers);
	free(cluster);
	evdefer_base_unuse_(base);
}

void
evcluster_use_(struct evcluster *cluster)
{
	cluster->users++;
}

void
evcluster_unuse_(struct evcluster *cluster)
{
	if (--cluster->users == 0 && cluster->freed &&
	    cluster->seat_count == 0 && cluster->aim == EVCLUSTER_REST)
		evcluster_destroy_(cluster);
}

/*
 * Waiting.
 */

static void
stop_waiting(struct evdeferred *d, void *arg)
{
	struct waiting *waiting = arg;

	(void)d;
	evlist_remove_(&waiting->node);
	free(waiting);
}

struct evdeferred *
evcluster_wait_(struct evcluster *cluster, struct evlist *list)
{
	struct waiting *waiting = malloc(sizeof(*waiting));

	if (waiting == NULL)
		return evdefer_refuse_new_(ENOMEM);
	waiting->d = evdeferred_new(cluster->base, stop_waiting, waiting);
	if (waiting->d == NULL) {
		free(waiting);
		return NULL;
	}
	evlist_append_(list, &waiting->node);
	return waiting->d;
}

static struct evdeferred *
take_first(struct evlist *list)
{
	struct waiting *waiting =
	    EVLIST_ELEMENT(evlist_pop_(list), struct waiting, node);
	struct evdeferred *d = waiting->d;

	free(waiting);
	return d;
}

/* Those alone that wait by now. */
static void
tell(struct evlist *list, int error, const char *sentence)
{
	struct evlist told;

	if (evlist_empty_(list))
		return;
	evlist_init_(&told);
	evlist_join_(&told, list);
	while (!evlist_empty_(&told)) {
		if (error == 0)
			evdeferred_callback(take_first(&told), NULL);
		else
			evdeferred_errback(
			    take_first(&told), error, "%s", sentence);
	}
}

void
evcluster_tell_connects_(
    struct evcluster *cluster, int error, const char *sentence)
{
	tell(&cluster->connects, error, sentence);
}

void
evcluster_tell_closes_(struct evcluster *cluster)
{
	tell(&cluster->closes, 0, NULL);
}
