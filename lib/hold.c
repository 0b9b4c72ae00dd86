/* SPDX-License-Identifier: MIT */
#include "hold-internal.h"

#include <stdlib.h>

#include "base-internal.h"
#include "owner-internal.h"
#include "rwlock-internal.h"

#define FIRST_SIZE 64

/*
 * The hash table.
 */

static size_t
hash(const struct evrwlock *lock, const struct evowner *owner)
{
	uint64_t key = (uint64_t)(uintptr_t)lock * UINT64_C(0x9e3779b97f4a7c15);

	key ^= (uint64_t)(uintptr_t)owner * UINT64_C(0xc2b2ae3d27d4eb4f);
	key ^= key >> 32;
	return (size_t)key;
}

static struct evhold **
bucket(const struct evholds *holds, const struct evrwlock *lock,
    const struct evowner *owner)
{
	return &holds->buckets[hash(lock, owner) & (holds->size - 1)];
}

static void
insert(struct evholds *holds, struct evhold *hold)
{
	struct evhold **first = bucket(holds, hold->lock, hold->owner);

	hold->next = *first;
	*first = hold;
}

/* Room for one more.  A table that cannot grow only gets slower. */
static int
make_room(struct evholds *holds)
{
	struct evholds larger = {NULL, 0, holds->count};
	struct evhold *hold;
	size_t i;

	if (holds->count < holds->size)
		return 0;
	larger.size = holds->size > 0 ? 2 * holds->size : FIRST_SIZE;
	larger.buckets = calloc(larger.size, sizeof(struct evhold *));
	if (larger.buckets == NULL)
		return holds->size > 0 ? 0 : -1;
	for (i = 0; i < holds->size; i++) {
		while ((hold = holds->buckets[i]) != NULL) {
			holds->buckets[i] = hold->next;
			insert(&larger, hold);
		}
	}
	free(holds->buckets);
	*holds = larger;
	return 0;
}

void
evholds_destroy_(struct evholds *holds)
{
	free(holds->buckets);
}

struct evhold *
evhold_find_(const struct evrwlock *lock, const struct evowner *owner)
{
	const struct evholds *holds = &owner->base->holds;
	struct evhold *hold;

	if (holds->count == 0)
		return NULL;
	hold = *bucket(holds, lock, owner);
	while (hold != NULL && (hold->lock != lock || hold->owner != owner))
		hold = hold->next;
	return hold;
}

/*
 * Holds.
 */

struct evhold *
evhold_new_(struct evrwlock *lock, struct evowner *owner)
{
	struct evholds *holds = &owner->base->holds;
	struct evhold *hold;

	if (make_room(holds) == -1)
		return NULL;
	hold = evpool_get_(&owner->base->hold_pool);
	if (hold == NULL)
		return NULL;
	*hold = (struct evhold){.owner = owner, .lock = lock};
	evlist_append_(&owner->holds, &hold->owner_node);
	evlist_init_(&hold->lock_node);
	evlist_init_(&hold->queued[EVMODE_READ]);
	evlist_init_(&hold->queued[EVMODE_WRITE]);
	evlist_init_(&hold->granted);
	evlist_init_(&hold->delivered);
	insert(holds, hold);
	holds->count++;
	return hold;
}

static bool
is_inside(const struct evhold *hold)
{
	return hold->inside.of[EVMODE_READ] + hold->inside.of[EVMODE_WRITE] > 0;
}

void
evhold_tidy_(struct evhold *hold)
{
	struct evdefer_base *base = hold->owner->base;
	struct evhold **at = bucket(&base->holds, hold->lock, hold->owner);

	if (is_inside(hold) || !evlist_empty_(&hold->queued[EVMODE_READ]) ||
	    !evlist_empty_(&hold->queued[EVMODE_WRITE]))
		return;
	while (*at != hold)
		at = &(*at)->next;
	*at = hold->next;
	base->holds.count--;
	evlist_remove_(&hold->owner_node);
	evpool_put_(&base->hold_pool, hold);
}

/* A grant that a function has kept as a result, or whose value it has taken
 * while it runs. */
static struct evask *
find_taken(const struct evhold *hold, enum evmode mode)
{
	struct evlist *node;
	struct evask *ask;

	for (node = hold->delivered.next; node != &hold->delivered;
	     node = node->next) {
		ask = EVLIST_ELEMENT(node, struct evask, node);
		if (ask->mode == mode &&
		    (ask->kept || (ask->lent && ask->taken)))
			return ask;
	}
	return NULL;
}

bool
evhold_take_(struct evhold *hold, enum evmode mode)
{
	struct evask *ask;

	if (hold->received.of[mode] > 0) {
		hold->received.of[mode]--;
		return true;
	}
	ask = find_taken(hold, mode);
	if (ask == NULL)
		return false;
	evask_detach_(ask);
	/* What is lent is freed when the loan ends. */
	if (ask->kept)
		evask_unref_(ask);
	return true;
}

