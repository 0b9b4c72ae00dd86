/* SPDX-License-Identifier: MIT */
/* evdefer/owner.h, and the functions of evdefer/rwlock.h that take an owner.  Most
 * tests run once with each way of delivery: _i % 2 is 0 for the loop's and 1 for
 * EVRWLOCK_FAST. */
#include "support.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ, WRITE };

static struct evrwlock *locks[3];
static struct evowner *ann, *bob, *cid;
static int grants;

static struct evrwlock *
new_lock(int i)
{
	struct evrwlock *lock =
	    evrwlock_new(base, i % 2 == 0 ? 0 : EVRWLOCK_FAST);

	ck_assert_ptr_nonnull(lock);
	return lock;
}

static void
make(int i)
{
	static const char *const names[] = {"red", "green", "blue"};
	int k;

	for (k = 0; k < 3; k++) {
		locks[k] = new_lock(i);
		ck_assert_int_eq(evrwlock_set_name(locks[k], names[k]), 0);
	}
	ann = evowner_new(base, "ann");
	bob = evowner_new(base, "bob");
	cid = evowner_new(base, "cid");
	ck_assert(ann != NULL && bob != NULL && cid != NULL);
	grants = 0;
}

static void
settle(void)
{
	turns(5);
}

static void
counts(const struct evrwlock *lock, size_t readers, size_t writers,
    size_t readers_wait, size_t writers_wait)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	ck_assert_uint_eq(stats.readers_inside, readers);
	ck_assert_uint_eq(stats.writers_inside, writers);
	ck_assert_uint_eq(stats.readers_waiting, readers_wait);
	ck_assert_uint_eq(stats.writers_waiting, writers_wait);
}

static void
end_owner(struct evowner **owner)
{
	evowner_free(*owner);
	*owner = NULL;
}

/* Frees the owners that are left, and the locks, which nobody holds then. */
static void
done(void)
{
	int k;

	end_owner(&ann);
	end_owner(&bob);
	end_owner(&cid);
	settle();
	for (k = 0; k < 3; k++) {
		counts(locks[k], 0, 0, 0, 0);
		evrwlock_free(locks[k]);
	}
}

/* One ask of an owner's. */
struct ask {
	struct evdeferred *d;
	struct evrwlock *lock;
	int granted;
	int failed; /* code */
	int ended;
	int order;
	char message[256];
	struct evowner **ends; /* frees this one when it ends */
};

static struct evresult
on_grant(void *value, void *arg)
{
	struct ask *ask = arg;

	ask->granted += value == ask->lock;
	ask->ended++;
	ask->order = ++grants;
	if (ask->ends != NULL)
		end_owner(ask->ends);
	return evresult_value(NULL);
}

static struct evresult
on_loss(struct evfailure *failure, void *arg)
{
	struct ask *ask = arg;

	ask->failed = evfailure_get_code(failure);
	snprintf(ask->message, sizeof(ask->message), "%s",
	    evfailure_get_message(failure));
	ask->ended++;
	if (ask->ends != NULL)
		end_owner(ask->ends);
	return evresult_value(NULL);
}

static struct evdeferred *
acquire(struct evrwlock *lock, struct evowner *owner, int mode)
{
	return mode == READ ? evrwlock_acquire(lock, owner, EVRWLOCK_READ)
			    : evrwlock_acquire(lock, owner, EVRWLOCK_WRITE);
}

static int
release(struct evrwlock *lock, struct evowner *owner, int mode)
{
	return mode == READ ? evrwlock_release(lock, owner, EVRWLOCK_READ)
			    : evrwlock_release(lock, owner, EVRWLOCK_WRITE);
}

static void
ask_ending(struct ask *ask, struct evrwlock *lock, struct evowner *owner,
    int mode, struct evowner **ends)
{
	memset(ask, 0, sizeof(*ask));
	ask->lock = lock;
	ask->ends = ends;
	ask->d = acquire(lock, owner, mode);
	ck_assert_ptr_nonnull(ask->d);
	ck_assert_int_eq(
	    evdeferred_add_callbacks(ask->d, on_grant, on_loss, ask), 0);
}

static void
ask_for(struct ask *ask, struct evrwlock *lock, struct evowner *owner, int mode)
{
	ask_ending(ask, lock, owner, mode, NULL);
}

/* Asks, lets the loop deliver, and gets it. */
static void
get(struct ask *ask, struct evrwlock *lock, struct evowner *owner, int mode)
{
	ask_for(ask, lock, owner, mode);
	settle();
	ck_assert_int_eq(ask->granted, 1);
}

static void
leave(struct evrwlock *lock, struct evowner *owner, int mode)
{
	ck_assert_int_eq(release(lock, owner, mode), 0);
	settle();
}

static void
free_asks(struct ask *asks, int count)
{
	while (count-- > 0)
		evdeferred_free(asks[count].d);
}

/* Making, names, bad arguments. */

START_TEST(names)
{
	struct evowner *nameless = evowner_new(base, NULL);
	char name[] = "joe";
	struct evowner *joe = evowner_new(base, name);

	name[0] = 'x';
	ck_assert_str_eq(evowner_get_name(joe), "joe");
	ck_assert_str_ne(evowner_get_name(nameless), "");
	ck_assert_ptr_null(evowner_get_name(NULL));
	evowner_free(joe);
	evowner_free(nameless);
	evowner_free(NULL);
	REFUSED_NULL(evowner_new(NULL, "joe"), EINVAL);
}
END_TEST

START_TEST(names_of_locks)
{
	struct evrwlock *lock = new_lock(0);
	char name[] = "table";

	ck_assert_str_eq(evrwlock_get_name(lock), "a lock");
	ck_assert_int_eq(evrwlock_set_name(lock, name), 0);
	name[0] = 'x';
	ck_assert_str_eq(evrwlock_get_name(lock), "table");
	ck_assert_int_eq(evrwlock_set_name(lock, NULL), 0);
	ck_assert_str_eq(evrwlock_get_name(lock), "a lock");
	ck_assert_str_eq(evrwlock_get_name(NULL), "a lock");
	REFUSED(evrwlock_set_name(NULL, "x"), EINVAL);
	evrwlock_free(lock);
}
END_TEST

static struct evresult
body_value(void *arg)
{
	return evresult_value(arg);
}

static void
refused_for(struct evrwlock *lock, struct evowner *owner)
{
	REFUSED_NULL(evrwlock_acquire(lock, owner, EVRWLOCK_READ), EINVAL);
	REFUSED_NULL(evrwlock_acquire(lock, owner, EVRWLOCK_WRITE), EINVAL);
	REFUSED(evrwlock_release(lock, owner, EVRWLOCK_READ), EINVAL);
	REFUSED(evrwlock_release(lock, owner, EVRWLOCK_WRITE), EINVAL);
	REFUSED(evrwlock_try(lock, owner, EVRWLOCK_READ), EINVAL);
	REFUSED(evrwlock_try(lock, owner, EVRWLOCK_WRITE), EINVAL);
	REFUSED_NULL(
	    evrwlock_with(lock, owner, EVRWLOCK_READ, NULL, body_value, NULL),
	    EINVAL);
	REFUSED_NULL(
	    evrwlock_with(lock, owner, EVRWLOCK_WRITE, NULL, body_value, NULL),
	    EINVAL);
}

static void
refused_in_mode(enum evrwlock_mode mode)
{
	static const struct timeval none = {0, -1};

	REFUSED_NULL(evrwlock_acquire(locks[0], ann, mode), EINVAL);
	REFUSED_NULL(evrwlock_acquire(locks[0], NULL, mode), EINVAL);
	REFUSED(evrwlock_try(locks[0], ann, mode), EINVAL);
	REFUSED(evrwlock_release(locks[0], ann, mode), EINVAL);
	REFUSED_NULL(
	    evrwlock_with(locks[0], ann, mode, NULL, body_value, NULL), EINVAL);
	REFUSED_NULL(evrwlock_with(
			 locks[0], ann, EVRWLOCK_READ, &none, body_value, NULL),
	    EINVAL);
}

START_TEST(bad_arguments_are_einval)
{
	struct evdefer_base *other = evdefer_base_new(loop);
	struct evowner *stranger = evowner_new(other, "stranger");

	make(_i);
	refused_for(NULL, ann);
	refused_for(locks[0], stranger);
	REFUSED_NULL(
	    evrwlock_with(locks[0], ann, EVRWLOCK_READ, NULL, NULL, NULL),
	    EINVAL);
	REFUSED_NULL(
	    evrwlock_with(locks[0], ann, EVRWLOCK_WRITE, NULL, NULL, NULL),
	    EINVAL);
	refused_in_mode((enum evrwlock_mode)7);
	evowner_free(stranger);
	evdefer_base_free(other);
	done();
}
END_TEST

/* Reentrancy. */

START_TEST(read_is_reentrant_also_while_a_writer_waits)
{
	struct ask a[3], w, r;

	make(_i);
	get(&a[0], locks[0], ann, READ);
	ask_for(&w, locks[0], bob, WRITE);
	get(&a[1], locks[0], ann, READ);
	get(&a[2], locks[0], ann, READ);
	/* Who is not inside waits. */
	ask_for(&r, locks[0], cid, READ);
	settle();
	ck_assert_int_eq(r.ended, 0);
	counts(locks[0], 3, 0, 1, 1);
	leave(locks[0], ann, READ);
	leave(locks[0], ann, READ);
	ck_assert_int_eq(w.ended, 0);
	leave(locks[0], ann, READ);
	ck_assert_int_eq(w.granted, 1);
	leave(locks[0], bob, WRITE);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], cid, READ);
	free_asks(a, 3);
	free_asks(&w, 1);
	free_asks(&r, 1);
	done();
}
END_TEST

START_TEST(read_is_reentrant_before_its_grant_is_delivered)
{
	struct ask w, a[3];

	make(_i);
	get(&w, locks[0], bob, WRITE);
	ask_for(&a[0], locks[0], ann, READ);
	/* Readers are granted in one step: nothing knows ann yet. */
	ck_assert_int_eq(evrwlock_release(locks[0], bob, EVRWLOCK_WRITE), 0);
	ask_for(&a[1], locks[0], cid, WRITE);
	ask_for(&a[2], locks[0], ann, READ);
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	ck_assert_int_eq(a[1].ended, 0);
	ck_assert_int_eq(a[2].granted, 1);
	leave(locks[0], ann, READ);
	leave(locks[0], ann, READ);
	ck_assert_int_eq(a[1].granted, 1);
	leave(locks[0], cid, WRITE);
	free_asks(&w, 1);
	free_asks(a, 3);
	done();
}
END_TEST

START_TEST(write_is_reentrant)
{
	struct ask a[3], r;

	make(_i);
	get(&a[0], locks[0], ann, WRITE);
	ask_for(&r, locks[0], bob, READ);
	get(&a[1], locks[0], ann, WRITE);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	counts(locks[0], 0, 3, 1, 0);
	leave(locks[0], ann, WRITE);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(r.ended, 0);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], bob, READ);
	free_asks(a, 2);
	free_asks(&r, 1);
	done();
}
END_TEST

START_TEST(read_while_writing)
{
	struct ask a[3], r;

	make(_i);
	get(&a[0], locks[0], ann, WRITE);
	ask_for(&r, locks[0], bob, READ);
	get(&a[1], locks[0], ann, READ);
	counts(locks[0], 1, 1, 1, 0);
	/* And write again beside its own read. */
	get(&a[2], locks[0], ann, WRITE);
	leave(locks[0], ann, READ);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(r.ended, 0);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], bob, READ);
	free_asks(a, 3);
	free_asks(&r, 1);
	done();
}
END_TEST

START_TEST(write_released_first_goes_on_as_reader)
{
	struct ask a[2], r[2], w;

	make(_i);
	get(&a[0], locks[0], ann, WRITE);
	get(&a[1], locks[0], ann, READ);
	ask_for(&r[0], locks[0], bob, READ);
	ask_for(&r[1], locks[0], cid, READ);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(r[0].granted + r[1].granted, 2);
	counts(locks[0], 3, 0, 0, 0);
	/* A reader as others are. */
	ask_for(&w, locks[0], ann, WRITE);
	settle();
	ck_assert_int_eq(w.failed, EDEADLK);
	leave(locks[0], ann, READ);
	leave(locks[0], bob, READ);
	leave(locks[0], cid, READ);
	free_asks(a, 2);
	free_asks(r, 2);
	free_asks(&w, 1);
	done();
}
END_TEST

START_TEST(write_released_first_lets_no_writer_in)
{
	struct ask a[2], w, r;

	make(_i);
	get(&a[0], locks[0], ann, WRITE);
	get(&a[1], locks[0], ann, READ);
	ask_for(&w, locks[0], bob, WRITE);
	ask_for(&r, locks[0], cid, READ);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(w.ended + r.ended, 0);
	leave(locks[0], ann, READ);
	ck_assert_int_eq(w.granted, 1);
	leave(locks[0], bob, WRITE);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], cid, READ);
	free_asks(a, 2);
	free_asks(&w, 1);
	free_asks(&r, 1);
	done();
}
END_TEST

START_TEST(write_while_only_reading_is_edeadlk_at_once)
{
	struct evrwlock_stats before, after;
	struct ask r, w;
	struct seen body = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i);
	get(&r, locks[0], ann, READ);
	evrwlock_get_stats(locks[0], &before);
	ask_for(&w, locks[0], ann, WRITE);
	/* No turn of the loop. */
	ck_assert_int_eq(w.failed, EDEADLK);
	REFUSED(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), EDEADLK);
	d = evrwlock_with(
	    locks[0], ann, EVRWLOCK_WRITE, NULL, body_value, NULL);
	see(d, &body);
	ck_assert_int_eq(body.code, EDEADLK);
	evdeferred_free(d);
	evrwlock_get_stats(locks[0], &after);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	/* Nor does another owner's read count. */
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_READ), 0);
	REFUSED(evrwlock_try(locks[0], cid, EVRWLOCK_WRITE), EBUSY);
	leave(locks[0], bob, READ);
	leave(locks[0], ann, READ);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	leave(locks[0], ann, WRITE);
	free_asks(&r, 1);
	free_asks(&w, 1);
	done();
}
END_TEST

