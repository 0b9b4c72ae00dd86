/* SPDX-License-Identifier: MIT */
/* Too much of something: values, requests, clients. */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uthash.h>

#include "client.h"

#define MANY 1000

static struct kvd kvd;

/* An argument of 100,000 bytes at most, and all its neighbours. */
static char *
bytes(size_t size)
{
	static char buffer[100001];

	ck_assert_uint_lt(size, sizeof(buffer));
	memset(buffer, 'v', size);
	buffer[size] = '\0';
	return buffer;
}

START_TEST(test_value_limit)
{
	redisContext *client;

	kvd_start(&kvd, NULL, "--max-value=100", KVD_END);
	client = client_open(&kvd);
	client_expect(client, "+OK", "SET a %s", bytes(100));
	client_expect(client, "-ERR", "SET a %s", bytes(101));
	client_expect(client, "-ERR", "SET b %s", bytes(5000));
	client_expect(client, "-ERR", "MSET c 1 b %s d 1", bytes(101));
	client_expect(client, ":1", "DBSIZE");
	client_expect(client, bytes(100), "GET a");
	client_expect(client, "[(nil), (nil)]", "MGET c d");
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

static void
expect_refused(int fd)
{
	char text[1024];

	ck_assert_msg(raw_read_all(fd, text, sizeof(text)),
	    "stays open after '%s'", text);
	ck_assert_msg(strncmp(text, "-ERR ", 5) == 0, "replied '%s'", text);
	ck_assert_msg(
	    strchr(text, '\n')[1] == '\0', "more than one error: '%s'", text);
}

/* Whether in one argument or in many, whether it has all arrived or not. */
START_TEST(test_request_limit)
{
	static const char announced[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n"
					"$100000\r\nfirst bytes";
	static const char beyond_32_bits[] = "*1\r\n$4294967300\r\nPING\r\n";
	static const char argument[] = "$10\r\n0123456789\r\n";
	redisContext *client;
	struct peer peer;
	int fd;

	kvd_start(&kvd, NULL, "--max-request=20000", KVD_END);
	client = client_open(&kvd);
	client_expect(client, "+OK", "SET a %s", bytes(10000));

	peer_open(&peer, &kvd);
	peer_send(&peer, "SET a %s", bytes(100000));
	expect_refused(peer.fd);
	peer_close(&peer);

	fd = raw_open(&kvd);
	raw_send(fd, announced, strlen(announced));
	expect_refused(fd);
	close(fd);

	fd = raw_open(&kvd);
	raw_send(fd, beyond_32_bits, strlen(beyond_32_bits));
	expect_refused(fd);
	close(fd);

	fd = raw_open(&kvd);
	raw_send(fd, "*5001\r\n$3\r\nDEL\r\n", 17);
	for (int i = 0; i < 5000; i++)
		raw_send(fd, argument, strlen(argument));
	expect_refused(fd);
	close(fd);

	client_expect(client, bytes(10000), "GET a");
	client_wait_info(client, "connected_clients", 1);
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

START_TEST(test_pipeline_longer_than_one_request_may_be)
{
	struct peer peer;

	kvd_start(&kvd, NULL, "--max-request=20000", "--sync=never", KVD_END);
	peer_open(&peer, &kvd);
	for (int i = 0; i < 100; i++)
		ck_assert(peer_send(&peer, "SET a %s", bytes(10000)));
	peer_expect_ok(&peer);
	peer_close(&peer);
	kvd_stop(&kvd);
}
END_TEST

START_TEST(test_too_many_clients)
{
	redisContext *clients[3];
	int fd;

	kvd_start(&kvd, NULL, "--max-clients=3", KVD_END);
	for (int i = 0; i < 3; i++) {
		clients[i] = client_open(&kvd);
		client_expect(clients[i], "+PONG", "PING");
	}
	for (int i = 0; i < 50; i++) {
		fd = raw_open(&kvd);
		expect_refused(fd);
		close(fd);
	}
	for (int i = 0; i < 3; i++)
		client_expect(clients[i], "+PONG", "PING");
	redisFree(clients[2]);
	client_wait_info(clients[0], "connected_clients", 2);
	clients[2] = client_open(&kvd);
	client_expect(clients[2], "+PONG", "PING");
	for (int i = 0; i < 3; i++)
		redisFree(clients[i]);
	kvd_stop(&kvd);
}
END_TEST

static void
need_files(rlim_t files)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= files)
		return;
	ck_assert_msg(limit.rlim_max >= files,
	    "this test needs %lu open files, see ulimit -n",
	    (unsigned long)files);
	limit.rlim_cur = files;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
take_set_or_get(struct peer *peer, const redisReply *reply, void *arg)
{
	if (peer->acked == 0) {
		ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
		ck_assert_str_eq(reply->str, "OK");
		return;
	}
	ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
	ck_assert_int_eq(
	    strtol(reply->str, NULL, 10), peer - (struct peer *)arg);
}

START_TEST(test_a_thousand_connections)
{
	static struct peer peers[MANY];
	redisContext *client;
	long waiting = MANY;

	need_files(MANY + 200);
	kvd_start(&kvd, NULL, "--max-clients=1100", KVD_END);
	client = client_open(&kvd);
	for (long i = 0; i < MANY; i++)
		peer_open(&peers[i], &kvd);
	client_wait_info(client, "connected_clients", MANY + 1);
	for (long i = 0; i < MANY; i++) {
		ck_assert(peer_send(&peers[i], "SET k%ld %ld", i, i));
		ck_assert(peer_send(&peers[i], "GET k%ld", i));
	}
	while (waiting > 0) {
		ck_assert(peers_pump(
		    peers, MANY, patience_ms(), take_set_or_get, peers));
		waiting = 0;
		for (long i = 0; i < MANY; i++)
			waiting += peers[i].acked < 2;
	}
	client_expect(client, ":1000", "DBSIZE");
	for (long i = 0; i < MANY; i++)
		peer_close(&peers[i]);
	client_wait_info(client, "connected_clients", 1);
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

/* Has each of them ask for much more than the sockets hold, and take none. */
static void
ask_and_do_not_read(struct peer *peers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		peer_open(&peers[i], &kvd);
		for (int j = 0; j < 300; j++)
			peer_send(&peers[i], "GET big");
	}
}

static void
set_big(redisContext *client)
{
	client_expect(client, "+OK", "SET big %s", bytes(100000));
}

#define MAX_BUFFERED 5000000

/* Several loops fill their buffers side by side before they hear of each other. */
static long
most_buffered(void)
{
	const long loops = kvd_threads();

	return loops == 1 ? MAX_BUFFERED
			  : MAX_BUFFERED + MAX_BUFFERED / 16 + loops * 1200000;
}

/* The rest goes on. */
START_TEST(test_replies_that_nobody_reads_are_bounded_together)
{
	static struct peer peers[40];
	redisContext *client;

	kvd_start(&kvd, NULL, "--max-buffered=5000000", KVD_END);
	client = client_open(&kvd);
	set_big(client);
	ask_and_do_not_read(peers, 40);
	/* Each has a megabyte or more, and so no more than five stay. */
	while (client_info(client, "connected_clients") > 6)
		ck_assert_int_le(
		    client_info(client, "buffered_bytes"), most_buffered());
	ck_assert_int_ge(client_info(client, "clients_evicted"), 35);
	ck_assert_int_eq(client_info(client, "max_buffered"), MAX_BUFFERED);
	ck_assert(kvd_log_has(&kvd, "--max-buffered"));
	client_expect(client, "+OK", "SET key value");
	for (size_t i = 0; i < 40; i++)
		peer_close(&peers[i]);
	client_wait_info(client, "connected_clients", 1);
	ck_assert_int_lt(client_info(client, "buffered_bytes"), 100000);
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

/* Requests count as well, also those that are not whole yet. */
START_TEST(test_requests_that_do_not_end_are_bounded_together)
{
	static const char head[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$900000\r\n";
	redisContext *client;
	int fds[20];

	kvd_start(&kvd, NULL, "--max-buffered=5000000", KVD_END);
	client = client_open(&kvd);
	for (int i = 0; i < 20; i++) {
		fds[i] = raw_open(&kvd);
		raw_send(fds[i], head, strlen(head));
		for (int j = 0; j < 8; j++)
			raw_send(fds[i], bytes(100000), 100000);
	}
	while (client_info(client, "connected_clients") > 7)
		ck_assert_int_le(
		    client_info(client, "buffered_bytes"), most_buffered());
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	client_wait_info(client, "connected_clients", 1);
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

START_TEST(test_client_that_takes_no_replies_is_closed)
{
	redisContext *client;
	struct peer peer;

	kvd_start(&kvd, NULL, "--send-timeout=0.3", KVD_END);
	client = client_open(&kvd);
	set_big(client);
	ask_and_do_not_read(&peer, 1);
	client_wait_info(client, "clients_timed_out", 1);
	client_wait_info(client, "connected_clients", 1);
	ck_assert(kvd_log_has(&kvd, "--send-timeout"));
	peer_close(&peer);
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

/* It got 10 seconds, and most supervisors kill before that. */
START_TEST(test_stop_does_not_wait_for_a_client_that_does_not_read)
{
	redisContext *client;
	struct peer peer;
	double begin;

	kvd_start(&kvd, NULL, "--stop-timeout=0.1", KVD_END);
	client = client_open(&kvd);
	set_big(client);
	ask_and_do_not_read(&peer, 1);
	while (client_info(client, "buffered_bytes") < 1000000)
		continue;
	redisFree(client);
	begin = now();
	kvd_stop(&kvd);
	ck_assert_double_lt(now() - begin, patience() / 2);
	peer_close(&peer);
}
END_TEST

/* Keys that all have the same end of uthash's own hash, so that they are in one
 * chain of any table that kvd would have. */
static void
send_chosen_keys(struct peer *peer, int count)
{
	unsigned hash = 0;
	char key[16];

	for (int i = 0; count > 0; i++) {
		const int length = snprintf(key, sizeof(key), "%d", i);

		HASH_JEN(key, (unsigned)length, hash);
		if ((hash & 0x3fff) != 0x1234)
			continue;
		peer_send(peer, "SET %s 1", key);
		count--;
	}
	peer_expect_ok(peer);
}

/* Where the table stops growing, the chains grow instead: uthash has at most ten
 * keys in one before it doubles their number. */
START_TEST(test_chosen_keys_do_not_slow_the_table_down)
{
	redisContext *client;
	struct peer peer;

	kvd_start(&kvd, NULL, "--sync=never", KVD_END);
	client = client_open(&kvd);
	peer_open(&peer, &kvd);
	send_chosen_keys(&peer, 200);
	peer_send_mset(&peer, "key", 20000);
	peer_expect_ok(&peer);
	ck_assert_int_ge(client_info(client, "key_buckets"), 2000);
	client_expect(client, ":20200", "DBSIZE");
	peer_close(&peer);
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

TCase *
kvd_limits_case(void)
{
	TCase *tcase = tcase_create("limits");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_value_limit);
	tcase_add_test(tcase, test_request_limit);
	tcase_add_test(tcase, test_pipeline_longer_than_one_request_may_be);
	tcase_add_test(tcase, test_too_many_clients);
	tcase_add_test(tcase, test_a_thousand_connections);
	tcase_add_test(
	    tcase, test_replies_that_nobody_reads_are_bounded_together);
	tcase_add_test(
	    tcase, test_requests_that_do_not_end_are_bounded_together);
	tcase_add_test(tcase, test_client_that_takes_no_replies_is_closed);
	tcase_add_test(tcase, test_chosen_keys_do_not_slow_the_table_down);
	tcase_add_test(
	    tcase, test_stop_does_not_wait_for_a_client_that_does_not_read);
	return tcase;
}
