/* SPDX-License-Identifier: MIT */
#include "coro-internal.h"

#include <errno.h>
#include <string.h>

#include "base-internal.h"
#include "deferred-internal.h"
#include "result-internal.h"

/* What went wrong is an error in the program. */
#ifdef EVDEFER_DEBUG
#define MISUSE(words) assert(false && words)
#else
#define MISUSE(words) ((void)0)
#endif

/* Calls the function of the coroutine, to go on there. */
static struct evresult
call(struct evcoro *co, int enter)
{
	co->enter = enter;
	co->at = EVCORO_RUNNING_;
	return evresult_take_(co->fn(co, co->arg));
}

void
evcoro_forget_last_(struct evcoro *co)
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
	evcoro_forget_last_(co);
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
	return call(co, co->at);
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
	other = call(co, EVCORO_CLEANUP_);
	while (co->at > 0)
		other = refuse_wait(co, own, other);
	/* To the end of it, or there is none. */
	if (co->at == EVCORO_ENDED_ || co->at == EVCORO_LOST_)
		return result;
	evresult_dispose(result);
	return other;
}

struct evresult
evcoro_resume_(struct evcoro *co, struct evresult last)
{
	struct evresult result;

	set_last(co, last);
	result = call(co, co->at);
	if (co->at != EVCORO_LOST_)
		return result;
	MISUSE("a coroutine waited inside of another switch");
	return evresult_fail(
	    EINVAL, "a coroutine waited inside of another switch");
}

struct evresult
evcoro_end_(
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

void
evcoro_drop_(struct evcoro *co)
{
	evresult_dispose(
	    evcoro_end_(co, NULL, evresult_fixed_(EVFAILURE_CANCELLED)));
}

struct evdeferred *
evcoro_start(struct evdefer_base *base, struct evcoro *co, evcoro_fn fn,
    void *arg, void (*free_arg)(void *arg))
{
	struct evdeferred *d;

	if (base == NULL || co == NULL || fn == NULL) {
		errno = EINVAL;
		return NULL;
	}
	evdefer_base_check_(base);
	if (co->fn != NULL) {
		errno = EBUSY;
		return NULL;
	}
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
	evdeferred_start_coro_(d, co);
	return d;
}
