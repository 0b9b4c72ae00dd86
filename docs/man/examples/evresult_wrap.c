/* SPDX-License-Identifier: MIT */
/*
 * An errback that adds what it was that failed:
 */
#include <evdefer.h>

static struct evresult
explain(struct evfailure *failure, void *arg)
{
	const char *name = arg;

	return evresult_wrap(
	    failure, evfailure_get_code(failure), "cannot load %s", name);
}
