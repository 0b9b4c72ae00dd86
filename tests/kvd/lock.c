/* SPDX-License-Identifier: MIT */
/* The readers-writer lock, as clients see it. */
#include "cases.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

#define BIG_REQUEST "--max-request=268435456"
#define WAITERS 100

static struct kvd kvd;
static redisContext *client;

static void
start_with(const char *option)
{
	kvd.on_test_disk = true;
	kvd_start(&kvd, NULL, BIG_REQUEST, option, KVD_END);
	client = client_open(&kvd);
}

static void
stop(void)
{
	redisFree(client);
	kvd_stop(&kvd);
}

/* Has "holder" inside with a write that waits for the disk, until that is told
 * to go on. */
static void
hold_as_writer(struct peer *holder)
{
	client_stop_disk(client, &kvd);
	peer_send(holder, "SET held 1");
	client_wait_info(client, "writers_inside", 1);
}

static void
fill(struct peer *peer, long keys)
{
	for (long done = 0; done < keys; done += 10000) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "fill%ld:", done);
		peer_send_mset(peer, prefix, 10000);
	}
	peer_expect_ok(peer);
}

START_TEST(test_waiting_clients_that_disconnect_leave_the_queue)
{
	static struct peer waiters[2 * WAITERS];
	struct peer holder;
	long cancelled;

	start_with("--sync=always");
	peer_open(&holder, &kvd);
	hold_as_writer(&holder);
	cancelled = client_info(client, "cancelled");
	for (int i = 0; i < 2 * WAITERS; i++) {
		peer_open(&waiters[i], &kvd);
		ck_assert(peer_send(
		    &waiters[i], i % 2 == 0 ? "SET left 1" : "GET left"));
	}
	client_wait_info(client, "writers_waiting", WAITERS);
	client_wait_info(client, "readers_waiting", WAITERS);
	for (int i = 0; i < 2 * WAITERS; i++)
		peer_reset(&waiters[i]);
	client_wait_info(client, "writers_waiting", 0);
	client_wait_info(client, "readers_waiting", 0);
	ck_assert_int_eq(
	    client_info(client, "cancelled"), cancelled + 2 * WAITERS);
	ck_assert_int_eq(client_info(client, "writers_inside"), 1);
	ck_assert_int_ge(client_info(client, "longest_queue"), 2 * WAITERS);
	disk_go(&kvd);
	peer_expect_ok(&holder);
	client_expect(client, ":0", "EXISTS left");
	peer_close(&holder);
	stop();
}
END_TEST

/* Asks INFO until it says so; false if the snapshot was over before. */
static bool
comes_during(const struct peer *snapshot, const char *name, long value)
{
	while (!raw_readable(snapshot->fd))
		if (client_info(client, name) == value)
			return true;
	return false;
}

/* A SNAPSHOT reads, a writer waits, a reader queues behind that: when the
 * writer disconnects, the reader enters while the SNAPSHOT still reads.
 * False if the SNAPSHOT was over too early to tell. */
static bool
reader_enters_beside_snapshot(void)
{
	struct peer snapshot, writer, reader;
	char head[5];
	bool beside;

	peer_open(&snapshot, &kvd);
	peer_open(&writer, &kvd);
	peer_open(&reader, &kvd);
	peer_send(&snapshot, "SNAPSHOT");
	beside = comes_during(&snapshot, "readers_inside", 1);
	peer_send(&writer, "SET key fromwriter");
	beside = beside && comes_during(&snapshot, "writers_waiting", 1);
	peer_send(&reader, "GET key");
	beside = beside && comes_during(&snapshot, "readers_waiting", 1);
	peer_reset(&writer);
	/* "$10" if the writer got in after all: the SNAPSHOT was over before
	 * the daemon heard of the disconnect. */
	ck_assert_int_eq(recv(reader.fd, head, 5, MSG_WAITALL), 5);
	beside = beside && memcmp(head, "$-1\r\n", 5) == 0 &&
		 !raw_readable(snapshot.fd);
	peer_expect_ok(&snapshot);
	peer_close(&snapshot);
	peer_close(&reader);
	client_expect(client, "+OK", "SET key 1");
	client_expect(client, ":1", "DEL key");
	return beside;
}

