/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/report.h
 * @page evreport
 *
 * Who holds what, and who waits for it: for the operator of a daemon that hangs.
 *
 * A report has all locks, mutexes, semaphores and queues of a base.  Of each it says
 * who is inside, who was granted it and has not been told yet, and who waits, in the
 * order of asking; of a lock in a group, on a file or in a cluster, what right it has:
 * "read" or "write", or "nothing" while another member or process has it.  Owners
 * (evdefer/owner.h) are named.  Those without an owner are counted; with
 * evdefer_base_set_debug() each of those that wait is told of.
 *
 * With evdefer_base_set_debug() it also says since when, and from where in the
 * program, each of them has waited, or each owner been inside.  Which of those without
 * an owner leaves nobody can tell: so of these it says who has entered first, since
 * there was none, and who last.  Without debugging the library notes none of it, and
 * what was there before debugging began is not known.
 *
 * @par Text
 * EVDEFER_REPORT_TEXT is for people:
 *
 *     lock "the shelf" (number 1, 0x55d0c5a8): inside 3, waiting 2
 *         inside   "alice": read
 *         inside   2 without an owner: read
 *         waiting  "bob": write, for 12.504 s, from sell+0x4f (shop+0x13f2)
 *         waiting  1 without an owner: read
 *
 * The number is the lock's among those of its base, and the address is what a debugger
 * knows it by.  What is said of those inside ("inside 3") includes those that were
 * granted it and have not been told yet.  Bytes of names that are not UTF-8, and control
 * characters, are shown in hexadecimal.
 *
 * @par JSON
 * EVDEFER_REPORT_JSON is one object, in UTF-8, with these members:
 *
 * - `debug`: whether it is on.
 * - `names`: EVDEFER_REPORT_NAMES.
 * - `locks`: one object for each lock, see below.
 * - `count`: how many these are.
 *
 * Each lock has:
 *
 * - `number`, `kind`, `name`, `address`: as in the text; the kind is "lock", "mutex",
 *   "semaphore" or "queue", and the name null if there is none.
 * - `closed`: it was freed, and somebody is still inside.
 * - `inside_count`, `waiting_count`: how many there are.
 * - `reach`, `right`: of a lock in a group, on a file or in a cluster.
 * - `limit`: of a semaphore, all tokens.
 * - `objects`: of a queue, those that nobody waits for.
 * - `granted`, `inside`, `waiting`: three arrays, with an object for each owner, or for
 *   some without one: `owner` (its name, or null), `owner_number` (among those of the
 *   base), `mode`, `count` (how many they are, or how many times the owner is inside),
 *   `rest` (true for those that were not looked at), `seconds` and `from` (if that is
 *   known; of several it is the first, and there are `entered`, `last_seconds` and
 *   `last_from`, too).
 *
 * Bytes of names that are not UTF-8 become U+FFFD.
 *
 * @par Graph
 * EVDEFER_REPORT_GRAPH is for dot(1) of Graphviz: `dot -Tsvg`.  Owners and locks are
 * nodes.  An arrow leads from who waits to what that is for, broken and red, and from
 * there to each that is inside.  So a deadlock is a ring of arrows.  Locks that nobody
 * uses are left out.
 *
 * The tutorial that is installed with the library has a daemon that hangs, its report
 * and its picture, and how to read them.
 *
 * @thread The thread of the base.
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
	/** One object, for programs. */
	EVDEFER_REPORT_JSON,
	/** A graph for dot, of Graphviz. */
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
 * @return 0, or -1 with errno set, which ends the report.
 */
typedef int (*evdefer_report_write_fn)(
    const char *text, size_t length, void *arg);

/**
 * Reports on all locks and queues of a base.
 *
 * It goes from lock to lock, in the order in which they were made, from turn to turn of
 * the loop, which serves others in between.  What it says about one lock is true at one
 * time: between two of them the program goes on.  So an owner may be seen to hold a lock
 * that it had released when it was seen to hold the next one.  A deadlock stays as it is,
 * and is seen whole.  A lock that is freed before its turn is left out, unless somebody
 * is still inside; and so is one that is made after this call.
 *
 * What a report says, and how each format looks, is in evdefer/report.h.  A cancel ends
 * it where it is, and so does evdeferred_free().  evdefer_base_free() completes it.
 *
 * @param format how it is written.
 * @param write takes the report, piece by piece, with @p arg; it is not called before
 *   this returns.
 * @return a Deferred that is the caller's and fires with NULL when the report is
 *   complete.  NULL with errno set, and @p write is not called.
 * @errno EINVAL No base or function, or no such format.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @fails ECANCELED
 * @fails EIO What @p write has left in errno, whatever it is; this one if that is 0.
 * @fails ENOMEM
 * @cost Each lock, each one named and every 64 bytes of text take as much of a turn as a
 *   delivery does (EVDEFER_BASE_BATCH).  A lock with a million waiters is told of in one
 *   piece: they are counted, and EVDEFER_REPORT_NAMES of them named.  The memory is that
 *   of the longest piece.
 */
struct evdeferred *evdefer_base_report(struct evdefer_base *base,
    enum evdefer_report_format format, evdefer_report_write_fn write,
    void *arg);

#ifdef __cplusplus
}
#endif

#endif
