/* SPDX-License-Identifier: MIT */
#include "chain-internal.h"

#include <errno.h>

_Static_assert(sizeof(void *) != 8 || sizeof(struct evdeferred) == 64,
    "a Deferred fills one cache line");

static inline struct evdeferred *
make(struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg)
{
	struct evdeferred *d = evdeferred_make_(base, 0);

	d->u.canceller.fn = canceller;
	d->u.canceller.arg = arg;
	return d;
}

static EVDEFER_RARE_ struct evdeferred *
new_slowly(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg)
{
	struct evdeferred *d;

	if (base == NULL) {
		errno = EINVAL;
		return NULL;
	}
	evdefer_base_check_(base);
	if (evpool_reserve_(&base->deferreds, 1) == -1)
		return NULL;
	d = make(base, canceller, arg);
	if (base->debug)
		evcreation_record_(evdeferred_creation_(d));
	return d;
}

struct evdeferred *
evdeferred_new(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg)
{
	if (base == NULL || !evdeferred_can_make_(base))
		return new_slowly(base, canceller, arg);
	evdefer_base_check_(base);
	return make(base, canceller, arg);
}

struct evdeferred *
evdeferred_new_private_(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg)
{
	struct evdeferred *d = evdeferred_new(base, canceller, arg);

	if (d != NULL)
		evdeferred_set_(d, EVDEFERRED_PRIVATE);
	return d;
}

void
evdeferred_produce_(struct evdeferred *d, struct evresult result)
{
	evdeferred_fire_(d, evresult_take_(result));
}

struct evdeferred *
evdeferred_new_fired(struct evdefer_base *base, struct evresult result)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	if (d != NULL)
		evdeferred_fire_(d, evresult_take_(result));
	return d;
}

struct evdeferred *
evdeferred_succeed(struct evdefer_base *base, void *value)
{
	return evdeferred_new_fired(base, evresult_value(value));
}

struct evdeferred *
evdeferred_fail_at(const char *file, int line, struct evdefer_base *base,
    int code, const char *format, ...)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	va_list args;

	if (d == NULL)
		return NULL;
	va_start(args, format);
	evdeferred_fire_(
	    d, evresult_vfail_(file, line, NULL, code, format, args));
	va_end(args);
	return d;
}

struct evdeferred *
evdeferred_maybe(struct evdefer_base *base, evdeferred_body_fn body, void *arg)
{
	struct evdeferred *d;

	if (body == NULL) {
		errno = EINVAL;
		return NULL;
	}
	d = evdeferred_new(base, NULL, NULL);
	if (d != NULL)
		evdeferred_fire_(d, evresult_take_(body(arg)));
	return d;
}

/* Whether it takes a result; -1 with errno if not. */
static inline int
check_fire(const struct evdeferred *d)
{
	if (d == NULL) {
		errno = EINVAL;
		return -1;
	}
	evdefer_base_check_(d->base);
	if ((d->flags & EVDEFERRED_FIRED) && !(d->flags & EVDEFERRED_LATE)) {
		errno = EALREADY;
		return -1;
	}
	if (d->flags & EVDEFERRED_PRIVATE) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* The result of one that was cancelled before it came. */
static void
end_late(struct evdeferred *d, struct evresult result)
{
	evdeferred_clear_(d, EVDEFERRED_LATE);
	/* That d would wait for itself is a failure, which is late as well; d
	 * stays its consumer's. */
	if (evresult_is_deferred_(result) && result.data == d)
		result = evresult_fixed_(EVFAILURE_LOOP);
	/* Before the user's function, which may free d as well. */
	evdeferred_collect_(d);
	evresult_dispose(result);
}

static EVDEFER_RARE_ int
fire_slowly(struct evdeferred *d, struct evresult result)
{
	if (check_fire(d) == -1)
		return -1;
	if (d->flags & EVDEFERRED_FIRED) {
		end_late(d, result);
		return 0;
	}
	evdeferred_leave_chain_(d);
	evdeferred_fire_(d, evresult_take_(result));
	return 0;
}

int
evdeferred_fire(struct evdeferred *d, struct evresult result)
{
	const unsigned special =
	    EVDEFERRED_FIRED | EVDEFERRED_PRIVATE | EVDEFERRED_CHAINED;

	if (d == NULL || (d->flags & special) || !evresult_is_plain_(result))
		return fire_slowly(d, result);
	evdefer_base_check_(d->base);
	evdeferred_fire_(d, result);
	return 0;
}

int
evdeferred_callback(struct evdeferred *d, void *value)
{
	return evdeferred_fire(d, evresult_value(value));
}

int
evdeferred_errback_at(const char *file, int line, struct evdeferred *d,
    int code, const char *format, ...)
{
	struct evresult result;
	va_list args;

	if (check_fire(d) == -1)
		return -1;
	va_start(args, format);
	result = evresult_vfail_(file, line, NULL, code, format, args);
	va_end(args);
	return evdeferred_fire(d, result);
}

bool
evdeferred_has_fired(const struct evdeferred *d)
{
	if (d == NULL)
		return false;
	evdefer_base_check_(d->base);
	/* A coroutine is a link that runs from the beginning. */
	return (d->flags & EVDEFERRED_FIRED) && evdeferred_coro_(d) == NULL;
}

void
evdeferred_fire_chained_(struct evdeferred *d, struct evresult result)
{
	evdeferred_clear_(d, EVDEFERRED_CHAINED);
	evdeferred_fire_(d, result);
}
