/* SPDX-License-Identifier: MIT */
#include "seat-internal.h"

#include <stdlib.h>

#include <evdefer/group.h>

#include "../base-internal.h"

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

void
evseat_collect_(struct evseat *seat)
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
	evseat_collect_(seat);
}

void
evseat_look_soon_(struct evseat *seat)
{
	struct evdefer_base *base = seat->cluster->base;

	if (seat->called || evcall_post_(base, &seat->call) == -1)
		return;
	seat->called = true;
	/* A loop that waits for nothing else would not come to it. */
	evcalls_await_(base);
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
	evseat_look_soon_(seat);
	return answer(seat);
}

static void
leave_seat(struct evsource *source)
{
	struct evseat *seat = seat_of(source);

	seat->gone = true;
	seat->right = EVRIGHT_NONE;
	seat->need = (struct evneed){.right = EVRIGHT_NONE};
	evseat_look_soon_(seat);
	evseat_collect_(seat);
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

const struct evsource_type evseat_type_ = {.ask = ask_seat,
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
	evseat_look_soon_(seat);
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
