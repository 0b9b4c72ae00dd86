/* SPDX-License-Identifier: MIT */
/* What the leader makes of requests, and what a server answers. */
#include "fake.h"

#include <stdio.h>
#include <string.h>

bool
fake_is_read(const struct fake_request *request)
{
	return request->op == FAKE_LIST || request->op == FAKE_EXISTS ||
	       request->op == FAKE_GET;
}

/* Is path what inside is in, or that itself? */
static bool
is_within(const char *inside, const char *path)
{
	const size_t length = strlen(path);

	return strncmp(inside, path, length) == 0 &&
	       (inside[length] == '\0' || inside[length] == '/');
}

static enum evwire_error
may(const struct fake *fake, const struct tree_node *node, const char *creator)
{
	if (fake->forbidden[0] != '\0' &&
	    is_within(node->path, fake->forbidden))
		return EVWIRE_NO_AUTH;
	if (node->creator[0] != '\0' && strcmp(node->creator, creator) != 0)
		return EVWIRE_NO_AUTH;
	return EVWIRE_OK;
}

/*
 * Transactions.
 */

void
fake_commit(struct fake *fake, const struct tree_transaction *transaction)
{
	struct tree_transaction *kept = &fake->log[fake->logged % FAKE_LOG];
	size_t i;

	for (i = 0; i < FAKE_WIRES; i++)
		if (fake->wires[i].session != NULL &&
		    fake->logged - fake->wires[i].applied == FAKE_LOG)
			fake_give_up("a server lags too far behind",
			    fake->wires[i].setting.servers);
	*kept = *transaction;
	fake->logged++;
}

static void
see_nothing(const char *path, void *arg)
{
	(void)path;
	(void)arg;
}

static struct tree_change *
add_change(struct tree_transaction *transaction, enum tree_kind kind,
    const char *path, const char *data)
{
	struct tree_change *change =
	    &transaction->changes[transaction->count++];

	change->kind = kind;
	change->container = false;
	change->owner = 0;
	change->creator[0] = '\0';
	fake_text(change->path, TREE_PATH, path);
	fake_text(change->data, TREE_DATA, data);
	return change;
}

/* A request at the leader, and the transaction that is made of it. */
struct work {
	struct fake *fake;
	struct tree *tree;
	const struct fake_session *session;
	const char *creator;  /* who asks */
	const char *for_whom; /* new nodes are */
	struct tree_transaction *transaction;
};

/* As it is after what the transaction has done so far. */
static struct tree_node *
find(const struct work *work, const char *path)
{
	const struct tree_transaction *transaction = work->transaction;
	size_t i;

	for (i = 0; i < transaction->count; i++)
		if (transaction->changes[i].kind == TREE_DELETE &&
		    strcmp(transaction->changes[i].path, path) == 0)
			return NULL;
	return tree_find(work->tree, path);
}

static struct tree_node *
find_parent(const struct work *work, const char *path)
{
	char parent[TREE_PATH];

	tree_parent_path(path, parent);
	return find(work, parent);
}

static enum evwire_error
add_create(const struct work *work, const char *path, const char *data,
    enum evwire_kind kind)
{
	const struct tree_node *parent = find_parent(work, path);
	struct tree_change *change;
	enum evwire_error error;

	if (parent == NULL)
		return EVWIRE_NO_NODE;
	error = may(work->fake, parent, work->creator);
	if (error != EVWIRE_OK)
		return error;
	if (work->fake->forbidden[0] != '\0' &&
	    is_within(path, work->fake->forbidden))
		return EVWIRE_NO_AUTH;
	if (find(work, path) != NULL)
		return EVWIRE_EXISTS;
	if (parent->owner != 0)
		return EVWIRE_OTHER; /* no children of ephemerals */
	change = add_change(work->transaction, TREE_CREATE, path, data);
	change->container = kind == EVWIRE_CONTAINER;
	change->owner = kind == EVWIRE_EPHEMERAL ? work->session->id : 0;
	fake_text(change->creator, TREE_CREATOR, work->for_whom);
	return EVWIRE_OK;
}

static enum evwire_error
add_set(const struct work *work, const char *path, const char *data)
{
	const struct tree_node *node = find(work, path);
	enum evwire_error error;

	if (node == NULL)
		return EVWIRE_NO_NODE;
	error = may(work->fake, node, work->creator);
	if (error == EVWIRE_OK)
		add_change(work->transaction, TREE_SET, path, data);
	return error;
}

static enum evwire_error
add_remove(const struct work *work, const char *path)
{
	const struct tree_node *node = tree_find(work->tree, path);
	enum evwire_error error;

	if (node == NULL)
		return EVWIRE_NO_NODE;
	error = may(work->fake, tree_parent(work->tree, path), work->creator);
	if (error != EVWIRE_OK)
		return error;
	if (tree_has_children(work->tree, path))
		return EVWIRE_NOT_EMPTY;
	add_change(work->transaction, TREE_DELETE, path, "");
	return EVWIRE_OK;
}

