/* SPDX-License-Identifier: MIT */
/*
 * The names of the nodes.
 *
 * ROOT/NAME          a lock: a container, which the servers remove with its last child
 *   m-SID.N          a seat that has it open
 *   w-SID.N-SEQ      one that wants to write, or does
 *   r                a container
 *     r-SID.N        one that may read
 *
 * SID is the session, N the seat, and SEQ a number that the servers give: it grows, and
 * runs over after some time.
 */
#ifndef EVDEFER_CLUSTER_NAMES_INTERNAL_H
#define EVDEFER_CLUSTER_NAMES_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/* Room for a path, and for the name of a node of a lock. */
#define EVNAMES_PATH 512
#define EVNAMES_NODE 64

struct evnode_writer {
	char name[EVNAMES_NODE];
	int32_t number;
};

/* Can a lock be called so? */
bool evnames_is_lock_(const char *name);

/* Is it one that wants to write? */
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

/* False if it is none of ours. */
bool evnames_read_writer_(const char *name, struct evnode_writer *writer);

/* Was the first one made before the other?  Also if the numbers have run over between
 * the two. */
bool evnames_is_before_(
    const struct evnode_writer *writer, const struct evnode_writer *other);

#endif
