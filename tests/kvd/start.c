/* SPDX-License-Identifier: MIT */
/* Options, and starts that have to fail. */
#include "cases.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

static const char *const bad_options[] = {
    "--nonsense",
    "--port",
    "--port=",
    "--port=word",
    "--port=65536",
    "--port=-1",
    "--port=80x",
    "--sync",
    "--sync=sometimes",
    "--lock-timeout=soon",
    "--lock-timeout=-1",
    "--max-value=-1",
    "--max-value=many",
    "--max-request=99999999999999999999999",
    "--max-request=1x",
    "--max-buffered=0",
    "--send-timeout=never",
    "--stop-timeout=-1",
    "--keepalive=32768",
    "--max-clients=0",
    "--max-clients=none",
    "--max-locks=-1",
    "--threads=0",
    "--threads=257",
    "--threads=some",
    "--no-lock=yes",
    "argument",
};

static struct kvd kvd;

START_TEST(test_bad_option)
{
	const char *options[] = {bad_options[_i], NULL};
	char dir[KVD_PATH_MAX];
	int status;

	kvd_make_dir(dir);
	kvd_launch(&kvd, dir, options);
	ck_assert_msg(
	    !kvd_wait_ready(&kvd), "started with '%s'", bad_options[_i]);
	status = kvd_wait(&kvd);
	ck_assert_msg(
	    status == 2, "'%s' gave status %d", bad_options[_i], status);
	ck_assert_msg(
	    kvd_log_has(&kvd, "kvd"), "no message for '%s'", bad_options[_i]);
}
END_TEST

