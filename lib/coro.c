/* SPDX-License-Identifier: MIT */
/*
 * A coroutine is the first link of its Deferred, and stays it until it has ended.
 * A wait is a result that says so, which makes the chain wait; then the link runs
 * again.  Cancel, free, loops of waits and the depth of the stack are thus the
 * Deferred's business, and not thought of here.
 */
#include <evdefer/coro.h>

#include <string.h>

#include "link-internal.h"

/* What went wrong is an error in the program. */
#ifdef EVDEFER_DEBUG
#define MISUSE(words) assert(false && words)
#else
#define MISUSE(words) ((void)0)
#endif

/* Has it a wait that a cancel may end? */
static bool
has_begun(const struct evcoro *co)
{
	return co->at != EVCORO_START_;
}

static bool
is_at_wait(const struct evcoro *co)
{
	return co->at > 0;
}

/* Calls the function of the coroutine, to go on there. */
static struct evresult
call_function(struct evcoro *co, int enter)
{
	co->enter = enter;
	co->at = EVCORO_RUNNING_;
	return evresult_take_(co->fn(co, co->arg));
}

/* Lets go of what the function has seen of the last wait, which may call one of
 * the user's. */
static void
forget_last(struct evcoro *co)
{
	struct evfailure *failure = co->failure;

	co->value = NULL;
	co->failure = NULL;
	evfailure_unref(failure);
}

/* What the function sees of the last wait. */
static void
set_last(struct evcoro *co, struct evresult last)
{
	forget_last(co);
	if (evresult_is_failure_(last))
		co->failure = last.data;
	else
		co->value = last.data;
}

/* Refuses a wait of the cleanup, which goes on.  The Deferred of the coroutine
 * itself stays its consumer's. */
static struct evresult
refuse_wait(
    struct evcoro *co, const struct evdeferred *own, struct evresult wait)
{
	MISUSE("a cleanup can't wait");
	if (!evresult_is_deferred_(wait))
		evresult_dispose(wait);
	else if (wait.data != own)
		evdeferred_detach(wait.data);
	set_last(co, evresult_fail(EINVAL, "a cleanup can't wait"));
	return call_function(co, co->at);
}

/* Runs the cleanup, and gives what is the result of the coroutine then. */
static struct evresult
clean_up(
    struct evcoro *co, const struct evdeferred *own, struct evresult result)
{
	struct evresult other;

	set_last(co, evresult_is_failure_(result)
			 ? evresult_from_failure(evfailure_ref(result.data))
			 : evresult_value(NULL));
	other = call_function(co, EVCORO_CLEANUP_);
	while (is_at_wait(co))
		other = refuse_wait(co, own, other);
	/* To the end of it, or there is none. */
	if (co->at == EVCORO_ENDED_ || co->at == EVCORO_LOST_)
		return result;
	evresult_dispose(result);
	return other;
}

/* Begins or goes on, with a plain value or a failure that is taken over.
 * Returns what to wait for, or what its body returned. */
static struct evresult
resume(struct evcoro *co, struct evresult last)
{
	struct evresult result;

	set_last(co, last);
	result = call_function(co, co->at);
	if (co->at != EVCORO_LOST_)
		return result;
	MISUSE("a coroutine waited inside of another switch");
	return evresult_fail(
	    EINVAL, "a coroutine waited inside of another switch");
}

/* Cleans up behind a body that has returned that.  Returns the result of the
 * coroutine, which is gone then.  Its own Deferred is to be known where that
 * still has a consumer. */
static struct evresult
end_coroutine(
    struct evcoro *co, const struct evdeferred *own, struct evresult result)
{
	void (*free_arg)(void *arg) = co->free_arg;
	void *arg = co->arg;

	result = clean_up(co, own, result);
	set_last(co, evresult_value(NULL));
	memset(co, 0, sizeof(*co));
	if (free_arg != NULL)
		free_arg(arg);
	return result;
}

static void
run_coroutine(const struct evlink *link, struct evdeferred *d)
{
	struct evcoro *co = link->object;
	struct evresult result;

	evlink_push_(d, link);
	forget_last(co);
	if ((d->flags & EVDEFERRED_CANCEL) && has_begun(co)) {
		evdeferred_clear_(d, EVDEFERRED_CANCEL);
		evresult_dispose(evlink_take_(d));
		d->u.result = evresult_fixed_(EVFAILURE_CANCELLED);
	}
	/* By what has gone, whose owner may have, too: only the cleanup is left. */
	if (d->flags & EVDEFERRED_FREED)
		return;
	evlink_check_grant_(d);
	result = evlink_take_(d);
	if (!evresult_is_failure_(result))
		result = evresult_value(evresult_receive_(result));
	d->base->deliveries++;
	result = resume(co, result);
	if (!is_at_wait(co)) {
		result = end_coroutine(co, d, result);
		evdeferred_clear_(d, EVDEFERRED_RESUMES);
		evlink_pop_(d);
	}
	d->u.result = result;
}

/* In the middle of a wait, or before it has begun. */
static void
drop_coroutine(const struct evlink *link, struct evdeferred *d)
{
	evdeferred_clear_(d, EVDEFERRED_RESUMES);
	evresult_dispose(end_coroutine(
	    link->object, NULL, evresult_fixed_(EVFAILURE_CANCELLED)));
}

static const struct evlink_type coroutine_link = {
    run_coroutine, drop_coroutine};

struct evdeferred *
evcoro_start(struct evdefer_base *base, struct evcoro *co, evcoro_fn fn,
    void *arg, void (*free_arg)(void *arg))
{
	struct evdeferred *d;
	struct evlink *link;

	if (base == NULL || co == NULL || fn == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(base);
	if (co->fn != NULL)
		return evdefer_refuse_new_(EBUSY);
	/* First what can be kept if the rest fails. */
	if (evpool_reserve_(&base->links, 1) == -1)
		return NULL;
	d = evdeferred_new(base, NULL, NULL);
	if (d == NULL)
		return NULL;
	co->fn = fn;
	co->arg = arg;
	co->free_arg = free_arg;
	co->at = EVCORO_START_;
	link = evlink_append_(d);
	link->type = &coroutine_link;
	link->object = co;
	evdeferred_set_(d, EVDEFERRED_RESUMES);
	evdeferred_fire_(d, evresult_value(NULL));
	return d;
}
