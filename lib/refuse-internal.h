/* SPDX-License-Identifier: MIT */
/* How a function refuses: it says why, and has done nothing. */
#ifndef EVDEFER_REFUSE_INTERNAL_H
#define EVDEFER_REFUSE_INTERNAL_H

#include <errno.h>
#include <stddef.h>

/* A function of its own, so that the one that calls it stays short and fast. */
#if defined(__GNUC__)
#define EVDEFER_NOINLINE_ __attribute__((noinline))
#else
#define EVDEFER_NOINLINE_
#endif

/* -1 with errno. */
static inline int
evdefer_refuse_(int error)
{
	errno = error;
	return -1;
}

/* NULL with errno. */
static inline void *
evdefer_refuse_new_(int error)
{
	errno = error;
	return NULL;
}

#endif
