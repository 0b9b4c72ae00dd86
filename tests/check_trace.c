/* SPDX-License-Identifier: MIT */
/* evdefer/trace.h.  What a JSON parser makes of a file is in check_trace.sh. */
#include "dice.h"
#include "shortage.h"
#include "waiters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A file in memory.
 */

static struct {
	char text[4 << 20];
	size_t length;
	size_t calls;
	int error; /* with which it fails */
} file;

static int
write_file(const void *data, size_t length, void *arg)
{
	/* No ck_assert(), which allocates. */
	if (arg != &file || file.length + length >= sizeof(file.text))
		abort();
	file.calls++;
	if (file.error != 0) {
		errno = file.error;
		return -1;
	}
	memcpy(file.text + file.length, data, length);
	file.length += length;
	file.text[file.length] = '\0';
	return 0;
}

static struct evtrace *traced;

static void
begin_trace(unsigned flags)
{
	memset(&file, 0, sizeof(file));
	traced = evtrace_new(write_file, &file, flags);
	ck_assert_ptr_nonnull(traced);
	ck_assert_int_eq(evtrace_add(traced, base, "main"), 0);
}

static void
end_trace(void)
{
	ck_assert_int_eq(evtrace_remove(base), 0);
	ck_assert_int_eq(evtrace_free(traced), 0);
}

/* As strstr(), which with AddressSanitizer measures all that is left. */
static const char *
find(const char *at, const char *text)
{
	const size_t length = strlen(text);

	while (
	    (at = strchr(at, *text)) != NULL && strncmp(at, text, length) != 0)
		at++;
	return at;
}

/* How often the text is in the file. */
static int
times(const char *text)
{
	const char *at = file.text;
	int count = 0;

	while ((at = find(at, text)) != NULL) {
		count++;
		at++;
	}
	return count;
}

#define BEGINS times("\"ph\":\"b\"")
#define ENDS times("\"ph\":\"e\"")

/* The bars of one id that are open, by their names. */
struct stack {
	char id[32];
	char names[3][96];
	int depth;
};

static struct stack stacks[4096];
static size_t stack_count;

/* Most are among the last. */
static struct stack *
stack_of(const char *id)
{
	size_t i;

	for (i = stack_count; i > 0; i--)
		if (strcmp(stacks[i - 1].id, id) == 0)
			return &stacks[i - 1];
	ck_assert_uint_lt(stack_count, sizeof(stacks) / sizeof(stacks[0]));
	snprintf(stacks[stack_count].id, sizeof(stacks[0].id), "%s", id);
	return &stacks[stack_count++];
}

/* Checks that all that begins ends, and as it has begun. */
static void
check_nesting(void)
{
	const char *line = file.text;
	char copy[512], phase, id[32], name[96];
	struct stack *stack;
	size_t i;

	memset(stacks, 0, sizeof(stacks));
	stack_count = 0;
	while ((line = find(line, "{\"ph\":")) != NULL) {
		line++;
		/* sscanf() measures all that is left. */
		snprintf(
		    copy, sizeof(copy), "%.*s", (int)strcspn(line, "\n"), line);
		if (sscanf(copy,
			"\"ph\":\"%c\",\"cat\":\"%*[a-z]\",\"id\":\"%31[^\"]\","
			"\"ts\":%*[0-9.],\"pid\":%*d,\"tid\":%*d,"
			"\"name\":\"%95[^\"]\"",
			&phase, id, name) != 3)
			continue;
		stack = stack_of(id);
		if (phase == 'b') {
			ck_assert_int_lt(stack->depth, 2);
			snprintf(stack->names[stack->depth++],
			    sizeof(stack->names[0]), "%s", name);
		} else if (phase == 'e') {
			ck_assert_int_gt(stack->depth, 0);
			ck_assert_str_eq(stack->names[--stack->depth], name);
		}
	}
	for (i = 0; i < stack_count; i++)
		ck_assert_int_eq(stacks[i].depth, 0);
	ck_assert_int_eq(strncmp(file.text, "[\n{", 3), 0);
	ck_assert_str_eq(file.text + file.length - 4, "}\n]\n");
}

/*
 * Making.
 */

