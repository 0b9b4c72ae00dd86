/* SPDX-License-Identifier: MIT */
/*
 * The commands of keys and their values.
 */
#include "keys.h"

#include <limits.h>
#include <stdio.h>

#include "call.h"
#include "command.h"
#include "options.h"
#include "server.h"
#include "store.h"
#include "types/collection.h"
#include "write.h"

struct value *
keys_get(const struct call *call, struct bytes key)
{
	const struct store *store = call->server->store;

	return call->writes ? store_get_planned(store, key)
			    : store_get(store, key);
}

/*
 * Readers.
 */

/* Whether there are values with parts under a key. */
static bool
has_parts(struct call *call, struct bytes key)
{
	struct collection collection;

	return collection_find(&collection, call, key);
}

struct evresult
run_get(struct call *call)
{
	struct value *value = keys_get(call, argument(call, 1));

	if (value == NULL && has_parts(call, argument(call, 1)))
		return wrong_type(call);
	reply_value(&call->reply, value);
	return done();
}

/* Whether the reply to MGET stays within the bounds of a request. */
static bool
is_bearable(const struct call *call)
{
	const size_t max = call->server->options->max_request;
	const struct value *value;
	size_t i, total = 0;

	for (i = 1; i < argument_count(call) && total <= max; i++) {
		value = keys_get(call, argument(call, i));
		total += value != NULL ? value->length : 0;
	}
	return total <= max;
}

struct evresult
run_mget(struct call *call)
{
	size_t i;

	if (argument_count(call) > 2 && !is_bearable(call)) {
		reply_error(&call->reply,
		    "ERR the reply is longer than %zu bytes (--max-request)",
		    call->server->options->max_request);
		return done();
	}
	reply_array(&call->reply, argument_count(call) - 1);
	for (i = 1; i < argument_count(call); i++)
		reply_value(&call->reply, keys_get(call, argument(call, i)));
	return done();
}

struct evresult
run_exists(struct call *call)
{
	long long number = 0;
	size_t i;

	for (i = 1; i < argument_count(call); i++)
		if (keys_get(call, argument(call, i)) != NULL ||
		    has_parts(call, argument(call, i)))
			number++;
	reply_integer(&call->reply, number);
	return done();
}

struct evresult
run_dbsize(struct call *call)
{
	const struct store *store = call->server->store;
	const size_t count =
	    call->writes ? store_count_planned(store) : store_count(store);

	reply_integer(&call->reply, (long long)count);
	return done();
}

/*
 * Writers.
 */

static void
reply_ok(struct call *call)
{
	reply_status(&call->reply, "OK");
}

/* SET of redis has options, and there are none here. */
bool
check_set(struct call *call)
{
	if (argument_count(call) == 3)
		return true;
	syntax_error(call);
	return false;
}

/* Whatever was there.  What has a value of its own has no parts to look for. */
static int
set(struct call *call, size_t key, size_t value)
{
	if (keys_get(call, argument(call, key)) == NULL &&
	    collection_remove(call, argument(call, key)) == -1)
		return -1;
	return write_set(call, argument(call, key), argument(call, value));
}

struct evresult
run_set(struct call *call)
{
	if (set(call, 1, 2) == -1)
		return write_give_up(call);
	return write_end(call, reply_ok);
}

bool
check_mset(struct call *call)
{
	if (argument_count(call) % 2 == 1)
		return true;
	wrong_number(call);
	return false;
}

struct evresult
run_mset(struct call *call)
{
	size_t i;

	for (i = 1; i < argument_count(call); i += 2)
		if (set(call, i, i + 1) == -1)
			return write_give_up(call);
	return write_end(call, reply_ok);
}

struct evresult
run_del(struct call *call)
{
	long long number = 0;
	size_t i;

	for (i = 1; i < argument_count(call); i++) {
		int deleted = write_delete(call, argument(call, i));

		if (deleted == 0)
			deleted = collection_remove(call, argument(call, i));
		if (deleted == -1)
			return write_give_up(call);
		number += deleted;
	}
	return write_end_number(call, number);
}

/* A key that is not there counts as 0. */
static int
parse_number(const struct value *value, long long *number)
{
	struct bytes text;

	*number = 0;
	if (value == NULL)
		return 0;
	text.data = value->data;
	text.length = value->length;
	return bytes_to_number(text, number);
}

/* The journal gets the result, so that it can be replayed twice. */
static struct evresult
add(struct call *call, long long amount)
{
	char text[NUMBER_SIZE];
	const struct value *value = keys_get(call, argument(call, 1));
	struct bytes result = {text, 0};
	long long number;

	if (value == NULL && has_parts(call, argument(call, 1)))
		return wrong_type(call);
	if (parse_number(value, &number) == -1)
		return not_a_number(call);
	if (__builtin_add_overflow(number, amount, &number)) {
		reply_error(
		    &call->reply, "ERR increment or decrement would overflow");
		return done();
	}
	result.length = (size_t)snprintf(text, sizeof(text), "%lld", number);
	if (write_set(call, argument(call, 1), result) == -1)
		return write_give_up(call);
	return write_end_number(call, number);
}

struct evresult
run_incr(struct call *call)
{
	return add(call, 1);
}

struct evresult
run_decr(struct call *call)
{
	return add(call, -1);
}

struct evresult
run_incrby(struct call *call)
{
	long long amount;

	if (bytes_to_number(argument(call, 2), &amount) == -1)
		return not_a_number(call);
	return add(call, amount);
}

struct evresult
run_decrby(struct call *call)
{
	long long amount;

	/* The least number has no counterpart. */
	if (bytes_to_number(argument(call, 2), &amount) == -1 ||
	    amount == LLONG_MIN)
		return not_a_number(call);
	return add(call, -amount);
}
