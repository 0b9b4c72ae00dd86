/* SPDX-License-Identifier: MIT */
/* The wires: what is sent, and what comes back from the loop. */
#include "fake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <evdefer/base.h>

/* Which of the wires that had its place: a callback may close it, and open another. */
struct life {
	struct fake_wire *wire;
	unsigned long opened;
};

static struct life
life_of(struct fake_wire *wire)
{
	return (struct life){wire, wire->opened};
}

static bool
is_open(struct life life)
{
	return life.wire->opened == life.opened;
}

/* Is it still open, and has not been told to leave its server? */
static bool
goes_on(struct life life)
{
	return is_open(life) && life.wire->connected && !life.wire->dropping;
}

/*
 * What comes from the loop.
 */

static void
answer_error(struct fake_request request, enum evwire_error error)
{
	const struct evwire_answer answer = {.error = error,
	    .sentence =
		error == EVWIRE_LOST ? "connection loss" : "session expired"};

	request.request->answered(request.request, &answer);
}

static struct fake_request
take_first(struct fake_wire *wire)
{
	const struct fake_request first = wire->queue[0];

	wire->queued--;
	memmove(&wire->queue[0], &wire->queue[1],
	    wire->queued * sizeof(wire->queue[0]));
	return first;
}

/* Those that are sent meanwhile find no server. */
static bool
answer_all(struct fake_wire *wire, enum evwire_error error)
{
	const struct life life = life_of(wire);

	while (is_open(life) && wire->queued > 0)
		answer_error(take_first(wire), error);
	return is_open(life);
}

static bool
may_come_late(const struct fake_request *request)
{
	return !request->executed && !fake_is_read(request) &&
	       request->op != FAKE_SYNC;
}

static void
leave_late(struct fake_wire *wire)
{
	struct fake_session *session = wire->session;
	size_t i;

	for (i = 0; session->alive && i < wire->queued; i++) {
		if (!may_come_late(&wire->queue[i]))
			continue;
		if (session->late_count == FAKE_REQUESTS)
			fake_give_up("too many late requests", "");
		session->late[session->late_count++] = wire->queue[i];
	}
}

static void
lose(struct fake_wire *wire, const char *why)
{
	char sentence[TREE_PATH];

	fake_text(sentence, sizeof(sentence), why);
	wire->connected = false;
	wire->dropping = false;
	leave_late(wire);
	if (answer_all(wire, EVWIRE_LOST))
		wire->setting.handler->suspended(wire->setting.arg, sentence);
}

static void
end(struct fake_wire *wire, void (*tell)(void *arg))
{
	wire->connected = false;
	wire->over = true;
	if (answer_all(wire, EVWIRE_EXPIRED))
		tell(wire->setting.arg);
}

static struct fake_session *
new_session(struct fake_wire *wire)
{
	struct fake *fake = wire->fake;
	struct fake_session *session = fake->sessions;

	while (session->id != 0 && (session->alive || session->wired))
		if (++session == fake->sessions + FAKE_SESSIONS)
			fake_give_up(
			    "too many sessions", wire->setting.servers);
	session->id = ++fake->last_session;
	session->alive = session->wired = true;
	session->timeout_ms =
	    fake->timeout_ms != 0 ? fake->timeout_ms : wire->setting.timeout_ms;
	session->late_count = 0;
	fake_text(session->creator, TREE_CREATOR, wire->credentials);
	fake_commit(fake, &(struct tree_transaction){.zxid = ++fake->zxid});
	tree_copy(&wire->tree, &fake->tree);
	wire->applied = fake->logged;
	return session;
}

static void
find_server(struct fake_wire *wire)
{
	const struct evwire_handler *handler = wire->setting.handler;

	if (wire->fake->refuse && wire->credentials[0] != '\0') {
		end(wire, handler->refused);
		return;
	}
	if (wire->session == NULL)
		wire->session = new_session(wire);
	if (!wire->session->alive) {
		end(wire, handler->expired);
		return;
	}
	wire->connected = true;
	wire->session->touched_ms = fake_now();
	handler->connected(wire->setting.arg, "127.0.0.1:2181",
	    wire->session->id, wire->session->timeout_ms);
}

/*
 * Watches.
 */

struct news {
	struct fake_wire *wire;
	size_t count;
	char paths[FAKE_WATCHES][TREE_PATH];
};

static void
note_news(const char *path, void *arg)
{
	struct news *news = arg;
	struct fake_wire *wire = news->wire;
	size_t i;

	for (i = 0; i < wire->watched; i++) {
		if (strcmp(wire->watches[i], path) != 0)
			continue;
		wire->watched--;
		memmove(wire->watches[i], wire->watches[i + 1],
		    (wire->watched - i) * sizeof(wire->watches[i]));
		fake_text(news->paths[news->count++], TREE_PATH, path);
		return;
	}
}

