/* SPDX-License-Identifier: MIT */
/*
 * The commands of kvd.
 */
#include "commands.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <evdefer/rwlock.h>

#include "argument.h"
#include "call.h"
#include "client.h"
#include "commit.h"
#include "journal.h"
#include "options.h"
#include "server.h"
#include "session.h"
#include "snapshot.h"
#include "store.h"
#include "write.h"

/*
 * Without the lock.
 */

static struct evresult
run_ping(struct call *call)
{
	if (argument_count(call) > 2)
		return wrong_number(call);
	if (argument_count(call) == 2)
		reply_bulk(&call->reply, argument(call, 1));
	else
		reply_status(&call->reply, "PONG");
	return done();
}

static struct evresult
run_echo(struct call *call)
{
	reply_bulk(&call->reply, argument(call, 1));
	return done();
}

static struct evresult
run_quit(struct call *call)
{
	reply_status(&call->reply, "OK");
	client_close_after_reply(call);
	return done();
}

static struct evresult
run_shutdown(struct call *call)
{
	if (argument_count(call) > 2 ||
	    (argument_count(call) == 2 && !argument_is(call, 1, "save") &&
		!argument_is(call, 1, "nosave")))
		return syntax_error(call);
	reply_status(&call->reply, "OK");
	client_close_after_reply(call);
	server_request_stop(call->server);
	return done();
}

/* redis-benchmark asks for these two. */
static struct evresult
run_config(struct call *call)
{
	static const char *const settings[][2] = {
	    {"save", ""}, {"appendonly", "yes"}};
	const size_t count = sizeof(settings) / sizeof(settings[0]);
	size_t i, matching = 0;
	const char *pattern;

	if (!argument_is(call, 1, "get")) {
		reply_error(&call->reply,
		    "ERR settings are given on the command line of kvd");
		return done();
	}
	if (argument_count(call) != 3)
		return wrong_number(call);
	pattern = argument(call, 2).data;
	for (i = 0; i < count; i++)
		if (fnmatch(pattern, settings[i][0], FNM_CASEFOLD) == 0)
			matching++;
	reply_map(&call->reply, matching);
	for (i = 0; i < count; i++) {
		if (fnmatch(pattern, settings[i][0], FNM_CASEFOLD) != 0)
			continue;
		reply_string(&call->reply, settings[i][0]);
		reply_string(&call->reply, settings[i][1]);
	}
	return done();
}

/*
 * LOCK and UNLOCK.
 */

static bool
check_mode(struct call *call, struct bytes mode)
{
	call->writes = bytes_are(mode, "write");
	if (call->writes || bytes_are(mode, "read"))
		return true;
	syntax_error(call);
	return false;
}

/* Takes the place of --lock-timeout.  With 0 the call fails in the next turn of
 * the loop. */
static bool
check_milliseconds(struct call *call, struct bytes text)
{
	unsigned long milliseconds = strtoul(text.data, NULL, 10);

	if (text.length == 0 || text.length > 9 ||
	    strspn(text.data, "0123456789") != text.length) {
		reply_error(
		    &call->reply, "ERR give milliseconds, from 0 to 999999999");
		return false;
	}
	call->has_timeout = true;
	call->timeout.tv_sec = (time_t)(milliseconds / 1000);
	call->timeout.tv_usec = (suseconds_t)(milliseconds % 1000 * 1000);
	return true;
}

static bool
check_name(struct call *call, struct bytes name)
{
	const size_t max = call->server->options->max_locks;

	if (name.length > NAMED_MAX) {
		reply_error(&call->reply,
		    "ERR the name of a lock has at most %zu bytes", NAMED_MAX);
		return false;
	}
	if (call->holder.count < max || holder_has(&call->holder, name))
		return true;
	reply_error(&call->reply,
	    "ERR the client holds %zu named locks already (--max-locks)", max);
	return false;
}

static bool
check_lock(struct call *call)
{
	if (argument_count(call) > 4) {
		wrong_number(call);
		return false;
	}
	if (!check_mode(call, argument(call, 2)) ||
	    (argument_count(call) == 4 &&
		!check_milliseconds(call, argument(call, 3))))
		return false;
	return check_name(call, argument(call, 1));
}

static struct evresult
run_lock(struct call *call)
{
	hold_granted(call->hold);
	reply_status(&call->reply, "OK");
	return done();
}

static struct evresult
run_unlock(struct call *call)
{
	if (holder_release(&call->holder, argument(call, 1)) == 0)
		reply_status(&call->reply, "OK");
	else
		reply_error(
		    &call->reply, "ERR the client does not hold that lock");
	return done();
}

