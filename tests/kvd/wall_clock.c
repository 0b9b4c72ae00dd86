/* SPDX-License-Identifier: MIT */
/* The wall clock of kvd_on_test_disk: set back by a year after the first look. */
#include <stdatomic.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

#define YEAR 31536000

static time_t
read_clock(void)
{
	static atomic_int looks;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return atomic_fetch_add(&looks, 1) == 0 ? now.tv_sec
						: now.tv_sec - YEAR;
}

time_t
time(time_t *result)
{
	const time_t now = read_clock();

	if (result != NULL)
		*result = now;
	return now;
}

int
gettimeofday(struct timeval *restrict result, void *restrict zone)
{
	(void)zone;
	result->tv_sec = read_clock();
	result->tv_usec = 0;
	return 0;
}
