/* SPDX-License-Identifier: MIT */
/*
 * The bytes that are buffered for all clients together.
 */
#include "budget.h"

void
budget_init(struct budget *budget, size_t max, unsigned loops)
{
	budget->max = max;
	budget->step = max / 16 / loops;
	atomic_init(&budget->all, 0);
}

void
share_init(struct share *share, struct budget *budget)
{
	share->budget = budget;
	share->bytes = 0;
	share->told = 0;
}

void
share_tell(struct share *share)
{
	atomic_fetch_add(&share->budget->all, share->bytes - share->told);
	share->told = share->bytes;
}

void
share_change(struct share *share, size_t less, size_t more)
{
	size_t untold;

	share->bytes += more - less;
	untold = share->bytes > share->told ? share->bytes - share->told
					    : share->told - share->bytes;
	if (untold > share->budget->step)
		share_tell(share);
}

size_t
share_all(const struct share *share)
{
	return atomic_load_explicit(&share->budget->all, memory_order_relaxed) -
	       share->told + share->bytes;
}

bool
share_is_too_much(const struct share *share)
{
	return share_all(share) > share->budget->max;
}
