/* SPDX-License-Identifier: MIT */
#include "deadlock.h"

#include <string.h>

/* A set of parties, one bit for each. */
typedef unsigned set;

#define BIT(party) (1u << (party))

#define ALL (BIT(READ) | BIT(UPGRADABLE) | BIT(WRITE))

/* Does a writer that waits for all that one in front does stand between the two? */
static bool
is_writer_between(const struct model *m, const struct client *front,
    const struct client *client)
{
	int c;

	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].mode >= WRITE &&
		    model_is_in_front(m, &m->clients[c], client) &&
		    (front == NULL ||
			model_is_in_front(m, front, &m->clients[c])))
			return true;
	return false;
}

/* In which modes those are inside that one waits for.  Behind a writer it waits for
 * whoever that waits for, and without room for all that take it. */
static set
modes_waited_for(const struct model *m, const struct client *client)
{
	if (client->mode == UPGRADE)
		return BIT(READ) | BIT(WRITE);
	if (client->mode == WRITE || m->limits[client->lock] > 0 ||
	    is_writer_between(m, NULL, client))
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

/* Where an owner may get again what it has: does one wait for its own owner, who is inside,
 * or in front? */
static bool
is_behind_itself(const struct model *m, const struct client *client)
{
	int c;

	if (client->mode == UPGRADE || m->tokens > 0)
		return false;
	if (inside(m, client->party, client->lock, ALL) > 0)
		return true;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].party == client->party &&
		    model_is_in_front(m, &m->clients[c], client))
			return true;
	return false;
}

static bool
waits_for_others(const struct model *m, const struct client *client, int party)
{
	return client->phase == WAITING && client->party == party &&
	       !is_behind_itself(m, client);
}

static bool
has_to_wait(const struct model *m, int party)
{
	int c;

	for (c = 0; c < m->client_count; c++)
		if (waits_for_others(m, &m->clients[c], party))
			return true;
	return false;
}

/*
 * All go on that can.
 */

static void
let_in(struct model *m)
{
	struct client *next;
	int lock;

	for (lock = 0; lock < m->lock_count; lock++)
		while ((next = model_next_to_enter(m, lock)) != NULL) {
			next->phase = GRANTED;
			next->mode = (uint8_t)model_mode_inside(next->mode);
		}
}

/* Gives back all that the party has.  Was there anything? */
static bool
leave(struct model *m, int party)
{
	struct client *client;
	int c, lock, count = 0;

	for (lock = 0; lock < m->lock_count; lock++)
		count += inside(m, party, lock, ALL);
	memset(m->received[party], 0, sizeof(m->received[party]));
	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->party == party && client->phase != WAITING)
			client->phase = IDLE;
	}
	return count > 0;
}

/* Nobody in particular does not need several things. */
static bool
goes_on(struct model *m, int party)
{
	return (party == 0 || !has_to_wait(m, party)) && leave(m, party);
}

static void
play_to_end(struct model *m, int stays)
{
	int party;
	bool any;

	do {
		let_in(m);
		for (any = false, party = 0; party < m->party_count; party++)
			any |= party != stays && goes_on(m, party);
	} while (any);
}

/*
 * Who is left waits for somebody who is left.
 */

/* Whoever has come before takes the room, or keeps a writer that waits for it. */
static bool
takes_place(const struct model *m, const struct client *other,
    const struct client *client)
{
	if (other == client || other->phase != WAITING ||
	    other->lock != client->lock || other->mode >= WRITE ||
	    client->mode >= WRITE || other->serial > client->serial)
		return false;
	return m->limits[client->lock] > 0 ||
	       is_writer_between(m, other, client);
}

static bool
waits_for(const struct model *m, const struct client *client, int party)
{
	const struct client *other;
	int c;

	if (party == client->party && m->tokens == 0)
		return false;
	if (inside(m, party, client->lock, modes_waited_for(m, client)) > 0)
		return true;
	for (c = 0; c < m->client_count; c++) {
		other = &m->clients[c];
		if (other->party == party &&
		    (model_is_in_front(m, other, client) ||
			takes_place(m, other, client)))
			return true;
	}
	return false;
}

/* All owners that these wait for. */
static set
find_waited_for(const struct model *m, set waiting)
{
	const struct client *client;
	set found = 0;
	int c, party;

	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (!(waiting & BIT(client->party)) ||
		    !waits_for_others(m, client, client->party))
			continue;
		for (party = 1; party < m->party_count; party++)
			if (waits_for(m, client, party))
				found |= BIT(party);
	}
	return found;
}

bool
deadlock_closes(const struct model *m, const struct client *client)
{
	struct model with = *m;
	struct client *copy = &with.clients[client - m->clients];
	set found, before = 0;

	if (client->party == 0)
		return false;
	copy->phase = WAITING;
	copy->serial = (uint16_t)(m->serial + 1);
	play_to_end(&with, client->party);
	found = find_waited_for(&with, BIT(client->party));
	while (found != before) {
		before = found;
		found |= find_waited_for(&with, found);
	}
	return (found & BIT(client->party)) != 0;
}
