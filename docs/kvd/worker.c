/* SPDX-License-Identifier: MIT */
/*
 * The one thread beside the loop, for calls that wait for the disk.
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include <evdefer/deferred.h>

struct jobs {
	struct job *first;
	struct job **end;
};

struct worker {
	pthread_t thread;
	pthread_mutex_t mutex; /* over the next four */
	pthread_cond_t wake;
	struct jobs submitted;
	struct jobs finished;
	bool stop;

	/* The rest is the loop's. */
	int fd; /* an eventfd: counts up when jobs are finished */
	struct event *readable;
	struct event *turn;
	struct jobs later; /* those without a function */
};

static void
jobs_init(struct jobs *jobs)
{
	jobs->first = NULL;
	jobs->end = &jobs->first;
}

static void
jobs_append(struct jobs *jobs, struct job *job)
{
	job->next = NULL;
	*jobs->end = job;
	jobs->end = &job->next;
}

static struct job *
jobs_take_first(struct jobs *jobs)
{
	struct job *job = jobs->first;

	if (job == NULL)
		return NULL;
	jobs->first = job->next;
	if (jobs->first == NULL)
		jobs->end = &jobs->first;
	return job;
}

static struct job *
jobs_take_all(struct jobs *jobs)
{
	struct job *first = jobs->first;

	jobs_init(jobs);
	return first;
}

/*
 * In the thread.
 */

static void
tell_loop(struct worker *worker)
{
	const uint64_t one = 1;

	/* It only fails when it would overflow, and then the loop is awake. */
	while (write(worker->fd, &one, sizeof(one)) == -1 && errno == EINTR)
		continue;
}

static struct job *
wait_for_job(struct worker *worker)
{
	struct job *job;

	while ((job = jobs_take_first(&worker->submitted)) == NULL &&
	       !worker->stop)
		pthread_cond_wait(&worker->wake, &worker->mutex);
	return job;
}

static void *
work(void *arg)
{
	struct worker *worker = arg;
	struct job *job;

	pthread_mutex_lock(&worker->mutex);
	while ((job = wait_for_job(worker)) != NULL) {
		pthread_mutex_unlock(&worker->mutex);
		job->error = job->run(job, job->arg);
		pthread_mutex_lock(&worker->mutex);
		jobs_append(&worker->finished, job);
		tell_loop(worker);
	}
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

/*
 * In the loop.
 */

static void
fire(struct job *job)
{
	/* The job's memory may be used for the next one as soon as it fires. */
	if (job->error == 0)
		evdeferred_callback(job->done, NULL);
	else
		evdeferred_errback(job->done, job->error, "%s: %s", job->what,
		    strerror(job->error));
}

static void
fire_all(struct job *job)
{
	struct job *next;

	for (; job != NULL; job = next) {
		next = job->next;
		fire(job);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	struct job *finished;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) == -1)
		return; /* not this time */
	pthread_mutex_lock(&worker->mutex);
	finished = jobs_take_all(&worker->finished);
	pthread_mutex_unlock(&worker->mutex);
	fire_all(finished);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	fire_all(jobs_take_all(&worker->later));
}

static void
fire_in_next_turn(struct worker *worker, struct job *job)
{
	static const struct timeval now = {0, 0};
	const bool pending = worker->later.first != NULL;

	jobs_append(&worker->later, job);
	if (pending)
		return;
	/* A timeout of 0 is due after the next poll, an event made active
	 * before it.  That one needs no memory. */
	if (event_add(worker->turn, &now) == -1)
		event_active(worker->turn, EV_TIMEOUT, 1);
}

void
worker_submit(struct worker *worker, struct job *job, struct evdeferred *done)
{
	job->done = done;
	if (job->run == NULL) {
		fire_in_next_turn(worker, job);
		return;
	}
	pthread_mutex_lock(&worker->mutex);
	jobs_append(&worker->submitted, job);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->mutex);
}

/* Signals are the loop's: the thread starts with all of them blocked. */
static int
start_thread(struct worker *worker)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void
free_events(struct worker *worker)
{
	if (worker->readable != NULL)
		event_free(worker->readable);
	if (worker->turn != NULL)
		event_free(worker->turn);
	if (worker->fd != -1)
		close(worker->fd);
}

static int
make_events(struct worker *worker, struct event_base *events)
{
	worker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->fd == -1)
		return errno;
	worker->readable = event_new(
	    events, worker->fd, EV_READ | EV_PERSIST, on_readable, worker);
	worker->turn = evtimer_new(events, on_turn, worker);
	if (worker->readable == NULL || worker->turn == NULL ||
	    event_add(worker->readable, NULL) == -1)
		return ENOMEM;
	return 0;
}

struct worker *
worker_new(struct event_base *events)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int error;

	if (worker == NULL)
		return NULL;
	jobs_init(&worker->submitted);
	jobs_init(&worker->finished);
	jobs_init(&worker->later);
	pthread_mutex_init(&worker->mutex, NULL);
	pthread_cond_init(&worker->wake, NULL);
	error = make_events(worker, events);
	if (error == 0)
		error = start_thread(worker);
	if (error == 0)
		return worker;
	free_events(worker);
	free(worker);
	errno = error;
	return NULL;
}

void
worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	pthread_mutex_lock(&worker->mutex);
	worker->stop = true;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->mutex);
	pthread_join(worker->thread, NULL);
	free_events(worker);
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->mutex);
	free(worker);
}
