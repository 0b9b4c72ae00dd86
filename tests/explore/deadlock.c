/* SPDX-License-Identifier: MIT */
#include "deadlock.h"

/* A set of parties, one bit for each. */
typedef unsigned set;

#define BIT(party) (1u << (party))

/* How often a party is inside. */
static int
inside(const struct model *m, int party, int lock)
{
	int c, count = m->received[party][lock][READ] +
		       m->received[party][lock][WRITE];

	for (c = 0; c < m->client_count; c++)
		count += m->clients[c].party == party &&
			 m->clients[c].lock == lock &&
			 (m->clients[c].phase == GRANTED ||
			     m->clients[c].phase == FIRED);
	return count;
}

static bool
is_in_front(const struct client *other, const struct client *client)
{
	return other != client && other->phase == WAITING &&
	       other->lock == client->lock && other->mode == WRITE &&
	       (client->mode == READ || other->serial < client->serial);
}

/* Where an owner may get again what it has: does one wait for its own owner? */
static bool
is_behind_itself(const struct model *m, const struct client *client)
{
	int c;

	if (inside(m, client->party, client->lock) > 0)
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
	int c, count = inside(m, party, client->lock);

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