/* Release and try. */

START_TEST(release_by_a_stranger_is_eperm)
{
	struct evrwlock_stats before, after;
	struct ask a;

	make(_i);
	get(&a, locks[0], ann, _i / 2);
	evrwlock_get_stats(locks[0], &before);
	REFUSED(release(locks[0], bob, _i / 2), EPERM);
	REFUSED(release(locks[0], ann, !(_i / 2)), EPERM);
	REFUSED(release(locks[1], ann, _i / 2), EPERM);
	REFUSED(evrwlock_reader_release(locks[0]), EPERM);
	REFUSED(evrwlock_writer_release(locks[0]), EPERM);
	evrwlock_get_stats(locks[0], &after);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	leave(locks[0], ann, _i / 2);
	REFUSED(release(locks[0], ann, _i / 2), EPERM);
	free_asks(&a, 1);
	done();
}
END_TEST

START_TEST(owner_cannot_release_an_anonymous_hold)
{
	make(_i);
	ck_assert_int_eq(evrwlock_reader_try(locks[0]), 0);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_READ), EPERM);
	/* Nor is the owner inside because somebody is. */
	REFUSED(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), EBUSY);
	ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	done();
}
END_TEST

START_TEST(release_of_an_undelivered_grant_is_eperm)
{
	struct ask a[2];

	make(0);
	ask_for(&a[0], locks[0], ann, _i);
	REFUSED(release(locks[0], ann, _i), EPERM);
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	/* Nor can the received one stand for one on its way. */
	ask_for(&a[1], locks[0], ann, _i);
	ck_assert_int_eq(release(locks[0], ann, _i), 0);
	REFUSED(release(locks[0], ann, _i), EPERM);
	settle();
	ck_assert_int_eq(a[1].granted, 1);
	leave(locks[0], ann, _i);
	free_asks(a, 2);
	done();
}
END_TEST

START_TEST(try_takes_for_the_owner)
{
	make(_i);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_READ), 0);
	REFUSED(evrwlock_try(locks[0], cid, EVRWLOCK_WRITE), EBUSY);
	leave(locks[0], ann, READ);
	leave(locks[0], bob, READ);
	ck_assert_int_eq(evrwlock_try(locks[0], cid, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_try(locks[0], cid, EVRWLOCK_READ), 0);
	REFUSED(evrwlock_try(locks[0], ann, EVRWLOCK_READ), EBUSY);
	leave(locks[0], cid, WRITE);
	leave(locks[0], cid, READ);
	done();
}
END_TEST

START_TEST(closed_lock_is_eshutdown)
{
	struct ask a, w, late;
	struct evrwlock *lock;

	make(_i);
	lock = new_lock(_i);
	get(&a, lock, ann, READ);
	ask_for(&w, lock, bob, WRITE);
	evrwlock_free(lock);
	ck_assert_int_eq(w.failed, ESHUTDOWN);
	ask_for(&late, lock, ann, READ);
	ck_assert_int_eq(late.failed, ESHUTDOWN);
	REFUSED(evrwlock_try(lock, ann, EVRWLOCK_READ), ESHUTDOWN);
	/* The holder may release, by its end too. */
	if (_i / 2 == 0)
		ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_READ), 0);
	free_asks(&a, 1);
	free_asks(&w, 1);
	free_asks(&late, 1);
	done();
}
END_TEST

START_TEST(closed_base_is_eshutdown)
{
	struct ask a, late;

	make(_i);
	ask_for(&a, locks[0], ann, WRITE);
	support_free_base();
	ck_assert_int_eq(a.granted, 1);
	ask_for(&late, locks[1], ann, WRITE);
	ck_assert_int_eq(late.failed, ESHUTDOWN);
	REFUSED(evrwlock_try(locks[1], ann, EVRWLOCK_WRITE), ESHUTDOWN);
	free_asks(&a, 1);
	free_asks(&late, 1);
	done();
}
END_TEST

/* Leaving. */

START_TEST(grant_of_a_lock_that_was_closed_is_cancelled)
{
	struct evrwlock *lock = new_lock(0);
	struct ask a;

	make(0);
	ask_for(&a, lock, ann, _i);
	evrwlock_free(lock);
	ck_assert_int_eq(a.ended, 0);
	evdeferred_cancel(a.d);
	ck_assert_int_eq(a.failed, ECANCELED);
	free_asks(&a, 1);
	done();
}
END_TEST

/* The end of ann makes room, but by then the lock grants nothing any more. */
START_TEST(grant_given_up_while_the_lock_closes_passes_to_nobody)
{
	struct evrwlock *lock = new_lock(0);
	struct ask a, b, c;

	make(0);
	ask_for(&a, lock, ann, WRITE);
	ask_ending(&b, lock, bob, _i, &ann);
	ask_for(&c, lock, cid, _i);
	evrwlock_free(lock);
	settle();
	ck_assert_int_eq(a.failed, ECANCELED);
	ck_assert_int_eq(b.failed, ESHUTDOWN);
	ck_assert_int_eq(c.failed, ESHUTDOWN);
	free_asks(&a, 1);
	free_asks(&b, 1);
	free_asks(&c, 1);
	done();
}
END_TEST

/* What the first of two readers asks for as soon as it is told. */
struct latecomer {
	struct ask ask;
	bool anonymous;
};

static struct evresult
come_late(void *lock, void *arg)
{
	struct latecomer *late = arg;

	if (!late->anonymous) {
		ask_for(&late->ask, lock, cid, READ);
		return evresult_value(NULL);
	}
	late->ask.lock = lock;
	late->ask.d = evrwlock_reader_acquire(lock);
	evdeferred_add_callbacks(late->ask.d, on_grant, on_loss, &late->ask);
	return evresult_value(NULL);
}

START_TEST(reader_that_comes_while_others_are_told_is_told_after_them)
{
	struct latecomer late = {.anonymous = _i / 2 == 1};
	struct evdeferred *d;
	struct ask b;

	make(_i);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	d = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	evdeferred_add_callback(d, come_late, &late);
	ask_for(&b, locks[0], bob, READ);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	settle();
	ck_assert_int_eq(b.order, 1);
	ck_assert_int_eq(late.ask.order, 2);
	counts(locks[0], 3, 0, 0, 0);
	if (late.anonymous)
		ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	evdeferred_free(d);
	free_asks(&late.ask, 1);
	free_asks(&b, 1);
	done();
}
END_TEST

/* _i / 2: a reader behind a writer, a writer behind a writer, and a writer
 * behind a reader. */
START_TEST(waiter_cancelled_in_the_turn_of_its_grant_passes_it_on)
{
	const int first = _i / 4 == 0 ? WRITE : READ;
	const int second = _i / 4 == 0 ? _i / 2 : WRITE;
	struct ask a, b, c;

	make(_i % 2);
	get(&a, locks[0], ann, first);
	ask_for(&b, locks[0], bob, second);
	ask_for(&c, locks[0], cid, WRITE);
	if (_i % 2 == 1 || second == READ) {
		/* With FAST, or behind the other, it still waits. */
		evdeferred_cancel(b.d);
		ck_assert_int_eq(release(locks[0], ann, first), 0);
	} else {
		ck_assert_int_eq(release(locks[0], ann, first), 0);
		evdeferred_cancel(b.d);
	}
	settle();
	ck_assert_int_eq(b.failed, ECANCELED);
	ck_assert_int_eq(c.granted, 1);
	leave(locks[0], cid, WRITE);
	free_asks(&a, 1);
	free_asks(&b, 1);
	free_asks(&c, 1);
	done();
}
END_TEST

START_TEST(readers_cancelled_in_the_turn_of_their_grant)
{
	struct ask a, b, c, w;

	make(0);
	get(&a, locks[0], ann, WRITE);
	ask_for(&b, locks[0], bob, READ);
	ask_for(&c, locks[0], cid, READ);
	ck_assert_int_eq(release(locks[0], ann, WRITE), 0);
	evdeferred_cancel(b.d);
	ask_for(&w, locks[0], ann, WRITE);
	settle();
	ck_assert_int_eq(b.failed, ECANCELED);
	ck_assert_int_eq(c.granted, 1);
	REFUSED(evrwlock_release(locks[0], bob, EVRWLOCK_READ), EPERM);
	leave(locks[0], cid, READ);
	ck_assert_int_eq(w.granted, 1);
	leave(locks[0], ann, WRITE);
	free_asks(&a, 1);
	free_asks(&b, 1);
	free_asks(&c, 1);
	free_asks(&w, 1);
	done();
}
END_TEST

START_TEST(one_of_several_waiting_readers_is_cancelled)
{
	struct ask a, b[2];

	make(_i);
	get(&a, locks[0], ann, WRITE);
	ask_for(&b[0], locks[0], bob, READ);
	ask_for(&b[1], locks[0], cid, READ);
	evdeferred_cancel(b[1].d);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(b[1].failed, ECANCELED);
	ck_assert_int_eq(b[0].granted, 1);
	leave(locks[0], bob, READ);
	counts(locks[0], 0, 0, 0, 0);
	free_asks(&a, 1);
	free_asks(b, 2);
	done();
}
END_TEST

START_TEST(one_of_several_waiting_writers_is_cancelled)
{
	struct ask a, b[2];

	make(_i);
	get(&a, locks[0], ann, READ);
	ask_for(&b[0], locks[0], bob, WRITE);
	ask_for(&b[1], locks[0], cid, WRITE);
	evdeferred_cancel(b[1].d);
	leave(locks[0], ann, READ);
	ck_assert_int_eq(b[1].failed, ECANCELED);
	ck_assert_int_eq(b[0].granted, 1);
	leave(locks[0], bob, WRITE);
	counts(locks[0], 0, 0, 0, 0);
	free_asks(&a, 1);
	free_asks(b, 2);
	done();
}
END_TEST

START_TEST(waiter_times_out)
{
	const struct timeval second = {1, 0};
	struct ask a, r;
	struct seen seen = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i);
	get(&a, locks[0], ann, READ);
	d = evrwlock_acquire(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(evdeferred_add_timeout(d, &second), 0);
	see(d, &seen);
	ask_for(&r, locks[0], cid, READ);
	clock_advance(1100);
	settle();
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	ck_assert_int_eq(r.granted, 1);
	leave(locks[0], cid, READ);
	leave(locks[0], ann, READ);
	evdeferred_free(d);
	free_asks(&a, 1);
	free_asks(&r, 1);
	done();
}
END_TEST

START_TEST(forgotten_grant_is_released)
{
	struct evdeferred *d;
	struct ask b;

	make(_i % 2);
	/* No callback at all, or only one for failures. */
	d = acquire(locks[0], ann, _i / 2);
	evdeferred_add_errback(d, see_failure, NULL);
	ask_for(&b, locks[0], bob, WRITE);
	settle();
	ck_assert_int_eq(b.ended, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(b.granted, 1);
	leave(locks[0], bob, WRITE);
	free_asks(&b, 1);
	done();
}
END_TEST

/* With. */

struct with {
	struct evdeferred *waits_for;
	struct evowner **ends;
	int runs;
};

static struct evresult
run_body(void *arg)
{
	struct with *with = arg;

	with->runs++;
	if (with->ends != NULL)
		end_owner(with->ends);
	if (with->waits_for != NULL)
		return evresult_deferred(with->waits_for);
	return evresult_value(with);
}

static struct evdeferred *
with_as(struct evrwlock *lock, struct evowner *owner, int mode, void *arg)
{
	return mode == READ ? evrwlock_with(lock, owner, EVRWLOCK_READ, NULL,
				  run_body, arg)
			    : evrwlock_with(lock, owner, EVRWLOCK_WRITE, NULL,
				  run_body, arg);
}

START_TEST(with_runs_under_the_lock_of_the_owner)
{
	struct with with = {evdeferred_new(base, NULL, NULL), NULL, 0};
	struct evdeferred *producer = with.waits_for, *d;
	struct seen seen = {0, 0, NULL, 0};
	struct ask w, again;

	make(_i % 2);
	counts(locks[0], 0, 0, 0, 0);
	d = with_as(locks[0], ann, _i / 2, &with);
	see(d, &seen);
	ask_for(&w, locks[0], bob, WRITE);
	settle();
	ck_assert_int_eq(with.runs, 1);
	ck_assert_int_eq(w.ended, 0);
	counts(locks[0], _i / 2 == READ, _i / 2 == WRITE, 0, 1);
	/* It is inside, but what the body has is not its to release. */
	REFUSED(release(locks[0], ann, _i / 2), EPERM);
	get(&again, locks[0], ann, _i / 2);
	leave(locks[0], ann, _i / 2);
	ck_assert_int_eq(evdeferred_callback(producer, &with), 0);
	settle();
	ck_assert_ptr_eq(seen.value, &with);
	ck_assert_int_eq(w.granted, 1);
	leave(locks[0], bob, WRITE);
	evdeferred_free(d);
	free_asks(&w, 1);
	free_asks(&again, 1);
	done();
}
END_TEST

START_TEST(with_nested_writes_and_reads)
{
	struct with outer = {NULL, NULL, 0}, inner = {NULL, NULL, 0};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	outer.waits_for = NULL;
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	inner.waits_for = with_as(locks[0], ann, READ, &outer);
	d = with_as(locks[0], ann, WRITE, &inner);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.values, 1);
	ck_assert_int_eq(outer.runs + inner.runs, 2);
	counts(locks[0], 0, 1, 0, 0);
	leave(locks[0], ann, WRITE);
	evdeferred_free(d);
	done();
}
END_TEST

/* Links of kind both. */

struct both {
	struct evresult kept;
	struct evdeferred *other;
	struct evowner **ends;
	bool take;
	bool keep;
	bool dispose;
	bool failed;
	void *value;
};

