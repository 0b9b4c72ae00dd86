/* SPDX-License-Identifier: MIT */
/* Upgradable holds of locks on a file: one over all that are on it. */
#include "files.h"
#include "threads.h"

#include <fcntl.h>

#define READ EVRWLOCK_READ
#define UPGRADABLE EVRWLOCK_UPGRADABLE
#define WRITE EVRWLOCK_WRITE

static void
upgrade_at(int site, struct waiter *waiter)
{
	struct evrwlock *lock = sites[site].lock;

	wait_with(waiter, evrwlock_upgrade(lock, NULL), lock);
	waiter->mode = WRITE;
}

static void
leave_at(int site, enum evrwlock_mode mode)
{
	ck_assert_int_eq(release_at(site, mode), 0);
	look_all();
}

static void
end(struct waiter *waiters, int count)
{
	free_waiters(waiters, count);
	ck_assert_int_eq(locks_held(), 0);
	ck_assert_int_eq(locks_waited_for(), 0);
	free_files();
}

START_TEST(one_on_the_whole_file)
{
	struct waiter u[2], r;

	make_files(_i);
	want_at(0, &u[0], UPGRADABLE);
	look_all();
	ck_assert_int_eq(u[0].granted, 1);
	REFUSED(evrwlock_try(sites[1].lock, NULL, UPGRADABLE), EBUSY);
	REFUSED(evrwlock_writer_try(sites[1].lock), EBUSY);
	want_at(1, &u[1], UPGRADABLE);
	look_until_blocked(1);
	/* Readers pass: where one waits, too. */
	want_at(1, &r, READ);
	look_all();
	ck_assert_int_eq(r.granted, 1);
	ck_assert_int_eq(evrwlock_reader_try(sites[2].lock), 0);
	leave_at(2, READ);
	leave_at(1, READ);
	ck_assert_int_eq(u[1].granted, 0);
	leave_at(0, UPGRADABLE);
	await_end(1, &u[1]);
	ck_assert_int_eq(u[1].granted, 1);
	leave_at(1, UPGRADABLE);
	free_waiters(&r, 1);
	end(u, 2);
}
END_TEST

START_TEST(another_process_has_it)
{
	struct waiter u, r;
	int fd = -1;

	make_files(_i);
	/* It reads upgradably: LOCK to share, and the fourth byte alone. */
	ck_assert_int_eq(evrwlock_reader_try(sites[2].lock), 0);
	fd = hold_byte(F_WRLCK, BYTE_WRITERS + 1, 1);
	ck_assert_int_ne(fd, -1);
	want_at(0, &u, UPGRADABLE);
	look_until_blocked(1);
	/* LOCK is not held meanwhile, but by the reader. */
	ck_assert_int_eq(locks_held(), 2);
	want_at(0, &r, READ);
	look_all();
	ck_assert_int_eq(r.granted, 1);
	close(fd);
	await_end(0, &u);
	ck_assert_int_eq(u.granted, 1);
	leave_at(0, READ);
	leave_at(0, UPGRADABLE);
	leave_at(2, READ);
	free_waiters(&r, 1);
	end(&u, 1);
}
END_TEST

START_TEST(it_waits_for_a_writer)
{
	struct waiter w, u[2];

	make_files(_i);
	want_at(0, &w, WRITE);
	look_all();
	want_at(1, &u[0], UPGRADABLE);
	look_until_blocked(1);
	leave_at(0, WRITE);
	await_end(1, &u[0]);
	ck_assert_int_eq(u[0].granted, 1);
	/* One that came while nobody read, and leaves. */
	want_at(2, &u[1], UPGRADABLE);
	look_until_blocked(1);
	give_up(&u[1], CANCEL);
	look_all();
	await_blocked(0);
	leave_at(1, UPGRADABLE);
	free_waiters(&w, 1);
	end(u, 2);
}
END_TEST

