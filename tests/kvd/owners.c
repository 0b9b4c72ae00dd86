/* SPDX-License-Identifier: MIT */
/* Clients as owners: LOCK and UNLOCK, and what a disconnect gives back. */
#include "cases.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

#define CROWD 50
#define NAMES 20

static struct kvd kvd;
static redisContext *client; /* of INFO, it has no locks */
static struct peer a, b;

static void
start_with(const char *option)
{
	kvd.on_test_disk = true;
	kvd_start(&kvd, NULL, option, KVD_END);
	client = client_open(&kvd);
	peer_open(&a, &kvd);
	peer_open(&b, &kvd);
}

static void
setup(void)
{
	start_with("--sync=always");
}

static void
teardown(void)
{
	peer_close(&a);
	peer_close(&b);
	client_wait_info(client, "named_locks", 0);
	client_wait_info(client, "named_lock_waiters", 0);
	redisFree(client);
	kvd_stop(&kvd);
}

static void
take_text(struct peer *peer, const redisReply *reply, void *text)
{
	(void)peer;
	client_reply_text(reply, text);
}

/* The next reply, to the last command that was sent. */
static const char *
answer_of(struct peer *peer)
{
	static char text[CLIENT_TEXT_MAX];

	while (peer->acked < peer->sent) {
		ck_assert_msg(peer->fd >= 0, "the connection was closed");
		ck_assert_msg(
		    peers_pump(peer, 1, patience_ms(), take_text, text),
		    "no answer");
	}
	return text;
}

static const char *
ask(struct peer *peer, const char *command)
{
	ck_assert(peer_send(peer, command));
	return answer_of(peer);
}

static void
expect(struct peer *peer, const char *answer, const char *command)
{
	const char *text = ask(peer, command);

	ck_assert_msg(strncmp(text, answer, strlen(answer)) == 0,
	    "'%s' replied '%s' instead of '%s'", command, text, answer);
}

/* Sends a LOCK that has to wait. */
static void
wait_in(struct peer *peer, const char *command)
{
	const long before = client_info(client, "named_lock_waiters");

	ck_assert(peer_send(peer, command));
	client_wait_info(client, "named_lock_waiters", before + 1);
	ck_assert(!raw_readable(peer->fd));
}

static void
expect_granted(struct peer *peer)
{
	ck_assert_str_eq(answer_of(peer), "+OK");
}

/* The name that a message about deadlocks gives a client. */
static const char *
name_of(const struct peer *peer, char name[32])
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	ck_assert_int_eq(
	    getsockname(peer->fd, (struct sockaddr *)&address, &length), 0);
	snprintf(name, 32, "127.0.0.1:%d", ntohs(address.sin_port));
	return name;
}

static void
expect_to_name(const char *text, const char *name)
{
	ck_assert_msg(strstr(text, name) != NULL, "'%s' is not named in '%s'",
	    name, text);
}

START_TEST(test_lock_and_unlock)
{
	expect(&a, "+OK", "LOCK key WRITE");
	ck_assert_int_eq(client_info(client, "named_locks"), 1);
	expect(&a, "+OK", "lock other read 100");
	ck_assert_int_eq(client_info(client, "named_locks"), 2);
	expect(&a, "+OK", "SET key 1");
	expect(&b, "+OK", "SET key 2");
	expect(&a, "+OK", "UNLOCK key");
	expect(&a, "-ERR", "UNLOCK key");
	expect(&b, "-ERR", "UNLOCK other");
	expect(&a, "+OK", "unlock other");
	ck_assert_int_eq(client_info(client, "named_locks"), 0);
}
END_TEST

START_TEST(test_lock_arguments)
{
	char command[400];

	expect(&a, "-ERR wrong number", "LOCK key");
	expect(&a, "-ERR wrong number", "LOCK key READ 1 2");
	expect(&a, "-ERR wrong number", "UNLOCK");
	expect(&a, "-ERR wrong number", "UNLOCK key other");
	expect(&a, "-ERR syntax", "LOCK key APPEND");
	expect(&a, "-ERR", "LOCK key READ soon");
	expect(&a, "-ERR", "LOCK key READ -1");
	expect(&a, "-ERR", "LOCK key READ 1x");
	expect(&a, "-ERR", "LOCK key READ 1000000000");
	snprintf(command, sizeof(command), "LOCK %0128d READ 999999999", 1);
	expect(&a, "+OK", command);
	snprintf(command, sizeof(command), "LOCK %0129d READ", 1);
	expect(&a, "-ERR", command);
	ck_assert_int_eq(client_info(client, "named_locks"), 1);
	ck_assert_int_eq(client_info(client, "named_lock_waiters"), 0);
}
END_TEST

