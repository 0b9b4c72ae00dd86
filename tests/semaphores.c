/* SPDX-License-Identifier: MIT */
#include "semaphores.h"

struct evsemaphore *semaphore;

void
make(int i, size_t tokens)
{
	semaphore =
	    evsemaphore_new(base, tokens, i % 2 == 0 ? 0 : EVSEMAPHORE_FAST);
	ck_assert_ptr_nonnull(semaphore);
}

void
want(struct waiter *waiter)
{
	wait_with(waiter, evsemaphore_acquire(semaphore, NULL), semaphore);
}

void
leave(void)
{
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	settle();
}

void
counts(size_t inside, size_t waiting)
{
	struct evsemaphore_stats stats;

	evsemaphore_get_stats(semaphore, &stats);
	ck_assert_uint_eq(stats.inside, inside);
	ck_assert_uint_eq(stats.waiting, waiting);
	ck_assert_uint_eq(evsemaphore_get_tokens(semaphore),
	    evsemaphore_get_limit(semaphore) - inside);
}

void
done(struct waiter *waiters, int count)
{
	free_waiters(waiters, count);
	counts(0, 0);
	evsemaphore_free(semaphore);
}
