/* SPDX-License-Identifier: MIT */
/*
 * A client that holds a lock over several commands, and may go at any time:
 */
#include <evdefer.h>

struct client {
	struct evowner *owner;
	struct evrwlock *table;
	struct evdeferred *waiting;
};

int
client_begin(struct client *client, struct evdefer_base *base)
{
	client->waiting = NULL;
	client->owner = evowner_new(base, "a client");
	return client->owner != NULL ? 0 : -1;
}

int
client_lock(struct client *client)
{
	evdeferred_free(client->waiting);
	client->waiting =
	    evrwlock_acquire(client->table, client->owner, EVRWLOCK_WRITE);
	return client->waiting != NULL ? 0 : -1;
}

int
client_unlock(struct client *client)
{
	return evrwlock_release(client->table, client->owner, EVRWLOCK_WRITE);
}

void
client_end(struct client *client)
{
	evdeferred_free(client->waiting);
	evowner_free(client->owner);
}
