/* SPDX-License-Identifier: MIT */
/*
 * The Deferred fires, and its chain runs.
 */
#include "chain-internal.h"

#include "coro-internal.h"

/*
 * Would a wait of d for inner close a loop?  Only if inner is one of those that
 * wait for d, which d finds going up, and as many steps down from inner lead
 * to d.  The shorter way of the two tells, which keeps it cheap to build a long
 * chain from either end.
 */
static bool
closes_loop(const struct evdeferred *d, const struct evdeferred *inner)
{
	const struct evdeferred *up = d, *down = inner;

	while (up != inner) {
		if (up->waiter == NULL || !(down->flags & EVDEFERRED_WAITING))
			return false;
		up = up->waiter;
		down = down->u.result.data;
	}
	return true;
}

/* Gives d the result of the Deferred that is its result, or makes it wait for
 * that.  Whether it has one now. */
bool
evdeferred_settle_(struct evdeferred *d)
{
	struct evdeferred *inner = d->u.result.data;

	if (inner == d) {
		d->u.result = evresult_fixed_(EVFAILURE_LOOP);
		return true;
	}
	if (inner->base != d->base) {
		d->u.result = evresult_fixed_(EVFAILURE_NO_WAIT);
		evdeferred_free(inner);
		return true;
	}
	if (inner->waiter != NULL) {
		d->u.result = evresult_fixed_(EVFAILURE_NO_WAIT);
		return true;
	}
	if (closes_loop(d, inner)) {
		/* Nobody is left to free inner, which was handed to d. */
		d->u.result = evresult_fixed_(EVFAILURE_LOOP);
		evdeferred_detach(inner);
		return true;
	}
	if (!evdeferred_is_through_(inner)) {
		inner->waiter = d;
		evdeferred_set_(d, EVDEFERRED_WAITING);
		return false;
	}
	d->u.result = evdeferred_take_result_(inner);
	evdeferred_set_(inner, EVDEFERRED_FREED);
	evdeferred_collect_(inner);
	return true;
}

static void
queue(struct evdeferred *d)
{
	evdeferred_set_(d, EVDEFERRED_QUEUED);
	evlist_append_(&d->base->nested, &d->node);
}

/* Has d wait.  Whether it does; it does not if a cancel was to come, and what it
 * then waits for knows an answer to that. */
static bool
wait_for_result(struct evdeferred *d)
{
	if (evdeferred_settle_(d))
		return false;
	if (d->flags & EVDEFERRED_CANCEL) {
		evdeferred_clear_(d, EVDEFERRED_CANCEL);
		evdeferred_pass_cancel_(d);
	}
	return (d->flags & EVDEFERRED_WAITING) != 0;
}

/* Is a callback next that gets a plain value?  Most links are that. */
static inline bool
is_call(const struct evdeferred *d)
{
	const struct evlink *first = d->links->next;

	return first->kind == EVLINK_CALLBACKS &&
	       first->u.fns.callback != NULL && evresult_is_plain_(d->u.result);
}

static inline void
call(struct evdeferred *d)
{
	const struct evlink link = evlink_pop_(d);

	evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	d->u.result =
	    evresult_take_(link.u.fns.callback(d->u.result.data, link.arg));
}

static void
run_links(struct evdeferred *d)
{
	int in_a_row = 0;

	while (!(d->flags & EVDEFERRED_FREED)) {
		if (evresult_is_deferred_(d->u.result) && wait_for_result(d))
			return;
		if (d->links == NULL || evdeferred_is_paused_(d))
			return;
		if (evdeferred_coro_(d) != NULL &&
		    in_a_row++ == EVCORO_MAX_IN_A_ROW) {
			queue(d);
			return;
		}
		if (is_call(d))
			call(d);
		else
			evlink_run_first_(d);
	}
}

