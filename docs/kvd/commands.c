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
    {"get", 2, ACCESS_READ, ONE_KEY, QUEUED, NULL, run_get, false},
    {"set", -3, ACCESS_WRITE, ONE_KEY, QUEUED, check_set, run_set, true},
    {"incr", 2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_incr, true},
    {"incrby", 3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_incrby, true},
    {"decr", 2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_decr, true},
    {"decrby", 3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_decrby, true},
    {"mget", -2, ACCESS_READ, ALL_KEYS, QUEUED, NULL, run_mget, false},
    {"mset", -3, ACCESS_WRITE, PAIRS, QUEUED, check_mset, run_mset, true},
    {"del", -2, ACCESS_WRITE, ALL_KEYS, QUEUED, NULL, run_del, true},
    {"exists", -2, ACCESS_READ, ALL_KEYS, QUEUED, NULL, run_exists, false},
    {"dbsize", 1, ACCESS_READ, NO_KEYS, QUEUED, NULL, run_dbsize, false},
    {"type", 2, ACCESS_READ, ONE_KEY, QUEUED, NULL, run_type, false},
    {"lpush", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_lpush, true},
    {"rpush", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_rpush, true},
    {"lpop", -2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_lpop, false},
    {"rpop", -2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_rpop, false},
    {"llen", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_llen, false},
    {"lrange", 4, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_lrange, false},
    {"sadd", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_sadd, true},
    {"srem", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_srem, true},
    {"spop", -2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_spop, false},
    {"scard", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_scard, false},
    {"sismember", 3, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_sismember, false},
    {"smembers", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_smembers, false},
    {"hset", -4, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_hset, true},
    {"hdel", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_hdel, true},
    {"hget", 3, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_hget, false},
    {"hlen", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_hlen, false},
    {"hgetall", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_hgetall, false},
    {"zadd", -4, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_zadd, true},
    {"zrem", -3, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_zrem, true},
    {"zpopmin", -2, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_zpopmin, false},
    {"zcard", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_zcard, false},
    {"zscore", 3, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_zscore, false},
    {"zrange", -4, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_zrange, false},
    {"xadd", -5, ACCESS_WRITE, ONE_KEY, QUEUED, NULL, run_xadd, false},
    {"xlen", 2, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_xlen, false},
    {"xrange", -4, ACCESS_PARTS, ONE_KEY, QUEUED, NULL, run_xrange, false},
    {"multi", 1, ACCESS_NONE, NO_KEYS, AT_ONCE, NULL, run_multi, false},
    {"exec", 1, ACCESS_WRITE, NO_KEYS, AT_ONCE, check_exec, run_exec, false},
    {"discard", 1, ACCESS_NONE, NO_KEYS, AT_ONCE, NULL, run_discard, false},
    {"watch", -2, ACCESS_READ, ALL_KEYS, AT_ONCE, check_watch, run_watch,
	false},
    {"unwatch", 1, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_unwatch, false},
    {"lock", -3, ACCESS_NAMED, NO_KEYS, REFUSED, check_lock, run_lock, false},
    {"unlock", 2, ACCESS_NONE, NO_KEYS, REFUSED, NULL, run_unlock, false},
    {"hello", -1, ACCESS_NONE, NO_KEYS, REFUSED, NULL, run_hello, false},
    {"client", -2, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_client, false},
    {"select", 2, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_select, false},
    {"auth", -2, ACCESS_NONE, NO_KEYS, REFUSED, NULL, run_auth, false},
    {"ping", -1, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_ping, false},
    {"echo", 2, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_echo, false},
    {"snapshot", 1, ACCESS_READ, NO_KEYS, REFUSED, check_snapshot, run_snapshot,
	false},
    {"info", -1, ACCESS_FIGURES, NO_KEYS, QUEUED, NULL, run_info, false},
    {"command", -1, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_command, false},
    {"debug", -2, ACCESS_REPORT, NO_KEYS, REFUSED, check_debug, run_debug,
	false},
    {"config", -2, ACCESS_NONE, NO_KEYS, QUEUED, NULL, run_config, false},
    {"quit", -1, ACCESS_NONE, NO_KEYS, AT_ONCE, NULL, run_quit, false},
    {"reset", 1, ACCESS_NONE, NO_KEYS, AT_ONCE, NULL, run_reset, false},
    {"shutdown", -1, ACCESS_NONE, NO_KEYS, REFUSED, NULL, run_shutdown, false},
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
commands_find(const struct call *call)
{
	return argument_count(call) > 0 ? find(argument(call, 0)) : NULL;
}

const struct command *
commands_check(struct call *call, const struct command *command)
{
	if (!check_lengths(call))
		return NULL;
	if (command == NULL) {
		reply_error(&call->reply, "ERR unknown command '%.64s'",
		    argument(call, 0).data);
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
