/* SPDX-License-Identifier: MIT */
/* SNAPSHOT, and starting from its file. */
#include "cases.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

#define PAIRS 64
#define WRITERS 4
#define FILL 20000

static struct kvd kvd;
static redisContext *client;

static void
start(const char *option)
{
	kvd_start(&kvd, NULL, option, KVD_END);
	client = client_open(&kvd);
}

/* Ends it as a crash would, and starts it again on the same files. */
static void
crash_and_start(void)
{
	redisFree(client);
	kvd_end(&kvd, SIGKILL);
	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
}

static void
stop(void)
{
	redisFree(client);
	kvd_stop(&kvd);
}

START_TEST(test_snapshot_and_journal_are_replayed)
{
	size_t before, after;

	start("--sync=always");
	for (int i = 0; i < 50; i++)
		client_expect(client, "+OK", "MSET a %d b %d", i, i);
	client_expect(client, "+OK", "SET removed 1");
	before = file_size(kvd.dir, "kvd.journal");
	client_expect(client, "+OK", "SNAPSHOT");
	after = file_size(kvd.dir, "kvd.journal");
	ck_assert_msg(after < before, "the journal was %zu and is %zu bytes",
	    before, after);
	client_expect(client, "+OK", "SET b after");
	client_expect(client, ":1", "DEL removed");
	client_expect(client, ":1", "INCR counter");
	crash_and_start();
	client_expect(
	    client, "[49, after, (nil), 1]", "MGET a b removed counter");
	client_expect(client, ":2", "INCR counter");
	client_expect(client, "+OK", "SNAPSHOT");
	crash_and_start();
	client_expect(
	    client, "[49, after, (nil), 2]", "MGET a b removed counter");
	client_expect(client, ":3", "DBSIZE");
	stop();
}
END_TEST

START_TEST(test_snapshot_of_nothing)
{
	start("--sync=always");
	client_expect(client, "+OK", "SNAPSHOT");
	crash_and_start();
	client_expect(client, ":0", "DBSIZE");
	stop();
}
END_TEST

static void
expect_ok(struct peer *peer, const redisReply *reply, void *arg)
{
	(void)peer;
	(void)arg;
	ck_assert_msg(reply->type == REDIS_REPLY_STATUS, "%s", reply->str);
}

/* Peer 0 asks for the snapshot, the others write. */
static void
write_pairs(struct peer *peers, long *number)
{
	for (size_t i = 1; i <= WRITERS; i++) {
		long pair = *number % PAIRS;

		if (!peer_is_due(&peers[i]))
			continue;
		peer_send(&peers[i], "MSET left%ld %ld right%ld %ld", pair,
		    *number, pair, *number);
		++*number;
	}
	peers_pump(peers, WRITERS + 1, 1, expect_ok, NULL);
}

static void
snapshot_under_load(void)
{
	struct peer peers[WRITERS + 1];
	long number = 0;

	for (size_t i = 0; i <= WRITERS; i++)
		peer_open(&peers[i], &kvd);
	while (number < 5 * PAIRS)
		write_pairs(peers, &number);
	peer_send(&peers[0], "SNAPSHOT");
	while (peers[0].acked < peers[0].sent)
		write_pairs(peers, &number);
	for (size_t i = 0; i <= WRITERS; i++)
		peer_close(&peers[i]);
}

/* The halves of the pairs lie at the two ends of the table, should the
 * snapshot walk it in the order in which it was filled. */
static void
fill(void)
{
	struct peer peer;

	peer_open(&peer, &kvd);
	peer_send_mset(&peer, "left", PAIRS);
	peer_send_mset(&peer, "fill", FILL);
	peer_send_mset(&peer, "right", PAIRS);
	peer_expect_ok(&peer);
	peer_close(&peer);
}

static void
expect_equal_pairs(void)
{
	for (int i = 0; i < PAIRS; i++) {
		redisReply *reply =
		    redisCommand(client, "MGET left%d right%d", i, i);

		ck_assert_ptr_nonnull(reply);
		ck_assert_int_eq(reply->element[0]->type, REDIS_REPLY_STRING);
		ck_assert_int_eq(reply->element[1]->type, REDIS_REPLY_STRING);
		ck_assert_msg(
		    strcmp(reply->element[0]->str, reply->element[1]->str) == 0,
		    "pair %d is %s and %s", i, reply->element[0]->str,
		    reply->element[1]->str);
		freeReplyObject(reply);
	}
}

/* The snapshot alone, in a directory of its own, is of one moment. */
START_TEST(test_snapshot_under_load_is_consistent)
{
	char dir[KVD_PATH_MAX];
	char *data;
	size_t size;

	kvd_start(
	    &kvd, NULL, "--sync=never", "--max-request=268435456", KVD_END);
	client = client_open(&kvd);
	fill();
	for (int round = 0; round < 5; round++) {
		snapshot_under_load();
		redisFree(client);
		kvd_end(&kvd, SIGKILL);
		data = file_read(kvd.dir, "kvd.snapshot", &size);
		kvd_make_dir(dir);
		file_write(dir, "kvd.snapshot", data, size);
		free(data);
		kvd_start(&kvd, dir, "--sync=never", KVD_END);
		client = client_open(&kvd);
		expect_equal_pairs();
		client_expect(client, ":20128", "DBSIZE");
	}
	stop();
}
END_TEST

static void
count_ok(struct peer *peer, const redisReply *reply, void *arg)
{
	int *count = arg;

	(void)peer;
	if (reply->type == REDIS_REPLY_STATUS)
		++*count;
	else
		ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
}

