/* SPDX-License-Identifier: MIT */
/* What the tests of memory share. */
#ifndef TESTS_SHORTAGE_H
#define TESTS_SHORTAGE_H

#include "support.h"

/* That a call without any memory fails with ENOMEM, and returns NULL or -1. */
#define NULL_WITHOUT_MEMORY(call)                                              \
	do {                                                                   \
		const void *nothing;                                           \
		int code;                                                      \
                                                                               \
		if (!alloc_works())                                            \
			break;                                                 \
		alloc_fail_at(1, true);                                        \
		errno = 0;                                                     \
		nothing = (call);                                              \
		code = errno;                                                  \
		alloc_fail_at(0, false);                                       \
		ck_assert_ptr_null(nothing);                                   \
		ck_assert_int_eq(code, ENOMEM);                                \
	} while (0)
#define REFUSED_WITHOUT_MEMORY(call)                                           \
	do {                                                                   \
		int result, code;                                              \
                                                                               \
		if (!alloc_works())                                            \
			break;                                                 \
		alloc_fail_at(1, true);                                        \
		errno = 0;                                                     \
		result = (call);                                               \
		code = errno;                                                  \
		alloc_fail_at(0, false);                                       \
		ck_assert_int_eq(result, -1);                                  \
		ck_assert_int_eq(code, ENOMEM);                                \
	} while (0)

/* That many rounds allocate nothing once the first is over.  Each returns how much
 * of it went as it should, which is as much as there is. */
void check_steady_state(int (*round)(void), int all);

/* Tries something in a loop of its own, with the n-th allocation made to fail, and
 * all after it too if it is to go on.  Checks that no memory is left.  Returns
 * whether an allocation failed. */
bool fails_at(size_t n, bool onwards, void (*attempt)(void *arg), void *arg);

#endif
