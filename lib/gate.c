/* SPDX-License-Identifier: MIT */
#include "gate-internal.h"

#include <errno.h>

#include "result-internal.h"
#include "timeout-internal.h"

static void
deliver_first(struct evgate *gate)
{
	struct evdeferred *d = EVLIST_ELEMENT(
	    evlist_pop_(&gate->granted), struct evdeferred, node);

	gate->undelivered--;
	gate->type->deliver(gate, d);
}

static void
deliver_ready(struct evready *ready)
{
	struct evgate *gate = EVLIST_ELEMENT(ready, struct evgate, ready);

	/* They take turns: one with many waiters does not hold up another. */
	evlist_remove_(&ready->node);
	if (gate->undelivered > 1)
		evlist_append_(&gate->base->ready, &ready->node);
	deliver_first(gate);
}

int
evgate_check_new_(const struct evdefer_base *base, unsigned flags)
{
	if (base == NULL || (flags & ~EVGATE_FAST) != 0) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(base);
	if (evdefer_base_closed_(base)) {
		errno = ESHUTDOWN;
		return -1;
	}
	return 0;
}

void
evgate_init_(struct evgate *gate, const struct evgate_type *type,
    struct evdefer_base *base, unsigned flags)
{
	evdefer_base_use_(base);
	evlist_init_(&gate->ready.node);
	gate->ready.deliver = deliver_ready;
	evlist_init_(&gate->granted);
	gate->undelivered = 0;
	gate->base = base;
	gate->type = type;
	gate->busy = 0;
	gate->fast = (flags & EVGATE_FAST) != 0;
	gate->closed = false;
}

static void
collect(struct evgate *gate)
{
	struct evdefer_base *base = gate->base;

	if (!gate->closed || gate->busy > 0 || gate->undelivered > 0 ||
	    gate->type->is_held(gate))
		return;
	gate->type->destroy(gate);
	evdefer_base_unuse_(base);
}

void
evgate_close_(struct evgate *gate)
{
	evdefer_base_check_(gate->base);
	gate->closed = true;
	gate->busy++;
	gate->type->fail_waiters(gate);
	gate->busy--;
	collect(gate);
}

void
evgate_withdraw_(struct evgate *gate, struct evdeferred *d)
{
	evlist_remove_(&d->node);
	if (--gate->undelivered == 0)
		evlist_remove_(&gate->ready.node);
}

static void
hand_out_now(struct evgate *gate)
{
	evlist_remove_(&gate->ready.node);
	gate->busy++;
	while (gate->undelivered > 0)
		deliver_first(gate);
	gate->busy--;
}

/* What all of these nest too deeply is bounded together: it is one call. */
static void
hand_out_first(struct evgate *gate)
{
	evdefer_base_enter_(gate->base);
	hand_out_now(gate);
	evdefer_base_leave_(gate->base);
}

void
evgate_hand_out_(struct evgate *gate)
{
	if (gate->fast || evdefer_base_closed_(gate->base)) {
		if (gate->base->depth > 0)
			hand_out_now(gate);
		else
			hand_out_first(gate);
		return;
	}
	if (gate->undelivered > 0 && evlist_empty_(&gate->ready.node))
		evdefer_base_make_ready_(gate->base, &gate->ready);
}

void
evgate_changed_(struct evgate *gate)
{
	if (!gate->closed) {
		gate->busy++;
		gate->type->admit(gate);
		evgate_hand_out_(gate);
		gate->busy--;
	}
	collect(gate);
}

struct evdeferred *
evgate_refuse_(struct evgate *gate)
{
	return evdeferred_new_fired(
	    gate->base, evresult_fixed_(EVFAILURE_SHUT_DOWN));
}

void
evgate_fail_all_(struct evlist *list, size_t *count)
{
	while (!evlist_empty_(list)) {
		--*count;
		evdeferred_produce_(
		    EVLIST_ELEMENT(evlist_pop_(list), struct evdeferred, node),
		    evresult_fixed_(EVFAILURE_SHUT_DOWN));
	}
}

enum { WAITING, GRANTED };

void
evgate_line_init_(struct evgate_line *line)
{
	evlist_init_(&line->list);
	line->length = 0;
	line->longest = 0;
}

void
evgate_line_wait_(struct evgate_line *line, struct evdeferred *d)
{
	d->ticket = WAITING;
	evlist_append_(&line->list, &d->node);
	if (++line->length > line->longest)
		line->longest = line->length;
}

static void
grant(struct evgate *gate, struct evdeferred *d)
{
	d->ticket = GRANTED;
	evgate_grant_(gate, d);
}

void
evgate_line_pass_(struct evgate *gate, struct evdeferred *d)
{
	grant(gate, d);
	evgate_hand_out_(gate);
}

void
evgate_line_grant_(struct evgate *gate, struct evgate_line *line)
{
	line->length--;
	grant(gate,
	    EVLIST_ELEMENT(evlist_pop_(&line->list), struct evdeferred, node));
}

bool
evgate_line_leave_(
    struct evgate *gate, struct evgate_line *line, struct evdeferred *d)
{
	if (d->ticket == GRANTED) {
		evgate_withdraw_(gate, d);
		return true;
	}
	evlist_remove_(&d->node);
	line->length--;
	return false;
}

int
evgate_check_with_(const struct evgate *gate, const struct timeval *patience,
    evdeferred_body_fn body)
{
	if (body == NULL ||
	    (patience != NULL && !evtimeout_is_valid_(patience))) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(gate->base);
	return 0;
}

struct evdeferred *
evgate_with_(struct evdeferred *acquired, const struct timeval *patience,
    evdeferred_body_fn body, void *arg)
{
	if (acquired == NULL)
		return NULL;
	/* The link of the timeout is before that of the body, and ends with the
	 * wait.  On a closed base there is nothing to wait for. */
	if ((patience == NULL || evdefer_base_closed_(acquired->base) ||
		evdeferred_add_timeout(acquired, patience) == 0) &&
	    evdeferred_add_with_(acquired, body, arg) == 0)
		return acquired;
	evdeferred_free(acquired);
	errno = ENOMEM;
	return NULL;
}
