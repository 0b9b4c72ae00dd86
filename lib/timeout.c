/* SPDX-License-Identifier: MIT */
#include "timeout-internal.h"

#include <sys/time.h>
#include <time.h>

#include "base-internal.h"
#include "link-internal.h"

/* Longer than any process runs; added to the time of day it does not overflow. */
#define LONGEST_SECONDS (sizeof(time_t) > 4 ? INT32_MAX : 1 << 28)

/* A tick of the wheel, in nanoseconds.  What ends within one ends with it. */
#define TICK UINT64_C(1000000)

/* All of a base. */
struct evtimers {
	struct evdefer_base_part part;
	struct evalarm alarm; /* when something is to be done here */
	struct evready ready; /* in the ready queue while there may be */
	/* Durations of 0, which no tick should delay: those that this turn may expire,
	 * and those that were asked for since it began. */
	struct evlist at_once;
	struct evlist asked;
	uint64_t due; /* the last tick that was over when the turn began */
	struct evpool pool;
	struct evwheel wheel; /* all others */
};

static struct evtimeout *
timeout_of(struct evlist *node)
{
	return EVLIST_ELEMENT(node, struct evtimeout, place.node);
}

static uint64_t
first_tick(const struct evlist *list)
{
	return timeout_of(list->next)->place.tick;
}

/* For the alarm. */
static uint64_t
time_of(uint64_t tick)
{
	return tick == EVWHEEL_NEVER ? EVALARM_NEVER : tick * TICK;
}

static uint64_t
next_look(const struct evtimers *timers)
{
	if (!evlist_empty_(&timers->at_once))
		return time_of(first_tick(&timers->at_once));
	if (!evlist_empty_(&timers->asked))
		return time_of(first_tick(&timers->asked));
	return time_of(evwheel_next_(&timers->wheel));
}

/*
 * The turn.
 */

/* Takes the first that is over, if it is found in this step.  Whether that was all to
 * be done: it may be that none is over. */
static bool
take_first(struct evtimers *timers, struct evtimeout **first)
{
	const bool some_at_once = !evlist_empty_(&timers->at_once);
	const bool done = evwheel_step_(&timers->wheel,
	    some_at_once ? first_tick(&timers->at_once) : timers->due);
	struct evwheel_node *taken = evwheel_take_(&timers->wheel);

	*first = NULL;
	if (taken != NULL)
		*first = EVLIST_ELEMENT(taken, struct evtimeout, place);
	else if (some_at_once && done)
		*first = timeout_of(evlist_pop_(&timers->at_once));
	return done && *first == NULL;
}

static void
expire(struct evtimeout *timeout)
{
	struct evdeferred *d = timeout->deferred;

	timeout->expired = true;
	if (!timeout->fires) {
		evdeferred_time_out_(d);
		return;
	}
	evtimeout_stop_(timeout);
	evdeferred_produce_(d, evresult_value(NULL));
}

static void
expire_first(struct evready *ready)
{
	struct evtimers *timers = EVLIST_ELEMENT(ready, struct evtimers, ready);
	struct evtimeout *timeout;
	const bool all = take_first(timers, &timeout);

	/* The turn that is under way looks at it when it ends. */
	timers->alarm.time = next_look(timers);
	evlist_remove_(&ready->node);
	if (all)
		return;
	/* Timeouts take turns with whatever else is ready. */
	evlist_append_(&timers->part.base->ready, &ready->node);
	if (timeout != NULL)
		expire(timeout);
}

/* A turn begins: what is over by now is to be delivered. */
static void
ring_timers(struct evalarm *alarm, uint64_t now)
{
	struct evtimers *timers = EVLIST_ELEMENT(alarm, struct evtimers, alarm);

	timers->due = now / TICK;
	if (!evlist_empty_(&timers->asked))
		evlist_join_(&timers->at_once, &timers->asked);
	if (evlist_empty_(&timers->ready.node))
		evlist_append_(&timers->part.base->ready, &timers->ready.node);
}

static void
init_timers(struct evdefer_base_part *part)
{
	struct evtimers *timers = EVLIST_ELEMENT(part, struct evtimers, part);

	evlist_init_(&timers->ready.node);
	evlist_init_(&timers->at_once);
	evlist_init_(&timers->asked);
	evwheel_init_(&timers->wheel);
	timers->ready.deliver = expire_first;
	timers->alarm.ring = ring_timers;
	evdefer_base_add_alarm_(part->base, &timers->alarm);
	evpool_init_(&timers->pool, sizeof(struct evtimeout));
}

static void
close_timers(struct evdefer_base_part *part)
{
	struct evtimers *timers = EVLIST_ELEMENT(part, struct evtimers, part);
	struct evtimeout *timeout;

	/* As if time had come to its end. */
	ring_timers(&timers->alarm, UINT64_MAX);
	while (!take_first(timers, &timeout)) {
		/* Nobody else will ever fire it. */
		if (timeout != NULL && timeout->fires)
			evdeferred_cancel(timeout->deferred);
	}
}

static void
destroy_timers(struct evdefer_base_part *part)
{
	struct evtimers *timers = EVLIST_ELEMENT(part, struct evtimers, part);

	evpool_destroy_(&timers->pool);
}

static const struct evdefer_base_part_type timers_type = {
    sizeof(struct evtimers), init_timers, close_timers, destroy_timers};

