/* SPDX-License-Identifier: MIT */
#include "waitqueue-internal.h"

#include "link-internal.h"
#include "result-internal.h"
#include "timeout-internal.h"
#include "with-internal.h"

static void
deliver_first(struct evwaitqueue *queue)
{
	struct evdeferred *d = EVLIST_ELEMENT(
	    evlist_pop_(&queue->granted), struct evdeferred, node);

	if (--queue->undelivered == 0)
		evlist_remove_(&queue->ready.node);
	queue->type->deliver(queue, d);
}

static void
deliver_ready(struct evready *ready)
{
	struct evwaitqueue *queue =
	    EVLIST_ELEMENT(ready, struct evwaitqueue, ready);

	/* Wait queues take turns: one with many waiters does not hold up another. */
	if (queue->undelivered > 1) {
		evlist_remove_(&ready->node);
		evlist_append_(&queue->base->ready, &ready->node);
	}
	deliver_first(queue);
}

int
evwaitqueue_check_new_(const struct evdefer_base *base, unsigned flags)
{
	if (base == NULL || (flags & ~EVWAITQUEUE_FAST) != 0)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	if (evdefer_base_closed_(base))
		return evdefer_refuse_(ESHUTDOWN);
	return 0;
}

void
evwaitqueue_init_(struct evwaitqueue *queue,
    const struct evwaitqueue_type *type, struct evdefer_base *base,
    unsigned flags)
{
	evdefer_base_use_(base);
	evlist_init_(&queue->ready.node);
	queue->ready.deliver = deliver_ready;
	evlist_init_(&queue->granted);
	queue->undelivered = 0;
	queue->base = base;
	queue->type = type;
	queue->users = 0;
	queue->fast = (flags & EVWAITQUEUE_FAST) != 0;
	queue->closed = false;
	queue->ways.number = ++base->last_queue;
	queue->ways.special = queue->ways.has_source = false;
	evlist_append_(&base->plains, &queue->ways.node);
	evdefer_base_update_plain_(base, &queue->ways);
}

void
evwaitqueue_take_long_ways_(struct evwaitqueue *queue)
{
	queue->ways.special = true;
	evdefer_base_update_plain_(queue->base, &queue->ways);
}

/* For one that is closed; with a function of its own, the others need no look at the
 * rest. */
static EVDEFER_NOINLINE_ void
collect_queue(struct evwaitqueue *queue)
{
	struct evdefer_base *base = queue->base;

	if (queue->users > 0 || queue->undelivered > 0 ||
	    (queue->type->is_held != NULL && queue->type->is_held(queue)))
		return;
	evlist_remove_(&queue->ways.node);
	queue->type->destroy(queue);
	evdefer_base_unuse_(base);
}

void
evwaitqueue_close_(struct evwaitqueue *queue)
{
	evdefer_base_check_(queue->base);
	queue->closed = true;
	evwaitqueue_take_long_ways_(queue);
	evwaitqueue_fail_(queue);
}

void
evwaitqueue_fail_(struct evwaitqueue *queue)
{
	queue->users++;
	queue->type->fail_waiters(queue);
	/* The end of an owner may have let in some, and not told them yet. */
	evwaitqueue_hand_out_(queue);
	queue->users--;
	evwaitqueue_changed_(queue);
}

void
evwaitqueue_withdraw_(struct evwaitqueue *queue, struct evdeferred *d)
{
	evlist_remove_(&d->node);
	if (--queue->undelivered == 0)
		evlist_remove_(&queue->ready.node);
}

static void
hand_out_now(struct evwaitqueue *queue)
{
	queue->users++;
	while (queue->undelivered > 0)
		deliver_first(queue);
	queue->users--;
}

/* As one delivery, so that there is one bound for all that these nest too deeply. */
static void
hand_out_first(struct evwaitqueue *queue)
{
	evdefer_base_enter_(queue->base);
	hand_out_now(queue);
	evdefer_base_leave_(queue->base);
}

static void
have_loop_hand_out(struct evwaitqueue *queue)
{
	if (queue->undelivered > 0 && evlist_empty_(&queue->ready.node))
		evdefer_base_make_ready_(queue->base, &queue->ready);
}

/* With a function of its own, the way through the loop needs no frame. */
static EVDEFER_NOINLINE_ void
hand_out_at_once(struct evwaitqueue *queue)
{
	if (queue->base->depth > 0)
		hand_out_now(queue);
	else
		hand_out_first(queue);
}

void
evwaitqueue_hand_out_(struct evwaitqueue *queue)
{
	if (queue->fast || evdefer_base_closed_(queue->base))
		hand_out_at_once(queue);
	else
		have_loop_hand_out(queue);
}

void
evwaitqueue_catch_up_(struct evwaitqueue *queue)
{
	queue->type->admit(queue);
	have_loop_hand_out(queue);
}

int
evwaitqueue_changed_(struct evwaitqueue *queue)
{
	queue->users++;
	queue->type->admit(queue);
	if (!queue->closed)
		evwaitqueue_hand_out_(queue);
	queue->users--;
	if (queue->closed)
		collect_queue(queue);
	return 0;
}

struct evdeferred *
evwaitqueue_refuse_(struct evwaitqueue *queue)
{
	return evdeferred_new_fired(
	    queue->base, evresult_fixed_(EVFAILURE_SHUT_DOWN));
}

int
evwaitqueue_check_with_(const struct evwaitqueue *queue,
    const struct timeval *patience, evdeferred_body_fn body)
{
	if (body == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(queue->base);
	/* On a closed base nothing waits, so that any patience will do. */
	if (patience == NULL || evtimeout_check_(queue->base, patience) == 0 ||
	    errno == ESHUTDOWN)
		return 0;
	return -1;
}

/* Was it granted last of all, and not told yet?  The queue is there if it has not
 * fired. */
static bool
is_last_granted(const struct evwaitqueue *queue, const struct evdeferred *d)
{
	return !(d->flags & EVDEFERRED_FIRED) &&
	       queue->granted.prev == &d->node;
}

struct evdeferred *
evwaitqueue_with_link_(struct evwaitqueue *queue, struct evdeferred *acquired,
    const struct timeval *patience, const struct evlink *link)
{
	if (acquired == NULL)
		return NULL;
	if (evdefer_base_closed_(acquired->base) ||
	    is_last_granted(queue, acquired))
		patience = NULL;
	/* The link of the timeout comes before that of the body, so that it ends
	 * with the wait. */
	if ((patience == NULL ||
		evdeferred_add_timeout(acquired, patience) == 0) &&
	    evlink_add_kept_(acquired, link) == 0)
		return acquired;
	evdeferred_free(acquired);
	return evdefer_refuse_new_(ENOMEM);
}

struct evdeferred *
evwaitqueue_with_(struct evwaitqueue *queue, struct evdeferred *acquired,
    const struct timeval *patience, evdeferred_body_fn body, void *arg)
{
	const struct evlink link = {
	    .type = &evlink_with_, .body = body, .arg = arg};

	if (acquired != NULL && acquired->flags == EVDEFERRED_FIRED &&
	    !evresult_is_failure_(acquired->u.result) &&
	    evdeferred_may_run_body_(acquired->base))
		return evdeferred_run_body_(acquired, body, arg);
	return evwaitqueue_with_link_(queue, acquired, patience, &link);
}
