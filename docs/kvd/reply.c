/* SPDX-License-Identifier: MIT */
/*
 * Writing replies.
 */
#include "reply.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "store.h"

/* Up to here it is cheaper to copy a value once more than to add it in three
 * pieces; and from there on, to copy it than to share it. */
#define SMALL 512
#define BIG 16384

static void
add(struct reply *reply, const void *data, size_t length)
{
	if (!reply->failed && evbuffer_add(reply->out, data, length) == -1)
		reply->failed = true;
}

void
reply_destroy(struct reply *reply)
{
	if (reply->held != NULL)
		evbuffer_free(reply->held);
}

static void
change_places(struct reply *reply)
{
	struct evbuffer *held = reply->held;

	reply->held = reply->out;
	reply->out = held;
	reply->is_holding = !reply->is_holding;
}

int
reply_hold(struct reply *reply)
{
	if (reply->held == NULL && (reply->held = evbuffer_new()) == NULL)
		return -1;
	change_places(reply);
	return 0;
}

int
reply_unhold(struct reply *reply)
{
	const bool failed = reply->failed;

	change_places(reply);
	reply->failed = false; /* nothing of it was sent */
	return failed ? -1 : 0;
}

void
reply_send_held(struct reply *reply)
{
	if (evbuffer_add_buffer(reply->out, reply->held) == -1)
		reply->failed = true;
}

static struct evbuffer *
held(const struct reply *reply)
{
	return reply->is_holding ? reply->out : reply->held;
}

void
reply_drop_held(struct reply *reply)
{
	if (reply->is_holding)
		reply_unhold(reply);
	if (reply->held != NULL)
		evbuffer_drain(reply->held, reply_held(reply));
}

size_t
reply_held(const struct reply *reply)
{
	return held(reply) != NULL ? evbuffer_get_length(held(reply)) : 0;
}

static void
add_number(struct reply *reply, char type, long long number)
{
	char line[32];
	int length;

	length = snprintf(line, sizeof(line), "%c%lld\r\n", type, number);
	add(reply, line, (size_t)length);
}

void
reply_status(struct reply *reply, const char *text)
{
	add(reply, "+", 1);
	add(reply, text, strlen(text));
	add(reply, "\r\n", 2);
}

void
reply_error(struct reply *reply, const char *format, ...)
{
	char line[2048] = "-"; /* a cycle of clients has a long one */
	va_list args;
	size_t length, i;

	va_start(args, format);
	vsnprintf(line + 1, sizeof(line) - 2, format, args);
	va_end(args);
	length = strlen(line);
	for (i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	memcpy(line + length, "\r\n", 2);
	add(reply, line, length + 2);
}

void
reply_integer(struct reply *reply, long long number)
{
	add_number(reply, ':', number);
}

/* The usual reply of all: its length is written without printf(). */
static void
add_small(struct reply *reply, struct bytes bytes)
{
	char text[SMALL + 16];
	char *to = text;
	const size_t n = bytes.length;

	*to++ = '$';
	if (n >= 100)
		*to++ = (char)('0' + n / 100);
	if (n >= 10)
		*to++ = (char)('0' + n / 10 % 10);
	*to++ = (char)('0' + n % 10);
	*to++ = '\r';
	*to++ = '\n';
	if (n > 0)
		memcpy(to, bytes.data, n);
	to += n;
	*to++ = '\r';
	*to++ = '\n';
	add(reply, text, (size_t)(to - text));
}

void
reply_bulk(struct reply *reply, struct bytes bytes)
{
	if (bytes.length <= SMALL) {
		add_small(reply, bytes);
		return;
	}
	add_number(reply, '$', (long long)bytes.length);
	add(reply, bytes.data, bytes.length);
	add(reply, "\r\n", 2);
}

void
reply_string(struct reply *reply, const char *text)
{
	const struct bytes bytes = {text, strlen(text)};

	reply_bulk(reply, bytes);
}

static void
sent(const void *data, size_t length, void *value)
{
	(void)data;
	(void)length;
	value_unuse(value);
}

static void
add_shared(struct reply *reply, struct value *value)
{
	add_number(reply, '$', (long long)value->length);
	if (reply->failed)
		return;
	value_use(value);
	if (evbuffer_add_reference(
		reply->out, value->data, value->length, sent, value) == -1) {
		value_unuse(value);
		reply->failed = true;
	}
	add(reply, "\r\n", 2);
}

static void
add_null(struct reply *reply)
{
	const char *null = reply->version == 3 ? "_\r\n" : "$-1\r\n";

	add(reply, null, strlen(null));
}

void
reply_value(struct reply *reply, struct value *value)
{
	struct bytes bytes;

	if (value == NULL) {
		add_null(reply);
		return;
	}
	if (value->length >= BIG) {
		add_shared(reply, value);
		return;
	}
	bytes.data = value->data;
	bytes.length = value->length;
	reply_bulk(reply, bytes);
}

void
reply_text(struct reply *reply, const char *text, size_t length)
{
	static const char kind[] = "txt:";
	const struct bytes bytes = {text, length};

	if (reply->version != 3) {
		reply_bulk(reply, bytes);
		return;
	}
	add_number(reply, '=', (long long)(strlen(kind) + length));
	add(reply, kind, strlen(kind));
	add(reply, text, length);
	add(reply, "\r\n", 2);
}

void
reply_no_array(struct reply *reply)
{
	const char *null = reply->version == 3 ? "_\r\n" : "*-1\r\n";

	add(reply, null, strlen(null));
}

void
reply_array(struct reply *reply, uint64_t count)
{
	add_number(reply, '*', (long long)count);
}

void
reply_map(struct reply *reply, uint64_t count)
{
	if (reply->version == 3)
		add_number(reply, '%', (long long)count);
	else
		reply_array(reply, count * 2);
}

void
reply_set(struct reply *reply, uint64_t count)
{
	add_number(reply, reply->version == 3 ? '~' : '*', (long long)count);
}

void
reply_double(struct reply *reply, const char *number)
{
	if (reply->version != 3) {
		reply_string(reply, number);
		return;
	}
	add(reply, ",", 1);
	add(reply, number, strlen(number));
	add(reply, "\r\n", 2);
}
