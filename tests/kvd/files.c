/* SPDX-License-Identifier: MIT */
/* Files that somebody deletes or replaces under the daemon's hands. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

static const char *const syncs[] = {"--sync=always", "--sync=never"};

static struct kvd kvd;
static redisContext *client;

static void
start(const char *option)
{
	kvd_start(&kvd, NULL, option, KVD_END);
	client = client_open(&kvd);
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
stop(void)
{
	redisFree(client);
	kvd_stop(&kvd);
}

static void
path_of(char path[2 * KVD_PATH_MAX], const char *name)
{
	snprintf(path, 2 * KVD_PATH_MAX, "%s/%s", kvd.dir, name);
}

static void
delete_file(const char *name)
{
	char path[2 * KVD_PATH_MAX];

	path_of(path, name);
	ck_assert_msg(unlink(path) == 0, "%s: %s", path, strerror(errno));
}

/* Puts a copy in the place of the file, as an editor or a backup does. */
static void
replace_file(const char *name)
{
	char path[2 * KVD_PATH_MAX], copy[2 * KVD_PATH_MAX];
	size_t size;
	char *data = file_read(kvd.dir, name, &size);

	file_write(kvd.dir, "copy", data, size);
	free(data);
	path_of(path, name);
	path_of(copy, "copy");
	ck_assert_int_eq(rename(copy, path), 0);
}

static void
expect_noticed(const char *name)
{
	client_expect(client, "-ERR", "SET key lost");
	ck_assert(kvd_log_has(&kvd, name));
	client_expect(client, "-ERR writes are refused", "SET key lost");
	ck_assert_int_eq(client_info(client, "writes_refused"), 1);
	client_expect(client, "kept", "GET key");
}

/* And what was answered before can be saved. */
START_TEST(test_deleted_journal_is_noticed)
{
	start(syncs[_i]);
	client_expect(client, "+OK", "SET key kept");
	delete_file("kvd.journal");
	expect_noticed("kvd.journal");
	client_expect(client, "+OK", "SNAPSHOT");
	crash_and_start();
	client_expect(client, "kept", "GET key");
	client_expect(client, "+OK", "SET key new");
	crash_and_start();
	client_expect(client, "new", "GET key");
	stop();
}
END_TEST

START_TEST(test_deleted_journal_is_noticed_by_snapshot)
{
	start(syncs[_i]);
	client_expect(client, "+OK", "SET key kept");
	delete_file("kvd.journal");
	client_expect(client, "-ERR the snapshot is there", "SNAPSHOT");
	client_expect(client, "-ERR writes are refused", "SET key lost");
	crash_and_start();
	client_expect(client, "kept", "GET key");
	stop();
}
END_TEST

START_TEST(test_replaced_journal_is_noticed)
{
	start(syncs[_i]);
	client_expect(client, "+OK", "SET key kept");
	replace_file("kvd.journal");
	expect_noticed("kvd.journal");
	crash_and_start();
	client_expect(client, "kept", "GET key");
	stop();
}
END_TEST

START_TEST(test_journal_that_somebody_else_empties_is_noticed)
{
	start(syncs[_i]);
	client_expect(client, "+OK", "SET key kept");
	file_write(kvd.dir, "kvd.journal", "", 0);
	expect_noticed("kvd.journal");
	ck_assert_uint_eq(file_size(kvd.dir, "kvd.journal"), 0);
	client_expect(client, "+OK", "SNAPSHOT");
	crash_and_start();
	client_expect(client, "kept", "GET key");
	stop();
}
END_TEST

/* With it the journal makes no sense any more: it is what came after it. */
START_TEST(test_deleted_snapshot_is_noticed)
{
	start(syncs[_i]);
	client_expect(client, "+OK", "SET key kept");
	client_expect(client, "+OK", "SNAPSHOT");
	client_expect(client, "+OK", "SET other 1");
	if (_i == 0)
		delete_file("kvd.snapshot");
	else
		replace_file("kvd.snapshot");
	expect_noticed("kvd.snapshot");
	client_expect(client, "+OK", "SNAPSHOT");
	crash_and_start();
	client_expect(client, "[kept, 1]", "MGET key other");
	stop();
}
END_TEST

/* The journal has a lock of its own. */
START_TEST(test_no_second_daemon_where_the_lock_was_deleted)
{
	struct kvd second = {0};

	start(syncs[_i]);
	client_expect(client, "+OK", "SET key kept");
	delete_file("kvd.lock");
	kvd_launch(&second, kvd.dir, NULL);
	ck_assert(!kvd_wait_ready(&second));
	ck_assert_int_ne(kvd_wait(&second), 0);
	ck_assert(kvd_log_has(&second, "another kvd"));
	expect_noticed("kvd.lock");
	crash_and_start();
	client_expect(client, "kept", "GET key");
	stop();
}
END_TEST

/* Without lock and journal there is nothing to keep the second one out.  The
 * first one leaves it alone. */
START_TEST(test_second_daemon_where_all_was_deleted)
{
	struct kvd second = {0};
	redisContext *other;

	start(syncs[_i]);
	client_expect(client, "+OK", "SET key kept");
	delete_file("kvd.lock");
	delete_file("kvd.journal");
	kvd_start(&second, kvd.dir, KVD_END);
	other = client_open(&second);
	client_expect(other, "+OK", "SET key second");
	client_expect(client, "-ERR", "SNAPSHOT");
	expect_noticed("kvd.lock");
	client_expect(client, "-ERR", "SNAPSHOT");
	client_expect(other, "+OK", "SNAPSHOT");
	client_expect(other, ":1", "INCR counter");
	redisFree(other);
	kvd_stop(&second);
	crash_and_start();
	client_expect(client, "[second, 1]", "MGET key counter");
	stop();
}
END_TEST

TCase *
kvd_files_case(void)
{
	TCase *tcase = tcase_create("files");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_deleted_journal_is_noticed, 0, 2);
	tcase_add_loop_test(
	    tcase, test_deleted_journal_is_noticed_by_snapshot, 0, 2);
	tcase_add_loop_test(tcase, test_replaced_journal_is_noticed, 0, 2);
	tcase_add_loop_test(
	    tcase, test_journal_that_somebody_else_empties_is_noticed, 0, 2);
	tcase_add_loop_test(tcase, test_deleted_snapshot_is_noticed, 0, 2);
	tcase_add_loop_test(
	    tcase, test_no_second_daemon_where_the_lock_was_deleted, 0, 2);
	tcase_add_loop_test(
	    tcase, test_second_daemon_where_all_was_deleted, 0, 2);
	return tcase;
}
