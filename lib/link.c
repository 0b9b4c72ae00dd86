/* SPDX-License-Identifier: MIT */
/*
 * The chain of a Deferred: how its links are added, run and dropped.
 */
#include "link-internal.h"

/*
 * Running.
 */

static void
run_pair(const struct evlink *link, struct evdeferred *d)
{
	struct evresult result;

	if (!evresult_is_failure_(d->u.result)) {
		if (link->callback == NULL)
			return;
		result = evlink_take_(d);
		d->u.result = evresult_take_(
		    link->callback(evresult_receive_(result), link->arg));
		return;
	}
	if (link->errback == NULL)
		return;
	result = evlink_take_(d);
	d->u.result = evresult_take_(link->errback(result.data, link->arg));
	evfailure_unref(result.data);
}

/* Unlike a callback, it may pass on the grant that it is given. */
static void
call_both_with_grant(evdeferred_both_fn both, void *arg, struct evdeferred *d)
{
	struct evresult result = evlink_take_(d);
	struct evgrant *grant = result.data;

	grant->type->lend(grant);
	d->u.result = evresult_take_(both(result, arg));
	grant->type->end_loan(grant);
}

void
evlink_call_both_(evdeferred_both_fn both, void *arg, struct evdeferred *d)
{
	struct evresult result, lent;

	if (evresult_is_grant_(d->u.result)) {
		call_both_with_grant(both, arg, d);
		return;
	}
	result = evlink_take_(d);
	if (!evresult_is_failure_(result)) {
		d->u.result = evresult_take_(both(result, arg));
		return;
	}
	lent = evresult_of_kind_(EVRESULT_LENT, result.data);
	d->u.result = evresult_take_(both(lent, arg));
	evfailure_unref(result.data);
}

void
evlink_run_(const struct evlink *link, struct evdeferred *d)
{
	evlink_check_grant_(d);
	/* If a link runs again, a cancel of its wait may still be under way. */
	if (!evresult_is_failure_(d->u.result) &&
	    !(d->flags & EVDEFERRED_RESUMES))
		evdeferred_clear_(d, EVDEFERRED_CALLED_OFF);
	if (link->type == NULL)
		run_pair(link, d);
	else
		link->type->run(link, d);
}

void
evlink_drop_all_(struct evdeferred *d)
{
	struct evlink link;

	while (d->links != NULL) {
		link = evlink_pop_(d);
		if (link.type != NULL && link.type->drop != NULL)
			link.type->drop(&link, d);
	}
}

/*
 * A both function.
 */

static void
run_both(const struct evlink *link, struct evdeferred *d)
{
	evlink_call_both_(link->both, link->arg, d);
}

static const struct evlink_type both_link = {run_both, NULL};

/*
 * A value that is disposed of in the end.
 */

static void
end_finally(const struct evlink *link, struct evdeferred *d)
{
	const struct evresult held = {link->arg, link->dispose};

	(void)d;
	evresult_dispose(held);
}

const struct evlink_type evlink_finally_ = {end_finally, end_finally};

/*
 * The link that fires another Deferred.  If that one is freed, or fired by somebody
 * else, the link is left with disposing of the result that comes to it.  Behind
 * another link of this kind no result can come, so there it goes, too: any number of
 * Deferreds may come and go in the chain of one that lives long.  To go it has to
 * know the link before it.
 */

static void
fire_other(struct evdeferred *other, struct evresult result)
{
	if (other == NULL) {
		evresult_dispose(result);
		return;
	}
	evdeferred_clear_(other, EVDEFERRED_CHAINED);
	evdeferred_fire_(other, result);
}

static void
run_chain(const struct evlink *link, struct evdeferred *d)
{
	fire_other(link->object, evlink_take_(d));
}

static void
drop_chain(const struct evlink *link, struct evdeferred *d)
{
	(void)d;
	fire_other(link->object, evresult_fixed_(EVFAILURE_CANCELLED));
}

static const struct evlink_type chain_link = {run_chain, drop_chain};

