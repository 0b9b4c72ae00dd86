/* SPDX-License-Identifier: MIT */
/*
 * Who holds which locks and who waits for them, in all loops: for DEBUG LOCKS and
 * SIGUSR1.
 *
 * Each loop reports on its own.  So a letter goes round from loop to loop, as for the
 * figures of INFO, and goes on when the report of one is complete.
 */
#ifndef KVD_LOCKS_H
#define KVD_LOCKS_H

#include <evdefer/report.h>

struct evdeferred;
struct loop;

/*
 * Gives a Deferred of this loop, or NULL without memory, and then nothing was begun.  It
 * fires with arg, an owned value, when all is written, or fails.
 *
 * write is called in the threads of the loops, by one after the other.  If the Deferred
 * has gone or failed, free_arg is called with arg, in the thread of this loop.
 *
 * As text each loop has a heading, if there are several; as JSON there is an array of
 * the reports; as graphs there is one after the other.
 */
struct evdeferred *locks_report(struct loop *loop,
    enum evdefer_report_format format, evdefer_report_write_fn write, void *arg,
    void (*free_arg)(void *arg));

#endif
