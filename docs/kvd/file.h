/* SPDX-License-Identifier: MIT */
/*
 * Writing to files, all or an error.
 */
#ifndef KVD_FILE_H
#define KVD_FILE_H

#include <sys/types.h>
#include <sys/uio.h>

#include <evdefer/result.h>

#include "bytes.h"

/* Writes all the parts at an offset; they are used up.  Gives 0 or an errno
 * code; then some of it may have been written. */
int file_write(int fd, struct iovec *parts, int count, off_t offset);

void file_set_part(struct iovec *part, struct bytes bytes);

/* What a job gives that came to this errno code, or to 0: NULL, or a failure that says
 * "what: strerror".  Success needs no memory. */
struct evresult file_result(int error, const char *what);

#endif
