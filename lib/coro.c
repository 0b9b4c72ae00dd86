/* SPDX-License-Identifier: MIT */
/*
 * A coroutine is the first link of its Deferred, and stays that until it has ended.
 * To wait it returns a Deferred, as any link may; the chain waits for that, and runs
 * the link again.  So cancel, free, loops of waits and the depth of the stack are the
 * business of the Deferred, and not of this file.
 */
#include <evdefer/coro.h>

#include <string.h>

#include "link-internal.h"

/* Stops a program that has made a mistake. */
#ifdef EVDEFER_DEBUG
#define MISUSE(words) assert(false && words)
#else
#define MISUSE(words) ((void)0)
#endif

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

/* Calls the function of the coroutine, which goes on at that place. */
static struct evresult
call_function(struct evcoro *co, int enter)
{
	co->enter = enter;
	co->at = EVCORO_RUNNING_;
	return evresult_take_(co->fn(co, co->arg));
}

/* Lets go of the result of the last wait, which may call a function of the
 * user's. */
static void
forget_last(struct evcoro *co)
{
	struct evfailure *failure = co->failure;

	co->value = NULL;
	co->failure = NULL;
	evfailure_unref(failure);
}

/* Shows the function the result of a wait. */
static void
set_last(struct evcoro *co, struct evresult last)
{
	forget_last(co);
	if (evresult_is_failure_(last))
		co->failure = last.data;
	else
		co->value = last.data;
}

/* Refuses a wait of the cleanup, and goes on with that.  The Deferred of the
 * coroutine itself, if it is to be waited for, stays its consumer's. */
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

/* Runs the cleanup.  Returns the result of the coroutine, which that may change. */
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
	/* The cleanup has come to its end, or there is none. */
	if (co->at == EVCORO_ENDED_ || co->at == EVCORO_LOST_)
		return result;
	evresult_dispose(result);
	return other;
}

/* Begins or goes on, with a plain value or a failure, which it takes over.  Returns
 * what to wait for, or what the body returned. */
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

/* Cleans up after the body, which has returned that result.  Returns the result of
 * the coroutine, which is gone then.  Its own Deferred is NULL if that has no
 * consumer any more. */
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
	/* By what has just been let go of, which may call anything: then only the
	 * cleanup is left. */
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
	/* Before the rest, since it can stay if that fails. */
	if (evpool_reserve_one_(&base->links) == -1)
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
