/* SPDX-License-Identifier: MIT */
#include "base-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

#include "creation-internal.h"
#include "deferred-internal.h"
#include "link-internal.h"

void
evdefer_base_wrong_thread_(void)
{
	fputs("evdefer: called from a thread that does not own the base\n",
	    stderr);
	abort();
}

uint64_t
evdefer_base_now_(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)now.tv_nsec;
}

/* The number of priorities may change while the event_base is set up. */
static int
priority_now(const struct evdefer_base *base)
{
	const int count = event_base_get_npriorities(base->event_base);

	if (base->priority < 0)
		return count / 2;
	return base->priority < count ? base->priority : count - 1;
}

static void
set_turn_priority(struct evdefer_base *base)
{
	const int priority = priority_now(base);

	/* An active event keeps its priority: then the next time sets it. */
	if (base->turn_priority != priority &&
	    event_priority_set(base->turn, priority) == 0)
		base->turn_priority = priority;
}

static int
set_turn(struct evdefer_base *base, const struct timeval *delay)
{
	set_turn_priority(base);
	base->is_set = event_add(base->turn, delay) == 0;
	return base->is_set ? 0 : -1;
}

/* A timeout of 0 is due after the next poll.  An event that is made active would
 * run in the same pass as the callback that we are in, before that poll. */
static void
schedule(struct evdefer_base *base)
{
	static const struct timeval now = {0, 0};

	if (base->due == EVDEFER_BASE_AT_ONCE)
		return;
	base->due = EVDEFER_BASE_AT_ONCE;
	/* Only the timer heap needs memory.  Without it the poll is left out,
	 * but no delivery is lost. */
	if (set_turn(base, &now) == -1)
		event_active(base->turn, EV_TIMEOUT, 1);
}

/* For what a poll has brought: there was one, and here is no need of another. */
static void
schedule_in_this_pass(struct evdefer_base *base)
{
	if (base->due == EVDEFER_BASE_AT_ONCE)
		return;
	base->due = EVDEFER_BASE_AT_ONCE;
	set_turn_priority(base);
	event_active(base->turn, EV_TIMEOUT, 1);
}

/*
 * libevent counts from its last poll, and may come early: then the turn finds
 * nothing that is over, and asks for another one.  Even where an earlier turn comes
 * anyway, the event is put into libevent's heap now: it keeps its place there, and
 * needs no memory when it is set again.
 */
static int
wake_at(struct evdefer_base *base, uint64_t time)
{
	uint64_t now, us;
	struct timeval delay = {0, 0};

	if (evdefer_base_closed_(base) || (base->due <= time && base->is_set))
		return 0;
	if (base->due > time) {
		now = evdefer_base_now_();
		us = time > now ? (time - now + 999) / 1000 : 0;
		delay.tv_sec = (time_t)(us / 1000000);
		delay.tv_usec = (suseconds_t)(us % 1000000);
	}
	if (set_turn(base, &delay) == -1)
		return evdefer_refuse_(ENOMEM);
	if (base->due > time)
		base->due = time;
	return 0;
}

static void
unset_turn(struct evdefer_base *base)
{
	base->due = EVALARM_NEVER;
	if (base->is_set)
		event_del(base->turn);
	base->is_set = false;
}

static uint64_t
earliest(const struct evdefer_base *base)
{
	const struct evalarm *alarm;
	uint64_t time = EVALARM_NEVER;

	for (alarm = base->alarms; alarm != NULL; alarm = alarm->next) {
		if (alarm->time < time)
			time = alarm->time;
	}
	return time;
}

void
evdefer_base_add_alarm_(struct evdefer_base *base, struct evalarm *alarm)
{
	alarm->time = EVALARM_NEVER;
	alarm->next = base->alarms;
	base->alarms = alarm;
}

