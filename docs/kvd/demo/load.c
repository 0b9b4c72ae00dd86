/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/adapters/libevent.h>

#include "say.h"

#define SAMPLE_MS 10

/* A writer rests this many times as long as its last write took, so that the
 * writers together keep the lock busy for less than half of the time: kvd lets
 * waiting writers in first, and writers without a pause would leave no room
 * for readers. */
#define REST 12

double
seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void
load_fill_table(struct load *load)
{
	redisContext *connection;

	daemon_start(&load->daemon, "--sync=never");
	connection = daemon_connect(&load->daemon);
	for (int i = 0; i < KEYS; i++)
		redisAppendCommand(connection, "SET key:%d %d", i, i);
	for (int i = 0; i < KEYS; i++)
		freeReplyObject(daemon_reply(connection));
	redisFree(connection);
	daemon_end(&load->daemon, SIGTERM);
}

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
	struct figures *figures = &client->load->now;
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
	client->load->now.writes++;
	if (is_ok(reply))
		client->acked++;
	else
		client->load->now.errors++;
	/* Between a half and one and a half times that, lest the writers come
	 * all at once. */
	rest *= 0.5 + drand48();
	if (client->load->crashing)
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
	if (client->load->crashing)
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
	struct load *load = arg;
	const redisReply *reply = data;

	(void)connection;
	if (reply == NULL)
		return;
	if (is_ok(reply))
		load->now.snapshot_ms =
		    (seconds_now() - load->snapshot_at) * 1e3;
	else
		load->now.errors++;
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
	struct load *load = arg;
	const redisReply *reply = data;
	long waiting;

	(void)connection;
	if (reply == NULL)
		return;
	if (reply->type != REDIS_REPLY_STRING) {
		load->now.errors++;
		return;
	}
	waiting = info_line(reply->str, "readers_waiting:") +
		  info_line(reply->str, "writers_waiting:");
	if (waiting > load->now.waiting)
		load->now.waiting = waiting;
	load->now.longest_queue = info_line(reply->str, "longest_queue:");
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
connect_client(struct load *load, struct client *client, int number)
{
	memset(client, 0, sizeof(*client));
	client->load = load;
	client->number = number;
	client->connection = redisAsyncConnect("127.0.0.1", load->daemon.port);
	if (client->connection == NULL || client->connection->err != 0)
		die("no connection to kvd");
	client->connection->data = client;
	redisLibeventAttach(client->connection, load->base);
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
connect_all(struct load *load)
{
	for (int i = 0; i < WRITERS; i++) {
		connect_client(load, &load->writers[i], i);
		load->writers[i].rest =
		    evtimer_new(load->base, write_next, &load->writers[i]);
		if (load->writers[i].rest == NULL)
			die("out of memory");
		write_next(-1, 0, &load->writers[i]);
	}
	connect_client(load, &load->observer, 0);
	connect_client(load, &load->snapshooter, 0);
	if (load->crashing)
		return;
	for (int i = 0; i < READERS; i++) {
		connect_client(load, &load->readers[i], i);
		read_pair(&load->readers[i]);
	}
}

static void
close_all(struct load *load)
{
	for (int i = 0; i < WRITERS; i++)
		close_client(&load->writers[i]);
	for (int i = 0; i < READERS; i++)
		close_client(&load->readers[i]);
	close_client(&load->observer);
	close_client(&load->snapshooter);
}

/* On a terminal one line that is written over each second. */
static void
print_live(const struct load *load)
{
	const struct figures *now = &load->now;
	bool terminal = isatty(STDOUT_FILENO) == 1;
	const char *note = terminal ? "               " : "";

	if (load->snapshot_at > 0 && now->snapshot_ms <= 0)
		note = "  SNAPSHOT...  ";
	else if (now->snapshot_ms > 0 && load->before.snapshot_ms <= 0)
		note = "  SNAPSHOT done";
	printf("%s   %2d s", terminal ? "\r" : "", load->elapsed);
	if (!load->crashing)
		printf(
		    "  %7s reads/s", grouped(now->reads - load->before.reads));
	printf("  %6s writes/s", grouped(now->writes - load->before.writes));
	if (!load->crashing)
		printf("  %7s torn  queue up to %2ld%s", grouped(now->torn),
		    now->waiting, note);
	if (!terminal || load->elapsed == load->seconds)
		putchar('\n');
	fflush(stdout);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct load *load = arg;

	(void)fd;
	(void)what;
	load->elapsed++;
	print_live(load);
	load->now.waiting = 0;
	load->before = load->now;
	if (load->observer.connection == NULL)
		die("kvd closed the connections");
	if (load->elapsed >= load->seconds) {
		event_base_loopbreak(load->base);
		return;
	}
	if (load->elapsed != load->seconds / 2 || load->crashing)
		return;
	load->snapshot_at = seconds_now();
	redisAsyncCommand(
	    load->snapshooter.connection, on_snapshot, load, "SNAPSHOT");
}

/* Often enough to see how long the queue becomes. */
static void
on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct load *load = arg;

	(void)fd;
	(void)what;
	if (load->observer.connection != NULL)
		redisAsyncCommand(
		    load->observer.connection, on_info, load, "INFO");
}

static struct event *
start_timer(struct load *load, event_callback_fn callback, long milliseconds)
{
	const struct timeval period = {
	    milliseconds / 1000, milliseconds % 1000 * 1000};
	struct event *timer =
	    event_new(load->base, -1, EV_PERSIST, callback, load);

	if (timer == NULL || event_add(timer, &period) != 0)
		die("no timer");
	return timer;
}

static void
run_load(struct load *load, int seconds)
{
	struct event *second, *sample;

	memset(&load->now, 0, sizeof(load->now));
	load->before = load->now;
	load->elapsed = 0;
	load->snapshot_at = 0;
	load->seconds = seconds;
	connect_all(load);
	second = start_timer(load, on_second, 1000);
	sample = start_timer(load, on_sample, SAMPLE_MS);
	event_base_dispatch(load->base);
	event_free(second);
	event_free(sample);
}

/* The last look at INFO, when the load is over. */
static void
ask_longest_queue(struct load *load)
{
	redisContext *connection = daemon_connect(&load->daemon);
	redisReply *reply = redisCommand(connection, "INFO");

	if (reply == NULL)
		die("kvd: %s", connection->errstr);
	on_info(NULL, reply, load);
	freeReplyObject(reply);
	redisFree(connection);
}

struct figures
load_measure(struct load *load, const char *option, int seconds)
{
	daemon_start(&load->daemon, option);
	run_load(load, seconds);
	close_all(load);
	ask_longest_queue(load);
	daemon_end(&load->daemon, SIGTERM);
	return load->now;
}

/* How many of the acknowledged writes the new daemon knows. */
long
load_count_found(struct load *load)
{
	redisContext *connection = daemon_connect(&load->daemon);
	long found = 0;

	for (int i = 0; i < WRITERS; i++)
		for (long n = 0; n < load->writers[i].acked; n++)
			redisAppendCommand(
			    connection, "GET writer%d:%ld", i, n);
	for (int i = 0; i < WRITERS; i++)
		for (long n = 0; n < load->writers[i].acked; n++) {
			redisReply *reply = daemon_reply(connection);

			found += reply->type == REDIS_REPLY_STRING &&
				 strtol(reply->str, NULL, 10) == n;
			freeReplyObject(reply);
		}
	redisFree(connection);
	return found;
}

/* What was acknowledged until kvd was killed; the writers keep their counts. */
long
load_crash(struct load *load, int seconds)
{
	long acked = 0;

	load->crashing = true;
	daemon_start(&load->daemon, NULL);
	run_load(load, seconds);
	daemon_end(&load->daemon, SIGKILL);
	close_all(load);
	for (int i = 0; i < WRITERS; i++)
		acked += load->writers[i].acked;
	return acked;
}
