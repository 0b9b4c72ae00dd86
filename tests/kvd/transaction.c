/* SPDX-License-Identifier: MIT */
/* MULTI and EXEC, and WATCH. */
#include "cases.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define TELLERS 8
#define TRANSFERS 50

struct conversation {
	const char *lines;
	const char *replies;
};

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

static void
expect_conversation(const struct conversation *conversation)
{
	char text[4096];

	raw_converse(&kvd, conversation->lines, text, sizeof(text));
	ck_assert_msg(strcmp(text, conversation->replies) == 0,
	    "'%s' replied '%s' instead of '%s'", conversation->lines, text,
	    conversation->replies);
}

/*
 * As Redis does.
 */

#define ABORTED                                                                \
	"-EXECABORT Transaction discarded because of previous errors.\r\n"
#define NOT_A_NUMBER "-ERR value is not an integer or out of range\r\n"
#define WRONG_NUMBER "-ERR wrong number of arguments for "

static const struct conversation conversations[] = {
    /* What is done is seen by what follows. */
    {"MULTI\nSET a 5\nINCR a\nGET a\nMSET a 1 b 2\nMGET a b c\nEXISTS a b c\n"
     "DBSIZE\nDEL a c\nGET a\nDBSIZE\nPING\nEXEC\nMGET a b\nQUIT\n",
	"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
	"+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
	"*11\r\n+OK\r\n:6\r\n$1\r\n6\r\n+OK\r\n"
	"*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n:2\r\n:2\r\n:1\r\n$-1\r\n:1\r\n"
	"+PONG\r\n*2\r\n$-1\r\n$1\r\n2\r\n+OK\r\n"},
    {"MULTI\nEXEC\nQUIT\n", "+OK\r\n*0\r\n+OK\r\n"},
    {"SET a 1\nMULTI\nGET a\nGET z\nEXEC\nDEL a b\nQUIT\n",
	"+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\n1\r\n$-1\r\n:2\r\n"
	"+OK\r\n"},
    {"MULTI\nSET a 1\nDISCARD\nGET a\nEXEC\nQUIT\n",
	"+OK\r\n+QUEUED\r\n+OK\r\n$-1\r\n-ERR EXEC without MULTI\r\n+OK\r\n"},
    {"EXEC\nDISCARD\nQUIT\n",
	"-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n+OK\r\n"},
    {"MULTI 1\nEXEC\nQUIT\n",
	WRONG_NUMBER "'multi' command\r\n-ERR EXEC without MULTI\r\n+OK\r\n"},
    /* It goes on behind an error, and takes nothing back. */
    {"MULTI\nSET a text\nINCR a\nINCRBY a x\nSET a 1 NX\nINCR b\nEXEC\n"
     "MGET a b\nDEL a b\nQUIT\n",
	"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
	"*5\r\n+OK\r\n" NOT_A_NUMBER NOT_A_NUMBER "-ERR syntax error\r\n:1\r\n"
	"*2\r\n$4\r\ntext\r\n$1\r\n1\r\n:2\r\n+OK\r\n"},
    /* But not where a command could not even be queued. */
    {"MULTI\nSET a 1\nNOTHING\nSET a 2\nEXEC\nGET a\nEXEC\nQUIT\n",
	"+OK\r\n+QUEUED\r\n-ERR unknown command "
	"'NOTHING'\r\n+QUEUED\r\n" ABORTED
	"$-1\r\n-ERR EXEC without MULTI\r\n+OK\r\n"},
    {"MULTI\nSET a 1\nGET\nEXEC\nGET a\nQUIT\n",
	"+OK\r\n+QUEUED\r\n" WRONG_NUMBER "'get' command\r\n" ABORTED
	"$-1\r\n+OK\r\n"},
    {"MULTI\nNOTHING\nDISCARD\nMULTI\nSET a 1\nEXEC\nDEL a\nQUIT\n",
	"+OK\r\n-ERR unknown command 'NOTHING'\r\n+OK\r\n"
	"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n:1\r\n+OK\r\n"},
    {"MULTI\nMULTI\nSET a 1\nWATCH a\nEXEC\nDEL a\nQUIT\n",
	"+OK\r\n-ERR MULTI calls can not be nested\r\n+QUEUED\r\n"
	"-ERR WATCH inside MULTI is not allowed\r\n*1\r\n+OK\r\n:1\r\n"
	"+OK\r\n"},
    /* What would wait inside. */
    {"MULTI\nLOCK x WRITE\nEXEC\nMULTI\nSNAPSHOT\nEXEC\nQUIT\n",
	"+OK\r\n-ERR 'lock' is not allowed in a transaction\r\n" ABORTED
	"+OK\r\n-ERR 'snapshot' is not allowed in a transaction\r\n" ABORTED
	"+OK\r\n"},
    {"MULTI\nSET a 1\nRESET\nEXEC\nGET a\nQUIT\n",
	"+OK\r\n+QUEUED\r\n+RESET\r\n-ERR EXEC without MULTI\r\n$-1\r\n"
	"+OK\r\n"},
    {"MULTI\nSET a 1\nQUIT\n", "+OK\r\n+QUEUED\r\n+OK\r\n"},
    {"GET a\nQUIT\n", "$-1\r\n+OK\r\n"},
    /* A key that is watched. */
    {"WATCH a b\nMULTI\nSET a 1\nEXEC\nQUIT\n",
	"+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+OK\r\n"},
    {"WATCH a\nSET a 1\nMULTI\nSET b 1\nEXEC\nMULTI\nGET b\nEXEC\nQUIT\n",
	"+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n"
	"+OK\r\n"},
    {"WATCH a\nDEL a\nMULTI\nGET b\nEXEC\nQUIT\n",
	"+OK\r\n:1\r\n+OK\r\n+QUEUED\r\n*-1\r\n+OK\r\n"},
    {"WATCH a\nSET a 1\nUNWATCH\nMULTI\nDEL a\nEXEC\nQUIT\n",
	"+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n+OK\r\n"},
    {"WATCH a\nMULTI\nDISCARD\nSET a 1\nMULTI\nDEL a\nEXEC\nQUIT\n",
	"+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n+OK\r\n"},
    {"WATCH\nQUIT\n", WRONG_NUMBER "'watch' command\r\n+OK\r\n"},
};

