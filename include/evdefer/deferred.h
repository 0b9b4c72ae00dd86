/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/deferred.h
 *
 * The Deferred: a result that will come later, with a chain of callbacks and
 * errbacks.  It behaves as Twisted's Deferred does, as far as C allows.
 *
 * Two parties share a Deferred.  The producer fires it, once.  The consumer
 * adds links to it and frees it, once, at any time: before it fires,
 * afterwards, or from inside one of its own links.  Or the consumer detaches
 * it, and the Deferred frees itself at the end of its chain.  The memory goes
 * when both are done.
 *
 * Links run in the order in which they were added, each with the result of the
 * one before it.  The C stack does not grow with the length of a chain or with
 * the number of Deferreds that wait for one another: deliveries that are nested
 * deeper than a small fixed number run when the outermost one has returned to
 * the library, at the latest from the event loop.
 *
 * Functions that return int return 0, or -1 with errno set and nothing changed.
 * A NULL Deferred is refused with EINVAL (and ignored where nothing is
 * returned), so that the result of a call that failed can be passed on.
 */
#ifndef EVDEFER_DEFERRED_H
#define EVDEFER_DEFERRED_H

/* C++98 has no macros with three dots, though compilers do. */
#if defined(__cplusplus) && __cplusplus < 201103L && defined(__GNUC__)
#pragma GCC system_header
#endif

#include <stdbool.h>

#include <evdefer/result.h>

