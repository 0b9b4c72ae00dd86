/* SPDX-License-Identifier: MIT */
/* evdefer/group.h: who gets in over several loops.  Most tests run once with each way
 * of delivery. */
#include "groups.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#define READ EVRWLOCK_READ
#define WRITE EVRWLOCK_WRITE

/* What another thread does, once, while this one waits for a mutex for the n-th time
 * from now on. */
static void (*meanwhile)(void);
static int meanwhile_in;

static void
do_meanwhile(void)
{
	void (*fn)(void) = meanwhile;

	meanwhile = NULL;
	if (fn != NULL)
		fn();
}

typedef int (*mutex_fn)(pthread_mutex_t *);

static int
lock_after_that(mutex_fn *next, const char *name, pthread_mutex_t *mutex)
{
	void *found;

	if (*next == NULL) {
		found = dlsym(RTLD_NEXT, name);
		memcpy(next, &found, sizeof(*next));
	}
	if (meanwhile_in > 0 && --meanwhile_in == 0)
		do_meanwhile();
	return (*next)(mutex);
}

int
pthread_mutex_lock(pthread_mutex_t *mutex)
{
	static mutex_fn next;

	return lock_after_that(&next, "pthread_mutex_lock", mutex);
}

int
pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	static mutex_fn next;

	return lock_after_that(&next, "pthread_mutex_trylock", mutex);
}

/* Before anything is counted: a sanitizer needs memory to find them. */
static void
find_next_mutex_functions(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_mutex_trylock(&mutex);
	pthread_mutex_unlock(&mutex);
}

START_TEST(bad_arguments_are_einval)
{
	struct evgroup_stats stats, none = {0};

	make_group(_i);
	REFUSED_NULL(evrwlock_new_in_group(NULL, base, 0), EINVAL);
	REFUSED_NULL(evrwlock_new_in_group(group, NULL, 0), EINVAL);
	REFUSED_NULL(evrwlock_new_in_group(group, base, 0x4u), EINVAL);
	memset(&stats, 0xff, sizeof(stats));
	evgroup_get_stats(NULL, &stats);
	ck_assert_mem_eq(&stats, &none, sizeof(none));
	evgroup_free(NULL);
	free_group();
}
END_TEST

START_TEST(readers_of_all_members_share_and_wake_nobody)
{
	struct waiter p[2 * MEMBERS];
	int k;

	make_group(_i);
	for (k = 0; k < 2 * MEMBERS; k++)
		want_at(k % MEMBERS, &p[k], READ);
	look_all();
	for (k = 0; k < 2 * MEMBERS; k++)
		ck_assert_int_eq(p[k].granted, 1);
	for (k = 0; k < 2 * MEMBERS; k++)
		ck_assert_int_eq(release_at(k % MEMBERS, READ), 0);
	ck_assert_uint_eq(group_stats().wake_ups, 0);
	ck_assert_uint_eq(group_stats().recalls, 0);
	free_waiters(p, 2 * MEMBERS);
	free_group();
}
END_TEST

/* Two of the loops have nothing to do with it. */
START_TEST(idle_members_are_not_woken)
{
	int i;

	make_group(_i);
	for (i = 0; i < 10; i++) {
		ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
		ck_assert_int_eq(release_at(0, WRITE), 0);
	}
	ck_assert_uint_eq(group_stats().rights, 10);
	ck_assert_uint_eq(group_stats().wake_ups, 0);
	free_group();
}
END_TEST

