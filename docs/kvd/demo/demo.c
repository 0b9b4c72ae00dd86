/* SPDX-License-Identifier: MIT */
/*
 * What the readers-writer lock is good for, shown on the daemon kvd by real
 * clients over real sockets:
 *
 *	demo PATH-TO-KVD
 *
 * It starts kvd on a free port of the loopback interface and in a directory
 * that it removes again, however it ends.  The exit status is 0 if all that it
 * claims was seen, 1 if not, 2 if it could not be run.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "say.h"
#include "supervise.h"

#define LOCKED_SECONDS 8
#define UNLOCKED_SECONDS 6
#define CRASH_SECONDS 4
#define OTHER_SECONDS 5 /* to fill the table, to start kvd, to count */

static void
print_table(const struct figures *locked, const struct figures *unlocked)
{
	const struct figures *rows[] = {locked, unlocked};
	const char *const names[] = {"with the lock", "without the lock"};
	const int seconds[] = {LOCKED_SECONDS, UNLOCKED_SECONDS};

	printf("   %-17s %9s %9s %12s %14s %10s\n", "", "reads/s", "writes/s",
	    "torn reads", "longest queue", "SNAPSHOT");
	for (int i = 0; i < 2; i++)
		printf("   %-17s %9s %9s %12s %14s %7.0f ms\n", names[i],
		    grouped(rows[i]->reads / seconds[i]),
		    grouped(rows[i]->writes / seconds[i]),
		    grouped(rows[i]->torn), grouped(rows[i]->longest_queue),
		    rows[i]->snapshot_ms);
}

static void
introduce(void)
{
	printf("kvd is a small key-value daemon on libevent.  A write is on "
	       "disk before it is\nanswered, and the loop goes on "
	       "meanwhile: PING, INFO and LOCK are answered at once.\n"
	       "A GET waits until the write is on disk, for half of it may "
	       "be there already, and\nthat is what the readers-writer lock "
	       "of libevdefer is for: who asks for the data\nwaits in its "
	       "queue, and the loop never does.\n\n"
	       "   table    %s keys on 127.0.0.1, in %s\n"
	       "   writers  %d clients that MSET two keys to one number\n"
	       "   readers  %d clients that MGET the two; two different "
	       "numbers are a torn read\n\n"
	       "This takes about %d seconds.  Each second a line says\n\n"
	       "   reads/s      MGETs that were answered in that second\n"
	       "   writes/s     MSETs that were on disk, and answered\n"
	       "   torn         torn reads, from the beginning\n"
	       "   queue up to  the most clients that waited for the lock at "
	       "once\n",
	    grouped(KEYS), supervise_directory(), WRITERS, READERS,
	    LOCKED_SECONDS + UNLOCKED_SECONDS + CRASH_SECONDS + OTHER_SECONDS);
}

static void
tell_what_next(const char *program)
{
	char *path = realpath(program, NULL);

	printf("\nTo try next:\n\n"
	       "   '%s' --dir=\"$(mktemp -d)\"\n"
	       "                        kvd for yourself; in another terminal\n"
	       "   redis-cli -p 6380    SET a 1, INFO, LOCK a WRITE; "
	       "docs/kvd/README.md\n"
	       "   ./bootstrap check    the tests, some minutes\n"
	       "   docs/tutorial.md     from nothing to a daemon that locks\n",
	    path == NULL ? program : path);
	free(path);
}

static bool
show_lock(struct load *load)
{
	struct figures locked, unlocked;
	bool held;

	printf("\n1. With the lock, for %d seconds; in the middle a SNAPSHOT "
	       "of the whole table.\n\n",
	    LOCKED_SECONDS);
	locked = load_measure(load, NULL, LOCKED_SECONDS);
	printf("\n2. The same without it (kvd --no-lock), for %d seconds.\n\n",
	    UNLOCKED_SECONDS);
	unlocked = load_measure(load, "--no-lock", UNLOCKED_SECONDS);
	printf("\n   The two side by side, with the longest queue of all and "
	       "the time of the SNAPSHOT:\n\n");
	print_table(&locked, &unlocked);
	putchar('\n');
	held =
	    verdict(locked.reads > 0 && locked.writes > 0 && locked.torn == 0,
		"with the lock: %s torn of %s reads", grouped(locked.torn),
		grouped(locked.reads));
	held &= verdict(unlocked.torn > 0,
	    "without it, there were some: %s torn of %s reads",
	    grouped(unlocked.torn), grouped(unlocked.reads));
	held &= verdict(locked.snapshot_ms > 0,
	    "the SNAPSHOT was made among them, in %.0f ms", locked.snapshot_ms);
	held &= verdict(locked.errors + unlocked.errors == 0,
	    "%s replies were errors", grouped(locked.errors + unlocked.errors));
	return held;
}

static bool
show_crash(struct load *load)
{
	long acked, found;
	double begin;

	printf("\n3. %d clients write key after key for %d seconds, then "
	       "kill -9, and a new start.\n\n",
	    WRITERS, CRASH_SECONDS);
	acked = load_crash(load, CRASH_SECONDS);
	begin = seconds_now();
	daemon_start(&load->daemon, NULL);
	printf("\n   killed, and ready again %.0f ms after the new start\n\n",
	    (seconds_now() - begin) * 1e3);
	found = load_count_found(load);
	daemon_end(&load->daemon, SIGTERM);
	return verdict(acked > 0 && found == acked,
	    "acknowledged before the kill: %s writes, found again: %s",
	    grouped(acked), grouped(found));
}

/* The demo itself; the exit status. */
static int
run(const char *program)
{
	static struct load load;
	double begin = seconds_now();
	bool held;

	signal(SIGPIPE, SIG_IGN);
	load.daemon.program = program;
	load.base = event_base_new();
	if (load.base == NULL)
		die("no event_base");
	introduce();
	load_fill_table(&load);
	held = show_lock(&load);
	held &= show_crash(&load);
	event_base_free(load.base);
	printf("\n%s, in %.0f seconds.\n",
	    held ? "All of it held" : "NOT all of it held",
	    seconds_now() - begin);
	tell_what_next(program);
	return held ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	static const char usage[] = "usage: demo PATH-TO-KVD\n";

	if (argc == 2 &&
	    (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		printf("%sWhat the readers-writer lock is good for, shown on "
		       "the daemon kvd.\n",
		    usage);
		return EXIT_SUCCESS;
	}
	if (argc != 2) {
		fputs(usage, stderr);
		return 2;
	}
	if (access(argv[1], X_OK) != 0)
		die("%s: %s", argv[1], strerror(errno));
	return supervise(run, argv[1]);
}
