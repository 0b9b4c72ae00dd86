/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether this system can tell where a Deferred was made. */
static bool can_debug;

static char text[512];

static const char *
describe(const struct evdeferred *d)
{
	const int length = evdeferred_describe(d, text, sizeof(text));

	ck_assert_int_eq(length, (int)strlen(text));
	return text;
}

static void
check_describe(const struct evdeferred *d, const char *words)
{
	const size_t length = strlen(words);

	describe(d);
	ck_assert_msg(strlen(text) >= length &&
			  strcmp(text + strlen(text) - length, words) == 0,
	    "'%s' does not end with '%s'", text, words);
}

START_TEST(deferred_is_waiting_fired_or_failed)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	check_describe(d, ": waiting");
	evdeferred_callback(d, base);
	snprintf(trace, sizeof(trace), ": fired with %p", (void *)base);
	check_describe(d, trace);
	evdeferred_free(d);
	d = evdeferred_fail(base, EIO, "disk %d", 7);
	snprintf(trace, sizeof(trace), ": failed with %d (%s): disk 7", EIO,
	    strerror(EIO));
	check_describe(d, trace);
	evdeferred_free(d);
	report_take(EIO);
}
END_TEST

START_TEST(deferred_is_cancelled)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	evdeferred_cancel(d);
	snprintf(trace, sizeof(trace),
	    ": failed with %d (%s): cancelled, cancelled before its result "
	    "came",
	    ECANCELED, strerror(ECANCELED));
	check_describe(d, trace);
	evdeferred_callback(d, NULL);
	ck_assert_ptr_null(strstr(describe(d), "before its result came"));
	evdeferred_free(d);
}
END_TEST

START_TEST(deferred_is_paused)
{
	struct evdeferred *d = evdeferred_succeed(base, NULL);

	evdeferred_pause(d);
	check_describe(d, ", paused 1 times");
	evdeferred_pause(d);
	check_describe(d, ", paused 2 times");
	evdeferred_free(d);
}
END_TEST

START_TEST(deferred_waits_for_another)
{
	struct evdeferred *inner = evdeferred_new(base, NULL, NULL);
	struct evdeferred *d =
	    evdeferred_new_fired(base, evresult_deferred(inner));

	snprintf(
	    trace, sizeof(trace), ": waiting for Deferred %p", (void *)inner);
	check_describe(d, trace);
	evdeferred_callback(inner, base);
	snprintf(trace, sizeof(trace), ": fired with %p", (void *)base);
	check_describe(d, trace);
	evdeferred_free(d);
}
END_TEST

static struct evresult
describe_running(void *value, void *arg)
{
	check_describe(*(struct evdeferred **)arg, ": running");
	return evresult_value(value);
}

START_TEST(chained_deferred_waits_for_the_one_it_is_chained_to)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	snprintf(trace, sizeof(trace),
	    ": waiting for Deferred %p, chained to it", (void *)d);
	check_describe(other, trace);
	check_describe(d, ": waiting");
	evdeferred_callback(d, base);
	snprintf(trace, sizeof(trace), ": fired with %p", (void *)base);
	check_describe(other, trace);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(chained_deferred_that_was_cancelled_waits_for_nothing)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evdeferred *other = evdeferred_new(base, NULL, NULL);

	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	evdeferred_cancel(other);
	snprintf(trace, sizeof(trace), ": failed with %d (%s): cancelled",
	    ECANCELED, strerror(ECANCELED));
	check_describe(other, trace);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	evdeferred_free(other);
}
END_TEST

START_TEST(deferred_is_running)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	evdeferred_add_callback(d, describe_running, &d);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(deferred_has_a_grant)
{
	struct evrwlock *lock = evrwlock_new(base, EVRWLOCK_FAST);
	struct evowner *owner = evowner_new(base, NULL);
	struct evdeferred *d = evrwlock_acquire(lock, owner, EVRWLOCK_READ);

	snprintf(
	    trace, sizeof(trace), ": fired with a grant of %p", (void *)lock);
	check_describe(d, trace);
	evdeferred_free(d);
	evowner_free(owner);
	evrwlock_free(lock);
}
END_TEST

