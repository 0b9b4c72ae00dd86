/* SPDX-License-Identifier: MIT */
/*
 * check_wire [SEED]: a script of calls of the wire (lib/cluster/wire-internal.h), and what is
 * answered, as text: or, with a seed, calls by chance.  Built once for the fake, and once for the servers
 * that SERVERS in the environment names: both have to say the same.
 *
 * Three wires: A and B are anybody's, C's nodes are for C alone.  What one call, or some
 * in one go, bring about is waited for before the next, at all wires.  Numbers of changes
 * are shown by their place among those that were seen; sessions by their wire.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <evdefer/base.h>

#include "../dice.h"
#include "cluster/wire-internal.h"
#ifndef ON_SERVERS
#include "fake.h"
#endif

#define WIRES 3
#define TIMEOUT_MS 2000
#define PATIENCE_S 60
#define TEXT 8192
#define MOST_ZXIDS 4096
#define MOST_NAMES 256

enum kind { SYNC, LIST, EXISTS, GET, CREATE, LINE_UP, REMOVE };

struct call {
	enum kind kind;
	const char *path;
	bool watch;
	enum evwire_kind node;
	const char *data;
	/* line_up: */
	const char *touched, *left;
	bool numbered;
};

struct place {
	char name;
	struct evwire *wire;
	uint64_t session;
	bool connected, over;
	unsigned pending;
	char text[TEXT]; /* what has come since the last was shown */
};

struct request {
	struct evwire_request request;
	struct place *place;
	struct call call;
};

#ifndef ON_SERVERS
static struct fake *the_servers;
#endif
static struct event_base *loop;
static struct evdefer_base *base;
static struct place places[WIRES] = {
    {.name = 'A'}, {.name = 'B'}, {.name = 'C'}};
static uint64_t zxids[MOST_ZXIDS];
static size_t zxid_count;
static char root[64];

static _Noreturn void
give_up(const char *what)
{
	fprintf(stderr, "check_wire: %s\n", what);
	exit(2);
}

/*
 * Text.
 */

static void __attribute__((format(printf, 2, 3)))
say(struct place *place, const char *format, ...)
{
	const size_t length = strlen(place->text);
	va_list args;

	va_start(args, format);
	vsnprintf(
	    place->text + length, sizeof(place->text) - length, format, args);
	va_end(args);
}

static void
show_all(void)
{
	int i;

	for (i = 0; i < WIRES; i++) {
		fputs(places[i].text, stdout);
		places[i].text[0] = '\0';
	}
}

/* Without what differs from run to run. */
static const char *
plain(const char *path)
{
	static char text[512];
	char session[32];
	char *at;
	int i;

	if (strncmp(path, root, strlen(root)) == 0)
		path += strlen(root);
	snprintf(text, sizeof(text), "%s", *path == '\0' ? "/" : path);
	for (i = 0; i < WIRES; i++) {
		snprintf(
		    session, sizeof(session), "%016" PRIx64, places[i].session);
		at = strstr(text, session);
		if (at == NULL)
			continue;
		*at = places[i].name;
		memmove(at + 1, at + 16, strlen(at + 16) + 1);
	}
	return text;
}

/* Its place among those that were seen, from the last one. */
static size_t
rank(uint64_t zxid)
{
	size_t at = zxid_count;

	while (at > 0 && zxids[at - 1] > zxid)
		at--;
	if (at == 0 || zxids[at - 1] != zxid) {
		if (zxid_count == MOST_ZXIDS)
			give_up("too many changes");
		memmove(&zxids[at + 1], &zxids[at],
		    (zxid_count - at) * sizeof(zxids[0]));
		zxids[at++] = zxid;
		zxid_count++;
	}
	return zxid_count - at;
}

/*
 * What is told.
 */

static const char *const errors[] = {"ok", "lost", "expired", "no node",
    "exists", "not empty", "no auth", "bad", "other"};
static const char *const kinds[] = {
    "sync", "list", "exists", "get", "create", "line_up", "remove"};

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
say_names(struct place *place, const struct evwire_answer *answer)
{
	const char *names[MOST_NAMES];
	size_t i;

	if (answer->count > MOST_NAMES)
		give_up("too many names");
	for (i = 0; i < answer->count; i++)
		names[i] = answer->names[i];
	qsort(names, answer->count, sizeof(names[0]), compare);
	say(place, ":");
	for (i = 0; i < answer->count; i++)
		say(place, " %s", plain(names[i]));
}