/* Names are bytes: these are three locks. */
START_TEST(test_lock_names_are_binary)
{
	static const char empty[] = "*3\r\n$4\r\nLOCK\r\n$0\r\n\r\n"
				    "$5\r\nWRITE\r\n";
	static const char nul[] = "*3\r\n$4\r\nLOCK\r\n$2\r\nk\0\r\n"
				  "$5\r\nWRITE\r\n";
	int fd = raw_open(&kvd);

	raw_send(fd, empty, sizeof(empty) - 1);
	raw_expect(fd, "+OK\r\n");
	raw_send(fd, nul, sizeof(nul) - 1);
	raw_expect(fd, "+OK\r\n");
	expect(&a, "+OK", "LOCK k WRITE");
	ck_assert_int_eq(client_info(client, "named_locks"), 3);
	close(fd);
}
END_TEST

START_TEST(test_two_clients_wait_for_each_other_in_turn)
{
	expect(&a, "+OK", "LOCK key WRITE");
	wait_in(&b, "LOCK key WRITE");
	expect(&a, "+OK", "UNLOCK key");
	expect_granted(&b);
	wait_in(&a, "LOCK key READ");
	expect(&b, "+OK", "UNLOCK key");
	expect_granted(&a);
	expect(&b, "+OK", "LOCK key READ");
	ck_assert_int_eq(client_info(client, "named_locks"), 1);
	expect(&a, "+OK", "UNLOCK key");
	expect(&b, "+OK", "UNLOCK key");
	ck_assert_int_eq(client_info(client, "named_locks"), 0);
}
END_TEST

/* What the client had sent behind its LOCK is done when that is granted. */
START_TEST(test_requests_behind_a_waiting_lock_wait)
{
	expect(&a, "+OK", "LOCK key WRITE");
	wait_in(&b, "LOCK key WRITE");
	peer_send(&b, "SET key fromb");
	peer_send(&b, "UNLOCK key");
	expect(&a, "(nil)", "GET key");
	expect(&a, "+OK", "UNLOCK key");
	peer_expect_ok(&b);
	expect(&a, "fromb", "GET key");
}
END_TEST

START_TEST(test_lock_that_times_out)
{
	double begin;

	expect(&a, "+OK", "LOCK key WRITE");
	begin = now();
	expect(&b, "-BUSY", "LOCK key WRITE 200");
	ck_assert_double_ge(now() - begin, 0.19);
	ck_assert_double_lt(now() - begin, patience());
	expect(&b, "-BUSY", "LOCK key READ 0");
	expect(&b, "-ERR", "UNLOCK key");
	ck_assert_int_eq(client_info(client, "named_lock_waiters"), 0);
	ck_assert_int_eq(client_info(client, "named_locks"), 1);
	expect(&a, "+OK", "UNLOCK key");
	expect(&b, "+OK", "LOCK key WRITE 0");
}
END_TEST

START_TEST(test_lock_timeout_holds_for_named_locks)
{
	struct peer other;
	double begin;

	start_with("--lock-timeout=0.2");
	expect(&a, "+OK", "LOCK key WRITE");
	begin = now();
	expect(&b, "-BUSY", "LOCK key READ");
	ck_assert_double_lt(now() - begin, patience());
	wait_in(&b, "LOCK key READ 20000");
	/* By the time that this one is refused b would have been. */
	peer_open(&other, &kvd);
	expect(&other, "-BUSY", "LOCK key READ");
	peer_close(&other);
	ck_assert_int_eq(client_info(client, "named_lock_waiters"), 1);
	expect(&a, "+OK", "UNLOCK key");
	expect_granted(&b);
	teardown();
}
END_TEST

/* A writer that times out lets the readers behind it in, beside a reader. */
START_TEST(test_writer_that_times_out_lets_readers_in)
{
	struct peer reader;

	peer_open(&reader, &kvd);
	expect(&a, "+OK", "LOCK key READ");
	wait_in(&b, "LOCK key WRITE 500");
	wait_in(&reader, "LOCK key READ");
	ck_assert(strncmp(answer_of(&b), "-BUSY", 5) == 0);
	expect_granted(&reader);
	peer_close(&reader);
}
END_TEST

