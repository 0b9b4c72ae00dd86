/* SPDX-License-Identifier: MIT */
/*
 * A body that runs under a right that may be lost: if it is, the body is called off,
 * and whatever comes of it the result is ESTALE.
 */
#ifndef EVDEFER_BODY_INTERNAL_H
#define EVDEFER_BODY_INTERNAL_H

#include <evdefer/deferred.h>

#include "lock-internal.h"

struct evbody;

/* NULL with ENOMEM. */
struct evbody *evbody_new_(
    struct evlock *lock, evdeferred_body_fn body, void *arg);

/* Its link, as evlink_with_ is that of other bodies, owns it. */
struct evlink evbody_link_(struct evbody *body);

/* For one without a link. */
void evbody_free_(struct evbody *body);

/* Calls off all that run under the right of the source. */
void evbody_lose_all_(struct evsource *source);

#endif
