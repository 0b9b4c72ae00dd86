/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_WITH_INTERNAL_H
#define EVDEFER_WITH_INTERNAL_H

#include <evdefer/deferred.h>

/* Adds a link that on success runs body(arg), and disposes of the value that came
 * to it when the result of the body is there or when it is dropped.  0, or -1 with
 * ENOMEM. */
int evdeferred_add_with_(
    struct evdeferred *d, evdeferred_body_fn body, void *arg);

#endif
