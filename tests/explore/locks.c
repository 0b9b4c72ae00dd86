/* SPDX-License-Identifier: MIT */
#include "locks.h"

#include <stddef.h>

/* What the library calls the modes of the model. */
static const enum evrwlock_mode modes[] = {[READ] = EVRWLOCK_READ,
    [UPGRADABLE] = EVRWLOCK_UPGRADABLE,
    [WRITE] = EVRWLOCK_WRITE};

/*
 * Readers-writer locks, with the functions that name the mode where there is no
 * owner.
 */

static void *
rwlock_create(const struct place *place)
{
	const struct setting *setting = place->setting;
	const unsigned flags = (setting->fast ? EVRWLOCK_FAST : 0) |
			       (setting->fair ? EVRWLOCK_FAIR : 0);
	struct evrwlock *lock;

	if (place->group != NULL)
		return evrwlock_new_in_group(place->group, place->base, flags);
	lock = evrwlock_new(place->base, flags);
	if (setting->limit > 0)
		evrwlock_set_reader_limit(lock, setting->limit);
	return lock;
}

static void
rwlock_end(void *lock)
{
	evrwlock_free(lock);
}

static struct evdeferred *
rwlock_acquire(void *lock, struct evowner *owner, enum mode mode)
{
	if (mode == UPGRADE)
		return evrwlock_upgrade(lock, owner);
	if (owner != NULL || mode == UPGRADABLE)
		return evrwlock_acquire(lock, owner, modes[mode]);
	return mode == READ ? evrwlock_reader_acquire(lock)
			    : evrwlock_writer_acquire(lock);
}

static int
rwlock_try(void *lock, struct evowner *owner, enum mode mode)
{
	if (mode == UPGRADE)
		return evrwlock_try_upgrade(lock, owner);
	if (owner != NULL || mode == UPGRADABLE)
		return evrwlock_try(lock, owner, modes[mode]);
	return mode == READ ? evrwlock_reader_try(lock)
			    : evrwlock_writer_try(lock);
}

static int
rwlock_release(void *lock, struct evowner *owner, enum mode mode)
{
	if (owner != NULL || mode == UPGRADABLE)
		return evrwlock_release(lock, owner, modes[mode]);
	return mode == READ ? evrwlock_reader_release(lock)
			    : evrwlock_writer_release(lock);
}

static int
rwlock_downgrade(
    void *lock, struct evowner *owner, enum mode from, enum mode to)
{
	return evrwlock_downgrade(lock, owner, modes[from], modes[to]);
}

static int
rwlock_set_limit(void *lock, size_t limit)
{
	return evrwlock_set_reader_limit(lock, limit);
}

static void
rwlock_get_stats(const void *lock, struct evrwlock_stats *stats)
{
	evrwlock_get_stats(lock, stats);
}

static bool
rwlock_agrees(
    const void *lock, size_t limit, const struct evrwlock_stats *stats)
{
	return evrwlock_get_reader_limit(lock) == limit &&
	       evrwlock_is_reading(lock) ==
		   (stats->readers_inside + stats->upgradables_inside > 0) &&
	       evrwlock_is_writing(lock) == (stats->writers_inside > 0);
}

/*
 * Semaphores.
 */

static void *
semaphore_create(const struct place *place)
{
	return evsemaphore_new(place->base, place->setting->tokens,
	    place->setting->fast ? EVSEMAPHORE_FAST : 0);
}

static void
semaphore_end(void *lock)
{
	evsemaphore_free(lock);
}

static struct evdeferred *
semaphore_acquire(void *lock, struct evowner *owner, enum mode mode)
{
	(void)mode;
	return evsemaphore_acquire(lock, owner);
}

static int
semaphore_try(void *lock, struct evowner *owner, enum mode mode)
{
	(void)mode;
	return evsemaphore_try(lock, owner);
}

static int
semaphore_release(void *lock, struct evowner *owner, enum mode mode)
{
	(void)mode;
	return evsemaphore_release(lock, owner);
}

static void
copy_stats(const struct evsemaphore_stats *from, struct evrwlock_stats *to)
{
	*to = (struct evrwlock_stats){
	    .writers_inside = from->inside,
	    .writers_waiting = from->waiting,
	    .writers_granted = from->granted,
	    .cancelled = from->cancelled,
	    .longest_queue = from->longest_queue,
	};
}

static void
semaphore_get_stats(const void *lock, struct evrwlock_stats *stats)
{
	struct evsemaphore_stats own;

	evsemaphore_get_stats(lock, &own);
	copy_stats(&own, stats);
}

static bool
semaphore_agrees(
    const void *lock, size_t limit, const struct evrwlock_stats *stats)
{
	return evsemaphore_get_limit(lock) == limit &&
	       evsemaphore_get_tokens(lock) + stats->writers_inside == limit;
}

/*
 * Mutexes.
 */

static void *
mutex_create(const struct place *place)
{
	return evmutex_new(
	    place->base, place->setting->fast ? EVMUTEX_FAST : 0);
}

static void
mutex_end(void *lock)
{
	evmutex_free(lock);
}

static struct evdeferred *
mutex_acquire(void *lock, struct evowner *owner, enum mode mode)
{
	(void)mode;
	return evmutex_acquire(lock, owner);
}

static int
mutex_try(void *lock, struct evowner *owner, enum mode mode)
{
	(void)mode;
	return evmutex_try(lock, owner);
}

static int
mutex_release(void *lock, struct evowner *owner, enum mode mode)
{
	(void)mode;
	return evmutex_release(lock, owner);
}

static void
mutex_get_stats(const void *lock, struct evrwlock_stats *stats)
{
	struct evsemaphore_stats own;

	evmutex_get_stats(lock, &own);
	copy_stats(&own, stats);
}

static bool
mutex_agrees(const void *lock, size_t limit, const struct evrwlock_stats *stats)
{
	return limit == 1 &&
	       evmutex_is_locked(lock) == (stats->writers_inside > 0);
}

const struct lock_kind *
lock_kind(int tokens)
{
	static const struct lock_kind rwlocks = {"evrwlock", rwlock_create,
	    rwlock_end, rwlock_acquire, rwlock_try, rwlock_release,
	    rwlock_downgrade, rwlock_set_limit, rwlock_get_stats,
	    rwlock_agrees};
	static const struct lock_kind mutexes = {"evmutex", mutex_create,
	    mutex_end, mutex_acquire, mutex_try, mutex_release, NULL, NULL,
	    mutex_get_stats, mutex_agrees};
	static const struct lock_kind semaphores = {"evsemaphore",
	    semaphore_create, semaphore_end, semaphore_acquire, semaphore_try,
	    semaphore_release, NULL, NULL, semaphore_get_stats,
	    semaphore_agrees};

	if (tokens == 0)
		return &rwlocks;
	return tokens == 1 ? &mutexes : &semaphores;
}
