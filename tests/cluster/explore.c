/* SPDX-License-Identifier: MIT */
/*
 * check_cluster_explore [--seconds=S] [--seed=N] [--only=TEXT] [--quiet]: two processes, one
 * lock, and the servers between them (world.h), until the time is over (120 s), or something
 * comes to be that must not.
 *
 * First it takes all ways through scenarios, which have an end: each process asks for the
 * lock, and releases it, and what goes wrong does so once, at any step.  A way ends where it
 * comes to a state that was seen.  Wherever nothing is under way, it looks whether all ends
 * well from there.  Then, for a sixth of the time and what is left of it, it takes long ways
 * at random, on which anything may go wrong any number of times.
 *
 * To go back it copies all memory (image.h); where that can't be, it begins anew, and does
 * all steps again.  What it finds it cuts short.
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

#include "../clock.h"
#include "../dice.h"
#include "../explore/states.h"
#include "image.h"
#include "processes.h"
#include "world.h"

/* How many states may be kept in one scenario, for the sake of memory. */
#define MOST_STATES 40000000
#define WALK 48

/* What is run now: for what is said if it fails. */
struct way {
	const struct world_setting *setting;
	struct world_step steps[WORLD_LONGEST];
	size_t count;
};

/* A state on the way that is being taken. */
struct frame {
	struct world_step steps[WORLD_STEPS];
	size_t count, next;
	long long clock;
	void *image;
	size_t room;
};

/* Of the process that searches; the one that waits for it reads them. */
static struct shared {
	struct way way;
	char what[256]; /* is wrong; or nothing */
} * shared;
static struct way way;
static struct frame frames[WORLD_LONGEST + 1];
static uint64_t states, transitions, walks, ends;
static uint64_t by_kind[WORLD_KINDS];
static size_t complete, cut, deepest;
static bool images_work;

static struct {
	double seconds;
	unsigned long long seed; /* of the long ways */
	const char *only;
	bool quiet;
	bool
	    cutting; /* a child that only says by its status that it has failed */
} options = {120, 1, "", false, false};

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
	static struct way shorter;
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
	static struct way found;

	found = shared->way;
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
 * All ways.
 */

/* What is allocated here is not the world's. */
static bool
is_new(struct states *seen)
{
	bool new;

	image_leave();
	new = states_see(seen, world_fingerprint());
	seen->count += new;
	image_enter();
	return new;
}

static void
make_room(struct frame *frame)
{
	if (frame->room >= image_size())
		return;
	image_leave();
	free(frame->image);
	frame->room = 2 * image_size();
	frame->image = malloc(frame->room);
	image_enter();
	if (frame->image == NULL)
		give_up("no memory");
}

static void
save(struct frame *frame)
{
	if (!images_work)
		return;
	make_room(frame);
	image_save(frame->image);
	frame->clock = clock_us();
}

/* Back to where the way leads to. */
static void
restore(const struct frame *frame, bool ended)
{
	size_t i;

	if (images_work) {
		image_restore(frame->image);
		clock_set_us(frame->clock);
		return;
	}
	if (!ended)
		world_drop();
	world_begin(way.setting);
	for (i = 0; i < way.count; i++)
		world_do(way.steps[i]);
}

/* What may come next from here, where the world is for the first time. */
static void
arrive(struct frame *frame)
{
	const size_t count = world_next(frame->steps);
	const bool quiet = world_is_quiet(frame->steps, count);

	frame->next = 0;
	frame->count = world_reduce(frame->steps, count);
	if (quiet || frame->count > 1)
		save(frame);
	if (!quiet)
		return;
	ends++;
	world_end();
	restore(frame, true);
}

static void
tell(const char *what, uint64_t count)
{
	if (options.quiet || now() - last_told < 5)
		return;
	last_told = now();
	printf("%6.1f s  %9llu states, %10llu transitions, %llu long ways; "
	       "now %s\n",
	    now() - started, (unsigned long long)(states + count),
	    (unsigned long long)transitions, (unsigned long long)walks, what);
}

/* From time to time.  The system kills who does not come here for long. */
static bool
may_go_on(const struct states *seen, double until)
{
	if (transitions % (images_work ? 256 : 8) != 0)
		return true;
	alarm(60);
	tell(way.setting->name, seen->count);
	return now() < until && seen->count < MOST_STATES;
}