START_TEST(bad_arguments_are_refused)
{
	static const struct evobserver none = {0};
	struct evtrace *other;

	REFUSED_NULL(evtrace_new(NULL, NULL, 0), EINVAL);
	REFUSED_NULL(evtrace_new(write_file, &file, 2), EINVAL);
	REFUSED_NULL(evtrace_new_fd(0, 2), EINVAL);
	REFUSED(evtrace_add(NULL, base, NULL), EINVAL);
	REFUSED(evtrace_flush(NULL), EINVAL);
	REFUSED(evtrace_remove(NULL), EINVAL);
	REFUSED(evtrace_flush(base), ENOENT);
	REFUSED(evtrace_remove(base), ENOENT);
	ck_assert_int_eq(evtrace_free(NULL), 0);
	other = evtrace_new(write_file, &file, 0);
	REFUSED(evtrace_add(other, NULL, NULL), EINVAL);
	evdefer_base_set_observer(base, &none, NULL);
	REFUSED(evtrace_add(other, base, NULL), EBUSY);
	evdefer_base_set_observer(base, NULL, NULL);
	ck_assert_int_eq(evtrace_add(other, base, NULL), 0);
	REFUSED(evtrace_add(other, base, NULL), EBUSY);
	REFUSED(evtrace_free(other), EBUSY);
	/* It is found among other parts of the base. */
	evowner_free(new_owner("ann"));
	ck_assert_int_eq(evtrace_flush(base), 0);
	ck_assert_int_eq(evtrace_remove(base), 0);
	REFUSED(evtrace_remove(base), ENOENT);
	ck_assert_int_eq(evtrace_add(other, base, NULL), 0);
	support_free_base();
	ck_assert_int_eq(evtrace_free(other), 0);
}
END_TEST

START_TEST(a_closed_base_is_not_traced)
{
	struct evtrace *other = evtrace_new(write_file, &file, 0);
	struct evrwlock *lock = new_lock(0);
	struct evdefer_base *closed = base;

	support_free_base();
	REFUSED(evtrace_add(other, closed, NULL), ESHUTDOWN);
	evrwlock_free(lock);
	memset(&file, 0, sizeof(file));
	ck_assert_int_eq(evtrace_free(other), 0);
	ck_assert_str_eq(file.text, "[]\n");
}
END_TEST

START_TEST(without_memory_nothing_is_traced)
{
	struct evtrace *other;

	NULL_WITHOUT_MEMORY(evtrace_new(write_file, &file, 0));
	NULL_WITHOUT_MEMORY(evtrace_new_fd(0, 0));
	other = evtrace_new(write_file, &file, 0);
	REFUSED_WITHOUT_MEMORY(evtrace_add(other, base, NULL));
	ck_assert_int_eq(evtrace_add(other, base, NULL), 0);
	ck_assert_int_eq(evtrace_remove(base), 0);
	/* What it keeps for the base is there by now, its buffer is not. */
	REFUSED_WITHOUT_MEMORY(evtrace_add(other, base, NULL));
	ck_assert_int_eq(evtrace_free(other), 0);
}
END_TEST

/*
 * Locks.
 */

START_TEST(a_wait_and_a_hold_stand_in_an_acquire)
{
	struct evrwlock *lock = new_lock(_i);
	struct evowner *ann = new_owner("ann");
	struct waiter waiter;

	ck_assert_int_eq(evrwlock_set_name(lock, "red"), 0);
	begin_trace(0);
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_WRITE), 0);
	wait_with(&waiter, evrwlock_acquire(lock, ann, EVRWLOCK_READ), lock);
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	settle();
	ck_assert_int_eq(evrwlock_release(lock, ann, EVRWLOCK_READ), 0);
	end_trace();
	check_nesting();
	ck_assert_int_eq(BEGINS, 5);
	ck_assert_int_eq(times("\"name\":\"red\",\"args\""), 2);
	ck_assert_int_eq(times("\"name\":\"write\"}"), 2);
	ck_assert_int_eq(times("\"name\":\"waits to read: ann\"}"), 2);
	ck_assert_int_eq(times("\"name\":\"read: ann\"}"), 2);
	ck_assert_int_eq(times("\"owner\":\"ann\"}"), 1);
	ck_assert_int_eq(times("\"owner\":null}"), 1);
	ck_assert_int_eq(times("\"args\":{\"name\":\"main\"}}"), 1);
	evdeferred_free(waiter.d);
	evowner_free(ann);
	evrwlock_free(lock);
}
END_TEST