static void
put_in_loops(int loop_of_a, int loop_of_b)
{
	peer_close(&a);
	peer_close(&b);
	peer_open_in(&a, &kvd, loop_of_a);
	peer_open_in(&b, &kvd, loop_of_b);
}

START_TEST(test_deadlock_over_two_keys)
{
	char text[CLIENT_TEXT_MAX], name[32];

	put_in_loops(0, 0);
	expect(&a, "+OK", "LOCK first WRITE");
	expect(&b, "+OK", "LOCK second WRITE");
	wait_in(&a, "LOCK second WRITE");
	strcpy(text, ask(&b, "LOCK first READ 10000"));
	ck_assert_msg(strncmp(text, "-DEADLOCK ", 10) == 0, "%s", text);
	expect_to_name(text, "'first'");
	expect_to_name(text, "'second'");
	expect_to_name(text, name_of(&a, name));
	expect_to_name(text, name_of(&b, name));

	/* The loser has what it had, and nothing else has changed. */
	ck_assert_int_eq(client_info(client, "named_lock_waiters"), 1);
	ck_assert(!raw_readable(a.fd));
	expect(&b, "+OK", "UNLOCK second");
	expect_granted(&a);
	wait_in(&b, "LOCK first READ");
	expect(&a, "+OK", "UNLOCK first");
	expect_granted(&b);
}
END_TEST

/* One of them waits behind a writer that has nothing else. */
START_TEST(test_deadlock_behind_a_waiting_writer)
{
	struct peer writer;
	char text[CLIENT_TEXT_MAX], name[32];

	put_in_loops(0, 0);
	peer_open_in(&writer, &kvd, 0);
	expect(&a, "+OK", "LOCK first READ");
	expect(&b, "+OK", "LOCK second WRITE");
	wait_in(&writer, "LOCK first WRITE");
	wait_in(&b, "LOCK first READ");
	strcpy(text, ask(&a, "LOCK second READ"));
	ck_assert_msg(strncmp(text, "-DEADLOCK ", 10) == 0, "%s", text);
	expect_to_name(text, name_of(&a, name));
	expect_to_name(text, name_of(&b, name));
	/* Who leaves has the writer enter, and then the reader. */
	expect(&a, "+OK", "UNLOCK first");
	expect_granted(&writer);
	peer_close(&writer);
	expect_granted(&b);
}
END_TEST

/* Where two loops have a part of the cycle, neither can see it. */
START_TEST(test_deadlock_over_two_loops_ends_with_the_patience)
{
	const int last = kvd_threads() - 1;

	put_in_loops(0, last);
	expect(&a, "+OK", "LOCK first WRITE");
	expect(&b, "+OK", "LOCK second WRITE");
	wait_in(&a, "LOCK second WRITE");
	expect(&b, last > 0 ? "-BUSY" : "-DEADLOCK", "LOCK first READ 100");
	expect(&b, "+OK", "UNLOCK second");
	expect_granted(&a);
}
END_TEST

/* What each of a crowd is at. */
enum step { STEP_ASKS, STEP_HOLDS, STEP_GIVES_BACK };

struct turmoil {
	struct peer peers[CROWD];
	enum step steps[CROWD];
	bool writes[CROWD];
	int names[CROWD];
	int writers[NAMES], readers[NAMES];
	long grants;
};

/* Asks for another lock each time, to write each third time. */
static void
ask_next(struct turmoil *turmoil, int i)
{
	const long number = turmoil->grants + i;

	turmoil->steps[i] = STEP_ASKS;
	turmoil->names[i] = (int)(number % NAMES);
	turmoil->writes[i] = number / NAMES % 3 == 0;
	peer_send(&turmoil->peers[i], "LOCK n%d %s", turmoil->names[i],
	    turmoil->writes[i] ? "WRITE" : "READ");
}

static void
take_step(struct peer *peer, const redisReply *reply, void *arg)
{
	struct turmoil *turmoil = arg;
	const long i = peer - turmoil->peers;
	const int name = turmoil->names[i];

	ck_assert_str_eq(reply->str, "OK");
	if (turmoil->steps[i] == STEP_GIVES_BACK) {
		ask_next(turmoil, (int)i);
		return;
	}
	ck_assert_int_eq(turmoil->writers[name], 0);
	ck_assert(!turmoil->writes[i] || turmoil->readers[name] == 0);
	*(turmoil->writes[i] ? &turmoil->writers[name]
			     : &turmoil->readers[name]) += 1;
	turmoil->steps[i] = STEP_HOLDS;
	turmoil->grants++;
}

