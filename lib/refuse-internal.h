/* SPDX-License-Identifier: MIT */
/* How a function refuses: it says why, and has done nothing. */
#ifndef EVDEFER_REFUSE_INTERNAL_H
#define EVDEFER_REFUSE_INTERNAL_H

#include <errno.h>
#include <stddef.h>

/* A function of its own, so that the one that calls it stays short and fast. */
#if defined(__GNUC__)
#define EVDEFER_NOINLINE_ __attribute__((noinline))
#define EVDEFER_REFUSAL_ static __attribute__((noinline, unused))
#else
#define EVDEFER_NOINLINE_
#define EVDEFER_REFUSAL_ static inline
#endif

/* -1 with errno.  Whoever calls this one last needs no frame for it. */
EVDEFER_REFUSAL_ int
evdefer_refuse_(int error)
{
	errno = error;
	return -1;
}

/* NULL with errno. */
EVDEFER_REFUSAL_ void *
evdefer_refuse_new_(int error)
{
	errno = error;
	return NULL;
}

#endif
