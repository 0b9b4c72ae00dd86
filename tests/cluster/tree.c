/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void
give_up(const char *what, const char *path)
{
	fprintf(stderr, "tree: %s: %s\n", what, path);
	abort();
}

static void
set_text(char *to, size_t size, const char *from)
{
	const size_t length = strlen(from);

	if (length >= size)
		give_up("too long", from);
	memcpy(to, from, length + 1);
}

void
tree_init(struct tree *tree)
{
	tree->count = 1;
	tree->wraps = false;
	memset(&tree->nodes[0], 0, sizeof(tree->nodes[0]));
	set_text(tree->nodes[0].path, TREE_PATH, "/");
}

void
tree_copy(struct tree *to, const struct tree *from)
{
	memcpy(to->nodes, from->nodes, from->count * sizeof(from->nodes[0]));
	to->count = from->count;
	to->wraps = from->wraps;
}

struct tree_node *
tree_find(struct tree *tree, const char *path)
{
	size_t i;

	for (i = 0; i < tree->count; i++)
		if (strcmp(tree->nodes[i].path, path) == 0)
			return &tree->nodes[i];
	return NULL;
}

const char *
tree_name_in(const char *path, const char *parent)
{
	const size_t length = strcmp(parent, "/") == 0 ? 0 : strlen(parent);

	if (strncmp(path, parent, length) != 0 || path[length] != '/' ||
	    path[length + 1] == '\0' || strchr(path + length + 1, '/') != NULL)
		return NULL;
	return path + length + 1;
}

bool
tree_has_children(const struct tree *tree, const char *path)
{
	size_t i;

	for (i = 0; i < tree->count; i++)
		if (tree_name_in(tree->nodes[i].path, path) != NULL)
			return true;
	return false;
}

void
tree_parent_path(const char *path, char parent[TREE_PATH])
{
	size_t length = (size_t)(strrchr(path, '/') - path);

	if (length == 0)
		length = path[1] != '\0';
	memcpy(parent, path, length);
	parent[length] = '\0';
}

struct tree_node *
tree_parent(struct tree *tree, const char *path)
{
	char parent[TREE_PATH];

	tree_parent_path(path, parent);
	return tree_find(tree, parent);
}

static void
count_child(struct tree *tree, struct tree_node *parent)
{
	const int32_t next = (int32_t)((uint32_t)parent->children + 1);

	if (tree->wraps || next > parent->children)
		parent->children = next;
}

static void
create(struct tree *tree, const struct tree_transaction *transaction,
    const struct tree_change *change)
{
	struct tree_node *parent = tree_parent(tree, change->path);
	struct tree_node *node = &tree->nodes[tree->count];

	if (parent == NULL || tree_find(tree, change->path) != NULL)
		give_up("can't be created", change->path);
	if (tree->count == TREE_NODES)
		give_up("too many nodes", change->path);
	count_child(tree, parent);
	tree->count++;
	memset(node, 0, sizeof(*node));
	set_text(node->path, TREE_PATH, change->path);
	set_text(node->data, TREE_DATA, change->data);
	set_text(node->creator, TREE_CREATOR, change->creator);
	node->length = strlen(node->data);
	node->owner = change->owner;
	node->container = change->container;
	node->czxid = node->mzxid = transaction->zxid;
	node->created_ms = transaction->at_ms;
}

static void
set(struct tree *tree, const struct tree_transaction *transaction,
    const struct tree_change *change)
{
	struct tree_node *node = tree_find(tree, change->path);

	if (node == NULL)
		give_up("can't be set", change->path);
	set_text(node->data, TREE_DATA, change->data);
	node->length = strlen(node->data);
	node->version++;
	node->mzxid = transaction->zxid;
}

static void
remove_node(struct tree *tree, const char *path)
{
	struct tree_node *node = tree_find(tree, path);

	if (node == NULL)
		give_up("can't be deleted", path);
	tree->count--;
	memmove(node, node + 1,
	    (size_t)(&tree->nodes[tree->count] - node) * sizeof(*node));
}

static void
apply_change(struct tree *tree, const struct tree_transaction *transaction,
    const struct tree_change *change)
{
	switch (change->kind) {
	case TREE_CREATE:
		create(tree, transaction, change);
		break;
	case TREE_SET:
		set(tree, transaction, change);
		break;
	case TREE_DELETE:
		remove_node(tree, change->path);
		break;
	}
}

static void
delete_owned(struct tree *tree, uint64_t owner, tree_event_fn told, void *arg)
{
	char path[TREE_PATH];
	size_t i = 0;

	while (i < tree->count) {
		if (tree->nodes[i].owner != owner) {
			i++;
			continue;
		}
		set_text(path, sizeof(path), tree->nodes[i].path);
		remove_node(tree, path);
		told(path, arg);
	}
}

void
tree_apply(struct tree *tree, const struct tree_transaction *transaction,
    tree_event_fn told, void *arg)
{
	size_t i;

	for (i = 0; i < transaction->count; i++) {
		apply_change(tree, transaction, &transaction->changes[i]);
		told(transaction->changes[i].path, arg);
	}
	if (transaction->ended != 0)
		delete_owned(tree, transaction->ended, told, arg);
}
