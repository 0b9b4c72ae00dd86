/* SPDX-License-Identifier: MIT */
/*
 * Which steps a program may take, and which are worth taking: those that lead
 * only to states which differ from others by a name are left out.
 */
#include "model.h"

/* Holds of one mode that a party collects, to keep the states finite. */
#define MOST_HOLDS 2

static bool
is_ending_any(const struct model *m)
{
	int party;

	for (party = 1; party < m->party_count; party++)
		if (m->ending[party])
			return true;
	return false;
}

/* While an owner ends, what is given back first is not said: until all is, only
 * what it requests for itself has a foreseeable answer. */
static bool
is_foreseeable(const struct model *m, int party)
{
	return !is_ending_any(m) || m->ending[party];
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
	return m->status[lock] == CLOSED &&
	       m->received[party][lock][READ] +
		       m->received[party][lock][WRITE] >
		   0;
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
	for (lock = 0; lock < LOCKS; lock++)
		if (m->received[party][lock][READ] +
			m->received[party][lock][WRITE] >
		    0)
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
		if (other->party != 0 && client->party != 0 &&
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

	if (m->status[lock] != OPEN)
		return false;
	for (party = 0; party < m->party_count; party++)
		if (m->received[party][lock][READ] +
			m->received[party][lock][WRITE] >
		    0)
			return false;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].phase != IDLE && m->clients[c].lock == lock)
			return false;
	return true;
}

/* The same for locks. */
static bool
is_double_lock(const struct model *m, int lock)
{
	int i;

	for (i = 0; i < lock; i++)
		if (is_blank_lock(m, i) && is_blank_lock(m, lock))
			return true;
	return false;
}

static bool
allows_acquire(const struct model *m, struct step step)
{
	const struct client *client = &m->clients[step.who];
	const int party = client->party;

	if (client->phase != IDLE || client->requesting)
		return false;
	if (step.kind == ACQUIRE_TIMED && m->base_closed)
		return false;
	if (party != 0 && is_closing_on_owner(m))
		return false;
	return may_use(m, party, step.lock) && is_foreseeable(m, party) &&
	       m->received[party][step.lock][step.mode] < MOST_HOLDS &&
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
	return has_party(m, step.who) && may_use(m, step.who, step.lock) &&
	       is_foreseeable(m, step.who) &&
	       m->received[step.who][step.lock][step.mode] < MOST_HOLDS &&
	       !is_double_lock(m, step.lock);
}

static bool
allows_release(const struct model *m, struct step step)
{
	const struct client *client;
	int c;

	if (!has_party(m, step.who) || !may_use(m, step.who, step.lock) ||
	    is_ending_any(m))
		return false;
	if (step.who != 0 || m->received[0][step.lock][step.mode] > 0)
		return true;
	/* Whether an anonymous grant that has fired on a paused Deferred is a
	 * hold is not said: it would be a mistake to release it. */
	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->paused && client->lock == step.lock &&
		    (client->phase == FIRED || client->phase == GRANTED))
			return false;
	}
	return !is_double_lock(m, step.lock);
}

/* Does the client have a Deferred, whose state is known? */
static bool
has_deferred(const struct model *m, const struct client *client)
{
	if (client->phase == IDLE || client->requesting || is_ending_any(m))
		return false;
	/* Has it fired already in a call that is under way? */
	return !(client->paused && client->phase == GRANTED && m->depth > 0);
}

static bool
allows_pause(const struct model *m, const struct client *client)
{
	return client->phase != IDLE && !client->requesting &&
	       !client->paused && !client->timed && !is_ending_any(m);
}

static bool
allows_pass_time(const struct model *m)
{
	int c;

	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].timed && m->clients[c].phase != IDLE &&
		    !m->clients[c].expired)
			return m->depth == 0;
	return false;
}

bool
model_allows(const struct model *m, struct step step)
{
	const struct client *client = &m->clients[step.who];

	switch ((enum kind)step.kind) {
	case ACQUIRE:
	case ACQUIRE_TIMED:
		return allows_acquire(m, step);
	case TRY:
		return allows_try(m, step);
	case RELEASE:
		return allows_release(m, step);
	case CANCEL:
	case FREE:
		return has_deferred(m, client);
	case PAUSE:
		return allows_pause(m, client);
	case UNPAUSE:
		return client->phase != IDLE && client->paused &&
		       !is_ending_any(m);
	case CLOSE:
		return m->status[step.lock] == OPEN && !is_ending_any(m) &&
		       !is_double_lock(m, step.lock);
	case END_OWNER:
		return !is_ending_any(m) && !is_blank_party(m, step.who);
	case TURN:
		return m->depth == 0 && !m->base_closed;
	case PASS_TIME:
		return allows_pass_time(m);
	case END_BASE:
		return m->depth == 0 && !m->base_closed;
	case RETURN:
		return m->depth > 0;
	}
	return false;
}
