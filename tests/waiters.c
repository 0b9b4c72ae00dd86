/* SPDX-License-Identifier: MIT */
#include "waiters.h"

#include <stdio.h>
#include <string.h>

int grants;

struct evresult
on_grant(void *value, void *arg)
{
	struct waiter *waiter = arg;

	waiter->value = value;
	waiter->granted += waiter->wanted == NULL || value == waiter->wanted;
	waiter->ended++;
	waiter->order = ++grants;
	if (waiter->ends != NULL)
		end_owner(waiter->ends);
	return evresult_value(NULL);
}

struct evresult
on_loss(struct evfailure *failure, void *arg)
{
	struct waiter *waiter = arg;

	waiter->failed = evfailure_get_code(failure);
	snprintf(waiter->message, sizeof(waiter->message), "%s",
	    evfailure_get_message(failure));
	waiter->ended++;
	if (waiter->ends != NULL)
		end_owner(waiter->ends);
	return evresult_value(NULL);
}

void
wait_with(struct waiter *waiter, struct evdeferred *d, const void *wanted)
{
	wait_ending(waiter, d, wanted, NULL);
}

void
wait_ending(struct waiter *waiter, struct evdeferred *d, const void *wanted,
    struct evowner **ends)
{
	ck_assert_ptr_nonnull(d);
	*waiter = (struct waiter){.d = d, .wanted = wanted, .ends = ends};
	ck_assert_int_eq(
	    evdeferred_add_callbacks(d, on_grant, on_loss, waiter), 0);
}

/* The timeout comes after the links of the waiter, which see the cancel. */
void
set_time(struct waiter *waiter, int way)
{
	const struct timeval three = {3, 0};

	if (way == TIME_OUT)
		ck_assert_int_eq(evdeferred_add_timeout(waiter->d, &three), 0);
}

void
give_up(struct waiter *waiter, int way)
{
	if (way == FREE) {
		evdeferred_free(waiter->d);
		waiter->d = NULL;
		ck_assert_int_eq(waiter->ended, 0);
		return;
	}
	if (way == CANCEL) {
		evdeferred_cancel(waiter->d);
	} else {
		clock_advance(5000);
		turns(1);
	}
	ck_assert_int_eq(waiter->failed, ECANCELED);
	ck_assert_int_eq(waiter->ended, 1);
}

void
free_waiters(struct waiter *waiters, int count)
{
	while (count-- > 0)
		evdeferred_free(waiters[count].d);
}

void
settle(void)
{
	turns(5);
}

struct evresult
body_value(void *arg)
{
	return evresult_value(arg);
}

/* No ck_assert(): there are tests with a million of them. */
struct evowner *
new_owner(const char *name)
{
	struct evowner *owner = evowner_new(base, name);

	if (owner == NULL)
		ck_abort_msg("no memory for an owner");
	return owner;
}

void
end_owner(struct evowner **owner)
{
	evowner_free(*owner);
	*owner = NULL;
}

enum evrwlock_mode
mode_of(int i)
{
	return i % 2 == 0 ? EVRWLOCK_READ : EVRWLOCK_WRITE;
}

struct evrwlock *
new_lock(int i)
{
	struct evrwlock *lock =
	    evrwlock_new(base, i % 2 == 0 ? 0 : EVRWLOCK_FAST);

	ck_assert_ptr_nonnull(lock);
	return lock;
}

void
lock_counts(const struct evrwlock *lock, size_t readers, size_t writers,
    size_t readers_wait, size_t writers_wait)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.readers_inside, readers);
	ck_assert_uint_eq(stats.writers_inside, writers);
	ck_assert_uint_eq(stats.readers_waiting, readers_wait);
	ck_assert_uint_eq(stats.writers_waiting, writers_wait);
	ck_assert(evrwlock_is_reading(lock) ==
		  (readers + stats.upgradables_inside > 0));
	ck_assert(evrwlock_is_writing(lock) == (writers > 0));
}

struct evdeferred *
acquire_by_name(struct evrwlock *lock, enum evrwlock_mode mode)
{
	if (mode == EVRWLOCK_UPGRADABLE)
		return evrwlock_acquire(lock, NULL, mode);
	return mode == EVRWLOCK_READ ? evrwlock_reader_acquire(lock)
				     : evrwlock_writer_acquire(lock);
}

int
release_by_name(struct evrwlock *lock, enum evrwlock_mode mode)
{
	if (mode == EVRWLOCK_UPGRADABLE)
		return evrwlock_release(lock, NULL, mode);
	return mode == EVRWLOCK_READ ? evrwlock_reader_release(lock)
				     : evrwlock_writer_release(lock);
}

int
try_by_name(struct evrwlock *lock, enum evrwlock_mode mode)
{
	return mode == EVRWLOCK_READ ? evrwlock_reader_try(lock)
				     : evrwlock_writer_try(lock);
}

struct evdeferred *
with_by_name(struct evrwlock *lock, enum evrwlock_mode mode,
    evdeferred_body_fn body, void *arg)
{
	return mode == EVRWLOCK_READ ? evrwlock_with_reader(lock, body, arg)
				     : evrwlock_with_writer(lock, body, arg);
}
