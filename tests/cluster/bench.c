/* SPDX-License-Identifier: MIT */
/*
 * bench SERVERS WORK NAME NUMBER: what bench.py measures of the library.  It says "ready",
 * and begins when it is sent a line.
 *
 *	write	acquires and releases to write, NUMBER times, one after the other, nobody
 *		else there: the median, in microseconds
 *	read	the same to read, without a right that was kept
 *	pass	for NUMBER seconds acquires to write, holds for 8 ms, releases: when each was
 *		granted and released, in nanoseconds of CLOCK_MONOTONIC
 *	mixed	for NUMBER seconds, 95% reads, six acquires at once: how many were granted
 *	kept	NUMBER reads under a right that was kept, and as many of a lock that is in
 *		no cluster, in turns: medians in nanoseconds of both; then waits for
 *		another line
 *	count	NUMBER times, writes and reads in turns: counts in the file COUNT_FILE while
 *		it writes, looks whether others do while it reads; at once
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <evdefer.h>
#include <evdefer/cluster.h>

#include "../dice.h"

#define UNDER_WAY 6
#define WARM_UP 100
#define BLOCKS 100 /* of a million */
#define READ_LOCKS 8

/* One after the other, without a word for what has failed: it does not here. */
struct side {
	struct evcluster *cluster;
	struct evrwlock *lock;
};

static struct event_base *loop;
static struct evdefer_base *base;
static const char *servers, *name;
static bool got_it;

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double
median(uint64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare);
	return (double)times[count / 2];
}

static void
line_is_there(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	event_base_loopbreak(loop);
}

/* From the loop: what was released goes back meanwhile, and the session lives on. */
static void
wait_for_line(void)
{
	char line[16];

	if (event_base_once(
		loop, STDIN_FILENO, EV_READ, line_is_there, NULL, NULL) == -1)
		die("standard input");
	event_base_dispatch(loop);
	if (fgets(line, sizeof(line), stdin) == NULL)
		exit(1);
}

static void
ready(void)
{
	puts("ready");
	fflush(stdout);
	wait_for_line();
}

/*
 * One thing after the other.
 */

static struct evresult
note(void *value, void *arg)
{
	(void)value;
	(void)arg;
	got_it = true;
	event_base_loopbreak(loop);
	return evresult_value(NULL);
}

static struct evresult
give_up(struct evfailure *failure, void *arg)
{
	(void)arg;
	fprintf(stderr, "bench: %s\n", evfailure_get_message(failure));
	exit(1);
}

static void
await(struct evdeferred *d)
{
	got_it = false;
	if (evdeferred_add_callbacks(d, note, give_up, NULL) == -1)
		die("a Deferred");
	while (!got_it)
		event_base_dispatch(loop);
	evdeferred_free(d);
}

static void
pause_for(suseconds_t us)
{
	const struct timeval t = {0, us};

	await(evdeferred_later(base, &t, NULL, NULL));
}

static struct side
open_side(unsigned flags)
{
	const struct evcluster_options options = {.session_timeout_ms = 60000};
	struct side side = {evcluster_new(base, servers, &options), NULL};

	if (side.cluster == NULL)
		die("evcluster_new");
	side.lock = evrwlock_new_in_cluster(side.cluster, name, flags);
	if (side.lock == NULL)
		die(name);
	await(evcluster_connect(side.cluster));
	return side;
}

static struct evrwlock *
other_lock(struct evcluster *cluster, size_t number)
{
	struct evrwlock *lock;
	char other[80];

	snprintf(other, sizeof(other), "%s-%zu", name, number);
	lock = evrwlock_new_in_cluster(cluster, other, 0);
	if (lock == NULL)
		die(other);
	return lock;
}

static void
close_side(struct side side)
{
	evrwlock_free(side.lock);
	await(evcluster_close(side.cluster));
	evcluster_free(side.cluster);
}

static uint64_t
acquire(struct evrwlock *lock, enum evrwlock_mode mode)
{
	const uint64_t begun = now();

	await(evrwlock_acquire(lock, NULL, mode));
	return now() - begun;
}

static void
release(struct evrwlock *lock, enum evrwlock_mode mode)
{
	if (evrwlock_release(lock, NULL, mode) == -1)
		die("release");
}

