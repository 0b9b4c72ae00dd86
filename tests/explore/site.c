/* SPDX-License-Identifier: MIT */
#include "site.h"

#include <errno.h>
#include <stdlib.h>

struct told {
	void (*fn)(void *arg);
	void *arg;
	struct evdefer_base *base;
	struct evcoro co;
};

/* Reports are not made inside one another. */
static bool reporting;

static struct told *
new_told(struct evdefer_base *base, void (*fn)(void *arg), void *arg)
{
	struct told *told = calloc(1, sizeof(*told));

	if (told == NULL)
		abort();
	told->fn = fn;
	told->arg = arg;
	told->base = base;
	return told;
}

static void
run_and_free(void *told)
{
	const struct told copy = *(struct told *)told;

	free(told);
	copy.fn(copy.arg);
}

static void
run_as_canceller(struct evdeferred *d, void *told)
{
	(void)d;
	run_and_free(told);
}

static void
give_up(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
}

static struct evresult
run_as_body(struct evcoro *co, void *arg)
{
	struct told *told = arg;

	EVCORO_BEGIN(co);
	told->fn(told->arg);
	EVCORO_END(co);
}

static struct evresult
run_as_cleanup(struct evcoro *co, void *arg)
{
	struct told *told = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evdeferred_new(told->base, give_up, NULL));
	EVCORO_FINALLY(co);
	told->fn(told->arg);
	EVCORO_END(co);
}

static struct evresult
start(struct told *told, evcoro_fn fn)
{
	return evresult_deferred(
	    evcoro_start(told->base, &told->co, fn, told, free));
}

struct evresult
site_run(enum site site, struct evdefer_base *base, struct evdeferred *d,
    void (*fn)(void *arg), void *arg)
{
	if (site == SITE_CALLBACK_2) {
		fn(arg);
		evdeferred_free(d);
		return evresult_value(NULL);
	}
	evdeferred_free(d);
	switch (site) {
	case SITE_FREE:
		return evresult_owned(new_told(base, fn, arg), run_and_free);
	case SITE_CANCELLER:
		return evresult_deferred(evdeferred_new(
		    base, run_as_canceller, new_told(base, fn, arg)));
	case SITE_BODY:
		return start(new_told(base, fn, arg), run_as_body);
	case SITE_CLEANUP:
		return start(new_told(base, fn, arg), run_as_cleanup);
	case SITE_HANDLER:
		if (reporting)
			break;
		return evresult_fail_with(
		    new_told(base, fn, arg), free, EIO, NULL);
	case SITE_CALLBACK:
	case SITE_CALLBACK_2:
	case SITES:
		break;
	}
	fn(arg);
	return evresult_value(NULL);
}

bool
site_report(const struct evfailure *failure)
{
	const struct told *told = evfailure_get_payload(failure);

	if (told == NULL)
		return false;
	reporting = true;
	told->fn(told->arg);
	reporting = false;
	return true;
}
