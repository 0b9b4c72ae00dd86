/* SPDX-License-Identifier: MIT */
/*
 * Reading RESP requests, with hiredis's reader.
 *
 * The reader builds no tree of objects: its functions put the arguments into
 * one piece of memory, which the next request uses again.
 */
#ifndef KVD_REQUEST_H
#define KVD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct evbuffer;
struct redisReader;
struct request_argument;

struct request {
	struct redisReader *reader;
	size_t max; /* bytes */
	size_t fed; /* bytes since the reader was new or was empty */
	bool starved;
	char error[192]; /* of REQUEST_BAD, as it is to be replied */

	struct request_argument *arguments;
	size_t count;
	size_t room; /* how many arguments fit */
	char *text;  /* of all of them */
	size_t used;
	size_t capacity;
};

enum request_status {
	REQUEST_READY,
	REQUEST_INCOMPLETE,
	REQUEST_BAD, /* the rest of the input can't be understood */
};

/* 0, or -1 without memory. */
int request_init(struct request *request, size_t max);
void request_destroy(struct request *request);

/*
 * Takes the next request out of the input, no more of that than it needs.  One
 * that is READY has count arguments, and may have none; it stays until the
 * next call.
 */
enum request_status request_next(
    struct request *request, struct evbuffer *input);

/* Whether something was taken out of the input for a request to come. */
bool request_is_begun(const struct request *request);

/* An argument; there is a NUL after its last byte. */
struct bytes request_argument(const struct request *request, size_t index);

#endif
