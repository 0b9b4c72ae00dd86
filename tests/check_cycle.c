/* SPDX-License-Identifier: MIT */
/*
 * Cycles of owners over readers-writer locks, mutexes and semaphores: a wait that
 * would close one fails with EDEADLK, and no other does.  Those over readers-writer
 * locks alone are in check_deadlock.c.
 */
#include "owners.h"

#include <stdlib.h>

static struct evmutex *mutex, *second;
static struct evsemaphore *semaphore;

/* Two tokens. */
static void
make_all(int i)
{
	make(i);
	mutex = evmutex_new(base, i % 2 == 0 ? 0 : EVMUTEX_FAST);
	second = evmutex_new(base, i % 2 == 0 ? 0 : EVMUTEX_FAST);
	semaphore = evsemaphore_new(base, 2, i % 2 == 0 ? 0 : EVSEMAPHORE_FAST);
	ck_assert_ptr_nonnull(mutex);
	ck_assert_ptr_nonnull(second);
	ck_assert_ptr_nonnull(semaphore);
	ck_assert_int_eq(evmutex_set_name(mutex, "door"), 0);
	ck_assert_int_eq(evmutex_set_name(second, "gate"), 0);
	ck_assert_int_eq(evsemaphore_set_name(semaphore, "pool"), 0);
}

/* Whoever is left gives back all that it has. */
static void
done_all(struct waiter *waiters, int count)
{
	free_waiters(waiters, count);
	done();
	ck_assert(!evmutex_is_locked(mutex));
	ck_assert(!evmutex_is_locked(second));
	ck_assert_uint_eq(evsemaphore_get_tokens(semaphore), 2);
	evmutex_free(mutex);
	evmutex_free(second);
	evsemaphore_free(semaphore);
}

static void
want_mutex(struct waiter *waiter, struct evmutex *wanted, struct evowner *owner)
{
	wait_with(waiter, evmutex_acquire(wanted, owner), wanted);
}

static void
want_token(struct waiter *waiter, struct evowner *owner)
{
	wait_with(waiter, evsemaphore_acquire(semaphore, owner), semaphore);
}

static void
take_mutex(struct evmutex *wanted, struct evowner *owner)
{
	ck_assert_int_eq(evmutex_try(wanted, owner), 0);
}

static void
take_token(struct evowner *owner)
{
	ck_assert_int_eq(evsemaphore_try(semaphore, owner), 0);
}

static void
take_lock(int i, struct evowner *owner, enum evrwlock_mode mode)
{
	ck_assert_int_eq(evrwlock_try(locks[i], owner, mode), 0);
}

static void
says(const struct waiter *waiter, const char *message)
{
	ck_assert_int_eq(waiter->failed, EDEADLK);
	ck_assert_str_eq(waiter->message, message);
}

/* A mutex in the cycle hid it, so that both waited for ever. */
START_TEST(deadlock_of_a_rwlock_and_a_mutex)
{
	struct waiter w[2];

	make_all(_i);
	take_lock(0, ann, EVRWLOCK_WRITE);
	take_mutex(mutex, bob);
	want_mutex(&w[0], mutex, ann);
	request(&w[1], locks[0], bob, EVRWLOCK_WRITE);
	says(&w[1], "deadlock: bob waits to write red, held by ann; "
		    "ann waits for door, held by bob");
	/* ann goes on when bob gives back what he has. */
	ck_assert_int_eq(evmutex_release(mutex, bob), 0);
	settle();
	ck_assert_int_eq(w[0].granted, 1);
	done_all(w, 2);
}
END_TEST

START_TEST(cycle_of_mutexes)
{
	struct waiter w[2];

	make_all(_i);
	ck_assert_int_eq(evmutex_set_name(second, NULL), 0);
	take_mutex(mutex, ann);
	take_mutex(second, bob);
	want_mutex(&w[0], second, ann);
	want_mutex(&w[1], mutex, bob);
	says(&w[1], "deadlock: bob waits for door, held by ann; "
		    "ann waits for a mutex, held by bob");
	/* The end of one gives its mutexes back as well. */
	end_owner(&bob);
	settle();
	ck_assert_int_eq(w[0].granted, 1);
	done_all(w, 2);
}
END_TEST

