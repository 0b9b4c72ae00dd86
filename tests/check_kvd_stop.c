/* SPDX-License-Identifier: MIT */
/*
 * kvd's end, when its loops have ended before they saw that they are to stop: what is
 * due in one of them is done as it is closed, and would tell loops that are closed
 * already.
 */
#include <check.h>
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <evdefer/base.h>

#include "../docs/kvd/mailbox.h"
#include "../docs/kvd/options.h"
#include "../docs/kvd/server.h"

static char dir[256];

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/check_kvd_stop.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(stream), entry->d_name, 0);
	closedir(stream);
	rmdir(dir);
}

static void
count(void *arg)
{
	++*(int *)arg;
}

START_TEST(a_closed_mailbox_takes_no_letter)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct mailbox mailbox;
	struct letter letters[2];
	int looked = 0;

	letter_init(&letters[0], count, &looked);
	letter_init(&letters[1], count, &looked);
	ck_assert_int_eq(mailbox_open(&mailbox, base), 0);
	event_base_loop(loop, EVLOOP_ONCE);
	mailbox_send(&mailbox, &letters[0]);
	ck_assert(letters[0].is_under_way);
	/* What was sent to it while it was open is still looked at. */
	evdefer_base_free(base);
	ck_assert_int_eq(looked, 1);
	mailbox_close(&mailbox);
	mailbox_send(&mailbox, &letters[0]);
	mailbox_send(&mailbox, &letters[1]);
	ck_assert(!letters[0].is_under_way);
	ck_assert(!letters[1].is_under_way);
	ck_assert_int_eq(looked, 1);
	mailbox_destroy(&mailbox);
	event_base_free(loop);
}
END_TEST

static void
set_options(struct options *options, size_t threads)
{
	char *argv[] = {(char *)"kvd", (char *)"--port=0", NULL};

	ck_assert_int_eq(options_parse(options, 2, argv), OPTIONS_RUN);
	options->dir = dir;
	options->threads = threads;
}

/* _i: loops.  As the first one is closed it has them all begin to stop, and as the last
 * one does so it tells all, most of which are closed, to stop. */
START_TEST(a_stop_that_was_asked_for_too_late)
{
	struct options options;
	struct server server;

	set_options(&options, (size_t)_i);
	ck_assert_int_eq(server_open(&server, &options), 0);
	server_request_stop(&server);
	server_close(&server);
	/* So it went round among them. */
	ck_assert(atomic_load(&server.stopping));
	ck_assert_uint_eq(atomic_load(&server.to_stop), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("kvd_stop");
	TCase *tc = tcase_create("stop");
	SRunner *runner;
	int failed;

#ifdef M_PERTURB
	/* Whoever uses what was freed comes to grief. */
	mallopt(M_PERTURB, 165);
#endif
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_closed_mailbox_takes_no_letter);
	tcase_add_loop_test(tc, a_stop_that_was_asked_for_too_late, 1, 5);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
