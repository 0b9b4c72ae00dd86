/* SPDX-License-Identifier: MIT */
/*
 * check_cluster_explore [--seconds=S] [--depth=N] [--seed=N] [--quiet]: two processes, one lock, and
 * the servers between them (world.h), until the time is over (120 s), the depth is reached
 * or something comes to be that must not.
 *
 * The first half of the time it searches breadth first: each round tries all
 * sequences that are one step longer, from all beginnings, but for those that have led to a
 * state that was seen.  Then it takes long ways at random, and cuts what it finds short.
 * A sequence is run from its start each time, since no process can be copied.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../dice.h"
#include "../explore/states.h"
#include "world.h"

/* How many states may be kept, for the sake of memory: each takes 50 bytes. */
#define MOST_STATES 8000000
#define SETTINGS 16
#define WALK 48

struct search {
	const struct world_setting *setting;
	struct states states;
	size_t level; /* the first state of the level that is being entered */
	size_t next;  /* the state to go on from */
};

/* What is run now: for what is said if it fails. */
struct way {
	const struct world_setting *setting;
	struct world_step steps[WORLD_LONGEST];
	size_t count;
};

static struct search searches[SETTINGS];
/* Of the process that searches; the one that waits for it reads them. */
static struct shared {
	struct way way;
	char what[256]; /* is wrong; or nothing */
} * shared;
static struct way way;
static uint64_t transitions, walks;
static int depth; /* of the sequences that were all run */

static struct {
	double seconds;
	int depth;
	unsigned long long seed; /* of the long ways */
	bool quiet;
	bool
	    cutting; /* a child that only says by its status that it has failed */
} options = {120, 90, 1, false, false};

static double started, last_told;

/* The program's own clock is not the real one. */
static double
now(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/*
 * Failures.
 */

/* So that something else than what was found is not taken for it. */
static int
status_of(const char *what)
{
	int sum = 0;

	for (; *what != '\0'; what++)
		sum = sum * 31 % 61 + *what;
	return 3 + sum % 97;
}

static void
run_way(const struct way *shown)
{
	size_t i;

	world_begin(shown->setting);
	for (i = 0; i < shown->count; i++)
		if (world_allows(shown->steps[i]))
			world_do(shown->steps[i]);
	world_end();
}

/* Whether it fails like that, in a process of its own. */
static bool
fails(const struct way *tried, const char *what)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		options.cutting = true;
		setvbuf(stdout, NULL, _IOLBF, 0);
		alarm(20);
		world_init();
		run_way(tried);
		_exit(0);
	}
	if (child == -1 || waitpid(child, &status, 0) != child)
		return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == status_of(what);
}

static void
leave_out(struct way *shorter, size_t at)
{
	shorter->count--;
	memmove(&shorter->steps[at], &shorter->steps[at + 1],
	    (shorter->count - at) * sizeof(shorter->steps[0]));
}

/* Leaves out what can be left out. */
static void
cut_short(struct way *longest, const char *what)
{
	struct way shorter;
	size_t i = longest->count;

	while (i-- > 0) {
		shorter = *longest;
		leave_out(&shorter, i);
		if (fails(&shorter, what))
			*longest = shorter;
	}
}

static _Noreturn void
give_up(const char *what)
{
	if (world_verbose)
		printf("%s\n", what);
	if (options.cutting)
		_exit(status_of(what));
	shared->way = way;
	snprintf(shared->what, sizeof(shared->what), "%s", what);
	_exit(EXIT_FAILURE);
}

/* Shows the shortest way there. */
static void
show(void)
{
	struct way found = shared->way;

	cut_short(&found, shared->what);
	printf("explore: found, %zu steps from where %s: %s\n", found.count,
	    found.setting->name, shared->what);
	fflush(stdout);
	world_verbose = true;
	fails(&found, shared->what);
	fflush(stdout);
}

static void
caught(int number)
{
	static char what[64];

	snprintf(what, sizeof(what), "signal %d, %s", number,
	    number == SIGALRM ? "as it went on for ever" : strsignal(number));
	give_up(what);
}

/*
 * Searching.
 */

static struct mask
allowed(void)
{
	struct mask mask = {{0, 0}};
	size_t i;

	for (i = 0; i < world_step_count; i++)
		if (world_allows(world_steps[i]))
			mask.of[i / 64] |= UINT64_C(1) << i % 64;
	return mask;
}

static void
trace_back(const struct search *search, size_t at)
{
	size_t count = 0, i;

	for (i = at; i != 0; i = search->states.all[i].parent)
		count++;
	way.setting = search->setting;
	way.count = count;
	for (i = at; i != 0; i = search->states.all[i].parent)
		way.steps[--count] = world_steps[search->states.all[i].step];
}

/* Runs the way, and keeps the state that it leads to if that is new. */
static void
visit(struct search *search, size_t parent, size_t step)
{
	struct state state = {
	    .parent = (uint32_t)parent, .step = (uint8_t)step};
	size_t i;

	alarm(30);
	world_begin(way.setting);
	for (i = 0; i < way.count; i++)
		world_do(way.steps[i]);
	transitions++;
	if (states_see(&search->states, world_fingerprint())) {
		state.allowed = allowed();
		states_add(&search->states, &state);
		world_end();
	} else {
		world_drop();
	}
}

