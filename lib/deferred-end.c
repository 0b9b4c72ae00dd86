/* SPDX-License-Identifier: MIT */
/*
 * The end of a Deferred: freed, detached or cancelled.
 */
#include "chain-internal.h"

#include "combine-internal.h"

void
evdeferred_collect_(struct evdeferred *d)
{
	const unsigned over = EVDEFERRED_FIRED | EVDEFERRED_FREED;
	const unsigned needed = EVDEFERRED_RUNNING | EVDEFERRED_QUEUED |
				EVDEFERRED_PINNED | EVDEFERRED_LATE;

	if ((d->flags & (over | needed)) == over)
		evdeferred_give_back_(d);
}

struct evresult
evdeferred_take_result_(struct evdeferred *d)
{
	struct evresult result = d->u.result;
	struct evdeferred *inner = result.data;

	if (d->flags & EVDEFERRED_WAITING) {
		inner->waiter = NULL;
		evdeferred_clear_(d, EVDEFERRED_WAITING);
	}
	d->u.result = evresult_value(NULL);
	return result;
}

/* It has no links to run any more. */
static void
leave_queue(struct evdeferred *d)
{
	if (!(d->flags & EVDEFERRED_QUEUED))
		return;
	evlist_remove_(&d->node);
	evdeferred_clear_(d, EVDEFERRED_QUEUED);
}

void
evdeferred_drop_result_(struct evdeferred *d)
{
	evresult_dispose(evdeferred_take_result_(d));
}

void
evdeferred_bury_(struct evdeferred *d)
{
	evdeferred_drop_result_(d);
	evdeferred_clear_(d, EVDEFERRED_PINNED);
	evdeferred_collect_(d);
}

/* Ends one Deferred that has fired and waits for none. */
static void
end(struct evdeferred *d)
{
	evdeferred_set_(d, EVDEFERRED_FREED | EVDEFERRED_PINNED);
	leave_queue(d);
	/* A link has asked to wait and d was freed meanwhile: first what it
	 * would wait for, then what was held for that. */
	if (evresult_is_deferred_(d->u.result))
		evresult_dispose(evdeferred_take_result_(d));
	evlink_drop_all_(d);
	if (evunhandled_is_news_(d->u.result))
		evunhandled_report_(d);
	else
		evdeferred_bury_(d);
}

/*
 * Ends a Deferred that has fired, with all that it waits for.  From the
 * innermost outwards: a lock that a link holds is given back only when what it
 * was held for has been called off.  These may be a million, so no recursion.
 */
void
evdeferred_reap_(struct evdeferred *d)
{
	const unsigned flags = EVDEFERRED_WAITING | EVDEFERRED_PINNED;
	struct evdeferred *inner = d, *outer;

	while ((inner->flags & flags) == EVDEFERRED_WAITING) {
		evdeferred_set_(inner, EVDEFERRED_FREED | EVDEFERRED_PINNED);
		inner = inner->u.result.data;
	}
	while (inner != d) {
		outer = inner->waiter;
		evdeferred_take_result_(outer);
		evdeferred_free(inner);
		evdeferred_clear_(outer, EVDEFERRED_PINNED);
		inner = outer;
	}
	end(d);
}

/* Undoes a pin, and does what had to wait for that. */
static void
unpin(struct evdeferred *d)
{
	evdeferred_clear_(d, EVDEFERRED_PINNED);
	if (evdeferred_is_over_(d))
		evdeferred_reap_(d);
}

/* Has the producer give up; it may fire d meanwhile. */
static void
call_off(struct evdeferred *d)
{
	if (d->u.canceller.fn != NULL)
		d->u.canceller.fn(d, d->u.canceller.arg);
	else if (!(d->flags & EVDEFERRED_CHAINED))
		evdeferred_set_(d, EVDEFERRED_LATE);
}

/* Gets the producer out of a Deferred that was freed before it fired. */
static void
abandon(struct evdeferred *d)
{
	evdeferred_set_(d, EVDEFERRED_PINNED);
	evlink_drop_all_(d);
	if (!(d->flags & EVDEFERRED_FIRED))
		call_off(d);
	evdeferred_leave_chain_(d);
	/* Whatever it answered to being given up is no news. */
	if (d->flags & EVDEFERRED_FIRED)
		evresult_dispose(evdeferred_take_result_(d));
	d->u.result = evresult_value(NULL);
	evdeferred_set_(d, EVDEFERRED_FIRED);
	evdeferred_clear_(d, EVDEFERRED_PINNED);
}