START_TEST(description_that_does_not_fit_is_cut_off)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evrwlock *lock = evrwlock_new(base, 0);
	const int length = evdeferred_describe(d, NULL, 0);
	char small[8];

	describe(d);
	ck_assert_int_eq(length, (int)strlen(text));
	ck_assert_int_eq(evdeferred_describe(d, small, sizeof(small)), length);
	ck_assert_str_eq(small, "Deferre");
	ck_assert_int_gt(evrwlock_describe(lock, small, sizeof(small)), 8);
	ck_assert_str_eq(small, "a lock ");
	REFUSED(evdeferred_describe(d, NULL, 1), EINVAL);
	REFUSED(evdeferred_describe(NULL, text, sizeof(text)), EINVAL);
	REFUSED(evrwlock_describe(NULL, text, sizeof(text)), EINVAL);
	REFUSED(
	    evdefer_base_describe_creation(NULL, text, sizeof(text)), EINVAL);
	REFUSED(evrwlock_describe(lock, NULL, 1), EINVAL);
	REFUSED(evdefer_base_describe_creation(base, NULL, 1), EINVAL);
	ck_assert_int_gt(evrwlock_describe(lock, NULL, 0), 8);
	ck_assert_int_eq(evdefer_base_describe_creation(base, NULL, 0), 0);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	evrwlock_free(lock);
}
END_TEST

static void
check_lock(const struct evrwlock *lock, const char *words)
{
	const int length = evrwlock_describe(lock, text, sizeof(text));

	ck_assert_int_eq(length, (int)strlen(text));
	ck_assert_msg(
	    strstr(text, words) != NULL, "'%s' lacks '%s'", text, words);
}

/* _i is the flags of the lock. */
START_TEST(lock_is_free_reading_or_writing)
{
	struct evrwlock *lock = evrwlock_new(base, (unsigned)_i);
	struct evdeferred *reader, *writer;

	evrwlock_set_name(lock, "accounts");
	check_lock(lock, "accounts (");
	check_lock(lock, "): free, inside: 0 readers, 0 writers, ");
	evrwlock_reader_try(lock);
	writer = evrwlock_writer_acquire(lock);
	reader = evrwlock_reader_acquire(lock);
	check_lock(lock, "): reading, inside: 1 readers, 0 writers, "
			 "waiting: 1 readers, 1 writers");
	evrwlock_reader_release(lock);
	check_lock(lock, "): writing, inside: 0 readers, 1 writers, "
			 "waiting: 1 readers, 0 writers");
	evdeferred_free(writer);
	evdeferred_free(reader);
	check_lock(lock, "): free, ");
	evrwlock_free(lock);
}
END_TEST

START_TEST(lock_is_writing_and_reading_and_closed)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evowner *owner = evowner_new(base, NULL);

	ck_assert_int_eq(evrwlock_try(lock, owner, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_try(lock, owner, EVRWLOCK_READ), 0);
	evrwlock_free(lock);
	check_lock(lock, "): writing and reading and closed, inside: "
			 "1 readers, 1 writers, ");
	evowner_free(owner);
}
END_TEST

/*
 * Debugging.
 */

/* Not inlined, so that it has a place of its own. */
static struct evdeferred *__attribute__((noinline)) make_here(void)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	/* No tail call. */
	ck_assert_ptr_nonnull(d);
	return d;
}

/* Is one of the addresses in the text in make_here()? */
static bool
names_make_here(const char *words)
{
	const uintptr_t start = (uintptr_t)make_here;
	Dl_info info;
	uintptr_t at;

	ck_assert_int_ne(dladdr((void *)start, &info), 0);
	while ((words = strchr(words, '(')) != NULL) {
		words++;
		at = (uintptr_t)info.dli_fbase +
		     strtoul(words + strcspn(words, "+"), NULL, 16);
		if (strstr(words, "describe+") != NULL && at > start &&
		    at < start + 256)
			return true;
	}
	return false;
}

static void
note_creation(const struct evfailure *failure, void *arg)
{
	int length;

	(void)failure;
	(void)arg;
	length = evdefer_base_describe_creation(base, text, sizeof(text));
	ck_assert_int_eq(length, (int)strlen(text));
}