START_TEST(cycle_over_all_three)
{
	struct waiter w[3];

	make_all(_i);
	take_lock(0, ann, EVRWLOCK_READ);
	take_mutex(mutex, bob);
	take_token(cid);
	take_token(cid);
	want_mutex(&w[0], mutex, ann);
	want_token(&w[1], bob);
	ck_assert_int_eq(w[0].ended + w[1].ended, 0);
	request(&w[2], locks[0], cid, EVRWLOCK_WRITE);
	says(&w[2], "deadlock: cid waits to write red, held by ann; "
		    "ann waits for door, held by bob; "
		    "bob waits for a token of pool, held by cid");
	ck_assert_int_eq(evsemaphore_release(semaphore, cid), 0);
	settle();
	ck_assert_int_eq(w[1].granted, 1);
	/* Now that one token is not cid's, there is no deadlock. */
	evdeferred_free(w[2].d);
	request(&w[2], locks[0], cid, EVRWLOCK_WRITE);
	ck_assert_int_eq(w[2].ended, 0);
	done_all(w, 3);
}
END_TEST

/* Not reentrant: it would wait for itself, be it inside, granted and not told, or
 * first in the queue. */
START_TEST(mutex_of_ones_own)
{
	struct waiter w[3];

	make_all(_i);
	if (_i / 2 == 2)
		take_mutex(mutex, bob);
	want_mutex(&w[0], mutex, ann);
	if (_i / 2 == 1)
		settle();
	want_mutex(&w[1], mutex, ann);
	says(&w[1], _i / 2 == 2 ? "deadlock: ann waits for door, behind ann"
				: "deadlock: ann waits for door, held by ann");
	REFUSED(evmutex_try(mutex, ann), EBUSY);
	/* Anybody else waits. */
	want_mutex(&w[2], mutex, cid);
	ck_assert_int_eq(w[2].ended, 0);
	done_all(w, 3);
}
END_TEST

START_TEST(more_tokens_than_there_are)
{
	struct waiter w[3];

	make_all(_i);
	take_token(ann);
	take_token(bob);
	/* bob may give one back. */
	want_token(&w[0], ann);
	ck_assert_int_eq(w[0].ended, 0);
	/* There is no third one. */
	want_token(&w[1], ann);
	says(&w[1], "deadlock: ann waits for a token of pool, held by ann");
	/* Each of them waits for the other's. */
	want_token(&w[2], bob);
	ck_assert_int_eq(w[2].failed, EDEADLK);
	ck_assert_int_eq(evsemaphore_release(semaphore, bob), 0);
	settle();
	ck_assert_int_eq(w[0].granted, 1);
	done_all(w, 3);
}
END_TEST

/* Nobody has had to search before. */
START_TEST(all_tokens_of_ones_own)
{
	struct waiter w;

	make_all(_i);
	take_token(ann);
	take_token(ann);
	want_token(&w, ann);
	says(&w, "deadlock: ann waits for a token of pool, held by ann");
	done_all(&w, 1);
}
END_TEST

/* ann waits for bob or cid.  Only bob waits for ann. */
START_TEST(no_cycle_while_one_token_can_come_back)
{
	struct waiter w[3];

	make_all(_i);
	take_lock(0, ann, EVRWLOCK_WRITE);
	take_token(bob);
	take_token(cid);
	if (_i / 2 == 0) {
		request(&w[0], locks[0], bob, EVRWLOCK_READ);
		want_token(&w[1], ann);
	} else {
		want_token(&w[1], ann);
		request(&w[0], locks[0], bob, EVRWLOCK_READ);
	}
	ck_assert_int_eq(w[0].ended + w[1].ended, 0);
	/* If cid waits for her too, nobody goes on. */
	request(&w[2], locks[0], cid, EVRWLOCK_READ);
	says(&w[2], "deadlock: cid waits to read red, held by ann; "
		    "ann waits for a token of pool, held by cid");
	ck_assert_int_eq(evsemaphore_release(semaphore, cid), 0);
	settle();
	ck_assert_int_eq(w[1].granted, 1);
	done_all(w, 3);
}
END_TEST

