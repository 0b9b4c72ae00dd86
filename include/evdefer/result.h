/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/result.h
 *
 * What travels down a chain of callbacks: a value, a failure, or another
 * Deferred to wait for.
 *
 * The rule of ownership, from which everything else follows: a value is handed
 * on, and whoever receives it owns it.  A value that nobody ever receives is
 * disposed of with the function that it came with.  A failure is lent: an
 * errback may look at it until it returns, and the library frees it when no
 * result holds it any more.
 */
#ifndef EVDEFER_RESULT_H
#define EVDEFER_RESULT_H

/* C++98 has no macros with three dots, though compilers do. */
#if defined(__cplusplus) && __cplusplus < 201103L && defined(__GNUC__)
#pragma GCC system_header
#endif

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evdeferred;
struct evfailure;
struct evresults;

#if defined(__GNUC__)
#define EVDEFER_PRINTF_(string, first)                                         \
	__attribute__((format(printf, string, first)))
#else
#define EVDEFER_PRINTF_(string, first)
#endif

/** A result: 16 bytes, passed and returned in registers.  Both fields are
 * private; use the functions below. */
struct evresult {
	void *data;
	void (*dispose)(void *data);
};

/** @return a result that is the plain value @p value, NULL included.  Nothing
 * is done with a plain value that nobody receives. */
static inline struct evresult
evresult_value(void *value)
{
	struct evresult result = {value, NULL};
	return result;
}

/**
 * @return a result that is @p value together with the duty to free it.
 * Whoever receives the value has that duty from then on.  If nobody does, the
 * library calls free_value(value) once; that may use the library.  If
 * @p free_value is NULL, this is evresult_value().
 */
static inline struct evresult
evresult_owned(void *value, void (*free_value)(void *))
{
	struct evresult result = {value, free_value};
	return result;
}

/**
 * Makes a failure: `evresult_fail(int code, const char *format, ...)`.
 *
 * It remembers the file and line of the call.  Twisted's Failure.
 *
 * @param code an errno code above 0; anything else is taken as EINVAL.
 * @param format printf format of the message, with its arguments; NULL stands
 *   for strerror(code).
 * @return a result that is the failure.  If memory runs out, it is a failure
 *   with code ENOMEM that needs none.  The result is the caller's until it is
 *   returned from a callback, fired, or given to evresult_dispose().
 *   Costs one allocation.
 */
#define evresult_fail(...) evresult_fail_at(__FILE__, __LINE__, __VA_ARGS__)

/** evresult_fail() with the place given by the caller; @p file has to live as
 * long as the failure does. */
struct evresult evresult_fail_at(const char *file, int line, int code,
    const char *format, ...) EVDEFER_PRINTF_(4, 5);

/**
 * Makes a failure that carries something: `evresult_fail_with(void *payload,
 * void (*free_payload)(void *), int code, const char *format, ...)`.  In
 * Python, what an exception has in its attributes: an answer with an error, the
 * line that could not be read.
 *
 * @param payload for evfailure_get_payload(); it is the failure's from now on.
 * @param free_payload called once with the payload when nobody holds the
 *   failure any more; it may use the library.  NULL if the payload stays the
 *   caller's.
 * @return as evresult_fail(); out of memory, a failure with ENOMEM that carries
 *   nothing, and the payload has been freed.
 */
#define evresult_fail_with(...)                                                \
	evresult_fail_with_at(__FILE__, __LINE__, __VA_ARGS__)

/** evresult_fail_with() with the place given by the caller. */
struct evresult evresult_fail_with_at(const char *file, int line, void *payload,
    void (*free_payload)(void *), int code, const char *format, ...)
    EVDEFER_PRINTF_(6, 7);

/**
 * Makes a failure that has another one as its cause:
 * `evresult_wrap(struct evfailure *cause, int code, const char *format, ...)`.
 * Python's "raise ... from".  The cause may be one that was lent; the new
 * failure keeps it alive.  Otherwise as evresult_fail().
 */
#define evresult_wrap(...) evresult_wrap_at(__FILE__, __LINE__, __VA_ARGS__)

