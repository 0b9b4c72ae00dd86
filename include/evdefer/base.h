/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/base.h
 * @page evdefer_base
 *
 * The library's side of one libevent loop.
 *
 * An evdefer_base holds what all Deferreds and locks of one event_base share:
 * the ready queue, the pools that their memory comes from, and the handler of
 * unhandled failures.  There is one for each event_base, and no global state.
 *
 * A NULL base is refused with EINVAL, and ignored where nothing is returned.
 *
 * @par The loop
 * In one turn of the loop the library makes at most EVDEFER_BASE_BATCH deliveries.  So a
 * very long queue of waiters, or callbacks that acquire a lock again for ever, slow
 * connections down but never stop them.
 *
 * A program that runs its loop one turn at a time gives event_base_loop() both
 * EVLOOP_ONCE and EVLOOP_NONBLOCK.  With EVLOOP_NONBLOCK alone it returns only when
 * nothing is due, and while two parties pass a lock to and fro something always is.
 *
 * @par Threads
 * Everything of one base belongs to the thread that runs its event_base, but for
 * evdefer_base_call(), which any thread may call.  At first that is the thread that
 * called evdefer_base_new(); evdefer_base_set_thread() says that it is another one.  A
 * library built with `--enable-debug` aborts, with a failed assertion, on a call from
 * another thread.
 *
 * @par Processes
 * After fork(2) a base goes on in one of the two processes: in the child, after
 * event_reinit() of libevent, or in the parent.  The other leaves it alone, with all
 * that belongs to it, and does not even free it.  event_reinit() does not part them:
 * they have one descriptor for calls, so that one would take the wake-ups of the
 * other, and calls that were accepted before would run in both.  A child has no thread
 * but the one that has forked: a base that other threads could call just then does not
 * go on there.  The descriptor is closed at execve(2).
 *
 * @thread The thread of the base.
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
 * The event_base stays the caller's and has to outlive the new base.  One
 * event is added to it while deliveries are due and none otherwise, so that
 * event_base_dispatch() still returns when nothing is left to do: deliveries,
 * timeouts and delays.  It has the middle one of the priorities of the
 * event_base, even if these are set up later.
 *
 * A base has a file descriptor, an eventfd(2) or a pair of sockets, for calls from
 * other threads.
 *
 * @return the base, to be freed with evdefer_base_free(); NULL with errno set.
 * @errno EINVAL No event_base.
 * @errno EMFILE, ENFILE No file descriptor is left.
 * @errno ENOMEM
 * @cost Four allocations, and what libevent needs to watch a descriptor.
 */
struct evdefer_base *evdefer_base_new(struct event_base *event_base);

/**
 * Takes the base off its event_base.
 *
 * Call it before event_base_free().  It may be called from inside any function that the
 * library calls; a call from inside another call of it does nothing.
 *
 * Timeouts that are still running are dropped; what evdeferred_later() delays and what
 * threads of a pool are to do (evdefer/threadpool.h) is cancelled.  Then all that is
 * ready is delivered, the calls from other threads among it, before this returns.
 *
 * Deferreds and locks that are left can still be used, to finish what they are
 * for and to be freed: deliveries are then made at once, as with EVRWLOCK_FAST,
 * and a new lock, acquire or timeout fails with ESHUTDOWN.  A lock that is held can
 * still be released, and its waiters are then granted; those of a lock in a group, on a
 * file or in a cluster (evdefer/group.h, evdefer/file.h, evdefer/cluster.h) fail with
 * ESHUTDOWN at once.  The memory goes with the last Deferred, lock or owner.
 *
 * @param base NULL is allowed and does nothing.
 * @cost O(1) for each delivery and each timeout.
 */
void evdefer_base_free(struct evdefer_base *base);

/**
 * Has the loop of the base run a function, which may then use all of the library.
 *
 * Calls of one thread run in their order, after a poll.  What was accepted runs:
 * at the latest from inside evdefer_base_free(), in the thread that calls that.
 * A loop that runs is woken by one write(2) to a descriptor, however many calls come
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
 * @param fn run in the thread of the base.
 * @param arg handed to the function; it stays the caller's.
 * @return 0, or -1 with errno set, and the function will not run.
 * @errno EINVAL No base or no function.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @thread **Any thread**: also that of the base, a function of a thread pool
 *   (evdefer/threadpool.h) or one that runs in another loop, but no signal handler.
 * @cost O(1), and two locks of a mutex; in the steady state it needs no memory.
 * @origin Twisted's callFromThread().
 */
int evdefer_base_call(
    struct evdefer_base *base, evdefer_base_call_fn fn, void *arg);

