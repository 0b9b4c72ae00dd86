/* SPDX-License-Identifier: MIT */
/*
 * The nodes that a server knows, and changes of them: what the servers of an ensemble
 * have in common.  Nothing of it allocates.
 *
 * A sequence number is how many children a node has had, as ZooKeeper counts them: the
 * ones without a number as well.  A server of release 3.8 stores a count only if it is
 * larger, so that it stays at 2147483647; what waits meanwhile is -2147483648.
 */
#ifndef TESTS_CLUSTER_TREE_H
#define TESTS_CLUSTER_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef FAKE_IS_SMALL
#define TREE_NODES 20
#define TREE_PATH 80
#define TREE_DATA 96
#define TREE_CREATOR 8
#else
#define TREE_NODES 192
#define TREE_PATH 400
#define TREE_DATA 160
#define TREE_CREATOR 64
#endif
#define TREE_CHANGES 3

struct tree_node {
	char path[TREE_PATH];
	char data[TREE_DATA];
	size_t length;
	char creator[TREE_CREATOR]; /* for whom alone it is, or nothing */
	uint64_t owner;		    /* the session of an ephemeral one, or 0 */
	uint64_t czxid, mzxid;
	long long created_ms;
	int32_t version;  /* of the data */
	int32_t children; /* it has had, to number them */
	bool container;
};

struct tree {
	struct tree_node nodes[TREE_NODES]; /* in the order of creation */
	size_t count;
	bool wraps; /* sequence numbers go on below zero, as it is documented */
};

enum tree_kind { TREE_CREATE, TREE_SET, TREE_DELETE };

struct tree_change {
	enum tree_kind kind;
	char path[TREE_PATH];
	char data[TREE_DATA];
	char creator[TREE_CREATOR];
	uint64_t owner;
	bool container;
};

/* What happens in one go. */
struct tree_transaction {
	uint64_t zxid;
	long long at_ms;
	uint64_t ended; /* the session that ends with it, or 0 */
	size_t count;
	struct tree_change changes[TREE_CHANGES];
};

/* Is told of each node that comes, changes or goes. */
typedef void (*tree_event_fn)(const char *path, void *arg);

/* Only the root. */
void tree_init(struct tree *tree);
void tree_copy(struct tree *to, const struct tree *from);

struct tree_node *tree_find(struct tree *tree, const char *path);
bool tree_has_children(const struct tree *tree, const char *path);

/* The path of what a node is in: "" for the root. */
void tree_parent_path(const char *path, char parent[TREE_PATH]);
struct tree_node *tree_parent(struct tree *tree, const char *path);

/* The name of a child, or NULL if it is none. */
const char *tree_name_in(const char *path, const char *parent);

/* The transaction has to be possible. */
void tree_apply(struct tree *tree, const struct tree_transaction *transaction,
    tree_event_fn told, void *arg);

#endif