/* Those that hold one give it back, all at once. */
static void
give_back(struct turmoil *turmoil)
{
	for (int i = 0; i < CROWD; i++) {
		if (turmoil->steps[i] != STEP_HOLDS)
			continue;
		*(turmoil->writes[i] ? &turmoil->writers[turmoil->names[i]]
				     : &turmoil->readers[turmoil->names[i]]) -=
		    1;
		turmoil->steps[i] = STEP_GIVES_BACK;
		peer_send(&turmoil->peers[i], "UNLOCK n%d", turmoil->names[i]);
	}
}

/* Locks that come and go in all loops at once keep to their rules. */
START_TEST(test_turmoil)
{
	static struct turmoil turmoil;

	memset(&turmoil, 0, sizeof(turmoil));
	for (int i = 0; i < CROWD; i++) {
		peer_open(&turmoil.peers[i], &kvd);
		ask_next(&turmoil, i);
	}
	while (turmoil.grants < 5000) {
		ck_assert(peers_pump(
		    turmoil.peers, CROWD, patience_ms(), take_step, &turmoil));
		give_back(&turmoil);
	}
	for (int i = 0; i < CROWD; i++)
		peer_close(&turmoil.peers[i]);
}
END_TEST

/* A cycle that is as long as a message about it can be. */
START_TEST(test_deadlock_of_many_clients)
{
	static struct peer crowd[10];
	char command[200], name[32];
	const char *text;

	for (int i = 0; i < 10; i++) {
		peer_open_in(&crowd[i], &kvd, 0);
		snprintf(command, sizeof(command), "LOCK k%d WRITE", i);
		expect(&crowd[i], "+OK", command);
	}
	for (int i = 0; i < 9; i++) {
		snprintf(command, sizeof(command), "LOCK k%d WRITE", i + 1);
		wait_in(&crowd[i], command);
	}
	text = ask(&crowd[9], "LOCK k0 WRITE");
	ck_assert_msg(strncmp(text, "-DEADLOCK ", 10) == 0, "%s", text);
	for (int i = 0; i < 10; i++)
		expect_to_name(text, name_of(&crowd[i], name));
	/* The one that lost goes, and then one after the other is granted. */
	for (int i = 9; i > 0; i--) {
		peer_close(&crowd[i]);
		expect_granted(&crowd[i - 1]);
	}
	peer_close(&crowd[0]);
}
END_TEST

START_TEST(test_lock_is_reentrant)
{
	for (int i = 0; i < 3; i++)
		expect(&a, "+OK", "LOCK key READ");
	wait_in(&b, "LOCK key WRITE");
	expect(&a, "+OK", "LOCK key READ 0");
	for (int i = 0; i < 4; i++) {
		ck_assert(!raw_readable(b.fd));
		expect(&a, "+OK", "UNLOCK key");
	}
	expect_granted(&b);
	expect(&b, "+OK", "LOCK key WRITE");
	expect(&b, "+OK", "LOCK key READ");
	ck_assert_int_eq(client_info(client, "named_locks"), 1);
	wait_in(&a, "LOCK key READ");
	expect(&b, "+OK", "UNLOCK key");
	ck_assert(!raw_readable(a.fd));
	expect(&b, "+OK", "UNLOCK key");
	expect_granted(&a);
	expect(&b, "+OK", "UNLOCK key");
	expect(&b, "-ERR", "UNLOCK key");
}
END_TEST

START_TEST(test_unlock_gives_the_write_back_first)
{
	expect(&a, "+OK", "LOCK key WRITE");
	expect(&a, "+OK", "LOCK key READ");
	wait_in(&b, "LOCK key READ");
	expect(&a, "+OK", "UNLOCK key");
	expect_granted(&b);
	expect(&b, "-DEADLOCK", "LOCK key WRITE");
	expect(&b, "+OK", "UNLOCK key");
	expect(&b, "-BUSY", "LOCK key WRITE 0");
	expect(&a, "+OK", "UNLOCK key");
	expect(&b, "+OK", "LOCK key WRITE");
}
END_TEST

