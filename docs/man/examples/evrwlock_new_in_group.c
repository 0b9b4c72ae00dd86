/* SPDX-License-Identifier: MIT */
/*
 * Each thread runs a loop with a member of its own:
 */
#include <event2/event.h>
#include <evdefer.h>

void accept_clients(struct evdefer_base *base, struct evrwlock *lock);

/* pthread_create() is called with this for each loop. */
void *
run_loop(void *group)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evrwlock *lock = evrwlock_new_in_group(group, base, 0);

	if (lock != NULL) {
		accept_clients(base, lock);
		event_base_dispatch(loop);
	}
	evrwlock_free(lock);
	evdefer_base_free(base);
	event_base_free(loop);
	return NULL;
}
