/* SPDX-License-Identifier: MIT */
/*
 * What kind of result an evresult is shows in its dispose function: NULL or
 * the user's own for a value, and one of the three below.
 */
#ifndef EVDEFER_RESULT_INTERNAL_H
#define EVDEFER_RESULT_INTERNAL_H

#include <stdarg.h>

#include <evdefer/result.h>

/* A failure that the result holds a reference to. */
void evresult_dispose_failure_(void *failure);
/* A failure that is only named: whoever takes the result takes a reference. */
void evresult_dispose_lent_(void *failure);
/* A Deferred to wait for. */
void evresult_dispose_deferred_(void *deferred);

/* The failures that the library makes by itself.  They need no memory. */
enum evfailure_fixed {
	EVFAILURE_CANCELLED,
	EVFAILURE_TIMED_OUT,
	EVFAILURE_LOOP,
	EVFAILURE_NO_WAIT,
	EVFAILURE_SHUT_DOWN,
	EVFAILURE_NO_MEMORY,
	EVFAILURE_INVALID
};

struct evresult evresult_fixed_(enum evfailure_fixed which);

/* evresult_fail_at(), and evresult_wrap_at() where there is a cause. */
struct evresult evresult_vfail_(const char *file, int line,
    struct evfailure *cause, int code, const char *format, va_list args)
    EVDEFER_PRINTF_(5, 0);

/* Whether it is the failure of a Deferred that its own consumer cancelled. */
bool evresult_is_cancelled_(struct evresult result);

static inline bool
evresult_is_failure_(struct evresult result)
{
	return result.dispose == evresult_dispose_failure_ ||
	       result.dispose == evresult_dispose_lent_;
}

static inline bool
evresult_is_deferred_(struct evresult result)
{
	return result.dispose == evresult_dispose_deferred_;
}

/* Every result that comes in from outside passes here: a lent failure becomes
 * one that is held. */
static inline struct evresult
evresult_take_(struct evresult result)
{
	if (result.dispose == evresult_dispose_lent_) {
		evfailure_ref(result.data);
		result.dispose = evresult_dispose_failure_;
	}
	return result;
}

#endif
