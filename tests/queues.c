/* SPDX-License-Identifier: MIT */
#include "queues.h"

struct evqueue *queue;
int numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

void
make(int i, size_t size, size_t backlog)
{
	queue = evqueue_new(base, size, backlog, i % 2 == 0 ? 0 : EVQUEUE_FAST);
	ck_assert_ptr_nonnull(queue);
}

void
put(int number)
{
	ck_assert_int_eq(
	    evqueue_put(queue, evresult_value(&numbers[number])), 0);
}

void
get(struct waiter *waiter)
{
	wait_with(waiter, evqueue_get(queue), NULL);
}

void
got(const struct waiter *waiter, int number)
{
	ck_assert_int_eq(waiter->ended, 1);
	ck_assert_int_eq(waiter->granted, 1);
	ck_assert_ptr_eq(waiter->value, &numbers[number]);
}

void
counts(size_t queued, size_t waiting)
{
	struct evqueue_stats stats;

	evqueue_get_stats(queue, &stats);
	ck_assert_uint_eq(stats.queued, queued);
	ck_assert_uint_eq(stats.waiting, waiting);
}

void
done(struct waiter *waiters, int count)
{
	free_waiters(waiters, count);
	evqueue_free(queue);
}
