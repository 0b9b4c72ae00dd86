/* SPDX-License-Identifier: MIT */
/*
 * One request on its way through the lock.
 */
#include "call.h"

#include <errno.h>
#include <string.h>

#include <evdefer/base.h>
#include <evdefer/deferred.h>
#include <evdefer/owner.h>
#include <evdefer/rwlock.h>

#include "command.h"
#include "commands.h"
#include "options.h"
#include "server.h"

/* What entering and answering needs, and the body before it is answered. */
#define DEFERREDS 1
#define LINKS 7

/* What runs under the lock. */
static struct evresult
body(void *arg)
{
	struct call *call = arg;

	call->entered = true;
	if (call->command->access == ACCESS_WRITE && call->writes &&
	    write_begin(call) == -1)
		return evresult_fail(ENOMEM, "out of memory");
	return call->command->run(call);
}

static struct evrwlock *
store_lock(const struct call *call)
{
	return call->server->lock;
}

/* With --no-lock nothing keeps readers from what is half done, but where they
 * could not read it: within a value with parts, and so in a transaction.  Writers
 * have their turns: there is one journal. */
static bool
needs_lock(const struct call *call)
{
	return call->server->options->lock ||
	       call->command->access == ACCESS_WRITE ||
	       call->command->access == ACCESS_PARTS;
}

/*
 * Getting in.  Each of these gives a Deferred with the result of the command,
 * or NULL without memory, and then nothing was begun.
 *
 * The work under the store's lock is done by the client's owner too, not by
 * nobody in particular: what guards a change that is on its way to the disk has
 * to outlast a disconnect, and that is the store's lock as well as the locks
 * that the client has named.  See call_abandon().
 */

/* Without a lock. */
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
	if (call->writes)
		evrwlock_release(
		    store_lock(call), call->holder.owner, EVRWLOCK_WRITE);
	else
		evrwlock_release(
		    store_lock(call), call->holder.owner, EVRWLOCK_READ);
	return result;
}

/*
 * The timeout is for the wait alone: it covers the links added before it, and
 * here these are none.  If the lock is free, the Deferred has fired and no timer
 * is made.
 */
static struct evdeferred *
enter_in_time(struct call *call, struct evrwlock *lock)
{
	struct evowner *owner = call->holder.owner;
	struct evdeferred *d =
	    call->writes ? evrwlock_acquire(lock, owner, EVRWLOCK_WRITE)
			 : evrwlock_acquire(lock, owner, EVRWLOCK_READ);

	if (d == NULL)
		return NULL;
	if (call->has_timeout &&
	    evdeferred_add_timeout(d, &call->timeout) == -1) {
		/* If it held the lock already, this releases it. */
		evdeferred_free(d);
		return NULL;
	}
	/* Its memory is reserved, and that of leave(): when enter() has begun
	 * its work there must be somebody to release the lock. */
	evdeferred_add_callback(d, enter, call);
	return d;
}

/* Behind leave(): a write has told what it would change, and the next one may
 * do so, before the disk is asked for all of them. */
static struct evresult
wait_for_commit(void *value, void *arg)
{
	(void)value;
	return write_wait(arg);
}

static struct evdeferred *
enter_store(struct call *call)
{
	struct evowner *owner = call->holder.owner;
	struct evdeferred *d;

	if (!needs_lock(call))
		return enter_at_once(call);
	if (!call->has_timeout && call->writes)
		return evrwlock_with(
		    store_lock(call), owner, EVRWLOCK_WRITE, NULL, body, call);
	if (!call->has_timeout)
		return evrwlock_with(
		    store_lock(call), owner, EVRWLOCK_READ, NULL, body, call);
	d = enter_in_time(call, store_lock(call));
	if (d != NULL)
		evdeferred_add_both(d, leave, call);
	return d;
}

/* Nothing but the acquire: the client keeps the lock. */
static struct evdeferred *
enter_named(struct call *call)
{
	struct evdeferred *d;

	call->hold = holder_ask(&call->holder, argument(call, 1));
	if (call->hold == NULL)
		return NULL;
	d = enter_in_time(call, hold_lock(call->hold));
	if (d == NULL)
		hold_refused(call->hold);
	return d;
}

static struct evdeferred *
enter_lock(struct call *call)
{
	struct evdeferred *d;

	if (call->command->access == ACCESS_NAMED)
		return enter_named(call);
	d = enter_store(call);
	if (d != NULL && call->writes)
		evdeferred_add_callback(d, wait_for_commit, call);
	return d;
}

