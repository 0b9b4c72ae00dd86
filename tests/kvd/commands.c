/* SPDX-License-Identifier: MIT */
/* The commands, and the tools that come with Redis. */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

struct exchange {
	const char *command;
	const char *reply;
};

static struct kvd kvd;
static redisContext *client;

static void
setup(void)
{
	kvd_start(&kvd, NULL, KVD_END);
	client = client_open(&kvd);
}

static void
teardown(void)
{
	redisFree(client);
	kvd_stop(&kvd);
}

static void
expect_all(const struct exchange *exchanges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		client_expect(client, exchanges[i].reply, exchanges[i].command);
}

#define EXPECT_ALL(exchanges)                                                  \
	expect_all(exchanges, sizeof(exchanges) / sizeof((exchanges)[0]))

START_TEST(test_commands_reply)
{
	static const struct exchange exchanges[] = {
	    {"PING", "+PONG"},
	    {"PING hello", "hello"},
	    {"ECHO hello", "hello"},
	    {"DBSIZE", ":0"},
	    {"GET a", "(nil)"},
	    {"SET a 1", "+OK"},
	    {"GET a", "1"},
	    {"SET a other", "+OK"},
	    {"GET a", "other"},
	    {"EXISTS a", ":1"},
	    {"EXISTS a b", ":1"},
	    {"MSET b 2 c 3", "+OK"},
	    {"EXISTS a b c d", ":3"},
	    {"MGET a b c d", "[other, 2, 3, (nil)]"},
	    {"DBSIZE", ":3"},
	    {"MSET e 1 e 2", "+OK"},
	    {"GET e", "2"},
	    {"DEL e", ":1"},
	    {"DEL e", ":0"},
	    {"DEL a b nothing", ":2"},
	    {"DBSIZE", ":1"},
	    {"INCR c", ":4"},
	    {"INCR new", ":1"},
	    {"INCR new", ":2"},
	    {"SET minus -5", "+OK"},
	    {"INCR minus", ":-4"},
	    {"SNAPSHOT", "+OK"},
	    {"get c", "4"},
	    {"mGeT c new", "[4, 2]"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

/* redis-py sends INCRBY for incr(). */
START_TEST(test_commands_count)
{
	static const struct exchange exchanges[] = {
	    {"INCRBY n 5", ":5"},
	    {"INCRBY n -7", ":-2"},
	    {"INCRBY n 0", ":-2"},
	    {"DECR n", ":-3"},
	    {"DECRBY n 10", ":-13"},
	    {"DECRBY n -14", ":1"},
	    {"DECR new", ":-1"},
	    {"DECRBY newer 3", ":-3"},
	    {"INCRBY n", "-ERR"},
	    {"INCRBY n 1 2", "-ERR"},
	    {"INCRBY n one", "-ERR"},
	    {"INCRBY n 01", "-ERR"},
	    {"INCRBY n 1.5", "-ERR"},
	    {"INCRBY n 9223372036854775808", "-ERR"},
	    {"INCRBY n 9223372036854775807", "-ERR"},
	    {"DECRBY n -9223372036854775807", "-ERR"},
	    {"DECRBY n -9223372036854775808", "-ERR"},
	    {"GET n", "1"},
	    {"INCRBY least -9223372036854775808", ":-9223372036854775808"},
	    {"DECR least", "-ERR"},
	    {"INCR least", ":-9223372036854775807"},
	    {"SET text word", "+OK"},
	    {"INCRBY text 1", "-ERR"},
	    {"DECR text", "-ERR"},
	    {"DECRBY text 1", "-ERR"},
	    {"GET text", "word"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

START_TEST(test_commands_errors)
{
	static const struct exchange exchanges[] = {
	    {"NOTHING", "-ERR"},
	    {"FLUSHALL", "-ERR"},
	    {"SUBSCRIBE a", "-ERR"},
	    {"GET", "-ERR"},
	    {"GET a b", "-ERR"},
	    {"MGET", "-ERR"},
	    {"EXISTS", "-ERR"},
	    {"DBSIZE a", "-ERR"},
	    {"SET", "-ERR"},
	    {"SET a", "-ERR"},
	    {"SET a 1 NONSENSE", "-ERR"},
	    {"DEL", "-ERR"},
	    {"INCR", "-ERR"},
	    {"INCR a b", "-ERR"},
	    {"MSET", "-ERR"},
	    {"MSET a", "-ERR"},
	    {"MSET a 1 b", "-ERR"},
	    {"ECHO", "-ERR"},
	    {"SNAPSHOT now", "-ERR"},
	    {"DBSIZE", ":0"},
	    {"SET text word", "+OK"},
	    {"INCR text", "-ERR"},
	    {"SET half 1x", "+OK"},
	    {"INCR half", "-ERR"},
	    {"SET most 9223372036854775807", "+OK"},
	    {"INCR most", "-ERR"},
	    {"GET most", "9223372036854775807"},
	    {"SET beyond 9223372036854775808", "+OK"},
	    {"INCR beyond", "-ERR"},
	    {"MGET text half", "[word, 1x]"},
	};

	EXPECT_ALL(exchanges);
	client_expect(client, "+OK", "SET empty %s", "");
	client_expect(client, "-ERR", "INCR empty");
	client_expect(client, "-ERR", "%s", "");
	client_expect(client, "+PONG", "PING");
}
END_TEST

START_TEST(test_commands_keep_every_byte)
{
	char value[256];
	redisReply *reply;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)i;
	client_expect(client, "+OK", "SET %b %b", value, sizeof(value), value,
	    sizeof(value));
	client_expect(client, "+OK", "SET %s %s", "empty", "");
	client_expect(client, "", "GET empty");
	client_expect(client, "+OK", "SET %s %s", "", "empty key");
	client_expect(client, "empty key", "GET %s", "");

	kvd_end(&kvd, SIGKILL);
	redisFree(client);
	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
	reply = redisCommand(client, "GET %b", value, sizeof(value));
	ck_assert_ptr_nonnull(reply);
	ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
	ck_assert_uint_eq(reply->len, sizeof(value));
	ck_assert_mem_eq(reply->str, value, sizeof(value));
	freeReplyObject(reply);
	client_expect(client, "", "GET empty");
	client_expect(client, "empty key", "GET %s", "");
}
END_TEST

/* Somebody sets the clock of the machine back by a year. */
START_TEST(test_uptime_outlasts_a_change_of_the_clock)
{
	struct kvd other = {.on_test_disk = true};
	redisContext *observer;
	long uptime;

	kvd_start(&other, NULL, KVD_END);
	observer = client_open(&other);
	for (int i = 0; i < 3; i++) {
		uptime = client_info(observer, "uptime_in_seconds");
		ck_assert_int_ge(uptime, 0);
		ck_assert_int_lt(uptime, 1000);
	}
	redisFree(observer);
	kvd_stop(&other);
}
END_TEST

START_TEST(test_commands_info)
{
	static const char *const names[] = {"readers_inside", "writers_inside",
	    "readers_waiting", "writers_waiting", "readers_granted",
	    "writers_granted", "cancelled", "longest_queue",
	    "connected_clients", "keys"};
	long granted;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(client_info(client, names[i]) >= 0,
		    "INFO has no line %s", names[i]);
	ck_assert_int_eq(client_info(client, "connected_clients"), 1);
	ck_assert_int_eq(client_info(client, "keys"), 0);
	granted = client_info(client, "writers_granted");
	client_expect(client, "+OK", "MSET a 1 b 2");
	ck_assert_int_eq(client_info(client, "keys"), 2);
	/* The client, and the batch that its write went to the disk with. */
	ck_assert_int_eq(client_info(client, "writers_granted"), granted + 2);
	granted = client_info(client, "readers_granted");
	client_expect(client, "[1, 2]", "MGET a b");
	ck_assert_int_eq(client_info(client, "readers_granted"), granted + 1);
	ck_assert_int_eq(client_info(client, "readers_inside"), 0);
	ck_assert_int_eq(client_info(client, "writers_inside"), 0);
}
END_TEST

/* What client libraries and redis-benchmark ask when they connect. */
START_TEST(test_commands_of_client_libraries)
{
	static const char *const commands[] = {"COMMAND", "COMMAND COUNT",
	    "COMMAND DOCS", "COMMAND INFO", "CONFIG GET save",
	    "CONFIG GET appendonly"};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		redisReply *reply = redisCommand(client, commands[i]);

		ck_assert_ptr_nonnull(reply);
		ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s",
		    commands[i], reply->str);
		freeReplyObject(reply);
	}
}
END_TEST

START_TEST(test_commands_tell_their_keys)
{
	client_expect(client,
	    "[[get, :2, [+readonly], :1, :1, :1], (nil), "
	    "[mset, :-3, [+write], :1, :-1, :2], [ping, :-1, [], :0, :0, :0]]",
	    "COMMAND INFO GET nothing mset ping");
	client_expect(client, "-ERR", "COMMAND NONSENSE");
	client_expect(client, "[]", "COMMAND DOCS");
}
END_TEST

START_TEST(test_commands_quit)
{
	static const char request[] = "*1\r\n$4\r\nQUIT\r\n";
	char text[256];
	int fd = raw_open(&kvd);

	raw_send(fd, request, strlen(request));
	ck_assert(raw_read_all(fd, text, sizeof(text)));
	ck_assert_str_eq(text, "+OK\r\n");
	close(fd);
	client_expect(client, "+PONG", "PING");
}
END_TEST

START_TEST(test_commands_in_one_pipeline_are_answered_in_order)
{
	static const char requests[] =
	    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
	    "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
	    "*1\r\n$4\r\nPING\r\n"
	    "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
	    "*1\r\n$4\r\nNONE\r\n"
	    "*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n"
	    "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n"
	    "*1\r\n$6\r\nDBSIZE\r\n"
	    "*1\r\n$4\r\nQUIT\r\n";
	char text[512];
	char *unknown;
	int fd = raw_open(&kvd);

	raw_send(fd, requests, strlen(requests));
	ck_assert(raw_read_all(fd, text, sizeof(text)));
	close(fd);
	ck_assert_msg(
	    strncmp(text, "+OK\r\n$1\r\n1\r\n+PONG\r\n:2\r\n-ERR ", 28) == 0,
	    "%s", text);
	unknown = strstr(text, "-ERR ");
	ck_assert_str_eq(strstr(unknown, "\r\n"),
	    "\r\n*2\r\n$1\r\n2\r\n$-1\r\n:1\r\n:0\r\n+OK\r\n");
}
END_TEST

/* False, with a note, where the tool is not installed. */
static bool
have(const char *tool)
{
	char line[128];

	snprintf(line, sizeof(line), "command -v %s >/dev/null", tool);
	if (system(line) == 0)
		return true;
	fprintf(stderr, "%s is not installed: not tested\n", tool);
	return false;
}

/* Runs a shell command line that has a %d for the port. */
static int
run(const char *format, char *output, size_t size)
{
	char line[1024];
	size_t length;
	FILE *pipe;
	int status;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(line, sizeof(line), format, kvd.port);
#pragma GCC diagnostic pop
	pipe = popen(line, "r");
	ck_assert_ptr_nonnull(pipe);
	length = fread(output, 1, size - 1, pipe);
	output[length] = '\0';
	while (getc(pipe) != EOF)
		;
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(test_redis_cli)
{
	static const struct exchange lines[] = {
	    {"redis-cli -p %d PING", "PONG\n"},
	    {"redis-cli -p %d SET a 'two words'", "OK\n"},
	    {"redis-cli -p %d GET a", "two words\n"},
	    {"redis-cli -p %d MGET a b", "two words\n\n"},
	    {"redis-cli -p %d INCR n", "1\n"},
	    {"redis-cli -p %d DEL a n x", "2\n"},
	    {"printf 'SET a 1\\nINCR a\\nGET a\\n' | redis-cli -p %d",
		"OK\n2\n2\n"},
	};
	char output[1024];

	if (!have("redis-cli"))
		return;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_int_eq(
		    run(lines[i].command, output, sizeof(output)), 0);
		ck_assert_str_eq(output, lines[i].reply);
	}
	run("redis-cli -p %d FLUSHALL", output, sizeof(output));
	ck_assert_msg(strncmp(output, "ERR", 3) == 0, "%s", output);
}
END_TEST

/* It ends its load with an empty line, which kvd took for a request. */
START_TEST(test_redis_cli_pipe)
{
	char output[1024];

	if (!have("redis-cli"))
		return;
	ck_assert_int_eq(run("printf '*1\\r\\n$4\\r\\nPING\\r\\n' |"
			     " redis-cli -p %d --pipe",
			     output, sizeof(output)),
	    0);
	ck_assert_ptr_nonnull(strstr(output, "errors: 0, replies: 1"));
}
END_TEST

/* Of the network, not of the disk. */
static void
benchmark(const char *line)
{
	char output[65536];

	if (!have("redis-benchmark"))
		return;
	teardown();
	kvd_start(&kvd, NULL, "--sync=never", KVD_END);
	client = client_open(&kvd);
	ck_assert_int_eq(run(line, output, sizeof(output)), 0);
	ck_assert_msg(strstr(output, "ERR") == NULL &&
			  strcasestr(output, "error") == NULL,
	    "%s", output);
	client_expect(client, "+PONG", "PING");
	client_wait_info(client, "connected_clients", 1);
}

START_TEST(test_redis_benchmark)
{
	benchmark("redis-benchmark -p %d -t get,set -n 20000 -c 50 -q 2>&1");
}
END_TEST

/* All that it tries by itself: an error ends it. */
START_TEST(test_redis_benchmark_without_options)
{
	benchmark("redis-benchmark -p %d -n 500 -q 2>&1");
}
END_TEST

START_TEST(test_redis_benchmark_pipelined)
{
	benchmark(
	    "redis-benchmark -p %d -t get,set -n 20000 -c 50 -P 16 -q 2>&1");
}
END_TEST

TCase *
kvd_commands_case(void)
{
	TCase *tcase = tcase_create("commands");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_commands_reply);
	tcase_add_test(tcase, test_commands_count);
	tcase_add_test(tcase, test_commands_errors);
	tcase_add_test(tcase, test_commands_keep_every_byte);
	tcase_add_test(tcase, test_commands_info);
	tcase_add_test(tcase, test_uptime_outlasts_a_change_of_the_clock);
	tcase_add_test(tcase, test_commands_of_client_libraries);
	tcase_add_test(tcase, test_commands_tell_their_keys);
	tcase_add_test(tcase, test_commands_quit);
	tcase_add_test(
	    tcase, test_commands_in_one_pipeline_are_answered_in_order);
	tcase_add_test(tcase, test_redis_cli);
	tcase_add_test(tcase, test_redis_cli_pipe);
	tcase_add_test(tcase, test_redis_benchmark);
	tcase_add_test(tcase, test_redis_benchmark_without_options);
	tcase_add_test(tcase, test_redis_benchmark_pipelined);
	return tcase;
}