/** evresult_wrap() with the place given by the caller. */
struct evresult evresult_wrap_at(const char *file, int line,
    struct evfailure *cause, int code, const char *format, ...)
    EVDEFER_PRINTF_(5, 6);

/**
 * @return a result that is @p failure itself: an errback returns it to pass on
 *   the failure that it was lent.  Nothing changes hands by this call; whatever
 *   the result is given to (a chain, evdeferred_fire()) takes a reference of
 *   its own.  NULL gives a failure with EINVAL.
 */
struct evresult evresult_from_failure(struct evfailure *failure);

/**
 * @return a result that says "wait for this one": returned from a callback, it
 * makes the chain wait for @p d and go on with its result.  @p d is handed
 * over with it, even if the chain then refuses to wait for it, and must not
 * be freed any more; only a Deferred that is returned from its own chain stays
 * with its consumer.  NULL, which a function that should have made a Deferred
 * returns when it failed, gives a failure with the code in errno; that is the
 * right one if no other call came between.
 */
struct evresult evresult_deferred(struct evdeferred *d);

/** @return whether the result is a failure. */
bool evresult_is_failure(struct evresult result);

/** @return whether the result is another Deferred to wait for. */
bool evresult_is_deferred(struct evresult result);

/** @return the value, which the caller then owns; NULL for a result that is not
 * a value, or is a grant whose owner has been freed.  This uses up the result:
 * don't dispose of it as well. */
void *evresult_get_value(struct evresult result);

/** @return the failure, lent by the result; NULL for any other result. */
struct evfailure *evresult_get_failure(struct evresult result);

/**
 * Disposes of a result that nobody will receive: frees an owned value, lets go
 * of a failure (unreported), frees a Deferred.  Not to be called on a result
 * that was fired, returned from a callback, or whose value was taken.
 */
void evresult_dispose(struct evresult result);

/** @return the errno code of the failure, above 0.
 *
 * All functions of failures take NULL, since evfailure_get_cause() may return
 * it: it has the code 0, the message "", and nothing else. */
int evfailure_get_code(const struct evfailure *failure);

/** @return the message, never NULL, owned by the failure. */
const char *evfailure_get_message(const struct evfailure *failure);

/** @return the failure that this one wraps, lent by it, or NULL. */
struct evfailure *evfailure_get_cause(const struct evfailure *failure);

/** @return what evresult_fail_with() gave this failure to carry, lent by it, or
 * NULL.  A failure around it, from evresult_wrap() or a combination, does not
 * have that: look at its evfailure_get_cause().  The type of a payload has to
 * show in the code of the failure, or in a first field that all payloads of the
 * program share. */
void *evfailure_get_payload(const struct evfailure *failure);

/** What evfailure_get_index() gives for a failure without a place. */
#define EVFAILURE_NO_INDEX ((size_t)-1)

/** @return for a failure of evdeferred_list() or evdeferred_gather() that has
 * the failure of one input as its cause: the place of that input, from 0;
 * otherwise EVFAILURE_NO_INDEX.  What Twisted's FirstError has as index. */
size_t evfailure_get_index(const struct evfailure *failure);

/** @return for the failure of an evdeferred_race(): the failures of all its
 * inputs in their order, lent by this failure, to be looked at with
 * evresults_get(); otherwise NULL.  What Twisted's FailureGroup has. */
const struct evresults *evfailure_get_results(const struct evfailure *failure);

/** @return the source file that made the failure, as its __FILE__ said; for
 * failures that the library makes by itself, its own. */
const char *evfailure_get_file(const struct evfailure *failure);

/** @return the line in evfailure_get_file(). */
int evfailure_get_line(const struct evfailure *failure);

/** Keeps a failure that was lent, beyond the return of the errback.
 * @return the same failure; give it back with evfailure_unref(). */
struct evfailure *evfailure_ref(struct evfailure *failure);

/** Gives back a failure kept with evfailure_ref(). */
void evfailure_unref(struct evfailure *failure);

#ifdef __cplusplus
}
#endif

#endif
