/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/result.h
 * @page evresult evfailure
 *
 * What travels down a chain of callbacks: a value, a failure, or another
 * Deferred to wait for.
 *
 * The rule of ownership, from which everything else follows: a value is handed
 * on, and whoever receives it owns it.  A value that nobody ever receives is
 * disposed of with the function that it came with.  A failure is lent: an
 * errback may look at it until it returns, and the library frees it when no
 * result holds it any more.
 *
 * Nobody receives a value when, for example, its Deferred is freed and has no callback
 * left, or when it comes after a cancel.
 *
 * @par Failures
 * A failure does not change.  It has a code (an errno number), a message, the place in
 * the source that made it, and, if it wraps another one, that as its cause.  All
 * functions of failures take NULL, since evfailure_get_cause() may return it: it has the
 * code 0, the message "", and nothing else.  None of them allocates.
 *
 * These are the codes of failures that the library makes:
 *
 * - ECANCELED: the Deferred was cancelled, by evdefer_base_free() where that is a delay or
 *   work in a thread pool; or the one that was to fire it through evdeferred_chain() was
 *   freed; or it waited for a lock for an owner, and the owner was freed.
 * - ETIMEDOUT: a timeout of evdeferred_add_timeout() passed, or the patience of
 *   evrwlock_with() and the like has run out.
 * - EDEADLK: a Deferred, or an owner of locks, would have waited for itself, directly or
 *   through others; or an owner has asked for what may come to that (evrwlock_acquire()).
 * - EINVAL: the Deferred to wait for belongs to another base, or another one waits for
 *   it; a coroutine waited where it must not; or evresult_from_failure() was given no
 *   failure, or evresult_fail() and the like no code above 0.
 * - ENOMEM: there was no memory for the failure that was to be made; or for a report
 *   (evdefer_base_report()), or what a cluster (evdefer/cluster.h) was asked for.
 * - EPERM: evrwlock_upgrade() was called where there is no upgradable hold.
 * - ESHUTDOWN: the lock, semaphore or queue or its base was freed, or the owner that
 *   asked for it was being freed; the thread pool was freed before the work had begun; or
 *   the cluster was closed, or its base freed, before a server was reached.
 * - ESTALE: the right to the lock was lost (evrwlock_lost()).
 * - EACCES: the servers of a cluster do not let the process at a lock, or refuse its
 *   credentials.
 * - EPROTO: what they have in the place of a lock is none, or they have no number left for
 *   a place in line.
 * - ENOTCONN: the cluster was closed or freed, or the servers are not reached any more
 *   (evcluster_list()).
 * - ENOENT: none of the names of the servers is known (evcluster_connect()).
 * - EAGAIN, ENOLCK, EIO, or whatever else the system says: a lock on a file
 *   (evdefer/file.h) got no thread to wait in, or no lock of the kernel.
 *
 * Besides, evresult_deferred() makes a failure with the code in errno if it is given no
 * Deferred, evdefer_base_report() fails with what its function left there, and
 * evdeferred_list() and the like with the code of an input.
 *
 * @thread Any thread that has the result or failure to itself: also a function of a thread
 *   pool (evdefer/threadpool.h).
 * @origin Twisted's Failure, and what its callbacks return.
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

/**
 * Makes a result that is a plain value.
 *
 * Nothing is done with a plain value that nobody receives.
 *
 * @param value NULL is a value like any other.
 * @return the result.
 */
static inline struct evresult
evresult_value(void *value)
{
	struct evresult result = {value, NULL};
	return result;
}

/**
 * Makes a result that is a value together with the duty to free it.
 *
 * Whoever receives the value has that duty from then on.
 *
 * @param free_value called with the value, once, if nobody receives it; it may use the
 *   library.  If it is NULL, this is evresult_value().
 * @return the result.
 */
static inline struct evresult
evresult_owned(void *value, void (*free_value)(void *))
{
	struct evresult result = {value, free_value};
	return result;
}

