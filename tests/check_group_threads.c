/* SPDX-License-Identifier: MIT */
/*
 * evdefer/group.h with a thread for each loop.  Workers acquire, hold the lock over a
 * turn, cancel, run out of time, and use owners; locks are closed under them, and
 * bases.  Whoever is inside checks that he may be.  A wake-up that is lost leaves a
 * loop waiting for ever, which Check ends.
 *
 * With EVDEFER_STRESS_SECONDS in the environment this goes on for so long, and says
 * each second how far it is.
 */
#include "threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOPS 4
#define WORKERS 6 /* of a loop */

static struct evgroup *group;

/* What the lock guards: writers keep both the same, and the compiler and
 * ThreadSanitizer see that nobody else touches them. */
static long guarded[2];
static atomic_int readers, upgradables, writers;
static atomic_int wrong;
static atomic_long entries[EVRWLOCK_WRITE + 1], upgrades;

enum way { TRY, ACQUIRE, CANCEL_SOON, TIME_OUT_SOON, WITH, OWNED, WAYS_IN_ALL };

struct place {
	struct event_base *loop;
	struct evdefer_base *base;
	struct evrwlock *lock;
	unsigned long long dice;
	long left; /* to begin */
	int working;
};

struct worker {
	struct place *place;
	struct event *turn;
	struct evdefer_base *base; /* the place may have another by now, */
	struct evrwlock *lock;	   /* and another lock */
	struct evowner *owner;
	struct evdeferred *d;
	struct evdeferred *upgrade;
	enum evrwlock_mode mode;
	enum way way;
	bool inside;
	bool has_upgraded; /* or tried to */
};

static unsigned
throw_dice(struct place *place, unsigned sides)
{
	place->dice ^= place->dice << 13;
	place->dice ^= place->dice >> 7;
	place->dice ^= place->dice << 17;
	return (unsigned)(place->dice >> 33) % sides;
}

static void
note(bool good)
{
	if (!good)
		atomic_fetch_add(&wrong, 1);
}

static void
enter(struct worker *worker)
{
	note(!worker->inside);
	worker->inside = true;
	atomic_fetch_add(&entries[worker->mode], 1);
	if (worker->mode == EVRWLOCK_WRITE) {
		note(atomic_fetch_add_explicit(
			 &writers, 1, memory_order_relaxed) == 0);
		note(atomic_load_explicit(&readers, memory_order_relaxed) == 0);
		guarded[0]++;
	} else {
		if (worker->mode == EVRWLOCK_UPGRADABLE)
			note(atomic_fetch_add_explicit(
				 &upgradables, 1, memory_order_relaxed) == 0);
		worker->has_upgraded = false;
		atomic_fetch_add_explicit(&readers, 1, memory_order_relaxed);
		note(atomic_load_explicit(&writers, memory_order_relaxed) == 0);
		note(guarded[0] == guarded[1]);
	}
}

static void
leave(struct worker *worker)
{
	worker->inside = false;
	if (worker->mode == EVRWLOCK_WRITE) {
		guarded[1]++;
		atomic_fetch_sub_explicit(&writers, 1, memory_order_relaxed);
	} else {
		note(guarded[0] == guarded[1]);
		if (worker->mode == EVRWLOCK_UPGRADABLE)
			atomic_fetch_sub_explicit(
			    &upgradables, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&readers, 1, memory_order_relaxed);
	}
}

static void
soon(struct worker *worker)
{
	static const struct timeval now = {0, 0};

	evtimer_add(worker->turn, &now);
}

static struct evresult
on_grant(void *value, void *arg)
{
	struct worker *worker = arg;

	note(value == worker->lock);
	enter(worker);
	soon(worker);
	return evresult_value(NULL);
}

static struct evresult
on_loss(struct evfailure *failure, void *arg)
{
	struct worker *worker = arg;
	const int code = evfailure_get_code(failure);

	note(code == ECANCELED || code == ETIMEDOUT || code == ESHUTDOWN);
	soon(worker);
	return evresult_value(NULL);
}

static struct evresult
on_end(void *value, void *arg)
{
	(void)value;
	soon(arg);
	return evresult_value(NULL);
}

static struct evresult
end_of_body(struct evresult result, void *arg)
{
	leave(arg);
	return result;
}

/* Holds the lock until the next turn, or until the base is closed. */
static struct evresult
body(void *arg)
{
	static const struct timeval now = {0, 0};
	struct worker *worker = arg;
	struct evdeferred *later;

	enter(worker);
	later = evdeferred_later(worker->base, &now, NULL, NULL);
	if (later == NULL) {
		leave(worker);
		return evresult_value(NULL);
	}
	evdeferred_add_both(later, end_of_body, worker);
	return evresult_deferred(later);
}

