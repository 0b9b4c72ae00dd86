/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/deferred.h
 * @page evdeferred
 *
 * The Deferred: a result that will come later, with a chain of callbacks and
 * errbacks.
 *
 * It behaves as Twisted's Deferred does, as far as C allows.
 *
 * @par Producer and consumer
 * Two parties share a Deferred.  The producer makes it and fires it, once; it must not
 * use it any more once its canceller has returned.  The consumer adds links to it and
 * gives it up, once, at any time: before it fires, afterwards, or from inside one of its
 * own links.  It frees it (evdeferred_free()), or detaches it (evdeferred_detach()), and
 * the Deferred frees itself at the end of its chain.  The memory goes when both are done.
 *
 * @par Links
 * A link has a function for values, or one for failures, or one for both.  Links run in
 * the order in which they were added, each with the result of the one before it, and the
 * first one with what the Deferred was fired with.  A link without a function for the
 * kind of result that comes passes the result on.
 *
 * A link that returns evresult_deferred(other) makes the chain wait for that one, and the
 * next link gets the result of that.  It belongs to the chain from then on.  If it is
 * the Deferred itself, or waits for it, the next link gets a failure with EDEADLK
 * instead; if it belongs to another base, or another one waits for it, EINVAL.
 *
 * The argument of a link or a canceller is handed to the function and stays the
 * caller's, who keeps it valid until the function has run or can no longer run.  Where
 * that is hard to tell, let the link own it: evdeferred_add_callbacks_owned().
 *
 * The C stack does not grow with the length of a chain or with the number of Deferreds
 * that wait for one another: deliveries that are nested deeper than a small fixed number
 * run when the outermost one has returned to the library, at the latest from the event
 * loop.  Where they are nested less deeply, a function that is said to run links runs
 * them before it returns.
 *
 * @par Errors
 * Functions that return int return 0, or -1 with errno set and nothing changed.
 * A NULL Deferred is refused with EINVAL (and ignored where nothing is
 * returned), so that the result of a call that failed can be passed on.
 *
 * @thread The thread of the Deferred's base.
 * @origin Twisted's Deferred.
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

/** Runs on failure.  It is lent @p failure until it returns, and returns the result for
 * the next link; evresult_from_failure(failure) passes it on, and a value has handled
 * it. */
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
 * Makes a Deferred that has not fired.
 *
 * The producer usually keeps one pointer and returns the same pointer to the consumer.
 *
 * @param canceller called by evdeferred_cancel(), and by evdeferred_free() of
 *   a Deferred that has not fired; NULL if the producer can't be stopped.
 * @param arg handed to the canceller.
 * @return the Deferred, to be freed with evdeferred_free() or let go with
 *   evdeferred_detach(); NULL with errno set.
 * @errno EINVAL No base.
 * @errno ENOMEM
 * @cost O(1), memory from the pool of the base.
 * @origin Twisted's Deferred(canceller).
 */
struct evdeferred *evdeferred_new(
    struct evdefer_base *base, evdeferred_canceller_fn canceller, void *arg);

/**
 * Makes a Deferred that has fired.
 *
 * @param result taken over on success.  With evresult_deferred(other) the new one waits
 *   for that.
 * @return the Deferred, to be freed with evdeferred_free() or let go with
 *   evdeferred_detach(); NULL with errno set, and the result is still the caller's.
 * @as evdeferred_new()
 * @origin Twisted's succeed() and fail(); with evresult_deferred() its maybeDeferred().
 */
struct evdeferred *evdeferred_new_fired(
    struct evdefer_base *base, struct evresult result);

/**
 * Makes a Deferred that has fired with a plain value.
 *
 * It is evdeferred_new_fired() with evresult_value().
 *
 * @as evdeferred_new()
 * @origin Twisted's succeed().
 */
struct evdeferred *evdeferred_succeed(struct evdefer_base *base, void *value);

