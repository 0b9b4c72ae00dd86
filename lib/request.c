/* SPDX-License-Identifier: MIT */
/*
 * Acquire, try and release for owners.  An owner that holds a lock may get it again,
 * and one that would wait for itself is told so.
 */
#include "request-internal.h"

#include <string.h>

#include "link-internal.h"
#include "observed-internal.h"
#include "owner-internal.h"

/*
 * From state to state.
 */

static inline struct evlist *
list_of(struct evrequest *request, enum evrequest_state state)
{
	const bool is_nowhere =
	    state == EVREQUEST_GRANTED || state == EVREQUEST_OVER ||
	    (state == EVREQUEST_DELIVERED && request->is_part);

	if (request->hold == NULL || is_nowhere)
		return NULL;
	return state == EVREQUEST_WAITING
		   ? &request->hold->waiting[request->mode]
		   : &request->hold->delivered;
}

void
evrequest_take_back_(struct evrequest *request)
{
	evlist_remove_(&request->node);
	request->hold = NULL;
	request->grant.value = NULL;
}

static void
move_to(struct evrequest *request, enum evrequest_state state)
{
	struct evlist *from = list_of(request, request->state);
	struct evlist *to = list_of(request, state);

	request->state = state;
	if (state == EVREQUEST_OVER) {
		evrequest_take_back_(request);
		return;
	}
	if (to == from)
		return;
	evlist_remove_(&request->node);
	if (to != NULL)
		evlist_append_(to, &request->node);
}

static const struct evgrant_type grant_of_owner;

static struct evhold *
hold_around(struct evrequest *request)
{
	return EVLIST_ELEMENT(request, struct evhold, own);
}

static void
unref_request(struct evrequest *request)
{
	struct evholds *holds = request->holds;

	if (--request->refs > 0)
		return;
	if (!request->is_part)
		evpool_put_(&holds->requests, request);
	else if (hold_around(request)->owner == NULL)
		evhold_put_(holds, hold_around(request));
	else
		return;
	evdefer_base_unuse_(holds->part.base);
}

/* No result names it any more, unless it is lent to a function. */
static void
end_request(struct evrequest *request)
{
	move_to(request, EVREQUEST_OVER);
	unref_request(request);
}

/*
 * What waits.
 */

static struct evrequest *
first_request(const struct evowner *owner)
{
	return EVLIST_ELEMENT(
	    owner->requests.next, struct evrequest, owner_node);
}

/* Of an owner that waits for something else as well, a search for cycles has to look at
 * a request in the queue of its lock if it may hold back others. */
static bool
may_block(const struct evrequest *request)
{
	return request->mode != EVMODE_READ ||
	       !evwaitqueue_is_plain_(&request->lock->queue);
}

static bool
came_before(const struct evdeferred *d, const struct evdeferred *other)
{
	return (int32_t)(d->ticket - other->ticket) < 0;
}

/* They stand in the order of their tickets.  To find its place costs no more than the
 * search that comes next may, as this one waits in the same queue. */
static void
add_older_blocker(struct evrequest *request)
{
	struct evlist *list = &request->lock->blockers, *node = list;
	const struct evrequest *last;

	if (!may_block(request))
		return;
	for (; node->prev != list; node = node->prev) {
		last = EVLIST_ELEMENT(
		    node->prev, const struct evrequest, blocker_node);
		if (!came_before(request->d, last->d))
			break;
	}
	evlist_append_(node, &request->blocker_node);
}

/* One beside that of the hold.  NULL with ENOMEM. */
static EVDEFER_NOINLINE_ struct evrequest *
make_request(struct evholds *holds)
{
	struct evrequest *request = evpool_get_(&holds->requests);

	if (request == NULL)
		return NULL;
	evdefer_base_use_(holds->part.base);
	evrequest_init_(request, holds, false);
	request->grant.type = &grant_of_owner;
	return request;
}

