/* SPDX-License-Identifier: MIT */
/*
 * The hot paths, each run OPERATIONS times in steady state, for callgrind to
 * count their instructions: each is one part of its output, by the name of the
 * path.  Run by tests/counts/run, which does the sums.
 *
 * Nothing here depends on time or chance: the clock stands still.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include <event2/event.h>
#include <valgrind/callgrind.h>
#include <evdefer.h>

#define OPERATIONS 1000
#define BATCH 250 /* in one turn of the loop, and a divisor of it */

static struct event_base *loop;
static struct evdefer_base *base;
static struct evrwlock *fast, *lock, *member;
static struct evowner *owner, *owners[OPERATIONS];
static struct evdeferred *waiting[OPERATIONS];
static const struct timeval minute = {60, 0};
static int called, expected;

/* These two stand before those of libc, for libevent too. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	ts->tv_sec = 1000;
	ts->tv_nsec = 0;
	return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	(void)tz;
	tv->tv_sec = 1000;
	tv->tv_usec = 0;
	return 0;
}

static void
stop(const char *what)
{
	fprintf(stderr, "counts: %s\n", what);
	exit(1);
}

static void
turn(void)
{
	if (event_base_loop(loop, EVLOOP_ONCE) == -1)
		stop("the loop failed");
}

static struct evresult
pass(void *value, void *arg)
{
	(void)arg;
	called++;
	return evresult_value(value);
}

static struct evresult
read_it(void *value, void *arg)
{
	(void)arg;
	called++;
	evrwlock_reader_release(value);
	return evresult_value(NULL);
}

static struct evresult
write_it(void *value, void *arg)
{
	(void)arg;
	called++;
	evrwlock_writer_release(value);
	return evresult_value(NULL);
}

static struct evresult
read_for_owner(void *value, void *arg)
{
	called++;
	evrwlock_release(value, arg, EVRWLOCK_READ);
	return evresult_value(NULL);
}

static struct evresult
write_for_owner(void *value, void *arg)
{
	called++;
	evrwlock_release(value, arg, EVRWLOCK_WRITE);
	return evresult_value(NULL);
}

static struct evresult
hold_it(void *arg)
{
	(void)arg;
	called++;
	return evresult_value(NULL);
}

static struct evresult
take_failure(struct evfailure *failure, void *arg)
{
	(void)failure, (void)arg;
	called++;
	return evresult_value(NULL);
}

/*
 * Deferreds.
 */

static void
deferred(void)
{
	struct evdeferred *d;
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		d = evdeferred_new(base, NULL, NULL);
		evdeferred_add_callback(d, pass, NULL);
		evdeferred_callback(d, NULL);
		evdeferred_free(d);
	}
}

static void
deferred_chain_10(void)
{
	struct evdeferred *d;
	int i, link;

	expected = 10 * OPERATIONS;
	for (i = 0; i < OPERATIONS; i++) {
		d = evdeferred_new(base, NULL, NULL);
		for (link = 0; link < 10; link++)
			evdeferred_add_callback(d, pass, NULL);
		evdeferred_callback(d, NULL);
		evdeferred_free(d);
	}
}

/*
 * The lock, uncontended.
 */

static void
read_often(struct evrwlock *of)
{
	struct evdeferred *d;
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		d = evrwlock_reader_acquire(of);
		evdeferred_add_callback(d, read_it, NULL);
		evdeferred_free(d);
	}
}

static void
read_fast(void)
{
	read_often(fast);
}

static void
read_in_group(void)
{
	read_often(member);
}

/* Somebody who looks on and does nothing, and a trace into nowhere. */
static void
ignore(const struct evobserver_event *event, void *arg)
{
	(void)event, (void)arg;
}

static void
begin_observing(void)
{
	static const struct evobserver observer = {
	    ignore, ignore, ignore, ignore, ignore, NULL, NULL, NULL};

	evdefer_base_set_observer(base, &observer, NULL);
}

static void
end_observing(void)
{
	evdefer_base_set_observer(base, NULL, NULL);
}

static struct evtrace *trace;

static int
write_nowhere(const void *data, size_t length, void *arg)
{
	(void)data, (void)length, (void)arg;
	return 0;
}

static void
begin_tracing(void)
{
	trace = evtrace_new(write_nowhere, NULL, 0);
	if (evtrace_add(trace, base, NULL) == -1)
		stop("no trace");
}

static void
end_tracing(void)
{
	evtrace_remove(base);
	evtrace_free(trace);
}

static void
write_fast(void)
{
	struct evdeferred *d;
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		d = evrwlock_writer_acquire(fast);
		evdeferred_add_callback(d, write_it, NULL);
		evdeferred_free(d);
	}
}

