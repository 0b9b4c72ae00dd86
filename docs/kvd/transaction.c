/* SPDX-License-Identifier: MIT */
/*
 * Transactions.
 */
#include "transaction.h"

#include <errno.h>
#include <stdlib.h>

#include "call.h"
#include "command.h"
#include "keys.h"
#include "options.h"
#include "server.h"
#include "store.h"
#include "types/collection.h"
#include "write.h"

struct queued {
	const struct command *command;
	struct arguments arguments;
};

/* A key and the value that it had, which stays while it is watched, so that another
 * value is at another address.  The entry is the store's, which may drop it: to watch
 * changes nothing, and so is a reader's right. */
struct watch {
	struct value *key;
	struct value *value; /* NULL: there was none */
};

/*
 * The end of one.
 */

static void
forget_queue(struct transaction *transaction)
{
	while (transaction->count > 0)
		arguments_destroy(
		    &transaction->queue[--transaction->count].arguments);
	free(transaction->queue);
	transaction->queue = NULL;
	transaction->room = 0;
	transaction->size = 0;
	transaction->writes = false;
	transaction->asks = false;
}

static void
forget_watches(struct transaction *transaction)
{
	while (transaction->watch_count > 0) {
		const struct watch *watch =
		    &transaction->watches[--transaction->watch_count];

		value_unuse(watch->value);
		value_unuse(watch->key);
	}
	free(transaction->watches);
	transaction->watches = NULL;
	transaction->watch_room = 0;
	transaction->watch_size = 0;
}

void
transaction_destroy(struct transaction *transaction)
{
	forget_queue(transaction);
	forget_watches(transaction);
	transaction->state = TRANSACTION_NONE;
}

void
transaction_settle(struct transaction *transaction)
{
	if (transaction->state == TRANSACTION_RUNNING)
		transaction_destroy(transaction);
}

/*
 * Queueing.
 */

size_t
transaction_size(const struct transaction *transaction)
{
	return transaction->size + transaction->watch_size;
}

bool
transaction_is_open(const struct transaction *transaction)
{
	return transaction->state == TRANSACTION_OPEN ||
	       transaction->state == TRANSACTION_SPOILED;
}

void
transaction_spoil(struct transaction *transaction)
{
	if (!transaction_is_open(transaction))
		return;
	transaction->state = TRANSACTION_SPOILED;
	forget_queue(transaction);
}

static int
make_room_for_command(struct transaction *transaction)
{
	const size_t room = transaction->room * 2 + 8;
	struct queued *queue;

	if (transaction->count < transaction->room)
		return 0;
	queue = realloc(transaction->queue, room * sizeof(*queue));
	if (queue == NULL)
		return -1;
	transaction->queue = queue;
	transaction->room = room;
	return 0;
}

/* Replies an error and gives false if it can't be queued. */
static bool
check_command(struct call *call)
{
	struct transaction *transaction = &call->transaction;
	const size_t max = call->server->options->max_request;
	const size_t size =
	    sizeof(struct queued) + arguments_size(&call->request.arguments);

	if (call->command->in_transaction == REFUSED) {
		reply_error(&call->reply,
		    "ERR '%s' is not allowed in a transaction",
		    call->command->name);
		return false;
	}
	if (size > max - transaction->size) {
		reply_error(&call->reply,
		    "ERR the transaction is longer than %zu bytes "
		    "(--max-request)",
		    max);
		return false;
	}
	if (make_room_for_command(transaction) == -1) {
		reply_error(&call->reply, "ERR out of memory");
		return false;
	}
	transaction->size += size;
	return true;
}

void
transaction_queue(struct call *call)
{
	struct transaction *transaction = &call->transaction;
	struct queued *queued;

	if (transaction->state == TRANSACTION_OPEN) {
		if (!check_command(call)) {
			transaction_spoil(transaction);
			return;
		}
		queued = &transaction->queue[transaction->count++];
		queued->command = call->command;
		queued->arguments = arguments_take(&call->request.arguments);
		if (call->command->access == ACCESS_WRITE)
			transaction->writes = true;
		if (call->command->access == ACCESS_FIGURES)
			transaction->asks = true;
	}
	reply_status(&call->reply, "QUEUED");
}

struct evresult
run_multi(struct call *call)
{
	struct transaction *transaction = &call->transaction;

	if (transaction_is_open(transaction)) {
		reply_error(&call->reply, "ERR MULTI calls can not be nested");
		return done();
	}
	transaction->state = TRANSACTION_OPEN;
	reply_status(&call->reply, "OK");
	return done();
}

struct evresult
run_discard(struct call *call)
{
	if (!transaction_is_open(&call->transaction)) {
		reply_error(&call->reply, "ERR DISCARD without MULTI");
		return done();
	}
	transaction_destroy(&call->transaction);
	reply_status(&call->reply, "OK");
	return done();
}

