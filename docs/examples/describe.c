/* SPDX-License-Identifier: MIT */
/* Who is inside a lock, and who waits. */
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evowner *client = evowner_new(base, "client 7");
	struct evdeferred *writer = NULL;
	char text[200];

	if (client == NULL || evrwlock_set_name(lock, "accounts") == -1)
		return 1;
	if (evrwlock_try(lock, client, EVRWLOCK_READ) == 0)
		writer = evrwlock_writer_acquire(lock);
	evrwlock_describe(lock, text, sizeof(text));
	printf("%s\n", text);

	evdeferred_free(writer);
	evowner_free(client);
	evrwlock_free(lock);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
