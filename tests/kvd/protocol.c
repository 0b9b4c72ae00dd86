/* SPDX-License-Identifier: MIT */
/* What arrives malformed, in pieces, or not to its end. */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define BYTES(text) text, sizeof(text) - 1

struct malformed {
	const char *what;
	const char *bytes;
	size_t size;
};

static const struct malformed table[] = {
    {"bad type byte of an argument", BYTES("*1\r\n!4\r\nPING\r\n")},
    {"integer as an argument", BYTES("*1\r\n:1\r\n")},
    {"status as an argument", BYTES("*1\r\n+PING\r\n")},
    {"array in an array", BYTES("*1\r\n*1\r\n$4\r\nPING\r\n")},
    {"array after an argument", BYTES("*2\r\n$4\r\nECHO\r\n*1\r\n$1\r\na\r\n")},
    {"a thousand million arguments", BYTES("*1000000000\r\n")},
    {"2^32 arguments", BYTES("*4294967297\r\n$4\r\nPING\r\n")},
    {"2^64 arguments", BYTES("*18446744073709551617\r\n$4\r\nPING\r\n")},
    {"count of 40 digits",
	BYTES("*1111111111222222222233333333334444444444\r\n")},
    {"negative count", BYTES("*-5\r\n")},
    {"no count", BYTES("*\r\n$4\r\nPING\r\n")},
    {"letters as a count", BYTES("*one\r\n$4\r\nPING\r\n")},
    {"letters after a count", BYTES("*1x\r\n$4\r\nPING\r\n")},
    {"space before a count", BYTES("* 1\r\n$4\r\nPING\r\n")},
    {"null byte in a count", BYTES("*1\0\r\n$4\r\nPING\r\n")},
    {"count without carriage return", BYTES("*1\n$4\r\nPING\r\n")},
    {"count without line feed", BYTES("*1\r$4\r\nPING\r\n")},
    {"null as an argument", BYTES("*1\r\n$-1\r\n")},
    {"negative length", BYTES("*1\r\n$-4\r\nPING\r\n")},
    {"least negative length", BYTES("*1\r\n$-9223372036854775808\r\n")},
    {"no length", BYTES("*1\r\n$\r\nPING\r\n")},
    {"letters as a length", BYTES("*1\r\n$four\r\nPING\r\n")},
    {"letters after a length", BYTES("*1\r\n$4x\r\nPING\r\n")},
    {"null byte in a length", BYTES("*1\r\n$4\0\r\nPING\r\n")},
    {"length of 2^64 + 4", BYTES("*1\r\n$18446744073709551620\r\nPING\r\n")},
    {"length of 40 digits",
	BYTES("*1\r\n$1111111111222222222233333333334444444444\r\n")},
    {"argument longer than its length", BYTES("*1\r\n$4\r\nPINGPONG\r\n")},
    {"argument shorter than its length",
	BYTES("*2\r\n$4\r\nECHO\r\n$9\r\nabc\r\n*1\r\n$4\r\nPING\r\n")},
    {"argument ended by other bytes",
	BYTES("*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n")},
    {"argument ended by line feed", BYTES("*1\r\n$4\r\nPING\n\r\n")},
    {"argument ended by carriage returns", BYTES("*1\r\n$4\r\nPING\r\r\n")},
    {"null bytes", BYTES("\0\0\0\0\r\n\0\0\0\0\r\n")},
    {"null byte in a line of words", BYTES("PI\0NG\r\n")},
    {"quotes that are not closed", BYTES("ECHO \"a b\r\nPING\r\n")},
    {"single quotes that are not closed", BYTES("ECHO 'a b\\'\r\nPING\r\n")},
    {"quotes in front of a word", BYTES("ECHO \"a\"b\r\nPING\r\n")},
    {"a web browser", BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
    {"a form of a web page", BYTES("POST / HTTP/1.1\r\n\r\nPING\r\n")},
    {"TLS", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n")},
};

static struct kvd kvd;
static redisContext *client;

static void
setup(void)
{
	kvd_start(&kvd, NULL, "--sync=never", KVD_END);
	client = client_open(&kvd);
}

static void
teardown(void)
{
	redisFree(client);
	kvd_stop(&kvd);
}

/* The last reply of the offender is the error; what came before the malformed
 * part may have been answered. */
static void
expect_offence(const char *what, const void *bytes, size_t size)
{
	char text[4096];
	char *error;
	int fd = raw_open(&kvd);

	raw_send(fd, bytes, size);
	ck_assert_msg(raw_read_all(fd, text, sizeof(text)),
	    "%s: the connection stays open after '%s'", what, text);
	close(fd);
	error = strstr(text, "-ERR Protocol error");
	ck_assert_msg(error != NULL, "%s: replied '%s'", what, text);
	ck_assert_msg(strchr(error, '\n')[1] == '\0',
	    "%s: more after the error: '%s'", what, text);
}

/* It is the only one, and the connection can be used as before. */
static void
expect_reply(const void *bytes, size_t size, const char *beginning)
{
	static const char rest[] = "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n";
	char text[512];
	int fd = raw_open(&kvd);

	raw_send(fd, bytes, size);
	raw_send(fd, rest, strlen(rest));
	ck_assert(raw_read_all(fd, text, sizeof(text)));
	close(fd);
	ck_assert_msg(strncmp(text, beginning, strlen(beginning)) == 0 &&
			  strchr(text, '\n') != NULL,
	    "replied '%s'", text);
	ck_assert_str_eq(strchr(text, '\n'), "\n+PONG\r\n+OK\r\n");
}

/* Another connection, in the middle of a request all the while, and one that
 * is idle. */
START_TEST(test_malformed_request)
{
	static const char first[] = "*2\r\n$4\r\nECHO\r\n$9\r\nstill";
	static const char second[] = "here\r\n";
	const struct malformed *malformed = &table[_i];
	int neighbour = raw_open(&kvd);

	raw_send(neighbour, first, strlen(first));
	expect_offence(malformed->what, malformed->bytes, malformed->size);
	raw_send(neighbour, second, strlen(second));
	raw_expect(neighbour, "$9\r\nstillhere\r\n");
	close(neighbour);
	client_expect(client, "+PONG", "PING");
	client_wait_info(client, "connected_clients", 1);
}
END_TEST

/* What was asked before the malformed part is answered, after it nothing. */
START_TEST(test_malformed_after_good_requests)
{
	static const char requests[] =
	    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
	    "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
	    "*nonsense\r\n"
	    "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
	static const char replies[] = "+OK\r\n:2\r\n-ERR Protocol error";
	char text[512];
	int fd = raw_open(&kvd);

	raw_send(fd, requests, strlen(requests));
	ck_assert(raw_read_all(fd, text, sizeof(text)));
	close(fd);
	ck_assert_msg(strncmp(text, replies, strlen(replies)) == 0, "%s", text);
	client_expect(client, "2", "GET a");
}
END_TEST

START_TEST(test_line_without_end)
{
	char digits[1 << 17];

	memset(digits, '1', sizeof(digits));
	digits[0] = '*';
	expect_offence("line of 128 KiB", digits, sizeof(digits));
	client_expect(client, "+PONG", "PING");
}
END_TEST

/* It stays within the bounds of a request, and of what is read at a time. */
START_TEST(test_line_of_words_without_end)
{
	static char words[1 << 17];

	memset(words, 'w', sizeof(words));
	expect_offence("line of 128 KiB", words, sizeof(words));
	words[65534] = '\n';
	expect_reply(words, 65535, "-ERR unknown command 'w");
}
END_TEST

/* Programs begin a request with "*", people with anything else. */
START_TEST(test_every_first_byte)
{
	static const char broken[] = "*\"'";

	for (int byte = 0; byte < 256; byte++) {
		char bytes[] = {(char)byte, 'x', '\r', '\n'};

		if (memchr(broken, byte, sizeof(broken)) != NULL)
			expect_offence("first byte", bytes, sizeof(bytes));
		else
			expect_reply(bytes, sizeof(bytes), "-ERR unknown");
	}
	client_expect(client, "+PONG", "PING");
}
END_TEST

/* As Redis takes a line apart. */
START_TEST(test_lines_of_words)
{
	static const struct malformed lines[] = {
	    {"+PONG\r\n", BYTES("PING\r\n")},
	    {"+PONG\r\n", BYTES("PING\n")},
	    {"+PONG\r\n", BYTES("\r\n\n  \t \r\nping\r\n")},
	    {"+OK\r\n", BYTES("  SET  a\t 1 \r\n")},
	    {"$1\r\n1\r\n", BYTES("GET a\r\n")},
	    {"$3\r\na b\r\n", BYTES("ECHO \"a b\"\r\n")},
	    {"$0\r\n\r\n", BYTES("ECHO \"\"\r\n")},
	    {"$4\r\nab c\r\n", BYTES("ECHO a\"b c\"\n")},
	    {"$7\r\nA\r\n\t\b\a\"\r\n",
		BYTES("ECHO \"\\x41\\r\\n\\t\\b\\a\\\"\"\r\n")},
	    {"$4\r\nqx4\xff\r\n", BYTES("ECHO \"\\q\\x4\\xfF\"\r\n")},
	    {"$7\r\n\\'a\\n\"'\r\n", BYTES("ECHO '\\\\'a\\n\"\\''\r\n")},
	    {"$3\r\n\xe2\x82\xac\r\n", BYTES("ECHO \xe2\x82\xac\r\n")},
	    {"+PONG\r\n+PONG\r\n$1\r\n1\r\n",
		BYTES("*1\r\n$4\r\nPING\r\nPING\r\n"
		      "*2\r\n$3\r\nGET\r\n$1\r\na\r\n")},
	};
	int fd = raw_open(&kvd);

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		raw_send(fd, lines[i].bytes, lines[i].size);
		raw_expect(fd, lines[i].what);
	}
	close(fd);
}
END_TEST

static const char pipeline[] =
    "*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$10\r\nshort\r\nend\r\n"
    "*2\r\n$4\r\nINCR\r\n$5\r\ncount\r\n"
    "*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n1\r\n"
    "*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$3\r\ncut\r\n";
static const char pipeline_replies[] =
    "*2\r\n$1\r\n1\r\n$10\r\nshort\r\nend\r\n";

START_TEST(test_disconnect_at_every_byte)
{
	redisReply *reply;

	for (size_t cut = 0; cut < strlen(pipeline); cut++) {
		int fd = raw_open(&kvd);

		raw_send(fd, pipeline, cut);
		close(fd);
		client_expect(client, "+PONG", "PING");
	}
	client_wait_info(client, "connected_clients", 1);
	client_wait_info(client, "writers_waiting", 0);
	client_wait_info(client, "writers_inside", 0);
	reply = redisCommand(client, "MGET a b");
	ck_assert_ptr_nonnull(reply);
	ck_assert_int_eq(reply->element[0]->type, reply->element[1]->type);
	freeReplyObject(reply);
	client_expect(client, "+OK", "SET after wards");
}
END_TEST

/* The client stops sending but still reads: it gets its answers. */
START_TEST(test_pieces_split_at_every_byte)
{
	for (size_t cut = 1; cut < strlen(pipeline); cut++) {
		char count[64];
		int fd = raw_open(&kvd);

		raw_send(fd, pipeline, cut);
		/* An answer on another connection shows that the loop has
		 * turned, and the first piece was likely read alone. */
		client_expect(client, "+PONG", "PING");
		raw_send(fd, pipeline + cut, strlen(pipeline) - cut);
		raw_expect(fd, "+OK\r\n");
		snprintf(count, sizeof(count), ":%zu\r\n+OK\r\n", cut);
		raw_expect(fd, count);
		raw_expect(fd, pipeline_replies);
		close(fd);
	}
}
END_TEST

/* Memory of the daemon in MiB. */
static long
resident(void)
{
	char path[64], line[128];
	long pages = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)kvd.pid);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	if (fgets(line, sizeof(line), file) != NULL)
		pages = strtol(strchr(line, ' '), NULL, 10);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* A client that asks for 128 MiB in all and never reads its answers must not
 * stop the others, nor make the daemon keep all of that in memory. */
