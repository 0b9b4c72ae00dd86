/* SPDX-License-Identifier: MIT */
/*
 * Two callbacks of one request, and others between them: the last seat is sold
 * twice.  libevent alone.
 */
#include <stdio.h>

#include <event2/event.h>

static const struct timeval bank_time = {0, 10000};
static struct event_base *loop;
static int free_seats = 1;

/* The second callback of a request. */
static void
paid(evutil_socket_t fd, short what, void *name)
{
	(void)fd;
	(void)what;
	free_seats--;
	printf("%s: booked, now %d free\n", (char *)name, free_seats);
}

/* The first one. */
static void
book(const char *name)
{
	if (free_seats == 0) {
		printf("%s: sold out\n", name);
		return;
	}
	printf("%s: %d free, asking the bank\n", name, free_seats);
	event_base_once(loop, -1, EV_TIMEOUT, paid, (void *)name, &bank_time);
}

int
main(void)
{
	loop = event_base_new();
	book("Ann");
	book("Bob");
	event_base_dispatch(loop);
	event_base_free(loop);
	return 0;
}
