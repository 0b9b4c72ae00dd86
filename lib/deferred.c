/* SPDX-License-Identifier: MIT */
#include "deferred-internal.h"

#include <errno.h>

#include "base-internal.h"
#include "combine-internal.h"
#include "coro-internal.h"
#include "creation-internal.h"
#include "link-internal.h"
#include "pool-internal.h"
#include "result-internal.h"
#include "timeout-internal.h"

_Static_assert(sizeof(void *) != 8 || sizeof(struct evdeferred) == 64,
    "a Deferred fills one cache line");

static void
set_flags(struct evdeferred *d, unsigned flags)
{
	d->flags |= flags;
}

static void
clear_flags(struct evdeferred *d, unsigned flags)
{
	d->flags &= ~flags;
}

static bool
is_paused(const struct evdeferred *d)
{
	return (d->flags & EVDEFERRED_PAUSES) != 0;
}

/* Has it fired, with nothing that keeps its links from running? */
static bool
is_idle(const struct evdeferred *d)
{
	const unsigned busy = EVDEFERRED_WAITING | EVDEFERRED_RUNNING |
			      EVDEFERRED_QUEUED | EVDEFERRED_PAUSES;

	return (d->flags & (EVDEFERRED_FIRED | busy)) == EVDEFERRED_FIRED;
}

/* Is it idle, and its result the final one? */
static bool
is_through(const struct evdeferred *d)
{
	return is_idle(d) && d->links == NULL &&
	       !evresult_is_deferred_(d->u.result);
}

/* Does nobody want it any more? */
static bool
is_over(const struct evdeferred *d)
{
	if (d->flags & EVDEFERRED_FREED)
		return true;
	return (d->flags & EVDEFERRED_DETACHED) && d->waiter == NULL &&
	       is_through(d);
}

/*
 * Its end.
 */

/* Is there nothing to do with it but to give its memory back? */
static inline bool
is_spent(const struct evdeferred *d)
{
	return d->links == NULL && d->u.result.dispose == NULL;
}

static void
give_back(struct evdeferred *d)
{
	struct evdefer_base *base = d->base;

	evpool_put_(&base->deferreds, d);
	if (evdefer_base_closed_(base))
		evdefer_base_collect_(base);
}

/* Gives the memory back once consumer and producer are done. */
static void
collect(struct evdeferred *d)
{
	const unsigned over = EVDEFERRED_FIRED | EVDEFERRED_FREED;
	const unsigned needed = EVDEFERRED_RUNNING | EVDEFERRED_QUEUED |
				EVDEFERRED_PINNED | EVDEFERRED_LATE |
				EVDEFERRED_CHAINED;

	if ((d->flags & (over | needed)) == over)
		give_back(d);
}

/* Takes the result away; d waits no longer. */
static struct evresult
take_result(struct evdeferred *d)
{
	struct evresult result = d->u.result;
	struct evdeferred *inner = result.data;

	if (d->flags & EVDEFERRED_WAITING) {
		inner->waiter = NULL;
		clear_flags(d, EVDEFERRED_WAITING);
	}
	d->u.result = evresult_value(NULL);
	return result;
}

/* Ends one Deferred that has fired and waits for none. */
static void
end(struct evdeferred *d)
{
	struct evresult result;

	set_flags(d, EVDEFERRED_FREED | EVDEFERRED_PINNED);
	/* A link has asked to wait and d was freed meanwhile: first what it
	 * would wait for, then what was held for that. */
	if (evresult_is_deferred_(d->u.result))
		evresult_dispose(take_result(d));
	evlink_drop_all_(d);
	result = take_result(d);
	if (result.dispose != NULL)
		evdefer_base_drop_of_(d->base, d, result);
	clear_flags(d, EVDEFERRED_PINNED);
	collect(d);
}

/*
 * Ends a Deferred that has fired, with all that it waits for.  From the
 * innermost outwards: a lock that a link holds is given back only when what it
 * was held for has been called off.  These may be a million, so no recursion.
 */
