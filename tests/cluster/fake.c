/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>
#include <evdefer/base.h>

/* More rounds than any test needs: something goes to and fro for ever. */
#define ENDLESS 20000

static struct fake the_fake;

void
fake_give_up(const char *what, const char *which)
{
	fprintf(stderr, "fake: %s: %s\n", what, which);
	abort();
}

void
fake_text(char *to, size_t size, const char *from)
{
	const size_t length = strlen(from);

	if (length >= size)
		fake_give_up("too long", from);
	memcpy(to, from, length + 1);
}

/* By the clock of the test. */
long long
fake_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What is large is left as it is: counts say what is in use. */
struct fake *
fake_start(void)
{
	struct fake *fake = &the_fake;
	size_t i;

	memset(fake, 0, offsetof(struct fake, tree));
	tree_init(&fake->tree);
	fake->zxid = UINT64_C(1) << 32;
	fake->last_session = UINT64_C(0x1000a53c0de0000);
	fake->opened = 0;
	fake->logged = 0;
	fake->loop_count = 0;
	for (i = 0; i < FAKE_SESSIONS; i++) {
		fake->sessions[i].id = 0;
		fake->sessions[i].alive = fake->sessions[i].wired = false;
	}
	for (i = 0; i < FAKE_WIRES; i++) {
		fake->wires[i].fake = fake;
		fake->wires[i].opened = 0;
		fake->wires[i].session = NULL;
	}
	return fake;
}

void
fake_add_loop(struct fake *fake, struct event_base *loop)
{
	size_t i;

	for (i = 0; i < fake->loop_count; i++)
		if (fake->loops[i] == loop)
			return;
	if (fake->loop_count == FAKE_WIRES)
		fake_give_up("too many loops", "");
	fake->loops[fake->loop_count++] = loop;
}

void
fake_remove_loop(struct fake *fake, struct event_base *loop)
{
	size_t i;

	for (i = 0; i < fake->loop_count; i++)
		if (fake->loops[i] == loop)
			fake->loops[i] = fake->loops[--fake->loop_count];
}

struct evwire *
fake_open(const struct evwire_setting *setting)
{
	struct event_base *loop = evdefer_base_get_event_base(setting->base);
	struct fake *fake = &the_fake;
	struct fake_wire *wire = fake->wires;

	if (loop == NULL) {
		errno = ESHUTDOWN;
		return NULL;
	}
	if (fake->fail_send > 0 && --fake->fail_send == 0) {
		errno = ENOMEM;
		return NULL;
	}
	while (wire->opened != 0)
		if (++wire == fake->wires + FAKE_WIRES)
			fake_give_up("too many wires", setting->servers);
	fake_add_loop(fake, loop);
	fake_wire_open(wire, setting, loop);
	return &wire->wire;
}

/*
 * What can come next.
 */

struct list {
	struct fake_step *steps;
	size_t count, most;
	bool whole; /* also a server that need not catch up for anybody may */
};

static void
add(struct list *list, enum fake_kind kind, size_t n)
{
	if (list->count < list->most)
		list->steps[list->count++] = (struct fake_step){kind, (int)n};
}

static bool
can_answer(const struct fake_wire *wire)
{
	const struct fake_request *first = &wire->queue[0];

	if (wire->queued == 0 || wire->ended)
		return false;
	return fake_is_read(first) || first->executed || wire->session->alive;
}

static void
add_wire(struct list *list, struct fake_wire *wire, size_t n)
{
	if (wire->opened == 0 || wire->over)
		return;
	if (!wire->connected) {
		if (!wire->fake->away)
			add(list, FAKE_CONNECT, n);
		return;
	}
	if (!wire->ended && wire->applied < wire->fake->logged &&
	    (list->whole || wire->queued > 0 || fake_would_tell(wire)))
		add(list, FAKE_CATCH_UP, n);
	if (can_answer(wire))
		add(list, FAKE_ANSWER, n);
	if (wire->session->alive && fake_next_change(wire) != NULL)
		add(list, FAKE_EXECUTE, n);
	add(list, FAKE_LOSE, n);
}

static bool
is_silent(const struct fake_session *session)
{
	return fake_now() - session->touched_ms >= session->timeout_ms;
}

static void
add_session(struct list *list, const struct fake *fake,
    const struct fake_session *session, size_t n)
{
	if (session->id == 0 || !session->alive)
		return;
	if (session->late_count > 0)
		add(list, FAKE_LATE, n);
	if (fake->expires || is_silent(session))
		add(list, FAKE_EXPIRE, n);
}

