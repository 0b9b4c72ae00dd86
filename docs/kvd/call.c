/* SPDX-License-Identifier: MIT */
/*
 * One request on its way through the lock.
 */
#include "call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/base.h>
#include <evdefer/deferred.h>
#include <evdefer/owner.h>
#include <evdefer/rwlock.h>

#include "command.h"
#include "commands.h"
#include "loop.h"
#include "options.h"
#include "pipeline.h"
#include "server.h"

/* The most that one call takes, from asking for the lock to the answer. */
#define DEFERREDS 1
#define LINKS 8

/* What runs under the lock. */
static struct evresult
body(void *arg)
{
	struct call *call = arg;

	call->entered = true;
	if (call->command->access != ACCESS_WRITE || !call->writes)
		return call->command->run(call);
	if (write_begin(call) == -1)
		return evresult_fail(ENOMEM, "out of memory");
	return pipeline_run(call);
}

/* With --no-lock readers see what is half done, but for values with parts and
 * transactions, of which they could not read the half.  Writers still have to take
 * turns, as there is one journal. */
static bool
needs_lock(const struct call *call)
{
	return call->server->options->lock ||
	       call->command->access == ACCESS_WRITE ||
	       call->command->access == ACCESS_PARTS;
}

/*
 * Getting in.  Each of these gives a Deferred with the result of the command,
 * or NULL without memory, and then nothing was begun.  What bounds the wait does not
 * bound the command.
 *
 * The store's lock has the client's owner, as the locks that the client has named
 * do: all that guards a change that is on its way to the disk has to outlast a
 * disconnect.  See call_abandon().
 */

/* Without a lock. */
static struct evdeferred *
enter_at_once(struct call *call)
{
	struct evdeferred *d = evdeferred_new(call->loop->base, NULL, NULL);

	/* A result that is another Deferred makes d wait for that one. */
	if (d != NULL)
		evdeferred_fire(d, body(call));
	return d;
}

/* The lock has been released: a write has planned what it will change, and others
 * may do so before all of them go to the disk. */
static struct evresult
wait_for_commit(void *value, void *arg)
{
	(void)value;
	return write_wait(arg);
}

static enum evrwlock_mode
mode(const struct call *call)
{
	return call->writes ? EVRWLOCK_WRITE : EVRWLOCK_READ;
}

static struct evdeferred *
enter_store(struct call *call)
{
	if (!needs_lock(call))
		return enter_at_once(call);
	return evrwlock_with(call->loop->lock, call->holder.owner, mode(call),
	    call->patience, body, call);
}

static struct evresult
receive(void *lock, void *arg)
{
	(void)lock; /* the client's, until it gives it back or goes */
	return body(arg);
}

/* Nothing but the acquire: the client keeps the lock. */
static struct evdeferred *
enter_named(struct call *call)
{
	struct evdeferred *d;

	call->hold = holder_ask(&call->holder, argument(call, 1));
	if (call->hold == NULL)
		return NULL;
	d = evrwlock_acquire(
	    hold_lock(call->hold), call->holder.owner, mode(call));
	if (d == NULL || (call->patience != NULL &&
			     evdeferred_add_timeout(d, call->patience) == -1)) {
		evdeferred_free(d); /* with the lock, if it has it */
		hold_refused(call->hold);
		return NULL;
	}
	evdeferred_add_callback(d, receive, call);
	return d;
}

static struct evdeferred *
enter_lock(struct call *call)
{
	struct evdeferred *d;

	if (call->command->access == ACCESS_NAMED)
		return enter_named(call);
	if (call->command->access == ACCESS_FIGURES ||
	    call->command->access == ACCESS_REPORT)
		return enter_at_once(call);
	d = enter_store(call);
	if (d != NULL && call->writes)
		evdeferred_add_callback(d, wait_for_commit, call);
	return d;
}

static struct evresult
take_figures(void *figures, void *arg)
{
	struct call *call = arg;
	struct evdeferred *d = NULL;

	memcpy(&call->figures, figures, sizeof(call->figures));
	free(figures);
	if (call->abandoned)
		return evresult_fail(ECANCELED, "the client has gone");
	if (evdefer_base_reserve(call->loop->base, DEFERREDS, LINKS) == 0)
		d = enter_lock(call);
	return d != NULL ? evresult_deferred(d)
			 : evresult_fail(ENOMEM, "out of memory");
}

static bool
asks_others(const struct call *call)
{
	return call->asks && call->server->loop_count > 1;
}

/* Before the lock, since to ask them takes turns of all the loops. */
static struct evdeferred *
enter(struct call *call)
{
	struct evdeferred *d;

	if (!asks_others(call))
		return enter_lock(call);
	d = figures_gather(call->loop);
	if (d != NULL)
		evdeferred_add_callback(d, take_figures, call);
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

void
call_reply_failure(struct call *call, const struct evfailure *failure)
{
	if (evfailure_get_code(failure) == ENOMEM)
		reply_error(&call->reply, "ERR out of memory");
	else if (!call->entered)
		reply_refused(call, failure);
	else
		reply_error(
		    &call->reply, "ERR %s", evfailure_get_message(failure));
}

/* To each of the commands that are answered together. */
static void
reply_failures(struct call *call, const struct evfailure *failure)
{
	size_t left = call->entered && call->writes ? call->write.commands : 1;

	for (; left > 0; left--)
		call_reply_failure(call, failure);
}

static struct evresult
answer(struct evresult result, void *arg)
{
	struct call *call = arg;
	struct evdeferred *d = call->deferred;

	call->deferred = NULL;
	if (evresult_is_failure(result)) {
		reply_drop_held(&call->reply); /* of what was not done */
		reply_failures(call, evresult_get_failure(result));
	}
	if (call->hold != NULL && !call->entered)
		hold_refused(call->hold);
	transaction_settle(&call->transaction);
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
	call->asks = call->command->access == ACCESS_FIGURES;
	call->patience = timerisset(timeout) ? timeout : NULL;
	if (call->command->check != NULL && !call->command->check(call))
		return;
	if (call->command->access == ACCESS_NONE ||
	    (call->command->access == ACCESS_FIGURES && !asks_others(call))) {
		call->command->run(call);
		return;
	}
	/* From here on no link can be missing for want of memory. */
	if (evdefer_base_reserve(call->loop->base, DEFERREDS, LINKS) == -1 ||
	    (call->deferred = enter(call)) == NULL) {
		reply_error(&call->reply, "ERR out of memory");
		transaction_settle(&call->transaction);
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
	call->command = commands_check(call, commands_find(call));
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
 * A change that the thread is about to make durable can't be called back.  Were
 * the owner freed now, the store's lock would be released with the change half made,
 * and the locks that the client has named before what was done under them is there:
 * others would get in too early.  So all of that stays until the work is finished.
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
