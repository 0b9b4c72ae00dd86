/* SPDX-License-Identifier: MIT */
/*
 * Which steps a program may take, and which are worth taking: those that lead
 * only to states which differ from others by a name are left out.
 */
#include "model.h"

/* Holds of one mode that a party collects, to keep the states finite. */
#define MOST_HOLDS 2

/* While an owner ends, what is given back first is not said: until all is, only
 * what it requests for itself has a foreseeable answer. */
static bool
is_foreseeable(const struct model *m, int party)
{
	return !model_is_ending(m) || m->ending[party];
}

/* While a lock closes, does an owner still wait for it, to be failed in a
 * moment?  Whether others wait for that owner then is not said. */
static bool
is_closing_on_owner(const struct model *m)
{
	const struct client *client;
	int c;

	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->party != 0 && client->phase == FAILED &&
		    (client->codes & CODE_SHUTDOWN) &&
		    model_is_in(m, CLOSE, client->lock))
			return true;
	}
	return false;
}

/* A closed lock may be used by its holders only. */
static bool
may_use(const struct model *m, int party, int lock)
{
	if (m->status[lock] == OPEN)
		return true;
	return m->status[lock] == CLOSED && model_received(m, party, lock) > 0;
}

/* Has it nothing to do with any lock? */
static bool
is_blank_party(const struct model *m, int party)
{
	int c, lock;

	if (party == 0)
		return true;
	if (m->ending[party])
		return false;
	for (lock = 0; lock < m->lock_count; lock++)
		if (model_received(m, party, lock) > 0)
			return false;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].party == party && m->clients[c].phase != IDLE)
			return false;
	return true;
}

/* Is the client like an earlier one in all but its name? */
static bool
is_double(const struct model *m, int c)
{
	const struct client *client = &m->clients[c], *other;
	int i;

	for (i = 0; i < c; i++) {
		other = &m->clients[i];
		if (other->phase != IDLE)
			continue;
		if (other->party == client->party)
			return true;
		if (other->party != 0 && client->party != 0 && !m->grouped &&
		    is_blank_party(m, other->party) &&
		    is_blank_party(m, client->party))
			return true;
	}
	return false;
}

static bool
is_blank_lock(const struct model *m, int lock)
{
	int c, party;

	if (m->status[lock] != OPEN || m->base_closed[model_base_of(m, lock)] ||
	    m->group.members[lock].called)
		return false;
	for (party = 0; party < m->party_count; party++)
		if (model_received(m, party, lock) > 0)
			return false;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].phase != IDLE && m->clients[c].lock == lock)
			return false;
	return true;
}

/* The same for locks, if they have the same limit.  Those of a group differ by the owners that their bases have,
 * and by what is under way there. */
static bool
is_double_lock(const struct model *m, int lock)
{
	int i;

	if (m->grouped && (m->party_count > 1 || m->depth > 0))
		return false;

	for (i = 0; i < lock; i++)
		if (is_blank_lock(m, i) && is_blank_lock(m, lock) &&
		    m->limits[i] == m->limits[lock])
			return true;
	return false;
}

/* Is it an owner of another base? */
static bool
is_stranger(const struct model *m, int party, int lock)
{
	return m->grouped && party > 0 && model_lock_of(m, party) != lock;
}

/* What others are told of while waiters fail one by one is not said. */
static bool
is_failing_in_group(const struct model *m, int lock)
{
	return m->grouped && model_is_failing(m, lock);
}

/* Whether an anonymous grant that has fired on a paused Deferred, or on one that was
 * not returned, is a hold is not said: it would be a mistake to use it. */
static bool
is_unknown_hold(const struct model *m, int lock)
{
	const struct client *client;
	int c;

	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if ((client->paused || client->requesting) &&
		    client->lock == lock &&
		    (client->phase == FIRED || client->phase == GRANTED))
			return true;
	}
	return false;
}

static bool
allows_acquire(const struct model *m, struct step step)
{
	const struct client *client = &m->clients[step.who];
	const int party = client->party;

	if (client->phase != IDLE || client->requesting ||
	    is_stranger(m, party, step.lock))
		return false;
	if (step.kind == ACQUIRE_TIMED &&
	    m->base_closed[model_base_of(m, step.lock)])
		return false;
	if (party != 0 && is_closing_on_owner(m))
		return false;
	if (party == 0 && step.mode == UPGRADE && is_unknown_hold(m, step.lock))
		return false;
	/* One that is refused may tell others of what has changed so far. */
	if (m->grouped && (model_is_in(m, CLOSE, step.lock) ||
			      model_is_in(m, END_BASE, step.lock)))
		return false;
	return may_use(m, party, step.lock) && is_foreseeable(m, party) &&
	       m->received[party][step.lock][model_mode_inside(step.mode)] <
		   MOST_HOLDS &&
	       !is_double(m, step.who) && !is_double_lock(m, step.lock);
}

static bool
has_party(const struct model *m, int party)
{
	int c;

	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].party == party)
			return true;
	return false;
}

static bool
allows_try(const struct model *m, struct step step)
{
	if (step.who == 0 && step.mode == UPGRADE &&
	    is_unknown_hold(m, step.lock))
		return false;
	return has_party(m, step.who) && may_use(m, step.who, step.lock) &&
	       !is_stranger(m, step.who, step.lock) &&
	       is_foreseeable(m, step.who) &&
	       m->received[step.who][step.lock][model_mode_inside(step.mode)] <
		   MOST_HOLDS &&
	       !is_double_lock(m, step.lock);
}

