/* SPDX-License-Identifier: MIT */
#include "hold-internal.h"

#include <stdlib.h>

#include "owner-internal.h"
#include "trail-internal.h"

#define ALIGNED_SIZE ((sizeof(struct evhold) + 63) / 64 * 64)

static size_t
hash(const struct evlock *lock, const struct evowner *owner)
{
	uint64_t key = (uint64_t)(uintptr_t)lock * UINT64_C(0x9e3779b97f4a7c15);

	key ^= (uint64_t)(uintptr_t)owner * UINT64_C(0xc2b2ae3d27d4eb4f);
	key ^= key >> 32;
	return (size_t)key;
}

static struct evhold **
bucket(const struct evholds *holds, const struct evlock *lock,
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

static void
free_buckets(const struct evholds *holds, struct evhold **buckets)
{
	if (buckets != holds->first_buckets)
		free(buckets);
}

/* Makes room for one more.  A table that cannot grow only gets slower. */
static void
grow_table(struct evholds *holds)
{
	struct evhold **old = holds->buckets, **buckets, *hold;
	const size_t old_size = holds->size;
	size_t i;

	if (holds->count < old_size)
		return;
	buckets = calloc(2 * old_size, sizeof(struct evhold *));
	if (buckets == NULL)
		return;
	holds->buckets = buckets;
	holds->size = 2 * old_size;
	for (i = 0; i < old_size; i++) {
		while ((hold = old[i]) != NULL) {
			old[i] = hold->next;
			insert(holds, hold);
		}
	}
	free_buckets(holds, old);
}

static void
init_holds(struct evdefer_base_part *part)
{
	struct evholds *holds = EVLIST_ELEMENT(part, struct evholds, part);

	holds->buckets = holds->first_buckets;
	holds->size = EVHOLDS_FIRST_SIZE;
	/* What is used most lies in two lines of the cache. */
	evpool_init_(&holds->pool, ALIGNED_SIZE);
	evpool_init_(&holds->requests, sizeof(struct evrequest));
}

static void
destroy_holds(struct evdefer_base_part *part)
{
	struct evholds *holds = EVLIST_ELEMENT(part, struct evholds, part);

	evpool_destroy_(&holds->requests);
	evpool_destroy_(&holds->pool);
	free_buckets(holds, holds->buckets);
}

struct evholds *
evholds_of_(struct evdefer_base *base)
{
	static const struct evdefer_base_part_type type = {
	    sizeof(struct evholds), init_holds, NULL, destroy_holds};
	struct evdefer_base_part *part = evdefer_base_get_part_(base, &type);

	return part != NULL ? EVLIST_ELEMENT(part, struct evholds, part) : NULL;
}

struct evhold *
evhold_look_up_(const struct evlock *lock, const struct evowner *owner)
{
	const struct evholds *holds = owner->table;
	struct evhold *hold;

	if (holds->count == 0)
		return NULL;
	hold = *bucket(holds, lock, owner);
	while (hold != NULL && (hold->lock != lock || hold->owner != owner))
		hold = hold->next;
	return hold;
}

/* That of an owner, which is like the others from now on.  NULL if there is none. */
static struct evhold *
put_last_into_table(struct evowner *owner)
{
	struct evholds *holds = owner->table;
	struct evhold *last = owner->last;

	if (last == NULL)
		return NULL;
	grow_table(holds);
	insert(holds, last);
	holds->count++;
	owner->last = NULL;
	return last;
}

static void
take_from_table(struct evhold *hold)
{
	struct evholds *holds = hold->owner->table;
	struct evhold **at = bucket(holds, hold->lock, hold->owner);

	while (*at != hold)
		at = &(*at)->next;
	*at = hold->next;
	holds->count--;
}

static struct evhold *
make_hold(struct evowner *owner)
{
	struct evhold *hold = evpool_get_(&owner->table->pool);

	if (hold == NULL)
		return NULL;
	hold->owner = owner;
	hold->listed = NULL;
	hold->inside = hold->received = (struct evcounts){{0}};
	hold->trails = NULL;
	evrequest_init_(&hold->own, owner->table, true);
	evlist_append_(&owner->holds, &hold->owner_node);
	evlist_init_(&hold->waiting[EVMODE_READ]);
	evlist_init_(&hold->waiting[EVMODE_UPGRADABLE]);
	evlist_init_(&hold->waiting[EVMODE_WRITE]);
	evlist_init_(&hold->waiting[EVMODE_UPGRADE]);
	evlist_init_(&hold->delivered);
	return hold;
}

static struct evhold *
replace_last(struct evowner *owner)
{
	struct evhold *hold = make_hold(owner);

	if (hold == NULL)
		return NULL;
	put_last_into_table(owner);
	owner->last = hold;
	return hold;
}

/* It is not inside. */
static void
unlist(struct evhold *hold)
{
	if (hold->listed != NULL)
		evlist_take_out_(&hold->lock_node);
	hold->listed = NULL;
}

struct evhold *
evhold_new_(struct evlock *lock, struct evowner *owner)
{
	struct evhold *hold = owner->last;

	if (hold == NULL || !evhold_is_idle_(hold))
		hold = replace_last(owner);
	if (hold == NULL)
		return NULL;
	unlist(hold);
	hold->lock = lock;
	return hold;
}

/* Before the hold goes. */
static EVDEFER_NOINLINE_ void
forget_trails(struct evhold *hold)
{
	free(hold->trails);
	hold->trails = NULL;
	evhold_tidy_(hold);
}

bool
evhold_is_waiting_(const struct evhold *hold)
{
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES_WAITING; mode++) {
		if (!evlist_empty_(&hold->waiting[mode]))
			return true;
	}
	return false;
}

