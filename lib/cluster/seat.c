/* SPDX-License-Identifier: MIT */
#include "messages-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/group.h>

#include "../base-internal.h"
#include "../rwlock-internal.h"

static struct evseat *
seat_of(struct evsource *source)
{
	return EVLIST_ELEMENT(source, struct evseat, source);
}

/*
 * Memory: it stays for as long as anything is there for it.
 */

static void
destroy_seat(struct evseat *seat)
{
	struct evcluster *cluster = seat->cluster;

	evlist_remove_(&seat->node);
	evlist_remove_(&seat->marked);
	free(seat);
	evcluster_use_(cluster);
	cluster->seat_count--;
	evsession_seat_left_(cluster);
	evcluster_unuse_(cluster);
}

static void
collect_seat(struct evseat *seat)
{
	if (seat->gone && seat->users == 0 && !seat->called &&
	    seat->pending == 0 && !seat->own_pending &&
	    !evseat_has_nodes_(seat))
		destroy_seat(seat);
}

void
evseat_use_(struct evseat *seat)
{
	seat->users++;
}

void
evseat_unuse_(struct evseat *seat)
{
	seat->users--;
	evsession_seat_left_(seat->cluster);
	collect_seat(seat);
}

/* Soon, from the loop: what the lock needs may change a few times until then. */
static void
look_soon(struct evseat *seat)
{
	struct evdefer_base *base = seat->cluster->base;

	if (seat->called || evcall_post_(base, &seat->call) == -1)
		return;
	seat->called = true;
	/* A loop that waits for nothing else would not come to it. */
	evcalls_await_(base);
}

static void
fail_if_ended(struct evseat *seat)
{
	if (!seat->cluster->ended || seat->gone ||
	    seat->need.right == EVRIGHT_NONE)
		return;
	snprintf(seat->reason, sizeof(seat->reason),
	    "%.400s: the connection with the cluster was closed", seat->path);
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
	evseat_go_on_(seat);
	evseat_unuse_(seat);
}

/*
 * The source.
 */

/* Readers may enter without asking under a right that nobody else wants. */
static void
set_ask_first(struct evseat *seat)
{
	const bool free = seat->right == EVRIGHT_READ && !seat->recalled &&
			  seat->need.right != EVRIGHT_WRITE;

	atomic_store_explicit(
	    &seat->ask_first, free ? 0 : 1, memory_order_relaxed);
}

/* Is somebody let in by the right that is there? */
static enum evright
answer(const struct evseat *seat)
{
	const struct evneed *need = &seat->need;

	if (seat->discarded || !evsession_is_sure_(seat->cluster))
		return EVRIGHT_NONE;
	if (seat->right == EVRIGHT_WRITE)
		return need->right == EVRIGHT_WRITE &&
			       seat->turns <= EVGROUP_PASSES
			   ? EVRIGHT_WRITE
			   : EVRIGHT_NONE;
	if (seat->recalled && need->readers > need->reading)
		return EVRIGHT_NONE;
	return seat->right;
}

static enum evright
ask_seat(struct evsource *source, const struct evneed *need)
{
	struct evseat *seat = seat_of(source);

	seat->need = *need;
	if (seat->right == EVRIGHT_WRITE && need->right == EVRIGHT_WRITE &&
	    !need->writing)
		seat->turns++;
	set_ask_first(seat);
	look_soon(seat);
	return answer(seat);
}

static void
leave_seat(struct evsource *source)
{
	struct evseat *seat = seat_of(source);

	seat->gone = true;
	seat->right = EVRIGHT_NONE;
	seat->need = (struct evneed){.right = EVRIGHT_NONE};
	look_soon(seat);
	collect_seat(seat);
}

static enum evright
get_right_of_seat(struct evsource *source)
{
	return seat_of(source)->right;
}

/* Not that of a node: which of these are there is not known for a while after the
 * connection was lost, and that to which it stepped down is younger than those who wait. */
static uint64_t
get_token_of_seat(struct evsource *source)
{
	const struct evseat *seat = seat_of(source);

	return seat->right == EVRIGHT_NONE ? 0 : seat->token;
}

/* Sockets may be looked at before timers: it looks at the clock itself.  The other locks
 * of the cluster are told soon. */
static int
check_seat(struct evsource *source)
{
	struct evseat *seat = seat_of(source);

	if (seat->right == EVRIGHT_NONE || evsession_is_sure_(seat->cluster))
		return 0;
	evsession_look_soon_(seat->cluster);
	evseat_lose_(seat);
	return ESTALE;
}

static const struct evsource_type seat_type = {.ask = ask_seat,
    .leave = leave_seat,
    .get_right = get_right_of_seat,
    .reach = "cluster",
    .get_token = get_token_of_seat,
    .check = check_seat,
    .no_upgradable = true};

