/* SPDX-License-Identifier: MIT */
/*
 * A coroutine is the first link of its Deferred, EVLINK_CORO, and stays it
 * until it has ended.  A wait is a result that says so, which makes the chain
 * wait; then the link runs again.  Cancel, free, loops of waits and the depth
 * of the stack are thus the Deferred's business, and not thought of here.
 */
#ifndef EVDEFER_CORO_INTERNAL_H
#define EVDEFER_CORO_INTERNAL_H

#include <evdefer/coro.h>

/* Waits of one coroutine that are over at once and go on in place; after these
 * it queues behind others whose deliveries are nested too deeply. */
#define EVCORO_MAX_IN_A_ROW 64

/* Has it a wait that a cancel may end? */
static inline bool
evcoro_has_begun_(const struct evcoro *co)
{
	return co->at != EVCORO_START_;
}

/* Lets go of what the function has seen of the last wait, which may call one of
 * the user's. */
void evcoro_forget_last_(struct evcoro *co);

/* Begins or goes on, with a plain value or a failure that is taken over.
 * Returns what to wait for, or what its body returned. */
struct evresult evcoro_resume_(struct evcoro *co, struct evresult last);

static inline bool
evcoro_is_waiting_(const struct evcoro *co)
{
	return co->at > 0;
}

/* Cleans up behind a body that has returned that.  Returns the result of the
 * coroutine, which is gone then.  Its own Deferred is to be known where that
 * still has a consumer. */
struct evresult evcoro_end_(
    struct evcoro *co, const struct evdeferred *own, struct evresult result);

/* Ends a coroutine in the middle of a wait. */
void evcoro_drop_(struct evcoro *co);

#endif
