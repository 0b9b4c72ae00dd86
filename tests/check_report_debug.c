/* SPDX-License-Identifier: MIT */
/* What a report knows with evdefer_base_set_debug(): since when, and from where. */
#include "reports.h"
#include "waiters.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct evowner *alice, *bob;
static struct evrwlock *lock;
static struct evdeferred *d[4];

/* _i of most tests: the flags of the lock. */
static bool
begin(int i)
{
	if (evdefer_base_set_debug(base, true) == -1)
		return false;
	alice = new_owner("alice");
	bob = new_owner("bob");
	lock = evrwlock_new(base, (unsigned)i);
	memset(d, 0, sizeof(d));
	return true;
}

static void
end(void)
{
	int i;

	for (i = 0; i < 4; i++)
		evdeferred_free(d[i]);
	evowner_free(alice);
	evowner_free(bob);
	evrwlock_free(lock);
}

/* That a line begins and ends so, with the place in this program in between. */
static void
check_line(const char *text, const char *words, const char *seconds)
{
	const char *at = strstr(text, words), *place;
	char expected[64];

	ck_assert_msg(at != NULL, "no '%s' in %s", words, text);
	snprintf(expected, sizeof(expected), ", for %s s, from ", seconds);
	at += strlen(words);
	ck_assert_msg(strncmp(at, expected, strlen(expected)) == 0,
	    "'%s' is not followed by '%s' in %s", words, expected, text);
	place = strstr(at, "check_report_debug+0x");
	ck_assert_ptr_nonnull(place);
	ck_assert(place < strchr(at, '\n'));
}

START_TEST(holds_and_waits_are_timed)
{
	const char *text;

	if (!begin(_i))
		return;
	ck_assert_int_eq(evrwlock_try(lock, alice, EVRWLOCK_READ), 0);
	clock_advance(1000);
	d[0] = evrwlock_acquire(lock, NULL, EVRWLOCK_READ);
	settle();
	clock_advance(1000);
	d[1] = evrwlock_acquire(lock, bob, EVRWLOCK_WRITE);
	clock_advance(500);
	d[2] = evrwlock_acquire(lock, NULL, EVRWLOCK_READ);
	d[3] = evrwlock_acquire(lock, NULL, EVRWLOCK_READ);
	clock_advance(250);
	text = take_text();
	check_line(text, "inside   \"alice\": read", "2.750");
	check_line(text, "inside   1 without an owner: read", "1.750");
	check_line(text, "waiting  \"bob\": write", "0.750");
	check_line(text, "waiting  1 without an owner: read", "0.250");
	/* Each of them has a line. */
	text = strstr(text, "waiting  1 without") + 1;
	check_line(text, "waiting  1 without an owner: read", "0.250");
	ck_assert_ptr_eq(strstr(text, "have entered"), NULL);
	end();
}
END_TEST

/* From then on, and from where it has asked. */
START_TEST(hold_begins_when_it_was_granted)
{
	if (!begin(_i))
		return;
	evrwlock_writer_try(lock);
	d[0] = evrwlock_acquire(lock, bob, EVRWLOCK_WRITE);
	d[1] = evrwlock_acquire(lock, NULL, EVRWLOCK_READ);
	clock_advance(1000);
	evrwlock_writer_release(lock);
	settle();
	clock_advance(300);
	check_line(take_text(), "inside   \"bob\": write", "0.300");
	end_owner(&bob);
	settle();
	clock_advance(200);
	check_line(take_text(), "inside   1 without an owner: read", "0.200");
	end();
}
END_TEST

START_TEST(owner_that_is_inside_several_times)
{
	const char *text;

	if (!begin(_i))
		return;
	evrwlock_try(lock, alice, EVRWLOCK_READ);
	clock_advance(1000);
	d[0] = evrwlock_acquire(lock, alice, EVRWLOCK_READ);
	settle();
	clock_advance(250);
	text = take_text();
	check_line(text, "inside   \"alice\": read, 2 times", "1.250");
	ck_assert_ptr_nonnull(strstr(
	    text, "; 1 have entered since then, the last 0.250 s ago, from "));
	end();
}
END_TEST

