/* SPDX-License-Identifier: MIT */
/*
 * One request on its way through the lock.  Here is where kvd uses libevdefer.
 */
#ifndef KVD_CALL_H
#define KVD_CALL_H

#include <stdbool.h>
#include <sys/time.h>

#include "figures.h"
#include "holder.h"
#include "reply.h"
#include "request.h"
#include "session.h"
#include "transaction.h"
#include "write.h"

struct call;
struct command;
struct evdeferred;
struct evfailure;
struct loop;
struct server;

/* Told once when a call that had to wait is answered, or was abandoned. */
typedef void (*call_answered_fn)(struct call *call, void *arg);

/* For one that writes, about what its client has sent behind it. */
typedef bool (*call_has_more_fn)(struct call *call, void *arg);
typedef void (*call_read_ahead_fn)(struct call *call, void *arg);

/* There is one for each client, for one request after the other. */
struct call {
	struct loop *loop; /* that its client belongs to */
	struct server *server;
	struct request request;
	struct reply reply;
	struct session session;
	struct transaction transaction;
	const struct command *command;
	const struct arguments *arguments; /* its own */

	/* On whose behalf the lock is asked for, and how.  The commands that
	 * name a lock set the rest in their check. */
	struct holder holder;
	bool writes;
	bool asks; /* for the figures of all loops, before that */
	struct figures figures;
	const struct timeval *patience; /* with the lock; NULL: no bound */
	struct timeval timeout;		/* the patience that LOCK was given */
	struct hold *hold; /* on the lock that it named and waits for */

	/* NULL unless the call is under way. */
	struct evdeferred *deferred;
	bool entered;	/* it has, or had, the lock: its work has begun */
	bool abandoned; /* nobody waits for the answer */
	call_answered_fn answered;
	call_has_more_fn has_more; /* is there anything? */
	/* Takes the next request out of it, and its status into ahead. */
	call_read_ahead_fn read_ahead;
	void *arg;
	/* A request that was taken ahead and is not begun is READY or BAD. */
	enum request_status ahead;

	struct write write; /* of the commands that write */
};

/*
 * Does what the request says.  If it had to wait, call->deferred is there when
 * this returns, and answered() is called later; otherwise it is answered.
 */
void call_start(struct call *call);

bool call_is_under_way(const struct call *call);

/* Whether it is only waiting for a lock. */
bool call_is_waiting(const struct call *call);

/* Why what had the lock was not done. */
void call_reply_failure(struct call *call, const struct evfailure *failure);

/* Ends the wait of one that is waiting: it is answered with an error, from
 * inside. */
void call_refuse(struct call *call);

/*
 * The client has gone.  Its owner is freed, with all that it holds and waits for, and
 * then answered() is called once more, with nobody to answer to.
 *
 * If the call only waits, all of this happens at once, from inside.  But if the work
 * of its request is being done, the owner stays until that is finished.
 */
void call_abandon(struct call *call);

#endif