/* ann has a token, and cid the other; cid waits for bob, who waits for a token. */
START_TEST(cycle_with_one_that_only_waits_in_a_ring_of_its_own)
{
	struct waiter w[3];

	make_all(_i);
	take_token(ann);
	take_token(cid);
	take_mutex(mutex, bob);
	want_token(&w[0], bob);
	want_mutex(&w[1], mutex, cid);
	/* bob could have ann's. */
	ck_assert_int_eq(w[0].ended + w[1].ended, 0);
	want_mutex(&w[2], mutex, ann);
	says(&w[2], "deadlock: ann waits for door, held by bob; "
		    "bob waits for a token of pool, held by ann");
	ck_assert_int_eq(evsemaphore_release(semaphore, ann), 0);
	settle();
	ck_assert_int_eq(w[0].granted, 1);
	done_all(w, 3);
}
END_TEST

/* Somebody unknown has the other token, and may give it back. */
START_TEST(unknown_holders_take_no_part)
{
	struct waiter w[3];

	make_all(_i);
	take_lock(0, ann, EVRWLOCK_WRITE);
	take_token(bob);
	take_token(NULL);
	take_mutex(mutex, NULL);
	want_token(&w[0], ann);
	request(&w[1], locks[0], bob, EVRWLOCK_WRITE);
	want_mutex(&w[2], mutex, ann);
	ck_assert_int_eq(w[0].ended + w[1].ended + w[2].ended, 0);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	ck_assert_int_eq(evmutex_release(mutex, NULL), 0);
	settle();
	ck_assert_int_eq(w[0].granted + w[2].granted, 2);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(w[1].granted, 1);
	done_all(w, 3);
}
END_TEST

/* One that stands in front takes the token that comes back, and keeps it: bob waits
 * for ann as well. */
START_TEST(cycle_through_one_that_stands_in_front)
{
	struct waiter w[4];

	make_all(_i);
	take_mutex(mutex, ann);
	take_token(NULL);
	take_token(cid);
	want_token(&w[0], bob);
	want_mutex(&w[1], mutex, bob);
	want_mutex(&w[2], mutex, cid);
	ck_assert_int_eq(w[0].ended + w[1].ended + w[2].ended, 0);
	want_token(&w[3], ann);
	ck_assert_int_eq(w[3].failed, EDEADLK);
	/* If the first in the queue gives up, ann gets the other token. */
	evdeferred_cancel(w[1].d);
	evdeferred_free(w[3].d);
	want_token(&w[3], ann);
	ck_assert_int_eq(w[3].ended, 0);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	settle();
	ck_assert_int_eq(w[0].granted, 1);
	done_all(w, 4);
}
END_TEST

/* Those in front who wait for nothing else, known or not, come and go. */
START_TEST(no_cycle_through_those_that_come_and_go)
{
	struct evdeferred *d;
	struct waiter w[3];

	make_all(_i);
	take_mutex(mutex, ann);
	take_token(bob);
	take_token(NULL);
	want_token(&w[0], cid);
	d = evsemaphore_acquire(semaphore, NULL);
	want_token(&w[1], ann);
	want_mutex(&w[2], mutex, bob);
	ck_assert_int_eq(w[0].ended + w[1].ended + w[2].ended, 0);
	evdeferred_free(d);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	settle();
	ck_assert_int_eq(w[0].granted, 1);
	done_all(w, 3);
}
END_TEST