/* It is not known which of them has left. */
START_TEST(first_and_last_of_those_without_an_owner)
{
	const char *text;
	int i;

	if (!begin(_i))
		return;
	for (i = 0; i < 4; i++) {
		evrwlock_reader_try(lock);
		clock_advance(1000);
	}
	evrwlock_reader_release(lock);
	text = take_text();
	check_line(text, "inside   3 without an owner: read", "4.000");
	ck_assert_ptr_nonnull(strstr(
	    text, "; 3 have entered since then, the last 1.000 s ago, from "));
	take_report(EVDEFER_REPORT_JSON);
	ck_assert_ptr_nonnull(strstr(reader.text, ",\"seconds\":4.000000,"));
	ck_assert_ptr_nonnull(
	    strstr(reader.text, ",\"entered\":4,\"last_seconds\":1.000000,"));
	/* When none is left, another one is the first. */
	for (i = 0; i < 3; i++)
		evrwlock_reader_release(lock);
	evrwlock_reader_try(lock);
	clock_advance(500);
	text = take_text();
	check_line(text, "inside   1 without an owner: read", "0.500");
	ck_assert_ptr_null(strstr(text, "have entered"));
	evrwlock_reader_release(lock);
	end();
}
END_TEST

/* The first thread of a process leaves memory behind, which is none of ours. */
static void *
do_nothing(void *arg)
{
	return arg;
}

static void
warm_threads_up(void)
{
	pthread_t thread;

	/* Before any test runs: a thread that is missing shows there. */
	if (pthread_create(&thread, NULL, do_nothing, NULL) == 0)
		pthread_join(thread, NULL);
}

static void *
acquire_elsewhere(void *arg)
{
	evdefer_base_set_thread(base);
	d[1] = evrwlock_acquire(lock, bob, EVRWLOCK_WRITE);
	return arg;
}

/* Where the one that waits has come from, to the end of its line. */
static void
get_place(char place[512], const char *text, const char *words)
{
	const char *at = strstr(strstr(text, words), ", from ");

	snprintf(place, 512, "%.*s", (int)strcspn(at, "\n"), at);
}