START_TEST(test_transactions_reply)
{
	start("--sync=never");
	for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]);
	     i++)
		expect_conversation(&conversations[i]);
	stop();
}
END_TEST

START_TEST(test_transaction_in_version_3)
{
	static const char lines[] =
	    "HELLO 3\nWATCH a\nSET a 1\nMULTI\nGET a\nEXEC\n"
	    "MULTI\nHELLO 2\nEXEC\nMULTI\nGET b\nCONFIG GET save\nEXEC\nQUIT\n";
	static const char replies[] =
	    "modules\r\n*0\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n_\r\n"
	    "+OK\r\n-ERR 'hello' is not allowed in a transaction\r\n" ABORTED
	    "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n_\r\n%1\r\n$4\r\nsave\r\n"
	    "$0\r\n\r\n+OK\r\n";
	const char *rest;
	char text[4096];

	start("--sync=never");
	raw_converse(&kvd, lines, text, sizeof(text));
	rest = strstr(text, "modules");
	ck_assert_ptr_nonnull(rest);
	ck_assert_str_eq(rest, replies);
	stop();
}
END_TEST

/*
 * Under the lock, on the disk.
 */

static void
queue_all(redisContext *to, const char *const *commands, size_t count)
{
	client_expect(to, "+OK", "MULTI");
	for (size_t i = 0; i < count; i++)
		client_expect(to, "+QUEUED", commands[i]);
}

static const char *const three[] = {"SET a new", "DEL b", "SET c new"};

