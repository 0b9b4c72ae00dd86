/* SPDX-License-Identifier: MIT */
#include "pipeline.h"

#include <stdbool.h>

#include "call.h"
#include "command.h"
#include "commands.h"
#include "commit.h"
#include "server.h"

/* Others are to have their turn. */
#define MOST 64

/* Replies into what is held.  One that fails has changed nothing, and the others go
 * on, as they would without it. */
static void
run_one(struct call *call)
{
	struct evresult result;

	call->write.commands++;
	call->write.begin = commit_count(call->server->commit);
	if (call->command->check != NULL && !call->command->check(call))
		return;
	result = call->command->run(call);
	if (!evresult_is_failure(result))
		return;
	call_reply_failure(call, evresult_get_failure(result));
	evresult_dispose(result);
}

/* Looks for another one, which then is the command of the call. */
static bool
take_next(struct call *call)
{
	const struct command *command;

	if (call->write.commands == MOST || call->reply.failed)
		return false;
	call->read_ahead(call, call->arg);
	if (call->ahead != REQUEST_READY)
		return false;
	command = commands_find(call);
	if (command == NULL || !command->one_reply)
		return false;
	call->ahead = REQUEST_INCOMPLETE;
	call->command = commands_check(call, command);
	return true;
}

struct evresult
pipeline_run(struct call *call)
{
	const size_t begin = call->write.begin;

	if (!call->command->one_reply || !call->has_more(call, call->arg))
		return call->command->run(call);
	if (hold_replies(call) == -1)
		return out_of_memory();
	call->write.is_part = true;
	call->write.commands = 0;
	do {
		/* NULL: what is wrong with it was replied. */
		if (call->command != NULL)
			run_one(call);
	} while (take_next(call));
	call->write.is_part = false;
	call->write.begin = begin;
	return send_replies(call);
}
