/* SPDX-License-Identifier: MIT */
/*
 * Sets: an item is a member, and a name has the number of its item.
 */
#include "types.h"

#include <event2/util.h>

#include "../call.h"
#include "../command.h"
#include "../store.h"
#include "../write.h"
#include "collection.h"

struct evresult
run_sadd(struct call *call)
{
	struct collection set;
	long long added = 0;
	size_t i;

	if (!collection_open(&set, call, argument(call, 1), COLLECTION_SET) ||
	    !collection_check_names(call, 2, 1))
		return done();
	if (collection_begin(&set) == -1)
		return write_give_up(call);
	for (i = 2; i < argument_count(call); i++) {
		if (collection_named(&set, argument(call, i)) != NULL)
			continue;
		if (collection_append(
			&set, argument(call, i), argument(call, i)) == -1)
			return write_give_up(call);
		added++;
	}
	if (collection_end(&set) == -1)
		return write_give_up(call);
	return write_end_number(call, added);
}

struct evresult
run_srem(struct call *call)
{
	return collection_run_remove(call, COLLECTION_SET);
}

static uint64_t
any_below(uint64_t count)
{
	uint64_t number;

	evutil_secure_rng_get_bytes(&number, sizeof(number));
	return number % count;
}

/* Takes any one out, and replies it.  0, or -1 without memory. */
static int
take_any(struct collection *set)
{
	const uint64_t index = any_below(collection_count(set));
	struct value *member = collection_item(set, index);

	reply_value(&set->call->reply, member);
	return member == NULL || collection_take_out(
				     set, value_bytes(member), index) == -1
		   ? -1
		   : 0;
}

struct evresult
run_spop(struct call *call)
{
	struct collection set;
	uint64_t count;

	if (!parse_count(call, 2, &count) ||
	    !collection_open(&set, call, argument(call, 1), COLLECTION_SET))
		return done();
	if (count > collection_count(&set))
		count = collection_count(&set);
	if (hold_replies(call) == -1)
		return write_give_up(call);
	if (argument_count(call) == 3)
		reply_set(&call->reply, count);
	else if (!set.is_there)
		reply_value(&call->reply, NULL);
	for (; count > 0 && !are_too_many(call); count--)
		if (take_any(&set) == -1)
			return write_give_up(call);
	if (set.is_there && collection_end(&set) == -1)
		return write_give_up(call);
	return send_replies(call);
}

struct evresult
run_scard(struct call *call)
{
	struct collection set;

	if (collection_open(&set, call, argument(call, 1), COLLECTION_SET))
		reply_integer(&call->reply, (long long)collection_count(&set));
	return done();
}

struct evresult
run_sismember(struct call *call)
{
	struct collection set;

	if (collection_open(&set, call, argument(call, 1), COLLECTION_SET))
		reply_integer(&call->reply,
		    collection_named(&set, argument(call, 2)) != NULL);
	return done();
}

struct evresult
run_smembers(struct call *call)
{
	struct collection set;
	uint64_t i;

	if (!collection_open(&set, call, argument(call, 1), COLLECTION_SET))
		return done();
	if (hold_replies(call) == -1)
		return out_of_memory();
	reply_set(&call->reply, collection_count(&set));
	for (i = 0; i < set.end && !are_too_many(call); i++)
		reply_value(&call->reply, collection_item(&set, i));
	return send_replies(call);
}