/*
 * INFO: looks at the lock, but does not need it.
 */

struct text {
	char bytes[4096];
	size_t length;
};

static void add_line(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
add_line(struct text *text, const char *format, ...)
{
	const size_t room = sizeof(text->bytes) - text->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->bytes + text->length, room, format, args);
	va_end(args);
	/* It is all of numbers, and there is room for the longest. */
	if (length > 0 && (size_t)length < room)
		text->length += (size_t)length;
}

static void
info_server(const struct server *server, struct text *text)
{
	add_line(text, "process_id:%ld\r\n", (long)getpid());
	add_line(text, "tcp_port:%d\r\n", server->port);
	add_line(text, "uptime_in_seconds:%ld\r\n", server_uptime(server));
	add_line(text, "max_value:%zu\r\n", server->options->max_value);
	add_line(text, "max_request:%zu\r\n", server->options->max_request);
}

static void
info_clients(const struct server *server, struct text *text)
{
	add_line(text, "connected_clients:%zu\r\n", server->connected);
	add_line(text, "maxclients:%zu\r\n", server->max_clients);
}

static void
info_persistence(const struct server *server, struct text *text)
{
	add_line(
	    text, "sync:%s\r\n", server->options->sync ? "always" : "never");
	add_line(text, "journal_bytes:%" PRIu64 "\r\n",
	    journal_size(server->journal));
	add_line(text, "journal_syncs:%" PRIu64 "\r\n",
	    journal_syncs(server->journal));
	add_line(text, "writes_committed:%" PRIu64 "\r\n",
	    commit_total(server->commit));
	add_line(
	    text, "writes_refused:%d\r\n", journal_is_broken(server->journal));
	add_line(
	    text, "snapshot_in_progress:%d\r\n", server->snapshot_is_running);
}

static void
info_lock(const struct server *server, struct text *text)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(server->lock, &stats);
	add_line(text, "lock_enabled:%d\r\n", server->options->lock);
	add_line(text, "readers_inside:%zu\r\n", stats.readers_inside);
	add_line(text, "writers_inside:%zu\r\n", stats.writers_inside);
	add_line(text, "readers_waiting:%zu\r\n", stats.readers_waiting);
	add_line(text, "writers_waiting:%zu\r\n", stats.writers_waiting);
	add_line(
	    text, "readers_granted:%" PRIu64 "\r\n", stats.readers_granted);
	add_line(
	    text, "writers_granted:%" PRIu64 "\r\n", stats.writers_granted);
	add_line(text, "cancelled:%" PRIu64 "\r\n", stats.cancelled);
	add_line(text, "longest_queue:%zu\r\n", stats.longest_queue);
	add_line(text, "named_locks:%zu\r\n", server->named.count);
	add_line(text, "named_lock_waiters:%zu\r\n", server->named.waiters);
}

static void
info_keyspace(const struct server *server, struct text *text)
{
	add_line(text, "keys:%zu\r\n", store_count(server->store));
}

static struct evresult
run_info(struct call *call)
{
	static const struct {
		const char *name;
		void (*add)(const struct server *, struct text *);
	} sections[] = {
	    {"Server", info_server},
	    {"Clients", info_clients},
	    {"Persistence", info_persistence},
	    {"Lock", info_lock},
	    {"Keyspace", info_keyspace},
	};
	struct text text = {.length = 0};
	size_t i;

	if (argument_count(call) > 2)
		return syntax_error(call);
	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (argument_count(call) == 2 &&
		    !argument_is(call, 1, sections[i].name) &&
		    !argument_is(call, 1, "all") &&
		    !argument_is(call, 1, "everything") &&
		    !argument_is(call, 1, "default"))
			continue;
		if (text.length > 0)
			add_line(&text, "\r\n");
		add_line(&text, "# %s\r\n", sections[i].name);
		sections[i].add(call->server, &text);
	}
	reply_text(&call->reply, text.bytes, text.length);
	return done();
}

/*
 * Readers.
 */

static struct evresult
run_get(struct call *call)
{
	reply_value(
	    &call->reply, store_get(call->server->store, argument(call, 1)));
	return done();
}

/* Whether the reply to MGET stays within the bounds of a request. */
static bool
is_bearable(const struct call *call)
{
	const size_t max = call->server->options->max_request;
	const struct value *value;
	size_t i, total = 0;

	for (i = 1; i < argument_count(call) && total <= max; i++) {
		value = store_get(call->server->store, argument(call, i));
		total += value != NULL ? value->length : 0;
	}
	return total <= max;
}