int
evdefer_base_change_alarm_(
    struct evdefer_base *base, struct evalarm *alarm, uint64_t time)
{
	alarm->time = time;
	time = earliest(base);
	if (time != EVALARM_NEVER)
		return wake_at(base, time);
	/* A turn that is due at once delivers something, and has to come. */
	if (base->due != EVDEFER_BASE_AT_ONCE)
		unset_turn(base);
	return 0;
}

struct evdefer_base_part *
evdefer_base_find_part_(
    struct evdefer_base *base, const struct evdefer_base_part_type *type)
{
	struct evdefer_base_part *part;

	for (part = base->parts; part != NULL; part = part->next) {
		if (part->type == type)
			return part;
	}
	part = calloc(1, type->size);
	if (part == NULL)
		return evdefer_refuse_new_(ENOMEM);
	part->type = type;
	part->base = base;
	part->next = base->parts;
	base->parts = part;
	type->init(part);
	return part;
}

static bool
deliver_nested(struct evdefer_base *base)
{
	if (evlist_empty_(&base->nested))
		return false;
	evdeferred_run_queued_(EVLIST_ELEMENT(
	    evlist_pop_(&base->nested), struct evdeferred, node));
	return true;
}

static bool
deliver_first_ready(struct evdefer_base *base)
{
	struct evready *ready;

	if (evlist_empty_(&base->ready))
		return false;
	ready = EVLIST_ELEMENT(base->ready.next, struct evready, node);
	ready->deliver(ready);
	return true;
}

/* Neither queue holds up the other, however much comes in, if each is first in
 * turn. */
static bool
deliver_one(struct evdefer_base *base, bool nested_first)
{
	if (nested_first)
		return deliver_nested(base) || deliver_first_ready(base);
	return deliver_first_ready(base) || deliver_nested(base);
}

/* Puts what is in one list, if anything, behind what is in another. */
static void
move(struct evlist *to, struct evlist *from)
{
	if (!evlist_empty_(from))
		evlist_join_(to, from);
}

/* What a turn may still take.  Rounds and deliveries are both bounded: a round may
 * have nothing to run, or make deliveries that nest. */
struct budget {
	int left; /* rounds */
	int until_look; /* how often has_time() says yes before it looks at the clock */
	int step;      /* what that begins with after the next look */
	uint64_t last; /* as base->deliveries */
	uint64_t end;  /* by the clock */
};

/* A look at the clock costs as much as a short delivery.  The first ones come
 * soon, in case that callbacks take long. */
#define LONGEST_STEP 8

static bool
has_time(struct budget *budget)
{
	if (budget->until_look-- > 0)
		return true;
	if (budget->step < LONGEST_STEP)
		budget->step *= 2;
	budget->until_look = budget->step - 1;
	return evdefer_base_now_() < budget->end;
}

/* Was event_base_loopbreak() called?  That stays so until the loop runs again. */
static bool
has_broken(const struct evdefer_base *base)
{
	return event_base_got_break(base->event_base);
}

/* Once the base is closed no other turn will come. */
static bool
may_go_on(struct evdefer_base *base, struct budget *budget)
{
	if (evdefer_base_closed_(base))
		return true;
	return budget->left > 0 && base->deliveries < budget->last &&
	       has_time(budget) && !has_broken(base);
}

/* Not entered with evdefer_base_enter_(), whose end would run all that has nested
 * too deeply: here that counts as well. */
static void
run_turn(struct evdefer_base *base, uint64_t now)
{
	struct budget budget = {EVDEFER_BASE_BATCH, 1, 1,
	    base->deliveries + EVDEFER_BASE_BATCH, now + EVDEFER_BASE_TURN_NS};

	base->depth++;
	move(&base->nested, &base->left);
	while (deliver_one(base, budget.left-- % 2 == 0) &&
	       may_go_on(base, &budget))
		continue;
	move(&base->left, &base->nested);
	base->depth--;
}

