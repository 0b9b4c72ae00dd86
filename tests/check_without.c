/* SPDX-License-Identifier: MIT */
/*
 * A system that lacks what the library likes to have: libevent's log, the
 * addresses of who calls, the names of functions and files.
 *
 * The library is part of the program, so that what it calls for these is what
 * stands here; event_warnx, which it refers to weakly, is NULL by an option of
 * the linker.
 */
#include "deferred-internal.h"
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

/* How many frames are to be had. */
static int frames;

/* What is known of an address. */
static enum {
	ALL,
	NOTHING,
	NO_FILE,
	NO_FUNCTION,
	LIBRARY_ALONE,
	LIBRARY_FIRST
} known;

/* Of how many addresses that was asked, and of which first. */
static int asked;
static const void *asked_first;

/* The frames that were told last: where each returns to, and how many. */
static char *returns[8];
static int told;

static char text[1024];

struct walk {
	_Unwind_Trace_Fn next;
	void *arg;
	int left;
};

static _Unwind_Reason_Code
count_down(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;

	if (walk->left-- == 0)
		return _URC_END_OF_STACK;
	if (told < 8)
		returns[told] = (char *)_Unwind_GetIP(context);
	told++;
	return walk->next(context, walk->arg);
}

static _Unwind_Reason_Code (*real)(_Unwind_Trace_Fn, void *);

_Unwind_Reason_Code
_Unwind_Backtrace(_Unwind_Trace_Fn next, void *arg)
{
	struct walk walk = {next, arg, frames};

	told = 0;
	if (frames == 0 || real == NULL)
		return _URC_END_OF_STACK;
	return real(count_down, &walk);
}

int
dladdr(const void *address, Dl_info *info)
{
	bool in_library;

	if (asked++ == 0)
		asked_first = address;
	if (known == NOTHING)
		return 0;
	in_library =
	    known == LIBRARY_ALONE || (known == LIBRARY_FIRST && asked <= 3);
	memset(info, 0, sizeof(*info));
	info->dli_fbase = in_library ? (void *)&asked : (void *)&frames;
	info->dli_saddr = info->dli_fbase;
	if (known != NO_FILE)
		info->dli_fname =
		    in_library ? "/usr/lib/libevdefer.so.0" : "program";
	if (known != NO_FUNCTION)
		info->dli_sname = "function";
	return 1;
}

static void
note_creation(const struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
	ck_assert_int_ge(
	    evdefer_base_describe_creation(base, text, sizeof(text)), 0);
}

/* What is said of where a Deferred was made. */
static void
describe(int frames_then)
{
	struct evdeferred *d;

	text[0] = '\0';
	asked = 0;
	frames = 8;
	ck_assert_int_eq(evdefer_base_set_debug(base, true), 0);
	frames = frames_then;
	evdefer_base_set_unhandled(base, note_creation, NULL);
	d = evdeferred_fail(base, EIO, "broken");
	ck_assert_ptr_nonnull(d);
	evdeferred_free(d);
}

static int
count_of(const char *what)
{
	const char *at = text;
	int count = 0;

	while ((at = strstr(at, what)) != NULL) {
		count++;
		at++;
	}
	return count;
}

START_TEST(debug_without_frames_is_enotsup)
{
	frames = 0;
	REFUSED(evdefer_base_set_debug(base, true), ENOTSUP);
	/* Nothing has changed. */
	ck_assert_int_eq(evdefer_base_set_debug(base, false), 0);
	describe(8);
	ck_assert_str_ne(text, "");
}
END_TEST

START_TEST(one_frame_is_enough_for_debug)
{
	frames = 1;
	ck_assert_int_eq(evdefer_base_set_debug(base, true), 0);
}
END_TEST

/* Where the call is, which comes before where it returns to. */
START_TEST(code_that_nobody_knows_is_an_address)
{
	void *address;

	known = _i == 0 ? NOTHING : NO_FILE;
	describe(8);
	ck_assert_int_eq(sscanf(text, "%p", &address), 1);
	ck_assert_ptr_eq(address, returns[2] - 1);
	ck_assert_int_eq(count_of(" < 0x"), 5);
	ck_assert_ptr_null(strchr(text, '('));
}
END_TEST