/**
 * Makes a Deferred that has failed.
 *
 * A macro: evdeferred_new_fired() with evresult_fail(), which remembers the file and
 * line of the call.
 *
 * @fn struct evdeferred *evdeferred_fail(
 *     struct evdefer_base *base, int code, const char *format, ...)
 * @param code an errno code above 0; anything else is taken as EINVAL.
 * @param format printf format of the message, with its arguments; NULL stands
 *   for strerror(code).
 * @as evdeferred_new()
 * @origin Twisted's fail().
 */
#define evdeferred_fail(...) evdeferred_fail_at(__FILE__, __LINE__, __VA_ARGS__)

/**
 * Makes a Deferred that has failed at a place that the caller gives.
 *
 * It is the function behind evdeferred_fail(), for macros and wrappers of your own.
 *
 * @param file not copied; it has to live as long as the failure does.
 * @as evdeferred_fail()
 */
struct evdeferred *evdeferred_fail_at(const char *file, int line,
    struct evdefer_base *base, int code, const char *format, ...)
    EVDEFER_PRINTF_(5, 6);

/**
 * Runs a body at once, and makes a Deferred of its result.
 *
 * Whether the function gives a value, a failure or a Deferred, the caller gets a
 * Deferred.
 *
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's, as evdeferred_new(), and has the
 *   result of the body, or waits for the Deferred that it returned.  NULL with
 *   errno, and the body was not run.
 * @errno EINVAL No base or no body.
 * @errno ENOMEM
 * @cost O(1), and the time of the body.
 * @origin Twisted's maybeDeferred().
 */
struct evdeferred *evdeferred_maybe(
    struct evdefer_base *base, evdeferred_body_fn body, void *arg);

/**
 * Runs a body after a delay, from the event loop.
 *
 * A cancel before that stops the timer, and the body does not run.  evdefer_base_free()
 * cancels the delays that are under way.
 *
 * @param delay seconds and microseconds from this call; copied.  It never ends early,
 *   but with a millisecond of the monotonic clock.  Delays and timeouts that end with
 *   the same one do so in the order of the calls.  With 0 the body runs once the loop
 *   has polled.
 * @param body NULL stands for one that returns the plain value NULL.
 * @param arg handed to the body; it stays the caller's.
 * @return a Deferred that is the caller's, as evdeferred_new(), and fires with
 *   the result of the body.  NULL with errno set.
 * @errno EINVAL No base, or a delay that is missing, negative, or has microseconds
 *   outside of 0 to 999999.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @fails ECANCELED evdeferred_cancel() or evdefer_base_free() was called before the body
 *   ran.
 * @cost O(1), for any number of timeouts and delays of the base.
 * @origin Twisted's deferLater().
 */
struct evdeferred *evdeferred_later(struct evdefer_base *base,
    const struct timeval *delay, evdeferred_body_fn body, void *arg);

/**
 * Says that the consumer is done with the Deferred.
 *
 * Links that have not begun never run (where deliveries are nested too deeply,
 * not even those of a Deferred that has fired).  A result that is left is
 * disposed of; if it is a failure, it is reported to the handler of the base
 * (evdefer_base_set_unhandled()).  If the Deferred has not fired, the canceller is
 * called as by evdeferred_cancel(), and what the producer still fires is disposed of.
 * If it waits for another Deferred, that one is freed first.  A call from inside one
 * of its own links takes effect when that link returns.
 *
 * @param d NULL is allowed and does nothing.
 * @cost O(1) for each link and each Deferred freed.
 * @origin None: in Python the last reference goes.
 */
void evdeferred_free(struct evdeferred *d);

/**
 * Says that the consumer is done with the pointer, but not with the chain.
 *
 * The links run as they would have, and at the end of the chain the Deferred frees
 * itself.  @p d must not be used any more, except by somebody who knows that it has not
 * come to its end.
 *
 * @param d NULL is allowed and does nothing.
 * @cost O(1).
 * @origin What Python does when the last reference to a Deferred goes.
 */