static inline void
begin_request(struct evrequest *request, struct evhold *hold, enum evmode mode,
    enum evrequest_state state)
{
	request->grant.value = hold->lock;
	request->hold = hold;
	request->mode = mode;
	request->state = state;
	request->refs = 1;
}

/* NULL with ENOMEM. */
static inline struct evrequest *
new_request(struct evhold *hold, enum evmode mode, enum evrequest_state state)
{
	struct evrequest *request = &hold->own;
	struct evlist *list;

	if (request->refs > 0)
		request = make_request(hold->owner->table);
	if (request == NULL)
		return NULL;
	begin_request(request, hold, mode, state);
	list = list_of(request, state);
	if (list != NULL)
		evlist_append_(list, &request->node);
	return request;
}

/* The same for one that will be delivered later. */
static struct evrequest *
new_wait(struct evhold *hold, enum evmode mode, enum evrequest_state state)
{
	struct evowner *owner = hold->owner;
	struct evlock *lock = hold->lock;
	struct evrequest *request = new_request(hold, mode, state);

	if (request == NULL)
		return NULL;
	request->lock = lock;
	lock->queue.users++;
	request->let_in = 0;
	evlist_init_(&request->blocker_node);
	if (++owner->request_count == 2)
		add_older_blocker(first_request(owner));
	/* Nobody has a later ticket than it will draw. */
	if (owner->request_count >= 2 && may_block(request))
		evlist_append_(&lock->blockers, &request->blocker_node);
	evlist_append_(&owner->requests, &request->owner_node);
	return request;
}

/* It is delivered, or given up. */
static void
end_wait(struct evrequest *request)
{
	struct evowner *owner = request->hold->owner;

	evlist_remove_(&request->owner_node);
	evlist_remove_(&request->blocker_node);
	if (--owner->request_count == 1)
		evlist_remove_(&first_request(owner)->blocker_node);
}

/* Nothing comes of it, nor of its hold if that has nothing else. */
static void
forget_request(struct evrequest *request)
{
	struct evhold *hold = request->hold;

	end_wait(request);
	request->lock->queue.users--;
	end_request(request);
	evhold_tidy_(hold);
}

/* It is closed, or its source can't get the right. */
static struct evresult
refusal_of(const struct evlock *lock)
{
	if (!evwaitqueue_is_open_(&lock->queue))
		return evresult_fixed_(EVFAILURE_SHUT_DOWN);
	if (lock->source->reason != NULL)
		return evresult_fail(
		    lock->source->error, "%s", lock->source->reason);
	return evresult_fail(lock->source->error, "%s: %s",
	    evlock_get_name_(lock), strerror(lock->source->error));
}

void
evlock_fail_waiter_(struct evlock *lock, struct evdeferred *d, enum evmode mode,
    int error, struct evresult failure)
{
	struct evrequest *request = evrequest_of_(d);

	evlist_remove_(&d->node);
	lock->sides[mode].waiting--;
	lock->waiting--;
	evlock_observe_(lock, EVSTEP_CANCEL, d, mode, error);
	if (request != NULL)
		forget_request(request);
	evdeferred_produce_(d, failure);
}

/* Only those that wait by now: if it is open, one that fails may ask again. */
static void
fail_side(struct evlock *lock, enum evmode mode)
{
	struct evlock_side *side = &lock->sides[mode];
	size_t count = side->waiting;

	while (count-- > 0 && side->waiting > 0)
		evlock_fail_waiter_(lock,
		    EVLIST_ELEMENT(side->waiters.next, struct evdeferred, node),
		    mode,
		    evwaitqueue_is_open_(&lock->queue) ? lock->source->error
						       : ESHUTDOWN,
		    refusal_of(lock));
}

void
evlock_fail_waiters_(struct evwaitqueue *queue)
{
	enum evmode mode = EVMODES_WAITING;

	while (mode-- > EVMODE_READ)
		fail_side(evlock_of_(queue), mode);
}

/*
 * What is taken back by its source, and waits again.
 */

