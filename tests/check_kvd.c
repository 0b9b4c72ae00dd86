/* SPDX-License-Identifier: MIT */
/* Tests of the daemon kvd, from outside: over its sockets, its files and its exit
 * status.  The environment variable KVD is the path of the program. */
#include <signal.h>
#include <stdlib.h>

#include <check.h>

#include "kvd/cases.h"
#include "kvd/process.h"

static Suite *
kvd_suite(void)
{
	Suite *suite = suite_create("kvd");

	suite_add_tcase(suite, kvd_commands_case());
	suite_add_tcase(suite, kvd_protocol_case());
	suite_add_tcase(suite, kvd_session_case());
	suite_add_tcase(suite, kvd_transaction_case());
	suite_add_tcase(suite, kvd_types_case());
	suite_add_tcase(suite, kvd_limits_case());
	suite_add_tcase(suite, kvd_lock_case());
	suite_add_tcase(suite, kvd_owners_case());
	suite_add_tcase(suite, kvd_owners_options_case());
	suite_add_tcase(suite, kvd_debug_case());
	suite_add_tcase(suite, kvd_snapshot_case());
	suite_add_tcase(suite, kvd_journal_case());
	suite_add_tcase(suite, kvd_commit_case());
	suite_add_tcase(suite, kvd_crash_case());
	suite_add_tcase(suite, kvd_files_case());
	suite_add_tcase(suite, kvd_start_case());
	return suite;
}

int
main(void)
{
	SRunner *runner;
	int failed;

	if (!kvd_find_program())
		return EXIT_FAILURE;
	runner = srunner_create(kvd_suite());
	signal(SIGPIPE, SIG_IGN);
	kvd_home_make();
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	kvd_home_remove();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
