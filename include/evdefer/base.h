/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/base.h
 *
 * The library's side of one libevent loop.
 *
 * An evdefer_base holds what all Deferreds and locks of one event_base share:
 * the ready queue, the pools that their memory comes from, and the handler of
 * unhandled failures.  There is one for each event_base, and no global state.
 *
 * A NULL base is refused with EINVAL, and ignored where nothing is returned.
 *
 * Everything of one base belongs to the thread that runs its event_base, but for
 * evdefer_base_call(), which any thread may call.  A library built with
 * --enable-debug aborts on another call from another thread.
 *
 * After fork() a base goes on in one of the two processes: in the child, after
 * event_reinit() of libevent, or in the parent.  The other leaves it alone, with all
 * that belongs to it, and does not even free it.  event_reinit() does not part them:
 * they have one descriptor for calls, so that one would take the wake-ups of the
 * other, and calls that were accepted before would run in both.  A child has no thread
 * but the one that has forked: a base that other threads could call just then does not
 * go on there.  The descriptor is closed at exec().
 */
#ifndef EVDEFER_BASE_H
#define EVDEFER_BASE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct evdefer_base;
struct evfailure;

/**
 * The most deliveries that the library makes in one turn of the loop, before
 * the loop polls its sockets and timers again.  A turn ends earlier after one
 * millisecond by the monotonic clock, and at event_base_loopbreak(); what is
 * left goes on after the next poll.  A call from outside of a turn also makes
 * at most this many of the deliveries that it has caused and that nest too
 * deeply, before it returns.
 */
#define EVDEFER_BASE_BATCH 256

/** Called with a failure that came to the end of its Deferred.  The failure is
 * lent: it may be gone once the handler has returned. */
typedef void (*evdefer_base_unhandled_fn)(
    const struct evfailure *failure, void *arg);

/** What evdefer_base_call() has the loop run. */
typedef void (*evdefer_base_call_fn)(void *arg);

/**
 * Makes the library's side of an event_base.
 *
 * The event_base stays the caller's and has to outlive the evdefer_base.  One
 * event is added to it while deliveries are due and none otherwise, so that
 * event_base_dispatch() still returns when nothing is left to do: deliveries,
 * timeouts and delays.  It has the middle one of the priorities of the
 * event_base, even if these are set up later.
 *
 * While two parties pass a lock to and fro, something is always left to do, and
 * event_base_loop() with EVLOOP_NONBLOCK alone does not return.  With
 * EVLOOP_ONCE as well it returns after one turn.
 *
 * A base has a file descriptor (an eventfd, or a pair of sockets) for calls from
 * other threads.
 *
 * @return the base, to be freed with evdefer_base_free(); NULL with errno
 *   EINVAL (no event_base), ENOMEM, or EMFILE and ENFILE (no descriptor is left).
 */
struct evdefer_base *evdefer_base_new(struct event_base *event_base);

/**
 * Takes the base off its event_base.  NULL is allowed.  It may be called from
 * inside any function that the library calls; a call from inside another call
 * of it does nothing.
 *
 * What is ready is delivered before this returns, timeouts that are still
 * running are dropped, and what evdeferred_later() delays is cancelled.
 * Deferreds and locks that are left can still be used, to finish what they are
 * for and to be freed: deliveries are then made at once, as with EVRWLOCK_FAST,
 * and a new acquire or timeout fails with ESHUTDOWN, as does what waits for a lock
 * of a group (evdefer/group.h).  The memory goes with the last of them.  Call this
 * before event_base_free().
 */
void evdefer_base_free(struct evdefer_base *base);

/**
 * Has the loop of the base run @p fn, which may then use all of the library.
 * Twisted's callFromThread().
 *
 * **Any thread** may call it, also that of the base, a function of a thread pool
 * (evdefer/threadpool.h) or one that runs in another loop, but no signal handler.
 * Calls of one thread run in their order, after a poll.  What was accepted runs:
 * at the latest from inside evdefer_base_free(), in the thread that calls that.
 * A loop that runs is woken by one write to a descriptor, however many calls come
 * before it looks.  evthread_use_pthreads() is not needed.
 *
 * A call that may yet come does not keep the loop from ending, and a loop that has
 * nothing to wait for ends without a look (event_base_dispatch()).  So give it an
 * event to wait for, or EVLOOP_NO_EXIT_ON_EMPTY, or work in a thread pool, for as long
 * as calls are to come.  What came after its last poll runs when it polls again, or
 * with evdefer_base_free().
 *
 * The base has to be there: whoever calls knows that evdefer_base_free() has not
 * returned, or that something else of the base is left.
 *
 * @param arg handed to the function; it stays the caller's.
 * @return 0, or -1 with errno EINVAL (no base or no function), ESHUTDOWN
 *   (evdefer_base_free() was called) or ENOMEM, and the function will not run.  O(1);
 *   in the steady state it needs no memory.
 */
