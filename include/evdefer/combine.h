/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/combine.h
 * @page evcombine evresults
 *
 * One Deferred out of several: when all have a result, when the first has
 * one, or when the first succeeds.
 *
 * The Deferreds that are put together, the inputs, are handed over to the
 * combination, which frees each of them when it has come to its end.  Nobody else may
 * add links to them, detach or free them any more, but their producers fire them as
 * before.  If NULL is returned, they are still the caller's.
 *
 * Cancelling the combination cancels the inputs that have not fired, and the
 * combination then fires with what they answer; one without inputs fails with
 * ECANCELED.  Once it has fired, a cancel does nothing to the inputs.  Freeing the
 * combination before it has fired frees them.  Results of inputs that the combination
 * does not hand on are disposed of, so that a lock that is granted to a part that nobody
 * needs any more is released.
 *
 * Inputs that have fired count at once, in their order.  An input that is given twice is
 * freed once; its value comes with the duty to free it in its first place, and without
 * that duty in the others.
 *
 * An input must not come to wait for its own combination, as it would if it
 * were fired with it: that cycle is not found, and neither of them would ever
 * fire or be freed.
 *
 * A combination costs a Deferred and a link for each input from the pools, and
 * one block of its own, of 32 bytes for each input.  That block goes when the
 * combination has fired or was freed and its results have been freed, even if
 * some inputs still go on.  The C stack grows neither with the number of inputs
 * nor with combinations of combinations.
 *
 * @thread The thread of the base.
 * @origin Twisted's DeferredList, gatherResults() and race().
 */
#ifndef EVDEFER_COMBINE_H
#define EVDEFER_COMBINE_H

#include <stddef.h>

#include <evdefer/result.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evdefer_base;
struct evdeferred;
struct evresults;

/** Fire with the first value.  Twisted's fireOnOneCallback. */
#define EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK 0x1u

/** Fail with the first failure.  Twisted's fireOnOneErrback. */
#define EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK 0x2u

/** Treat the failures of the inputs as handled.  Without this flag each of them
 * is reported to the handler of the base when its Deferred goes, although the
 * combination has it too.  Twisted's consumeErrors. */
#define EVDEFERRED_LIST_CONSUME_ERRORS 0x4u

/**
 * Cancel the inputs that are left as soon as one fails, with whatever code.
 * What trio's nurseries and Python's TaskGroup do; Twisted has no such thing.
 *
 * Together with EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK, as in a gather, the others
 * are cancelled before the combination fails, and what they answer is dropped.
 * Without that one, the list waits for what they answer, cleanups included, and
 * has all of it.  They are cancelled only once, however many inputs fail.
 *
 * Without this flag the inputs that are left go on for nobody, and nobody can
 * reach them.  One of them may be a writer that stays in the queue of its lock
 * and keeps the readers behind it out until it has had its turn.
 */
#define EVDEFERRED_LIST_CANCEL_ON_ERROR 0x8u

/**
 * Waits for all inputs.
 *
 * The Deferred fires with a struct evresults that has the result of each input,
 * value or failure, in the order of the inputs.  Its receiver has to call
 * evresults_free().
 *
 * With EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK it fires as soon as one input has a
 * value, with a struct evresults that has only that value;
 * evresults_get_index() tells which input it came from.  If all fail, it has
 * all failures.  With EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK it fails as soon as
 * one input does.  That failure has the code of the input's, which is its
 * evfailure_get_cause(), and evfailure_get_index() tells which input it was.  In both
 * cases the results that were there before are disposed of at once.  The other inputs
 * go on (but see EVDEFERRED_LIST_CANCEL_ON_ERROR); their results are disposed of when
 * they come.
 *
 * Inputs that have fired count at once, in their order.  Without inputs it has
 * fired, except with EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK: then it never fires.
 *
 * @param deferreds the inputs, which are handed over; the array stays the caller's.  May
 *   be NULL if @p count is 0.
 * @param flags 0, or any of EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK,
 *   EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK, EVDEFERRED_LIST_CONSUME_ERRORS and
 *   EVDEFERRED_LIST_CANCEL_ON_ERROR.
 * @return a Deferred that is the caller's, to be freed with evdeferred_free() or let go
 *   with evdeferred_detach().  NULL with errno set; then nothing was changed, and the inputs
 *   are still the caller's.
 * @errno EINVAL No base, an unknown flag, or an input that is NULL, belongs to another
 *   base, or was detached, freed or handed over before.
 * @errno ENOMEM
 * @fails ECANCELED It was cancelled and has no inputs.
 * @fails ENOMEM There was no memory for the failure that it was to have; it has no cause.
 * @cost O(n) for n inputs.
 * @origin Twisted's DeferredList, whose FirstError has the index.
 */
