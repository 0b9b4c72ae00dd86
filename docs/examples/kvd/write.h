/* SPDX-License-Identifier: MIT */
/*
 * The work of a command that writes: one change after the other is put into the
 * journal, made durable and applied, all under the writer's lock.
 *
 * All memory is taken before the first change, and what goes wrong later is
 * undone: either all changes are made or none is.
 */
#ifndef KVD_WRITE_H
#define KVD_WRITE_H

#include <stddef.h>

#include <evdefer/result.h>

#include "bytes.h"
#include "journal.h"

struct call;
struct evdeferred;
struct store_entry;
struct value;

/* An entry, and the value to come; once applied, the value that was. */
struct change {
	struct store_entry *entry;
	struct value *value;
};

/* Called when all is done, to reply. */
typedef void (*write_reply_fn)(struct call *call);

struct write {
	struct journal_command journal;
	write_reply_fn reply;
	struct evdeferred *done;
	struct change *changes;
	struct change single; /* where there is only one */
	size_t count;
	size_t applied;
	long long number; /* for the reply of the command */
};

/* Prepares for up to max changes.  0, or -1 without memory. */
int write_begin(struct call *call, size_t max);

/* Adds a change.  0, or -1 without memory. */
int write_set(struct call *call, struct bytes key, struct bytes value);

/* Adds the deletion of a key, if it is there. */
void write_delete(struct call *call, struct bytes key);

/* Gives up before write_run().  Gives a failure: out of memory. */
struct evresult write_give_up(struct call *call);

/* Makes the changes.  Gives a Deferred to wait for. */
struct evresult write_run(struct call *call, write_reply_fn reply);

/* Afterwards: how many changes took the place of a value that was there. */
size_t write_count_replaced(const struct call *call);

#endif
