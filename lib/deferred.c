/* SPDX-License-Identifier: MIT */
/*
 * The Deferred: it is made, fires, runs its links, waits for others, and comes to
 * an end.
 */
#include "deferred-internal.h"

#include "link-internal.h"

_Static_assert(sizeof(void *) != 8 || sizeof(struct evdeferred) == 64,
    "a Deferred fills one cache line");

static void reap(struct evdeferred *d);
static void pass_cancel(struct evdeferred *d);

/*
 * Making.
 */

static EVDEFER_NOINLINE_ struct evdeferred *
new_slowly(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg)
{
	struct evdeferred *d;

	if (base == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(base);
	if (evpool_reserve_one_(&base->deferreds) == -1)
		return NULL;
	evdefer_base_look_for_tracers_(base);
	d = evdeferred_make_waiter_(base, 0, canceller, arg);
	if (base->debug)
		evcreation_record_(evdeferred_creation_(d));
	if (evdefer_base_closed_(base))
		base->remaining++;
	if (base->debug || base->observed) {
		evdeferred_set_(d, EVDEFERRED_WATCHED);
		evobserver_tell_made_(d);
	}
	return d;
}

struct evdeferred *
evdeferred_new(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg)
{
	if (base == NULL || !evdeferred_can_make_(base))
		return new_slowly(base, canceller, arg);
	evdefer_base_check_(base);
	return evdeferred_make_waiter_(base, 0, canceller, arg);
}

struct evdeferred *
evdeferred_new_private_(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg)
{
	struct evdeferred *d = evdeferred_new(base, canceller, arg);

	if (d != NULL)
		evdeferred_set_(d, EVDEFERRED_PRIVATE);
	return d;
}

/*
 * Running.
 */

/* Gives the memory back once consumer and producer are done. */
static void
collect(struct evdeferred *d)
{
	const unsigned over = EVDEFERRED_FIRED | EVDEFERRED_FREED;
	const unsigned needed = EVDEFERRED_RUNNING | EVDEFERRED_QUEUED |
				EVDEFERRED_PINNED | EVDEFERRED_LATE;

	if ((d->flags & (over | needed)) != over)
		return;
	if (d->flags & EVDEFERRED_WATCHED)
		evobserver_tell_gone_(d);
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

/* It is about to fire by itself, though it may be chained to another. */
static inline void
leave_chain(struct evdeferred *d)
{
	if (d->flags & EVDEFERRED_CHAINED)
		evlink_leave_chain_(d);
}

/* Does nobody want it any more? */
static inline bool
is_unwanted(const struct evdeferred *d)
{
	if (d->flags & EVDEFERRED_FREED)
		return true;
	return (d->flags & EVDEFERRED_DETACHED) && d->waiter == NULL &&
	       evdeferred_is_complete_(d);
}

/*
 * Would a wait of d for inner close a loop?  It would if inner waits for d, through
 * others: then inner is found going up from d through those that wait, and d going
 * down from inner in as many steps.  The shorter of both ways decides, so that it is
 * cheap to build a long chain from either end.
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

/* The result of d is a Deferred: gives d the result of that one, or has d wait for
 * it. */
static void
settle(struct evdeferred *d)
{
	struct evdeferred *inner = d->u.result.data;

	if (inner == d) {
		d->u.result = evresult_fixed_(EVFAILURE_LOOP);
		return;
	}
	if (inner->base != d->base) {
		d->u.result = evresult_fixed_(EVFAILURE_NO_WAIT);
		evdeferred_free(inner);
		return;
	}
	if (inner->waiter != NULL) {
		d->u.result = evresult_fixed_(EVFAILURE_NO_WAIT);
		return;
	}
	if (closes_loop(d, inner)) {
		/* Nobody is left to free inner, which was handed to d. */
		d->u.result = evresult_fixed_(EVFAILURE_LOOP);
		evdeferred_detach(inner);
		return;
	}
	if (!evdeferred_is_complete_(inner)) {
		inner->waiter = d;
		evdeferred_set_(d, EVDEFERRED_WAITING);
		return;
	}
	d->u.result = evdeferred_take_result_(inner);
	evdeferred_set_(inner, EVDEFERRED_FREED);
	collect(inner);
}

static void
queue(struct evdeferred *d)
{
	evdeferred_set_(d, EVDEFERRED_QUEUED);
	evdefer_base_nest_(d->base, &d->node);
}

/* Returns whether d waits.  It may not: the Deferred to wait for may have a result,
 * or get one now by the cancel that d was keeping for it. */
static bool
wait_for_result(struct evdeferred *d)
{
	const unsigned cancel = EVDEFERRED_WAITING | EVDEFERRED_CANCEL;

	settle(d);
	if ((d->flags & cancel) == cancel) {
		evdeferred_clear_(d, EVDEFERRED_CANCEL);
		pass_cancel(d);
	}
	return (d->flags & EVDEFERRED_WAITING) != 0;
}

/* Is the first link a callback that gets a plain value?  Most links are that. */
static inline bool
is_call(const struct evdeferred *d, const struct evlink *first)
{
	return first->type == NULL && first->callback != NULL &&
	       evresult_is_plain_(d->u.result);
}

static inline void
call(struct evdeferred *d)
{
	const struct evlink link = evlink_pop_(d);

	evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	d->u.result = evresult_take_(link.callback(d->u.result.data, link.arg));
}

static void
run_first(struct evdeferred *d)
{
	const struct evlink link = evlink_pop_(d);

	evlink_run_(&link, d);
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
		if ((d->flags & EVDEFERRED_RESUMES) &&
		    in_a_row++ == EVDEFERRED_MAX_IN_A_ROW) {
			queue(d);
			return;
		}
		if (is_call(d, d->links->next))
			call(d);
		else
			run_first(d);
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
	collect(d);
	return evdeferred_can_run_(waiter) ? waiter : NULL;
}

/* What comes after the links: the Deferred that runs next, or NULL. */
static struct evdeferred *
finish(struct evdeferred *d)
{
	if (d->flags == (EVDEFERRED_FIRED | EVDEFERRED_FREED) &&
	    evdeferred_is_empty_(d)) {
		evdeferred_give_back_(d);
		return NULL;
	}
	if (is_unwanted(d)) {
		if (!(d->flags & EVDEFERRED_PINNED))
			reap(d);
		return NULL;
	}
	if (d->waiter != NULL && evdeferred_is_complete_(d))
		return hand_over(d);
	/* Nothing came that could be cancelled. */
	if (d->links == NULL && (d->flags & EVDEFERRED_WAITING) == 0)
		evdeferred_clear_(d, EVDEFERRED_CANCEL);
	return NULL;
}

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

/* Goes on after a callback of a Deferred that is at work.  Mostly that has freed it: who
 * has waited for a lock and releases it is done. */
static EVDEFER_NOINLINE_ int
run_rest(struct evdeferred *d)
{
	const unsigned freed =
	    EVDEFERRED_FIRED | EVDEFERRED_RUNNING | EVDEFERRED_FREED;
	struct evdefer_base *base = d->base;

	if (d->flags == freed && evdeferred_is_empty_(d)) {
		evdeferred_give_back_(d);
		evdefer_base_leave_(base);
		return 0;
	}
	evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	d->u.result = evresult_take_(d->u.result);
	evdeferred_run_on_(d);
	return 0;
}

/* A loop of its own for links that are calls, which is most of what there is: it need
 * not ask for all that may happen, only whether anything has.  0, for a function that
 * ends with it. */
static EVDEFER_NOINLINE_ int
run_calls(struct evdeferred *d, struct evlink *first)
{
	const unsigned working = EVDEFERRED_FIRED | EVDEFERRED_RUNNING;
	struct evdefer_base *base = d->base;
	struct evresult result;
	struct evlink *last, link;

	evdeferred_begin_(d);
	do {
		link = evlink_take_out_(d, base, first);
		result = link.callback(d->u.result.data, link.arg);
		d->u.result = result;
		if (d->flags != working || !evresult_is_plain_(result))
			return run_rest(d);
		last = d->links;
		if (last == NULL)
			break;
		first = last->next;
	} while (is_call(d, first));
	if (last != NULL || d->waiter != NULL)
		return run_rest(d);
	d->flags = EVDEFERRED_FIRED;
	evdefer_base_leave_(base);
	return 0;
}

static EVDEFER_NOINLINE_ int
run_others(struct evdeferred *d)
{
	evdeferred_begin_(d);
	evdeferred_run_on_(d);
	return 0;
}

static inline int
run(struct evdeferred *d)
{
	struct evlink *first;

	if (d->links == NULL)
		return run_others(d);
	first = d->links->next;
	return is_call(d, first) ? run_calls(d, first) : run_others(d);
}

void
evdeferred_deliver_(struct evdeferred *d)
{
	if (!evdeferred_can_run_(d) || (d->flags & EVDEFERRED_FREED))
		return;
	if (d->links == NULL && d->waiter == NULL &&
	    !(d->flags & EVDEFERRED_DETACHED))
		return;
	if (evdeferred_is_stack_full_(d))
		queue(d);
	else
		run(d);
}

void
evdeferred_fire_unwatched_(struct evdeferred *d, struct evresult result)
{
	d->u.result = result;
	evdeferred_clear_(
	    d, EVDEFERRED_PRIVATE | EVDEFERRED_ANSWERS | EVDEFERRED_MARKED);
	evdeferred_set_(d, EVDEFERRED_FIRED);
	if (evresult_is_deferred_(result)) {
		/* Even if d is paused or has to queue: a cancel is for the one
		 * that it waits for. */
		evdeferred_set_(d, EVDEFERRED_RUNNING);
		settle(d);
		evdeferred_clear_(d, EVDEFERRED_RUNNING);
		if (is_unwanted(d) && !(d->flags & EVDEFERRED_PINNED)) {
			reap(d);
			return;
		}
	}
	evdeferred_deliver_(d);
}

static EVDEFER_NOINLINE_ void
fire_watched(struct evdeferred *d, struct evresult result)
{
	evobserver_tell_fired_(d, result);
	evdeferred_fire_unwatched_(d, result);
}

EVDEFER_NOINLINE_ void
evdeferred_fire_(struct evdeferred *d, struct evresult result)
{
	if (d->flags & EVDEFERRED_WATCHED)
		fire_watched(d, result);
	else
		evdeferred_fire_unwatched_(d, result);
}

void
evdeferred_run_queued_(struct evdeferred *d)
{
	evdeferred_clear_(d, EVDEFERRED_QUEUED);
	if (evdeferred_can_run_(d))
		run(d);
}

/*
 * Firing.
 */

void
evdeferred_produce_(struct evdeferred *d, struct evresult result)
{
	evdeferred_fire_(d, evresult_take_(result));
}

struct evdeferred *
evdeferred_new_fired(struct evdefer_base *base, struct evresult result)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	if (d != NULL)
		evdeferred_fire_(d, evresult_take_(result));
	return d;
}

struct evdeferred *
evdeferred_succeed(struct evdefer_base *base, void *value)
{
	return evdeferred_new_fired(base, evresult_value(value));
}

struct evdeferred *
evdeferred_fail_at(const char *file, int line, struct evdefer_base *base,
    int code, const char *format, ...)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	va_list args;

	if (d == NULL)
		return NULL;
	va_start(args, format);
	evdeferred_fire_(
	    d, evresult_vfail_(file, line, NULL, code, format, args));
	va_end(args);
	return d;
}

