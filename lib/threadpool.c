/* SPDX-License-Identifier: MIT */
/*
 * A job is in the thread of its base first, then in one of the pool, and comes back
 * by a call.  What both look at is under the mutex of the pool; the Deferred is the
 * base's alone, and a job whose Deferred has gone comes back all the same.
 */
#include <evdefer/threadpool.h>

#include <stdlib.h>

#include "call-internal.h"
#include "deferred-internal.h"
#include "thread-internal.h"

enum job_state {
	JOB_WAITING, /* in pool->waiting */
	JOB_OUT,     /* taken out of it: it will not begin, nor come back */
	JOB_RUNNING,
	JOB_OVER /* it comes back by its call */
};

struct job {
	struct evlist pool_node; /* in pool->waiting */
	struct evlist base_node; /* in jobs->all; the base's */
	struct evcall call;
	struct evthreadpool *pool;
	struct evdefer_base *base;
	struct evdeferred *d; /* NULL once it was cancelled; the base's */
	evdeferred_body_fn fn;
	void *arg;
	struct evresult result;
	enum job_state state;
	struct job *next; /* in pool->unused */
};

struct evthreadpool {
	pthread_mutex_t mutex; /* over all of the rest */
	pthread_cond_t work;   /* something waits, or it is the end */
	pthread_cond_t over;   /* some job is over */
	struct evlist waiting;
	struct job *unused;
	size_t
	    users; /* jobs that have not come back, and evthreadpool_free() */
	bool ending;
	unsigned count;
	pthread_t threads[];
};

/* Those of a base. */
struct jobs {
	struct evdefer_base_part part;
	struct evlist all;
};

static void
lock_pool(struct evthreadpool *pool)
{
	pthread_mutex_lock(&pool->mutex);
}

static void
unlock_pool(struct evthreadpool *pool)
{
	pthread_mutex_unlock(&pool->mutex);
}

