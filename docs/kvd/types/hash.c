/* SPDX-License-Identifier: MIT */
/*
 * Hashes: an item is the length of a field's name, the name and its value, and
 * a name has the number of its item.
 */
#include "types.h"

#include <stdlib.h>
#include <string.h>

#include "../call.h"
#include "../command.h"
#include "../store.h"
#include "../write.h"
#include "collection.h"

/* On the heap, or NULL without memory. */
static char *
make_item(struct bytes name, struct bytes value)
{
	char *item = malloc(8 + name.length + value.length);

	if (item == NULL)
		return NULL;
	put_u64(item, name.length);
	memcpy(item + 8, name.data, name.length);
	memcpy(item + 8 + name.length, value.data, value.length);
	return item;
}

/* 1 if there was none of that name, or 0, or -1 without memory. */
static int
set_field(struct collection *hash, struct bytes name, struct bytes value)
{
	const struct value *number = collection_named(hash, name);
	char *item = make_item(name, value);
	const struct bytes bytes = {item, 8 + name.length + value.length};
	int result;

	if (item == NULL)
		return -1;
	if (number != NULL)
		result =
		    collection_set_item(hash, get_u64(number->data), bytes);
	else
		result = collection_append(hash, name, bytes) == -1 ? -1 : 1;
	free(item);
	return result;
}

struct evresult
run_hset(struct call *call)
{
	struct collection hash;
	long long added = 0;
	int result;
	size_t i;

	if (argument_count(call) % 2 != 0)
		return wrong_number(call);
	if (!collection_open(&hash, call, argument(call, 1), COLLECTION_HASH) ||
	    !collection_check_names(call, 2, 2))
		return done();
	if (collection_begin(&hash) == -1)
		return write_give_up(call);
	for (i = 2; i < argument_count(call); i += 2) {
		result =
		    set_field(&hash, argument(call, i), argument(call, i + 1));
		if (result == -1)
			return write_give_up(call);
		added += result;
	}
	if (collection_end(&hash) == -1)
		return write_give_up(call);
	return write_end_number(call, added);
}

struct evresult
run_hdel(struct call *call)
{
	return collection_run_remove(call, COLLECTION_HASH);
}

/* The name and the value within an item. */
static void
split_item(const struct value *item, struct bytes *name, struct bytes *value)
{
	name->data = item->data + 8;
	name->length = (size_t)get_u64(item->data);
	value->data = name->data + name->length;
	value->length = item->length - 8 - name->length;
}

struct evresult
run_hget(struct call *call)
{
	struct collection hash;
	const struct value *number;
	struct bytes name, value;

	if (!collection_open(&hash, call, argument(call, 1), COLLECTION_HASH))
		return done();
	number = collection_named(&hash, argument(call, 2));
	if (number == NULL) {
		reply_value(&call->reply, NULL);
		return done();
	}
	split_item(
	    collection_item(&hash, get_u64(number->data)), &name, &value);
	reply_bulk(&call->reply, value);
	return done();
}

struct evresult
run_hlen(struct call *call)
{
	struct collection hash;

	if (collection_open(&hash, call, argument(call, 1), COLLECTION_HASH))
		reply_integer(&call->reply, (long long)collection_count(&hash));
	return done();
}

struct evresult
run_hgetall(struct call *call)
{
	struct collection hash;
	struct bytes name, value;
	uint64_t i;

	if (!collection_open(&hash, call, argument(call, 1), COLLECTION_HASH))
		return done();
	if (hold_replies(call) == -1)
		return out_of_memory();
	reply_map(&call->reply, collection_count(&hash));
	for (i = 0; i < hash.end && !are_too_many(call); i++) {
		split_item(collection_item(&hash, i), &name, &value);
		reply_bulk(&call->reply, name);
		reply_bulk(&call->reply, value);
	}
	return send_replies(call);
}
