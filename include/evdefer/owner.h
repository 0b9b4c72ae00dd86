/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/owner.h
 *
 * A party that holds and waits for locks: a client's connection, say.  What a
 * task is to aiorwlock.
 *
 * A lock, a mutex or a token of a semaphore that is acquired for an owner knows
 * who holds it: nobody else can release it, and the owner gives back all that
 * it has in one call when it goes.  A readers-writer lock (evrwlock_acquire())
 * also lets the owner acquire again what it has.
 *
 * An acquire that would make its owner wait for itself fails with EDEADLK: a
 * cycle of owners, each of which waits for the next, over locks, mutexes and
 * semaphores of any number.  Who waits for a token waits for one of those that
 * have them: that is a deadlock only if all of these are stuck.  What is held
 * for nobody in particular takes no part: it may always be given back.
 *
 * An owner is one party that does one thing after the other: if it waits for
 * several locks at once, it is taken to need all of them before it gives
 * anything back.  Where the requests of one client run side by side, give each
 * an owner of its own; otherwise they may be taken for a deadlock.
 */
#ifndef EVDEFER_OWNER_H
#define EVDEFER_OWNER_H

#ifdef __cplusplus
extern "C" {
#endif

struct evdefer_base;
struct evowner;

/**
 * Makes an owner that holds nothing.
 *
 * @param name for messages about deadlocks; copied.  NULL stands for the
 *   address of the owner.
 * @return the owner, to be freed with evowner_free(); NULL with errno EINVAL
 *   (no base) or ENOMEM.
 */
struct evowner *evowner_new(struct evdefer_base *base, const char *name);

/**
 * Ends an owner.  NULL is allowed.
 *
 * Before this returns, all that it waits for has failed with ECANCELED, and all
 * that it holds is given back: locks, mutexes and tokens.  Grants that no
 * callback has received yet are void: the next link gets a failure with
 * ECANCELED instead.  Then the owner's memory goes.  This may be called from
 * inside the owner's own callbacks, and does nothing when a callback that it
 * runs calls it again; an acquire from such a callback fails with ESHUTDOWN.  A
 * body of evrwlock_with(), evmutex_with() or evsemaphore_with() that is under
 * way goes on without the lock, unless its Deferred is freed first.  O(1) for
 * each hold and each wait.
 */
void evowner_free(struct evowner *owner);

/** @return the name given to evowner_new(), or the owner's address as text; it
 * lives as long as the owner.  NULL for NULL. */
const char *evowner_get_name(const struct evowner *owner);

#ifdef __cplusplus
}
#endif

#endif
