/* SPDX-License-Identifier: MIT */
/*
 * The directory with the data.
 */
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

static const char *const names[DATA_FILES] = {
    "kvd.lock", "kvd.journal", "kvd.snapshot"};

const char *
directory_name_of(enum data_file which)
{
	return names[which];
}

static int
remember(struct directory *directory, enum data_file which, int fd)
{
	struct stat info;

	if (fstat(fd, &info) == -1)
		return -1;
	directory->files[which].there = true;
	directory->files[which].device = info.st_dev;
	directory->files[which].inode = info.st_ino;
	return 0;
}

int
directory_open_file(
    struct directory *directory, enum data_file which, int flags)
{
	int fd = openat(
	    directory->fd, names[which], flags | O_CLOEXEC, (mode_t)0644);

	if (fd == -1 || remember(directory, which, fd) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
lock(struct directory *directory)
{
	const char *name = directory->name;

	directory->lock =
	    directory_open_file(directory, DATA_LOCK, O_RDWR | O_CREAT);
	if (directory->lock == -1) {
		report("%s/kvd.lock: can't open: %s", name, strerror(errno));
		return -1;
	}
	if (flock(directory->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		report("%s: another kvd uses this directory", name);
	else
		report("%s/kvd.lock: can't lock: %s", name, strerror(errno));
	return -1;
}

int
directory_open(struct directory *directory, const char *name)
{
	memset(directory, 0, sizeof(*directory));
	pthread_mutex_init(&directory->mutex, NULL);
	directory->lock = -1;
	directory->name = name;
	directory->fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory->fd != -1)
		return lock(directory);
	report("%s: can't open the directory: %s", name, strerror(errno));
	return -1;
}

void
directory_close(struct directory *directory)
{
	if (directory->lock != -1)
		close(directory->lock);
	if (directory->fd != -1)
		close(directory->fd);
	pthread_mutex_destroy(&directory->mutex);
}

/* Whether the name is still that of the file, or of none. */
static bool
is_unchanged(const struct directory *directory, enum data_file which)
{
	struct stat info;

	if (fstatat(directory->fd, names[which], &info, 0) == -1)
		return errno == ENOENT && !directory->files[which].there;
	return directory->files[which].there &&
	       directory->files[which].device == info.st_dev &&
	       directory->files[which].inode == info.st_ino;
}

bool
directory_is_ours(struct directory *directory)
{
	bool ours;

	pthread_mutex_lock(&directory->mutex);
	ours = is_unchanged(directory, DATA_LOCK);
	pthread_mutex_unlock(&directory->mutex);
	return ours;
}

int
directory_replace(struct directory *directory, enum data_file which, int fd,
    const char *temporary)
{
	int error = 0;

	pthread_mutex_lock(&directory->mutex);
	if (!is_unchanged(directory, DATA_LOCK))
		error = ESTALE;
	else if (renameat(directory->fd, temporary, directory->fd,
		     names[which]) == -1 ||
		 remember(directory, which, fd) == -1)
		error = errno;
	pthread_mutex_unlock(&directory->mutex);
	return error;
}

const char *
directory_find_change(struct directory *directory)
{
	int which;

	pthread_mutex_lock(&directory->mutex);
	for (which = 0; which < DATA_FILES; which++)
		if (!is_unchanged(directory, (enum data_file)which))
			break;
	pthread_mutex_unlock(&directory->mutex);
	return which < DATA_FILES ? names[which] : NULL;
}
