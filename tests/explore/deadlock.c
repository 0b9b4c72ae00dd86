/* SPDX-License-Identifier: MIT */
#include "deadlock.h"

/* A set of parties, one bit for each. */
typedef unsigned set;

#define BIT(party) (1u << (party))

#define ALL (BIT(READ) | BIT(UPGRADABLE) | BIT(WRITE))

/* With whom one in a mode can't be inside. */
static const set conflicts[] = {[READ] = BIT(WRITE),
    [UPGRADABLE] = BIT(UPGRADABLE) | BIT(WRITE),
    [WRITE] = ALL};

/* In which modes those are inside that one waits for.  Behind a writer it waits for
 * whoever that waits for. */
static set
modes_waited_for(const struct model *m, const struct client *client)
{
	if (client->mode == UPGRADE)
		return BIT(READ) | BIT(WRITE);
	if (client->mode == WRITE ||
	    model_waiting(m, client->lock, WRITE) +
		    model_waiting(m, client->lock, UPGRADE) >
		0)
		return ALL;
	return client->mode == READ ? BIT(WRITE) : BIT(WRITE) | BIT(UPGRADABLE);
}

/* How often a party is inside in these modes. */
static int
inside(const struct model *m, int party, int lock, set modes)
{
	int mode, count = 0;

	for (mode = READ; mode < MODES; mode++)
		if ((modes & BIT(mode)) != 0)
			count += model_party_inside(m, party, lock, mode);
	return count;
}

static bool
is_in_front(const struct client *other, const struct client *client)
{
	const bool older = other->serial < client->serial;

	if (other == client || other->phase != WAITING ||
	    other->lock != client->lock || client->mode == UPGRADE)
		return false;
	if (other->mode == UPGRADE)
		return true;
	if (other->mode == WRITE)
		return client->mode != WRITE || older;
	return other->mode == UPGRADABLE && client->mode == UPGRADABLE && older;
}

/* Where an owner may get again what it has: does one wait for its own owner? */
static bool
is_behind_itself(const struct model *m, const struct client *client)
{
	int c;

	if (client->mode == UPGRADE)
		return false;
	if (inside(m, client->party, client->lock, conflicts[client->mode]) > 0)
		return true;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].party == client->party &&
		    is_in_front(&m->clients[c], client))
			return true;
	return false;
}

/* How much of what one waits for is kept by a party: inside, or in front of it. */
static int
kept(const struct model *m, const struct client *client, int party)
{
	const bool own = party == client->party && m->tokens == 0;
	int c, count;

	if (own)
		return 0;
	count = inside(m, party, client->lock, modes_waited_for(m, client));

	for (c = 0; c < m->client_count; c++)
		count += m->clients[c].party == party &&
			 is_in_front(&m->clients[c], client);
	return count;
}

/* Does one wait for ever, if none of these gives anything back?  For a lock if one of
 * them is in its way, and for a token if they keep all. */
static bool
waits_for_ever(const struct model *m, const struct client *client, set stuck)
{
	const bool tokens = m->tokens > 0;
	int party, count = 0;

	if (client->phase != WAITING ||
	    (!tokens && is_behind_itself(m, client)))
		return false;
	for (party = 1; party < m->party_count; party++)
		if ((stuck & BIT(party)) != 0)
			count += kept(m, client, party);
	return count >= (tokens ? m->tokens : 1);
}

static bool
is_stuck(const struct model *m, int party, set stuck)
{
	int c;

	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].party == party &&
		    waits_for_ever(m, &m->clients[c], stuck))
			return true;
	return false;
}

bool
deadlock_closes(const struct model *m, const struct client *client)
{
	struct model with = *m;
	struct client *copy = &with.clients[client - m->clients];
	set stuck = BIT(m->party_count) - 2, before;
	int party;

	if (client->party == 0)
		return false;
	copy->phase = WAITING;
	copy->serial = (uint16_t)(m->serial + 1);
	do {
		before = stuck;
		for (party = 1; party < m->party_count; party++)
			if (!is_stuck(&with, party, stuck))
				stuck &= ~BIT(party);
	} while (stuck != before);
	return (stuck & BIT(client->party)) != 0;
}
