/* SPDX-License-Identifier: MIT */
/*
 * The commands of the locks that clients name: LOCK and UNLOCK.
 */
#ifndef KVD_LOCKING_H
#define KVD_LOCKING_H

#include <stdbool.h>

#include <evdefer/result.h>

struct call;

bool check_lock(struct call *call);
struct evresult run_lock(struct call *call);
struct evresult run_unlock(struct call *call);

#endif
