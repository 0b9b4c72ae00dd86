/* SPDX-License-Identifier: MIT */
/*
 * Runs every test of a program with its first, second, third ... allocation
 * made to fail, until a run gets through without having asked for so many:
 * once so that this one alone fails, and once so that all after it fail too.
 * Each run is a process of its own.  They are all allocations of its first thread,
 * the library's, libevent's and those of the test: what the others ask for comes in
 * another order each time, and they do not say what they could not get.
 *
 * The tests were written for a machine that has memory.  What is demanded of
 * each run here:
 *
 *  - It passes, or the first assertion that does not hold comes after the
 *    allocation that failed: the test did not get what it asked for, and says
 *    so.  Never a crash, an error of a sanitizer, or a run without an end.
 *  - If the body of the test has passed, its teardown has to as well: no memory
 *    is left.  Failures may be reported that the test did not expect.
 *  - If it has not, then base and loop can still be freed, in the middle of
 *    what the test was about, with a result for all that is under way.
 *
 * FAILING_EVERY=k in the environment takes each k-th allocation only, beginning
 * with FAILING_FROM; FAILING_TEST=name runs one test, and shows its runs.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <evdefer.h>

#include "../alloc.h"

#define MOST_FIXTURES 4
#define MOST_TESTS 256
#define MOST_CASES 32

/* From here on the steps grow: a test of scale asks for the same thousands of
 * times. */
#define ALL_UP_TO 256

/* A run that works for so long goes on for ever, and so does one that waits for so long:
 * others may have the processors. */
#define ENDLESS_WORK 20
#define ENDLESS_WAIT 600

struct test {
	const TTest *test;
	int signal, start, end;
};

struct tcase {
	void (*setup[MOST_FIXTURES])(void);
	void (*teardown[MOST_FIXTURES])(void);
	struct test tests[MOST_TESTS];
	size_t fixtures, count;
};

struct suite {
	const char *name;
	struct tcase *cases[MOST_CASES];
	size_t count;
};

/* One run, and what came of it. */
struct run {
	const struct tcase *tc;
	const struct test *test;
	int i;
	size_t n;
	bool onwards;
};

enum phase { SETUP, BODY, TEARDOWN };

/* What a run tells its parent. */
static struct told {
	volatile bool hit; /* an allocation failed */
	bool of_libevent;  /* one of its */
	bool broken;	   /* an assertion does not hold */
	bool closed;	   /* and base and loop were freed then */
	enum phase phase;
	char text[256];
} * told;

static struct {
	size_t tests, runs, failed, of_libevent, passed, gave_up, bad;
} sum;

static int log_fd;

/* Those of support.c. */
extern struct event_base *loop;
extern struct evdefer_base *base;

/*
 * What the tests call.
 */

static void *
fresh(size_t size)
{
	void *block = calloc(1, size);

	if (block == NULL)
		abort();
	return block;
}

Suite *
suite_create(const char *name)
{
	Suite *suite = fresh(sizeof(*suite));

	suite->name = name;
	return suite;
}

void
suite_add_tcase(Suite *suite, TCase *tc)
{
	if (suite->count == MOST_CASES)
		abort();
	suite->cases[suite->count++] = tc;
}

TCase *
tcase_create(const char *name)
{
	(void)name;
	return fresh(sizeof(TCase));
}

void
tcase_set_timeout(TCase *tc, double seconds)
{
	(void)tc;
	(void)seconds;
}

void
tcase_add_checked_fixture(
    TCase *tc, void (*setup)(void), void (*teardown)(void))
{
	if (tc->fixtures == MOST_FIXTURES)
		abort();
	tc->setup[tc->fixtures] = setup;
	tc->teardown[tc->fixtures++] = teardown;
}

void
check_add(TCase *tc, const TTest *test, int signal, int start, int end)
{
	if (tc->count == MOST_TESTS)
		abort();
	tc->tests[tc->count++] = (struct test){test, signal, start, end};
}

bool
check_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/*
 * A run, in a process of its own.
 */

static _Noreturn void
finish(void)
{
	_exit(EXIT_SUCCESS);
}

/* That of threads.c, where a program has threads. */
void threads_let_go(void) __attribute__((weak));

/* From where the test stopped, for what it has on the stack is still needed.  Threads
 * that it holds at some point go on first: the base waits for them. */
static void
close_down(void)
{
	struct evdefer_base *b = base;
	struct event_base *l = loop;

	if (threads_let_go != NULL)
		threads_let_go();
	base = NULL;
	loop = NULL;
	if (b == NULL)
		return;
	evdefer_base_free(b);
	event_base_free(l);
	told->closed = true;
}

_Noreturn void
check_broken(const char *file, int line, const char *format, ...)
{
	const char *name = strrchr(file, '/');
	va_list args;
	int used;

	alloc_fail_at(0, false);
	if (told->broken)
		finish();
	told->broken = true;
	used = snprintf(told->text, sizeof(told->text),
	    "%s:%d: ", name != NULL ? name + 1 : file, line);
	va_start(args, format);
	vsnprintf(
	    told->text + used, sizeof(told->text) - (size_t)used, format, args);
	va_end(args);
	if (told->hit && told->phase == BODY)
		close_down();
	finish();
}

static void *
libevent_malloc(size_t size)
{
	void *block = malloc(size);

	told->of_libevent |= block == NULL;
	return block;
}

static void *
libevent_realloc(void *old, size_t size)
{
	void *block = realloc(old, size);

	told->of_libevent |= block == NULL && size > 0;
	return block;
}