/* NULL with ENOMEM. */
static struct evtimers *
timers_of(struct evdefer_base *base)
{
	struct evdefer_base_part *part =
	    evdefer_base_get_part_(base, &timers_type);

	return part != NULL ? EVLIST_ELEMENT(part, struct evtimers, part)
			    : NULL;
}

/*
 * One timeout.
 */

int
evtimeout_check_(
    const struct evdefer_base *base, const struct timeval *duration)
{
	if (duration == NULL || duration->tv_sec < 0 || duration->tv_usec < 0 ||
	    duration->tv_usec >= 1000000)
		return evdefer_refuse_(EINVAL);
	if (evdefer_base_closed_(base))
		return evdefer_refuse_(ESHUTDOWN);
	return 0;
}

static uint64_t
nanoseconds(const struct timeval *duration)
{
	const uint64_t seconds = duration->tv_sec > LONGEST_SECONDS
				     ? LONGEST_SECONDS
				     : (uint64_t)duration->tv_sec;

	return seconds * UINT64_C(1000000000) +
	       (uint64_t)duration->tv_usec * 1000;
}

/* Puts it where it is found when it is over.  Whether next_look() may have changed. */
static bool
put_in_order(
    struct evtimers *timers, struct evtimeout *timeout, uint64_t duration)
{
	const uint64_t now = evdefer_base_now_();

	if (duration == 0) {
		timeout->place.tick = now / TICK;
		evlist_append_(&timers->asked, &timeout->place.node);
		return true;
	}
	/* Nothing is to be done before: what starts is sorted as seen from here. */
	if (now < timers->alarm.time)
		evwheel_skip_(&timers->wheel, now / TICK);
	return evwheel_add_(&timers->wheel, &timeout->place,
	    (now + duration + TICK - 1) / TICK);
}

struct evtimeout *
evtimeout_start_(
    struct evdeferred *d, const struct timeval *duration, bool fires)
{
	struct evtimers *timers = timers_of(d->base);
	struct evtimeout *timeout;
	uint64_t look;

	if (timers == NULL)
		return NULL;
	timeout = evpool_get_(&timers->pool);
	if (timeout == NULL)
		return NULL;
	d->base->timeouts++;
	timeout->timers = timers;
	timeout->deferred = d;
	timeout->fires = fires;
	timeout->expired = false;
	look = timers->alarm.time;
	if (put_in_order(timers, timeout, nanoseconds(duration)))
		look = next_look(timers);
	if (evdefer_base_set_alarm_(d->base, &timers->alarm, look) == 0)
		return timeout;
	evtimeout_stop_(timeout);
	return evdefer_refuse_new_(ENOMEM);
}

/* libevent may lack memory for the next turn, where others have taken the place of
 * its event in the heap.  That is tried again whenever a timeout starts or stops. */
bool
evtimeout_stop_(struct evtimeout *timeout)
{
	struct evtimers *timers = timeout->timers;
	struct evdefer_base *base = timers->part.base;
	const bool expired = timeout->expired;
	uint64_t look = timers->alarm.time;

	if (evwheel_remove_(&timers->wheel, &timeout->place))
		look = next_look(timers);
	evpool_put_(&timers->pool, timeout);
	base->timeouts--;
	evdefer_base_set_alarm_(base, &timers->alarm, look);
	return expired;
}

/*
 * The link that ends it.
 */

static void
run_timeout(const struct evlink *link, struct evdeferred *d)
{
	struct evresult result = d->u.result;

	if (!evtimeout_stop_(link->object) ||
	    !(d->flags & EVDEFERRED_TIMED_OUT))
		return;
	if (link->instead != NULL) {
		evlink_call_both_(link->instead, link->arg, d);
		return;
	}
	if (!evresult_is_failure_(result) ||
	    evfailure_get_code(result.data) != ECANCELED)
		return;
	d->u.result = evresult_fixed_(EVFAILURE_TIMED_OUT);
	evfailure_unref(result.data);
}

static void
drop_timeout(const struct evlink *link, struct evdeferred *d)
{
	(void)d;
	evtimeout_stop_(link->object);
}

static const struct evlink_type timeout_link = {run_timeout, drop_timeout};

int
evdeferred_add_timeout_both(struct evdeferred *d, const struct timeval *timeout,
    evdeferred_both_fn both, void *arg)
{
	struct evtimeout *started;
	struct evlink *link;

	if (d == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(d->base);
	if (evtimeout_check_(d->base, timeout) == -1)
		return -1;
	if (evdeferred_is_complete_(d))
		return 0;
	/* Before the rest, since it can stay if that fails. */
	if (evpool_reserve_one_(&d->base->links) == -1)
		return -1;
	started = evtimeout_start_(d, timeout, false);
	if (started == NULL)
		return -1;
	link = evlink_append_(d);
	link->type = &timeout_link;
	link->object = started;
	link->instead = both;
	link->arg = arg;
	/* A cancel that came before is not one of this wait. */
	evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	if (d->flags & EVDEFERRED_FIRED)
		evdeferred_deliver_(d);
	return 0;
}

int
evdeferred_add_timeout(struct evdeferred *d, const struct timeval *timeout)
{
	return evdeferred_add_timeout_both(d, timeout, NULL, NULL);
}
