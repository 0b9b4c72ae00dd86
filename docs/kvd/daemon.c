/* SPDX-License-Identifier: MIT */
/*
 * The commands of the daemon as a whole.
 */
#include "daemon.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <evdefer/rwlock.h>

#include "call.h"
#include "client.h"
#include "command.h"
#include "commit.h"
#include "journal.h"
#include "options.h"
#include "server.h"
#include "snapshot.h"
#include "store.h"

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
info_server(const struct call *call, struct text *text)
{
	const struct server *server = call->server;

	add_line(text, "process_id:%ld\r\n", (long)getpid());
	add_line(text, "tcp_port:%d\r\n", server->listener.port);
	add_line(text, "uptime_in_seconds:%ld\r\n", server_uptime(server));
	add_line(text, "threads:%u\r\n", server->loop_count);
	add_line(text, "max_value:%zu\r\n", server->options->max_value);
	add_line(text, "max_request:%zu\r\n", server->options->max_request);
}

static void
info_clients(const struct call *call, struct text *text)
{
	const struct figures *figures = &call->figures;
	const struct server *server = call->server;

	add_line(text, "connected_clients:%zu\r\n", figures->connected);
	add_line(text, "maxclients:%zu\r\n", server->max_clients);
	add_line(text, "buffered_bytes:%zu\r\n", figures->buffered);
	add_line(text, "max_buffered:%zu\r\n", server->options->max_buffered);
	add_line(text, "clients_evicted:%" PRIu64 "\r\n", figures->evicted);
	add_line(text, "send_timeout:%ld\r\n",
	    (long)server->options->send_timeout.tv_sec);
	add_line(text, "clients_timed_out:%" PRIu64 "\r\n", figures->timed_out);
	add_line(text, "keepalive:%zu\r\n", server->options->keepalive);
}

static void
info_persistence(const struct call *call, struct text *text)
{
	const struct server *server = call->server;

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
	add_line(text, "snapshot_in_progress:%d\r\n",
	    atomic_load(&server->snapshot_is_running));
}

static void
info_lock(const struct call *call, struct text *text)
{
	const struct figures *figures = &call->figures;
	const struct evrwlock_stats *stats = &figures->lock;

	add_line(text, "lock_enabled:%d\r\n", call->server->options->lock);
	add_line(text, "readers_inside:%zu\r\n", stats->readers_inside);
	add_line(text, "writers_inside:%zu\r\n", stats->writers_inside);
	add_line(text, "readers_waiting:%zu\r\n", stats->readers_waiting);
	add_line(text, "writers_waiting:%zu\r\n", stats->writers_waiting);
	add_line(
	    text, "readers_granted:%" PRIu64 "\r\n", stats->readers_granted);
	add_line(
	    text, "writers_granted:%" PRIu64 "\r\n", stats->writers_granted);
	add_line(text, "cancelled:%" PRIu64 "\r\n", stats->cancelled);
	add_line(text, "longest_queue:%zu\r\n", stats->longest_queue);
	add_line(text, "named_locks:%zu\r\n", figures->named_locks);
	add_line(
	    text, "named_lock_waiters:%zu\r\n", figures->named_lock_waiters);
}

static void
info_keyspace(const struct call *call, struct text *text)
{
	const struct store *store = call->server->store;

	add_line(text, "keys:%zu\r\n", store_count(store));
	add_line(text, "key_buckets:%zu\r\n", store_buckets(store));
}

struct evresult
run_info(struct call *call)
{
	static const struct {
		const char *name;
		void (*add)(const struct call *, struct text *);
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
	/* With one loop nobody else has to be asked; see figures.h. */
	if (call->server->loop_count == 1) {
		memset(&call->figures, 0, sizeof(call->figures));
		figures_add(&call->figures, call->loop);
	}
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
		sections[i].add(call, &text);
	}
	reply_text(&call->reply, text.bytes, text.length);
	return done();
}

/*
 * The rest.
 */

/* redis-benchmark asks for these two. */
struct evresult
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

static struct evresult
reply_ok_later(void *value, void *arg)
{
	struct call *call = arg;

	(void)value;
	reply_status(&call->reply, "OK");
	return done();
}

/* Before the lock is asked for: if a writer waits, it is granted when the snapshot has
 * come to its end. */
bool
check_snapshot(struct call *call)
{
	if (!atomic_load(&call->server->snapshot_is_running))
		return true;
	reply_error(&call->reply, "ERR a snapshot is being written already");
	return false;
}

struct evresult
run_snapshot(struct call *call)
{
	return snapshot_write(call->loop, reply_ok_later, call);
}

struct evresult
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
