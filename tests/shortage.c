/* SPDX-License-Identifier: MIT */
#include "shortage.h"

void
check_steady_state(int (*round)(void), int all)
{
	int i, good = 0;
	size_t calls;

	round();
	calls = alloc_calls();
	for (i = 0; i < 1000; i++)
		good += round();
	calls = alloc_calls() - calls;
	ck_assert_int_eq(good, 1000 * all);
	ck_assert_uint_eq(calls, 0);
}

bool
fails_at(size_t n, bool onwards, void (*attempt)(void *arg), void *arg)
{
	struct event_base *outer = loop;
	const long live = alloc_live();

	/* A new one: what its timers need may fail, too. */
	loop = support_new_loop();
	alloc_fail_at(n, onwards);
	attempt(arg);
	alloc_fail_at(0, false);
	event_base_free(loop);
	loop = outer;
	ck_assert_msg(alloc_live() == live, "leak at n = %zu", n);
	return alloc_failed() && alloc_works();
}
