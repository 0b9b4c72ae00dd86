/* SPDX-License-Identifier: MIT */
/* Four loops in four threads, one table, and one lock for all of them. */
#include <pthread.h>
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

#define LOOPS 4
#define ROUNDS 25
#define ACCOUNTS 8

static struct evgroup *group;
static int accounts[ACCOUNTS]; /* the table */

/* What one thread has. */
struct worker {
	struct evcoro co;
	pthread_t thread;
	int number;
	struct evdefer_base *base;
	struct evrwlock *lock; /* its member of the group */
	int transfers, audits, wrong;
};

static struct evresult
put(void *arg)
{
	struct worker *w = arg;

	accounts[(w->transfers + 1) % ACCOUNTS] += w->number;
	w->transfers++;
	return evresult_value(NULL);
}

/* A writer.  Between its two steps this loop serves others, and the other loops run. */
static struct evresult
transfer(void *arg)
{
	static const struct timeval a_while = {0, 1000};
	struct worker *w = arg;

	accounts[w->transfers % ACCOUNTS] -= w->number;
	return evresult_deferred(evdeferred_later(w->base, &a_while, put, w));
}

/* A reader, beside those of the other threads. */
static struct evresult
audit(void *arg)
{
	struct worker *w = arg;
	int i, total = 0;

	for (i = 0; i < ACCOUNTS; i++)
		total += accounts[i];
	w->audits++;
	if (total != 100 * ACCOUNTS)
		w->wrong++;
	return evresult_value(NULL);
}

static struct evresult
work(struct evcoro *co, void *arg)
{
	struct worker *w = arg;

	EVCORO_BEGIN(co);
	while (w->transfers < ROUNDS) {
		EVCORO_AWAIT(co, evrwlock_with_writer(w->lock, transfer, w));
		while (w->audits < 10 * w->transfers)
			EVCORO_AWAIT(
			    co, evrwlock_with_reader(w->lock, audit, w));
	}
	EVCORO_END(co);
}

static void *
run(void *arg)
{
	struct worker *w = arg;
	struct event_base *loop = event_base_new();

	w->base = evdefer_base_new(loop);
	w->lock = evrwlock_new_in_group(group, w->base, 0);
	evdeferred_detach(evcoro_start(w->base, &w->co, work, w, NULL));
	event_base_dispatch(loop);

	evrwlock_free(w->lock);
	evdefer_base_free(w->base);
	event_base_free(loop);
	return NULL;
}

int
main(void)
{
	struct worker workers[LOOPS] = {0};
	int i, total = 0;

	if ((group = evgroup_new()) == NULL)
		return 1;
	for (i = 0; i < ACCOUNTS; i++)
		accounts[i] = 100;
	for (i = 0; i < LOOPS; i++) {
		workers[i].number = i + 1;
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
			return 1;
	}
	for (i = 0; i < LOOPS; i++) {
		pthread_join(workers[i].thread, NULL);
		printf("loop %d: %d transfers, %d audits, %d of them wrong\n",
		    workers[i].number, workers[i].transfers, workers[i].audits,
		    workers[i].wrong);
	}
	evgroup_free(group);
	for (i = 0; i < ACCOUNTS; i++)
		total += accounts[i];
	printf("in the accounts: %d\n", total);
	return 0;
}
