/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_RWLOCK_INTERNAL_H
#define EVDEFER_RWLOCK_INTERNAL_H

#include <evdefer/rwlock.h>

#include "lock-internal.h"

/* Gives a new lock a source, which goes with it.  0, or -1 with ENOMEM. */
int evrwlock_set_source_(struct evrwlock *lock, struct evsource *source);

#endif
