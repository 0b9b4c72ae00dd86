/* SPDX-License-Identifier: MIT */
/*
 * What the readers-writer lock is good for, shown on the example daemon kvd by
 * real clients over real sockets:
 *
 *	demo PATH-TO-KVD
 *
 * It starts kvd on a free port of the loopback interface and in a directory
 * that it removes again, however it ends.  The exit status is 0 if all that it
 * claims was seen, 1 if not, 2 if it could not be run.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <hiredis/adapters/libevent.h>

#define READERS 40
#define WRITERS 10
#define KEYS 100000
#define LOCKED_SECONDS 8
#define UNLOCKED_SECONDS 6
#define CRASH_SECONDS 4
#define OTHER_SECONDS 5 /* to fill the table, to start kvd, to count */
#define START_TIMEOUT_MS 20000
#define SAMPLE_MS 10

/* A writer rests this many times as long as its last write took, so that the
 * writers together keep the lock busy for less than half of the time: kvd lets
 * waiting writers in first, and writers without a pause would leave no room
 * for readers. */
#define REST 12

/* The figures of one run under load. */
struct figures {
	long reads;
	long writes;
	long torn;
	long errors;
	long waiting; /* most readers and writers at once, of this second */
	long longest_queue;
	double snapshot_ms; /* 0 until it is done */
};

struct client {
	struct demo *demo;
	redisAsyncContext *connection;
	struct event *rest; /* of a writer */
	double sent_at;
	int number;
	long acked; /* writes of this client */
};

struct demo {
	const char *program;
	struct event_base *base;
	pid_t pid;
	int port;
	int output; /* of kvd */
	struct figures now;
	struct figures before; /* a second ago */
	double begin;
	double snapshot_at;
	int seconds;
	int elapsed;
	bool crashing;
	struct client readers[READERS];
	struct client writers[WRITERS];
	struct client observer; /* INFO and SNAPSHOT */
	struct client snapshooter;
};

static char directory[512];

static double
seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

