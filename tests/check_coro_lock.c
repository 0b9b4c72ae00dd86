/* SPDX-License-Identifier: MIT */
/* Coroutines and locks, in any order too.  _i is 0 for delivery by the loop and 1
 * for EVRWLOCK_FAST. */
#include "jobs.h"
#include "waiters.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static struct evrwlock *lock;

/* What each of the methods does under the lock: a step, a wait, a step. */
static int readers, writers, most_readers;

static void
enter(bool writing)
{
	readers += !writing;
	writers += writing;
	ck_assert(writers == 0 || (writers == 1 && readers == 0));
	if (readers > most_readers)
		most_readers = readers;
}

static void
leave(bool writing)
{
	readers -= !writing;
	writers -= writing;
}

static struct evresult
reader_method(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_reader_acquire(lock));
	j->held = true;
	enter(false);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_RETURN(evresult_value(evcoro_value(co)));

	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->held) {
		leave(false);
		ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	}
	EVCORO_END(co);
}

static struct evresult
writer_method(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_writer_acquire(lock));
	j->held = true;
	enter(true);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_RETURN(evresult_value(evcoro_value(co)));

	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->held) {
		leave(true);
		ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	}
	EVCORO_END(co);
}

START_TEST(readers_and_writers_release_in_their_cleanup)
{
	static struct job jobs[5];
	int i;

	most_readers = 0;
	lock = new_lock(_i);
	for (i = 0; i < 5; i++) {
		jobs[i].inputs[0] = fresh();
		start(&jobs[i], i == 2 ? writer_method : reader_method);
		see(jobs[i].d, &jobs[i].seen);
	}
	turns(2);
	/* The writer waits for two readers, and two wait for the writer. */
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(jobs[i].held, i < 2);
	evdeferred_callback(jobs[0].inputs[0], "0");
	evdeferred_errback(jobs[1].inputs[0], EIO, NULL);
	turns(2);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(jobs[i].held, i < 3);
	evdeferred_cancel(jobs[2].d);
	turns(2);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(jobs[i].held, 1);
	ck_assert_int_eq(most_readers, 2);
	evdeferred_free(jobs[3].d);
	evdeferred_callback(jobs[4].inputs[0], "4");
	lock_counts(lock, 0, 0, 0, 0);
	ck_assert_str_eq(jobs[0].seen.value, "0");
	ck_assert_int_eq(jobs[1].seen.code, EIO);
	ck_assert_int_eq(jobs[2].seen.code, ECANCELED);
	ck_assert_int_eq(jobs[3].cleanups, 1);
	ck_assert_str_eq(jobs[4].seen.value, "4");
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(jobs[i].frees, 1);
		if (i != 3)
			evdeferred_free(jobs[i].d);
	}
	evdeferred_callback(jobs[3].inputs[0], NULL);
	evdeferred_callback(jobs[2].inputs[0], NULL);
	evrwlock_free(lock);
}
END_TEST

/* A waiter that is freed or cancelled is not inside, and does not release. */
START_TEST(a_coroutine_that_leaves_the_queue_has_nothing_to_release)
{
	struct evdeferred *unused = fresh();
	int how;

	for (how = 0; how < 2; how++) {
		memset(&job, 0, sizeof(job));
		lock = new_lock(_i);
		ck_assert_int_eq(evrwlock_reader_try(lock), 0);
		job.inputs[0] = unused;
		start(&job, writer_method);
		turns(1);
		if (how == 0)
			evdeferred_cancel(job.d);
		evdeferred_free(job.d);
		ck_assert_int_eq(job.held, false);
		ck_assert_int_eq(job.cleanups, 1);
		/* And readers get in again. */
		ck_assert_int_eq(evrwlock_reader_try(lock), 0);
		evrwlock_reader_release(lock);
		evrwlock_reader_release(lock);
		lock_counts(lock, 0, 0, 0, 0);
		evrwlock_free(lock);
	}
	evdeferred_free(unused);
	evdeferred_callback(unused, NULL);
}
END_TEST

