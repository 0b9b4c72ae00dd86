/* SPDX-License-Identifier: MIT */
/* evdefer/file.h: who gets in over several locks on one file.  Most tests run once with
 * each way of delivery. */
#include "files.h"
#include "shortage.h"
#include "threads.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ EVRWLOCK_READ
#define WRITE EVRWLOCK_WRITE

/*
 * Making.
 */

START_TEST(bad_arguments_are_refused)
{
	char missing[sizeof(path) + 8];

	REFUSED_NULL(evrwlock_new_on_file(NULL, path, 0), EINVAL);
	REFUSED_NULL(evrwlock_new_on_file(base, NULL, 0), EINVAL);
	REFUSED_NULL(evrwlock_new_on_file(base, path, 0x4u), EINVAL);
	REFUSED_NULL(evrwlock_new_on_file(base, "", 0), ENOENT);
	REFUSED_NULL(evrwlock_new_on_file(base, "/", 0), EISDIR);
	snprintf(missing, sizeof(missing), "%s/lock", path);
	REFUSED_NULL(evrwlock_new_on_file(base, missing, 0), ENOENT);
}
END_TEST

START_TEST(closed_base_is_refused)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);
	struct evdefer_base *b = base;

	ck_assert_ptr_nonnull(d);
	support_free_base();
	REFUSED_NULL(evrwlock_new_on_file(b, path, 0), ESHUTDOWN);
	ck_assert_int_eq(access(path, F_OK), -1);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

START_TEST(file_is_made_as_the_umask_says_and_stays)
{
	const int open_before = descriptors();
	const mode_t before = umask(027);
	struct evrwlock *lock = evrwlock_new_on_file(base, path, 0);
	struct stat status;

	umask(before);
	ck_assert_ptr_nonnull(lock);
	ck_assert_str_eq(evrwlock_get_name(lock), path);
	ck_assert_int_eq(descriptors(), open_before + 1);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0640);
	ck_assert_int_eq(status.st_size, 0);
	evrwlock_free(lock);
	ck_assert_int_eq(descriptors(), open_before);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* fcntl() says so when the first lock is asked for. */
START_TEST(system_or_file_without_locks_is_told)
{
	static const int codes[][2] = {
	    {EINVAL, ENOSYS}, {ENOLCK, ENOLCK}, {EOPNOTSUPP, EOPNOTSUPP}};
	const int open_before = descriptors();

	fail_fcntl(F_OFD_SETLK, codes[_i][0]);
	REFUSED_NULL(evrwlock_new_on_file(base, path, 0), codes[_i][1]);
	fail_fcntl(0, 0);
	ck_assert_int_eq(descriptors(), open_before);
}
END_TEST

static void
make_one(void *arg)
{
	struct evdefer_base *own = evdefer_base_new(loop);

	(void)arg;
	if (own != NULL)
		evrwlock_free(evrwlock_new_on_file(own, path, 0));
	evdefer_base_free(own);
}

/* What SMB says of a byte that is taken. */
START_TEST(spare_byte_may_be_taken)
{
	struct evrwlock *lock;

	fail_fcntl(F_OFD_SETLK, _i == 0 ? EACCES : EAGAIN);
	lock = evrwlock_new_on_file(base, path, 0);
	fail_fcntl(0, 0);
	ck_assert_ptr_nonnull(lock);
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evrwlock_free(lock);
}
END_TEST

START_TEST(new_without_memory_leaves_nothing)
{
	const int open_before = descriptors();
	size_t n = 1;

	while (fails_at(n, false, make_one, NULL))
		n++;
	ck_assert(n > 3 || !alloc_works());
	ck_assert_int_eq(descriptors(), open_before);
}
END_TEST

