/* SPDX-License-Identifier: MIT */
/* A lock of a cluster whose only server is not there: what waits for it is told. */
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>
#include <evdefer/cluster.h>

static struct evresult
on_failure(struct evfailure *failure, void *arg)
{
	(void)failure;
	event_base_loopbreak((struct event_base *)arg);
	return evresult_value(NULL);
}

int
main(void)
{
	const struct timeval patience = {0, 100000};
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evcluster *cluster = evcluster_new(base, "127.0.0.1:1", NULL);
	struct evrwlock *lock = evrwlock_new_in_cluster(cluster, "feed", 0);
	struct evdeferred *d = evrwlock_writer_acquire(lock), *connecting;
	int failed = lock == NULL || d == NULL ||
		     evdeferred_add_timeout(d, &patience) == -1 ||
		     evdeferred_add_errback(d, on_failure, loop) == -1;

	connecting = evcluster_connect(cluster);
	if (!failed)
		event_base_dispatch(loop);
	failed |= evcluster_get_state(cluster) != EVCLUSTER_CONNECTING;
	evdeferred_free(d);
	evdeferred_free(connecting);
	evrwlock_free(lock);
	evcluster_free(cluster);
	evdefer_base_free(base);
	event_base_free(loop);
	puts(failed ? "failed" : "nobody is there");
	return failed;
}
