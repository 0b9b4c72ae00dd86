/* SPDX-License-Identifier: MIT */
#include "threads.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static bool let_go;

volatile atomic_int writes, cancellable_writes, membarriers, joins;
struct gate *_Atomic volatile write_gate;
static volatile atomic_int write_error, eventfd_error, socketpair_error,
    membarrier_error, thread_fails;

void
gate_pass(struct gate *gate)
{
	pthread_mutex_lock(&mutex);
	gate->arrived++;
	pthread_cond_broadcast(&change);
	while (!gate->open && !let_go)
		pthread_cond_wait(&change, &mutex);
	pthread_mutex_unlock(&mutex);
}

void
gate_await(struct gate *gate, int count)
{
	pthread_mutex_lock(&mutex);
	while (gate->arrived < count)
		pthread_cond_wait(&change, &mutex);
	pthread_mutex_unlock(&mutex);
}

void
gate_open(struct gate *gate)
{
	pthread_mutex_lock(&mutex);
	gate->open = true;
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&mutex);
}

long
thread_number(void)
{
#ifdef SYS_gettid
	return syscall(SYS_gettid);
#else
	return 0;
#endif
}

/* The state of a thread, as ps(1) shows it, or 0. */
static char
state_of_thread(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[256], *end;
	ssize_t length;

	if (fd == -1)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	end = strrchr(text, ')');
	return end != NULL && end[1] == ' ' ? end[2] : '\0';
}

void
thread_await_sleep(long number)
{
	char path[64], state;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", number);
	while ((state = state_of_thread(path)) != 'S' && state != '\0')
		sched_yield();
}

void
threads_let_go(void)
{
	pthread_mutex_lock(&mutex);
	let_go = true;
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&mutex);
}

pthread_t
thread_start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg) != 0)
		ck_abort_msg("no thread for the test");
	return thread;
}

void *
thread_join(pthread_t thread)
{
	void *value = NULL;

	pthread_join(thread, &value);
	return value;
}

static void *
wait_at(void *arg)
{
	gate_pass(arg);
	return NULL;
}

/* All of them at once.  libc keeps the stacks of threads that have ended, if they are
 * small, and what it has allocated for each. */
static void
make_threads(void)
{
	pthread_t threads[THREADS];
	struct gate gate = {0};
	int i;
#ifdef __GLIBC__
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)4 << 20);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
#endif

	for (i = 0; i < THREADS; i++)
		threads[i] = thread_start(wait_at, &gate);
	gate_open(&gate);
	while (i-- > 0)
		thread_join(threads[i]);
}

int
threads_main(Suite *suite)
{
	make_threads();
	return support_main(suite);
}

