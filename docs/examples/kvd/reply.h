/* SPDX-License-Identifier: MIT */
/*
 * Writing RESP2 replies.
 *
 * Without memory the reply is marked as failed and writes no more: a reply that
 * is there in part can't be answered with an error, only the connection can be
 * closed.
 */
#ifndef KVD_REPLY_H
#define KVD_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct evbuffer;
struct value;

struct reply {
	struct evbuffer *out;
	bool failed;
};

/* "+text" */
void reply_status(struct reply *reply, const char *text);

/* "-text"; the text begins with a word in capitals, as ERR.  Bytes that do not
 * belong into a line become blanks. */
void reply_error(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void reply_integer(struct reply *reply, long long number);
void reply_bulk(struct reply *reply, struct bytes bytes);
void reply_string(struct reply *reply, const char *text);

/* A value; a big one is not copied but used until it is sent.  NULL is nil. */
void reply_value(struct reply *reply, struct value *value);

/* The beginning of an array: count replies have to follow. */
void reply_array(struct reply *reply, size_t count);

#endif