/*
 * Watching.
 */

bool
check_watch(struct call *call)
{
	if (!transaction_is_open(&call->transaction))
		return true;
	reply_error(&call->reply, "ERR WATCH inside MULTI is not allowed");
	return false;
}

static int
make_room_for_watch(struct transaction *transaction)
{
	const size_t room = transaction->watch_room * 2 + 8;
	struct watch *watches;

	if (transaction->watch_count < transaction->watch_room)
		return 0;
	watches = realloc(transaction->watches, room * sizeof(*watches));
	if (watches == NULL)
		return -1;
	transaction->watches = watches;
	transaction->watch_room = room;
	return 0;
}

/* 0, or -1 without memory. */
static int
watch(struct call *call, struct bytes key)
{
	struct transaction *transaction = &call->transaction;
	struct watch *watch;

	if (make_room_for_watch(transaction) == -1)
		return -1;
	watch = &transaction->watches[transaction->watch_count];
	watch->key = value_new(key);
	if (watch->key == NULL)
		return -1;
	watch->value = store_get(call->server->store, key);
	if (watch->value != NULL) {
		value_use(watch->value);
		transaction->watch_size += watch->value->length;
	}
	transaction->watch_size += sizeof(*watch) + key.length;
	transaction->watch_count++;
	return 0;
}

/* A value with parts has its head elsewhere. */
static int
watch_both(struct call *call, struct bytes key)
{
	char room[COLLECTION_HEAD];

	if (watch(call, key) == -1)
		return -1;
	if (key.length > COLLECTION_MAX)
		return 0;
	return watch(call, collection_head(key, room));
}

struct evresult
run_watch(struct call *call)
{
	const size_t max = call->server->options->max_request;
	size_t i;

	for (i = 1; i < argument_count(call); i++) {
		if (watch_both(call, argument(call, i)) == -1)
			return evresult_fail(ENOMEM, "out of memory");
		if (call->transaction.watch_size <= max)
			continue;
		forget_watches(&call->transaction);
		reply_error(&call->reply,
		    "ERR the keys and values that are watched are longer than "
		    "%zu bytes (--max-request)",
		    max);
		return done();
	}
	reply_status(&call->reply, "OK");
	return done();
}

struct evresult
run_unwatch(struct call *call)
{
	forget_watches(&call->transaction);
	reply_status(&call->reply, "OK");
	return done();
}

static bool
has_changed(struct call *call)
{
	const struct transaction *transaction = &call->transaction;
	size_t i;

	for (i = 0; i < transaction->watch_count; i++)
		if (keys_get(call, value_bytes(transaction->watches[i].key)) !=
		    transaction->watches[i].value)
			return true;
	return false;
}

/*
 * Running.
 */

/* Whatever comes of it, the transaction is over with the answer. */
bool
check_exec(struct call *call)
{
	struct transaction *transaction = &call->transaction;

	if (!transaction_is_open(transaction)) {
		reply_error(&call->reply, "ERR EXEC without MULTI");
		return false;
	}
	if (transaction->state == TRANSACTION_SPOILED) {
		reply_error(&call->reply,
		    "EXECABORT Transaction discarded because of previous "
		    "errors.");
		transaction_destroy(transaction);
		return false;
	}
	transaction->state = TRANSACTION_RUNNING;
	call->writes = transaction->writes;
	call->asks = transaction->asks;
	return true;
}

/* What is wrong with a single command is its reply. */
static struct evresult
run_one(struct call *call, const struct queued *queued)
{
	call->command = queued->command;
	call->arguments = &queued->arguments;
	if (call->command->check != NULL && !call->command->check(call))
		return done();
	return call->command->run(call);
}

static struct evresult
run_all(struct call *call)
{
	const struct transaction *transaction = &call->transaction;
	struct evresult result = done();
	size_t i;

	reply_array(&call->reply, transaction->count);
	for (i = 0; i < transaction->count; i++) {
		result = run_one(call, &transaction->queue[i]);
		if (evresult_is_failure(result) || are_too_many(call))
			break;
	}
	return result;
}

/* As parts of this call: they neither join the batch nor reply by themselves.
 */
static struct evresult
run_parts(struct call *call)
{
	const struct command *command = call->command;
	struct evresult result;

	call->write.is_part = true;
	result = run_all(call);
	call->write.is_part = false;
	call->command = command;
	call->arguments = &call->request.arguments;
	return result;
}

struct evresult
run_exec(struct call *call)
{
	struct evresult result;

	if (has_changed(call)) {
		reply_no_array(&call->reply);
		return done();
	}
	if (hold_replies(call) == -1)
		return evresult_fail(ENOMEM, "out of memory");
	result = run_parts(call);
	if (!evresult_is_failure(result))
		return send_replies(call);
	drop_replies(call);
	return result;
}
