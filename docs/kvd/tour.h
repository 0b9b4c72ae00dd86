/* SPDX-License-Identifier: MIT */
/*
 * A letter that goes round from loop to loop, on behalf of one of them, which has a
 * Deferred for what comes of it.
 */
#ifndef KVD_TOUR_H
#define KVD_TOUR_H

#include "mailbox.h"

struct evdeferred;
struct loop;

struct tour {
	struct letter letter;
	struct loop *home;
	struct loop *at;
	struct evdeferred *done; /* NULL: nobody waits any more */
};

/* It stands at home, and visits with arg wherever it is sent.  0, or -1 without memory. */
int tour_init(
    struct tour *tour, struct loop *home, void (*visit)(void *arg), void *arg);

/* The loop after the one where it is: home again after the last. */
struct loop *tour_next(const struct tour *tour);

void tour_send(struct tour *tour, struct loop *to);

#endif
