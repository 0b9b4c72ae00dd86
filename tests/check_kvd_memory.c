/* SPDX-License-Identifier: MIT */
/*
 * kvd when memory runs out: what it has confirmed is there after a restart, what it
 * has refused is not, and it ends when it is told to.
 *
 * The server runs in the thread of the test, where allocations fail; its client and
 * the thread that writes to the disk have memory.
 */
#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "../docs/kvd/options.h"
#include "../docs/kvd/request.h"
#include "../docs/kvd/server.h"

#include "alloc.h"

/* More than a run asks for. */
#define MOST 4000
/* What the client waits for takes less, or has hung. */
#define SECONDS 60

/* The last value of a key is a reply that the client has got for it. */
enum reply { OK, REFUSED, LOST };

static char dir[256];
static int log_file = -1;

struct client {
	pthread_t thread, server;
	int port;
	int fd; /* -1: closed */
	bool hung;
	char text[256];
	enum reply writes[3];
	enum reply snapshot;
};

/*
 * The directory, and what is said.
 */

static void
empty_dir(void)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(stream), entry->d_name, 0);
	closedir(stream);
}

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/check_kvd_memory.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	/* It has much to tell, thousands of times. */
	log_file = open("/dev/null", O_WRONLY);
	ck_assert_int_ne(log_file, -1);
	dup2(log_file, STDOUT_FILENO);
	dup2(log_file, STDERR_FILENO);
	signal(SIGPIPE, SIG_IGN);
}

static void
teardown(void)
{
	empty_dir();
	rmdir(dir);
	close(log_file);
}

/*
 * The client.
 */

static void
client_close(struct client *client)
{
	if (client->fd != -1)
		close(client->fd);
	client->fd = -1;
}

static bool
client_open(struct client *client)
{
	const struct timeval limit = {SECONDS, 0};
	struct sockaddr_in address = {.sin_family = AF_INET};

	if (client->fd != -1)
		return true;
	address.sin_port = htons((in_port_t)client->port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) ==
	    0)
		return true;
	client_close(client);
	return false;
}

/* Reads a line.  False if there is none. */
static bool
read_line(struct client *client)
{
	size_t used = 0;
	ssize_t got;

	while (used < sizeof(client->text) - 1) {
		got = recv(client->fd, client->text + used, 1, 0);
		if (got == -1 && errno == EAGAIN)
			client->hung = true;
		if (got != 1)
			return false;
		client->text[++used] = '\0';
		if (client->text[used - 1] == '\n')
			return true;
	}
	return false;
}

static enum reply
ask(struct client *client, const char *request)
{
	const ssize_t length = (ssize_t)strlen(request);

	if (!client_open(client))
		return LOST;
	if (send(client->fd, request, strlen(request), 0) != length ||
	    !read_line(client)) {
		client_close(client);
		return LOST;
	}
	return client->text[0] == '-' ? REFUSED : OK;
}

/* Keys "0", "1" and "2", with a snapshot after the first. */
static void *
use_server(void *arg)
{
	struct client *client = arg;

	client->writes[0] = ask(client, "SET 0 new\r\n");
	client->snapshot = ask(client, "SNAPSHOT\r\n");
	client->writes[1] = ask(client, "SET 1 new\r\n");
	client->writes[2] = ask(client, "SET 2 new\r\n");
	client_close(client);
	pthread_kill(client->server, SIGTERM);
	return NULL;
}

/*
 * The server.
 */

static void
set_options(struct options *options, bool sync, size_t threads)
{
	char *argv[] = {(char *)"kvd", (char *)"--port=0", NULL};

	optind = 1;
	ck_assert_int_eq(options_parse(options, 2, argv), OPTIONS_RUN);
	options->dir = dir;
	options->sync = sync;
	options->threads = threads;
}

/* Serves the client, without the n-th allocation.  Gives whether there was one. */
static bool
serve(const struct options *options, struct client *client, size_t n,
    bool onwards)
{
	struct server server;

	ck_assert_int_eq(server_open(&server, options), 0);
	*client = (struct client){
	    .fd = -1, .server = pthread_self(), .port = server.listener.port};
	ck_assert_int_eq(
	    pthread_create(&client->thread, NULL, use_server, client), 0);
	alloc_fail_at(n, onwards);
	server_run(&server);
	alloc_fail_at(0, false);
	pthread_join(client->thread, NULL);
	server_close(&server);
	return n > 0 && alloc_failed();
}

/* What a key has, in the next run. */
struct reader {
	struct client client;
	char values[3][8];
};

static void *
read_keys(void *arg)
{
	static const char *requests[] = {"GET 0\r\n", "GET 1\r\n", "GET 2\r\n"};
	struct reader *reader = arg;
	int i;

	for (i = 0; i < 3; i++) {
		if (ask(&reader->client, requests[i]) == OK &&
		    strcmp(reader->client.text, "$-1\r\n") != 0)
			read_line(&reader->client);
		snprintf(reader->values[i], sizeof(reader->values[i]), "%.3s",
		    reader->client.text);
	}
	client_close(&reader->client);
	pthread_kill(reader->client.server, SIGTERM);
	return NULL;
}

