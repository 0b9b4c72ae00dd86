/* SPDX-License-Identifier: MIT */
/*
 * Failures that came to the end of a Deferred, and the handler that is told.
 *
 * The handler may drop failures itself.  These wait where they are until it has
 * returned: in their Deferreds, which go when they have been reported, and in the
 * nodes of queues.  So reports need no memory and never nest.
 */
#ifndef EVDEFER_UNHANDLED_INTERNAL_H
#define EVDEFER_UNHANDLED_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <evdefer/base.h>
#include <evdefer/result.h>

#include "list-internal.h"
#include "ready-internal.h"

/* What a handler drops itself is reported in the next round.  There are so many
 * rounds in a row, and none begins after so many reports. */
#define EVUNHANDLED_ROUNDS 16
#define EVUNHANDLED_MANY 256

/* A result that is kept in a list. */
struct evresult_node {
	struct evlist node;
	struct evresult result;
};

struct evdefer_base;
struct evdeferred;

struct evunhandled {
	evdefer_base_unhandled_fn fn;
	void *arg;
	struct evlist deferreds; /* whose results are to be reported */
	struct evlist results;	 /* of no Deferred, the same */
	size_t count;		 /* in both lists */
	bool busy;		 /* somebody up the stack reports them all */
	const struct evdeferred *reported; /* to the handler, now */
	/* For the rounds after a pause.  These are rare, so the base knows the alarm
	 * from the first of them on. */
	struct evalarm again;
	struct evready ready;
};

void evunhandled_init_(struct evdefer_base *base);

/* The base leaves its loop: no round after a pause will come. */
void evunhandled_leave_loop_(struct evdefer_base *base);

/* Is it a failure that somebody should know of?  A cancel by the consumer itself is
 * no news. */
bool evunhandled_is_news_(struct evresult result);

/* Reports the result of a Deferred that is at its end and pinned, in no list. */
void evunhandled_report_(struct evdeferred *d);

/* The same for one of the base's results, which is in no list. */
void evunhandled_report_node_(
    struct evdefer_base *base, struct evresult_node *node);

#endif
