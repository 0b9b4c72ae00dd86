/* SPDX-License-Identifier: MIT */
/* DEBUG LOCKS and SIGUSR1: who holds which locks, and who waits for them. */
#include "cases.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"

static struct kvd kvd;
static redisContext *client; /* which asks */
static struct peer peers[5];
static char names[5][32];

static void
start_with(const char *option)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int i;

	kvd_start(&kvd, NULL, option, KVD_END);
	client = client_open(&kvd);
	/* A loop knows all of a cycle only if all its clients are its own. */
	for (i = 0; i < 5; i++) {
		peer_open_in(&peers[i], &kvd, 0);
		ck_assert_int_eq(getsockname(peers[i].fd,
				     (struct sockaddr *)&address, &length),
		    0);
		snprintf(names[i], sizeof(names[i]), "127.0.0.1:%d",
		    ntohs(address.sin_port));
	}
}

static void
stop(void)
{
	int i;

	for (i = 0; i < 5; i++)
		peer_close(&peers[i]);
	redisFree(client);
	kvd_stop(&kvd);
}

/* Two hold a lock each, the first also waits for that of the second, and three wait
 * behind them.  If the second asked for the lock of the first, it would be told that
 * this closes a cycle. */
static void
crowd(void)
{
	static const char *const commands[] = {
	    "LOCK y WRITE", "LOCK x READ", "LOCK x WRITE", "LOCK y READ"};
	static const int who[] = {0, 2, 3, 4};
	int i;

	ck_assert(peer_send(&peers[0], "LOCK x WRITE"));
	peer_expect_ok(&peers[0]);
	ck_assert(peer_send(&peers[1], "LOCK y WRITE"));
	peer_expect_ok(&peers[1]);
	for (i = 0; i < 4; i++) {
		ck_assert(peer_send(&peers[who[i]], commands[i]));
		client_wait_info(client, "named_lock_waiters", i + 1);
	}
}

static const char *
ask(const char *command)
{
	static char text[CLIENT_TEXT_MAX];
	redisReply *reply = redisCommand(client, command);

	ck_assert_ptr_nonnull(reply);
	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s", reply->str);
	client_reply_text(reply, text);
	freeReplyObject(reply);
	return text;
}

/* The text has the words, with a client's name in the place of %s. */
static void
expect_words(const char *text, const char *format, int i)
{
	char words[128];

	/* One of a few that are here in the file. */
	snprintf(words, sizeof(words), format, i >= 0 ? names[i] : "");
	ck_assert_msg(
	    strstr(text, words) != NULL, "no '%s' in: %s", words, text);
}

static void
expect_crowd(const char *text)
{
	expect_words(text, "lock \"the store\" (number 1, 0x", -1);
	expect_words(text, "lock \"'x'\" (number ", -1);
	expect_words(text, "    inside   \"%s\": write\n", 0);
	expect_words(text, "    waiting  \"%s\": read\n", 2);
	expect_words(text, "    waiting  \"%s\": write\n", 3);
	expect_words(text, "lock \"'y'\" (number ", -1);
	expect_words(text, "    inside   \"%s\": write\n", 1);
	expect_words(text, "    waiting  \"%s\": write\n", 0);
	expect_words(text, "    waiting  \"%s\": read\n", 4);
}

START_TEST(test_debug_locks_says_who_holds_and_who_waits)
{
	const char *text;
	int loops = 0;

	start_with(KVD_END);
	crowd();
	expect_crowd(ask("DEBUG LOCKS"));
	text = ask("debug locks text");
	expect_crowd(text);
	/* A part for each loop. */
	for (; (text = strstr(text, " in all\n")) != NULL; text++)
		loops++;
	ck_assert_int_eq(loops, kvd_threads());
	if (kvd_threads() > 1)
		expect_words(ask("DEBUG LOCKS"), "# loop 1:\n", -1);
	stop();
}
END_TEST

START_TEST(test_debug_locks_as_json)
{
	const char *text;

	start_with(KVD_END);
	crowd();
	text = ask("DEBUG LOCKS JSON");
	ck_assert_int_eq(strncmp(text, "[{\"debug\":false,", 16), 0);
	ck_assert_str_eq(text + strlen(text) - 4, "}\n]\n");
	expect_words(text, "\"name\":\"'x'\"", -1);
	expect_words(text, "{\"owner\":\"%s\",\"owner_number\":", 3);
	stop();
}
END_TEST

