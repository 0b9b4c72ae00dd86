/* SPDX-License-Identifier: MIT */
/*
 * A write that carries its token, and that is not begun when the right is gone:
 */
#include <evdefer.h>

struct table;
struct evdeferred *table_write(struct table *table, uint64_t token);

struct job {
	struct evrwlock *lock;
	struct table *table;
};

static struct evresult
write_alone(void *arg)
{
	const struct job *job = arg;

	if (evrwlock_check(job->lock) == -1)
		return evresult_value(NULL); /* it fails with ESTALE */
	return evresult_deferred(
	    table_write(job->table, evrwlock_get_token(job->lock)));
}

struct evdeferred *
start(struct job *job)
{
	return evrwlock_with_writer(job->lock, write_alone, job);
}
