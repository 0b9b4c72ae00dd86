/* SPDX-License-Identifier: MIT */
/*
 * Those who look on: an observer of the user's.  While there are none, all short ways
 * are open, and no path has a test for this that it had not anyway: "plain" of the base
 * and of each lock is one for other things as well, and a Deferred that is watched has a
 * flag among others that are looked at.
 */
#ifndef EVDEFER_OBSERVER_INTERNAL_H
#define EVDEFER_OBSERVER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <evdefer/observer.h>

#include "list-internal.h"

struct evdefer_base;

/* What has short ways, which are open while it is plain.  The list of a base has all wait
 * queues in the order of their numbers, and reports that are under way. */
struct evplain {
	struct evlist node; /* in base->plains */
	uint64_t number;    /* 0: so far has a report come */
	bool plain;
	bool reads;	 /* the same with a source, for who reads */
	bool special;	 /* neither, whatever the base is */
	bool has_source; /* see source-internal.h */
};

/* Those who look on at a base. */
struct evobserving {
	const struct evobserver *observer; /* NULL for none */
	void *arg;
	bool inside; /* one of its functions */
};

enum evstep {
	EVSTEP_ACQUIRE,
	EVSTEP_GRANT,
	EVSTEP_DELIVER,
	EVSTEP_RELEASE,
	EVSTEP_CANCEL
};

/* For a base that is observed. */
void evobserver_tell_(struct evdefer_base *base, enum evstep step,
    const struct evobserver_event *event);

/* For a Deferred that is watched. */
void evobserver_tell_made_(struct evdeferred *d);
void evobserver_tell_fired_(struct evdeferred *d, struct evresult result);
void evobserver_tell_gone_(struct evdeferred *d);

#endif