static struct evresult
handle(struct evresult result, void *arg)
{
	struct both *both = arg;

	both->failed = evresult_is_failure(result);
	if (both->take)
		both->value = evresult_get_value(result);
	if (both->ends != NULL)
		end_owner(both->ends);
	if (both->dispose) {
		evresult_dispose(result);
		return evresult_value(NULL);
	}
	if (both->other != NULL) {
		ck_assert_int_eq(evdeferred_fire(both->other, result), 0);
		return evresult_value(NULL);
	}
	if (both->keep) {
		both->kept = result;
		return evresult_value(NULL);
	}
	return result;
}

/* Gets ann the lock through a link of kind both, which does as it is told. */
static struct evdeferred *
through(struct both *both, int mode)
{
	struct evdeferred *d = acquire(locks[0], ann, mode);

	ck_assert_int_eq(evdeferred_add_both(d, handle, both), 0);
	settle();
	ck_assert(!both->failed);
	return d;
}

START_TEST(both_passes_the_grant_on)
{
	struct both both = {.take = _i / 2 == 1};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	d = through(&both, WRITE);
	if (both.take)
		ck_assert_ptr_eq(both.value, locks[0]);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), EPERM);
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, locks[0]);
	leave(locks[0], ann, WRITE);
	evdeferred_free(d);
	done();
}
END_TEST

START_TEST(both_passes_the_grant_on_to_nobody)
{
	struct both both = {.take = _i / 2 == 1};
	struct evdeferred *d;

	make(_i);
	d = through(&both, WRITE);
	counts(locks[0], 0, 1, 0, 0);
	evdeferred_free(d);
	counts(locks[0], 0, 0, 0, 0);
	done();
}
END_TEST

START_TEST(both_fires_another_with_the_grant)
{
	struct both both = {.take = _i / 2 == 1};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	both.other = evdeferred_new(base, NULL, NULL);
	d = through(&both, WRITE);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), EPERM);
	see(both.other, &seen);
	ck_assert_ptr_eq(seen.value, locks[0]);
	leave(locks[0], ann, WRITE);
	evdeferred_free(both.other);
	evdeferred_free(d);
	done();
}
END_TEST

START_TEST(both_takes_the_value)
{
	struct both both = {.take = true, .keep = true};
	struct evdeferred *d;

	make(_i);
	d = through(&both, _i / 2);
	ck_assert_ptr_eq(both.value, locks[0]);
	evdeferred_free(d);
	settle();
	leave(locks[0], ann, _i / 2);
	REFUSED(release(locks[0], ann, _i / 2), EPERM);
	done();
}
END_TEST

static struct evresult
release_at_once(struct evresult result, void *mode)
{
	const bool write = mode != NULL;

	ck_assert_ptr_eq(evresult_get_value(result), locks[0]);
	leave(locks[0], ann, write);
	REFUSED(release(locks[0], ann, write), EPERM);
	return evresult_value(NULL);
}

START_TEST(both_takes_the_value_and_releases)
{
	struct evdeferred *d;

	make(_i);
	d = _i / 2 == 0 ? evrwlock_acquire(locks[0], ann, EVRWLOCK_READ)
			: evrwlock_acquire(locks[0], ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(
	    evdeferred_add_both(d, release_at_once, _i / 2 ? d : NULL), 0);
	settle();
	counts(locks[0], 0, 0, 0, 0);
	evdeferred_free(d);
	done();
}
END_TEST

/* It has got a result, and may not know yet what is in it. */
static struct evresult
release_unseen(struct evresult result, void *mode)
{
	REFUSED(release(locks[0], ann, mode != NULL), EPERM);
	return result;
}

START_TEST(both_releases_nothing_whose_value_it_has_not_taken)
{
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i);
	d = acquire(locks[0], ann, _i / 2);
	ck_assert_int_eq(
	    evdeferred_add_both(d, release_unseen, _i / 2 ? d : NULL), 0);
	settle();
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, locks[0]);
	leave(locks[0], ann, _i / 2);
	evdeferred_free(d);
	done();
}
END_TEST

static struct evresult
end_and_take(struct evresult result, void *arg)
{
	(void)arg;
	end_owner(&ann);
	ck_assert(!evresult_is_failure(result));
	ck_assert_ptr_null(evresult_get_value(result));
	return evresult_value(NULL);
}

START_TEST(both_takes_no_value_of_an_owner_that_it_has_freed)
{
	struct evdeferred *d;

	make(_i);
	d = acquire(locks[0], ann, _i / 2);
	ck_assert_int_eq(evdeferred_add_both(d, end_and_take, NULL), 0);
	settle();
	ck_assert_ptr_null(ann);
	counts(locks[0], 0, 0, 0, 0);
	evdeferred_free(d);
	done();
}
END_TEST

START_TEST(both_disposes_of_the_grant)
{
	struct both both = {.dispose = true};
	struct evdeferred *d;

	make(_i);
	d = through(&both, _i / 2);
	counts(locks[0], 0, 0, 0, 0);
	REFUSED(release(locks[0], ann, _i / 2), EPERM);
	evdeferred_free(d);
	done();
}
END_TEST

/* What becomes of a result that the link kept: _i / 2. */
START_TEST(both_keeps_the_grant_for_later)
{
	struct both both = {.keep = true};
	struct evdeferred *d, *other = evdeferred_new(base, NULL, NULL);
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	d = through(&both, WRITE);
	evdeferred_free(d);
	counts(locks[0], 0, 1, 0, 0);
	see(other, &seen);
	switch (_i / 2) {
	case 0:
		evresult_dispose(both.kept);
		break;
	case 1:
		ck_assert_int_eq(evdeferred_fire(other, both.kept), 0);
		ck_assert_ptr_eq(seen.value, locks[0]);
		leave(locks[0], ann, WRITE);
		break;
	case 2:
		ck_assert_ptr_eq(evresult_get_value(both.kept), locks[0]);
		leave(locks[0], ann, WRITE);
		break;
	case 3:
		/* The lock was known to it already. */
		leave(locks[0], ann, WRITE);
		break;
	case 4:
		end_owner(&ann);
		ck_assert_ptr_null(evresult_get_value(both.kept));
		break;
	default:
		end_owner(&ann);
		ck_assert_int_eq(evdeferred_fire(other, both.kept), 0);
		ck_assert_int_eq(seen.code, ECANCELED);
	}
	counts(locks[0], 0, 0, 0, 0);
	if (ann != NULL)
		REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), EPERM);
	evdeferred_callback(other, NULL);
	evdeferred_free(other);
	done();
}
END_TEST

START_TEST(both_frees_the_owner)
{
	struct both both = {.ends = &ann};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	both.take = _i / 2 == 1;
	both.keep = _i / 2 == 2;
	both.dispose = _i / 2 == 3;
	d = through(&both, WRITE);
	counts(locks[0], 0, 0, 0, 0);
	see(d, &seen);
	if (_i / 2 < 2)
		ck_assert_int_eq(seen.code, ECANCELED);
	if (both.keep)
		evresult_dispose(both.kept);
	evdeferred_free(d);
	done();
}
END_TEST

/* The end of an owner. */

START_TEST(end_gives_all_back_and_cancels_all)
{
	struct ask a[6], b[3];
	int k;

	make(_i);
	get(&a[0], locks[0], ann, WRITE);
	get(&a[1], locks[0], ann, READ);
	get(&a[2], locks[0], ann, WRITE);
	get(&a[3], locks[1], ann, READ);
	get(&b[2], locks[2], bob, WRITE);
	ask_for(&b[0], locks[0], cid, READ);
	ask_for(&b[1], locks[1], cid, WRITE);
	ask_for(&a[4], locks[2], ann, READ);
	ask_for(&a[5], locks[2], ann, WRITE);
	end_owner(&ann);
	ck_assert_int_eq(a[4].failed, ECANCELED);
	ck_assert_int_eq(a[5].failed, ECANCELED);
	counts(locks[0], 1, 0, 0, 0);
	counts(locks[1], 0, 1, 0, 0);
	counts(locks[2], 0, 1, 0, 0);
	settle();
	ck_assert_int_eq(b[0].granted, 1);
	ck_assert_int_eq(b[1].granted, 1);
	for (k = 0; k < 6; k++)
		ck_assert_int_eq(a[k].ended, 1);
	free_asks(a, 6);
	free_asks(b, 3);
	done();
}
END_TEST

START_TEST(end_with_grants_undelivered)
{
	struct ask w, a[4], b[2];
	int k;

	make(_i);
	get(&w, locks[0], bob, WRITE);
	ask_for(&a[0], locks[0], ann, READ);
	ask_for(&a[1], locks[0], ann, READ);
	ask_for(&a[2], locks[1], ann, WRITE);
	ask_for(&a[3], locks[1], ann, READ);
	ask_for(&b[0], locks[0], cid, READ);
	ask_for(&b[1], locks[1], cid, WRITE);
	ck_assert_int_eq(evrwlock_release(locks[0], bob, EVRWLOCK_WRITE), 0);
	end_owner(&ann);
	for (k = 0; k < 4; k++)
		ck_assert_int_eq(
		    _i == 1 ? a[k].granted : a[k].failed == ECANCELED, 1);
	counts(locks[0], 1, 0, 0, 0);
	counts(locks[1], 0, 1, 0, 0);
	settle();
	ck_assert_int_eq(b[0].granted, 1);
	ck_assert_int_eq(b[1].granted, 1);
	free_asks(&w, 1);
	free_asks(a, 4);
	free_asks(b, 2);
	done();
}
END_TEST

START_TEST(end_grants_nothing_to_the_owner_meanwhile)
{
	struct ask r, a[2];

	make(_i);
	get(&r, locks[0], bob, READ);
	/* The end of its own write would let its own read in. */
	ask_for(&a[0], locks[0], ann, WRITE);
	ask_for(&a[1], locks[0], ann, READ);
	end_owner(&ann);
	ck_assert_int_eq(a[0].failed, ECANCELED);
	ck_assert_int_eq(a[1].failed, ECANCELED);
	ck_assert_int_eq(a[1].granted, 0);
	counts(locks[0], 1, 0, 0, 0);
	free_asks(&r, 1);
	free_asks(a, 2);
	done();
}
END_TEST

START_TEST(end_with_grants_fired_but_not_received)
{
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};
	struct ask b;

	make(_i % 2);
	d = acquire(locks[0], ann, WRITE);
	if (_i / 2 == 1)
		ck_assert_int_eq(evdeferred_pause(d), 0);
	settle();
	ask_for(&b, locks[0], bob, WRITE);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(b.granted, 1);
	see(d, &seen);
	if (_i / 2 == 1)
		ck_assert_int_eq(evdeferred_unpause(d), 0);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(seen.values, 0);
	counts(locks[0], 0, 1, 0, 0);
	evdeferred_free(d);
	free_asks(&b, 1);
	done();
}
END_TEST

START_TEST(end_voids_grants_that_outlive_the_lock)
{
	struct evrwlock *lock;
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	lock = new_lock(_i);
	d = acquire(lock, ann, READ);
	settle();
	evrwlock_free(lock);
	end_owner(&ann);
	/* The lock is gone. */
	see(d, &seen);
	ck_assert_int_eq(seen.code, ECANCELED);
	evdeferred_free(d);
	done();
}
END_TEST

/* Unpauses its argument. */
static struct evresult
unpause(struct evfailure *failure, void *arg)
{
	(void)failure;
	evdeferred_unpause(arg);
	return evresult_value(NULL);
}

START_TEST(end_delivers_nothing_from_inside)
{
	struct evdeferred *held, *waits;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	ck_assert_int_eq(evrwlock_try(locks[1], bob, EVRWLOCK_WRITE), 0);
	held = acquire(locks[0], ann, WRITE);
	evdeferred_pause(held);
	see(held, &seen);
	settle();
	waits = acquire(locks[1], ann, WRITE);
	evdeferred_add_errback(waits, unpause, held);
	/* The errback runs while ann still has the other lock. */
	end_owner(&ann);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(seen.values, 0);
	evdeferred_free(held);
	evdeferred_free(waits);
	done();
}
END_TEST

START_TEST(end_inside_a_callback_of_its_own)
{
	struct ask a, rest[2], b;

	make(_i % 2);
	get(&rest[0], locks[1], ann, READ);
	ck_assert_int_eq(evrwlock_writer_try(locks[2]), 0);
	ask_for(&rest[1], locks[2], ann, READ);
	ask_ending(&a, locks[0], ann, _i / 2, &ann);
	ask_for(&b, locks[0], bob, WRITE);
	settle();
	ck_assert_ptr_null(ann);
	ck_assert_int_eq(a.granted, 1);
	ck_assert_int_eq(rest[1].failed, ECANCELED);
	ck_assert_int_eq(b.granted, 1);
	counts(locks[1], 0, 0, 0, 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[2]), 0);
	free_asks(&a, 1);
	free_asks(rest, 2);
	free_asks(&b, 1);
	done();
}
END_TEST

START_TEST(end_inside_an_errback_of_its_own)
{
	struct ask a, b;

	make(_i);
	get(&b, locks[0], bob, READ);
	get(&a, locks[1], ann, READ);
	evdeferred_free(a.d);
	ask_ending(&a, locks[0], ann, WRITE, &ann);
	evdeferred_cancel(a.d);
	ck_assert_ptr_null(ann);
	ck_assert_int_eq(a.failed, ECANCELED);
	counts(locks[1], 0, 0, 0, 0);
	free_asks(&a, 1);
	free_asks(&b, 1);
	done();
}
END_TEST

START_TEST(end_inside_a_body_of_its_own)
{
	struct with with = {NULL, &ann, 0};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};
	struct ask b;

	make(_i % 2);
	d = with_as(locks[0], ann, _i / 2, &with);
	see(d, &seen);
	ask_for(&b, locks[0], bob, WRITE);
	settle();
	ck_assert_int_eq(seen.values, 1);
	ck_assert_int_eq(b.granted, 1);
	evdeferred_free(d);
	free_asks(&b, 1);
	done();
}
END_TEST

