/* SPDX-License-Identifier: MIT */
/*
 * A body that waits for a Deferred with the lock held.
 * The caller gives up if it does not have the lock after five seconds, while the
 * body takes the time that it needs:
 */
#include <stdio.h>
#include <sys/time.h>
#include <evdefer.h>

struct table;
struct evdeferred *table_load(struct table *table);

static struct evresult
load(void *arg)
{
	return evresult_deferred(table_load(arg));
}

static struct evresult
print_failure(struct evfailure *failure, void *arg)
{
	(void)arg;
	fprintf(stderr, "load: %s\n", evfailure_get_message(failure));
	return evresult_value(NULL);
}

int
load_alone(struct evrwlock *lock, struct table *table)
{
	static const struct timeval patience = {5, 0};
	struct evdeferred *d =
	    evrwlock_with(lock, NULL, EVRWLOCK_WRITE, &patience, load, table);

	if (d == NULL)
		return -1;
	evdeferred_add_errback(d, print_failure, NULL);
	evdeferred_detach(d);
	return 0;
}
