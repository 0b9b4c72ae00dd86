/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/coro.h
 * @page evcoro
 *
 * Coroutines: code with several waits that is written from top to bottom.
 *
 * A coroutine is a function that waits for Deferreds in the middle of its code, and to
 * others is a Deferred itself.  It takes the place of a chain of callbacks where several
 * waits follow one another, or where there are waits in a loop.
 *
 *     static struct evresult
 *     transfer(struct evcoro *co, void *arg)
 *     {
 *             struct transfer *t = arg;
 *
 *             EVCORO_BEGIN(co);
 *             EVCORO_AWAIT(co, evrwlock_writer_acquire(t->lock));
 *             t->locked = true;
 *             EVCORO_AWAIT(co, ask_bank(t));
 *             t->answer = evcoro_value(co);
 *             EVCORO_RETURN(evresult_value(t));
 *
 *             EVCORO_FINALLY(co);
 *             if (t->locked)
 *                     evrwlock_writer_release(t->lock);
 *             EVCORO_END(co);
 *     }
 *
 * @par Rules
 * A coroutine has no stack of its own.  At a wait its function returns, and
 * when the result is there the function is called again, and a switch leads
 * back to the place.  Some rules follow from that, which a C compiler can't
 * check:
 *
 * - Local variables lose their values at a wait.  What is to survive belongs
 *   in the struct that arg points to.  Locals that are set before
 *   EVCORO_BEGIN(), as t above, are set anew each time.  (A C++ compiler refuses an
 *   initialization that a wait would jump over.)
 * - A wait must not be inside a switch of your own, which would get its case
 *   label.  Loops and conditions are fine.  A library configured with
 *   `--enable-debug` aborts when such a wait is over; otherwise the body ends with
 *   EINVAL.
 * - A line has at most one wait, so that each has a label of its own; two are
 *   a compile error (duplicate case).
 * - What stands before EVCORO_BEGIN() runs again after each wait.
 * - Only the library calls the function.  Without NDEBUG an assertion fails for other
 *   callers.
 *
 * @par What others see
 * To others a coroutine is a Deferred, and behaves like one: cancel, free,
 * detach and timeouts reach what it waits for.  Any number of coroutines may
 * wait for one another, and any number of waits may be over at once: the C
 * stack does not grow, and the loop gets its turn (evdefer/deferred.h).  Only
 * evdefer_base_free() does not return to the loop: it runs what is ready until
 * that waits or ends, and locks fail with ESHUTDOWN there.  A wait allocates
 * nothing; only the Deferred that it waits for needs memory.
 *
 * @thread The thread of the base.
 * @origin Twisted's inlineCallbacks.
 */
#ifndef EVDEFER_CORO_H
#define EVDEFER_CORO_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include <evdefer/result.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evcoro;
struct evdefer_base;
struct evdeferred;

/** A coroutine: the body, from EVCORO_BEGIN() to EVCORO_END().  @p co is what the macros
 * need, and @p arg is as given to evcoro_start(). */
typedef struct evresult (*evcoro_fn)(struct evcoro *co, void *arg);

/** What the library keeps of one coroutine.  It is the caller's, usually a
 * member of the struct that arg points to, and has to be zero before the first
 * evcoro_start() (calloc(), or an initializer).  All fields are private. */
struct evcoro {
	evcoro_fn fn;
	void *arg;
	void (*free_arg)(void *arg);
	void *value;		   /* of the last wait */
	struct evfailure *failure; /* the same, held */
	int at;	   /* where to go on: a line, or a value below */
	int enter; /* the same for the next call */
};

/**
 * Starts a coroutine, and runs it up to its first wait that is not over yet.
 *
 * Where deliveries are nested too deeply, it begins when the outermost one has
 * returned to the library.
 *
 * What is done to its Deferred reaches what the coroutine waits for:
 *
 * - evdeferred_cancel() cancels that, whose failure then comes out of the wait, where
 *   the coroutine may have an answer to it.  If the coroutine is not waiting at that
 *   time, or the result of its wait is on the way to it, the failure is that of this
 *   wait or the next one; if it does not wait any more, the Deferred that it returns at
 *   its end is cancelled.
 * - evdeferred_free() frees what the coroutine waits for, and then runs the cleanup; the
 *   body does not go on.
 * - evdeferred_add_timeout() cancels the coroutine when the time has passed.
 *
 * @param co zero, or of a coroutine that has ended; it has to live until this
 *   one has ended.
 * @param arg handed to @p fn; the state of the coroutine.
 * @param free_arg called once with @p arg when the coroutine has ended, its
 *   cleanup included; @p co is not used from then on and may be part of it, so that
 *   free(3) will do for a struct on the heap.  NULL if @p arg stays the caller's.
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach(), and fires with the result of the coroutine.  NULL with
 *   errno; then @p fn did not run and @p arg is still the caller's.
 * @errno EBUSY @p co is of a coroutine that has not ended.
 * @errno EINVAL No base, co or fn.
 * @errno ENOMEM
 * @cost O(1), memory from the pool.
 */
struct evdeferred *evcoro_start(struct evdefer_base *base, struct evcoro *co,
    evcoro_fn fn, void *arg, void (*free_arg)(void *arg));

/**
 * Gives the value of the last wait.
 *
 * The coroutine has received it and owns it, whether it asks for it or not; if it is the
 * grant of a lock, the coroutine holds the lock.
 *
 * @return the value, until the next wait; NULL if it failed.
 */