/* Applies one more transaction.  Whether to go on. */
static bool
catch_up(struct fake_wire *wire)
{
	const struct life life = life_of(wire);
	const struct tree_transaction *transaction =
	    &wire->fake->log[wire->applied % FAKE_LOG];
	struct news news;
	size_t i;

	news.wire = wire;
	news.count = 0;
	wire->applied++;
	tree_apply(&wire->tree, transaction, note_news, &news);
	wire->ended |= transaction->ended == wire->session->id;
	for (i = 0; i < news.count && goes_on(life); i++)
		wire->setting.handler->changed(
		    wire->setting.arg, news.paths[i]);
	return goes_on(life);
}

bool
fake_is_watched(const struct fake_wire *wire, const char *path)
{
	size_t i;

	for (i = 0; i < wire->watched; i++)
		if (strcmp(wire->watches[i], path) == 0)
			return true;
	return false;
}

bool
fake_would_tell(const struct fake_wire *wire)
{
	const struct tree_transaction *transaction;
	size_t at, i;

	for (at = wire->applied; at < wire->fake->logged; at++) {
		transaction = &wire->fake->log[at % FAKE_LOG];
		if (transaction->ended != 0)
			return true;
		for (i = 0; i < transaction->count; i++)
			if (fake_is_watched(wire, transaction->changes[i].path))
				return true;
	}
	return false;
}

/*
 * Answers.
 */

struct fake_request *
fake_next_change(struct fake_wire *wire)
{
	size_t i;

	for (i = 0; i < wire->queued; i++)
		if (!wire->queue[i].executed && !fake_is_read(&wire->queue[i]))
			return &wire->queue[i];
	return NULL;
}

static void
answer_now(struct fake_wire *wire)
{
	static const char *const sentences[] = {"ok", "connection loss",
	    "session expired", "no node", "node exists", "not empty",
	    "not authenticated", "bad arguments", "no children for ephemerals"};
	const struct fake_request first = take_first(wire);
	struct evwire_answer answer = {.error = first.error};

	if (wire->instead != EVWIRE_OK) {
		answer.error = wire->instead;
		wire->instead = EVWIRE_OK;
	} else if (fake_is_read(&first)) {
		fake_read(wire, &first, &answer);
	} else if (answer.error == EVWIRE_OK) {
		answer.zxid = first.zxid;
		answer.created = first.op == FAKE_LINE_UP ? first.path : NULL;
	}
	answer.sentence = sentences[answer.error];
	first.request->answered(first.request, &answer);
}

static void
answer(struct fake_wire *wire)
{
	const struct life life = life_of(wire);
	struct fake_request *first = &wire->queue[0];

	if (wire->instead == EVWIRE_OK && !fake_is_read(first) &&
	    !first->executed)
		fake_execute(wire->fake, wire->session, first);
	while (first->executed && wire->applied < first->after)
		if (!catch_up(wire))
			return;
	if (is_open(life))
		answer_now(wire);
}

void
fake_perform(struct fake_wire *wire)
{
	switch (wire->due) {
	case FAKE_CONNECT:
		find_server(wire);
		break;
	case FAKE_ANSWER:
		answer(wire);
		break;
	case FAKE_CATCH_UP:
		catch_up(wire);
		break;
	case FAKE_LOSE:
		lose(wire, "127.0.0.1:2181 closed the connection");
		break;
	default:
		fake_give_up("no step of a wire", wire->setting.servers);
	}
}

static void
come_by(evutil_socket_t fd, short what, void *arg)
{
	struct fake_wire *wire = arg;
	const struct life life = life_of(wire);

	(void)fd;
	(void)what;
	if (wire->is_due) {
		wire->is_due = false;
		fake_perform(wire);
	}
	if (is_open(life) && wire->dropping)
		lose(wire, wire->why);
}

/*
 * What is sent.
 */

static struct fake_request *
send_op(struct evwire *evwire, enum fake_op op, const char *path,
    struct evwire_request *request)
{
	struct fake_wire *wire = (struct fake_wire *)evwire;
	struct fake *fake = wire->fake;
	struct fake_request *sent = &wire->queue[wire->queued];

	if (!wire->connected || wire->dropping) {
		errno = ENOTCONN;
		return NULL;
	}
	if (fake->fail_send > 0 && --fake->fail_send == 0) {
		errno = ENOMEM;
		return NULL;
	}
	if (wire->queued == FAKE_REQUESTS)
		fake_give_up("too many requests", path);
	wire->queued++;
	fake->sent[op]++;
	fake->sent_all++;
	wire->sent++;
	memset(sent, 0, sizeof(*sent));
	sent->op = op;
	sent->request = request;
	sent->private = wire->creator_only;
	fake_text(sent->path, TREE_PATH, path);
	return sent;
}