static int
append_chain(struct evdeferred *d, struct evdeferred *other)
{
	struct evlink *prev = d->links;
	struct evlink *link = evlink_append_(d);

	if (link == NULL)
		return -1;
	link->type = &chain_link;
	link->object = other;
	link->prev = prev; /* not used if it is the first */
	other->chain.from = d;
	other->chain.link = link;
	evdeferred_set_(other, EVDEFERRED_CHAINED);
	return 0;
}

static void
remove_chain(struct evdeferred *d, struct evlink *link)
{
	struct evlink *prev = link->prev;

	prev->next = link->next;
	if (d->links == link)
		d->links = prev;
	else if (link->next->type == &chain_link)
		link->next->prev = prev;
	evpool_put_(&d->base->links, link);
}

void
evlink_leave_chain_(struct evdeferred *other)
{
	struct evdeferred *d = other->chain.from;
	struct evlink *link = other->chain.link;

	evdeferred_clear_(other, EVDEFERRED_CHAINED);
	link->object = NULL;
	if (link != d->links->next && link->prev->type == &chain_link)
		remove_chain(d, link);
}

/*
 * Adding.
 */

void
evlink_push_(struct evdeferred *d, const struct evlink *link)
{
	struct evlink *first = evpool_get_(&d->base->links);

	assert(first != NULL);
	evlink_copy_(first, link);
	if (d->links == NULL) {
		first->next = first;
		d->links = first;
		return;
	}
	first->next = d->links->next;
	d->links->next = first;
	if (first->next->type == &chain_link)
		first->next->prev = first;
}

static inline void
deliver_if_fired(struct evdeferred *d)
{
	if (d->flags & EVDEFERRED_FIRED)
		evdeferred_deliver_(d);
}

int
evlink_add_kept_(struct evdeferred *d, const struct evlink *link)
{
	struct evlink *last = evlink_append_(d);

	if (last == NULL)
		return -1;
	evlink_copy_(last, link);
	deliver_if_fired(d);
	return 0;
}

/* Would a new link run at once?  Then it need not be kept. */
static bool
runs_at_once(const struct evdeferred *d)
{
	return evdeferred_is_complete_(d) && !evdeferred_is_stack_full_(d);
}

static void
run_at_once(struct evdeferred *d, const struct evlink *link)
{
	evdeferred_begin_(d);
	evlink_run_(link, d);
	evdeferred_run_on_(d);
}

int
evlink_add_(struct evdeferred *d, const struct evlink *link)
{
	evdefer_base_check_(d->base);
	if (!runs_at_once(d))
		return evlink_add_kept_(d, link);
	run_at_once(d, link);
	return 0;
}

/* Would a callback be called at once if the result is a plain value?  For the caller
 * to see. */
static inline bool
calls_at_once(const struct evdeferred *d)
{
	return evdeferred_can_run_(d) && !evdeferred_is_stack_full_(d);
}

static EVDEFER_NOINLINE_ int
call_at_once(struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	evdefer_base_check_(d->base);
	evdeferred_call_(d, callback, arg);
	return 0;
}

static EVDEFER_NOINLINE_ int
add_slowly(struct evdeferred *d, evdeferred_callback_fn callback,
    evdeferred_errback_fn errback, void *arg)
{
	const struct evlink link = {
	    .callback = callback, .errback = errback, .arg = arg};

	return evlink_add_(d, &link);
}

/* The same for what may be a grant.  One that is received is a plain value from then
 * on. */
static EVDEFER_NOINLINE_ int
call_with_grant(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	struct evgrant *grant = d->u.result.data;

	if (!evresult_is_grant_(d->u.result) || grant->value == NULL)
		return add_slowly(d, callback, NULL, arg);
	evdefer_base_check_(d->base);
	d->u.result = evresult_value(grant->type->receive(grant));
	evdeferred_call_(d, callback, arg);
	return 0;
}

