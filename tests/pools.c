/* SPDX-License-Identifier: MIT */
#include "pools.h"

#include <string.h>

struct evthreadpool *pool;

void
make_pool(unsigned threads)
{
	pool = evthreadpool_new(threads);
	ck_assert_ptr_nonnull(pool);
}

void
free_pool(void)
{
	evthreadpool_free(pool);
	pool = NULL;
}

void
new_base(int priorities)
{
	support_free_base();
	event_base_free(loop);
	loop = support_new_loop();
	ck_assert_int_eq(event_base_priority_init(loop, priorities), 0);
	base = evdefer_base_new(loop);
	ck_assert_ptr_nonnull(base);
}

atomic_int done_count;

struct evresult
do_work(void *arg)
{
	struct work *work = arg;

	work->thread = pthread_self();
	if (work->gate != NULL)
		gate_pass(work->gate);
	work->done = true;
	work->order = ++done_count;
	return work->result;
}

void
begin_unseen(struct work *work, struct gate *gate, struct evresult result)
{
	memset(work, 0, sizeof(*work));
	work->gate = gate;
	work->result = result;
	work->d = evthreadpool_defer(pool, base, do_work, work);
	ck_assert_ptr_nonnull(work->d);
}

void
begin_work(struct work *work, struct gate *gate, struct evresult result)
{
	begin_unseen(work, gate, result);
	see(work->d, &work->seen);
}

void
begin_many(struct work *work, int count, struct gate *gate)
{
	int i;

	done_count = 0;
	for (i = 0; i < count; i++)
		begin_work(
		    &work[i], i == 0 ? gate : NULL, evresult_value(&work[i]));
	gate_await(gate, 1);
}

void
free_many(struct work *work, int count)
{
	while (count-- > 0)
		evdeferred_free(work[count].d);
}

struct evresult
return_null(void *arg)
{
	(void)arg;
	return evresult_value(NULL);
}

static pthread_t free_thread;
int free_count;

void
note_free(void *value)
{
	(void)value;
	free_thread = pthread_self();
	free_count++;
}

struct evresult
noting(void)
{
	free_count = 0;
	return evresult_owned(&free_count, note_free);
}

void
freed_here(int count)
{
	ck_assert_int_eq(free_count, count);
	if (count > 0)
		ck_assert(pthread_equal(free_thread, pthread_self()));
}
