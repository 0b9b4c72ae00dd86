/* SPDX-License-Identifier: MIT */
/* Several owners at once, as the tasks of aiorwlock's tests. */
#include "owners.h"

#include <errno.h>
#include <string.h>

#define TASKS 5

struct task {
	struct evowner *owner;
	struct evdeferred *d[2];
	enum evrwlock_mode outer;
	enum evrwlock_mode inner; /* acquired while it has the outer one */
	bool nests;		  /* whether it does */
	int rounds;
	bool inside;
	int refused;
};

static struct {
	int now[EVRWLOCK_WRITE + 1]; /* inside, by mode */
	int most[EVRWLOCK_WRITE + 1];
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
	bunch.broken |=
	    bunch.now[EVRWLOCK_WRITE] > 1 ||
	    (bunch.now[EVRWLOCK_WRITE] == 1 && bunch.now[EVRWLOCK_READ] > 0);
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

	if (!task->nests)
		return task_inside(value, arg);
	task->d[1] = evrwlock_acquire(locks[0], task->owner, task->inner);
	evdeferred_add_callbacks(task->d[1], task_inside, task_refused, task);
	return evresult_value(NULL);
}

static void
task_begins(struct task *task)
{
	task->d[0] = evrwlock_acquire(locks[0], task->owner, task->outer);
	evdeferred_add_callback(task->d[0], task_goes_on, task);
}

static void
task_leaves(struct task *task)
{
	task->inside = false;
	bunch.now[task->outer]--;
	task->rounds++;
	if (task->nests && task->refused == 0)
		ck_assert_int_eq(
		    evrwlock_release(locks[0], task->owner, task->inner), 0);
	ck_assert_int_eq(
	    evrwlock_release(locks[0], task->owner, task->outer), 0);
	evdeferred_free(task->d[0]);
	evdeferred_free(task->d[1]);
	task->d[0] = task->d[1] = NULL;
}

static void
make_tasks(struct task *tasks, int count, enum evrwlock_mode outer)
{
	memset(tasks, 0, (size_t)count * sizeof(*tasks));
	while (count-- > 0) {
		tasks[count].owner = new_owner(NULL);
		tasks[count].outer = outer;
	}
}