/**
 * Gives the event_base of a base.
 *
 * @return what was given to evdefer_base_new() and still belongs to its owner; NULL
 *   after evdefer_base_free(), as long as a Deferred, lock or owner of the base is left.
 * @cost O(1).
 */
struct event_base *evdefer_base_get_event_base(const struct evdefer_base *base);

/**
 * Sets the handler of failures that nobody handled.
 *
 * It is called with each failure that is still the result of a Deferred when that
 * Deferred goes, but not with one that the library made because the consumer called
 * evdeferred_cancel() or evdeferred_free().  Reports need no memory.
 *
 * The default writes one line to libevent's log (event_set_log_callback()), with where
 * the Deferred was made, too, if evdefer_base_set_debug() is on:
 *
 *     [warn] evdefer: unhandled failure: no cake (2: No such file or
 *     directory), made at server.c:40
 *
 * A handler is never called from inside itself: a failure that comes to the end
 * of its Deferred while the handler runs is reported when the handler has
 * returned.  If each report leads to another failure, that goes on 16 times in
 * a row, and the rest waits for a later turn of the loop.  What still waits
 * when the base is freed, and what such a handler leaves over after that, is
 * written to the log instead.
 *
 * @param handler called with each; the failure is lent to it until it returns.  It may
 *   use the library, and free the base.  NULL restores the default.
 * @param arg handed to the handler; it stays the caller's.
 * @cost O(1).
 * @origin Twisted logs these as "Unhandled error in Deferred".
 */
void evdefer_base_set_unhandled(
    struct evdefer_base *base, evdefer_base_unhandled_fn handler, void *arg);

/**
 * Sets the priority at which the library's turns run, timeouts among them.
 *
 * It takes effect when the next turn is asked for.
 *
 * @param priority from 0, the most urgent one, to below what was given to
 *   event_base_priority_init().  If that is called again with a lower number,
 *   the last priority is used.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No base, or no such priority.
 * @errno ESHUTDOWN
 * @cost O(1).
 * @origin libevent's event_priority_set().
 */
int evdefer_base_set_priority(struct evdefer_base *base, int priority);

/**
 * Makes each Deferred remember where and when it was made, and each lock who has entered.
 *
 * That is for reports of unhandled failures, for evdeferred_describe(), and for
 * evdefer_base_report().
 *
 * @return 0, also if that was set already; or -1 with errno set, and nothing was changed.
 * @errno EBUSY Deferreds of the base exist: call it at the start.
 * @errno EINVAL No base.
 * @errno ENOMEM
 * @errno ENOTSUP The system can't tell.
 * @cost While it is on, making a Deferred costs a look at the stack (microseconds)
 *   and 200 bytes more, and to enter a lock costs a kilobyte for as long as its owner
 *   is inside; while it is off, nothing.
 * @origin Twisted's setDebugging().
 */
int evdefer_base_set_debug(struct evdefer_base *base, bool on);

/**
 * Tells, inside a handler of unhandled failures, where the Deferred was made.
 *
 * It names the function that called the library and its callers, as
 *
 *     function+0x12 (program+0x1234) < ...
 *
 * The name of a function is there only if it is known at run time (link with
 * `-rdynamic`).  `addr2line -f -e program 0x1234` gives the file and the line.  In a
 * program that the library is linked into statically, functions of the library may come
 * first.
 *
 * @param buffer for the text, as with snprintf(3); NULL if @p size is 0.
 * @return the length of the whole text, which was cut off if that is not below
 *   @p size; 0 without evdefer_base_set_debug() and outside of a handler; -1 with errno set.
 * @errno EINVAL No base, or no buffer with a size that is not 0.
 */
int evdefer_base_describe_creation(
    const struct evdefer_base *base, char *buffer, size_t size);

/**
 * Makes the calling thread the one that owns the base.
 *
 * At first that is the thread that called evdefer_base_new().  This is for programs that
 * set up their loops in one thread and run them in others: they call it in the new
 * thread before anything else of the base.  Only the checks of a debug build
 * (`--enable-debug`) look at it.
 *
 * @thread The one that is to own the base.
 * @cost O(1).
 */
void evdefer_base_set_thread(struct evdefer_base *base);

/**
 * Allocates ahead.
 *
 * The next Deferreds (including those of acquires without an owner) then need no memory
 * from the system.  Without this the pools grow as they are used; they do not
 * shrink before the base goes.
 *
 * @param deferreds how many Deferreds.
 * @param links how many callbacks they have, in all.
 * @return 0, or -1 with errno set; what was allocated by then stays.
 * @errno EINVAL No base.
 * @errno ENOMEM
 * @cost O(n) for the number reserved.
 */
int evdefer_base_reserve(
    struct evdefer_base *base, size_t deferreds, size_t links);

#ifdef __cplusplus
}
#endif

#endif
