/* SPDX-License-Identifier: MIT */
/* What the unit tests of cluster locks share: processes of the fake servers, on one loop. */
#ifndef TESTS_CLUSTER_CLUSTERS_H
#define TESTS_CLUSTER_CLUSTERS_H

#include <evdefer/cluster.h>

#include "../waiters.h"
#include "cluster/cluster-internal.h"
#include "fake.h"

#define READ EVRWLOCK_READ
#define WRITE EVRWLOCK_WRITE

/* The session timeout, and parts of it: a probe is sent after a sixth, a server that does
 * not answer is left after a third, and a right is lost after two. */
#define TIMEOUT_MS 15000
#define SIXTH_MS (TIMEOUT_MS / 6)
#define THIRD_MS (TIMEOUT_MS / 3)

/* One process, and its lock. */
struct party {
	struct evcluster *cluster;
	struct evrwlock *lock;
	int n;	     /* of its wire */
	int told[5]; /* how often of each state */
	enum evcluster_state state;
	char sentence[512];
	void (*in_state)(struct party *party); /* is called there, or NULL */
};

extern struct fake *fake;

/* The fixture. */
void cluster_setup(void);
void cluster_teardown(void);

/* One that is connected, with a lock of that name; or with no lock for NULL. */
void open_party(struct party *party, const char *name);

/* The same, not connected yet. */
void make_party(struct party *party, const char *name,
    const struct evcluster_options *options);

/* Frees what is left of it, and lets the servers know. */
void end_party(struct party *party);

/* Some time passes in which all is well. */
void pass(long ms);

void want_it(
    struct waiter *waiter, struct party *party, enum evrwlock_mode mode);

/* And gets it. */
void enter(struct waiter *waiter, struct party *party, enum evrwlock_mode mode);

/* Returns what the release has. */
int leave_it(struct waiter *waiter, struct party *party);

/* That it was granted, or still waits. */
void check_inside(const struct waiter *waiter);
void check_waits(const struct waiter *waiter);

/* That it has failed, with a message that has that in it. */
void check_refused(const struct waiter *waiter, int code, const char *words);

TCase *add_cluster_case(Suite *suite, const char *name);

#endif
