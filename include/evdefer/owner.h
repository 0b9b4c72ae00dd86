/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/owner.h
 * @page evowner
 *
 * A party that holds and waits for locks: a client's connection, say.
 *
 * A lock, a mutex or a token of a semaphore that is acquired for an owner knows
 * who holds it: nobody else can release it, and the owner gives back all that
 * it has in one call when it goes.  A readers-writer lock (evrwlock_acquire())
 * also lets the owner acquire again what it has.
 *
 * An owner is one party that does one thing after the other: if it waits for
 * several locks at once, it is taken to need all of them before it gives
 * anything back.  Where the requests of one client run side by side, give each
 * an owner of its own; otherwise they may be taken for a deadlock.
 *
 * @par Deadlocks
 * An acquire that would make its owner wait for itself fails with EDEADLK: a
 * cycle of owners, each of which waits for the next, over locks, mutexes and
 * semaphores of any number.  Each waits for those that are inside, or that stand in
 * front of it in the queue.  The message names the owners and the locks of the cycle,
 * with the names of evrwlock_set_name(), evmutex_set_name() and evsemaphore_set_name():
 *
 *     deadlock: bob waits to write red, held by ann; ann waits for door,
 *     held by cid; cid waits for a token of pool, held by bob
 *
 * Who waits for a token waits for one of those that have them: that is a deadlock only if
 * all of these are stuck, or will be by those that stand in front of it.  The message
 * names one cycle then, of several.  A mutex, or the last token of a semaphore, that the
 * owner has itself is a cycle of one.
 *
 * The others go on when the one that failed gives back what it has.  What is held or
 * waited for by nobody in particular takes no part: it may always end.  Of a lock in a
 * group (evdefer/group.h) the search sees only what owners have of that member.
 *
 * The search costs nothing if the owner neither holds nor waits for anything else.
 * Otherwise it ends as soon as it turns out that nobody waits for what the owner has, and
 * costs at most the number of holds and waits on the locks that it comes to.
 *
 * @thread The thread of the owner's base.
 * @origin What a task is to aiorwlock.
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
 * @return the owner, to be freed with evowner_free(); NULL with errno set.
 * @errno EINVAL No base.
 * @errno ENOMEM
 * @cost One allocation.
 */
struct evowner *evowner_new(struct evdefer_base *base, const char *name);

/**
 * Ends an owner, and gives back all that it has.
 *
 * Before this returns, all that it waits for has failed with ECANCELED, and all
 * that it holds is given back: locks, mutexes and tokens.  Grants that no
 * callback has received yet are void: the next link gets a failure with
 * ECANCELED instead, even if it is added later.  Then the owner's memory goes.
 *
 * This may be called from inside the owner's own callbacks, and does nothing when a
 * callback that it runs calls it again; an acquire from such a callback fails with
 * ESHUTDOWN.  A body of evrwlock_with(), evmutex_with() or evsemaphore_with() that is
 * under way goes on without the lock, unless its Deferred is freed first.
 *
 * @param owner NULL is allowed and does nothing.
 * @cost O(1) for each hold and each wait, and the time of the callbacks that it runs.
 */
void evowner_free(struct evowner *owner);

/**
 * Gives the name of an owner.
 *
 * @return the name given to evowner_new(), or the owner's address as text; it
 *   lives as long as the owner.  NULL for NULL.
 * @thread Any thread, as long as the owner is there.
 */
const char *evowner_get_name(const struct evowner *owner);

#ifdef __cplusplus
}
#endif

#endif
