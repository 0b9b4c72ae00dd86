/* SPDX-License-Identifier: MIT */
/*
 * A program that counts what it forgot to handle:
 */
#include <stdio.h>
#include <event2/event.h>
#include <evdefer.h>

static void
count_unhandled(const struct evfailure *failure, void *arg)
{
	unsigned *count = arg;

	++*count;
	fprintf(stderr, "%s:%d: %s\n", evfailure_get_file(failure),
	    evfailure_get_line(failure), evfailure_get_message(failure));
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	unsigned count = 0;

	if (base == NULL || evdefer_base_reserve(base, 1000, 4000) == -1)
		return 1;
	evdefer_base_set_unhandled(base, count_unhandled, &count);
	event_base_dispatch(loop);
	evdefer_base_free(base);
	event_base_free(loop);
	return count > 0;
}
