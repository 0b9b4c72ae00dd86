/* SPDX-License-Identifier: MIT */
/*
 * Reading requests.
 *
 * hiredis has a reader, but that is one for replies.  It does not say where in
 * its input a reply ended, so a line of words after a request would be an error
 * to it; nor does it tell of the length of a string before it has all of it, so
 * what is too long could not be refused before it has come.
 */
#include "request.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>

#include "words.h"

/* The line with a count or a length, which has no more digits than that. */
#define MAX_LINE 64
#define MAX_DIGITS 18
/* A line of words. */
#define MAX_WORDS ((size_t)65536)
#define MAX_ARGUMENTS (1024 * 1024)

/*
 * What is wrong.
 */

static enum request_status
refuse(struct request *request, const char *why)
{
	snprintf(request->error, sizeof(request->error),
	    "ERR Protocol error: %s", why);
	return REQUEST_BAD;
}

static enum request_status
refuse_size(struct request *request)
{
	snprintf(request->error, sizeof(request->error),
	    "ERR the request is longer than %zu bytes (--max-request)",
	    request->max);
	return REQUEST_BAD;
}

static enum request_status
refuse_memory(struct request *request)
{
	snprintf(request->error, sizeof(request->error), "ERR out of memory");
	return REQUEST_BAD;
}

/*
 * The input.  Most of it is looked at where it lies, and given back to the buffer once
 * for a request: that costs more than the rest.
 */

struct input {
	struct evbuffer *buffer;
	const char *at; /* the next bytes, in one piece */
	size_t left;	/* so many of them */
	size_t used;	/* before them, still in the buffer */
};

static size_t
length_of(const struct input *input)
{
	return evbuffer_get_length(input->buffer) - input->used;
}

static void
settle(struct input *input)
{
	evbuffer_drain(input->buffer, input->used);
	input->used = 0;
}

/* Has so many bytes in one piece, or all that there are.  -1 without memory. */
static int
gather(struct input *input, size_t length)
{
	const size_t total = length_of(input);

	if (length > total)
		length = total;
	if (input->left >= length && input->left > 0)
		return 0;
	settle(input);
	if (length < evbuffer_get_contiguous_space(input->buffer))
		length = evbuffer_get_contiguous_space(input->buffer);
	input->at =
	    (const char *)evbuffer_pullup(input->buffer, (ev_ssize_t)length);
	input->left = input->at != NULL ? length : 0;
	return input->at != NULL || total == 0 ? 0 : -1;
}

static void
advance(struct input *input, size_t length)
{
	input->at += length;
	input->left -= length;
	input->used += length;
}

/* Takes so many, which there are. */
static void
take(struct input *input, void *bytes, size_t length)
{
	if (length == 0)
		return; /* there may be no memory at all */
	if (length <= input->left) {
		memcpy(bytes, input->at, length);
		advance(input, length);
		return;
	}
	settle(input);
	evbuffer_remove(input->buffer, bytes, length);
	input->left = 0;
}

/*
 * Lines.  Each of the functions from here on takes one thing out of the input,
 * and is READY when it has it.
 */

/* Where the next line feed is, if it is among the first max bytes.  Without it
 * the line is not READY, and BAD if it can't come there any more. */
static enum request_status
find_line(struct request *request, struct input *input, size_t max,
    size_t *length, const char *too_long)
{
	const char *end = NULL;

	if (input->left > 0)
		end = memchr(input->at, '\n', input->left);
	if (end == NULL && gather(input, max) == -1)
		return refuse_memory(request);
	if (end == NULL && input->left > 0)
		end = memchr(input->at, '\n', input->left);
	if (end == NULL && length_of(input) < max)
		return REQUEST_INCOMPLETE;
	if (end == NULL || (size_t)(end - input->at) >= max)
		return refuse(request, too_long);
	*length = (size_t)(end - input->at);
	return REQUEST_READY;
}

/* One with a count or a length, where it lies, without its end. */
struct line {
	const char *at;
	size_t length;
};

static enum request_status
take_line(struct request *request, struct input *input, struct line *line)
{
	size_t length = 0;
	const enum request_status status = find_line(request, input, MAX_LINE,
	    &length, "too long a line for a count or length");

	if (status != REQUEST_READY)
		return status;
	if (length == 0 || input->at[length - 1] != '\r')
		return refuse(request, "a line does not end as it should");
	line->at = input->at;
	line->length = length - 1;
	advance(input, length + 1);
	return REQUEST_READY;
}

/* After the first byte there are digits and nothing else, and no zero in front.  What a
 * size_t has no room for is the most that it has, which is too long for anything. */
