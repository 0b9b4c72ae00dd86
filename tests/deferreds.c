/* SPDX-License-Identifier: MIT */
#include "deferreds.h"

struct evdeferred *
fresh(void)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	ck_assert_ptr_nonnull(d);
	return d;
}

struct evdeferred *
fired(struct evresult result)
{
	struct evdeferred *d = evdeferred_new_fired(base, result);

	ck_assert_ptr_nonnull(d);
	return d;
}

struct evdeferred *
failed(int code)
{
	return fired(evresult_fail(code, "failed"));
}

struct evresult
wait_value(void *value, void *arg)
{
	(void)value;
	return evresult_deferred(arg);
}

struct evresult
fail_value(void *value, void *arg)
{
	(void)value;
	return evresult_fail(*(int *)arg, "from a link");
}

struct evresult
recover(struct evfailure *failure, void *arg)
{
	(void)failure;
	return evresult_value(arg);
}

void
count_cancel(struct evdeferred *d, void *arg)
{
	(void)d;
	++*(int *)arg;
}

void
trace_cancel(struct evdeferred *d, void *arg)
{
	(void)d;
	trace_add(arg);
}

void
cancel_with_value(struct evdeferred *d, void *arg)
{
	evdeferred_callback(d, arg);
}

void
cancel_with_failure(struct evdeferred *d, void *arg)
{
	evdeferred_errback(d, *(int *)arg, "cancelled my way");
}

void
free_deferred(void *value)
{
	evdeferred_free(value);
}