START_TEST(an_owner_whose_name_is_one_letter_is_named)
{
	struct evrwlock *lock = new_lock(_i);
	struct evowner *owner = new_owner("x");

	begin_trace(0);
	ck_assert_int_eq(evrwlock_try(lock, owner, EVRWLOCK_WRITE), 0);
	ck_assert_int_eq(evrwlock_release(lock, owner, EVRWLOCK_WRITE), 0);
	end_trace();
	check_nesting();
	ck_assert_int_eq(times("\"name\":\"write: x\"}"), 2);
	evowner_free(owner);
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_delivery_is_an_instant_of_its_own)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiter;

	begin_trace(0);
	wait_with(&waiter, evrwlock_reader_acquire(lock), lock);
	ck_assert_int_eq(evtrace_flush(base), 0);
	ck_assert_int_eq(BEGINS, 2);
	ck_assert_int_eq(times("delivered"), _i);
	settle();
	ck_assert_int_eq(evtrace_flush(base), 0);
	ck_assert_int_eq(times("delivered"), 1);
	ck_assert_int_eq(times("\"ph\":\"n\""), 1);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	evdeferred_free(waiter.d);
	end_trace();
	check_nesting();
	evrwlock_free(lock);
}
END_TEST

/* Though nothing else happens in between. */
START_TEST(a_hold_begins_with_its_grant)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiter;
	double asked, granted;

	evrwlock_writer_try(lock);
	begin_trace(0);
	wait_with(&waiter, evrwlock_reader_acquire(lock), lock);
	clock_advance(1000);
	evrwlock_writer_release(lock);
	settle();
	evrwlock_reader_release(lock);
	end_trace();
	check_nesting();
	ck_assert_int_eq(
	    sscanf(strstr(file.text, "\"ts\":"), "\"ts\":%lf", &asked), 1);
	ck_assert_int_eq(
	    sscanf(strstr(strstr(file.text, "\"ph\":\"e\""), "\"ts\":"),
		"\"ts\":%lf", &granted),
	    1);
	ck_assert(granted - asked >= 1e6);
	evdeferred_free(waiter.d);
	evrwlock_free(lock);
}
END_TEST

START_TEST(what_ends_without_the_lock_says_why)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiters[2];
	char error[32];

	begin_trace(0);
	evrwlock_writer_try(lock);
	REFUSED(evrwlock_reader_try(lock), EBUSY);
	wait_with(&waiters[0], evrwlock_writer_acquire(lock), lock);
	wait_with(&waiters[1], evrwlock_reader_acquire(lock), lock);
	evdeferred_cancel(waiters[0].d);
	evrwlock_writer_release(lock);
	evdeferred_free(waiters[1].d);
	if (waiters[1].granted > 0)
		evrwlock_reader_release(lock);
	end_trace();
	check_nesting();
	snprintf(error, sizeof(error), "\"error\":%d}", EBUSY);
	ck_assert_int_eq(times(error), 1);
	snprintf(error, sizeof(error), "\"error\":%d}", ECANCELED);
	ck_assert_int_eq(times(error), _i == 0 ? 2 : 1);
	evdeferred_free(waiters[0].d);
	evrwlock_free(lock);
}
END_TEST

START_TEST(what_is_open_at_the_end_is_ended)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiters[2];

	begin_trace(0);
	evrwlock_writer_try(lock);
	wait_with(&waiters[0], evrwlock_writer_acquire(lock), lock);
	wait_with(&waiters[1], evrwlock_reader_acquire(lock), lock);
	ck_assert_int_eq(evtrace_flush(base), 0);
	ck_assert_int_eq(BEGINS, 6);
	ck_assert_int_eq(ENDS, 0);
	end_trace();
	ck_assert_int_eq(ENDS, 6);
	check_nesting();
	evrwlock_writer_release(lock);
	settle();
	evrwlock_writer_release(lock);
	settle();
	evrwlock_reader_release(lock);
	free_waiters(waiters, 2);
	evrwlock_free(lock);
}
END_TEST

/* Its holds are ended by nobody who was told of them. */
START_TEST(a_base_that_is_freed_ends_its_part)
{
	struct evrwlock *lock = new_lock(_i);

	begin_trace(0);
	evrwlock_writer_try(lock);
	support_free_base();
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evrwlock_free(lock);
	ck_assert_int_eq(evtrace_free(traced), 0);
	check_nesting();
	ck_assert_int_eq(BEGINS, 2);
}
END_TEST

