/* SPDX-License-Identifier: MIT */
/*
 * The names of the nodes.
 *
 * ROOT/NAME          a lock: a container, which the servers remove with its last child
 *   m-SID.N          a seat that has it open
 *   w-SID.N-SEQ      one that wants to write, or does
 *   r-SID.N-SEQ      one that wants to read, or does
 *
 * SID is the session, N the seat, and SEQ a number that the servers give: it grows with
 * each of these nodes, and runs over after some time.
 */
#ifndef EVDEFER_CLUSTER_NAMES_INTERNAL_H
#define EVDEFER_CLUSTER_NAMES_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/* Room for a path, and for the name of a node of a lock. */
#define EVNAMES_PATH 512
#define EVNAMES_NODE 64

/* A node that has a place in line. */
struct evplace {
	char name[EVNAMES_NODE];
	int32_t number;
};

/* Can a lock be called so? */
bool evnames_is_lock_(const char *name);

/* Is it one that wants to write, or to read? */
static inline bool
evnames_is_writer_(const char *name)
{
	return name[0] == 'w' && name[1] == '-';
}

static inline bool
evnames_is_reader_(const char *name)
{
	return name[0] == 'r' && name[1] == '-';
}

/* False if it has none, or is none of ours. */
bool evnames_read_place_(const char *name, struct evplace *place);

/* Is the first one's number lower?  Also if the numbers have run over between the two. */
bool evnames_is_before_(
    const struct evplace *place, const struct evplace *other);

#endif
