/* SPDX-License-Identifier: MIT */
/* Locks on files in several processes. */
#include "files.h"
#include "threads.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ EVRWLOCK_READ
#define WRITE EVRWLOCK_WRITE

START_TEST(processes_share_and_exclude_each_other)
{
	struct peer a, b;
	struct waiter p[2];

	start_peer(&a);
	start_peer(&b);
	make_files(_i);
	ck_assert_int_eq(ask_peer(&a, 'r'), 'r');
	ck_assert_int_eq(ask_peer(&b, 't'), 't');
	ck_assert_int_eq(ask_peer(&b, 'T'), '-');
	want_at(0, &p[0], WRITE);
	look_until_blocked(1);
	ck_assert_int_eq(ask_peer(&a, 't'), '-');
	tell_peer(&b, 'w');
	ck_assert_int_eq(ask_peer(&a, 'R'), 'R');
	ck_assert_int_eq(ask_peer(&b, 'R'), 'R');
	await_end(0, &p[0]);
	want_at(1, &p[1], READ);
	look_until_blocked(2);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	ck_assert_int_eq(hear_peer(&b), 'w');
	ck_assert_int_eq(p[1].ended, 0);
	ck_assert_int_eq(ask_peer(&b, 'W'), 'W');
	await_end(1, &p[1]);
	ck_assert_int_eq(ask_peer(&a, 'r'), 'r');
	ck_assert_int_eq(ask_peer(&a, 'R'), 'R');
	ck_assert_int_eq(release_at(1, READ), 0);
	kill_peer(&a);
	kill_peer(&b);
	free_waiters(p, 2);
	free_files();
}
END_TEST

START_TEST(lock_of_a_killed_holder_is_free_at_once)
{
	struct peer a;
	struct waiter p;

	start_peer(&a);
	make_files(_i);
	ck_assert_int_eq(ask_peer(&a, _i < 2 ? 'w' : 'r'), _i < 2 ? 'w' : 'r');
	want_at(0, &p, WRITE);
	look_until_blocked(1);
	ck_assert_int_eq(p.ended, 0);
	kill_peer(&a);
	await_end(0, &p);
	ck_assert_int_eq(p.granted, 1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

START_TEST(waiter_that_is_killed_holds_nobody_back)
{
	struct peer a, b;

	start_peer(&a);
	start_peer(&b);
	make_files(_i);
	ck_assert_int_eq(evrwlock_reader_try(sites[0].lock), 0);
	tell_peer(&a, 'w');
	await_blocked(1);
	ck_assert_int_eq(ask_peer(&b, 't'), '-');
	tell_peer(&b, 'r');
	await_blocked(2);
	kill_peer(&a);
	ck_assert_int_eq(hear_peer(&b), 'r');
	ck_assert_int_eq(release_at(0, READ), 0);
	kill_peer(&b);
	free_files();
}
END_TEST

/* What is released is free though a child has the descriptor, too. */
START_TEST(child_that_leaves_the_lock_alone_does_not_keep_it)
{
	struct peer child;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	start_peer(&child);
	ck_assert_int_eq(ask_peer(&child, 'T'), '-');
	ck_assert_int_eq(release_at(0, WRITE), 0);
	ck_assert_int_eq(ask_peer(&child, 'T'), 'T');
	ck_assert_int_eq(ask_peer(&child, 'W'), 'W');
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	evrwlock_free(sites[0].lock);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	sites[0].lock = NULL;
	ck_assert_int_eq(ask_peer(&child, 'T'), 'T');
	kill_peer(&child);
	free_files();
}
END_TEST

/* Those that have the old file and those that have the new one: said in the header. */
START_TEST(file_that_was_replaced_is_another_lock)
{
	struct evrwlock *fresh;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	ck_assert_int_eq(unlink(path), 0);
	fresh = evrwlock_new_on_file(base, path, 0);
	ck_assert_ptr_nonnull(fresh);
	ck_assert_int_eq(evrwlock_writer_try(fresh), 0);
	REFUSED(evrwlock_writer_try(sites[1].lock), EBUSY);
	ck_assert_int_eq(evrwlock_writer_release(fresh), 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	evrwlock_free(fresh);
	free_files();
}
END_TEST

/* Two counters that are the same under the lock, and are counted up by all. */
struct table {
	volatile long first, second;
};

enum { PROCESSES = 4, ROUNDS = 200 };

static struct table *table;
static int rounds_left, bad;

static void next_round(struct evrwlock *lock);

static struct evresult
count_up(void *lock, void *arg)
{
	(void)arg;
	bad += table->first != table->second;
	table->first++;
	sched_yield();
	table->second++;
	evrwlock_writer_release(lock);
	next_round(lock);
	return evresult_value(NULL);
}

static struct evresult
compare(void *lock, void *arg)
{
	(void)arg;
	bad += table->first != table->second;
	evrwlock_reader_release(lock);
	next_round(lock);
	return evresult_value(NULL);
}

static void
next_round(struct evrwlock *lock)
{
	const bool reads = rounds_left % 4 != 0;
	struct evdeferred *d;

	if (rounds_left-- == 0)
		return;
	d = reads ? evrwlock_reader_acquire(lock)
		  : evrwlock_writer_acquire(lock);
	evdeferred_add_callback(d, reads ? compare : count_up, NULL);
	evdeferred_detach(d);
}

static void
run_rounds(void)
{
	struct event_base *own = support_new_loop();
	struct evdefer_base *own_base = evdefer_base_new(own);
	struct evrwlock *lock = evrwlock_new_on_file(own_base, path, 0);

	rounds_left = ROUNDS;
	bad = 0;
	next_round(lock);
	event_base_dispatch(own);
	_exit(bad > 0 || rounds_left != -1 ? 1 : 0);
}

START_TEST(processes_count_under_the_lock)
{
	pid_t pids[PROCESSES];
	int k, status;

	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(table != MAP_FAILED);
	for (k = 0; k < PROCESSES; k++) {
		pids[k] = fork();
		ck_assert_int_ne(pids[k], -1);
		if (pids[k] == 0)
			run_rounds();
	}
	for (k = 0; k < PROCESSES; k++) {
		ck_assert_int_eq(waitpid(pids[k], &status, 0), pids[k]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_int_eq(table->first, PROCESSES * ROUNDS / 4);
	ck_assert_int_eq(table->second, PROCESSES * ROUNDS / 4);
	munmap(table, sizeof(*table));
}
END_TEST

static void
add_processes(Suite *suite)
{
	TCase *tc = add_files_case(suite, "processes");

	tcase_add_loop_test(tc, processes_share_and_exclude_each_other, 0, 2);
	tcase_add_loop_test(tc, lock_of_a_killed_holder_is_free_at_once, 0, 4);
	tcase_add_loop_test(tc, waiter_that_is_killed_holds_nobody_back, 0, 2);
	tcase_add_loop_test(
	    tc, child_that_leaves_the_lock_alone_does_not_keep_it, 0, 2);
	tcase_add_loop_test(tc, file_that_was_replaced_is_another_lock, 0, 2);
	tcase_add_test(tc, processes_count_under_the_lock);
}

int
main(void)
{
	Suite *suite = suite_create("file_process");

	add_processes(suite);
	return threads_main(suite);
}
