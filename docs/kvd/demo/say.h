/* SPDX-License-Identifier: MIT */
/* What the demo says. */
#ifndef DEMO_SAY_H
#define DEMO_SAY_H

#include <stdbool.h>

/* The demo can't go on: says why, and ends with 2. */
__attribute__((format(printf, 1, 2), noreturn)) void die(
    const char *format, ...);

/* 1234567 as 1,234,567; good for a few calls in one printf(). */
const char *grouped(long number);

/* PASS or FAIL, and what of; hands "held" back. */
__attribute__((format(printf, 2, 3))) bool verdict(
    bool held, const char *format, ...);

#endif
