/* SPDX-License-Identifier: MIT */
/*
 * Reading RESP requests, with hiredis's reader.
 */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <hiredis/read.h>

/* What is fed to the reader at a time: it moves the rest in its buffer after
 * each request, so that should be short. */
#define PIECE 16384
/* The line with a count or a length; any that is longer is wrong. */
#define MAX_LINE 64
#define MAX_ARGUMENTS (1024 * 1024)
/* Memory that a request may leave to the next one. */
#define KEEP_TEXT 16384
#define KEEP_ARGUMENTS 64
#define KEEP_READER 65536

struct request_argument {
	size_t offset; /* the text moves when it grows */
	size_t length;
};

/*
 * The reader's functions.  A NULL makes the reader give up; why, is in
 * request->error.
 */

static void *
refuse(struct request *request, const char *why)
{
	snprintf(request->error, sizeof(request->error),
	    "ERR Protocol error: %s", why);
	return NULL;
}

static void *
refuse_size(struct request *request)
{
	snprintf(request->error, sizeof(request->error),
	    "ERR the request is longer than %zu bytes (--max-request)",
	    request->max);
	return NULL;
}

static void *
refuse_memory(struct request *request)
{
	snprintf(request->error, sizeof(request->error), "ERR out of memory");
	return NULL;
}

static int
make_room_for_text(struct request *request, size_t length)
{
	const size_t needed = request->used + length;
	size_t capacity = request->capacity + request->capacity / 2;
	char *text;

	if (needed <= request->capacity)
		return 0;
	if (capacity < needed)
		capacity = needed;
	text = realloc(request->text, capacity);
	if (text == NULL)
		return -1;
	request->text = text;
	request->capacity = capacity;
	return 0;
}

/* The array grows with the arguments that come, not with the number that was
 * promised. */
static int
make_room_for_argument(struct request *request)
{
	const size_t room = request->room * 2 + 8;
	struct request_argument *arguments;

	if (request->count < request->room)
		return 0;
	arguments = realloc(request->arguments, room * sizeof(*arguments));
	if (arguments == NULL)
		return -1;
	request->arguments = arguments;
	request->room = room;
	return 0;
}

static void *
create_string(const redisReadTask *task, char *data, size_t length)
{
	struct request *request = task->privdata;
	struct request_argument *argument;

	if (task->parent == NULL || task->type != REDIS_REPLY_STRING)
		return refuse(request, "expected '$'");
	/* It is there, but hiredis does not look at it. */
	if (memcmp(data + length, "\r\n", 2) != 0)
		return refuse(request, "an argument is longer than it says");
	if (request->used + length > request->max)
		return refuse_size(request);
	if (make_room_for_argument(request) == -1 ||
	    make_room_for_text(request, length + 1) == -1)
		return refuse_memory(request);
	argument = &request->arguments[request->count++];
	argument->offset = request->used;
	argument->length = length;
	memcpy(request->text + request->used, data, length);
	request->text[request->used + length] = '\0';
	request->used += length + 1;
	return request;
}

static void *
create_array(const redisReadTask *task, int elements)
{
	struct request *request = task->privdata;

	if (task->parent != NULL)
		return refuse(request, "expected '$', got '*'");
	if (elements > MAX_ARGUMENTS)
		return refuse(request, "invalid multibulk length");
	return request;
}

static void *
create_integer(const redisReadTask *task, long long number)
{
	(void)number;
	return refuse(task->privdata, "expected '$', got ':'");
}

static void *
create_nil(const redisReadTask *task)
{
	/* "*-1" is a request without arguments, as "*0" is. */
	if (task->parent == NULL && task->type == REDIS_REPLY_ARRAY)
		return task->privdata;
	return refuse(task->privdata, "invalid bulk length");
}

static void
free_object(void *object)
{
	(void)object; /* it is the request */
}

/* hiredis takes a pointer to what it does not change. */
static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

/*
 * Feeding it.
 */

/* A new reader, in place of the one that is there; that stays without memory.
 */
static int
renew_reader(struct request *request)
{
	redisReader *reader = redisReaderCreateWithFunctions(&functions);

	if (reader == NULL)
		return -1;
	if (request->reader != NULL)
		redisReaderFree(request->reader);
	request->reader = reader;
	request->fed = 0;
	reader->privdata = request;
	/* It would shrink its buffer with an assertion that there is memory. */
	reader->maxbuf = 0;
	return 0;
}