START_TEST(a_hold_from_before_is_left_out)
{
	struct evrwlock *lock = new_lock(_i);
	struct evdeferred *d;

	evrwlock_writer_try(lock);
	d = evrwlock_reader_acquire(lock);
	begin_trace(0);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	evdeferred_free(d);
	end_trace();
	ck_assert_int_eq(BEGINS + ENDS, 0);
	evrwlock_free(lock);
}
END_TEST

START_TEST(semaphores_mutexes_and_queues_have_bars)
{
	struct evsemaphore *semaphore = evsemaphore_new(base, 2, 0);
	struct evmutex *mutex = evmutex_new(base, 0);
	struct evqueue *queue = evqueue_new(base, 4, 4, 0);
	struct evdeferred *d[2];

	begin_trace(0);
	evsemaphore_try(semaphore, NULL);
	evmutex_try(mutex, NULL);
	evqueue_put(queue, evresult_value(NULL));
	d[0] = evqueue_get(queue);
	d[1] = evqueue_get(queue);
	settle();
	evmutex_release(mutex, NULL);
	evsemaphore_release(semaphore, NULL);
	evdeferred_free(d[0]);
	evdeferred_free(d[1]);
	end_trace();
	check_nesting();
	ck_assert_int_eq(BEGINS, 8);
	ck_assert_int_eq(times("\"kind\":\"semaphore\""), 1);
	ck_assert_int_eq(times("\"kind\":\"mutex\""), 1);
	ck_assert_int_eq(times("\"kind\":\"queue\""), 2);
	ck_assert_int_eq(times("\"name\":\"hold\"}"), 4);
	ck_assert_int_eq(times("\"name\":\"waits to get\"}"), 2);
	ck_assert_int_eq(times("\"name\":\"queue 0x"), 4);
	/* That of the second get, which is freed. */
	ck_assert_int_eq(times("\"error\":"), 1);
	evqueue_free(queue);
	evmutex_free(mutex);
	evsemaphore_free(semaphore);
}
END_TEST

START_TEST(an_upgrade_stands_beside_its_hold)
{
	struct evrwlock *lock = new_lock(_i);
	struct evowner *ann = new_owner("ann");
	struct waiter waiter;

	begin_trace(0);
	evrwlock_try(lock, ann, EVRWLOCK_UPGRADABLE);
	evrwlock_reader_try(lock);
	wait_with(&waiter, evrwlock_acquire(lock, ann, EVRWLOCK_WRITE), lock);
	evrwlock_reader_release(lock);
	settle();
	ck_assert_int_eq(waiter.granted, 1);
	evrwlock_release(lock, ann, EVRWLOCK_WRITE);
	ck_assert_int_eq(
	    evrwlock_downgrade(lock, ann, EVRWLOCK_UPGRADABLE, EVRWLOCK_READ),
	    0);
	evrwlock_release(lock, ann, EVRWLOCK_READ);
	evdeferred_free(waiter.d);
	end_trace();
	check_nesting();
	ck_assert_int_eq(times("\"read upgradably: ann\""), 2);
	ck_assert_int_eq(times("\"waits to write: ann\""), 2);
	ck_assert_int_eq(times("\"write: ann\""), 2);
	ck_assert_int_eq(times("\"read: ann\""), 2);
	evowner_free(ann);
	evrwlock_free(lock);
}
END_TEST

START_TEST(names_may_be_anything)
{
	struct evrwlock *lock = new_lock(0);
	struct evowner *owner = new_owner("a\\b\tc\xff\xc3\xa4");
	char name[400];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	begin_trace(0);
	ck_assert_int_eq(evrwlock_set_name(lock, "\"\n\x01"), 0);
	evrwlock_try(lock, owner, EVRWLOCK_READ);
	ck_assert_int_eq(evrwlock_set_name(lock, name), 0);
	/* As it was called when it began. */
	evrwlock_release(lock, owner, EVRWLOCK_READ);
	evrwlock_try(lock, owner, EVRWLOCK_READ);
	evrwlock_release(lock, owner, EVRWLOCK_READ);
	end_trace();
	ck_assert_int_eq(times("\"name\":\"\\\"\\u000a\\u0001\""), 2);
	ck_assert_int_eq(times("\"read: a\\\\b\\u0009c\\ufffd\xc3\xa4\""), 4);
	ck_assert_int_eq(times("\"xxxxxxxx"), 2);
	ck_assert_int_eq(BEGINS, 4);
	ck_assert_int_eq(ENDS, 4);
	evowner_free(owner);
	evrwlock_free(lock);
}
END_TEST

