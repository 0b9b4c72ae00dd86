/* SPDX-License-Identifier: MIT */
/* The daemon under test: starting it, ending it, and its files. */
#ifndef TESTS_KVD_PROCESS_H
#define TESTS_KVD_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define KVD_PATH_MAX 512
#define KVD_TEXT_MAX 8192

/* What to end an argument list of kvd_start() with. */
#define KVD_END ((const char *)NULL)

struct kvd {
	pid_t pid; /* 0 when it does not run */
	int port;
	int output;	 /* read end of its stdout */
	unsigned closed; /* bit n: start it with descriptor n closed */

	bool on_test_disk; /* start it with a disk that obeys the test */
	char disk[KVD_PATH_MAX];
	int stopped; /* the lock that stops the disk, if disk_is_stopped */
	bool disk_is_stopped;
	char dir[KVD_PATH_MAX];
	char log[KVD_PATH_MAX]; /* file with its stderr */
};

/* All directories of a run lie in one, which these make and remove. */
void kvd_home_make(void);
void kvd_home_remove(void);

/* How long what must come may take, in seconds and milliseconds: nothing but what
 * hangs takes so long.  CK_TIMEOUT_MULTIPLIER times 20 s, as with Check's limits. */
double patience(void);
int patience_ms(void);

/* Finds the programs that kvd_start() will run.  False, with a message on
 * stderr, if it is not there. */
bool kvd_find_program(void);

/* How many loops a daemon has, unless its options say something else or it has no lock:
 * the environment variable KVD_THREADS, or 1. */
int kvd_threads(void);

/* Makes a new empty directory and writes its name to "dir". */
void kvd_make_dir(char dir[KVD_PATH_MAX]);

/* Starts the daemon in "dir" (NULL: in a new one; kvd->dir: where it ran
 * before) with the options up to KVD_END, on a free port, and waits for its
 * ready line.  Fails the test if that does not come. */
void kvd_start(struct kvd *kvd, const char *dir, ...);

/* Starts it without waiting for it. */
void kvd_launch(struct kvd *kvd, const char *dir, const char *const *options);

/* Waits for the ready line; false if its stdout ended before that. */
bool kvd_wait_ready(struct kvd *kvd);

/* Waits for its end: the exit status, or 128 + the signal. */
int kvd_wait(struct kvd *kvd);

/* Sends a signal and waits for the end. */
int kvd_end(struct kvd *kvd, int sig);

/* SIGTERM, which has to give exit status 0. */
void kvd_stop(struct kvd *kvd);

/* What it wrote to stderr so far, as a string. */
void kvd_read_log(const struct kvd *kvd, char text[KVD_TEXT_MAX]);
bool kvd_log_has(const struct kvd *kvd, const char *text);

/*
 * Of one that was started on the test disk: each fdatasync() from now on does
 * not return until the disk goes on.
 */
void disk_stop(struct kvd *kvd);
void disk_go(struct kvd *kvd);
/* From now on each fdatasync() fails with that errno code; 0: none does. */
void disk_fail(struct kvd *kvd, int error);
/* How often it was called. */
long disk_syncs(const struct kvd *kvd);

/* Whole files, for the tests that damage them. */
char *file_read(const char *dir, const char *name, size_t *size);
void file_write(
    const char *dir, const char *name, const char *data, size_t size);
size_t file_size(const char *dir, const char *name);

#endif
