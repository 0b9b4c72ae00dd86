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
	else if (call->reply.is_holding && !call->write.is_part)
		reply_unhold(&call->reply);
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