void
evseat_lower_right_(struct evseat *seat, enum evright right)
{
	seat->right = right;
	set_ask_first(seat);
}

void
evseat_set_right_(struct evseat *seat, enum evright right)
{
	seat->turns = 0;
	evseat_lower_right_(seat, right);
	if (seat->gone)
		return;
	evseat_use_(seat);
	evwaitqueue_changed_(seat->source.queue);
	evseat_unuse_(seat);
}

void
evseat_lose_(struct evseat *seat)
{
	seat->right = EVRIGHT_NONE;
	seat->recalled = false;
	/* It asks again when those have left that are inside. */
	seat->need = (struct evneed){.right = EVRIGHT_NONE};
	seat->discarded = seat->reads || seat->writes || seat->unsure;
	set_ask_first(seat);
	look_soon(seat);
	if (seat->gone)
		return;
	evseat_use_(seat);
	evsource_lose_(&seat->source);
	evseat_unuse_(seat);
}

void
evseat_fail_(struct evseat *seat, int error)
{
	if (seat->gone)
		return;
	seat->source.error = error;
	seat->source.reason = seat->reason;
	evseat_use_(seat);
	evwaitqueue_fail_(seat->source.queue);
	evseat_unuse_(seat);
}

/*
 * Those of a cluster.
 */

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

void
evseats_lose_(struct evcluster *cluster)
{
	struct evlist marked, *at;
	struct evseat *seat;

	evlist_init_(&marked);
	FOR_EACH_SEAT(at, cluster)
	{
		if (seat_at(at)->right != EVRIGHT_NONE)
			mark(&marked, seat_at(at));
	}
	while ((seat = next_marked(&marked)) != NULL)
		evseat_lose_(seat);
}

void
evseats_fail_(struct evcluster *cluster, int error, const char *sentence)
{
	struct evlist marked, *at;
	struct evseat *seat;

	evlist_init_(&marked);
	FOR_EACH_SEAT(at, cluster)
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
	seat->discarded = seat->recalled = false;
	seat->seen = EVSEAT_UNSEEN;
	seat->watching = seat->clear = seat->own_pending = false;
	seat->own_watched[0] = '\0';
	seat->pending = 0;
	seat->step = EVSEAT_NOTHING;
}

/* One whose lock is gone goes: where the base is closed, no loop comes to it. */
void
evseats_forget_(struct evcluster *cluster)
{
	struct evlist *at, *next;

	for (at = cluster->seats.next; at != &cluster->seats; at = next) {
		next = at->next;
		forget_nodes(seat_at(at));
		look_soon(seat_at(at));
		collect_seat(seat_at(at));
	}
}

void
evseats_look_again_(struct evcluster *cluster)
{
	struct evlist *at;

	FOR_EACH_SEAT(at, cluster)
	{
		seat_at(at)->seen = EVSEAT_UNSEEN;
		seat_at(at)->watching = seat_at(at)->clear = false;
		seat_at(at)->pausing = false;
		seat_at(at)->missed = true;
		look_soon(seat_at(at));
	}
}

void
evseats_try_again_(struct evcluster *cluster)
{
	struct evlist *at;

	FOR_EACH_SEAT(at, cluster)
	{
		if (!seat_at(at)->pausing)
			continue;
		seat_at(at)->pausing = false;
		look_soon(seat_at(at));
	}
}

/* Of one path there may be several. */
void
evseats_changed_(struct evcluster *cluster, const char *path)
{
	struct evlist marked, *at;
	struct evseat *seat;

	evlist_init_(&marked);
	FOR_EACH_SEAT(at, cluster)
	{
		const char *own = seat_at(at)->path;
		const size_t length = strlen(own);

		if (strncmp(path, own, length) == 0 &&
		    (path[length] == '\0' || path[length] == '/'))
			mark(&marked, seat_at(at));
	}
	while ((seat = next_marked(&marked)) != NULL)
		evseat_changed_(seat, path);
}

bool
evseats_hold_(const struct evcluster *cluster)
{
	const struct evlist *at;

	FOR_EACH_SEAT(at, cluster)
	{
		if (seat_at(at)->pending > 0 || evseat_has_nodes_(seat_at(at)))
			return true;
	}
	return false;
}

/*
 * Making.
 */

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
	seat->source.type = &seat_type;
	seat->source.ask_first = &seat->ask_first;
	set_ask_first(seat);
	seat->call.fn = look;
	seat->call.arg = seat;
	evlist_init_(&seat->marked);
	evlist_append_(&cluster->seats, &seat->node);
	cluster->seat_count++;
	evmessages_init_(seat);
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
	destroy_seat(seat);
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