static bool
take_all_ways(struct states *seen, double until)
{
	size_t depth = 0;
	struct frame *frame;

	arrive(&frames[0]);
	for (;;) {
		frame = &frames[depth];
		if (frame->next == frame->count) {
			if (depth-- == 0)
				return true;
			way.count = depth;
			continue;
		}
		if (frame->next > 0)
			restore(frame, false);
		if (depth == WORLD_LONGEST)
			give_up("it goes on and on");
		way.steps[depth] = frame->steps[frame->next++];
		way.count = depth + 1;
		by_kind[way.steps[depth].kind]++;
		world_do(way.steps[depth]);
		transitions++;
		if (!may_go_on(seen, until))
			return false;
		if (is_new(seen)) {
			if (++depth > deepest)
				deepest = depth;
			arrive(&frames[depth]);
		} else {
			way.count = depth;
		}
	}
}

static void
explore_scenario(const struct world_setting *scenario, double until)
{
	const uint64_t before = transitions;
	const double begun = now();
	struct states seen = {0};
	bool all;

	way.setting = scenario;
	way.count = 0;
	world_begin(scenario);
	is_new(&seen);
	all = take_all_ways(&seen, until);
	world_drop();
	if (all)
		complete++;
	else
		cut++;
	if (!options.quiet)
		printf("%6.1f s  %s: %s, %zu states, %llu transitions, "
		       "%.1f s\n",
		    now() - started, scenario->name,
		    all ? "complete" : "cut by time", seen.count,
		    (unsigned long long)(transitions - before), now() - begun);
	states += seen.count;
	image_leave();
	free(seen.seen);
	image_enter();
}

static bool
is_asked_for(const struct world_setting *setting)
{
	return strstr(setting->name, options.only) != NULL;
}

/* Each may take three times its part of the time that is left: most need less. */
static void
explore_scenarios(void)
{
	const double end = started + options.seconds * 5 / 6;
	size_t left = 0, i;
	double part;

	for (i = 0; i < world_scenario_count; i++)
		left += is_asked_for(&world_scenarios[i]);
	for (i = 0; i < world_scenario_count; i++) {
		if (!is_asked_for(&world_scenarios[i]))
			continue;
		part = (end - now()) / (double)left;
		explore_scenario(
		    &world_scenarios[i], now() + (left > 3 ? 3 * part : part));
		left--;
	}
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
	case WORLD_TIME:
		return 2;
	case WORLD_CUT_OFF:
	case WORLD_STOP:
	case WORLD_COME_BACK:
		return 1;
	default:
		return 4;
	}
}

static void
walk(void)
{
	const size_t length = 6 + dice(WALK - 6);
	struct world_step steps[WORLD_STEPS], step;
	size_t count;

	way.setting = &world_settings[walks % world_setting_count];
	way.count = 0;
	alarm(60);
	world_begin(way.setting);
	while (way.count < length) {
		count = world_next(steps);
		do
			step = steps[dice((unsigned)count)];
		while (dice(8) >= likely(step));
		way.steps[way.count++] = step;
		world_do(step);
		transitions++;
	}
	world_end();
	walks++;
}

static void
walk_on(void)
{
	way.setting = &world_settings[0];
	while (now() - started < options.seconds) {
		tell("long ways", 0);
		walk();
	}
}

static int
usage(FILE *out)
{
	fprintf(out, "usage: check_cluster_explore [--seconds=S] [--seed=N] "
		     "[--only=TEXT] [--quiet]\n");
	return 2;
}

static int
parse(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"seconds", required_argument, NULL, 's'},
	    {"only", required_argument, NULL, 'o'},
	    {"seed", required_argument, NULL, 'r'},
	    {"quiet", no_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			options.seconds = atof(optarg);
			break;
		case 'o':
			options.only = optarg;
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
	return optind == argc && options.seed > 0 ? 0 : -1;
}

/* The form that tests/run adds up. */
static void
sum_up(void)
{
	printf("100%%: Checks: %zu, Failures: 0, Errors: 0\n",
	    complete + cut + world_setting_count);
	printf("explore: all ways through %zu scenarios of two processes and "
	       "their servers, of up to %zu steps (%zu more were cut by time), "
	       "and %llu at random: %llu states, %llu transitions, %llu ends, "
	       "%.1f s, nothing found\n",
	    complete, deepest, cut, (unsigned long long)walks,
	    (unsigned long long)states, (unsigned long long)transitions,
	    (unsigned long long)ends, now() - started);
}

/* In a process of its own, so that one is left that is sound. */
static _Noreturn void
explore(void)
{
	static char buffer[BUFSIZ];

	setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
	images_work = image_works();
	image_enter();
	world_init();
	image_add(&world, sizeof(world));
	image_add(fake_start(), sizeof(struct fake));
	explore_scenarios();
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