/* Mostly it is older than all that wait. */
static void
put_back_in_queue(struct evlock_side *side, struct evdeferred *d)
{
	struct evlist *next = side->waiters.next;

	while (next != &side->waiters &&
	       !came_before(
		   d, EVLIST_ELEMENT(next, const struct evdeferred, node)))
		next = next->next;
	evlist_append_(next, &d->node);
}

static void
put_back(struct evlock *lock, struct evdeferred *d)
{
	struct evrequest *request = evrequest_of_(d);
	const enum evmode mode =
	    request != NULL ? request->mode : evlock_mode_of_anonymous_(d);
	struct evlock_side *inside = &lock->sides[evmode_inside_(mode)];

	evlock_observe_(lock, EVSTEP_CANCEL, d, mode, ESTALE);
	inside->inside--;
	inside->granted--;
	if (request != NULL && request->state == EVREQUEST_GRANTED) {
		evhold_exit_(request->hold, mode);
		move_to(request, EVREQUEST_WAITING);
	}
	lock->sides[mode].waiting++;
	lock->waiting++;
	put_back_in_queue(&lock->sides[mode], d);
	if (d->flags & EVDEFERRED_WATCHED)
		evlock_tell_wait_(lock, d, mode);
}

void
evlock_put_back_grants_(struct evlock *lock)
{
	struct evdeferred *d;

	if (lock->queue.undelivered == 0)
		return;
	while (lock->queue.undelivered > 0) {
		d = EVLIST_ELEMENT(
		    lock->queue.granted.prev, struct evdeferred, node);
		evwaitqueue_withdraw_(&lock->queue, d);
		put_back(lock, d);
	}
	/* Their tickets say that they were granted. */
	evlock_renumber_(lock);
}

/* It is inside, and waits no more. */
static void
enter_after_wait(struct evrequest *request, struct evdeferred *d)
{
	evlock_observe_(request->lock, EVSTEP_DELIVER, d, request->mode, 0);
	if (request->state == EVREQUEST_WAITING) {
		evhold_enter_(request->hold, evmode_inside_(request->mode));
		evhold_note_(request->hold, evmode_inside_(request->mode), d);
	}
	end_wait(request);
	request->lock->queue.users--;
}

/* To a callback, which is about to be called.  So nothing comes between. */
static void
deliver_value(struct evrequest *request, struct evdeferred *d)
{
	struct evlock *lock = request->lock;

	request->hold->received.of[evmode_inside_(request->mode)]++;
	end_request(request);
	evdeferred_fire_unwatched_(d, evresult_value(lock));
}

static EVDEFER_NOINLINE_ void
deliver_request(struct evrequest *request, struct evdeferred *d)
{
	enter_after_wait(request, d);
	if (evlink_is_call_due_(d) && !(d->flags & EVDEFERRED_WATCHED)) {
		deliver_value(request, d);
		return;
	}
	move_to(request, EVREQUEST_DELIVERED);
	request->mode = evmode_inside_(request->mode);
	evdeferred_produce_(
	    d, evresult_of_kind_(EVRESULT_GRANT, &request->grant));
}

void
evlock_deliver_(struct evwaitqueue *queue, struct evdeferred *d)
{
	const unsigned special = EVDEFERRED_MARKED | EVDEFERRED_WATCHED;

	if ((d->flags & special) == 0)
		evlock_deliver_anonymous_(evlock_of_(queue), d);
	else if (d->flags & EVDEFERRED_MARKED)
		deliver_request(evrequest_of_(d), d);
	else
		evlock_deliver_watched_(evlock_of_(queue), d);
}

void
evrequest_withdraw_(struct evrequest *request)
{
	struct evlock *lock = request->lock;
	struct evhold *hold = request->hold;

	evlock_observe_(
	    lock, EVSTEP_CANCEL, request->d, request->mode, ECANCELED);
	evlock_withdraw_(
	    lock, request->d, request->mode, evrequest_is_granted_(request));
	if (request->state == EVREQUEST_GRANTED)
		evhold_exit_(hold, request->mode);
	end_wait(request);
	move_to(request, EVREQUEST_OVER);
	evhold_tidy_(hold);
	lock->queue.type->admit(&lock->queue);
}