START_TEST(test_reader_that_asks_to_write_is_refused)
{
	char text[CLIENT_TEXT_MAX], name[32];

	expect(&a, "+OK", "LOCK key READ");
	strcpy(text, ask(&a, "LOCK key WRITE"));
	ck_assert_msg(strncmp(text, "-DEADLOCK ", 10) == 0, "%s", text);
	expect_to_name(text, "'key'");
	expect_to_name(text, name_of(&a, name));
	expect(&a, "+OK", "UNLOCK key");
	expect(&a, "-ERR", "UNLOCK key");
}
END_TEST

START_TEST(test_holder_that_disconnects_gives_all_back)
{
	expect(&a, "+OK", "LOCK one WRITE");
	expect(&a, "+OK", "LOCK one WRITE");
	expect(&a, "+OK", "LOCK one READ");
	expect(&a, "+OK", "LOCK two READ");
	expect(&a, "+OK", "LOCK three READ");
	wait_in(&b, "LOCK one READ");
	peer_reset(&a);
	expect_granted(&b);
	client_wait_info(client, "named_locks", 1);
	expect(&b, "+OK", "LOCK two WRITE 0");
	peer_open(&a, &kvd);
}
END_TEST

START_TEST(test_holder_that_quits_gives_all_back)
{
	expect(&a, "+OK", "LOCK key WRITE");
	wait_in(&b, "LOCK key READ");
	expect(&a, "+OK", "QUIT");
	/* Though the client has not closed its connection. */
	client_wait_info(client, "named_lock_waiters", 0);
	ck_assert_int_eq(client_info(client, "connected_clients"), 3);
	expect_granted(&b);
}
END_TEST

/* The writer that waits goes, and the reader behind it enters. */
START_TEST(test_waiter_that_disconnects_leaves_the_queue)
{
	struct peer reader;

	peer_open(&reader, &kvd);
	expect(&a, "+OK", "LOCK key READ");
	expect(&b, "+OK", "LOCK other WRITE");
	wait_in(&b, "LOCK key WRITE");
	wait_in(&reader, "LOCK key READ");
	peer_close(&b);
	expect_granted(&reader);
	client_wait_info(client, "named_lock_waiters", 0);
	client_wait_info(client, "named_locks", 1);
	peer_close(&reader);
	peer_open(&b, &kvd);
}
END_TEST

/* The store's lock is left at once as well, with all that the client has. */
START_TEST(test_waiter_for_the_store_that_disconnects_gives_all_back)
{
	struct peer writer;

	peer_open(&writer, &kvd);
	client_stop_disk(client, &kvd);
	peer_send(&writer, "SET held 1");
	client_wait_info(client, "writers_inside", 1);
	expect(&a, "+OK", "LOCK key WRITE");
	wait_in(&b, "LOCK key WRITE");
	peer_send(&a, "SET left 1");
	client_wait_info(client, "writers_waiting", 1);
	peer_reset(&a);
	expect_granted(&b);
	ck_assert_int_eq(client_info(client, "writers_waiting"), 0);
	ck_assert(!raw_readable(writer.fd));
	disk_go(&kvd);
	peer_expect_ok(&writer);
	expect(&b, ":0", "EXISTS left");
	peer_close(&writer);
	peer_open(&a, &kvd);
}
END_TEST

/* The named lock guards the change until that is there. */
START_TEST(test_write_under_way_is_finished_before_its_locks_go)
{
	for (int i = 0; i < 20; i++) {
		expect(&a, "+OK", "LOCK key WRITE");
		wait_in(&b, "LOCK key WRITE");
		expect(&a, ":", "DEL p99");
		client_stop_disk(client, &kvd);
		peer_send_mset(&a, "p", 100);
		client_wait_info(client, "writers_inside", 1);
		if (i % 2 == 0)
			peer_reset(&a);
		else
			peer_close(&a);
		client_info(client, "keys"); /* by then it knows */
		ck_assert(!raw_readable(b.fd));
		disk_go(&kvd);
		expect_granted(&b);
		expect(&b, ":1", "EXISTS p99");
		expect(&b, "+OK", "UNLOCK key");
		peer_open(&a, &kvd);
	}
}
END_TEST