/* Gives the result of d to the Deferred that waits for it; d is done. */
static struct evdeferred *
hand_over(struct evdeferred *d)
{
	struct evdeferred *waiter = d->waiter;

	d->waiter = NULL;
	evdeferred_clear_(waiter, EVDEFERRED_WAITING);
	waiter->u.result = evdeferred_take_result_(d);
	if (d->flags & EVDEFERRED_CANCEL)
		evdeferred_set_(waiter, EVDEFERRED_CANCEL);
	evdeferred_set_(d, EVDEFERRED_FREED);
	evdeferred_collect_(d);
	return evdeferred_is_idle_(waiter) ? waiter : NULL;
}

/* What comes after the links: the Deferred that runs next, or NULL. */
static struct evdeferred *
finish(struct evdeferred *d)
{
	if (d->flags == (EVDEFERRED_FIRED | EVDEFERRED_FREED) &&
	    evdeferred_is_spent_(d)) {
		evdeferred_give_back_(d);
		return NULL;
	}
	if (evdeferred_is_over_(d)) {
		if (!(d->flags & EVDEFERRED_PINNED))
			evdeferred_reap_(d);
		return NULL;
	}
	if (d->waiter != NULL && evdeferred_is_through_(d))
		return hand_over(d);
	/* There was nothing to be cancelled. */
	if (d->links == NULL && (d->flags & EVDEFERRED_WAITING) == 0)
		evdeferred_clear_(d, EVDEFERRED_CANCEL);
	return NULL;
}

/* Goes on with d, which was begun, and with all that wait for it, as far as
 * they can go. */
void
evdeferred_run_on_(struct evdeferred *d)
{
	struct evdefer_base *base = d->base;

	for (;;) {
		run_links(d);
		evdeferred_clear_(d, EVDEFERRED_RUNNING);
		d = finish(d);
		if (d == NULL)
			break;
		evdeferred_set_(d, EVDEFERRED_RUNNING);
	}
	evdefer_base_leave_(base);
}

static inline void
run(struct evdeferred *d)
{
	struct evlink link;

	if (d->links != NULL && is_call(d)) {
		link = evlink_pop_(d);
		evdeferred_call_(d, link.u.fns.callback, link.arg);
		return;
	}
	evdeferred_begin_(d);
	evdeferred_run_on_(d);
}

void
evdeferred_deliver_(struct evdeferred *d)
{
	if (!evdeferred_is_idle_(d) || (d->flags & EVDEFERRED_FREED))
		return;
	if (d->links == NULL && d->waiter == NULL &&
	    !(d->flags & EVDEFERRED_DETACHED) &&
	    !evresult_is_deferred_(d->u.result))
		return;
	if (!evdeferred_is_stack_full_(d)) {
		run(d);
		return;
	}
	queue(d);
}

void
evdeferred_fire_(struct evdeferred *d, struct evresult result)
{
	d->u.result = result;
	evdeferred_clear_(d, EVDEFERRED_PRIVATE);
	evdeferred_set_(d, EVDEFERRED_FIRED);
	if (evresult_is_deferred_(result)) {
		/* Also where it is paused or has to queue: a cancel goes on to
		 * the one that it waits for. */
		evdeferred_set_(d, EVDEFERRED_RUNNING);
		evdeferred_settle_(d);
		evdeferred_clear_(d, EVDEFERRED_RUNNING);
		if (evdeferred_is_over_(d) && !(d->flags & EVDEFERRED_PINNED)) {
			evdeferred_reap_(d);
			return;
		}
	}
	evdeferred_deliver_(d);
}

bool
evdeferred_has_consumer_(const struct evdeferred *d)
{
	return d->waiter == NULL &&
	       !(d->flags & (EVDEFERRED_FREED | EVDEFERRED_DETACHED));
}

void
evdeferred_disown_(struct evdeferred *d)
{
	evdeferred_set_(d, EVDEFERRED_DETACHED);
}

void
evdeferred_run_queued_(struct evdeferred *d)
{
	evdeferred_clear_(d, EVDEFERRED_QUEUED);
	if (evdeferred_is_idle_(d))
		run(d);
}