static void
read_for_owner_fast(void)
{
	struct evdeferred *d;
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		d = evrwlock_acquire(fast, owner, EVRWLOCK_READ);
		evdeferred_add_callback(d, read_for_owner, owner);
		evdeferred_free(d);
	}
}

static void
write_for_owner_fast(void)
{
	struct evdeferred *d;
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		d = evrwlock_acquire(fast, owner, EVRWLOCK_WRITE);
		evdeferred_add_callback(d, write_for_owner, owner);
		evdeferred_free(d);
	}
}

static void
with_reader(void)
{
	int i;

	for (i = 0; i < OPERATIONS; i++)
		evdeferred_free(evrwlock_with_reader(fast, hold_it, NULL));
}

static void
with_reader_for_owner(void)
{
	int i;

	for (i = 0; i < OPERATIONS; i++)
		evdeferred_free(evrwlock_with(
		    fast, owner, EVRWLOCK_READ, NULL, hold_it, NULL));
}

static void
try_read(void)
{
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		called += evrwlock_reader_try(lock) == 0;
		evrwlock_reader_release(lock);
	}
}

static void
read_loop(void)
{
	struct evdeferred *d;
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		d = evrwlock_reader_acquire(lock);
		evdeferred_add_callback(d, read_it, NULL);
		turn();
		evdeferred_free(d);
	}
}

static void
write_loop(void)
{
	struct evdeferred *d;
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		d = evrwlock_writer_acquire(lock);
		evdeferred_add_callback(d, write_it, NULL);
		turn();
		evdeferred_free(d);
	}
}

static void
read_loop_batch(void)
{
	int done, i;

	for (done = 0; done < OPERATIONS; done += BATCH) {
		for (i = 0; i < BATCH; i++) {
			waiting[i] = evrwlock_reader_acquire(lock);
			evdeferred_add_callback(waiting[i], read_it, NULL);
		}
		turn();
		for (i = 0; i < BATCH; i++)
			evdeferred_free(waiting[i]);
	}
}

/*
 * The lock, contended.  A writer holds it while others ask for it.
 */

static void
enqueue(struct evrwlock *which, bool writers)
{
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		waiting[i] = writers ? evrwlock_writer_acquire(which)
				     : evrwlock_reader_acquire(which);
		evdeferred_add_callback(
		    waiting[i], writers ? write_it : read_it, NULL);
	}
}

static void
free_all(void)
{
	int i;

	for (i = 0; i < OPERATIONS; i++)
		evdeferred_free(waiting[i]);
}

static void
hold(void)
{
	if (evrwlock_writer_try(fast) == -1 || evrwlock_writer_try(lock) == -1)
		stop("a lock is not free");
}

static void
let_go(void)
{
	evrwlock_writer_release(fast);
	evrwlock_writer_release(lock);
}

static void
hold_and_enqueue_readers(void)
{
	hold();
	enqueue(lock, false);
}

static void
hold_and_enqueue_writers(void)
{
	hold();
	enqueue(lock, true);
}

static void
hold_and_enqueue_fast_readers(void)
{
	hold();
	enqueue(fast, false);
}

static void
hold_and_enqueue_fast_writers(void)
{
	hold();
	enqueue(fast, true);
}

static void
enqueue_readers(void)
{
	enqueue(lock, false);
	called += OPERATIONS; /* by let_all_in() */
}

static void
enqueue_owners(void)
{
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		waiting[i] = evrwlock_acquire(lock, owners[i], EVRWLOCK_READ);
		evdeferred_add_callback(waiting[i], read_for_owner, owners[i]);
	}
}

static void
hold_and_enqueue_owners(void)
{
	hold();
	enqueue_owners();
}

static void
count_and_enqueue_owners(void)
{
	enqueue_owners();
	called += OPERATIONS; /* by let_all_in() */
}

static void
grant_loop(void)
{
	evrwlock_writer_release(lock);
	while (called < OPERATIONS)
		turn();
	free_all();
}

static void
grant_fast(void)
{
	evrwlock_writer_release(fast);
	/* What the release does not make itself is left to the loop. */
	while (called < OPERATIONS)
		turn();
	free_all();
}

static void
let_all_in(void)
{
	called = 0;
	grant_loop();
	evrwlock_writer_release(fast);
}

/* 7 and OPERATIONS have no common divisor: each once, from all over the list. */
static void
cancel(void)
{
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		evdeferred_cancel(waiting[7 * i % OPERATIONS]);
		evdeferred_free(waiting[7 * i % OPERATIONS]);
	}
}

static void
hold_and_enqueue_to_cancel(void)
{
	int i;

	hold();
	for (i = 0; i < OPERATIONS; i++) {
		waiting[i] = evrwlock_reader_acquire(lock);
		evdeferred_add_errback(waiting[i], take_failure, NULL);
	}
}

