/* SPDX-License-Identifier: MIT */
/*
 * A value that has parts.
 */
#include "collection.h"

#include <string.h>

#include "../call.h"
#include "../command.h"
#include "../keys.h"
#include "../store.h"
#include "../write.h"

/* What kvd's own keys begin with, and the letter that follows. */
static const char own[] = "\0kvd:";
#define OWN (sizeof(own) - 1)
#define HEAD 'c'
#define ITEM 'i'
#define NAME 'n'
#define COUNTER '#'

#define HEAD_SIZE ((size_t)41)
/* Lists grow on both sides. */
#define MIDDLE ((uint64_t)1 << 63)

struct own_key {
	char text[OWN + 1 + 8 + COLLECTION_MAX];
	size_t length;
};

void
put_u64(char to[8], uint64_t number)
{
	int i;

	for (i = 0; i < 8; i++)
		to[i] = (char)(number >> 8 * i);
}

uint64_t
get_u64(const char *from)
{
	uint64_t number = 0;
	int i;

	for (i = 7; i >= 0; i--)
		number = number << 8 | (unsigned char)from[i];
	return number;
}

struct bytes
value_bytes(const struct value *value)
{
	const struct bytes bytes = {value->data, value->length};

	return bytes;
}

/*
 * Keys.
 */

bool
collection_owns(struct bytes key)
{
	return key.length >= OWN && memcmp(key.data, own, OWN) == 0;
}

bool
collection_is_part(struct bytes key)
{
	return key.length > OWN && key.data[OWN] != HEAD &&
	       collection_owns(key);
}

static void
begin_key(struct own_key *key, char kind)
{
	memcpy(key->text, own, OWN);
	key->text[OWN] = kind;
	key->length = OWN + 1;
}

static void
add_bytes(struct own_key *key, struct bytes bytes)
{
	if (bytes.length > 0)
		memcpy(key->text + key->length, bytes.data, bytes.length);
	key->length += bytes.length;
}

static void
add_number(struct own_key *key, uint64_t number)
{
	put_u64(key->text + key->length, number);
	key->length += 8;
}

static struct bytes
bytes_of(const struct own_key *key)
{
	const struct bytes bytes = {key->text, key->length};

	return bytes;
}

static struct own_key
head_key(struct bytes user_key)
{
	struct own_key key;

	begin_key(&key, HEAD);
	add_bytes(&key, user_key);
	return key;
}

static struct own_key
item_key(const struct collection *collection, uint64_t index)
{
	struct own_key key;

	begin_key(&key, ITEM);
	add_number(&key, collection->number);
	add_number(&key, index);
	return key;
}

static struct own_key
name_key(const struct collection *collection, struct bytes name)
{
	struct own_key key;

	begin_key(&key, NAME);
	add_number(&key, collection->number);
	add_bytes(&key, name);
	return key;
}

/*
 * The head.
 */

struct bytes
collection_head(struct bytes key, char room[COLLECTION_HEAD])
{
	const struct own_key head = head_key(key);
	const struct bytes bytes = {room, head.length};

	memcpy(room, head.text, head.length);
	return bytes;
}

bool
collection_find(
    struct collection *collection, struct call *call, struct bytes key)
{
	struct own_key head;
	const struct value *value;

	memset(collection, 0, sizeof(*collection));
	collection->call = call;
	collection->key = key;
	if (key.length > COLLECTION_MAX)
		return false;
	head = head_key(key);
	value = keys_get(call, bytes_of(&head));
	if (value == NULL || value->length != HEAD_SIZE)
		return false;
	collection->is_there = true;
	collection->type = (enum collection_type)value->data[0];
	collection->number = get_u64(value->data + 1);
	collection->first = get_u64(value->data + 9);
	collection->end = get_u64(value->data + 17);
	collection->last[0] = get_u64(value->data + 25);
	collection->last[1] = get_u64(value->data + 33);
	return true;
}

bool
collection_open(struct collection *collection, struct call *call,
    struct bytes key, enum collection_type type)
{
	if (key.length > COLLECTION_MAX) {
		reply_error(&call->reply,
		    "ERR the key of such a value has at most %zu bytes",
		    COLLECTION_MAX);
		return false;
	}
	if (collection_find(collection, call, key)
		? collection->type != type
		: keys_get(call, key) != NULL) {
		wrong_type(call);
		return false;
	}
	if (collection->is_there)
		return true;
	collection->type = type;
	collection->first = type == COLLECTION_LIST ? MIDDLE : 0;
	collection->end = collection->first;
	return true;
}

bool
collection_check_names(struct call *call, size_t from, size_t step)
{
	size_t i;

	for (i = from; i < argument_count(call); i += step) {
		if (argument(call, i).length <= COLLECTION_MAX)
			continue;
		reply_error(&call->reply,
		    "ERR a name within such a value has at most %zu bytes",
		    COLLECTION_MAX);
		return false;
	}
	return true;
}

uint64_t
collection_count(const struct collection *collection)
{
	return collection->end - collection->first;
}

/* The numbers are never used again, so that nothing of an older collection is
 * found in a newer one. */
int
collection_begin(struct collection *collection)
{
	struct call *call = collection->call;
	const struct value *counter;
	struct own_key key;
	char text[8];

	if (collection->is_there)
		return 0;
	begin_key(&key, COUNTER);
	counter = keys_get(call, bytes_of(&key));
	if (counter != NULL && counter->length == sizeof(text))
		collection->number = get_u64(counter->data);
	put_u64(text, ++collection->number);
	collection->is_there = true;
	return write_set(
	    call, bytes_of(&key), (struct bytes){text, sizeof(text)});
}

