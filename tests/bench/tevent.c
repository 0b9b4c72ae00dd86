/* SPDX-License-Identifier: MIT */
/*
 * Samba's tevent_queue: requests that wait for their turn.  It has no readers,
 * each is alone when its turn has come.  The trigger is called directly, with
 * nothing but a request and its entry in the queue; freeing the request lets the
 * next one have its turn, by an immediate event of the loop.
 */
#include <stdbool.h>
#include <stdlib.h>

#include <talloc.h>
#include <tevent.h>

#include "bench.h"

/* About the bytes of a request with all its parts. */
#define REQUEST 1000
#define LARGEST_POOL 100000

static TALLOC_CTX *context;
static struct tevent_context *loop;
static struct tevent_queue *queue;
static size_t waiters, granted;

struct state {
	char unused;
};

static void
trigger(struct tevent_req *req, void *arg)
{
	(void)arg;
	granted++;
	talloc_free(req);
}

static void
enqueue(void)
{
	struct tevent_req *req;
	struct state *state;

	req = tevent_req_create(context, &state, struct state);
	bench_check(req != NULL);
	bench_check(tevent_queue_add(queue, loop, req, trigger, NULL));
}

static uint64_t
round_trips(size_t count)
{
	const uint64_t begun = bench_now();
	size_t i, end;

	while (count-- > 0) {
		end = granted + waiters;
		tevent_queue_stop(queue);
		for (i = 0; i < waiters; i++)
			enqueue();
		tevent_queue_start(queue);
		while (granted < end)
			tevent_loop_once(loop);
	}
	return bench_now() - begun;
}

static double
measured(size_t n)
{
	double figure;

	waiters = n;
	figure = bench_measure(round_trips, n);
	bench_check(tevent_queue_length(queue) == 0);
	return figure;
}

static double
memory(size_t n)
{
	size_t before, i;

	talloc_free(queue);
	context = talloc_new(NULL);
	queue = tevent_queue_create(context, "queue");
	before = bench_allocated();
	tevent_queue_stop(queue);
	for (i = 0; i < n; i++)
		enqueue();
	return (double)(bench_allocated() - before) / (double)n;
}

int
main(int argc, char **argv)
{
	/* With one there is no queue: a turn of the loop. */
	static const struct bench_work works[] = {
	    {"write-loop", measured},
	    {"waiters", measured},
	    {"memory", memory},
	    {NULL, NULL},
	};
	size_t n;
	int status;

	/* Requests out of a pool are cheaper, but a pool has a largest size. */
	n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	context = n < LARGEST_POOL ? talloc_pool(NULL, (n + 100) * REQUEST)
				   : talloc_new(NULL);
	loop = tevent_context_init(context);
	queue = tevent_queue_create(context, "queue");
	bench_check(loop != NULL && queue != NULL);
	status = bench_main(argc, argv, works);
	talloc_free(context);
	return status;
}
