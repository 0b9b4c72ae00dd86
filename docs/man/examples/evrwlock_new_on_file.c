/* SPDX-License-Identifier: MIT */
/*
 * A counter in a file, which several daemons count up, each from its own loop:
 */
#include <errno.h>
#include <stdio.h>
#include <sys/time.h>
#include <evdefer.h>

#define COUNTER "/var/lib/example/counter"

/* Alone, over all processes. */
static struct evresult
count_up(void *arg)
{
	FILE *file = fopen(COUNTER, "r+");
	long count = 0;

	(void)arg;
	if (file == NULL)
		return evresult_fail(errno, "can't open " COUNTER);
	if (fscanf(file, "%ld", &count) != 1)
		count = 0;
	rewind(file);
	fprintf(file, "%ld\n", count + 1);
	if (fclose(file) != 0)
		return evresult_fail(errno, "can't write " COUNTER);
	return evresult_value(NULL);
}

struct evdeferred *
count_up_soon(struct evrwlock *lock)
{
	const struct timeval patience = {10, 0};

	return evrwlock_with(
	    lock, NULL, EVRWLOCK_WRITE, &patience, count_up, NULL);
}

struct evrwlock *
open_counter(struct evdefer_base *base)
{
	return evrwlock_new_on_file(base, COUNTER ".lock", 0);
}
