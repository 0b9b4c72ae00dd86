/* SPDX-License-Identifier: MIT */
/* What a trace has of each base that is traced. */
#ifndef EVDEFER_TRACE_INTERNAL_H
#define EVDEFER_TRACE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <evdefer/trace.h>

#include "base-internal.h"
#include "page-internal.h"
#include "pool-internal.h"

/* What a base keeps before it writes; the rest of its page is for the last event. */
#define EVTRACE_KEPT ((size_t)64 * 1024)
#define EVTRACE_LONGEST_EVENT 4096

struct evbar;

struct evtrace {
	evtrace_write_fn write;
	void *arg;
	int fd;
	unsigned flags;
	pthread_mutex_t mutex; /* over writing, and the next three */
	bool begun;
	size_t bases;
	unsigned last_number;
	atomic_int error; /* why it has stopped, or 0 */
};

/* A base. */
struct evtracing {
	struct evdefer_base_part part;
	struct evtrace *trace; /* NULL if it is not traced */
	unsigned number;
	struct evpage page; /* what is to be written */
	struct evpool pool; /* of bars */
	struct evbar **buckets;
	size_t size; /* a power of two, or 0 */
	size_t count;
	uint64_t last_id;
	struct evbar *attempt; /* of a try, which has no Deferred */
	size_t lost;	       /* for which there was no memory */
};

/* Takes the bars of a base, whose table is empty at first. */
extern const struct evobserver evtrace_locks_;
extern const struct evobserver evtrace_all_;

void evtracing_init_bars_(struct evtracing *tracing);

/* What is open ends. */
void evtracing_end_bars_(struct evtracing *tracing);
void evtracing_destroy_bars_(struct evtracing *tracing);

/* Hands it to the trace's function, unless that has failed before.  Under the mutex. */
void evtrace_write_out_(struct evtrace *trace, const char *data, size_t length);

/* Writes what is in the page. */
void evtracing_write_(struct evtracing *tracing);

/* The page has an event more: writes it when it is full. */
void evtracing_added_(struct evtracing *tracing);

#endif
