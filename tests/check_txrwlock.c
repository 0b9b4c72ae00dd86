/* SPDX-License-Identifier: MIT */
/* What txrwlock's own tests ask of its lock: docs/conformance.md has the list.
 * They are coroutines there, and here.  _i is 0 for delivery from the loop and
 * 1 for EVRWLOCK_FAST. */
#include "support.h"

#include <errno.h>

static struct evrwlock *lock;

static void
make_lock(int i)
{
	lock = evrwlock_new(base, i == 0 ? 0 : EVRWLOCK_FAST);
	ck_assert_ptr_nonnull(lock);
}

/* Runs the loop for that long, in steps. */
static void
run_for(int ms)
{
	for (; ms > 0; ms -= 10) {
		turns(3);
		clock_advance(10);
	}
	turns(3);
}

static struct evdeferred *
pause_for(int ms)
{
	struct timeval delay = {ms / 1000, ms % 1000 * 1000};

	return evdeferred_later(base, &delay, NULL, NULL);
}

static struct evresult
two_readers(struct evcoro *co, void *arg)
{
	(void)arg;
	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_reader_acquire(lock));
	EVCORO_AWAIT(co, evrwlock_reader_acquire(lock));
	ck_assert(!evrwlock_is_writing(lock));
	ck_assert(evrwlock_is_reading(lock));
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert(evrwlock_is_reading(lock));
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	EVCORO_RETURN(evresult_value(lock));
	EVCORO_END(co);
}

static struct evresult
one_writer(struct evcoro *co, void *arg)
{
	(void)arg;
	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_writer_acquire(lock));
	ck_assert(evrwlock_is_writing(lock));
	ck_assert(!evrwlock_is_reading(lock));
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	EVCORO_RETURN(evresult_value(lock));
	EVCORO_END(co);
}

static void
check_goes_through(evcoro_fn fn)
{
	struct evcoro co = {0};
	struct seen seen = {0};
	struct evdeferred *d = evcoro_start(base, &co, fn, NULL, NULL);

	ck_assert_ptr_nonnull(d);
	see(d, &seen);
	turns(5);
	ck_assert_ptr_eq(seen.value, lock);
	evdeferred_free(d);
}

START_TEST(lock_is_reading_while_a_reader_is_left)
{
	make_lock(_i);
	check_goes_through(two_readers);
	ck_assert(!evrwlock_is_reading(lock));
	ck_assert(!evrwlock_is_writing(lock));
	evrwlock_free(lock);
}
END_TEST

START_TEST(lock_is_writing_while_the_writer_is_inside)
{
	make_lock(_i);
	ck_assert(!evrwlock_is_writing(lock));
	ck_assert(!evrwlock_is_reading(lock));
	check_goes_through(one_writer);
	ck_assert(!evrwlock_is_writing(lock));
	evrwlock_free(lock);
}
END_TEST

/* A visitor of a number that writers change after they have been inside for a
 * while, and readers read. */
struct visit {
	struct evcoro co;
	int delay;    /* ms until it asks */
	int duration; /* ms inside */
	int number;   /* what it reads or writes */
	bool writes;
	bool over;
};

static int number;

static struct evresult
visit(struct evcoro *co, void *arg)
{
	struct visit *v = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, pause_for(v->delay));
	EVCORO_AWAIT(co, v->writes ? evrwlock_writer_acquire(lock)
				   : evrwlock_reader_acquire(lock));
	EVCORO_AWAIT(co, pause_for(v->duration));
	if (v->writes)
		number = v->number;
	else
		ck_assert_int_eq(number, v->number);
	ck_assert_int_eq(v->writes ? evrwlock_writer_release(lock)
				   : evrwlock_reader_release(lock),
	    0);
	v->over = true;
	EVCORO_END(co);
}

/* Whoever comes behind the second writer sees what that has written, even if
 * it came while the first one was still inside. */