START_TEST(end_while_a_body_is_pending)
{
	struct with with = {evdeferred_new(base, NULL, NULL), NULL, 0};
	struct evdeferred *producer = with.waits_for, *d;
	struct seen seen = {0, 0, NULL, 0};
	struct ask b;

	make(_i % 2);
	d = with_as(locks[0], ann, _i / 2 % 2, &with);
	see(d, &seen);
	ask_for(&b, locks[0], bob, WRITE);
	settle();
	ck_assert_int_eq(b.ended, 0);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(b.granted, 1);
	ck_assert_int_eq(seen.values + seen.failures, 0);
	switch (_i / 4) {
	case 0:
		evdeferred_callback(producer, NULL);
		ck_assert_int_eq(seen.values, 1);
		break;
	case 1:
		evdeferred_errback(producer, EIO, NULL);
		ck_assert_int_eq(seen.code, EIO);
		break;
	default:
		evdeferred_cancel(d);
		ck_assert_int_eq(seen.code, ECANCELED);
		evdeferred_callback(producer, NULL);
	}
	counts(locks[0], 0, 1, 0, 0);
	evdeferred_free(d);
	free_asks(&b, 1);
	done();
}
END_TEST

START_TEST(end_while_a_body_has_not_begun)
{
	struct with with = {NULL, NULL, 0};
	struct seen seen = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i % 2);
	if (_i / 2 == 1)
		ck_assert_int_eq(
		    evrwlock_try(locks[0], bob, EVRWLOCK_WRITE), 0);
	d = with_as(locks[0], ann, READ, &with);
	see(d, &seen);
	end_owner(&ann);
	settle();
	if (_i != 1) {
		ck_assert_int_eq(with.runs, 0);
		ck_assert_int_eq(seen.code, ECANCELED);
	}
	evdeferred_free(d);
	done();
}
END_TEST

static void
canceller_ends(struct evdeferred *d, void *arg)
{
	(void)d;
	end_owner(arg);
}

START_TEST(end_inside_a_canceller)
{
	struct evdeferred *outer = evdeferred_new(base, canceller_ends, &ann);
	struct with with = {outer, NULL, 0};
	struct evdeferred *d;
	struct ask b;

	make(_i);
	d = with_as(locks[0], ann, WRITE, &with);
	ask_for(&b, locks[0], bob, WRITE);
	settle();
	/* The lock that its canceller gives back is that of the body. */
	if (_i / 2 == 0)
		evdeferred_cancel(d);
	evdeferred_free(d);
	ck_assert_ptr_null(ann);
	settle();
	ck_assert_int_eq(b.granted, 1);
	free_asks(&b, 1);
	done();
}
END_TEST

START_TEST(end_while_a_waiter_of_its_own_is_being_freed)
{
	struct evdeferred *d, *other = evdeferred_new(base, NULL, NULL);
	struct ask w;
	struct both both = {.ends = &ann};

	make(_i);
	get(&w, locks[0], bob, WRITE);
	d = acquire(locks[0], ann, READ);
	/* The chained one fails with ECANCELED, and its link ends ann. */
	ck_assert_int_eq(evdeferred_chain(d, other), 0);
	evdeferred_add_both(other, handle, &both);
	evdeferred_free(d);
	ck_assert_ptr_null(ann);
	ck_assert(both.failed);
	counts(locks[0], 0, 1, 0, 0);
	evdeferred_free(other);
	free_asks(&w, 1);
	done();
}
END_TEST

START_TEST(ends_nest)
{
	struct ask a, b, c, d;

	make(_i);
	get(&a, locks[0], ann, WRITE);
	get(&b, locks[1], bob, WRITE);
	/* The end of ann lets cid in, who ends bob, which lets cid in ... */
	ask_ending(&c, locks[0], cid, WRITE, &bob);
	ask_ending(&d, locks[1], cid, WRITE, &cid);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(c.granted, 1);
	ck_assert_int_eq(d.granted, 1);
	ck_assert_ptr_null(bob);
	ck_assert_ptr_null(cid);
	free_asks(&a, 1);
	free_asks(&b, 1);
	free_asks(&c, 1);
	free_asks(&d, 1);
	done();
}
END_TEST

START_TEST(ends_nest_in_errbacks)
{
	struct ask h, a[2], b[2], c;

	make(_i);
	get(&h, locks[0], cid, WRITE);
	ck_assert_int_eq(evrwlock_writer_try(locks[1]), 0);
	ask_ending(&a[0], locks[0], ann, WRITE, &bob);
	ask_for(&a[1], locks[1], ann, READ);
	ask_ending(&b[0], locks[0], bob, WRITE, &cid);
	ask_for(&b[1], locks[1], bob, READ);
	ask_for(&c, locks[1], cid, READ);
	end_owner(&ann);
	ck_assert_ptr_null(bob);
	ck_assert_ptr_null(cid);
	ck_assert_int_eq(a[0].failed, ECANCELED);
	ck_assert_int_eq(a[1].failed, ECANCELED);
	ck_assert_int_eq(b[0].failed, ECANCELED);
	ck_assert_int_eq(b[1].failed, ECANCELED);
	ck_assert_int_eq(c.failed, ECANCELED);
	ck_assert_int_eq(evrwlock_writer_release(locks[1]), 0);
	free_asks(&h, 1);
	free_asks(a, 2);
	free_asks(b, 2);
	free_asks(&c, 1);
	done();
}
END_TEST

/* Frees the Deferred that its argument points to. */
static struct evresult
free_other(struct evfailure *failure, void *arg)
{
	struct evdeferred **other = arg;

	(void)failure;
	evdeferred_free(*other);
	*other = NULL;
	return evresult_value(NULL);
}

START_TEST(end_whose_errbacks_free_other_waiters)
{
	struct ask h;
	struct evdeferred *d[3];
	int k;

	make(_i);
	get(&h, locks[0], bob, READ);
	for (k = 0; k < 3; k++)
		d[k] = acquire(locks[0], ann, k == 1 ? READ : WRITE);
	/* Allowed for any but the one whose errback runs. */
	evdeferred_add_errback(d[0], free_other, &d[1]);
	end_owner(&ann);
	ck_assert_ptr_null(d[1]);
	evdeferred_free(d[0]);
	evdeferred_free(d[2]);
	free_asks(&h, 1);
	done();
}
END_TEST

/* Closes the lock, or asks on behalf of ann, who is being freed. */
static struct evresult
close_lock(struct evfailure *failure, void *arg)
{
	(void)failure;
	evrwlock_free(arg);
	return evresult_value(NULL);
}

START_TEST(end_whose_errbacks_close_the_lock)
{
	struct evrwlock *lock;
	struct evdeferred *d[2];

	make(_i);
	lock = new_lock(_i);
	ck_assert_int_eq(evrwlock_try(lock, bob, EVRWLOCK_READ), 0);
	d[0] = acquire(lock, ann, WRITE);
	d[1] = acquire(lock, ann, READ);
	ck_assert_int_eq(evdeferred_add_errback(d[0], close_lock, lock), 0);
	end_owner(&ann);
	ck_assert_int_eq(evrwlock_release(lock, bob, EVRWLOCK_READ), 0);
	evdeferred_free(d[0]);
	evdeferred_free(d[1]);
	done();
}
END_TEST

static struct ask meanwhile;

static struct evresult
ask_again(struct evfailure *failure, void *arg)
{
	(void)failure;
	ask_for(&meanwhile, locks[1], arg, READ);
	REFUSED(evrwlock_try(locks[1], arg, EVRWLOCK_READ), ESHUTDOWN);
	return evresult_value(NULL);
}

START_TEST(acquire_of_an_owner_that_ends_is_eshutdown)
{
	struct ask h;
	struct evdeferred *d;

	make(_i);
	get(&h, locks[0], bob, READ);
	d = acquire(locks[0], ann, WRITE);
	evdeferred_add_errback(d, ask_again, ann);
	end_owner(&ann);
	ck_assert_int_eq(meanwhile.failed, ESHUTDOWN);
	counts(locks[1], 0, 0, 0, 0);
	evdeferred_free(d);
	free_asks(&h, 1);
	free_asks(&meanwhile, 1);
	done();
}
END_TEST

START_TEST(cancelled_waits_are_not_reported)
{
	struct evdeferred *d;

	make(_i);
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_WRITE), 0);
	d = acquire(locks[0], ann, READ);
	end_owner(&ann);
	evdeferred_free(d);
	ck_assert_int_eq(report.count, 0);
	done();
}
END_TEST

/* Deadlocks. */

static const char *
message_of(const struct ask *ask)
{
	ck_assert_int_eq(ask->failed, EDEADLK);
	return ask->message;
}

START_TEST(circle_of_two)
{
	struct ask a[2], b[2], retry;

	make(_i);
	get(&a[0], locks[0], ann, WRITE);
	get(&b[0], locks[1], bob, WRITE);
	ask_for(&a[1], locks[1], ann, WRITE);
	ask_for(&b[1], locks[0], bob, _i / 2);
	/* At once, and the loser waits for nothing. */
	ck_assert_str_eq(message_of(&b[1]),
	    _i / 2 == READ ? "deadlock: bob waits to read red, held by ann; "
			     "ann waits to write green, held by bob"
			   : "deadlock: bob waits to write red, held by ann; "
			     "ann waits to write green, held by bob");
	counts(locks[0], 0, 1, 0, 0);
	leave(locks[1], bob, WRITE);
	ck_assert_int_eq(a[1].granted, 1);
	ask_for(&retry, locks[0], bob, _i / 2);
	leave(locks[1], ann, WRITE);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(retry.granted, 1);
	leave(locks[0], bob, _i / 2);
	free_asks(a, 2);
	free_asks(b, 2);
	free_asks(&retry, 1);
	done();
}
END_TEST

START_TEST(circle_of_three)
{
	struct ask a[2], b[2], c[2];

	make(_i);
	get(&a[0], locks[0], ann, WRITE);
	get(&b[0], locks[1], bob, READ);
	get(&c[0], locks[2], cid, WRITE);
	ask_for(&a[1], locks[1], ann, WRITE);
	ask_for(&b[1], locks[2], bob, READ);
	ask_for(&c[1], locks[0], cid, READ);
	ck_assert_str_eq(message_of(&c[1]),
	    "deadlock: cid waits to read red, held by ann; "
	    "ann waits to write green, held by bob; "
	    "bob waits to read blue, held by cid");
	leave(locks[2], cid, WRITE);
	ck_assert_int_eq(b[1].granted, 1);
	leave(locks[2], bob, READ);
	leave(locks[1], bob, READ);
	ck_assert_int_eq(a[1].granted, 1);
	free_asks(a, 2);
	free_asks(b, 2);
	free_asks(&c[0], 1);
	free_asks(&c[1], 1);
	done();
}
END_TEST

/* cid reads, ann waits to write, bob waits to read behind ann. */
START_TEST(circle_through_a_reader_behind_a_waiting_writer)
{
	struct ask c[2], a, b[2];

	make(_i);
	get(&c[0], locks[0], cid, READ);
	get(&b[0], locks[1], bob, WRITE);
	ask_for(&a, locks[0], ann, WRITE);
	ask_for(&b[1], locks[0], bob, READ);
	/* bob waits for ann only because ann waits for cid. */
	ask_for(&c[1], locks[1], cid, READ);
	ck_assert_int_eq(c[1].failed, EDEADLK);
	leave(locks[0], cid, READ);
	ck_assert_int_eq(a.granted, 1);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(b[1].granted, 1);
	free_asks(c, 2);
	free_asks(&a, 1);
	free_asks(b, 2);
	done();
}
END_TEST

START_TEST(circle_through_a_grant_that_is_not_delivered)
{
	struct ask w, a[2], b[2];

	make(0);
	get(&w, locks[0], cid, WRITE);
	get(&b[0], locks[1], bob, WRITE);
	/* ann is one of the readers that enter in one step. */
	ask_for(&a[0], locks[0], ann, READ);
	ck_assert_int_eq(evrwlock_release(locks[0], cid, EVRWLOCK_WRITE), 0);
	ask_for(&b[1], locks[0], bob, WRITE);
	ask_for(&a[1], locks[1], ann, READ);
	ck_assert_int_eq(a[1].failed, EDEADLK);
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	leave(locks[0], ann, READ);
	ck_assert_int_eq(b[1].granted, 1);
	free_asks(&w, 1);
	free_asks(a, 2);
	free_asks(b, 2);
	done();
}
END_TEST

/* Somebody anonymous reads red.  ann waits to write it and bob, who holds green,
 * to read it behind ann.  If ann then waits for green, she will be inside with
 * bob waiting for her: bob waits for her already.  _i / 2: which ask is last. */
START_TEST(circle_through_an_owner_with_two_waits)
{
	struct ask a[2], b[2];

	make(_i);
	ck_assert_int_eq(evrwlock_reader_try(locks[0]), 0);
	get(&b[0], locks[1], bob, WRITE);
	switch (_i / 2) {
	case 0:
		ask_for(&a[0], locks[0], ann, WRITE);
		ask_for(&b[1], locks[0], bob, WRITE);
		ask_for(&a[1], locks[1], ann, READ);
		ck_assert_str_eq(message_of(&a[1]),
		    "deadlock: ann waits to read green, held by bob; "
		    "bob waits to write red, behind ann");
		break;
	case 1:
		ask_for(&a[0], locks[0], ann, WRITE);
		ask_for(&a[1], locks[1], ann, READ);
		ask_for(&b[1], locks[0], bob, WRITE);
		ck_assert_int_eq(b[1].failed, EDEADLK);
		break;
	default:
		/* A writer that comes last stands in front of readers. */
		ask_for(&a[1], locks[1], ann, READ);
		ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
		ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
		ask_for(&b[1], locks[0], bob, READ);
		ask_for(&a[0], locks[0], ann, WRITE);
		ck_assert_int_eq(a[0].failed, EDEADLK);
	}
	if (evrwlock_reader_release(locks[0]) == -1)
		ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	settle();
	ck_assert_int_eq(a[0].ended, 1);
	if (_i / 2 == 0)
		leave(locks[0], ann, WRITE);
	ck_assert_int_eq(b[1].ended, 1);
	leave(locks[1], bob, WRITE);
	ck_assert_int_eq(a[1].ended, 1);
	free_asks(a, 2);
	free_asks(b, 2);
	done();
}
END_TEST