/**
 * Makes a failure.
 *
 * A macro, which remembers the file and line of the call.
 *
 * @fn struct evresult evresult_fail(int code, const char *format, ...)
 * @param code an errno code above 0; anything else is taken as EINVAL.
 * @param format printf format of the message, with its arguments; NULL stands
 *   for strerror(code).
 * @return a result that is the failure.  It is the caller's until it is
 *   returned from a callback, fired, or given to evresult_dispose().  If memory runs
 *   out, it is a failure with code ENOMEM that needs none, so there is nothing to check.
 * @cost One allocation.
 * @origin Twisted's Failure.
 */
#define evresult_fail(...) evresult_fail_at(__FILE__, __LINE__, __VA_ARGS__)

/**
 * Makes a failure with a place that the caller gives.
 *
 * It is the function behind evresult_fail(), for macros and wrappers of your own.
 *
 * @param file not copied; it has to live as long as the failure does.
 * @as evresult_fail()
 */
struct evresult evresult_fail_at(const char *file, int line, int code,
    const char *format, ...) EVDEFER_PRINTF_(4, 5);

/**
 * Makes a failure that carries something.
 *
 * A macro.  In Python, that is what an exception has in its attributes: an answer with an
 * error, the line that could not be read.
 *
 * @fn struct evresult evresult_fail_with(void *payload,
 *     void (*free_payload)(void *), int code, const char *format, ...)
 * @param payload for evfailure_get_payload(); it is the failure's from now on.
 * @param free_payload called once with the payload when nobody holds the
 *   failure any more; it may use the library.  NULL if the payload stays the
 *   caller's.
 * @return a result that is the failure, as evresult_fail(); out of memory, a failure
 *   with ENOMEM that carries nothing, and the payload has been freed.
 * @as evresult_fail()
 */
#define evresult_fail_with(...)                                                \
	evresult_fail_with_at(__FILE__, __LINE__, __VA_ARGS__)

/**
 * Makes a failure that carries something, with a place that the caller gives.
 *
 * It is the function behind evresult_fail_with(), for macros and wrappers of your own.
 *
 * @param file not copied; it has to live as long as the failure does.
 * @as evresult_fail_with()
 */
struct evresult evresult_fail_with_at(const char *file, int line, void *payload,
    void (*free_payload)(void *), int code, const char *format, ...)
    EVDEFER_PRINTF_(6, 7);

/**
 * Makes a failure that has another one as its cause.
 *
 * A macro, otherwise as evresult_fail().
 *
 * @fn struct evresult evresult_wrap(
 *     struct evfailure *cause, int code, const char *format, ...)
 * @param cause may be one that was lent; the new failure keeps it alive.
 * @as evresult_fail()
 * @origin Python's "raise ... from".
 */
#define evresult_wrap(...) evresult_wrap_at(__FILE__, __LINE__, __VA_ARGS__)

/**
 * Makes a failure that has a cause, with a place that the caller gives.
 *
 * It is the function behind evresult_wrap(), for macros and wrappers of your own.
 *
 * @param file not copied; it has to live as long as the failure does.
 * @as evresult_wrap()
 */
struct evresult evresult_wrap_at(const char *file, int line,
    struct evfailure *cause, int code, const char *format, ...)
    EVDEFER_PRINTF_(5, 6);

/**
 * Makes a result that is a failure which is there.
 *
 * An errback returns it to pass on the failure that it was lent.  Nothing changes hands
 * by this call; whatever the result is given to (a chain, evdeferred_fire()) takes a
 * reference of its own.
 *
 * @return the result; for NULL a failure with EINVAL.
 * @cost O(1), without memory.
 */
struct evresult evresult_from_failure(struct evfailure *failure);

/**
 * Makes a result that says: wait for this one.
 *
 * Returned from a callback, it makes the chain wait until @p d has come to the end of its
 * own links, and go on with its result.  @p d is handed over with it, even if the chain
 * then refuses to wait for it, and must not be freed any more; only a Deferred that is
 * returned from its own chain stays with its consumer.
 *
 * A chain refuses with EDEADLK what is itself or waits for it, and with EINVAL what belongs
 * to another base, or what another one waits for.
 *
 * @param d NULL, which a function that should have made a Deferred returns when it
 *   failed, gives a failure with the code in errno; that is the right one if no other
 *   call came between.  So what such a function returns can be passed on unchecked.
 * @return the result.
 * @cost O(1), and one allocation for NULL.
 */