static void
answered(struct evwire_request *evrequest, const struct evwire_answer *answer)
{
	struct request *request = (struct request *)(void *)evrequest;
	struct place *place = request->place;
	const enum kind kind = request->call.kind;

	place->pending--;
	say(place, "%c   %s: %s", place->name, kinds[kind],
	    errors[answer->error]);
	if (answer->error == EVWIRE_OK) {
		if (kind == LIST)
			say_names(place, answer);
		if (kind == EXISTS || kind == GET)
			say(place, ", change -%zu", rank(answer->zxid));
		if (kind == GET)
			say(place, ", \"%.*s\"", (int)answer->length,
			    answer->data != NULL ? answer->data : "");
		if (kind == LINE_UP)
			say(place, ", %s, change -%zu", plain(answer->created),
			    rank(answer->zxid));
	}
	say(place, "\n");
	free(request);
}

static void
connected(void *arg, const char *server, uint64_t session, int timeout_ms)
{
	struct place *place = arg;

	(void)server;
	say(place, "%c   connected, %s session, %d ms\n", place->name,
	    place->session == session ? "the same" : "a new", timeout_ms);
	place->session = session;
	place->connected = true;
}

static void
suspended(void *arg, const char *why)
{
	struct place *place = arg;

	(void)why;
	if (place->connected)
		say(place, "%c   suspended\n", place->name);
	place->connected = false;
}

static void
expired(void *arg)
{
	struct place *place = arg;

	say(place, "%c   expired\n", place->name);
	place->over = true;
}

static void
refused(void *arg)
{
	struct place *place = arg;

	say(place, "%c   refused\n", place->name);
	place->over = true;
}

static void
changed(void *arg, const char *path)
{
	struct place *place = arg;

	say(place, "%c   %s has changed\n", place->name, plain(path));
}

static const struct evwire_handler handler = {
    connected, suspended, expired, refused, changed};

/*
 * Waiting.
 */

static bool
is_done(void)
{
	int i;

	for (i = 0; i < WIRES; i++)
		if (places[i].wire != NULL &&
		    (!places[i].connected || places[i].pending > 0))
			return false;
	return true;
}

static void
wait_for_all(void)
{
#ifdef ON_SERVERS
	alarm(PATIENCE_S);
	while (!is_done())
		event_base_loop(loop, EVLOOP_ONCE);
	alarm(0);
#else
	fake_run(the_servers);
	if (!is_done())
		give_up("not all is answered");
#endif
}

static void
synced(struct evwire_request *request, const struct evwire_answer *answer)
{
	struct place *place = ((struct request *)(void *)request)->place;

	(void)answer;
	place->pending--;
	free(request);
}

static struct request *
new_request(struct place *place, const struct call *call)
{
	struct request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		give_up("no memory");
	request->request.answered = call != NULL ? answered : synced;
	request->place = place;
	if (call != NULL)
		request->call = *call;
	place->pending++;
	return request;
}

/* Until all that was done is known everywhere. */
static void
settle(void)
{
	struct request *request;
	int i;

	wait_for_all();
	for (i = 0; i < WIRES; i++) {
		if (places[i].wire == NULL)
			continue;
		request = new_request(&places[i], NULL);
		if (places[i].wire->type->sync(
			places[i].wire, &request->request) == -1)
			give_up("a sync can't be sent");
	}
	wait_for_all();
	show_all();
}

/*
 * Calls.
 */

/* Of this place, or NULL. */
static const char *
full(const char *path, char *text, size_t size)
{
	if (path == NULL)
		return NULL;
	snprintf(text, size, "%s%s", root, path);
	return text;
}

static const char *
data_of(const struct call *call)
{
	return call->data != NULL ? call->data : "";
}

static int
send_line_up(struct evwire *wire, const struct call *call,
    struct evwire_request *request)
{
	char texts[3][128];
	const struct evwire_line_up line_up = {
	    .left = full(call->left, texts[0], 128),
	    .path = full(call->path, texts[1], 128),
	    .numbered = call->numbered,
	    .data = data_of(call),
	    .touched = full(call->touched, texts[2], 128)};

	return wire->type->line_up(wire, &line_up, request);
}

static int
send_call(struct evwire *wire, const struct call *call,
    struct evwire_request *request)
{
	const struct evwire_type *type = wire->type;
	const char *data = data_of(call);
	char path[128];

