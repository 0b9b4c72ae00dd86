/* SPDX-License-Identifier: MIT */
/*
 * The commands of kvd.
 */
#include "commands.h"

#include "call.h"
#include "command.h"
#include "daemon.h"
#include "debug.h"
#include "keys.h"
#include "locking.h"
#include "options.h"
#include "server.h"
#include "session.h"
#include "transaction.h"
#include "types/collection.h"
#include "types/types.h"

static struct evresult run_command(struct call *call);

#define NO_KEYS                                                                \
	{                                                                      \
		0, 0, 0                                                        \
	}
#define ONE_KEY                                                                \
	{                                                                      \
		1, 1, 1                                                        \
	}
#define ALL_KEYS                                                               \
	{                                                                      \
		1, -1, 1                                                       \
	}
#define PAIRS                                                                  \
	{                                                                      \
		1, -1, 2                                                       \
	}

static const struct command commands[] = {
    {"get", 2, ACCESS_READ, ONE_KEY, QUEUED, NULL, run_get},
    {"set", -3, ACCESS_WRITE, ONE_KEY, QUEUED, check_set, run_set},
    {"incr", 2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_incr},
    {"incrby", 3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_incrby},
    {"decr", 2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_decr},
    {"decrby", 3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_decrby},
    {"mget", -2, ACCESS_READ, ALL_KEYS, QUEUED, NULL, run_mget},
    {"mset", -3, ACCESS_WRITE, PAIRS, QUEUED, check_mset, run_mset},
    {"del", -2, ACCESS_WRITE, ALL_KEYS, QUEUED, NULL, run_del},
    {"exists", -2, ACCESS_READ, ALL_KEYS, QUEUED, NULL, run_exists},
    {"dbsize", 1, ACCESS_READ, NO_KEYS, QUEUED, NULL, run_dbsize},
    {"type", 2, ACCESS_READ, ONE_KEY, QUEUED, NULL, run_type},
    {"lpush", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_lpush},
    {"rpush", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_rpush},
    {"lpop", -2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_lpop},
    {"rpop", -2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_rpop},
    {"llen", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_llen},
    {"lrange", 4, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_lrange},
    {"sadd", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_sadd},
    {"srem", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_srem},
    {"spop", -2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_spop},
    {"scard", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_scard},
    {"sismember", 3, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_sismember},
    {"smembers", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_smembers},
    {"hset", -4, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_hset},
    {"hdel", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_hdel},
    {"hget", 3, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_hget},
    {"hlen", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_hlen},
    {"hgetall", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_hgetall},
    {"zadd", -4, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_zadd},
    {"zrem", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_zrem},
    {"zpopmin", -2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_zpopmin},
    {"zcard", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_zcard},
    {"zscore", 3, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_zscore},
    {"zrange", -4, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_zrange},
    {"xadd", -5, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_xadd},
    {"xlen", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_xlen},
    {"xrange", -4, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_xrange},
    {"multi", 1, ACCESS_NONE, NO_KEYS, AT_ONCE, NULL, run_multi},
    {"exec", 1, ACCESS_WRITE, NO_KEYS, AT_ONCE, check_exec, run_exec},
    {"discard", 1, ACCESS_NONE, NO_KEYS, AT_ONCE, NULL, run_discard},
    {"watch", -2, ACCESS_READ, ALL_KEYS, AT_ONCE, check_watch, run_watch},
    {"unwatch", 1, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_unwatch},
    {"lock", -3, ACCESS_NAMED, NO_KEYS, REFUSED, check_lock, run_lock},
    {"unlock", 2, ACCESS_NONE, NO_KEYS, REFUSED, NULL, run_unlock},
    {"hello", -1, ACCESS_NONE, NO_KEYS, REFUSED, NULL, run_hello},
    {"client", -2, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_client},
    {"select", 2, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_select},
    {"auth", -2, ACCESS_NONE, NO_KEYS, REFUSED, NULL, run_auth},
    {"ping", -1, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_ping},
    {"echo", 2, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_echo},
    {"snapshot", 1, ACCESS_READ, NO_KEYS, REFUSED, check_snapshot,
	run_snapshot},
    {"info", -1, ACCESS_FIGURES, NO_KEYS, QUEUED, NULL, run_info},
    {"command", -1, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_command},
    {"debug", -2, ACCESS_REPORT, NO_KEYS, REFUSED, check_debug, run_debug},
    {"config", -2, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_config},
    {"quit", -1, ACCESS_NONE, NO_KEYS, AT_ONCE, NULL, run_quit},
    {"reset", 1, ACCESS_NONE, NO_KEYS, AT_ONCE, NULL, run_reset},
    {"shutdown", -1, ACCESS_NONE, NO_KEYS, REFUSED, NULL, run_shutdown},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *
find(struct bytes name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (bytes_are(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static bool
takes(const struct command *command, size_t count)
{
	if (command->arity < 0)
		return count >= (size_t)-command->arity;
	return count == (size_t)command->arity;
}

static bool
check_lengths(struct call *call)
{
	const size_t max = call->server->options->max_value;
	size_t i;

	for (i = 0; i < argument_count(call); i++) {
		if (argument(call, i).length <= max)
			continue;
		reply_error(&call->reply,
		    "ERR an argument is longer than %zu bytes (--max-value)",
		    max);
		return false;
	}
	return true;
}

/* One after the last. */
static size_t
keys_end(const struct command *command, size_t count)
{
	if (command->keys.last < 0)
		return count;
	return (size_t)command->keys.last + 1;
}

static bool
check_keys(struct call *call, const struct command *command)
{
	const size_t end = keys_end(command, argument_count(call));
	size_t i = (size_t)command->keys.first;

	for (; i > 0 && i < end; i += (size_t)command->keys.step) {
		if (!collection_owns(argument(call, i)))
			continue;
		reply_error(&call->reply,
		    "ERR a key must not begin with a null byte and 'kvd:'");
		return false;
	}
	return true;
}

const struct command *
commands_find(struct call *call)
{
	const struct bytes name = argument(call, 0);
	const struct command *command;

	if (!check_lengths(call))
		return NULL;
	command = find(name);
	if (command == NULL) {
		reply_error(
		    &call->reply, "ERR unknown command '%.64s'", name.data);
		return NULL;
	}
	if (takes(command, argument_count(call)))
		return check_keys(call, command) ? command : NULL;
	reply_error(&call->reply,
	    "ERR wrong number of arguments for '%s' command", command->name);
	return NULL;
}

/*
 * COMMAND, by which programs find out where the keys are.
 */

static void
reply_command(struct reply *reply, const struct command *command)
{
	const bool reads =
	    command->access == ACCESS_READ || command->access == ACCESS_PARTS;
	const bool writes = command->access == ACCESS_WRITE;

	reply_array(reply, 6);
	reply_string(reply, command->name);
	reply_integer(reply, command->arity);
	reply_set(reply, reads || writes);
	if (reads || writes)
		reply_status(reply, writes ? "write" : "readonly");
	reply_integer(reply, command->keys.first);
	reply_integer(reply, command->keys.last);
	reply_integer(reply, command->keys.step);
}

static void
reply_those_named(struct call *call)
{
	const struct command *command;
	size_t i;

	reply_array(&call->reply, argument_count(call) - 2);
	for (i = 2; i < argument_count(call); i++) {
		command = find(argument(call, i));
		if (command != NULL)
			reply_command(&call->reply, command);
		else
			reply_no_array(&call->reply);
	}
}

static void
reply_all(struct call *call)
{
	size_t i;

	reply_array(&call->reply, COMMANDS);
	for (i = 0; i < COMMANDS; i++)
		reply_command(&call->reply, &commands[i]);
}

static struct evresult
run_command(struct call *call)
{
	if (argument_count(call) == 1 ||
	    (argument_count(call) == 2 && argument_is(call, 1, "info")))
		reply_all(call);
	else if (argument_is(call, 1, "info"))
		reply_those_named(call);
	else if (argument_is(call, 1, "count"))
		reply_integer(&call->reply, COMMANDS);
	else if (argument_is(call, 1, "docs"))
		/* redis-cli asks for help at the prompt; it gets by without. */
		reply_map(&call->reply, 0);
	else
		return syntax_error(call);
	return done();
}
