/* SPDX-License-Identifier: MIT */
/*
 * The file of --trace: what the locks of all loops do.
 */
#ifndef KVD_TRACING_H
#define KVD_TRACING_H

#include <stdatomic.h>
#include <stdbool.h>

struct evdefer_base;
struct evtrace;

struct tracing {
	struct evtrace *trace; /* NULL: there is none */
	int fd;
	const char *path;
	atomic_bool reported; /* that it has stopped */
};

/* All of it is 0 at first, and nothing is traced if the path is NULL.  0, or -1 after
 * the reason was reported. */
int tracing_open(struct tracing *tracing, const char *path);

/* Traces a loop, until its base is freed.  0, or -1 with errno. */
int tracing_add(
    struct tracing *tracing, struct evdefer_base *base, unsigned number);

/* Writes what a loop has kept, once in a while.  A file that cannot be written stops
 * the trace and nothing else. */
void tracing_flush(struct tracing *tracing, struct evdefer_base *base);

/* When the bases are gone. */
void tracing_close(struct tracing *tracing);

#endif
