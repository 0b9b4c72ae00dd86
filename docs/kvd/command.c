/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call.h"
#include "options.h"
#include "server.h"
#include "write.h"
#include "commands.h"

size_t
argument_count(const struct call *call)
{
	return call->arguments->count;
}

struct bytes
argument(const struct call *call, size_t index)
{
	return arguments_get(call->arguments, index);
}

bool
bytes_are(struct bytes bytes, const char *word)
{
	return bytes.length == strlen(word) &&
	       strncasecmp(bytes.data, word, bytes.length) == 0;
}

bool
argument_is(const struct call *call, size_t index, const char *word)
{
	return bytes_are(argument(call, index), word);
}

int
bytes_to_number(struct bytes bytes, long long *number)
{
	char text[NUMBER_SIZE], canonical[NUMBER_SIZE];

	if (bytes.length == 0 || bytes.length >= sizeof(text))
		return -1;
	memcpy(text, bytes.data, bytes.length);
	text[bytes.length] = '\0';
	*number = strtoll(text, NULL, 10);
	snprintf(canonical, sizeof(canonical), "%lld", *number);
	return strlen(text) == bytes.length && strcmp(text, canonical) == 0
		   ? 0
		   : -1;
}

struct evresult
done(void)
{
	return evresult_value(NULL);
}

struct evresult
out_of_memory(void)
{
	return evresult_fail(ENOMEM, "out of memory");
}

bool
parse_count(struct call *call, size_t index, uint64_t *count)
{
	long long number = 1;

	if (argument_count(call) > index + 1) {
		syntax_error(call);
		return false;
	}
	if (argument_count(call) > index &&
	    (bytes_to_number(argument(call, index), &number) == -1 ||
		number < 0)) {
		reply_error(&call->reply,
		    "ERR value is out of range, must be positive");
		return false;
	}
	*count = (uint64_t)number;
	return true;
}

/* From a place that may be counted from the end, and may lie beyond. */
static uint64_t
place_of(long long index, uint64_t total)
{
	if (index >= 0)
		return (uint64_t)index;
	return (uint64_t) - (index + 1) >= total
		   ? 0
		   : total - (uint64_t) - (index + 1) - 1;
}

bool
parse_range(struct call *call, size_t index, struct range *range)
{
	if (bytes_to_number(argument(call, index), &range->first) == 0 &&
	    bytes_to_number(argument(call, index + 1), &range->last) == 0)
		return true;
	not_a_number(call);
	return false;
}

uint64_t
range_cut(const struct range *range, uint64_t total, uint64_t *first)
{
	uint64_t end = 0;

	*first = place_of(range->first, total);
	/* A last one that is before all of them leaves none. */
	if (range->last >= 0 || (uint64_t) - (range->last + 1) < total)
		end = place_of(range->last, total) + 1;
	if (end > total)
		end = total;
	return end > *first ? end - *first : 0;
}

struct evresult
wrong_type(struct call *call)
{
	reply_error(&call->reply,
	    "WRONGTYPE Operation against a key holding the wrong kind of "
	    "value");
	return done();
}

struct evresult
not_a_number(struct call *call)
{
	reply_error(
	    &call->reply, "ERR value is not an integer or out of range");
	return done();
}

struct evresult
wrong_number(struct call *call)
{
	reply_error(&call->reply,
	    "ERR wrong number of arguments for '%s' command",
	    call->command->name);
	return done();
}

struct evresult
syntax_error(struct call *call)
{
	reply_error(&call->reply, "ERR syntax error");
	return done();
}

/*
 * Replies that are held.  Those of a part of a transaction are held with the
 * others of it.
 */

int
hold_replies(struct call *call)
{
	return call->write.is_part ? 0 : reply_hold(&call->reply);
}

bool
are_too_many(const struct call *call)
{
	return reply_held(&call->reply) > call->server->options->max_request;
}

static void
send_held(struct call *call)
{
	reply_send_held(&call->reply);
}

void
drop_replies(struct call *call)
{
	if (call->writes)
		write_drop(call);
	else if (!call->write.is_part)
		reply_drop_held(&call->reply);
}

struct evresult
send_replies(struct call *call)
{
	if (are_too_many(call)) {
		drop_replies(call);
		return evresult_fail(EMSGSIZE,
		    "the reply is longer than %zu bytes (--max-request)",
		    call->server->options->max_request);
	}
	if (call->write.is_part)
		return done();
	if (reply_unhold(&call->reply) == -1) {
		drop_replies(call);
		return evresult_fail(ENOMEM, "out of memory");
	}
	if (call->writes)
		return write_end(call, send_held);
	send_held(call);
	return done();
}