/* Both are answered, one of them may be refused, and what they leave behind
 * can be read. */
START_TEST(test_two_snapshots_at_once)
{
	struct peer peers[2];
	int ok = 0;

	start("--sync=never");
	fill();
	for (int i = 0; i < 2; i++)
		peer_open(&peers[i], &kvd);
	for (int i = 0; i < 2; i++)
		peer_send(&peers[i], "SNAPSHOT");
	client_expect(client, "+OK", "SET during 1");
	while (peers[0].acked + peers[1].acked < 2)
		ck_assert(peers_pump(peers, 2, patience_ms(), count_ok, &ok));
	ck_assert_int_ge(ok, 1);
	for (int i = 0; i < 2; i++)
		peer_close(&peers[i]);
	client_expect(client, "+OK", "SET after 1");
	crash_and_start();
	client_expect(client, ":20130", "DBSIZE");
	client_expect(client, "[1, 1, 19999]", "MGET during after fill19999");
	stop();
}
END_TEST

/* A snapshot is renamed into place when it is whole: nothing in it can be torn
 * by a crash, so that damage anywhere stops the start. */
START_TEST(test_damaged_snapshot_stops_the_start)
{
	char *data;
	size_t size;

	start("--sync=always");
	client_expect(client, "+OK", "MSET first 1 second 2 third 3");
	client_expect(client, "+OK", "SNAPSHOT");
	redisFree(client);
	kvd_end(&kvd, SIGKILL);
	data = file_read(kvd.dir, "kvd.snapshot", &size);
	for (size_t i = 0; i < size; i++) {
		data[i] = (char)(data[i] ^ 0x10);
		file_write(kvd.dir, "kvd.snapshot", data, size);
		data[i] = (char)(data[i] ^ 0x10);
		kvd_launch(&kvd, kvd.dir, NULL);
		ck_assert_msg(!kvd_wait_ready(&kvd),
		    "started with byte %zu of the snapshot flipped", i);
		ck_assert_int_ne(kvd_wait(&kvd), 0);
		ck_assert(kvd_log_has(&kvd, "kvd: "));
		ck_assert(kvd_log_has(&kvd, "kvd.snapshot"));
	}
	file_write(kvd.dir, "kvd.snapshot", data, size);
	free(data);
	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
	client_expect(client, ":3", "DBSIZE");
	stop();
}
END_TEST

static void
path_of(char path[KVD_PATH_MAX], const char *name)
{
	int length = snprintf(path, KVD_PATH_MAX, "%s/%s", kvd.dir, name);

	ck_assert_int_lt(length, KVD_PATH_MAX);
}

static bool
is_there(const char *name)
{
	char path[KVD_PATH_MAX];

	path_of(path, name);
	return access(path, F_OK) == 0;
}

/* A directory is in the way of a file. */
static void
expect_no_snapshot(const char *name, const char *error)
{
	char path[KVD_PATH_MAX];
	size_t journal = file_size(kvd.dir, "kvd.journal");

	path_of(path, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	client_expect(client, error, "SNAPSHOT");
	ck_assert(kvd_log_has(&kvd, error + strlen("-ERR ")));
	ck_assert_uint_eq(file_size(kvd.dir, "kvd.journal"), journal);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert(!is_there("kvd.snapshot.tmp"));
	client_expect(client, "+OK", "SET writers %s", "again");
}

/* The file, the lock and the walk are given back, and the journal stays. */
START_TEST(test_failed_snapshot_leaves_nothing_behind)
{
	start("--sync=always");
	client_expect(client, "+OK", "MSET a 1 b 2");
	expect_no_snapshot(
	    "kvd.snapshot.tmp", "-ERR can't begin a snapshot: Is a directory");
	expect_no_snapshot(
	    "kvd.snapshot", "-ERR can't write the snapshot: Is a directory");
	client_expect(client, "+OK", "SNAPSHOT");
	ck_assert_uint_eq(file_size(kvd.dir, "kvd.journal"), 0);
	crash_and_start();
	client_expect(client, "[1, 2, again]", "MGET a b writers");
	stop();
}
END_TEST

/* It was begun, so it is finished. */
START_TEST(test_snapshot_outlasts_its_client)
{
	struct peer peer;

	start("--sync=never");
	fill();
	peer_open(&peer, &kvd);
	peer_send(&peer, "SNAPSHOT");
	while (!is_there("kvd.snapshot") && !is_there("kvd.snapshot.tmp"))
		peers_pump(&peer, 1, 1, expect_ok, NULL);
	peer_close(&peer);
	client_expect(client, "+OK", "SET after %s", "it");
	/* A writer gets in when it is over. */
	ck_assert(is_there("kvd.snapshot"));
	ck_assert(!is_there("kvd.snapshot.tmp"));
	client_expect(client, "+OK", "SNAPSHOT");
	stop();
}
END_TEST

TCase *
kvd_snapshot_case(void)
{
	TCase *tcase = tcase_create("snapshot");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_snapshot_and_journal_are_replayed);
	tcase_add_test(tcase, test_snapshot_of_nothing);
	tcase_add_test(tcase, test_snapshot_under_load_is_consistent);
	tcase_add_test(tcase, test_two_snapshots_at_once);
	tcase_add_test(tcase, test_damaged_snapshot_stops_the_start);
	tcase_add_test(tcase, test_failed_snapshot_leaves_nothing_behind);
	tcase_add_test(tcase, test_snapshot_outlasts_its_client);
	return tcase;
}
