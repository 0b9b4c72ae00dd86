/* SPDX-License-Identifier: MIT */
/*
 * One request on its way through the lock.  Here is where kvd uses libevdefer.
 */
#ifndef KVD_CALL_H
#define KVD_CALL_H

#include <stdbool.h>

#include "reply.h"
#include "request.h"
#include "write.h"

struct call;
struct command;
struct evdeferred;
struct server;

/* Told once when a call that had to wait is answered. */
typedef void (*call_answered_fn)(struct call *call, void *arg);

/* There is one for each client, for one request after the other. */
struct call {
	struct server *server;
	struct request request;
	struct reply reply;
	const struct command *command;

	/* NULL unless the call is under way. */
	struct evdeferred *deferred;
	bool entered;	/* it has, or had, the lock: its work has begun */
	bool abandoned; /* nobody waits for the answer */
	call_answered_fn answered;
	void *arg;

	struct write write; /* of the commands that write */
};

/*
 * Does what the request says.  If it had to wait, call->deferred is there when
 * this returns, and answered() is called later; otherwise it is answered.
 */
void call_start(struct call *call);

bool call_is_under_way(const struct call *call);

/* Whether it is only waiting for the lock. */
bool call_is_waiting(const struct call *call);

/*
 * The client has gone.
 *
 * @return whether the call is over: one that waits for the lock leaves the
 *   queue.  Otherwise its work is being done and will be finished, as nobody
 *   can say how much of it the disk has; answered() is called then.
 */
bool call_abandon(struct call *call);

#endif