START_TEST(test_waiting_writer_that_disconnects_lets_readers_in)
{
	struct peer peer;
	bool beside = false;

	start_with("--sync=never");
	peer_open(&peer, &kvd);
	for (long keys = 50000; !beside; keys *= 2) {
		ck_assert_msg(
		    keys <= 400000, "no reader entered beside a SNAPSHOT");
		fill(&peer, keys);
		beside = reader_enters_beside_snapshot();
	}
	peer_close(&peer);
	stop();
}
END_TEST

START_TEST(test_readers_share)
{
	struct peer snapshot, peer;
	bool beside = false;

	start_with("--sync=never");
	peer_open(&peer, &kvd);
	peer_open(&snapshot, &kvd);
	for (long keys = 50000; !beside; keys *= 2) {
		ck_assert_msg(keys <= 400000, "no SNAPSHOT took long enough");
		fill(&peer, keys);
		peer_send(&snapshot, "SNAPSHOT");
		beside = comes_during(&snapshot, "readers_inside", 1);
		client_expect(client, "7", "GET fill0:7");
		client_expect(client, "[1, 2]", "MGET fill0:1 fill0:2");
		beside = beside && !raw_readable(snapshot.fd);
		peer_expect_ok(&snapshot);
	}
	peer_close(&snapshot);
	peer_close(&peer);
	stop();
}
END_TEST

/* The reader asked first, but sees what the writer wrote. */
START_TEST(test_writers_are_preferred)
{
	struct peer holder, reader, writer;

	start_with("--sync=always");
	client_expect(client, "+OK", "SET key old");
	peer_open(&holder, &kvd);
	peer_open(&reader, &kvd);
	peer_open(&writer, &kvd);
	hold_as_writer(&holder);
	peer_send(&reader, "GET key");
	client_wait_info(client, "readers_waiting", 1);
	peer_send(&writer, "SET key new");
	client_wait_info(client, "writers_waiting", 1);
	ck_assert_int_eq(client_info(client, "readers_waiting"), 1);
	disk_go(&kvd);
	raw_expect(reader.fd, "$3\r\nnew\r\n");
	peer_expect_ok(&writer);
	peer_expect_ok(&holder);
	peer_close(&holder);
	peer_close(&reader);
	peer_close(&writer);
	stop();
}
END_TEST

START_TEST(test_lock_timeout)
{
	struct peer holder, reader, writer;
	char text[256];

	start_with("--lock-timeout=0.4");
	peer_open(&holder, &kvd);
	peer_open(&reader, &kvd);
	peer_open(&writer, &kvd);
	hold_as_writer(&holder);
	peer_send(&writer, "SET key fromwriter");
	client_wait_info(client, "writers_waiting", 1);
	peer_send(&reader, "MGET key other");
	raw_expect(writer.fd, "-BUSY");
	raw_expect(reader.fd, "-BUSY");
	ck_assert_int_eq(client_info(client, "writers_inside"), 1);
	client_wait_info(client, "writers_waiting", 0);
	client_wait_info(client, "readers_waiting", 0);
	ck_assert_int_ge(client_info(client, "cancelled"), 2);
	disk_go(&kvd);
	peer_expect_ok(&holder);
	client_expect(client, ":0", "EXISTS key");

	/* The connections can go on. */
	peer_send(&writer, "PING");
	peer_send(&writer, "QUIT");
	ck_assert(raw_read_all(writer.fd, text, sizeof(text)));
	ck_assert_msg(strstr(text, "\r\n+PONG\r\n+OK\r\n") != NULL, "%s", text);
	peer_close(&holder);
	peer_close(&reader);
	peer_close(&writer);
	stop();
}
END_TEST

