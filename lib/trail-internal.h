/* SPDX-License-Identifier: MIT */
/*
 * With evdefer_base_set_debug(): since when and from where somebody has been inside a
 * lock.  Each owner that is inside has one for each mode, and the lock has one for those
 * without an owner.  Which of these leaves nobody can tell, so all that is known is who
 * came first, since there was none, and who came last.
 */
#ifndef EVDEFER_TRAIL_INTERNAL_H
#define EVDEFER_TRAIL_INTERNAL_H

#include "lock-internal.h"

struct evtrail {
	struct evcreation
	    first; /* where it has asked, and when it has entered */
	struct evcreation last;
	size_t entered; /* from the first to the last */
};

/* One has entered, and so many are inside now.  The creation tells where it has asked;
 * NULL: here.  Makes the trails, by mode, if they are NULL; without memory nothing is
 * known. */
void evtrail_note_(struct evtrail **trails, enum evmode mode, size_t inside,
    const struct evcreation *creation);

/* NULL if nothing is known. */
static inline const struct evtrail *
evtrail_of_(const struct evtrail *trails, enum evmode mode)
{
	return trails != NULL && trails[mode].entered > 0 ? &trails[mode]
							  : NULL;
}

#endif
