/* SPDX-License-Identifier: MIT */
/*
 * It asks for one thing at a time: the locks, then of each who is in line, then what is in
 * each of these nodes.
 */
#include "listing-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/deferred.h>

#include "../base-internal.h"
#include "names-internal.h"
#include "session-internal.h"

#define WHO_SIZE 128

/* A node of a lock. */
struct found {
	size_t lock; /* its place among the names */
	bool writer;
	bool holding;
	struct evplace node;
	char who[WHO_SIZE];
	int64_t since_ms;
};

struct listing {
	struct evcluster *cluster;
	struct evlist node;   /* in the list of its cluster */
	struct evdeferred *d; /* NULL: nobody wants it any more */
	struct evwire_request request;
	void (*take)(struct listing *, const struct evwire_answer *);
	char **locks;
	size_t lock_count, lock; /* the one that is asked for */
	struct found *found;
	size_t count, size, read;
	bool pending;
	bool no_memory;
};

static void
free_listing(struct listing *listing)
{
	size_t i;

	evlist_remove_(&listing->node);
	for (i = 0; i < listing->lock_count; i++)
		free(listing->locks[i]);
	free(listing->locks);
	free(listing->found);
	free(listing);
}

/* A request that is under way needs its memory. */
static struct evdeferred *
end_listing(struct listing *listing)
{
	struct evdeferred *d = listing->d;

	listing->d = NULL;
	if (!listing->pending)
		free_listing(listing);
	return d;
}

static void
fail_listing(struct listing *listing, int error, const char *sentence)
{
	struct evdeferred *d = end_listing(listing);

	if (d != NULL)
		evdeferred_errback(d, error, "%s", sentence);
}

/*
 * What is fired.
 */

static size_t
strings_size(const struct listing *listing)
{
	size_t i, size = 0;

	for (i = 0; i < listing->count; i++)
		size += strlen(listing->locks[listing->found[i].lock]) + 1 +
			strlen(listing->found[i].who) + 1;
	return size;
}

/* Copies the string to the end, and moves that. */
static const char *
put_string(char **end, const char *string)
{
	const size_t size = strlen(string) + 1;
	char *copy = *end;

	memcpy(copy, string, size);
	*end += size;
	return copy;
}

/* NULL with ENOMEM. */
static struct evcluster_listing *
make_result(const struct listing *listing)
{
	const size_t entries = listing->count * sizeof(struct evcluster_entry);
	struct evcluster_listing *result =
	    malloc(sizeof(*result) + entries + strings_size(listing));
	char *end;
	size_t i;

	if (result == NULL)
		return evdefer_refuse_new_(ENOMEM);
	result->entries = (struct evcluster_entry *)(result + 1);
	end = (char *)(result->entries + listing->count);
	result->count = listing->count;
	for (i = 0; i < listing->count; i++) {
		const struct found *found = &listing->found[i];

		result->entries[i] = (struct evcluster_entry){
		    .lock = put_string(&end, listing->locks[found->lock]),
		    .who = put_string(&end, found->who),
		    .writer = found->writer,
		    .holding = found->holding,
		    .since_ms = found->since_ms};
	}
	return result;
}

static void
finish(struct listing *listing)
{
	struct evcluster_listing *result = make_result(listing);

	if (result == NULL)
		fail_listing(listing, ENOMEM, strerror(ENOMEM));
	else
		evdeferred_fire(
		    end_listing(listing), evresult_owned(result, free));
}

/*
 * Asking.
 */

typedef void (*take_fn)(struct listing *, const struct evwire_answer *);

/* For a list, or else what is in the node. */
static void
ask(struct listing *listing, bool list, const char *path, take_fn take)
{
	struct evwire *wire = listing->cluster->wire;
	struct evwire_request *request = &listing->request;
	int result;

	listing->take = take;
	result = list ? wire->type->list(wire, path, request)
		      : wire->type->get(wire, path, false, request);
	listing->pending = result == 0;
	if (!listing->pending)
		fail_listing(listing, errno,
		    errno == ENOTCONN ? "no server is reached"
				      : strerror(errno));
}

static void
path_of_lock(const struct listing *listing, const char *below, char *path)
{
	snprintf(path, EVNAMES_PATH, "%.200s/%.200s%s",
	    listing->cluster->options.root, listing->locks[listing->lock],
	    below);
}

/* NULL, and no_memory. */
static struct found *
add_found(struct listing *listing)
{
	const size_t size = listing->size > 0 ? 2 * listing->size : 16;
	struct found *found;

	if (listing->count == listing->size) {
		found = realloc(listing->found, size * sizeof(*found));
		if (found == NULL) {
			listing->no_memory = true;
			return NULL;
		}
		listing->found = found;
		listing->size = size;
	}
	found = &listing->found[listing->count++];
	*found = (struct found){.lock = listing->lock};
	return found;
}

static int
compare_found(const void *one, const void *two)
{
	const struct found *a = one, *b = two;

	return evnames_is_before_(&a->node, &b->node) ? -1 : 1;
}

static void ask_for_lock(struct listing *listing);

