/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_SEMAPHORE_INTERNAL_H
#define EVDEFER_SEMAPHORE_INTERNAL_H

#include <evdefer/semaphore.h>

#include "lock-internal.h"

/* What a mutex without a name is called. */
#define EVMUTEX_NAME_ "a mutex"

/* One with a single token, which is a mutex in messages. */
struct evsemaphore *evsemaphore_new_mutex_(
    struct evdefer_base *base, unsigned flags);

#endif
