/* SPDX-License-Identifier: MIT */
/*
 * The locks that clients name: LOCK and UNLOCK.  Each loop has its own; where there
 * are several loops, those of one name are a group.
 *
 * A lock is made when its name is first used and goes with its last user, so
 * that only names somebody holds or waits for need memory.  Who uses what, and
 * how often, is in holder.h.
 */
#ifndef KVD_NAMED_H
#define KVD_NAMED_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

/* Bytes of a name, so that a cycle of waiting clients fits into a reply. */
#define NAMED_MAX ((size_t)128)

struct evdefer_base;
struct evrwlock;
struct named;
struct names;

struct named_locks {
	struct evdefer_base *base;
	struct names *names; /* of all loops; NULL: there is only one */
	struct named *table;
	size_t count;
	size_t waiters; /* clients in LOCK; holder.c counts them */
};

void named_init(
    struct named_locks *locks, struct evdefer_base *base, struct names *names);

/* NULL if nobody uses a lock of that name. */
struct named *named_find(const struct named_locks *locks, struct bytes name);

/* Finds or makes a lock, and counts one more user.  NULL without memory. */
struct named *named_use(struct named_locks *locks, struct bytes name);

void named_unuse(struct named_locks *locks, struct named *named);

/* Its lock; NULL after named_close(). */
struct evrwlock *named_lock(const struct named *named);

/* The daemon stops: all that wait fail with ESHUTDOWN before this returns.
 * Those that hold a lock give it back as before. */
void named_close(struct named_locks *locks);

#endif
