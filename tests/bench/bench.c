/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A call is long enough from here on. */
#define SLICE ((uint64_t)8000000)
/* All calls that are measured. */
#define TOTAL ((uint64_t)150000000)
#define MAX_SLICES 15

/* Of libcount.so, if that was loaded. */
extern size_t count_allocated(void) __attribute__((weak));

static uint64_t
read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t
bench_now(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t
bench_clock(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int
compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double
bench_measure(bench_fn fn, size_t operations)
{
	uint64_t slices[MAX_SLICES], total;
	size_t count = 1, done = 1;

	total = fn(count);
	do {
		/* Long enough twice: the first could have been held up. */
		for (; total < SLICE; total = fn(count))
			count *= 2;
		total = fn(count);
	} while (total < SLICE / 2);
	slices[0] = total;
	while (count > 1 && done < MAX_SLICES && total < TOTAL) {
		slices[done] = fn(count);
		total += slices[done++];
	}
	qsort(slices, done, sizeof(slices[0]), compare);
	return (double)slices[done / 2] / (double)count / (double)operations;
}

void *
bench_alloc(size_t size)
{
	void *memory = malloc(size);

	bench_check(memory != NULL);
	return memory;
}

void
bench_shuffle(void **array, size_t count)
{
	uint64_t random = 88172645463325252U; /* xorshift64 */
	size_t i, other;
	void *element;

	for (i = count; i > 1; i--) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		other = random % i;
		element = array[i - 1];
		array[i - 1] = array[other];
		array[other] = element;
	}
}

void
bench_check_at(const char *broken, const char *file, int line)
{
	if (broken == NULL)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, broken);
	exit(1);
}

size_t
bench_allocated(void)
{
	bench_check(count_allocated != NULL);
	return count_allocated();
}

int
bench_main(int argc, char **argv, const struct bench_work *works)
{
	const struct bench_work *work;
	char *end = NULL;
	size_t n = 0;

	if (argc == 3)
		n = strtoul(argv[2], &end, 10);
	if (end == NULL || *end != '\0' || n == 0) {
		fprintf(stderr, "usage: %s WORK N\n", argv[0]);
		return 2;
	}
	for (work = works; work->name != NULL; work++) {
		if (strcmp(work->name, argv[1]) == 0) {
			printf("%.3f\n", work->run(n));
			return 0;
		}
	}
	fprintf(stderr, "%s: no such work: %s\n", argv[0], argv[1]);
	return 2;
}
