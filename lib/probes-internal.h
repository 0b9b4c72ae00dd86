/* SPDX-License-Identifier: MIT */
/*
 * USDT probes, for bpftrace, perf and gdb, where <sys/sdt.h> is there and configure was
 * not told --disable-usdt.  An observer is told at the same places.
 *
 * All probes have one semaphore: a tracer that attaches to any of them counts it up in
 * the memory of this process.  Only the making of a Deferred and the turns of the loop
 * look at it.  From then on the base is observed, as by a function, and the short ways
 * need no probe.
 */
#ifndef EVDEFER_PROBES_INTERNAL_H
#define EVDEFER_PROBES_INTERNAL_H

#ifdef EVDEFER_USDT
/* How many tracers there are.  The kernel writes it. */
extern unsigned short evprobes_tracers_ __attribute__((visibility("hidden")));
#define EVPROBES_ON() (evprobes_tracers_ != 0)
#else
#define EVPROBES_ON() 0
#endif

#endif
