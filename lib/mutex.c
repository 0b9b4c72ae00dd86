/* SPDX-License-Identifier: MIT */
/*
 * A mutex is a semaphore with one token.  Its type has no definition: behind
 * the pointer is that semaphore, so that the value of a grant is the mutex.
 */
#include <evdefer/mutex.h>

#include "semaphore-internal.h"

_Static_assert(EVMUTEX_FAST == EVSEMAPHORE_FAST, "flags are handed on");

static struct evsemaphore *
as_semaphore(const struct evmutex *mutex)
{
	return (struct evsemaphore *)mutex;
}

struct evmutex *
evmutex_new(struct evdefer_base *base, unsigned flags)
{
	return (struct evmutex *)evsemaphore_new_mutex_(base, flags);
}

void
evmutex_free(struct evmutex *mutex)
{
	evsemaphore_free(as_semaphore(mutex));
}

struct evdeferred *
evmutex_acquire(struct evmutex *mutex, struct evowner *owner)
{
	return evsemaphore_acquire(as_semaphore(mutex), owner);
}

int
evmutex_release(struct evmutex *mutex, struct evowner *owner)
{
	return evsemaphore_release(as_semaphore(mutex), owner);
}

int
evmutex_try(struct evmutex *mutex, struct evowner *owner)
{
	return evsemaphore_try(as_semaphore(mutex), owner);
}

struct evdeferred *
evmutex_with(struct evmutex *mutex, struct evowner *owner,
    const struct timeval *patience, evdeferred_body_fn body, void *arg)
{
	return evsemaphore_with(
	    as_semaphore(mutex), owner, patience, body, arg);
}

int
evmutex_set_name(struct evmutex *mutex, const char *name)
{
	return evsemaphore_set_name(as_semaphore(mutex), name);
}

const char *
evmutex_get_name(const struct evmutex *mutex)
{
	return mutex != NULL ? evsemaphore_get_name(as_semaphore(mutex))
			     : EVMUTEX_NAME_;
}

bool
evmutex_is_locked(const struct evmutex *mutex)
{
	return mutex != NULL &&
	       evsemaphore_get_tokens(as_semaphore(mutex)) == 0;
}

void
evmutex_get_stats(const struct evmutex *mutex, struct evsemaphore_stats *stats)
{
	evsemaphore_get_stats(as_semaphore(mutex), stats);
}
