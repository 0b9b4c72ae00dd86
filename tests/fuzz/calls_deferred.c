/* SPDX-License-Identifier: MIT */
/* The calls on Deferreds, among them those that concern what is at work. */
#include "calls.h"

/* A link for what the Deferred fires with by itself. */
void
put_with(struct evdeferred *d, evdeferred_callback_fn first, struct link *link)
{
	struct slot *slot;

	if (d == NULL)
		return;
	link->d = d;
	slot = put(d, evdeferred_add_callback(d, first, link) == -1);
	slot->leaf = first == granted;
	slot->combined = first == got_results && !w.of_leaves;
}

/* One whose own function runs: that may return it. */
void
put_body(struct evdeferred *d, struct link *link)
{
	link->d = d;
	put(d, false);
}

void
call_new(void)
{
	struct evdeferred **producer = &w.producers[next() % SLOTS];
	struct evdeferred *old = *producer;
	struct evdeferred *d;

	if (old != NULL) {
		*producer = NULL;
		evdeferred_callback(old, NULL);
	}
	d = evdeferred_new(w.base, next() % 2 ? canceller : NULL, NULL);
	if (d == NULL)
		return;
	while (*producer != NULL) {
		old = *producer;
		*producer = NULL;
		evdeferred_callback(old, NULL);
	}
	*producer = d;
	put(d, false);
}

void
call_fire(void)
{
	struct evdeferred **producer = &w.producers[next() % SLOTS];
	struct evdeferred *d = *producer;
	struct evresult result;

	if (d == NULL)
		return;
	result = some_result(d);
	/* What ran for that may have fired it, or had it cancelled. */
	if (*producer != d) {
		evresult_dispose(result);
		return;
	}
	*producer = NULL;
	MUST(evdeferred_fire(d, result) == 0);
}

void
call_fired(void)
{
	struct evresult result = some_result(NULL);
	struct evdeferred *d = evdeferred_new_fired(w.base, result);

	if (d == NULL)
		evresult_dispose(result);
	put(d, false);
}

void
call_add(void)
{
	struct slot *slot = some_slot();
	struct link *link;

	if (slot == NULL || slot->raw)
		return;
	link = new_link(VALUE, -1);
	link->d = slot->d;
	slot->leaf = false;
	switch (next() % 4) {
	case 0:
		evdeferred_add_callback(slot->d, received, link);
		break;
	case 1:
		evdeferred_add_errback(slot->d, failed, link);
		break;
	case 2:
		evdeferred_add_callbacks(slot->d, received, failed, link);
		break;
	case 3:
		evdeferred_add_both(slot->d, either, link);
		break;
	}
}

void
call_free(void)
{
	struct slot *slot = some_slot();

	if (slot != NULL)
		free_deferred(take(slot));
}

/* Two Deferreds that chain() makes wait for one another can't be let go:
 * nothing would ever fire them.  So a program has one of the two calls. */
void
call_detach_or_chain(void)
{
	struct slot *slot = some_slot();
	struct slot *other;
	struct evdeferred *d, **producer;

	if (slot == NULL)
		return;
	if (w.detaches) {
		evdeferred_detach(take(slot));
		return;
	}
	other = some_slot();
	if (other == NULL || slot->raw || other->raw)
		return;
	/* The link is the producer then, and may fire it at once. */
	d = other->d;
	producer = forget(d);
	if (evdeferred_chain(slot->d, d) == 0)
		return;
	if (producer != NULL)
		*producer = d;
	MUST(errno == EINVAL || errno == EALREADY || errno == EPERM ||
	     errno == EBUSY || errno == ENOMEM);
}

void
call_pause(void)
{
	struct slot *slot = some_slot();

	if (slot == NULL || slot->pauses == 8)
		return;
	MUST(evdeferred_pause(slot->d) == 0);
	slot->pauses++;
}

void
call_unpause(void)
{
	struct slot *slot = some_slot();

	if (slot == NULL)
		return;
	if (slot->pauses == 0) {
		MUST(evdeferred_unpause(slot->d) == -1 && errno == EPERM);
		return;
	}
	slot->pauses--;
	MUST(evdeferred_unpause(slot->d) == 0);
}

void
call_cancel(void)
{
	struct slot *slot = some_slot();

	if (slot != NULL)
		evdeferred_cancel(slot->d);
}

void
call_timeout(void)
{
	const struct timeval timeout = {next() % 4, 0};
	struct slot *slot = some_slot();

	if (slot != NULL)
		evdeferred_add_timeout(slot->d, &timeout);
}

