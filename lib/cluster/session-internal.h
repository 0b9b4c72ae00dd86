/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_CLUSTER_SESSION_INTERNAL_H
#define EVDEFER_CLUSTER_SESSION_INTERNAL_H

#include "cluster-internal.h"

void evsession_init_(struct evcluster *cluster);

/* Milliseconds of a clock that goes on while the machine sleeps. */
int64_t evsession_now_(void);

/* Does a server have the session? */
static inline bool
evsession_is_connected_(const struct evcluster *cluster)
{
	return cluster->state == EVCLUSTER_CONNECTED;
}

/* May a right be taken, or used, now? */
bool evsession_is_sure_(const struct evcluster *cluster);

/* Goes after its aim. */
void evsession_go_on_(struct evcluster *cluster);

/* Something is due that the timer has not come to: soon, from the loop. */
void evsession_look_soon_(struct evcluster *cluster);

/* The event of its timer. */
void evsession_look_(int fd, short what, void *arg);

/* A seat has given back all, or is gone. */
void evsession_seat_left_(struct evcluster *cluster);

/* The base has left its loop. */
void evsession_abandon_(struct evcluster *cluster);

#endif