static int
result(const struct fake_request *sent)
{
	return sent == NULL ? -1 : 0;
}

static int
wire_sync(struct evwire *wire, struct evwire_request *request)
{
	return result(send_op(wire, FAKE_SYNC, "", request));
}

static int
send_read(struct evwire *wire, enum fake_op op, const char *path, bool watch,
    struct evwire_request *request)
{
	struct fake_request *sent = send_op(wire, op, path, request);

	if (sent != NULL)
		sent->watch = watch;
	return result(sent);
}

static int
wire_list(struct evwire *wire, const char *path, struct evwire_request *request)
{
	return send_read(wire, FAKE_LIST, path, false, request);
}

static int
wire_exists(struct evwire *wire, const char *path, bool watch,
    struct evwire_request *request)
{
	return send_read(wire, FAKE_EXISTS, path, watch, request);
}

static int
wire_get(struct evwire *wire, const char *path, bool watch,
    struct evwire_request *request)
{
	return send_read(wire, FAKE_GET, path, watch, request);
}

static int
wire_create(struct evwire *wire, const char *path, enum evwire_kind kind,
    const char *data, struct evwire_request *request)
{
	struct fake_request *sent = send_op(wire, FAKE_CREATE, path, request);

	if (sent == NULL)
		return -1;
	sent->kind = kind;
	fake_text(sent->data, TREE_DATA, data);
	return 0;
}

static int
wire_line_up(struct evwire *wire, const struct evwire_line_up *line_up,
    struct evwire_request *request)
{
	struct fake_request *sent =
	    send_op(wire, FAKE_LINE_UP, line_up->path, request);

	if (sent == NULL)
		return -1;
	if (line_up->left != NULL)
		fake_text(sent->left, TREE_PATH, line_up->left);
	sent->numbered = line_up->numbered;
	fake_text(sent->touched, TREE_PATH, line_up->touched);
	fake_text(sent->data, TREE_DATA, line_up->data);
	return 0;
}

static int
wire_remove(
    struct evwire *wire, const char *path, struct evwire_request *request)
{
	return result(send_op(wire, FAKE_REMOVE, path, request));
}

static int
wire_authenticate(
    struct evwire *evwire, const char *scheme, const char *credentials)
{
	struct fake_wire *wire = (struct fake_wire *)evwire;

	snprintf(wire->credentials, sizeof(wire->credentials), "%s:%s", scheme,
	    credentials);
	if (wire->session != NULL)
		fake_text(
		    wire->session->creator, TREE_CREATOR, wire->credentials);
	return 0;
}

static void
wire_drop(struct evwire *evwire, const char *why)
{
	struct fake_wire *wire = (struct fake_wire *)evwire;

	if (!wire->connected || wire->dropping)
		return;
	wire->dropping = true;
	snprintf(wire->why, sizeof(wire->why), "%s", why);
	event_active(&wire->event, EV_READ, 0);
}

/* The servers are told, and may hear of it or not. */
static void
wire_close(struct evwire *evwire)
{
	struct fake_wire *wire = (struct fake_wire *)evwire;
	struct fake_session *session = wire->session;

	event_del(&wire->event);
	if (session != NULL) {
		if (wire->connected && session->alive) {
			leave_late(wire);
			session->late[session->late_count++] =
			    (struct fake_request){.op = FAKE_CLOSE};
		}
		session->wired = false;
	}
	wire->session = NULL;
	wire->connected = wire->dropping = wire->is_due = false;
	wire->opened = 0;
}

static const struct evwire_type fake_type = {wire_sync, wire_list, wire_exists,
    wire_get, wire_create, wire_line_up, wire_remove, wire_authenticate,
    wire_drop, wire_close};

void
fake_wire_open(struct fake_wire *wire, const struct evwire_setting *setting,
    struct event_base *loop)
{
	wire->wire.type = &fake_type;
	wire->setting = *setting;
	wire->loop = loop;
	wire->opened = ++wire->fake->opened;
	wire->connected = wire->over = wire->dropping = wire->ended = false;
	wire->is_due = false;
	wire->creator_only = setting->creator_only;
	wire->credentials[0] = '\0';
	wire->session = NULL;
	wire->queued = wire->watched = wire->applied = 0;
	wire->sent = 0;
	wire->instead = EVWIRE_OK;
	event_assign(&wire->event, loop, -1, 0, come_by, wire);
}
