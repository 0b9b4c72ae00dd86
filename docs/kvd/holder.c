/* SPDX-License-Identifier: MIT */
/*
 * What a client has of locks.
 */
#include "holder.h"

#include <stdlib.h>
#include <string.h>

#include <evdefer/owner.h>
#include <evdefer/rwlock.h>

#include "named.h"
#include "table.h"

struct hold {
	UT_hash_handle hh;
	struct holder *holder;
	struct named *named; /* the key */
	size_t times;	     /* granted; 0: the client waits */
	struct hold *next;   /* while the holder is closed */
};

int
holder_open(struct holder *holder, struct named_locks *locks, const char *name)
{
	memset(holder, 0, sizeof(*holder));
	holder->locks = locks;
	holder->owner = evowner_new(locks->base, name);
	return holder->owner != NULL ? 0 : -1;
}

static struct hold *
find(const struct holder *holder, struct bytes name)
{
	const struct named *named = named_find(holder->locks, name);
	struct hold *hold = NULL;

	if (named != NULL)
		HASH_FIND_PTR(holder->holds, &named, hold);
	return hold;
}

static void
take_out(struct hold *hold)
{
	struct holder *holder = hold->holder;

	HASH_DEL(holder->holds, hold);
	holder->count--;
}

static void
forget(struct hold *hold)
{
	take_out(hold);
	named_unuse(hold->holder->locks, hold->named);
	free(hold);
}

/* The others go when those who wait for them have been told. */
static struct hold *
take_out_granted(struct holder *holder)
{
	struct hold *hold, *next, *granted = NULL;

	for (hold = holder->holds; hold != NULL; hold = next) {
		next = hold->hh.next;
		if (hold->times == 0)
			continue;
		take_out(hold);
		hold->next = granted;
		granted = hold;
	}
	return granted;
}

void
holder_close(struct holder *holder)
{
	struct named_locks *locks = holder->locks;
	struct evowner *owner = holder->owner;
	struct hold *granted, *next;

	if (owner == NULL)
		return;
	granted = take_out_granted(holder);
	holder->owner = NULL;
	evowner_free(owner);
	/* Only now: a lock that nobody uses is gone, and another loop might make
	 * one of that name. */
	for (; granted != NULL; granted = next) {
		next = granted->next;
		named_unuse(locks, granted->named);
		free(granted);
	}
}

bool
holder_has(const struct holder *holder, struct bytes name)
{
	return find(holder, name) != NULL;
}

static struct hold *
add(struct holder *holder, struct named *named)
{
	struct hold *hold = calloc(1, sizeof(*hold));

	if (hold == NULL)
		return NULL;
	hold->holder = holder;
	hold->named = named;
	HASH_ADD_PTR(holder->holds, named, hold);
	if (hold->hh.tbl != NULL) {
		holder->count++;
		holder->locks->waiters++;
		return hold;
	}
	free(hold);
	return NULL;
}

struct hold *
holder_ask(struct holder *holder, struct bytes name)
{
	struct hold *hold = find(holder, name);
	struct named *named;

	if (hold != NULL)
		return hold;
	named = named_use(holder->locks, name);
	if (named == NULL)
		return NULL;
	hold = add(holder, named);
	if (hold == NULL)
		named_unuse(holder->locks, named);
	return hold;
}

struct evrwlock *
hold_lock(const struct hold *hold)
{
	return named_lock(hold->named);
}

bool
hold_is_granted(const struct hold *hold)
{
	return hold->times > 0;
}

void
hold_granted(struct hold *hold)
{
	if (hold->times++ == 0)
		hold->holder->locks->waiters--;
}

void
hold_refused(struct hold *hold)
{
	if (hold->times > 0)
		return;
	hold->holder->locks->waiters--;
	forget(hold);
}

int
holder_release(struct holder *holder, struct bytes name)
{
	struct hold *hold = find(holder, name);
	struct evrwlock *lock;

	if (hold == NULL || hold->times == 0)
		return -1;
	lock = hold_lock(hold);
	/* The library knows in which mode it holds the lock. */
	if (evrwlock_release(lock, holder->owner, EVRWLOCK_WRITE) == -1)
		evrwlock_release(lock, holder->owner, EVRWLOCK_READ);
	if (--hold->times == 0)
		forget(hold);
	return 0;
}