static uint64_t *
new_times(size_t count)
{
	uint64_t *times = calloc(count, sizeof(*times));

	if (times == NULL || count == 0)
		die("NUMBER");
	return times;
}

/*
 * The works.
 */

static void
write_once(struct evrwlock *lock)
{
	acquire(lock, EVRWLOCK_WRITE);
	release(lock, EVRWLOCK_WRITE);
}

/* Between two locks, as somebody who asks again right after a release has not given back
 * anything.  What gives one back is sent before what asks for the other. */
static void
writes(size_t count)
{
	struct side side = open_side(0);
	struct evrwlock *locks[2] = {side.lock, other_lock(side.cluster, 1)};
	uint64_t *times = new_times(count), begun;
	size_t i;

	for (i = 0; i < WARM_UP; i++)
		write_once(locks[i % 2]);
	ready();
	for (i = 0; i < count; i++) {
		begun = now();
		write_once(locks[i % 2]);
		times[i] = now() - begun;
	}
	printf("%.1f\n", median(times, count) / 1000);
	free(times);
	evrwlock_free(locks[1]);
	close_side(side);
}

/* A writer asks, so that a right to read that was kept is given back, and gives up as soon
 * as that is sent: at once, or when what the lock had under way is answered.  If it was let
 * in meanwhile, that goes with the Deferred. */
static void
recall(struct evrwlock *lock)
{
	struct evdeferred *d = evrwlock_acquire(lock, NULL, EVRWLOCK_WRITE);

	if (d == NULL)
		die("acquire");
	event_base_loop(loop, EVLOOP_NONBLOCK);
	while (evrwlock_get_token(lock) != 0 && !evdeferred_has_fired(d))
		event_base_loop(loop, EVLOOP_ONCE);
	evdeferred_cancel(d);
	evdeferred_free(d);
}

static void
read_once(struct evrwlock *lock)
{
	acquire(lock, EVRWLOCK_READ);
	release(lock, EVRWLOCK_READ);
	recall(lock);
}

/* Round by many: what gives a right to read back is that one in here gets in line to write,
 * and he leaves it again meanwhile. */
static void
reads(size_t count)
{
	struct side side = open_side(0);
	struct evrwlock *locks[READ_LOCKS] = {side.lock};
	uint64_t *times = new_times(count), begun;
	size_t i;

	for (i = 1; i < READ_LOCKS; i++)
		locks[i] = other_lock(side.cluster, i);
	for (i = 0; i < WARM_UP; i++)
		read_once(locks[i % READ_LOCKS]);
	ready();
	for (i = 0; i < count; i++) {
		begun = now();
		read_once(locks[i % READ_LOCKS]);
		times[i] = now() - begun;
	}
	printf("%.1f\n", median(times, count) / 1000);
	free(times);
	for (i = 1; i < READ_LOCKS; i++)
		evrwlock_free(locks[i]);
	close_side(side);
}

static void
pass(unsigned seconds)
{
	struct side side = open_side(0);
	uint64_t end;

	ready();
	end = now() + seconds * UINT64_C(1000000000);
	while (now() < end) {
		acquire(side.lock, EVRWLOCK_WRITE);
		printf("grant %" PRIu64 "\n", now());
		pause_for(8000);
		printf("release %" PRIu64 "\n", now());
		release(side.lock, EVRWLOCK_WRITE);
		/* Who asks in the same turn keeps it, for a while. */
		pause_for(1000);
	}
	close_side(side);
}

struct request {
	struct evrwlock *lock;
	enum evrwlock_mode mode;
	struct evdeferred *d;
};

static uint64_t grants, mixed_end;
static int under_way;

static void ask(struct request *request);

static struct evresult
granted(void *value, void *arg)
{
	struct request *request = arg;

	(void)value;
	grants++;
	release(request->lock, request->mode);
	if (now() < mixed_end)
		ask(request);
	else if (--under_way == 0)
		event_base_loopbreak(loop);
	return evresult_value(NULL);
}

static void
ask(struct request *request)
{
	request->mode = dice(100) < 95 ? EVRWLOCK_READ : EVRWLOCK_WRITE;
	evdeferred_free(request->d);
	request->d = evrwlock_acquire(request->lock, NULL, request->mode);
	if (evdeferred_add_callbacks(request->d, granted, give_up, request) ==
	    -1)
		die("acquire");
}