void
evhold_put_(struct evholds *holds, struct evhold *hold)
{
	evpool_put_(&holds->pool, hold);
}

/* As long as a result names its own request, or a function has that, the memory stays. */
static void
drop_hold(struct evhold *hold)
{
	struct evholds *holds = hold->owner->table;

	evlist_remove_(&hold->owner_node);
	unlist(hold);
	if (hold->own.refs == 0) {
		evhold_put_(holds, hold);
		return;
	}
	hold->owner = NULL;
	evdefer_base_use_(holds->part.base);
}

void
evhold_tidy_(struct evhold *hold)
{
	if (!evhold_is_idle_(hold))
		return;
	if (hold->trails != NULL) {
		forget_trails(hold);
		return;
	}
	if (evhold_is_kept_(hold))
		return;
	take_from_table(hold);
	drop_hold(hold);
}

void
evhold_keep_none_(struct evowner *owner)
{
	struct evhold *last = put_last_into_table(owner);

	if (last != NULL)
		evhold_tidy_(last);
}

/* Behind a node of the list. */
static struct evhold *
look_for_inside(const struct evlock *lock, const struct evlist *node)
{
	struct evhold *hold;

	while (node->next != &lock->holders) {
		hold = EVLIST_ELEMENT(node->next, struct evhold, lock_node);
		if (evhold_is_inside_(hold))
			return hold;
		unlist(hold);
	}
	return NULL;
}

struct evhold *
evhold_first_inside_(const struct evlock *lock)
{
	return look_for_inside(lock, &lock->holders);
}

struct evhold *
evhold_next_inside_(const struct evhold *hold)
{
	return look_for_inside(hold->lock, &hold->lock_node);
}

void
evhold_forget_lock_(struct evlock *lock)
{
	while (!evlist_empty_(&lock->holders))
		unlist(EVLIST_ELEMENT(
		    lock->holders.next, struct evhold, lock_node));
}

void
evhold_note_(struct evhold *hold, enum evmode mode, const struct evdeferred *d)
{
	if (hold->lock->queue.base->debug)
		evtrail_note_(&hold->trails, mode, hold->inside.of[mode],
		    d != NULL ? evdeferred_creation_(d) : NULL);
}

size_t
evhold_count_reads_(const struct evhold *hold)
{
	size_t count = hold->inside.of[EVMODE_READ];
	const struct evlist *node = hold->waiting[EVMODE_READ].next;

	while (node != &hold->waiting[EVMODE_READ] &&
	       evrequest_is_granted_(
		   EVLIST_ELEMENT(node, const struct evrequest, node))) {
		count++;
		node = node->next;
	}
	return count;
}