static void
cancel_request(struct evdeferred *d, void *arg)
{
	struct evrequest *request = arg;
	struct evwaitqueue *queue = &request->lock->queue;

	(void)d;
	if (request->state != EVREQUEST_OVER)
		evrequest_withdraw_(request);
	/* From the list that its owner has put it into, if that is being freed. */
	evlist_remove_(&request->owner_node);
	request->lock->queue.users--;
	unref_request(request);
	evwaitqueue_changed_(queue);
}

/*
 * What was delivered, as a value.
 */

static inline struct evrequest *
request_of(struct evgrant *grant)
{
	return EVLIST_ELEMENT(grant, struct evrequest, grant);
}

/* Is it the hold's own, and has nothing been done with it since it was delivered?  Then
 * it is in no list, and its end is to be free for the next acquire. */
static inline bool
is_nothing_else(const struct evrequest *request)
{
	return request->is_part && request->refs == 1 &&
	       request->state == EVREQUEST_DELIVERED && request->hold != NULL;
}

static EVDEFER_NOINLINE_ void *
receive_slowly(struct evrequest *request)
{
	void *lock = request->grant.value;

	if (request->hold != NULL)
		request->hold->received.of[request->mode]++;
	end_request(request);
	return lock;
}

static void *
receive_grant(struct evgrant *grant)
{
	struct evrequest *request = request_of(grant);

	if (!is_nothing_else(request))
		return receive_slowly(request);
	request->hold->received.of[request->mode]++;
	request->refs = 0;
	request->state = EVREQUEST_OVER;
	return grant->value;
}

static void *
get_grant_value(struct evgrant *grant)
{
	struct evrequest *request = request_of(grant);

	if (request->state == EVREQUEST_DELIVERED ||
	    request->state == EVREQUEST_KEPT)
		return receive_grant(grant);
	if (request->state == EVREQUEST_LENT)
		move_to(request, EVREQUEST_TAKEN);
	return grant->value;
}

/* Is there nothing to tidy, whatever is left of it? */
static inline bool
stays_as_it_is(const struct evhold *hold)
{
	return hold->trails == NULL && evhold_is_kept_(hold);
}

static int
give_back(struct evhold *hold, enum evmode mode)
{
	struct evlock *lock = hold->lock;
	const struct evowner *owner = hold->owner;

	evhold_exit_(hold, mode);
	evhold_tidy_(hold);
	return evlock_leave_(lock, owner, mode);
}

static EVDEFER_NOINLINE_ void
dispose_slowly(struct evrequest *request)
{
	struct evhold *hold = request->hold;
	const enum evmode mode = request->mode;

	end_request(request);
	if (hold != NULL)
		give_back(hold, mode);
}

/* Without a frame where its hold is kept. */
static void
dispose_grant(struct evgrant *grant)
{
	struct evrequest *request = request_of(grant);
	const enum evmode mode = request->mode;
	struct evhold *hold = request->hold;

	if (!is_nothing_else(request) || !stays_as_it_is(hold)) {
		dispose_slowly(request);
		return;
	}
	request->refs = 0;
	request->state = EVREQUEST_OVER;
	evhold_exit_(hold, mode);
	evlock_leave_(hold->lock, hold->owner, mode);
}

static void
lend_grant(struct evgrant *grant)
{
	struct evrequest *request = request_of(grant);

	request->refs++;
	move_to(request, EVREQUEST_LENT);
}

static void
end_loan(struct evgrant *grant)
{
	struct evrequest *request = request_of(grant);

	if (request->state == EVREQUEST_TAKEN)
		receive_grant(grant);
	else if (request->state == EVREQUEST_LENT)
		move_to(request, EVREQUEST_KEPT);
	unref_request(request);
}

static void
pass_on_grant(struct evgrant *grant)
{
	move_to(request_of(grant), EVREQUEST_DELIVERED);
}