void evdeferred_detach(struct evdeferred *d);

/**
 * Fires the Deferred and runs its links.
 *
 * This is the producer's part.  If the consumer cancelled or freed a Deferred without
 * a canceller, one late result is accepted: it is disposed of, and 0 is returned.
 *
 * @param result taken over on success.  With evresult_deferred(other), @p d
 *   waits for that.
 * @return 0, or -1 with errno set; then @p result is still the caller's.
 * @errno EINVAL No Deferred.
 * @errno EALREADY It had fired.
 * @errno EPERM It waits for a lock, a delay or a combination, say, and only that may
 *   fire it.
 * @cost O(1), and the time of the links.
 * @origin Twisted's Deferred.callback() and Deferred.errback().
 */
int evdeferred_fire(struct evdeferred *d, struct evresult result);

/**
 * Fires the Deferred with a plain value.
 *
 * It is evdeferred_fire() with evresult_value().
 *
 * @return 0, or -1 with errno set, and nothing was changed.
 * @as evdeferred_fire()
 * @origin Twisted's Deferred.callback().
 */
int evdeferred_callback(struct evdeferred *d, void *value);

/**
 * Fires the Deferred with a new failure.
 *
 * A macro: evdeferred_fire() with evresult_fail(), which remembers the file and line of
 * the call.
 *
 * @fn int evdeferred_errback(
 *     struct evdeferred *d, int code, const char *format, ...)
 * @param code an errno code above 0; anything else is taken as EINVAL.
 * @param format printf format of the message, with its arguments; NULL stands
 *   for strerror(code).
 * @return 0, or -1 with errno set, and no failure was made.
 * @as evdeferred_fire()
 * @origin Twisted's Deferred.errback().
 */
#define evdeferred_errback(...)                                                \
	evdeferred_errback_at(__FILE__, __LINE__, __VA_ARGS__)

/**
 * Fires the Deferred with a new failure from a place that the caller gives.
 *
 * It is the function behind evdeferred_errback(), for macros and wrappers of your own.
 *
 * @param file not copied; it has to live as long as the failure does.
 * @as evdeferred_errback()
 */
int evdeferred_errback_at(const char *file, int line, struct evdeferred *d,
    int code, const char *format, ...) EVDEFER_PRINTF_(5, 6);

/**
 * Tells whether the Deferred has its first result.
 *
 * It has when it was fired, or a cancel or a free decided what its result is, whatever
 * becomes of that.  So this is true from inside its first link on, while the chain is
 * paused or waits for another Deferred, and for one that was made with a result
 * (evdeferred_new_fired(), evdeferred_maybe()).  A coroutine has fired when its body
 * has ended, an acquire when the callback of its grant is called, a combination when
 * its outcome is decided.
 *
 * @return whether it has; false for NULL.
 * @cost O(1).
 * @origin Twisted's called.
 */
bool evdeferred_has_fired(const struct evdeferred *d);

/**
 * Adds a link: one function for a value, and one for a failure.
 *
 * Where the function for what comes is NULL, the link passes the result on.  If the
 * Deferred has fired, the link runs before this returns, unless deliveries are
 * nested too deeply (evdefer/deferred.h) or something holds the chain back.  If this is
 * called from inside a running link of the same Deferred, the new link runs
 * after that one, and in order.  Only a Deferred that was detached may have
 * freed itself when this returns.
 *
 * @param callback for a value, or NULL.
 * @param errback for a failure, or NULL.
 * @param arg handed to both; it stays the caller's.
 * @return 0, or -1 with errno set, and the link was not added.
 * @errno EINVAL No Deferred, or neither function.
 * @errno ENOMEM
 * @cost O(1), memory from the pool, and the time of the link.
 * @origin Twisted's addCallbacks().
 */
int evdeferred_add_callbacks(struct evdeferred *d,
    evdeferred_callback_fn callback, evdeferred_errback_fn errback, void *arg);

