/* SPDX-License-Identifier: MIT */
/*
 * DEBUG.
 */
#ifndef KVD_DEBUG_H
#define KVD_DEBUG_H

#include <stdbool.h>

#include <evdefer/result.h>

struct call;

bool check_debug(struct call *call);
struct evresult run_debug(struct call *call);

#endif
