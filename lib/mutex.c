/* SPDX-License-Identifier: MIT */
/*
 * A mutex is a semaphore with one token.  Its type has no definition: behind
 * the pointer is that semaphore, so that the value of a grant is the mutex.
 */
#include <evdefer/mutex.h>

_Static_assert(EVMUTEX_FAST == EVSEMAPHORE_FAST, "flags are handed on");

static struct evsemaphore *
semaphore_of(struct evmutex *mutex)
{
	return (struct evsemaphore *)mutex;
}

static const struct evsemaphore *
looked_at(const struct evmutex *mutex)
{
	return (const struct evsemaphore *)mutex;
}

struct evmutex *
evmutex_new(struct evdefer_base *base, unsigned flags)
{
	return (struct evmutex *)evsemaphore_new(base, 1, flags);
}

void
evmutex_free(struct evmutex *mutex)
{
	evsemaphore_free(semaphore_of(mutex));
}

struct evdeferred *
evmutex_acquire(struct evmutex *mutex, struct evowner *owner)
{
	return evsemaphore_acquire(semaphore_of(mutex), owner);
}

int
evmutex_release(struct evmutex *mutex, struct evowner *owner)
{
	return evsemaphore_release(semaphore_of(mutex), owner);
}

int
evmutex_try(struct evmutex *mutex, struct evowner *owner)
{
	return evsemaphore_try(semaphore_of(mutex), owner);
}

struct evdeferred *
evmutex_with(struct evmutex *mutex, struct evowner *owner,
    const struct timeval *patience, evdeferred_body_fn body, void *arg)
{
	return evsemaphore_with(
	    semaphore_of(mutex), owner, patience, body, arg);
}

bool
evmutex_is_locked(const struct evmutex *mutex)
{
	return mutex != NULL && evsemaphore_get_tokens(looked_at(mutex)) == 0;
}

void
evmutex_get_stats(const struct evmutex *mutex, struct evsemaphore_stats *stats)
{
	evsemaphore_get_stats(looked_at(mutex), stats);
}