/**
 * Adds a link that runs on success only.
 *
 * It is evdeferred_add_callbacks() without an errback.
 *
 * @as evdeferred_add_callbacks()
 * @param callback for a value.
 * @errno EINVAL No Deferred or no function.
 * @origin Twisted's addCallback().
 */
int evdeferred_add_callback(
    struct evdeferred *d, evdeferred_callback_fn callback, void *arg);

/**
 * Adds a link that runs on failure only.
 *
 * It is evdeferred_add_callbacks() without a callback.
 *
 * @as evdeferred_add_callbacks()
 * @param errback for a failure.
 * @errno EINVAL No Deferred or no function.
 * @origin Twisted's addErrback().
 */
int evdeferred_add_errback(
    struct evdeferred *d, evdeferred_errback_fn errback, void *arg);

/**
 * Adds a link that runs on success and on failure.
 *
 * Otherwise it is as evdeferred_add_callbacks().
 *
 * @param both for both.
 * @param arg handed to it; it stays the caller's.
 * @as evdeferred_add_callbacks()
 * @errno EINVAL No Deferred or no function.
 * @origin Twisted's addBoth().
 */
int evdeferred_add_both(
    struct evdeferred *d, evdeferred_both_fn both, void *arg);

/**
 * Adds a link with an argument that belongs to the link.
 *
 * Otherwise it is as evdeferred_add_callbacks().
 *
 * @param arg handed to both; it is the link's on success.
 * @param free_arg called once with @p arg when the link is through, or when it
 *   is dropped without having run (by evdeferred_free(), for one).  A link is
 *   through when its function has returned, and if that returned a Deferred to
 *   wait for, when the result of this one is there.  It may use the
 *   library, and even cancel or free @p d.  NULL if @p arg stays the caller's,
 *   as with evdeferred_add_callbacks().
 * @return 0, or -1 with errno set, and @p arg is still the caller's.
 * @cost O(1), memory of two links from the pool, and the time of the link.
 * @as evdeferred_add_callbacks()
 */
int evdeferred_add_callbacks_owned(struct evdeferred *d,
    evdeferred_callback_fn callback, evdeferred_errback_fn errback, void *arg,
    void (*free_arg)(void *arg));

/**
 * Adds a link for success and failure with an argument that belongs to the link.
 *
 * Otherwise it is as evdeferred_add_both().
 *
 * @param both for both.
 * @param arg handed to it; it is the link's on success.
 * @as evdeferred_add_callbacks_owned()
 * @errno EINVAL No Deferred or no function.
 */
int evdeferred_add_both_owned(struct evdeferred *d, evdeferred_both_fn both,
    void *arg, void (*free_arg)(void *arg));

/**
 * Adds a link that fires another Deferred with the result.
 *
 * The next link of @p d gets the plain value NULL.
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
 * @return 0, or -1 with errno set, and nothing was changed.
 * @errno EALREADY @p other has fired.
 * @errno EBUSY @p other is chained to a Deferred already.
 * @errno EINVAL One of them is missing, they are the same, or of different bases.
 * @errno ENOMEM
 * @errno EPERM @p other waits for a lock, a delay or a combination, say, and only that
 *   may fire it.
 * @cost O(1), memory from the pool of the base.
 * @origin Twisted's chainDeferred().
 */
int evdeferred_chain(struct evdeferred *d, struct evdeferred *other);

/**
 * Holds the chain back.
 *
 * No link begins until each pause has been taken back by an unpause.  It may be called
 * from inside a link, which is then the last one to run until the chain goes on.
 *
 * @return 0, or -1 with errno set.
 * @errno EINVAL No Deferred.
 * @errno EOVERFLOW It was paused 32767 times.
 * @cost O(1).
 * @origin Twisted's pause(), except that there a chain that is running runs on.
 */
int evdeferred_pause(struct evdeferred *d);

