/* SPDX-License-Identifier: MIT */
/* Ended in the middle of its work, by SIGKILL and in order. */
#include "cases.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "load.h"

#define KILLS 20
#define KILLS_IN_SNAPSHOTS 15
#define KILLS_IN_START 10

static struct kvd kvd;
static struct load load;

/* Spread over a range, the same in each run. */
static long
acks_before_kill(long round)
{
	return round * 7919 % 400;
}

/* Kills it in mid-load.  Answers that had left it before count as well. */
static void
kill_under_load(long round)
{
	load_open(&load, &kvd);
	load_run(
	    &load, acks_before_kill(round), (double)(round * 31 % 17) * 0.0005);
	kvd_end(&kvd, SIGKILL);
	load_drain(&load);
	load_close(&load);
}

START_TEST(test_kill_under_load_loses_nothing_acknowledged)
{
	memset(&load, 0, sizeof(load));
	kvd_start(&kvd, NULL, KVD_END);
	for (long round = 0; round < KILLS; round++) {
		kill_under_load(round);
		kvd_start(&kvd, kvd.dir, KVD_END);
		load_check(&load, &kvd);
	}
	ck_assert_int_gt(load.acked, KILLS * 100);
	kvd_stop(&kvd);
}
END_TEST

/* Readers of all loops see each MSET whole or not at all, however it ends. */
START_TEST(test_kill_under_load_with_readers)
{
	memset(&load, 0, sizeof(load));
	load.with_readers = true;
	kvd_start(&kvd, NULL, KVD_END);
	for (long round = 0; round < KILLS; round++) {
		kill_under_load(round);
		kvd_start(&kvd, kvd.dir, KVD_END);
		load_check(&load, &kvd);
	}
	ck_assert_int_gt(load.pairs, KILLS);
	kvd_stop(&kvd);
}
END_TEST

/* With snapshots, one after the other, all the while: between the writing of
 * the new one, its renaming and the truncation of the journal. */
START_TEST(test_kill_under_load_and_snapshots_loses_nothing_acknowledged)
{
	memset(&load, 0, sizeof(load));
	load.with_snapshots = true;
	kvd_start(&kvd, NULL, KVD_END);
	for (long round = 0; round < KILLS_IN_SNAPSHOTS; round++) {
		kill_under_load(round);
		kvd_start(&kvd, kvd.dir, KVD_END);
		load_check(&load, &kvd);
	}
	kvd_stop(&kvd);
}
END_TEST

/* Killed again while it reads what the first kill left. */
START_TEST(test_kill_during_the_start)
{
	memset(&load, 0, sizeof(load));
	kvd_start(&kvd, NULL, KVD_END);
	for (long round = 1; round <= KILLS_IN_START; round++) {
		kill_under_load(round);
		for (int i = 0; i < 3; i++) {
			double end = now() + (double)i * 0.001;

			kvd_launch(&kvd, kvd.dir, NULL);
			while (now() < end)
				continue;
			ck_assert_int_eq(kvd_end(&kvd, SIGKILL), 128 + SIGKILL);
		}
		kvd_start(&kvd, kvd.dir, KVD_END);
		load_check(&load, &kvd);
	}
	kvd_stop(&kvd);
}
END_TEST

/* What the daemon does not apply it must not acknowledge; what it does, it
 * finds again. */
START_TEST(test_sigterm_under_load)
{
	memset(&load, 0, sizeof(load));
	kvd_start(&kvd, NULL, KVD_END);
	for (long round = 1; round <= 5; round++) {
		load_open(&load, &kvd);
		load_run(&load, 100 * round, 0);
		ck_assert_int_eq(kill(kvd.pid, SIGTERM), 0);
		load_drain(&load);
		ck_assert_int_eq(kvd_wait(&kvd), 0);
		load_close(&load);
		kvd_start(&kvd, kvd.dir, KVD_END);
		load_check(&load, &kvd);
	}
	kvd_stop(&kvd);
}
END_TEST

START_TEST(test_shutdown_under_load)
{
	static const char request[] = "*1\r\n$8\r\nSHUTDOWN\r\n";
	char text[256];
	int fd;

	memset(&load, 0, sizeof(load));
	kvd_start(&kvd, NULL, KVD_END);
	load_open(&load, &kvd);
	load_run(&load, 200, 0);
	fd = raw_open(&kvd);
	raw_send(fd, request, strlen(request));
	load_drain(&load);
	ck_assert_msg(
	    raw_read_all(fd, text, sizeof(text)) && text[0] != '-', "%s", text);
	close(fd);
	ck_assert_int_eq(kvd_wait(&kvd), 0);
	load_close(&load);
	kvd_start(&kvd, kvd.dir, KVD_END);
	load_check(&load, &kvd);
	kvd_stop(&kvd);
}
END_TEST

/* An MSET and a SNAPSHOT that have begun are finished and answered. */
static void
end_during(struct peer *peer, bool by_command)
{
	redisContext *client = client_open(&kvd);

	if (by_command)
		freeReplyObject(redisCommand(client, "SHUTDOWN"));
	else
		ck_assert_int_eq(kill(kvd.pid, SIGTERM), 0);
	if (kvd.disk_is_stopped)
		disk_go(&kvd);
	peer_expect_ok(peer);
	redisFree(client);
	peer_close(peer);
	ck_assert_int_eq(kvd_wait(&kvd), 0);
}

START_TEST(test_end_finishes_what_was_begun)
{
	redisContext *client;
	struct peer peer;

	kvd.on_test_disk = true;
	kvd_start(&kvd, NULL, KVD_END);
	peer_open(&peer, &kvd);
	disk_stop(&kvd);
	peer_send_mset(&peer, "pair", 2000);
	client = client_open(&kvd);
	client_wait_info(client, "writers_inside", 1);
	redisFree(client);
	end_during(&peer, _i == 1);

	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
	client_expect(client, ":2000", "DBSIZE");
	/* In the loop of the client, which has begun it before it answers. */
	peer_open_in(&peer, &kvd, 0);
	peer_send(&peer, "SNAPSHOT");
	client_expect(client, "0", "GET pair0");
	redisFree(client);
	end_during(&peer, _i == 1);

	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
	client_expect(client, ":2000", "DBSIZE");
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

START_TEST(test_end_with_idle_clients)
{
	redisContext *client;
	char text[16];
	int fd;

	kvd_start(&kvd, NULL, KVD_END);
	fd = raw_open(&kvd);
	raw_send(fd, "*2\r\n$3\r\nGE", 11);
	client = client_open(&kvd);
	client_expect(client, "+PONG", "PING");
	kvd_stop(&kvd);
	ck_assert(raw_read_all(fd, text, sizeof(text)));
	close(fd);
	redisFree(client);
}
END_TEST

TCase *
kvd_crash_case(void)
{
	TCase *tcase = tcase_create("crash");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_kill_under_load_loses_nothing_acknowledged);
	tcase_add_test(tcase, test_kill_under_load_with_readers);
	tcase_add_test(tcase,
	    test_kill_under_load_and_snapshots_loses_nothing_acknowledged);
	tcase_add_test(tcase, test_kill_during_the_start);
	tcase_add_test(tcase, test_sigterm_under_load);
	tcase_add_test(tcase, test_shutdown_under_load);
	tcase_add_loop_test(tcase, test_end_finishes_what_was_begun, 0, 2);
	tcase_add_test(tcase, test_end_with_idle_clients);
	return tcase;
}
