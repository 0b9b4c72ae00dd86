/* SPDX-License-Identifier: MIT */
/*
 * kvd's parser of requests.
 *
 * The first byte chooses the longest request that is taken, the second one the
 * pieces in which the rest comes.  What must hold: no crash; each argument has
 * its NUL; what the parser says does not depend on the pieces; and a request is
 * the same when it is said once more as a line of words.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "../../docs/kvd/request.h"

/* Of a line of words. */
#define MAX_WORDS 65536

/* What the parser said about a stream, as a sum of it all. */
struct said {
	uint64_t requests;
	uint64_t sum;
	enum request_status status;
};

static void
sum_up(struct said *said, const void *data, size_t length)
{
	const unsigned char *byte = data;

	while (length-- > 0)
		said->sum = (said->sum ^ *byte++) * 1099511628211u;
}

static void
say_word(struct evbuffer *line, struct bytes bytes)
{
	size_t i;

	evbuffer_add_printf(line, " \"");
	for (i = 0; i < bytes.length; i++)
		evbuffer_add_printf(
		    line, "\\x%02x", (unsigned char)bytes.data[i]);
	evbuffer_add_printf(line, "\"");
}

static bool
are_equal(const struct arguments *one, const struct arguments *other)
{
	size_t i;

	if (one->count != other->count)
		return false;
	for (i = 0; i < one->count; i++) {
		struct bytes a = arguments_get(one, i);
		struct bytes b = arguments_get(other, i);

		if (a.length != b.length ||
		    memcmp(a.data, b.data, a.length) != 0)
			return false;
	}
	return true;
}

/* With everything in quotes.  (A browser's words are refused.) */
static void
say_again(const struct arguments *arguments)
{
	struct evbuffer *line = evbuffer_new();
	struct request request;
	size_t i;

	if (line == NULL)
		abort();
	for (i = 0; i < arguments->count; i++)
		say_word(line, arguments_get(arguments, i));
	evbuffer_add_printf(line, "\n");
	request_init(&request, MAX_WORDS);
	if (evbuffer_get_length(line) < MAX_WORDS &&
	    (request_next(&request, line) == REQUEST_READY
		    ? !are_equal(&request.arguments, arguments)
		    : strstr(request.error, "web server") == NULL))
		abort();
	request_destroy(&request);
	evbuffer_free(line);
}

static void
take(struct said *said, const struct arguments *arguments)
{
	size_t i;

	said->requests++;
	sum_up(said, &arguments->count, sizeof(arguments->count));
	for (i = 0; i < arguments->count; i++) {
		struct bytes bytes = arguments_get(arguments, i);

		if (bytes.data[bytes.length] != '\0')
			abort();
		sum_up(said, &bytes.length, sizeof(bytes.length));
		sum_up(said, bytes.data, bytes.length);
	}
	say_again(arguments);
}

/* seed 0: in one piece. */
static struct said
parse(const uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct said said = {0, 14695981039346656037u, REQUEST_INCOMPLETE};
	struct evbuffer *input = evbuffer_new();
	struct request request;
	size_t piece;

	if (input == NULL)
		abort();
	request_init(&request, max);
	do {
		piece = size;
		if (seed != 0) {
			seed = seed * 1103515245u + 12345;
			piece = 1 + (seed >> 16) % 24;
		}
		if (piece > size)
			piece = size;
		if (evbuffer_add(input, data, piece) == -1)
			abort();
		data += piece;
		size -= piece;
		while ((said.status = request_next(&request, input)) ==
		       REQUEST_READY)
			take(&said, &request.arguments);
	} while (size > 0 && said.status != REQUEST_BAD);
	if (said.status == REQUEST_BAD &&
	    (request.error[0] == '\0' ||
		request_next(&request, input) != REQUEST_BAD))
		abort();
	request_destroy(&request);
	evbuffer_free(input);
	return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct said whole, pieces;
	size_t max;

	if (size < 2)
		return 0;
	max = 64 + (size_t)data[0] * 16; /* 64 is the least of kvd */
	whole = parse(data + 2, size - 2, max, 0);
	pieces = parse(data + 2, size - 2, max, data[1] + 1u);
	if (whole.requests == pieces.requests && whole.sum == pieces.sum &&
	    whole.status == pieces.status)
		return 0;
	fprintf(stderr,
	    "in one piece: %llu requests, then %d; in pieces: %llu, then %d\n",
	    (unsigned long long)whole.requests, (int)whole.status,
	    (unsigned long long)pieces.requests, (int)pieces.status);
	abort();
}
