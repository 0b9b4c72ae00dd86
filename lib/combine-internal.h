/* SPDX-License-Identifier: MIT */
/*
 * A combination of Deferreds, and what it fires with: one block of memory.
 *
 * Each input, a part, has a link that brings its result here, and was detached
 * so that it goes by itself when its links are through.  Combinations may
 * be parts of combinations, a million deep: what goes down from a combination
 * to its parts (cancelling, freeing, disposing of results) nests only so far,
 * and is then queued in the base for the outermost to do.
 */
#ifndef EVDEFER_COMBINE_INTERNAL_H
#define EVDEFER_COMBINE_INTERNAL_H

#include <stdbool.h>

#include <evdefer/combine.h>

#include "list-internal.h"

struct evpart {
	struct evresults *all; /* NULL once its link has run */
	struct evdeferred *d;  /* the same; also once it was freed */
	union {
		struct evlink *link; /* until it has run */
		struct evresult result;
	} u;
};

struct evresults {
	struct evlist node; /* in base->combinations while work is queued */
	struct evdefer_base *base;
	struct evdeferred *d; /* to be fired; NULL once that is over */
	/* d, all pending parts together, who has the results.  If only the parts
	 * are left, they are let go. */
	size_t refs;
	size_t total;
	size_t pending; /* parts whose link has not run */
	size_t first;	/* what is to be seen from outside */
	size_t count;
	unsigned flags;
	unsigned due;	/* work to do */
	bool decided;	/* what comes from now on is dropped */
	bool cancelled; /* because one has failed */
	bool shown;	/* somebody has the results, and will free them */
	struct evpart parts[];
};

/* The canceller of the Deferred of a combination, for when it is freed. */
void evcombine_leave_(struct evdeferred *d, void *arg);

/* Cancels the parts.  False if there are none. */
bool evcombine_cancel_(struct evresults *all);

/* Takes the result of a part, and returns what goes on down its chain. */
struct evresult evcombine_arrive_(struct evpart *part, struct evresult result);

/* The link of a part was dropped without having run. */
void evcombine_drop_(struct evpart *part);

#endif
