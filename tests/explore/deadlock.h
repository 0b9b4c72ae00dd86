/* SPDX-License-Identifier: MIT */
#ifndef EXPLORE_DEADLOCK_H
#define EXPLORE_DEADLOCK_H

#include "model.h"

/* If the client had to wait for what it asks for, would its owner be one of several
 * that wait for each other, or wait for itself? */
bool deadlock_closes(const struct model *m, const struct client *client);

#endif
