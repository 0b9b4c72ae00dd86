/* SPDX-License-Identifier: MIT */
/* Who reads, and only then knows whether to write: an upgradable hold. */
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

static struct evrwlock *lock;
static int price; /* guarded by the lock; 0: not known */

/* The hold to write has come, and nobody has written since the look. */
static struct evresult
fill(void *value, void *arg)
{
	(void)value;
	price = 42;
	printf("%s: it is %d from now on\n", (const char *)arg, price);
	evrwlock_release(lock, NULL, EVRWLOCK_WRITE);
	return evresult_value(NULL);
}

static struct evresult
look(void *arg)
{
	struct evdeferred *upgrade;

	if (price != 0) {
		printf("%s: it is %d\n", (const char *)arg, price);
		return evresult_value(NULL);
	}
	printf("%s: nobody knows\n", (const char *)arg);
	upgrade = evrwlock_upgrade(lock, NULL);
	evdeferred_add_callback(upgrade, fill, arg);
	return evresult_deferred(upgrade);
}

static void
ask(const char *name)
{
	struct evdeferred *d = evrwlock_with(
	    lock, NULL, EVRWLOCK_UPGRADABLE, NULL, look, (void *)name);

	evdeferred_detach(d);
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evdeferred *reader;

	lock = evrwlock_new(base, 0);
	reader = evrwlock_reader_acquire(lock);
	ask("ann");
	ask("bob");
	event_base_loop(loop, EVLOOP_NONBLOCK);

	printf("ann waits until nobody else reads\n");
	evrwlock_reader_release(lock);
	event_base_dispatch(loop);

	evdeferred_free(reader);
	evrwlock_free(lock);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
