/* SPDX-License-Identifier: MIT */
/* What the tests of groups share: several loops in one thread, each with a member of
 * one group.  A test turns each of them when it likes. */
#ifndef TESTS_GROUPS_H
#define TESTS_GROUPS_H

#include "waiters.h"

#define MEMBERS 3

struct site {
	struct event_base *loop;
	struct evdefer_base *base;
	struct evrwlock *lock;
};
extern struct site sites[MEMBERS];
extern struct evgroup *group;

/* Makes the group and its members, and frees what is left of them. */
void make_group(int i);
void free_group(void);

/* Frees the base of a site now, and its loop. */
void free_site(struct site *site);

/* Has the loop of a site look once; and all loops until nothing comes of it. */
void look(int site);
void look_all(void);

/* One that wants the lock of a site, and one that gives it back. */
void want_at(int site, struct waiter *waiter, enum evrwlock_mode mode);
int release_at(int site, enum evrwlock_mode mode);

struct evgroup_stats group_stats(void);

TCase *add_group_case(Suite *suite, const char *name);

#endif