START_TEST(readers_of_one_lock_end_one_by_one)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiters[100];
	int i;

	begin_trace(0);
	evrwlock_writer_try(lock);
	for (i = 0; i < 100; i++)
		wait_with(&waiters[i], evrwlock_reader_acquire(lock), lock);
	evrwlock_writer_release(lock);
	settle();
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	free_waiters(waiters, 100);
	end_trace();
	check_nesting();
	ck_assert_int_eq(BEGINS, 302);
	evrwlock_free(lock);
}
END_TEST

/* Their bars stand in one small table.  Two that differ by the mode alone, by the owner
 * or by the lock are in one place of it again and again: the owners are others each time,
 * since whether two modes meet is a matter of their owner. */
START_TEST(holds_that_meet_in_the_table_are_told_from_each_other)
{
	enum { ROUNDS = 1000, CROWD = 500 };
	static struct evrwlock *locks[ROUNDS];
	static struct evowner *owners[ROUNDS + 1];
	int i;

	for (i = 0; i <= ROUNDS; i++)
		ck_assert_ptr_nonnull(owners[i] = evowner_new(base, NULL));
	begin_trace(0);
	for (i = 0; i < ROUNDS; i++) {
		locks[i] = new_lock(0);
		ck_assert_int_eq(
		    evrwlock_try(locks[i], owners[i], EVRWLOCK_WRITE), 0);
		ck_assert_int_eq(
		    evrwlock_try(locks[i], owners[i], EVRWLOCK_READ), 0);
		ck_assert_int_eq(
		    evrwlock_release(locks[i], owners[i], EVRWLOCK_WRITE), 0);
		ck_assert_int_eq(
		    evrwlock_try(locks[i], owners[i + 1], EVRWLOCK_READ), 0);
		ck_assert_int_eq(
		    evrwlock_release(locks[i], owners[i], EVRWLOCK_READ), 0);
		if (i > 0)
			ck_assert_int_eq(evrwlock_release(locks[i - 1],
					     owners[i], EVRWLOCK_READ),
			    0);
	}
	ck_assert_int_eq(
	    evrwlock_release(locks[i - 1], owners[i], EVRWLOCK_READ), 0);
	/* Two owners that follow each other may never meet, wherever they lie. */
	for (i = 0; i < CROWD; i++)
		ck_assert_int_eq(
		    evrwlock_try(locks[0], owners[i], EVRWLOCK_READ), 0);
	for (i = 0; i < CROWD; i++)
		ck_assert_int_eq(
		    evrwlock_release(locks[0], owners[i], EVRWLOCK_READ), 0);
	end_trace();
	check_nesting();
	ck_assert_int_eq(BEGINS, 2 * (3 * ROUNDS + CROWD));
	ck_assert_int_eq(ENDS, 2 * (3 * ROUNDS + CROWD));
	for (i = 0; i < ROUNDS; i++)
		evrwlock_free(locks[i]);
	for (i = 0; i <= ROUNDS; i++)
		evowner_free(owners[i]);
}
END_TEST

START_TEST(deferreds_are_traced_if_asked_for)
{
	struct evdeferred *before = evdeferred_new(base, NULL, NULL), *d;

	begin_trace(EVTRACE_DEFERREDS);
	d = evdeferred_new(base, NULL, NULL);
	evdeferred_callback(before, NULL);
	evdeferred_free(before);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
	d = evdeferred_new(base, NULL, NULL);
	end_trace();
	check_nesting();
	ck_assert_int_eq(times("\"cat\":\"deferred\""), 5);
	ck_assert_int_eq(times("\"fired\",\"args\":{\"error\":0}"), 1);
	evdeferred_callback(d, NULL);
	evdeferred_free(d);
}
END_TEST

/*
 * Writing.
 */