static void
reap(struct evdeferred *d)
{
	const unsigned flags = EVDEFERRED_WAITING | EVDEFERRED_PINNED;
	struct evdeferred *inner = d, *outer;

	while ((inner->flags & flags) == EVDEFERRED_WAITING) {
		set_flags(inner, EVDEFERRED_FREED | EVDEFERRED_PINNED);
		inner = inner->u.result.data;
	}
	while (inner != d) {
		outer = inner->waiter;
		take_result(outer);
		evdeferred_free(inner);
		clear_flags(outer, EVDEFERRED_PINNED);
		inner = outer;
	}
	end(d);
}

/* Undoes a pin, and does what had to wait for that. */
static void
unpin(struct evdeferred *d)
{
	clear_flags(d, EVDEFERRED_PINNED);
	if (is_over(d))
		reap(d);
}

/* Has the producer give up; it may fire d meanwhile. */
static void
call_off(struct evdeferred *d)
{
	if (d->u.canceller.fn != NULL)
		d->u.canceller.fn(d, d->u.canceller.arg);
	else if (!(d->flags & EVDEFERRED_CHAINED))
		set_flags(d, EVDEFERRED_LATE);
}

/* Gets the producer out of a Deferred that was freed before it fired. */
static void
abandon(struct evdeferred *d)
{
	set_flags(d, EVDEFERRED_PINNED);
	evlink_drop_all_(d);
	if (!(d->flags & EVDEFERRED_FIRED))
		call_off(d);
	/* Whatever it answered to being given up is no news. */
	if (d->flags & EVDEFERRED_FIRED)
		evresult_dispose(take_result(d));
	d->u.result = evresult_value(NULL);
	set_flags(d, EVDEFERRED_FIRED);
	clear_flags(d, EVDEFERRED_PINNED);
}

void
evdeferred_free(struct evdeferred *d)
{
	if (d == NULL)
		return;
	evdefer_base_check_(d->base);
	/* The usual end. */
	if (d->flags == EVDEFERRED_FIRED && is_spent(d)) {
		give_back(d);
		return;
	}
	set_flags(d, EVDEFERRED_FREED);
	if (d->flags & (EVDEFERRED_RUNNING | EVDEFERRED_PINNED))
		return;
	if (d->flags & EVDEFERRED_QUEUED) {
		evlist_remove_(&d->node);
		clear_flags(d, EVDEFERRED_QUEUED);
	}
	if (!(d->flags & EVDEFERRED_FIRED))
		abandon(d);
	reap(d);
}

void
evdeferred_detach(struct evdeferred *d)
{
	if (d == NULL)
		return;
	evdefer_base_check_(d->base);
	set_flags(d, EVDEFERRED_DETACHED);
	if (is_over(d) && !(d->flags & EVDEFERRED_PINNED))
		reap(d);
}

/*
 * Running.
 */

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
static bool
settle(struct evdeferred *d)
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
	if (!is_through(inner)) {
		inner->waiter = d;
		set_flags(d, EVDEFERRED_WAITING);
		return false;
	}
	d->u.result = take_result(inner);
	set_flags(inner, EVDEFERRED_FREED);
	collect(inner);
	return true;
}

/* The coroutine that d is, until it has ended. */
static struct evcoro *
coro_of(const struct evdeferred *d)
{
	const struct evlink *first;

	if (d->links == NULL)
		return NULL;
	first = d->links->next;
	return first->kind == EVLINK_CORO ? first->u.coro : NULL;
}

static void
queue(struct evdeferred *d)
{
	set_flags(d, EVDEFERRED_QUEUED);
	evlist_append_(&d->base->nested, &d->node);
}

/* Has d wait.  Whether it does; it does not if a coroutine was cancelled while
 * it ran, and what it then waits for knows an answer to that. */
