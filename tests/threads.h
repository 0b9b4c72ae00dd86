/* SPDX-License-Identifier: MIT */
/*
 * What the tests with threads share.  None of them sleeps: a gate holds a thread at a
 * known point until the test lets it go on.
 *
 * An assertion belongs to the thread of the test; the others count what went wrong.
 */
#ifndef TESTS_THREADS_H
#define TESTS_THREADS_H

#include <pthread.h>
#include <stdatomic.h>

#include "support.h"

/* Threads at a time, besides that of the test. */
#define THREADS 8

struct gate {
	int arrived; /* so far */
	bool open;
};

/* Waits at the gate until it is open. */
void gate_pass(struct gate *gate);

/* Waits until so many have arrived, whether they still wait or not. */
void gate_await(struct gate *gate, int count);

void gate_open(struct gate *gate);

/* The number that the kernel has for this thread; and waits until the thread of that
 * number waits for something.  Where the system cannot tell, it does not. */
long thread_number(void);
void thread_await_sleep(long number);

/* Opens all gates for good: the test gives up. */
void threads_let_go(void);

/* Whether pthread_cancel() would end this one. */
bool may_be_cancelled(void);

/* Starts a thread, and waits for its end. */
pthread_t thread_start(void *(*run)(void *), void *arg);
void *thread_join(pthread_t thread);

/* support_main() for programs with threads: what libc keeps for those that come and
 * go is there before anything is counted. */
int threads_main(Suite *suite);

/* Has the loop look for calls once, without waiting for any, though there may be
 * nothing else for it to do; and has it run what they bring, up to loopbreak(). */
void polls(int count);
void run_until_break(void);

/*
 * Five functions of libc are the program's own here, and hand on to it.
 */

/* How often write(2) was called with 8 bytes, which is how a loop is woken; how often
 * by a thread that could have been cancelled there; and a gate before it, or NULL. */
extern volatile atomic_int writes, cancellable_writes;
extern struct gate *_Atomic volatile write_gate;

/* The next write of 8 bytes fails with this code. */
void fail_write(int code);

/* From now on eventfd() fails, or socketpair(), with this code; 0 ends it. */
void fail_eventfd(int code);
void fail_socketpair(int code);

/* How often membarrier(2) was called; and from now on it fails with this code; 0 ends
 * that. */
extern volatile atomic_int membarriers;
void fail_membarrier(int code);

/* The n-th pthread_create() from now on fails; n == 0 ends this.  And how often
 * pthread_join() was called. */
void fail_thread(int n);
extern volatile atomic_int joins;

/* Mutexes and conditions that were made and not ended; ThreadSanitizer does not let us
 * count, and has 0 of them. */
int thread_objects(void);

/* How many descriptors are open. */
int descriptors(void);

#endif
