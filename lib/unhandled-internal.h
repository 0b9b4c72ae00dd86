/* SPDX-License-Identifier: MIT */
/*
 * Failures that came to the end of a Deferred, and the handler that is told.
 *
 * The handler may drop failures itself.  These wait, where they are, until it
 * has returned: in their Deferreds, which go when that was reported, and in the
 * objects of queues.  So reports need no memory and are never nested.
 */
#ifndef EVDEFER_UNHANDLED_INTERNAL_H
#define EVDEFER_UNHANDLED_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <evdefer/base.h>
#include <evdefer/result.h>

#include "list-internal.h"

/* Failures of the handler that lead to the next ones are reported in a row this
 * often; and none that begins after so many reports. */
#define EVUNHANDLED_ROUNDS 16
#define EVUNHANDLED_MANY 256

struct event;
struct evdefer_base;
struct evdeferred;
struct evobject;

struct evunhandled {
	evdefer_base_unhandled_fn fn;
	void *arg;
	struct evlist deferreds; /* whose results are to be reported */
	struct evlist objects;	 /* of queues, the same */
	size_t count;		 /* in both lists */
	bool busy;		 /* somebody up the stack reports them all */
	const struct evdeferred *reported; /* to the handler, now */
	struct event *again; /* reports what a handler goes on to drop */
};

/* 0, or -1 where there is no memory.  The base has its event_base. */
int evunhandled_init_(struct evdefer_base *base);

/* The base leaves its loop, in which it could go on. */
void evunhandled_leave_loop_(struct evdefer_base *base);

/* Is it a failure that somebody should know of?  That its own consumer has
 * cancelled it is no news. */
bool evunhandled_is_news_(struct evresult result);

/* Reports the result of a Deferred that is at its end and pinned, in no list. */
void evunhandled_report_(struct evdeferred *d);

/* The same for the object of a queue that is out of it. */
void evunhandled_report_object_(
    struct evdefer_base *base, struct evobject *object);

#endif