/*
 * Getting out.
 */

/* Names the cycle, without the word that the reply begins with anyway. */
static void
reply_deadlock(struct call *call, const struct evfailure *failure)
{
	static const char word[] = "deadlock: ";
	const char *message = evfailure_get_message(failure);
	const char *client = evowner_get_name(call->holder.owner);

	if (hold_is_granted(call->hold)) {
		/* A cycle of one, which the library does not spell out. */
		reply_error(&call->reply,
		    "DEADLOCK %s waits to write %s, held by %s to read", client,
		    evrwlock_get_name(hold_lock(call->hold)), client);
		return;
	}
	if (strncmp(message, word, sizeof(word) - 1) == 0)
		message += sizeof(word) - 1;
	reply_error(&call->reply, "DEADLOCK %s", message);
}

/* It did not get the lock. */
static void
reply_refused(struct call *call, const struct evfailure *failure)
{
	switch (evfailure_get_code(failure)) {
	case ETIMEDOUT:
		reply_error(
		    &call->reply, "BUSY the lock was not granted in time");
		break;
	case EDEADLK:
		reply_deadlock(call, failure); /* LOCK: it has a hold */
		break;
	case ECANCELED:
		reply_error(&call->reply,
		    "BUSY the lock was not granted in time after the client "
		    "had ended its side");
		break;
	case ESHUTDOWN:
		reply_error(&call->reply, "ERR kvd is stopping");
		break;
	default:
		reply_error(
		    &call->reply, "ERR %s", evfailure_get_message(failure));
		break;
	}
}

static void
reply_failure(struct call *call, const struct evfailure *failure)
{
	if (evfailure_get_code(failure) == ENOMEM)
		reply_error(&call->reply, "ERR out of memory");
	else if (!call->entered)
		reply_refused(call, failure);
	else
		reply_error(
		    &call->reply, "ERR %s", evfailure_get_message(failure));
}

static struct evresult
answer(struct evresult result, void *arg)
{
	struct call *call = arg;
	struct evdeferred *d = call->deferred;

	call->deferred = NULL;
	if (evresult_is_failure(result)) {
		reply_drop_held(&call->reply); /* of what was not done */
		reply_failure(call, evresult_get_failure(result));
	}
	if (call->hold != NULL && !call->entered)
		hold_refused(call->hold);
	transaction_settle(&call->transaction, call->server->store);
	/* From inside its own link: it goes when this returns.  An abandoned
	 * one was detached, and goes by itself. */
	if (!call->abandoned)
		evdeferred_free(d);
	call->answered(call, call->arg); /* may free the call */
	return evresult_value(NULL);
}

/* Asks for the lock that the command needs, if any. */
static void
begin(struct call *call)
{
	const struct timeval *timeout = &call->server->options->lock_timeout;

	call->entered = false;
	call->hold = NULL;
	call->writes = call->command->access == ACCESS_WRITE;
	call->timeout = *timeout;
	call->has_timeout = timeout->tv_sec > 0 || timeout->tv_usec > 0;
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
		transaction_settle(&call->transaction, call->server->store);
		return;
	}
	/* Runs at once if the result is there, as it is after a read if the
	 * lock was free. */
	evdeferred_add_both(call->deferred, answer, call);
}

void
call_start(struct call *call)
{
	call->arguments = &call->request.arguments;
	if (argument_count(call) == 0)
		return;
	call->command = commands_find(call);
	if (call->command == NULL)
		transaction_spoil(&call->transaction);
	else if (transaction_is_open(&call->transaction) &&
		 call->command->in_transaction != AT_ONCE)
		transaction_queue(call);
	else
		begin(call);
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

void
call_refuse(struct call *call)
{
	evdeferred_cancel(call->deferred);
}

/*
 * A change that the worker is about to make durable can't be called back.  Were
 * the owner freed now, the store's lock would go with the change half made, and
 * the locks that the client has named before the change is there that it made
 * under them: others would get in too early.  So all of that stays as it is
 * until the work is finished, and goes then.
 */
void
call_abandon(struct call *call)
{
	call->abandoned = true;
	if (call->deferred == NULL) {
		call->answered(call, call->arg);
		return;
	}
	evdeferred_detach(call->deferred);
	/* Its acquire fails, and answer() has the last word. */
	if (!call->entered)
		holder_close(&call->holder);
}
