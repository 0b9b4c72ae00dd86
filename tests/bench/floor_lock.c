/* SPDX-License-Identifier: MIT */
#include "floor.h"

#include <stdlib.h>

struct floor_lock {
	size_t readers;
	size_t writers;
};

struct floor_lock *
floor_new(void)
{
	return calloc(1, sizeof(struct floor_lock));
}

void
floor_free(struct floor_lock *lock)
{
	free(lock);
}

int
floor_read(struct floor_lock *lock, floor_fn fn, void *arg)
{
	if (lock->writers > 0)
		return -1;
	lock->readers++;
	fn(lock, arg);
	return 0;
}

int
floor_write(struct floor_lock *lock, floor_fn fn, void *arg)
{
	if (lock->writers > 0 || lock->readers > 0)
		return -1;
	lock->writers++;
	fn(lock, arg);
	return 0;
}

int
floor_read_release(struct floor_lock *lock)
{
	if (lock->readers == 0)
		return -1;
	lock->readers--;
	return 0;
}

int
floor_write_release(struct floor_lock *lock)
{
	if (lock->writers == 0)
		return -1;
	lock->writers--;
	return 0;
}
