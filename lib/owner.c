/* SPDX-License-Identifier: MIT */
#include "owner-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base-internal.h"
#include "rwlock-internal.h"

struct evowner *
evowner_new(struct evdefer_base *base, const char *name)
{
	const size_t size = name != NULL ? strlen(name) + 1 : 32;
	struct evowner *owner;

	if (base == NULL) {
		errno = EINVAL;
		return NULL;
	}
	evdefer_base_check_(base);
	owner = calloc(1, sizeof(*owner) + size);
	if (owner == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	owner->name = (char *)(owner + 1);
	if (name != NULL)
		memcpy(owner->name, name, size);
	else
		snprintf(owner->name, size, "owner %p", (void *)owner);
	evlist_init_(&owner->holds);
	evlist_init_(&owner->asks);
	owner->base = base;
	evdefer_base_use_(base);
	return owner;
}

/* Grants that were fired are worth nothing to the callbacks still to come. */
static void
void_delivered(struct evowner *owner)
{
	struct evlist *node;
	struct evhold *hold;

	for (node = owner->holds.next; node != &owner->holds;
	     node = node->next) {
		hold = EVLIST_ELEMENT(node, struct evhold, owner_node);
		while (!evlist_empty_(&hold->delivered))
			evask_detach_(EVLIST_ELEMENT(
			    hold->delivered.next, struct evask, node));
	}
}

/* Gives up all that it waits for.  First all of it and only then the callbacks,
 * whose releases could else grant what it still waits for. */
static void
give_up(struct evowner *owner)
{
	struct evlist given_up;
	struct evask *ask;

	evlist_init_(&given_up);
	while (!evlist_empty_(&owner->asks)) {
		ask =
		    EVLIST_ELEMENT(owner->asks.next, struct evask, owner_node);
		evrwlock_withdraw_(ask);
		evlist_append_(&given_up, &ask->owner_node);
	}
	while (!evlist_empty_(&given_up)) {
		ask = EVLIST_ELEMENT(
		    evlist_pop_(&given_up), struct evask, owner_node);
		evdeferred_cancel(ask->d);
	}
}

static void
give_back(struct evhold *hold)
{
	struct evrwlock *lock = hold->lock;
	enum evmode mode;

	for (mode = EVMODE_READ; mode <= EVMODE_WRITE; mode++) {
		while (hold->inside.of[mode] > 0) {
			evhold_exit_(hold, mode);
			lock->sides[mode].inside--;
		}
	}
	evhold_tidy_(hold);
	evgate_changed_(&lock->gate);
}

void
evowner_free(struct evowner *owner)
{
	struct evdefer_base *base;

	/* A second time: from a callback that the first one runs. */
	if (owner == NULL || owner->freed)
		return;
	base = owner->base;
	evdefer_base_check_(base);
	owner->freed = true;
	void_delivered(owner);
	give_up(owner);
	while (!evlist_empty_(&owner->holds))
		give_back(EVLIST_ELEMENT(
		    owner->holds.next, struct evhold, owner_node));
	free(owner);
	evdefer_base_unuse_(base);
}

const char *
evowner_get_name(const struct evowner *owner)
{
	return owner != NULL ? owner->name : NULL;
}