static void
read_once(struct evrwlock *lock)
{
	ck_assert_int_eq(evrwlock_reader_try(lock), 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
}

START_TEST(a_full_buffer_is_written)
{
	struct evrwlock *lock = new_lock(0);
	int i;

	begin_trace(0);
	for (i = 0; i < 500; i++)
		read_once(lock);
	ck_assert_uint_gt(file.calls, 1);
	ck_assert_uint_lt(file.calls, 10);
	end_trace();
	ck_assert_int_eq(BEGINS, 1000);
	check_nesting();
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_stops_the_trace)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiter;

	begin_trace(EVTRACE_DEFERREDS);
	evrwlock_writer_try(lock);
	wait_with(&waiter, evrwlock_reader_acquire(lock), lock);
	file.error = ENOSPC;
	REFUSED(evtrace_flush(base), ENOSPC);
	file.error = 0;
	evrwlock_writer_release(lock);
	settle();
	ck_assert_int_eq(waiter.granted, 1);
	evrwlock_reader_release(lock);
	evdeferred_free(waiter.d);
	REFUSED(evrwlock_release(lock, NULL, EVRWLOCK_READ), EPERM);
	evrwlock_writer_try(lock);
	wait_with(&waiter, evrwlock_reader_acquire(lock), lock);
	give_up(&waiter, CANCEL);
	evdeferred_free(waiter.d);
	evrwlock_writer_release(lock);
	REFUSED(evtrace_flush(base), ENOSPC);
	REFUSED(evtrace_remove(base), ENOSPC);
	REFUSED(evtrace_free(traced), ENOSPC);
	ck_assert_uint_eq(file.calls, 1);
	evrwlock_free(lock);
}
END_TEST

static int
fail_silently(const void *data, size_t length, void *arg)
{
	(void)data, (void)length, (void)arg;
	errno = 0;
	return -1;
}

START_TEST(a_function_without_a_reason_is_eio)
{
	struct evtrace *other = evtrace_new(fail_silently, NULL, 0);

	ck_assert_int_eq(evtrace_add(other, base, NULL), 0);
	REFUSED(evtrace_remove(base), EIO);
	REFUSED(evtrace_free(other), EIO);
}
END_TEST

START_TEST(a_file_is_written)
{
	FILE *stream = tmpfile();
	struct evrwlock *lock = new_lock(0);

	ck_assert_ptr_nonnull(stream);
	memset(&file, 0, sizeof(file));
	traced = evtrace_new_fd(fileno(stream), 0);
	ck_assert_int_eq(evtrace_add(traced, base, NULL), 0);
	read_once(lock);
	end_trace();
	rewind(stream);
	file.length = fread(file.text, 1, sizeof(file.text) - 1, stream);
	fclose(stream);
	check_nesting();
	ck_assert_int_eq(BEGINS, 2);
	ck_assert_int_eq(times("\"loop 1\""), 1);
	evrwlock_free(lock);
}
END_TEST

/* Stands before that of libc, for the library too. */
static int interrupted_fd = -1;
static int interruptions;

ssize_t
write(int fd, const void *data, size_t length)
{
	if (fd != interrupted_fd)
		return syscall(SYS_write, fd, data, length);
	if (interruptions++ % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_write, fd, data, length > 7 ? 7 : length);
}

START_TEST(what_is_written_in_pieces_is_whole)
{
	FILE *stream = tmpfile();
	struct evrwlock *lock = new_lock(0);

	ck_assert_ptr_nonnull(stream);
	memset(&file, 0, sizeof(file));
	interrupted_fd = fileno(stream);
	traced = evtrace_new_fd(fileno(stream), 0);
	ck_assert_int_eq(evtrace_add(traced, base, NULL), 0);
	read_once(lock);
	end_trace();
	ck_assert_int_gt(interruptions, 20);
	rewind(stream);
	file.length = fread(file.text, 1, sizeof(file.text) - 1, stream);
	fclose(stream);
	check_nesting();
	ck_assert_int_eq(BEGINS, 2);
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_full_disk_is_enospc)
{
	const int fd = open("/dev/full", O_WRONLY);
	struct evtrace *other;

	if (fd == -1)
		return;
	other = evtrace_new_fd(fd, 0);
	ck_assert_int_eq(evtrace_add(other, base, NULL), 0);
	REFUSED(evtrace_flush(base), ENOSPC);
	REFUSED(evtrace_remove(base), ENOSPC);
	REFUSED(evtrace_free(other), ENOSPC);
	close(fd);
}
END_TEST

static struct evrwlock *steady_lock;

static int
steady_round(void)
{
	struct evdeferred *d[8];
	int i, all = 0;

	evrwlock_writer_try(steady_lock);
	for (i = 0; i < 8; i++)
		d[i] = evrwlock_reader_acquire(steady_lock);
	evrwlock_writer_release(steady_lock);
	for (i = 0; i < 8; i++) {
		all += d[i] != NULL;
		evdeferred_free(d[i]);
	}
	file.length = 0;
	return all;
}

