/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_CLUSTER_SEATS_INTERNAL_H
#define EVDEFER_CLUSTER_SEATS_INTERNAL_H

#include "session-internal.h"

/* What the session of a cluster has its seats do. */
extern const struct evsession_handler evseats_;

#endif
