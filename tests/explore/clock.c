/* SPDX-License-Identifier: MIT */
/*
 * The clock of tests/clock.h, without the real time: each look at it takes a
 * microsecond, so that a run is the same each time.
 */
#include "../clock.h"

#include <sys/time.h>
#include <time.h>

static long long now_us = 1000000000;

void
clock_advance(long ms)
{
	now_us += 1000LL * ms;
}

/* Stands before the one of libc. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	now_us++;
	ts->tv_sec = (time_t)(now_us / 1000000);
	ts->tv_nsec = (long)(now_us % 1000000 * 1000);
	return 0;
}

/* Stands before the one of libc, which declares it in one of two ways. */
int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