/* False: the parent is not there. */
static bool
add_number(const struct work *work, char path[TREE_PATH])
{
	const struct tree_node *parent = tree_parent(work->tree, path);
	const size_t length = strlen(path);

	if (parent == NULL)
		return false;
	snprintf(
	    path + length, TREE_PATH - length, "%010d", (int)parent->children);
	return true;
}

static enum evwire_error
line_up(const struct work *work, struct fake_request *request)
{
	enum evwire_error error = EVWIRE_OK;

	if (request->left[0] != '\0')
		error = add_remove(work, request->left);
	if (error != EVWIRE_OK)
		return error;
	if (request->numbered && !add_number(work, request->path))
		return EVWIRE_NO_NODE;
	error =
	    add_create(work, request->path, request->data, EVWIRE_EPHEMERAL);
	if (error == EVWIRE_OK)
		error = add_set(work, request->touched, "");
	return error;
}

static enum evwire_error
prepare(const struct work *work, struct fake_request *request)
{
	switch (request->op) {
	case FAKE_CREATE:
		return add_create(
		    work, request->path, request->data, request->kind);
	case FAKE_LINE_UP:
		return line_up(work, request);
	case FAKE_REMOVE:
		return add_remove(work, request->path);
	default:
		return EVWIRE_OK;
	}
}

static void
change(struct fake *fake, struct fake_session *session,
    struct fake_request *request)
{
	static struct tree_transaction transaction;
	const struct work work = {fake, &fake->tree, session, session->creator,
	    request->private ? session->creator : "", &transaction};

	transaction.zxid = request->zxid = ++fake->zxid;
	transaction.at_ms = fake_now();
	transaction.ended = 0;
	transaction.count = 0;
	request->error = prepare(&work, request);
	if (request->error != EVWIRE_OK)
		return;
	tree_apply(&fake->tree, &transaction, see_nothing, NULL);
	fake_commit(fake, &transaction);
}

void
fake_end_session(struct fake *fake, struct fake_session *session)
{
	const struct tree_transaction transaction = {
	    .zxid = ++fake->zxid, .at_ms = fake_now(), .ended = session->id};

	session->alive = false;
	session->late_count = 0;
	tree_apply(&fake->tree, &transaction, see_nothing, NULL);
	fake_commit(fake, &transaction);
}

void
fake_execute(struct fake *fake, struct fake_session *session,
    struct fake_request *request)
{
	request->executed = true;
	session->touched_ms = fake_now();
	switch (request->op) {
	case FAKE_SYNC:
		session->late_count = 0;
		request->error = EVWIRE_OK;
		break;
	case FAKE_CLOSE:
		fake_end_session(fake, session);
		break;
	default:
		change(fake, session, request);
	}
	request->after = fake->logged;
}

/*
 * Answers.
 */

static void
watch(struct fake_wire *wire, const char *path)
{
	if (fake_is_watched(wire, path))
		return;
	if (wire->watched == FAKE_WATCHES)
		fake_give_up("too many watches", path);
	fake_text(wire->watches[wire->watched++], TREE_PATH, path);
}

/* The last comes first: in no order. */
static void
list(struct fake_wire *wire, const char *path, struct evwire_answer *answer)
{
	static const char *names[TREE_NODES + 4];
	const char *const *spoiler = wire->fake->spoilers;
	const char *name;
	size_t i;

	answer->names = names;
	for (i = wire->tree.count; i-- > 0;) {
		name = tree_name_in(wire->tree.nodes[i].path, path);
		if (name != NULL)
			names[answer->count++] = name;
	}
	if (strcmp(path, wire->fake->spoiled) != 0)
		return;
	for (i = 0; i < 4 && spoiler[i] != NULL; i++)
		names[answer->count++] = spoiler[i];
}

void
fake_read(struct fake_wire *wire, const struct fake_request *request,
    struct evwire_answer *answer)
{
	const struct tree_node *node = tree_find(&wire->tree, request->path);

	answer->error = node == NULL
			    ? EVWIRE_NO_NODE
			    : may(wire->fake, node, wire->session->creator);
	/* Everybody may know whether a node is there. */
	if (request->op == FAKE_EXISTS && answer->error == EVWIRE_NO_AUTH)
		answer->error = EVWIRE_OK;
	if (request->watch &&
	    (answer->error == EVWIRE_OK || (answer->error == EVWIRE_NO_NODE &&
					       request->op == FAKE_EXISTS)))
		watch(wire, request->path);
	if (answer->error != EVWIRE_OK)
		return;
	answer->created_ms = node->created_ms;
	if (request->op == FAKE_LIST)
		list(wire, request->path, answer);
	else
		answer->zxid = node->czxid;
	if (request->op == FAKE_GET) {
		answer->data = node->data;
		answer->length = node->length;
	}
}