/* The one that waits has the turn, and waits for LOCK: the upgrade comes first. */
START_TEST(an_upgrade_comes_before_a_writer_that_waits)
{
	struct waiter u, r[2], w, up;

	make_files(_i);
	want_at(0, &u, UPGRADABLE);
	want_at(1, &r[0], READ);
	look_all();
	want_at(2, &w, WRITE);
	look_until_blocked(1);
	upgrade_at(0, &up);
	REFUSED(evrwlock_try_upgrade(sites[0].lock, NULL), EBUSY);
	look_until_blocked(2);
	REFUSED(evrwlock_reader_try(sites[1].lock), EBUSY);
	leave_at(1, READ);
	await_end(0, &up);
	ck_assert_int_eq(up.granted, 1);
	ck_assert_int_eq(w.granted, 0);
	want_at(1, &r[1], READ);
	look_until_blocked(2);
	leave_at(0, WRITE);
	ck_assert_int_eq(w.granted + r[1].granted, 0);
	leave_at(0, UPGRADABLE);
	await_end(2, &w);
	ck_assert_int_eq(w.granted, 1);
	leave_at(2, WRITE);
	await_end(1, &r[1]);
	leave_at(1, READ);
	free_waiters(&u, 1);
	free_waiters(&w, 1);
	free_waiters(&up, 1);
	end(r, 2);
}
END_TEST

START_TEST(an_upgrade_that_ends_lets_in_readers)
{
	struct waiter u, r[2], up;
	int way;

	for (way = CANCEL; way < WAYS_AT_ONCE; way++) {
		make_files(_i);
		want_at(0, &u, UPGRADABLE);
		want_at(1, &r[0], READ);
		look_all();
		upgrade_at(0, &up);
		look_until_blocked(1);
		want_at(2, &r[1], READ);
		look_until_blocked(2);
		give_up(&up, way);
		await_end(2, &r[1]);
		ck_assert_int_eq(r[1].granted, 1);
		/* It keeps out writers as before. */
		REFUSED(evrwlock_writer_try(sites[2].lock), EBUSY);
		leave_at(2, READ);
		leave_at(1, READ);
		REFUSED(evrwlock_writer_try(sites[2].lock), EBUSY);
		ck_assert_int_eq(evrwlock_try_upgrade(sites[0].lock, NULL), 0);
		REFUSED(evrwlock_reader_try(sites[2].lock), EBUSY);
		leave_at(0, WRITE);
		ck_assert_int_eq(evrwlock_reader_try(sites[2].lock), 0);
		leave_at(2, READ);
		leave_at(0, UPGRADABLE);
		free_waiters(&u, 1);
		free_waiters(&up, 1);
		end(r, 2);
	}
}
END_TEST

/* Those in here leave first. */
START_TEST(an_upgrade_waits_for_a_reader_of_its_own_lock)
{
	struct waiter u, r, up;

	make_files(_i);
	want_at(0, &u, UPGRADABLE);
	want_at(0, &r, READ);
	look_all();
	upgrade_at(0, &up);
	look_all();
	ck_assert_int_eq(up.granted, 0);
	REFUSED(evrwlock_reader_try(sites[1].lock), EBUSY);
	/* What it has of the file is the right to read. */
	ck_assert(is_free(F_RDLCK, BYTE_LOCK));
	leave_at(0, READ);
	ck_assert_int_eq(up.granted, 1);
	leave_at(0, WRITE);
	leave_at(0, UPGRADABLE);
	free_waiters(&r, 1);
	free_waiters(&up, 1);
	end(&u, 1);
}
END_TEST

START_TEST(downgrades)
{
	struct waiter w, u, r;

	make_files(_i);
	want_at(0, &w, WRITE);
	look_all();
	want_at(1, &u, UPGRADABLE);
	want_at(2, &r, READ);
	look_until_blocked(2);
	ck_assert_int_eq(
	    evrwlock_downgrade(sites[0].lock, NULL, WRITE, UPGRADABLE), 0);
	await_end(2, &r);
	look_all();
	ck_assert_int_eq(u.granted, 0);
	ck_assert_int_eq(
	    evrwlock_downgrade(sites[0].lock, NULL, UPGRADABLE, READ), 0);
	await_end(1, &u);
	ck_assert_int_eq(u.granted, 1);
	REFUSED(evrwlock_writer_try(sites[2].lock), EBUSY);
	leave_at(0, READ);
	leave_at(1, UPGRADABLE);
	leave_at(2, READ);
	free_waiters(&w, 1);
	free_waiters(&r, 1);
	end(&u, 1);
}
END_TEST