static void
make_tasks_that_nest(struct task *tasks, int count, enum evrwlock_mode outer,
    enum evrwlock_mode inner)
{
	make_tasks(tasks, count, outer);
	while (count-- > 0) {
		tasks[count].inner = inner;
		tasks[count].nests = true;
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
	make_tasks(tasks, TASKS, EVRWLOCK_READ);
	run_tasks(tasks, TASKS);
	ck_assert_int_eq(bunch.most[EVRWLOCK_READ], TASKS);
	done();
}
END_TEST

START_TEST(many_owners_read_while_they_read)
{
	struct task tasks[TASKS];

	make(_i);
	make_tasks_that_nest(tasks, TASKS, EVRWLOCK_READ, EVRWLOCK_READ);
	run_tasks(tasks, TASKS);
	ck_assert_int_eq(bunch.most[EVRWLOCK_READ], TASKS);
	done();
}
END_TEST

START_TEST(many_owners_write_while_they_write)
{
	struct task tasks[TASKS];

	make(_i);
	make_tasks_that_nest(tasks, TASKS, EVRWLOCK_WRITE, EVRWLOCK_WRITE);
	run_tasks(tasks, TASKS);
	ck_assert_int_eq(bunch.most[EVRWLOCK_WRITE], 1);
	done();
}
END_TEST

START_TEST(many_owners_read_while_they_write)
{
	struct task tasks[TASKS];

	make(_i);
	make_tasks_that_nest(tasks, TASKS, EVRWLOCK_WRITE, EVRWLOCK_READ);
	run_tasks(tasks, TASKS);
	ck_assert_int_eq(bunch.most[EVRWLOCK_WRITE], 1);
	done();
}
END_TEST

START_TEST(many_owners_cannot_write_while_they_read)
{
	struct task tasks[TASKS];
	int k;

	make(_i);
	make_tasks_that_nest(tasks, TASKS, EVRWLOCK_READ, EVRWLOCK_WRITE);
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
	make_tasks(tasks, TASKS, EVRWLOCK_READ);
	make_tasks(tasks + TASKS, TASKS, EVRWLOCK_WRITE);
	run_tasks(tasks, 2 * TASKS);
	ck_assert_int_eq(bunch.most[EVRWLOCK_READ], TASKS);
	ck_assert_int_eq(bunch.most[EVRWLOCK_WRITE], 1);
	done();
}
END_TEST

/* The lock is never without a reader until the writer requests it. */
START_TEST(writer_gets_in_among_readers_that_come_again)
{
	struct task tasks[TASKS + 1], *w = &tasks[TASKS];
	int k, turn;

	make(_i);
	memset(&bunch, 0, sizeof(bunch));
	make_tasks(tasks, TASKS, EVRWLOCK_READ);
	make_tasks(w, 1, EVRWLOCK_WRITE);
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
	enum evrwlock_mode mode;
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
	again->d = evrwlock_with(
	    locks[0], again->owner, again->mode, NULL, note_run, again);
}

START_TEST(writer_body_gets_in_among_reader_bodies)
{
	struct again r[TASKS], w;
	int k, turn;

	make(_i);
	memset(r, 0, sizeof(r));
	memset(&w, 0, sizeof(w));
	w.mode = EVRWLOCK_WRITE;
	w.over = true;
	w.owner = ann;
	for (k = 0; k < TASKS; k++) {
		r[k].owner = new_owner(NULL);
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
	struct waiter a[2], r;
	struct seen seen = {0, 0, NULL, 0};
	struct evdeferred *d;

	make(_i);
	get(&a[0], locks[0], ann, EVRWLOCK_WRITE);
	get(&a[1], locks[0], ann, EVRWLOCK_READ);
	d = evrwlock_acquire(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(evdeferred_add_timeout(d, &second), 0);
	see(d, &seen);
	clock_advance(1100);
	settle();
	ck_assert_int_eq(seen.code, ETIMEDOUT);
	lock_counts(locks[0], 1, 1, 0, 0);
	leave(locks[0], ann, EVRWLOCK_READ);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	get(&r, locks[0], bob, EVRWLOCK_READ);
	leave(locks[0], bob, EVRWLOCK_READ);
	evdeferred_free(d);
	free_waiters(a, 2);
	free_waiters(&r, 1);
	done();
}
END_TEST

START_TEST(acquire_cancelled_before_its_delivery_holds_nothing)
{
	struct waiter a;

	make(0);
	request(&a, locks[0], ann, mode_of(_i));
	evdeferred_cancel(a.d);
	settle();
	ck_assert_int_eq(a.failed, ECANCELED);
	lock_counts(locks[0], 0, 0, 0, 0);
	REFUSED(evrwlock_release(locks[0], ann, mode_of(_i)), EPERM);
	free_waiters(&a, 1);
	done();
}
END_TEST

/* ann reads, and wants to write after that; bob waits to write meanwhile. */
START_TEST(reader_that_comes_to_write_stands_behind_the_waiting_writer)
{
	struct waiter r, a, b;

	make(_i);
	get(&r, locks[0], ann, EVRWLOCK_READ);
	request(&b, locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(evrwlock_release(locks[0], ann, EVRWLOCK_READ), 0);
	request(&a, locks[0], ann, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(b.granted, 1);
	ck_assert_int_eq(a.ended, 0);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	ck_assert_int_eq(a.granted, 1);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	free_waiters(&r, 1);
	free_waiters(&a, 1);
	free_waiters(&b, 1);
	done();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("owner_tasks");
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
	return support_main(suite);
}
