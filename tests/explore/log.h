/* SPDX-License-Identifier: MIT */
/*
 * What was done in the run under way, to be printed as a test if it fails.
 */
#ifndef EXPLORE_LOG_H
#define EXPLORE_LOG_H

#include "driver.h"
#include "site.h"

/* A new run.  The reference is looked at if it fails. */
void log_start(
    const struct setting *setting, int ending, const struct model *m);

/* A call begins, and ends; "result" is the errno that it has to give. */
void log_begin(struct step step, int result);
void log_end(const struct model *m);

/* In which function the client that acquires will be told. */
void log_site(enum site site);

/* A callback begins, and ends. */
void log_called(const struct model *m, int client, int code);
void log_returned(const struct model *m);

/* One that ought to have come. */
void log_missing(int client, int code);

/* Writes the run as a test to stdout, and ends the program. */
_Noreturn void log_fail(const char *wrong);

/* Has log_fail() called for crashes, and for a run that does not end. */
void log_catch_signals(void);

#endif
