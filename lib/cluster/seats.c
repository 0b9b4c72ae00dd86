/* SPDX-License-Identifier: MIT */
/* The seats of a cluster: what the session tells all of them, and making one. */
#include "seats-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base-internal.h"
#include "../rwlock-internal.h"
#include "recipe-internal.h"

#define FOR_EACH_SEAT(at, cluster)                                             \
	for ((at) = (cluster)->seats.next; (at) != &(cluster)->seats;          \
	     (at) = (at)->next)

static struct evseat *
seat_at(const struct evlist *at)
{
	return EVLIST_ELEMENT(at, struct evseat, node);
}

/* The next of those that were marked; it may have gone meanwhile. */
static struct evseat *
next_marked(struct evlist *marked)
{
	if (evlist_empty_(marked))
		return NULL;
	return EVLIST_ELEMENT(evlist_pop_(marked), struct evseat, marked);
}

/* Moves it to this list, from any other: then this is about it first. */
static void
mark(struct evlist *marked, struct evseat *seat)
{
	evlist_remove_(&seat->marked);
	evlist_append_(marked, &seat->marked);
}

static void
lose_all(struct evcluster *cluster)
{
	struct evlist marked, *at;
	struct evseat *seat;

	evlist_init_(&marked);
	FOR_EACH_SEAT (at, cluster) {
		if (seat_at(at)->right != EVRIGHT_NONE)
			mark(&marked, seat_at(at));
	}
	while ((seat = next_marked(&marked)) != NULL)
		evseat_lose_(seat);
}

static void
fail_all(struct evcluster *cluster, int error, const char *sentence)
{
	struct evlist marked, *at;
	struct evseat *seat;

	evlist_init_(&marked);
	FOR_EACH_SEAT (at, cluster)
		mark(&marked, seat_at(at));
	while ((seat = next_marked(&marked)) != NULL) {
		snprintf(seat->reason, sizeof(seat->reason), "%.160s: %.300s",
		    seat->path, sentence);
		evseat_fail_(seat, error);
	}
}

static void
forget_nodes(struct evseat *seat)
{
	seat->ready = seat->member = seat->unsure = seat->rootless = false;
	seat->root_made = 0;
	seat->reads = seat->writes = false;
	seat->discarded = seat->recalled = seat->lowered = false;
	seat->seen = EVSEAT_UNSEEN;
	seat->watching = seat->own_pending = false;
	seat->own_watched[0] = '\0';
	seat->pending = 0;
	seat->step = EVSEAT_NOTHING;
}

/* One whose lock is gone goes: where the base is closed, no loop comes to it. */
static void
forget_all(struct evcluster *cluster)
{
	struct evlist *at, *next;

	for (at = cluster->seats.next; at != &cluster->seats; at = next) {
		next = at->next;
		forget_nodes(seat_at(at));
		evseat_look_soon_(seat_at(at));
		evseat_collect_(seat_at(at));
	}
}

static void
look_again(struct evcluster *cluster)
{
	struct evlist *at;

	FOR_EACH_SEAT (at, cluster) {
		seat_at(at)->seen = EVSEAT_UNSEEN;
		seat_at(at)->watching = false;
		seat_at(at)->pausing = false;
		seat_at(at)->missed = true;
		evseat_look_soon_(seat_at(at));
	}
}

static void
try_again(struct evcluster *cluster)
{
	struct evlist *at;

	FOR_EACH_SEAT (at, cluster) {
		if (!seat_at(at)->pausing)
			continue;
		seat_at(at)->pausing = false;
		evseat_look_soon_(seat_at(at));
	}
}

/* Of one path there may be several. */
static void
tell_of_change(struct evcluster *cluster, const char *path)
{
	struct evlist marked, *at;
	struct evseat *seat;

	evlist_init_(&marked);
	FOR_EACH_SEAT (at, cluster) {
		const char *own = seat_at(at)->path;
		const size_t length = strlen(own);

		if (strncmp(path, own, length) == 0 &&
		    (path[length] == '\0' || path[length] == '/'))
			mark(&marked, seat_at(at));
	}
	while ((seat = next_marked(&marked)) != NULL)
		seat->handler->changed(seat, path);
}

static bool
is_anything_held(const struct evcluster *cluster)
{
	const struct evlist *at;

	FOR_EACH_SEAT (at, cluster) {
		if (seat_at(at)->pending > 0 || evseat_has_nodes_(seat_at(at)))
			return true;
	}
	return false;
}

const struct evsession_handler evseats_ = {.lose = lose_all,
    .forget = forget_all,
    .fail = fail_all,
    .look_again = look_again,
    .try_again = try_again,
    .changed = tell_of_change,
    .hold = is_anything_held};

/*
 * Making.
 */

static void
fail_if_ended(struct evseat *seat)
{
	if (!seat->cluster->ended || seat->gone ||
	    seat->need.right == EVRIGHT_NONE)
		return;
	snprintf(seat->reason, sizeof(seat->reason),
	    "%.400s: " EVCLUSTER_WAS_CLOSED, seat->path);
	evseat_fail_(seat, ENOTCONN);
}

static void
look(void *arg)
{
	struct evseat *seat = arg;

	seat->called = false;
	evcalls_await_no_more_(seat->cluster->base);
	evseat_use_(seat);
	fail_if_ended(seat);
	seat->handler->go_on(seat);
	evseat_unuse_(seat);
}

static struct evseat *
new_seat(struct evcluster *cluster, const char *name)
{
	struct evseat *seat = calloc(1, sizeof(*seat));

	if (seat == NULL)
		return evdefer_refuse_new_(ENOMEM);
	snprintf(seat->path, sizeof(seat->path), "%s/%s", cluster->options.root,
	    name);
	seat->cluster = cluster;
	seat->number = ++cluster->last_seat;
	seat->source.type = &evseat_type_;
	seat->source.ask_first = &seat->ask_first;
	evseat_lower_right_(seat, EVRIGHT_NONE);
	seat->call.fn = look;
	seat->call.arg = seat;
	evlist_init_(&seat->marked);
	evlist_append_(&cluster->seats, &seat->node);
	cluster->seat_count++;
	evmessages_init_(seat, &evrecipe_);
	return seat;
}

/* 0, or -1 with ENOMEM. */
static int
give_seat(struct evcluster *cluster, struct evrwlock *lock, const char *name)
{
	struct evseat *seat = new_seat(cluster, name);

	if (seat == NULL)
		return -1;
	if (evrwlock_set_name(lock, name) == 0 &&
	    evrwlock_set_source_(lock, &seat->source) == 0)
		return 0;
	seat->gone = true;
	evseat_collect_(seat);
	return evdefer_refuse_(ENOMEM);
}

struct evrwlock *
evrwlock_new_in_cluster(
    struct evcluster *cluster, const char *name, unsigned flags)
{
	struct evrwlock *lock;

	if (cluster == NULL || cluster->freed || !evnames_is_lock_(name))
		return evdefer_refuse_new_(EINVAL);
	if (flags & EVRWLOCK_FAIR)
		return evdefer_refuse_new_(ENOTSUP);
	lock = evrwlock_new(cluster->base, flags);
	if (lock == NULL || give_seat(cluster, lock, name) == 0)
		return lock;
	evrwlock_free(lock);
	return evdefer_refuse_new_(ENOMEM);
}