START_TEST(test_debug_locks_as_graph)
{
	const char *text;

	start_with(KVD_END);
	crowd();
	text = ask("DEBUG LOCKS GRAPH");
	expect_words(text, "digraph locks {\n", -1);
	expect_words(text, "[label=\"%s\"]\n", 1);
	expect_words(text, "label=\"lock 'x'\\ninside 1, waiting 2", -1);
	/* Nobody uses the lock of the store. */
	ck_assert_ptr_null(strstr(text, "the store"));
	stop();
}
END_TEST

START_TEST(test_debug_says_since_when_and_from_where)
{
	const char *text;

	start_with("--debug");
	crowd();
	text = ask("DEBUG LOCKS");
	expect_words(text, "    waiting  \"%s\": read, for ", 2);
	expect_words(text, " s, from ", -1);
	expect_words(text, "kvd+0x", -1);
	stop();
}
END_TEST

static void
await_log(const char *words)
{
	const double end = now() + patience();

	while (!kvd_log_has(&kvd, words)) {
		ck_assert_msg(now() < end, "no '%s' on stderr", words);
		poll(NULL, 0, 1);
	}
}

START_TEST(test_sigusr1_reports_to_stderr)
{
	char words[64];
	int i;

	start_with(KVD_END);
	crowd();
	for (i = 0; i < 2; i++)
		kill(kvd.pid, SIGUSR1);
	snprintf(words, sizeof(words), "    waiting  \"%s\": read\n", names[4]);
	await_log(words);
	await_log(" in all\n");
	expect_crowd(ask("DEBUG LOCKS"));
	stop();
}
END_TEST

/* What was begun is finished, and kvd still stops. */
START_TEST(test_stop_during_a_report)
{
	start_with(KVD_END);
	crowd();
	kill(kvd.pid, SIGUSR1);
	ck_assert_int_eq(redisAppendCommand(client, "DEBUG LOCKS"), 0);
	stop();
}
END_TEST

START_TEST(test_client_that_asks_for_a_report_and_goes)
{
	struct peer peer;
	int i;

	start_with(KVD_END);
	crowd();
	for (i = 0; i < 20; i++) {
		peer_open(&peer, &kvd);
		ck_assert(peer_send(&peer, "DEBUG LOCKS"));
		if (i % 2 == 0)
			peer_reset(&peer);
		else
			peer_close(&peer);
	}
	expect_crowd(ask("DEBUG LOCKS"));
	stop();
}
END_TEST

START_TEST(test_debug_refuses)
{
	start_with("--max-request=80");
	client_expect(client, "-ERR use DEBUG LOCKS", "DEBUG SLEEP");
	client_expect(client, "-ERR use DEBUG LOCKS", "DEBUG LOCKS XML");
	client_expect(client, "-ERR use DEBUG LOCKS", "DEBUG LOCKS JSON 1");
	client_expect(client, "-ERR wrong number", "DEBUG");
	client_expect(
	    client, "-ERR the report is longer than 80 bytes", "DEBUG LOCKS");
	client_expect(client, "+OK", "MULTI");
	client_expect(client, "-ERR", "DEBUG LOCKS");
	client_expect(client, "-EXECABORT", "EXEC");
	stop();
}
END_TEST

TCase *
kvd_debug_case(void)
{
	TCase *tcase = tcase_create("debug");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_debug_locks_says_who_holds_and_who_waits);
	tcase_add_test(tcase, test_debug_locks_as_json);
	tcase_add_test(tcase, test_debug_locks_as_graph);
	tcase_add_test(tcase, test_debug_says_since_when_and_from_where);
	tcase_add_test(tcase, test_sigusr1_reports_to_stderr);
	tcase_add_test(tcase, test_stop_during_a_report);
	tcase_add_test(tcase, test_client_that_asks_for_a_report_and_goes);
	tcase_add_test(tcase, test_debug_refuses);
	return tcase;
}
