/* SPDX-License-Identifier: MIT */
/* A thing that is freed again by what its own free, or a cancel, runs. */
#ifndef TESTS_THINGS_H
#define TESTS_THINGS_H

#include "deferreds.h"

extern void *thing;
extern int freed_again; /* how often free_again() was called */

/* What the others here free, and how. */
void set_thing(void *what, void (*free_it)(void *));

void free_thing(void);
void free_again(void);

/* The same, as errbacks of what learns of a close or of a cancel, and as a free
 * function. */
struct evresult free_when_cancelled(struct evfailure *failure, void *arg);
struct evresult free_when_closed(struct evfailure *failure, void *arg);
void free_in_dispose(void *value);

#endif
