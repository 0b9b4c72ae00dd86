/* SPDX-License-Identifier: MIT */
/*
 * check_explore [--seconds=S] [--depth=N] [--quiet] [--groups | --upgrades |
 * --policies]: until the time is over (120 s), the depth is reached, or a difference is
 * found.  Locks of one loop, or groups of locks of several loops, or locks that may be
 * upgraded, or those that are fair or limit their readers.
 *
 * The search is breadth first: each round tries all sequences that are one step
 * longer, in all settings.  A sequence is run from its start each time, since the
 * library's state can't be copied.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "log.h"
#include "states.h"
#include "steps.h"

/* How many states may be kept, for the sake of memory: each takes 50 bytes. */
#define MOST_STATES 8000000

struct search {
	struct setting setting;
	struct step steps[STEPS];
	int step_count;
	struct states states;
	size_t level; /* the first state of the level that is being entered */
	size_t next;  /* the state to go on from */
	int depth;    /* of the sequences that were all run */
	uint64_t transitions;
};

/* The settings are explored by kind. */
enum family { PLAIN, GROUPS, UPGRADES, POLICIES };

static struct search searches[SETTINGS];
static size_t search_count;

static struct {
	double seconds;
	int depth;
	bool quiet;
	enum family family;
} options = {120, LONGEST - 1, false, PLAIN};

static double started, last_told;

static enum family
family_of(const struct setting *setting)
{
	if (setting->members > 0)
		return GROUPS;
	if (setting_has_policy(setting))
		return POLICIES;
	return setting->upgrades > 0 ? UPGRADES : PLAIN;
}