void
call_later(void)
{
	const struct timeval delay = {next() % 4, 0};
	struct link *link = new_link(VALUE, -1);

	put_body(evdeferred_later(w.base, &delay, body, link), link);
}

void
call_maybe(void)
{
	struct link *link = new_link(VALUE, -1);

	put_body(evdeferred_maybe(w.base, body, link), link);
}

void
call_coroutine(void)
{
	struct link *link = new_link(VALUE, -1);

	put_body(evcoro_start(w.base, &link->coro, coroutine, link,
		     w.links % 2 ? coroutine_over : NULL),
	    link);
}

void
call_describe(void)
{
	struct slot *slot = some_slot();
	char text[80];

	if (slot != NULL)
		MUST(evdeferred_describe(slot->d, text, next() % 80) > 0);
	if (w.locks[0] != NULL)
		MUST(evrwlock_describe(w.locks[0], text, sizeof(text)) > 0);
}

/* If a part comes to wait for its own combination nobody notices, and neither is
 * ever fired or freed.  So in some programs the parts can't wait for anything, and
 * in the others nothing waits for a combination. */
static struct slot *
some_part(void)
{
	struct slot *slot = some_slot();

	return slot == NULL || (w.of_leaves && !slot->leaf) ? NULL : slot;
}

void
call_combine(void)
{
	struct evdeferred *inputs[4];
	const unsigned kind = next() % 3;
	const size_t wanted = next() % 5;
	const unsigned flags = next() % 16;
	const bool twice = next() % 8 == 0;
	struct link *link = new_link(VALUE, -1);
	struct evdeferred *d;
	struct slot *slot;
	size_t i, count = 0;

	for (i = 0; i < wanted && count < 4; i++) {
		slot = some_part();
		if (slot == NULL)
			continue;
		link->opaque |= slot->raw;
		inputs[count++] = take(slot);
	}
	if (twice && count > 0 && count < 4) {
		inputs[count] = inputs[0];
		count++;
		link->opaque = true;
	}
	/* Without any it may never fire: not to be let go then. */
	if (count == 0)
		return;
	if (kind == 0)
		d = evdeferred_list(w.base, inputs, count, flags);
	else if (kind == 1)
		d = evdeferred_gather(w.base, inputs, count,
		    flags & (EVDEFERRED_LIST_CONSUME_ERRORS |
				EVDEFERRED_LIST_CANCEL_ON_ERROR));
	else
		d = evdeferred_race(w.base, inputs, count);
	if (d != NULL) {
		put_with(d, got_results, link);
		return;
	}
	MUST(errno == ENOMEM);
	for (i = 0; i < count; i++)
		if (i == 0 || inputs[i] != inputs[0])
			free_deferred(inputs[i]);
}

/*
 * Calls that concern what is at work.
 */

static struct slot *
slot_at_work(void)
{
	size_t i;

	for (i = 0; w.at != NULL && i < SLOTS; i++)
		if (w.slots[i].d == w.at)
			return &w.slots[i];
	return NULL;
}

void
call_free_own(void)
{
	struct slot *slot = slot_at_work();

	if (slot != NULL)
		free_deferred(take(slot));
}

void
call_cancel_own(void)
{
	struct slot *slot = slot_at_work();

	if (slot != NULL)
		evdeferred_cancel(slot->d);
}

void
call_detach_own(void)
{
	struct slot *slot = slot_at_work();

	if (slot != NULL && w.detaches)
		evdeferred_detach(take(slot));
}

void
call_free_again(void)
{
	if (w.gone > 0)
		evdeferred_free(w.going[next() % (unsigned)w.gone]);
	evresults_free(w.results);
}

static void
link_goes(void *arg)
{
	const struct link *link = arg;

	calls_of(link->d, next() % 2);
}

void
call_add_owned(void)
{
	struct slot *slot = some_slot();
	struct link *link;

	if (slot == NULL || slot->raw)
		return;
	link = new_link(VALUE, -1);
	link->d = slot->d;
	slot->leaf = false;
	if (next() % 2)
		evdeferred_add_both_owned(slot->d, either, link, link_goes);
	else
		evdeferred_add_callbacks_owned(
		    slot->d, received, failed, link, link_goes);
}

void
call_timeout_both(void)
{
	const struct timeval timeout = {next() % 4, 0};
	struct slot *slot = some_slot();
	struct link *link;

	if (slot == NULL || slot->raw)
		return;
	link = new_link(VALUE, -1);
	link->d = slot->d;
	slot->leaf = false;
	evdeferred_add_timeout_both(slot->d, &timeout, either, link);
}

void
call_cancel_going(void)
{
	if (w.gone > 0)
		evdeferred_cancel(w.going[next() % (unsigned)w.gone]);
}