/* The pool is locked, and unlocked or gone afterwards. */
static void
leave_pool(struct evthreadpool *pool)
{
	const bool last = --pool->users == 0;
	struct job *job;

	unlock_pool(pool);
	if (!last)
		return;
	while ((job = pool->unused) != NULL) {
		pool->unused = job->next;
		free(job);
	}
	pthread_cond_destroy(&pool->over);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

/*
 * In the thread of the base.
 */

/* It has come back, or was taken out before it began. */
static void
end_job(struct job *job)
{
	struct evthreadpool *pool = job->pool;
	struct evdefer_base *base = job->base;

	evlist_remove_(&job->base_node);
	evcalls_await_no_more_(base);
	lock_pool(pool);
	job->next = pool->unused;
	pool->unused = job;
	leave_pool(pool);
	evdefer_base_unuse_(base);
}

static void
come_back(void *arg)
{
	struct job *job = arg;
	struct evdeferred *d = job->d;
	struct evresult result = job->result;

	end_job(job);
	if (d != NULL)
		evdeferred_produce_(d, result);
	else
		evresult_dispose(result);
}

/* Takes out a job that has not begun.  Whether it was, now or before. */
static bool
take_out(struct job *job)
{
	bool out;

	lock_pool(job->pool);
	if (job->state == JOB_WAITING) {
		evlist_remove_(&job->pool_node);
		job->state = JOB_OUT;
	}
	out = job->state == JOB_OUT;
	unlock_pool(job->pool);
	return out;
}

static void
cancel_job(struct evdeferred *d, void *arg)
{
	struct job *job = arg;

	(void)d;
	job->d = NULL;
	if (take_out(job))
		end_job(job);
}

/* NULL without memory. */
static struct job *
get_job(struct evthreadpool *pool)
{
	struct job *job;

	lock_pool(pool);
	job = pool->unused;
	if (job != NULL)
		pool->unused = job->next;
	unlock_pool(pool);
	return job != NULL ? job : malloc(sizeof(*job));
}

static void
put_job(struct evthreadpool *pool, struct job *job)
{
	lock_pool(pool);
	job->next = pool->unused;
	pool->unused = job;
	unlock_pool(pool);
}

static void
submit(struct job *job)
{
	struct evthreadpool *pool = job->pool;

	lock_pool(pool);
	pool->users++;
	job->state = JOB_WAITING;
	evlist_append_(&pool->waiting, &job->pool_node);
	unlock_pool(pool);
	/* It would have to wait for the mutex otherwise.  The pool is there until the job
	 * has come back, to this thread. */
	pthread_cond_signal(&pool->work);
}

static void
init_jobs(struct evdefer_base_part *part)
{
	evlist_init_(&EVLIST_ELEMENT(part, struct jobs, part)->all);
}

/* Their functions may be using what goes with the base. */
static void
wait_for_job(struct job *job)
{
	lock_pool(job->pool);
	while (job->state != JOB_OVER)
		pthread_cond_wait(&job->pool->over, &job->pool->mutex);
	unlock_pool(job->pool);
}

static void
take_out_all(struct evlist *jobs)
{
	struct evlist *node;

	for (node = jobs->next; node != jobs; node = node->next)
		take_out(EVLIST_ELEMENT(node, struct job, base_node));
}

static void
close_jobs(struct evdefer_base_part *part)
{
	struct jobs *jobs = EVLIST_ELEMENT(part, struct jobs, part);
	struct evlist *node, running;
	struct job *job;

	/* Before anybody is told: that may let others begin. */
	take_out_all(&jobs->all);
	evlist_init_(&running);
	while (!evlist_empty_(&jobs->all)) {
		node = evlist_pop_(&jobs->all);
		evlist_append_(&running, node);
		job = EVLIST_ELEMENT(node, struct job, base_node);
		if (job->d != NULL)
			evdeferred_cancel(job->d);
	}
	/* They come back when the calls are run, which is to follow. */
	for (node = running.next; node != &running; node = node->next)
		wait_for_job(EVLIST_ELEMENT(node, struct job, base_node));
	if (!evlist_empty_(&running))
		evlist_join_(&jobs->all, &running);
}

static void
destroy_jobs(struct evdefer_base_part *part)
{
	(void)part;
}

static const struct evdefer_base_part_type jobs_type = {
    sizeof(struct jobs), init_jobs, close_jobs, destroy_jobs};

struct evdeferred *
evthreadpool_defer(struct evthreadpool *pool, struct evdefer_base *base,
    evdeferred_body_fn fn, void *arg)
{
	struct evdefer_base_part *part;
	struct job *job;

	if (pool == NULL || base == NULL || fn == NULL)
		return evdefer_refuse_new_(EINVAL);
	evdefer_base_check_(base);
	if (evdefer_base_closed_(base))
		return evdefer_refuse_new_(ESHUTDOWN);
	part = evdefer_base_get_part_(base, &jobs_type);
	job = part != NULL ? get_job(pool) : NULL;
	if (job == NULL)
		return evdefer_refuse_new_(ENOMEM);
	job->d = evdeferred_new_private_(base, cancel_job, job);
	if (job->d == NULL) {
		put_job(pool, job);
		return evdefer_refuse_new_(ENOMEM);
	}
	evcalls_await_(base);
	evdefer_base_use_(base);
	evlist_append_(
	    &EVLIST_ELEMENT(part, struct jobs, part)->all, &job->base_node);
	job->pool = pool;
	job->base = base;
	job->fn = fn;
	job->arg = arg;
	job->call.fn = come_back;
	job->call.arg = job;
	submit(job);
	return job->d;
}

/*
 * In a thread of the pool.
 */

/* The next job, or NULL at the end.  The pool is locked. */
static struct job *
wait_for_work(struct evthreadpool *pool)
{
	while (evlist_empty_(&pool->waiting)) {
		if (pool->ending)
			return NULL;
		pthread_cond_wait(&pool->work, &pool->mutex);
	}
	return EVLIST_ELEMENT(
	    evlist_pop_(&pool->waiting), struct job, pool_node);
}

/* Sends a job back.  The base is there until it has come back, and takes calls until
 * it has waited for all jobs.  The pool is locked, so that it does not wait for less
 * than that. */
static void
send_back(struct job *job, struct evresult result)
{
	job->result = result;
	job->state = JOB_OVER;
	evcall_post_(job->base, &job->call);
	pthread_cond_broadcast(&job->pool->over);
}

static void *
work_in_thread(void *arg)
{
	struct evthreadpool *pool = arg;
	struct evresult result;
	struct job *job;

	lock_pool(pool);
	while ((job = wait_for_work(pool)) != NULL) {
		job->state = JOB_RUNNING;
		unlock_pool(pool);
		result = evresult_take_(job->fn(job->arg));
		lock_pool(pool);
		send_back(job, result);
	}
	unlock_pool(pool);
	return NULL;
}

static int
start_thread(struct evthreadpool *pool)
{
	const int error =
	    evthread_start_(&pool->threads[pool->count], work_in_thread, pool);

	if (error == 0)
		pool->count++;
	return error;
}

/*
 * In any other thread.
 */

struct evthreadpool *
evthreadpool_new(unsigned threads)
{
	struct evthreadpool *pool;
	int error = 0;

	if (threads == 0 || threads > EVTHREADPOOL_MAX)
		return evdefer_refuse_new_(EINVAL);
	pool = calloc(1, sizeof(*pool) + threads * sizeof(pthread_t));
	if (pool == NULL)
		return evdefer_refuse_new_(ENOMEM);
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->over, NULL);
	evlist_init_(&pool->waiting);
	pool->users = 1;
	while (error == 0 && pool->count < threads)
		error = start_thread(pool);
	if (error == 0)
		return pool;
	evthreadpool_free(pool);
	return evdefer_refuse_new_(error);
}

void
evthreadpool_free(struct evthreadpool *pool)
{
	unsigned i;

	if (pool == NULL)
		return;
	lock_pool(pool);
	pool->ending = true;
	while (!evlist_empty_(&pool->waiting))
		send_back(EVLIST_ELEMENT(evlist_pop_(&pool->waiting),
			      struct job, pool_node),
		    evresult_fixed_(EVFAILURE_POOL_FREED));
	pthread_cond_broadcast(&pool->work);
	unlock_pool(pool);
	for (i = 0; i < pool->count; i++)
		pthread_join(pool->threads[i], NULL);
	lock_pool(pool);
	leave_pool(pool);
}
