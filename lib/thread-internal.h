/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_THREAD_INTERNAL_H
#define EVDEFER_THREAD_INTERNAL_H

#include <pthread.h>
#include <signal.h>

/* Starts a thread with all signals blocked, for these are the loops'.  0, or what
 * pthread_create() says. */
static inline int
evthread_start_(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

#endif
