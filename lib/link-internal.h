/* SPDX-License-Identifier: MIT */
/*
 * One link of a chain.  A Deferred points to its last link and that to the
 * first, so that a chain costs the Deferred one pointer.
 */
#ifndef EVDEFER_LINK_INTERNAL_H
#define EVDEFER_LINK_INTERNAL_H

#include <evdefer/deferred.h>
#include <evdefer/rwlock.h>

#include "base-internal.h"
#include "deferred-internal.h"
#include "pool-internal.h"

struct evcoro;
struct evpart;
struct evtimeout;

enum evlink_kind {
	EVLINK_CALLBACKS,
	EVLINK_BOTH,
	EVLINK_CHAIN,
	EVLINK_CORO,
	EVLINK_PART,
	EVLINK_TIMEOUT,
	/* Runs a body that owns the value, and turns into ... */
	EVLINK_WITH,
	/* ... this one, which disposes of that value when the body is through.  Also
	 * behind a link that owns its argument. */
	EVLINK_FINALLY
};

struct evlink {
	struct evlink *next;
	union {
		struct {
			evdeferred_callback_fn callback;
			evdeferred_errback_fn errback;
		} fns;
		evdeferred_both_fn both;
		struct {
			struct evdeferred *other; /* NULL once it has gone */
			struct evlink *prev;	  /* unless it is the first */
		} chain;
		struct evcoro *coro;
		struct evpart *part;
		struct {
			struct evtimeout *timeout;
			evdeferred_both_fn
			    both; /* for who timed out, or NULL */
		} timed;
		evdeferred_body_fn body;
		struct evresult held;
	} u;
	void *arg;
	enum evlink_kind kind;
};

/* All but the place in the chain.  Word by word: the processor would have to
 * wait for words that were just written if it read two of them in one. */
static inline void
evlink_copy_(struct evlink *to, const struct evlink *from)
{
	to->u.fns.callback = from->u.fns.callback;
	to->u.fns.errback = from->u.fns.errback;
	to->arg = from->arg;
	to->kind = from->kind;
}

/* Puts a link at the end of the chain, to be filled in at once.  NULL with
 * ENOMEM. */
static inline struct evlink *
evlink_append_(struct evdeferred *d)
{
	struct evlink *last = evpool_get_(&d->base->links);

	if (last == NULL)
		return NULL;
	if (d->links == NULL) {
		last->next = last;
	} else {
		last->next = d->links->next;
		d->links->next = last;
	}
	d->links = last;
	return last;
}

/* Takes the first link out of the chain, which must not be empty. */
static inline struct evlink
evlink_pop_(struct evdeferred *d)
{
	struct evlink *first = d->links->next;
	struct evlink link;

	evlink_copy_(&link, first);
	if (first == d->links)
		d->links = NULL;
	else
		d->links->next = first->next;
	evpool_put_(&d->base->links, first);
	return link;
}

/* Puts a link that fires other at the end of the chain of d.  0, or -1 with
 * ENOMEM. */
int evlink_append_chain_(struct evdeferred *d, struct evdeferred *other);

/* Takes other, which is chained, from the link that would have fired it. */
void evlink_leave_chain_(struct evdeferred *other);

/* Runs a link that was taken out of d (or never was in it): it gets the result
 * of d, and what it returns is the result of d afterwards. */
void evlink_run_(const struct evlink *link, struct evdeferred *d);

/* Takes the first link out, and runs it. */
void evlink_run_first_(struct evdeferred *d);

/* Takes all links out of the chain without running them. */
void evlink_drop_all_(struct evdeferred *d);

#endif
