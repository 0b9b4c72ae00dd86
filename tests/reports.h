/* SPDX-License-Identifier: MIT */
/* What the tests of reports share: somebody who takes one. */
#ifndef TESTS_REPORTS_H
#define TESTS_REPORTS_H

#include "support.h"

struct reader {
	char text[32768]; /* as much of it as there is room for */
	size_t length;	  /* of all of it */
	size_t last;	  /* the same of the last piece */
	size_t pieces;
	size_t most;		/* that came in one turn */
	size_t most_before;	/* bytes in one turn before its last piece */
	int (*meanwhile)(void); /* called with each, if it is there */
	struct evdeferred *d;
	struct seen seen;
};
extern struct reader reader;

/* Starts a report that the reader is to take. */
void start_report(enum evdefer_report_format format);

/* Takes all of it, and ends it with the result that it has. */
const char *take_report(enum evdefer_report_format format);

/* Ends one that was started, and checks that it was complete, or failed with a code. */
void end_report(int code);

/* The text but for its first line and the last; addresses are "0x". */
const char *take_text(void);

#endif
