/* SPDX-License-Identifier: MIT */
/*
 * The commands of kvd.
 */
#include "commands.h"

#include "call.h"
#include "command.h"
#include "daemon.h"
#include "keys.h"
#include "locking.h"
#include "session.h"

static struct evresult run_command(struct call *call);

static const struct command commands[] = {
    {"get", 2, ACCESS_READ, NULL, run_get},
    {"set", -3, ACCESS_WRITE, check_set, run_set},
    {"incr", 2, ACCESS_WRITE, NULL, run_incr},
    {"incrby", 3, ACCESS_WRITE, NULL, run_incrby},
    {"decr", 2, ACCESS_WRITE, NULL, run_decr},
    {"decrby", 3, ACCESS_WRITE, NULL, run_decrby},
    {"mget", -2, ACCESS_READ, NULL, run_mget},
    {"mset", -3, ACCESS_WRITE, check_mset, run_mset},
    {"del", -2, ACCESS_WRITE, NULL, run_del},
    {"exists", -2, ACCESS_READ, NULL, run_exists},
    {"dbsize", 1, ACCESS_READ, NULL, run_dbsize},
    {"lock", -3, ACCESS_NAMED, check_lock, run_lock},
    {"unlock", 2, ACCESS_NONE, NULL, run_unlock},
    {"hello", -1, ACCESS_NONE, NULL, run_hello},
    {"client", -2, ACCESS_NONE, NULL, run_client},
    {"select", 2, ACCESS_NONE, NULL, run_select},
    {"auth", -2, ACCESS_NONE, NULL, run_auth},
    {"ping", -1, ACCESS_NONE, NULL, run_ping},
    {"echo", 2, ACCESS_NONE, NULL, run_echo},
    {"snapshot", 1, ACCESS_READ, check_snapshot, run_snapshot},
    {"info", -1, ACCESS_NONE, NULL, run_info},
    {"command", -1, ACCESS_NONE, NULL, run_command},
    {"config", -2, ACCESS_NONE, NULL, run_config},
    {"quit", -1, ACCESS_NONE, NULL, run_quit},
    {"shutdown", -1, ACCESS_NONE, NULL, run_shutdown},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* redis-cli asks for the commands to help at the prompt; it gets by without. */
static struct evresult
run_command(struct call *call)
{
	if (argument_count(call) > 1 && argument_is(call, 1, "count"))
		reply_integer(&call->reply, COMMANDS);
	else if (argument_count(call) > 1 && argument_is(call, 1, "docs"))
		reply_map(&call->reply, 0);
	else
		reply_array(&call->reply, 0);
	return done();
}

const struct command *
commands_find(struct bytes name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (bytes_are(name, commands[i].name))
			return &commands[i];
	return NULL;
}

bool
command_takes(const struct command *command, size_t count)
{
	if (command->arity < 0)
		return count >= (size_t)-command->arity;
	return count == (size_t)command->arity;
}