static void
expand(struct search *search, size_t at)
{
	const struct mask mask = search->states.all[at].allowed;
	size_t i;

	for (i = 0; i < world_step_count; i++) {
		if (!(mask.of[i / 64] >> i % 64 & 1))
			continue;
		trace_back(search, at);
		way.steps[way.count++] = world_steps[i];
		visit(search, at, i);
	}
}

static size_t
count_states(void)
{
	size_t count = 0, i;

	for (i = 0; i < world_setting_count; i++)
		count += searches[i].states.count;
	return count;
}

static void
tell(const char *what)
{
	if (options.quiet || now() - last_told < 5)
		return;
	last_told = now();
	printf("%6.1f s  %9zu states  %10llu transitions  %llu long ways; "
	       "now %s\n",
	    now() - started, count_states(), (unsigned long long)transitions,
	    (unsigned long long)walks, what);
	fflush(stdout);
}

static bool
may_go_on(double share)
{
	return now() - started < options.seconds * share &&
	       count_states() < MOST_STATES;
}

/* All sequences of one more step.  Whether it came to the end of them. */
static bool
deepen(struct search *search)
{
	const size_t end = search->states.count;

	for (search->next = search->level; search->next < end; search->next++) {
		if (search->next % 16 == 0 && !may_go_on(0.5))
			return false;
		tell(search->setting->name);
		expand(search, search->next);
	}
	search->level = end;
	return true;
}

static bool
deepen_all(void)
{
	size_t i;

	for (i = 0; i < world_setting_count; i++)
		if (!deepen(&searches[i]))
			return false;
	if (!options.quiet)
		printf("%6.1f s  all sequences of %d steps\n", now() - started,
		    depth + 1);
	return true;
}

static void
search(void)
{
	size_t i;

	for (i = 0; i < world_setting_count; i++) {
		searches[i].setting = &world_settings[i];
		way.setting = &world_settings[i];
		way.count = 0;
		visit(&searches[i], 0, 0);
	}
	while (depth < options.depth && deepen_all())
		depth++;
}

/*
 * Long ways.
 */

/* Of 8: what goes wrong rarely leads to more. */
static unsigned
likely(struct world_step step)
{
	switch (step.kind) {
	case WORLD_ANSWER:
	case WORLD_CONNECT:
		return 8;
	case WORLD_LOSE:
	case WORLD_CANCEL:
	case WORLD_REAP:
		return 2;
	case WORLD_CUT_OFF:
	case WORLD_STOP:
	case WORLD_TIME:
		return 1;
	default:
		return 4;
	}
}

static void
walk(void)
{
	const struct mask none = {{0, 0}};
	const size_t length = 6 + dice(WALK - 6);
	struct mask mask;
	size_t i;

	way.setting = &world_settings[walks % world_setting_count];
	way.count = 0;
	alarm(30);
	world_begin(way.setting);
	while (way.count < length) {
		mask = allowed();
		if (memcmp(&mask, &none, sizeof(mask)) == 0)
			break;
		do
			i = dice((unsigned)world_step_count);
		while (!(mask.of[i / 64] >> i % 64 & 1) ||
		       dice(8) >= likely(world_steps[i]));
		way.steps[way.count++] = world_steps[i];
		world_do(world_steps[i]);
		transitions++;
	}
	world_end();
	walks++;
}

static void
walk_on(void)
{
	while (may_go_on(1)) {
		tell("long ways");
		walk();
	}
}

static int
usage(FILE *out)
{
	fprintf(out, "usage: check_cluster_explore [--seconds=S] [--depth=N] "
		     "[--seed=N] [--quiet]\n");
	return 2;
}

static int
parse(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"seconds", required_argument, NULL, 's'},
	    {"depth", required_argument, NULL, 'd'},
	    {"seed", required_argument, NULL, 'r'},
	    {"quiet", no_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			options.seconds = atof(optarg);
			break;
		case 'd':
			options.depth = atoi(optarg);
			break;
		case 'r':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 'q':
			options.quiet = true;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			return -1;
		}
	}
	return optind == argc && options.depth > 0 &&
		       options.depth < WORLD_LONGEST && options.seed > 0
		   ? 0
		   : -1;
}

/* The form that tests/run adds up. */
static void
sum_up(void)
{
	printf("100%%: Checks: %zu, Failures: 0, Errors: 0\n",
	    world_setting_count);
	printf("explore: all sequences of up to %d steps of two processes and "
	       "their servers from %zu beginnings, and %llu at random of up to "
	       "%d: "
	       "%zu states, %llu transitions, %.1f s, nothing found\n",
	    depth, world_setting_count, (unsigned long long)walks, WALK,
	    count_states(), (unsigned long long)transitions, now() - started);
}

/* In a process of its own, so that one is left that is sound. */
static _Noreturn void
explore(void)
{
	world_init();
	search();
	walk_on();
	sum_up();
	fflush(stdout);
	_exit(EXIT_SUCCESS);
}

int
main(int argc, char **argv)
{
	int status = 0;
	pid_t child;

	if (parse(argc, argv) == -1)
		return usage(stderr);
	started = last_told = now();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	signal(SIGABRT, caught);
	signal(SIGSEGV, caught);
	signal(SIGALRM, caught);
	world_failed = give_up;
	dice_seed(options.seed);
	child = fork();
	if (child == 0)
		explore();
	if (child == -1 || waitpid(child, &status, 0) != child)
		return 2;
	if (shared->what[0] != '\0')
		show();
	return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