START_TEST(test_transaction_is_one_sync)
{
	redisContext *other;
	long syncs, granted;

	start("--sync=always");
	other = client_open(&kvd);
	client_expect(other, "+OK", "MSET a old b old");
	queue_all(other, three, 3);
	syncs = disk_syncs(&kvd);
	granted = client_info(client, "writers_granted");
	client_expect(other, "[+OK, :1, +OK]", "EXEC");
	ck_assert_int_eq(disk_syncs(&kvd), syncs + 1);
	ck_assert_int_eq(client_info(client, "keys"), 2);
	/* The client, and the batch. */
	ck_assert_int_eq(client_info(client, "writers_granted"), granted + 2);
	redisFree(other);
	crash_and_start();
	client_expect(client, "[new, (nil), new]", "MGET a b c");
	stop();
}
END_TEST

START_TEST(test_transaction_of_reads_is_a_reader)
{
	static const char *const reads[] = {"GET a", "DBSIZE"};
	redisContext *other;
	long read, written;

	start("--sync=always");
	other = client_open(&kvd);
	client_expect(other, "+OK", "SET a 1");
	read = client_info(client, "readers_granted");
	written = client_info(client, "writers_granted");
	queue_all(other, reads, 2);
	client_expect(other, "[1, :1]", "EXEC");
	ck_assert_int_eq(client_info(client, "readers_granted"), read + 1);
	ck_assert_int_eq(client_info(client, "writers_granted"), written);
	redisFree(other);
	stop();
}
END_TEST

/* What other loops count is asked for before. */
START_TEST(test_info_in_a_transaction)
{
	redisContext *other;
	redisReply *reply;

	start("--sync=always");
	other = client_open(&kvd);
	client_expect(other, "+OK", "MULTI");
	client_expect(other, "+QUEUED", "SET a 1");
	client_expect(other, "+QUEUED", "INFO");
	reply = redisCommand(other, "EXEC");
	ck_assert_ptr_nonnull(reply);
	ck_assert_uint_eq(reply->elements, 2);
	ck_assert(strstr(reply->element[1]->str, "connected_clients:2\r\n"));
	freeReplyObject(reply);
	client_expect(client, "1", "GET a");
	redisFree(other);
	stop();
}
END_TEST

/* They go while the loops are asked, or after that. */
START_TEST(test_clients_that_do_not_wait_for_info)
{
	struct peer peer;

	start("--sync=always");
	for (int i = 0; i < 200; i++) {
		peer_open(&peer, &kvd);
		if (i % 2 == 0) {
			peer_send(&peer, "MULTI");
			peer_send(&peer, "INCR counter");
		}
		peer_send(&peer, "INFO");
		if (i % 2 == 0)
			peer_send(&peer, "EXEC");
		if (i % 3 == 0)
			client_integer(client, "DBSIZE");
		peer_reset(&peer);
	}
	client_wait_info(client, "connected_clients", 1);
	client_wait_info(client, "writers_waiting", 0);
	client_wait_info(client, "writers_inside", 0);
	stop();
}
END_TEST

/* As if the power had failed while it was written. */
START_TEST(test_torn_transaction_is_not_there)
{
	size_t before, after, size;
	char *journal;

	start("--sync=always");
	client_expect(client, "+OK", "MSET a old b old");
	before = file_size(kvd.dir, "kvd.journal");
	queue_all(client, three, 3);
	client_expect(client, "[+OK, :1, +OK]", "EXEC");
	after = file_size(kvd.dir, "kvd.journal");
	redisFree(client);
	kvd_end(&kvd, SIGKILL);
	journal = file_read(kvd.dir, "kvd.journal", &size);
	ck_assert_uint_eq(size, after);
	for (size_t cut = before; cut <= after;
	     cut += cut + 9 < after ? 9 : 1) {
		file_write(kvd.dir, "kvd.journal", journal, cut);
		kvd_start(&kvd, kvd.dir, KVD_END);
		client = client_open(&kvd);
		client_expect(client,
		    cut == after ? "[new, (nil), new]" : "[old, old, (nil)]",
		    "MGET a b c");
		redisFree(client);
		kvd_end(&kvd, SIGKILL);
	}
	free(journal);
}
END_TEST