/* The first one goes on, and the files are still its own. */
START_TEST(test_second_daemon_in_one_directory)
{
	redisContext *client;
	struct kvd second = {0};

	kvd_start(&kvd, NULL, KVD_END);
	client = client_open(&kvd);
	client_expect(client, "+OK", "SET a 1");
	kvd_launch(&second, kvd.dir, NULL);
	ck_assert(!kvd_wait_ready(&second));
	ck_assert_int_ne(kvd_wait(&second), 0);
	ck_assert(kvd_log_has(&second, "kvd: "));
	client_expect(client, "+OK", "SET b 2");
	client_expect(client, "+OK", "SNAPSHOT");
	client_expect(client, "+OK", "SET c 3");
	redisFree(client);
	kvd_end(&kvd, SIGKILL);
	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
	client_expect(client, "[1, 2, 3]", "MGET a b c");
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

static void
expect_no_start(const char *dir, const char *option)
{
	const char *options[] = {option, NULL};
	struct kvd second = {0};
	int status;

	kvd_launch(&second, dir, options);
	ck_assert(!kvd_wait_ready(&second));
	status = kvd_wait(&second);
	ck_assert_int_ne(status, 0);
	ck_assert_int_lt(status, 126);
	ck_assert(kvd_log_has(&second, "kvd: "));
}

START_TEST(test_port_in_use)
{
	char dir[KVD_PATH_MAX];
	char option[32];

	kvd_start(&kvd, NULL, KVD_END);
	snprintf(option, sizeof(option), "--port=%d", kvd.port);
	kvd_make_dir(dir);
	expect_no_start(dir, option);
	kvd_stop(&kvd);
}
END_TEST

START_TEST(test_bad_address)
{
	char dir[KVD_PATH_MAX];

	kvd_make_dir(dir);
	expect_no_start(dir, "--bind=no address");
	/* One that this machine does not have. */
	expect_no_start(dir, "--bind=192.0.2.1");
}
END_TEST

START_TEST(test_directory_is_a_file)
{
	char dir[KVD_PATH_MAX];
	char path[KVD_PATH_MAX + 8];

	kvd_make_dir(dir);
	file_write(dir, "file", "text", 4);
	snprintf(path, sizeof(path), "%s/file", dir);
	expect_no_start(path, NULL);
}
END_TEST

/* Without the lock nothing keeps the loops apart. */
START_TEST(test_many_threads_need_the_lock)
{
	const char *options[] = {"--no-lock", "--threads=2", NULL};
	char dir[KVD_PATH_MAX];

	kvd_make_dir(dir);
	kvd_launch(&kvd, dir, options);
	ck_assert(!kvd_wait_ready(&kvd));
	ck_assert_int_eq(kvd_wait(&kvd), 2);
	ck_assert(kvd_log_has(&kvd, "--no-lock"));
}
END_TEST

/* Each loop gets its share of the clients, whatever order they come and go in. */
START_TEST(test_clients_are_spread_over_the_loops)
{
	enum { LOOPS = 3, CLIENTS = 4 * LOOPS };
	struct peer peers[CLIENTS];
	int clients[LOOPS] = {0};
	int loop;

	kvd_start(&kvd, NULL, "--threads=3", KVD_END);
	for (int i = 0; i < CLIENTS; i++) {
		peer_open(&peers[i], &kvd);
		loop = peer_loop(&peers[i]);
		ck_assert_int_lt(loop, LOOPS);
		clients[loop]++;
	}
	for (int i = 0; i < LOOPS; i++)
		ck_assert_int_eq(clients[i], CLIENTS / LOOPS);
	for (int i = 0; i < CLIENTS; i++)
		peer_close(&peers[i]);
	kvd_stop(&kvd);
}
END_TEST

/* A restart gets the port of the one that was killed, its connections in
 * TIME_WAIT notwithstanding. */
START_TEST(test_same_port_again)
{
	redisContext *client;
	char option[32];
	int port;

	kvd_start(&kvd, NULL, KVD_END);
	port = kvd.port;
	snprintf(option, sizeof(option), "--port=%d", port);
	for (int i = 0; i < 5; i++) {
		client = client_open(&kvd);
		client_expect(client, "+PONG", "PING");
		kvd_end(&kvd, i % 2 == 0 ? SIGTERM : SIGKILL);
		redisFree(client);
		kvd_start(&kvd, kvd.dir, option, KVD_END);
		ck_assert_int_eq(kvd.port, port);
	}
	kvd_stop(&kvd);
}
END_TEST

/* A port that was free a moment ago, for a daemon that can't tell its own. */
static int
find_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(
	    getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* Without a line that says so: until it takes connections. */
static redisContext *
open_when_ready(void)
{
	const double deadline = now() + patience();
	redisContext *client;

	for (;;) {
		client = redisConnect("127.0.0.1", kvd.port);
		ck_assert_ptr_nonnull(client);
		if (client->err == 0)
			return client;
		redisFree(client);
		ck_assert_msg(now() < deadline, "kvd takes no connections");
	}
}

/* No file, socket or event of the daemon's has one of the first three numbers.
 */
static void
expect_standard_files_apart(void)
{
	char link[64], target[KVD_PATH_MAX];
	ssize_t length;

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if ((kvd.closed >> fd & 1) == 0)
			continue;
		snprintf(
		    link, sizeof(link), "/proc/%d/fd/%d", (int)kvd.pid, fd);
		length = readlink(link, target, sizeof(target) - 1);
		ck_assert_msg(length > 0, "%s: %s", link, strerror(errno));
		target[length] = '\0';
		ck_assert_msg(strncmp(target, kvd.dir, strlen(kvd.dir)) != 0 &&
				  target[0] == '/',
		    "descriptor %d is %s", fd, target);
	}
}

/* All ways to leave out some of stdin, stdout and stderr. */
START_TEST(test_started_with_standard_files_closed)
{
	char dir[KVD_PATH_MAX], option[32];
	const char *options[] = {option, NULL};
	redisContext *client;

	kvd_make_dir(dir);
	kvd.closed = (unsigned)_i;
	snprintf(option, sizeof(option), "--port=%d", find_port());
	kvd_launch(&kvd, dir, options);
	kvd.port = (int)strtol(option + strlen("--port="), NULL, 10);
	client = open_when_ready();
	client_expect(client, "+OK", "SET key value");
	expect_standard_files_apart();
	redisFree(client);
	kvd_stop(&kvd); /* it says so on stderr */

	kvd.closed = 0;
	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
	client_expect(client, "value", "GET key");
	redisFree(client);
	kvd_stop(&kvd);
}
END_TEST

TCase *
kvd_start_case(void)
{
	TCase *tcase = tcase_create("start");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, test_bad_option, 0,
	    (int)(sizeof(bad_options) / sizeof(bad_options[0])));
	tcase_add_test(tcase, test_second_daemon_in_one_directory);
	tcase_add_test(tcase, test_port_in_use);
	tcase_add_test(tcase, test_bad_address);
	tcase_add_test(tcase, test_many_threads_need_the_lock);
	tcase_add_test(tcase, test_clients_are_spread_over_the_loops);
	tcase_add_test(tcase, test_directory_is_a_file);
	tcase_add_test(tcase, test_same_port_again);
	tcase_add_loop_test(
	    tcase, test_started_with_standard_files_closed, 1, 8);
	return tcase;
}
