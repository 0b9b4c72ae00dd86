/* SPDX-License-Identifier: MIT */
/*
 * What a client has of locks: it is one owner, of the store's lock as of those
 * that it names.
 *
 * A hold is the part that one client has in one named lock.  It is there while
 * the client waits for the lock or holds it, how often it may be.
 */
#ifndef KVD_HOLDER_H
#define KVD_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct evowner;
struct evrwlock;
struct hold;
struct named_locks;

struct holder {
	struct evowner *owner;
	struct named_locks *locks;
	struct hold *holds;
	size_t count; /* of holds */
};

/* The name of the owner is for messages about deadlocks.  0, or -1 without
 * memory. */
int holder_open(
    struct holder *holder, struct named_locks *locks, const char *name);

/*
 * The client has gone: all that it waits for fails, and all that it holds is
 * given back.  Once it is closed nothing happens.
 *
 * What fails may be answered from inside, and that may be the end of whoever
 * has the holder.
 */
void holder_close(struct holder *holder);

/* Whether it has to do with the lock of that name. */
bool holder_has(const struct holder *holder, struct bytes name);

/* Finds or makes the hold to acquire the lock for.  Then one of the two below
 * has to follow.  NULL without memory. */
struct hold *holder_ask(struct holder *holder, struct bytes name);

struct evrwlock *hold_lock(const struct hold *hold);

/* Whether the client holds it already. */
bool hold_is_granted(const struct hold *hold);

/* The lock was granted, once more perhaps. */
void hold_granted(struct hold *hold);

/* The lock was asked for and not granted. */
void hold_refused(struct hold *hold);

/* Gives a named lock back once: as a writer, if it is one, or as a reader.  0,
 * or -1 if it does not hold it. */
int holder_release(struct holder *holder, struct bytes name);

#endif
