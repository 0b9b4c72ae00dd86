/* SPDX-License-Identifier: MIT */
/*
 * Reading requests: arrays of bulk strings, as programs send them, and lines of
 * words, as people type them ("inline commands").
 *
 * The arguments are put into one piece of memory, which the next request uses
 * again, and which grows with what has come, not with what was promised.
 */
#ifndef KVD_REQUEST_H
#define KVD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "arguments.h"

struct evbuffer;

enum request_status {
	REQUEST_READY,
	REQUEST_INCOMPLETE,
	REQUEST_BAD, /* the rest of the input can't be understood */
};

/* What has to come next. */
enum request_place {
	REQUEST_BEGIN,	/* a request */
	REQUEST_LENGTH, /* the length of an argument */
	REQUEST_BYTES,	/* those of the argument, and the end of its line */
};

struct request {
	size_t max; /* bytes */
	enum request_place place;
	size_t arguments_to_come;
	size_t bytes_to_come;
	char error[192]; /* of REQUEST_BAD, as it is to be replied */

	struct arguments arguments;
};

void request_init(struct request *request, size_t max);
void request_destroy(struct request *request);

/*
 * Takes the next request out of the input, no more of that than it needs.  One
 * that is READY may have no arguments; it stays until the next call.
 */
enum request_status request_next(
    struct request *request, struct evbuffer *input);

/* Whether something was taken out of the input for a request to come. */
bool request_is_begun(const struct request *request);

#endif