START_TEST(test_a_crowd_disconnects_at_once)
{
	static struct peer crowd[CROWD];

	expect(&a, "+OK", "LOCK key WRITE");
	for (int i = 0; i < CROWD; i++) {
		peer_open(&crowd[i], &kvd);
		wait_in(
		    &crowd[i], i % 2 == 0 ? "LOCK key READ" : "LOCK key WRITE");
	}
	for (int i = 0; i < CROWD; i++)
		peer_close(&crowd[i]);
	client_wait_info(client, "named_lock_waiters", 0);
	ck_assert_int_eq(client_info(client, "named_locks"), 1);
	expect(&a, "+OK", "UNLOCK key");
	ck_assert_int_eq(client_info(client, "named_locks"), 0);
}
END_TEST

START_TEST(test_max_locks)
{
	start_with("--max-locks=2");
	expect(&a, "+OK", "LOCK one READ");
	expect(&a, "+OK", "LOCK two READ");
	expect(&a, "-ERR", "LOCK three READ");
	expect(&a, "+OK", "LOCK two READ");
	expect(&b, "+OK", "LOCK three READ");
	expect(&a, "+OK", "UNLOCK one");
	expect(&a, "+OK", "LOCK three READ");
	teardown();
}
END_TEST

START_TEST(test_named_locks_without_the_lock_of_the_store)
{
	start_with("--no-lock");
	expect(&a, "+OK", "LOCK key WRITE");
	wait_in(&b, "LOCK key WRITE");
	expect(&a, "+OK", "SET key 1");
	peer_close(&a);
	expect_granted(&b);
	peer_open(&a, &kvd);
	teardown();
}
END_TEST

START_TEST(test_sigterm_while_locks_are_held)
{
	static struct peer crowd[CROWD];
	char text[1024];
	double begin;

	setup();
	expect(&a, "+OK", "LOCK key WRITE");
	expect(&a, "+OK", "LOCK other READ");
	for (int i = 0; i < CROWD; i++) {
		peer_open(&crowd[i], &kvd);
		wait_in(&crowd[i], "LOCK key WRITE");
	}
	begin = now();
	ck_assert_int_eq(kill(kvd.pid, SIGTERM), 0);
	/* They hear of it, and needn't hang up for the daemon to go. */
	for (int i = 0; i < CROWD; i++) {
		ck_assert(raw_read_all(crowd[i].fd, text, sizeof(text)));
		ck_assert_msg(
		    strcmp(text, "-ERR kvd is stopping\r\n") == 0, "%s", text);
	}
	ck_assert_int_eq(kvd_wait(&kvd), 0);
	ck_assert_double_lt(now() - begin, patience());
	for (int i = 0; i < CROWD; i++)
		peer_close(&crowd[i]);
	peer_close(&a);
	peer_close(&b);
	redisFree(client);
}
END_TEST

/* Sends as much as the other side takes, and no more than a limit. */
static void
send_much(const struct peer *peer, const char *request, size_t limit)
{
	const size_t length = strlen(request);
	struct pollfd fd = {peer->fd, POLLOUT, 0};
	size_t sent = 0;

	while (sent < limit && poll(&fd, 1, 200) == 1) {
		ck_assert_int_eq(send(peer->fd, request, length, MSG_NOSIGNAL),
		    (ssize_t)length);
		sent += length;
	}
}

/* Its end stands behind what it has sent ahead: more than kvd keeps of a client
 * that does not wait, and than the sockets hold. */
START_TEST(test_dead_waiter_behind_much_input_gives_all_back)
{
	static char echo[65600];
	struct peer dead;

	setup();
	sprintf(echo, "*2\r\n$4\r\nECHO\r\n$65536\r\n%065536d\r\n", 1);
	peer_open(&dead, &kvd);
	expect(&a, "+OK", "LOCK one WRITE");
	expect(&dead, "+OK", "LOCK two WRITE");
	wait_in(&dead, "LOCK one WRITE");
	send_much(&dead, echo, 16 << 20);
	peer_close(&dead);
	expect(&b, "+OK", "LOCK two WRITE 20000");
	client_wait_info(client, "named_lock_waiters", 0);
	teardown();
}
END_TEST

/* Somebody who sends without end while it waits in LOCK is not read without
 * end, but nor may it keep its locks for ever. */
START_TEST(test_waiter_that_sends_without_end_is_closed)
{
	static char echo[10100];
	struct peer flood;

	start_with("--max-request=100000");
	sprintf(echo, "*2\r\n$4\r\nECHO\r\n$10000\r\n%010000d\r\n", 1);
	peer_open(&flood, &kvd);
	expect(&a, "+OK", "LOCK one WRITE");
	expect(&flood, "+OK", "LOCK two WRITE");
	wait_in(&flood, "LOCK one WRITE");
	for (int i = 0; i < 20; i++)
		raw_send(flood.fd, echo, strlen(echo));
	expect(&b, "+OK", "LOCK two WRITE 20000");
	ck_assert(kvd_log_has(&kvd, "waits in LOCK"));
	peer_close(&flood);
	teardown();
}
END_TEST