static const struct evgrant_type grant_of_owner = {receive_grant,
    get_grant_value, dispose_grant, lend_grant, end_loan, pass_on_grant};

/*
 * Acquiring.
 */

/* Has one been granted that waited, and has not been told yet? */
static bool
is_granted_in(const struct evhold *hold, enum evmode mode)
{
	const struct evlist *waiting = &hold->waiting[mode];

	return !evlist_empty_(waiting) &&
	       evrequest_is_granted_(
		   EVLIST_ELEMENT(waiting->next, struct evrequest, node));
}

/* The modes that the owner is inside in, though it may not know that yet. */
static unsigned
find_inside(const struct evhold *hold)
{
	unsigned inside = 0;
	enum evmode mode;

	for (mode = EVMODE_READ; mode < EVMODES; mode++) {
		if (hold->inside.of[mode] > 0 || is_granted_in(hold, mode))
			inside |= EVMODE_BIT(mode);
	}
	if (is_granted_in(hold, EVMODE_UPGRADE))
		inside |= EVMODE_BIT(EVMODE_WRITE);
	return inside;
}

static enum evanswer
answer_newcomer(struct evlock *lock, enum evmode mode)
{
	return lock->type->must_wait(lock, mode) ? EVANSWER_WAIT
						 : EVANSWER_ENTER;
}

/* One that waits to be upgradable can ask for nothing beside that: if it came in to
 * read before, a writer could wait for it and it for the writer. */
static bool
waits_beside(const struct evhold *hold, enum evmode mode)
{
	if (mode != EVMODE_UPGRADABLE)
		return !evlist_empty_(&hold->waiting[EVMODE_UPGRADABLE]);
	return evhold_is_waiting_(hold);
}

/* One that has a hold is inside, or waits. */
static EVDEFER_NOINLINE_ enum evanswer
answer_one_known(
    struct evlock *lock, const struct evhold *hold, enum evmode mode)
{
	const unsigned inside = find_inside(hold);
	enum evanswer answer;

	if (inside == 0)
		return waits_beside(hold, mode) ? EVANSWER_DEADLOCK
						: answer_newcomer(lock, mode);
	if (evlock_is_lost_(lock))
		return EVANSWER_LOST;
	answer = lock->type->answer_holder(inside, mode);
	if (answer == EVANSWER_UPGRADE &&
	    !lock->type->must_wait_to_upgrade(lock, hold))
		return EVANSWER_ENTER;
	return answer;
}

/* What an owner gets that asks for the lock. */
static enum evanswer
answer_owner(struct evlock *lock, const struct evhold *hold, enum evmode mode)
{
	if (hold == NULL || evhold_is_idle_(hold) ||
	    lock->type->answer_holder == NULL)
		return answer_newcomer(lock, mode);
	return answer_one_known(lock, hold, mode);
}

/* Undoes what came before memory ran out. */
static struct evdeferred *
give_up(struct evhold *hold, struct evrequest *request)
{
	if (request != NULL)
		forget_request(request);
	else
		evhold_tidy_(hold);
	return evdefer_refuse_new_(ENOMEM);
}

/* Puts a request into the queue, unless its owner would wait for itself there. */
static void
wait_for(struct evrequest *request)
{
	struct evlock *lock = request->lock;
	struct evdeferred *d = request->d;
	struct evresult cycle = evrequest_check_cycle_(request);

	if (!evresult_is_failure_(cycle)) {
		evlock_enqueue_(lock, d, request->mode);
		return;
	}
	evlock_observe_(lock, EVSTEP_CANCEL, d, request->mode, EDEADLK);
	forget_request(request);
	evlock_forgo_(lock);
	evdeferred_produce_(d, cycle);
}