/* A reader and a writer that wait behind others, beside a choice. */
START_TEST(locks_are_played_by_their_rules)
{
	struct waiter w[5];

	make_all(_i);
	take_lock(0, cid, EVRWLOCK_READ);
	take_token(ann);
	take_token(cid);
	take_mutex(mutex, bob);
	/* bob waits to write behind cid, ann to read behind bob. */
	request(&w[0], locks[0], bob, EVRWLOCK_WRITE);
	request(&w[1], locks[0], ann, EVRWLOCK_READ);
	want_mutex(&w[2], second, cid);
	settle();
	ck_assert_int_eq(w[0].ended + w[1].ended, 0);
	/* cid's token comes back: no deadlock. */
	want_token(&w[3], bob);
	ck_assert_int_eq(w[3].ended, 0);
	want_mutex(&w[4], mutex, cid);
	says(&w[4], "deadlock: cid waits for door, held by bob; "
		    "bob waits to write red, held by cid");
	ck_assert_int_eq(evsemaphore_release(semaphore, cid), 0);
	leave(locks[0], cid, EVRWLOCK_READ);
	ck_assert_int_eq(w[0].granted + w[3].granted, 2);
	end_owner(&bob);
	settle();
	ck_assert_int_eq(w[1].granted, 1);
	done_all(w, 5);
}
END_TEST

/* cid reads red, and ann waits to be upgradable there behind somebody who is.  That
 * cid waits for ann is no cycle until a writer comes between the two, who has nothing
 * else. */
START_TEST(a_writer_that_is_new_to_those_who_wait)
{
	struct waiter a, c, w;

	make_all(_i);
	take_lock(0, NULL, EVRWLOCK_UPGRADABLE);
	take_lock(0, cid, EVRWLOCK_READ);
	take_mutex(mutex, ann);
	request(&a, locks[0], ann, EVRWLOCK_UPGRADABLE);
	want_mutex(&c, mutex, cid);
	ck_assert_int_eq(a.ended + c.ended, 0);
	request(&w, locks[0], bob, EVRWLOCK_WRITE);
	says(&w, "deadlock: bob waits to write red, held by cid; cid waits for "
		 "door, "
		 "held by ann; ann waits to read (upgradable) red, behind bob");
	ck_assert_int_eq(
	    evrwlock_release(locks[0], NULL, EVRWLOCK_UPGRADABLE), 0);
	settle();
	ck_assert_int_eq(a.granted, 1);
	free_waiters(&w, 1);
	free_waiters(&c, 1);
	done_all(&a, 1);
}
END_TEST

/* One that is fair: the writer behind them is not waited for. */
START_TEST(no_cycle_through_a_writer_that_came_later)
{
	struct evrwlock *lock = evrwlock_new(base, EVRWLOCK_FAIR);
	struct evdeferred *writer;
	struct waiter a, c;

	make_all(_i);
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_UPGRADABLE), 0);
	ck_assert_int_eq(evrwlock_try(lock, cid, EVRWLOCK_READ), 0);
	take_mutex(mutex, ann);
	request(&a, lock, ann, EVRWLOCK_UPGRADABLE);
	writer = evrwlock_writer_acquire(lock);
	want_mutex(&c, mutex, cid);
	ck_assert_int_eq(a.ended + c.ended, 0);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_UPGRADABLE), 0);
	settle();
	ck_assert_int_eq(a.granted, 1);
	evdeferred_free(writer);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(c.granted, 1);
	end_owner(&cid);
	evrwlock_free(lock);
	free_waiters(&c, 1);
	done_all(&a, 1);
}
END_TEST

/* Of a lock for two readers, ann waits for cid or somebody unknown. */
START_TEST(no_cycle_while_a_reader_can_leave)
{
	struct waiter a, b, c;

	make_all(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(locks[0], 2), 0);
	take_lock(0, NULL, EVRWLOCK_READ);
	take_lock(0, cid, EVRWLOCK_READ);
	take_mutex(mutex, ann);
	request(&a, locks[0], ann, EVRWLOCK_READ);
	want_mutex(&c, mutex, cid);
	ck_assert_int_eq(a.ended + c.ended, 0);
	/* When bob has the other place, and waits as well, nobody goes on. */
	evdeferred_free(a.d);
	ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	take_lock(0, bob, EVRWLOCK_READ);
	want_mutex(&b, mutex, bob);
	request(&a, locks[0], ann, EVRWLOCK_READ);
	ck_assert_int_eq(a.failed, EDEADLK);
	ck_assert_int_eq(b.ended + c.ended, 0);
	free_waiters(&b, 1);
	free_waiters(&c, 1);
	done_all(&a, 1);
}
END_TEST

