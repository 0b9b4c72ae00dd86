/* SPDX-License-Identifier: MIT */
/* The groups of tests that check_kvd runs, one file each. */
#ifndef TESTS_KVD_CASES_H
#define TESTS_KVD_CASES_H

#include <check.h>

TCase *kvd_commands_case(void);
TCase *kvd_protocol_case(void);
TCase *kvd_session_case(void);
TCase *kvd_transaction_case(void);
TCase *kvd_types_case(void);
TCase *kvd_limits_case(void);
TCase *kvd_lock_case(void);
TCase *kvd_owners_case(void);
TCase *kvd_owners_options_case(void);
TCase *kvd_snapshot_case(void);
TCase *kvd_journal_case(void);
TCase *kvd_commit_case(void);
TCase *kvd_crash_case(void);
TCase *kvd_debug_case(void);
TCase *kvd_files_case(void);
TCase *kvd_start_case(void);

#endif
