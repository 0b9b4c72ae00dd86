/* SPDX-License-Identifier: MIT */
/*
 * The dispose function of an evresult tells what kind of result it is: for a plain
 * value it is NULL or the user's own, and otherwise a small number that is the
 * address of no function.  So one comparison recognizes plain values.
 */
#ifndef EVDEFER_RESULT_INTERNAL_H
#define EVDEFER_RESULT_INTERNAL_H

#include <stdarg.h>
#include <stdint.h>

#include <evdefer/result.h>

enum evresult_kind {
	/* A failure that the result holds a reference to. */
	EVRESULT_FAILURE = 1,
	/* A failure that is only named: whoever takes the result takes a
	 * reference. */
	EVRESULT_LENT,
	/* A Deferred to wait for. */
	EVRESULT_DEFERRED,
	/* A grant, see below. */
	EVRESULT_GRANT
};

/*
 * A grant is a value that can be taken back until somebody has received it.  It
 * is the first member of whatever stands for it.
 */
struct evgrant {
	const struct evgrant_type *type;
	void *value; /* NULL once it was taken back */
};

struct evgrant_type {
	/* Ends a grant that was not taken back: a callback receives its value. */
	void *(*receive)(struct evgrant *grant);
	/* Somebody who has the result asks for its value, and owns that from then
	 * on. */
	void *(*get_value)(struct evgrant *grant);
	/* Nobody will receive it. */
	void (*dispose)(struct evgrant *grant);
	/* Around a function that may pass the result on, keep it or ask for its
	 * value. */
	void (*lend)(struct evgrant *grant);
	void (*end_loan)(struct evgrant *grant);
	/* That function, or somebody who has kept the result, passes it on. */
	void (*pass_on)(struct evgrant *grant);
};

static inline struct evresult
evresult_of_kind_(enum evresult_kind kind, const void *data)
{
	struct evresult result = {
	    (void *)(uintptr_t)data, (void (*)(void *))(uintptr_t)kind};

	return result;
}

static inline bool
evresult_has_kind_(struct evresult result, enum evresult_kind kind)
{
	return (uintptr_t)result.dispose == (uintptr_t)kind;
}

struct evfailure {
	const char *file;
	const char *message;
	struct evfailure *cause;
	/* What it carries: the user's, or attached by a part of the library, which
	 * knows it by the function that disposes of it. */
	struct evresult payload;
	size_t place; /* the index + 1, or 0 for none */
	size_t refs;  /* 0 for those that are never freed */
	int code;
	int line;
	bool has_users_payload;
	bool cancelled; /* by the consumer, which is no news to it */
			/* The text of the message follows. */
};

/* The failures that the library makes by itself.  They need no memory. */
enum evfailure_fixed {
	EVFAILURE_CANCELLED,
	EVFAILURE_TIMED_OUT,
	EVFAILURE_LOOP,
	EVFAILURE_NO_WAIT,
	EVFAILURE_SHUT_DOWN,
	EVFAILURE_POOL_FREED,
	EVFAILURE_UPGRADE,
	EVFAILURE_NOT_UPGRADABLE,
	EVFAILURE_CYCLE,
	EVFAILURE_LOST,
	EVFAILURE_NO_MEMORY,
	EVFAILURE_INVALID
};

struct evresult evresult_fixed_(enum evfailure_fixed which);

/* evresult_fail_at(), and evresult_wrap_at() where there is a cause. */
struct evresult evresult_vfail_(const char *file, int line,
    struct evfailure *cause, int code, const char *format, va_list args)
    EVDEFER_PRINTF_(5, 0);

/* Gives the payload to a failure that was just made.  If there was no memory for
 * that, disposes of the payload and returns false. */
bool evfailure_attach_(struct evfailure *failure, struct evresult payload);

/* Is it the failure of a Deferred that its own consumer has cancelled? */
bool evresult_is_cancelled_(struct evresult result);

static inline bool
evresult_is_failure_(struct evresult result)
{
	return evresult_has_kind_(result, EVRESULT_FAILURE) ||
	       evresult_has_kind_(result, EVRESULT_LENT);
}

static inline bool
evresult_is_deferred_(struct evresult result)
{
	return evresult_has_kind_(result, EVRESULT_DEFERRED);
}

static inline bool
evresult_is_grant_(struct evresult result)
{
	return evresult_has_kind_(result, EVRESULT_GRANT);
}

/* Is it a grant that was taken back? */
static inline bool
evresult_is_taken_back_(struct evresult result)
{
	return evresult_is_grant_(result) &&
	       ((const struct evgrant *)result.data)->value == NULL;
}

/* Is it a value that a callback gets as it is? */
static inline bool
evresult_is_plain_(struct evresult result)
{
	return (uintptr_t)result.dispose - 1 >= EVRESULT_GRANT;
}

/* What a callback receives of a result that is no failure. */
static inline void *
evresult_receive_(struct evresult result)
{
	struct evgrant *grant = result.data;

	return evresult_is_grant_(result) ? grant->type->receive(grant)
					  : result.data;
}

struct evresult evresult_take_special_(struct evresult result);

/* Every result that comes in from outside passes here: what was lent is held
 * from now on. */
static inline struct evresult
evresult_take_(struct evresult result)
{
	return evresult_is_plain_(result) ? result
					  : evresult_take_special_(result);
}

#endif