static void
set_next_turn(struct evdefer_base *base)
{
	uint64_t time;

	base->due = EVALARM_NEVER;
	if (!evlist_empty_(&base->left) || !evlist_empty_(&base->ready)) {
		schedule(base);
		return;
	}
	time = earliest(base);
	if (time == EVALARM_NEVER)
		unset_turn(base);
	else
		wake_at(base, time);
}

static void
ring_alarms(struct evdefer_base *base, uint64_t now)
{
	struct evalarm *alarm;

	for (alarm = base->alarms; alarm != NULL; alarm = alarm->next) {
		if (alarm->time <= now)
			alarm->ring(alarm, now);
	}
}

/* There is one between two polls.  Until it ends none is asked for. */
static void
turn(evutil_socket_t fd, short what, void *arg)
{
	struct evdefer_base *base = arg;
	const uint64_t now = evdefer_base_now_();

	(void)fd;
	(void)what;
	evdefer_base_check_(base);
	base->due = EVDEFER_BASE_AT_ONCE;
	base->is_set = false;
	evdefer_base_look_for_tracers_(base);
	ring_alarms(base, now);
	run_turn(base, now);
	if (!evdefer_base_closed_(base))
		set_next_turn(base);
	evdefer_base_collect_(base);
}

/* 0, or an errno code and none is left. */
static int
make_events(struct evdefer_base *base)
{
	int error;

	base->turn = evtimer_new(base->event_base, turn, base);
	if (base->turn == NULL)
		return ENOMEM;
	if (evcalls_init_(base) == 0)
		return 0;
	error = errno;
	event_free(base->turn);
	return error;
}

static void
prepare_deferred(struct evpool *pool, void *object)
{
	struct evdeferred *d = object;

	d->base = EVLIST_ELEMENT(pool, struct evdefer_base, deferreds);
	d->waiter = NULL;
	d->links = NULL;
}

static void
init_deferreds(struct evdefer_base *base)
{
	const size_t size = sizeof(struct evdeferred);

	evpool_init_prepared_(&base->deferreds,
	    base->debug ? size + sizeof(struct evcreation) : size,
	    offsetof(struct evdeferred, u), prepare_deferred);
}

struct evdefer_base *
evdefer_base_new(struct event_base *event_base)
{
	struct evdefer_base *base;
	int error;

	if (event_base == NULL)
		return evdefer_refuse_new_(EINVAL);
	base = calloc(1, sizeof(*base));
	if (base == NULL)
		return evdefer_refuse_new_(ENOMEM);
	base->event_base = event_base;
	error = make_events(base);
	if (error != 0) {
		free(base);
		return evdefer_refuse_new_(error);
	}

	base->users = 1; /* until evdefer_base_free() */
	base->thread = pthread_self();
	evlist_init_(&base->ready);
	evlist_init_(&base->nested);
	evlist_init_(&base->left);
	evlist_init_(&base->plains);
	base->plain = true;
	base->due = EVALARM_NEVER;
	base->priority = base->turn_priority = -1;
	init_deferreds(base);
	evpool_init_(&base->links, sizeof(struct evlink));
	evpool_init_(&base->results, sizeof(struct evresult_node));
	evunhandled_init_(base);
	return base;
}

void
evdefer_base_free(struct evdefer_base *base)
{
	struct evdefer_base_part *part;

	/* A second time, from a callback that the first call runs. */
	if (base == NULL || evdefer_base_closed_(base))
		return;
	evdefer_base_check_(base);
	base->event_base = NULL;
	base->remaining = evpool_count_used_(&base->deferreds);
	base->unfinished = true;
	evdefer_base_set_plain_(base);
	base->due = EVDEFER_BASE_AT_ONCE; /* none will come */
	event_free(base->turn);
	evunhandled_leave_loop_(base);
	for (part = base->parts; part != NULL; part = part->next) {
		if (part->type->close != NULL)
			part->type->close(part);
	}
	/* After the threads that it has waited for. */
	evcalls_close_(base);
	base->depth++;
	move(&base->nested, &base->left);
	while (deliver_one(base, true))
		continue;
	base->depth--;
	evdefer_base_unuse_(base);
}

