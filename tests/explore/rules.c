/* SPDX-License-Identifier: MIT */
/*
 * The rules of a lock: who is inside, and what one gets that asks.
 */
#include <errno.h>

#include "model.h"

/*
 * Who is where.
 */

static bool
is_inside(const struct client *client, int lock, int mode)
{
	return (client->phase == GRANTED || client->phase == FIRED) &&
	       client->lock == lock && client->mode == mode;
}

bool
model_is_waiting(const struct client *client, int lock, int mode)
{
	return client->phase == WAITING && client->lock == lock &&
	       client->mode == mode;
}

enum mode
model_mode_inside(int mode)
{
	return mode == UPGRADE ? WRITE : (enum mode)mode;
}

int
model_party_inside(const struct model *m, int party, int lock, int mode)
{
	int count = m->received[party][lock][mode];
	int c;

	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].party == party)
			count += is_inside(&m->clients[c], lock, mode);
	return count;
}

int
model_received(const struct model *m, int party, int lock)
{
	const uint8_t *received = m->received[party][lock];

	return received[READ] + received[UPGRADABLE] + received[WRITE];
}

int
model_inside(const struct model *m, int lock, enum mode mode)
{
	int count = 0, i;

	for (i = 0; i < m->party_count; i++)
		count += m->received[i][lock][mode];
	for (i = 0; i < m->client_count; i++)
		count += is_inside(&m->clients[i], lock, (int)mode);
	return count;
}

int
model_waiting(const struct model *m, int lock, enum mode mode)
{
	int count = 0, c;

	for (c = 0; c < m->client_count; c++)
		count += model_is_waiting(&m->clients[c], lock, (int)mode);
	return count;
}

int
model_all_inside(const struct model *m, int lock)
{
	return model_inside(m, lock, READ) + model_inside(m, lock, UPGRADABLE) +
	       model_inside(m, lock, WRITE);
}

/* Whose reads those that want to upgrade do not wait for is known of owners only. */
static bool
others_read(const struct model *m, int party, int lock)
{
	const int own =
	    party > 0 ? model_party_inside(m, party, lock, READ) : 0;

	return model_inside(m, lock, READ) > own;
}

/* One that is upgradable reads, too. */
static bool
is_full(const struct model *m, int lock)
{
	return m->limits[lock] > 0 &&
	       model_inside(m, lock, READ) +
		       model_inside(m, lock, UPGRADABLE) >=
		   m->limits[lock];
}

/* May one of that party be inside beside those that are? */
static bool
fits_in(const struct model *m, int party, int lock, int mode)
{
	if (m->tokens > 0)
		return model_inside(m, lock, WRITE) < m->tokens;
	/* All that upgrade are one party. */
	if (mode == UPGRADE)
		return !others_read(m, party, lock);
	if (mode == WRITE)
		return model_all_inside(m, lock) == 0;
	if (model_inside(m, lock, WRITE) > 0)
		return false;
	return !is_full(m, lock) &&
	       (mode == READ || model_inside(m, lock, UPGRADABLE) == 0);
}

/* An upgrade comes before all; writers before readers, or in a fair lock before those
 * that have come later.  One that waits to be upgradable keeps its place only before
 * others that do. */
bool
model_is_in_front(const struct model *m, const struct client *other,
    const struct client *client)
{
	const bool older = other->serial < client->serial;

	if (other == client || other->phase != WAITING ||
	    other->lock != client->lock || client->mode == UPGRADE)
		return false;
	if (other->mode == UPGRADE)
		return true;
	if (other->mode == WRITE)
		return older || (client->mode != WRITE && !m->fair);
	if (client->mode == WRITE)
		return older && m->fair;
	return older && other->mode == client->mode;
}

static bool
is_first(const struct model *m, const struct client *client)
{
	int c;

	for (c = 0; c < m->client_count; c++)
		if (model_is_in_front(m, &m->clients[c], client))
			return false;
	return true;
}

/* Rules 4 and 5. */
struct client *
model_next_to_enter(struct model *m, int lock)
{
	struct client *client, *next = NULL;
	int c;

	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->phase == WAITING && client->lock == lock &&
		    (next == NULL || client->serial < next->serial) &&
		    is_first(m, client) &&
		    fits_in(m, client->party, lock, client->mode))
			next = client;
	}
	return next;
}

/* Rules 1 and 2.  Who comes late is behind all that wait. */
bool
model_may_enter(const struct model *m, int lock, int mode)
{
	struct client client = {
	    .mode = (uint8_t)mode, .lock = (uint8_t)lock, .serial = UINT16_MAX};

	return is_first(m, &client) && fits_in(m, 0, lock, mode);
}

/* An owner that has an upgradable hold, and asks to write, upgrades. */
int
model_mode_asked(const struct model *m, int party, struct step step)
{
	if (party > 0 && step.mode == WRITE && m->tokens == 0 &&
	    model_party_inside(m, party, step.lock, WRITE) == 0 &&
	    model_party_inside(m, party, step.lock, UPGRADABLE) > 0)
		return UPGRADE;
	return step.mode;
}

static int
answer_upgrade(const struct model *m, int party, int lock)
{
	if ((party > 0 ? model_party_inside(m, party, lock, UPGRADABLE)
		       : m->received[0][lock][UPGRADABLE]) == 0)
		return EPERM;
	if (model_inside(m, lock, WRITE) > 0)
		return 0;
	return others_read(m, party, lock) ? EBUSY : 0;
}

/* What an owner gets that is inside. */
static int
answer_holder(const struct model *m, int party, int lock, int mode)
{
	if (mode == READ || model_party_inside(m, party, lock, WRITE) > 0)
		return 0;
	if (mode == UPGRADABLE &&
	    model_party_inside(m, party, lock, UPGRADABLE) > 0)
		return 0;
	return EDEADLK;
}

static bool
is_holder(const struct model *m, int party, int lock)
{
	int mode, count = 0;

	for (mode = READ; mode < MODES; mode++)
		count += model_party_inside(m, party, lock, mode);
	return count > 0;
}

/* One that waits to be upgradable can ask for nothing beside that. */
static bool
waits_beside(const struct model *m, int party, int lock, int mode)
{
	const struct client *client;
	int c;

	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->party == party && client->phase == WAITING &&
		    client->lock == lock &&
		    (mode == UPGRADABLE || client->mode == UPGRADABLE))
			return true;
	}
	return false;
}

/* 0: it enters, EBUSY: it has to wait, or why it cannot. */
int
model_answer(const struct model *m, int party, int lock, int mode)
{
	if (m->status[lock] != OPEN || m->base_closed[model_base_of(m, lock)] ||
	    m->ending[party])
		return ESHUTDOWN;
	/* Tokens are as good as each other, and none of them is had twice. */
	if (mode == UPGRADE)
		return answer_upgrade(m, party, lock);
	if (party != 0 && m->tokens == 0 && is_holder(m, party, lock))
		return answer_holder(m, party, lock, mode);
	if (party != 0 && waits_beside(m, party, lock, mode))
		return EDEADLK;
	/* The group is asked later. */
	return model_may_enter(m, lock, mode) && !m->grouped ? 0 : EBUSY;
}