static inline void *
evcoro_value(const struct evcoro *co)
{
	return co->value;
}

/**
 * Gives the failure of the last wait.
 *
 * In the cleanup it is the failure that the coroutine ends with: ECANCELED if its
 * Deferred was freed.
 *
 * @return the failure, lent until the next wait; NULL if there is none.
 */
static inline struct evfailure *
evcoro_failure(const struct evcoro *co)
{
	return co->failure;
}

/* Values of at and enter that are not lines. */
#define EVCORO_START_ (-1)
#define EVCORO_CLEANUP_ (-2)
#define EVCORO_RUNNING_ (-3)
#define EVCORO_ENDED_ (-4)
#define EVCORO_LOST_ (-5)

static inline int
evcoro_enter_(struct evcoro *co)
{
	const int enter = co->enter;

	assert(enter != 0 && "only the library calls a coroutine");
	co->enter = 0;
	return enter;
}

static inline struct evresult
evcoro_wait_(
    struct evcoro *co, const char *file, int line, struct evdeferred *d)
{
	co->at = line;
	if (d == NULL)
		return evresult_fail_at(file, line, errno, NULL);
	return evresult_deferred(d);
}

static inline struct evresult
evcoro_stop_(struct evcoro *co, int at)
{
	co->at = at;
	return evresult_value(NULL);
}

/**
 * Begins the body of a coroutine.
 *
 * @fn EVCORO_BEGIN(struct evcoro *co)
 */
#define EVCORO_BEGIN(co)                                                       \
	switch (evcoro_enter_(co)) {                                           \
	case EVCORO_START_:

/**
 * Waits for a Deferred, and goes on with its value or its failure.
 *
 * A statement; evcoro_value() and evcoro_failure() then tell what came.
 *
 * @fn EVCORO_TRY(struct evcoro *co, struct evdeferred *deferred)
 * @param deferred handed over, and not to be freed any more.  If it has its result
 *   already, the coroutine goes on at once.  NULL, which a function that should have made
 *   a Deferred returns when it failed, is a failure with the code in errno.
 * @errno ECANCELED The coroutine was cancelled.
 * @errno EDEADLK The coroutine would wait for itself, however many others are in between.
 * @errno EINVAL The Deferred has another base or another waiter, or the wait is in a
 *   cleanup.
 * @cost A wait allocates nothing.
 * @origin Python's yield in a try with an except.
 */
#define EVCORO_TRY(co, deferred)                                               \
	do {                                                                   \
		return evcoro_wait_((co), __FILE__, __LINE__, (deferred));     \
	case __LINE__:;                                                        \
	} while (0)

/**
 * Waits for a Deferred, and ends the body if it fails.
 *
 * A statement: EVCORO_TRY(), but a failure ends the body with that failure, as
 * EVCORO_RETURN() would.
 *
 * @fn EVCORO_AWAIT(struct evcoro *co, struct evdeferred *deferred)
 * @as EVCORO_TRY()
 * @origin Python's yield.
 */
#define EVCORO_AWAIT(co, deferred)                                             \
	do {                                                                   \
		return evcoro_wait_((co), __FILE__, __LINE__, (deferred));     \
	case __LINE__:                                                         \
		if (evcoro_failure(co) != NULL)                                \
			return evresult_from_failure(evcoro_failure(co));      \
	} while (0)

/**
 * Ends the body of a coroutine with a result.
 *
 * A value, a failure, or a Deferred (evresult_deferred()) that the coroutine's own then
 * waits for.  The cleanup runs next, before the callbacks of the coroutine's Deferred.  A
 * body that runs to its end returns the value NULL.
 *
 * In the cleanup it replaces the result, and skips the rest of the cleanup.
 *
 * @fn EVCORO_RETURN(struct evresult result)
 * @origin Twisted's returnValue().
 */
#define EVCORO_RETURN(result) return (result)

/**
 * Begins the cleanup of a coroutine, which goes on to EVCORO_END().
 *
 * It may be left out.  It runs once for each coroutine that was started, however it ends:
 * by a return, a failure, a cancel, or when its Deferred is freed in the middle of a
 * wait or before the body began.  How far the body has come has to show in what
 * arg points to.  evcoro_failure() is what the coroutine ends with.
 *
 * The cleanup must not wait: a wait in it fails with EINVAL, and its Deferred is
 * detached (a library configured with `--enable-debug` aborts).  Where closing something
 * takes a wait, do it at the end of the body, with EVCORO_TRY() for the waits before it;
 * if the body does not come to its end, start the closing in the cleanup and detach its
 * Deferred.
 *
 * @fn EVCORO_FINALLY(struct evcoro *co)
 * @origin Python's finally.
 */
#define EVCORO_FINALLY(co)                                                     \
	return evresult_value(NULL);                                           \
	case EVCORO_CLEANUP_:                                                  \
		(void)(co)

/**
 * Ends a coroutine: the last line of its function.
 *
 * @fn EVCORO_END(struct evcoro *co)
 */
#define EVCORO_END(co)                                                         \
	return evcoro_stop_((co), EVCORO_ENDED_);                              \
	default:                                                               \
		return evcoro_stop_((co), EVCORO_LOST_);                       \
		}

#ifdef __cplusplus
}
#endif

#endif
