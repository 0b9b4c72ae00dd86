/* SPDX-License-Identifier: MIT */
/* What the tests of lost rights share: a source that gives and takes what a test says.
 * It is that of the lock of rwlocks.h. */
#ifndef TESTS_RIGHTS_H
#define TESTS_RIGHTS_H

#include "rwlock-internal.h"
#include "rwlocks.h"

struct rights {
	struct evsource source;
	atomic_uchar asks;  /* readers have to ask */
	enum evright most;  /* that there is to be had */
	enum evright right; /* that the lock has */
	struct evneed need; /* when it was asked last */
	int asked;	    /* how often */
	int checked;	    /* the same of its check() */
	bool stale;	    /* the check is to find that */
	bool tells;	    /* and then to say that it is lost */
	uint64_t token;	    /* grows with each right to write */
};
extern struct rights *rights;

/* How many locks have left theirs. */
extern int rights_left;

/* The lock, with all rights to be had. */
void make_lock_with_rights(int i);

/* The same of another base, without an assertion: false if there is no memory. */
bool make_lock_of(struct evdefer_base *of, bool fast);

/* The same without tokens or losses, and without upgradable reads. */
void make_lock_without_losses(void);
void make_lock_without_upgradables(void);

/* From now on that much is to be had, and the lock looks again. */
void allow(enum evright most);

/* The right is lost; as much as before is to be had anew. */
void lose(void);

/* That the lock is lost, and counts the losses so; and that it is not. */
void check_lost(uint64_t losses);
void check_not_lost(uint64_t losses);

/* Waits for a loss. */
void watch(struct seen *seen, struct evdeferred **d);

/* Gets the lock; wants it for an owner, and gets it. */
void enter(struct waiter *waiter, enum evrwlock_mode mode);
void want_for(
    struct waiter *waiter, struct evowner *owner, enum evrwlock_mode mode);
void enter_for(
    struct waiter *waiter, struct evowner *owner, enum evrwlock_mode mode);

/* That it was told of a failure, and of nothing else. */
void check_failed(const struct waiter *waiter, int code);

#endif