void
evdefer_base_destroy_unused_(struct evdefer_base *base)
{
	struct evdefer_base_part *part;

	if (base->users > 0 || base->depth > 0 || base->remaining > 0)
		return;
	while ((part = base->parts) != NULL) {
		base->parts = part->next;
		if (part->type->destroy != NULL)
			part->type->destroy(part);
		free(part);
	}
	evcalls_destroy_(&base->calls);
	evpool_destroy_(&base->results);
	evpool_destroy_(&base->links);
	evpool_destroy_(&base->deferreds);
	free(base);
}

void
evdefer_base_count_out_(struct evdefer_base *base)
{
	base->remaining--;
	evdefer_base_destroy_unused_(base);
}

struct event_base *
evdefer_base_get_event_base(const struct evdefer_base *base)
{
	return base != NULL ? base->event_base : NULL;
}

int
evdefer_base_set_priority(struct evdefer_base *base, int priority)
{
	if (base == NULL || priority < 0)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	if (evdefer_base_closed_(base))
		return evdefer_refuse_(ESHUTDOWN);
	if (priority >= event_base_get_npriorities(base->event_base))
		return evdefer_refuse_(EINVAL);
	base->priority = priority;
	return 0;
}

void
evdefer_base_set_thread(struct evdefer_base *base)
{
	if (base != NULL)
		base->thread = pthread_self();
}

int
evdefer_base_set_debug(struct evdefer_base *base, bool on)
{
	struct evpool *pool, before;

	if (base == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	if (base->debug == on)
		return 0;
	pool = &base->deferreds;
	if (evpool_count_used_(pool) > 0)
		return evdefer_refuse_(EBUSY);
	if (on && !evcreation_works_())
		return evdefer_refuse_(ENOTSUP);
	before = *pool;
	base->debug = on;
	init_deferreds(base);
	/* What was reserved stays so. */
	if (evpool_reserve_(pool, before.total) == -1) {
		base->debug = !on;
		*pool = before;
		return -1;
	}
	evpool_destroy_(&before);
	evdefer_base_set_plain_(base);
	return 0;
}

int
evdefer_base_reserve(struct evdefer_base *base, size_t deferreds, size_t links)
{
	if (base == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	if (evpool_reserve_(&base->deferreds, deferreds) == -1)
		return -1;
	return evpool_reserve_(&base->links, links);
}

/*
 * For the outermost delivery, which is still on the stack.  What it has caused is
 * bounded by number alone: how much a call has run before it returns must not
 * depend on how busy the machine is.
 */
static void
run_nested(struct evdefer_base *base)
{
	const uint64_t last = base->deliveries + EVDEFER_BASE_BATCH;
	const bool broken = !evdefer_base_closed_(base) && has_broken(base);

	while (!evlist_empty_(&base->nested)) {
		if (!evdefer_base_closed_(base) &&
		    (base->deliveries >= last || has_broken(base) != broken)) {
			move(&base->left, &base->nested);
			schedule(base);
			return;
		}
		deliver_nested(base);
	}
}

EVDEFER_NOINLINE_ void
evdefer_base_finish_(struct evdefer_base *base)
{
	base->depth++;
	run_nested(base);
	base->depth--;
	base->unfinished = evdefer_base_closed_(base);
	evdefer_base_collect_(base);
}

void
evdefer_base_make_ready_(struct evdefer_base *base, struct evready *ready)
{
	evlist_append_(&base->ready, &ready->node);
	schedule(base);
}

void
evdefer_base_make_polled_ready_(
    struct evdefer_base *base, struct evready *ready)
{
	evlist_append_(&base->ready, &ready->node);
	schedule_in_this_pass(base);
}