int
request_init(struct request *request, size_t max)
{
	memset(request, 0, sizeof(*request));
	request->max = max;
	request->starved = true;
	return renew_reader(request);
}

void
request_destroy(struct request *request)
{
	if (request->reader != NULL)
		redisReaderFree(request->reader);
	free(request->arguments);
	free(request->text);
}

bool
request_is_begun(const struct request *request)
{
	return request->reader->len > request->reader->pos;
}

static void
clear(struct request *request)
{
	request->count = 0;
	request->used = 0;
	if (request->capacity > KEEP_TEXT) {
		free(request->text);
		request->text = NULL;
		request->capacity = 0;
	}
	if (request->room > KEEP_ARGUMENTS) {
		free(request->arguments);
		request->arguments = NULL;
		request->room = 0;
	}
	if (request_is_begun(request))
		return;
	/* A buffer that has become long is long for ever. */
	if (request->fed > KEEP_READER)
		renew_reader(request);
	request->fed = 0;
}

static enum request_status
bad(struct request *request)
{
	if (request->error[0] == '\0')
		refuse(request, redisReaderGetError(request->reader));
	return REQUEST_BAD;
}

/* The length that an argument says it has, if the reader has come to it. */
static size_t
promised_length(const redisReader *reader)
{
	/* The buffer ends with a NUL. */
	if (reader->ridx < 1 ||
	    reader->rstack[reader->ridx].type != REDIS_REPLY_STRING)
		return 0;
	return (size_t)strtoull(reader->buf + reader->pos, NULL, 10);
}

/* What is buffered and makes no request yet: is it worth to wait for more? */
static bool
is_promising(struct request *request)
{
	const redisReader *reader = request->reader;
	const size_t left = reader->len - reader->pos;

	if (request->used + left > request->max ||
	    promised_length(reader) > request->max) {
		refuse_size(request);
		return false;
	}
	/* The reader looks through it for the end of the line each time. */
	if (left > MAX_LINE &&
	    memchr(reader->buf + reader->pos, '\n', MAX_LINE) == NULL) {
		refuse(request, "too long a line for a count or length");
		return false;
	}
	return true;
}

/* Empty lines between requests are ignored, as Redis does: "redis-cli --pipe"
 * sends one.  Whether a request follows, or its beginning. */
static bool
find_request(redisReader *reader)
{
	while (reader->len - reader->pos >= 2 &&
	       memcmp(reader->buf + reader->pos, "\r\n", 2) == 0)
		reader->pos += 2;
	if (reader->len - reader->pos == 1)
		return reader->buf[reader->pos] != '\r';
	return reader->len > reader->pos;
}

/* Takes a request out of what is buffered. */
static enum request_status
parse(struct request *request)
{
	redisReader *reader = request->reader;
	void *object;

	if (reader->ridx == -1) {
		if (!find_request(reader))
			return REQUEST_INCOMPLETE;
		if (reader->buf[reader->pos] != '*') {
			refuse(request, "expected '*'");
			return REQUEST_BAD;
		}
	}
	if (redisReaderGetReply(reader, &object) == REDIS_ERR)
		return bad(request);
	if (object != NULL)
		return REQUEST_READY;
	return is_promising(request) ? REQUEST_INCOMPLETE : REQUEST_BAD;
}

static enum request_status
feed(struct request *request, struct evbuffer *input)
{
	size_t length = evbuffer_get_contiguous_space(input);

	if (length > PIECE)
		length = PIECE;
	if (redisReaderFeed(request->reader,
		(const char *)evbuffer_pullup(input, (ev_ssize_t)length),
		length) == REDIS_ERR) {
		refuse_memory(request);
		return REQUEST_BAD;
	}
	evbuffer_drain(input, length);
	request->fed += length;
	return parse(request);
}

enum request_status
request_next(struct request *request, struct evbuffer *input)
{
	enum request_status status = REQUEST_INCOMPLETE;

	if (request->error[0] != '\0')
		return REQUEST_BAD;
	if (request->reader->ridx == -1)
		clear(request);
	if (!request->starved)
		status = parse(request);
	while (status == REQUEST_INCOMPLETE && evbuffer_get_length(input) > 0)
		status = feed(request, input);
	request->starved = status == REQUEST_INCOMPLETE;
	return status;
}

struct bytes
request_argument(const struct request *request, size_t index)
{
	const struct request_argument *argument = &request->arguments[index];
	const struct bytes bytes = {
	    request->text + argument->offset, argument->length};

	return bytes;
}