/* Somebody has the fourth byte, and is about to try LOCK.  Then it stays alone. */
START_TEST(a_downgrade_while_somebody_is_about_to_read)
{
	int fd;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	fd = hold_byte(F_WRLCK, BYTE_WRITERS + 1, 1);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(
	    evrwlock_downgrade(sites[0].lock, NULL, WRITE, UPGRADABLE), 0);
	REFUSED(evrwlock_reader_try(sites[1].lock), EBUSY);
	close(fd);
	/* It looks again with whatever it does next. */
	ck_assert_int_eq(evrwlock_reader_try(sites[0].lock), 0);
	ck_assert_int_eq(evrwlock_reader_try(sites[1].lock), 0);
	REFUSED(evrwlock_try(sites[1].lock, NULL, UPGRADABLE), EBUSY);
	leave_at(1, READ);
	leave_at(0, READ);
	leave_at(0, UPGRADABLE);
	end(NULL, 0);
}
END_TEST

/* The lock has stayed alone, and is upgraded while others of its own read. */
START_TEST(an_upgrade_while_somebody_is_about_to_read)
{
	struct waiter up;
	int fd;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	fd = hold_byte(F_WRLCK, BYTE_WRITERS + 1, 1);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(
	    evrwlock_downgrade(sites[0].lock, NULL, WRITE, UPGRADABLE), 0);
	ck_assert_int_eq(evrwlock_reader_try(sites[0].lock), 0);
	REFUSED(evrwlock_try_upgrade(sites[0].lock, NULL), EBUSY);
	upgrade_at(0, &up);
	look_all();
	ck_assert_int_eq(up.granted, 0);
	close(fd);
	leave_at(0, READ);
	ck_assert_int_eq(up.granted, 1);
	leave_at(0, WRITE);
	leave_at(0, UPGRADABLE);
	end(&up, 1);
}
END_TEST

/* A reader elsewhere that has waited has WRITERS alone, for a moment.  _i / 2: one of
 * its own reads as well. */
START_TEST(an_upgrade_while_a_reader_is_about_to_enter)
{
	struct waiter up;
	int fd;

	make_files(_i);
	ck_assert_int_eq(evrwlock_try(sites[0].lock, NULL, UPGRADABLE), 0);
	if (_i / 2 == 1)
		ck_assert_int_eq(evrwlock_reader_try(sites[0].lock), 0);
	fd = hold_byte(F_WRLCK, BYTE_WRITERS, 1);
	ck_assert_int_ne(fd, -1);
	upgrade_at(0, &up);
	look_until_blocked(1);
	ck_assert_int_eq(up.granted, 0);
	close(fd);
	await_blocked(0);
	if (_i / 2 == 1) {
		look_all();
		ck_assert_int_eq(up.granted, 0);
		leave_at(0, READ);
	}
	await_end(0, &up);
	ck_assert_int_eq(up.granted, 1);
	leave_at(0, WRITE);
	leave_at(0, UPGRADABLE);
	end(&up, 1);
}
END_TEST

START_TEST(readers_do_not_wait_for_one_to_be_upgradable)
{
	struct waiter u, r;
	int fd;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[1].lock), 0);
	fd = hold_byte(F_WRLCK, BYTE_WRITERS + 1, 1);
	ck_assert_int_ne(fd, -1);
	want_at(0, &r, READ);
	want_at(0, &u, UPGRADABLE);
	look_until_blocked(1);
	leave_at(1, WRITE);
	await_end(0, &r);
	ck_assert_int_eq(r.granted, 1);
	ck_assert_int_eq(u.granted, 0);
	close(fd);
	await_end(0, &u);
	ck_assert_int_eq(u.granted, 1);
	leave_at(0, READ);
	leave_at(0, UPGRADABLE);
	free_waiters(&r, 1);
	end(&u, 1);
}
END_TEST

START_TEST(a_writer_before_one_that_waits_to_be_upgradable)
{
	struct waiter u, w;
	int fd;

	make_files(_i);
	fd = hold_byte(F_WRLCK, BYTE_WRITERS + 1, 1);
	ck_assert_int_ne(fd, -1);
	want_at(0, &u, UPGRADABLE);
	look_until_blocked(1);
	want_at(0, &w, WRITE);
	look_all();
	ck_assert_int_eq(w.granted, 1);
	ck_assert_int_eq(u.granted, 0);
	close(fd);
	leave_at(0, WRITE);
	await_end(0, &u);
	ck_assert_int_eq(u.granted, 1);
	leave_at(0, UPGRADABLE);
	free_waiters(&w, 1);
	end(&u, 1);
}
END_TEST

