/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/report.h
 *
 * Who holds what, and who waits for it: for the operator of a daemon that hangs.
 *
 * A report has all locks, mutexes, semaphores and queues of a base.  Of each it says
 * who is inside, who was granted it and has not been told yet, and who waits, in the
 * order of asking; of a lock in a group or on a file, what right it has.  Owners are
 * named.  Those without an owner are counted; with evdefer_base_set_debug() each of
 * those that wait is told of.
 *
 * With evdefer_base_set_debug() it also says since when, and from where in the
 * program, each of them has waited, or each owner been inside.  Which of those without
 * an owner leaves nobody can tell: so of these it says who has entered first, since
 * there was none, and who last.  Without debugging the library notes none of it.
 */
#ifndef EVDEFER_REPORT_H
#define EVDEFER_REPORT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evdefer_base;
struct evdeferred;

/** How a report is written. */
enum evdefer_report_format {
	/** For people: a line for each lock, and below it one for each owner that is
	 * inside or waits. */
	EVDEFER_REPORT_TEXT,
	/** One object, for programs.  evdefer_base_report(3) says what is in it. */
	EVDEFER_REPORT_JSON,
	/** A graph for dot, of Graphviz: owners and locks are nodes.  Arrows lead from
	 * who waits to what that is for, and from there to who is inside, so that a
	 * deadlock is a ring of arrows.  Locks that nobody uses are left out. */
	EVDEFER_REPORT_GRAPH
};

/** So many are named of those inside a lock, of those granted it and of those that
 * wait for it.  The rest is counted. */
#define EVDEFER_REPORT_NAMES 64

/**
 * Takes a part of a report, as write(2) does.
 *
 * It is called from the loop, once for each lock, and may call all of the library:
 * release or free the lock, cancel the report, free the base.
 *
 * @param text what comes next, @p length bytes of it; it ends with a line, and is gone
 *   once the function has returned.
 * @return 0, or -1 with errno, which ends the report.
 */
typedef int (*evdefer_report_write_fn)(
    const char *text, size_t length, void *arg);

/**
 * Reports on all locks and queues of a base, in slices: the loop serves others in
 * between.
 *
 * It goes from lock to lock, in the order in which they were made, from turn to turn of
 * the loop.  What it says about one lock is true at one time: between two of them the
 * program goes on.  So an owner may be seen to hold a lock that it had released when
 * it was seen to hold the next one.  A deadlock stays as it is, and is seen whole.  A
 * lock that is freed before its turn is left out, unless somebody is still inside; and
 * so is one that is made after this call.
 *
 * Each one named takes as much of a turn as a delivery does (EVDEFER_BASE_BATCH), and
 * so do 64 bytes of text.  A lock with a million waiters is told of in one piece: they
 * are counted, and EVDEFER_REPORT_NAMES of them named.
 *
 * @param write takes the report, piece by piece, with @p arg; it is not called before
 *   this returns.
 * @return a Deferred that fires with NULL when the report is complete, and fails with
 *   the errno of @p write, or with ENOMEM.  A cancel ends the report where it is.
 *   evdefer_base_free() completes it.  NULL with errno EINVAL (no base or function, or
 *   no such format), ESHUTDOWN (evdefer_base_free() was called) or ENOMEM.
 */
struct evdeferred *evdefer_base_report(struct evdefer_base *base,
    enum evdefer_report_format format, evdefer_report_write_fn write,
    void *arg);

#ifdef __cplusplus
}
#endif

#endif
