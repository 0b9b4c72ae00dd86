/* SPDX-License-Identifier: MIT */
/*
 * The one thread beside the loop, for calls that wait for the disk.
 *
 * A job is a function that the thread runs; when it is done, a Deferred fires
 * in the loop.  Jobs run one after the other in the order of their submission.
 * A job is memory of the one who submits it, so that a submission can't fail.
 */
#ifndef KVD_WORKER_H
#define KVD_WORKER_H

struct event_base;
struct evdeferred;
struct job;
struct worker;

/* Runs in the thread.  Gives 0 or an errno code. */
typedef int (*job_fn)(struct job *job, void *arg);

struct job {
	job_fn run;
	void *arg;
	const char *what; /* what it tried to do, for the message */
	struct evdeferred *done;
	struct job *next;
	int error; /* what run gave; the caller's where there is none */
};

/* NULL with errno set if it can't be made. */
struct worker *worker_new(struct event_base *events);

/* Waits for the jobs that were submitted.  Their Deferreds are not fired any
 * more.  NULL is allowed. */
void worker_free(struct worker *worker);

/*
 * Has job->run(job, job->arg) run and then done fired from the loop: with the
 * value NULL, or with a failure that says "what: strerror".  A job whose run is
 * NULL does not go to the thread: its Deferred fires in the next turn of the
 * loop, after a poll, with what job->error says.
 */
void worker_submit(
    struct worker *worker, struct job *job, struct evdeferred *done);

#endif