/* Has it not fired, and is there memory for a link? */
static inline bool
can_append(const struct evdeferred *d)
{
	return !(d->flags & EVDEFERRED_FIRED) &&
	       !evpool_is_empty_(&d->base->links);
}

static inline int
append_pair(struct evdeferred *d, evdeferred_callback_fn callback,
    evdeferred_errback_fn errback, void *arg)
{
	struct evlink *link = evlink_append_(d);

	link->type = NULL;
	link->callback = callback;
	link->errback = errback;
	link->arg = arg;
	return 0;
}

int
evdeferred_add_callbacks(struct evdeferred *d, evdeferred_callback_fn callback,
    evdeferred_errback_fn errback, void *arg)
{
	if (d == NULL || (callback == NULL && errback == NULL))
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(d->base);
	if (!can_append(d))
		return add_slowly(d, callback, errback, arg);
	return append_pair(d, callback, errback, arg);
}

int
evdeferred_add_callback(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg)
{
	if (d == NULL || callback == NULL)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(d->base);
	if (can_append(d))
		return append_pair(d, callback, NULL, arg);
	/* The usual case with a lock that was free, if it delivers fast. */
	if (!calls_at_once(d))
		return add_slowly(d, callback, NULL, arg);
	if (evresult_is_plain_(d->u.result))
		return call_at_once(d, callback, arg);
	return call_with_grant(d, callback, arg);
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
	    .type = &both_link, .both = both, .arg = arg};

	if (d == NULL || both == NULL)
		return evdefer_refuse_(EINVAL);
	return evlink_add_(d, &link);
}

/* Its argument is freed by another link behind it, when that is reached or
 * dropped. */
static int
add_owned(
    struct evdeferred *d, const struct evlink *link, void (*free_arg)(void *))
{
	struct evlink *last;

	if (free_arg == NULL)
		return evlink_add_(d, link);
	evdefer_base_check_(d->base);
	if (evpool_reserve_(&d->base->links, 2) == -1)
		return -1;
	evlink_copy_(evlink_append_(d), link);
	last = evlink_append_(d);
	last->type = &evlink_finally_;
	last->arg = link->arg;
	last->dispose = free_arg;
	deliver_if_fired(d);
	return 0;
}

int
evdeferred_add_callbacks_owned(struct evdeferred *d,
    evdeferred_callback_fn callback, evdeferred_errback_fn errback, void *arg,
    void (*free_arg)(void *arg))
{
	const struct evlink link = {
	    .callback = callback, .errback = errback, .arg = arg};

	if (d == NULL || (callback == NULL && errback == NULL))
		return evdefer_refuse_(EINVAL);
	return add_owned(d, &link, free_arg);
}

int
evdeferred_add_both_owned(struct evdeferred *d, evdeferred_both_fn both,
    void *arg, void (*free_arg)(void *arg))
{
	const struct evlink link = {
	    .type = &both_link, .both = both, .arg = arg};

	if (d == NULL || both == NULL)
		return evdefer_refuse_(EINVAL);
	return add_owned(d, &link, free_arg);
}

/* Why other can't be fired by a link of d, or 0. */
static int
chain_refusal(const struct evdeferred *d, const struct evdeferred *other)
{
	if (d == NULL || other == NULL || d == other || d->base != other->base)
		return EINVAL;
	if (other->flags & EVDEFERRED_CHAINED)
		return EBUSY;
	if (other->flags & EVDEFERRED_FIRED)
		return EALREADY;
	return other->flags & EVDEFERRED_PRIVATE ? EPERM : 0;
}

int
evdeferred_chain(struct evdeferred *d, struct evdeferred *other)
{
	const struct evlink link = {.type = &chain_link, .object = other};
	const int error = chain_refusal(d, other);

	if (error != 0)
		return evdefer_refuse_(error);
	evdefer_base_check_(d->base);
	if (runs_at_once(d)) {
		run_at_once(d, &link);
		return 0;
	}
	if (append_chain(d, other) == -1)
		return -1;
	deliver_if_fired(d);
	return 0;
}
