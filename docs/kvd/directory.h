/* SPDX-License-Identifier: MIT */
/*
 * The directory with the data.
 *
 * Its files have to stay where they are while kvd runs: a write to a journal
 * that was deleted or replaced is in no file that the next start reads.  So it
 * remembers which files they are, and tells when one of them is another.
 */
#ifndef KVD_DIRECTORY_H
#define KVD_DIRECTORY_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

enum data_file {
	DATA_LOCK, /* keeps other kvds out */
	DATA_JOURNAL,
	DATA_SNAPSHOT,
	DATA_FILES,
};

struct directory {
	int fd; /* open */
	const char *name;
	int lock; /* open and locked */
	pthread_mutex_t mutex;
	struct {
		bool there;
		dev_t device;
		ino_t inode;
	} files[DATA_FILES]; /* under the mutex */
};

/* Opens it, and keeps other kvds out.  -1 after the reason was reported; to be
 * closed in any case. */
int directory_open(struct directory *directory, const char *name);
void directory_close(struct directory *directory);

/* The name of a file. */
const char *directory_name_of(enum data_file which);

/* Opens one of the files, made if it is not there and the flags say so, and
 * remembers it.  As openat(). */
int directory_open_file(
    struct directory *directory, enum data_file which, int flags);

/* Whether the lock is still in its place: without it, another kvd may have the
 * directory. */
bool directory_is_ours(struct directory *directory);

/*
 * Renames a temporary file, open as fd, to one of the files, and remembers
 * that.  Gives 0 or an errno code, ESTALE if the directory is not ours any
 * more.
 */
int directory_replace(struct directory *directory, enum data_file which, int fd,
    const char *temporary);

/* The name of a file that has been deleted or replaced since it was remembered,
 * or NULL.  From any thread, as the two above. */
const char *directory_find_change(struct directory *directory);

#endif
