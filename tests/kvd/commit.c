/* SPDX-License-Identifier: MIT */
/* The group commit: one sync for one request, and for all that come in while
 * the disk is busy. */
#include "cases.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "client.h"

#define WRITERS 50

static struct kvd kvd;
static redisContext *client;

static void
start(const char *option)
{
	kvd.on_test_disk = true;
	kvd_start(&kvd, NULL, option, KVD_END);
	client = client_open(&kvd);
}

static void
stop(void)
{
	redisFree(client);
	kvd_stop(&kvd);
}

static void
crash_and_start(void)
{
	redisFree(client);
	kvd_end(&kvd, SIGKILL);
	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
}

START_TEST(test_mset_is_one_sync)
{
	struct peer peer;
	long syncs;

	start("--sync=always");
	peer_open(&peer, &kvd);
	syncs = disk_syncs(&kvd);
	peer_send_mset(&peer, "key", 20000);
	peer_expect_ok(&peer);
	ck_assert_int_eq(disk_syncs(&kvd), syncs + 1);
	client_expect(client, ":20000", "DBSIZE");
	client_expect(client, ":3", "DEL key0 key1 key2 key2 other");
	ck_assert_int_eq(disk_syncs(&kvd), syncs + 2);
	ck_assert_int_eq(client_info(client, "journal_syncs"), 2);
	ck_assert_int_eq(client_info(client, "writes_committed"), 2);
	peer_close(&peer);
	crash_and_start();
	client_expect(client, ":19997", "DBSIZE");
	client_expect(client, "[(nil), 3, 19999]", "MGET key2 key3 key19999");
	stop();
}
END_TEST

/* One that changes nothing needs no disk. */
START_TEST(test_delete_of_nothing_is_no_sync)
{
	long syncs;

	start("--sync=always");
	syncs = disk_syncs(&kvd);
	client_expect(client, ":0", "DEL a b c");
	ck_assert_int_eq(disk_syncs(&kvd), syncs);
	stop();
}
END_TEST

/* The first has the disk; all others come in meanwhile. */
static void
queue_behind(struct peer *first, struct peer *others, size_t count)
{
	client_stop_disk(client, &kvd);
	peer_open(first, &kvd);
	peer_send(first, "SET first 1");
	client_wait_info(client, "writers_inside", 1);
	for (size_t i = 0; i < count; i++) {
		peer_open(&others[i], &kvd);
		peer_send(&others[i], "INCR counter");
		client_wait_info(client, "writers_waiting", (long)i + 1);
	}
}

static void
take_number(struct peer *peer, const redisReply *reply, void *arg)
{
	long long *number = arg;

	(void)peer;
	ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
	*number = reply->integer;
}

/* Each builds on the one before, though that is not durable yet.  Their order is that of
 * asking if they are of one loop. */
static void
expect_numbers(struct peer *peers)
{
	bool seen[WRITERS] = {false};

	for (long i = 0; i < WRITERS; i++) {
		long long number = 0;

		while (peers[i].acked < peers[i].sent)
			ck_assert(peers_pump(
			    &peers[i], 1, patience_ms(), take_number, &number));
		ck_assert(number >= 1 && number <= WRITERS);
		ck_assert(!seen[number - 1]);
		seen[number - 1] = true;
		if (kvd_threads() == 1)
			ck_assert_int_eq(number, i + 1);
		peer_close(&peers[i]);
	}
}

START_TEST(test_writes_that_wait_share_a_sync)
{
	struct peer first, others[WRITERS];
	long syncs;

	start("--sync=always");
	syncs = disk_syncs(&kvd);
	queue_behind(&first, others, WRITERS);
	disk_go(&kvd);
	peer_expect_ok(&first);
	peer_close(&first);
	expect_numbers(others);
	ck_assert_int_eq(disk_syncs(&kvd), syncs + 2);
	crash_and_start();
	client_expect(client, "[1, 50]", "MGET first counter");
	stop();
}
END_TEST

static void
expect_error(struct peer *peer, const redisReply *reply, void *arg)
{
	(void)peer;
	ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
	ck_assert_msg(strstr(reply->str, arg) != NULL, "%s", reply->str);
}

static void
expect_failure(struct peer *peer, char *text)
{
	while (peer->acked < peer->sent)
		ck_assert(
		    peers_pump(peer, 1, patience_ms(), expect_error, text));
	peer_close(peer);
}

/* Nobody knows what such a disk has, so all writes are refused from then on;
 * those that wait behind it are too. */