static void
acquire_with_timeout(void)
{
	int i;

	for (i = 0; i < OPERATIONS; i++) {
		waiting[i] = evrwlock_reader_acquire(lock);
		evdeferred_add_timeout(waiting[i], &minute);
		evdeferred_add_errback(waiting[i], take_failure, NULL);
	}
	called += OPERATIONS; /* by cancel_all() */
}

static void
hold_with_timeouts(void)
{
	hold();
	acquire_with_timeout();
}

/* While as many run. */
static void
start_and_stop(void)
{
	int i;

	for (i = 0; i < OPERATIONS; i++)
		evdeferred_free(evdeferred_later(base, &minute, NULL, NULL));
	called += OPERATIONS;
}

static void
cancel_all(void)
{
	cancel();
	let_go();
}

/*
 * What is counted is the path, not what comes before and after it.
 */

static const struct path {
	const char *name;
	void (*before)(void);
	void (*path)(void);
	void (*after)(void);
} paths[] = {
    {"deferred", NULL, deferred, NULL},
    {"deferred-chain-10", NULL, deferred_chain_10, NULL},
    {"read-fast", NULL, read_fast, NULL},
    {"read-fast-group", NULL, read_in_group, NULL},
    {"read-fast-observed", begin_observing, read_fast, end_observing},
    {"read-fast-traced", begin_tracing, read_fast, end_tracing},
    {"write-fast", NULL, write_fast, NULL},
    {"read-fast-owner", NULL, read_for_owner_fast, NULL},
    {"write-fast-owner", NULL, write_for_owner_fast, NULL},
    {"with-reader", NULL, with_reader, NULL},
    {"with-reader-owner", NULL, with_reader_for_owner, NULL},
    {"read-try", NULL, try_read, NULL},
    {"read-loop", NULL, read_loop, NULL},
    {"write-loop", NULL, write_loop, NULL},
    {"read-loop-batch", NULL, read_loop_batch, NULL},
    {"enqueue", hold, enqueue_readers, let_all_in},
    {"enqueue-owners", hold, count_and_enqueue_owners, let_all_in},
    {"grant-read-loop", hold_and_enqueue_readers, grant_loop, let_go},
    {"grant-write-loop", hold_and_enqueue_writers, grant_loop, let_go},
    {"grant-read-fast", hold_and_enqueue_fast_readers, grant_fast, let_go},
    {"grant-write-fast", hold_and_enqueue_fast_writers, grant_fast, let_go},
    {"grant-owners-loop", hold_and_enqueue_owners, grant_loop, let_go},
    {"cancel", hold_and_enqueue_to_cancel, cancel, let_go},
    {"acquire-with-timeout", hold, acquire_with_timeout, cancel_all},
    {"timeout-start-stop", hold_with_timeouts, start_and_stop, cancel_all},
};

static void
run(const struct path *path, bool counted)
{
	if (path->before != NULL)
		path->before();
	called = 0;
	expected = OPERATIONS;
	if (counted)
		CALLGRIND_ZERO_STATS;
	path->path();
	if (counted)
		CALLGRIND_DUMP_STATS_AT(path->name);
	if (called != expected)
		stop(path->name);
	if (path->after != NULL)
		path->after();
}

static void
make_owners(void)
{
	int i;

	owner = evowner_new(base, "owner");
	for (i = 0; i < OPERATIONS; i++)
		owners[i] = evowner_new(base, "one of many");
	if (owner == NULL || owners[OPERATIONS - 1] == NULL)
		stop("no memory");
}

static void
free_owners(void)
{
	int i;

	evowner_free(owner);
	for (i = 0; i < OPERATIONS; i++)
		evowner_free(owners[i]);
}

int
main(void)
{
	struct evgroup *group = evgroup_new();
	size_t i;

	loop = event_base_new();
	base = evdefer_base_new(loop);
	fast = evrwlock_new(base, EVRWLOCK_FAST);
	lock = evrwlock_new(base, 0);
	member = evrwlock_new_in_group(group, base, EVRWLOCK_FAST);
	if (fast == NULL || lock == NULL || member == NULL)
		stop("no memory");
	make_owners();
	if (!RUNNING_ON_VALGRIND)
		stop("to be run under callgrind, by tests/counts/run");
	printf("operations %d\n", OPERATIONS);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		printf("path %s\n", paths[i].name);
		run(&paths[i], false); /* the pools grow, once */
		run(&paths[i], true);
	}
	free_owners();
	evrwlock_free(lock);
	evrwlock_free(fast);
	evrwlock_free(member);
	evgroup_free(group);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
