/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <sys/time.h>
#include <time.h>

/* Some time of day. */
static long long now_us = 1000000000000;

void
clock_advance_us(long long us)
{
	now_us += us;
}

void
clock_advance(long ms)
{
	clock_advance_us(1000LL * ms);
}

long long
clock_us(void)
{
	return now_us;
}

void
clock_set_us(long long us)
{
	now_us = us;
}

/* Stands before the one of libc.  No timer goes by the time of day, but a
 * fuzzer's own limits do. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id == CLOCK_REALTIME)
		return timespec_get(ts, TIME_UTC) == TIME_UTC ? 0 : -1;
	ts->tv_sec = (time_t)(now_us / 1000000);
	ts->tv_nsec = (long)(now_us % 1000000 * 1000);
	return 0;
}

/* Stands before the one of libc, which declares it in one of two ways. */
int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	(void)tz;
	tv->tv_sec = (time_t)(now_us / 1000000);
	tv->tv_usec = (suseconds_t)(now_us % 1000000);
	return 0;
}