static void
must_be_error(struct peer *peer, const redisReply *reply, void *arg)
{
	if (peer->acked + 1 < peer->sent)
		return; /* OK and QUEUED */
	ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
	ck_assert_msg(strstr(reply->str, arg) != NULL, "%s", reply->str);
}

static void
send_three(struct peer *peer)
{
	peer_send(peer, "MULTI");
	for (int i = 0; i < 3; i++)
		peer_send(peer, three[i]);
	peer_send(peer, "GET a");
	peer_send(peer, "EXEC");
}

/* Nobody gets a reply from it but the error. */
START_TEST(test_failed_disk_fails_the_whole_transaction)
{
	char *const error = strerror(EIO);
	struct peer peer;

	start("--sync=always");
	client_expect(client, "+OK", "MSET a old b old");
	disk_fail(&kvd, EIO);
	peer_open(&peer, &kvd);
	send_three(&peer);
	while (peer.acked < peer.sent)
		ck_assert(
		    peers_pump(&peer, 1, patience_ms(), must_be_error, error));
	client_expect(client, "[old, old, (nil)]", "MGET a b c");
	peer_send(&peer, "EXEC");
	raw_expect(peer.fd, "-ERR EXEC without MULTI\r\n");
	peer_close(&peer);
	crash_and_start();
	client_expect(client, "[old, old, (nil)]", "MGET a b c");
	stop();
}
END_TEST

/* What it found is what is planned by a write that is under way, and nobody is
 * told before that is durable. */
