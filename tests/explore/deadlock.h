/* SPDX-License-Identifier: MIT */
#ifndef EXPLORE_DEADLOCK_H
#define EXPLORE_DEADLOCK_H

#include "model.h"

/* Would the party, an owner, close a cycle of owners that wait for each other
 * if it had to wait for the lock? */
bool deadlock_closes(const struct model *m, int party, int lock, int mode);

#endif