__attribute__((format(printf, 1, 2), noreturn)) static void
die(const char *format, ...)
{
	va_list args;

	fputs("demo: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

/* 1234567 as 1,234,567; good for a few calls in one printf(). */
static const char *
grouped(long number)
{
	static char buffers[8][32];
	static unsigned next;
	char digits[32];
	char *out = buffers[next++ % 8];
	char *const result = out;
	int length = snprintf(digits, sizeof(digits), "%ld", number);

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return result;
}

static int
remove_one(
    const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static void
remove_directory(void)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
make_directory(void)
{
	const char *parent = getenv("TMPDIR");

	if (parent == NULL || *parent == '\0')
		parent = "/tmp";
	snprintf(directory, sizeof(directory), "%s/kvd-demo.XXXXXX", parent);
	if (mkdtemp(directory) == NULL)
		die("%s: %s", directory, strerror(errno));
}

/*
 * The daemon
 */

static void
become_daemon(const char *program, const char *option, const int ends[2])
{
	char dir[sizeof(directory) + 16];
	char log[sizeof(directory) + 16];
	int fd;

	/* It must not outlive the demo, however that ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(dir, sizeof(dir), "--dir=%s", directory);
	snprintf(log, sizeof(log), "%s/kvd.log", directory);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (dup2(ends[1], STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(127);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	execl(program, program, "--port=0", dir, option, (char *)NULL);
	fprintf(stderr, "demo: %s: %s\n", program, strerror(errno));
	_exit(127);
}

/* The demo's own output is not to be mixed with what kvd has to say, unless
 * something went wrong. */
static void
print_log(void)
{
	char path[sizeof(directory) + 16];
	char line[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/kvd.log", directory);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		fputs(line, stderr);
	if (file != NULL)
		fclose(file);
}

/* Reads the line in which kvd says that it is ready, and where. */
static void
read_port(struct demo *demo)
{
	static const char ready[] = "kvd: ready on 127.0.0.1:";
	char line[128] = "";
	size_t length = 0;

	while (length == 0 || line[length - 1] != '\n') {
		struct pollfd output = {demo->output, POLLIN, 0};

		if (poll(&output, 1, START_TIMEOUT_MS) != 1)
			die("kvd does not become ready");
		if (length + 1 == sizeof(line) ||
		    read(demo->output, line + length, 1) != 1) {
			print_log();
			die("kvd did not start");
		}
		length++;
	}
	line[length] = '\0';
	if (strncmp(line, ready, strlen(ready)) != 0)
		die("kvd said: %s", line);
	demo->port = (int)strtol(line + strlen(ready), NULL, 10);
}

static void
start_daemon(struct demo *demo, const char *option)
{
	int ends[2];

	if (pipe(ends) != 0)
		die("pipe: %s", strerror(errno));
	fflush(stdout);
	demo->pid = fork();
	if (demo->pid < 0)
		die("fork: %s", strerror(errno));
	if (demo->pid == 0)
		become_daemon(demo->program, option, ends);
	close(ends[1]);
	demo->output = ends[0];
	read_port(demo);
}

static void
end_daemon(struct demo *demo, int sig)
{
	kill(demo->pid, sig);
	waitpid(demo->pid, NULL, 0);
	close(demo->output);
	demo->pid = 0;
}

static redisContext *
connect_blocking(const struct demo *demo)
{
	const struct timeval timeout = {20, 0};
	redisContext *connection =
	    redisConnectWithTimeout("127.0.0.1", demo->port, timeout);

	if (connection == NULL || connection->err != 0)
		die("no connection to kvd");
	redisSetTimeout(connection, timeout);
	return connection;
}

static redisReply *
next_reply(redisContext *connection)
{
	void *reply;

	if (redisGetReply(connection, &reply) != REDIS_OK)
		die("kvd: %s", connection->errstr);
	return reply;
}

/* Gives the SNAPSHOT something to do. */
static void
fill_table(struct demo *demo)
{
	redisContext *connection;

	start_daemon(demo, "--sync=never");
	connection = connect_blocking(demo);
	for (int i = 0; i < KEYS; i++)
		redisAppendCommand(connection, "SET key:%d %d", i, i);
	for (int i = 0; i < KEYS; i++)
		freeReplyObject(next_reply(connection));
	redisFree(connection);
	end_daemon(demo, SIGTERM);
}

/*
 * The clients
 */

static void read_pair(struct client *client);

static bool
is_ok(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STATUS;
}

/* Whether an MGET of both keys has two different numbers. */
static bool
is_torn(const redisReply *reply)
{
	const redisReply *left = reply->element[0];
	const redisReply *right = reply->element[1];

	return left->type != right->type ||
	       (left->type == REDIS_REPLY_STRING &&
		   strcmp(left->str, right->str) != 0);
}

static void
on_pair_read(redisAsyncContext *connection, void *data, void *arg)
{
	struct client *client = arg;
	struct figures *figures = &client->demo->now;
	const redisReply *reply = data;

	(void)connection;
	if (reply == NULL) /* the connection is gone */
		return;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
		figures->errors++;
	else if (is_torn(reply))
		figures->torn++;
	figures->reads++;
	read_pair(client);
}

static void
read_pair(struct client *client)
{
	redisAsyncCommand(
	    client->connection, on_pair_read, client, "MGET left right");
}

static void
on_written(redisAsyncContext *connection, void *data, void *arg)
{
	struct client *client = arg;
	const redisReply *reply = data;
	double rest = REST * (seconds_now() - client->sent_at);
	struct timeval duration;

	(void)connection;
	if (reply == NULL)
		return;
	client->demo->now.writes++;
	if (is_ok(reply))
		client->acked++;
	else
		client->demo->now.errors++;
	/* Between a half and one and a half times that, lest the writers come
	 * all at once. */
	rest *= 0.5 + drand48();
	if (client->demo->crashing)
		rest = 0;
	duration.tv_sec = (time_t)rest;
	duration.tv_usec =
	    (suseconds_t)((rest - (double)duration.tv_sec) * 1e6);
	event_add(client->rest, &duration);
}

/* The next write of a client: one number to both keys, or in the run that ends
 * in a crash, the number of its write to a key of its own. */
static void
write_next(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	long number = client->acked * WRITERS + client->number;

	(void)fd;
	(void)what;
	client->sent_at = seconds_now();
	if (client->demo->crashing)
		redisAsyncCommand(client->connection, on_written, client,
		    "SET writer%d:%ld %ld", client->number, client->acked,
		    client->acked);
	else
		redisAsyncCommand(client->connection, on_written, client,
		    "MSET left %ld right %ld", number, number);
}

static void
on_snapshot(redisAsyncContext *connection, void *data, void *arg)
{
	struct demo *demo = arg;
	const redisReply *reply = data;

	(void)connection;
	if (reply == NULL)
		return;
	if (is_ok(reply))
		demo->now.snapshot_ms =
		    (seconds_now() - demo->snapshot_at) * 1e3;
	else
		demo->now.errors++;
}

static long
info_line(const char *info, const char *name)
{
	const char *line = strstr(info, name);

	return line == NULL ? 0 : strtol(line + strlen(name), NULL, 10);
}

static void
on_info(redisAsyncContext *connection, void *data, void *arg)
{
	struct demo *demo = arg;
	const redisReply *reply = data;
	long waiting;

	(void)connection;
	if (reply == NULL)
		return;
	if (reply->type != REDIS_REPLY_STRING) {
		demo->now.errors++;
		return;
	}
	waiting = info_line(reply->str, "readers_waiting:") +
		  info_line(reply->str, "writers_waiting:");
	if (waiting > demo->now.waiting)
		demo->now.waiting = waiting;
	demo->now.longest_queue = info_line(reply->str, "longest_queue:");
}

static void
on_disconnect(const redisAsyncContext *connection, int status)
{
	struct client *client = connection->data;

	(void)status;
	client->connection = NULL; /* hiredis frees it */
	if (client->rest != NULL)
		event_del(client->rest);
}

static void
connect_client(struct demo *demo, struct client *client, int number)
{
	memset(client, 0, sizeof(*client));
	client->demo = demo;
	client->number = number;
	client->connection = redisAsyncConnect("127.0.0.1", demo->port);
	if (client->connection == NULL || client->connection->err != 0)
		die("no connection to kvd");
	client->connection->data = client;
	redisLibeventAttach(client->connection, demo->base);
	redisAsyncSetDisconnectCallback(client->connection, on_disconnect);
}

static void
close_client(struct client *client)
{
	if (client->connection != NULL)
		redisAsyncFree(client->connection);
	if (client->rest != NULL)
		event_free(client->rest);
	client->connection = NULL;
	client->rest = NULL;
}

static void
connect_all(struct demo *demo)
{
	for (int i = 0; i < WRITERS; i++) {
		connect_client(demo, &demo->writers[i], i);
		demo->writers[i].rest =
		    evtimer_new(demo->base, write_next, &demo->writers[i]);
		if (demo->writers[i].rest == NULL)
			die("out of memory");
		write_next(-1, 0, &demo->writers[i]);
	}
	connect_client(demo, &demo->observer, 0);
	connect_client(demo, &demo->snapshooter, 0);
	if (demo->crashing)
		return;
	for (int i = 0; i < READERS; i++) {
		connect_client(demo, &demo->readers[i], i);
		read_pair(&demo->readers[i]);
	}
}

static void
close_all(struct demo *demo)
{
	for (int i = 0; i < WRITERS; i++)
		close_client(&demo->writers[i]);
	for (int i = 0; i < READERS; i++)
		close_client(&demo->readers[i]);
	close_client(&demo->observer);
	close_client(&demo->snapshooter);
}

/*
 * One run
 */

/* On a terminal one line that is written over each second. */
static void
print_live(const struct demo *demo)
{
	const struct figures *now = &demo->now;
	bool terminal = isatty(STDOUT_FILENO) == 1;
	const char *note = terminal ? "               " : "";

	if (demo->snapshot_at > 0 && now->snapshot_ms <= 0)
		note = "  SNAPSHOT...  ";
	else if (now->snapshot_ms > 0 && demo->before.snapshot_ms <= 0)
		note = "  SNAPSHOT done";
	printf("%s   %2d s", terminal ? "\r" : "", demo->elapsed);
	if (!demo->crashing)
		printf(
		    "  %7s reads/s", grouped(now->reads - demo->before.reads));
	printf("  %6s writes/s", grouped(now->writes - demo->before.writes));
	if (!demo->crashing)
		printf("  %7s torn  queue up to %2ld%s", grouped(now->torn),
		    now->waiting, note);
	if (!terminal || demo->elapsed == demo->seconds)
		putchar('\n');
	fflush(stdout);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct demo *demo = arg;

	(void)fd;
	(void)what;
	demo->elapsed++;
	print_live(demo);
	demo->now.waiting = 0;
	demo->before = demo->now;
	if (demo->observer.connection == NULL)
		die("kvd closed the connections");
	if (demo->elapsed >= demo->seconds) {
		event_base_loopbreak(demo->base);
		return;
	}
	if (demo->elapsed != demo->seconds / 2 || demo->crashing)
		return;
	demo->snapshot_at = seconds_now();
	redisAsyncCommand(
	    demo->snapshooter.connection, on_snapshot, demo, "SNAPSHOT");
}

/* Often enough to see how long the queue becomes. */
static void
on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct demo *demo = arg;

	(void)fd;
	(void)what;
	if (demo->observer.connection != NULL)
		redisAsyncCommand(
		    demo->observer.connection, on_info, demo, "INFO");
}

static struct event *
start_timer(struct demo *demo, event_callback_fn callback, long milliseconds)
{
	const struct timeval period = {
	    milliseconds / 1000, milliseconds % 1000 * 1000};
	struct event *timer =
	    event_new(demo->base, -1, EV_PERSIST, callback, demo);

	if (timer == NULL || event_add(timer, &period) != 0)
		die("no timer");
	return timer;
}

static void
run_load(struct demo *demo, int seconds)
{
	struct event *second, *sample;

	memset(&demo->now, 0, sizeof(demo->now));
	demo->before = demo->now;
	demo->elapsed = 0;
	demo->snapshot_at = 0;
	demo->seconds = seconds;
	connect_all(demo);
	second = start_timer(demo, on_second, 1000);
	sample = start_timer(demo, on_sample, SAMPLE_MS);
	event_base_dispatch(demo->base);
	event_free(second);
	event_free(sample);
}

/* The last look at INFO, when the load is over. */
static void
ask_longest_queue(struct demo *demo)
{
	redisContext *connection = connect_blocking(demo);
	redisReply *reply = redisCommand(connection, "INFO");

	if (reply == NULL)
		die("kvd: %s", connection->errstr);
	on_info(NULL, reply, demo);
	freeReplyObject(reply);
	redisFree(connection);
}

static struct figures
measure(struct demo *demo, const char *option, int seconds)
{
	start_daemon(demo, option);
	run_load(demo, seconds);
	close_all(demo);
	ask_longest_queue(demo);
	end_daemon(demo, SIGTERM);
	return demo->now;
}

/* How many of the acknowledged writes the new daemon knows. */
static long
count_found(struct demo *demo)
{
	redisContext *connection = connect_blocking(demo);
	long found = 0;

	for (int i = 0; i < WRITERS; i++)
		for (long n = 0; n < demo->writers[i].acked; n++)
			redisAppendCommand(
			    connection, "GET writer%d:%ld", i, n);
	for (int i = 0; i < WRITERS; i++)
		for (long n = 0; n < demo->writers[i].acked; n++) {
			redisReply *reply = next_reply(connection);

			found += reply->type == REDIS_REPLY_STRING &&
				 strtol(reply->str, NULL, 10) == n;
			freeReplyObject(reply);
		}
	redisFree(connection);
	return found;
}

/* What was acknowledged until kvd was killed; the writers keep their counts. */
static long
crash(struct demo *demo)
{
	long acked = 0;

	demo->crashing = true;
	start_daemon(demo, NULL);
	run_load(demo, CRASH_SECONDS);
	end_daemon(demo, SIGKILL);
	close_all(demo);
	for (int i = 0; i < WRITERS; i++)
		acked += demo->writers[i].acked;
	return acked;
}

/*
 * What is told
 */

static void
print_table(const struct figures *locked, const struct figures *unlocked)
{
	const struct figures *rows[] = {locked, unlocked};
	const char *const names[] = {"with the lock", "without the lock"};
	const int seconds[] = {LOCKED_SECONDS, UNLOCKED_SECONDS};

	printf("   %-17s %9s %9s %12s %14s %10s\n", "", "reads/s", "writes/s",
	    "torn reads", "longest queue", "SNAPSHOT");
	for (int i = 0; i < 2; i++)
		printf("   %-17s %9s %9s %12s %14s %7.0f ms\n", names[i],
		    grouped(rows[i]->reads / seconds[i]),
		    grouped(rows[i]->writes / seconds[i]),
		    grouped(rows[i]->torn), grouped(rows[i]->longest_queue),
		    rows[i]->snapshot_ms);
}

__attribute__((format(printf, 2, 3))) static bool
verdict(bool held, const char *format, ...)
{
	va_list args;

	fputs(held ? "   PASS  " : "   FAIL  ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fputc('\n', stdout);
	return held;
}

static void
introduce(void)
{
	printf("kvd is a small key-value daemon on libevent.  A write is on "
	       "disk before it is\nanswered, and the loop goes on "
	       "meanwhile: PING, INFO and LOCK are answered at once.\n"
	       "A GET waits until the write is on disk, for half of it may "
	       "be there already, and\nthat is what the readers-writer lock "
	       "of libevdefer is for: who asks for the data\nwaits in its "
	       "queue, and the loop never does.\n\n"
	       "   table    %s keys on 127.0.0.1, in %s\n"
	       "   writers  %d clients that MSET two keys to one number\n"
	       "   readers  %d clients that MGET the two; two different "
	       "numbers are a torn read\n\n"
	       "This takes about %d seconds.  Each second a line says\n\n"
	       "   reads/s      MGETs that were answered in that second\n"
	       "   writes/s     MSETs that were on disk, and answered\n"
	       "   torn         torn reads, from the beginning\n"
	       "   queue up to  the most clients that waited for the lock at "
	       "once\n",
	    grouped(KEYS), directory, WRITERS, READERS,
	    LOCKED_SECONDS + UNLOCKED_SECONDS + CRASH_SECONDS + OTHER_SECONDS);
}

static void
tell_what_next(const char *program)
{
	char *path = realpath(program, NULL);

	printf("\nTo try next:\n\n"
	       "   '%s' --dir=\"$(mktemp -d)\"\n"
	       "                        kvd for yourself; in another terminal\n"
	       "   redis-cli -p 6380    SET a 1, INFO, LOCK a WRITE; "
	       "docs/examples/kvd/README.md\n"
	       "   ./bootstrap check    the tests, some minutes\n"
	       "   docs/tutorial.md     from nothing to a daemon that locks\n",
	    path == NULL ? program : path);
	free(path);
}

static bool
show_lock(struct demo *demo)
{
	struct figures locked, unlocked;
	bool held;

	printf("\n1. With the lock, for %d seconds; in the middle a SNAPSHOT "
	       "of the whole table.\n\n",
	    LOCKED_SECONDS);
	locked = measure(demo, NULL, LOCKED_SECONDS);
	printf("\n2. The same without it (kvd --no-lock), for %d seconds.\n\n",
	    UNLOCKED_SECONDS);
	unlocked = measure(demo, "--no-lock", UNLOCKED_SECONDS);
	printf("\n   The two side by side, with the longest queue of all and "
	       "the time of the SNAPSHOT:\n\n");
	print_table(&locked, &unlocked);
	putchar('\n');
	held =
	    verdict(locked.reads > 0 && locked.writes > 0 && locked.torn == 0,
		"with the lock: %s torn of %s reads", grouped(locked.torn),
		grouped(locked.reads));
	held &= verdict(unlocked.torn > 0,
	    "without it, there were some: %s torn of %s reads",
	    grouped(unlocked.torn), grouped(unlocked.reads));
	held &= verdict(locked.snapshot_ms > 0,
	    "the SNAPSHOT was made among them, in %.0f ms", locked.snapshot_ms);
	held &= verdict(locked.errors + unlocked.errors == 0,
	    "%s replies were errors", grouped(locked.errors + unlocked.errors));
	return held;
}

static bool
show_crash(struct demo *demo)
{
	long acked, found;
	double begin;

	printf("\n3. %d clients write key after key for %d seconds, then "
	       "kill -9, and a new start.\n\n",
	    WRITERS, CRASH_SECONDS);
	acked = crash(demo);
	begin = seconds_now();
	start_daemon(demo, NULL);
	printf("\n   killed, and ready again %.0f ms after the new start\n\n",
	    (seconds_now() - begin) * 1e3);
	found = count_found(demo);
	end_daemon(demo, SIGTERM);
	return verdict(acked > 0 && found == acked,
	    "acknowledged before the kill: %s writes, found again: %s",
	    grouped(acked), grouped(found));
}

/* The demo itself; the exit status. */
static int
run(const char *program)
{
	static struct demo demo;
	double begin = seconds_now();
	bool held;

	signal(SIGPIPE, SIG_IGN);
	demo.program = program;
	demo.base = event_base_new();
	if (demo.base == NULL)
		die("no event_base");
	introduce();
	fill_table(&demo);
	held = show_lock(&demo);
	held &= show_crash(&demo);
	event_base_free(demo.base);
	printf("\n%s, in %.0f seconds.\n",
	    held ? "All of it held" : "NOT all of it held",
	    seconds_now() - begin);
	tell_what_next(program);
	return held ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * Who cleans up: a process of its own, which does nothing but wait
 */

/* Waits for "child" and for all that it leaves behind, a kvd say, and hands
 * signals on to it; returns its status.  *sig is the signal, or 0. */
static int
wait_for_all(pid_t child, const sigset_t *signals, int *sig)
{
	int status = 0;

	*sig = 0;
	for (;;) {
		int one, received = sigwaitinfo(signals, NULL);
		pid_t pid;

		if (received > 0 && received != SIGCHLD) {
			*sig = received;
			kill(child, received);
		}
		while ((pid = waitpid(-1, &one, WNOHANG)) > 0)
			if (pid == child)
				status = one;
		if (pid == -1 && errno == ECHILD)
			return status;
	}
}

/* nohup ignores SIGHUP, and a shell SIGINT for what runs in the background. */
static void
add_unless_ignored(sigset_t *signals, int sig)
{
	struct sigaction action;

	if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(signals, sig);
}

static int
supervise(const char *program)
{
	pid_t parent = getpid(), child;
	sigset_t signals, before;
	int status, sig;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	add_unless_ignored(&signals, SIGHUP);
	add_unless_ignored(&signals, SIGINT);
	add_unless_ignored(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	make_directory();
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		exit(getppid() == parent ? run(program) : 2);
	}
	if (child == -1) {
		remove_directory();
		die("fork: %s", strerror(errno));
	}
	status = wait_for_all(child, &signals, &sig);
	remove_directory();
	if (sig == 0 && WIFEXITED(status))
		return WEXITSTATUS(status);
	if (sig == 0)
		die("ended by signal %d", WTERMSIG(status));
	sigprocmask(SIG_SETMASK, &before, NULL);
	raise(sig);
	return 2;
}

int
main(int argc, char **argv)
{
	static const char usage[] = "usage: demo PATH-TO-KVD\n";

	if (argc == 2 &&
	    (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		printf("%sWhat the readers-writer lock is good for, shown on "
		       "the example daemon kvd.\n",
		    usage);
		return EXIT_SUCCESS;
	}
	if (argc != 2) {
		fputs(usage, stderr);
		return 2;
	}
	if (access(argv[1], X_OK) != 0)
		die("%s: %s", argv[1], strerror(errno));
	return supervise(argv[1]);
}
