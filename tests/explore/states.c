/* SPDX-License-Identifier: MIT */
#include "states.h"

#include <stdio.h>
#include <stdlib.h>

static _Noreturn void
no_memory(void)
{
	fprintf(stderr, "explore: out of memory\n");
	exit(2);
}

static bool
insert(uint64_t *seen, size_t size, uint64_t fingerprint)
{
	size_t at;

	/* 0 is an empty place. */
	if (fingerprint == 0)
		fingerprint = 1;
	at = (size_t)fingerprint & (size - 1);
	for (; seen[at] != 0; at = (at + 1) & (size - 1))
		if (seen[at] == fingerprint)
			return false;
	seen[at] = fingerprint;
	return true;
}

static void
grow(struct states *states)
{
	const size_t size =
	    states->seen_size > 0 ? 2 * states->seen_size : 1024;
	uint64_t *seen = calloc(size, sizeof(*seen));
	size_t i;

	if (seen == NULL)
		no_memory();
	for (i = 0; i < states->seen_size; i++)
		if (states->seen[i] != 0)
			insert(seen, size, states->seen[i]);
	free(states->seen);
	states->seen = seen;
	states->seen_size = size;
}

bool
states_see(struct states *states, uint64_t fingerprint)
{
	if (2 * (states->count + 1) > states->seen_size)
		grow(states);
	return insert(states->seen, states->seen_size, fingerprint);
}

void
states_add(struct states *states, const struct state *state)
{
	if (states->count == states->room) {
		states->room = states->room > 0 ? 2 * states->room : 1024;
		states->all =
		    realloc(states->all, states->room * sizeof(*states->all));
		if (states->all == NULL)
			no_memory();
	}
	states->all[states->count++] = *state;
}
