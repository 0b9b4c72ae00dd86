/* SPDX-License-Identifier: MIT */
/*
 * DEBUG LOCKS.
 */
#include "debug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/deferred.h>

#include "call.h"
#include "command.h"
#include "locks.h"
#include "options.h"
#include "server.h"

/* What has come of a report so far. */
struct text {
	char *bytes;
	size_t length, size;
	size_t max;
};

static void
free_text(void *arg)
{
	struct text *text = arg;

	free(text->bytes);
	free(text);
}

/* 0, or -1 with errno. */
static int
make_room(struct text *text, size_t length)
{
	size_t size = text->size > 0 ? text->size : 4096;
	char *bytes;

	if (length > text->max - text->length) {
		errno = EFBIG;
		return -1;
	}
	while (size - text->length < length)
		size *= 2;
	if (size == text->size)
		return 0;
	bytes = realloc(text->bytes, size);
	if (bytes == NULL)
		return -1;
	text->bytes = bytes;
	text->size = size;
	return 0;
}

static int
add_to_text(const char *bytes, size_t length, void *arg)
{
	struct text *text = arg;

	if (make_room(text, length) == -1)
		return -1;
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	return 0;
}

/* The format that the call names.  -1 if there is none of that name. */
static int
find_format(const struct call *call)
{
	static const char *const names[] = {
	    [EVDEFER_REPORT_TEXT] = "text",
	    [EVDEFER_REPORT_JSON] = "json",
	    [EVDEFER_REPORT_GRAPH] = "graph",
	};
	int i;

	if (argument_count(call) == 2)
		return EVDEFER_REPORT_TEXT;
	for (i = 0; i < 3 && argument_count(call) == 3; i++)
		if (argument_is(call, 2, names[i]))
			return i;
	return -1;
}

bool
check_debug(struct call *call)
{
	if (argument_is(call, 1, "locks") && find_format(call) != -1)
		return true;
	reply_error(&call->reply, "ERR use DEBUG LOCKS [TEXT|JSON|GRAPH]");
	return false;
}

static struct evresult
reply_locks(void *value, void *arg)
{
	const struct text *text = value;
	struct call *call = arg;

	reply_text(&call->reply, text->bytes, text->length);
	free_text(value);
	return done();
}

static struct evresult
explain_length(struct evfailure *failure, void *arg)
{
	const struct call *call = arg;

	if (evfailure_get_code(failure) != EFBIG)
		return evresult_from_failure(failure);
	return evresult_fail(EFBIG,
	    "the report is longer than %zu bytes (--max-request)",
	    call->server->options->max_request);
}

struct evresult
run_debug(struct call *call)
{
	struct text *text = calloc(1, sizeof(*text));
	struct evdeferred *d;

	if (text == NULL)
		return out_of_memory();
	text->max = call->server->options->max_request;
	d = locks_report(call->loop,
	    (enum evdefer_report_format)find_format(call), add_to_text, text,
	    free_text);
	if (d == NULL) {
		free_text(text);
		return out_of_memory();
	}
	if (evdeferred_add_callbacks(d, reply_locks, explain_length, call) == 0)
		return evresult_deferred(d);
	evdeferred_free(d);
	return out_of_memory();
}