/* As "printf ... | nc" does. */
static void
half_close(const struct peer *peer)
{
	ck_assert_int_eq(shutdown(peer->fd, SHUT_WR), 0);
}

/* It has ended its side, but reads: behind a writer, behind a lock. */
START_TEST(test_half_closed_client_gets_its_answers)
{
	char text[256];

	setup();
	expect(&a, "+OK", "LOCK key WRITE");
	client_stop_disk(client, &kvd);
	peer_send(&a, "SET counter 1");
	client_wait_info(client, "writers_inside", 1);
	peer_send(&b, "GET counter");
	peer_send(&b, "INCR counter");
	peer_send(&b, "LOCK key WRITE");
	peer_send(&b, "GET counter");
	half_close(&b);
	client_wait_info(client, "readers_waiting", 1);
	client_info(client, "keys"); /* by then it knows */
	disk_go(&kvd);
	expect_granted(&a);
	client_wait_info(client, "named_lock_waiters", 1);
	expect(&a, "+OK", "UNLOCK key");
	ck_assert(raw_read_all(b.fd, text, sizeof(text)));
	ck_assert_str_eq(text, "$1\r\n1\r\n:2\r\n+OK\r\n$1\r\n2\r\n");
	teardown();
}
END_TEST

/* A dead one looks the same, and so it does not wait for ever; what counts on
 * the lock is not done then. */
START_TEST(test_half_closed_client_waits_for_a_lock_for_seconds_only)
{
	char text[256];

	setup();
	expect(&a, "+OK", "LOCK one WRITE");
	expect(&b, "+OK", "LOCK two WRITE");
	wait_in(&b, "LOCK one WRITE");
	peer_send(&b, "SET guarded 1");
	half_close(&b);
	ck_assert(raw_read_all(b.fd, text, sizeof(text)));
	ck_assert_msg(
	    strncmp(text, "-BUSY ", 6) == 0 && strchr(text, '\n')[1] == '\0',
	    "%s", text);
	expect(&a, "+OK", "LOCK two WRITE 0");
	expect(&a, ":0", "EXISTS guarded");
	teardown();
}
END_TEST

/* The timer of the connection, in /proc/net/tcp; 2 stands for keepalive. */
static int
timer_of(const struct peer *peer)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	unsigned local, remote, timer;
	char line[256];
	FILE *table = fopen("/proc/net/tcp", "r");
	int found = -1;

	if (table == NULL)
		return -1;
	ck_assert_int_eq(
	    getsockname(peer->fd, (struct sockaddr *)&address, &length), 0);
	while (fgets(line, sizeof(line), table) != NULL)
		if (sscanf(line, "%*d: %*8x:%4x %*8x:%4x %*x %*x:%*x %2x:",
			&local, &remote, &timer) == 3 &&
		    local == (unsigned)kvd.port &&
		    remote == ntohs(address.sin_port))
			found = (int)timer;
	fclose(table);
	return found;
}

START_TEST(test_keepalive)
{
	static const char *const options[] = {
	    "--sync=always", "--keepalive=1", "--keepalive=0"};
	static const int seconds[] = {60, 1, 0};
	int timer;

	start_with(options[_i]);
	expect(&a, "+PONG", "PING");
	ck_assert_int_eq(client_info(client, "keepalive"), seconds[_i]);
	/* For a moment there may be another, until the reply is acknowledged.
	 */
	do
		timer = timer_of(&a);
	while (timer == 1 || timer == 4);
	if (timer != -1) /* there is such a table */
		ck_assert_int_eq(timer, seconds[_i] > 0 ? 2 : 0);
	teardown();
}
END_TEST

/* A shell command with the port in the place of each %d, in the background. */
static FILE *
shell(const char *format)
{
	char command[KVD_PATH_MAX + 512];
	FILE *pipe;

	snprintf(
	    command, sizeof(command), format, kvd.port, kvd.port, kvd.port);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	return pipe;
}