	full(call->path, path, sizeof(path));
	switch (call->kind) {
	case SYNC:
		return type->sync(wire, request);
	case LIST:
		return type->list(wire, path, request);
	case EXISTS:
		return type->exists(wire, path, call->watch, request);
	case GET:
		return type->get(wire, path, call->watch, request);
	case CREATE:
		return type->create(wire, path, call->node, data, request);
	case LINE_UP:
		return send_line_up(wire, call, request);
	case REMOVE:
		return type->remove(wire, path, request);
	}
	return -1;
}

static void
post(int n, struct call call)
{
	struct request *request = new_request(&places[n], &call);
	const int result = send_call(places[n].wire, &call, &request->request);

	printf("%c %s %s%s%s%s%s%s%s\n", places[n].name, kinds[call.kind],
	    call.path != NULL ? call.path : "",
	    call.numbered ? " numbered" : "", call.watch ? " watched" : "",
	    call.touched != NULL ? " touching " : "",
	    call.touched != NULL ? call.touched : "",
	    call.left != NULL ? " and leaves " : "",
	    call.left != NULL ? call.left : "");
	if (result == 0)
		return;
	say(&places[n], "%c   not sent: %s\n", places[n].name, strerror(errno));
	places[n].pending--;
	free(request);
}

static void
one(int n, struct call call)
{
	post(n, call);
	settle();
}

/* The path comes first. */
#define CALL(what, ...) ((struct call){.kind = (what), .path = __VA_ARGS__})
#define NEXT(...) CALL(LINE_UP, __VA_ARGS__, .numbered = true)

/*
 * Opening and closing.
 */

#ifdef ON_SERVERS
static void
start(void)
{
	if (getenv("SERVERS") == NULL)
		give_up("SERVERS is not set");
}
#define open_wire evwire_open_zookeeper_
#else
static void
start(void)
{
	the_servers = fake_start();
}
#define open_wire fake_open
#endif

static void
open_place(int n)
{
	const char *servers = getenv("SERVERS");
	const struct evwire_setting setting = {.base = base,
	    .servers = servers != NULL ? servers : "127.0.0.1:2181",
	    .timeout_ms = TIMEOUT_MS,
	    .creator_only = n == 2,
	    .handler = &handler,
	    .arg = &places[n]};

	places[n].connected = false;
	places[n].session = 0;
	places[n].wire = open_wire(&setting);
	if (places[n].wire == NULL ||
	    (n == 2 && places[n].wire->type->authenticate(
			   places[n].wire, "digest", "me:pw") == -1))
		give_up("a wire can't be opened");
	settle();
}

static void
close_place(int n)
{
	printf("%c is closed\n", places[n].name);
	places[n].wire->type->close(places[n].wire);
	places[n].wire = NULL;
	places[n].pending = 0;
}

/* It finds a server again, with all that it watches. */
static void
drop_place(int n)
{
	printf("%c leaves its server\n", places[n].name);
	places[n].wire->type->drop(places[n].wire, "to see");
#ifdef ON_SERVERS
	while (places[n].connected)
		event_base_loop(loop, EVLOOP_ONCE);
#else
	fake_turn(the_servers);
#endif
	settle();
}

static void
cut_line(char *line)
{
	const char *next = strchr(line, '\n') + 1;

	memmove(line, next, strlen(next) + 1);
}

/* Asks until the session that has made it is over. */
static void
await_gone(int n, const char *path)
{
	const struct call call = CALL(EXISTS, path);
	char *line;

	printf("until %s is gone\n", path);
	for (;;) {
		send_call(places[n].wire, &call,
		    &new_request(&places[n], &call)->request);
		wait_for_all();
		line = strstr(places[n].text, "exists: ");
		if (strncmp(line, "exists: no node", 15) == 0)
			break;
		cut_line(line - strlen("A   "));
#ifdef ON_SERVERS
		usleep(20000);
#endif
	}
	settle();
}

/*
 * The script.
 */

enum { A, B, C };

