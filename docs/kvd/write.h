/* SPDX-License-Identifier: MIT */
/*
 * The work of a command that writes, under the writer's lock: it plans its
 * changes, and joins the batch that is made durable next; see commit.h.
 *
 * Later commands of the same batch build on what this one has planned, and find
 * it with store_get_planned().
 */
#ifndef KVD_WRITE_H
#define KVD_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include <evdefer/result.h>

#include "bytes.h"
#include "mailbox.h"

struct call;
struct evdeferred;
struct evfailure;
struct loop;

/* Called when all that was planned is durable and done, to reply. */
typedef void (*write_reply_fn)(struct call *call);

struct write {
	size_t begin;	 /* its first change, of those of the batch */
	size_t commands; /* that are answered together */
	write_reply_fn reply;
	bool is_part;		 /* of a transaction, which will join it */
	struct evdeferred *done; /* NULL: it has not joined the batch */
	struct call *next;	 /* in the batch */
	struct letter letter;	 /* with the answer, to the loop of the call */
	struct evresult result;	 /* that is in it */
	long long number;	 /* for the reply of the command */
};

/* Before the command is run: makes sure that there is a batch.  0, or -1
 * without memory. */
int write_begin(struct call *call);

/* Plans to set a key.  0, or -1 without memory. */
int write_set(struct call *call, struct bytes key, struct bytes value);

/* Plans to delete a key.  1, or 0 if it is not there, or -1 without memory. */
int write_delete(struct call *call, struct bytes key);

/* Drops what it has planned, and the replies that are held. */
void write_drop(struct call *call);

/* The same.  Gives a failure: out of memory. */
struct evresult write_give_up(struct call *call);

/* Joins the batch with what it has planned.  To be the result of the command.
 * A part of a transaction replies at once, and into the buffer of that. */
struct evresult write_end(struct call *call, write_reply_fn reply);

/* The same, and replies a number. */
struct evresult write_end_number(struct call *call, long long number);

/* For commit.c: what it has planned is durable and done, or has failed.  From here on the
 * call is its own loop's, which answers it in a later turn. */
void write_settle(struct call *call, const struct evfailure *failure);

/* Gives a Deferred to wait for, which fires when the reply is written, or fails
 * and nothing was changed; or the value NULL if it has not joined a batch. */
struct evresult write_wait(struct call *call);

#endif