START_TEST(in_the_steady_state_it_needs_no_memory)
{
	steady_lock = new_lock(_i);
	begin_trace(EVTRACE_DEFERREDS);
	check_steady_state(steady_round, 8);
	end_trace();
	evrwlock_free(steady_lock);
}
END_TEST

START_TEST(what_there_is_no_memory_for_is_counted)
{
	struct evrwlock *lock = new_lock(0);

	if (!alloc_works()) {
		evrwlock_free(lock);
		return;
	}
	begin_trace(0);
	alloc_fail_at(1, true);
	evrwlock_reader_try(lock);
	alloc_fail_at(2, true); /* the table, then the bar */
	evrwlock_reader_try(lock);
	alloc_fail_at(0, false);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	read_once(lock);
	end_trace();
	ck_assert_int_eq(BEGINS, 2);
	ck_assert_int_eq(ENDS, 2);
	ck_assert_int_eq(times("\"lost\",\"args\":{\"count\":2}"), 1);
	evrwlock_free(lock);
}
END_TEST

START_TEST(what_was_lost_is_lost_to_its_end)
{
	struct evrwlock *lock = new_lock(0), *other = new_lock(0);
	struct evqueue *queue = evqueue_new(base, 1, 1, 0);
	struct evdeferred *d[3];
	int i;

	if (!alloc_works()) {
		evqueue_free(queue);
		evrwlock_free(lock);
		evrwlock_free(other);
		return;
	}
	evrwlock_writer_try(lock);
	ck_assert_int_eq(evdefer_base_reserve(base, 16, 16), 0);
	begin_trace(EVTRACE_DEFERREDS);
	alloc_fail_at(1, true);
	d[0] = evrwlock_reader_acquire(lock);
	d[1] = evrwlock_reader_acquire(lock);
	d[2] = evqueue_get(queue);
	alloc_fail_at(0, false);
	/* There is a table now. */
	read_once(other);
	evdeferred_free(d[0]);
	evrwlock_writer_release(lock);
	ck_assert_int_eq(evqueue_put(queue, evresult_value(NULL)), 0);
	settle();
	for (i = 1; i < 3; i++)
		evdeferred_free(d[i]);
	end_trace();
	ck_assert_int_eq(BEGINS, 2);
	ck_assert_int_eq(ENDS, 2);
	ck_assert_int_eq(times("\"count\":6}"), 1);
	evqueue_free(queue);
	evrwlock_free(lock);
	evrwlock_free(other);
}
END_TEST

/* It only gets slower. */
START_TEST(a_table_that_cannot_grow_is_used_on)
{
	struct evrwlock *lock = new_lock(0);
	int i;

	if (!alloc_works()) {
		evrwlock_free(lock);
		return;
	}
	begin_trace(0);
	for (i = 0; i < 64; i++)
		evrwlock_reader_try(lock);
	for (i = 0; i < 2; i++) {
		alloc_fail_at(1, false);
		evrwlock_reader_try(lock);
	}
	alloc_fail_at(0, false);
	for (i = 0; i < 66; i++)
		evrwlock_reader_release(lock);
	end_trace();
	ck_assert_int_eq(ENDS, BEGINS);
	ck_assert_int_ge(BEGINS, 2 * 64);
	evrwlock_free(lock);
}
END_TEST

START_TEST(two_bases_write_one_file)
{
	struct event_base *other_loop = support_new_loop();
	struct evdefer_base *second = evdefer_base_new(other_loop);
	struct evrwlock *lock = new_lock(0), *theirs = evrwlock_new(second, 0);

	begin_trace(0);
	ck_assert_int_eq(evtrace_add(traced, second, "other"), 0);
	read_once(lock);
	read_once(theirs);
	ck_assert_int_eq(evtrace_flush(base), 0);
	evrwlock_free(theirs);
	evdefer_base_free(second);
	event_base_free(other_loop);
	read_once(lock);
	end_trace();
	check_nesting();
	ck_assert_int_eq(BEGINS, 6);
	ck_assert_int_eq(times("\"ph\":\"M\""), 2);
	ck_assert_int_eq(times("\"id\":\"0x1000000000"), 10);
	ck_assert_int_eq(times("\"id\":\"0x2000000000"), 5);
	evrwlock_free(lock);
}
END_TEST