/* Makes the Deferred of an owner that may enter or has to wait. */
static struct evdeferred *
start_request(struct evhold *hold, enum evmode mode, enum evrequest_state state)
{
	struct evlock *lock = hold->lock;
	struct evrequest *request = new_wait(hold, mode, state);
	struct evdeferred *d;

	if (request == NULL)
		return give_up(hold, NULL);
	d = evdeferred_new_private_(lock->queue.base, cancel_request, request);
	if (d == NULL)
		return give_up(hold, request);
	evdeferred_set_(d, EVDEFERRED_MARKED);
	request->d = d;
	d->ticket = evlock_draw_ticket_(lock);
	if (state == EVREQUEST_WAITING) {
		if (d->flags & EVDEFERRED_WATCHED)
			evlock_tell_wait_(lock, d, mode);
		wait_for(request);
		return d;
	}
	evhold_enter_(hold, mode);
	evhold_note_(hold, mode, d);
	evlock_enter_(lock, mode);
	evwaitqueue_grant_(&lock->queue, d);
	if (d->flags & EVDEFERRED_WATCHED)
		evlock_tell_entry_(lock, d, mode);
	evwaitqueue_hand_out_(&lock->queue);
	return d;
}

/* Makes one that has fired.  No callback is there yet that could tell the
 * difference. */
static struct evdeferred *
enter_at_once_for(struct evhold *hold, enum evmode mode)
{
	struct evlock *lock = hold->lock;
	struct evrequest *request =
	    new_request(hold, mode, EVREQUEST_DELIVERED);
	struct evdeferred *d;

	if (request == NULL)
		return give_up(hold, NULL);
	d = evdeferred_make_(lock->queue.base, EVDEFERRED_FIRED);
	d->u.result = evresult_of_kind_(EVRESULT_GRANT, &request->grant);
	evhold_enter_(hold, mode);
	evlock_enter_(lock, mode);
	return d;
}

static int
check_owner(const struct evlock *lock, const struct evowner *owner)
{
	if (owner->base != lock->queue.base)
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(owner->base);
	return 0;
}

static struct evdeferred *
answer_request(struct evhold *hold, enum evmode mode, enum evanswer answer)
{
	if (answer == EVANSWER_WAIT)
		return start_request(hold, mode, EVREQUEST_WAITING);
	if (answer == EVANSWER_UPGRADE)
		return start_request(hold, EVMODE_UPGRADE, EVREQUEST_WAITING);
	if (evwaitqueue_delivers_now_(&hold->lock->queue))
		return enter_at_once_for(hold, mode);
	return start_request(hold, mode, EVREQUEST_GRANTED);
}

static EVDEFER_NOINLINE_ struct evdeferred *
refuse_owner(struct evlock *lock, const struct evowner *owner, enum evmode mode,
    enum evanswer answer)
{
	if (answer == EVANSWER_LOST)
		return evlock_refuse_(
		    lock, owner, mode, EVFAILURE_LOST, ESTALE);
	return evlock_refuse_(lock, owner, mode, EVFAILURE_UPGRADE, EDEADLK);
}

/* NULL with ENOMEM. */
static struct evhold *
new_hold(struct evlock *lock, struct evowner *owner)
{
	struct evhold *hold = evhold_new_(lock, owner);

	if (hold != NULL)
		hold->own.grant.type = &grant_of_owner;
	return hold;
}

/* May an owner enter a lock where nobody has to wait, with its last hold, whose request
 * has nothing to do?  Who only reads may not become upgradable. */
static inline bool
is_free_for(
    const struct evhold *hold, const struct evlock *lock, enum evmode mode)
{
	return hold != NULL && hold->listed == lock && hold->own.refs == 0 &&
	       (mode != EVMODE_UPGRADABLE || !evhold_is_inside_(hold));
}

/* NULL if more has to be asked. */
static inline struct evdeferred *
enter_quickly(struct evlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold = owner->last;
	struct evdeferred *d;

	evdefer_base_check_(owner->base);
	if (owner->request_count > 0 || !is_free_for(hold, lock, mode) ||
	    !evwaitqueue_plain_delivers_now_(&lock->queue))
		return NULL;
	d = evdeferred_make_(lock->queue.base, EVDEFERRED_FIRED);
	begin_request(&hold->own, hold, mode, EVREQUEST_DELIVERED);
	d->u.result = evresult_of_kind_(EVRESULT_GRANT, &hold->own.grant);
	hold->inside.of[mode]++;
	evlock_enter_(lock, mode);
	return d;
}

