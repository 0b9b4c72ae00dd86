/* SPDX-License-Identifier: MIT */
#include "trail-internal.h"

#include <stdlib.h>

void
evtrail_note_(struct evtrail **trails, enum evmode mode, size_t inside,
    const struct evcreation *creation)
{
	struct evtrail *trail;

	if (*trails == NULL)
		*trails = calloc(EVMODES, sizeof(struct evtrail));
	if (*trails == NULL)
		return;
	trail = *trails + mode;
	if (creation != NULL)
		trail->last = *creation;
	else
		evcreation_record_(&trail->last);
	trail->last.time = evdefer_base_now_();
	trail->entered++;
	/* Who has entered before debugging began, if anybody, is not known. */
	if (inside == 1 || trail->entered == 1) {
		trail->first = trail->last;
		trail->entered = 1;
	}
}