int evdefer_base_call(
    struct evdefer_base *base, evdefer_base_call_fn fn, void *arg);

/** @return the event_base that was given to evdefer_base_new(), or NULL after
 * evdefer_base_free(), as long as a Deferred, lock or owner of the base is
 * left. */
struct event_base *evdefer_base_get_event_base(const struct evdefer_base *base);

/**
 * Sets the handler of failures that nobody handled: of each failure that is
 * still the result of a Deferred when that Deferred goes.  Twisted logs these
 * as "Unhandled error in Deferred".
 *
 * @param handler called with each; it may use the library, and free the base.
 *   NULL restores the default, which writes code, message, file and line to
 *   libevent's log (event_set_log_callback()), and where the Deferred was made
 *   if evdefer_base_set_debug() is on.
 * @param arg handed to the handler.
 *
 * A handler is never called from inside itself: a failure that comes to the end
 * of its Deferred while the handler runs is reported when the handler has
 * returned.  If each report leads to another failure, that goes on 16 times in
 * a row, and the rest waits for a later turn of the loop.  What still waits
 * when the base is freed, and what such a handler leaves over after that, is
 * written to the log instead.  Reports need no memory.
 */
void evdefer_base_set_unhandled(
    struct evdefer_base *base, evdefer_base_unhandled_fn handler, void *arg);

/**
 * Sets the priority at which the library's turns run, timeouts among them.
 * libevent's event_priority_set().
 *
 * @param priority from 0, the most urgent one, to below what was given to
 *   event_base_priority_init().  If that is called again with a lower number,
 *   the last priority is used.
 * @return 0, or -1 with errno EINVAL (no base, or no such priority) or
 *   ESHUTDOWN (evdefer_base_free() was called).  It takes effect when the next
 *   turn is asked for.
 */
int evdefer_base_set_priority(struct evdefer_base *base, int priority);

/**
 * Makes each Deferred remember where and when it was made, for reports of
 * unhandled failures and for evdeferred_describe(), and each lock who has entered
 * it, for evdefer_base_report().  Twisted's setDebugging().
 *
 * While it is on, making a Deferred costs a look at the stack (microseconds)
 * and 200 bytes more, and to enter a lock costs a kilobyte for as long as its owner
 * is inside; while it is off, nothing.
 *
 * @return 0, also if that was set already; or -1 with errno EINVAL (no base),
 *   EBUSY (Deferreds of the base exist: call it at the start), ENOTSUP (the
 *   system can't tell) or ENOMEM, and nothing was changed.
 */
int evdefer_base_set_debug(struct evdefer_base *base, bool on);

/**
 * Tells, inside a handler of unhandled failures, where the Deferred whose
 * failure is reported was made: the function that called the library and its
 * callers, as "function+0x12 (program+0x1234) < ...", where 0x1234 is the
 * address to give to addr2line -e program.  In a program that the library is
 * linked into statically, functions of the library may come first.
 *
 * @param buffer for the text, as with snprintf(); NULL if @p size is 0.
 * @return the length of the whole text; 0 without evdefer_base_set_debug() and
 *   outside of a handler; -1 with errno EINVAL.
 */
int evdefer_base_describe_creation(
    const struct evdefer_base *base, char *buffer, size_t size);

/**
 * Makes the calling thread the one that owns the base.  At first that is the
 * thread that called evdefer_base_new().  This is for programs that set up
 * their loops in one thread and run them in others.  Only the checks of a debug
 * build look at it.
 */
void evdefer_base_set_thread(struct evdefer_base *base);

/**
 * Allocates ahead, so that the next @p deferreds Deferreds (including those of
 * acquires without an owner), with @p links callbacks in all, need no memory
 * from the system.  Without this the pools grow as they are used; they do not
 * shrink before the base goes.
 *
 * @return 0, or -1 with errno EINVAL (no base) or ENOMEM; what was allocated by
 *   then stays.
 */
int evdefer_base_reserve(
    struct evdefer_base *base, size_t deferreds, size_t links);

#ifdef __cplusplus
}
#endif

#endif