/* It is freed between the grant and the delivery. */
START_TEST(a_grant_on_its_way_to_a_coroutine_is_given_back)
{
	lock = new_lock(0);
	start(&job, writer_method);
	ck_assert(evrwlock_is_writing(lock));
	evdeferred_free(job.d);
	lock_counts(lock, 0, 0, 0, 0);
	ck_assert_int_eq(job.held, false);
	ck_assert_int_eq(job.cleanups, 1);
	evrwlock_free(lock);
}
END_TEST

static struct evowner *owner;

static struct evresult
owned_method(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_acquire(lock, owner, EVRWLOCK_WRITE));
	j->held = true;
	ck_assert_ptr_eq(evcoro_value(co), lock);
	EVCORO_AWAIT(co, evrwlock_acquire(lock, owner, EVRWLOCK_READ));
	ck_assert_ptr_eq(evcoro_value(co), lock);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_READ), 0);
	EVCORO_AWAIT(co, j->inputs[0]);
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->held)
		evrwlock_release(lock, owner, EVRWLOCK_WRITE);
	EVCORO_END(co);
}

START_TEST(a_coroutine_receives_grants_for_an_owner)
{
	lock = new_lock(_i);
	owner = evowner_new(base, "owner");
	job.inputs[0] = fresh();
	start(&job, owned_method);
	turns(3);
	ck_assert(evrwlock_is_writing(lock));
	evdeferred_callback(job.inputs[0], NULL);
	lock_counts(lock, 0, 0, 0, 0);
	check_ended(&job, 0);
	evowner_free(owner);
	evrwlock_free(lock);
}
END_TEST

static bool stop;

static struct evresult
lock_for_ever(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	while (!stop) {
		EVCORO_AWAIT(co, evrwlock_writer_acquire(lock));
		j->held = true;
		j->i++;
		evrwlock_writer_release(lock);
		j->held = false;
	}
	EVCORO_FINALLY(co);
	note_cleanup(co, j);
	if (j->held)
		evrwlock_writer_release(lock);
	EVCORO_END(co);
}

START_TEST(coroutines_that_lock_for_ever_let_the_loop_run)
{
	static struct job jobs[3];
	size_t before[3];
	int i, turn;

	lock = new_lock(_i);
	stop = false;
	for (i = 0; i < 3; i++)
		start(&jobs[i], lock_for_ever);
	for (turn = 0; turn < 5; turn++) {
		for (i = 0; i < 3; i++)
			before[i] = jobs[i].i;
		turns(2);
		for (i = 0; i < 3; i++)
			ck_assert_uint_gt(jobs[i].i, before[i]);
	}
	/* Two are stopped between two waits, one stops. */
	evdeferred_cancel(jobs[0].d);
	evdeferred_free(jobs[1].d);
	ck_assert_int_eq(jobs[1].cleanups, 1);
	turns(4);
	ck_assert_int_eq(jobs[0].cleanup_code, ECANCELED);
	ck_assert_int_eq(jobs[2].cleanups, 0);
	stop = true;
	turns(4);
	ck_assert_int_eq(jobs[2].cleanups, 1);
	evdeferred_free(jobs[0].d);
	evdeferred_free(jobs[2].d);
	lock_counts(lock, 0, 0, 0, 0);
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_coroutine_that_locks_for_ever_ends_with_its_base)
{
	lock = new_lock(_i);
	stop = false;
	start(&job, lock_for_ever);
	see(job.d, &job.seen);
	turns(3);
	support_free_base();
	ck_assert_int_eq(job.seen.code, ESHUTDOWN);
	ck_assert_int_eq(job.cleanups, 1);
	evdeferred_free(job.d);
	evrwlock_free(lock);
}
END_TEST

