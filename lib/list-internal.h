/* SPDX-License-Identifier: MIT */
/*
 * A circular, doubly linked list.  Unlike with a TAILQ, an element leaves
 * without knowing which list it is in, and a list joins another in O(1): both
 * are what makes a waiter's cancel and the grant of many readers O(1).
 */
#ifndef EVDEFER_LIST_INTERNAL_H
#define EVDEFER_LIST_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, and the node in an element. */
struct evlist {
	struct evlist *next;
	struct evlist *prev;
};

/* The struct of the given type that the node is in, as the given member. */
#define EVLIST_ELEMENT(node, type, member)                                     \
	((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void
evlist_init_(struct evlist *list)
{
	list->next = list->prev = list;
}

static inline bool
evlist_empty_(const struct evlist *list)
{
	return list->next == list;
}

static inline void
evlist_append_(struct evlist *list, struct evlist *node)
{
	node->next = list;
	node->prev = list->prev;
	list->prev->next = node;
	list->prev = node;
}

/* For a node that will not be removed again before it is in a list. */
static inline void
evlist_take_out_(struct evlist *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
}

/* Leaves the node as an empty list, so that it may be removed again. */
static inline void
evlist_remove_(struct evlist *node)
{
	evlist_take_out_(node);
	evlist_init_(node);
}

static inline struct evlist *
evlist_pop_(struct evlist *list)
{
	struct evlist *first = list->next;

	evlist_remove_(first);
	return first;
}

/* Moves all that is in from, which must not be empty, to the end of list. */
static inline void
evlist_join_(struct evlist *list, struct evlist *from)
{
	from->next->prev = list->prev;
	from->prev->next = list;
	list->prev->next = from->next;
	list->prev = from->prev;
	evlist_init_(from);
}

#endif
