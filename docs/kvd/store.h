/* SPDX-License-Identifier: MIT */
/*
 * The keys and their values, in memory.
 *
 * A change is made in two steps, so that nothing can fail once it is in the
 * journal: an entry is pinned and a value is made and planned, which needs
 * memory, and later the value is swapped in, which needs none.  Until then only
 * those that ask for what is planned find it.  An entry without a value does
 * not count and is not found; it goes when the last pin does.
 *
 * Whoever changes anything has the lock to write, and whoever looks at keys and
 * values has it to read.  Values, and the numbers of keys and chains, are free for all.
 */
#ifndef KVD_STORE_H
#define KVD_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct store;
struct store_entry;

/* A value is shared by its entry and by replies that are on their way, which may be
 * those of other loops. */
struct value {
	atomic_size_t users;
	size_t length;
	char data[];
};

/* A copy with one user, or NULL without memory. */
struct value *value_new(struct bytes bytes);
void value_use(struct value *value);
/* Frees it with its last user.  NULL is allowed. */
void value_unuse(struct value *value);

/* Some keys may be parts of what others stand for, and no keys by themselves:
 * those are not counted.  NULL without memory. */
struct store *store_new(bool (*is_part)(struct bytes key));
void store_free(struct store *store);

/* How many keys there are; and, for a writer, when all that is planned is done. */
size_t store_count(const struct store *store);
size_t store_count_planned(const struct store *store);

/* In how many chains the keys are. */
size_t store_buckets(const struct store *store);

/* The value of a key, which is the store's, or NULL. */
struct value *store_get(const struct store *store, struct bytes key);

/* The same when all that is planned is done. */
struct value *store_get_planned(const struct store *store, struct bytes key);

/* The entry of a key, pinned and made if there is none; NULL without memory. */
struct store_entry *store_pin(struct store *store, struct bytes key);

/* The same, but NULL if there is no such key when all that is planned is done.
 */
struct store_entry *store_pin_if_there(struct store *store, struct bytes key);

void store_unpin(struct store *store, struct store_entry *entry);

/* Plans to put that value, or NULL, into a pinned entry; the value stays the
 * caller's until it is swapped in.  Gives what was planned before. */
struct value *store_plan(
    struct store *store, struct store_entry *entry, struct value *value);

/* Puts *value in and the one before, or NULL, into *value.  It has to be
 * planned, as have those that are put in later. */
void store_swap(
    struct store *store, struct store_entry *entry, struct value **value);

/* All of that in one step: sets a key, or deletes it with a NULL value, which
 * can't fail.  0, or -1 without memory. */
int store_put(struct store *store, struct bytes key, const struct bytes *value);

struct bytes store_key(const struct store_entry *entry);

/*
 * One walk over all keys at a time.  It is no error to go on with it after the
 * store was changed, but then it may or may not see what has changed.
 */
void store_walk_begin(struct store *store);
/* The next entry and its value, or NULL. */
const struct store_entry *store_walk_next(
    struct store *store, struct bytes *value);
void store_walk_end(struct store *store);

#endif