static void
mixed(unsigned seconds)
{
	struct side side = open_side(0);
	struct request requests[UNDER_WAY] = {{0}};
	int i;

	write_once(side.lock);
	ready();
	dice_seed(now() | 1);
	mixed_end = now() + seconds * UINT64_C(1000000000);
	under_way = UNDER_WAY;
	for (i = 0; i < UNDER_WAY; i++) {
		requests[i].lock = side.lock;
		ask(&requests[i]);
	}
	while (under_way > 0)
		event_base_dispatch(loop);
	printf("%" PRIu64 "\n", grants);
	for (i = 0; i < UNDER_WAY; i++)
		evdeferred_free(requests[i].d);
	close_side(side);
}

static struct evresult
leave(void *value, void *arg)
{
	(void)arg;
	evrwlock_reader_release(value);
	return evresult_value(NULL);
}

static uint64_t
read_block(struct evrwlock *lock, size_t count)
{
	const uint64_t begun = now();
	struct evdeferred *d;
	size_t i;

	for (i = 0; i < count; i++) {
		d = evrwlock_reader_acquire(lock);
		evdeferred_add_callbacks(d, leave, give_up, NULL);
		evdeferred_free(d);
	}
	return now() - begun;
}

static void
kept(size_t count)
{
	struct side side = open_side(EVRWLOCK_FAST);
	struct evrwlock *alone = evrwlock_new(base, EVRWLOCK_FAST);
	uint64_t ours[BLOCKS], others[BLOCKS];
	const size_t block = count / BLOCKS;
	size_t i;

	acquire(side.lock, EVRWLOCK_READ);
	release(side.lock, EVRWLOCK_READ);
	read_block(side.lock, block);
	read_block(alone, block);
	pause_for(500000);
	ready();
	for (i = 0; i < BLOCKS; i++) {
		ours[i] = read_block(side.lock, block);
		others[i] = read_block(alone, block);
	}
	printf("%.2f %.2f\n", median(ours, BLOCKS) / (double)block,
	    median(others, BLOCKS) / (double)block);
	fflush(stdout);
	wait_for_line();
	evrwlock_free(alone);
	close_side(side);
}

static long
read_count(const char *path)
{
	FILE *file = fopen(path, "r");
	long value;

	if (file == NULL || fscanf(file, "%ld", &value) != 1)
		die(path);
	fclose(file);
	return value;
}

static void
write_count(const char *path, long value)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fprintf(file, "%ld\n", value) < 0 ||
	    fclose(file) == EOF)
		die(path);
}

static void
count_in_file(unsigned times)
{
	const char *path = getenv("COUNT_FILE");
	struct side side = open_side(0);
	enum evrwlock_mode mode;
	unsigned i;
	long before;

	for (i = 0; i < times; i++) {
		mode = i % 2 == 0 ? EVRWLOCK_WRITE : EVRWLOCK_READ;
		acquire(side.lock, mode);
		before = read_count(path);
		pause_for(1000);
		if (mode == EVRWLOCK_WRITE)
			write_count(path, before + 1);
		else if (read_count(path) != before) {
			errno = EBUSY;
			die("somebody writes beside a reader");
		}
		release(side.lock, mode);
	}
	close_side(side);
}

int
main(int argc, char **argv)
{
	unsigned number;

	if (argc != 5) {
		fprintf(stderr, "usage: bench SERVERS WORK NAME NUMBER\n");
		return 2;
	}
	servers = argv[1];
	name = argv[3];
	number = (unsigned)strtoul(argv[4], NULL, 10);
	loop = event_base_new();
	base = evdefer_base_new(loop);
	if (strcmp(argv[2], "write") == 0)
		writes(number);
	else if (strcmp(argv[2], "read") == 0)
		reads(number);
	else if (strcmp(argv[2], "pass") == 0)
		pass(number);
	else if (strcmp(argv[2], "mixed") == 0)
		mixed(number);
	else if (strcmp(argv[2], "kept") == 0)
		kept(number);
	else if (strcmp(argv[2], "count") == 0)
		count_in_file(number);
	else
		return 2;
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
