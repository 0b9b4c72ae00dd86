/* SPDX-License-Identifier: MIT */
/* For programs whose every lock is the only one on a file: what holds without a file
 * holds there, too.  They are linked with --wrap=evrwlock_new. */
#include "support.h"

#include <stdlib.h>
#include <unistd.h>

/* What a million do is tested without that. */
size_t support_most = 20000;

struct evrwlock *__real_evrwlock_new(struct evdefer_base *, unsigned);
struct evrwlock *__wrap_evrwlock_new(struct evdefer_base *, unsigned);

struct evrwlock *
__wrap_evrwlock_new(struct evdefer_base *of, unsigned flags)
{
	static bool making;
	char path[] = "/tmp/on_file.XXXXXX";
	struct evrwlock *lock;
	int fd, error;

	/* From inside a library that is linked statically. */
	if (making)
		return __real_evrwlock_new(of, flags);
	fd = mkstemp(path);
	if (fd == -1)
		return NULL;
	close(fd);
	making = true;
	lock = evrwlock_new_on_file(of, path, flags);
	making = false;
	error = errno;
	unlink(path);
	if (lock != NULL)
		evrwlock_set_name(lock, NULL);
	errno = error;
	return lock;
}