START_TEST(function_without_a_name_is_told_by_its_file)
{
	known = NO_FUNCTION;
	describe(8);
	ck_assert_int_eq(strncmp(text, "(program+0x", 11), 0);
	known = ALL;
	describe(8);
	ck_assert_int_eq(strncmp(text, "function+0x", 11), 0);
	ck_assert_ptr_nonnull(strstr(text, " (program+0x"));
}
END_TEST

/* The caller is then not to be told from the library. */
START_TEST(frames_of_the_library_alone_are_told_from_the_first)
{
	known = LIBRARY_ALONE;
	describe(3);
	ck_assert_int_eq(count_of("(libevdefer.so.0+0x"), 3);
	/* And what comes after them is not asked for. */
	known = LIBRARY_FIRST;
	describe(3);
	ck_assert_int_eq(count_of("(program+0x"), 3);
}
END_TEST

/* The library, which is asked about first, and two frames of it. */
START_TEST(caller_of_the_library_comes_first)
{
	known = LIBRARY_FIRST;
	describe(5);
	ck_assert_int_eq(count_of("(program+0x"), 2);
	ck_assert_int_eq(count_of("libevdefer"), 0);
	/* The library is where the first frame is. */
	ck_assert_ptr_eq(asked_first, returns[0]);
}
END_TEST

START_TEST(few_frames_are_told_all)
{
	describe(_i);
	ck_assert_int_eq(count_of("function+"), _i > 2 ? _i - 2 : _i);
	describe(0);
	ck_assert_str_eq(text, "");
}
END_TEST

/* More than the library keeps.  The compiler does not know what is called. */
static int nest(int depth);
static int (*volatile deeper)(int) = nest;

static int
nest(int depth)
{
	if (depth == 0) {
		describe(1000);
		return 0;
	}
	return deeper(depth - 1) + 1;
}

START_TEST(deep_stack_is_told_by_its_top)
{
	ck_assert_int_eq(nest(100), 100);
	ck_assert_int_lt(told, 100);
	/* Those of the library may be among them, which are not known then. */
	ck_assert_int_eq(count_of("function+"), 10);
	known = LIBRARY_FIRST;
	text[0] = '\0';
	ck_assert_int_eq(nest(100), 100);
	ck_assert_int_eq(count_of("function+"), 4);
}
END_TEST

/* Catches what is written to stderr, until read. */
static int saved, caught[2];

static void catch (void)
{
	ck_assert_int_eq(pipe(caught), 0);
	saved = dup(STDERR_FILENO);
	ck_assert_int_ne(dup2(caught[1], STDERR_FILENO), -1);
}

static void
uncatch(void)
{
	ssize_t length;

	fflush(stderr);
	ck_assert_int_ne(dup2(saved, STDERR_FILENO), -1);
	close(saved);
	close(caught[1]);
	length = read(caught[0], text, sizeof(text) - 1);
	ck_assert_int_ge(length, 0);
	text[length] = '\0';
	close(caught[0]);
}

