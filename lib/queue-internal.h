/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_QUEUE_INTERNAL_H
#define EVDEFER_QUEUE_INTERNAL_H

#include <evdefer/queue.h>

#include "list-internal.h"

/* One object in a queue. */
struct evobject {
	struct evlist node;
	struct evresult result;
};

/* Frees one that nobody will receive, with what it is. */
void evobject_drop_(struct evdefer_base *base, struct evobject *object);

#endif