void
evdeferred_free(struct evdeferred *d)
{
	if (d == NULL)
		return;
	evdefer_base_check_(d->base);
	/* The usual end. */
	if (d->flags == EVDEFERRED_FIRED && evdeferred_is_spent_(d)) {
		evdeferred_give_back_(d);
		return;
	}
	evdeferred_set_(d, EVDEFERRED_FREED);
	if (d->flags & (EVDEFERRED_RUNNING | EVDEFERRED_PINNED))
		return;
	if (!(d->flags & EVDEFERRED_FIRED))
		abandon(d);
	evdeferred_reap_(d);
}

void
evdeferred_detach(struct evdeferred *d)
{
	if (d == NULL)
		return;
	evdefer_base_check_(d->base);
	evdeferred_set_(d, EVDEFERRED_DETACHED);
	if (evdeferred_is_over_(d) &&
	    !(d->flags & (EVDEFERRED_RUNNING | EVDEFERRED_PINNED)))
		evdeferred_reap_(d);
}

/* One that has fired and waits for nothing.  If it is in a queue, or if it is for a
 * coroutine, it will go on, and takes the cancel then. */
static void
cancel_later(struct evdeferred *d, struct evdeferred *coroutine)
{
	if (d->flags & EVDEFERRED_QUEUED)
		evdeferred_set_(d, EVDEFERRED_CANCEL);
	else if (coroutine != NULL)
		evdeferred_set_(coroutine, EVDEFERRED_CANCEL);
}

/* Has the producer of one that has not fired give up. */
static void
cancel_now(struct evdeferred *d)
{
	/* Its canceller is at work. */
	if (d->flags & EVDEFERRED_PINNED)
		return;
	/* A combination fires with what its parts answer. */
	if (d->u.canceller.fn == evcombine_leave_ &&
	    evcombine_cancel_(d->u.canceller.arg))
		return;
	evdeferred_set_(d, EVDEFERRED_PINNED);
	call_off(d);
	if (!(d->flags & EVDEFERRED_FIRED)) {
		evdeferred_leave_chain_(d);
		evdeferred_fire_(d, evresult_fixed_(EVFAILURE_CANCELLED));
	}
	unpin(d);
}

/* For timeouts that there are already. */
static void
note_cancel(struct evdeferred *d)
{
	if (evpool_is_unused_(&d->base->timers.pool))
		return;
	evdeferred_clear_(d, EVDEFERRED_TIMED_OUT);
	evdeferred_set_(d, EVDEFERRED_CALLED_OFF);
}

void
evdeferred_pass_cancel_(struct evdeferred *d)
{
	struct evdeferred *coroutine = NULL;

	while (d->flags & EVDEFERRED_FIRED) {
		if (evdeferred_coro_(d) != NULL)
			coroutine = d;
		if (!(d->flags & EVDEFERRED_WAITING)) {
			cancel_later(d, coroutine);
			return;
		}
		d = d->u.result.data;
		note_cancel(d);
	}
	cancel_now(d);
}

void
evdeferred_cancel(struct evdeferred *d)
{
	if (d == NULL)
		return;
	evdefer_base_check_(d->base);
	if (evdeferred_is_through_(d))
		return;
	note_cancel(d);
	evdeferred_pass_cancel_(d);
}

/* Is its first link due, but held back by a pause? */
static bool
is_held_back(const struct evdeferred *d)
{
	const unsigned flags = EVDEFERRED_FIRED | EVDEFERRED_WAITING;

	return evdeferred_is_paused_(d) &&
	       (d->flags & flags) == EVDEFERRED_FIRED;
}

void
evdeferred_time_out_(struct evdeferred *d)
{
	/* Whoever cancelled it before the time was over was first. */
	if (!(d->flags & EVDEFERRED_CALLED_OFF))
		evdeferred_set_(d, EVDEFERRED_TIMED_OUT);
	if (is_held_back(d))
		evdeferred_set_(d, EVDEFERRED_CANCEL);
	else
		evdeferred_pass_cancel_(d);
}
