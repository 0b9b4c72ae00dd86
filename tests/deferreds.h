/* SPDX-License-Identifier: MIT */
/* What the tests of Deferreds and of what is made of them share: Deferreds, links
 * and cancellers. */
#ifndef TESTS_DEFERREDS_H
#define TESTS_DEFERREDS_H

#include "support.h"

/* A Deferred without a canceller that has not fired, one that has fired with this
 * result, and one that has failed. */
struct evdeferred *fresh(void);
struct evdeferred *fired(struct evresult result);
struct evdeferred *failed(int code);

/* A link that makes the chain wait for arg, a Deferred. */
struct evresult wait_value(void *value, void *arg);

/* A link that fails with *arg, an int, and one that goes on with the value arg
 * after a failure. */
struct evresult fail_value(void *value, void *arg);
struct evresult recover(struct evfailure *failure, void *arg);

/* Cancellers that fire nothing: they count in *arg, an int, how often they are
 * called, or append arg to the trace. */
void count_cancel(struct evdeferred *d, void *arg);
void trace_cancel(struct evdeferred *d, void *arg);

/* Cancellers that fire the value arg, or a failure with the code *arg, an int. */
void cancel_with_value(struct evdeferred *d, void *arg);
void cancel_with_failure(struct evdeferred *d, void *arg);

/* A free function: the value is a Deferred. */
void free_deferred(void *value);

#endif