struct evdeferred *
evlock_enter_for_(struct evlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evdeferred *d = enter_quickly(lock, owner, mode);

	return d != NULL ? d : evlock_acquire_(lock, owner, mode);
}

static EVDEFER_NOINLINE_ struct evdeferred *
run_body_slowly(struct evlock *lock, struct evowner *owner, enum evmode mode,
    evdeferred_body_fn body, void *arg)
{
	return evwaitqueue_with_(
	    &lock->queue, evlock_acquire_(lock, owner, mode), NULL, body, arg);
}

struct evdeferred *
evlock_run_body_for_(struct evlock *lock, struct evowner *owner,
    enum evmode mode, evdeferred_body_fn body, void *arg)
{
	struct evdeferred *d = enter_quickly(lock, owner, mode);

	return d != NULL ? evdeferred_run_body_(d, body, arg)
			 : run_body_slowly(lock, owner, mode, body, arg);
}

struct evdeferred *
evlock_acquire_(struct evlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evdeferred *d;
	struct evhold *hold;
	enum evanswer answer;

	if (check_owner(lock, owner) == -1)
		return NULL;
	if (!evwaitqueue_is_open_(&lock->queue) || owner->freed)
		return evlock_refuse_(
		    lock, owner, mode, EVFAILURE_SHUT_DOWN, ESHUTDOWN);
	evlock_catch_up_(lock);
	hold = evowner_find_hold_(owner, lock);
	answer = answer_owner(lock, hold, mode);
	if (answer >= EVANSWER_DEADLOCK)
		return refuse_owner(lock, owner, mode, answer);
	if (hold == NULL)
		hold = new_hold(lock, owner);
	d = hold != NULL ? answer_request(hold, mode, answer) : NULL;
	if (d == NULL)
		evlock_forgo_(lock);
	return d;
}

/* 0 and the hold; or why it may not enter. */
static int
try_to_enter_for(struct evlock *lock, struct evowner *owner, enum evmode mode,
    struct evhold **hold)
{
	enum evanswer answer;

	if (!evwaitqueue_is_open_(&lock->queue) || owner->freed)
		return ESHUTDOWN;
	evlock_catch_up_(lock);
	*hold = evowner_find_hold_(owner, lock);
	answer = answer_owner(lock, *hold, mode);
	if (answer == EVANSWER_WAIT || answer == EVANSWER_UPGRADE)
		return EBUSY;
	if (answer >= EVANSWER_DEADLOCK)
		return answer == EVANSWER_LOST ? ESTALE : EDEADLK;
	if (*hold == NULL && (*hold = new_hold(lock, owner)) == NULL)
		return ENOMEM;
	return 0;
}

int
evlock_try_(struct evlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold;
	int error;

	if (check_owner(lock, owner) == -1)
		return -1;
	error = try_to_enter_for(lock, owner, mode, &hold);
	if (evlock_is_observed_(lock) && error != ENOMEM)
		evlock_tell_try_(lock, owner, mode, error);
	if (error == EBUSY || error == ENOMEM)
		evlock_forgo_(lock);
	if (error != 0)
		return evdefer_refuse_(error);
	evhold_enter_(hold, mode);
	evhold_note_(hold, mode, NULL);
	hold->received.of[mode]++;
	evlock_enter_(lock, mode);
	return 0;
}

/*
 * Releasing.
 */

/* A grant that a function has kept as a result, or whose value one that still runs
 * has asked for. */