static void
take_place(struct listing *listing, const char *name)
{
	struct evplace place;
	struct found *found;

	if (!evnames_read_place_(name, &place))
		return;
	found = add_found(listing);
	if (found == NULL)
		return;
	found->writer = evnames_is_writer_(name);
	found->node = place;
}

/* Who is the first, and all readers that are before any who wants to write.  There is one. */
static void
see_who_holds(struct found *found, size_t count)
{
	size_t i;

	qsort(found, count, sizeof(*found), compare_found);
	for (i = 0; i < count && !found[i].writer; i++)
		found[i].holding = true;
	found[0].holding = true;
}

static void
take_line(struct listing *listing, const struct evwire_answer *answer)
{
	const size_t first = listing->count;
	size_t i;

	for (i = 0; i < answer->count; i++)
		take_place(listing, answer->names[i]);
	if (listing->count > first)
		see_who_holds(listing->found + first, listing->count - first);
	listing->lock++;
	ask_for_lock(listing);
}

static void ask_for_node(struct listing *listing);

static void
take_node(struct listing *listing, const struct evwire_answer *answer)
{
	struct found *found = &listing->found[listing->read];

	/* Who has left meanwhile is left out. */
	if (answer->error == EVWIRE_OK) {
		snprintf(found->who, sizeof(found->who), "%.*s",
		    answer->length < WHO_SIZE ? (int)answer->length
					      : WHO_SIZE - 1,
		    answer->data);
		found->since_ms = answer->created_ms;
		listing->read++;
	} else {
		memmove(found, found + 1,
		    (--listing->count - listing->read) * sizeof(*found));
	}
	ask_for_node(listing);
}

static void
ask_for_node(struct listing *listing)
{
	char path[EVNAMES_PATH];
	const struct found *found;

	if (listing->read == listing->count) {
		finish(listing);
		return;
	}
	found = &listing->found[listing->read];
	listing->lock = found->lock;
	path_of_lock(listing, "/", path);
	strcat(path, found->node.name);
	ask(listing, false, path, take_node);
}

static void
ask_for_lock(struct listing *listing)
{
	char path[EVNAMES_PATH];

	if (listing->no_memory) {
		fail_listing(listing, ENOMEM, strerror(ENOMEM));
		return;
	}
	if (listing->lock == listing->lock_count) {
		ask_for_node(listing);
		return;
	}
	path_of_lock(listing, "", path);
	ask(listing, true, path, take_line);
}

static int
compare_strings(const void *one, const void *two)
{
	return strcmp(*(char *const *)one, *(char *const *)two);
}

static void
take_locks(struct listing *listing, const struct evwire_answer *answer)
{
	size_t i;

	listing->locks = calloc(answer->count + 1, sizeof(char *));
	for (i = 0; i < answer->count && listing->locks != NULL; i++) {
		if (!evnames_is_lock_(answer->names[i]))
			continue;
		listing->locks[listing->lock_count] = strdup(answer->names[i]);
		if (listing->locks[listing->lock_count] == NULL)
			break;
		listing->lock_count++;
	}
	listing->no_memory = i < answer->count || listing->locks == NULL;
	if (!listing->no_memory)
		qsort(listing->locks, listing->lock_count, sizeof(char *),
		    compare_strings);
	ask_for_lock(listing);
}

static void
answered(struct evwire_request *request, const struct evwire_answer *answer)
{
	struct listing *listing =
	    EVLIST_ELEMENT(request, struct listing, request);

	listing->pending = false;
	if (listing->d == NULL)
		free_listing(listing);
	/* A lock that has gone meanwhile has nobody. */
	else if (answer->error == EVWIRE_OK || answer->error == EVWIRE_NO_NODE)
		listing->take(listing, answer);
	else
		fail_listing(listing,
		    answer->error == EVWIRE_NO_AUTH ? EACCES : ENOTCONN,
		    answer->sentence != NULL ? answer->sentence : "no answer");
}

static void
cancel(struct evdeferred *d, void *arg)
{
	(void)d;
	end_listing(arg);
}

void
evlistings_fail_(struct evcluster *cluster)
{
	struct listing *listing;

	while (!evlist_empty_(&cluster->listings)) {
		listing = EVLIST_ELEMENT(
		    evlist_pop_(&cluster->listings), struct listing, node);
		listing->pending = false;
		fail_listing(listing, ENOTCONN,
		    "the session with the servers has ended");
	}
}

struct evdeferred *
evcluster_list(struct evcluster *cluster)
{
	struct listing *listing;
	struct evdeferred *d;

	if (cluster == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(cluster->base);
	if (cluster->wire == NULL || !evsession_is_connected_(cluster))
		return evdefer_refuse_new_(ENOTCONN);
	listing = calloc(1, sizeof(*listing));
	if (listing == NULL)
		return evdefer_refuse_new_(ENOMEM);
	listing->cluster = cluster;
	listing->request.answered = answered;
	evlist_append_(&cluster->listings, &listing->node);
	listing->d = d = evdeferred_new(cluster->base, cancel, listing);
	if (d == NULL) {
		free_listing(listing);
		return evdefer_refuse_new_(ENOMEM);
	}
	ask(listing, true, cluster->options.root, take_locks);
	return d;
}