static void
expect_line(FILE *pipe, const char *expected)
{
	char line[CLIENT_TEXT_MAX];

	do
		ck_assert_msg(fgets(line, sizeof(line), pipe) != NULL,
		    "the end instead of '%s'", expected);
	while (line[0] == '\n'); /* redis-cli sends one after an error */
	ck_assert_msg(strncmp(line, expected, strlen(expected)) == 0,
	    "'%s' instead of '%s'", line, expected);
}

START_TEST(test_two_redis_clis)
{
	char have_it[] = "command -v redis-cli >/dev/null";
	char path[KVD_PATH_MAX + 8], command[KVD_PATH_MAX + 80];
	FILE *holder, *more, *waiter;

	if (system(have_it) != 0)
		return;
	snprintf(path, sizeof(path), "%s/more", kvd.dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	snprintf(command, sizeof(command),
	    "(echo LOCK one WRITE; cat '%s') | redis-cli -p %%d", path);
	holder = shell(command);
	client_wait_info(client, "named_locks", 1);
	waiter = shell("(echo LOCK two WRITE; echo LOCK one READ 10;"
		       " echo LOCK one READ) | redis-cli -p %d");
	expect_line(waiter, "OK");
	expect_line(waiter, "BUSY");
	expect_line(holder, "OK");
	client_wait_info(client, "named_lock_waiters", 1);
	more = fopen(path, "w");
	ck_assert_ptr_nonnull(more);
	fputs("LOCK two WRITE 100\nUNLOCK one\n", more);
	fclose(more);
	/* The two may be in different loops. */
	expect_line(
	    holder, kvd_threads() == 1 ? "DEADLOCK 127.0.0.1:" : "BUSY");
	expect_line(waiter, "OK");
	expect_line(holder, "OK");
	pclose(waiter);
	pclose(holder);
}
END_TEST

TCase *
kvd_owners_case(void)
{
	TCase *tcase = tcase_create("owners");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_lock_and_unlock);
	tcase_add_test(tcase, test_lock_arguments);
	tcase_add_test(tcase, test_lock_names_are_binary);
	tcase_add_test(tcase, test_two_clients_wait_for_each_other_in_turn);
	tcase_add_test(tcase, test_requests_behind_a_waiting_lock_wait);
	tcase_add_test(tcase, test_lock_that_times_out);
	tcase_add_test(tcase, test_writer_that_times_out_lets_readers_in);
	tcase_add_test(tcase, test_deadlock_over_two_keys);
	tcase_add_test(tcase, test_deadlock_behind_a_waiting_writer);
	tcase_add_test(
	    tcase, test_deadlock_over_two_loops_ends_with_the_patience);
	tcase_add_test(tcase, test_deadlock_of_many_clients);
	tcase_add_test(tcase, test_turmoil);
	tcase_add_test(tcase, test_lock_is_reentrant);
	tcase_add_test(tcase, test_unlock_gives_the_write_back_first);
	tcase_add_test(tcase, test_reader_that_asks_to_write_is_refused);
	tcase_add_test(tcase, test_holder_that_disconnects_gives_all_back);
	tcase_add_test(tcase, test_holder_that_quits_gives_all_back);
	tcase_add_test(tcase, test_waiter_that_disconnects_leaves_the_queue);
	tcase_add_test(
	    tcase, test_waiter_for_the_store_that_disconnects_gives_all_back);
	tcase_add_test(
	    tcase, test_write_under_way_is_finished_before_its_locks_go);
	tcase_add_test(tcase, test_a_crowd_disconnects_at_once);
	tcase_add_test(tcase, test_two_redis_clis);
	return tcase;
}

/* The same, each with a daemon of its own kind. */
TCase *
kvd_owners_options_case(void)
{
	TCase *tcase = tcase_create("owners and options");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_lock_timeout_holds_for_named_locks);
	tcase_add_test(tcase, test_max_locks);
	tcase_add_test(tcase, test_named_locks_without_the_lock_of_the_store);
	tcase_add_test(tcase, test_sigterm_while_locks_are_held);
	tcase_add_test(
	    tcase, test_dead_waiter_behind_much_input_gives_all_back);
	tcase_add_test(tcase, test_waiter_that_sends_without_end_is_closed);
	tcase_add_test(tcase, test_half_closed_client_gets_its_answers);
	tcase_add_test(
	    tcase, test_half_closed_client_waits_for_a_lock_for_seconds_only);
	tcase_add_loop_test(tcase, test_keepalive, 0, 3);
	return tcase;
}