START_TEST(no_circle_through_an_owner_that_is_its_own_rival)
{
	struct ask a[3];

	make(_i);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], bob, EVRWLOCK_WRITE), 0);
	ask_for(&a[0], locks[0], ann, WRITE);
	ask_for(&a[1], locks[0], ann, READ);
	/* Now ann is inside, with a read of her own behind her write. */
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	ask_for(&a[2], locks[1], ann, READ);
	settle();
	ck_assert_int_eq(a[0].granted, 1);
	ck_assert_int_eq(a[1].ended + a[2].ended, 0);
	leave(locks[1], bob, WRITE);
	leave(locks[0], ann, WRITE);
	ck_assert_int_eq(a[1].granted + a[2].granted, 2);
	free_asks(a, 3);
	done();
}
END_TEST

/* ann waits for a reader that has not been told yet, and is nobody. */
START_TEST(anonymous_grants_undelivered_take_no_part)
{
	struct evdeferred *d;
	struct ask a, b;

	make(0);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], ann, EVRWLOCK_WRITE), 0);
	ask_for(&b, locks[1], bob, WRITE);
	d = evrwlock_reader_acquire(locks[0]);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	counts(locks[0], 1, 0, 0, 0);
	ask_for(&a, locks[0], ann, WRITE);
	ck_assert_int_eq(a.ended, 0);
	evdeferred_free(d);
	settle();
	ck_assert_int_eq(a.granted, 1);
	leave(locks[1], ann, WRITE);
	ck_assert_int_eq(b.granted, 1);
	free_asks(&a, 1);
	free_asks(&b, 1);
	done();
}
END_TEST

/* The search ends when all the locks that ann has are looked at, wherever it has
 * come to by then. */
START_TEST(no_circle_through_locks_that_nobody_waits_for)
{
	struct evrwlock *spare[8];
	struct ask a, b;
	int k;

	make(_i);
	for (k = 0; k < _i / 2; k++) {
		spare[k] = new_lock(_i);
		ck_assert_int_eq(
		    evrwlock_try(spare[k], ann, EVRWLOCK_WRITE), 0);
	}
	ck_assert_int_eq(evrwlock_try(locks[0], bob, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], cid, EVRWLOCK_WRITE), 0);
	ask_for(&b, locks[1], bob, WRITE);
	ask_for(&a, locks[0], ann, WRITE);
	settle();
	ck_assert_int_eq(a.ended + b.ended, 0);
	leave(locks[0], bob, WRITE);
	ck_assert_int_eq(a.granted, 1);
	leave(locks[1], cid, WRITE);
	ck_assert_int_eq(b.granted, 1);
	free_asks(&a, 1);
	free_asks(&b, 1);
	for (k = 0; k < _i / 2; k++) {
		leave(spare[k], ann, WRITE);
		evrwlock_free(spare[k]);
	}
	done();
}
END_TEST

/* Two connections, each with a write and a read under way at the same time. */
START_TEST(no_circle_at_one_lock)
{
	struct ask a[2], b[2];

	make(_i);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ask_for(&a[0], locks[0], ann, _i / 2 == 0);
	ask_for(&b[0], locks[0], bob, WRITE);
	ask_for(&a[1], locks[0], ann, _i / 2 == 1);
	ask_for(&b[1], locks[0], bob, READ);
	ck_assert_int_eq(a[1].failed + b[0].failed + b[1].failed, 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(b[0].granted, 1);
	leave(locks[0], bob, WRITE);
	ck_assert_int_eq(b[1].granted, 1);
	free_asks(a, 2);
	free_asks(b, 2);
	done();
}
END_TEST

START_TEST(no_circle_behind_a_younger_writer)
{
	struct ask a, b[2], c;

	make(_i);
	ck_assert_int_eq(evrwlock_reader_try(locks[0]), 0);
	get(&b[0], locks[1], bob, WRITE);
	ask_for(&b[1], locks[0], bob, WRITE);
	/* ann stands behind bob, who waits for nothing that she has. */
	ask_for(&a, locks[0], ann, WRITE);
	ask_for(&c, locks[1], ann, WRITE);
	ck_assert_int_eq(a.ended + c.ended, 0);
	ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	settle();
	ck_assert_int_eq(b[1].granted, 1);
	end_owner(&bob);
	settle();
	ck_assert_int_eq(a.granted + c.granted, 2);
	free_asks(&a, 1);
	free_asks(b, 2);
	free_asks(&c, 1);
	done();
}
END_TEST

START_TEST(anonymous_holds_take_no_part)
{
	struct evdeferred *d;
	struct ask a;

	make(_i);
	/* What would be a circle if both sides were owners. */
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], ann, EVRWLOCK_WRITE), 0);
	d = evrwlock_writer_acquire(locks[1]);
	ask_for(&a, locks[0], ann, WRITE);
	settle();
	ck_assert_int_eq(a.ended, 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	settle();
	ck_assert_int_eq(a.granted, 1);
	evdeferred_free(d);
	free_asks(&a, 1);
	done();
}
END_TEST

START_TEST(deadlock_of_a_with_runs_nothing)
{
	struct with with = {NULL, NULL, 0};
	struct seen seen = {0, 0, NULL, 0};
	struct ask a;
	struct evdeferred *d;

	make(_i);
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_try(locks[1], bob, EVRWLOCK_WRITE), 0);
	ask_for(&a, locks[1], ann, READ);
	d = with_as(locks[0], bob, READ, &with);
	see(d, &seen);
	ck_assert_int_eq(seen.code, EDEADLK);
	ck_assert_int_eq(with.runs, 0);
	evdeferred_free(d);
	end_owner(&bob);
	settle();
	ck_assert_int_eq(a.granted, 1);
	free_asks(&a, 1);
	done();
}
END_TEST

START_TEST(long_circle_is_told_in_part)
{
	enum { MANY = 100 };
	struct evrwlock *ring[MANY];
	struct evowner *owners[MANY];
	struct ask asks[MANY];
	int k;

	make(_i);
	for (k = 0; k < MANY; k++) {
		ring[k] = new_lock(_i);
		owners[k] = evowner_new(base, "somebody with a long name");
		ck_assert_int_eq(
		    evrwlock_try(ring[k], owners[k], EVRWLOCK_WRITE), 0);
	}
	for (k = 0; k < MANY; k++)
		ask_for(&asks[k], ring[(k + 1) % MANY], owners[k], READ);
	ck_assert_int_eq(asks[MANY - 1].failed, EDEADLK);
	for (k = 0; k < MANY; k++)
		ck_assert_int_eq(asks[k].ended, k == MANY - 1);
	for (k = MANY; k-- > 0;)
		evowner_free(owners[k]);
	settle();
	for (k = 0; k < MANY; k++) {
		evdeferred_free(asks[k].d);
		evrwlock_free(ring[k]);
	}
	done();
}
END_TEST

/* Several owners at once, as the tasks of aiorwlock's tests. */

#define NONE -1
#define TASKS 5

struct task {
	struct evowner *owner;
	struct evdeferred *d[2];
	int outer;
	int inner; /* acquired while it has the outer one, or NONE */
	int rounds;
	bool inside;
	int refused;
};

static struct {
	int now[2]; /* inside, by mode */
	int most[2];
	bool broken; /* a writer was not alone */
} bunch;

static struct evresult
task_inside(void *value, void *arg)
{
	struct task *task = arg;

	(void)value;
	task->inside = true;
	if (++bunch.now[task->outer] > bunch.most[task->outer])
		bunch.most[task->outer] = bunch.now[task->outer];
	bunch.broken |= bunch.now[WRITE] > 1 ||
			(bunch.now[WRITE] == 1 && bunch.now[READ] > 0);
	return evresult_value(NULL);
}

static struct evresult
task_refused(struct evfailure *failure, void *arg)
{
	struct task *task = arg;

	task->refused = evfailure_get_code(failure);
	return task_inside(NULL, arg);
}

static struct evresult
task_goes_on(void *value, void *arg)
{
	struct task *task = arg;

	if (task->inner == NONE)
		return task_inside(value, arg);
	task->d[1] = acquire(locks[0], task->owner, task->inner);
	evdeferred_add_callbacks(task->d[1], task_inside, task_refused, task);
	return evresult_value(NULL);
}

static void
task_begins(struct task *task)
{
	task->d[0] = acquire(locks[0], task->owner, task->outer);
	evdeferred_add_callback(task->d[0], task_goes_on, task);
}

static void
task_leaves(struct task *task)
{
	task->inside = false;
	bunch.now[task->outer]--;
	task->rounds++;
	if (task->inner != NONE && task->refused == 0)
		ck_assert_int_eq(
		    release(locks[0], task->owner, task->inner), 0);
	ck_assert_int_eq(release(locks[0], task->owner, task->outer), 0);
	evdeferred_free(task->d[0]);
	evdeferred_free(task->d[1]);
	task->d[0] = task->d[1] = NULL;
}

static void
make_tasks(struct task *tasks, int count, int outer, int inner)
{
	memset(tasks, 0, (size_t)count * sizeof(*tasks));
	while (count-- > 0) {
		tasks[count].owner = evowner_new(base, NULL);
		tasks[count].outer = outer;
		tasks[count].inner = inner;
	}
}

/* Lets each go in and out once, and ends them. */
static void
run_tasks(struct task *tasks, int count)
{
	int k, turn, left = count;

	memset(&bunch, 0, sizeof(bunch));
	for (k = 0; k < count; k++)
		task_begins(&tasks[k]);
	for (turn = 0; turn < 100 && left > 0; turn++) {
		turns(2);
		for (k = 0; k < count; k++) {
			if (tasks[k].inside) {
				task_leaves(&tasks[k]);
				left--;
			}
		}
	}
	ck_assert_int_eq(left, 0);
	ck_assert(!bunch.broken);
	for (k = 0; k < count; k++)
		evowner_free(tasks[k].owner);
}

START_TEST(many_owners_read_at_once)
{
	struct task tasks[TASKS];

	make(_i);
	make_tasks(tasks, TASKS, READ, NONE);
	run_tasks(tasks, TASKS);
	ck_assert_int_eq(bunch.most[READ], TASKS);
	done();
}
END_TEST

START_TEST(many_owners_read_while_they_read)
{
	struct task tasks[TASKS];

	make(_i);
	make_tasks(tasks, TASKS, READ, READ);
	run_tasks(tasks, TASKS);
	ck_assert_int_eq(bunch.most[READ], TASKS);
	done();
}
END_TEST

START_TEST(many_owners_write_while_they_write)
{
	struct task tasks[TASKS];

	make(_i);
	make_tasks(tasks, TASKS, WRITE, WRITE);
	run_tasks(tasks, TASKS);
	ck_assert_int_eq(bunch.most[WRITE], 1);
	done();
}
END_TEST

START_TEST(many_owners_read_while_they_write)
{
	struct task tasks[TASKS];

	make(_i);
	make_tasks(tasks, TASKS, WRITE, READ);
	run_tasks(tasks, TASKS);
	ck_assert_int_eq(bunch.most[WRITE], 1);
	done();
}
END_TEST

START_TEST(many_owners_cannot_write_while_they_read)
{
	struct task tasks[TASKS];
	int k;

	make(_i);
	make_tasks(tasks, TASKS, READ, WRITE);
	run_tasks(tasks, TASKS);
	for (k = 0; k < TASKS; k++)
		ck_assert_int_eq(tasks[k].refused, EDEADLK);
	done();
}
END_TEST

START_TEST(many_owners_read_and_many_write)
{
	struct task tasks[2 * TASKS];

	make(_i);
	make_tasks(tasks, TASKS, READ, NONE);
	make_tasks(tasks + TASKS, TASKS, WRITE, NONE);
	run_tasks(tasks, 2 * TASKS);
	ck_assert_int_eq(bunch.most[READ], TASKS);
	ck_assert_int_eq(bunch.most[WRITE], 1);
	done();
}
END_TEST

/* The lock is never without a reader until the writer asks. */
START_TEST(writer_gets_in_among_readers_that_come_again)
{
	struct task tasks[TASKS + 1], *w = &tasks[TASKS];
	int k, turn;

	make(_i);
	memset(&bunch, 0, sizeof(bunch));
	make_tasks(tasks, TASKS, READ, NONE);
	make_tasks(w, 1, WRITE, NONE);
	for (k = 0; k < TASKS; k++)
		task_begins(&tasks[k]);
	for (turn = 0; turn < 100 && w->rounds < 2; turn++) {
		turns(1);
		k = turn % TASKS;
		if (tasks[k].inside) {
			task_leaves(&tasks[k]);
			task_begins(&tasks[k]);
		}
		if (w->inside)
			task_leaves(w);
		else if (turn > TASKS && w->d[0] == NULL)
			task_begins(w);
	}
	ck_assert_int_eq(w->rounds, 2);
	ck_assert_int_gt(tasks[0].rounds, 1);
	ck_assert(!bunch.broken);
	for (k = 0; k <= TASKS; k++) {
		evowner_free(tasks[k].owner);
		evdeferred_free(tasks[k].d[0]);
	}
	done();
}
END_TEST

struct again {
	struct evowner *owner;
	struct evdeferred *d;
	bool writes;
	int runs;
	bool over;
};

static struct evresult
note_run(void *arg)
{
	struct again *again = arg;

	again->runs++;
	again->over = true;
	return evresult_value(NULL);
}

static void
run_again(struct again *again)
{
	again->over = false;
	evdeferred_free(again->d);
	again->d = again->writes ? evrwlock_with(locks[0], again->owner,
				       EVRWLOCK_WRITE, NULL, note_run, again)
				 : evrwlock_with(locks[0], again->owner,
				       EVRWLOCK_READ, NULL, note_run, again);
}

