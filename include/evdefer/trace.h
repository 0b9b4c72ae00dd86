/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/trace.h
 * @page evtrace
 *
 * A file of what locks do, for Perfetto and chrome://tracing.
 *
 * It is an observer (evdefer/observer.h) that writes the trace event format, which
 * https://ui.perfetto.dev opens.
 *
 * One trace takes the events of any number of bases, each from its own thread.  A base
 * puts them into a buffer of its own of 64 KiB, without a lock, and writes when that is
 * full, at evtrace_flush() and at the end.
 *
 * @par What is in the file
 * Each acquire is a bar with the name of its lock, so that all of one lock stand
 * together.  In it are one for the wait, "waits to read: ann", if it had to, and one for
 * the hold, "read: ann", where ann is the owner.  The hold begins with the grant, since it
 * keeps out others from then on; that it is told so is an instant in it, named delivered.
 * With the bar of the acquire are the kind of the lock, the mode, the address and the
 * owner, and if it ends without the lock, errno as the error.  A bar ends by the time the
 * trace does.  Names are cut off after 63 bytes.  Times are microseconds of the monotonic
 * clock, with three more digits.
 *
 * Of several readers without an owner which one has left is not known, and any of them is
 * ended.  What had begun before the base was added is left out.
 *
 * The file is good at any time: one that ends early, because the program was killed, opens
 * as well.
 *
 * @par What fails
 * A trace whose function or file has failed is stopped for all bases, and nothing else
 * happens: no event is written any more, and the locks go on.  evtrace_flush(),
 * evtrace_remove() and evtrace_free() return -1 with errno as it was then.  Acquires for
 * which there was no memory are left out, and counted in an instant named lost at the
 * end.  In the steady state no memory is needed.
 *
 * @thread The thread of the base.
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
 * @return 0; or -1 with errno set, and nothing more is written.
 */
typedef int (*evtrace_write_fn)(const void *data, size_t length, void *arg);

/**
 * Makes a trace, of nothing so far.
 *
 * @param write takes what is written, with @p arg.
 * @param flags 0, or EVTRACE_DEFERREDS for events of all Deferreds as well.
 * @return the trace, to be freed with evtrace_free(); NULL with errno set.
 * @errno EINVAL No function, or an unknown flag.
 * @errno ENOMEM
 * @thread Any thread.
 */
struct evtrace *evtrace_new(evtrace_write_fn write, void *arg, unsigned flags);

/**
 * Makes a trace to a file that is open.
 *
 * Otherwise it is as evtrace_new().
 *
 * @param fd open to be written to, and blocks.  It stays the caller's, who closes it
 *   after evtrace_free().
 * @as evtrace_new()
 * @errno EINVAL An unknown flag.
 */
struct evtrace *evtrace_new_fd(int fd, unsigned flags);

/**
 * Has a base traced from now on, by an observer of the trace's.
 *
 * Any number of bases may be traced together.
 *
 * @param name of the thread in the file; NULL for a number.
 * @return 0, or -1 with errno set.
 * @errno EBUSY The base has an observer.
 * @errno EINVAL No trace, or no base.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 */
int evtrace_add(
    struct evtrace *trace, struct evdefer_base *base, const char *name);

/**
 * Ends all that is open and writes it; the base is traced no more.
 *
 * evdefer_base_free() does the same.
 *
 * @return 0, or -1 with errno set.
 * @errno EINVAL No base.
 * @errno EIO, ENOSPC Why something could not be written, whatever it is; EIO also if the
 *   function gave no reason.
 * @errno ENOENT The base is not traced.
 */
int evtrace_remove(struct evdefer_base *base);

/**
 * Writes what is left in the buffer of a base.
 *
 * A daemon calls it from a timer, say each second, so that the file has what led to a
 * hang.  What could not be written stops the trace and nothing else; this is how one
 * hears of it.
 *
 * @as evtrace_remove()
 */
int evtrace_flush(struct evdefer_base *base);

/**
 * Ends the file and frees the trace.
 *
 * @param trace NULL is allowed and does nothing.
 * @return 0, or -1 with errno set.
 * @errno EBUSY A base is traced, and @p trace goes on.
 * @errno EIO, ENOSPC Why something could not be written, whatever it is; the trace is
 *   freed all the same.
 * @thread Any thread, once no base is traced.
 */
int evtrace_free(struct evtrace *trace);

#ifdef __cplusplus
}
#endif

#endif
