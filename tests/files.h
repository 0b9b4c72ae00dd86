/* SPDX-License-Identifier: MIT */
/*
 * What the tests of locks on files share: loops in one thread, each with a lock on the
 * same file, and other processes that have one, too.
 *
 * None of them sleeps.  That somebody waits in the kernel is seen in /proc/locks.
 */
#ifndef TESTS_FILES_H
#define TESTS_FILES_H

#include <signal.h>
#include <sys/types.h>

#include "groups.h"
#include "threads.h"

/* What the library locks of the file. */
enum { BYTE_LOCK, BYTE_TURN, BYTE_WRITERS };

/* The file, which is not there before a test makes a lock. */
extern char path[64];

/* The fixture: make_files() has each of the sites have a lock on the file. */
void make_files(int i);
void free_files(void);

/* Has all loops look, and waits until so many requests wait in the kernel. */
void look_until_blocked(int count);

/* Waits until the loop of a site has told the waiter of its end. */
void await_end(int site, const struct waiter *waiter);

/* What the kernel has of the file: locks that are held, and requests that wait. */
int locks_held(void);
int locks_waited_for(void);

/* Waits until so many do. */
void await_blocked(int count);

/* Waits until there are so many threads more than before the test: one that was joined
 * may be seen for a moment. */
void await_threads(int count);

/* A lock of the kernel's that the library knows nothing of.  -1 if it is not to be
 * had; and whether it would be. */
int hold_byte(short type, off_t byte, off_t count);
bool is_free(short type, off_t byte);

/*
 * Another process, which does one thing after the other: 'r' and 'w' acquire, 'R' and
 * 'W' release, 't' and 'T' try to read and to write.  It answers with the same letter
 * when that is done, or with '-' if it was refused.
 */
struct peer {
	pid_t pid;
	int to, from;
};
void start_peer(struct peer *peer);
void tell_peer(const struct peer *peer, char what);
char hear_peer(const struct peer *peer);
char ask_peer(const struct peer *peer, char what);
void kill_peer(struct peer *peer);

/*
 * Two functions of libc are the program's own here, and hand on to it.
 */

/* From now on fcntl() with this command fails with this code; 0 ends it. */
void fail_fcntl(int command, int code);

/* Where a thread is held after it has waited in the kernel, or NULL. */
extern struct gate *_Atomic volatile wait_gate;

/* Called at the next signal to a thread, in its place or before it. */
extern void (*instead_of_kill)(void);
extern void (*before_kill)(void);

TCase *add_files_case(Suite *suite, const char *name);

#endif