/* As lockf() does, say; that it is taken does not mean that there are no locks. */
START_TEST(whole_file_may_be_locked_by_others)
{
	struct waiter p;
	int fd = hold_byte(F_WRLCK, 0, 0);

	make_files(_i);
	ck_assert_int_eq(locks_held(), 1);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	REFUSED(evrwlock_reader_try(sites[0].lock), EBUSY);
	want_at(0, &p, WRITE);
	look_until_blocked(1);
	close(fd);
	await_end(0, &p);
	ck_assert_int_eq(p.granted, 1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

/*
 * Who gets in.
 */

START_TEST(readers_share)
{
	struct waiter p[2 * MEMBERS];
	int k;

	make_files(_i);
	for (k = 0; k < 2 * MEMBERS; k++)
		want_at(k % MEMBERS, &p[k], READ);
	look_all();
	for (k = 0; k < 2 * MEMBERS; k++)
		ck_assert_int_eq(p[k].granted, 1);
	ck_assert_int_eq(locks_held(), MEMBERS);
	for (k = 0; k < 2 * MEMBERS; k++)
		ck_assert_int_eq(release_at(k % MEMBERS, READ), 0);
	ck_assert_int_eq(locks_held(), 0);
	free_waiters(p, 2 * MEMBERS);
	free_files();
}
END_TEST

START_TEST(writer_is_alone_and_the_next_writer_comes_before_readers)
{
	struct waiter p[4];

	make_files(_i);
	want_at(0, &p[0], WRITE);
	look_all();
	ck_assert_int_eq(p[0].granted, 1);
	want_at(1, &p[1], READ);
	want_at(2, &p[2], WRITE);
	want_at(0, &p[3], READ);
	look_until_blocked(2);
	ck_assert_int_eq(p[1].ended + p[2].ended + p[3].ended, 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	await_end(2, &p[2]);
	ck_assert_int_eq(p[2].granted, 1);
	look_until_blocked(2);
	ck_assert_int_eq(p[1].ended + p[3].ended, 0);
	ck_assert_int_eq(release_at(2, WRITE), 0);
	await_end(1, &p[1]);
	await_end(0, &p[3]);
	ck_assert_int_eq(p[1].granted + p[3].granted, 2);
	ck_assert_int_eq(release_at(1, READ), 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	free_waiters(p, 4);
	free_files();
}
END_TEST

START_TEST(waiting_writer_holds_back_readers_that_come_after_it)
{
	struct waiter p[4];

	make_files(_i);
	want_at(0, &p[0], READ);
	want_at(1, &p[1], READ);
	look_all();
	want_at(2, &p[2], WRITE);
	/* Right from its acquire, before any loop has looked; also where others
	 * read. */
	REFUSED(evrwlock_reader_try(sites[1].lock), EBUSY);
	want_at(0, &p[3], READ);
	look_until_blocked(2);
	REFUSED(evrwlock_reader_try(sites[0].lock), EBUSY);
	ck_assert(!is_free(F_WRLCK, BYTE_LOCK));
	ck_assert_int_eq(p[2].ended + p[3].ended, 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	look_until_blocked(2);
	ck_assert_int_eq(p[2].ended + p[3].ended, 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	await_end(2, &p[2]);
	ck_assert_int_eq(p[2].granted, 1);
	look_until_blocked(1);
	ck_assert_int_eq(p[3].ended, 0);
	ck_assert_int_eq(release_at(2, WRITE), 0);
	await_end(0, &p[3]);
	ck_assert_int_eq(p[3].granted, 1);
	ck_assert_int_eq(release_at(0, READ), 0);
	free_waiters(p, 4);
	free_files();
}
END_TEST

/* It waits for readers of its own, for which no thread is needed. */
START_TEST(writer_that_waits_for_readers_beside_it_holds_back_all)
{
	struct waiter p[3];

	make_files(_i);
	want_at(0, &p[0], READ);
	look_all();
	want_at(0, &p[1], WRITE);
	look_all();
	await_threads(0);
	want_at(1, &p[2], READ);
	look_until_blocked(1);
	ck_assert_int_eq(p[2].ended, 0);
	ck_assert_int_eq(release_at(0, READ), 0);
	look(0);
	ck_assert_int_eq(p[1].granted, 1);
	ck_assert_int_eq(p[2].ended, 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	await_end(1, &p[2]);
	ck_assert_int_eq(release_at(1, READ), 0);
	free_waiters(p, 3);
	free_files();
}
END_TEST

/* Both wait for readers beside them and for each other. */
START_TEST(writers_with_readers_beside_them_do_not_block_each_other)
{
	struct waiter p[4];
	int first;

	make_files(_i);
	want_at(0, &p[0], READ);
	want_at(1, &p[1], READ);
	look_all();
	want_at(0, &p[2], WRITE);
	want_at(1, &p[3], WRITE);
	look_all();
	ck_assert_int_eq(release_at(0, READ), 0);
	look_until_blocked(1);
	ck_assert_int_eq(p[2].ended, 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	await_end(0, &p[2]);
	first = p[3].ended;
	ck_assert_int_eq(first, 0);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	look(1);
	await_end(1, &p[3]);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	free_waiters(p, 4);
	free_files();
}
END_TEST

START_TEST(try_leaves_no_trace)
{
	make_files(_i);
	ck_assert_int_eq(evrwlock_reader_try(sites[0].lock), 0);
	REFUSED(evrwlock_writer_try(sites[1].lock), EBUSY);
	ck_assert_int_eq(evrwlock_reader_try(sites[2].lock), 0);
	ck_assert_int_eq(locks_held(), 2);
	ck_assert_int_eq(release_at(0, READ), 0);
	ck_assert_int_eq(release_at(2, READ), 0);
	ck_assert_int_eq(evrwlock_writer_try(sites[1].lock), 0);
	REFUSED(evrwlock_reader_try(sites[0].lock), EBUSY);
	REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	ck_assert_int_eq(locks_held(), 0);
	look_all();
	await_threads(0);
	free_files();
}
END_TEST

/* Those in the queue have come before it, and their thread waits again afterwards. */
START_TEST(try_beside_those_that_wait)
{
	struct waiter p;

	make_files(_i);
	ck_assert_int_eq(evrwlock_writer_try(sites[0].lock), 0);
	want_at(1, &p, READ);
	look_until_blocked(1);
	REFUSED(evrwlock_reader_try(sites[1].lock), EBUSY);
	REFUSED(evrwlock_writer_try(sites[1].lock), EBUSY);
	look_until_blocked(1);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	await_end(1, &p);
	ck_assert_int_eq(release_at(1, READ), 0);
	free_waiters(&p, 1);
	free_files();
}
END_TEST

START_TEST(writers_take_turns_after_so_many)
{
	enum { OWN = EVGROUP_PASSES + 10 };
	struct waiter p[OWN], other;
	int i, before = 0;

	make_files(_i);
	for (i = 0; i < OWN; i++)
		want_at(0, &p[i], WRITE);
	want_at(1, &other, WRITE);
	look_until_blocked(1);
	for (i = 0; i < OWN; i++) {
		if (before == 0 && i == EVGROUP_PASSES + 1) {
			ck_assert_int_eq(p[i].ended, 0);
			await_end(1, &other);
			ck_assert_int_eq(other.granted, 1);
			before = i;
			look_until_blocked(1);
			ck_assert_int_eq(release_at(1, WRITE), 0);
		}
		ck_assert_int_eq(other.ended, before > 0);
		await_end(0, &p[i]);
		ck_assert_int_eq(p[i].granted, 1);
		ck_assert_int_eq(release_at(0, WRITE), 0);
	}
	ck_assert_int_eq(before, EVGROUP_PASSES + 1);
	free_waiters(p, OWN);
	free_waiters(&other, 1);
	free_files();
}
END_TEST

/* Where nobody waits elsewhere, nothing is passed on; then it counts from there. */
START_TEST(passes_count_from_when_another_waits)
{
	enum { OWN = 2 * EVGROUP_PASSES + 10 };
	struct waiter p[OWN], other;
	int i, granted = 0;

	make_files(_i);
	for (i = 0; i < OWN; i++)
		want_at(0, &p[i], WRITE);
	for (i = 0; i < EVGROUP_PASSES; i++) {
		await_end(0, &p[i]);
		ck_assert_int_eq(release_at(0, WRITE), 0);
	}
	want_at(1, &other, WRITE);
	look_until_blocked(1);
	for (; other.ended == 0; i++) {
		look_all();
		if (p[i].ended == 0)
			break;
		granted++;
		ck_assert_int_eq(release_at(0, WRITE), 0);
	}
	ck_assert_int_eq(granted, EVGROUP_PASSES + 1);
	await_end(1, &other);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	for (; i < OWN; i++) {
		await_end(0, &p[i]);
		ck_assert_int_eq(release_at(0, WRITE), 0);
	}
	free_waiters(p, OWN);
	free_waiters(&other, 1);
	free_files();
}
END_TEST

/*
 * Owners.
 */

static void
acquire_at(
    int site, struct evowner *owner, struct waiter *p, enum evrwlock_mode mode)
{
	wait_with(p, evrwlock_acquire(sites[site].lock, owner, mode),
	    sites[site].lock);
}

/* One that stays to read lets in others who read, or nobody if some wait to write. */
START_TEST(owner_that_stops_writing_and_reads_on)
{
	struct waiter p[5];
	struct evowner *owner;

	make_files(_i);
	owner = evowner_new(sites[0].base, "an owner");
	acquire_at(0, owner, &p[0], WRITE);
	look_all();
	acquire_at(0, owner, &p[1], READ);
	want_at(1, &p[2], READ);
	look_until_blocked(1);
	ck_assert_int_eq(evrwlock_release(sites[0].lock, owner, WRITE), 0);
	await_end(1, &p[2]);
	ck_assert_int_eq(p[2].granted, 1);
	want_at(2, &p[3], WRITE);
	want_at(0, &p[4], READ);
	look_until_blocked(2);
	ck_assert_int_eq(p[3].ended + p[4].ended, 0);
	ck_assert_int_eq(evrwlock_release(sites[0].lock, owner, READ), 0);
	ck_assert_int_eq(release_at(1, READ), 0);
	await_end(2, &p[3]);
	ck_assert_int_eq(p[4].ended, 0);
	ck_assert_int_eq(release_at(2, WRITE), 0);
	await_end(0, &p[4]);
	ck_assert_int_eq(release_at(0, READ), 0);
	evowner_free(owner);
	free_waiters(p, 5);
	free_files();
}
END_TEST

/* ... and where others wait by then. */
START_TEST(owner_that_reads_on_while_others_wait_to_write)
{
	struct waiter p[4];
	struct evowner *owner;

	make_files(_i);
	owner = evowner_new(sites[0].base, "an owner");
	acquire_at(0, owner, &p[0], WRITE);
	look_all();
	acquire_at(0, owner, &p[1], READ);
	want_at(1, &p[2], WRITE);
	want_at(0, &p[3], READ);
	look_until_blocked(1);
	ck_assert_int_eq(evrwlock_release(sites[0].lock, owner, WRITE), 0);
	look_until_blocked(2);
	ck_assert_int_eq(p[2].ended + p[3].ended, 0);
	ck_assert(!is_free(F_WRLCK, BYTE_LOCK));
	ck_assert(is_free(F_RDLCK, BYTE_LOCK));
	ck_assert_int_eq(evrwlock_release(sites[0].lock, owner, READ), 0);
	await_end(1, &p[2]);
	ck_assert_int_eq(p[3].ended, 0);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	await_end(0, &p[3]);
	ck_assert_int_eq(release_at(0, READ), 0);
	evowner_free(owner);
	free_waiters(p, 4);
	free_files();
}
END_TEST

/* Its turn is over while an owner reads that has written. */
START_TEST(turn_that_ends_beside_readers)
{
	struct waiter p[4];
	struct evowner *owner;
	int i;

	make_files(_i);
	owner = evowner_new(sites[0].base, "an owner");
	acquire_at(0, owner, &p[0], WRITE);
	look_all();
	acquire_at(0, owner, &p[1], READ);
	want_at(0, &p[2], WRITE);
	want_at(1, &p[3], WRITE);
	look_until_blocked(1);
	ck_assert_int_eq(evrwlock_release(sites[0].lock, owner, WRITE), 0);
	/* Each has the lock ask again. */
	for (i = 0; i < EVGROUP_PASSES + 1; i++)
		REFUSED(evrwlock_writer_try(sites[0].lock), EBUSY);
	ck_assert(is_free(F_RDLCK, BYTE_LOCK));
	look_until_blocked(1);
	ck_assert_int_eq(p[2].ended + p[3].ended, 0);
	ck_assert_int_eq(evrwlock_release(sites[0].lock, owner, READ), 0);
	await_end(1, &p[3]);
	ck_assert_int_eq(p[2].ended, 0);
	ck_assert_int_eq(release_at(1, WRITE), 0);
	look(0);
	await_end(0, &p[2]);
	ck_assert_int_eq(release_at(0, WRITE), 0);
	evowner_free(owner);
	free_waiters(p, 4);
	free_files();
}
END_TEST

static void
add_making(Suite *suite)
{
	TCase *tc = add_files_case(suite, "making");

	tcase_add_test(tc, bad_arguments_are_refused);
	tcase_add_test(tc, closed_base_is_refused);
	tcase_add_test(tc, file_is_made_as_the_umask_says_and_stays);
	tcase_add_loop_test(tc, system_or_file_without_locks_is_told, 0, 3);
	tcase_add_loop_test(tc, spare_byte_may_be_taken, 0, 2);
	tcase_add_test(tc, new_without_memory_leaves_nothing);
	tcase_add_loop_test(tc, whole_file_may_be_locked_by_others, 0, 2);
}

static void
add_entering(Suite *suite)
{
	TCase *tc = add_files_case(suite, "entering");

	tcase_add_loop_test(tc, readers_share, 0, 2);
	tcase_add_loop_test(
	    tc, writer_is_alone_and_the_next_writer_comes_before_readers, 0, 2);
	tcase_add_loop_test(
	    tc, waiting_writer_holds_back_readers_that_come_after_it, 0, 2);
	tcase_add_loop_test(
	    tc, writer_that_waits_for_readers_beside_it_holds_back_all, 0, 2);
	tcase_add_loop_test(
	    tc, writers_with_readers_beside_them_do_not_block_each_other, 0, 2);
	tcase_add_loop_test(tc, try_leaves_no_trace, 0, 2);
	tcase_add_loop_test(tc, try_beside_those_that_wait, 0, 2);
	tcase_add_loop_test(tc, writers_take_turns_after_so_many, 0, 2);
	tcase_add_loop_test(tc, passes_count_from_when_another_waits, 0, 2);
	tcase_add_loop_test(tc, owner_that_stops_writing_and_reads_on, 0, 2);
	tcase_add_loop_test(
	    tc, owner_that_reads_on_while_others_wait_to_write, 0, 2);
	tcase_add_loop_test(tc, turn_that_ends_beside_readers, 0, 2);
}

int
main(void)
{
	Suite *suite = suite_create("file");

	add_making(suite);
	add_entering(suite);
	return threads_main(suite);
}
