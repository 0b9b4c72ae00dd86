/* SPDX-License-Identifier: MIT */
/*
 * The commands of the daemon as a whole: INFO, CONFIG, SNAPSHOT and SHUTDOWN.
 */
#ifndef KVD_DAEMON_H
#define KVD_DAEMON_H

#include <stdbool.h>

#include <evdefer/result.h>

struct call;

struct evresult run_info(struct call *call);
struct evresult run_config(struct call *call);
bool check_snapshot(struct call *call);
struct evresult run_snapshot(struct call *call);
struct evresult run_shutdown(struct call *call);

#endif
