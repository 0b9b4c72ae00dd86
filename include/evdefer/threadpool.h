/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/threadpool.h
 * @page evthreadpool
 *
 * Threads beside the loop for work that blocks: a disk, a name server, a long computation.
 *
 * A fixed number of threads run functions, and what these return comes back to the
 * loop as Deferreds.  Work that was asked for first begins first.  Several bases may
 * share a pool.  Signals are left to the threads that run loops: those of a pool block
 * all of them.
 *
 * A loop does not end (event_base_dispatch()) while work of its base is waiting or
 * under way.
 *
 * After fork(2) the child has no thread of a pool, nor what they were to bring: there
 * it leaves the pool alone, does not free it, and does not go on with a base that had
 * work.  So a daemon makes its pools once it is in the background.
 *
 * @origin Twisted's ThreadPool and deferToThread().
 */
#ifndef EVDEFER_THREADPOOL_H
#define EVDEFER_THREADPOOL_H

#include <evdefer/deferred.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evthreadpool;

/** The most threads that a pool may have. */
#define EVTHREADPOOL_MAX 1024

/**
 * Starts threads that wait for work.
 *
 * @param threads how many, from 1 to EVTHREADPOOL_MAX.
 * @return the pool, to be freed with evthreadpool_free(); NULL with errno set, and no thread
 *   is left.
 * @errno EAGAIN The system has no room for another thread; or what else
 *   pthread_create(3) says.
 * @errno EINVAL No threads, or too many.
 * @errno ENOMEM
 * @thread Any thread.
 */
struct evthreadpool *evthreadpool_new(unsigned threads);

/**
 * Ends a pool.
 *
 * Waits for the functions that run; what they return still comes to the loops of
 * their bases.  Work that has not begun fails with ESHUTDOWN, in the loops of its
 * bases too.  No thread is left when this returns, and nobody may use the pool any more.
 * The Deferreds are still there, and may be cancelled and freed.
 *
 * @param pool NULL is allowed and does nothing.
 * @thread Any thread but those of the pool.
 */
void evthreadpool_free(struct evthreadpool *pool);

/**
 * Has a thread of the pool run a function.
 *
 * The function runs beside the loop and must use nothing of the library but what makes
 * results and failures (evresult_value(), evresult_owned(), evresult_fail() and the
 * others of evdefer/result.h) and evdefer_base_call().
 *
 * A cancel fails the Deferred with ECANCELED at once, and a timeout does in its way.
 * Work that has not begun is not done then; what has begun goes on, and what it returns
 * is disposed of, in the thread of the base, and so it is after evdeferred_free().
 *
 * evdefer_base_free() cancels all work of the base, and waits for the functions that
 * run: these must not wait for anything of its thread.  Where they use what the
 * callbacks of the cancels free, call evthreadpool_free() first.
 *
 * @param base whose loop is told.
 * @param fn returns the result: a value, a failure, or evresult_deferred() with a
 *   Deferred of the base that was made before.
 * @param arg handed to it; it stays the caller's, who leaves it alone until the
 *   result is there.  Where the work may be cancelled while it runs, let it be freed
 *   by the function itself.
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach(), and fires in the loop of the base with what the function
 *   returned.  NULL with errno set, and the function is not called.
 * @errno EINVAL No pool, no base or no function.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @fails ECANCELED evdeferred_cancel() or evdefer_base_free() was called.
 * @fails ESHUTDOWN The pool was freed before the work had begun.
 * @fails ETIMEDOUT
 * @thread The thread of the base.
 * @cost Two locks of a mutex and, at most, a wake-up of a thread there and one of the
 *   loop back; in the steady state it needs no memory.
 * @origin Twisted's deferToThread() and deferToThreadPool().
 */
struct evdeferred *evthreadpool_defer(struct evthreadpool *pool,
    struct evdefer_base *base, evdeferred_body_fn fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif
