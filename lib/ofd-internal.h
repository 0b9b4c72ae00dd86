/* SPDX-License-Identifier: MIT */
/*
 * Locks of the kernel on single bytes of a file, and a thread that waits for them.
 *
 * They belong to an open file description, which each struct evofd has for itself.  So
 * two of one process exclude each other, and nothing that another part of the program
 * does with the same file gives them back, as it would give back locks of the process.
 */
#ifndef EVDEFER_OFD_INTERNAL_H
#define EVDEFER_OFD_INTERNAL_H

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>

struct evofd {
	int fd;
	bool started; /* there is a thread, at work or over; the loop's */
	pthread_t thread;
	int (*work)(struct evofd *ofd);
	void (*tell)(struct evofd *ofd);

	pthread_mutex_t mutex; /* over the rest, and whatever else they share */
	pthread_cond_t over;
	bool working;
	bool called_off;
	int error;	      /* with which the work has ended */
	struct flock request; /* what is waited for, for the kernel to read */
};

/* Opens a file, or makes it.  0, or -1 with what open() says, ENOSYS if the system has
 * no such locks, or what it says if that file can't have any. */
int evofd_open_(struct evofd *ofd, const char *path);

/* The same for all who have inherited the description. */
void evofd_close_(struct evofd *ofd);

/* Takes count bytes, to share (F_RDLCK) or alone (F_WRLCK), or gives them back
 * (F_UNLCK), without waiting.  0, or -1; then nothing has changed. */
int evofd_set_(struct evofd *ofd, short type, off_t byte, off_t count);

/* How somebody else has the byte, or F_UNLCK. */
short evofd_find_(struct evofd *ofd, off_t byte);

/*
 * The thread: work() is called in it, and tell() once that is over, with the mutex.
 */

/* 0, or an error code. */
int evofd_start_(struct evofd *ofd, int (*work)(struct evofd *ofd),
    void (*tell)(struct evofd *ofd));

/* For the work: waits for a byte.  0, or an error code; from then on it has to end. */
int evofd_wait_(struct evofd *ofd, short type, off_t byte);

/* Calls the work off if it is not over, and ends the thread.  Returns what the work
 * has returned: not 0 if it could not be done. */
int evofd_stop_(struct evofd *ofd);

#endif
