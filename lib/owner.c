/* SPDX-License-Identifier: MIT */
#include "owner-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observed-internal.h"

struct evowner *
evowner_new(struct evdefer_base *base, const char *name)
{
	const size_t size = name != NULL ? strlen(name) + 1 : 32;
	struct evholds *table;
	struct evowner *owner;

	if (base == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(base);
	table = evholds_of_(base);
	owner = table != NULL ? calloc(1, sizeof(*owner) + size) : NULL;
	if (owner == NULL)
		return evdefer_refuse_new_(ENOMEM);
	owner->name = (char *)(owner + 1);
	if (name != NULL)
		memcpy(owner->name, name, size);
	else
		snprintf(owner->name, size, "owner %p", (void *)owner);
	evlist_init_(&owner->holds);
	evlist_init_(&owner->requests);
	owner->base = base;
	owner->table = table;
	owner->number = ++table->last_owner;
	evdefer_base_use_(base);
	return owner;
}

/* Grants that are on their way down a chain are worth nothing when they arrive. */
static void
take_back_delivered(struct evowner *owner)
{
	struct evlist *node;
	struct evhold *hold;

	for (node = owner->holds.next; node != &owner->holds;
	     node = node->next) {
		hold = EVLIST_ELEMENT(node, struct evhold, owner_node);
		if (hold->own.state == EVREQUEST_DELIVERED)
			evrequest_take_back_(&hold->own);
		while (!evlist_empty_(&hold->delivered))
			evrequest_take_back_(EVLIST_ELEMENT(
			    hold->delivered.next, struct evrequest, node));
	}
}

/* Gives up all that it waits for, before the first callback is called: a release in
 * there could otherwise grant what it still waits for. */
static void
stop_waiting(struct evowner *owner)
{
	struct evlist given_up;
	struct evrequest *request;

	evlist_init_(&given_up);
	while (!evlist_empty_(&owner->requests)) {
		request = EVLIST_ELEMENT(
		    owner->requests.next, struct evrequest, owner_node);
		evrequest_withdraw_(request);
		evlist_append_(&given_up, &request->owner_node);
	}
	while (!evlist_empty_(&given_up)) {
		request = EVLIST_ELEMENT(
		    evlist_pop_(&given_up), struct evrequest, owner_node);
		evdeferred_cancel(request->d);
	}
}

static void
give_all_back(struct evhold *hold)
{
	struct evlock *lock = hold->lock;
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES; mode++) {
		while (hold->inside.of[mode] > 0) {
			evhold_exit_(hold, mode);
			evlock_exit_(lock, mode);
			if (evlock_is_observed_(lock))
				evlock_tell_(
				    lock, EVSTEP_RELEASE, hold->owner, mode, 0);
		}
	}
	evhold_tidy_(hold);
	evwaitqueue_changed_(&lock->queue);
}

void
evowner_free(struct evowner *owner)
{
	struct evdefer_base *base;

	/* A second time, from a callback that the first call runs. */
	if (owner == NULL || owner->freed)
		return;
	base = owner->base;
	evdefer_base_check_(base);
	owner->freed = true;
	take_back_delivered(owner);
	evhold_keep_none_(owner);
	stop_waiting(owner);
	while (!evlist_empty_(&owner->holds))
		give_all_back(EVLIST_ELEMENT(
		    owner->holds.next, struct evhold, owner_node));
	free(owner);
	evdefer_base_unuse_(base);
}

const char *
evowner_get_name(const struct evowner *owner)
{
	return owner != NULL ? owner->name : NULL;
}