static struct evrequest *
find_taken(const struct evhold *hold, enum evmode mode)
{
	struct evlist *node;
	struct evrequest *request;

	for (node = hold->delivered.next; node != &hold->delivered;
	     node = node->next) {
		request = EVLIST_ELEMENT(node, struct evrequest, node);
		if (request->mode == mode &&
		    (request->state == EVREQUEST_TAKEN ||
			request->state == EVREQUEST_KEPT))
			return request;
	}
	return NULL;
}

/* Takes one away from what the owner has received.  Whether there was one. */
static inline bool
take_hold(struct evhold *hold, enum evmode mode)
{
	struct evrequest *request;

	if (hold->received.of[mode] > 0) {
		hold->received.of[mode]--;
		return true;
	}
	request = find_taken(hold, mode);
	if (request == NULL)
		return false;
	/* A result that was kept is worth nothing from now on.  One that is lent may
	 * still be passed on. */
	if (request->state == EVREQUEST_KEPT)
		end_request(request);
	else
		evrequest_take_back_(request);
	return true;
}

static EVDEFER_NOINLINE_ int
release_slowly(struct evlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold;

	if (check_owner(lock, owner) == -1)
		return -1;
	hold = evowner_find_hold_(owner, lock);
	if (hold == NULL || !take_hold(hold, mode))
		return evdefer_refuse_(EPERM);
	return give_back(hold, mode);
}

/* Has the owner received it with its last hold, which stays as it is? */
static inline bool
is_received_last(
    const struct evowner *owner, const struct evlock *lock, enum evmode mode)
{
	const struct evhold *last = owner->last;

	return last != NULL && last->lock == lock &&
	       last->received.of[mode] > 0 && last->trails == NULL;
}

/* Without a frame where that is so. */
int
evlock_release_(struct evlock *lock, struct evowner *owner, enum evmode mode)
{
	struct evhold *hold = owner->last;

	evdefer_base_check_(owner->base);
	if (!is_received_last(owner, lock, mode))
		return release_slowly(lock, owner, mode);
	hold->received.of[mode]--;
	evhold_exit_(hold, mode);
	return evlock_leave_(lock, owner, mode);
}

/*
 * From mode to mode.
 */

/* Does an upgrade come to what an acquire to write does?  Otherwise it is EPERM. */
static bool
asks_to_write(const struct evlock *lock, const struct evowner *owner)
{
	const struct evhold *hold = evowner_find_hold_(owner, lock);

	/* One that is closed, or being freed, says so. */
	return !evwaitqueue_is_open_(&lock->queue) || owner->freed ||
	       (hold != NULL &&
		   (find_inside(hold) & EVMODE_BIT(EVMODE_UPGRADABLE)));
}

struct evdeferred *
evlock_upgrade_(struct evlock *lock, struct evowner *owner)
{
	if (check_owner(lock, owner) == -1)
		return NULL;
	if (asks_to_write(lock, owner))
		return evlock_acquire_(lock, owner, EVMODE_WRITE);
	return evlock_refuse_(
	    lock, owner, EVMODE_UPGRADE, EVFAILURE_NOT_UPGRADABLE, EPERM);
}

int
evlock_try_upgrade_(struct evlock *lock, struct evowner *owner)
{
	if (check_owner(lock, owner) == -1)
		return -1;
	if (asks_to_write(lock, owner))
		return evlock_try_(lock, owner, EVMODE_WRITE);
	if (evlock_is_observed_(lock))
		evlock_tell_try_(lock, owner, EVMODE_WRITE, EPERM);
	return evdefer_refuse_(EPERM);
}

int
evlock_downgrade_(struct evlock *lock, struct evowner *owner, enum evmode from,
    enum evmode to)
{
	struct evhold *hold;

	if (check_owner(lock, owner) == -1)
		return -1;
	hold = evowner_find_hold_(owner, lock);
	if (hold == NULL || !take_hold(hold, from))
		return evdefer_refuse_(EPERM);
	evhold_enter_(hold, to);
	evhold_note_(hold, to, NULL);
	hold->received.of[to]++;
	evhold_exit_(hold, from);
	evlock_change_(lock, owner, from, to);
	return 0;
}
