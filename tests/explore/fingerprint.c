/* SPDX-License-Identifier: MIT */
/*
 * A state in a form that does not depend on the names of clients, owners and
 * locks: the least of the numbers that come out with each way of naming them.
 */
#include "model.h"

/* A way to name things anew: what was i is now of[i]. */
struct names {
	uint8_t clients[CLIENTS];
	uint8_t parties[PARTIES];
	uint8_t locks[LOCKS];
};

static uint64_t
mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

/* How many at the same lock, in the same phase, came before. */
static unsigned
rank(const struct model *m, const struct client *client)
{
	const struct client *other;
	unsigned before = 0;
	int c;

	for (c = 0; c < m->client_count; c++) {
		other = &m->clients[c];
		if (other->phase == client->phase &&
		    other->lock == client->lock &&
		    other->serial < client->serial)
			before++;
	}
	return before;
}

static uint64_t
hash_client(const struct model *m, const struct client *client,
    const struct names *names)
{
	uint64_t word = names->parties[client->party];

	if (client->phase == IDLE)
		return word << 1 | client->requesting;
	word = word << 3 | client->phase;
	word = word << 2 | names->locks[client->lock];
	word = word << 2 | client->mode;
	word = word << 1 | client->paused;
	word = word << 1 | client->timed;
	word = word << 1 | client->expired;
	word = word << 1 | client->requesting;
	word = word << 1 | (client->phase == GRANTED && client->late);
	word = word << 1 | (client->phase == GRANTED && client->at_end);
	if (client->phase == WAITING || client->phase == GRANTED)
		word = word << 3 | rank(m, client);
	if (client->phase == FAILED)
		word = word << 13 | (uint64_t)client->codes << 8 | client->due;
	else if (m->depth > 0)
		word = word << 8 | client->due;
	return word;
}

static uint64_t
hash_frame(
    const struct model *m, const struct frame *frame, const struct names *names)
{
	const struct step *step = &frame->step;
	uint64_t word = (uint64_t)step->kind << 2 | frame->callback_mode;

	switch ((enum kind)step->kind) {
	case ACQUIRE:
	case ACQUIRE_TIMED:
	case CANCEL:
	case FREE:
	case PAUSE:
	case UNPAUSE:
		return word << 4 | names->clients[step->who];
	case END_OWNER:
		return word << 4 | names->parties[step->who];
	case CLOSE:
		return word << 4 | names->locks[step->lock];
	default:
		return word << 4 | (m->grouped ? names->locks[step->lock] : 0);
	}
}

/* How many members asked for the right to write before. */
static unsigned
member_rank(const struct group *group, const struct member *member)
{
	unsigned before = 0;
	int i;

	for (i = 0; i < LOCKS; i++)
		before += group->members[i].asked != 0 &&
			  group->members[i].asked < member->asked;
	return before;
}

static uint64_t
hash_member(const struct model *m, int lock)
{
	const struct member *member = &m->group.members[lock];
	uint64_t word = m->base_closed[lock];

	word = word << 1 | (m->group.writer == lock + 1);
	word = word << 1 | (member->asked != 0);
	word = word << 2 | member_rank(&m->group, member);
	word = word << 1 | member->readers_wait;
	word = word << 1 | member->let_in;
	word = word << 1 | member->called;
	word = word << 1 | member->awaits;
	/* It counts while it has the right. */
	if (m->group.writer == lock + 1)
		word = word << 3 | member->entries;
	return word;
}

static uint64_t
hash(const struct model *m, const struct names *names)
{
	uint64_t words[CLIENTS], locks[LOCKS], parties[PARTIES];
	uint64_t number = m->grouped ? m->group.closed : m->base_closed[0];
	int i, lock;

	for (i = 0; i < m->client_count; i++)
		words[names->clients[i]] =
		    hash_client(m, &m->clients[i], names);
	for (lock = 0; lock < m->lock_count; lock++) {
		locks[names->locks[lock]] =
		    m->status[lock] | (uint64_t)m->limits[lock] << 4;
		if (m->grouped)
			locks[names->locks[lock]] |= hash_member(m, lock) << 8;
	}
	for (i = 0; i < m->party_count; i++) {
		uint64_t word = m->ending[i];

		for (lock = 0; lock < m->lock_count; lock++)
			word |=
			    (uint64_t)(m->received[i][lock][READ] << 8 |
				       m->received[i][lock][UPGRADABLE] << 4 |
				       m->received[i][lock][WRITE])
			    << (8 + 12 * names->locks[lock]);
		parties[names->parties[i]] = word;
	}
	for (i = 0; i < m->client_count; i++)
		number = mix(number, words[i]);
	for (lock = 0; lock < m->lock_count; lock++)
		number = mix(number, locks[lock]);
	for (i = 0; i < m->party_count; i++)
		number = mix(number, parties[i]);
	for (i = 0; i < m->depth; i++)
		number = mix(number, hash_frame(m, &m->frames[i], names));
	return mix(number, m->depth);
}

/* The parties are named after their clients, in the order that these have now;
 * false where two clients of one party would be of two. */
static bool
name_parties(const struct model *m, struct names *names)
{
	uint8_t party_at[CLIENTS];
	int c;

	for (c = 0; c < m->client_count; c++)
		party_at[names->clients[c]] = m->clients[c].party;
	for (c = 0; c < PARTIES; c++)
		names->parties[c] = 0;
	for (c = 0; c < m->client_count; c++) {
		const uint8_t from = party_at[c], to = m->clients[c].party;

		if ((from == 0) != (to == 0))
			return false;
		if (names->parties[from] != 0 && names->parties[from] != to)
			return false;
		names->parties[from] = to;
	}
	/* Two of them must not become one. */
	for (c = 0; c < m->client_count; c++) {
		int i;

		for (i = 0; i < c; i++)
			if ((party_at[i] == party_at[c]) !=
			    (m->clients[i].party == m->clients[c].party))
				return false;
	}
	return true;
}

/* Does each owner stay with its base? */
static bool
keeps_owners(const struct model *m, const struct names *names)
{
	int party;

	for (party = 1; m->grouped && party < m->party_count; party++)
		if (names->locks[model_lock_of(m, party)] !=
		    model_lock_of(m, names->parties[party]))
			return false;
	return true;
}

/* Gives the locks from i on each name that is left. */
static uint64_t
least_of_locks(const struct model *m, struct names *names, int i, unsigned used)
{
	uint64_t found = UINT64_MAX, other;
	int name;

	/* The second is for a compiler that does not know the first. */
	if (i == m->lock_count || i == LOCKS)
		return keeps_owners(m, names) ? hash(m, names) : UINT64_MAX;
	for (name = 0; name < m->lock_count; name++) {
		if (used & 1u << name)
			continue;
		names->locks[i] = (uint8_t)name;
		other = least_of_locks(m, names, i + 1, used | 1u << name);
		if (other < found)
			found = other;
	}
	return found;
}

/* Gives the clients from c on each name that is left. */
static uint64_t
least(const struct model *m, struct names *names, int c, unsigned used)
{
	uint64_t found = UINT64_MAX, other;
	int name;

	if (c == m->client_count || c == CLIENTS)
		return name_parties(m, names) ? least_of_locks(m, names, 0, 0)
					      : UINT64_MAX;
	for (name = 0; name < m->client_count; name++) {
		if (used & 1u << name)
			continue;
		names->clients[c] = (uint8_t)name;
		other = least(m, names, c + 1, used | 1u << name);
		if (other < found)
			found = other;
	}
	return found;
}

uint64_t
model_fingerprint(const struct model *m)
{
	struct names names;

	return least(m, &names, 0, 0);
}
