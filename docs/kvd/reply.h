/* SPDX-License-Identifier: MIT */
/*
 * Writing replies, in version 2 or 3 of the protocol (RESP).
 *
 * Without memory the reply is marked as failed and writes no more: a reply that
 * is there in part can't be answered with an error, only the connection can be
 * closed.
 */
#ifndef KVD_REPLY_H
#define KVD_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

struct evbuffer;
struct value;

struct reply {
	struct evbuffer *out;
	int version; /* 2, until the client says 3 */
	bool failed;
	struct evbuffer *held; /* changes places with out */
	bool is_holding;
};

void reply_destroy(struct reply *reply);

/*
 * What is replied from here on is held back, until reply_unhold(); and then sent
 * with reply_send_held(), or forgotten.
 */
int reply_hold(struct reply *reply); /* 0, or -1 without memory */
/* 0, or -1 if there was no memory for all that was to be held. */
int reply_unhold(struct reply *reply);
void reply_send_held(struct reply *reply);
/* Forgets what is held, and holds no more back. */
void reply_drop_held(struct reply *reply);

/* Bytes that are held. */
size_t reply_held(const struct reply *reply);

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

/* Text for people. */
void reply_text(struct reply *reply, const char *text, size_t length);

/* Where there might be an array. */
void reply_no_array(struct reply *reply);

/* The beginning of an array: count replies have to follow. */
void reply_array(struct reply *reply, uint64_t count);

/* The same of a set, and of a map: count times a key and a value.  In version 2 an array of
 * both. */
void reply_set(struct reply *reply, uint64_t count);
void reply_map(struct reply *reply, uint64_t count);

/* A number with a fraction, as text. */
void reply_double(struct reply *reply, const char *number);

#endif