/* The holder goes while its MSET waits for the disk: that is finished, and the
 * lock is free again. */
START_TEST(test_holder_that_disconnects)
{
	struct peer holder;

	start_with("--sync=always");
	for (int i = 0; i < 20; i++) {
		peer_open(&holder, &kvd);
		client_stop_disk(client, &kvd);
		peer_send(&holder, "MSET first%d 1 last%d 1", i, i);
		client_wait_info(client, "writers_inside", 1);
		peer_close(&holder);
		ck_assert_int_eq(client_info(client, "writers_inside"), 1);
		disk_go(&kvd);
		client_expect(client, "[1, 1]", "MGET first%d last%d", i, i);
		client_expect(client, "+OK", "SET key 1");
		client_wait_info(client, "writers_inside", 0);
		client_wait_info(client, "connected_clients", 1);
	}
	stop();
}
END_TEST

struct tally {
	long mgets;
	long msets;
	long torn;
};

static void
take_pair(struct peer *peer, const redisReply *reply, void *arg)
{
	struct tally *tally = arg;
	const redisReply *x, *y;

	(void)peer;
	if (reply->type == REDIS_REPLY_STATUS) {
		tally->msets++;
		return;
	}
	ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
	ck_assert_uint_eq(reply->elements, 2);
	x = reply->element[0];
	y = reply->element[1];
	tally->mgets++;
	if (x->type != y->type ||
	    (x->type == REDIS_REPLY_STRING && strcmp(x->str, y->str) != 0))
		tally->torn++;
}

/* Sixteen readers and four writers of one pair, for so many reads and writes or
 * until one reader has seen it torn. */
static struct tally
watch_pair(long mgets, long msets)
{
	struct peer peers[20];
	struct tally tally = {0};
	double end = now() + patience();

	for (size_t i = 0; i < 20; i++)
		peer_open(&peers[i], &kvd);
	while (
	    tally.torn == 0 && (tally.mgets < mgets || tally.msets < msets)) {
		ck_assert_msg(now() < end, "too few requests");
		for (size_t i = 0; i < 16; i++)
			if (peers[i].sent == peers[i].acked)
				peer_send(&peers[i], "MGET x y");
		for (size_t i = 16; i < 20; i++)
			if (peer_is_due(&peers[i]))
				peer_send(&peers[i], "MSET x %ld y %ld",
				    tally.mgets, tally.mgets);
		peers_pump(peers, 20, 1, take_pair, &tally);
	}
	for (size_t i = 0; i < 20; i++)
		peer_close(&peers[i]);
	return tally;
}

START_TEST(test_mset_is_never_seen_half_done)
{
	struct tally tally;

	start_with("--sync=always");
	tally = watch_pair(10000, 200);
	ck_assert_int_eq(tally.torn, 0);
	stop();
}
END_TEST

/* That the test above can see what it looks for. */
START_TEST(test_without_the_lock_it_is)
{
	struct tally tally;

	start_with("--no-lock");
	tally = watch_pair(LONG_MAX, LONG_MAX);
	ck_assert_int_gt(tally.torn, 0);
	stop();
}
END_TEST

TCase *
kvd_lock_case(void)
{
	TCase *tcase = tcase_create("lock");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(
	    tcase, test_waiting_clients_that_disconnect_leave_the_queue);
	tcase_add_test(
	    tcase, test_waiting_writer_that_disconnects_lets_readers_in);
	tcase_add_test(tcase, test_readers_share);
	tcase_add_test(tcase, test_writers_are_preferred);
	tcase_add_test(tcase, test_lock_timeout);
	tcase_add_test(tcase, test_holder_that_disconnects);
	tcase_add_test(tcase, test_mset_is_never_seen_half_done);
	tcase_add_test(tcase, test_without_the_lock_it_is);
	return tcase;
}
