/* SPDX-License-Identifier: MIT */
/*
 * One request on its way through the lock.
 */
#include "call.h"

#include <errno.h>

#include <evdefer/base.h>
#include <evdefer/deferred.h>
#include <evdefer/rwlock.h>

#include "commands.h"
#include "options.h"
#include "server.h"

/* What entering and answering needs, and the body before it is answered. */
#define DEFERREDS 1
#define LINKS 6

/* What runs under the lock. */
static struct evresult
body(void *arg)
{
	struct call *call = arg;

	call->entered = true;
	return call->command->run(call);
}

static struct evrwlock *
lock_of(const struct call *call)
{
	return call->server->lock;
}

static bool
is_writer(const struct call *call)
{
	return call->command->access == ACCESS_WRITE;
}

static bool
has_timeout(const struct call *call)
{
	const struct timeval *timeout = &call->server->options->lock_timeout;

	return timeout->tv_sec > 0 || timeout->tv_usec > 0;
}

/*
 * Getting in.  Each of these gives a Deferred with the result of the command,
 * or NULL without memory, and then nothing was begun.
 */

/* With --no-lock. */
static struct evdeferred *
enter_at_once(struct call *call)
{
	struct evdeferred *d = evdeferred_new(call->server->base, NULL, NULL);

	/* A result that is another Deferred makes d wait for that one. */
	if (d != NULL)
		evdeferred_fire(d, body(call));
	return d;
}

static struct evresult
enter(void *lock, void *arg)
{
	(void)lock; /* owned from here on: leave() gives it back */
	return body(arg);
}

static struct evresult
leave(struct evresult result, void *arg)
{
	struct call *call = arg;

	if (!call->entered)
		return result; /* the failure of the acquire */
	if (is_writer(call))
		evrwlock_writer_release(lock_of(call));
	else
		evrwlock_reader_release(lock_of(call));
	return result;
}

/*
 * As evrwlock_with_writer(), but with a timeout for the wait alone: it covers
 * the links added before it, and here these are none.  If the lock is free, the
 * Deferred has fired and no timer is made.
 */
static struct evdeferred *
enter_in_time(struct call *call)
{
	struct evdeferred *d = is_writer(call)
				   ? evrwlock_writer_acquire(lock_of(call))
				   : evrwlock_reader_acquire(lock_of(call));

	if (d == NULL)
		return NULL;
	if (evdeferred_add_timeout(d, &call->server->options->lock_timeout) ==
	    -1) {
		/* If it held the lock already, this releases it. */
		evdeferred_free(d);
		return NULL;
	}
	/* Their memory is reserved: when enter() has begun its work there must
	 * be somebody to release the lock. */
	evdeferred_add_callback(d, enter, call);
	evdeferred_add_both(d, leave, call);
	return d;
}

static struct evdeferred *
enter_lock(struct call *call)
{
	if (lock_of(call) == NULL)
		return enter_at_once(call);
	if (has_timeout(call))
		return enter_in_time(call);
	if (is_writer(call))
		return evrwlock_with_writer(lock_of(call), body, call);
	return evrwlock_with_reader(lock_of(call), body, call);
}

/*
 * Getting out.
 */

static void
reply_failure(struct call *call, const struct evfailure *failure)
{
	const int code = evfailure_code(failure);

	if (code == ETIMEDOUT && !call->entered)
		reply_error(&call->reply,
		    "BUSY the lock was not granted in time (--lock-timeout)");
	else if (code == ENOMEM)
		reply_error(&call->reply, "ERR out of memory");
	else
		reply_error(&call->reply, "ERR %s", evfailure_message(failure));
}

static struct evresult
answer(struct evresult result, void *arg)
{
	struct call *call = arg;
	struct evdeferred *d = call->deferred;

	call->deferred = NULL;
	if (evresult_is_failure(result))
		reply_failure(call, evresult_get_failure(result));
	/* From inside its own link: it goes when this returns.  An abandoned
	 * one was detached, and goes by itself. */
	if (!call->abandoned)
		evdeferred_free(d);
	call->answered(call, call->arg); /* may free the call */
	return evresult_value(NULL);
}

void
call_start(struct call *call)
{
	call->entered = false;
	if (call->command->check != NULL && !call->command->check(call))
		return;
	if (call->command->access == ACCESS_NONE) {
		call->command->run(call);
		return;
	}
	/* From here on no link can be missing for want of memory. */
	if (evdefer_base_reserve(call->server->base, DEFERREDS, LINKS) == -1 ||
	    (call->deferred = enter_lock(call)) == NULL) {
		reply_error(&call->reply, "ERR out of memory");
		return;
	}
	/* Runs at once if the result is there, as it is after a read if the
	 * lock was free. */
	evdeferred_add_both(call->deferred, answer, call);
}

bool
call_is_under_way(const struct call *call)
{
	return call->deferred != NULL;
}

bool
call_is_waiting(const struct call *call)
{
	return call->deferred != NULL && !call->entered;
}

bool
call_abandon(struct call *call)
{
	struct evdeferred *d = call->deferred;

	if (d == NULL)
		return true;
	if (call->entered) {
		call->abandoned = true;
		evdeferred_detach(d);
		return false;
	}
	call->deferred = NULL;
	evdeferred_free(d);
	return true;
}
