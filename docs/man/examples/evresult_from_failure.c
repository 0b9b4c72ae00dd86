/* SPDX-License-Identifier: MIT */
/*
 * An errback that treats a timeout as "no value" and passes everything else on:
 */
#include <errno.h>
#include <evdefer.h>

static struct evresult
forgive_timeout(struct evfailure *failure, void *arg)
{
	(void)arg;
	if (evfailure_get_code(failure) == ETIMEDOUT)
		return evresult_value(NULL);
	return evresult_from_failure(failure);
}
