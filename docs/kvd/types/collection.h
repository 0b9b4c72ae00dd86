/* SPDX-License-Identifier: MIT */
/*
 * A value that has parts: a list, a set, a hash, a sorted set or a stream.
 *
 * To the store it is many small values under keys of kvd's own, and to the
 * journal each change of it a few changes of those: so it is durable, written
 * to snapshots and part of transactions like everything else.  There is
 *
 *	a head, under the user's key: the type, a number, which items there are;
 *	items, under the number and theirs, which follow one another;
 *	names, under the number and the name, where items are found by that.
 *
 * User's keys must not begin as kvd's own do; see collection_owns().
 */
#ifndef KVD_TYPES_COLLECTION_H
#define KVD_TYPES_COLLECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <evdefer/result.h>

#include "../bytes.h"

struct call;
struct value;

/* The longest key of a collection, and the longest name. */
#define COLLECTION_MAX ((size_t)1024)

enum collection_type {
	COLLECTION_LIST = 'l',
	COLLECTION_SET = 's',
	COLLECTION_HASH = 'h',
	COLLECTION_SORTED = 'z',
	COLLECTION_STREAM = 'x',
};

struct collection {
	struct call *call;
	struct bytes key;
	bool is_there;
	enum collection_type type;
	uint64_t number;
	uint64_t first, end; /* of its items: end is no more among them */
	uint64_t last[2];    /* id that a stream has given */
};

/* Whether a key is kvd's own. */
bool collection_owns(struct bytes key);

/* Whether it is one that is no key to the user either, as a head is. */
bool collection_is_part(struct bytes key);

/*
 * Finds the collection under a key, or prepares for one.  False after an error
 * was replied: there is something of another type, or the key is too long.
 */
bool collection_open(struct collection *collection, struct call *call,
    struct bytes key, enum collection_type type);

/* Finds whatever collection is under a key.  False if there is none. */
bool collection_find(
    struct collection *collection, struct call *call, struct bytes key);

/* Whether a name, or all arguments from an index on in steps, are short enough;
 * false after an error was replied. */
bool collection_check_names(struct call *call, size_t from, size_t step);

/* The head's own key, which is written with each change; "room" is for it. */
#define COLLECTION_HEAD (COLLECTION_MAX + 8)
struct bytes collection_head(struct bytes key, char room[COLLECTION_HEAD]);

uint64_t collection_count(const struct collection *collection);

/*
 * What is in it.  Each of those that write gives 0, or -1 without memory, and
 * then the command has to give up.
 */
struct value *collection_item(
    const struct collection *collection, uint64_t index);
int collection_set_item(
    struct collection *collection, uint64_t index, struct bytes bytes);
int collection_drop_item(struct collection *collection, uint64_t index);

struct value *collection_named(
    const struct collection *collection, struct bytes name);
int collection_set_named(
    struct collection *collection, struct bytes name, struct bytes bytes);
int collection_drop_named(struct collection *collection, struct bytes name);

/* Before the first item is set: gives a new one its number. */
int collection_begin(struct collection *collection);

/* After all changes: writes the head, or removes it where nothing is left. */
int collection_end(struct collection *collection);

/* Adds an item at the end, that is found by a name. */
int collection_append(
    struct collection *collection, struct bytes name, struct bytes item);

/* Takes an item out, and the last one takes its place. */
int collection_take_out(
    struct collection *collection, struct bytes name, uint64_t index);

/* Does that with all that the arguments name: SREM and HDEL. */
struct evresult collection_run_remove(
    struct call *call, enum collection_type type);

/* Removes all of it: 1, or 0 if there is none under the key, or -1. */
int collection_remove(struct call *call, struct bytes key);

struct bytes value_bytes(const struct value *value);

/* Numbers within values. */
void put_u64(char to[8], uint64_t number);
uint64_t get_u64(const char *from);

struct evresult run_type(struct call *call);

#endif