/* It is alone, but for itself. */
static void
write_upgraded(struct worker *worker)
{
	note(atomic_fetch_add_explicit(&writers, 1, memory_order_relaxed) == 0);
	note(atomic_load_explicit(&readers, memory_order_relaxed) == 1);
	guarded[0]++;
	guarded[1]++;
	atomic_fetch_add(&upgrades, 1);
	atomic_fetch_sub_explicit(&writers, 1, memory_order_relaxed);
	note(
	    evrwlock_release(worker->lock, worker->owner, EVRWLOCK_WRITE) == 0);
}

static struct evresult
on_upgrade(void *value, void *arg)
{
	note(value == ((struct worker *)arg)->lock);
	write_upgraded(arg);
	soon(arg);
	return evresult_value(NULL);
}

/* Some are given up in the next turn. */
static void
upgrade(struct worker *worker)
{
	worker->has_upgraded = true;
	if (throw_dice(worker->place, 2) == 0) {
		if (evrwlock_try_upgrade(worker->lock, worker->owner) == 0)
			write_upgraded(worker);
		else
			note(errno == EBUSY || errno == ESHUTDOWN);
		soon(worker);
		return;
	}
	worker->upgrade = evrwlock_upgrade(worker->lock, worker->owner);
	evdeferred_add_callbacks(worker->upgrade, on_upgrade, on_loss, worker);
	if (throw_dice(worker->place, 4) == 0)
		soon(worker);
}

static void
give_back(struct worker *worker)
{
	leave(worker);
	if (worker->owner != NULL && throw_dice(worker->place, 2) == 0) {
		evowner_free(worker->owner);
		worker->owner = NULL;
	} else {
		note(evrwlock_release(
			 worker->lock, worker->owner, worker->mode) == 0);
	}
}

/* Nothing is left of what it did last. */
static void
clear(struct worker *worker)
{
	evdeferred_free(worker->d);
	worker->d = NULL;
	evdeferred_free(worker->upgrade);
	worker->upgrade = NULL;
	evowner_free(worker->owner);
	worker->owner = NULL;
}

static void
join_group(struct place *place)
{
	if (place->base == NULL)
		place->base = evdefer_base_new(place->loop);
	place->lock = evrwlock_new_in_group(
	    group, place->base, throw_dice(place, 2) == 0 ? EVRWLOCK_FAST : 0);
	note(place->lock != NULL);
}

static void
leave_group(struct place *place, bool with_base)
{
	evrwlock_free(place->lock);
	place->lock = NULL;
	if (!with_base)
		return;
	evdefer_base_free(place->base);
	place->base = NULL;
}

/* Sometimes its lock is closed first, the base first, or both are another. */
static void
change_place(struct place *place)
{
	const unsigned number = throw_dice(place, 300);

	if (number == 0) {
		evdefer_base_free(place->base);
		place->base = NULL;
	}
	if (number > 2)
		return;
	leave_group(place, number == 1);
	join_group(place);
}

static void
ask(struct worker *worker)
{
	static const struct timeval soon_over = {0, 500};
	struct place *place = worker->place;

	if (worker->way == OWNED)
		worker->owner = evowner_new(place->base, NULL);
	if (worker->way == WITH) {
		worker->d = evrwlock_with(worker->lock, NULL, worker->mode,
		    throw_dice(place, 2) == 0 ? &soon_over : NULL, body,
		    worker);
		evdeferred_add_callbacks(worker->d, on_end, on_loss, worker);
		return;
	}
	worker->d = evrwlock_acquire(worker->lock, worker->owner, worker->mode);
	if (worker->way == TIME_OUT_SOON)
		evdeferred_add_timeout(worker->d, &soon_over);
	evdeferred_add_callbacks(worker->d, on_grant, on_loss, worker);
	if (worker->way == CANCEL_SOON && !worker->inside)
		soon(worker);
}

static enum evrwlock_mode
throw_mode(struct place *place)
{
	static const enum evrwlock_mode modes[8] = {
	    EVRWLOCK_WRITE, EVRWLOCK_UPGRADABLE};

	return modes[throw_dice(place, 8)];
}

static void
begin(struct worker *worker)
{
	struct place *place = worker->place;

	clear(worker);
	if (place->left-- <= 0) {
		place->working--;
		return;
	}
	change_place(place);
	worker->base = place->base;
	worker->lock = place->lock;
	worker->way = (enum way)throw_dice(place, WAYS_IN_ALL);
	worker->mode = throw_mode(place);
	if (worker->way != TRY) {
		ask(worker);
		return;
	}
	if (evrwlock_try(worker->lock, NULL, worker->mode) == 0)
		enter(worker);
	else
		note(errno == EBUSY);
	soon(worker);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	if (worker->upgrade != NULL && !evdeferred_has_fired(worker->upgrade)) {
		evdeferred_cancel(worker->upgrade);
	} else if (worker->inside && worker->mode == EVRWLOCK_UPGRADABLE &&
		   worker->way != WITH && !worker->has_upgraded) {
		upgrade(worker);
	} else if (worker->inside && worker->way != WITH) {
		give_back(worker);
		begin(worker);
	} else if (worker->d != NULL && !evdeferred_has_fired(worker->d)) {
		evdeferred_cancel(worker->d);
	} else {
		begin(worker);
	}
}

/* Runs until all workers have ended. */
static void *
run_place(void *arg)
{
	struct place *place = arg;
	struct worker workers[WORKERS];
	int i;

	memset(workers, 0, sizeof(workers));
	place->loop = event_base_new();
	join_group(place);
	place->working = WORKERS;
	for (i = 0; i < WORKERS; i++) {
		workers[i].place = place;
		workers[i].turn =
		    evtimer_new(place->loop, on_turn, &workers[i]);
		soon(&workers[i]);
	}
	event_base_dispatch(place->loop);
	note(place->working == 0);
	leave_group(place, true);
	for (i = 0; i < WORKERS; i++) {
		clear(&workers[i]);
		event_free(workers[i].turn);
	}
	event_base_free(place->loop);
	return NULL;
}

static void
run_places(unsigned long long seed, long each)
{
	struct place places[LOOPS];
	pthread_t threads[LOOPS];
	struct evgroup_stats stats;
	int i;

	memset(places, 0, sizeof(places));
	group = evgroup_new();
	ck_assert_ptr_nonnull(group);
	for (i = 0; i < LOOPS; i++) {
		places[i].dice = seed * LOOPS + (unsigned)i + 1;
		places[i].left = each;
		threads[i] = thread_start(run_place, &places[i]);
	}
	for (i = 0; i < LOOPS; i++)
		thread_join(threads[i]);
	evgroup_get_stats(group, &stats);
	evgroup_free(group);
	ck_assert_int_eq(wrong, 0);
	ck_assert_int_eq(readers + upgradables + writers, 0);
	ck_assert_int_eq(guarded[0], guarded[1]);
	ck_assert_uint_eq(stats.members, 0);
	ck_assert_uint_eq(stats.writing, 0);
	ck_assert_uint_eq(stats.readers_waiting + stats.writers_waiting, 0);
	ck_assert_uint_eq(stats.upgradable + stats.upgradables_waiting, 0);
}

/* Without it, what readers publish is seen too late now and then.  _i: whether the
 * system has it. */
START_TEST(all_threads_pass_a_barrier_when_a_group_closes)
{
	struct evrwlock *lock;
	bool registered;
	int before, i;

	fail_membarrier(_i == 1 ? ENOSYS : 0);
	before = membarriers;
	group = evgroup_new();
	ck_assert_ptr_nonnull(group);
	/* Otherwise it has asked once, or, built for another system, not at all. */
	registered = membarriers > before + 1;
	ck_assert(!registered || _i == 0);
	lock = evrwlock_new_in_group(group, base, 0);
	ck_assert_ptr_nonnull(lock);
	before = membarriers;
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(evrwlock_reader_try(lock), 0);
		ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	}
	ck_assert_int_eq(membarriers, before);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	ck_assert_int_eq(membarriers, before + registered);
	evrwlock_free(lock);
	evgroup_free(group);
}
END_TEST

/*
 * Two members on loops of their own, in one thread.
 */

static struct event_base *other_loop;
static struct evdefer_base *other;
static struct evrwlock *lock, *lock_of_other;

/* Without the barrier, readers have one of their own. */
static void
begin_two(unsigned flags, bool barrier)
{
	fail_membarrier(barrier ? 0 : ENOSYS);
	other_loop = support_new_loop();
	other = evdefer_base_new(other_loop);
	group = evgroup_new();
	ck_assert_ptr_nonnull(group);
	lock = evrwlock_new_in_group(group, base, flags);
	lock_of_other = evrwlock_new_in_group(group, other, 0);
	ck_assert_ptr_nonnull(lock);
	ck_assert_ptr_nonnull(lock_of_other);
}