#ifdef __cplusplus
extern "C" {
#endif

struct timeval;
struct evdefer_base;
struct evdeferred;

/** Runs on success.  It owns @p value from here on, and returns the result for
 * the next link. */
typedef struct evresult (*evdeferred_callback_fn)(void *value, void *arg);

/** Runs on failure.  It is lent @p failure and returns the result for the next
 * link; evresult_from_failure(failure) passes it on. */
typedef struct evresult (*evdeferred_errback_fn)(
    struct evfailure *failure, void *arg);

/** Runs on success and on failure.  A value in @p result is owned from here
 * on: take it with evresult_get_value(), dispose of the result, keep it, or
 * return it to pass it on.  A failure is lent, and is passed on in the same
 * way. */
typedef struct evresult (*evdeferred_both_fn)(
    struct evresult result, void *arg);

/** What evdeferred_maybe(), evdeferred_later() and the functions that acquire,
 * run and release (evrwlock_with(), for one) run.  It returns the result of
 * their Deferred. */
typedef struct evresult (*evdeferred_body_fn)(void *arg);

/** Tells the producer to give up.  It may fire @p d with a result of its own;
 * if it does not, @p d fails with ECANCELED.  It is called at most once, and
 * the producer must not use @p d after it has returned. */
typedef void (*evdeferred_canceller_fn)(struct evdeferred *d, void *arg);

/**
 * Makes a Deferred that has not fired.  Twisted's Deferred(canceller).
 *
 * @param canceller called by evdeferred_cancel(), and by evdeferred_free() of
 *   a Deferred that has not fired; NULL if the producer can't be stopped.
 * @param arg handed to the canceller.
 * @return the Deferred, to be freed with evdeferred_free() or let go with
 *   evdeferred_detach(); NULL with errno EINVAL (no base) or ENOMEM.  O(1),
 *   memory from the pool of the base.
 */
struct evdeferred *evdeferred_new(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg);

/**
 * Makes a Deferred that has fired with @p result.  Twisted's succeed() and
 * fail(); with evresult_deferred() its maybeDeferred().
 *
 * @return the Deferred, as evdeferred_new(); on NULL the result is still the
 *   caller's.
 */
struct evdeferred *evdeferred_new_fired(
    struct evdefer_base *base, struct evresult result);

/** evdeferred_new_fired() with evresult_value().  Twisted's succeed(). */
struct evdeferred *evdeferred_succeed(struct evdefer_base *base, void *value);

/**
 * A Deferred that has failed:
 * `evdeferred_fail(struct evdefer_base *base, int code, const char *format,
 * ...)`.  evdeferred_new_fired() with evresult_fail().  Twisted's fail().
 */
#define evdeferred_fail(...) evdeferred_fail_at(__FILE__, __LINE__, __VA_ARGS__)

/** evdeferred_fail() with the place given by the caller. */
struct evdeferred *evdeferred_fail_at(const char *file, int line,
    struct evdefer_base *base, int code, const char *format, ...)
    EVDEFER_PRINTF_(5, 6);

/**
 * Runs @p body at once.  Twisted's maybeDeferred(): whether the function gives
 * a value, a failure or a Deferred, the caller gets a Deferred.
 *
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's, as evdeferred_new(), and has the
 *   result of the body, or waits for the Deferred that it returned.  NULL with
 *   errno EINVAL (no base or no body) or ENOMEM; then the body was not run.
 */
struct evdeferred *evdeferred_maybe(
    struct evdefer_base *base, evdeferred_body_fn body, void *arg);

/**
 * Runs @p body after a delay, from the event loop.  Twisted's deferLater().
 *
 * @param delay duration from this call; copied.  It never ends early, but with
 *   a millisecond of the monotonic clock.  Delays that end with the same one do
 *   so in the order of the calls.  With 0 the body runs once the loop has polled.
 * @param body NULL stands for one that returns the plain value NULL.
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's, as evdeferred_new(), and fires with
 *   the result of the body.  A cancel before that stops the timer: the body
 *   does not run, and the Deferred fails with ECANCELED.  NULL with errno
 *   EINVAL (no base; a delay that is missing, negative, or not normalized),
 *   ESHUTDOWN (evdefer_base_free() was called, which cancels those that are
 *   under way) or ENOMEM.
 */
struct evdeferred *evdeferred_later(struct evdefer_base *base,
    const struct timeval *delay, evdeferred_body_fn body, void *arg);

/**
 * The consumer is done with the Deferred.  NULL is allowed.
 *
 * Links that have not begun never run (where deliveries are nested too deeply,
 * not even those of a Deferred that has fired).  A result that is left is
 * disposed of; if it is a failure, it is reported to the handler of the base.
 * If the Deferred has not fired, the canceller is called as by
 * evdeferred_cancel(), and what the producer still fires is disposed of.  If it
 * waits for another Deferred, that one is freed first.  A call from inside one
 * of its own links takes effect when that link returns.  O(1) for each link and
 * each Deferred freed.
 */
void evdeferred_free(struct evdeferred *d);

/**
 * The consumer is done with the pointer but not with the chain: the links run
 * as they would have, and at the end of the chain the Deferred frees itself.
 * @p d must not be used any more, except by somebody who knows that it has not
 * come to its end.  What Python does when the last reference to a Deferred
 * goes.  O(1).
 */
void evdeferred_detach(struct evdeferred *d);

/**
 * Fires the Deferred and runs its links.  The producer's part.
 *
 * @param result taken over on success.  With evresult_deferred(other), @p d
 *   waits for @p other.
 * @return 0, or -1 with errno EINVAL (no Deferred), EALREADY (it had fired) or
 *   EPERM (it waits for a lock, a delay or a combination, say, and only that
 *   may fire it); then @p result is still the caller's.  If the consumer
 *   cancelled or freed a Deferred without a canceller, one late result is
 *   accepted: it is disposed of, and 0 is returned.
 */
int evdeferred_fire(struct evdeferred *d, struct evresult result);

/** evdeferred_fire() with evresult_value().  Twisted's Deferred.callback(). */
int evdeferred_callback(struct evdeferred *d, void *value);

/**
 * Fires with a new failure:
 * `evdeferred_errback(struct evdeferred *d, int code, const char *format,
 * ...)`. evdeferred_fire() with evresult_fail(), which makes no failure where
 * EALREADY is returned.  Twisted's Deferred.errback().
 */
#define evdeferred_errback(...)                                                \
	evdeferred_errback_at(__FILE__, __LINE__, __VA_ARGS__)

/** evdeferred_errback() with the place given by the caller. */
int evdeferred_errback_at(const char *file, int line, struct evdeferred *d,
    int code, const char *format, ...) EVDEFER_PRINTF_(5, 6);

/**
 * @return whether it has its first result: it was fired, or a cancel or a free
 * decided what its result is, whatever becomes of that.  So this is true from
 * inside its first link on, while the chain is paused or waits for another
 * Deferred, and for one that was made with a result (evdeferred_new_fired(),
 * evdeferred_maybe()).  A coroutine has fired when its body has ended, an
 * acquire when the callback of its grant is called, a combination when its
 * outcome is decided.  False for NULL.  O(1).  Twisted's called.
 */
bool evdeferred_has_fired(const struct evdeferred *d);

/**
 * Adds a link: @p callback for a value, @p errback for a failure.  Where the
 * function for what comes is NULL, the link passes the result on.  If the
 * Deferred has fired, the link runs before this returns, unless deliveries are
 * nested too deeply (see above) or something holds the chain back.  If this is
 * called from inside a running link of the same Deferred, the new link runs
 * after that one, and in order.  Only a Deferred that was detached may have
 * freed itself when this returns.
 *
 * @param arg handed to both; it stays the caller's.
 * @return 0, or -1 with errno EINVAL (no Deferred, or neither function) or
 *   ENOMEM; then the link was not added.  O(1), memory from the pool.
 */
int evdeferred_add_callbacks(struct evdeferred *d,
    evdeferred_callback_fn callback, evdeferred_errback_fn errback, void *arg);

/** evdeferred_add_callbacks() without an errback. */
int evdeferred_add_callback(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg);

/** evdeferred_add_callbacks() without a callback. */
int evdeferred_add_errback(
    struct evdeferred *d, evdeferred_errback_fn errback, void *arg);

/** Adds a link that runs on success and on failure.  Twisted's addBoth().
 * Otherwise as evdeferred_add_callbacks(). */
int evdeferred_add_both(
    struct evdeferred *d, evdeferred_both_fn both, void *arg);

/**
 * evdeferred_add_callbacks() with an argument that belongs to the link.
 *
 * @param free_arg called once with @p arg when the link is through, or when it
 *   is dropped without having run (by evdeferred_free(), for one).  A link is
 *   through when its function has returned, and if that returned a Deferred to
 *   wait for, when the result of this one is there.  free_arg may use the
 *   library, and even cancel or free @p d.  NULL if @p arg stays the caller's,
 *   as with evdeferred_add_callbacks().
 * @return 0, or -1 with errno EINVAL (no Deferred, or neither function) or
 *   ENOMEM; then @p arg is still the caller's.  O(1), memory of two links from
 *   the pool.
 */
int evdeferred_add_callbacks_owned(struct evdeferred *d,
    evdeferred_callback_fn callback, evdeferred_errback_fn errback, void *arg,
    void (*free_arg)(void *arg));

/** evdeferred_add_both() with an argument that belongs to the link, as with
 * evdeferred_add_callbacks_owned(). */
int evdeferred_add_both_owned(struct evdeferred *d, evdeferred_both_fn both,
    void *arg, void (*free_arg)(void *arg));

/**
 * Adds a link that fires @p other with the result; the next link of @p d gets
 * the plain value NULL.  Twisted's chainDeferred().
 *
 * @p d becomes the producer of @p other, which stays with its consumer.  Nobody
 * else should fire @p other; if somebody does, the result from @p d is disposed
 * of.  If the link is dropped because @p d is freed, @p other fails with
 * ECANCELED.  Cancelling @p other does not cancel @p d.  A loop of waits that
 * such a link closes is not found.
 *
 * An @p other that is freed, cancelled or fired by somebody else before @p d
 * fires leaves @p d at once, in O(1), and nothing is kept for it: any number
 * may come to a @p d that lives as long as the program ("we shut down"), and
 * go.  The result of @p d does not pass by those that have left: what the first
 * of them would have got is disposed of, and the next link gets NULL.
 *
 * @return 0, or -1 with errno EINVAL (one of them is missing, they are the
 *   same, or of different bases), EALREADY (@p other has fired), EPERM (it
 *   waits for a lock, say), EBUSY (it is chained to a Deferred already) or
 *   ENOMEM.  O(1).
 */
int evdeferred_chain(struct evdeferred *d, struct evdeferred *other);

/** Holds the chain back: no link begins until each pause has been taken back
 * by an unpause.  Twisted's pause(), except that there a chain that is running
 * runs on.
 * @return 0, or -1 with errno EINVAL, or EOVERFLOW after 32767 pauses. */
int evdeferred_pause(struct evdeferred *d);

/** Takes back one pause; the last one runs the links that are due.
 * @return 0, or -1 with errno EINVAL or EPERM (it was not paused). */
int evdeferred_unpause(struct evdeferred *d);

/**
 * The consumer no longer wants the result.  Twisted's cancel().
 *
 * If the Deferred has not fired, the canceller is called, and unless that fires
 * it, it fails with ECANCELED; without a canceller one late result will be
 * disposed of.  If it waits for another Deferred, the innermost one is
 * cancelled instead.  A result that is there already stays: links that a pause
 * or deep nesting still holds back run with it after the cancel, and in the
 * case of nesting the first Deferred that they wait for is cancelled.  A
 * failure with which a cancel ends is not reported if nobody handles it; one
 * that the canceller fires is.  O(1) for each Deferred waited for.
 */
void evdeferred_cancel(struct evdeferred *d);

/**
 * Cancels the Deferred unless the links added so far are through within
 * @p timeout.  If they then come out with ECANCELED, the links added later see
 * ETIMEDOUT instead.  Twisted's addTimeout().
 *
 * An evdeferred_cancel() before the time is over, or while those links still
 * answer to the timeout, calls the Deferred off: the failure stays ECANCELED.
 *
 * @param timeout duration from this call; copied.  It never ends early, but
 *   with a millisecond of the monotonic clock, unless it is 0.  Timeouts and
 *   delays that end with the same one do so in the order of the calls.
 * @return 0, or -1 with errno EINVAL (none, negative, or not normalized),
 *   ESHUTDOWN (evdefer_base_free() was called) or ENOMEM.
 */
int evdeferred_add_timeout(struct evdeferred *d, const struct timeval *timeout);

/**
 * evdeferred_add_timeout() with a function that chooses what comes of it.
 * Twisted's addTimeout() with onTimeoutCancel.
 *
 * @param both called if the time was over before the links added so far were
 *   through and nobody has called the Deferred off: with what they made of the
 *   cancel, be it ECANCELED, another failure or a value.  It receives and
 *   returns results as a function of evdeferred_add_both() does, and the links
 *   added later see what it returns.  NULL stands for what
 *   evdeferred_add_timeout() does.
 * @param arg handed to it; it stays the caller's.
 */
int evdeferred_add_timeout_both(struct evdeferred *d,
    const struct timeval *timeout, evdeferred_both_fn both, void *arg);

/**
 * Describes the Deferred in words, for a log or a debugger: whether it waits,
 * runs, waits for another one (that a link returned, or that it is chained to)
 * or has a result, how often it is paused, and, with evdefer_base_set_debug(),
 * where it was made.  Twisted's repr().  The words may change from one version
 * to the next.
 *
 * @param buffer for the text, as with snprintf(); NULL if @p size is 0.
 * @return the length of the whole text, which was cut off if that is not below
 *   @p size; -1 with errno EINVAL.
 */
int evdeferred_describe(const struct evdeferred *d, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif

#endif
