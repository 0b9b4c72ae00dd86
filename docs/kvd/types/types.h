/* SPDX-License-Identifier: MIT */
/*
 * The commands of values that have parts, so that the tools that come with Redis
 * find what they ask for.  To see what kvd is for, look at the others first.
 */
#ifndef KVD_TYPES_TYPES_H
#define KVD_TYPES_TYPES_H

#include <evdefer/result.h>

struct call;

/* list.c */
struct evresult run_lpush(struct call *call);
struct evresult run_rpush(struct call *call);
struct evresult run_lpop(struct call *call);
struct evresult run_rpop(struct call *call);
struct evresult run_llen(struct call *call);
struct evresult run_lrange(struct call *call);

/* set.c */
struct evresult run_sadd(struct call *call);
struct evresult run_srem(struct call *call);
struct evresult run_spop(struct call *call);
struct evresult run_scard(struct call *call);
struct evresult run_sismember(struct call *call);
struct evresult run_smembers(struct call *call);

/* hash.c */
struct evresult run_hset(struct call *call);
struct evresult run_hdel(struct call *call);
struct evresult run_hget(struct call *call);
struct evresult run_hlen(struct call *call);
struct evresult run_hgetall(struct call *call);

/* sorted.c */
struct evresult run_zadd(struct call *call);
struct evresult run_zrem(struct call *call);
struct evresult run_zpopmin(struct call *call);
struct evresult run_zcard(struct call *call);
struct evresult run_zscore(struct call *call);
struct evresult run_zrange(struct call *call);

/* stream.c */
struct evresult run_xadd(struct call *call);
struct evresult run_xlen(struct call *call);
struct evresult run_xrange(struct call *call);

#endif
