/* SPDX-License-Identifier: MIT */
/*
 * The names of the locks that clients name, where there are several loops.  Each name
 * that a loop uses has a group, of which the lock of each such loop (named.h) is a
 * member.
 */
#ifndef KVD_NAMES_H
#define KVD_NAMES_H

#include <stddef.h>

#include "bytes.h"

struct evgroup;
struct name;
struct names;

/* NULL without memory. */
struct names *names_new(void);
void names_free(struct names *names);

/*
 * Any thread may call these.
 */

/* Finds or makes a name, and counts one more loop that uses it.  NULL without
 * memory. */
struct name *names_use(struct names *names, struct bytes text);
void names_unuse(struct names *names, struct name *name);

struct evgroup *name_group(const struct name *name);

/* How many are in use. */
size_t names_count(struct names *names);

#endif
