/* SPDX-License-Identifier: MIT */
/* What clients say about themselves, and the version of the protocol. */
#include "cases.h"

#include <stdio.h>
#include <string.h>

#include "client.h"

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

static const char *
expect_hello(const char *text, const char *head, const char *version)
{
	static const char end[] = "$7\r\nmodules\r\n*0\r\n";
	const char *rest;
	char proto[64];

	snprintf(proto, sizeof(proto),
	    "$5\r\nproto\r\n:%s\r\n$2\r\nid\r\n:", version);
	ck_assert_msg(strncmp(text, head, strlen(head)) == 0, "%s", text);
	ck_assert_msg(strstr(text, proto) != NULL, "%s", text);
	rest = strstr(text, end);
	ck_assert_msg(rest != NULL, "%s", text);
	return rest + strlen(end);
}

/* What differs between the two: maps, nulls and text. */
START_TEST(test_hello_changes_the_version)
{
	static const char head2[] = "*14\r\n$6\r\nserver\r\n$3\r\nkvd\r\n";
	static const char head3[] = "%7\r\n$6\r\nserver\r\n$3\r\nkvd\r\n";
	const char *rest;
	char text[4096];

	raw_converse(&kvd,
	    "HELLO\r\nHELLO 3\r\nGET a\r\nMGET a a\r\nCONFIG GET save\r\n"
	    "CLIENT GETNAME\r\nINFO Nothing\r\nEXISTS a\r\nHELLO\r\n"
	    "HELLO 2\r\nGET a\r\nCONFIG GET save\r\nQUIT\r\n",
	    text, sizeof(text));
	rest = expect_hello(text, head2, "2");
	rest = expect_hello(rest, head3, "3");
	rest = expect_hello(rest,
	    "_\r\n*2\r\n_\r\n_\r\n%1\r\n$4\r\nsave\r\n$0\r\n\r\n_\r\n"
	    "=4\r\ntxt:\r\n:0\r\n%7\r\n",
	    "3");
	rest = expect_hello(rest, head2, "2");
	ck_assert_str_eq(rest, "$-1\r\n*2\r\n$4\r\nsave\r\n$0\r\n\r\n+OK\r\n");
}
END_TEST

/* And changes nothing. */
START_TEST(test_hello_that_is_refused)
{
	static const char *const lines[] = {"HELLO 1", "HELLO 4", "HELLO three",
	    "HELLO 3 NONSENSE", "HELLO 3 SETNAME", "HELLO 3 SETNAME 'a b'",
	    "HELLO 3 SETNAME good SETNAME 'a b'",
	    "HELLO 3 AUTH default password", "AUTH password"};
	char line[128], text[1024];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(line, sizeof(line),
		    "%s\r\nGET a\r\nCLIENT GETNAME\r\nQUIT\r\n", lines[i]);
		raw_converse(&kvd, line, text, sizeof(text));
		ck_assert_msg(text[0] == '-', "%s: %s", lines[i], text);
		ck_assert_str_eq(strchr(text, '\n'), "\n$-1\r\n$-1\r\n+OK\r\n");
	}
	raw_converse(&kvd, "HELLO 4\r\nQUIT\r\n", text, sizeof(text));
	ck_assert_msg(strncmp(text, "-NOPROTO ", 9) == 0, "%s", text);
}
END_TEST

START_TEST(test_client_names)
{
	char long_name[258];

	client_expect(client, "(nil)", "CLIENT GETNAME");
	client_expect(client, "+OK", "CLIENT SETNAME worker-7");
	client_expect(client, "worker-7", "CLIENT GETNAME");
	client_expect(client, "-ERR", "CLIENT SETNAME %s", "a b");
	client_expect(client, "-ERR", "CLIENT SETNAME %s", "a\nb");
	memset(long_name, 'n', sizeof(long_name));
	long_name[257] = '\0';
	client_expect(client, "-ERR", "CLIENT SETNAME %s", long_name);
	client_expect(client, "worker-7", "client getname");
	long_name[256] = '\0';
	client_expect(client, "+OK", "CLIENT SETNAME %s", long_name);
	client_expect(client, long_name, "CLIENT GETNAME");
	client_expect(client, "+OK", "CLIENT SETNAME %s", "");
	client_expect(client, "(nil)", "CLIENT GETNAME");
}
END_TEST

START_TEST(test_client_info)
{
	redisReply *reply;

	client_expect(client, "+OK", "CLIENT SETNAME me");
	client_expect(client, "+OK", "CLIENT SETINFO LIB-NAME some(v1)");
	client_expect(client, "+OK", "CLIENT SETINFO lib-ver 1.2");
	client_expect(client, "-ERR", "CLIENT SETINFO LIB-NAME %s", "a b");
	client_expect(client, "-ERR", "CLIENT SETINFO LIB-COLOUR red");
	reply = redisCommand(client, "CLIENT INFO");
	ck_assert_ptr_nonnull(reply);
	ck_assert_msg(
	    strstr(reply->str,
		" name=me lib-name=some(v1) lib-ver=1.2 resp=2 multi=-1 "
		"io-thread=0\n") != NULL &&
		strstr(reply->str, " addr=127.0.0.1:") != NULL,
	    "%s", reply->str);
	freeReplyObject(reply);
}
END_TEST

START_TEST(test_client_numbers_differ)
{
	redisContext *other = client_open(&kvd);
	long long number = client_integer(client, "CLIENT ID");

	ck_assert_int_ne(client_integer(other, "CLIENT ID"), number);
	ck_assert_int_eq(client_integer(client, "CLIENT ID"), number);
	redisFree(other);
}
END_TEST

START_TEST(test_client_errors)
{
	client_expect(client, "-ERR", "CLIENT");
	client_expect(client, "-ERR", "CLIENT NONSENSE");
	client_expect(client, "-ERR", "CLIENT ID 1");
	client_expect(client, "-ERR", "CLIENT SETNAME");
	client_expect(client, "-ERR", "CLIENT SETINFO LIB-NAME");
	client_expect(client, "+PONG", "PING");
}
END_TEST

START_TEST(test_select)
{
	client_expect(client, "+OK", "SELECT 0");
	client_expect(client, "-ERR", "SELECT 1");
	client_expect(client, "-ERR", "SELECT -1");
	client_expect(client, "-ERR", "SELECT zero");
	client_expect(client, "-ERR", "SELECT");
}
END_TEST

TCase *
kvd_session_case(void)
{
	TCase *tcase = tcase_create("session");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_hello_changes_the_version);
	tcase_add_test(tcase, test_hello_that_is_refused);
	tcase_add_test(tcase, test_client_names);
	tcase_add_test(tcase, test_client_info);
	tcase_add_test(tcase, test_client_numbers_differ);
	tcase_add_test(tcase, test_client_errors);
	tcase_add_test(tcase, test_select);
	return tcase;
}
