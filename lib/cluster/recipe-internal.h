/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_CLUSTER_RECIPE_INTERNAL_H
#define EVDEFER_CLUSTER_RECIPE_INTERNAL_H

#include "messages-internal.h"

/* What is next for a seat, after what. */
extern const struct evmessages_handler evrecipe_;

#endif
