/* SPDX-License-Identifier: MIT */
/* evdefer/result.h: values and failures, and who owns them. */
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

START_TEST(value_is_handed_on)
{
	int n = 1;
	struct evresult r = evresult_value(&n);

	ck_assert(!evresult_is_failure(r));
	ck_assert(!evresult_is_deferred(r));
	ck_assert_ptr_eq(evresult_get_value(r), &n);
	ck_assert_ptr_null(evresult_get_failure(r));
	evresult_dispose(r);
}
END_TEST

START_TEST(value_may_be_null)
{
	struct evresult r = evresult_value(NULL);

	ck_assert(!evresult_is_failure(r));
	ck_assert_ptr_null(evresult_get_value(r));
	evresult_dispose(r);
}
END_TEST

START_TEST(result_is_two_words)
{
	ck_assert_uint_eq(sizeof(struct evresult), 2 * sizeof(void *));
}
END_TEST

START_TEST(owned_value_is_freed_by_dispose)
{
	int freed = 0;
	struct evresult r = counting(&freed);

	ck_assert_ptr_eq(evresult_get_value(r), &freed);
	ck_assert(!evresult_is_failure(r));
	ck_assert(!evresult_is_deferred(r));
	ck_assert_ptr_null(evresult_get_failure(r));
	ck_assert_int_eq(freed, 0);
	evresult_dispose(r);
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(owned_without_free_function_is_plain)
{
	int n = 1;
	struct evresult r = evresult_owned(&n, NULL);

	ck_assert_ptr_eq(evresult_get_value(r), &n);
	evresult_dispose(r);
	ck_assert_int_eq(n, 1);
}
END_TEST

/* A free function gets NULL too if that is the value. */
static int null_freed;

static void
free_null(void *value)
{
	if (value == NULL)
		null_freed++;
}

START_TEST(owned_null_is_freed_too)
{
	struct evresult r = evresult_owned(NULL, free_null);

	ck_assert_ptr_null(evresult_get_value(r));
	evresult_dispose(r);
	ck_assert_int_eq(null_freed, 1);
}
END_TEST

START_TEST(failure_remembers_code_message_and_place)
{
	int line = __LINE__ + 1;
	struct evresult r = evresult_fail(EPERM, "no %s for %d", "way", 7);
	struct evfailure *f = evresult_get_failure(r);

	ck_assert(evresult_is_failure(r));
	ck_assert(!evresult_is_deferred(r));
	ck_assert_ptr_null(evresult_get_value(r));
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(evfailure_get_code(f), EPERM);
	ck_assert_str_eq(evfailure_get_message(f), "no way for 7");
	ck_assert_str_eq(evfailure_get_file(f), __FILE__);
	ck_assert_int_eq(evfailure_get_line(f), line);
	ck_assert_ptr_null(evfailure_get_cause(f));
	evresult_dispose(r);
}
END_TEST

START_TEST(failure_without_format_says_strerror)
{
	struct evresult r = evresult_fail(ENOENT, NULL);

	ck_assert_str_eq(
	    evfailure_get_message(evresult_get_failure(r)), strerror(ENOENT));
	evresult_dispose(r);
}
END_TEST

START_TEST(failure_takes_place_from_caller)
{
	struct evresult r = evresult_fail_at("there.c", 42, EIO, "%s", "x");
	struct evfailure *f = evresult_get_failure(r);

	ck_assert_str_eq(evfailure_get_file(f), "there.c");
	ck_assert_int_eq(evfailure_get_line(f), 42);
	evresult_dispose(r);
}
END_TEST

START_TEST(failure_code_not_above_0_is_einval)
{
	static const int codes[] = {0, -1, INT_MIN};
	struct evresult r = evresult_fail(codes[_i], "x");

	ck_assert_int_eq(evfailure_get_code(evresult_get_failure(r)), EINVAL);
	ck_assert_str_eq(evfailure_get_message(evresult_get_failure(r)), "x");
	evresult_dispose(r);
}
END_TEST

START_TEST(failure_without_format_of_bad_code_says_einval)
{
	struct evresult r = evresult_fail(0, NULL);

	ck_assert_str_eq(
	    evfailure_get_message(evresult_get_failure(r)), strerror(EINVAL));
	evresult_dispose(r);
}
END_TEST

START_TEST(failure_keeps_long_and_empty_messages)
{
	char text[10000];
	struct evresult r, empty;

	memset(text, 'm', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	r = evresult_fail(EIO, "%s", text);
	ck_assert_str_eq(evfailure_get_message(evresult_get_failure(r)), text);
	evresult_dispose(r);
	empty = evresult_fail(EIO, "%s", "");
	ck_assert_str_eq(
	    evfailure_get_message(evresult_get_failure(empty)), "");
	evresult_dispose(empty);
}
END_TEST

START_TEST(failure_keeps_errno_alone)
{
	struct evresult r;

	errno = ENOTTY;
	r = evresult_fail(EIO, "%d", 1);
	evresult_dispose(r);
	ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

START_TEST(failure_costs_one_allocation)
{
	size_t before, made;
	struct evresult r;

	if (!alloc_works())
		return;
	before = alloc_calls();
	r = evresult_fail(EIO, "%d", 1);
	made = alloc_calls() - before;
	evresult_dispose(r);
	ck_assert_uint_eq(made, 1);
}
END_TEST

START_TEST(wrap_keeps_its_cause_alive)
{
	struct evresult inner = evresult_fail(ENOENT, "inner");
	int line = __LINE__ + 1;
	struct evresult r =
	    evresult_wrap(evresult_get_failure(inner), EIO, "outer %d", 1);
	struct evfailure *f = evresult_get_failure(r);

	evresult_dispose(inner);
	ck_assert_int_eq(evfailure_get_code(f), EIO);
	ck_assert_str_eq(evfailure_get_message(f), "outer 1");
	ck_assert_str_eq(evfailure_get_file(f), __FILE__);
	ck_assert_int_ge(evfailure_get_line(f), line);
	ck_assert_int_le(evfailure_get_line(f), line + 1);
	ck_assert_ptr_nonnull(evfailure_get_cause(f));
	ck_assert_int_eq(evfailure_get_code(evfailure_get_cause(f)), ENOENT);
	ck_assert_str_eq(
	    evfailure_get_message(evfailure_get_cause(f)), "inner");
	evresult_dispose(r);
}
END_TEST

START_TEST(wrap_of_nothing_has_no_cause)
{
	struct evresult r = evresult_wrap(NULL, EIO, NULL);
	struct evfailure *f = evresult_get_failure(r);

	ck_assert_int_eq(evfailure_get_code(f), EIO);
	ck_assert_str_eq(evfailure_get_message(f), strerror(EIO));
	ck_assert_ptr_null(evfailure_get_cause(f));
	evresult_dispose(r);
}
END_TEST

START_TEST(wrap_takes_place_from_caller)
{
	struct evresult inner = evresult_fail(ENOENT, "inner");
	struct evresult r =
	    evresult_wrap_at("w.c", 9, evresult_get_failure(inner), 0, "outer");
	struct evfailure *f = evresult_get_failure(r);

	ck_assert_str_eq(evfailure_get_file(f), "w.c");
	ck_assert_int_eq(evfailure_get_line(f), 9);
	ck_assert_int_eq(evfailure_get_code(f), EINVAL);
	evresult_dispose(r);
	ck_assert_str_eq(
	    evfailure_get_message(evresult_get_failure(inner)), "inner");
	evresult_dispose(inner);
}
END_TEST

/* Freeing such a tower must not recurse. */
START_TEST(million_causes_are_freed)
{
	size_t i, scale = support_scale();
	struct evresult r = evresult_fail(EIO, "0");

	for (i = 0; i < scale; i++) {
		struct evresult outer =
		    evresult_wrap(evresult_get_failure(r), EIO, "w");

		evresult_dispose(r);
		r = outer;
	}
	evresult_dispose(r);
}
END_TEST

START_TEST(failure_of_null_is_einval)
{
	struct evresult r = evresult_from_failure(NULL);

	ck_assert(evresult_is_failure(r));
	ck_assert_int_eq(evfailure_get_code(evresult_get_failure(r)), EINVAL);
	ck_assert_ptr_nonnull(evfailure_get_message(evresult_get_failure(r)));
	evresult_dispose(r);
}
END_TEST

START_TEST(failure_is_the_same_failure)
{
	struct evresult r = evresult_fail(EIO, "x");
	struct evresult same = evresult_from_failure(evresult_get_failure(r));

	ck_assert_ptr_eq(evresult_get_failure(same), evresult_get_failure(r));
	evresult_dispose(r);
}
END_TEST

START_TEST(failure_lives_while_referenced)
{
	struct evresult r = evresult_fail(EIO, "x");
	struct evfailure *f = evresult_get_failure(r);

	ck_assert_ptr_eq(evfailure_ref(f), f);
	evresult_dispose(r);
	ck_assert_int_eq(evfailure_get_code(f), EIO);
	evfailure_unref(f);
	evfailure_unref(NULL);
}
END_TEST

START_TEST(deferred_is_one)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evresult r = evresult_deferred(d);

	ck_assert(evresult_is_deferred(r));
	ck_assert(!evresult_is_failure(r));
	ck_assert_ptr_null(evresult_get_value(r));
	ck_assert_ptr_null(evresult_get_failure(r));
	ck_assert_int_eq(evdeferred_callback(d, NULL), 0);
	evresult_dispose(r);
}
END_TEST

START_TEST(no_failure_has_nothing)
{
	struct evresult result = evresult_fail(EIO, "no cause");
	struct evfailure *cause =
	    evfailure_get_cause(evresult_get_failure(result));

	ck_assert_ptr_null(cause);
	ck_assert_int_eq(evfailure_get_code(cause), 0);
	ck_assert_str_eq(evfailure_get_message(cause), "");
	ck_assert_ptr_null(evfailure_get_cause(cause));
	ck_assert_uint_eq(evfailure_get_index(cause), EVFAILURE_NO_INDEX);
	ck_assert_ptr_null(evfailure_get_results(cause));
	ck_assert_str_eq(evfailure_get_file(cause), "");
	ck_assert_int_eq(evfailure_get_line(cause), 0);
	ck_assert_ptr_null(evfailure_ref(cause));
	evfailure_unref(cause);
	evresult_dispose(result);
}
END_TEST

START_TEST(deferred_of_null_fails_with_errno)
{
	struct evresult r;

	errno = ENOSPC;
	r = evresult_deferred(NULL);
	ck_assert(evresult_is_failure(r));
	ck_assert(!evresult_is_deferred(r));
	ck_assert_int_eq(evfailure_get_code(evresult_get_failure(r)), ENOSPC);
	evresult_dispose(r);
	errno = 0;
	r = evresult_deferred(NULL);
	ck_assert_int_eq(evfailure_get_code(evresult_get_failure(r)), EINVAL);
	evresult_dispose(r);
}
END_TEST

START_TEST(dispose_frees_what_a_deferred_holds)
{
	int freed = 0;

	evresult_dispose(
	    evresult_deferred(evdeferred_new_fired(base, counting(&freed))));
	ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(dispose_of_failure_is_no_report)
{
	evresult_dispose(evresult_fail(EIO, "quiet"));
	ck_assert_int_eq(report.count, 0);
}
END_TEST

START_TEST(without_memory_a_failure_is_enomem)
{
	struct evresult r, cause = evresult_fail(EIO, "cause");
	struct evfailure *f;

	if (!alloc_works()) {
		evresult_dispose(cause);
		return;
	}
	alloc_fail_at(1, true);
	switch (_i) {
	case 0:
		r = evresult_fail(EPERM, "%d", 1);
		break;
	case 1:
		r = evresult_fail(EPERM, NULL);
		break;
	case 2:
		r = evresult_wrap(evresult_get_failure(cause), EPERM, "x");
		break;
	case 3:
		errno = EPERM;
		r = evresult_deferred(NULL);
		break;
	default:
		r = evresult_from_failure(NULL);
	}
	alloc_fail_at(0, false);
	ck_assert(evresult_is_failure(r));
	f = evresult_get_failure(r);
	/* What needs no memory may keep its code. */
	if (alloc_failed())
		ck_assert_int_eq(evfailure_get_code(f), ENOMEM);
	else
		ck_assert_int_ge(_i, 3);
	ck_assert_ptr_nonnull(evfailure_get_message(f));
	ck_assert_ptr_nonnull(evfailure_get_file(f));
	ck_assert_int_ge(evfailure_get_line(f), 0);
	ck_assert_ptr_null(evfailure_get_cause(f));
	evfailure_ref(f);
	evfailure_unref(f);
	evresult_dispose(r);
	/* As often as one likes. */
	evfailure_ref(f);
	evfailure_unref(f);
	evresult_dispose(cause);
}
END_TEST

START_TEST(failure_without_memory_goes_down_a_chain)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct seen seen = {0};
	struct evresult r;

	see(d, &seen);
	alloc_fail_at(1, true);
	r = evresult_fail(EPERM, "x");
	evdeferred_fire(d, r);
	alloc_fail_at(0, false);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, alloc_failed() ? ENOMEM : EPERM);
	evdeferred_free(d);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("result");
	TCase *tc = add_case(suite, "values");

	tcase_add_test(tc, value_is_handed_on);
	tcase_add_test(tc, value_may_be_null);
	tcase_add_test(tc, result_is_two_words);
	tcase_add_test(tc, owned_value_is_freed_by_dispose);
	tcase_add_test(tc, owned_without_free_function_is_plain);
	tcase_add_test(tc, owned_null_is_freed_too);

	tc = add_case(suite, "failures");
	tcase_add_test(tc, failure_remembers_code_message_and_place);
	tcase_add_test(tc, failure_without_format_says_strerror);
	tcase_add_test(tc, failure_takes_place_from_caller);
	tcase_add_loop_test(tc, failure_code_not_above_0_is_einval, 0, 3);
	tcase_add_test(tc, failure_without_format_of_bad_code_says_einval);
	tcase_add_test(tc, failure_keeps_long_and_empty_messages);
	tcase_add_test(tc, failure_keeps_errno_alone);
	tcase_add_test(tc, failure_costs_one_allocation);
	tcase_add_test(tc, wrap_keeps_its_cause_alive);
	tcase_add_test(tc, wrap_of_nothing_has_no_cause);
	tcase_add_test(tc, wrap_takes_place_from_caller);
	tcase_add_test(tc, failure_of_null_is_einval);
	tcase_add_test(tc, failure_is_the_same_failure);
	tcase_add_test(tc, failure_lives_while_referenced);
	tcase_add_loop_test(tc, without_memory_a_failure_is_enomem, 0, 5);
	tcase_add_test(tc, failure_without_memory_goes_down_a_chain);

	tc = add_case(suite, "deferreds");
	tcase_add_test(tc, deferred_is_one);
	tcase_add_test(tc, no_failure_has_nothing);
	tcase_add_test(tc, deferred_of_null_fails_with_errno);
	tcase_add_test(tc, dispose_frees_what_a_deferred_holds);
	tcase_add_test(tc, dispose_of_failure_is_no_report);

	tc = add_case(suite, "scale");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, million_causes_are_freed);

	return support_main(suite);
}
