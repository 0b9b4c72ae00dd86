/* SPDX-License-Identifier: MIT */
/* Locks that know who holds them: no deadlock, and nothing is left behind. */
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

static struct event_base *loop;

struct client {
	const char *name;
	struct evowner *owner;
};

static struct evresult
entered(void *lock, void *arg)
{
	struct client *client = arg;

	printf("%s: I have %s\n", client->name, evrwlock_get_name(lock));
	return evresult_value(NULL);
}

static struct evresult
refused(struct evfailure *failure, void *arg)
{
	struct client *client = arg;

	printf("%s: %s\n", client->name, evfailure_get_message(failure));
	return evresult_value(NULL);
}

/* The command "lock".  The chain ends by itself, at the latest when the owner
 * does. */
static void
take(struct client *client, struct evrwlock *table)
{
	struct evdeferred *d =
	    evrwlock_acquire(table, client->owner, EVRWLOCK_WRITE);

	evdeferred_add_callbacks(d, entered, refused, client);
	evdeferred_detach(d);
	event_base_loop(loop, EVLOOP_NONBLOCK);
}

/* The connection has closed. */
static void
gone(struct client *client)
{
	printf("%s: bye\n", client->name);
	evowner_free(client->owner);
	event_base_loop(loop, EVLOOP_NONBLOCK);
}

int
main(void)
{
	loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evrwlock *fruit = evrwlock_new(base, 0);
	struct evrwlock *bread = evrwlock_new(base, 0);
	struct client ann = {"ann", evowner_new(base, "ann")};
	struct client bob = {"bob", evowner_new(base, "bob")};

	evrwlock_set_name(fruit, "the fruit");
	evrwlock_set_name(bread, "the bread");
	take(&ann, fruit);
	take(&ann, fruit); /* again: she has it already */
	take(&bob, bread);
	take(&ann, bread); /* waits for bob */
	take(&bob, fruit); /* would wait for ann, who waits for him */
	gone(&bob);
	gone(&ann);

	evrwlock_free(fruit);
	evrwlock_free(bread);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
