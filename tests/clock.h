/* SPDX-License-Identifier: MIT */
/*
 * A clock that the test sets.  The program's own clock_gettime() and
 * gettimeofday() come before those of libc, for libevent too: they give the
 * real time and what clock_advance() added to it.
 */
#ifndef TESTS_CLOCK_H
#define TESTS_CLOCK_H

/* Lets some milliseconds pass.  The next turn of the loop runs the timers. */
void clock_advance(long ms);

#endif