struct evdeferred *
evdeferred_maybe(struct evdefer_base *base, evdeferred_body_fn body, void *arg)
{
	struct evdeferred *d;

	if (body == NULL)
		return evdefer_refuse_new_(EINVAL);
	d = evdeferred_new(base, NULL, NULL);
	if (d != NULL)
		evdeferred_fire_(d, evresult_take_(body(arg)));
	return d;
}

/* May it be fired? */
static inline int
check_fire(const struct evdeferred *d)
{
	if (d == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(d->base);
	if ((d->flags & EVDEFERRED_FIRED) && !(d->flags & EVDEFERRED_LATE))
		return evdefer_refuse_(EALREADY);
	if (d->flags & EVDEFERRED_PRIVATE)
		return evdefer_refuse_(EPERM);
	return 0;
}

/* The result of one that was cancelled before it came. */
static void
end_late(struct evdeferred *d, struct evresult result)
{
	evdeferred_clear_(d, EVDEFERRED_LATE);
	/* A wait for itself would be a failure, which is late as well.  But d is
	 * its consumer's to free. */
	if (evresult_is_deferred_(result) && result.data == d)
		result = evresult_fixed_(EVFAILURE_LOOP);
	/* Before the user's function, which may free d as well. */
	collect(d);
	evresult_dispose(result);
}

static EVDEFER_NOINLINE_ int
fire_slowly(struct evdeferred *d, struct evresult result)
{
	if (check_fire(d) == -1)
		return -1;
	if (d->flags & EVDEFERRED_FIRED) {
		end_late(d, result);
		return 0;
	}
	leave_chain(d);
	evdeferred_fire_(d, evresult_take_(result));
	return 0;
}

/* For one that is nothing but new. */
static inline int
fire_plain(struct evdeferred *d, struct evresult result)
{
	evdefer_base_check_(d->base);
	d->u.result = result;
	d->flags = EVDEFERRED_FIRED;
	if (d->links == NULL && d->waiter == NULL)
		return 0;
	if (!evdeferred_is_stack_full_(d))
		return run(d);
	queue(d);
	return 0;
}

int
evdeferred_fire(struct evdeferred *d, struct evresult result)
{
	if (d == NULL || d->flags != 0 || !evresult_is_plain_(result))
		return fire_slowly(d, result);
	return fire_plain(d, result);
}

int
evdeferred_callback(struct evdeferred *d, void *value)
{
	return evdeferred_fire(d, evresult_value(value));
}

int
evdeferred_errback_at(const char *file, int line, struct evdeferred *d,
    int code, const char *format, ...)
{
	struct evresult result;
	va_list args;

	if (check_fire(d) == -1)
		return -1;
	va_start(args, format);
	result = evresult_vfail_(file, line, NULL, code, format, args);
	va_end(args);
	return evdeferred_fire(d, result);
}

bool
evdeferred_has_fired(const struct evdeferred *d)
{
	if (d == NULL)
		return false;
	evdefer_base_check_(d->base);
	return (d->flags & EVDEFERRED_FIRED) &&
	       !(d->flags & EVDEFERRED_RESUMES);
}

/*
 * Pausing.
 */

int
evdeferred_pause(struct evdeferred *d)
{
	if (d == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(d->base);
	if ((d->flags & EVDEFERRED_PAUSES) == EVDEFERRED_PAUSES)
		return evdefer_refuse_(EOVERFLOW);
	d->flags += EVDEFERRED_PAUSE;
	return 0;
}

int
evdeferred_unpause(struct evdeferred *d)
{
	if (d == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(d->base);
	if (!evdeferred_is_paused_(d))
		return evdefer_refuse_(EPERM);
	d->flags -= EVDEFERRED_PAUSE;
	evdeferred_deliver_(d);
	return 0;
}

/*
 * The end.
 */

void
evdeferred_bury_(struct evdeferred *d)
{
	evresult_dispose(evdeferred_take_result_(d));
	evdeferred_clear_(d, EVDEFERRED_PINNED);
	collect(d);
}

/* Ends one Deferred that has fired and waits for none. */
static void
end(struct evdeferred *d)
{
	evdeferred_set_(d, EVDEFERRED_FREED | EVDEFERRED_PINNED);
	if (d->flags & EVDEFERRED_QUEUED) {
		evlist_remove_(&d->node);
		evdeferred_clear_(d, EVDEFERRED_QUEUED);
	}
	/* Freed by the very link that asked for this wait.  What d would wait for
	 * goes before what is held for that. */
	if (evresult_is_deferred_(d->u.result))
		evresult_dispose(evdeferred_take_result_(d));
	evlink_drop_all_(d);
	if (evunhandled_is_news_(d->u.result))
		evunhandled_report_(d);
	else
		evdeferred_bury_(d);
}

/*
 * Ends a Deferred that has fired, with all that it waits for, from the innermost
 * outwards: a lock that a link holds is given back only when what it was held for
 * has been called off.  There may be a million of them, so this does not recurse.
 */
static void
reap(struct evdeferred *d)
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

/* Does what had to wait for the pin. */
static void
unpin(struct evdeferred *d)
{
	evdeferred_clear_(d, EVDEFERRED_PINNED);
	if (is_unwanted(d))
		reap(d);
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
	leave_chain(d);
	/* What the canceller fired it with is no news. */
	if (d->flags & EVDEFERRED_FIRED)
		evresult_dispose(evdeferred_take_result_(d));
	d->u.result = evresult_value(NULL);
	evdeferred_set_(d, EVDEFERRED_FIRED);
	evdeferred_clear_(d, EVDEFERRED_PINNED);
}

static EVDEFER_NOINLINE_ void
free_slowly(struct evdeferred *d)
{
	evdeferred_set_(d, EVDEFERRED_FREED);
	if (d->flags & (EVDEFERRED_RUNNING | EVDEFERRED_PINNED))
		return;
	if (!(d->flags & EVDEFERRED_FIRED))
		abandon(d);
	reap(d);
}

void
evdeferred_free(struct evdeferred *d)
{
	if (d == NULL)
		return;
	evdefer_base_check_(d->base);
	/* The usual end. */
	if (d->flags == EVDEFERRED_FIRED && evdeferred_is_empty_(d))
		evdeferred_give_back_(d);
	else
		free_slowly(d);
}

void
evdeferred_detach(struct evdeferred *d)
{
	if (d == NULL)
		return;
	evdefer_base_check_(d->base);
	evdeferred_set_(d, EVDEFERRED_DETACHED);
	if (is_unwanted(d) &&
	    !(d->flags & (EVDEFERRED_RUNNING | EVDEFERRED_PINNED)))
		reap(d);
}

/* For one that has fired and does not wait.  If it is in the queue it takes the
 * cancel when it goes on, and so does one up the chain whose first link runs again. */
static void
cancel_later(struct evdeferred *d, struct evdeferred *resuming)
{
	if (d->flags & EVDEFERRED_QUEUED)
		evdeferred_set_(d, EVDEFERRED_CANCEL);
	else if (resuming != NULL)
		evdeferred_set_(resuming, EVDEFERRED_CANCEL);
}

/* Has the producer of one that has not fired give up. */
static void
cancel_now(struct evdeferred *d)
{
	/* Its canceller is at work. */
	if (d->flags & EVDEFERRED_PINNED)
		return;
	if (d->flags & EVDEFERRED_ANSWERS) {
		call_off(d);
		return;
	}
	evdeferred_set_(d, EVDEFERRED_PINNED);
	call_off(d);
	if (!(d->flags & EVDEFERRED_FIRED)) {
		leave_chain(d);
		evdeferred_fire_(d, evresult_fixed_(EVFAILURE_CANCELLED));
	}
	unpin(d);
}

/* The timeouts that were added so far look at it. */
static void
note_cancel(struct evdeferred *d)
{
	if (d->base->timeouts == 0)
		return;
	evdeferred_clear_(d, EVDEFERRED_TIMED_OUT);
	evdeferred_set_(d, EVDEFERRED_CALLED_OFF);
}

/* Cancels what d waits for, or d itself if it has not fired. */
static void
pass_cancel(struct evdeferred *d)
{
	struct evdeferred *resuming = NULL;

	while (d->flags & EVDEFERRED_FIRED) {
		if (d->flags & EVDEFERRED_RESUMES)
			resuming = d;
		if (!(d->flags & EVDEFERRED_WAITING)) {
			cancel_later(d, resuming);
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
	if (evdeferred_is_complete_(d))
		return;
	note_cancel(d);
	pass_cancel(d);
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
	/* A cancel of its consumer's that came first stays what it is. */
	if (!(d->flags & EVDEFERRED_CALLED_OFF))
		evdeferred_set_(d, EVDEFERRED_TIMED_OUT);
	if (is_held_back(d))
		evdeferred_set_(d, EVDEFERRED_CANCEL);
	else
		pass_cancel(d);
}
