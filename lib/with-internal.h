/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_WITH_INTERNAL_H
#define EVDEFER_WITH_INTERNAL_H

#include "deferred-internal.h"

struct evlink_type;

/* A link of this type runs body(arg), and disposes of the value that came to
 * it when the result of the body is there or when it is dropped.  It has to be kept. */
extern const struct evlink_type evlink_with_;

/* May a body be called from here, without a link? */
static inline bool
evdeferred_may_run_body_(const struct evdefer_base *base)
{
	return base->depth < EVDEFER_BASE_MAX_DEPTH &&
	       !evpool_is_empty_(&base->links);
}

/* Does that for a Deferred that has its value, and that nobody has yet.  Returns it. */
struct evdeferred *evdeferred_run_body_(
    struct evdeferred *d, evdeferred_body_fn body, void *arg);

/* Adds one.  0, or -1 with ENOMEM. */
int evdeferred_add_with_(
    struct evdeferred *d, evdeferred_body_fn body, void *arg);

#endif
