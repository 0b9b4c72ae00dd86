/* SPDX-License-Identifier: MIT */
/* What the loop is asked to do: at its next turn, or at a time. */
#ifndef EVDEFER_READY_INTERNAL_H
#define EVDEFER_READY_INTERNAL_H

#include <stdint.h>

#include "list-internal.h"

/* Something that the loop has to deliver. */
struct evready {
	struct evlist node; /* in the ready queue of the base */
	/* One delivery.  It may take itself out of the queue, or put itself at
	 * the end. */
	void (*deliver)(struct evready *ready);
};

#define EVALARM_NEVER UINT64_MAX

/* Something that has to be done at a time. */
struct evalarm {
	struct evalarm *next;
	uint64_t time; /* by evdefer_base_now_(), or EVALARM_NEVER */
	/* A turn begins, at that time or later.  It may put something into the
	 * ready queue, but calls nobody. */
	void (*ring)(struct evalarm *alarm, uint64_t now);
};

#endif
