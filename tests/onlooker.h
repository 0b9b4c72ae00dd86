/* SPDX-License-Identifier: MIT */
/* An observer that checks the order of what it is told: each acquire ends in a grant
 * and a delivery or in a cancel, each grant in a release or a cancel, and all of it
 * before the Deferred has gone. */
#ifndef TESTS_ONLOOKER_H
#define TESTS_ONLOOKER_H

#include <evdefer.h>

extern const struct evobserver onlooker;

/* How many steps there were, and how many acquires and holds there are. */
struct onlooker_counts {
	size_t acquires, grants, deliveries, releases, cancels;
	size_t made, fired, gone;
	size_t waiting; /* not delivered or cancelled */
	size_t inside;	/* granted and not released, but for what queues give */
};
extern struct onlooker_counts onlooker_counts;

#endif
