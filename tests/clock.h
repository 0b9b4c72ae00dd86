/* SPDX-License-Identifier: MIT */
/*
 * A clock that stands still unless the test moves it, so that no test depends on
 * how fast the machine is.  The program's own clock_gettime() and gettimeofday()
 * come before those of libc, for libevent and the library too.
 *
 * A loop that waits for a timer waits for ever: move the clock first.
 */
#ifndef TESTS_CLOCK_H
#define TESTS_CLOCK_H

/* Lets some milliseconds pass.  The next turn of the loop runs the timers. */
void clock_advance(long ms);

/* The same for microseconds. */
void clock_advance_us(long long us);

/* What the clock shows. */
long long clock_us(void);

/* For who goes back to a state of before. */
void clock_set_us(long long us);

#endif