/* Are some granted, and others let in by the group?  Who leaves then may tell both, or
 * only the first. */
static bool
is_let_in_twice(const struct model *m, int lock)
{
	int c;

	if (!m->grouped || !m->group.members[lock].let_in)
		return false;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].phase == GRANTED &&
		    m->clients[c].lock == lock)
			return true;
	return false;
}

static bool
allows_release(const struct model *m, struct step step)
{
	if (!has_party(m, step.who) || !may_use(m, step.who, step.lock) ||
	    is_stranger(m, step.who, step.lock) || model_is_ending(m) ||
	    is_failing_in_group(m, step.lock))
		return false;
	if (is_let_in_twice(m, step.lock))
		return false;
	if (step.who != 0 || m->received[0][step.lock][step.mode] > 0)
		return true;
	return !is_unknown_hold(m, step.lock) && !is_double_lock(m, step.lock);
}

/* Does the client have a Deferred, whose state is known? */
static bool
has_deferred(const struct model *m, const struct client *client)
{
	if (client->phase == IDLE || client->requesting || model_is_ending(m) ||
	    is_failing_in_group(m, client->lock))
		return false;
	/* Has it fired already in a call that is under way? */
	return !(client->paused && client->phase == GRANTED && m->depth > 0);
}

static bool
allows_pause(const struct model *m, const struct client *client)
{
	return client->phase != IDLE && !client->requesting &&
	       !client->paused && !client->timed && !model_is_ending(m);
}

static bool
is_held(const struct model *m, int lock)
{
	int party, count = 0;

	for (party = 0; party < m->party_count; party++)
		count += model_received(m, party, lock);
	return count > 0;
}

/* Once it is closed it is the holders' only. */
static bool
allows_set_limit(const struct model *m, struct step step)
{
	return m->limits[step.lock] != step.mode && !model_is_ending(m) &&
	       (m->status[step.lock] == OPEN ||
		   (m->status[step.lock] == CLOSED && is_held(m, step.lock))) &&
	       !is_double_lock(m, step.lock);
}

/* At how many bases of a group are time limits that may run out?  All count twice at
 * one that has a message under way: it is not said what comes first. */
static int
timed_bases(const struct model *m)
{
	bool timed[LOCKS] = {false};
	int c, lock, count = 0;

	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].timed && m->clients[c].phase != IDLE)
			timed[m->clients[c].lock] = true;
	for (lock = 0; lock < m->lock_count; lock++)
		if (timed[lock])
			count += m->group.members[lock].called ? 2 : 1;
	return count;
}

static bool
allows_pass_time(const struct model *m)
{
	int c;

	if (m->grouped && timed_bases(m) > 1)
		return false;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].timed && m->clients[c].phase != IDLE &&
		    !m->clients[c].expired)
			return m->depth == 0;
	return false;
}

/* In a group whatever comes before the turn that ends an expired wait could send a
 * message there. */
static bool
comes_before_expiry(const struct model *m, struct step step)
{
	int c;

	if (!m->grouped || m->depth > 0)
		return false;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].expired)
			return step.kind != TURN ||
			       step.lock != m->clients[c].lock;
	return false;
}

/* One of a group that gives back several things does so one by one. */
static bool
has_one_thing(const struct model *m, int party)
{
	const int lock = model_lock_of(m, party);
	int c, count = model_received(m, party, lock);

	for (c = 0; c < m->client_count; c++)
		count +=
		    m->clients[c].party == party && m->clients[c].phase != IDLE;
	return count <= 1 && !is_failing_in_group(m, lock);
}

bool
model_allows(const struct model *m, struct step step)
{
	const struct client *client = &m->clients[step.who];

	if (comes_before_expiry(m, step))
		return false;
	if (model_is_unsure(m))
		return step.kind == RETURN;
	switch ((enum kind)step.kind) {
	case ACQUIRE:
	case ACQUIRE_TIMED:
		return allows_acquire(m, step);
	case TRY:
		return allows_try(m, step);
	case RELEASE:
	case STEP_DOWN:
	case READ_ON:
		return allows_release(m, step);
	case CANCEL:
	case FREE:
		return has_deferred(m, client);
	case PAUSE:
		return allows_pause(m, client);
	case UNPAUSE:
		return client->phase != IDLE && client->paused &&
		       !model_is_ending(m);
	case SET_LIMIT:
		return allows_set_limit(m, step);
	case CLOSE:
		return m->status[step.lock] == OPEN && !model_is_ending(m) &&
		       !is_double_lock(m, step.lock);
	case JOIN:
		return m->status[step.lock] == GONE && !model_is_ending(m) &&
		       !m->base_closed[step.lock];
	case END_OWNER:
		return !model_is_ending(m) && !is_blank_party(m, step.who) &&
		       (!m->grouped || has_one_thing(m, step.who));
	case TURN:
	case END_BASE:
		return m->depth == 0 && !m->base_closed[step.lock] &&
		       !(m->grouped && is_double_lock(m, step.lock));
	case PASS_TIME:
		return allows_pass_time(m);
	case RETURN:
		return m->depth > 0;
	}
	return false;
}
