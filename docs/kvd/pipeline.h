/* SPDX-License-Identifier: MIT */
/*
 * Writes that a client has sent ahead: they are done one after the other under one
 * lock, join the batch together, and are answered together when all of them are durable.
 * So a client that sends in pipelines waits for the disk once and not for each of
 * them.  The first request that is anything else waits behind them.
 */
#ifndef KVD_PIPELINE_H
#define KVD_PIPELINE_H

#include <evdefer/result.h>

struct call;

/* Runs the command of the call, which has the lock to write, and those behind it. */
struct evresult pipeline_run(struct call *call);

#endif