/**
 * Takes back one pause.
 *
 * The last one runs the links that are due.
 *
 * @return 0, or -1 with errno set.
 * @errno EINVAL No Deferred.
 * @errno EPERM It was not paused.
 * @cost O(1), and the time of the links.
 * @origin Twisted's unpause().
 */
int evdeferred_unpause(struct evdeferred *d);

/**
 * Says that the consumer no longer wants the result.
 *
 * What it does depends on the state of the Deferred:
 *
 * - It has not fired: the canceller is called, and unless that fires it, it fails with
 *   ECANCELED, and its links run.  Without a canceller one late result of the producer
 *   will be disposed of.
 * - It waits for another Deferred: the innermost one of these is cancelled instead, and
 *   its result comes back through the chain.
 * - It has its result: that stays.  Links that a pause or deep nesting still holds back
 *   run with it after the cancel, and in the case of nesting the first Deferred that
 *   they wait for is cancelled.
 *
 * The consumer still has to free or detach it.  A failure with which a cancel ends is
 * not reported if nobody handles it; one that the canceller fires is.
 *
 * @param d NULL is allowed and does nothing.
 * @cost O(1) for each Deferred waited for, and the time of the links.
 * @origin Twisted's cancel().
 */
void evdeferred_cancel(struct evdeferred *d);

/**
 * Cancels the Deferred unless the links added so far are through in time.
 *
 * If these then come out with ECANCELED, the links added later see ETIMEDOUT instead.
 * If they come out with anything else, because a canceller or an errback had an answer,
 * that stands.  On a Deferred that has its result already the call does nothing.
 *
 * An evdeferred_cancel() before the time is over, or while those links still
 * answer to the timeout, calls the Deferred off: the failure stays ECANCELED.  If the
 * time is over while the links are held back, by a pause or because deliveries are
 * nested too deeply, the first Deferred that they wait for when they go on is cancelled.
 *
 * @param timeout seconds and microseconds from this call; copied.  It never ends early,
 *   but with a millisecond of the monotonic clock, unless it is 0.  Timeouts and
 *   delays that end with the same one do so in the order of the calls.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No Deferred, or a timeout that is missing, negative, or has microseconds
 *   outside of 0 to 999999.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @cost O(1), for any number of timeouts and delays of the base.
 * @origin Twisted's addTimeout().
 */
int evdeferred_add_timeout(struct evdeferred *d, const struct timeval *timeout);

/**
 * Adds a timeout with a function that chooses what comes of it.
 *
 * Otherwise it is as evdeferred_add_timeout().
 *
 * @param both called if the time was over before the links added so far were
 *   through and nobody has called the Deferred off: with what they made of the
 *   cancel, be it ECANCELED, another failure or a value.  It receives and
 *   returns results as a function of evdeferred_add_both() does, and the links
 *   added later see what it returns.  NULL stands for what
 *   evdeferred_add_timeout() does.
 * @param arg handed to it; it stays the caller's.
 * @as evdeferred_add_timeout()
 * @origin Twisted's addTimeout() with onTimeoutCancel.
 */
int evdeferred_add_timeout_both(struct evdeferred *d,
    const struct timeval *timeout, evdeferred_both_fn both, void *arg);

/**
 * Describes the Deferred in words, for a log or a debugger.
 *
 * It says whether it waits, runs, waits for another one (that a link returned, or that
 * it is chained to) or has a result, how often it is paused, and, with
 * evdefer_base_set_debug(), where it was made.  The words may change from one version
 * to the next.
 *
 * @param buffer for the text, as with snprintf(3); NULL if @p size is 0.
 * @return the length of the whole text, which was cut off if that is not below
 *   @p size; -1 with errno set.
 * @errno EINVAL Nothing to describe, or no buffer with a size that is not 0.
 * @origin Twisted's repr().
 */
int evdeferred_describe(const struct evdeferred *d, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif

#endif