static bool
wait_for_result(struct evdeferred *d)
{
	struct evcoro *co;

	if (settle(d))
		return false;
	co = coro_of(d);
	if (co != NULL && co->cancelled) {
		co->cancelled = false;
		evdeferred_cancel(d);
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
		if (d->links == NULL || is_paused(d))
			return;
		if (coro_of(d) != NULL && in_a_row++ == EVCORO_MAX_IN_A_ROW) {
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
	clear_flags(waiter, EVDEFERRED_WAITING);
	waiter->u.result = take_result(d);
	set_flags(d, EVDEFERRED_FREED);
	collect(d);
	return is_idle(waiter) ? waiter : NULL;
}

/* What comes after the links: the Deferred that runs next, or NULL. */
static struct evdeferred *
finish(struct evdeferred *d)
{
	if (d->flags == (EVDEFERRED_FIRED | EVDEFERRED_FREED) && is_spent(d)) {
		give_back(d);
		return NULL;
	}
	if (is_over(d)) {
		if (!(d->flags & EVDEFERRED_PINNED))
			reap(d);
		return NULL;
	}
	if (d->waiter != NULL && is_through(d))
		return hand_over(d);
	return NULL;
}

static inline void
begin(struct evdeferred *d)
{
	evdefer_base_enter_(d->base);
	set_flags(d, EVDEFERRED_RUNNING);
}

/* Goes on with d, which was begun, and with all that wait for it, as far as
 * they can go. */
static void
run_on(struct evdeferred *d)
{
	struct evdefer_base *base = d->base;

	for (;;) {
		run_links(d);
		clear_flags(d, EVDEFERRED_RUNNING);
		d = finish(d);
		if (d == NULL)
			break;
		set_flags(d, EVDEFERRED_RUNNING);
	}
	evdefer_base_leave_(base);
}

static void
run(struct evdeferred *d)
{
	begin(d);
	run_on(d);
}

static bool
is_stack_full(const struct evdeferred *d)
{
	return d->base->depth >= EVDEFER_BASE_MAX_DEPTH;
}

/* Runs what can run by now: at once, or where that would be nested too deeply,
 * from the queue. */
static void
deliver(struct evdeferred *d)
{
	if (!is_idle(d) || (d->flags & EVDEFERRED_FREED))
		return;
	if (d->links == NULL && d->waiter == NULL &&
	    !(d->flags & EVDEFERRED_DETACHED) &&
	    !evresult_is_deferred_(d->u.result))
		return;
	if (!is_stack_full(d)) {
		run(d);
		return;
	}
	queue(d);
}

void
evdeferred_deliver_(struct evdeferred *d)
{
	deliver(d);
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
	set_flags(d, EVDEFERRED_DETACHED);
}

void
evdeferred_run_queued_(struct evdeferred *d)
{
	clear_flags(d, EVDEFERRED_QUEUED);
	if (is_idle(d))
		run(d);
}

/*
 * Making and firing.
 */

struct evdeferred *
evdeferred_new(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg)
{
	struct evdeferred *d;

	if (base == NULL) {
		errno = EINVAL;
		return NULL;
	}
	evdefer_base_check_(base);
	d = evdeferred_make_(base, 0);
	if (d == NULL)
		return NULL;
	d->u.canceller.fn = canceller;
	d->u.canceller.arg = arg;
	return d;
}

/* Fires d, which has not fired. */
static void
fire(struct evdeferred *d, struct evresult result)
{
	d->u.result = result;
	set_flags(d, EVDEFERRED_FIRED);
	if (evresult_is_deferred_(result)) {
		/* Also where it is paused or has to queue: a cancel goes on to
		 * the one that it waits for. */
		set_flags(d, EVDEFERRED_RUNNING);
		settle(d);
		clear_flags(d, EVDEFERRED_RUNNING);
		if (is_over(d) && !(d->flags & EVDEFERRED_PINNED)) {
			reap(d);
			return;
		}
	}
	deliver(d);
}

void
evdeferred_keep_(struct evdeferred *d)
{
	set_flags(d, EVDEFERRED_PRIVATE);
}

void
evdeferred_produce_(struct evdeferred *d, struct evresult result)
{
	clear_flags(d, EVDEFERRED_PRIVATE);
	fire(d, evresult_take_(result));
}

struct evdeferred *
evdeferred_fired(struct evdefer_base *base, struct evresult result)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	if (d != NULL)
		fire(d, evresult_take_(result));
	return d;
}

struct evdeferred *
evdeferred_succeed(struct evdefer_base *base, void *value)
{
	return evdeferred_fired(base, evresult_value(value));
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
	fire(d, evresult_vfail_(file, line, NULL, code, format, args));
	va_end(args);
	return d;
}

struct evdeferred *
evdeferred_maybe(struct evdefer_base *base, evdeferred_body_fn body, void *arg)
{
	struct evdeferred *d;

	if (body == NULL) {
		errno = EINVAL;
		return NULL;
	}
	d = evdeferred_new(base, NULL, NULL);
	if (d != NULL)
		fire(d, evresult_take_(body(arg)));
	return d;
}

/* Is it one that has not fired, and that a part of the library alone may fire:
 * that is so for those in the queue of a lock? */
static bool
is_private(const struct evdeferred *d)
{
	return !(d->flags & EVDEFERRED_FIRED) &&
	       ((d->flags & EVDEFERRED_PRIVATE) || !evlist_empty_(&d->node));
}

/* Whether it takes a result; -1 with errno if not. */
static inline int
check_fire(const struct evdeferred *d)
{
	if (d == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if ((d->flags & EVDEFERRED_FIRED) && !(d->flags & EVDEFERRED_LATE)) {
		errno = EALREADY;
		return -1;
	}
	if (is_private(d)) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
evdeferred_fire(struct evdeferred *d, struct evresult result)
{
	if (check_fire(d) == -1)
		return -1;
	if (!(d->flags & EVDEFERRED_FIRED)) {
		fire(d, evresult_take_(result));
		return 0;
	}
	clear_flags(d, EVDEFERRED_LATE);
	/* Before the user's function, which may free d as well. */
	collect(d);
	evresult_dispose(result);
	return 0;
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

void
evdeferred_fire_chained_(struct evdeferred *d, struct evresult result)
{
	clear_flags(d, EVDEFERRED_CHAINED);
	if (!(d->flags & EVDEFERRED_FIRED)) {
		fire(d, result);
		return;
	}
	collect(d);
	evresult_dispose(result);
}

/*
 * The consumer's side.
 */

static inline int
append(struct evdeferred *d, const struct evlink *link)
{
	if (evlink_append_(d, link) == -1)
		return -1;
	if (d->flags & EVDEFERRED_FIRED)
		deliver(d);
	return 0;
}

static inline int
add(struct evdeferred *d, const struct evlink *link)
{
	evdefer_base_check_(d->base);
	/* A link that can run at once need not be kept. */
	if (!is_through(d) || is_stack_full(d))
		return append(d, link);
	begin(d);
	evlink_run_(link, d);
	run_on(d);
	return 0;
}

int
evdeferred_add_callbacks(struct evdeferred *d, evdeferred_callback_fn callback,
    evdeferred_errback_fn errback, void *arg)
{
	const struct evlink link = {
	    .kind = EVLINK_CALLBACKS, .u.fns = {callback, errback}, .arg = arg};

	if (d == NULL || (callback == NULL && errback == NULL)) {
		errno = EINVAL;
		return -1;
	}
	return add(d, &link);
}

/* Would a callback be called at once, with the plain value that is there?  That
 * is so for the grant of a lock that was free, if it delivers fast. */
static inline bool
can_call(const struct evdeferred *d)
{
	return is_idle(d) && d->links == NULL && !is_stack_full(d) &&
	       evresult_is_plain_(d->u.result);
}

int
evdeferred_add_callback(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	struct evdefer_base *base;

	if (d == NULL || callback == NULL || !can_call(d))
		return evdeferred_add_callbacks(d, callback, NULL, arg);
	evdefer_base_check_(d->base);
	base = d->base;
	begin(d);
	d->u.result = callback(d->u.result.data, arg);
	/* Nothing more has come of it, mostly. */
	if (d->u.result.dispose == NULL && d->links == NULL &&
	    d->waiter == NULL &&
	    d->flags == (EVDEFERRED_FIRED | EVDEFERRED_RUNNING)) {
		d->flags = EVDEFERRED_FIRED;
		evdefer_base_leave_(base);
		return 0;
	}
	d->u.result = evresult_take_(d->u.result);
	run_on(d);
	return 0;
}

int
evdeferred_add_errback(
    struct evdeferred *d, evdeferred_errback_fn errback, void *arg)
{
	return evdeferred_add_callbacks(d, NULL, errback, arg);
}

int
evdeferred_add_both(struct evdeferred *d, evdeferred_both_fn both, void *arg)
{
	const struct evlink link = {
	    .kind = EVLINK_BOTH, .u.both = both, .arg = arg};

	if (d == NULL || both == NULL) {
		errno = EINVAL;
		return -1;
	}
	return add(d, &link);
}

int
evdeferred_add_with_(struct evdeferred *d, evrwlock_body_fn body, void *arg)
{
	const struct evlink link = {
	    .kind = EVLINK_WITH, .u.body = body, .arg = arg};

	/* Never run directly: it needs the memory of a link. */
	return append(d, &link);
}

void
evdeferred_start_coro_(struct evdeferred *d, struct evcoro *co)
{
	const struct evlink link = {.kind = EVLINK_CORO, .u.coro = co};

	evlink_append_(d, &link);
	fire(d, evresult_value(NULL));
}

int
evdeferred_chain(struct evdeferred *d, struct evdeferred *other)
{
	const struct evlink link = {.kind = EVLINK_CHAIN, .u.other = other};

	if (d == NULL || other == NULL || d == other ||
	    d->base != other->base) {
		errno = EINVAL;
		return -1;
	}
	if (other->flags & EVDEFERRED_CHAINED) {
		errno = EBUSY;
		return -1;
	}
	if (other->flags & EVDEFERRED_FIRED) {
		errno = EALREADY;
		return -1;
	}
	if (is_private(other)) {
		errno = EPERM;
		return -1;
	}
	set_flags(other, EVDEFERRED_CHAINED);
	if (add(d, &link) == 0)
		return 0;
	clear_flags(other, EVDEFERRED_CHAINED);
	return -1;
}

int
evdeferred_pause(struct evdeferred *d)
{
	if (d == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if ((d->flags & EVDEFERRED_PAUSES) == EVDEFERRED_PAUSES) {
		errno = EOVERFLOW;
		return -1;
	}
	d->flags += EVDEFERRED_PAUSE;
	return 0;
}

int
evdeferred_unpause(struct evdeferred *d)
{
	if (d == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if (!is_paused(d)) {
		errno = EPERM;
		return -1;
	}
	d->flags -= EVDEFERRED_PAUSE;
	deliver(d);
	return 0;
}

void
evdeferred_cancel(struct evdeferred *d)
{
	struct evcoro *co;

	if (d == NULL)
		return;
	evdefer_base_check_(d->base);
	co = coro_of(d);
	while (d->flags & EVDEFERRED_WAITING) {
		d = d->u.result.data;
		if (coro_of(d) != NULL)
			co = coro_of(d);
	}
	if (d->flags & EVDEFERRED_FIRED) {
		/* A coroutine is not through with its first result. */
		if (co != NULL)
			co->cancelled = true;
		return;
	}
	/* Its canceller is at work. */
	if (d->flags & EVDEFERRED_PINNED)
		return;
	/* A combination fires with what its parts answer. */
	if (d->u.canceller.fn == evcombine_leave_ &&
	    evcombine_cancel_(d->u.canceller.arg))
		return;
	set_flags(d, EVDEFERRED_PINNED);
	call_off(d);
	if (!(d->flags & EVDEFERRED_FIRED))
		fire(d, evresult_fixed_(EVFAILURE_CANCELLED));
	unpin(d);
}

static void
expire(struct evtimeout *timeout)
{
	evdeferred_cancel(timeout->deferred);
}

int
evdeferred_add_timeout(struct evdeferred *d, const struct timeval *timeout)
{
	struct evlink link = {.kind = EVLINK_TIMEOUT};

	if (d == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if (evtimeout_check_(d->base, timeout) == -1)
		return -1;
	if (is_through(d))
		return 0;
	/* First what can be kept if the rest fails. */
	if (evpool_reserve_(&d->base->links, 1) == -1)
		return -1;
	link.u.timeout = evtimeout_start_(d, timeout, expire);
	if (link.u.timeout == NULL)
		return -1;
	return add(d, &link);
}