START_TEST(writer_body_gets_in_among_reader_bodies)
{
	struct again r[TASKS], w;
	int k, turn;

	make(_i);
	memset(r, 0, sizeof(r));
	memset(&w, 0, sizeof(w));
	w.writes = w.over = true;
	w.owner = ann;
	for (k = 0; k < TASKS; k++) {
		r[k].owner = evowner_new(base, NULL);
		run_again(&r[k]);
	}
	for (turn = 0; turn < 100 && w.runs < 2; turn++) {
		turns(1);
		for (k = 0; k < TASKS; k++)
			if (r[k].over)
				run_again(&r[k]);
		if (w.over && r[0].runs > 0)
			run_again(&w);
	}
	ck_assert_int_eq(w.runs, 2);
	evdeferred_free(w.d);
	for (k = 0; k < TASKS; k++) {
		evdeferred_free(r[k].d);
		evowner_free(r[k].owner);
	}
	done();
}
END_TEST

START_TEST(other_writer_stays_out_of_a_write_that_also_reads)
{
	const struct timeval second = {1, 0};
	struct ask a[2], r;
	struct seen seen = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i);
	get(&a[0], locks[0], ann, WRITE);
	get(&a[1], locks[0], ann, READ);
	d = evrwlock_acquire(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(evdeferred_add_timeout(d, &second), 0);
	see(d, &seen);
	clock_advance(1100);
	settle();
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	counts(locks[0], 1, 1, 0, 0);
	leave(locks[0], ann, READ);
	leave(locks[0], ann, WRITE);
	get(&r, locks[0], bob, READ);
	leave(locks[0], bob, READ);
	evdeferred_free(d);
	free_asks(a, 2);
	free_asks(&r, 1);
	done();
}
END_TEST

START_TEST(acquire_cancelled_before_its_delivery_holds_nothing)
{
	struct ask a;

	make(0);
	ask_for(&a, locks[0], ann, _i);
	evdeferred_cancel(a.d);
	settle();
	ck_assert_int_eq(a.failed, ECANCELED);
	counts(locks[0], 0, 0, 0, 0);
	REFUSED(release(locks[0], ann, _i), EPERM);
	free_asks(&a, 1);
	done();
}
END_TEST

/* ann reads, and wants to write after that; bob waits to write meanwhile. */
START_TEST(reader_that_comes_to_write_stands_behind_the_waiting_writer)
{
	struct ask r, a, b;

	make(_i);
	get(&r, locks[0], ann, READ);
	ask_for(&b, locks[0], bob, WRITE);
	ck_assert_int_eq(release(locks[0], ann, READ), 0);
	ask_for(&a, locks[0], ann, WRITE);
	settle();
	ck_assert_int_eq(b.granted, 1);
	ck_assert_int_eq(a.ended, 0);
	leave(locks[0], bob, WRITE);
	ck_assert_int_eq(a.granted, 1);
	leave(locks[0], ann, WRITE);
	free_asks(&r, 1);
	free_asks(&a, 1);
	free_asks(&b, 1);
	done();
}
END_TEST

/* The model: who holds, who waits, who waits for whom. */

#define OWNERS 4
#define LOCKS 3
#define ASKS 16

struct model_ask {
	bool used;
	bool inside;
	bool told;
	int owner;
	int lock;
	int mode;
	int order;
	struct ask real;
};

static struct {
	struct evowner *owners[OWNERS];
	struct evrwlock *locks[LOCKS];
	struct model_ask asks[ASKS];
	int order;
	int deadlocks;
	int waits;
	bool fast;
	bool once; /* an owner queues once at a lock */
	uint32_t seed;
} model;

static int
draw(int limit)
{
	model.seed = model.seed * 1664525u + 1013904223u;
	return (int)((model.seed >> 8) % (uint32_t)limit);
}

/* How many asks at a lock are inside or not; of an owner, or with -1 of all. */
static int
count(int lock, int owner, int mode, bool inside)
{
	int k, n = 0;

	for (k = 0; k < ASKS; k++) {
		const struct model_ask *ask = &model.asks[k];

		n += ask->used && ask->lock == lock && ask->mode == mode &&
		     ask->inside == inside &&
		     (owner == -1 || ask->owner == owner);
	}
	return n;
}

static void
model_admit(int lock)
{
	struct model_ask *ask, *oldest = NULL;
	int k;

	if (count(lock, -1, WRITE, true) > 0)
		return;
	for (k = 0; k < ASKS; k++) {
		ask = &model.asks[k];
		if (ask->used && ask->lock == lock && !ask->inside &&
		    ask->mode == WRITE &&
		    (oldest == NULL || ask->order < oldest->order))
			oldest = ask;
	}
	if (oldest != NULL) {
		if (count(lock, -1, READ, true) == 0)
			oldest->inside = true;
		return;
	}
	for (k = 0; k < ASKS; k++)
		if (model.asks[k].used && model.asks[k].lock == lock)
			model.asks[k].inside = true;
}

/* Does an ask of the same owner come before this one at the same lock? */
static bool
is_behind_itself(const struct model_ask *ask)
{
	int k;

	for (k = 0; k < ASKS; k++) {
		const struct model_ask *own = &model.asks[k];

		if (own->used && own->lock == ask->lock &&
		    own->owner == ask->owner &&
		    (own->inside ||
			(own->mode == WRITE &&
			    (ask->mode == READ || own->order < ask->order))))
			return true;
	}
	return false;
}

/* Does the ask wait for what the other one has, or is to have before it? */
static bool
waits_for(const struct model_ask *ask, const struct model_ask *other)
{
	if (!ask->used || ask->inside || !other->used ||
	    ask->lock != other->lock || ask->owner == other->owner ||
	    is_behind_itself(ask))
		return false;
	if (other->inside)
		return true;
	return other->mode == WRITE &&
	       (ask->mode == READ || other->order < ask->order);
}

static bool
model_has_circle(void)
{
	bool reach[OWNERS][OWNERS] = {{false}};
	int i, j, k;

	for (i = 0; i < ASKS; i++)
		for (j = 0; j < ASKS; j++)
			if (waits_for(&model.asks[i], &model.asks[j]))
				reach[model.asks[i].owner]
				     [model.asks[j].owner] = true;
	for (k = 0; k < OWNERS; k++)
		for (i = 0; i < OWNERS; i++)
			for (j = 0; j < OWNERS; j++)
				reach[i][j] |= reach[i][k] && reach[k][j];
	for (k = 0; k < OWNERS; k++)
		if (reach[k][k])
			return true;
	return false;
}

/* What an ask comes to: 0 or EDEADLK. */
static int
model_acquire(struct model_ask *ask)
{
	const int lock = ask->lock, owner = ask->owner;
	const bool writer_inside = count(lock, -1, WRITE, true) > 0;
	const bool busy = writer_inside || count(lock, -1, READ, true) > 0;

	ask->used = true;
	ask->told = false;
	ask->order = ++model.order;
	ask->inside = false;
	if (count(lock, owner, WRITE, true) > 0) {
		ask->inside = true;
	} else if (count(lock, owner, READ, true) > 0) {
		ask->inside = ask->mode == READ;
		ask->used = ask->inside;
	} else if (ask->mode == READ) {
		ask->inside =
		    !writer_inside && count(lock, -1, WRITE, false) == 0;
	} else {
		ask->inside = !busy;
	}
	if (ask->used && !ask->inside) {
		model.waits++;
		ask->used = !model_has_circle();
	}
	return ask->used ? 0 : EDEADLK;
}

static void
step_acquire(void)
{
	struct model_ask *ask = NULL;
	int k, code;

	for (k = 0; k < ASKS && ask == NULL; k++)
		if (!model.asks[k].used)
			ask = &model.asks[k];
	if (ask == NULL)
		return;
	ask->owner = draw(OWNERS);
	ask->lock = draw(LOCKS);
	ask->mode = draw(2);
	if (model.once && count(ask->lock, ask->owner, READ, false) +
				  count(ask->lock, ask->owner, WRITE, false) >
			      0)
		return;
	code = model_acquire(ask);
	ask_for(&ask->real, model.locks[ask->lock], model.owners[ask->owner],
	    ask->mode);
	ck_assert_int_eq(ask->real.failed, code);
	model.deadlocks += code == EDEADLK;
	if (code == EDEADLK)
		evdeferred_free(ask->real.d);
}

static void
step_release(void)
{
	const int owner = draw(OWNERS), lock = draw(LOCKS), mode = draw(2);
	struct model_ask *ask;
	int k;

	for (k = 0; k < ASKS; k++) {
		ask = &model.asks[k];
		if (ask->used && ask->told && ask->owner == owner &&
		    ask->lock == lock && ask->mode == mode)
			break;
	}
	if (k == ASKS) {
		REFUSED(release(model.locks[lock], model.owners[owner], mode),
		    EPERM);
		return;
	}
	ask->used = false;
	model_admit(lock);
	ck_assert_int_eq(
	    release(model.locks[lock], model.owners[owner], mode), 0);
	evdeferred_free(ask->real.d);
}

static void
step_cancel(void)
{
	struct model_ask *ask = &model.asks[draw(ASKS)];

	if (!ask->used || ask->told)
		return;
	ask->used = false;
	model_admit(ask->lock);
	if (draw(2) == 0) {
		evdeferred_cancel(ask->real.d);
		ck_assert_int_eq(ask->real.failed, ECANCELED);
	}
	evdeferred_free(ask->real.d);
}

static void
step_end(void)
{
	const int owner = draw(OWNERS);
	bool gone[ASKS];
	int k;

	for (k = 0; k < ASKS; k++) {
		gone[k] = model.asks[k].used && model.asks[k].owner == owner;
		if (gone[k])
			model.asks[k].used = false;
	}
	for (k = 0; k < LOCKS; k++)
		model_admit(k);
	evowner_free(model.owners[owner]);
	for (k = 0; k < ASKS; k++) {
		if (!gone[k])
			continue;
		ck_assert_int_eq(model.asks[k].real.failed,
		    model.asks[k].told ? 0 : ECANCELED);
		ck_assert_int_eq(model.asks[k].real.ended, 1);
		evdeferred_free(model.asks[k].real.d);
	}
	model.owners[owner] = evowner_new(base, "owner");
}

static void
compare(bool settled)
{
	int k;

	for (k = 0; k < LOCKS; k++)
		counts(model.locks[k], (size_t)count(k, -1, READ, true),
		    (size_t)count(k, -1, WRITE, true),
		    (size_t)count(k, -1, READ, false),
		    (size_t)count(k, -1, WRITE, false));
	for (k = 0; k < ASKS; k++) {
		struct model_ask *ask = &model.asks[k];

		if (!ask->used)
			continue;
		if (settled)
			ask->told = ask->inside;
		ck_assert_int_eq(ask->real.granted, ask->told);
		ck_assert_int_eq(ask->real.failed, 0);
	}
}

START_TEST(owners_do_what_the_model_does)
{
	const int steps = support_scale() < 1000000 ? 3000 : 10000;
	bool settled;
	int k;

	memset(&model, 0, sizeof(model));
	model.seed = 20261122u + (uint32_t)_i;
	model.fast = _i % 2 == 1;
	model.once = _i / 2 % 2 == 0;
	for (k = 0; k < LOCKS; k++)
		model.locks[k] = new_lock(_i);
	for (k = 0; k < OWNERS; k++)
		model.owners[k] = evowner_new(base, "owner");
	for (k = 0; k < steps; k++) {
		switch (draw(8)) {
		case 0:
		case 1:
		case 2:
			step_acquire();
			break;
		case 3:
		case 4:
		case 5:
			step_release();
			break;
		case 6:
			step_cancel();
			break;
		default:
			if (draw(8) == 0)
				step_end();
		}
		settled = model.fast || draw(2) == 0;
		if (!model.fast && settled)
			settle();
		compare(settled);
		/* A circle that no acquire has closed was overlooked, unless it
		 * is an owner's second ask that took the place of its first. */
		ck_assert(!model.once || !model_has_circle());
		while (model_has_circle()) {
			step_end();
			compare(model.fast);
		}
	}
	ck_assert_int_gt(model.deadlocks, steps / 1000);
	ck_assert_int_gt(model.waits, steps / 100);
	for (k = 0; k < OWNERS; k++)
		evowner_free(model.owners[k]);
	for (k = 0; k < ASKS; k++)
		if (model.asks[k].used)
			evdeferred_free(model.asks[k].real.d);
	for (k = 0; k < LOCKS; k++) {
		counts(model.locks[k], 0, 0, 0, 0);
		evrwlock_free(model.locks[k]);
	}
}
END_TEST

/* Memory. */

static int
one_round(void)
{
	struct evdeferred *d[5];
	struct seen seen = {0, 0, NULL, 0};
	int i, good;

	d[0] = evrwlock_acquire(locks[0], ann, EVRWLOCK_WRITE);
	d[1] = evrwlock_acquire(locks[0], bob, EVRWLOCK_WRITE);
	d[2] = evrwlock_acquire(locks[0], ann, EVRWLOCK_READ);
	d[3] =
	    evrwlock_with(locks[0], cid, EVRWLOCK_READ, NULL, body_value, NULL);
	d[4] = evrwlock_acquire(locks[1], ann, EVRWLOCK_READ);
	for (i = 0; i < 5; i++)
		evdeferred_add_callbacks(d[i], see_value, see_failure, &seen);
	turns(3);
	good = evrwlock_release(locks[0], ann, EVRWLOCK_WRITE) == 0;
	good += evrwlock_release(locks[0], ann, EVRWLOCK_READ) == 0;
	good += evrwlock_release(locks[1], ann, EVRWLOCK_READ) == 0;
	good += evrwlock_try(locks[1], ann, EVRWLOCK_READ) == 0;
	good += evrwlock_release(locks[1], ann, EVRWLOCK_READ) == 0;
	turns(3);
	good += evrwlock_release(locks[0], bob, EVRWLOCK_WRITE) == 0;
	turns(3);
	for (i = 0; i < 5; i++)
		evdeferred_free(d[i]);
	return good + (seen.values == 5);
}