START_TEST(what_cannot_be_waited_for)
{
	struct waiter u[2];

	make_files(_i);
	want_at(0, &u[0], UPGRADABLE);
	look_all();
	want_at(1, &u[1], UPGRADABLE);
	fail_fcntl(F_OFD_SETLKW, ENOLCK);
	await_end(1, &u[1]);
	fail_fcntl(0, 0);
	ck_assert_int_eq(u[1].failed, ENOLCK);
	leave_at(0, UPGRADABLE);
	free_waiters(&u[0], 1);
	end(&u[1], 1);
}
END_TEST

START_TEST(an_upgrade_that_cannot_be_waited_for)
{
	struct waiter u, r, up;

	make_files(_i);
	want_at(0, &u, UPGRADABLE);
	want_at(1, &r, READ);
	look_all();
	upgrade_at(0, &up);
	fail_fcntl(F_OFD_SETLKW, ENOLCK);
	await_end(0, &up);
	fail_fcntl(0, 0);
	ck_assert_int_eq(up.failed, ENOLCK);
	/* The hold is as it was. */
	leave_at(1, READ);
	REFUSED(evrwlock_writer_try(sites[1].lock), EBUSY);
	ck_assert_int_eq(evrwlock_try_upgrade(sites[0].lock, NULL), 0);
	leave_at(0, WRITE);
	leave_at(0, UPGRADABLE);
	free_waiters(&r, 1);
	free_waiters(&up, 1);
	end(&u, 1);
}
END_TEST

START_TEST(the_end_of_a_lock)
{
	struct waiter u[2], up;

	make_files(_i);
	want_at(0, &u[0], UPGRADABLE);
	look_all();
	ck_assert_int_eq(evrwlock_reader_try(sites[2].lock), 0);
	want_at(1, &u[1], UPGRADABLE);
	upgrade_at(0, &up);
	look_until_blocked(2);
	evrwlock_free(sites[1].lock);
	evrwlock_free(sites[0].lock);
	sites[1].lock = sites[0].lock = NULL;
	look_all();
	ck_assert_int_eq(u[1].failed, ESHUTDOWN);
	ck_assert_int_eq(up.failed, ESHUTDOWN);
	ck_assert_int_eq(evrwlock_release(u[0].value, NULL, UPGRADABLE), 0);
	leave_at(2, READ);
	ck_assert_int_eq(evrwlock_writer_try(sites[2].lock), 0);
	leave_at(2, WRITE);
	free_waiters(&up, 1);
	end(u, 2);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("file_upgradable");
	TCase *tc = add_files_case(suite, "upgradable");

	tcase_add_loop_test(tc, one_on_the_whole_file, 0, 2);
	tcase_add_loop_test(tc, another_process_has_it, 0, 2);
	tcase_add_loop_test(tc, it_waits_for_a_writer, 0, 2);
	tcase_add_loop_test(
	    tc, an_upgrade_comes_before_a_writer_that_waits, 0, 2);
	tcase_add_loop_test(tc, an_upgrade_that_ends_lets_in_readers, 0, 2);
	tcase_add_loop_test(
	    tc, an_upgrade_waits_for_a_reader_of_its_own_lock, 0, 2);
	tcase_add_loop_test(tc, downgrades, 0, 2);
	tcase_add_loop_test(
	    tc, a_downgrade_while_somebody_is_about_to_read, 0, 2);
	tcase_add_loop_test(
	    tc, an_upgrade_while_somebody_is_about_to_read, 0, 2);
	tcase_add_loop_test(
	    tc, an_upgrade_while_a_reader_is_about_to_enter, 0, 4);
	tcase_add_loop_test(
	    tc, readers_do_not_wait_for_one_to_be_upgradable, 0, 2);
	tcase_add_loop_test(
	    tc, a_writer_before_one_that_waits_to_be_upgradable, 0, 2);
	tcase_add_loop_test(tc, what_cannot_be_waited_for, 0, 2);
	tcase_add_loop_test(tc, an_upgrade_that_cannot_be_waited_for, 0, 2);
	tcase_add_loop_test(tc, the_end_of_a_lock, 0, 2);
	return threads_main(suite);
}
