/* SPDX-License-Identifier: MIT */
/*
 * Where a Deferred was made: with evdefer_base_set_debug() there is one of
 * these right behind each.
 */
#ifndef EVDEFER_CREATION_INTERNAL_H
#define EVDEFER_CREATION_INTERNAL_H

#include <stdbool.h>

#include "text-internal.h"

#define EVCREATION_FRAMES 24

struct evdeferred;

struct evcreation {
	void *frames[EVCREATION_FRAMES]; /* return addresses */
	long count;
};

/* Can this system tell? */
bool evcreation_works_(void);

/* Notes who calls. */
void evcreation_record_(struct evcreation *creation);

/* Adds the caller of the library, and who called that. */
void evcreation_describe_(
    const struct evcreation *creation, struct evtext *text);

#endif
