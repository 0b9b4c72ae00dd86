/* SPDX-License-Identifier: MIT */
/*
 * The keys and their values, in memory.
 */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "count.h"
#include "table.h"

struct store_entry {
	UT_hash_handle hh;
	struct value *value;
	struct value *planned; /* borrowed; the same as value if nothing is */
	size_t pins;
	char key[];
};

struct store {
	struct store_entry *entries;
	struct count count; /* of those with a value */
	struct count buckets;
	size_t planned;		  /* the same of planned ones */
	struct store_entry *walk; /* comes next in the walk */
	bool (*is_part)(struct bytes key);
};

struct value *
value_new(struct bytes bytes)
{
	struct value *value = malloc(sizeof(*value) + bytes.length);

	if (value == NULL)
		return NULL;
	atomic_init(&value->users, 1);
	value->length = bytes.length;
	if (bytes.length > 0)
		memcpy(value->data, bytes.data, bytes.length);
	return value;
}

void
value_use(struct value *value)
{
	atomic_fetch_add_explicit(&value->users, 1, memory_order_relaxed);
}

void
value_unuse(struct value *value)
{
	if (value != NULL && atomic_fetch_sub(&value->users, 1) == 1)
		free(value);
}

struct store *
store_new(bool (*is_part)(struct bytes key))
{
	struct store *store = calloc(1, sizeof(*store));

	if (store != NULL)
		store->is_part = is_part;
	return store;
}

void
store_free(struct store *store)
{
	struct store_entry *entry, *next;

	if (store == NULL)
		return;
	/* The table first, and then the list that it leaves behind. */
	entry = store->entries;
	HASH_CLEAR(hh, store->entries);
	for (; entry != NULL; entry = next) {
		next = entry->hh.next;
		value_unuse(entry->value);
		free(entry);
	}
	free(store);
}

size_t
store_count(const struct store *store)
{
	return (size_t)count_get(&store->count);
}

size_t
store_count_planned(const struct store *store)
{
	return store->planned;
}

size_t
store_buckets(const struct store *store)
{
	return (size_t)count_get(&store->buckets);
}

static struct store_entry *
find(const struct store *store, struct bytes key)
{
	struct store_entry *entry;

	HASH_FIND(hh, store->entries, key.data, (unsigned)key.length, entry);
	return entry;
}

struct value *
store_get(const struct store *store, struct bytes key)
{
	const struct store_entry *entry = find(store, key);

	return entry != NULL ? entry->value : NULL;
}

struct value *
store_get_planned(const struct store *store, struct bytes key)
{
	const struct store_entry *entry = find(store, key);

	return entry != NULL ? entry->planned : NULL;
}

static void
count_buckets(struct store *store)
{
	const struct store_entry *first = store->entries;

	count_set(
	    &store->buckets, first != NULL ? first->hh.tbl->num_buckets : 0);
}

static struct store_entry *
add(struct store *store, struct bytes key)
{
	struct store_entry *entry = malloc(sizeof(*entry) + key.length);

	if (entry == NULL)
		return NULL;
	entry->value = NULL;
	entry->planned = NULL;
	entry->pins = 0;
	if (key.length > 0)
		memcpy(entry->key, key.data, key.length);
	HASH_ADD_KEYPTR(
	    hh, store->entries, entry->key, (unsigned)key.length, entry);
	if (entry->hh.tbl != NULL) {
		count_buckets(store);
		return entry;
	}
	free(entry);
	errno = ENOMEM;
	return NULL;
}

struct store_entry *
store_pin(struct store *store, struct bytes key)
{
	struct store_entry *entry = find(store, key);

	if (entry == NULL)
		entry = add(store, key);
	if (entry != NULL)
		entry->pins++;
	return entry;
}

struct store_entry *
store_pin_if_there(struct store *store, struct bytes key)
{
	struct store_entry *entry = find(store, key);

	if (entry == NULL || entry->planned == NULL)
		return NULL;
	entry->pins++;
	return entry;
}

void
store_unpin(struct store *store, struct store_entry *entry)
{
	if (--entry->pins > 0 || entry->value != NULL)
		return;
	if (store->walk == entry)
		store->walk = entry->hh.next;
	HASH_DELETE(hh, store->entries, entry);
	count_buckets(store);
	free(entry);
}

/* How the number of keys changes when one value takes the place of another. */
static int
difference(const struct store *store, const struct store_entry *entry,
    const struct value *value, const struct value *before)
{
	if ((value == NULL) == (before == NULL) ||
	    store->is_part(store_key(entry)))
		return 0;
	return value != NULL ? 1 : -1;
}

struct value *
store_plan(struct store *store, struct store_entry *entry, struct value *value)
{
	struct value *before = entry->planned;

	store->planned += (size_t)difference(store, entry, value, before);
	entry->planned = value;
	return before;
}

void
store_swap(struct store *store, struct store_entry *entry, struct value **value)
{
	struct value *before = entry->value;

	count_add(&store->count,
	    (uint64_t)(int64_t)difference(store, entry, *value, before));
	entry->value = *value;
	*value = before;
}

int
store_put(struct store *store, struct bytes key, const struct bytes *bytes)
{
	struct store_entry *entry = bytes != NULL
					? store_pin(store, key)
					: store_pin_if_there(store, key);
	struct value *value = NULL;

	if (entry == NULL)
		return bytes != NULL ? -1 : 0;
	if (bytes != NULL && (value = value_new(*bytes)) == NULL) {
		store_unpin(store, entry);
		return -1;
	}
	store_plan(store, entry, value);
	store_swap(store, entry, &value);
	value_unuse(value);
	store_unpin(store, entry);
	return 0;
}

struct bytes
store_key(const struct store_entry *entry)
{
	const struct bytes key = {entry->key, entry->hh.keylen};

	return key;
}

void
store_walk_begin(struct store *store)
{
	store->walk = store->entries;
}

const struct store_entry *
store_walk_next(struct store *store, struct bytes *value)
{
	struct store_entry *entry = store->walk;

	while (entry != NULL && entry->value == NULL)
		entry = entry->hh.next;
	if (entry == NULL) {
		store->walk = NULL;
		return NULL;
	}
	store->walk = entry->hh.next;
	value->data = entry->value->data;
	value->length = entry->value->length;
	return entry;
}

void
store_walk_end(struct store *store)
{
	store->walk = NULL;
}