static struct evresult
thousand_waits(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	for (j->i = 0; j->i < 1000; j->i++)
		EVCORO_AWAIT(
		    co, evdeferred_new_fired(base, evresult_value(NULL)));
	EVCORO_END(co);
}

/*
 * Anything, in any order.
 */

enum { ACTORS = 12 };

struct actor {
	struct evcoro co;
	struct evdeferred *d;
	struct evdeferred *wait;
	bool running, writing, inside;
	int starts, cleanups, frees, left;
};

static struct actor actors[ACTORS];
static uint64_t random_state;

static unsigned
pick(unsigned below)
{
	random_state =
	    random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % below;
}

static void
forget_wait(struct evdeferred *d, void *arg)
{
	struct actor *a = arg;

	(void)d;
	a->wait = NULL;
}

static struct evresult
act(struct evcoro *co, void *arg)
{
	struct actor *a = arg;

	EVCORO_BEGIN(co);
	for (a->left = (int)pick(4); a->left > 0; a->left--) {
		EVCORO_AWAIT(co, acquire_by_name(lock, mode_of(a->writing)));
		a->inside = true;
		enter(a->writing);
		a->wait = evdeferred_new(base, forget_wait, a);
		EVCORO_TRY(co, a->wait);
		a->wait = NULL;
		if (evcoro_failure(co) != NULL && pick(2) == 0)
			EVCORO_RETURN(
			    evresult_from_failure(evcoro_failure(co)));
		leave(a->writing);
		a->inside = false;
		release_by_name(lock, mode_of(a->writing));
		while (pick(3) == 0)
			EVCORO_AWAIT(co,
			    evdeferred_new_fired(base, evresult_value(NULL)));
	}
	EVCORO_FINALLY(co);
	a->cleanups++;
	if (a->inside) {
		a->inside = false;
		leave(a->writing);
		release_by_name(lock, mode_of(a->writing));
	}
	EVCORO_END(co);
}

static void
actor_ended(void *arg)
{
	struct actor *a = arg;

	a->frees++;
	a->running = false;
}

static struct evresult
ignore(struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
	return evresult_value(NULL);
}

static void
actor_free(struct actor *a)
{
	struct evdeferred *d = a->d;

	a->d = NULL;
	evdeferred_free(d);
}

static void
do_anything(struct actor *a)
{
	struct evdeferred *wait = a->wait;

	if (a->d == NULL) {
		a->writing = pick(3) == 0;
		a->running = true;
		a->starts++;
		a->d = evcoro_start(base, &a->co, act, a, actor_ended);
		evdeferred_add_errback(a->d, ignore, NULL);
		return;
	}
	switch (pick(6)) {
	case 0:
		evdeferred_cancel(a->d);
		break;
	case 1:
		actor_free(a);
		break;
	case 2:
		if (wait != NULL)
			evdeferred_errback(wait, EIO, NULL);
		break;
	case 3:
		turns(1);
		break;
	default:
		if (wait != NULL)
			evdeferred_callback(wait, NULL);
		else if (!a->running)
			actor_free(a);
	}
}

START_TEST(whatever_happens_all_is_cleaned_up_once)
{
	size_t steps = 1000 + support_scale() / 20;
	int i;

	lock = new_lock(_i);
	memset(actors, 0, sizeof(actors));
	random_state = (uint64_t)_i;
	while (steps-- > 0)
		do_anything(&actors[pick(ACTORS)]);
	for (i = 0; i < ACTORS; i++)
		actor_free(&actors[i]);
	for (i = 0; i < ACTORS; i++) {
		ck_assert_int_eq(actors[i].cleanups, actors[i].starts);
		ck_assert_int_eq(actors[i].frees, actors[i].starts);
		ck_assert(!actors[i].inside);
	}
	ck_assert_int_gt(actors[0].starts, 1);
	lock_counts(lock, 0, 0, 0, 0);
	evrwlock_free(lock);
}
END_TEST

/*
 * Memory.
 */