void
polls(int count)
{
	while (count-- > 0)
		event_base_loop(
		    loop, EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
}

void
run_until_break(void)
{
	event_base_loop(loop, EVLOOP_NO_EXIT_ON_EMPTY);
}

int
descriptors(void)
{
	int fd, count = 0;

	for (fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

/*
 * What stands before that of libc, or of a sanitizer, and hands on to it.
 */

/* A pointer to a function is no pointer to data for the compiler. */
static void
find_next(const char *name, void *function, size_t size)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(function, &found, size);
}

bool
may_be_cancelled(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_setcancelstate(state, NULL);
	return state == PTHREAD_CANCEL_ENABLE;
}

void
fail_write(int code)
{
	write_error = code;
}

void
fail_eventfd(int code)
{
	eventfd_error = code;
}

void
fail_socketpair(int code)
{
	socketpair_error = code;
}

void
fail_membarrier(int code)
{
	membarrier_error = code;
}

#ifdef SYS_membarrier
/* Six whatever it is, of which most were not given. */
__attribute__((no_sanitize("address"))) long
syscall(long number, ...)
{
	long (*next)(long, ...);
	long arguments[6];
	va_list list;
	int i;

	membarriers += number == SYS_membarrier;
	if (number == SYS_membarrier && membarrier_error != 0) {
		errno = membarrier_error;
		return -1;
	}
	va_start(list, number);
	for (i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	find_next("syscall", &next, sizeof(next));
	return next(number, arguments[0], arguments[1], arguments[2],
	    arguments[3], arguments[4], arguments[5]);
}
#endif

int
eventfd(unsigned initial, int flags)
{
	int (*next)(unsigned, int);

	if (eventfd_error != 0) {
		errno = eventfd_error;
		return -1;
	}
	find_next("eventfd", &next, sizeof(next));
	return next(initial, flags);
}

int
socketpair(int domain, int type, int protocol, int fds[2])
{
	int (*next)(int, int, int, int[2]);

	if (socketpair_error != 0) {
		errno = socketpair_error;
		return -1;
	}
	find_next("socketpair", &next, sizeof(next));
	return next(domain, type, protocol, fds);
}

ssize_t
write(int fd, const void *data, size_t size)
{
	struct gate *gate = size == sizeof(uint64_t) ? write_gate : NULL;
	ssize_t (*next)(int, const void *, size_t);

	if (gate != NULL)
		gate_pass(gate);
	if (size == sizeof(uint64_t)) {
		writes++;
		cancellable_writes += may_be_cancelled();
		errno = atomic_exchange(&write_error, 0);
		if (errno != 0)
			return -1;
	}
	find_next("write", &next, sizeof(next));
	return next(fd, data, size);
}

void
fail_thread(int n)
{
	thread_fails = n;
}

int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg)
{
	int (*next)(
	    pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (thread_fails > 0 && --thread_fails == 0)
		return EAGAIN;
	find_next("pthread_create", &next, sizeof(next));
	return next(thread, attr, run, arg);
}

int
pthread_join(pthread_t thread, void **value)
{
	int (*next)(pthread_t, void **);

	joins++;
	find_next("pthread_join", &next, sizeof(next));
	return next(thread, value);
}

/*
 * A mutex that is unlocked by who has not locked it, or locked twice, is a mistake.
 * libc does not say so if it was not asked to.  And it may need none of the calls that
 * make mutexes and conditions, or end them, but other systems do.  ThreadSanitizer sees
 * the first for itself, and has to see all of them.
 */

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define WATCHED
#endif
#endif
#if defined(__SANITIZE_THREAD__) && !defined(WATCHED)
#define WATCHED
#endif

/*
 * Clang's LeakSanitizer knows what the loader has allocated for a thread by who has called
 * calloc(), which is ours here, in alloc.c.  Libc keeps it with the stack, for the next
 * thread.  The loader has no frame pointers to go by.
 */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
const char *__asan_default_options(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *
__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}

const char *
__lsan_default_suppressions(void)
{
	return "leak:_dl_allocate_tls\n";
}
#endif
#endif

static volatile atomic_int objects;

int
thread_objects(void)
{
	return objects;
}

#ifndef WATCHED
static void
must_be_right(int error)
{
	if (error != 0)
		abort();
}

int
pthread_mutex_init(pthread_mutex_t *made, const pthread_mutexattr_t *attr)
{
	int (*next)(pthread_mutex_t *, const pthread_mutexattr_t *);
	pthread_mutexattr_t strict;
	int error;

	objects++;
	find_next("pthread_mutex_init", &next, sizeof(next));
	if (attr != NULL)
		return next(made, attr);
	pthread_mutexattr_init(&strict);
	pthread_mutexattr_settype(&strict, PTHREAD_MUTEX_ERRORCHECK);
	error = next(made, &strict);
	pthread_mutexattr_destroy(&strict);
	return error;
}

int
pthread_mutex_destroy(pthread_mutex_t *ended)
{
	int (*next)(pthread_mutex_t *);

	objects--;
	find_next("pthread_mutex_destroy", &next, sizeof(next));
	must_be_right(next(ended));
	return 0;
}

int
pthread_cond_init(pthread_cond_t *made, const pthread_condattr_t *attr)
{
	int (*next)(pthread_cond_t *, const pthread_condattr_t *);

	objects++;
	find_next("pthread_cond_init", &next, sizeof(next));
	return next(made, attr);
}

int
pthread_cond_destroy(pthread_cond_t *ended)
{
	int (*next)(pthread_cond_t *);

	objects--;
	find_next("pthread_cond_destroy", &next, sizeof(next));
	return next(ended);
}

int
pthread_mutex_lock(pthread_mutex_t *locked)
{
	static int (*next)(pthread_mutex_t *);

	if (next == NULL)
		find_next("pthread_mutex_lock", &next, sizeof(next));
	must_be_right(next(locked));
	return 0;
}

int
pthread_mutex_unlock(pthread_mutex_t *unlocked)
{
	static int (*next)(pthread_mutex_t *);

	if (next == NULL)
		find_next("pthread_mutex_unlock", &next, sizeof(next));
	must_be_right(next(unlocked));
	return 0;
}

int
pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *locked)
{
	int (*next)(pthread_cond_t *, pthread_mutex_t *);

	find_next("pthread_cond_wait", &next, sizeof(next));
	must_be_right(next(cond, locked));
	return 0;
}
#endif