static _Noreturn void
run_here(const struct run *run)
{
	const struct tcase *tc = run->tc;
	size_t i;

	setrlimit(RLIMIT_CPU, &(struct rlimit){ENDLESS_WORK, ENDLESS_WORK});
	alarm(ENDLESS_WAIT);
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	event_set_mem_functions(libevent_malloc, libevent_realloc, free);
	alloc_plan(run->n, run->onwards, &told->hit);
	for (i = 0; i < tc->fixtures; i++)
		if (tc->setup[i] != NULL)
			tc->setup[i]();
	told->phase = BODY;
	run->test->test->run(run->i);
	told->phase = TEARDOWN;
	for (i = tc->fixtures; i-- > 0;)
		if (tc->teardown[i] != NULL)
			tc->teardown[i]();
	finish();
}

/*
 * All runs.
 */

static void
show_log(void)
{
	char text[4096];
	ssize_t got;

	lseek(log_fd, 0, SEEK_SET);
	while ((got = read(log_fd, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)got, stdout);
}

static bool
complain(const struct run *run, const char *what)
{
	printf("FAILED: %s(%d) with allocation %zu%s failing: %s\n",
	    run->test->test->name, run->i, run->n,
	    run->onwards ? " and all after it" : "", what);
	show_log();
	fflush(stdout);
	sum.bad++;
	return false;
}

/* Is that how a run may end? */
static bool
judge(const struct run *run, int status)
{
	char text[320];

	if (WIFSIGNALED(status) && WTERMSIG(status) == run->test->signal)
		return true;
	if (WIFSIGNALED(status)) {
		snprintf(text, sizeof(text), "ended by signal %d, %s",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
		return complain(run, text);
	}
	if (status != 0)
		return complain(run, "ended with an error");
	if (run->n > 0 && !told->hit && !told->broken)
		return true;
	if (told->broken && !told->hit)
		return complain(run, told->text);
	/* That a failure for want of memory is reported is how it should be. */
	if (told->broken && told->phase == TEARDOWN &&
	    strstr(told->text, "unexpected report") == NULL) {
		snprintf(text, sizeof(text),
		    "the test passes, its teardown does not: %s", told->text);
		return complain(run, text);
	}
	if (!told->broken && !told->hit && run->test->signal != 0)
		return complain(run, "it was to end by a signal");
	return true;
}

static bool
run_once(const struct run *run)
{
	int status = -1;
	pid_t child;

	memset(told, 0, sizeof(*told));
	if (ftruncate(log_fd, 0) == -1 || lseek(log_fd, 0, SEEK_SET) == -1)
		abort();
	fflush(stdout);
	child = fork();
	if (child == 0)
		run_here(run);
	if (child == -1 || waitpid(child, &status, 0) != child) {
		perror("failing");
		exit(EXIT_FAILURE);
	}
	if (!judge(run, status))
		return false;
	/* One that ended by the signal that it was for told nothing. */
	sum.runs++;
	sum.failed += told->hit;
	sum.of_libevent += told->hit && told->of_libevent;
	sum.passed += told->hit && !told->broken;
	sum.gave_up += told->hit && told->broken;
	if (getenv("FAILING_TEST") != NULL)
		printf("%s(%d) %zu%s: %s%s\n", run->test->test->name, run->i,
		    run->n, run->onwards ? "..." : "",
		    told->broken ? told->text : "passed",
		    told->closed ? ", base and loop freed" : "");
	return true;
}

static size_t
setting(const char *name, size_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

static void
run_with_failures(struct run run)
{
	const size_t every = setting("FAILING_EVERY", 1);
	size_t step;

	/* Others in each test. */
	run.n = 1 + (setting("FAILING_FROM", 0) + sum.tests) % every;
	for (;;) {
		if (!run_once(&run) || !told->hit)
			return;
		step = run.n < ALL_UP_TO ? 1 : run.n / 16;
		run.n += step * every;
	}
}

static void
run_test(const struct tcase *tc, const struct test *test)
{
	const char *only = getenv("FAILING_TEST");
	struct run run = {.tc = tc, .test = test};

	if (only != NULL && strcmp(only, test->test->name) != 0)
		return;
	for (run.i = test->start; run.i < test->end; run.i++) {
		sum.tests++;
		run.n = 0;
		run.onwards = false;
		if (!run_once(&run))
			continue;
		run_with_failures(run);
		run.onwards = true;
		run_with_failures(run);
	}
}

static double
now(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

SRunner *
srunner_create(Suite *suite)
{
	return suite;
}

void
srunner_run_all(SRunner *suite, enum print_output how)
{
	const double start = now();
	char name[] = "/tmp/failingXXXXXX";
	size_t i, j;

	(void)how;
	log_fd = mkstemp(name);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (log_fd == -1 || unlink(name) == -1 || told == MAP_FAILED) {
		perror("failing");
		exit(EXIT_FAILURE);
	}
	for (i = 0; i < suite->count; i++)
		for (j = 0; j < suite->cases[i]->count; j++)
			run_test(suite->cases[i], &suite->cases[i]->tests[j]);
	printf("%s: %zu tests, %zu runs, with a failing allocation in %zu of "
	       "them, of libevent in %zu: %zu passed, %zu gave up, %zu broken, "
	       "%.0f s\n",
	    suite->name, sum.tests, sum.runs, sum.failed, sum.of_libevent,
	    sum.passed, sum.gave_up, sum.bad, now() - start);
}

int
srunner_ntests_failed(SRunner *suite)
{
	(void)suite;
	return (int)sum.bad + (sum.tests == 0);
}

void
srunner_free(SRunner *suite)
{
	size_t i;

	for (i = 0; i < suite->count; i++)
		free(suite->cases[i]);
	free(suite);
}