static void
make_and_remove(void)
{
	one(A, CALL(CREATE, "/p", .data = "some data"));
	one(A, CALL(CREATE, "/p"));
	one(A, CALL(CREATE, "/missing/p"));
	one(B, CALL(GET, "/p"));
	one(B, CALL(GET, "/q"));
	one(B, CALL(EXISTS, "/p"));
	one(B, CALL(EXISTS, "/q"));
	one(B, CALL(LIST, "/q"));
	one(A, CALL(CREATE, "/p/k", .node = EVWIRE_CONTAINER));
	one(A, CALL(CREATE, "/p/k/e", .node = EVWIRE_EPHEMERAL));
	one(A, CALL(CREATE, "/p/k/e/x"));
	one(A, CALL(REMOVE, "/p/k"));
	one(B, CALL(LIST, "/p/k"));
	one(B, CALL(REMOVE, "/p/k/e"));
	one(B, CALL(REMOVE, "/p/k/e"));
	one(B, CALL(LIST, "/p/k"));
	one(A, CALL(SYNC, NULL));
}

static void
watch_and_be_told(void)
{
	one(A, CALL(CREATE, "/w"));
	one(A, CALL(EXISTS, "/w/1", .watch = true));
	one(B, CALL(CREATE, "/w/1"));
	one(A, CALL(EXISTS, "/w/1", .watch = true));
	one(B, CALL(REMOVE, "/w/1"));
	/* Its own changes are told, too; and those that were asked for twice are one. */
	one(A, CALL(CREATE, "/w/2"));
	one(A, CALL(EXISTS, "/w/2", .watch = true));
	one(A, CALL(GET, "/w/2", .watch = true));
	one(A, CALL(REMOVE, "/w/2"));
	/* A change of its children is none of a node, and one of its data is. */
	one(A, CALL(EXISTS, "/w", .watch = true));
	one(B, CALL(CREATE, "/w/2"));
	one(B, CALL(REMOVE, "/w/2"));
	one(B, NEXT("/w/n-", .touched = "/w"));
	/* Nothing is told of one that was not there. */
	one(A, CALL(GET, "/w/3", .watch = true));
	one(B, CALL(CREATE, "/w/3"));
	one(A, CALL(GET, "/w/3", .watch = true));
	one(A, CALL(EXISTS, "/w/3", .watch = true));
	one(B, CALL(REMOVE, "/w/3"));
}

static void
line_up(void)
{
	one(A, CALL(CREATE, "/l", .node = EVWIRE_CONTAINER));
	one(A, NEXT("/l/w-", .touched = "/l", .data = "who"));
	one(B, NEXT("/l/w-", .touched = "/l"));
	one(B, CALL(CREATE, "/l/m", .node = EVWIRE_EPHEMERAL));
	one(A, NEXT("/l/v-", .touched = "/l/m"));
	one(A, CALL(GET, "/l/w-0000000000"));
	one(A, CALL(LIST, "/l"));
	one(A, NEXT("/none/w-", .touched = "/l"));
	one(A, NEXT("/l/w-", .touched = "/l/none"));
	one(A, NEXT("/l/m/w-", .touched = "/l"));
	one(A, CALL(EXISTS, "/l/w-0000000001"));
	/* In one go. */
	post(B, CALL(LIST, "/l"));
	post(B, NEXT("/l/w-", .touched = "/l"));
	post(B, CALL(LIST, "/l"));
	post(B, CALL(REMOVE, "/l/w-0000000004"));
	one(B, CALL(LIST, "/l"));
	/* A place that has a number already. */
	one(A, CALL(LINE_UP, "/l/r-7", .touched = "/l/m", .data = "who"));
	one(A, CALL(LINE_UP, "/l/r-7", .touched = "/l/m"));
	one(A, CALL(LINE_UP, "/none/r-7", .touched = "/l/m"));
	one(B, CALL(GET, "/l/r-7"));
	one(B, CALL(LIST, "/l"));
}

static void
step_up(void)
{
	one(A, CALL(CREATE, "/s"));
	one(A, CALL(CREATE, "/s/x"));
	one(B, CALL(EXISTS, "/s", .watch = true));
	one(B, CALL(EXISTS, "/s/x", .watch = true));
	one(A, NEXT("/s/w-", .touched = "/s", .left = "/s/x"));
	one(A, NEXT("/s/w-", .touched = "/s", .left = "/s/x"));
	one(B, CALL(LIST, "/s"));
	/* What is left is there still where the rest can't be. */
	one(A, NEXT("/none/w-", .touched = "/s", .left = "/s/w-0000000001"));
	one(A, NEXT("/s/w-", .touched = "/none", .left = "/s/w-0000000001"));
	one(A, CALL(LINE_UP, "/s/r-1", .touched = "/s",
		   .left = "/s/w-0000000001"));
	one(B, CALL(LIST, "/s"));
}

