/* SPDX-License-Identifier: MIT */
/*
 * One link of a chain.  A Deferred points to its last link and that to the
 * first, so that a chain costs the Deferred one pointer.
 *
 * Most links are a callback and an errback, and have no type.  Every other kind has
 * its type in a file of its own, which alone knows what the other members are for.
 */
#ifndef EVDEFER_LINK_INTERNAL_H
#define EVDEFER_LINK_INTERNAL_H

#include <evdefer/deferred.h>

#include "base-internal.h"
#include "deferred-internal.h"
#include "pool-internal.h"
#include "result-internal.h"

struct evlink {
	struct evlink *next;
	const struct evlink_type *type; /* NULL: a callback and an errback */
	union {
		evdeferred_callback_fn callback;
		evdeferred_both_fn both;
		evdeferred_body_fn body;
		void *object;
	};
	union {
		evdeferred_errback_fn errback;
		evdeferred_both_fn instead;
		void (*dispose)(void *data);
		struct evlink *prev;
	};
	void *arg;
};

struct evlink_type {
	/* Finds the result of d there, and leaves there what goes on down the chain.
	 * The link was taken out and its memory given back, so that there is room
	 * for one that is pushed now. */
	void (*run)(const struct evlink *link, struct evdeferred *d);
	/* For one that will never run, and was taken out as well.  NULL if it has
	 * nothing to let go of. */
	void (*drop)(const struct evlink *link, struct evdeferred *d);
};

/* Copies all but the place in the chain.  Word by word: the processor would have to
 * wait for words that were just written if it read two of them in one. */
static inline void
evlink_copy_(struct evlink *to, const struct evlink *from)
{
	to->type = from->type;
	to->callback = from->callback;
	to->errback = from->errback;
	to->arg = from->arg;
}

/* Puts a link at the end of the chain, to be filled in at once.  NULL with
 * ENOMEM. */
static inline struct evlink *
evlink_append_(struct evdeferred *d)
{
	struct evlink *last = evpool_get_(&d->base->links);

	if (last == NULL)
		return NULL;
	last->next = last;
	if (d->links != NULL) {
		last->next = d->links->next;
		d->links->next = last;
	}
	d->links = last;
	return last;
}

/* Takes the first link out of the chain. */
static inline struct evlink
evlink_take_out_(
    struct evdeferred *d, struct evdefer_base *base, struct evlink *first)
{
	struct evlink link;

	evlink_copy_(&link, first);
	if (first == d->links)
		d->links = NULL;
	else
		d->links->next = first->next;
	evpool_put_(&base->links, first);
	return link;
}

/* The same for whoever has not looked at it; the chain must not be empty. */
static inline struct evlink
evlink_pop_(struct evdeferred *d)
{
	return evlink_take_out_(d, d->base, d->links->next);
}

/* Puts a link before all others, which cannot fail in the run() of one that was in
 * the chain, as long as no function of the user's has been called. */
void evlink_push_(struct evdeferred *d, const struct evlink *link);

/* Adds a link, which runs at once if the result is there.  0, or -1 with ENOMEM. */
int evlink_add_(struct evdeferred *d, const struct evlink *link);

/* The same, but even a link that runs at once is put into the chain first. */
int evlink_add_kept_(struct evdeferred *d, const struct evlink *link);

/* Will a callback be the first to get its result if it fires now, and at once? */
static inline bool
evlink_is_call_due_(const struct evdeferred *d)
{
	return d->links != NULL && d->links->next->type == NULL &&
	       d->links->next->callback != NULL && !evdeferred_is_paused_(d) &&
	       !evdeferred_is_stack_full_(d);
}

/* Takes the result of d for a link that runs, or for its function.  While that is
 * at work d has none. */
static inline struct evresult
evlink_take_(struct evdeferred *d)
{
	struct evresult result = d->u.result;

	d->u.result = evresult_value(NULL);
	return result;
}

/* A grant that was taken back meanwhile is a failure now. */
static inline void
evlink_check_grant_(struct evdeferred *d)
{
	const struct evresult result = d->u.result;

	if (!evresult_is_taken_back_(result))
		return;
	d->u.result = evresult_fixed_(EVFAILURE_CANCELLED);
	evresult_dispose(result);
}

/* Calls a both function with the result of d, which is what it returns then. */
void evlink_call_both_(
    evdeferred_both_fn both, void *arg, struct evdeferred *d);

/* A link that disposes of a result, in arg and dispose, when it is reached or
 * dropped. */
extern const struct evlink_type evlink_finally_;

/* Takes other, which is chained, from the link that would have fired it. */
void evlink_leave_chain_(struct evdeferred *other);

/* Runs a link that was taken out of d, or never was in it. */
void evlink_run_(const struct evlink *link, struct evdeferred *d);

/* Takes all links out of the chain without running them. */
void evlink_drop_all_(struct evdeferred *d);

#endif