static struct evresult
run_mget(struct call *call)
{
	size_t i;

	if (argument_count(call) > 2 && !is_bearable(call)) {
		reply_error(&call->reply,
		    "ERR the reply is longer than %zu bytes (--max-request)",
		    call->server->options->max_request);
		return done();
	}
	reply_array(&call->reply, argument_count(call) - 1);
	for (i = 1; i < argument_count(call); i++)
		reply_value(&call->reply,
		    store_get(call->server->store, argument(call, i)));
	return done();
}

static struct evresult
run_exists(struct call *call)
{
	long long number = 0;
	size_t i;

	for (i = 1; i < argument_count(call); i++)
		if (store_get(call->server->store, argument(call, i)) != NULL)
			number++;
	reply_integer(&call->reply, number);
	return done();
}

static struct evresult
run_dbsize(struct call *call)
{
	reply_integer(
	    &call->reply, (long long)store_count(call->server->store));
	return done();
}

static struct evresult
reply_ok_later(void *value, void *arg)
{
	struct call *call = arg;

	(void)value;
	reply_status(&call->reply, "OK");
	return done();
}

/* Not to be found out only when the lock is granted: with a writer waiting
 * that would be after the end of the snapshot. */
static bool
check_snapshot(struct call *call)
{
	if (!call->server->snapshot_is_running)
		return true;
	reply_error(&call->reply, "ERR a snapshot is being written already");
	return false;
}

static struct evresult
run_snapshot(struct call *call)
{
	/* Two of them may have waited side by side. */
	if (!check_snapshot(call))
		return done();
	return snapshot_write(call->server, reply_ok_later, call);
}

/*
 * Writers.
 */

static void
reply_ok(struct call *call)
{
	reply_status(&call->reply, "OK");
}

static void
reply_number(struct call *call)
{
	reply_integer(&call->reply, call->write.number);
}

/* SET of redis has options, and there are none here. */
static bool
check_set(struct call *call)
{
	if (argument_count(call) == 3)
		return true;
	syntax_error(call);
	return false;
}

static struct evresult
run_set(struct call *call)
{
	if (write_set(call, argument(call, 1), argument(call, 2)) == -1)
		return write_give_up(call);
	return write_end(call, reply_ok);
}

static bool
check_mset(struct call *call)
{
	if (argument_count(call) % 2 == 1)
		return true;
	wrong_number(call);
	return false;
}

static struct evresult
run_mset(struct call *call)
{
	size_t i;

	for (i = 1; i < argument_count(call); i += 2)
		if (write_set(call, argument(call, i), argument(call, i + 1)) ==
		    -1)
			return write_give_up(call);
	return write_end(call, reply_ok);
}

static struct evresult
run_del(struct call *call)
{
	size_t i;

	call->write.number = 0;
	for (i = 1; i < argument_count(call); i++)
		if (write_delete(call, argument(call, i)) == -1)
			return write_give_up(call);
	return write_end(call, reply_number);
}

/* A key that is not there counts as 0. */
static int
parse_number(const struct value *value, long long *number)
{
	struct bytes text;

	*number = 0;
	if (value == NULL)
		return 0;
	text.data = value->data;
	text.length = value->length;
	return bytes_to_number(text, number);
}

/* The journal gets the result, so that it can be replayed twice. */
static struct evresult
run_incr(struct call *call)
{
	char text[NUMBER_SIZE];
	struct bytes result = {text, 0};
	long long number;

	if (parse_number(
		store_get_planned(call->server->store, argument(call, 1)),
		&number) == -1) {
		reply_error(&call->reply,
		    "ERR value is not an integer or out of range");
		return done();
	}
	if (number == LLONG_MAX) {
		reply_error(
		    &call->reply, "ERR increment or decrement would overflow");
		return done();
	}
	number++;
	result.length = (size_t)snprintf(text, sizeof(text), "%lld", number);
	if (write_set(call, argument(call, 1), result) == -1)
		return write_give_up(call);
	call->write.number = number;
	return write_end(call, reply_number);
}

/*
 * The table.
 */

static struct evresult run_command(struct call *call);

static const struct command commands[] = {
    {"get", 2, ACCESS_READ, NULL, run_get},
    {"set", -3, ACCESS_WRITE, check_set, run_set},
    {"incr", 2, ACCESS_WRITE, NULL, run_incr},
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