/* Nobody in particular waits to upgrade until ann, who waits for cid, has left: so cid
 * can't read behind that. */
START_TEST(a_cycle_behind_an_upgrade_of_nobody)
{
	struct evrwlock *fair = evrwlock_new(
	    base, EVRWLOCK_FAIR | (_i % 2 == 0 ? 0 : EVRWLOCK_FAST));
	struct waiter a, c, up;

	ck_assert_ptr_nonnull(fair);
	make_all(_i);
	ck_assert_int_eq(evrwlock_try(fair, NULL, EVRWLOCK_UPGRADABLE), 0);
	ck_assert_int_eq(evrwlock_try(fair, ann, EVRWLOCK_READ), 0);
	take_mutex(mutex, cid);
	wait_with(&up, evrwlock_upgrade(fair, NULL), fair);
	want_mutex(&a, mutex, ann);
	request(&c, fair, cid, EVRWLOCK_READ);
	says(&c, "deadlock: cid waits to read a lock, held by ann; "
		 "ann waits for door, held by cid");
	leave(fair, ann, EVRWLOCK_READ);
	ck_assert_int_eq(up.granted, 1);
	ck_assert_int_eq(evrwlock_release(fair, NULL, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_release(fair, NULL, EVRWLOCK_UPGRADABLE), 0);
	evrwlock_free(fair);
	free_waiters(&a, 1);
	free_waiters(&c, 1);
	done_all(&up, 1);
}
END_TEST

/* ann has asked for the lock twice, and for a token.  When bob has left she gets them,
 * whatever she wants to do, and leaves in turn: cid may wait for her. */
START_TEST(no_cycle_through_one_that_has_asked_twice)
{
	static const enum evrwlock_mode modes[][2] = {
	    {EVRWLOCK_READ, EVRWLOCK_READ}, {EVRWLOCK_WRITE, EVRWLOCK_READ}};
	struct waiter w[4];

	make_all(_i);
	take_lock(0, bob, EVRWLOCK_WRITE);
	take_token(bob);
	take_token(cid);
	take_mutex(mutex, ann);
	request(&w[0], locks[0], ann, modes[_i / 2][0]);
	request(&w[1], locks[0], ann, modes[_i / 2][1]);
	want_token(&w[2], ann);
	want_mutex(&w[3], mutex, cid);
	ck_assert_int_eq(w[0].ended + w[1].ended + w[2].ended + w[3].ended, 0);
	end_owner(&bob);
	settle();
	ck_assert_int_eq(w[0].granted + w[2].granted, 2);
	end_owner(&ann);
	settle();
	ck_assert_int_eq(w[3].granted, 1);
	done_all(w, 4);
}
END_TEST

/* cid upgrades, and has a read besides that he was not told of: he does not wait for it. */
START_TEST(no_cycle_through_a_read_of_ones_own)
{
	struct waiter a, c[3];

	make_all(_i);
	get(&c[0], locks[0], cid, EVRWLOCK_UPGRADABLE);
	take_lock(0, bob, EVRWLOCK_READ);
	request(&a, locks[0], ann, EVRWLOCK_WRITE);
	request(&c[1], locks[0], cid, EVRWLOCK_READ);
	wait_with(&c[2], evrwlock_upgrade(locks[0], cid), locks[0]);
	settle();
	ck_assert_int_eq(c[1].granted, 1);
	ck_assert_int_eq(c[2].ended, 0);
	leave(locks[0], bob, EVRWLOCK_READ);
	ck_assert_int_eq(c[2].granted, 1);
	end_owner(&cid);
	settle();
	ck_assert_int_eq(a.granted, 1);
	free_waiters(&a, 1);
	done_all(c, 3);
}
END_TEST

/* ann and bob wait for each other since the limit was lowered, which could not be told.
 * cid waits for ann, and for dan, who waits for a token of cid's or of nobody's. */
START_TEST(a_deadlock_of_others_is_none_of_ones_own)
{
	struct evowner *dan = evowner_new(base, "dan");
	struct waiter a, b, c[2], d;

	ck_assert_ptr_nonnull(dan);
	make_all(_i);
	ck_assert_int_eq(evrwlock_set_reader_limit(locks[0], 2), 0);
	take_lock(0, bob, EVRWLOCK_READ);
	take_lock(0, NULL, EVRWLOCK_READ);
	take_mutex(mutex, ann);
	request(&a, locks[0], ann, EVRWLOCK_READ);
	want_mutex(&b, mutex, bob);
	ck_assert_int_eq(evrwlock_set_reader_limit(locks[0], 1), 0);
	ck_assert_int_eq(evrwlock_reader_release(locks[0]), 0);
	take_token(NULL);
	take_token(cid);
	take_mutex(second, dan);
	want_mutex(&c[0], mutex, cid);
	want_token(&d, dan);
	want_mutex(&c[1], second, cid);
	ck_assert_int_eq(
	    a.ended + b.ended + c[0].ended + c[1].ended + d.ended, 0);
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	settle();
	ck_assert_int_eq(d.granted, 1);
	end_owner(&dan);
	settle();
	ck_assert_int_eq(c[1].granted, 1);
	end_owner(&bob);
	settle();
	ck_assert_int_eq(a.granted, 1);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	free_waiters(&d, 1);
	done_all(c, 2);
}
END_TEST

/* The end of an owner gives back whatever it has, and takes it out of all queues. */
START_TEST(end_of_an_owner_gives_all_kinds_back)
{
	struct waiter w[6];

	make_all(_i);
	take_lock(0, ann, EVRWLOCK_WRITE);
	take_mutex(mutex, ann);
	take_token(ann);
	take_token(ann);
	take_mutex(second, cid);
	want_mutex(&w[0], second, ann);
	request(&w[1], locks[0], bob, EVRWLOCK_READ);
	want_mutex(&w[2], mutex, bob);
	want_token(&w[3], bob);
	want_token(&w[4], bob);
	want_mutex(&w[5], second, bob);
	ck_assert_int_eq(w[1].ended + w[2].ended + w[3].ended + w[4].ended, 0);
	end_owner(&ann);
	ck_assert_int_eq(w[0].failed, ECANCELED);
	settle();
	ck_assert_int_eq(
	    w[1].granted + w[2].granted + w[3].granted + w[4].granted, 4);
	ck_assert_int_eq(w[5].ended, 0);
	ck_assert_int_eq(evmutex_release(second, cid), 0);
	settle();
	ck_assert_int_eq(w[5].granted, 1);
	done_all(w, 6);
}
END_TEST

START_TEST(deadlock_of_a_with_runs_nothing)
{
	struct waiter w[2];

	make_all(_i);
	take_mutex(mutex, ann);
	take_token(bob);
	take_token(bob);
	want_mutex(&w[0], mutex, bob);
	wait_with(&w[1],
	    evsemaphore_with(semaphore, ann, NULL, body_value, &w[1]), &w[1]);
	says(&w[1], "deadlock: ann waits for a token of pool, held by bob; "
		    "bob waits for door, held by ann");
	ck_assert_int_eq(evsemaphore_release(semaphore, bob), 0);
	evdeferred_free(w[1].d);
	wait_with(&w[1],
	    evsemaphore_with(semaphore, ann, NULL, body_value, &w[1]), &w[1]);
	settle();
	ck_assert_int_eq(w[1].granted, 1);
	done_all(w, 2);
}
END_TEST

/* A million wait for tokens, and have nothing: they are passed once. */
START_TEST(cycle_behind_a_queue_of_many)
{
	const size_t many = support_scale();
	struct evdeferred **waiting = support_array(many, sizeof(*waiting));
	struct waiter w[3];
	size_t k;

	make_all(0);
	take_token(cid);
	take_token(bob);
	for (k = 0; k < many; k++)
		waiting[k] = evsemaphore_acquire(semaphore, NULL);
	take_mutex(mutex, ann);
	want_token(&w[0], ann);
	want_mutex(&w[1], mutex, bob);
	ck_assert_int_eq(w[1].ended, 0);
	want_mutex(&w[2], mutex, cid);
	ck_assert_int_eq(w[2].failed, EDEADLK);
	for (k = 0; k < many; k++)
		evdeferred_free(waiting[k]);
	free(waiting);
	done_all(w, 3);
}
END_TEST

START_TEST(names)
{
	int rc, code;

	make_all(0);
	ck_assert_str_eq(evmutex_get_name(mutex), "door");
	ck_assert_int_eq(evmutex_set_name(mutex, "hatch"), 0);
	ck_assert_str_eq(evmutex_get_name(mutex), "hatch");
	ck_assert_int_eq(evmutex_set_name(mutex, NULL), 0);
	ck_assert_str_eq(evmutex_get_name(mutex), "a mutex");
	ck_assert_str_eq(evmutex_get_name(NULL), "a mutex");
	ck_assert_str_eq(evsemaphore_get_name(semaphore), "pool");
	ck_assert_int_eq(evsemaphore_set_name(semaphore, NULL), 0);
	ck_assert_str_eq(evsemaphore_get_name(semaphore), "a semaphore");
	ck_assert_str_eq(evsemaphore_get_name(NULL), "a semaphore");
	REFUSED(evmutex_set_name(NULL, "x"), EINVAL);
	REFUSED(evsemaphore_set_name(NULL, "x"), EINVAL);
	ck_assert_int_eq(evmutex_set_name(mutex, "kept"), 0);
	if (alloc_works()) {
		alloc_fail_at(1, true);
		rc = evmutex_set_name(mutex, "x");
		code = errno;
		alloc_fail_at(0, false);
		ck_assert_int_eq(rc, -1);
		ck_assert_int_eq(code, ENOMEM);
	}
	ck_assert_str_eq(evmutex_get_name(mutex), "kept");
	done_all(NULL, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cycle");
	TCase *tc = add_case(suite, "cycles");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, deadlock_of_a_rwlock_and_a_mutex, 0, 2);
	tcase_add_loop_test(tc, cycle_of_mutexes, 0, 2);
	tcase_add_loop_test(tc, cycle_over_all_three, 0, 2);
	tcase_add_loop_test(tc, mutex_of_ones_own, 0, 6);
	tcase_add_loop_test(tc, all_tokens_of_ones_own, 0, 2);
	tcase_add_loop_test(tc, more_tokens_than_there_are, 0, 2);
	tcase_add_loop_test(tc, no_cycle_while_one_token_can_come_back, 0, 4);
	tcase_add_loop_test(
	    tc, cycle_with_one_that_only_waits_in_a_ring_of_its_own, 0, 2);
	tcase_add_loop_test(tc, unknown_holders_take_no_part, 0, 2);
	tcase_add_loop_test(tc, cycle_through_one_that_stands_in_front, 0, 2);
	tcase_add_loop_test(tc, no_cycle_through_those_that_come_and_go, 0, 2);
	tcase_add_loop_test(tc, locks_are_played_by_their_rules, 0, 2);
	tcase_add_loop_test(tc, a_writer_that_is_new_to_those_who_wait, 0, 2);
	tcase_add_loop_test(
	    tc, no_cycle_through_a_writer_that_came_later, 0, 2);
	tcase_add_loop_test(tc, no_cycle_while_a_reader_can_leave, 0, 2);
	tcase_add_loop_test(tc, a_cycle_behind_an_upgrade_of_nobody, 0, 2);
	tcase_add_loop_test(
	    tc, no_cycle_through_one_that_has_asked_twice, 0, 4);
	tcase_add_loop_test(tc, no_cycle_through_a_read_of_ones_own, 0, 2);
	tcase_add_loop_test(tc, a_deadlock_of_others_is_none_of_ones_own, 0, 2);
	tcase_add_loop_test(tc, end_of_an_owner_gives_all_kinds_back, 0, 2);
	tcase_add_loop_test(tc, deadlock_of_a_with_runs_nothing, 0, 2);
	tcase_add_test(tc, cycle_behind_a_queue_of_many);
	tcase_add_test(tc, names);
	return support_main(suite);
}
