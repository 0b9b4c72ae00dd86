/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of steps, with allocations that fail in every call.
 *
 * A call that can be refused for want of memory is made again and again, with
 * the first, second, third ... allocation in it failing, until it is not.  Each
 * time it was refused with ENOMEM and all is as it was before, says the
 * reference.  In the calls that can't be refused (release, cancel, free, close,
 * a turn of the loop) no allocation succeeds, and they do all the same what
 * they have to.
 *
 * The library is one whose pools hold one object each.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../alloc.h"
#include "../dice.h"
#include "driver.h"
#include "log.h"
#include "steps.h"

#define LENGTH 16 /* steps of a sequence */

static struct {
	double seconds;
	uint64_t seed;
} options = {5, 1};

/* The program's own clock is not the real one. */
static double
now(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
note_model(const struct model *m, void *arg)
{
	*(struct model *)arg = *m;
}

/* One of the steps that the state allows; false if there is none.  Not one that
 * changes something even though it is refused. */
static bool
choose(const struct model *m, const struct step *steps, int count,
    struct step *chosen)
{
	unsigned seen = 0;
	int i;

	for (i = 0; i < count; i++)
		if (model_allows(m, steps[i]) &&
		    !model_tells_others(m, steps[i]) && dice(++seen) == 0)
			*chosen = steps[i];
	return seen > 0;
}

/* Each beginning of the sequence is run, to its end: that is how the next step
 * is found. */
static void
walk(const struct setting *setting)
{
	struct step steps[STEPS], sequence[LENGTH];
	const int count = steps_make(setting, steps);
	struct model m;
	size_t length = 0;

	for (;;) {
		driver_run(setting, sequence, length, (int)dice(ENDINGS),
		    note_model, &m);
		if (length == LENGTH ||
		    !choose(&m, steps, count, &sequence[length]))
			return;
		length++;
	}
}

static int
usage(FILE *out)
{
	fprintf(out, "usage: check_failing_locks [--seconds=S] [--seed=N]\n");
	return 2;
}

static int
parse(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"seconds", required_argument, NULL, 's'},
	    {"seed", required_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (option == 's')
			options.seconds = atof(optarg);
		else if (option == 'n')
			options.seed = strtoull(optarg, NULL, 10);
		else if (option != 'h')
			return -1;
		else {
			usage(stdout);
			exit(EXIT_SUCCESS);
		}
	}
	return optind == argc ? 0 : -1;
}

int
main(int argc, char **argv)
{
	const double start = now();
	uint64_t sequences = 0;

	if (parse(argc, argv) == -1)
		return usage(stderr);
	if (!alloc_works()) {
		printf("allocations can't be counted here: skipped\n");
		return 0;
	}
	driver_init();
	log_catch_signals();
	while (now() - start < options.seconds) {
		alarm(30);
		/* So that the seed of one that fails is known. */
		dice_seed((options.seed * 1000003 + sequences) *
			      UINT64_C(0x9e3779b97f4a7c15) +
			  1);
		driver_fail_allocations(sequences % 2 == 0 ? 1 : 2);
		walk(&settings[sequences / 2 % SETTINGS]);
		sequences++;
	}
	printf("locks: %llu random sequences of up to %d steps in %d settings, "
	       "seed %llu: %llu calls refused for want of memory changed "
	       "nothing, %llu were made without any\n",
	    (unsigned long long)sequences, LENGTH, SETTINGS,
	    (unsigned long long)options.seed,
	    (unsigned long long)driver_refusals(),
	    (unsigned long long)driver_calls_without_memory());
	printf("100%%: Checks: %d, Failures: 0, Errors: 0\n", SETTINGS);
	return 0;
}
