/* SPDX-License-Identifier: MIT */
/*
 * A consumer of the Deferred that evdeferred_new(3) has as its example.  It does
 * something after a second, and waits for another second before the last link runs:
 */
#include <stdio.h>
#include <sys/time.h>
#include <evdefer.h>

struct evdeferred *delay_new(
    struct evdefer_base *base, const struct timeval *duration);

static const struct timeval second = {1, 0};

static struct evresult
wait_again(void *value, void *arg)
{
	(void)value;
	return evresult_deferred(delay_new(arg, &second));
}

static struct evresult
report(struct evresult result, void *arg)
{
	(void)arg;
	puts(evresult_is_failure(result) ? "failed" : "two seconds");
	return evresult_value(NULL);
}

int
two_seconds(struct evdefer_base *base)
{
	struct evdeferred *d = delay_new(base, &second);

	if (d == NULL)
		return -1;
	evdeferred_add_callback(d, wait_again, base);
	evdeferred_add_both(d, report, NULL);
	evdeferred_detach(d);
	return 0;
}
