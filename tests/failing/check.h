/* SPDX-License-Identifier: MIT */
/*
 * Stands in for Check's header where the tests run with allocations that fail.
 *
 * It has what our tests use of Check, and no assertion of it allocates: so
 * each allocation of a test can be made to fail.  check.c has the other half,
 * which runs each test again and again, and says what is expected of it then.
 */
#ifndef TESTS_FAILING_CHECK_H
#define TESTS_FAILING_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	const char *name;
	void (*run)(int i);
} TTest;
typedef struct suite Suite;
typedef struct tcase TCase;
typedef struct suite SRunner;
enum print_output { CK_NORMAL };

#define START_TEST(test)                                                       \
	static void test##_fn(int _i);                                         \
	static const TTest test##_test = {#test, test##_fn};                   \
	static const TTest *const test = &test##_test;                         \
	static void test##_fn(__attribute__((unused)) int _i)
#define END_TEST

Suite *suite_create(const char *name);
void suite_add_tcase(Suite *suite, TCase *tc);
TCase *tcase_create(const char *name);
void tcase_set_timeout(TCase *tc, double seconds);
void tcase_add_checked_fixture(
    TCase *tc, void (*setup)(void), void (*teardown)(void));
void check_add(TCase *tc, const TTest *test, int signal, int start, int end);
#define tcase_add_test(tc, test) check_add(tc, test, 0, 0, 1)
#define tcase_add_loop_test(tc, test, start, end)                              \
	check_add(tc, test, 0, start, end)
#define tcase_add_test_raise_signal(tc, test, signal)                          \
	check_add(tc, test, signal, 0, 1)
#define tcase_add_loop_test_raise_signal(tc, test, signal, start, end)         \
	check_add(tc, test, signal, start, end)
SRunner *srunner_create(Suite *suite);
void srunner_run_all(SRunner *runner, enum print_output how);
int srunner_ntests_failed(SRunner *runner);
void srunner_free(SRunner *runner);

/* Ends the test. */
_Noreturn void check_broken(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define check_that(condition, ...)                                             \
	((condition) ? (void)0 : check_broken(__FILE__, __LINE__, __VA_ARGS__))
#define check_compare(type, format, a, op, b)                                  \
	do {                                                                   \
		const type check_a = (type)(a);                                \
		const type check_b = (type)(b);                                \
		check_that(check_a op check_b,                                 \
		    "%s %s %s: %" format " and %" format, #a, #op, #b,         \
		    check_a, check_b);                                         \
	} while (0)

#define ck_assert(condition) check_that(condition, "%s", #condition)
#define ck_assert_msg(condition, ...) check_that(condition, __VA_ARGS__)
#define ck_abort_msg(...) check_broken(__FILE__, __LINE__, __VA_ARGS__)

#define ck_assert_int_eq(a, b) check_compare(intmax_t, "jd", a, ==, b)
#define ck_assert_int_ne(a, b) check_compare(intmax_t, "jd", a, !=, b)
#define ck_assert_int_lt(a, b) check_compare(intmax_t, "jd", a, <, b)
#define ck_assert_int_le(a, b) check_compare(intmax_t, "jd", a, <=, b)
#define ck_assert_int_gt(a, b) check_compare(intmax_t, "jd", a, >, b)
#define ck_assert_int_ge(a, b) check_compare(intmax_t, "jd", a, >=, b)
#define ck_assert_uint_eq(a, b) check_compare(uintmax_t, "ju", a, ==, b)
#define ck_assert_uint_lt(a, b) check_compare(uintmax_t, "ju", a, <, b)
#define ck_assert_uint_le(a, b) check_compare(uintmax_t, "ju", a, <=, b)
#define ck_assert_uint_gt(a, b) check_compare(uintmax_t, "ju", a, >, b)
#define ck_assert_uint_ge(a, b) check_compare(uintmax_t, "ju", a, >=, b)
#define ck_assert_ptr_eq(a, b)                                                 \
	check_compare(void *, "p", (uintptr_t)(a), ==, (uintptr_t)(b))
#define ck_assert_ptr_null(a) check_that((a) == NULL, "%s is not NULL", #a)
#define ck_assert_ptr_nonnull(a) check_that((a) != NULL, "%s is NULL", #a)

/* NULL is the same as NULL only. */
bool check_same(const char *a, const char *b);
#define ck_assert_str_eq(a, b)                                                 \
	check_that(check_same(a, b), "%s is not %s", #a, #b)
#define ck_assert_str_ne(a, b) check_that(!check_same(a, b), "%s is %s", #a, #b)
#define ck_assert_mem_eq(a, b, size)                                           \
	check_that(memcmp(a, b, size) == 0, "%s is not %s", #a, #b)

#endif
