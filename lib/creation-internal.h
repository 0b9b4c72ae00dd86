/* SPDX-License-Identifier: MIT */
/*
 * Where and when a Deferred was made: with evdefer_base_set_debug() there is one of
 * these right behind each of them.
 */
#ifndef EVDEFER_CREATION_INTERNAL_H
#define EVDEFER_CREATION_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "text-internal.h"

#define EVCREATION_FRAMES 24

struct evdeferred;

struct evcreation {
	void *frames[EVCREATION_FRAMES]; /* return addresses */
	long count;
	uint64_t time; /* by the monotonic clock */
};

/* Can this system tell? */
bool evcreation_works_(void);

/* Notes the functions on the stack, and the time. */
void evcreation_record_(struct evcreation *creation);

/* Adds the function that called the library, and those that called that.  Returns on
 * how many frames that depends. */
long evcreation_describe_(
    const struct evcreation *creation, struct evtext *text);

#endif
