/* SPDX-License-Identifier: MIT */
/* How a function says that it did nothing. */
#ifndef EVDEFER_REFUSE_INTERNAL_H
#define EVDEFER_REFUSE_INTERNAL_H

#include <errno.h>
#include <stddef.h>

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
