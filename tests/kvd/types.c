/* SPDX-License-Identifier: MIT */
/* Values with parts: lists, sets, hashes, sorted sets and streams. */
#include "cases.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define MANY 500

struct exchange {
	const char *command;
	const char *reply;
};

static struct kvd kvd;
static redisContext *client;

static void
setup(void)
{
	kvd_start(&kvd, NULL, "--sync=never", "--max-request=1000000", KVD_END);
	client = client_open(&kvd);
}

static void
teardown(void)
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

static void
expect_all(const struct exchange *exchanges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		client_expect(client, exchanges[i].reply, exchanges[i].command);
}

#define EXPECT_ALL(exchanges)                                                  \
	expect_all(exchanges, sizeof(exchanges) / sizeof((exchanges)[0]))

START_TEST(test_lists)
{
	static const struct exchange exchanges[] = {
	    {"LPUSH l b a", ":2"},
	    {"RPUSH l c d e", ":5"},
	    {"LRANGE l 0 -1", "[a, b, c, d, e]"},
	    {"LRANGE l 1 2", "[b, c]"},
	    {"LRANGE l -2 100", "[d, e]"},
	    {"LRANGE l -100 -5", "[a]"},
	    {"LRANGE l -100 -6", "[]"},
	    {"LRANGE l 3 2", "[]"},
	    {"LRANGE l 5 9", "[]"},
	    {"LRANGE l 9223372036854775807 9223372036854775807", "[]"},
	    {"LRANGE l -9223372036854775808 9223372036854775807",
		"[a, b, c, d, e]"},
	    {"LLEN l", ":5"},
	    {"LPOP l", "a"},
	    {"RPOP l", "e"},
	    {"LPOP l 2", "[b, c]"},
	    {"LPOP l 0", "[]"},
	    {"RPOP l 9", "[d]"},
	    {"EXISTS l", ":0"},
	    {"LPOP l", "(nil)"},
	    {"LPOP l 2", "(nil)"},
	    {"LLEN l", ":0"},
	    {"LRANGE l 0 -1", "[]"},
	    {"DBSIZE", ":0"},
	    {"LPUSH l", "-ERR"},
	    {"LPOP l -1", "-ERR"},
	    {"LPOP l 1 1", "-ERR"},
	    {"LRANGE l 0 x", "-ERR"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

START_TEST(test_sets)
{
	static const struct exchange exchanges[] = {
	    {"SADD s a b a", ":2"},
	    {"SADD s b", ":0"},
	    {"SCARD s", ":2"},
	    {"SISMEMBER s a", ":1"},
	    {"SISMEMBER s c", ":0"},
	    {"SMEMBERS s", "[a, b]"},
	    {"SADD s c d", ":2"},
	    {"SREM s a x", ":1"},
	    {"SMEMBERS s", "[d, b, c]"},
	    {"SREM s c b", ":2"},
	    {"SPOP s", "d"},
	    {"EXISTS s", ":0"},
	    {"SPOP s", "(nil)"},
	    {"SPOP s 3", "[]"},
	    {"SCARD s", ":0"},
	    {"SMEMBERS s", "[]"},
	    {"SREM s a", ":0"},
	    {"DBSIZE", ":0"},
	    {"SPOP s x", "-ERR"},
	    {"SADD s", "-ERR"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

/* Each once, in an order that is hardly the one in which they came. */
START_TEST(test_set_pops_any)
{
	bool seen[MANY] = {false}, in_order = true;

	for (int i = 0; i < MANY; i++)
		client_expect(client, ":1", "SADD s %d", i);
	for (int i = 0; i < MANY; i++) {
		redisReply *reply = redisCommand(client, "SPOP s");
		long member = strtol(reply->str, NULL, 10);

		freeReplyObject(reply);
		ck_assert(member >= 0 && member < MANY && !seen[member]);
		seen[member] = true;
		in_order = in_order && member == i;
	}
	ck_assert(!in_order);
	client_expect(client, ":0", "DBSIZE");
}
END_TEST

START_TEST(test_hashes)
{
	static const struct exchange exchanges[] = {
	    {"HSET h a 1 b 2", ":2"},
	    {"HSET h b 3 c 4", ":1"},
	    {"HGET h b", "3"},
	    {"HGET h x", "(nil)"},
	    {"HGET x x", "(nil)"},
	    {"HLEN h", ":3"},
	    {"HGETALL h", "[a, 1, b, 3, c, 4]"},
	    {"HDEL h a x", ":1"},
	    {"HGETALL h", "[c, 4, b, 3]"},
	    {"HSET h c longer", ":0"},
	    {"HGET h c", "longer"},
	    {"HDEL h b c", ":2"},
	    {"HGETALL h", "[]"},
	    {"HLEN h", ":0"},
	    {"DBSIZE", ":0"},
	    {"HSET h a", "-ERR"},
	    {"HSET h a 1 b", "-ERR"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

START_TEST(test_sorted_sets)
{
	static const struct exchange exchanges[] = {
	    {"ZADD z 2 b 1 a 3 c", ":3"},
	    {"ZADD z 0.5 c 1e3 d", ":1"},
	    {"ZRANGE z 0 -1", "[c, a, b, d]"},
	    {"ZRANGE z 1 2 WITHSCORES", "[a, 1, b, 2]"},
	    {"ZSCORE z c", "0.5"},
	    {"ZSCORE z x", "(nil)"},
	    {"ZCARD z", ":4"},
	    {"ZPOPMIN z", "[c, 0.5]"},
	    {"ZADD z 1 B 1 ab", ":2"},
	    {"ZPOPMIN z 3", "[B, 1, a, 1, ab, 1]"},
	    {"ZREM z b x", ":1"},
	    {"ZPOPMIN z 9", "[d, 1000]"},
	    {"ZPOPMIN z", "[]"},
	    {"ZCARD z", ":0"},
	    {"DBSIZE", ":0"},
	    {"ZADD z -inf least inf most 0.1 tenth -0.25 quarter", ":4"},
	    {"ZRANGE z 0 -1 WITHSCORES",
		"[least, -inf, quarter, -0.25, tenth, 0.1, most, inf]"},
	    {"ZADD z nan a", "-ERR"},
	    {"ZADD z one a", "-ERR"},
	    {"ZADD z 1", "-ERR"},
	    {"ZADD z NX 1 a", "-ERR"},
	    {"ZRANGE z 0 -1 WITHOUT", "-ERR"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

/* The least of all comes first, whatever went out or changed before. */
START_TEST(test_sorted_set_pops_in_order)
{
	long last = -1;
	int left = MANY;

	for (int i = 0; i < MANY; i++)
		client_expect(
		    client, ":1", "ZADD z %d m%d", i * 7919 % 1000, i);
	for (int i = 0; i < MANY; i += 5)
		client_expect(
		    client, ":0", "ZADD z %d m%d", i * 104729 % 1000, i);
	for (int i = 1; i < MANY; i += 5, left--)
		client_expect(client, ":1", "ZREM z m%d", i);
	while (left-- > 0) {
		redisReply *reply = redisCommand(client, "ZPOPMIN z");
		long score = strtol(reply->element[1]->str, NULL, 10);

		freeReplyObject(reply);
		ck_assert_int_le(last, score);
		last = score;
	}
	client_expect(client, ":0", "DBSIZE");
}
END_TEST

START_TEST(test_streams)
{
	static const struct exchange exchanges[] = {
	    {"XADD x 1-1 a 1", "1-1"},
	    {"XADD x 1-2 a 2 b 3", "1-2"},
	    {"XADD x 5 c 4", "5-0"},
	    {"XLEN x", ":3"},
	    {"XRANGE x - +",
		"[[1-1, [a, 1]], [1-2, [a, 2, b, 3]], [5-0, [c, 4]]]"},
	    {"XRANGE x 1-2 4", "[[1-2, [a, 2, b, 3]]]"},
	    {"XRANGE x 2 +", "[[5-0, [c, 4]]]"},
	    {"XRANGE x - + COUNT 1", "[[1-1, [a, 1]]]"},
	    {"XRANGE x 6 +", "[]"},
	    {"XRANGE x 5 1", "[]"},
	    {"XADD x 5-0 a 1", "-ERR"},
	    {"XADD x 4 a 1", "-ERR"},
	    {"XADD x 0-0 a 1", "-ERR"},
	    {"XADD x 6- a 1", "-ERR"},
	    {"XADD x 18446744073709551616 a 1", "-ERR"},
	    {"XADD x 6 a", "-ERR"},
	    {"XADD x 6 a 1 b", "-ERR"},
	    {"XRANGE x - + COUNT", "-ERR"},
	    {"XRANGE x - y", "-ERR"},
	    {"XADD x 18446744073709551614-18446744073709551615 a 1",
		"18446744073709551614-18446744073709551615"},
	    {"XADD x * b 1", "18446744073709551615-0"},
	    {"XLEN x", ":5"},
	    {"DEL x", ":1"},
	    {"XLEN x", ":0"},
	    {"XADD x 1 a 1", "1-0"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

START_TEST(test_types_are_kept_apart)
{
	static const struct exchange exchanges[] = {
	    {"SET k text", "+OK"},
	    {"LPUSH k a", "-WRONGTYPE"},
	    {"SADD k a", "-WRONGTYPE"},
	    {"HSET k a 1", "-WRONGTYPE"},
	    {"ZADD k 1 a", "-WRONGTYPE"},
	    {"XADD k 1 a 1", "-WRONGTYPE"},
	    {"TYPE k", "+string"},
	    {"RPUSH l a b", ":2"},
	    {"GET l", "-WRONGTYPE"},
	    {"INCR l", "-WRONGTYPE"},
	    {"SMEMBERS l", "-WRONGTYPE"},
	    {"MGET l k", "[(nil), text]"},
	    {"TYPE l", "+list"},
	    {"SADD s a", ":1"},
	    {"TYPE s", "+set"},
	    {"LLEN s", "-WRONGTYPE"},
	    {"HSET h a 1", ":1"},
	    {"TYPE h", "+hash"},
	    {"ZADD z 1 a", ":1"},
	    {"TYPE z", "+zset"},
	    {"XADD x 1 a 1", "1-0"},
	    {"TYPE x", "+stream"},
	    {"TYPE none", "+none"},
	    {"EXISTS k l s h z x none", ":6"},
	    {"DBSIZE", ":6"},
	    /* SET is for whatever was there. */
	    {"SET l text", "+OK"},
	    {"GET l", "text"},
	    {"MSET s 1 h 2", "+OK"},
	    {"MGET s h", "[1, 2]"},
	    {"DEL l s", ":2"},
	    {"RPUSH l new", ":1"},
	    {"LRANGE l 0 -1", "[new]"},
	    {"DEL k l s h z x", ":5"},
	    {"DBSIZE", ":0"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

/* After a kill, and after a snapshot. */
START_TEST(test_types_are_durable)
{
	static const struct exchange made[] = {
	    {"RPUSH l a b c", ":3"},
	    {"LPOP l", "a"},
	    {"SADD s a b c", ":3"},
	    {"SREM s a", ":1"},
	    {"HSET h a 1 b 2", ":2"},
	    {"ZADD z 2 b 1 a", ":2"},
	    {"XADD x 7 a 1", "7-0"},
	    {"RPUSH gone a b", ":2"},
	    {"DEL gone", ":1"},
	};
	static const struct exchange there[] = {
	    {"LRANGE l 0 -1", "[b, c]"},
	    {"SMEMBERS s", "[c, b]"},
	    {"HGETALL h", "[a, 1, b, 2]"},
	    {"ZRANGE z 0 -1 WITHSCORES", "[a, 1, b, 2]"},
	    {"XRANGE x - +", "[[7-0, [a, 1]]]"},
	    {"XADD x 7 a 1", "-ERR"},
	    {"DBSIZE", ":5"},
	    {"EXISTS gone", ":0"},
	    {"RPUSH gone new", ":1"},
	    {"LRANGE gone 0 -1", "[new]"},
	    {"DEL gone", ":1"},
	};

	EXPECT_ALL(made);
	crash_and_start();
	EXPECT_ALL(there);
	client_expect(client, "+OK", "SNAPSHOT");
	crash_and_start();
	EXPECT_ALL(there);
}
END_TEST

START_TEST(test_types_in_transactions)
{
	static const struct exchange exchanges[] = {
	    {"MULTI", "+OK"},
	    {"RPUSH l a b c", "+QUEUED"},
	    {"LPOP l", "+QUEUED"},
	    {"LRANGE l 0 -1", "+QUEUED"},
	    {"HSET l a 1", "+QUEUED"},
	    {"ZADD z 1 a", "+QUEUED"},
	    {"ZPOPMIN z", "+QUEUED"},
	    {"DBSIZE", "+QUEUED"},
	    {"EXEC",
		"[:3, a, [b, c], -WRONGTYPE Operation against a key holding "
		"the wrong kind of value, :1, [a, 1], :1]"},
	    {"WATCH l", "+OK"},
	    {"RPUSH l d", ":3"},
	    {"MULTI", "+OK"},
	    {"DEL l", "+QUEUED"},
	    {"EXEC", "(nil)"},
	    {"LLEN l", ":3"},
	};

	EXPECT_ALL(exchanges);
}
END_TEST

/* Pairs, doubles, sets and maps. */
START_TEST(test_types_in_version_3)
{
	static const char lines[] =
	    "HELLO 3\nZADD z 1.5 a 2 b\nZSCORE z a\nZRANGE z 0 -1 WITHSCORES\n"
	    "ZPOPMIN z\nZPOPMIN z 1\nSADD s a\nSMEMBERS s\nSPOP s 1\n"
	    "HSET h a 1\nHGETALL h\nLPOP l\nLPOP l 1\nQUIT\n";
	static const char replies[] =
	    "modules\r\n*0\r\n:2\r\n,1.5\r\n*2\r\n*2\r\n$1\r\na\r\n,1.5\r\n"
	    "*2\r\n$1\r\nb\r\n,2\r\n*2\r\n$1\r\na\r\n,1.5\r\n"
	    "*1\r\n*2\r\n$1\r\nb\r\n,2\r\n:1\r\n~1\r\n$1\r\na\r\n"
	    "~1\r\n$1\r\na\r\n:1\r\n%1\r\n$1\r\na\r\n$1\r\n1\r\n_\r\n_\r\n"
	    "+OK\r\n";
	const char *rest;
	char text[4096];

	raw_converse(&kvd, lines, text, sizeof(text));
	rest = strstr(text, "modules");
	ck_assert_ptr_nonnull(rest);
	ck_assert_str_eq(rest, replies);
}
END_TEST

/* The bytes that kvd's own keys begin with, and what would get them too long. */
START_TEST(test_types_limits)
{
	static char text[1026];

	memset(text, 'n', sizeof(text) - 1);
	client_expect(client, "-ERR", "LPUSH %s a", text);
	client_expect(client, "-ERR", "SADD s %s", text);
	client_expect(client, "-ERR", "HSET h a 1 %s 2", text);
	client_expect(client, "-ERR", "ZADD z 1 %s", text);
	client_expect(client, ":0", "SISMEMBER s %s", text);
	client_expect(client, ":0", "SREM s %s", text);
	client_expect(client, ":0", "DBSIZE");
	client_expect(client, ":1", "LPUSH l %s", text);
	client_expect(client, ":1", "HSET h a %s", text);
	client_expect(client, "+OK", "SET %s 1", text);
	text[1024] = '\0';
	client_expect(client, ":1", "SADD s %s", text);
	client_expect(client, ":1", "ZADD %s 1 %s", text, text);
	client_expect(client, text, "SPOP s");

	client_expect(client, "-ERR", "SET %b 1", "\0kvd:x", (size_t)6);
	client_expect(client, "-ERR", "GET %b", "\0kvd:", (size_t)5);
	client_expect(client, "-ERR", "MSET a 1 %b 1", "\0kvd:x", (size_t)6);
	client_expect(client, "-ERR", "DEL a %b", "\0kvd:x", (size_t)6);
	client_expect(client, "+OK", "SET %b 1", "\0kvd", (size_t)4);
	client_expect(client, "+OK", "SET a %b", "\0kvd:x", (size_t)6);
}
END_TEST

/* And nothing was taken out. */
START_TEST(test_pop_whose_reply_is_too_long)
{
	static char big[10001];

	memset(big, 'b', sizeof(big) - 1);
	for (int i = 1; i <= 101; i++) {
		char number[16];

		snprintf(number, sizeof(number), ":%d", i);
		client_expect(client, number, "RPUSH l %s", big);
	}
	client_expect(client, "-ERR the reply is longer", "LPOP l 101");
	client_expect(client, "-ERR the reply is longer", "LRANGE l 0 -1");
	client_expect(client, ":101", "LLEN l");
	client_expect(client, big, "LPOP l");
	client_expect(client, ":100", "LLEN l");
}
END_TEST

/* One that is half written can't be read. */
START_TEST(test_types_need_the_lock_without_it)
{
	struct peer writer, reader;

	teardown();
	kvd.on_test_disk = true;
	kvd_start(&kvd, NULL, "--no-lock", KVD_END);
	client = client_open(&kvd);
	peer_open(&writer, &kvd);
	peer_open(&reader, &kvd);
	client_expect(client, ":2", "HSET h a 1 b 2");
	client_stop_disk(client, &kvd);
	peer_send(&writer, "HDEL h a");
	client_wait_info(client, "writers_inside", 1);
	peer_send(&reader, "HGETALL h");
	client_wait_info(client, "readers_waiting", 1);
	client_expect(client, "(nil)", "GET plain");
	disk_go(&kvd);
	raw_expect(reader.fd, "*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
	peer_close(&writer);
	peer_close(&reader);
	kvd.on_test_disk = false;
}
END_TEST

TCase *
kvd_types_case(void)
{
	TCase *tcase = tcase_create("types");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_lists);
	tcase_add_test(tcase, test_sets);
	tcase_add_test(tcase, test_set_pops_any);
	tcase_add_test(tcase, test_hashes);
	tcase_add_test(tcase, test_sorted_sets);
	tcase_add_test(tcase, test_sorted_set_pops_in_order);
	tcase_add_test(tcase, test_streams);
	tcase_add_test(tcase, test_types_are_kept_apart);
	tcase_add_test(tcase, test_types_are_durable);
	tcase_add_test(tcase, test_types_in_transactions);
	tcase_add_test(tcase, test_types_in_version_3);
	tcase_add_test(tcase, test_types_limits);
	tcase_add_test(tcase, test_pop_whose_reply_is_too_long);
	tcase_add_test(tcase, test_types_need_the_lock_without_it);
	return tcase;
}
