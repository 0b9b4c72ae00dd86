/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/owner.h
 *
 * A party that holds and waits for locks: a client's connection, say.  What a
 * task is to aiorwlock.
 *
 * A lock that is acquired by an owner (evrwlock_acquire()) knows who holds it.  The owner may then acquire it
 * again, is refused what would make it wait for itself, and gives back all that
 * it has in one call when it goes.
 *
 * An owner is one party that does one thing after the other: one that waits for
 * several locks at once is taken to need them all before it gives anything
 * back.  Requests of one client that run at the same time, and that are not to
 * be taken for a deadlock with others, have an owner each.
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
 * @param name for messages about deadlocks; copied.  NULL stands for its
 *   address.
 * @return the owner, to be freed with evowner_free(); NULL with errno EINVAL
 *   (no base) or ENOMEM.
 */
struct evowner *evowner_new(struct evdefer_base *base, const char *name);

/**
 * Ends an owner.  NULL is allowed.
 *
 * All that it waits for fails with ECANCELED, and all that it holds is given
 * back, on all locks, before this returns; grants that no callback has received
 * yet fail with ECANCELED when one is to.  Then its memory goes.  It may be
 * called from inside the owner's own callbacks, and does nothing from those that
 * it runs itself; one that acquires meanwhile fails with ESHUTDOWN.  A body of
 * evrwlock_with() that is under way goes on without the lock, unless its Deferred is freed
 * first.  O(1) for each hold and each wait.
 */
void evowner_free(struct evowner *owner);

/** @return the name given to evowner_new(), or its address in writing; it lives
 * as long as the owner.  NULL for NULL. */
const char *evowner_get_name(const struct evowner *owner);

#ifdef __cplusplus
}
#endif

#endif