/*
 * Chance.
 */

#define REQUESTS 12

START_TEST(whatever_is_called_what_begins_ends)
{
	struct evrwlock *locks[2] = {new_lock(0), new_lock(1)};
	struct evowner *owners[3] = {new_owner("ann"), new_owner("bob"), NULL};
	struct evdeferred *d[REQUESTS] = {NULL};
	unsigned k, lock, owner;
	int step;

	dice_seed((uint64_t)_i + 1);
	evdefer_base_set_unhandled(base, ignore_failure, NULL);
	begin_trace(_i % 2 == 0 ? 0 : EVTRACE_DEFERREDS);
	for (step = 0; step < 300; step++) {
		k = dice(REQUESTS);
		lock = dice(2);
		owner = dice(3);
		switch (dice(4)) {
		case 0:
			evdeferred_free(d[k]);
			d[k] = evrwlock_acquire(
			    locks[lock], owners[owner], mode_of((int)dice(2)));
			break;
		case 1:
			evdeferred_cancel(d[k]);
			break;
		case 2:
			evrwlock_release(
			    locks[lock], owners[owner], mode_of((int)dice(2)));
			break;
		default:
			turns(1);
		}
	}
	end_trace();
	check_nesting();
	ck_assert_int_eq(BEGINS, ENDS);
	ck_assert_int_gt(BEGINS, 20);
	for (k = 0; k < REQUESTS; k++)
		evdeferred_free(d[k]);
	for (owner = 0; owner < 3; owner++)
		evowner_free(owners[owner]);
	for (lock = 0; lock < 2; lock++)
		evrwlock_free(locks[lock]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("trace");
	TCase *tc = add_case(suite, "making");

	tcase_add_test(tc, bad_arguments_are_refused);
	tcase_add_test(tc, a_closed_base_is_not_traced);
	tcase_add_test(tc, without_memory_nothing_is_traced);

	tc = add_case(suite, "locks");
	tcase_add_loop_test(tc, a_wait_and_a_hold_stand_in_an_acquire, 0, 2);
	tcase_add_loop_test(
	    tc, an_owner_whose_name_is_one_letter_is_named, 0, 2);
	tcase_add_loop_test(tc, a_delivery_is_an_instant_of_its_own, 0, 2);
	tcase_add_loop_test(tc, a_hold_begins_with_its_grant, 0, 2);
	tcase_add_loop_test(tc, what_ends_without_the_lock_says_why, 0, 2);
	tcase_add_loop_test(tc, what_is_open_at_the_end_is_ended, 0, 2);
	tcase_add_loop_test(tc, a_base_that_is_freed_ends_its_part, 0, 2);
	tcase_add_loop_test(tc, a_hold_from_before_is_left_out, 0, 2);
	tcase_add_test(tc, semaphores_mutexes_and_queues_have_bars);
	tcase_add_loop_test(tc, an_upgrade_stands_beside_its_hold, 0, 2);
	tcase_add_test(tc, names_may_be_anything);
	tcase_add_loop_test(tc, readers_of_one_lock_end_one_by_one, 0, 2);
	tcase_add_test(
	    tc, holds_that_meet_in_the_table_are_told_from_each_other);
	tcase_add_test(tc, deferreds_are_traced_if_asked_for);

	tc = add_case(suite, "writing");
	tcase_add_test(tc, a_full_buffer_is_written);
	tcase_add_loop_test(
	    tc, a_file_that_cannot_be_written_stops_the_trace, 0, 2);
	tcase_add_test(tc, a_function_without_a_reason_is_eio);
	tcase_add_test(tc, a_file_is_written);
	tcase_add_test(tc, what_is_written_in_pieces_is_whole);
	tcase_add_test(tc, a_full_disk_is_enospc);
	tcase_add_test(tc, what_was_lost_is_lost_to_its_end);
	tcase_add_loop_test(tc, in_the_steady_state_it_needs_no_memory, 0, 2);
	tcase_add_test(tc, what_there_is_no_memory_for_is_counted);
	tcase_add_test(tc, a_table_that_cannot_grow_is_used_on);
	tcase_add_test(tc, two_bases_write_one_file);

	tc = add_case(suite, "chance");
	tcase_add_loop_test(tc, whatever_is_called_what_begins_ends, 0, 100);
	return support_main(suite);
}