/* Nobody is inside any more. */
static void
end_two(void)
{
	ck_assert_int_eq(evrwlock_writer_try(lock_of_other), 0);
	ck_assert_int_eq(evrwlock_writer_release(lock_of_other), 0);
	evrwlock_free(lock);
	evrwlock_free(lock_of_other);
	evdefer_base_free(other);
	event_base_free(other_loop);
	evgroup_free(group);
}

START_TEST(a_writer_sees_the_readers_of_others)
{
	begin_two(0, _i == 0);
	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	REFUSED(evrwlock_writer_try(lock_of_other), EBUSY);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	end_two();
}
END_TEST

START_TEST(a_writer_sees_who_reads_without_asking)
{
	struct evdeferred *inside[3];
	int i;

	begin_two(EVRWLOCK_FAST, _i == 0);
	for (i = 0; i < 3; i++) {
		inside[i] = evrwlock_reader_acquire(lock);
		ck_assert(evdeferred_has_fired(inside[i]));
		/* The group closes, and opens again: the next one need not ask. */
		REFUSED(evrwlock_writer_try(lock_of_other), EBUSY);
	}
	for (i = 0; i < 3; i++) {
		REFUSED(evrwlock_writer_try(lock_of_other), EBUSY);
		evdeferred_free(inside[i]);
	}
	end_two();
}
END_TEST

/* They have the right, and their loop has not told them yet. */
START_TEST(a_reader_does_not_pass_those_that_were_let_in)
{
	struct evdeferred *first, *second;

	begin_two(EVRWLOCK_FAST, _i == 0);
	ck_assert_int_eq(evrwlock_writer_try(lock_of_other), 0);
	first = evrwlock_reader_acquire(lock);
	ck_assert_int_eq(evrwlock_writer_release(lock_of_other), 0);
	ck_assert(!evdeferred_has_fired(first));
	second = evrwlock_reader_acquire(lock);
	ck_assert(evdeferred_has_fired(first) || !evdeferred_has_fired(second));
	event_base_loop(loop, EVLOOP_NONBLOCK);
	ck_assert(evdeferred_has_fired(first));
	ck_assert(evdeferred_has_fired(second));
	/* What they were given goes with them. */
	evdeferred_free(first);
	evdeferred_free(second);
	end_two();
}
END_TEST

/* _i: with a barrier for all threads, or one of each reader's own. */
START_TEST(threads_share_and_exclude)
{
	fail_membarrier(_i % 2 == 1 ? ENOSYS : 0);
	run_places((unsigned)_i + 1, (long)(support_scale() / 200));
}
END_TEST

START_TEST(threads_share_and_exclude_for_long)
{
	const char *text = getenv("EVDEFER_STRESS_SECONDS");
	const time_t begin = time(NULL), end = begin + atol(text);
	time_t told = begin, now;
	unsigned long long seed = 1000;

	while ((now = time(NULL)) < end) {
		fail_membarrier(seed % 2 == 1 ? ENOSYS : 0);
		run_places(seed++, 2000);
		if (now == told)
			continue;
		told = now;
		printf("stress: %ld of %s s: %ld reads, %ld writes, "
		       "%ld upgradable, %ld upgrades\n",
		    (long)(now - begin), text, entries[EVRWLOCK_READ],
		    entries[EVRWLOCK_WRITE], entries[EVRWLOCK_UPGRADABLE],
		    upgrades);
		fflush(stdout);
	}
}
END_TEST

int
main(void)
{
	const char *seconds = getenv("EVDEFER_STRESS_SECONDS");
	Suite *suite = suite_create("group_threads");
	TCase *tc = add_case(suite, "threads");

	tcase_add_loop_test(
	    tc, all_threads_pass_a_barrier_when_a_group_closes, 0, 2);
	tcase_add_loop_test(tc, a_writer_sees_the_readers_of_others, 0, 2);
	tcase_add_loop_test(tc, a_writer_sees_who_reads_without_asking, 0, 2);
	tcase_add_loop_test(
	    tc, a_reader_does_not_pass_those_that_were_let_in, 0, 2);
	if (seconds != NULL) {
		tcase_set_timeout(tc, atof(seconds) + 120);
		tcase_add_test(tc, threads_share_and_exclude_for_long);
	} else {
		tcase_set_timeout(tc, 120);
		tcase_add_loop_test(tc, threads_share_and_exclude, 0, 4);
	}
	return threads_main(suite);
}