/* The program's own clock is not the real one. */
static double
now(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct mask
allowed(const struct search *search, const struct model *m)
{
	struct mask mask = {{0, 0}};
	int i;

	for (i = 0; i < search->step_count; i++)
		if (model_allows(m, search->steps[i]))
			mask.of[i / 64] |= UINT64_C(1) << i % 64;
	return mask;
}

/*
 * Running.
 */

static void
note_model(const struct model *m, void *arg)
{
	*(struct model *)arg = *m;
}

static size_t
trace_back(const struct search *search, size_t at, struct step *steps)
{
	struct step reversed[LONGEST];
	size_t count = 0, i;

	for (; at != 0; at = search->states.all[at].parent)
		reversed[count++] = search->steps[search->states.all[at].step];
	for (i = 0; i < count; i++)
		steps[i] = reversed[count - 1 - i];
	return count;
}

/* Runs a sequence, and keeps the state that it leads to if that is new. */
static void
visit(struct search *search, const struct step *steps, size_t count,
    size_t parent, int step)
{
	struct state state = {
	    .parent = (uint32_t)parent, .step = (uint8_t)step};
	struct model m;

	driver_run(&search->setting, steps, count,
	    (int)(search->transitions % ENDINGS), note_model, &m);
	search->transitions++;
	if (!states_see(&search->states, model_fingerprint(&m)))
		return;
	state.allowed = allowed(search, &m);
	states_add(&search->states, &state);
}

static void
expand(struct search *search, size_t at)
{
	struct step steps[LONGEST];
	const struct mask mask = search->states.all[at].allowed;
	const size_t count = trace_back(search, at, steps);
	int i;

	for (i = 0; i < search->step_count; i++) {
		if (!(mask.of[i / 64] >> i % 64 & 1))
			continue;
		steps[count] = search->steps[i];
		visit(search, steps, count + 1, at, i);
	}
}

/*
 * Telling.
 */

static void
sum_up(size_t *states, uint64_t *transitions)
{
	size_t i;

	*states = 0;
	*transitions = 0;
	for (i = 0; i < search_count; i++) {
		*states += searches[i].states.count;
		*transitions += searches[i].transitions;
	}
}

static void
tell(const struct search *search)
{
	size_t states;
	uint64_t transitions;

	if (options.quiet)
		return;
	sum_up(&states, &transitions);
	printf("%6.1f s  %9zu states  %10llu transitions  depth %d of %s\n",
	    now() - started, states, (unsigned long long)transitions,
	    search->depth + 1, search->setting.name);
	fflush(stdout);
}

/* Is there time left, and room?  Tells now and then. */
static bool
may_go_on(const struct search *search)
{
	const double time = now();
	size_t states;
	uint64_t transitions;

	alarm(30);
	if (time - last_told > 5) {
		last_told = time;
		tell(search);
	}
	sum_up(&states, &transitions);
	return time - started < options.seconds && states < MOST_STATES;
}

/* All sequences of one more step.  Whether it came to the end of them. */
static bool
deepen(struct search *search)
{
	const size_t end = search->states.count;

	for (search->next = search->level; search->next < end; search->next++) {
		if (search->next % 64 == 0 && !may_go_on(search))
			return false;
		expand(search, search->next);
	}
	search->level = end;
	search->depth++;
	return true;
}

static bool
deepen_all(int depth)
{
	size_t i;

	for (i = 0; i < search_count; i++) {
		if (!deepen(&searches[i]))
			return false;
		if (!options.quiet)
			printf("depth %d, %s: %zu states, %llu transitions\n",
			    depth, searches[i].setting.name,
			    searches[i].states.count,
			    (unsigned long long)searches[i].transitions);
		fflush(stdout);
	}
	return true;
}

static void
begin(struct search *search, const struct setting *setting)
{
	search->setting = *setting;
	search->step_count = steps_make(setting, search->steps);
	visit(search, NULL, 0, 0, 0);
}

static int
explore(void)
{
	int depth = 0;
	size_t i;

	for (i = 0; i < SETTINGS; i++)
		if (family_of(&settings[i]) == options.family)
			begin(&searches[search_count++], &settings[i]);
	while (depth < options.depth && deepen_all(depth + 1))
		depth++;
	return depth;
}

/* In how many settings it came one step further. */
static int
deeper(int depth)
{
	int count = 0;
	size_t i;

	for (i = 0; i < search_count; i++)
		count += searches[i].depth > depth;
	return count;
}

static const char *
locks_name(void)
{
	static const char *const names[] = {[PLAIN] = "2 locks",
	    [GROUPS] = "the locks of a group",
	    [UPGRADES] = "1 lock or 2",
	    [POLICIES] = "1 or 2 locks with a policy"};

	return names[options.family];
}

static int
usage(FILE *out)
{
	fprintf(out, "usage: check_explore [--seconds=S] [--depth=N] [--quiet] "
		     "[--groups | --upgrades | --policies]\n");
	return 2;
}

static int
parse(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"seconds", required_argument, NULL, 's'},
	    {"depth", required_argument, NULL, 'd'},
	    {"quiet", no_argument, NULL, 'q'},
	    {"groups", no_argument, NULL, 'g'},
	    {"upgrades", no_argument, NULL, 'u'},
	    {"policies", no_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			options.seconds = atof(optarg);
			break;
		case 'd':
			options.depth = atoi(optarg);
			break;
		case 'q':
			options.quiet = true;
			break;
		case 'g':
			options.family = GROUPS;
			break;
		case 'u':
			options.family = UPGRADES;
			break;
		case 'p':
			options.family = POLICIES;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			return -1;
		}
	}
	if (optind != argc || options.depth < 1 || options.depth >= LONGEST)
		return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	uint64_t transitions;
	size_t states;
	int depth;

	if (parse(argc, argv) == -1)
		return usage(stderr);
	started = last_told = now();
	driver_init();
	log_catch_signals();
	depth = explore();
	sum_up(&states, &transitions);
	/* The form that tests/run adds up. */
	printf("100%%: Checks: %zu, Failures: 0, Errors: 0\n", search_count);
	printf("explore: all sequences of up to %d steps of 3 clients and %s "
	       "in %zu settings, and those of %d steps in %d of them: "
	       "%zu states, %llu transitions, %.1f s, no difference\n",
	    depth, locks_name(), search_count, depth + 1, deeper(depth), states,
	    (unsigned long long)transitions, now() - started);
	return 0;
}