/* Few called there: nothing is shown of what is known of one with more callers. */
START_TEST(places_of_another_thread)
{
	char places[2][512];
	const char *text;
	pthread_t thread;

	if (!begin(_i))
		return;
	evrwlock_try(lock, NULL, EVRWLOCK_WRITE);
	d[0] = evrwlock_acquire(lock, alice, EVRWLOCK_WRITE);
	ck_assert_int_eq(
	    pthread_create(&thread, NULL, acquire_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	evdefer_base_set_thread(base);
	text = take_text();
	check_line(text, "waiting  \"alice\": write", "0.000");
	check_line(text, "waiting  \"bob\": write", "0.000");
	get_place(places[0], text, "waiting  \"alice\": write");
	get_place(places[1], text, "waiting  \"bob\": write");
	ck_assert_str_ne(places[0], places[1]);
	ck_assert_uint_gt(strlen(places[0]), strlen(places[1]));
	evrwlock_release(lock, NULL, EVRWLOCK_WRITE);
	end();
}
END_TEST

START_TEST(graph_has_times_and_places)
{
	const char *text;

	if (!begin(_i))
		return;
	evrwlock_try(lock, alice, EVRWLOCK_WRITE);
	d[0] = evrwlock_acquire(lock, bob, EVRWLOCK_WRITE);
	clock_advance(1500);
	text = take_report(EVDEFER_REPORT_GRAPH);
	ck_assert_ptr_nonnull(
	    strstr(text, "lock1 -> owner1 [label=\"write\\n1.500 s\\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "owner2 -> lock1 [label=\"write\\n1.500 s\\n"));
	end();
}
END_TEST

START_TEST(tokens_and_gets_are_timed)
{
	struct evsemaphore *semaphore;
	struct evqueue *queue;
	const char *text;

	if (!begin(_i))
		return;
	semaphore = evsemaphore_new(base, 1, (unsigned)_i);
	queue = evqueue_new(base, 1, 1, (unsigned)_i);
	evsemaphore_try(semaphore, NULL);
	d[0] = evsemaphore_acquire(semaphore, alice);
	d[1] = evqueue_get(queue);
	clock_advance(1500);
	text = take_text();
	check_line(text, "inside   1 without an owner: token", "1.500");
	check_line(text, "waiting  \"alice\": token", "1.500");
	check_line(text, "waiting  1 without an owner: get", "1.500");
	evsemaphore_release(semaphore, NULL);
	end();
	evsemaphore_free(semaphore);
	evqueue_free(queue);
}
END_TEST

/* Nothing is said of what was there before, or after debugging. */
START_TEST(only_what_is_known_is_told)
{
	struct evrwlock *old = evrwlock_new(base, (unsigned)_i);

	evrwlock_reader_try(old);
	if (!begin(_i)) {
		evrwlock_reader_release(old);
		evrwlock_free(old);
		return;
	}
	ck_assert_ptr_nonnull(
	    strstr(take_text(), "inside   1 without an owner: read\n"));
	clock_advance(1000);
	d[0] = evrwlock_reader_acquire(old);
	settle();
	clock_advance(500);
	check_line(take_text(), "inside   2 without an owner: read", "0.500");
	evdeferred_free(d[0]);
	d[0] = NULL;
	ck_assert_int_eq(evdefer_base_set_debug(base, false), 0);
	ck_assert_ptr_nonnull(
	    strstr(take_text(), "inside   1 without an owner: read\n"));
	evrwlock_reader_release(old);
	evrwlock_free(old);
	end();
}
END_TEST

/* Places that differ, more of them than are kept. */
#define SITE(n)                                                                \
	static __attribute__((noinline)) struct evdeferred *site_##n(void)     \
	{                                                                      \
		struct evdeferred *waiting =                                   \
		    evrwlock_acquire(lock, NULL, EVRWLOCK_READ);               \
                                                                               \
		/* No tail call, and no two that are the same. */              \
		ck_assert_msg(waiting != NULL, "site %d", n);                  \
		return waiting;                                                \
	}
#define SITES(n) SITE(n##0) SITE(n##1) SITE(n##2) SITE(n##3) SITE(n##4)
SITES(1)
SITES(2)
SITES(3)
SITES(4)
#define NAMES(n) site_##n##0, site_##n##1, site_##n##2, site_##n##3, site_##n##4

START_TEST(many_places_are_told_apart)
{
	struct evdeferred *(*const sites[])(void) = {
	    NAMES(1), NAMES(2), NAMES(3), NAMES(4)};
	struct evdeferred *waits[40];
	char places[20][512], again[512];
	const char *line;
	int i, j;

	if (!begin(0))
		return;
	evrwlock_writer_try(lock);
	for (i = 0; i < 40; i++)
		waits[i] = sites[i % 20]();
	line = take_report(EVDEFER_REPORT_TEXT);
	for (i = 0; i < 40; i++) {
		line = strstr(line, "    waiting  1 without");
		ck_assert_ptr_nonnull(line);
		line = strstr(line, "check_report_debug+");
		ck_assert_ptr_nonnull(line);
		snprintf(i < 20 ? places[i] : again, sizeof(again), "%.*s",
		    (int)strcspn(line, "\n"), line);
		for (j = 0; j < i && i < 20; j++)
			ck_assert_str_ne(places[j], places[i]);
		if (i >= 20)
			ck_assert_str_eq(again, places[i % 20]);
	}
	for (i = 0; i < 40; i++)
		evdeferred_free(waits[i]);
	evrwlock_writer_release(lock);
	end();
}
END_TEST

/* _i: with an owner. */
START_TEST(lock_works_without_memory_to_note_who_enters)
{
	if (!alloc_works() || !begin(0))
		return;
	evrwlock_try(lock, bob, EVRWLOCK_WRITE);
	d[0] = evrwlock_acquire(lock, _i == 1 ? alice : NULL, EVRWLOCK_READ);
	alloc_fail_at(1, true);
	evrwlock_release(lock, bob, EVRWLOCK_WRITE);
	settle();
	alloc_fail_at(0, false);
	ck_assert(evrwlock_is_reading(lock));
	ck_assert_ptr_nonnull(strstr(take_text(), ": read\n"));
	end();
}
END_TEST

static Suite *
report_suite(void)
{
	Suite *suite = suite_create("report_debug");
	TCase *tcase = add_case(suite, "debug");

	tcase_add_loop_test(tcase, holds_and_waits_are_timed, 0, 2);
	tcase_add_loop_test(tcase, hold_begins_when_it_was_granted, 0, 2);
	tcase_add_loop_test(tcase, owner_that_is_inside_several_times, 0, 2);
	tcase_add_loop_test(
	    tcase, first_and_last_of_those_without_an_owner, 0, 2);
	tcase_add_loop_test(tcase, places_of_another_thread, 0, 2);
	tcase_add_loop_test(tcase, graph_has_times_and_places, 0, 2);
	tcase_add_loop_test(tcase, tokens_and_gets_are_timed, 0, 2);
	tcase_add_loop_test(tcase, only_what_is_known_is_told, 0, 2);
	tcase_add_test(tcase, many_places_are_told_apart);
	tcase_add_loop_test(
	    tcase, lock_works_without_memory_to_note_who_enters, 0, 2);
	return suite;
}

int
main(void)
{
	warm_threads_up();
	return support_main(report_suite());
}
