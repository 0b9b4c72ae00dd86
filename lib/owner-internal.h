/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_OWNER_INTERNAL_H
#define EVDEFER_OWNER_INTERNAL_H

#include <evdefer/owner.h>

#include "request-internal.h"

struct evowner {
	struct evlist holds;
	struct evlist requests; /* not delivered */
	size_t request_count;
	struct evdefer_base *base;
	struct evholds *table; /* of the base */
	bool freed;
	/* For the search of cycle.c. */
	uint64_t seen;
	struct evowner *queue_next;
	const struct evrequest *wanted; /* was found to wait for this owner */
	bool inside;  /* or only in front of that in the queue? */
	size_t unmet; /* requests that were not let in */
	struct evowner *leaving_next;
	uint64_t number; /* among those of the base */
	char *name;
};

#endif
