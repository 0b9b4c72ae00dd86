/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_CLUSTER_SESSION_INTERNAL_H
#define EVDEFER_CLUSTER_SESSION_INTERNAL_H

#include "cluster-internal.h"

/* Those who live on a session: its cluster has one. */
struct evsession_handler {
	/* Rights are lost, and what they came from has to go first.  As in fail(), users'
	 * functions are called, and may do anything. */
	void (*lose)(struct evcluster *cluster);
	/* The session has ended, and with it all nodes. */
	void (*forget)(struct evcluster *cluster);
	/* Those that wait fail. */
	void (*fail)(
	    struct evcluster *cluster, int error, const char *sentence);
	/* The session is another one, or what is known of it. */
	void (*look_again)(struct evcluster *cluster);
	/* What could not be sent, or was refused, is tried once more. */
	void (*try_again)(struct evcluster *cluster);
	/* A node that was watched. */
	void (*changed)(struct evcluster *cluster, const char *path);
	/* Is there anything left to be given back? */
	bool (*hold)(const struct evcluster *cluster);
};

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

/* One was sent for a lock; and its answer is there.  Where one is late, a probe is sent. */
void evsession_request_sent_(struct evcluster *cluster);
void evsession_request_answered_(struct evcluster *cluster);

/* A seat has given back all, or is gone. */
void evsession_seat_left_(struct evcluster *cluster);

/* The base has left its loop. */
void evsession_abandon_(struct evcluster *cluster);

#endif