int
collection_end(struct collection *collection)
{
	struct own_key key = head_key(collection->key);
	char head[HEAD_SIZE];

	if (collection_count(collection) == 0)
		return write_delete(collection->call, bytes_of(&key)) == -1 ? -1
									    : 0;
	head[0] = (char)collection->type;
	put_u64(head + 1, collection->number);
	put_u64(head + 9, collection->first);
	put_u64(head + 17, collection->end);
	put_u64(head + 25, collection->last[0]);
	put_u64(head + 33, collection->last[1]);
	return write_set(collection->call, bytes_of(&key),
	    (struct bytes){head, sizeof(head)});
}

/*
 * Parts.
 */

struct value *
collection_item(const struct collection *collection, uint64_t index)
{
	const struct own_key key = item_key(collection, index);

	return keys_get(collection->call, bytes_of(&key));
}

int
collection_set_item(
    struct collection *collection, uint64_t index, struct bytes bytes)
{
	const struct own_key key = item_key(collection, index);

	return write_set(collection->call, bytes_of(&key), bytes);
}

int
collection_drop_item(struct collection *collection, uint64_t index)
{
	const struct own_key key = item_key(collection, index);

	return write_delete(collection->call, bytes_of(&key)) == -1 ? -1 : 0;
}

/* A name that is too long is none of it. */
struct value *
collection_named(const struct collection *collection, struct bytes name)
{
	struct own_key key;

	if (!collection->is_there || name.length > COLLECTION_MAX)
		return NULL;
	key = name_key(collection, name);
	return keys_get(collection->call, bytes_of(&key));
}

int
collection_set_named(
    struct collection *collection, struct bytes name, struct bytes bytes)
{
	const struct own_key key = name_key(collection, name);

	return write_set(collection->call, bytes_of(&key), bytes);
}

int
collection_drop_named(struct collection *collection, struct bytes name)
{
	const struct own_key key = name_key(collection, name);

	return write_delete(collection->call, bytes_of(&key)) == -1 ? -1 : 0;
}

/*
 * Items with names.
 */

int
collection_append(
    struct collection *collection, struct bytes name, struct bytes item)
{
	char number[8];

	put_u64(number, collection->end);
	if (collection_set_named(
		collection, name, (struct bytes){number, sizeof(number)}) == -1)
		return -1;
	return collection_set_item(collection, collection->end++, item);
}

/* The name that an item is found by, if any. */
static bool
name_of(const struct collection *collection, const struct value *item,
    struct bytes *name)
{
	*name = value_bytes(item);
	switch (collection->type) {
	case COLLECTION_SET:
		return true;
	case COLLECTION_HASH:
		name->data += 8;
		name->length = (size_t)get_u64(item->data);
		return true;
	case COLLECTION_SORTED:
		name->data += 8;
		name->length -= 8;
		return true;
	case COLLECTION_LIST:
	case COLLECTION_STREAM:
		break;
	}
	return false;
}

static int
move(struct collection *collection, uint64_t from, uint64_t to)
{
	const struct value *item = collection_item(collection, from);
	struct bytes name;
	char number[8];

	put_u64(number, to);
	if (name_of(collection, item, &name) &&
	    collection_set_named(
		collection, name, (struct bytes){number, sizeof(number)}) == -1)
		return -1;
	return collection_set_item(collection, to, value_bytes(item));
}

int
collection_take_out(
    struct collection *collection, struct bytes name, uint64_t index)
{
	const uint64_t last = --collection->end;

	if (collection_drop_named(collection, name) == -1 ||
	    (index != last && move(collection, last, index) == -1))
		return -1;
	return collection_drop_item(collection, last);
}

struct evresult
collection_run_remove(struct call *call, enum collection_type type)
{
	struct collection collection;
	const struct value *number;
	long long removed = 0;
	size_t i;

	if (!collection_open(&collection, call, argument(call, 1), type))
		return done();
	for (i = 2; i < argument_count(call); i++) {
		number = collection_named(&collection, argument(call, i));
		if (number == NULL)
			continue;
		if (collection_take_out(&collection, argument(call, i),
			get_u64(number->data)) == -1)
			return write_give_up(call);
		removed++;
	}
	if (removed > 0 && collection_end(&collection) == -1)
		return write_give_up(call);
	return write_end_number(call, removed);
}

/*
 * All of it.
 */

int
collection_remove(struct call *call, struct bytes key)
{
	struct collection collection;
	const struct value *item;
	struct own_key head;
	struct bytes name;
	uint64_t i;

	if (!collection_find(&collection, call, key))
		return 0;
	for (i = collection.first; i != collection.end; i++) {
		item = collection_item(&collection, i);
		if (name_of(&collection, item, &name) &&
		    collection_drop_named(&collection, name) == -1)
			return -1;
		if (collection_drop_item(&collection, i) == -1)
			return -1;
	}
	head = head_key(key);
	return write_delete(call, bytes_of(&head));
}

struct evresult
run_type(struct call *call)
{
	struct collection collection;
	const char *type = "none";

	if (keys_get(call, argument(call, 1)) != NULL)
		type = "string";
	else if (collection_find(&collection, call, argument(call, 1)))
		switch (collection.type) {
		case COLLECTION_LIST:
			type = "list";
			break;
		case COLLECTION_SET:
			type = "set";
			break;
		case COLLECTION_HASH:
			type = "hash";
			break;
		case COLLECTION_SORTED:
			type = "zset";
			break;
		case COLLECTION_STREAM:
			type = "stream";
			break;
		}
	reply_status(&call->reply, type);
	return done();
}
