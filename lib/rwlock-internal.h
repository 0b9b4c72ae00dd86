/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_RWLOCK_INTERNAL_H
#define EVDEFER_RWLOCK_INTERNAL_H

#include <evdefer/rwlock.h>

#include "lock-internal.h"

/* Who is inside and who waits is in the struct evlock. */
struct evrwlock {
	struct evlock lock;
	struct evlist watchers; /* Deferreds of evrwlock_lost() */
};

static inline struct evrwlock *
evrwlock_of_(struct evwaitqueue *queue)
{
	return EVLIST_ELEMENT(queue, struct evrwlock, lock.queue);
}

/* Gives a new lock a source, which goes with it.  0, or -1 with ENOMEM. */
int evrwlock_set_source_(struct evrwlock *lock, struct evsource *source);

/* Nobody will tell those that wait for a loss: the lock or its base is closed. */
void evrwlock_fail_watchers_(struct evrwlock *lock);

#endif
