/* SPDX-License-Identifier: MIT */
/*
 * What kind of result an evresult is shows in its dispose function: NULL or
 * the user's own for a value, and one of the three below.
 */
#ifndef EVDEFER_RESULT_INTERNAL_H
#define EVDEFER_RESULT_INTERNAL_H

#include <stdarg.h>

#include <evdefer/combine.h>
#include <evdefer/result.h>

#include "hold-internal.h"

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
	EVFAILURE_UPGRADE,
	EVFAILURE_CIRCLE,
	EVFAILURE_NO_MEMORY,
	EVFAILURE_INVALID
};

struct evresult evresult_fixed_(enum evfailure_fixed which);

/* evresult_fail_at(), and evresult_wrap_at() where there is a cause. */
struct evresult evresult_vfail_(const char *file, int line,
    struct evfailure *cause, int code, const char *format, va_list args)
    EVDEFER_PRINTF_(5, 0);

/* The failure of a combination because one of its inputs failed.  The cause is
 * lent. */
struct evresult evresult_first_error_(struct evfailure *cause, size_t index);

/* The same where all of them failed.  It takes the results over, of which there
 * is at least one. */
struct evresult evresult_group_(struct evresults *failures);

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

/* The grant of a lock to an owner. */
static inline bool
evresult_is_ask_(struct evresult result)
{
	return result.dispose == evask_dispose_;
}

/* Every result that comes in from outside passes here: what was lent is held
 * from now on. */
static inline struct evresult
evresult_take_(struct evresult result)
{
	struct evask *ask;

	if (result.dispose == NULL)
		return result;
	if (result.dispose == evresult_dispose_lent_) {
		evfailure_ref(result.data);
		result.dispose = evresult_dispose_failure_;
	} else if (evresult_is_ask_(result)) {
		ask = result.data;
		ask->lent = ask->kept = false;
	}
	return result;
}

#endif