START_TEST(test_failed_sync_fails_all_that_wait)
{
	char refused[] = "writes are refused";
	struct peer first, others[WRITERS];

	start("--sync=always");
	client_expect(client, "+OK", "MSET first 0 counter 7");
	queue_behind(&first, others, WRITERS);
	disk_fail(&kvd, EIO);
	disk_go(&kvd);
	expect_failure(&first, strerror(EIO));
	for (size_t i = 0; i < WRITERS; i++)
		expect_failure(&others[i], refused);
	client_expect(client, "[0, 7]", "MGET first counter");
	ck_assert_int_eq(client_info(client, "writes_refused"), 1);
	disk_fail(&kvd, 0);
	client_expect(client, "-ERR writes are refused", "SET first 2");
	crash_and_start();
	client_expect(client, "[0, 7]", "MGET first counter");
	stop();
}
END_TEST

static void
limit_files(rlim_t size)
{
	struct rlimit limit = {size, RLIM_INFINITY};

	ck_assert_int_eq(prlimit(kvd.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* The batch has room for its first record, but not for all: none is there. */
START_TEST(test_full_disk_fails_the_whole_batch)
{
	struct peer first, others[WRITERS];

	start("--sync=always");
	client_expect(client, "+OK", "MSET first 0 counter 7");
	queue_behind(&first, others, WRITERS);
	limit_files(file_size(kvd.dir, "kvd.journal") + 100);
	disk_go(&kvd);
	peer_expect_ok(&first);
	peer_close(&first);
	for (size_t i = 0; i < WRITERS; i++)
		expect_failure(&others[i], strerror(EFBIG));
	client_expect(client, "[1, 7]", "MGET first counter");
	ck_assert_int_eq(client_info(client, "writes_refused"), 0);
	limit_files(RLIM_INFINITY);
	client_expect(client, ":8", "INCR counter");
	client_expect(client, ":2", "DBSIZE");
	crash_and_start();
	client_expect(client, "[1, 8]", "MGET first counter");
	stop();
}
END_TEST

/* With the lock a reader waits for the disk; without it, it sees what was. */
START_TEST(test_nobody_sees_what_is_not_durable)
{
	struct peer writer, reader;

	start(_i == 0 ? "--sync=always" : "--no-lock");
	client_expect(client, "+OK", "MSET a old b old");
	peer_open(&writer, &kvd);
	peer_open(&reader, &kvd);
	client_stop_disk(client, &kvd);
	peer_send(&writer, "MSET a new b new c new");
	client_wait_info(client, "writers_inside", 1);
	if (_i == 0) {
		peer_send(&reader, "GET b");
		client_wait_info(client, "readers_waiting", 1);
		ck_assert(!raw_readable(reader.fd));
		disk_go(&kvd);
		raw_expect(reader.fd, "$3\r\nnew\r\n");
	} else {
		client_expect(client, "[old, old, (nil)]", "MGET a b c");
		client_expect(client, ":2", "DBSIZE");
		disk_go(&kvd);
	}
	peer_expect_ok(&writer);
	client_expect(client, "[new, new, new]", "MGET a b c");
	peer_close(&writer);
	peer_close(&reader);
	stop();
}
END_TEST

/* What one command has planned is what the next one in the batch finds. */
START_TEST(test_commands_of_a_batch_build_on_each_other)
{
	static const char *const commands[] = {"SET key 41", "INCR key",
	    "DEL key other", "DEL key", "INCR key", "SET key text", "INCR key",
	    "MSET key 1 key 2", "INCR key"};
	static const char *const answers[] = {"+OK\r\n", ":42\r\n", ":1\r\n",
	    ":0\r\n", ":1\r\n", "+OK\r\n",
	    "-ERR value is not an integer or out of range\r\n", "+OK\r\n",
	    ":3\r\n"};
	enum { COUNT = sizeof(commands) / sizeof(commands[0]) };
	struct peer first, peers[COUNT];

	start("--sync=always");
	queue_behind(&first, peers, 0);
	for (int i = 0; i < COUNT; i++) {
		peer_open_in(&peers[i], &kvd, 0);
		peer_send(&peers[i], commands[i]);
		client_wait_info(client, "writers_waiting", i + 1);
	}
	disk_go(&kvd);
	for (int i = 0; i < COUNT; i++) {
		raw_expect(peers[i].fd, answers[i]);
		peer_close(&peers[i]);
	}
	peer_close(&first);
	client_expect(client, "[3, (nil)]", "MGET key other");
	crash_and_start();
	client_expect(client, "[3, (nil)]", "MGET key other");
	client_expect(client, ":2", "DBSIZE");
	stop();
}
END_TEST

/*
 * Writes that one client has sent ahead.
 */

static const char pipelined[] =
    "SET key 41\r\nINCR key\r\nDEL key other\r\nDEL key\r\nINCR key\r\n"
    "RPUSH list a b\r\nINCR list\r\nSET key text extra\r\nHDEL\r\n"
    "NONE\r\nINCRBY key x\r\n\r\nMSET key 1 key 2\r\nGET key\r\n"
    "INCR key\r\nLPOP list 2\r\nINCR key\r\nPING\r\n";
static const char pipelined_replies[] =
    "+OK\r\n:42\r\n:1\r\n:0\r\n:1\r\n:2\r\n"
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
    "-ERR syntax error\r\n"
    "-ERR wrong number of arguments for 'hdel' command\r\n"
    "-ERR unknown command 'NONE'\r\n"
    "-ERR value is not an integer or out of range\r\n"
    "+OK\r\n$1\r\n2\r\n"
    ":3\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n:4\r\n+PONG\r\n";

/* However it comes in, and whatever stands between writes. */
START_TEST(test_pipeline_is_answered_as_if_it_was_sent_one_by_one)
{
	const size_t length = strlen(pipelined);
	const size_t cut = length * (size_t)_i / 8;
	int fd;

	start("--sync=always");
	fd = raw_open(&kvd);
	raw_send(fd, pipelined, cut);
	client_expect(client, "+PONG", "PING");
	raw_send(fd, pipelined + cut, length - cut);
	raw_expect(fd, pipelined_replies);
	close(fd);
	client_expect(client, "[4, (nil)]", "MGET key other");
	crash_and_start();
	client_expect(client, "[4, (nil)]", "MGET key other");
	stop();
}
END_TEST

START_TEST(test_pipeline_of_writes_is_one_sync)
{
	char requests[2048] = "", replies[1024] = "";
	long syncs;
	int fd;

	for (int i = 1; i <= 64; i++) {
		strcat(requests, "INCR counter\r\n");
		sprintf(replies + strlen(replies), ":%d\r\n", i);
	}
	start("--sync=always");
	syncs = disk_syncs(&kvd);
	fd = raw_open(&kvd);
	raw_send(fd, requests, strlen(requests));
	raw_expect(fd, replies);
	/* They may have come in two pieces. */
	ck_assert_int_le(disk_syncs(&kvd), syncs + 2);
	ck_assert_int_eq(client_info(client, "writes_committed"), 64);
	close(fd);
	stop();
}
END_TEST

/* Nobody can tell which of them was the reason. */
START_TEST(test_failed_sync_fails_all_of_a_pipeline)
{
	static const char requests[] =
	    "INCR counter\r\nINCR counter\r\nINCR counter\r\nGET counter\r\n";
	char text[512];
	const char *at = text;
	int fd;

	start("--sync=always");
	client_expect(client, "+OK", "SET counter 7");
	disk_fail(&kvd, EIO);
	fd = raw_open(&kvd);
	raw_send(fd, requests, strlen(requests));
	raw_send(fd, "QUIT\r\n", 6);
	ck_assert(raw_read_all(fd, text, sizeof(text)));
	for (int i = 0; i < 3; i++) {
		ck_assert_msg(strncmp(at, "-ERR ", 5) == 0, "%s", text);
		at = strstr(at, "\r\n") + 2;
	}
	ck_assert_str_eq(at, "$1\r\n7\r\n+OK\r\n");
	close(fd);
	disk_fail(&kvd, 0);
	crash_and_start();
	client_expect(client, "7", "GET counter");
	stop();
}
END_TEST

/* What is wrong stands behind writes that are on their way to the disk. */
START_TEST(test_pipeline_that_becomes_nonsense_is_answered_up_to_there)
{
	static const char requests[] =
	    "SET a 1\r\nINCR a\r\n*1\r\nnonsense\r\n";
	char text[512];
	int fd;

	start("--sync=always");
	fd = raw_open(&kvd);
	raw_send(fd, requests, strlen(requests));
	ck_assert(raw_read_all(fd, text, sizeof(text)));
	ck_assert_msg(
	    strncmp(text, "+OK\r\n:2\r\n-ERR Protocol error", 28) == 0, "%s",
	    text);
	close(fd);
	client_expect(client, "2", "GET a");
	stop();
}
END_TEST

TCase *
kvd_commit_case(void)
{
	TCase *tcase = tcase_create("commit");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_mset_is_one_sync);
	tcase_add_test(tcase, test_delete_of_nothing_is_no_sync);
	tcase_add_test(tcase, test_writes_that_wait_share_a_sync);
	tcase_add_test(tcase, test_failed_sync_fails_all_that_wait);
	tcase_add_test(tcase, test_full_disk_fails_the_whole_batch);
	tcase_add_loop_test(tcase, test_nobody_sees_what_is_not_durable, 0, 2);
	tcase_add_test(tcase, test_commands_of_a_batch_build_on_each_other);
	tcase_add_loop_test(tcase,
	    test_pipeline_is_answered_as_if_it_was_sent_one_by_one, 0, 9);
	tcase_add_test(tcase, test_pipeline_of_writes_is_one_sync);
	tcase_add_test(tcase, test_failed_sync_fails_all_of_a_pipeline);
	tcase_add_test(
	    tcase, test_pipeline_that_becomes_nonsense_is_answered_up_to_there);
	return tcase;
}
