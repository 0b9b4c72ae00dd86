/* SPDX-License-Identifier: MIT */
/*
 * User code is called everywhere.  A client that is told of its lock does what it
 * does then not only in the callback that tells it, but in each kind of function
 * that the library calls, right after that callback.
 */
#ifndef EXPLORE_SITE_H
#define EXPLORE_SITE_H

#include <stdbool.h>

#include <evdefer.h>

enum site {
	SITE_CALLBACK,	 /* whose Deferred is freed before */
	SITE_CALLBACK_2, /* or after that */
	SITE_FREE,	 /* of a value that nobody receives */
	SITE_CANCELLER,	 /* of a Deferred that was to be waited for */
	SITE_BODY,	 /* of a coroutine */
	SITE_CLEANUP,	 /* of one that is freed while it waits */
	SITE_HANDLER,	 /* of unhandled failures */
	SITES
};

/* In the callback of d, which is to return the result: has fn(arg) called there,
 * and frees d. */
struct evresult site_run(enum site site, struct evdefer_base *base,
    struct evdeferred *d, void (*fn)(void *arg), void *arg);

/* In the handler: is it that this failure is for? */
bool site_report(const struct evfailure *failure);

#endif
