/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/trace.h
 *
 * A file of what locks do, for Perfetto (https://ui.perfetto.dev) and chrome://tracing:
 * an observer (evdefer/observer.h) that writes the trace event format.
 *
 * Each acquire is a bar with the name of its lock, so that all of one lock stand
 * together, and in it are one for the wait and one for the hold, with mode and owner.
 * Times are microseconds of the monotonic clock.
 *
 * One trace takes the events of any number of bases, each from its own thread.  A base
 * puts them into a buffer of its own, without a lock, and writes when that is full, at
 * evtrace_flush() and at the end.  The file is good at any time: one that ends early,
 * because the program was killed, opens as well.
 */
#ifndef EVDEFER_TRACE_H
#define EVDEFER_TRACE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evdefer_base;
struct evtrace;

/** Deferreds as well, each from when it is made until it goes: many events. */
#define EVTRACE_DEFERREDS 0x1u

/**
 * Takes a part of the file.  It is called from inside an observer, with what that may
 * not do, and by one thread at a time.
 *
 * @return 0; or -1 with errno, and nothing more is written.
 */
typedef int (*evtrace_write_fn)(const void *data, size_t length, void *arg);

/**
 * Makes a trace, of nothing so far.
 *
 * @param write takes what is written, with @p arg.
 * @param flags 0 or EVTRACE_DEFERREDS.
 * @return the trace, for evtrace_free(); NULL with errno EINVAL (no function, unknown
 *   flag) or ENOMEM.
 */
struct evtrace *evtrace_new(evtrace_write_fn write, void *arg, unsigned flags);

/** The same to a file that is open to be written to and blocks.  It stays the
 * caller's, who closes it after evtrace_free(). */
struct evtrace *evtrace_new_fd(int fd, unsigned flags);

/**
 * Has a base traced from now on, by an observer of the trace's.  Any thread may call it
 * whose base that is.
 *
 * @param name of the thread in the file; NULL for a number.
 * @return 0, or -1 with errno EINVAL (no trace, no base), EBUSY (the base has an
 *   observer), ESHUTDOWN (evdefer_base_free() was called) or ENOMEM.
 */
int evtrace_add(
    struct evtrace *trace, struct evdefer_base *base, const char *name);

/**
 * Ends all that is open and writes it; the base is traced no more.  evdefer_base_free()
 * does the same.
 *
 * @return 0, or -1 with errno EINVAL (no base), ENOENT (it is not traced), or why
 *   something could not be written.
 */
int evtrace_remove(struct evdefer_base *base);

/**
 * Writes what is left in the buffer of a base.
 *
 * @return as evtrace_remove().  What could not be written stops the trace and nothing
 *   else; this is how one hears of it.
 */
int evtrace_flush(struct evdefer_base *base);

/**
 * Ends the file and frees the trace.  NULL is allowed.
 *
 * @return 0, or -1 with errno EBUSY (bases are left, and so is the trace); or it is freed,
 *   with what had stopped it before its end: the errno of what could not be written.
 */
int evtrace_free(struct evtrace *trace);

#ifdef __cplusplus
}
#endif

#endif
