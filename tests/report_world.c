/* SPDX-License-Identifier: MIT */
/*
 * report_world FORMAT: prints a report of all kinds of locks, with names that have
 * everything in them, with debugging: FORMAT is the number of one.
 */
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <evdefer.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {
    "plain",
    "",
    "quote \" backslash \\ slash / apostrophe '",
    "line\nfeed, tab\t, bell\a, escape \x1b[2J, delete \x7f",
    "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x92",
    "cut off \xe2\x82",
    "too long \xc0\xaf, half of a pair \xed\xa0\x80, too high \xf5\x80\x80\x80",
    "\x80 alone, \xff never, control \xc2\x9b",
    "<b>&amp;</b> \\N \\G {a|b} //",
};

static int
print(const char *text, size_t length, void *arg)
{
	(void)arg;
	return fwrite(text, 1, length, stdout) == length ? 0 : -1;
}

/* Each owner reads its own lock and the next one, and waits to write the one after. */
static void
fill(struct evdefer_base *base, struct evrwlock **locks,
    struct evowner **owners, struct evdeferred **waits)
{
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		locks[i] = evrwlock_new(base, 0);
		owners[i] = evowner_new(base, names[i]);
		evrwlock_set_name(locks[i], names[i]);
	}
	for (i = 0; i < COUNT(names); i++) {
		evrwlock_try(locks[i], owners[i], EVRWLOCK_READ);
		evrwlock_try(
		    locks[(i + 1) % COUNT(names)], owners[i], EVRWLOCK_READ);
		evrwlock_reader_try(locks[i]);
	}
	for (i = 0; i + 2 < COUNT(names); i++)
		waits[i] =
		    evrwlock_acquire(locks[i + 2], owners[i], EVRWLOCK_WRITE);
}

int
main(int argc, char **argv)
{
	const enum evdefer_report_format format =
	    (enum evdefer_report_format)(argc > 1 ? atoi(argv[1]) : 0);
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evdeferred *waits[COUNT(names)] = {NULL}, *report;
	struct evrwlock *locks[COUNT(names)], *member;
	struct evowner *owners[COUNT(names)];
	struct evgroup *group = evgroup_new();
	struct evmutex *mutex;
	struct evsemaphore *semaphore;
	struct evqueue *queue;
	size_t i;

	if (evdefer_base_set_debug(base, true) == -1)
		perror("no debugging");
	fill(base, locks, owners, waits);
	member = evrwlock_new_in_group(group, base, 0);
	mutex = evmutex_new(base, 0);
	semaphore = evsemaphore_new(base, 3, 0);
	queue = evqueue_new(base, 1, 1, 0);
	evrwlock_writer_try(member);
	evmutex_try(mutex, owners[0]);
	evsemaphore_try(semaphore, NULL);
	waits[COUNT(names) - 1] = evqueue_get(queue);
	report = evdefer_base_report(base, format, print, NULL);
	event_base_dispatch(loop);

	evdeferred_free(report);
	for (i = 0; i < COUNT(names); i++)
		evdeferred_free(waits[i]);
	for (i = 0; i < COUNT(names); i++) {
		evowner_free(owners[i]);
		evrwlock_reader_release(locks[i]);
		evrwlock_free(locks[i]);
	}
	evrwlock_writer_release(member);
	evsemaphore_release(semaphore, NULL);
	evrwlock_free(member);
	evgroup_free(group);
	evmutex_free(mutex);
	evsemaphore_free(semaphore);
	evqueue_free(queue);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