struct evdeferred *evdeferred_list(struct evdefer_base *base,
    struct evdeferred *const *deferreds, size_t count, unsigned flags);

/**
 * Waits for the values of all inputs, or the first failure.
 *
 * It is evdeferred_list() with EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK, so that the struct
 * evresults has only values.  Its receiver has to call evresults_free().
 *
 * @param flags 0, or any of EVDEFERRED_LIST_CONSUME_ERRORS and
 *   EVDEFERRED_LIST_CANCEL_ON_ERROR.
 * @as evdeferred_list()
 * @origin Twisted's gatherResults().
 */
struct evdeferred *evdeferred_gather(struct evdefer_base *base,
    struct evdeferred *const *deferreds, size_t count, unsigned flags);

/**
 * Waits for the first value.
 *
 * It then frees the other inputs, which cancels them.
 *
 * The Deferred fires with a struct evresults that has that one value;
 * evresults_get_index() tells where it came from, and its receiver has to call
 * evresults_free().  If all inputs fail, it fails: with the code of the first input's
 * failure, which is its evfailure_get_cause(), and with all of them as its
 * evfailure_get_results().  Failures of inputs are not reported.  Without inputs it
 * never fires.
 *
 * @as evdeferred_list()
 * @errno EINVAL No base, or an input that is NULL, belongs to another base, or was
 *   detached, freed or handed over before.
 * @origin Twisted's race(), whose FailureGroup has all failures.
 */
struct evdeferred *evdeferred_race(struct evdefer_base *base,
    struct evdeferred *const *deferreds, size_t count);

/**
 * Tells how many results there are.
 *
 * @return how many; 0 for NULL.
 */
size_t evresults_get_count(const struct evresults *results);

/**
 * Tells which input a result comes from.
 *
 * @return the place of the input that the result in place @p i comes from: @p i itself,
 *   except where only one result was wanted.  EVFAILURE_NO_INDEX if there is no place
 *   @p i.
 */
size_t evresults_get_index(const struct evresults *results, size_t i);

/**
 * Lets one look at a result.
 *
 * @return the result in place @p i, lent: its value must not be freed, and it must not be
 *   disposed of.  The plain value NULL if it was taken or there is none.
 */
struct evresult evresults_get(const struct evresults *results, size_t i);

/**
 * Takes a result out, with the duty to free it.
 *
 * One of these is to be done with it: taking its value with evresult_get_value(), which
 * the caller then owns; returning it from a callback; firing a Deferred with it; or
 * evresult_dispose().
 *
 * @return the result in place @p i; the plain value NULL if it was taken or there is
 *   none.
 */
struct evresult evresults_take(struct evresults *results, size_t i);

/**
 * Disposes of the results that were not taken.
 *
 * Locks among them are released.  It has to be called by the callback that receives the
 * results, or later.  A second call, from a free function that the first one calls, does
 * nothing.
 *
 * @param results NULL is allowed and does nothing.
 * @cost O(n) for n inputs.
 */
void evresults_free(struct evresults *results);

#ifdef __cplusplus
}
#endif

#endif