START_TEST(test_transaction_builds_on_the_batch)
{
	struct peer first, second, third;

	start("--sync=always");
	peer_open(&first, &kvd);
	peer_open(&second, &kvd);
	peer_open(&third, &kvd);
	client_stop_disk(client, &kvd);
	peer_send(&first, "SET x 1");
	client_wait_info(client, "writers_inside", 1);
	peer_send(&second, "SET a 41");
	client_wait_info(client, "writers_waiting", 1);
	peer_send(&third, "MULTI");
	peer_send(&third, "INCR a");
	peer_send(&third, "GET a");
	peer_send(&third, "EXEC");
	client_wait_info(client, "writers_waiting", 2);
	raw_expect(third.fd, "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
	ck_assert(!raw_readable(third.fd));
	disk_go(&kvd);
	raw_expect(third.fd, "*2\r\n:42\r\n$2\r\n42\r\n");
	peer_close(&first);
	peer_close(&second);
	peer_close(&third);
	stop();
}
END_TEST

/* The one who sent it has gone, before or after EXEC. */
START_TEST(test_client_that_goes_in_a_transaction)
{
	struct peer first, peer;

	start("--sync=always");
	client_expect(client, "+OK", "MSET a old b old");
	peer_open(&peer, &kvd);
	peer_send(&peer, "WATCH a");
	peer_send(&peer, "MULTI");
	peer_send(&peer, "SET a new");
	raw_expect(peer.fd, "+OK\r\n+OK\r\n+QUEUED\r\n");
	peer_close(&peer);
	client_wait_info(client, "connected_clients", 1);
	client_expect(client, "[old, old]", "MGET a b");

	/* Waiting for the lock: nothing is done. */
	client_stop_disk(client, &kvd);
	peer_open(&first, &kvd);
	peer_send(&first, "SET x 1");
	client_wait_info(client, "writers_inside", 1);
	peer_open(&peer, &kvd);
	send_three(&peer);
	client_wait_info(client, "writers_waiting", 1);
	peer_close(&peer);
	client_wait_info(client, "writers_waiting", 0);
	disk_go(&kvd);
	peer_expect_ok(&first);
	client_expect(client, "[old, old, (nil)]", "MGET a b c");

	/* On its way to the disk: all is. */
	client_stop_disk(client, &kvd);
	peer_open(&peer, &kvd);
	send_three(&peer);
	client_wait_info(client, "writers_inside", 1);
	peer_close(&peer);
	disk_go(&kvd);
	client_expect(client, "[new, (nil), new]", "MGET a b c");
	client_wait_info(client, "connected_clients", 2);
	peer_close(&first);
	stop();
}
END_TEST

/* EXEC ends the transaction, whatever it replies. */
START_TEST(test_transaction_that_waits_too_long)
{
	struct peer first, peer;

	start("--lock-timeout=0.2");
	peer_open(&first, &kvd);
	peer_open(&peer, &kvd);
	client_stop_disk(client, &kvd);
	peer_send(&first, "SET x 1");
	client_wait_info(client, "writers_inside", 1);
	peer_send(&peer, "MULTI");
	peer_send(&peer, "SET a new");
	peer_send(&peer, "EXEC");
	raw_expect(peer.fd,
	    "+OK\r\n+QUEUED\r\n-BUSY the lock was not granted in time\r\n");
	peer_send(&peer, "EXEC");
	raw_expect(peer.fd, "-ERR EXEC without MULTI\r\n");
	disk_go(&kvd);
	peer_expect_ok(&first);
	client_expect(client, "(nil)", "GET a");
	peer_close(&first);
	peer_close(&peer);
	stop();
}
END_TEST

/*
 * Many at once.
 */

static void
transfer(struct peer *peer)
{
	peer_send(peer, "MULTI");
	peer_send(peer, "DECRBY from 7");
	peer_send(peer, "INCRBY to 7");
	peer_send(peer, "EXEC");
}

static void
look(struct peer *peer)
{
	peer_send(peer, "MULTI");
	peer_send(peer, "GET from");
	peer_send(peer, "GET to");
	peer_send(peer, "EXEC");
}

static long long
number_of(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_INTEGER
		   ? reply->integer
		   : strtoll(reply->str, NULL, 10);
}

static void
must_add_up(struct peer *peer, const redisReply *reply, void *arg)
{
	(void)peer;
	(void)arg;
	if (reply->type != REDIS_REPLY_ARRAY)
		return;
	ck_assert_uint_eq(reply->elements, 2);
	ck_assert_int_eq(
	    number_of(reply->element[0]) + number_of(reply->element[1]), 1000);
}

START_TEST(test_nobody_sees_half_a_transaction)
{
	struct peer peers[TELLERS];
	char expected[64];
	int i, left = 0;

	start("--sync=always");
	client_expect(client, "+OK", "MSET from 1000 to 0");
	for (i = 0; i < TELLERS; i++) {
		peer_open(&peers[i], &kvd);
		for (int j = 0; j < TRANSFERS; j++)
			if (i % 2 == 0)
				transfer(&peers[i]);
			else
				look(&peers[i]);
	}
	do {
		ck_assert(peers_pump(
		    peers, TELLERS, patience_ms(), must_add_up, NULL));
		left = 0;
		for (i = 0; i < TELLERS; i++)
			left += peers[i].acked < peers[i].sent;
	} while (left > 0);
	snprintf(expected, sizeof(expected), "[%d, %d]",
	    1000 - 7 * TELLERS / 2 * TRANSFERS, 7 * TELLERS / 2 * TRANSFERS);
	client_expect(client, expected, "MGET from to");
	for (i = 0; i < TELLERS; i++)
		peer_close(&peers[i]);
	stop();
}
END_TEST

/* Two that add by reading, WATCH and SET: each that fails tries again. */
START_TEST(test_watch_loses_no_update)
{
	redisContext *clients[2];
	int done[2] = {0, 0}, failed = 0;

	start("--sync=never");
	client_expect(client, "+OK", "SET n 0");
	clients[0] = client;
	clients[1] = client_open(&kvd);
	for (int turn = 0; done[0] + done[1] < 20; turn++) {
		long long seen[2];
		redisReply *reply;

		for (int i = 0; i < 2; i++) {
			client_expect(clients[i], "+OK", "WATCH n");
			reply = redisCommand(clients[i], "GET n");
			seen[i] = strtoll(reply->str, NULL, 10);
			freeReplyObject(reply);
		}
		for (int i = 0; i < 2; i++) {
			int who = (i + turn) % 2;

			client_expect(clients[who], "+OK", "MULTI");
			client_expect(clients[who], "+QUEUED", "SET n %lld",
			    seen[who] + 1);
			reply = redisCommand(clients[who], "EXEC");
			if (reply->type == REDIS_REPLY_NIL)
				failed++;
			else
				done[who]++;
			freeReplyObject(reply);
		}
	}
	ck_assert_int_eq(done[0], 10);
	ck_assert_int_eq(done[1], 10);
	ck_assert_int_eq(failed, 20);
	client_expect(client, "20", "GET n");
	redisFree(clients[1]);
	stop();
}
END_TEST

/*
 * Too much.
 */

static char big[10001];

START_TEST(test_transaction_that_is_too_long)
{
	start("--max-request=20000");
	memset(big, 'b', sizeof(big) - 1);
	client_expect(client, "+OK", "MULTI");
	client_expect(client, "+QUEUED", "SET a %s", big);
	client_expect(
	    client, "-ERR the transaction is longer", "SET b %s", big);
	client_expect(client, "+QUEUED", "SET c 1");
	client_expect(client, "-EXECABORT", "EXEC");
	client_expect(client, ":0", "DBSIZE");
	client_expect(client, "+OK", "MULTI");
	client_expect(client, "+QUEUED", "SET a %s", big);
	client_expect(client, "[+OK]", "EXEC");
	stop();
}
END_TEST

/* And nothing of it is done. */
START_TEST(test_transaction_whose_reply_is_too_long)
{
	start("--max-request=20000");
	memset(big, 'b', sizeof(big) - 1);
	client_expect(client, "+OK", "SET a %s", big);
	for (int writes = 0; writes < 2; writes++) {
		client_expect(client, "+OK", "MULTI");
		if (writes)
			client_expect(client, "+QUEUED", "SET b 1");
		client_expect(client, "+QUEUED", "GET a");
		client_expect(client, "+QUEUED", "GET a");
		client_expect(client, "-ERR the reply is longer", "EXEC");
		client_expect(client, "(nil)", "GET b");
		client_expect(client, "-ERR EXEC without", "EXEC");
	}
	client_expect(client, "+OK", "SET b 2");
	client_expect(client, "2", "GET b");
	stop();
}
END_TEST

START_TEST(test_watch_of_too_much)
{
	start("--max-request=20000");
	memset(big, 'b', sizeof(big) - 1);
	client_expect(client, "+OK", "MSET a 1 b %s", big);
	client_expect(client, "+OK", "WATCH a");
	client_expect(client, "+OK", "WATCH b");
	client_expect(client, "-ERR the keys and values", "WATCH b");
	client_expect(client, "+OK", "SET a 2");
	client_expect(client, "+OK", "MULTI");
	client_expect(client, "[]", "EXEC");
	stop();
}
END_TEST

TCase *
kvd_transaction_case(void)
{
	TCase *tcase = tcase_create("transaction");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_transactions_reply);
	tcase_add_test(tcase, test_transaction_in_version_3);
	tcase_add_test(tcase, test_transaction_is_one_sync);
	tcase_add_test(tcase, test_transaction_of_reads_is_a_reader);
	tcase_add_test(tcase, test_info_in_a_transaction);
	tcase_add_test(tcase, test_clients_that_do_not_wait_for_info);
	tcase_add_test(tcase, test_torn_transaction_is_not_there);
	tcase_add_test(tcase, test_failed_disk_fails_the_whole_transaction);
	tcase_add_test(tcase, test_transaction_builds_on_the_batch);
	tcase_add_test(tcase, test_client_that_goes_in_a_transaction);
	tcase_add_test(tcase, test_transaction_that_waits_too_long);
	tcase_add_test(tcase, test_nobody_sees_half_a_transaction);
	tcase_add_test(tcase, test_watch_loses_no_update);
	tcase_add_test(tcase, test_transaction_that_is_too_long);
	tcase_add_test(tcase, test_transaction_whose_reply_is_too_long);
	tcase_add_test(tcase, test_watch_of_too_much);
	return tcase;
}