START_TEST(steady_state_allocates_nothing)
{
	int i, good = 0;
	size_t calls;

	make(_i);
	one_round();
	calls = alloc_calls();
	for (i = 0; i < 1000; i++)
		good += one_round();
	calls = alloc_calls() - calls;
	ck_assert_int_eq(good, 7000);
	ck_assert_uint_eq(calls, 0);
	done();
}
END_TEST

/* Every step may lack memory: what was made must end, and the locks work on. */
static bool
attempt(int fast, bool *wedged)
{
	struct evdefer_base *b = evdefer_base_new(loop);
	struct evrwlock *lock[2] = {NULL, NULL};
	struct evowner *o[3] = {NULL, NULL, NULL};
	struct evdeferred *d[8] = {NULL};
	struct seen seen[8];
	int bad = 0, k;

	memset(seen, 0, sizeof(seen));
	for (k = 0; k < 2; k++) {
		lock[k] = evrwlock_new(b, fast ? EVRWLOCK_FAST : 0);
		bad += evrwlock_set_name(lock[k], "one of the locks") != 0;
	}
	for (k = 0; k < 3; k++)
		bad += (o[k] = evowner_new(b, NULL)) == NULL;
	/* Without its owner an acquire would be for nobody in particular. */
	if (o[0] == NULL || o[1] == NULL || o[2] == NULL)
		goto end;
	bad += evrwlock_try(lock[0], o[0], EVRWLOCK_WRITE) != 0;
	d[0] = evrwlock_acquire(lock[0], o[0], EVRWLOCK_READ);
	d[1] = evrwlock_acquire(lock[1], o[1], EVRWLOCK_WRITE);
	d[2] = evrwlock_acquire(lock[1], o[0], EVRWLOCK_READ);
	d[3] = evrwlock_acquire(lock[0], o[1], EVRWLOCK_READ); /* a circle */
	d[4] = evrwlock_with(
	    lock[0], o[2], EVRWLOCK_WRITE, NULL, body_value, NULL);
	d[5] = evrwlock_acquire(lock[1], o[2], EVRWLOCK_WRITE);
	d[6] = evrwlock_acquire(lock[1], o[2], EVRWLOCK_READ);
	d[7] = evrwlock_acquire(lock[0], o[0], EVRWLOCK_READ);
	for (k = 0; k < 8; k++) {
		bad += d[k] == NULL;
		if (evdeferred_add_callbacks(
			d[k], see_value, see_failure, &seen[k]) != 0)
			bad++;
	}
	if (bad == 0 && seen[3].code != EDEADLK)
		*wedged = true;
	turns(4);
end:
	evowner_free(o[1]);
	turns(4);
	evowner_free(o[0]);
	turns(4);
	evowner_free(o[2]);
	for (k = 0; k < 8; k++)
		evdeferred_free(d[k]);
	for (k = 0; k < 2; k++) {
		if (lock[k] != NULL && evrwlock_writer_try(lock[k]) != 0)
			*wedged = true;
		evrwlock_writer_release(lock[k]);
		evrwlock_free(lock[k]);
	}
	evdefer_base_free(b);
	return bad == 0;
}

START_TEST(every_allocation_may_fail)
{
	bool hit = true;
	size_t n;

	event_set_log_callback(ignore_log);
	for (n = 1; hit && n < 10000; n++) {
		long live = alloc_live();
		struct event_base *outer = loop;
		bool wedged = false, through;

		loop = support_new_loop();
		alloc_fail_at(n, _i / 2 == 1);
		through = attempt(_i % 2, &wedged);
		alloc_fail_at(0, false);
		event_base_free(loop);
		loop = outer;
		hit = alloc_failed() && alloc_works();
		ck_assert_msg(alloc_live() == live, "leak at n = %zu", n);
		ck_assert_msg(!wedged, "wedged at n = %zu", n);
		ck_assert(hit || through);
	}
	ck_assert_uint_lt(n, 10000);
	event_set_log_callback(NULL);
}
END_TEST

START_TEST(acquire_without_memory_acquires_nothing)
{
	int code = 0, result = 0;
	struct evdeferred *d = NULL;

	make(_i % 2);
	if (alloc_works()) {
		alloc_fail_at(1, true);
		errno = 0;
		if (_i / 2 < 2)
			d = acquire(locks[0], ann, _i / 2);
		else if (_i / 2 < 4)
			d = with_as(locks[0], ann, _i / 2 - 2, NULL);
		else if (_i / 2 == 4)
			result = evrwlock_try(locks[0], ann, EVRWLOCK_READ);
		else
			result = evrwlock_try(locks[0], ann, EVRWLOCK_WRITE);
		code = errno;
		alloc_fail_at(0, false);
		ck_assert_ptr_null(d);
		ck_assert_int_eq(result, _i / 2 < 4 ? 0 : -1);
		ck_assert_int_eq(code, ENOMEM);
	}
	counts(locks[0], 0, 0, 0, 0);
	done();
}
END_TEST

/* Deferreds are there, but the table of holds, the hold and the ask are not: one
 * after another is refused, and then who comes gets in.  Returns whether the
 * acquire went through.  The lock ends before the owners: a hold that is left
 * would lead to it. */
static bool
enter_lacking(size_t n, int mode, bool again)
{
	struct evdefer_base *b = evdefer_base_new(loop);
	struct evrwlock *lock = evrwlock_new(b, EVRWLOCK_FAST);
	struct evowner *first = evowner_new(b, NULL);
	struct evowner *next = evowner_new(b, NULL);
	struct evowner *in = again ? first : next;
	struct evdeferred *d;
	struct ask ask;
	bool through;
	int code;

	ck_assert(lock != NULL && first != NULL && next != NULL);
	ck_assert_int_eq(evdefer_base_reserve(b, 1, 1), 0);
	alloc_fail_at(n, false);
	errno = 0;
	d = acquire(lock, first, mode);
	code = errno;
	alloc_fail_at(0, false);
	through = d != NULL;
	ck_assert(alloc_failed() != through);
	if (!through) {
		ck_assert_int_eq(code, ENOMEM);
		counts(lock, 0, 0, 0, 0);
		REFUSED(release(lock, first, mode), EPERM);
		ask_for(&ask, lock, in, mode);
		ck_assert_int_eq(ask.granted, 1);
		ck_assert_int_eq(release(lock, in, mode), 0);
		d = ask.d;
	}
	evdeferred_free(d);
	counts(lock, 0, 0, 0, 0);
	evrwlock_free(lock);
	evowner_free(first);
	evowner_free(next);
	evdefer_base_free(b);
	return through;
}

START_TEST(fast_acquire_without_memory_enters_nothing)
{
	size_t n = 1;

	if (!alloc_works())
		return;
	while (!enter_lacking(n, _i % 2, _i / 2 == 1))
		ck_assert_uint_lt(++n, 100);
	/* The table, the hold and the ask. */
	ck_assert_uint_gt(n, 3);
}
END_TEST

/* More holds than the table of the base has places for. */
START_TEST(holds_are_found_where_their_table_cannot_grow)
{
	struct evowner *crowd_of[200];
	const int count = sizeof(crowd_of) / sizeof(crowd_of[0]);
	int good = 0, i;

	make(0);
	for (i = 0; i < count; i++) {
		crowd_of[i] = evowner_new(base, NULL);
		ck_assert_ptr_nonnull(crowd_of[i]);
	}
	for (i = 0; i < count; i++) {
		/* It is the first to ask for memory once 64 are in it. */
		alloc_fail_at(i >= 64, false);
		good += evrwlock_try(locks[0], crowd_of[i], EVRWLOCK_READ) == 0;
	}
	alloc_fail_at(0, false);
	if (alloc_works())
		ck_assert(alloc_failed());
	for (i = 0; i < count; i++)
		good +=
		    evrwlock_release(locks[0], crowd_of[i], EVRWLOCK_READ) == 0;
	ck_assert_int_eq(good, 2 * count);
	done();
	for (i = 0; i < count; i++)
		evowner_free(crowd_of[i]);
}
END_TEST

static int fire_error;

static struct evresult
fire_other(struct evfailure *failure, void *other)
{
	(void)failure;
	errno = 0;
	ck_assert_int_eq(evdeferred_callback(other, NULL), -1);
	fire_error = errno;
	return evresult_value(NULL);
}

/* It is out of the queue, but not cancelled yet. */
START_TEST(wait_of_an_owner_that_goes_is_not_the_users_to_fire)
{
	struct evdeferred *first, *second;
	struct evowner *owner;

	make(_i);
	owner = evowner_new(base, NULL);
	ck_assert_ptr_nonnull(owner);
	ck_assert_int_eq(evrwlock_writer_try(locks[0]), 0);
	ck_assert_int_eq(evrwlock_writer_try(locks[1]), 0);
	first = evrwlock_acquire(locks[0], owner, EVRWLOCK_READ);
	second = evrwlock_acquire(locks[1], owner, EVRWLOCK_READ);
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(second);
	ck_assert_int_eq(evdeferred_add_errback(first, fire_other, second), 0);
	fire_error = 0;
	evowner_free(owner);
	ck_assert_int_eq(fire_error, EPERM);
	evdeferred_free(first);
	evdeferred_free(second);
	ck_assert_int_eq(evrwlock_writer_release(locks[0]), 0);
	ck_assert_int_eq(evrwlock_writer_release(locks[1]), 0);
	done();
}
END_TEST

START_TEST(new_without_memory_is_enomem)
{
	struct evowner *none;
	int code, set;

	if (!alloc_works())
		return;
	make(0);
	alloc_fail_at(1, true);
	errno = 0;
	none = evowner_new(base, "joe");
	code = errno;
	set = evrwlock_set_name(locks[0], "purple");
	alloc_fail_at(0, false);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(code, ENOMEM);
	ck_assert_int_eq(set, -1);
	ck_assert_str_eq(evrwlock_get_name(locks[0]), "red");
	done();
}
END_TEST

/* Scale. */

#define SHARED 1000
#define EACH 100

static struct evowner **crowd;
static size_t through_count, cancelled_count;

static struct evresult
free_one(void *value, void *arg)
{
	struct evowner **owner = arg;

	(void)value;
	evowner_free(*owner);
	*owner = NULL;
	return evresult_value(NULL);
}

static struct evresult
count_through(void *arg)
{
	(void)arg;
	through_count++;
	return evresult_value(NULL);
}

static struct evresult
count_cancelled(struct evfailure *failure, void *arg)
{
	(void)arg;
	cancelled_count += evfailure_get_code(failure) == ECANCELED;
	return evresult_value(NULL);
}

static void
shuffle(struct evowner **owners, size_t n)
{
	struct evowner *owner;
	size_t i, k;

	for (i = n; i > 1; i--) {
		k = (size_t)draw((int)i);
		owner = owners[i - 1];
		owners[i - 1] = owners[k];
		owners[k] = owner;
	}
}

static void
join_crowd(
    struct evowner *owner, struct evrwlock **shared, struct evrwlock *gate)
{
	const size_t first = (size_t)draw(SHARED);
	struct evdeferred *d;
	size_t k;

	for (k = 0; k < EACH; k++)
		ck_assert_int_eq(evrwlock_try(shared[(first + k * 7) % SHARED],
				     owner, EVRWLOCK_READ),
		    0);
	d = evrwlock_acquire(gate, owner, EVRWLOCK_READ);
	evdeferred_add_errback(d, count_cancelled, NULL);
	evdeferred_detach(d);
}

START_TEST(crowd_of_owners_goes_in_random_order)
{
	const size_t n = support_scale() / EACH;
	struct evrwlock *shared[SHARED], *gate = new_lock(_i);
	struct evdeferred *d;
	size_t k;

	model.seed = 1;
	through_count = cancelled_count = 0;
	crowd = support_array(n, sizeof(struct evowner *));
	ck_assert_int_eq(evrwlock_writer_try(gate), 0);
	for (k = 0; k < SHARED; k++)
		shared[k] = new_lock(_i);
	for (k = 0; k < n; k++) {
		crowd[k] = evowner_new(base, NULL);
		join_crowd(crowd[k], shared, gate);
	}
	for (k = 0; k < SHARED; k++)
		evdeferred_detach(
		    evrwlock_with_writer(shared[k], count_through, NULL));
	shuffle(crowd, n);
	for (k = 0; k < n; k++) {
		d = evdeferred_new_fired(base, evresult_value(NULL));
		evdeferred_add_callback(d, free_one, &crowd[k]);
		evdeferred_free(d);
		if (k % 64 == 0)
			turns(1);
	}
	turns(20);
	ck_assert_uint_eq(through_count, SHARED);
	ck_assert_uint_eq(cancelled_count, n);
	for (k = 0; k < SHARED; k++) {
		counts(shared[k], 0, 0, 0, 0);
		evrwlock_free(shared[k]);
	}
	counts(gate, 0, 1, 0, 0);
	ck_assert_int_eq(evrwlock_writer_release(gate), 0);
	evrwlock_free(gate);
	free(crowd);
}
END_TEST

/* Each owner's callback frees the next one, who lets the one after that in. */
static struct evresult
free_next(void *value, void *arg)
{
	struct evowner **owner = arg;

	(void)value;
	through_count++;
	end_owner(owner);
	return evresult_value(NULL);
}

START_TEST(crowd_of_owners_ends_itself_on_a_small_stack)
{
	const size_t n = support_scale() / 10;
	struct evrwlock *lock = new_lock(_i);
	struct evdeferred *d;
	size_t k;

	through_count = 0;
	crowd = support_array(n, sizeof(struct evowner *));
	for (k = 0; k < n; k++) {
		crowd[k] = evowner_new(base, NULL);
		d = evrwlock_acquire(lock, crowd[k], EVRWLOCK_WRITE);
		evdeferred_add_callback(d, free_next, &crowd[k]);
		evdeferred_detach(d);
	}
	for (k = 0; through_count < n && k < n; k++)
		turns(1);
	ck_assert_uint_eq(through_count, n);
	counts(lock, 0, 0, 0, 0);
	evrwlock_free(lock);
	free(crowd);
}
END_TEST

