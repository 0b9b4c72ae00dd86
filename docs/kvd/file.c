/* SPDX-License-Identifier: MIT */
/*
 * Writing to files, all or an error.
 */
#include "file.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* Leaves out the first bytes, which are written. */
static void
advance(struct iovec **parts, int *count, size_t written)
{
	while (*count > 0 && written >= (*parts)->iov_len) {
		written -= (*parts)->iov_len;
		++*parts;
		--*count;
	}
	if (*count == 0)
		return;
	(*parts)->iov_base = (char *)(*parts)->iov_base + written;
	(*parts)->iov_len -= written;
}

int
file_write(int fd, struct iovec *parts, int count, off_t offset)
{
	ssize_t written;

	advance(&parts, &count, 0);
	while (count > 0) {
		written = pwritev(fd, parts, count, offset);
		if (written == -1 && errno == EINTR)
			continue;
		if (written == -1)
			return errno;
		if (written == 0)
			return EIO;
		offset += written;
		advance(&parts, &count, (size_t)written);
	}
	return 0;
}

void
file_set_part(struct iovec *part, struct bytes bytes)
{
	part->iov_base = (void *)(uintptr_t)bytes.data;
	part->iov_len = bytes.length;
}

struct evresult
file_result(int error, const char *what)
{
	if (error == 0)
		return evresult_value(NULL);
	return evresult_fail(error, "%s: %s", what, strerror(error));
}
