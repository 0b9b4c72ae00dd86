/* SPDX-License-Identifier: MIT */
/*
 * The disk of kvd_on_test_disk: fdatasync() in the place of the system's.  It is
 * as slow as a test wants it, counts, and fails when told to; process.h has the
 * other end.
 *
 * The test hands over a file by its name in KVD_TEST_DISK.  Each call adds a
 * byte to it and then waits for a shared lock on it, so that it stops where the
 * test holds an exclusive one.  A first byte other than 0 is an errno code.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Gives what the call fails with, or 0. */
static int
ask_test(const char *path)
{
	unsigned char error = 0;
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);

	if (fd == -1 || write(fd, "", 1) != 1)
		abort();
	while (flock(fd, LOCK_SH) == -1)
		if (errno != EINTR)
			abort();
	if (pread(fd, &error, 1, 0) != 1)
		abort();
	close(fd);
	return error;
}

int
fdatasync(int fd)
{
	const char *path = getenv("KVD_TEST_DISK");
	int error = path != NULL ? ask_test(path) : 0;

	if (error == 0)
		return (int)syscall(SYS_fdatasync, fd);
	errno = error;
	return -1;
}
