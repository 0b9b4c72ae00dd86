/* SPDX-License-Identifier: MIT */
/* What the user calls: make, connect, close, free. */
#include "seats-internal.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <evdefer/base.h>
#include <evdefer/deferred.h>

#include "../base-internal.h"
#include "resolve-internal.h"

#define DEFAULT_TIMEOUT_MS 15000
#define DEFAULT_ROOT "/evdefer"

/*
 * Those of a base.
 */

struct clusters {
	struct evdefer_base_part part;
	struct evlist all;
};

static void
init_clusters(struct evdefer_base_part *part)
{
	evlist_init_(&EVLIST_ELEMENT(part, struct clusters, part)->all);
}

static void
close_clusters(struct evdefer_base_part *part)
{
	struct clusters *clusters = EVLIST_ELEMENT(part, struct clusters, part);

	while (!evlist_empty_(&clusters->all))
		evsession_abandon_(EVLIST_ELEMENT(
		    evlist_pop_(&clusters->all), struct evcluster, node));
}

static const struct evdefer_base_part_type clusters_type = {
    sizeof(struct clusters), init_clusters, close_clusters, NULL};

/*
 * Making.
 */

static bool
is_root(const char *root)
{
	const size_t length = strlen(root);

	return root[0] == '/' && length > 1 && length < 200 &&
	       root[length - 1] != '/' && strstr(root, "//") == NULL &&
	       strstr(root, "/.") == NULL;
}

static int
check_options(const struct evcluster_options *options)
{
	if (options->session_timeout_ms < 0 ||
	    (options->root != NULL && !is_root(options->root)) ||
	    (options->auth_scheme == NULL) !=
		(options->auth_credentials == NULL) ||
	    (options->creator_only && options->auth_scheme == NULL))
		return evdefer_refuse_(EINVAL);
	return 0;
}

/* Sets *copied to a copy, or NULL for NULL. */
static bool
copy_string(const char **copied, const char *string)
{
	*copied = string != NULL ? strdup(string) : NULL;
	return string == NULL || *copied != NULL;
}

static bool
copy_options(struct evcluster *cluster, const struct evcluster_options *options)
{
	struct evcluster_options *copy = &cluster->options;

	*copy = *options;
	if (copy->session_timeout_ms == 0)
		copy->session_timeout_ms = DEFAULT_TIMEOUT_MS;
	cluster->timeout_ms = copy->session_timeout_ms;
	/* All three, so that whatever fails can be freed. */
	return (int)copy_string(&copy->root,
		   options->root != NULL ? options->root : DEFAULT_ROOT) &
	       (int)copy_string(&copy->auth_scheme, options->auth_scheme) &
	       (int)copy_string(
		   &copy->auth_credentials, options->auth_credentials);
}

static void
init(struct evcluster *cluster, struct evdefer_base *base,
    struct clusters *clusters, evwire_open_fn open_wire)
{
	cluster->base = base;
	cluster->open_wire = open_wire;
	evlist_init_(&cluster->seats);
	evlist_init_(&cluster->connects);
	evlist_init_(&cluster->closes);
	evlist_init_(&cluster->listings);
	evlist_append_(&clusters->all, &cluster->node);
	cluster->handler = &evseats_;
	evsession_init_(cluster);
	evdefer_base_use_(base);
}

struct evcluster *
evcluster_new_on_(struct evdefer_base *base, const char *servers,
    const struct evcluster_options *options, evwire_open_fn open_wire)
{
	static const struct evcluster_options none;
	struct evdefer_base_part *part;
	struct evcluster *cluster;

	if (options == NULL)
		options = &none;
	if (base == NULL || evresolver_check_(servers) == -1 ||
	    check_options(options) == -1)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(base);
	if (evdefer_base_closed_(base))
		return evdefer_refuse_new_(ESHUTDOWN);
	part = evdefer_base_get_part_(base, &clusters_type);
	cluster = part != NULL ? calloc(1, sizeof(*cluster)) : NULL;
	if (cluster == NULL)
		return evdefer_refuse_new_(ENOMEM);
	init(cluster, base, EVLIST_ELEMENT(part, struct clusters, part),
	    open_wire);
	cluster->servers = strdup(servers);
	cluster->timer = event_new(
	    evdefer_base_get_event_base(base), -1, 0, evsession_look_, cluster);
	if (copy_options(cluster, options) && cluster->servers != NULL &&
	    cluster->timer != NULL)
		return cluster;
	evcluster_destroy_(cluster);
	return evdefer_refuse_new_(ENOMEM);
}

/*
 * Connecting and closing.
 */

struct evdeferred *
evcluster_connect(struct evcluster *cluster)
{
	struct evdeferred *d;

	if (cluster == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(cluster->base);
	if (evdefer_base_closed_(cluster->base))
		return evdefer_refuse_new_(ESHUTDOWN);
	if (cluster->aim == EVCLUSTER_OPEN &&
	    cluster->state == EVCLUSTER_CONNECTED)
		return evdeferred_succeed(cluster->base, NULL);
	d = evcluster_wait_(cluster, &cluster->connects);
	if (d == NULL)
		return NULL;
	cluster->ended = false;
	cluster->aim =
	    cluster->aim == EVCLUSTER_REST || cluster->aim == EVCLUSTER_OPEN
		? EVCLUSTER_OPEN
		: EVCLUSTER_RETURN;
	evsession_look_soon_(cluster);
	return d;
}

/* Those who wait for locks fail, and those who hold any have lost them. */
static void
end(struct evcluster *cluster)
{
	cluster->ended = true;
	if (cluster->aim == EVCLUSTER_OPEN || cluster->aim == EVCLUSTER_RETURN)
		cluster->aim = EVCLUSTER_LEAVE;
	cluster->deadline = 0;
	evseats_.fail(cluster, ENOTCONN, EVCLUSTER_WAS_CLOSED);
	evseats_.lose(cluster);
	evcluster_tell_connects_(cluster, ESHUTDOWN, EVCLUSTER_WAS_CLOSED);
	evsession_look_soon_(cluster);
}

struct evdeferred *
evcluster_close(struct evcluster *cluster)
{
	struct evdeferred *d;

	if (cluster == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(cluster->base);
	if (cluster->aim == EVCLUSTER_REST)
		return evdeferred_succeed(cluster->base, NULL);
	d = evcluster_wait_(cluster, &cluster->closes);
	if (d == NULL)
		return NULL;
	evcluster_use_(cluster);
	end(cluster);
	evcluster_unuse_(cluster);
	return d;
}

void
evcluster_free(struct evcluster *cluster)
{
	if (cluster == NULL)
		return;
	evdefer_base_check_(cluster->base);
	evcluster_use_(cluster);
	cluster->freed = true;
	end(cluster);
	evcluster_unuse_(cluster);
}

enum evcluster_state
evcluster_get_state(const struct evcluster *cluster)
{
	return cluster != NULL ? cluster->state : EVCLUSTER_CLOSED;
}