START_TEST(writer_holds_back_the_readers_behind_it)
{
	static struct visit visits[] = {
	    {.delay = 100, .duration = 100, .number = 10},
	    {.delay = 100, .duration = 100, .number = 10},
	    {.delay = 150, .duration = 100, .number = 15, .writes = true},
	    {.delay = 170, .duration = 100, .number = 20, .writes = true},
	    {.delay = 200, .number = 20},
	    {.delay = 260, .number = 20},
	    {.delay = 300, .number = 20},
	};

	enum { COUNT = sizeof(visits) / sizeof(visits[0]) };
	struct evdeferred *d[COUNT], *all;
	struct seen seen = {0};
	int i;

	make_lock(_i);
	number = 10;
	for (i = 0; i < COUNT; i++)
		d[i] =
		    evcoro_start(base, &visits[i].co, visit, &visits[i], NULL);
	all = evdeferred_gather(base, d, COUNT, 0);
	see(all, &seen);
	run_for(600);
	ck_assert_int_eq(seen.values, 1);
	for (i = 0; i < COUNT; i++)
		ck_assert(visits[i].over);
	evresults_free(seen.value);
	evdeferred_free(all);
	evrwlock_free(lock);
}
END_TEST

static struct evresult
fail_while_reading(struct evcoro *co, void *arg)
{
	(void)arg;
	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_reader_acquire(lock));
	EVCORO_RETURN(evresult_fail(EIO, "any failure"));
	EVCORO_FINALLY(co);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	EVCORO_END(co);
}

START_TEST(reader_that_fails_gives_the_lock_back)
{
	struct evcoro co = {0};
	struct seen seen = {0};
	struct evdeferred *d;

	make_lock(_i);
	d = evcoro_start(base, &co, fail_while_reading, NULL, NULL);
	see(d, &seen);
	turns(5);
	ck_assert_int_eq(seen.code, EIO);
	ck_assert(!evrwlock_is_reading(lock));
	evdeferred_free(d);
	evrwlock_free(lock);
}
END_TEST

/* As in txrwlock's manual, the acquire is in the try and the release in the
 * finally. */
struct reader {
	struct evcoro co;
	struct evowner *owner;
	int release_code; /* errno of the release */
};

static struct evresult
read_in_a_try(struct evcoro *co, void *arg)
{
	struct reader *r = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_acquire(lock, r->owner, EVRWLOCK_READ));
	EVCORO_FINALLY(co);
	errno = 0;
	evrwlock_release(lock, r->owner, EVRWLOCK_READ);
	r->release_code = errno;
	EVCORO_END(co);
}

/* In txrwlock it would later let a writer in beside a reader. */
START_TEST(cleanup_of_a_reader_that_never_got_in_releases_nothing)
{
	struct evowner *holder = evowner_new(base, "holder");
	struct reader r = {.owner = evowner_new(base, "reader")};
	struct evdeferred *d, *writer;
	struct seen seen = {0}, written = {0};

	make_lock(_i);
	ck_assert_int_eq(evrwlock_try(lock, holder, EVRWLOCK_READ), 0);
	writer = evrwlock_writer_acquire(lock);
	see(writer, &written);
	d = evcoro_start(base, &r.co, read_in_a_try, &r, NULL);
	see(d, &seen);
	evdeferred_cancel(d);
	turns(3);
	ck_assert_int_eq(seen.code, ECANCELED);
	ck_assert_int_eq(r.release_code, EPERM);
	ck_assert(evrwlock_is_reading(lock));
	ck_assert_int_eq(written.values, 0);
	ck_assert_int_eq(evrwlock_release(lock, holder, EVRWLOCK_READ), 0);
	turns(3);
	ck_assert_ptr_eq(written.value, lock);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evdeferred_free(d);
	evdeferred_free(writer);
	evowner_free(r.owner);
	evowner_free(holder);
	evrwlock_free(lock);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("txrwlock");
	TCase *tc = add_case(suite, "txrwlock");

	tcase_add_loop_test(tc, lock_is_reading_while_a_reader_is_left, 0, 2);
	tcase_add_loop_test(
	    tc, lock_is_writing_while_the_writer_is_inside, 0, 2);
	tcase_add_loop_test(tc, writer_holds_back_the_readers_behind_it, 0, 2);
	tcase_add_loop_test(tc, reader_that_fails_gives_the_lock_back, 0, 2);
	tcase_add_loop_test(
	    tc, cleanup_of_a_reader_that_never_got_in_releases_nothing, 0, 2);
	return support_main(suite);
}
