/* SPDX-License-Identifier: MIT */
/* An object with its lock, with reader methods and writer methods. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <evdefer.h>

struct config {
	struct evrwlock *lock;
	char greeting[32];
};

/* The reader method.  The caller gets a copy, which it owns. */
static struct evresult
get_locked(void *arg)
{
	struct config *config = arg;

	return evresult_owned(strdup(config->greeting), free);
}

static struct evdeferred *
config_get(struct config *config)
{
	return evrwlock_with_reader(config->lock, get_locked, config);
}

/* The writer method, by hand: acquire, change, release. */
static struct evresult
set_locked(void *lock, void *arg)
{
	struct config *config = arg;

	snprintf(config->greeting, sizeof(config->greeting), "good evening");
	evrwlock_writer_release(lock);
	return evresult_value(NULL);
}

static struct evdeferred *
config_make_evening(struct config *config)
{
	struct evdeferred *d = evrwlock_writer_acquire(config->lock);

	if (evdeferred_add_callback(d, set_locked, config) == 0)
		return d;
	evdeferred_free(d); /* and the lock is released, if it was granted */
	return NULL;
}

static struct evresult
print(void *value, void *arg)
{
	printf("%s: %s\n", (char *)arg, (char *)value);
	free(value);
	return evresult_value(NULL);
}

static void
print_greeting(struct config *config, char *when)
{
	struct evdeferred *d = config_get(config);

	evdeferred_add_callback(d, print, when);
	evdeferred_detach(d);
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct config config = {evrwlock_new(base, 0), "good morning"};

	if (config.lock == NULL)
		return 1;
	print_greeting(&config, "first");
	evdeferred_detach(config_make_evening(&config));
	print_greeting(&config, "second");
	event_base_dispatch(loop);
	evrwlock_free(config.lock);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