START_TEST(test_client_that_never_reads)
{
	static const char get[] = "*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n";
	char big[65536];
	long before, after;
	int fd;

	memset(big, 'x', sizeof(big));
	client_expect(client, "+OK", "SET big %b", big, sizeof(big));
	before = resident();
	fd = raw_open(&kvd);
	for (int i = 0; i < 2000; i++)
		raw_send(fd, get, strlen(get));
	for (int i = 0; i < 5000; i++)
		client_expect(client, ":1", "EXISTS big");
	after = resident();
	ck_assert_msg(
	    after - before < 64, "it grew from %ld to %ld MiB", before, after);
	close(fd);
	client_wait_info(client, "connected_clients", 1);
	client_wait_info(client, "readers_inside", 0);
}
END_TEST

TCase *
kvd_protocol_case(void)
{
	TCase *tcase = tcase_create("protocol");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_malformed_request, 0,
	    (int)(sizeof(table) / sizeof(table[0])));
	tcase_add_test(tcase, test_malformed_after_good_requests);
	tcase_add_test(tcase, test_line_without_end);
	tcase_add_test(tcase, test_line_of_words_without_end);
	tcase_add_test(tcase, test_every_first_byte);
	tcase_add_test(tcase, test_lines_of_words);
	tcase_add_test(tcase, test_disconnect_at_every_byte);
	tcase_add_test(tcase, test_pieces_split_at_every_byte);
	tcase_add_test(tcase, test_client_that_never_reads);
	return tcase;
}
