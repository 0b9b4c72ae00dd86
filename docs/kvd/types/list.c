/* SPDX-License-Identifier: MIT */
/*
 * Lists: items that follow one another, from a number in the middle to both
 * sides.
 */
#include "types.h"

#include "../call.h"
#include "../command.h"
#include "../store.h"
#include "../write.h"
#include "collection.h"

static struct evresult
push(struct call *call, bool left)
{
	struct collection list;
	size_t i;

	if (!collection_open(&list, call, argument(call, 1), COLLECTION_LIST))
		return done();
	if (collection_begin(&list) == -1)
		return write_give_up(call);
	for (i = 2; i < argument_count(call); i++)
		if (collection_set_item(&list, left ? --list.first : list.end++,
			argument(call, i)) == -1)
			return write_give_up(call);
	if (collection_end(&list) == -1)
		return write_give_up(call);
	return write_end_number(call, (long long)collection_count(&list));
}

struct evresult
run_lpush(struct call *call)
{
	return push(call, true);
}

struct evresult
run_rpush(struct call *call)
{
	return push(call, false);
}

/* Takes an item out, and replies it.  0, or -1 without memory. */
static int
take(struct collection *list, bool left)
{
	const uint64_t index = left ? list->first : list->end - 1;

	reply_value(&list->call->reply, collection_item(list, index));
	if (left)
		list->first++;
	else
		list->end--;
	return collection_drop_item(list, index);
}

static struct evresult
pop(struct call *call, bool left)
{
	struct collection list;
	uint64_t count;

	if (!parse_count(call, 2, &count) ||
	    !collection_open(&list, call, argument(call, 1), COLLECTION_LIST))
		return done();
	if (!list.is_there) {
		if (argument_count(call) == 2)
			reply_value(&call->reply, NULL);
		else
			reply_no_array(&call->reply);
		return done();
	}
	if (count > collection_count(&list))
		count = collection_count(&list);
	if (hold_replies(call) == -1)
		return write_give_up(call);
	if (argument_count(call) == 3)
		reply_array(&call->reply, count);
	for (; count > 0 && !are_too_many(call); count--)
		if (take(&list, left) == -1)
			return write_give_up(call);
	if (collection_end(&list) == -1)
		return write_give_up(call);
	return send_replies(call);
}

struct evresult
run_lpop(struct call *call)
{
	return pop(call, true);
}

struct evresult
run_rpop(struct call *call)
{
	return pop(call, false);
}

struct evresult
run_llen(struct call *call)
{
	struct collection list;

	if (collection_open(&list, call, argument(call, 1), COLLECTION_LIST))
		reply_integer(&call->reply, (long long)collection_count(&list));
	return done();
}

struct evresult
run_lrange(struct call *call)
{
	struct collection list;
	struct range range;
	uint64_t from, count, i;

	if (!parse_range(call, 2, &range) ||
	    !collection_open(&list, call, argument(call, 1), COLLECTION_LIST))
		return done();
	count = range_cut(&range, collection_count(&list), &from);
	if (hold_replies(call) == -1)
		return out_of_memory();
	reply_array(&call->reply, count);
	for (i = 0; i < count && !are_too_many(call); i++)
		reply_value(&call->reply,
		    collection_item(&list, list.first + from + i));
	return send_replies(call);
}
