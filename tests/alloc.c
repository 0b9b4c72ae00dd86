/* SPDX-License-Identifier: MIT */
#include "alloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* volatile: the compiler believes that malloc() changes no variable.  Any thread
 * counts. */
static volatile atomic_size_t calls;
static volatile atomic_long live;
static volatile atomic_size_t fail_at;
static volatile size_t seen;
static volatile bool fail_onwards, failed;
static pthread_t fail_thread;
static volatile size_t plan_at, planned;
static volatile bool plan_onwards;
static volatile bool *plan_hit;
static pthread_t plan_thread;

void
alloc_fail_at(size_t n, bool onwards)
{
	if (n > 0)
		failed = false;
	seen = 0;
	fail_onwards = onwards;
	fail_thread = pthread_self();
	fail_at = n;
}

void
alloc_plan(size_t n, bool onwards, volatile bool *hit)
{
	planned = 0;
	plan_thread = pthread_self();
	plan_hit = hit;
	plan_onwards = onwards;
	plan_at = n;
}

bool
alloc_failed(void)
{
	return failed;
}

size_t
alloc_calls(void)
{
	return calls;
}

long
alloc_live(void)
{
	return live;
}

bool
alloc_works(void)
{
	size_t before = calls;
	/* By address, since that is what Valgrind redirects. */
	void *(*volatile allocate)(size_t) = malloc;
	void (*volatile release)(void *) = free;

	release(allocate(1));
	return calls == before + 2;
}

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#if __has_feature(thread_sanitizer)
#define WATCHED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif
#ifdef __SANITIZE_THREAD__
#define WATCHED 1
#endif

#ifdef SANITIZED
#define REAL(name) __interceptor_##name
#elif defined(__GLIBC__) && !defined(WATCHED)
#define REAL(name) __libc_##name
#endif

#ifdef REAL
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *block, size_t size);
void REAL(free)(void *block);

/* More than any machine has, and less than the sanitizers take for a mistake. */
#define TOO_MUCH ((size_t)(PTRDIFF_MAX >> (sizeof(size_t) > 4 ? 24 : 0)))

/* Is it the n-th, or one after that? */
static bool
is_nth(size_t count, size_t n, bool onwards)
{
	return count == n || (count > n && onwards);
}

/* Is this allocation to fail by what alloc_fail_at() was told, and by the plan? */
static bool
is_due(void)
{
	return fail_at > 0 && pthread_equal(pthread_self(), fail_thread) &&
	       is_nth(++seen, fail_at, fail_onwards);
}

static bool
is_planned(void)
{
	return plan_at > 0 && pthread_equal(pthread_self(), plan_thread) &&
	       is_nth(++planned, plan_at, plan_onwards);
}

/* Counts an allocation that is asked for.  Returns whether it has to fail,
 * which may be because of its size: there the sanitizer would stop the
 * program. */
static bool
refuse(size_t size)
{
	bool due = false;

	calls++;
	if (size > TOO_MUCH) {
		errno = ENOMEM;
		return true;
	}
	if (is_due())
		failed = due = true;
	if (is_planned())
		*plan_hit = due = true;
	/* C does not ask malloc() to say why: whoever calls it has to. */
	if (due)
		errno = 0;
	return due;
}

static void *
counted(void *block)
{
	if (block != NULL)
		live++;
	return block;
}

void *
malloc(size_t size)
{
	return refuse(size) ? NULL : counted(REAL(malloc)(size));
}

void *
calloc(size_t count, size_t size)
{
	return refuse(count) ? NULL : counted(REAL(calloc)(count, size));
}

void *
realloc(void *block, size_t size)
{
	if (block == NULL)
		return malloc(size);
	if (size == 0) {
		free(block);
		return NULL;
	}
	return refuse(size) ? NULL : REAL(realloc)(block, size);
}

void
free(void *block)
{
	if (block != NULL) {
		calls++;
		live--;
	}
	REAL(free)(block);
}
#endif

#ifdef SANITIZED
/* The sanitizer's own does not come to our malloc(). */
char *
strdup(const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = malloc(size);

	return copy == NULL ? NULL : memcpy(copy, string, size);
}
#endif
