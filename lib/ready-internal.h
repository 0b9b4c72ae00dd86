/* SPDX-License-Identifier: MIT */
/* Something that the loop has to deliver. */
#ifndef EVDEFER_READY_INTERNAL_H
#define EVDEFER_READY_INTERNAL_H

#include "list-internal.h"

struct evready {
	struct evlist node; /* in the ready queue of the base */
	/* One delivery.  It may take itself out of the queue, or put itself at
	 * the end. */
	void (*deliver)(struct evready *ready);
};

#endif
