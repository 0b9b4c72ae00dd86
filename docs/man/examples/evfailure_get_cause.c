/* SPDX-License-Identifier: MIT */
/*
 * A function that prints a failure with all its causes:
 */
#include <stdio.h>
#include <evdefer.h>

static void
print_failure(const struct evfailure *failure)
{
	for (; failure != NULL; failure = evfailure_get_cause(failure))
		fprintf(stderr, "%s:%d: %s\n", evfailure_get_file(failure),
		    evfailure_get_line(failure),
		    evfailure_get_message(failure));
}
