/* SPDX-License-Identifier: MIT */
/*
 * The locks that clients name.
 */
#include "named.h"

#include <stdlib.h>
#include <string.h>

#include <evdefer/group.h>
#include <evdefer/rwlock.h>

#include "names.h"
#include "table.h"

struct named {
	UT_hash_handle hh;
	struct evrwlock *lock;
	struct name *shared; /* NULL if there is one loop */
	size_t users;
	char name[];
};

void
named_init(
    struct named_locks *locks, struct evdefer_base *base, struct names *names)
{
	memset(locks, 0, sizeof(*locks));
	locks->base = base;
	locks->names = names;
}

struct named *
named_find(const struct named_locks *locks, struct bytes name)
{
	struct named *named;

	HASH_FIND(hh, locks->table, name.data, (unsigned)name.length, named);
	return named;
}

/* For messages, in quotes: the name may be empty, or have a NUL in it. */
static int
set_name(struct evrwlock *lock, struct bytes name)
{
	char text[NAMED_MAX + 3];
	size_t i;

	text[0] = '\'';
	for (i = 0; i < name.length && i < NAMED_MAX; i++)
		text[i + 1] = name.data[i] != '\0' ? name.data[i] : ' ';
	text[i + 1] = '\'';
	text[i + 2] = '\0';
	return evrwlock_set_name(lock, text);
}

/* FAST, as the lock of the store is, and for the same reason. */
static struct evrwlock *
make_lock(
    const struct named_locks *locks, struct named *named, struct bytes name)
{
	if (locks->names == NULL)
		return evrwlock_new(locks->base, EVRWLOCK_FAST);
	named->shared = names_use(locks->names, name);
	if (named->shared == NULL)
		return NULL;
	return evrwlock_new_in_group(
	    name_group(named->shared), locks->base, EVRWLOCK_FAST);
}

static void
free_named(struct named_locks *locks, struct named *named)
{
	evrwlock_free(named->lock);
	if (named->shared != NULL)
		names_unuse(locks->names, named->shared);
	free(named);
}

static struct named *
add(struct named_locks *locks, struct bytes name)
{
	struct named *named = calloc(1, sizeof(*named) + name.length);

	if (named == NULL)
		return NULL;
	if (name.length > 0)
		memcpy(named->name, name.data, name.length);
	named->lock = make_lock(locks, named, name);
	if (named->lock != NULL && set_name(named->lock, name) == 0)
		HASH_ADD_KEYPTR(hh, locks->table, named->name,
		    (unsigned)name.length, named);
	if (named->hh.tbl != NULL) {
		locks->count++;
		return named;
	}
	free_named(locks, named);
	return NULL;
}

struct named *
named_use(struct named_locks *locks, struct bytes name)
{
	struct named *named = named_find(locks, name);

	if (named == NULL)
		named = add(locks, name);
	if (named != NULL)
		named->users++;
	return named;
}

void
named_unuse(struct named_locks *locks, struct named *named)
{
	if (--named->users > 0)
		return;
	HASH_DELETE(hh, locks->table, named);
	locks->count--;
	free_named(locks, named);
}

struct evrwlock *
named_lock(const struct named *named)
{
	return named->lock;
}

void
named_close(struct named_locks *locks)
{
	struct named *named, *next;
	struct evrwlock *lock;

	for (named = locks->table; named != NULL; named = next) {
		lock = named->lock;
		named->lock = NULL;
		/* Those that wait are answered by this, and stop using it. */
		named->users++;
		evrwlock_free(lock);
		next = named->hh.next;
		named_unuse(locks, named);
	}
}
