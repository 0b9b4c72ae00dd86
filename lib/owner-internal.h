/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_OWNER_INTERNAL_H
#define EVDEFER_OWNER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <evdefer/owner.h>

#include "hold-internal.h"

struct evowner {
	struct evlist holds;
	struct evlist asks; /* not delivered */
	size_t ask_count;
	struct evdefer_base *base;
	bool freed;
	/* For the search of deadlock.c. */
	uint64_t seen;
	struct evowner *queue_next;
	struct evowner *waiter;	    /* who was found to wait for this one */
	const struct evask *wanted; /* with this ask */
	bool inside;		    /* or only in front of that in the queue? */
	char *name;
};

#endif
