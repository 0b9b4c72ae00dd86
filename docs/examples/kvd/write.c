/* SPDX-License-Identifier: MIT */
/*
 * The work of a command that writes.
 */
#include "write.h"

#include <errno.h>
#include <stdlib.h>

#include <evdefer/base.h>
#include <evdefer/deferred.h>

#include "call.h"
#include "server.h"
#include "store.h"

static void next_change(struct call *call);

/*
 * Before.
 */

int
write_begin(struct call *call, size_t max)
{
	struct write *write = &call->write;

	write->count = 0;
	write->applied = 0;
	write->changes = &write->single;
	if (max <= 1)
		return 0;
	write->changes = calloc(max, sizeof(*write->changes));
	return write->changes != NULL ? 0 : -1;
}

int
write_set(struct call *call, struct bytes key, struct bytes value)
{
	struct write *write = &call->write;
	struct change *change = &write->changes[write->count];

	change->value = value_new(value);
	if (change->value == NULL)
		return -1;
	change->entry = store_pin(call->server->store, key);
	if (change->entry == NULL) {
		value_unuse(change->value);
		return -1;
	}
	write->count++;
	return 0;
}

void
write_delete(struct call *call, struct bytes key)
{
	struct write *write = &call->write;
	struct change *change = &write->changes[write->count];

	change->entry = store_pin_if_there(call->server->store, key);
	if (change->entry == NULL)
		return;
	change->value = NULL;
	write->count++;
}

/* Whatever each change has at hand: the new value or the old one. */
static void
release_changes(struct call *call)
{
	struct write *write = &call->write;
	size_t i;

	for (i = 0; i < write->count; i++) {
		value_unuse(write->changes[i].value);
		store_unpin(call->server->store, write->changes[i].entry);
	}
	write->count = 0;
	if (write->changes != &write->single)
		free(write->changes);
	write->changes = NULL;
}

struct evresult
write_give_up(struct call *call)
{
	release_changes(call);
	return evresult_fail(ENOMEM, "out of memory");
}

/*
 * At work.
 */

static void
swap(struct call *call, size_t index)
{
	struct change *change = &call->write.changes[index];

	store_swap(call->server->store, change->entry, &change->value);
}

/* Without the lock, what was applied may be gone already, with a write of
 * somebody else in its place: then nothing can be undone. */
static void
undo(struct call *call)
{
	struct write *write = &call->write;

	journal_take_back(call->server->journal, &write->journal);
	if (call->server->lock == NULL)
		return;
	while (write->applied > 0)
		swap(call, --write->applied);
}

static void
finish(struct call *call, struct evresult result)
{
	journal_end(call->server->journal);
	evdeferred_fire(call->write.done, result);
}

static struct evresult
is_durable(void *value, void *arg)
{
	struct call *call = arg;
	struct write *write = &call->write;

	(void)value;
	swap(call, write->applied++);
	if (write->applied < write->count)
		next_change(call);
	else
		finish(call, evresult_value(NULL));
	return evresult_value(NULL);
}

static struct evresult
is_lost(struct evfailure *failure, void *arg)
{
	struct call *call = arg;

	undo(call);
	finish(call, evresult_failure(failure));
	return evresult_value(NULL);
}

static void
next_change(struct call *call)
{
	struct server *server = call->server;
	struct write *write = &call->write;
	const struct change *change = &write->changes[write->applied];
	struct record record = {.type = RECORD_DELETE};
	struct evdeferred *durable;

	record.more = write->applied + 1 < write->count;
	record.key = store_key(change->entry);
	if (change->value != NULL) {
		record.type = RECORD_SET;
		record.value.data = change->value->data;
		record.value.length = change->value->length;
	}
	/* When the record is on its way, its link must not be missing. */
	if (evdefer_base_reserve(server->base, 1, 1) == -1 ||
	    (durable = journal_write(
		 server->journal, &write->journal, &record)) == NULL) {
		undo(call);
		finish(call, evresult_fail(ENOMEM, "out of memory"));
		return;
	}
	evdeferred_add_callbacks(durable, is_durable, is_lost, call);
	/* It frees itself when it has fired and the link has run. */
	evdeferred_detach(durable);
}

/*
 * After.
 */

static struct evresult
conclude(struct evresult result, void *arg)
{
	struct call *call = arg;

	if (!evresult_is_failure(result))
		call->write.reply(call);
	release_changes(call);
	return result;
}

struct evresult
write_run(struct call *call, write_reply_fn reply)
{
	struct write *write = &call->write;
	struct server *server = call->server;

	if (evdefer_base_reserve(server->base, 1, 1) == -1)
		return write_give_up(call);
	write->reply = reply;
	write->done = evdeferred_new(server->base, NULL, NULL);
	evdeferred_add_both(write->done, conclude, call);
	if (write->count == 0) {
		evdeferred_callback(write->done, NULL);
		return evresult_deferred(write->done);
	}
	journal_begin(server->journal, &write->journal);
	next_change(call);
	return evresult_deferred(write->done);
}

size_t
write_count_replaced(const struct call *call)
{
	const struct write *write = &call->write;
	size_t i, count = 0;

	for (i = 0; i < write->count; i++)
		if (write->changes[i].value != NULL)
			count++;
	return count;
}
