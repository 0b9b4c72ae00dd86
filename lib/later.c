/* SPDX-License-Identifier: MIT */
#include "base-internal.h"
#include "deferred-internal.h"
#include "timeout-internal.h"
#include "with-internal.h"

static void
stop_delay(struct evdeferred *d, void *arg)
{
	(void)d;
	evtimeout_stop_(arg);
}

struct evdeferred *
evdeferred_later(struct evdefer_base *base, const struct timeval *delay,
    evdeferred_body_fn body, void *arg)
{
	struct evtimeout *timeout;
	struct evdeferred *d;

	if (base == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(base);
	if (evtimeout_check_(base, delay) == -1)
		return NULL;
	d = evdeferred_new_private_(base, stop_delay, NULL);
	if (d == NULL)
		return NULL;
	timeout = evtimeout_start_(d, delay, true);
	if (timeout == NULL) {
		evdeferred_produce_(d, evresult_value(NULL));
		evdeferred_free(d);
		return evdefer_refuse_new_(ENOMEM);
	}
	d->u.canceller.arg = timeout;
	/* This link has no value to dispose of afterwards. */
	if (body != NULL && evdeferred_add_with_(d, body, arg) == -1) {
		evdeferred_free(d);
		return evdefer_refuse_new_(ENOMEM);
	}
	return d;
}