static void
lose_and_end(void)
{
	one(B, CALL(EXISTS, "/l", .watch = true));
	one(B, CALL(EXISTS, "/l/r-7", .watch = true));
	drop_place(B);
	one(A, CALL(REMOVE, "/l/r-7"));
	one(A, NEXT("/l/w-", .touched = "/l"));
	one(A, CALL(LIST, "/l"));
	one(A, CALL(EXISTS, "/l/m", .watch = true));
	close_place(B);
	await_gone(A, "/l/m");
	one(A, CALL(LIST, "/l"));
}

static void
be_private(void)
{
	open_place(C);
	one(C, CALL(CREATE, "/c", .data = "mine"));
	one(C, CALL(GET, "/c"));
	one(A, CALL(GET, "/c"));
	one(A, CALL(LIST, "/c"));
	one(A, CALL(EXISTS, "/c"));
	one(A, CALL(CREATE, "/c/d"));
	one(A, NEXT("/c/w-", .touched = "/c"));
	one(A, NEXT("/l/w-", .touched = "/c"));
	one(A, NEXT("/l/w-", .touched = "/l", .left = "/c"));
	one(A, CALL(CREATE, "/l/s", .node = EVWIRE_EPHEMERAL));
	one(C, CALL(CREATE, "/c/d"));
	one(A, CALL(REMOVE, "/c/d"));
	one(A, CALL(REMOVE, "/c"));
	one(C, CALL(REMOVE, "/c/d"));
	one(A, CALL(REMOVE, "/c"));
}

/*
 * By chance.
 */

static struct call
any_call(void)
{
	static const char *const paths[] = {
	    "/x", "/x/a", "/x/b", "/x/r", "/x/r/1", "/x/r/2", "/y", "/y/a"};
	const char *path = paths[dice(8)];

	switch (dice(9)) {
	case 0:
		return CALL(LIST, path);
	case 1:
		return CALL(EXISTS, path, .watch = dice(2) == 0);
	case 2:
		return CALL(GET, path, .watch = dice(2) == 0);
	case 3:
	case 4:
		return CALL(CREATE, path, .node = (enum evwire_kind)dice(3),
		    .data = path);
	case 5:
	case 6:
		return NEXT("/x/w-", .touched = dice(2) == 0 ? "/x" : "/x/a",
		    .left = dice(3) == 0 ? path : NULL);
	case 7:
		/* Not what it makes. */
		return CALL(
		    LINE_UP, paths[1 + dice(7)], .touched = "/x", .left = path);
	default:
		return CALL(REMOVE, path);
	}
}

static void
any_calls(uint64_t seed)
{
	int i, j, n;

	dice_seed(seed);
	one(A, CALL(CREATE, "/x"));
	one(A, CALL(CREATE, "/x/r"));
	for (i = 0; i < 150; i++) {
		n = (int)dice(2);
		if (dice(12) == 0)
			drop_place(n);
		for (j = (int)dice(3); j > 0; j--)
			post(n, any_call());
		one(n, any_call());
	}
}

static void
begin(const char *what)
{
	const struct call call = CALL(CREATE, "");
	int i;

	snprintf(root, sizeof(root), "/wire-%ld-%s", (long)getpid(), what);
	for (i = 0; i < 2; i++)
		if (places[i].wire == NULL)
			open_place(i);
	one(A, call);
}

static void
run_script(void)
{
	begin("script");
	make_and_remove();
	watch_and_be_told();
	line_up();
	step_up();
	lose_and_end();
	be_private();
}

int
main(int argc, char **argv)
{
	int i;

	if (argc > 2 || (argc == 2 && strtoull(argv[1], NULL, 10) == 0)) {
		fprintf(stderr, "usage: check_wire [SEED]\n");
		return 2;
	}
	loop = event_base_new();
	base = loop != NULL ? evdefer_base_new(loop) : NULL;
	if (base == NULL)
		give_up("no memory");
	start();
	if (argc == 2) {
		begin(argv[1]);
		any_calls(strtoull(argv[1], NULL, 10));
	} else {
		run_script();
	}
	for (i = 0; i < WIRES; i++)
		if (places[i].wire != NULL)
			places[i].wire->type->close(places[i].wire);
	event_base_loop(loop, EVLOOP_NONBLOCK);
	evdefer_base_free(base);
	event_base_free(loop);
	fflush(stdout);
	return ferror(stdout) ? 2 : 0;
}