/* _i: with where its Deferred was made. */
START_TEST(unhandled_failure_goes_to_stderr_without_libevents_log)
{
	struct evdeferred *d;

	frames = 8;
	ck_assert_int_eq(evdefer_base_set_debug(base, _i == 1), 0);
	evdefer_base_set_unhandled(base, NULL, NULL);
	d = evdeferred_fail(base, EIO, "broken");
	ck_assert_ptr_nonnull(d);
	catch ();
	evdeferred_free(d);
	uncatch();
	ck_assert_int_eq(
	    strncmp(text, "[warn] evdefer: unhandled failure: broken (", 43),
	    0);
	ck_assert_ptr_nonnull(strstr(text, "check_without.c:"));
	ck_assert_int_eq(strstr(text, "Deferred made at function") != NULL, _i);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

/* An object of a queue that goes: there is no Deferred to be told of. */
START_TEST(unhandled_failure_of_no_deferred_is_told_without_a_place)
{
	struct evqueue *queue = evqueue_new(base, 1, 0, 0);

	frames = 8;
	ck_assert_int_eq(evdefer_base_set_debug(base, true), 0);
	evdefer_base_set_unhandled(base, NULL, NULL);
	ck_assert_int_eq(evqueue_put(queue, evresult_fail(EIO, "broken")), 0);
	/* Nor of the one before it. */
	catch ();
	evdeferred_free(evdeferred_fail(base, EIO, "first"));
	uncatch();
	catch ();
	evqueue_free(queue);
	uncatch();
	ck_assert_ptr_nonnull(strstr(text, "failure: broken ("));
	ck_assert_ptr_null(strstr(text, "Deferred made at"));
}
END_TEST

/* The kernel writes it when a tracer attaches to a probe; without probes it is not
 * there. */
extern unsigned short evprobes_tracers_ __attribute__((weak));

static void
count_made(const struct evdeferred *d, void *arg)
{
	(void)d;
	++*(int *)arg;
}

/* Nobody is told anew, but what was set before a tracer came still is while it is
 * there, and when it has gone. */
START_TEST(tracer_that_comes_and_goes_is_seen)
{
	const struct evobserver observer = {.made = count_made};
	int made = 0, i;

	if (&evprobes_tracers_ == NULL)
		return;
	for (i = 0; i < 4; i++) {
		evprobes_tracers_ = i % 2 == 1;
		if (i == 2)
			evdefer_base_set_observer(base, &observer, &made);
		evdeferred_free(
		    evdeferred_new_fired(base, evresult_value(NULL)));
		turns(1);
	}
	evprobes_tracers_ = 0;
	evdefer_base_set_observer(base, NULL, NULL);
	evdeferred_free(evdeferred_new_fired(base, evresult_value(NULL)));
	ck_assert_int_eq(made, 2);
}
END_TEST

/* All of the ways that are not taken while nobody looks on go by these. */
START_TEST(what_is_made_under_a_tracer_is_watched)
{
	struct evrwlock *lock;
	struct evdeferred *d;
	int i;

	if (&evprobes_tracers_ == NULL)
		return;
	lock = evrwlock_new(base, 0);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	for (i = 0; i < 4; i++) {
		evprobes_tracers_ = i % 2 == 1;
		d = evrwlock_writer_acquire(lock);
		ck_assert_ptr_nonnull(d);
		ck_assert_int_eq((d->flags & EVDEFERRED_WATCHED) != 0, i % 2);
		ck_assert_int_eq(base->observed, i % 2);
		evdeferred_free(d);
	}
	evprobes_tracers_ = 0;
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evrwlock_free(lock);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("without");
	TCase *tc = tcase_create("what a system may lack");

	*(void **)&real = dlsym(RTLD_NEXT, "_Unwind_Backtrace");
	tcase_add_checked_fixture(tc, support_setup, support_teardown);
	tcase_add_test(tc, debug_without_frames_is_enotsup);
	tcase_add_test(tc, one_frame_is_enough_for_debug);
	tcase_add_loop_test(tc, code_that_nobody_knows_is_an_address, 0, 2);
	tcase_add_test(tc, function_without_a_name_is_told_by_its_file);
	tcase_add_test(tc, frames_of_the_library_alone_are_told_from_the_first);
	tcase_add_test(tc, caller_of_the_library_comes_first);
	tcase_add_loop_test(tc, few_frames_are_told_all, 1, 5);
	tcase_add_test(tc, deep_stack_is_told_by_its_top);
	tcase_add_loop_test(
	    tc, unhandled_failure_goes_to_stderr_without_libevents_log, 0, 2);
	tcase_add_test(
	    tc, unhandled_failure_of_no_deferred_is_told_without_a_place);
	tcase_add_test(tc, tracer_that_comes_and_goes_is_seen);
	tcase_add_test(tc, what_is_made_under_a_tracer_is_watched);
	suite_add_tcase(suite, tc);
	return support_main(suite);
}
