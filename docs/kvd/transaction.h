/* SPDX-License-Identifier: MIT */
/*
 * Transactions: what a client sends between MULTI and EXEC is kept, and then
 * done under the lock at once.
 *
 * One that writes holds the lock as a writer: its commands plan their changes,
 * and see what those before them have planned.  All of that joins the batch as
 * the changes of one command, so that it is durable as a whole or not at all.
 * The replies are written meanwhile, and sent when it is.  One that only reads
 * holds the lock as a reader.
 *
 * WATCH remembers the values of keys.  If one is another when EXEC has the lock,
 * nothing is done.
 */
#ifndef KVD_TRANSACTION_H
#define KVD_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include <evdefer/result.h>

struct call;
struct queued;
struct watch;

enum transaction_state {
	TRANSACTION_NONE,
	TRANSACTION_OPEN,    /* MULTI was there */
	TRANSACTION_SPOILED, /* and a command that could not be queued */
	TRANSACTION_RUNNING, /* EXEC is under way */
};

/* All of it 0: there is none. */
struct transaction {
	enum transaction_state state;
	struct queued *queue;
	size_t count;
	size_t room;
	size_t size; /* bytes of all that is queued */
	bool writes;
	bool asks; /* for the figures of all loops */

	struct watch *watches;
	size_t watch_count;
	size_t watch_room;
	size_t watch_size; /* bytes of all that is watched */
};

void transaction_destroy(struct transaction *transaction);

/* Bytes that it has. */
size_t transaction_size(const struct transaction *transaction);

/* Whether commands are queued. */
bool transaction_is_open(const struct transaction *transaction);

/* A command of it could not even be queued: EXEC will refuse. */
void transaction_spoil(struct transaction *transaction);

/* Queues the command of the call, and replies. */
void transaction_queue(struct call *call);

/* A call was answered: if it was EXEC, the transaction is over. */
void transaction_settle(struct transaction *transaction);

struct evresult run_multi(struct call *call);
bool check_exec(struct call *call);
struct evresult run_exec(struct call *call);
struct evresult run_discard(struct call *call);
bool check_watch(struct call *call);
struct evresult run_watch(struct call *call);
struct evresult run_unwatch(struct call *call);

#endif
