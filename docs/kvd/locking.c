/* SPDX-License-Identifier: MIT */
/*
 * LOCK and UNLOCK.
 */
#include "locking.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "command.h"
#include "options.h"
#include "server.h"

static bool
check_mode(struct call *call, struct bytes mode)
{
	call->writes = bytes_are(mode, "write");
	if (call->writes || bytes_are(mode, "read"))
		return true;
	syntax_error(call);
	return false;
}

/* Takes the place of --lock-timeout.  With 0 the call fails in the next turn of
 * the loop. */
static bool
check_milliseconds(struct call *call, struct bytes text)
{
	unsigned long milliseconds = strtoul(text.data, NULL, 10);

	if (text.length == 0 || text.length > 9 ||
	    strspn(text.data, "0123456789") != text.length) {
		reply_error(
		    &call->reply, "ERR give milliseconds, from 0 to 999999999");
		return false;
	}
	call->patience = &call->timeout;
	call->timeout.tv_sec = (time_t)(milliseconds / 1000);
	call->timeout.tv_usec = (suseconds_t)(milliseconds % 1000 * 1000);
	return true;
}

static bool
check_name(struct call *call, struct bytes name)
{
	const size_t max = call->server->options->max_locks;

	if (name.length > NAMED_MAX) {
		reply_error(&call->reply,
		    "ERR the name of a lock has at most %zu bytes", NAMED_MAX);
		return false;
	}
	if (call->holder.count < max || holder_has(&call->holder, name))
		return true;
	reply_error(&call->reply,
	    "ERR the client holds %zu named locks already (--max-locks)", max);
	return false;
}

bool
check_lock(struct call *call)
{
	if (argument_count(call) > 4) {
		wrong_number(call);
		return false;
	}
	if (!check_mode(call, argument(call, 2)) ||
	    (argument_count(call) == 4 &&
		!check_milliseconds(call, argument(call, 3))))
		return false;
	return check_name(call, argument(call, 1));
}

struct evresult
run_lock(struct call *call)
{
	hold_granted(call->hold);
	reply_status(&call->reply, "OK");
	return done();
}

struct evresult
run_unlock(struct call *call)
{
	if (holder_release(&call->holder, argument(call, 1)) == 0)
		reply_status(&call->reply, "OK");
	else
		reply_error(
		    &call->reply, "ERR the client does not hold that lock");
	return done();
}
