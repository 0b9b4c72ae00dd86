/* SPDX-License-Identifier: MIT */
/*
 * What every lock and queue of the library is built on: Deferreds that wait in
 * lists, are granted, and are told so, at once or from the event loop.
 *
 * The lists of waiting Deferreds belong to whoever uses the gate; there may be
 * several, for several kinds of waiters.  A Deferred that is granted goes from
 * its list to that of the gate, and leaves it by being fired, the delivery.
 */
#ifndef EVDEFER_GATE_INTERNAL_H
#define EVDEFER_GATE_INTERNAL_H

#include "base-internal.h"
#include "deferred-internal.h"

struct evgate;

struct evgate_type {
	/* Fires a Deferred that was granted. */
	void (*deliver)(struct evgate *gate, struct evdeferred *d);
	/* Does anybody hold what the gate hands out? */
	bool (*is_held)(const struct evgate *gate);
	/* Grants to who may enter; not called on a closed gate. */
	void (*admit)(struct evgate *gate);
	/* Fails all that wait, with evgate_fail_all_(). */
	void (*fail_waiters)(struct evgate *gate);
	/* Frees its memory. */
	void (*destroy)(struct evgate *gate);
};

struct evgate {
	struct evready ready; /* in the ready queue while any is granted */
	struct evlist granted;
	size_t undelivered; /* how many are in granted */
	struct evdefer_base *base;
	const struct evgate_type *type;
	unsigned busy; /* frames on the stack that need the gate */
	bool fast;
	bool closed;
};

/* The one flag that all of them take. */
#define EVGATE_FAST EVRWLOCK_FAST

/* 0, or -1 with EINVAL or ESHUTDOWN. */
int evgate_check_new_(const struct evdefer_base *base, unsigned flags);

void evgate_init_(struct evgate *gate, const struct evgate_type *type,
    struct evdefer_base *base, unsigned flags);

/* Fails those that wait; the memory goes when nobody holds anything. */
void evgate_close_(struct evgate *gate);

static inline bool
evgate_is_open_(const struct evgate *gate)
{
	return !gate->closed && !evdefer_base_closed_(gate->base);
}

/* Puts one who is inside already where it will be told so. */
static inline void
evgate_grant_(struct evgate *gate, struct evdeferred *d)
{
	evlist_append_(&gate->granted, &d->node);
	gate->undelivered++;
}

/* The same for all that are in a list, in one step. */
static inline void
evgate_grant_all_(struct evgate *gate, struct evlist *list, size_t count)
{
	evlist_join_(&gate->granted, list);
	gate->undelivered += count;
}

/* Takes back a grant that was not delivered. */
void evgate_withdraw_(struct evgate *gate, struct evdeferred *d);

/* Sees to it that those granted are told. */
void evgate_hand_out_(struct evgate *gate);

/* After somebody left: admits others and tells them; frees a closed gate that
 * nobody needs any more. */
void evgate_changed_(struct evgate *gate);

/*
 * Those who wait to be granted one by one, first come, first served.  Whether
 * one was is what its ticket tells.
 */
struct evgate_line {
	struct evlist list;
	size_t length;
	size_t longest; /* so far */
};

void evgate_line_init_(struct evgate_line *line);

/* Puts one at the end. */
void evgate_line_wait_(struct evgate_line *line, struct evdeferred *d);

/* Grants to one who need not wait, and sees to it that it is told. */
void evgate_line_pass_(struct evgate *gate, struct evdeferred *d);

/* Grants to the first; evgate_hand_out_() is to follow. */
void evgate_line_grant_(struct evgate *gate, struct evgate_line *line);

/* Takes out one who waits or was granted.  Whether it was. */
bool evgate_line_leave_(
    struct evgate *gate, struct evgate_line *line, struct evdeferred *d);

/* What evgate_with_() is given.  0, or -1 with EINVAL. */
int evgate_check_with_(const struct evgate *gate,
    const struct timeval *patience, evdeferred_body_fn body);

/* Runs the body when the Deferred of an acquire is granted, before patience runs
 * out if there is one, and disposes of the grant when the result of the body is
 * there.  The same Deferred, or NULL with errno and the acquire taken back; NULL is
 * passed on. */
struct evdeferred *evgate_with_(struct evdeferred *acquired,
    const struct timeval *patience, evdeferred_body_fn body, void *arg);

/* A Deferred that has failed because the gate is closed. */
struct evdeferred *evgate_refuse_(struct evgate *gate);

/* Fails all in a list because the gate is closed. */
void evgate_fail_all_(struct evlist *list, size_t *count);

#endif