static struct evresult
lock_and_wait(struct evcoro *co, void *arg)
{
	struct job *j = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_reader_acquire(lock));
	j->held = true;
	EVCORO_AWAIT(co,
	    evcoro_start(base, &j->other->co, thousand_waits, j->other, NULL));
	EVCORO_FINALLY(co);
	if (j->held)
		evrwlock_reader_release(lock);
	j->held = false;
	EVCORO_END(co);
}

static void
run_once(struct job *j)
{
	j->d = evcoro_start(base, &j->co, lock_and_wait, j, NULL);
	turns(30);
	evdeferred_free(j->d);
}

START_TEST(the_steady_state_allocates_nothing)
{
	static struct job inner;
	size_t calls;
	int i;

	if (!alloc_works())
		return;
	job.other = &inner;
	lock = new_lock(_i);
	run_once(&job);
	calls = alloc_calls();
	for (i = 0; i < 10; i++)
		run_once(&job);
	calls = alloc_calls() - calls;
	ck_assert_uint_eq(calls, 0);
	ck_assert_uint_eq(inner.i, 1000);
	lock_counts(lock, 0, 0, 0, 0);
	evrwlock_free(lock);
}
END_TEST

/* A new base for each allocation that fails, so that all pools are empty. */
static bool
run_with_failure(size_t nth, bool onwards, int i)
{
	static struct job inner;
	struct evdefer_base *old = base;
	bool failed;

	memset(&job, 0, sizeof(job));
	memset(&inner, 0, sizeof(inner));
	job.other = &inner;
	base = evdefer_base_new(loop);
	lock = new_lock(i);
	alloc_fail_at(nth, onwards);
	job.d = evcoro_start(base, &job.co, lock_and_wait, &job, NULL);
	failed = job.d == NULL && errno == ENOMEM;
	turns(30);
	if (job.d != NULL)
		evdeferred_add_callbacks(
		    job.d, see_value, see_failure, &job.seen);
	failed = alloc_failed();
	alloc_fail_at(0, false);
	if (job.d != NULL)
		ck_assert_int_eq(job.seen.values + job.seen.failures, 1);
	ck_assert(!job.seen.failures || job.seen.code == ENOMEM);
	evdeferred_free(job.d);
	ck_assert(!job.held);
	lock_counts(lock, 0, 0, 0, 0);
	evrwlock_free(lock);
	evdefer_base_free(base);
	base = old;
	return failed;
}

START_TEST(each_allocation_may_fail)
{
	size_t nth;
	int onwards;

	if (!alloc_works())
		return;
	for (onwards = 0; onwards < 2; onwards++) {
		nth = 1;
		while (nth < 1000 && run_with_failure(nth, onwards == 1, _i))
			nth++;
		ck_assert_uint_gt(nth, 2);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("coro_lock");
	TCase *tc = add_job_case(suite, "locks");

	tcase_add_loop_test(
	    tc, readers_and_writers_release_in_their_cleanup, 0, 2);
	tcase_add_loop_test(
	    tc, a_coroutine_that_leaves_the_queue_has_nothing_to_release, 0, 2);
	tcase_add_test(tc, a_grant_on_its_way_to_a_coroutine_is_given_back);
	tcase_add_loop_test(tc, a_coroutine_receives_grants_for_an_owner, 0, 2);
	tcase_add_loop_test(
	    tc, coroutines_that_lock_for_ever_let_the_loop_run, 0, 2);
	tcase_add_loop_test(
	    tc, a_coroutine_that_locks_for_ever_ends_with_its_base, 0, 2);

	tc = add_job_case(suite, "random");
	tcase_add_loop_test(tc, whatever_happens_all_is_cleaned_up_once, 0, 20);

	tc = add_job_case(suite, "memory");
	tcase_add_loop_test(tc, the_steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, each_allocation_may_fail, 0, 2);
	return support_main(suite);
}
