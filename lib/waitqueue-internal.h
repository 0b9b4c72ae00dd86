/* SPDX-License-Identifier: MIT */
/*
 * What every lock and queue of the library is built on: Deferreds that wait in
 * lists, are granted, and are told so, at once or from the event loop.
 *
 * The lists of those that wait belong to whoever uses the wait queue; there may be
 * several, for several kinds of waiters.  When a Deferred is granted it goes from
 * its list to that of the wait queue, and leaves that when it is fired: the delivery.
 */
#ifndef EVDEFER_WAITQUEUE_INTERNAL_H
#define EVDEFER_WAITQUEUE_INTERNAL_H

#include "base-internal.h"
#include "deferred-internal.h"

struct evlink;
struct evstatement;
struct evwaitqueue;

struct evwaitqueue_type {
	/* Fires a Deferred that was granted. */
	void (*deliver)(struct evwaitqueue *queue, struct evdeferred *d);
	/* Does anybody hold what it hands out?  NULL if that is given away. */
	bool (*is_held)(const struct evwaitqueue *queue);
	/* Grants to those who may enter: to nobody if it is closed. */
	void (*admit)(struct evwaitqueue *queue);
	/* Fails all that wait, because it is closed. */
	void (*fail_waiters)(struct evwaitqueue *queue);
	/* Frees its memory. */
	void (*destroy)(struct evwaitqueue *queue);
	/* Says who is inside and who waits. */
	void (*describe)(
	    const struct evwaitqueue *queue, struct evstatement *statement);
};

struct evwaitqueue {
	struct evready ready; /* in the ready queue while any is granted */
	struct evlist granted;
	size_t undelivered; /* how many are in granted */
	struct evdefer_base *base;
	const struct evwaitqueue_type *type;
	/* Frames on the stack and requests of owners that need its memory. */
	size_t users;
	bool fast;
	bool closed;
	/* Without a source (source-internal.h), its base and it open, and nobody looks
	 * on or debugs: the short ways are for these. */
	struct evplain ways;
};

/* The one flag that all of them take. */
#define EVWAITQUEUE_FAST 0x1u

/* 0, or -1 with EINVAL or ESHUTDOWN. */
int evwaitqueue_check_new_(const struct evdefer_base *base, unsigned flags);

void evwaitqueue_init_(struct evwaitqueue *queue,
    const struct evwaitqueue_type *type, struct evdefer_base *base,
    unsigned flags);

/* From now on none of its calls takes a short way. */
void evwaitqueue_take_long_ways_(struct evwaitqueue *queue);

static inline bool
evwaitqueue_is_plain_(const struct evwaitqueue *queue)
{
	return queue->ways.plain;
}

/* Fails those that wait; the memory goes when nobody holds anything. */
void evwaitqueue_close_(struct evwaitqueue *queue);

/* Fails those that wait, and leaves it open: with the error of its source if its base
 * is open, too. */
void evwaitqueue_fail_(struct evwaitqueue *queue);

static inline bool
evwaitqueue_is_open_(const struct evwaitqueue *queue)
{
	return !queue->closed && !evdefer_base_closed_(queue->base);
}

/* Would a grant be delivered at once, with none before it, and is there a Deferred to
 * be had for it? */
static inline bool
evwaitqueue_delivers_now_(const struct evwaitqueue *queue)
{
	return queue->fast && queue->undelivered == 0 &&
	       evdeferred_can_make_(queue->base);
}

/* The same for one that is plain, as its base is then. */
static inline bool
evwaitqueue_plain_delivers_now_(const struct evwaitqueue *queue)
{
	return queue->fast && queue->undelivered == 0 &&
	       evdeferred_is_at_hand_(queue->base);
}

/* One that counts as inside by now is to be told so. */
static inline void
evwaitqueue_grant_(struct evwaitqueue *queue, struct evdeferred *d)
{
	evlist_append_(&queue->granted, &d->node);
	queue->undelivered++;
}

/* The same for all in a list, in one step. */
static inline void
evwaitqueue_grant_all_(
    struct evwaitqueue *queue, struct evlist *list, size_t count)
{
	evlist_join_(&queue->granted, list);
	queue->undelivered += count;
}

/* Takes back a grant that was not delivered. */
void evwaitqueue_withdraw_(struct evwaitqueue *queue, struct evdeferred *d);

/* Tells those that were granted: at once, or from the loop. */
void evwaitqueue_hand_out_(struct evwaitqueue *queue);

/* Admits those that may enter by now, and calls nobody: the loop tells them, however
 * the queue delivers. */
void evwaitqueue_catch_up_(struct evwaitqueue *queue);

/* After somebody left: admits others and tells them; frees a closed one that
 * nobody needs any more.  0. */
int evwaitqueue_changed_(struct evwaitqueue *queue);

/* The same after a holder left a plain one, where it is known whether others wait. */
static inline int
evwaitqueue_left_(struct evwaitqueue *queue, bool awaited)
{
	if (awaited || (queue->fast && queue->undelivered > 0))
		return evwaitqueue_changed_(queue);
	return 0;
}

/* Checks what evwaitqueue_with_() will be given.  0, or -1 with EINVAL. */
int evwaitqueue_check_with_(const struct evwaitqueue *queue,
    const struct timeval *patience, evdeferred_body_fn body);

/* Runs the body when the Deferred of an acquire is granted, and disposes of the grant
 * when the result of the body is there.  Patience, if it is not NULL, bounds the wait;
 * what was granted at once needs none, though the loop may still have to tell it.
 * Returns the same Deferred, or NULL with errno and the acquire taken back.  NULL is
 * passed on. */
struct evdeferred *evwaitqueue_with_(struct evwaitqueue *queue,
    struct evdeferred *acquired, const struct timeval *patience,
    evdeferred_body_fn body, void *arg);

/* The same with a link that runs the body. */
struct evdeferred *evwaitqueue_with_link_(struct evwaitqueue *queue,
    struct evdeferred *acquired, const struct timeval *patience,
    const struct evlink *link);

/* A Deferred that has failed because it is closed. */
struct evdeferred *evwaitqueue_refuse_(struct evwaitqueue *queue);

#endif
