/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_WITH_INTERNAL_H
#define EVDEFER_WITH_INTERNAL_H

#include <stdbool.h>

#include <evdefer/deferred.h>

struct evlink_type;

/* A link of this type runs body(arg), and disposes of the value that came to
 * it when the result of the body is there or when it is dropped.  It has to be kept. */
extern const struct evlink_type evlink_with_;

/* Runs a body so in a Deferred that its caller has just made, or does nothing: then a
 * link has to do that.  Whether it has run. */
bool evdeferred_run_with_(
    struct evdeferred *d, evdeferred_body_fn body, void *arg);

/* Adds one.  0, or -1 with ENOMEM. */
int evdeferred_add_with_(
    struct evdeferred *d, evdeferred_body_fn body, void *arg);

#endif