void
evhold_enter_(struct evhold *hold, enum evmode mode)
{
	if (!is_inside(hold))
		evlist_append_(&hold->lock->holders, &hold->lock_node);
	hold->inside.of[mode]++;
}

void
evhold_exit_(struct evhold *hold, enum evmode mode)
{
	hold->inside.of[mode]--;
	if (!is_inside(hold))
		evlist_remove_(&hold->lock_node);
}

/*
 * Asks.
 */

/* Asks to write whose owner asks for something else as well: the only ones that
 * a search for deadlocks has to look at in the queue of a lock. */
static void
add_rival(struct evask *ask)
{
	if (ask->mode == EVMODE_WRITE)
		evlist_append_(&ask->lock->rivals, &ask->rival_node);
}

static struct evask *
first_ask(const struct evowner *owner)
{
	return EVLIST_ELEMENT(owner->asks.next, struct evask, owner_node);
}

/* A new ask, in one of the lists of the hold. */
static struct evask *
make(struct evhold *hold, enum evmode mode, struct evlist *list)
{
	struct evdefer_base *base = hold->owner->base;
	struct evask *ask = evpool_get_(&base->ask_pool);

	if (ask == NULL)
		return NULL;
	evlist_append_(list, &ask->node);
	evlist_init_(&ask->owner_node);
	evlist_init_(&ask->rival_node);
	ask->hold = hold;
	ask->lock = hold->lock;
	ask->base = base;
	ask->d = NULL;
	ask->mode = mode;
	ask->granted = list != &hold->queued[mode];
	ask->lent = ask->taken = ask->kept = false;
	ask->refs = 1;
	return ask;
}

struct evask *
evask_new_delivered_(struct evhold *hold, enum evmode mode)
{
	return make(hold, mode, &hold->delivered);
}

struct evask *
evask_new_(struct evhold *hold, enum evmode mode, bool granted)
{
	struct evowner *owner = hold->owner;
	struct evask *ask =
	    make(hold, mode, granted ? &hold->granted : &hold->queued[mode]);

	if (ask == NULL)
		return NULL;
	if (++owner->ask_count == 2)
		add_rival(first_ask(owner));
	if (owner->ask_count >= 2)
		add_rival(ask);
	evlist_append_(&owner->asks, &ask->owner_node);
	return ask;
}

void
evask_arrive_(struct evask *ask)
{
	struct evowner *owner = ask->hold->owner;

	evlist_remove_(&ask->owner_node);
	evlist_remove_(&ask->rival_node);
	if (--owner->ask_count == 1)
		evlist_remove_(&first_ask(owner)->rival_node);
}

void
evask_detach_(struct evask *ask)
{
	evlist_remove_(&ask->node);
	ask->hold = NULL;
}

void
evask_forget_(struct evask *ask)
{
	struct evhold *hold = ask->hold;

	evask_arrive_(ask);
	evask_detach_(ask);
	evask_unref_(ask);
	evhold_tidy_(hold);
}

void
evask_unref_(struct evask *ask)
{
	struct evdefer_base *base = ask->base;

	if (--ask->refs > 0)
		return;
	evpool_put_(&base->ask_pool, ask);
	evdefer_base_collect_(base);
}

void
evask_dispose_(struct evask *ask)
{
	struct evhold *hold = ask->hold;
	const enum evmode mode = ask->mode;

	ask->lent = false;
	if (hold != NULL)
		evask_detach_(ask);
	evask_unref_(ask);
	if (hold != NULL)
		evrwlock_give_back_(hold, mode);
}

void *
evask_receive_(struct evask *ask)
{
	void *lock = ask->lock;

	ask->hold->received.of[ask->mode]++;
	evask_detach_(ask);
	evask_unref_(ask);
	return lock;
}

void *
evask_value_(const struct evask *ask)
{
	return ask->hold != NULL ? ask->lock : NULL;
}

void *
evask_take_value_(struct evask *ask)
{
	if (ask->lent && !ask->kept) {
		ask->taken = true;
		return evask_value_(ask);
	}
	if (ask->hold != NULL)
		return evask_receive_(ask);
	evask_unref_(ask);
	return NULL;
}

void
evask_lend_(struct evask *ask)
{
	ask->refs++;
	ask->lent = true;
	ask->taken = ask->kept = false;
}

void
evask_end_loan_(struct evask *ask)
{
	if (ask->lent && ask->taken) {
		ask->lent = false;
		evask_take_value_(ask);
	} else if (ask->lent) {
		ask->kept = true;
	}
	evask_unref_(ask);
}
