/* SPDX-License-Identifier: MIT */
/*
 * The commands of keys and their values.
 */
#ifndef KVD_KEYS_H
#define KVD_KEYS_H

#include <stdbool.h>

#include <evdefer/result.h>

#include "bytes.h"

struct call;
struct value;

/* The value of a key as the call has to see it: one that writes finds what is
 * planned. */
struct value *keys_get(const struct call *call, struct bytes key);

/* Readers. */
struct evresult run_get(struct call *call);
struct evresult run_mget(struct call *call);
struct evresult run_exists(struct call *call);
struct evresult run_dbsize(struct call *call);

/* Writers. */
bool check_set(struct call *call);
struct evresult run_set(struct call *call);
bool check_mset(struct call *call);
struct evresult run_mset(struct call *call);
struct evresult run_del(struct call *call);
struct evresult run_incr(struct call *call);
struct evresult run_incrby(struct call *call);
struct evresult run_decr(struct call *call);
struct evresult run_decrby(struct call *call);

#endif