static bool
is_empty_container(const struct fake *fake, size_t n)
{
	const struct tree_node *node = &fake->tree.nodes[n];

	return node->container && node->children != 0 &&
	       !tree_has_children(&fake->tree, node->path);
}

static size_t
list_steps(struct fake *fake, struct list list)
{
	size_t i;

	for (i = 0; i < FAKE_WIRES; i++)
		add_wire(&list, &fake->wires[i], i);
	for (i = 0; i < FAKE_SESSIONS; i++)
		add_session(&list, fake, &fake->sessions[i], i);
	for (i = 1; fake->operators && i < fake->tree.count; i++) {
		add(&list, FAKE_DELETE, i);
		if (is_empty_container(fake, i))
			add(&list, FAKE_REAP, i);
	}
	return list.count;
}

size_t
fake_steps(struct fake *fake, struct fake_step *steps, size_t most)
{
	return list_steps(fake, (struct list){steps, 0, most, false});
}

/*
 * Steps.
 */

/* Without EVLOOP_ONCE this goes on until a poll has found nothing. */
static void
turn(struct event_base *loop)
{
	event_base_loop(loop, EVLOOP_NONBLOCK);
}

void
fake_turn(struct fake *fake)
{
	size_t i;

	for (i = 0; i < fake->loop_count; i++)
		turn(fake->loops[i]);
}

static void
execute_late(struct fake *fake, struct fake_session *session)
{
	struct fake_request first = session->late[0];

	session->late_count--;
	memmove(&session->late[0], &session->late[1],
	    session->late_count * sizeof(first));
	fake_execute(fake, session, &first);
}

static void
do_to_wire(struct fake_wire *wire, enum fake_kind kind)
{
	wire->due = kind;
	wire->is_due = true;
	event_active(&wire->event, EV_READ, 0);
	turn(wire->loop);
}

static struct fake_request *
change_of(struct fake_wire *wire)
{
	struct fake_request *next = fake_next_change(wire);

	if (next == NULL)
		fake_give_up("nothing to execute", wire->setting.servers);
	return next;
}

void
fake_do(struct fake *fake, struct fake_step step)
{
	struct fake_wire *wire = &fake->wires[step.n];
	char path[TREE_PATH];

	switch (step.kind) {
	case FAKE_EXECUTE:
		fake_execute(fake, wire->session, change_of(wire));
		break;
	case FAKE_LATE:
		execute_late(fake, &fake->sessions[step.n]);
		break;
	case FAKE_EXPIRE:
		fake_end_session(fake, &fake->sessions[step.n]);
		break;
	case FAKE_DELETE:
	case FAKE_REAP:
		fake_text(path, TREE_PATH, fake->tree.nodes[step.n].path);
		fake_delete(fake, path);
		break;
	default:
		do_to_wire(wire, step.kind);
	}
}

/*
 * What unit tests need.
 */

/* What a machine that is well does next: it does not even lag. */
static bool
is_usual(enum fake_kind kind)
{
	return kind == FAKE_CONNECT || kind == FAKE_ANSWER ||
	       kind == FAKE_CATCH_UP || kind == FAKE_LATE;
}

static bool
run_once(struct fake *fake)
{
	struct fake_step steps[4 * FAKE_WIRES + 2 * FAKE_SESSIONS];
	const size_t most = sizeof(steps) / sizeof(*steps);
	const size_t count =
	    list_steps(fake, (struct list){steps, 0, most, true});
	size_t i;

	for (i = 0; i < count; i++) {
		if (!is_usual(steps[i].kind))
			continue;
		fake_do(fake, steps[i]);
		return true;
	}
	return false;
}

/* A server that has heard of the end of a session closes the connection. */
static bool
lose_ended(struct fake *fake)
{
	size_t i;

	for (i = 0; i < FAKE_WIRES; i++) {
		if (fake->wires[i].opened == 0 || !fake->wires[i].connected ||
		    !fake->wires[i].ended)
			continue;
		fake_do(fake, (struct fake_step){FAKE_LOSE, (int)i});
		return true;
	}
	return false;
}

void
fake_run(struct fake *fake)
{
	int i = 0;

	/* One process may have done something to another one. */
	do {
		fake_turn(fake);
		for (; run_once(fake) || lose_ended(fake); i++)
			if (i == ENDLESS)
				fake_give_up("requests without an end", "");
		fake_turn(fake);
	} while (run_once(fake));
}

static struct fake_wire *
connected_wire(struct fake *fake, int n)
{
	struct fake_wire *wire = &fake->wires[n];

	if (wire->opened == 0 || !wire->connected)
		fake_give_up("the wire has no server", "");
	return wire;
}

