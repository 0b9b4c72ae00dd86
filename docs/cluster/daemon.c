/* SPDX-License-Identifier: MIT */
/*
 * daemon NAME SERVERS SOCKET: one of several that share a counter (keeper.c), on as many
 * machines as one likes.  Again and again it acquires the lock "counter" to write, has a
 * thread add to the counter a few times, which blocks, and releases the lock.  SIGUSR1
 * has it stay inside until another one, or the loss of the lock; SIGTERM ends it.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <evdefer.h>
#include <evdefer/cluster.h>

#define ROUNDS 4 /* under one hold */
#define JOBS 4	 /* a thread may still be at one that was called off */
#define SESSION                                                                \
	6000 /* ms until the servers give up somebody whom they do not hear */

/* An addition, for the thread. */
struct job {
	uint64_t token;
};

static const char *name;
static struct event_base *loop;
static struct evdefer_base *base;
static struct evthreadpool *pool;
static struct evcluster *cluster;
static struct evrwlock *lock;
static struct evcoro add_several_co, work_co;
static struct job jobs[JOBS];
static unsigned next_job;
static int round_number;
static uint64_t token;
static FILE *keeper;
static bool stays, is_ending;

__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
	char text[400];
	struct timespec t;
	va_list args;

	clock_gettime(CLOCK_REALTIME, &t);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("%lld.%03ld %s %s\n", (long long)t.tv_sec, t.tv_nsec / 1000000,
	    name, text);
}

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", name, what, strerror(errno));
	exit(1);
}

/*
 * In the thread.
 */

/* It asks nobody whether the lock is still held, as whatever it was told would be old
 * when the keeper gets to it: what it sends has the token that came with the lock. */
static struct evresult
add_one(void *arg)
{
	static const struct timespec a_while = {0, 200000000};
	const struct job *job = arg;
	char answer[80], word[16];
	uint64_t number;

	nanosleep(&a_while, NULL); /* what takes its time */
	dprintf(fileno(keeper), "add %" PRIu64 "\n", job->token);
	if (fgets(answer, sizeof(answer), keeper) == NULL ||
	    sscanf(answer, "%15s %" SCNu64, word, &number) != 2)
		return evresult_fail(EIO, "the keeper has gone");
	if (strcmp(word, "ok") == 0) {
		say("wrote %" PRIu64 " with token %" PRIu64, number,
		    job->token);
		return evresult_value(NULL);
	}
	say("refused: its token %" PRIu64 " is lower than %" PRIu64, job->token,
	    number);
	return evresult_fail(ESTALE, "the keeper has refused the token");
}

/*
 * In the loop.
 */

/* A body of evrwlock_with(): cancelled when the lock is lost. */
static struct evresult
add_several(struct evcoro *co, void *arg)
{
	struct job *job;

	(void)arg;
	EVCORO_BEGIN(co);
	for (round_number = 0; round_number < ROUNDS || stays; round_number++) {
		job = &jobs[next_job++ % JOBS];
		job->token = token;
		EVCORO_AWAIT(co, evthreadpool_defer(pool, base, add_one, job));
	}
	say("out");
	EVCORO_END(co);
}

static struct evresult
enter(void *arg)
{
	token = evrwlock_get_token(lock);
	say("in with token %" PRIu64, token);
	return evresult_deferred(
	    evcoro_start(base, &add_several_co, add_several, arg, NULL));
}

static struct evresult
explain(struct evfailure *failure, void *arg)
{
	(void)arg;
	say("failed: %s", evfailure_get_message(failure));
	return evresult_value(NULL);
}

static struct evdeferred *
enter_once(void)
{
	struct evdeferred *d = evrwlock_with_writer(lock, enter, NULL);

	evdeferred_add_errback(d, explain, NULL);
	return d;
}

static struct evresult
work(struct evcoro *co, void *arg)
{
	static const struct timeval a_while = {0, 10000};

	(void)arg;
	EVCORO_BEGIN(co);
	while (!is_ending) {
		EVCORO_AWAIT(co, enter_once());
		EVCORO_AWAIT(co, evdeferred_later(base, &a_while, NULL, NULL));
	}
	EVCORO_AWAIT(co, evcluster_close(cluster));
	event_base_loopbreak(loop);
	EVCORO_END(co);
}

static void watch(void);

static struct evresult
was_lost(void *value, void *arg)
{
	(void)value;
	(void)arg;
	say("lost: it may not rely on token %" PRIu64 " any more", token);
	stays = false;
	watch();
	return evresult_value(NULL);
}

static struct evresult
not_watched(struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
	return evresult_value(NULL);
}

/* For people to see it: evrwlock_with() does what is to be done. */
static void
watch(void)
{
	struct evdeferred *d = evrwlock_lost(lock);

	if (d == NULL)
		die("evrwlock_lost");
	evdeferred_add_callbacks(d, was_lost, not_watched, NULL);
	evdeferred_detach(d);
}

static void
state_changed(struct evcluster *c, enum evcluster_state state,
    const char *sentence, void *arg)
{
	(void)c;
	(void)state;
	(void)arg;
	say("cluster: %s", sentence);
}

static void
told_to_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	is_ending = true;
	stays = false;
}

static void
told_to_stay(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	stays = !stays;
}

static void
connect_to_keeper(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd == -1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		die(path);
	keeper = fdopen(fd, "r");
	if (keeper == NULL)
		die("fdopen");
}

int
main(int argc, char **argv)
{
	const struct evcluster_options options = {
	    .session_timeout_ms = SESSION, .state_fn = state_changed};
	struct event *term, *usr1;

	name = "daemon";
	if (argc != 4) {
		fprintf(stderr, "usage: daemon NAME SERVERS SOCKET\n");
		return 2;
	}
	name = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	connect_to_keeper(argv[3]);
	loop = event_base_new();
	base = evdefer_base_new(loop);
	pool = evthreadpool_new(1);
	cluster = evcluster_new(base, argv[2], &options);
	if (cluster == NULL)
		die(argv[2]);
	lock = evrwlock_new_in_cluster(cluster, "counter", 0);
	if (lock == NULL || pool == NULL)
		die("counter");
	term = evsignal_new(loop, SIGTERM, told_to_end, NULL);
	evsignal_add(term, NULL);
	usr1 = evsignal_new(loop, SIGUSR1, told_to_stay, NULL);
	evsignal_add(usr1, NULL);
	watch();
	evdeferred_detach(evcluster_connect(cluster));
	evdeferred_detach(evcoro_start(base, &work_co, work, NULL, NULL));
	event_base_dispatch(loop);

	event_free(term);
	event_free(usr1);
	evrwlock_free(lock);
	evcluster_free(cluster);
	evthreadpool_free(pool);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