START_TEST(debug_tells_the_handler_where_a_deferred_was_made)
{
	struct evdeferred *d;

	if (!can_debug)
		return;
	ck_assert_int_eq(evdefer_base_set_debug(base, true), 0);
	evdefer_base_set_unhandled(base, note_creation, NULL);
	d = make_here();
	ck_assert_msg(names_make_here(describe(d)), "%s", text);
	text[0] = '\0';
	evdeferred_errback(d, EIO, NULL);
	evdeferred_free(d);
	ck_assert_msg(names_make_here(text), "%s", text);
	ck_assert_int_eq(
	    evdefer_base_describe_creation(base, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

static void
note_log(int severity, const char *message)
{
	(void)severity;
	snprintf(text, sizeof(text), "%s", message);
}

/* _i: whether debugging is on. */
START_TEST(debug_adds_to_the_default_report)
{
	struct evdeferred *d;

	if (!can_debug)
		return;
	ck_assert_int_eq(evdefer_base_set_debug(base, _i == 1), 0);
	evdefer_base_set_unhandled(base, NULL, NULL);
	event_set_log_callback(note_log);
	d = make_here();
	evdeferred_errback(d, EIO, "broken");
	evdeferred_free(d);
	event_set_log_callback(NULL);
	ck_assert_ptr_nonnull(strstr(text, "broken"));
	ck_assert_int_eq(strstr(text, "of a Deferred made at") != NULL, _i);
	ck_assert_int_eq(names_make_here(text), _i);
}
END_TEST

START_TEST(debug_is_refused_while_deferreds_exist)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	if (can_debug) {
		REFUSED(evdefer_base_set_debug(base, true), EBUSY);
	}
	ck_assert_int_eq(evdefer_base_set_debug(base, false), 0);
	REFUSED(evdefer_base_set_debug(NULL, true), EINVAL);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	if (!can_debug)
		return;
	ck_assert_int_eq(evdefer_base_set_debug(base, true), 0);
	evdeferred_free(evdeferred_succeed(base, NULL));
	ck_assert_int_eq(evdefer_base_set_debug(base, false), 0);
	evdeferred_free(evdeferred_succeed(base, NULL));
}
END_TEST

START_TEST(debug_keeps_what_was_reserved)
{
	size_t calls;
	int result;

	if (!can_debug || !alloc_works())
		return;
	ck_assert_int_eq(evdefer_base_reserve(base, 100, 1), 0);
	alloc_fail_at(1, true);
	errno = 0;
	result = evdefer_base_set_debug(base, true);
	alloc_fail_at(0, false);
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_int_eq(evdefer_base_set_debug(base, true), 0);
	calls = alloc_calls();
	evdeferred_free(evdeferred_succeed(base, NULL));
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("describe");
	TCase *tc = tcase_create("descriptions and debugging");
	struct event_base *first_loop = support_new_loop();
	struct evdefer_base *first = evdefer_base_new(first_loop);

	can_debug = evdefer_base_set_debug(first, true) == 0;
	evdefer_base_free(first);
	event_base_free(first_loop);
	if (!can_debug)
		fprintf(stderr, "no debugging on this system: skipped\n");

	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, deferred_is_waiting_fired_or_failed);
	tcase_add_test(tc, deferred_is_cancelled);
	tcase_add_test(tc, deferred_is_paused);
	tcase_add_test(tc, deferred_waits_for_another);
	tcase_add_test(tc, chained_deferred_waits_for_the_one_it_is_chained_to);
	tcase_add_test(
	    tc, chained_deferred_that_was_cancelled_waits_for_nothing);
	tcase_add_test(tc, deferred_is_running);
	tcase_add_test(tc, deferred_has_a_grant);
	tcase_add_test(tc, description_that_does_not_fit_is_cut_off);
	tcase_add_loop_test(tc, lock_is_free_reading_or_writing, 0, 2);
	tcase_add_test(tc, lock_is_writing_and_reading_and_closed);
	tcase_add_test(tc, debug_tells_the_handler_where_a_deferred_was_made);
	tcase_add_loop_test(tc, debug_adds_to_the_default_report, 0, 2);
	tcase_add_test(tc, debug_is_refused_while_deferreds_exist);
	tcase_add_test(tc, debug_keeps_what_was_reserved);
	suite_add_tcase(suite, tc);
	return support_main(suite);
}