START_TEST(hold_among_a_million_holders)
{
	const size_t n = support_scale();
	struct evrwlock *lock = new_lock(_i);
	struct evowner *one = evowner_new(base, NULL);
	size_t k;

	crowd = support_array(n, sizeof(struct evowner *));
	for (k = 0; k < n; k++) {
		crowd[k] = evowner_new(base, NULL);
		ck_assert(evrwlock_try(lock, crowd[k], EVRWLOCK_READ) == 0);
	}
	/* Were one of these O(holders), this would not come to an end. */
	for (k = 0; k < n; k++) {
		ck_assert(evrwlock_try(lock, one, EVRWLOCK_READ) == 0);
		ck_assert(evrwlock_release(lock, one, EVRWLOCK_READ) == 0);
	}
	for (k = 0; k < n; k++)
		evowner_free(crowd[k]);
	counts(lock, 0, 0, 0, 0);
	evowner_free(one);
	evrwlock_free(lock);
	free(crowd);
}
END_TEST

/* Nor does a wait search them all where nobody waits for the waiter: those who
 * wait for the same lock do not, however often it has waited before. */
START_TEST(wait_for_a_million_holders_searches_none)
{
	const size_t n = support_scale(), rounds = n / 10;
	struct evrwlock *lock = new_lock(_i), *own = new_lock(_i);
	struct evowner *one = evowner_new(base, NULL);
	struct evdeferred *other;
	size_t k;

	crowd = support_array(n, sizeof(struct evowner *));
	for (k = 0; k < n; k++) {
		crowd[k] = evowner_new(base, NULL);
		ck_assert(evrwlock_try(lock, crowd[k], EVRWLOCK_READ) == 0);
	}
	ck_assert_int_eq(evrwlock_try(own, one, EVRWLOCK_WRITE), 0);
	other = evrwlock_writer_acquire(lock);
	ck_assert_ptr_nonnull(other);
	for (k = 0; k < rounds; k++)
		evdeferred_free(evrwlock_acquire(lock, one, EVRWLOCK_WRITE));
	evdeferred_free(other);
	for (k = 0; k < n; k++)
		evowner_free(crowd[k]);
	evowner_free(one);
	evrwlock_free(lock);
	evrwlock_free(own);
	free(crowd);
}
END_TEST

static void
add_rules(Suite *suite)
{
	TCase *tc = add_case(suite, "names and arguments");

	tcase_add_test(tc, names);
	tcase_add_test(tc, names_of_locks);
	tcase_add_loop_test(tc, bad_arguments_are_einval, 0, 2);

	tc = add_case(suite, "reentrancy");
	tcase_add_loop_test(
	    tc, read_is_reentrant_also_while_a_writer_waits, 0, 2);
	tcase_add_loop_test(
	    tc, read_is_reentrant_before_its_grant_is_delivered, 0, 2);
	tcase_add_loop_test(tc, write_is_reentrant, 0, 2);
	tcase_add_loop_test(tc, read_while_writing, 0, 2);
	tcase_add_loop_test(tc, write_released_first_goes_on_as_reader, 0, 2);
	tcase_add_loop_test(tc, write_released_first_lets_no_writer_in, 0, 2);
	tcase_add_loop_test(
	    tc, write_while_only_reading_is_edeadlk_at_once, 0, 2);

	tc = add_case(suite, "release, try, close");
	tcase_add_loop_test(tc, release_by_a_stranger_is_eperm, 0, 4);
	tcase_add_loop_test(tc, owner_cannot_release_an_anonymous_hold, 0, 2);
	tcase_add_loop_test(tc, release_of_an_undelivered_grant_is_eperm, 0, 2);
	tcase_add_loop_test(tc, try_takes_for_the_owner, 0, 2);
	tcase_add_loop_test(tc, closed_lock_is_eshutdown, 0, 4);
	tcase_add_loop_test(tc, closed_base_is_eshutdown, 0, 2);

	tc = add_case(suite, "leaving");
	tcase_add_loop_test(
	    tc, grant_of_a_lock_that_was_closed_is_cancelled, 0, 2);
	tcase_add_loop_test(
	    tc, grant_given_up_while_the_lock_closes_passes_to_nobody, 0, 2);
	tcase_add_loop_test(tc,
	    reader_that_comes_while_others_are_told_is_told_after_them, 0, 4);
	tcase_add_loop_test(
	    tc, waiter_cancelled_in_the_turn_of_its_grant_passes_it_on, 0, 6);
	tcase_add_test(tc, readers_cancelled_in_the_turn_of_their_grant);
	tcase_add_loop_test(
	    tc, one_of_several_waiting_readers_is_cancelled, 0, 2);
	tcase_add_loop_test(
	    tc, one_of_several_waiting_writers_is_cancelled, 0, 2);
	tcase_add_loop_test(tc, waiter_times_out, 0, 2);
	tcase_add_loop_test(tc, forgotten_grant_is_released, 0, 4);

	tc = add_case(suite, "with and both");
	tcase_add_loop_test(tc, with_runs_under_the_lock_of_the_owner, 0, 4);
	tcase_add_loop_test(tc, with_nested_writes_and_reads, 0, 2);
	tcase_add_loop_test(tc, both_passes_the_grant_on, 0, 4);
	tcase_add_loop_test(tc, both_passes_the_grant_on_to_nobody, 0, 4);
	tcase_add_loop_test(tc, both_fires_another_with_the_grant, 0, 4);
	tcase_add_loop_test(tc, both_takes_the_value, 0, 4);
	tcase_add_loop_test(tc, both_takes_the_value_and_releases, 0, 4);
	tcase_add_loop_test(
	    tc, both_releases_nothing_whose_value_it_has_not_taken, 0, 4);
	tcase_add_loop_test(
	    tc, both_takes_no_value_of_an_owner_that_it_has_freed, 0, 4);
	tcase_add_loop_test(tc, both_disposes_of_the_grant, 0, 4);
	tcase_add_loop_test(tc, both_keeps_the_grant_for_later, 0, 12);
	tcase_add_loop_test(tc, both_frees_the_owner, 0, 8);
}

struct closing {
	struct evrwlock *wanted;
	struct evowner *owner;
	struct evdeferred *d;
	int code;
};

static struct evresult
keep_code(struct evfailure *failure, void *code)
{
	*(int *)code = evfailure_get_code(failure);
	return evresult_value(NULL);
}

static struct evresult
ask_while_closing(struct evfailure *failure, void *arg)
{
	struct closing *closing = arg;

	(void)failure;
	closing->d =
	    evrwlock_acquire(closing->wanted, closing->owner, EVRWLOCK_WRITE);
	evdeferred_add_errback(closing->d, keep_code, &closing->code);
	return evresult_value(NULL);
}

/* Those that still waited for the lock that closes made it look like one. */
START_TEST(no_circle_through_a_lock_that_closes)
{
	struct evrwlock *a = evrwlock_new(base, 0), *b = evrwlock_new(base, 0);
	struct evowner *one = evowner_new(base, "one");
	struct evowner *two = evowner_new(base, "two");
	struct evowner *three = evowner_new(base, "three");
	struct closing closing = {.wanted = b, .owner = one};
	struct evdeferred *writer, *reader;
	int code = 0;

	ck_assert_int_eq(evrwlock_try(a, one, EVRWLOCK_READ), 0);
	ck_assert_int_eq(evrwlock_try(b, three, EVRWLOCK_READ), 0);
	writer = evrwlock_acquire(a, two, EVRWLOCK_WRITE);
	evdeferred_add_errback(writer, ask_while_closing, &closing);
	reader = evrwlock_acquire(a, three, EVRWLOCK_READ);
	evdeferred_add_errback(reader, keep_code, &code);
	evrwlock_free(a);
	ck_assert_int_eq(code, ESHUTDOWN);
	ck_assert_int_eq(closing.code, 0);
	evdeferred_free(closing.d);
	evdeferred_free(writer);
	evdeferred_free(reader);
	evowner_free(one);
	evowner_free(two);
	evowner_free(three);
	evrwlock_free(b);
}
END_TEST

static void
add_ends(Suite *suite)
{
	TCase *tc = add_case(suite, "the end of an owner");

	tcase_add_loop_test(tc, end_gives_all_back_and_cancels_all, 0, 2);
	tcase_add_loop_test(tc, end_with_grants_undelivered, 0, 2);
	tcase_add_loop_test(
	    tc, end_grants_nothing_to_the_owner_meanwhile, 0, 2);
	tcase_add_loop_test(tc, end_with_grants_fired_but_not_received, 0, 4);
	tcase_add_loop_test(tc, end_voids_grants_that_outlive_the_lock, 0, 2);
	tcase_add_loop_test(tc, end_delivers_nothing_from_inside, 0, 2);
	tcase_add_loop_test(tc, end_inside_a_callback_of_its_own, 0, 4);
	tcase_add_loop_test(tc, end_inside_an_errback_of_its_own, 0, 2);
	tcase_add_loop_test(tc, end_inside_a_body_of_its_own, 0, 4);
	tcase_add_loop_test(tc, end_while_a_body_is_pending, 0, 12);
	tcase_add_loop_test(tc, end_while_a_body_has_not_begun, 0, 4);
	tcase_add_loop_test(tc, end_inside_a_canceller, 0, 4);
	tcase_add_loop_test(
	    tc, end_while_a_waiter_of_its_own_is_being_freed, 0, 2);
	tcase_add_loop_test(tc, ends_nest, 0, 2);
	tcase_add_loop_test(tc, ends_nest_in_errbacks, 0, 2);
	tcase_add_loop_test(tc, end_whose_errbacks_free_other_waiters, 0, 2);
	tcase_add_loop_test(tc, end_whose_errbacks_close_the_lock, 0, 2);
	tcase_add_loop_test(
	    tc, acquire_of_an_owner_that_ends_is_eshutdown, 0, 2);
	tcase_add_loop_test(tc, cancelled_waits_are_not_reported, 0, 2);

	tc = add_case(suite, "deadlocks");
	tcase_add_loop_test(tc, circle_of_two, 0, 4);
	tcase_add_loop_test(tc, circle_of_three, 0, 2);
	tcase_add_loop_test(
	    tc, circle_through_a_reader_behind_a_waiting_writer, 0, 2);
	tcase_add_test(tc, circle_through_a_grant_that_is_not_delivered);
	tcase_add_loop_test(tc, circle_through_an_owner_with_two_waits, 0, 6);
	tcase_add_loop_test(
	    tc, no_circle_through_an_owner_that_is_its_own_rival, 0, 2);
	tcase_add_test(tc, no_circle_through_a_lock_that_closes);
	tcase_add_loop_test(tc, no_circle_at_one_lock, 0, 4);
	tcase_add_test(tc, anonymous_grants_undelivered_take_no_part);
	tcase_add_loop_test(
	    tc, no_circle_through_locks_that_nobody_waits_for, 0, 16);
	tcase_add_loop_test(tc, no_circle_behind_a_younger_writer, 0, 2);
	tcase_add_loop_test(tc, anonymous_holds_take_no_part, 0, 2);
	tcase_add_loop_test(tc, deadlock_of_a_with_runs_nothing, 0, 2);
	tcase_add_loop_test(tc, long_circle_is_told_in_part, 0, 2);
}

static void
add_tasks(Suite *suite)
{
	TCase *tc = add_case(suite, "several owners");

	tcase_add_loop_test(tc, many_owners_read_at_once, 0, 2);
	tcase_add_loop_test(tc, many_owners_read_while_they_read, 0, 2);
	tcase_add_loop_test(tc, many_owners_write_while_they_write, 0, 2);
	tcase_add_loop_test(tc, many_owners_read_while_they_write, 0, 2);
	tcase_add_loop_test(tc, many_owners_cannot_write_while_they_read, 0, 2);
	tcase_add_loop_test(tc, many_owners_read_and_many_write, 0, 2);
	tcase_add_loop_test(
	    tc, writer_gets_in_among_readers_that_come_again, 0, 2);
	tcase_add_loop_test(tc, writer_body_gets_in_among_reader_bodies, 0, 2);
	tcase_add_loop_test(
	    tc, other_writer_stays_out_of_a_write_that_also_reads, 0, 2);
	tcase_add_loop_test(
	    tc, acquire_cancelled_before_its_delivery_holds_nothing, 0, 2);
	tcase_add_loop_test(tc,
	    reader_that_comes_to_write_stands_behind_the_waiting_writer, 0, 2);
}

static void
add_memory_and_scale(Suite *suite)
{
	TCase *tc = add_case(suite, "model");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, owners_do_what_the_model_does, 0, 8);

	tc = add_case(suite, "memory");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, every_allocation_may_fail, 0, 4);
	tcase_add_loop_test(tc, acquire_without_memory_acquires_nothing, 0, 12);
	tcase_add_loop_test(
	    tc, fast_acquire_without_memory_enters_nothing, 0, 4);
	tcase_add_test(tc, holds_are_found_where_their_table_cannot_grow);
	tcase_add_loop_test(
	    tc, wait_of_an_owner_that_goes_is_not_the_users_to_fire, 0, 2);
	tcase_add_test(tc, new_without_memory_is_enomem);

	tc = add_case(suite, "scale");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, crowd_of_owners_goes_in_random_order, 0, 2);
	tcase_add_loop_test(
	    tc, crowd_of_owners_ends_itself_on_a_small_stack, 0, 2);
	tcase_add_loop_test(tc, hold_among_a_million_holders, 0, 2);
	tcase_add_loop_test(tc, wait_for_a_million_holders_searches_none, 0, 2);
}

int
main(void)
{
	Suite *suite = suite_create("owner");

	add_rules(suite);
	add_ends(suite);
	add_tasks(suite);
	add_memory_and_scale(suite);
	return support_main(suite);
}
