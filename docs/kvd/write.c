/* SPDX-License-Identifier: MIT */
/*
 * The work of a command that writes.
 */
#include "write.h"

#include <errno.h>

#include <evdefer/base.h>
#include <evdefer/deferred.h>

#include "call.h"
#include "commit.h"
#include "loop.h"
#include "server.h"
#include "store.h"

static struct commit *
commit_of(const struct call *call)
{
	return call->server->commit;
}

int
write_begin(struct call *call)
{
	call->write.done = NULL;
	call->write.number = 0;
	call->write.commands = 1;
	if (commit_begin(commit_of(call), call->loop) == -1)
		return -1;
	call->write.begin = commit_count(commit_of(call));
	return 0;
}

int
write_set(struct call *call, struct bytes key, struct bytes bytes)
{
	struct store *store = call->server->store;
	struct store_entry *entry = store_pin(store, key);
	struct value *value;

	if (entry == NULL)
		return -1;
	value = value_new(bytes);
	if (value != NULL && commit_add(commit_of(call), entry, value) == 0)
		return 0;
	value_unuse(value);
	store_unpin(store, entry);
	return -1;
}

int
write_delete(struct call *call, struct bytes key)
{
	struct store *store = call->server->store;
	struct store_entry *entry = store_pin_if_there(store, key);

	if (entry == NULL)
		return 0;
	if (commit_add(commit_of(call), entry, NULL) == -1) {
		store_unpin(store, entry);
		return -1;
	}
	return 1;
}

void
write_drop(struct call *call)
{
	if (!call->write.is_part)
		reply_drop_held(&call->reply);
	commit_drop(commit_of(call), call->write.begin);
}

struct evresult
write_give_up(struct call *call)
{
	write_drop(call);
	return evresult_fail(ENOMEM, "out of memory");
}

struct evresult
write_end(struct call *call, write_reply_fn reply)
{
	struct evdefer_base *base = call->loop->base;

	if (call->write.is_part) {
		reply(call);
		return evresult_value(NULL);
	}
	/* The link is for whoever will wait. */
	if (evdefer_base_reserve(base, 1, 1) == -1 ||
	    commit_seal(commit_of(call), call->write.begin) == -1)
		return write_give_up(call);
	call->write.reply = reply;
	call->write.done = evdeferred_new(base, NULL, NULL);
	commit_join(commit_of(call), call);
	return evresult_value(NULL);
}

static void
reply_number(struct call *call)
{
	reply_integer(&call->reply, call->write.number);
}

struct evresult
write_end_number(struct call *call, long long number)
{
	call->write.number = number;
	return write_end(call, reply_number);
}

/* In the loop of the call. */
static void
settle(void *arg)
{
	struct call *call = arg;

	if (!evresult_is_failure(call->write.result))
		call->write.reply(call);
	evdeferred_fire(call->write.done, call->write.result);
}

void
write_settle(struct call *call, const struct evfailure *failure)
{
	call->write.result = failure == NULL
				 ? evresult_value(NULL)
				 : evresult_fail(evfailure_get_code(failure),
				       "%s", evfailure_get_message(failure));
	letter_init(&call->write.letter, settle, call);
	mailbox_send(&call->loop->mailbox, &call->write.letter);
}

struct evresult
write_wait(struct call *call)
{
	if (call->write.done == NULL)
		return evresult_value(NULL);
	return evresult_deferred(call->write.done);
}