static bool
parse_number(const struct line *line, size_t *number)
{
	uint64_t value = 0;
	size_t i;

	if (line->length < 2 || line->length > MAX_DIGITS + 1 ||
	    (line->at[1] == '0' && line->length > 2))
		return false;
	for (i = 1; i < line->length; i++) {
		const unsigned digit = (unsigned)line->at[i] - '0';

		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*number = value < SIZE_MAX ? (size_t)value : SIZE_MAX;
	return true;
}

/*
 * Arrays of bulk strings.
 */

static enum request_status
begin_array(struct request *request, struct input *input)
{
	struct line line;
	const enum request_status status = take_line(request, input, &line);

	if (status != REQUEST_READY)
		return status;
	/* "*-1" is a request without arguments, as "*0" is. */
	if (line.length == 3 && memcmp(line.at, "*-1", 3) == 0)
		return REQUEST_READY;
	if (!parse_number(&line, &request->arguments_to_come) ||
	    request->arguments_to_come > MAX_ARGUMENTS)
		return refuse(request, "invalid multibulk length");
	if (request->arguments_to_come > 0)
		request->place = REQUEST_LENGTH;
	return REQUEST_READY;
}

static enum request_status
take_length(struct request *request, struct input *input)
{
	struct arguments *arguments = &request->arguments;
	struct line line;
	const enum request_status status = take_line(request, input, &line);
	size_t length;

	if (status != REQUEST_READY)
		return status;
	if (line.length == 0 || line.at[0] != '$')
		return refuse(request, "expected '$'");
	if (!parse_number(&line, &length))
		return refuse(request, "invalid bulk length");
	if (arguments->used > request->max ||
	    length > request->max - arguments->used)
		return refuse_size(request);
	if (arguments_add(arguments, arguments->used, length) == -1)
		return refuse_memory(request);
	request->bytes_to_come = length;
	request->place = REQUEST_BYTES;
	return REQUEST_READY;
}

/* Those that are there. */
static enum request_status
take_bytes(struct request *request, struct input *input)
{
	struct arguments *arguments = &request->arguments;
	size_t length = length_of(input);

	if (length > request->bytes_to_come)
		length = request->bytes_to_come;
	/* With room for the NUL that ends them. */
	if (arguments_make_room(arguments, length + 1) == -1)
		return refuse_memory(request);
	take(input, arguments->text + arguments->used, length);
	arguments->used += length;
	request->bytes_to_come -= length;
	return request->bytes_to_come == 0 ? REQUEST_READY : REQUEST_INCOMPLETE;
}

static enum request_status
take_argument(struct request *request, struct input *input)
{
	const enum request_status status = take_bytes(request, input);
	struct arguments *arguments = &request->arguments;
	char end[2];

	if (status != REQUEST_READY)
		return status;
	if (length_of(input) < sizeof(end))
		return REQUEST_INCOMPLETE;
	take(input, end, sizeof(end));
	if (memcmp(end, "\r\n", sizeof(end)) != 0)
		return refuse(request, "an argument is longer than it says");
	arguments->text[arguments->used++] = '\0';
	request->place =
	    --request->arguments_to_come > 0 ? REQUEST_LENGTH : REQUEST_BEGIN;
	return REQUEST_READY;
}

/*
 * Lines of words.
 */

/* A web browser may be made to send a request here by whoever wrote the page,
 * with commands in its body. */
static bool
is_of_a_browser(struct bytes word)
{
	return strcasecmp(word.data, "post") == 0 ||
	       strcasecmp(word.data, "host:") == 0;
}

static enum request_status
split(struct request *request, char *line)
{
	struct arguments *arguments = &request->arguments;
	struct bytes word;
	int result;

	while ((result = words_next(&line, &word)) == 1) {
		if (arguments->count == 0 && is_of_a_browser(word))
			return refuse(request, "this is no web server");
		if (arguments_add(arguments,
			(size_t)(word.data - arguments->text),
			word.length) == -1)
			return refuse_memory(request);
	}
	if (result == -1)
		return refuse(request, "unbalanced quotes in a line");
	return REQUEST_READY;
}

static enum request_status
take_words(struct request *request, struct input *input)
{
	struct arguments *arguments = &request->arguments;
	const size_t max = request->max < MAX_WORDS ? request->max : MAX_WORDS;
	size_t length = 0;
	const enum request_status status =
	    find_line(request, input, max, &length, "too long a line of words");

	if (status != REQUEST_READY)
		return status;
	if (arguments_make_room(arguments, length + 1) == -1)
		return refuse_memory(request);
	take(input, arguments->text, length + 1);
	arguments->used = length + 1;
	arguments->text[length] = '\0';
	if (strlen(arguments->text) != length)
		return refuse(request, "a null byte in a line of words");
	return split(request, arguments->text);
}

/*
 * All of it.
 */

void
request_init(struct request *request, size_t max)
{
	memset(request, 0, sizeof(*request));
	request->max = max;
}

void
request_destroy(struct request *request)
{
	arguments_destroy(&request->arguments);
}

bool
request_is_begun(const struct request *request)
{
	return request->place != REQUEST_BEGIN;
}

static enum request_status
begin(struct request *request, struct input *input)
{
	arguments_clear(&request->arguments);
	if (gather(input, 1) == -1)
		return refuse_memory(request);
	if (input->left == 0)
		return REQUEST_INCOMPLETE;
	return input->at[0] == '*' ? begin_array(request, input)
				   : take_words(request, input);
}

static enum request_status
go_on(struct request *request, struct input *input)
{
	switch (request->place) {
	case REQUEST_BEGIN:
		return begin(request, input);
	case REQUEST_LENGTH:
		return take_length(request, input);
	case REQUEST_BYTES:
		return take_argument(request, input);
	}
	return REQUEST_BAD;
}

enum request_status
request_next(struct request *request, struct evbuffer *buffer)
{
	struct input input = {.buffer = buffer};
	enum request_status status;

	if (request->error[0] != '\0')
		return REQUEST_BAD;
	do
		status = go_on(request, &input);
	while (status == REQUEST_READY && request_is_begun(request));
	settle(&input);
	return status;
}
