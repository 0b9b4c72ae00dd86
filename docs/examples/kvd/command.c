/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call.h"
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