struct evresult evresult_deferred(struct evdeferred *d);

/**
 * Tells whether the result is a failure.
 *
 * @return whether it is.
 */
bool evresult_is_failure(struct evresult result);

/**
 * Tells whether the result is another Deferred to wait for.
 *
 * @return whether it is.
 */
bool evresult_is_deferred(struct evresult result);

/**
 * Takes the value out of a result.
 *
 * This uses up the result: it must neither be passed on nor disposed of as well.
 *
 * @return the value, which the caller then owns; NULL for a result that is not
 *   a value, or is a grant whose owner has been freed.
 */
void *evresult_get_value(struct evresult result);

/**
 * Gives the failure of a result.
 *
 * @return the failure, lent by the result; NULL for any other result.
 */
struct evfailure *evresult_get_failure(struct evresult result);

/**
 * Disposes of a result that nobody will receive.
 *
 * It frees an owned value, lets go of a failure (unreported), frees a Deferred.  Not to
 * be called on a result that was fired, returned from a callback, or whose value was
 * taken.
 *
 * @thread The thread of the Deferred's base for one that is a Deferred or a grant;
 *   otherwise any thread that has the result to itself.
 * @cost That of the function that it calls.
 */
void evresult_dispose(struct evresult result);

/**
 * Gives the errno code of a failure.
 *
 * @return the code, above 0; 0 for NULL.
 */
int evfailure_get_code(const struct evfailure *failure);

/**
 * Gives the message of a failure.
 *
 * @return the message, owned by the failure, never NULL; "" for NULL.
 */
const char *evfailure_get_message(const struct evfailure *failure);

/**
 * Gives the failure that this one wraps.
 *
 * @return the cause, lent by this failure, as long as it lives; NULL if there is none.
 */
struct evfailure *evfailure_get_cause(const struct evfailure *failure);

/**
 * Gives what the failure carries.
 *
 * A failure around it, from evresult_wrap() or a combination, does not have that: look
 * at its evfailure_get_cause().  The type of a payload has to show in the code of the
 * failure, or in a first field that all payloads of the program share.
 *
 * @return what evresult_fail_with() gave it, lent by the failure, or NULL.
 */
void *evfailure_get_payload(const struct evfailure *failure);

/** What evfailure_get_index() gives for a failure without a place. */
#define EVFAILURE_NO_INDEX ((size_t)-1)

/**
 * Tells which input of a combination has failed.
 *
 * @return for a failure of evdeferred_list() or evdeferred_gather() that has the
 *   failure of one input as its cause: the place of that input, from 0; otherwise
 *   EVFAILURE_NO_INDEX.
 * @origin The index of Twisted's FirstError.
 */
size_t evfailure_get_index(const struct evfailure *failure);

/**
 * Gives all failures of a race.
 *
 * @return for the failure of an evdeferred_race(): the failures of all its
 *   inputs in their order, lent by this failure, to be looked at with
 *   evresults_get(); otherwise NULL.
 * @origin What Twisted's FailureGroup has.
 */
const struct evresults *evfailure_get_results(const struct evfailure *failure);

/**
 * Gives the source file that made a failure.
 *
 * @return it as its __FILE__ said; for failures that the library makes by itself, such
 *   as that of a cancel, a file of its own.
 */
const char *evfailure_get_file(const struct evfailure *failure);

/**
 * Gives the line that made a failure.
 *
 * @return the line in evfailure_get_file().
 */
int evfailure_get_line(const struct evfailure *failure);

/**
 * Keeps a failure that was lent, beyond the return of the errback.
 *
 * Each call has to be matched by one evfailure_unref().
 *
 * @return the same failure.
 * @thread The thread of the base whose chain has lent it.
 */
struct evfailure *evfailure_ref(struct evfailure *failure);

/**
 * Gives back a failure kept with evfailure_ref().
 *
 * It is freed if nobody else holds it.
 *
 * @thread The thread of the base whose chain has lent it.
 * @cost O(1), and O(n) for n causes that go with it.
 */
void evfailure_unref(struct evfailure *failure);

#ifdef __cplusplus
}
#endif

#endif
