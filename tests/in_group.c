/* SPDX-License-Identifier: MIT */
/* For programs whose every lock is the only member of a group: what holds without a
 * group holds there, too.  They are linked with --wrap=evrwlock_new. */
#include "support.h"

/* What a million do is tested without that. */
size_t support_most = 20000;

struct evrwlock *__real_evrwlock_new(struct evdefer_base *, unsigned);
struct evrwlock *__wrap_evrwlock_new(struct evdefer_base *, unsigned);

struct evrwlock *
__wrap_evrwlock_new(struct evdefer_base *of, unsigned flags)
{
	static bool joining;
	struct evgroup *group;
	struct evrwlock *member;
	int error;

	/* From inside a library that is linked statically. */
	if (joining)
		return __real_evrwlock_new(of, flags);
	group = evgroup_new();
	if (group == NULL)
		return NULL;
	joining = true;
	member = evrwlock_new_in_group(group, of, flags);
	joining = false;
	error = errno;
	evgroup_free(group);
	errno = error;
	return member;
}