void
fake_answer(struct fake *fake, int n)
{
	if (!can_answer(connected_wire(fake, n)))
		fake_give_up("nothing to answer", "");
	fake_do(fake, (struct fake_step){FAKE_ANSWER, n});
}

void
fake_answer_with(struct fake *fake, int n, enum evwire_error error)
{
	connected_wire(fake, n)->instead = error;
	fake_answer(fake, n);
}

void
fake_cut(struct fake *fake, int n, bool executed)
{
	struct fake_wire *wire = connected_wire(fake, n);
	struct fake_session *session = wire->session;

	if (executed)
		fake_execute(fake, session, change_of(wire));
	do_to_wire(wire, FAKE_LOSE);
	session->late_count = 0;
}

void
fake_expire(struct fake *fake, int n)
{
	if (fake->wires[n].session == NULL || !fake->wires[n].session->alive)
		fake_give_up("the wire has no session", "");
	fake_end_session(fake, fake->wires[n].session);
}

void
fake_end(struct fake *fake, int n)
{
	fake_expire(fake, n);
	if (fake->wires[n].connected)
		fake_do(fake, (struct fake_step){FAKE_LOSE, n});
	fake_do(fake, (struct fake_step){FAKE_CONNECT, n});
}

bool
fake_may_expire(const struct fake *fake, int n)
{
	const struct fake_session *session = fake->wires[n].session;

	return session != NULL && session->alive && is_silent(session);
}

const struct tree_node *
fake_find(struct fake *fake, const char *path)
{
	return tree_find(&fake->tree, path);
}

const struct tree_node *
fake_find_like(struct fake *fake, const char *start)
{
	size_t i;

	for (i = 0; i < fake->tree.count; i++)
		if (strncmp(fake->tree.nodes[i].path, start, strlen(start)) ==
		    0)
			return &fake->tree.nodes[i];
	return NULL;
}

size_t
fake_count(const struct fake *fake, const char *start)
{
	size_t count = 0, i;

	for (i = 0; i < fake->tree.count; i++)
		count += strncmp(fake->tree.nodes[i].path, start,
			     strlen(start)) == 0;
	return count;
}

static void
ignore(const char *path, void *arg)
{
	(void)path;
	(void)arg;
}

static void
change_as_stranger(
    struct fake *fake, enum tree_kind kind, const char *path, const char *data)
{
	static struct tree_transaction transaction;

	memset(&transaction, 0, sizeof(transaction));
	transaction.zxid = ++fake->zxid;
	transaction.at_ms = fake_now();
	transaction.count = 1;
	transaction.changes[0].kind = kind;
	fake_text(transaction.changes[0].path, TREE_PATH, path);
	fake_text(transaction.changes[0].data, TREE_DATA, data);
	tree_apply(&fake->tree, &transaction, ignore, NULL);
	fake_commit(fake, &transaction);
}

void
fake_create(struct fake *fake, const char *path, const char *data)
{
	change_as_stranger(fake, TREE_CREATE, path, data);
}

void
fake_set(struct fake *fake, const char *path, const char *data)
{
	change_as_stranger(fake, TREE_SET, path, data);
}

/* What is in it was created after it. */
void
fake_delete(struct fake *fake, const char *path)
{
	const size_t length = strlen(path);
	char inside[TREE_PATH];
	size_t i;

	for (i = fake->tree.count; i-- > 0;) {
		fake_text(inside, TREE_PATH, fake->tree.nodes[i].path);
		if (strncmp(inside, path, length) == 0 &&
		    (inside[length] == '\0' || inside[length] == '/'))
			change_as_stranger(fake, TREE_DELETE, inside, "");
	}
}

bool
fake_has_empty_container(const struct fake *fake)
{
	size_t i;

	for (i = 0; i < fake->tree.count; i++)
		if (is_empty_container(fake, i))
			return true;
	return false;
}

void
fake_reap(struct fake *fake)
{
	char path[TREE_PATH];
	size_t i;

	for (i = fake->tree.count; i-- > 0;) {
		if (!is_empty_container(fake, i))
			continue;
		fake_text(path, TREE_PATH, fake->tree.nodes[i].path);
		fake_delete(fake, path);
	}
}

static void
set_counter(struct tree *tree, const char *path, int32_t n)
{
	struct tree_node *node = tree_find(tree, path);

	if (node != NULL)
		node->children = n;
}

void
fake_set_counter(struct fake *fake, const char *path, int32_t n)
{
	size_t i;

	set_counter(&fake->tree, path, n);
	for (i = 0; i < FAKE_WIRES; i++)
		if (fake->wires[i].session != NULL)
			set_counter(&fake->wires[i].tree, path, n);
}
