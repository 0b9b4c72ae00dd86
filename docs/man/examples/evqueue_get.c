/* SPDX-License-Identifier: MIT */
/*
 * A consumer that works on one job after the other.
 * It has to be stopped before the queue is freed, since it asks for the next job from
 * a callback:
 */
#include <stdlib.h>
#include <evdefer.h>

struct job;
struct evresult job_do(struct job *job);

struct consumer {
	struct evqueue *jobs;
	struct evdeferred *turn; /* a get, and the job that it brought */
};

static struct evresult
do_job(void *value, void *arg)
{
	(void)arg;
	return job_do(value);
}

static struct evresult go_on(struct evresult result, void *arg);

int
consumer_go(struct consumer *consumer)
{
	struct evdeferred *d = evqueue_get(consumer->jobs);

	consumer->turn = d;
	if (d == NULL)
		return -1;
	evdeferred_add_callback(d, do_job, NULL);
	return evdeferred_add_both(d, go_on, consumer);
}

static struct evresult
go_on(struct evresult result, void *arg)
{
	struct consumer *consumer = arg;

	/* Takes effect when this returns. */
	evdeferred_free(consumer->turn);
	consumer_go(consumer);
	return result;
}

/* Calls off the job under way, or the get. */
void
consumer_stop(struct consumer *consumer)
{
	evdeferred_free(consumer->turn);
	consumer->turn = NULL;
}

/* Takes the job over, whatever comes. */
int
add_job(struct evqueue *jobs, struct job *job)
{
	struct evresult object = evresult_owned(job, free);

	if (evqueue_put(jobs, object) == 0)
		return 0;
	evresult_dispose(object);
	return -1;
}