START_TEST(writer_is_alone_in_all_members)
{
	struct waiter p[4];

	make_group(_i);
	want_at(0, &p[0], WRITE);
	look_all();
	ck_assert_int_eq(p[0].granted, 1);
	want_at(1, &p[1], READ);
	want_at(2, &p[2], WRITE);
	want_at(0, &p[3], READ);
	look_all();
	ck_assert_int_eq(p[1].ended + p[2].ended + p[3].ended, 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	look_all();
	/* The next writer comes before all readers. */
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(p[1].ended + p[3].ended, 0);
	ck_assert_int_eq(release_at(2, WRITE), 0);
	look_all();
	ck_assert_int_eq(p[1].granted + p[3].granted, 2);
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	free_waiters(p, 4);
	free_group();
}
END_TEST

START_TEST(writer_waits_for_readers_of_other_members)
{
	struct waiter p[4];

	make_group(_i);
	want_at(0, &p[0], READ);
	want_at(1, &p[1], READ);
	look_all();
	want_at(2, &p[2], WRITE);
	look_all();
	ck_assert_int_eq(p[2].ended, 0);
	/* And holds back those that come after it. */
	want_at(0, &p[3], READ);
	look_all();
	ck_assert_int_eq(p[3].ended, 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	look_all();
	ck_assert_int_eq(p[2].ended, 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	look_all();
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(p[3].ended, 0);
	ck_assert_int_eq(release_at(2, WRITE), 0);
	look_all();
	ck_assert_int_eq(p[3].granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	free_waiters(p, 4);
	free_group();
}
END_TEST

START_TEST(try_leaves_no_trace)
{
	struct waiter p[2];

	make_group(_i);
	want_at(0, &p[0], READ);
	look_all();
	REFUSED(evrwlock_writer_try(sites[1].lock), EBUSY);
	want_at(2, &p[1], READ);
	look_all();
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_int_eq(release_at(2, READ), 0);
	ck_assert_int_eq(evrwlock_writer_try(sites[1].lock), 0);
	REFUSED(evrwlock_reader_try(sites[0].lock), EBUSY);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	ck_assert_int_eq(evrwlock_reader_try(sites[0].lock), 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_uint_eq(group_stats().writers_waiting, 0);
	ck_assert_uint_eq(group_stats().readers_waiting, 0);
	free_waiters(p, 2);
	free_group();
}
END_TEST

START_TEST(cancel_of_the_only_writer_lets_readers_in)
{
	struct waiter p[3];

	make_group(_i);
	want_at(0, &p[0], READ);
	look_all();
	want_at(1, &p[1], WRITE);
	want_at(2, &p[2], READ);
	look_all();
	ck_assert_int_eq(p[2].ended, 0);
	evdeferred_cancel(p[1].d);
	look_all();
	ck_assert_int_eq(p[1].failed, ECANCELED);
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_int_eq(release_at(2, READ), 0);
	free_waiters(p, 3);
	free_group();
}
END_TEST

/* The right is there, and its member has not looked yet. */
START_TEST(grant_that_was_not_looked_for_can_be_cancelled)
{
	struct waiter p[3];

	make_group(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], WRITE);
	want_at(2, &p[1], READ);
	want_at(0, &p[2], READ);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	evdeferred_cancel(p[0].d);
	evdeferred_cancel(p[1].d);
	ck_assert_int_eq(evrwlock_reader_try(sites[1].lock), 0);
	look_all();
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	REFUSED(evrwlock_writer_try(sites[2].lock), EBUSY);
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_int_eq(evrwlock_writer_try(sites[2].lock), 0);
	ck_assert_int_eq(release_at(2, WRITE), 0);
	free_waiters(p, 3);
	free_group();
}
END_TEST

START_TEST(writers_of_members_take_turns_after_so_many)
{
	enum { OWN = EVGROUP_PASSES + 10 };
	struct waiter p[OWN], other;
	int i, before = 0;

	make_group(_i);
	for (i = 0; i < OWN; i++)
		want_at(0, &p[i], WRITE);
	want_at(1, &other, WRITE);
	for (i = 0; i < OWN; i++) {
		look_all();
		if (other.granted == 1 && before == 0) {
			before = i;
			ck_assert_int_eq(release_at(1, WRITE), 0);
			look_all();
		}
		ck_assert_int_eq(p[i].granted, 1);
		ck_assert_int_eq(release_at(0, WRITE), 0);
	}
	ck_assert_int_eq(before, EVGROUP_PASSES + 1);
	free_waiters(p, OWN);
	free_waiters(&other, 1);
	free_group();
}
END_TEST

/* One whose loop is told that it is its turn passes the lock on as often. */
START_TEST(writers_of_a_member_that_is_woken_have_as_long_a_turn)
{
	enum { OWN = EVGROUP_PASSES + 10 };
	struct waiter p[OWN], first, other;
	int i, before = 0;

	make_group(_i);
	want_at(2, &first, WRITE);
	for (i = 0; i < OWN; i++)
		want_at(0, &p[i], WRITE);
	want_at(1, &other, WRITE);
	look_all();
	ck_assert_int_eq(release_at(2, WRITE), 0);
	for (i = 0; i < OWN; i++) {
		look_all();
		if (other.granted == 1 && before == 0) {
			before = i;
			ck_assert_int_eq(release_at(1, WRITE), 0);
			look_all();
		}
		ck_assert_int_eq(p[i].granted, 1);
		ck_assert_int_eq(release_at(0, WRITE), 0);
	}
	ck_assert_int_eq(before, EVGROUP_PASSES + 1);
	free_waiters(p, OWN);
	free_waiters(&first, 1);
	free_waiters(&other, 1);
	free_group();
}
END_TEST

/* A reader that leaves is followed by none that waits: what comes of the writer that
 * holds others back is no business of those that stay inside. */
START_TEST(loop_of_readers_that_are_inside_is_left_alone)
{
	struct waiter p[3];

	make_group(_i);
	want_at(0, &p[0], READ);
	want_at(0, &p[1], READ);
	look_all();
	want_at(1, &p[2], WRITE);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_uint_eq(group_stats().readers_waiting, 0);
	ck_assert_int_eq(event_base_loop(sites[0].loop, EVLOOP_NONBLOCK), 1);
	give_up(&p[2], CANCEL);
	ck_assert_int_eq(p[2].failed, ECANCELED);
	ck_assert_uint_eq(group_stats().wake_ups, 0);
	/* Nor does the next writer wait for that loop. */
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_int_eq(evrwlock_writer_try(sites[1].lock), 0);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	free_waiters(p, 3);
	free_group();
}
END_TEST

START_TEST(close_fails_waiters_and_lets_others_in)
{
	struct waiter p[3];

	make_group(_i);
	want_at(0, &p[0], READ);
	look_all();
	want_at(1, &p[1], WRITE);
	want_at(2, &p[2], READ);
	evrwlock_free(sites[1].lock);
	sites[1].lock = NULL;
	ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	ck_assert_uint_eq(group_stats().members, MEMBERS - 1);
	look_all();
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_int_eq(release_at(2, READ), 0);
	free_waiters(p, 3);
	free_group();
}
END_TEST

START_TEST(member_with_a_message_under_way_may_be_freed)
{
	struct waiter p[2];

	make_group(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], WRITE);
	want_at(2, &p[1], READ);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	evrwlock_free(sites[1].lock);
	sites[1].lock = NULL;
	ck_assert_int_eq(p[0].failed, ESHUTDOWN);
	look(2);
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(release_at(2, READ), 0);
	free_waiters(p, 2);
	free_group();
}
END_TEST

START_TEST(base_that_is_closed_fails_its_waiters_and_keeps_its_holders)
{
	struct waiter p[4];

	make_group(_i);
	want_at(1, &p[0], READ);
	look_all();
	want_at(2, &p[1], WRITE);
	want_at(1, &p[2], READ);
	want_at(0, &p[3], READ);
	evdefer_base_free(sites[2].base);
	sites[2].base = NULL;
	ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	look_all();
	ck_assert_int_eq(p[2].granted + p[3].granted, 2);
	evdefer_base_free(sites[1].base);
	sites[1].base = NULL;
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert_int_eq(release_at(0, READ), 0);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert_int_eq(release_at(1, READ), 0);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(p, 4);
	free_group();
}
END_TEST

/* With arg, the next that want the first lock. */
static struct evresult
want_more(void *value, void *arg)
{
	struct waiter *p = arg;

	(void)value;
	want_at(0, &p[0], WRITE);
	want_at(0, &p[1], READ);
	return evresult_value(NULL);
}

/* A newcomer has the loop tell those before it, who may be told before that. */
START_TEST(loop_has_nothing_to_tell_those_that_were_told)
{
	struct evdeferred *d;
	struct waiter p[4];

	make_group(_i);
	want_at(0, &p[0], WRITE);
	look_all();
	d = evrwlock_reader_acquire(sites[0].lock);
	ck_assert_int_eq(evdeferred_add_callback(d, want_more, &p[2]), 0);
	want_at(0, &p[1], READ);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	look_all();
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(p[2].ended + p[3].ended, 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	look_all();
	ck_assert_int_eq(p[2].granted, 1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	look_all();
	ck_assert_int_eq(p[3].granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	evdeferred_free(d);
	free_waiters(p, 4);
	free_group();
}
END_TEST

START_TEST(reader_that_is_refused_does_not_count)
{
	struct waiter p[2];

	make_group(_i);
	want_at(1, &p[0], READ);
	look_all();
	ck_assert_int_eq(release_at(1, READ), 0);
	free_waiters(p, 1);
	evdefer_base_free(sites[1].base);
	sites[1].base = NULL;
	want_at(1, &p[1], READ);
	ck_assert_int_eq(p[1].failed, ESHUTDOWN);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(&p[1], 1);
	free_group();
}
END_TEST

START_TEST(loop_stays_while_another_member_holds_what_it_waits_for)
{
	struct waiter p[1];

	make_group(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	ck_assert_int_eq(event_base_loop(sites[1].loop, EVLOOP_NONBLOCK), 1);
	want_at(1, &p[0], READ);
	ck_assert_int_eq(event_base_loop(sites[1].loop, EVLOOP_NONBLOCK), 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	/* Returns when there is nothing left to wait for. */
	ck_assert_int_eq(event_base_dispatch(sites[1].loop), 1);
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(release_at(1, READ), 0);
	free_waiters(p, 1);
	free_group();
}
END_TEST

START_TEST(who_was_let_in_before_the_message_is_told)
{
	struct waiter p[1];

	make_group(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], READ);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	/* Comes after it, though its loop has not looked. */
	ck_assert_int_eq(evrwlock_reader_try(sites[1].lock), 0);
	lock_counts(sites[1].lock, 2, 0, 0, 0);
	ck_assert_int_eq(p[0].ended, 0);
	ck_assert_int_eq(event_base_dispatch(sites[1].loop), 1);
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	free_waiters(p, 1);
	free_group();
}
END_TEST

START_TEST(message_under_way_is_not_sent_again)
{
	struct waiter p[2];
	int i;

	make_group(_i);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
		want_at(1, &p[i], READ);
		ck_assert_int_eq(release_at(0, WRITE), 0);
		/* Its loop does not look, but somebody takes the right. */
		ck_assert_int_eq(evrwlock_reader_try(sites[1].lock), 0);
		ck_assert_int_eq(release_at(1, READ), 0);
		if (p[i].granted == 1)
			ck_assert_int_eq(release_at(1, READ), 0);
		else
			evdeferred_cancel(p[i].d);
	}
	ck_assert_uint_eq(group_stats().wake_ups, 1);
	free_waiters(p, 2);
	free_group();
}
END_TEST

START_TEST(reader_inside_of_a_closed_base_waits_for_nothing)
{
	struct waiter p[1];
	int i;

	make_group(_i);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(evrwlock_reader_try(sites[1].lock), 0);
	want_at(0, &p[0], WRITE);
	evdefer_base_free(sites[1].base);
	sites[1].base = NULL;
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_uint_eq(group_stats().readers_waiting, 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	look_all();
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(p, 1);
	free_group();
}
END_TEST

static struct waiter newcomer;

static void
newcomer_comes(void)
{
	want_at(1, &newcomer, WRITE);
}

/* The reader is seen to have left before it says so. */
START_TEST(who_is_let_in_by_a_newcomer_is_told)
{
	struct waiter p[1];

	make_group(_i);
	ck_assert_int_eq(evrwlock_reader_try(sites[0].lock), 0);
	want_at(1, &p[0], WRITE);
	meanwhile = newcomer_comes;
	meanwhile_in = 1;
	ck_assert_int_eq(release_at(0, READ), 0);
	lock_counts(sites[1].lock, 0, 1, 0, 1);
	look(1);
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	look(1);
	ck_assert_int_eq(newcomer.granted, 1);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	free_waiters(p, 1);
	free_waiters(&newcomer, 1);
	free_group();
}
END_TEST

static void
writer_leaves(void)
{
	ck_assert_int_eq(release_at(0, WRITE), 0);
}

/* _i / 2: when the right comes, while the newcomer asks. */
START_TEST(newcomer_overtakes_nobody)
{
	struct waiter p[1];

	make_group(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p[0], WRITE);
	meanwhile = writer_leaves;
	meanwhile_in = 1 + _i / 2;
	want_at(1, &newcomer, WRITE);
	do_meanwhile();
	look_all();
	ck_assert_int_eq(p[0].granted, 1);
	ck_assert_int_eq(newcomer.ended, 0);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	look_all();
	ck_assert_int_eq(newcomer.granted, 1);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	free_waiters(p, 1);
	free_waiters(&newcomer, 1);
	free_group();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("group");
	TCase *tc = add_group_case(suite, "group");

	find_next_mutex_functions();
	tcase_add_loop_test(tc, bad_arguments_are_einval, 0, 1);
	tcase_add_loop_test(
	    tc, readers_of_all_members_share_and_wake_nobody, 0, 2);
	tcase_add_loop_test(tc, idle_members_are_not_woken, 0, 2);
	tcase_add_loop_test(tc, writer_is_alone_in_all_members, 0, 2);
	tcase_add_loop_test(
	    tc, writer_waits_for_readers_of_other_members, 0, 2);
	tcase_add_loop_test(tc, try_leaves_no_trace, 0, 2);
	tcase_add_loop_test(
	    tc, cancel_of_the_only_writer_lets_readers_in, 0, 2);
	tcase_add_loop_test(
	    tc, grant_that_was_not_looked_for_can_be_cancelled, 0, 2);
	tcase_add_loop_test(
	    tc, writers_of_members_take_turns_after_so_many, 0, 2);
	tcase_add_loop_test(
	    tc, writers_of_a_member_that_is_woken_have_as_long_a_turn, 0, 2);
	tcase_add_loop_test(
	    tc, loop_of_readers_that_are_inside_is_left_alone, 0, 2);
	tcase_add_loop_test(tc, close_fails_waiters_and_lets_others_in, 0, 2);
	tcase_add_loop_test(
	    tc, member_with_a_message_under_way_may_be_freed, 0, 2);
	tcase_add_loop_test(tc,
	    base_that_is_closed_fails_its_waiters_and_keeps_its_holders, 0, 2);
	tcase_add_loop_test(
	    tc, loop_has_nothing_to_tell_those_that_were_told, 0, 2);
	tcase_add_loop_test(tc, reader_that_is_refused_does_not_count, 0, 2);
	tcase_add_loop_test(
	    tc, loop_stays_while_another_member_holds_what_it_waits_for, 0, 2);
	tcase_add_loop_test(
	    tc, who_was_let_in_before_the_message_is_told, 0, 2);
	tcase_add_loop_test(tc, message_under_way_is_not_sent_again, 0, 2);
	tcase_add_loop_test(
	    tc, reader_inside_of_a_closed_base_waits_for_nothing, 0, 2);
	tcase_add_loop_test(tc, who_is_let_in_by_a_newcomer_is_told, 0, 2);
	tcase_add_loop_test(tc, newcomer_overtakes_nobody, 0, 4);
	return support_main(suite);
}
