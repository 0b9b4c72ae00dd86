/* SPDX-License-Identifier: MIT */
#include "body-internal.h"

#include "link-internal.h"

/* Those of a base. */
struct bodies {
	struct evdefer_base_part part;
	struct evpool pool;
};

struct evbody {
	struct evlist node; /* in source->bodies while it runs */
	struct bodies *of;
	struct evlock *lock;
	evdeferred_body_fn fn;
	void *arg;

	/* While it runs. */
	struct evdeferred *d; /* that it gives its result to */
	struct evresult grant;
	bool lost;
};

static void
init_bodies(struct evdefer_base_part *part)
{
	evpool_init_(&EVLIST_ELEMENT(part, struct bodies, part)->pool,
	    sizeof(struct evbody));
}

static void
destroy_bodies(struct evdefer_base_part *part)
{
	evpool_destroy_(&EVLIST_ELEMENT(part, struct bodies, part)->pool);
}

static const struct evdefer_base_part_type bodies_type = {
    sizeof(struct bodies), init_bodies, NULL, destroy_bodies};

struct evbody *
evbody_new_(struct evlock *lock, evdeferred_body_fn fn, void *arg)
{
	struct evdefer_base_part *part =
	    evdefer_base_get_part_(lock->queue.base, &bodies_type);
	struct bodies *bodies;
	struct evbody *body;

	if (part == NULL)
		return NULL;
	bodies = EVLIST_ELEMENT(part, struct bodies, part);
	body = evpool_get_(&bodies->pool);
	if (body == NULL)
		return NULL;
	evlist_init_(&body->node);
	body->of = bodies;
	body->lock = lock;
	body->fn = fn;
	body->arg = arg;
	body->lost = false;
	return body;
}

void
evbody_free_(struct evbody *body)
{
	evlist_remove_(&body->node);
	evpool_put_(&body->of->pool, body);
}

/*
 * Its end.
 */

static void
drop_running(const struct evlink *link, struct evdeferred *d)
{
	struct evbody *body = link->object;
	const struct evresult grant = body->grant;

	(void)d;
	evbody_free_(body);
	evresult_dispose(grant);
}

static void
fail_as_lost(struct evdeferred *d)
{
	evresult_dispose(evlink_take_(d));
	d->u.result = evresult_fixed_(EVFAILURE_LOST);
}

static void
end_running(const struct evlink *link, struct evdeferred *d)
{
	const struct evbody *body = link->object;

	if (body->lost) {
		/* If the body has not taken it, it is for nobody else. */
		evdeferred_clear_(d, EVDEFERRED_CANCEL);
		fail_as_lost(d);
	}
	drop_running(link, d);
}

static const struct evlink_type running_link = {end_running, drop_running};

/*
 * Its start.
 */

static void
run_under_right(const struct evlink *link, struct evdeferred *d)
{
	struct evbody *body = link->object;
	const struct evlink running = {.type = &running_link, .object = body};

	if (evresult_is_failure_(d->u.result)) {
		evbody_free_(body);
		return;
	}
	if (evlock_is_lost_(body->lock)) {
		evbody_free_(body);
		fail_as_lost(d);
		return;
	}
	body->d = d;
	body->grant = evlink_take_(d);
	evlist_append_(&body->lock->source->bodies, &body->node);
	evlink_push_(d, &running);
	d->u.result = evresult_take_(body->fn(body->arg));
}

static void
drop_waiting(const struct evlink *link, struct evdeferred *d)
{
	(void)d;
	evbody_free_(link->object);
}

static const struct evlink_type body_link = {run_under_right, drop_waiting};

struct evlink
evbody_link_(struct evbody *body)
{
	const struct evlink link = {.type = &body_link, .object = body};

	return link;
}

/*
 * The loss.
 */

/* What the body waits for, however deep; a function of its own that runs right now, or
 * that is held back, takes the cancel at the next wait. */
static void
call_off_body(struct evdeferred *d)
{
	const unsigned waits = EVDEFERRED_FIRED | EVDEFERRED_WAITING;
	struct evdeferred *inner = d;

	while ((inner->flags & waits) == waits)
		inner = inner->u.result.data;
	if (inner->flags & EVDEFERRED_FIRED)
		evdeferred_set_(inner, EVDEFERRED_CANCEL);
	else
		evdeferred_cancel(d->u.result.data);
}

/* All of them know before anybody is called. */
static void
mark_all(struct evlist *bodies)
{
	struct evlist *node, *next;
	struct evbody *body;

	for (node = bodies->next; node != bodies; node = next) {
		next = node->next;
		body = EVLIST_ELEMENT(node, struct evbody, node);
		body->lost = !evresult_is_taken_back_(body->grant);
		/* Its owner was freed, and the lock given back by that. */
		if (!body->lost)
			evlist_remove_(node);
	}
}

void
evbody_lose_all_(struct evsource *source)
{
	struct evlist lost;

	mark_all(&source->bodies);
	evlist_init_(&lost);
	if (!evlist_empty_(&source->bodies))
		evlist_join_(&lost, &source->bodies);
	while (!evlist_empty_(&lost))
		call_off_body(
		    EVLIST_ELEMENT(evlist_pop_(&lost), struct evbody, node)->d);
}