static void
check_keys(const struct options *options, const struct client *told)
{
	struct reader reader = {.client = {.fd = -1}};
	struct server server;
	int i;

	ck_assert_int_eq(server_open(&server, options), 0);
	reader.client.server = pthread_self();
	reader.client.port = server.listener.port;
	ck_assert_int_eq(
	    pthread_create(&reader.client.thread, NULL, read_keys, &reader), 0);
	server_run(&server);
	pthread_join(reader.client.thread, NULL);
	server_close(&server);
	for (i = 0; i < 3; i++) {
		if (told->writes[i] == OK)
			ck_assert_str_eq(reader.values[i], "new");
		else if (told->writes[i] == REFUSED)
			ck_assert_str_eq(reader.values[i], "$-1");
	}
}

/* _i: with fdatasync, which the thread does, or without; whether all after the n-th fail,
 * too; and with one loop or two, of which that of the client fails. */
START_TEST(nothing_is_lost_without_memory)
{
	const bool onwards = _i / 2 % 2 == 1;
	struct options options;
	struct client client;
	size_t n = 1, ok = 0, refused = 0, lost = 0;
	bool more;
	long live;
	int i;

	set_options(&options, _i % 2 == 0, _i < 4 ? 1 : 2);
	if (!alloc_works())
		return;
	/* What is kept of threads is there from now on. */
	serve(&options, &client, 0, false);
	do {
		empty_dir();
		live = alloc_live();
		more = serve(&options, &client, n, onwards);
		ck_assert_int_eq(alloc_live(), live);
		ck_assert(!client.hung);
		for (i = 0; i < 3; i++) {
			ok += client.writes[i] == OK;
			refused += client.writes[i] == REFUSED;
			lost += client.writes[i] == LOST;
		}
		check_keys(&options, &client);
	} while (more && n++ < MOST);
	ck_assert(!more);
	/* The last run had all that it asked for. */
	ck_assert_int_eq(client.snapshot, OK);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(client.writes[i], OK);
	ck_assert_uint_gt(ok, 3);
	ck_assert_uint_gt(lost, 0);
	/* A refusal is said, and that takes memory. */
	if (!onwards)
		ck_assert_uint_gt(refused, 0);
}
END_TEST

/* Opens the server and closes it.  Gives whether it has opened. */
static bool
start(const struct options *options, size_t n)
{
	struct server server;
	int result;

	alloc_fail_at(n, false);
	result = server_open(&server, options);
	alloc_fail_at(0, false);
	server_close(&server);
	return result == 0;
}

/* _i: with one loop or three.  libevent has other ways to poll, and goes on without some of its memory. */
START_TEST(a_start_without_memory_leaves_nothing)
{
	struct options options;
	size_t n = 1, refused = 0;
	bool opened;
	long live;

	set_options(&options, true, _i == 0 ? 1 : 3);
	if (!alloc_works())
		return;
	/* libc and others get what they keep. */
	ck_assert(start(&options, 0));
	do {
		live = alloc_live();
		opened = start(&options, n);
		ck_assert_int_eq(alloc_live(), live);
		refused += !opened;
	} while (alloc_failed() && n++ < MOST);
	ck_assert(opened);
	ck_assert_uint_gt(refused, 20);
}
END_TEST

/* A line that lies in two pieces of the buffer is put into one, to be read.  _i: a line of
 * words, and the count of an array.  Its client would wait if it were taken for one that has
 * not come yet. */
START_TEST(a_line_in_pieces_without_memory_is_refused)
{
	static const char *const pieces[][2] = {
	    {"PI", "NG\r\n"}, {"*1", "\r\n$4\r\nPING\r\n"}};
	struct evbuffer *input = evbuffer_new();
	enum request_status status;
	struct request request;
	int i;

	if (!alloc_works()) {
		evbuffer_free(input);
		return;
	}
	request_init(&request, 100);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(evbuffer_add_reference(input, pieces[_i][i],
				     strlen(pieces[_i][i]), NULL, NULL),
		    0);
	alloc_fail_at(1, false);
	status = request_next(&request, input);
	alloc_fail_at(0, false);
	ck_assert(alloc_failed());
	ck_assert_int_eq(status, REQUEST_BAD);
	ck_assert_str_eq(request.error, "ERR out of memory");
	request_destroy(&request);
	evbuffer_free(input);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("kvd_memory");
	TCase *tc = tcase_create("memory");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 2 * SECONDS);
	tcase_add_loop_test(tc, a_start_without_memory_leaves_nothing, 0, 2);
	tcase_add_loop_test(tc, nothing_is_lost_without_memory, 0, 8);
	tcase_add_loop_test(
	    tc, a_line_in_pieces_without_memory_is_refused, 0, 2);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
