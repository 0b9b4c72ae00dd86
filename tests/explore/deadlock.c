/* SPDX-License-Identifier: MIT */
#include "deadlock.h"

#include <string.h>

/* A set of parties, one bit for each. */
typedef unsigned set;

static bool
is_inside(const struct model *m, int party, int lock)
{
	int c;

	if (m->received[party][lock][READ] + m->received[party][lock][WRITE] >
	    0)
		return true;
	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].party == party &&
		    m->clients[c].lock == lock &&
		    (m->clients[c].phase == GRANTED ||
			m->clients[c].phase == FIRED))
			return true;
	return false;
}

/* Whom one waits for at a lock: who is inside, and the writers in front, which
 * for a reader are all of them. */
static set
in_front(const struct model *m, int party, int lock, int mode, int serial)
{
	const struct client *client;
	set found = 0;
	int c, p;

	for (p = 1; p < m->party_count; p++)
		if (is_inside(m, p, lock))
			found |= 1u << p;
	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->phase == WAITING && client->lock == lock &&
		    client->mode == WRITE &&
		    (mode == READ || client->serial < serial))
			found |= 1u << client->party;
	}
	/* Nobody waits for itself, or for nobody in particular. */
	return found & ~(1u | 1u << party);
}

static set
waits_for(const struct model *m, int party)
{
	const struct client *client;
	set found = 0;
	int c;

	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->party == party && client->phase == WAITING)
			found |= in_front(m, party, client->lock, client->mode,
			    client->serial);
	}
	return found;
}

bool
deadlock_closes(const struct model *m, int party, int lock, int mode)
{
	set found = in_front(m, party, lock, mode, m->serial + 1);
	set before;
	int p;

	if (party == 0)
		return false;
	do {
		before = found;
		for (p = 1; p < m->party_count; p++)
			if (found & 1u << p)
				found |= waits_for(m, p);
	} while (found != before);
	return (found & 1u << party) != 0;
}
