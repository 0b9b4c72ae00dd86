/* SPDX-License-Identifier: MIT */
/*
 * What the unit tests share.
 *
 * EVDEFER_TEST_SCALE in the environment is how many Deferreds or waiters the
 * tests of scale use, 1000000 without it.  10000 is enough under valgrind.
 */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include <check.h>
#include <event2/event.h>
#include <evdefer.h>

#include "alloc.h"
#include "clock.h"

/*
 * Check writes each assertion that holds to a file, so as to tell after which one a
 * test has crashed.  The first thousand will do for that: a test that does the same a
 * million times spends half of its time so.
 */
#ifdef mark_point
extern _Thread_local unsigned support_marks;

static inline void
support_mark(const char *file, int line)
{
	if (support_marks == 1000)
		return;
	support_marks++;
	_mark_point(file, line);
}
#define _mark_point(file, line) support_mark(file, line)
#endif

/* That a call fails with this code, and returns -1 or NULL. */
#define REFUSED(call, code)                                                    \
	do {                                                                   \
		errno = 0;                                                     \
		ck_assert_int_eq(call, -1);                                    \
		ck_assert_int_eq(errno, code);                                 \
	} while (0)
#define REFUSED_NULL(call, code)                                               \
	do {                                                                   \
		errno = 0;                                                     \
		ck_assert_ptr_null(call);                                      \
		ck_assert_int_eq(errno, code);                                 \
	} while (0)

/* Made for each test by support_setup(). */
extern struct event_base *loop;
extern struct evdefer_base *base;

/* The fixture.  The teardown frees base and loop, and fails the test if blocks
 * of memory are left, or if failures were reported that the test did not take
 * with report_take(). */
void support_setup(void);
void support_teardown(void);

/* Frees the base now; the teardown then leaves it alone. */
void support_free_base(void);

/* A loop of a test's own. */
struct event_base *support_new_loop(void);

/* Zeroed memory of a test's own, for free(). */
void *support_array(size_t count, size_t size);

/* Leaves 256 KiB of stack to the process that runs the test. */
void support_small_stack(void);

/* How many for a test of scale, and the most that they may be. */
size_t support_scale(void);
extern size_t support_most;

/* Some turns of the loop: each polls once, without waiting, and runs what is
 * active then. */
void turns(int count);

struct timeval milliseconds(long ms);

/* How many events the loop has to wait for or to run. */
int events(void);

/* A failure that was reported to the handler of the base. */
struct report {
	int count;
	int code;
	int line;
	char message[128];
	char file[128];
};
extern struct report report;

/* Checks that one failure was reported, with this code, and forgets it. */
void report_take(int code);

/* A handler of unhandled failures and one of libevent's log, for what a test
 * expects to be told of. */
void ignore_failure(const struct evfailure *failure, void *arg);
void ignore_log(int severity, const char *text);

/* A free function that counts: the value is the counter, an int. */
void count_free(void *value);

/* An owned value that counts in *counter how often it is freed. */
struct evresult counting(int *counter);

/* What a pair of links saw. */
struct seen {
	int values;
	int failures;
	void *value;
	int code;
};

/* Links that note in arg, a struct seen, what they got.  They take it, and
 * return the plain value NULL. */
struct evresult see_value(void *value, void *arg);
struct evresult see_failure(struct evfailure *failure, void *arg);

/* Adds these two. */
void see(struct evdeferred *d, struct seen *seen);

/* Links that append arg, a string, to the trace and pass on what they got. */
extern char trace[256];
struct evresult trace_value(void *value, void *arg);
struct evresult trace_failure(struct evfailure *failure, void *arg);
struct evresult trace_both(struct evresult result, void *arg);
void trace_add(const char *name);

/* Adds a case whose tests have the fixture. */
TCase *add_case(Suite *suite, const char *name);

/* Runs the suite and returns what main() has to return. */
int support_main(Suite *suite);

#endif
