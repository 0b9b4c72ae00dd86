/* SPDX-License-Identifier: MIT */
/* Who holds locks of a cluster and who waits, for evcluster_list(). */
#ifndef EVDEFER_CLUSTER_LISTING_INTERNAL_H
#define EVDEFER_CLUSTER_LISTING_INTERNAL_H

#include "cluster-internal.h"

/* Those that are under way fail: nothing is answered any more. */
void evlistings_fail_(struct evcluster *cluster);

#endif
