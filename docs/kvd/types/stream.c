/* SPDX-License-Identifier: MIT */
/*
 * Streams: an item is an id of two numbers, milliseconds and how many came
 * before in the same one, and then pairs of a field and its value, each with its
 * length in front.  The ids grow.
 */
#include "types.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../call.h"
#include "../command.h"
#include "../store.h"
#include "../write.h"
#include "collection.h"

#define ID_SIZE 16

struct id {
	uint64_t time, count;
};

static bool
is_before(struct id a, struct id b)
{
	return a.time < b.time || (a.time == b.time && a.count < b.count);
}

/*
 * Ids as text.
 */

/* Digits up to an end.  Gives where they end, or NULL. */
static const char *
parse_digits(const char *text, uint64_t *number)
{
	const char *digit;
	uint64_t more;

	*number = 0;
	for (digit = text; *digit >= '0' && *digit <= '9'; digit++) {
		more = (uint64_t)(*digit - '0');
		if (*number > (UINT64_MAX - more) / 10)
			return NULL;
		*number = *number * 10 + more;
	}
	return digit > text ? digit : NULL;
}

/* "time-count", or "time" alone, and then the count is as it was. */
static bool
parse_id(struct call *call, struct bytes text, struct id *id)
{
	const char *end = parse_digits(text.data, &id->time);

	if (end != NULL && *end == '-')
		end = parse_digits(end + 1, &id->count);
	if (end != NULL && end == text.data + text.length)
		return true;
	reply_error(&call->reply,
	    "ERR Invalid stream ID specified as stream command argument");
	return false;
}

static void
reply_id(struct reply *reply, struct id id)
{
	char text[48];

	snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64, id.time, id.count);
	reply_string(reply, text);
}

/*
 * XADD
 */

static struct id
next_id(const struct collection *stream)
{
	struct id last = {stream->last[0], stream->last[1]};
	struct timespec now;
	uint64_t time;

	clock_gettime(CLOCK_REALTIME, &now);
	time = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	/* The clock may have been set back. */
	if (time > last.time)
		return (struct id){time, 0};
	if (++last.count == 0)
		last.time++;
	return last;
}

/* The id, if the client says it. */
static bool
parse_new_id(struct call *call, struct id *id)
{
	id->count = 0;
	if (argument_is(call, 2, "*"))
		return true;
	if (!parse_id(call, argument(call, 2), id))
		return false;
	if (id->time > 0 || id->count > 0)
		return true;
	reply_error(&call->reply,
	    "ERR The ID specified in XADD must be greater than 0-0");
	return false;
}

static bool
choose_id(const struct collection *stream, struct id *id)
{
	const struct id last = {stream->last[0], stream->last[1]};

	if (argument_is(stream->call, 2, "*")) {
		*id = next_id(stream);
		return true;
	}
	if (is_before(last, *id))
		return true;
	reply_error(&stream->call->reply,
	    "ERR The ID specified in XADD is equal or smaller than the target "
	    "stream top item");
	return false;
}

/* On the heap, or NULL without memory. */
static char *
make_item(const struct call *call, struct id id, size_t *length)
{
	char *item, *to;
	size_t i;

	*length = ID_SIZE;
	for (i = 3; i < argument_count(call); i++)
		*length += 8 + argument(call, i).length;
	item = to = malloc(*length);
	if (item == NULL)
		return NULL;
	put_u64(to, id.time);
	put_u64(to + 8, id.count);
	to += ID_SIZE;
	for (i = 3; i < argument_count(call); i++) {
		const struct bytes part = argument(call, i);

		put_u64(to, part.length);
		memcpy(to + 8, part.data, part.length);
		to += 8 + part.length;
	}
	return item;
}

static int
append(struct collection *stream, struct id id)
{
	size_t length;
	char *item = make_item(stream->call, id, &length);
	int result;

	if (item == NULL)
		return -1;
	result = collection_set_item(
	    stream, stream->end++, (struct bytes){item, length});
	free(item);
	stream->last[0] = id.time;
	stream->last[1] = id.count;
	return result == -1 ? -1 : collection_end(stream);
}

struct evresult
run_xadd(struct call *call)
{
	struct collection stream;
	struct id id;

	if (argument_count(call) % 2 == 0)
		return wrong_number(call);
	if (!parse_new_id(call, &id) ||
	    !collection_open(
		&stream, call, argument(call, 1), COLLECTION_STREAM) ||
	    !choose_id(&stream, &id))
		return done();
	if (collection_begin(&stream) == -1 || append(&stream, id) == -1 ||
	    hold_replies(call) == -1)
		return write_give_up(call);
	reply_id(&call->reply, id);
	return send_replies(call);
}

/*
 * Reading.
 */

struct evresult
run_xlen(struct call *call)
{
	struct collection stream;

	if (collection_open(
		&stream, call, argument(call, 1), COLLECTION_STREAM))
		reply_integer(
		    &call->reply, (long long)collection_count(&stream));
	return done();
}

static struct id
id_of(const struct value *item)
{
	const struct id id = {get_u64(item->data), get_u64(item->data + 8)};

	return id;
}

static void
reply_item(struct reply *reply, const struct value *item)
{
	struct bytes part = value_bytes(item);
	const char *end = part.data + part.length, *at;
	size_t parts = 0;

	for (at = part.data + ID_SIZE; at < end; at += 8 + get_u64(at))
		parts++;
	reply_array(reply, 2);
	reply_id(reply, id_of(item));
	reply_array(reply, parts);
	for (at = part.data + ID_SIZE; at < end; at += 8 + part.length) {
		part.data = at + 8;
		part.length = (size_t)get_u64(at);
		reply_bulk(reply, part);
	}
}

/* The first item whose id is not before that one. */
static uint64_t
find(const struct collection *stream, struct id id)
{
	uint64_t low = stream->first, high = stream->end, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (is_before(id_of(collection_item(stream, middle)), id))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
parse_ends(struct call *call, struct id *from, struct id *to)
{
	const struct id least = {0, 0}, greatest = {UINT64_MAX, UINT64_MAX};

	*from = least;
	*to = greatest;
	return (argument_is(call, 2, "-") ||
		   parse_id(call, argument(call, 2), from)) &&
	       (argument_is(call, 3, "+") ||
		   parse_id(call, argument(call, 3), to));
}

/* The count of an array comes before it. */
static uint64_t
find_end(const struct collection *stream, struct id last)
{
	const uint64_t end = find(stream, last);

	if (end < stream->end &&
	    !is_before(last, id_of(collection_item(stream, end))))
		return end + 1;
	return end;
}

struct evresult
run_xrange(struct call *call)
{
	struct collection stream;
	struct id from, to;
	uint64_t i, end, count = UINT64_MAX;

	if (argument_count(call) != 4 &&
	    (argument_count(call) != 6 || !argument_is(call, 4, "count")))
		return syntax_error(call);
	if ((argument_count(call) == 6 && !parse_count(call, 5, &count)) ||
	    !parse_ends(call, &from, &to) ||
	    !collection_open(
		&stream, call, argument(call, 1), COLLECTION_STREAM))
		return done();
	if (hold_replies(call) == -1)
		return out_of_memory();
	i = find(&stream, from);
	end = find_end(&stream, to);
	if (end < i)
		end = i;
	if (end - i > count)
		end = i + count;
	reply_array(&call->reply, end - i);
	for (; i < end && !are_too_many(call); i++)
		reply_item(&call->reply, collection_item(&stream, i));
	return send_replies(call);
}
