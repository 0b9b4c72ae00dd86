/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/deferred.h>

#include "result-internal.h"

struct evfailure {
	const char *file;
	const char *message;
	struct evfailure *cause;
	size_t refs; /* 0 for those that are never freed */
	int code;
	int line;
	/* The text of the message follows. */
};

#define FIXED(error, words)                                                    \
	{                                                                      \
		.file = __FILE__, .line = __LINE__, .code = (error),           \
		.message = (words)                                             \
	}

static const struct evfailure fixed[] = {
    [EVFAILURE_CANCELLED] = FIXED(ECANCELED, "cancelled"),
    [EVFAILURE_TIMED_OUT] = FIXED(ETIMEDOUT, "timed out"),
    [EVFAILURE_LOOP] = FIXED(EDEADLK, "a Deferred would wait for itself"),
    [EVFAILURE_NO_WAIT] = FIXED(
	EINVAL, "the Deferred to wait for has another base or another waiter"),
    [EVFAILURE_SHUT_DOWN] = FIXED(ESHUTDOWN, "the lock was closed"),
    [EVFAILURE_NO_MEMORY] = FIXED(ENOMEM, "out of memory"),
    [EVFAILURE_INVALID] = FIXED(EINVAL, "no failure was given"),
};

struct evresult
evresult_fixed_(enum evfailure_fixed which)
{
	struct evresult result = {
	    (void *)&fixed[which], evresult_dispose_failure_};

	return result;
}

bool
evresult_is_cancelled_(struct evresult result)
{
	return result.data == &fixed[EVFAILURE_CANCELLED];
}

/* The length that the message will have. */
static size_t
measure(const char *format, va_list args)
{
	va_list again;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	return length > 0 ? (size_t)length : 0;
}

struct evresult
evresult_vfail_(const char *file, int line, struct evfailure *cause, int code,
    const char *format, va_list args)
{
	struct evresult result = {NULL, evresult_dispose_failure_};
	struct evfailure *failure;
	char *text;
	size_t size;

	if (code <= 0)
		code = EINVAL;
	size = 1 + (format != NULL ? measure(format, args)
				   : strlen(strerror(code)));
	failure = malloc(sizeof(*failure) + size);
	if (failure == NULL)
		return evresult_fixed_(EVFAILURE_NO_MEMORY);

	text = memset(failure + 1, 0, size);
	if (format != NULL)
		vsnprintf(text, size, format, args);
	else
		memcpy(text, strerror(code), size);
	failure->message = text;
	failure->file = file;
	failure->line = line;
	failure->code = code;
	failure->cause = cause != NULL ? evfailure_ref(cause) : NULL;
	failure->refs = 1;
	result.data = failure;
	return result;
}

struct evresult
evresult_fail_at(const char *file, int line, int code, const char *format, ...)
{
	struct evresult result;
	va_list args;

	va_start(args, format);
	result = evresult_vfail_(file, line, NULL, code, format, args);
	va_end(args);
	return result;
}

struct evresult
evresult_wrap_at(const char *file, int line, struct evfailure *cause, int code,
    const char *format, ...)
{
	struct evresult result;
	va_list args;

	va_start(args, format);
	result = evresult_vfail_(file, line, cause, code, format, args);
	va_end(args);
	return result;
}

struct evresult
evresult_failure(struct evfailure *failure)
{
	struct evresult result = {failure, evresult_dispose_lent_};

	if (failure == NULL)
		return evresult_fixed_(EVFAILURE_INVALID);
	return result;
}

struct evresult
evresult_deferred(struct evdeferred *d)
{
	struct evresult result = {d, evresult_dispose_deferred_};

	if (d == NULL)
		return evresult_fail(errno, NULL);
	return result;
}

void
evresult_dispose_failure_(void *failure)
{
	evfailure_unref(failure);
}

void
evresult_dispose_lent_(void *failure)
{
	(void)failure;
}

void
evresult_dispose_deferred_(void *deferred)
{
	evdeferred_free(deferred);
}

bool
evresult_is_failure(struct evresult result)
{
	return evresult_is_failure_(result);
}

bool
evresult_is_deferred(struct evresult result)
{
	return evresult_is_deferred_(result);
}

void *
evresult_get_value(struct evresult result)
{
	if (evresult_is_failure_(result) || evresult_is_deferred_(result))
		return NULL;
	return result.data;
}

struct evfailure *
evresult_get_failure(struct evresult result)
{
	return evresult_is_failure_(result) ? result.data : NULL;
}

void
evresult_dispose(struct evresult result)
{
	if (result.dispose != NULL)
		result.dispose(result.data);
}

int
evfailure_code(const struct evfailure *failure)
{
	return failure->code;
}

const char *
evfailure_message(const struct evfailure *failure)
{
	return failure->message;
}

struct evfailure *
evfailure_cause(const struct evfailure *failure)
{
	return failure->cause;
}

const char *
evfailure_file(const struct evfailure *failure)
{
	return failure->file;
}

int
evfailure_line(const struct evfailure *failure)
{
	return failure->line;
}

struct evfailure *
evfailure_ref(struct evfailure *failure)
{
	if (failure->refs > 0)
		failure->refs++;
	return failure;
}

void
evfailure_unref(struct evfailure *failure)
{
	struct evfailure *cause;

	/* A loop and no recursion: causes may be many. */
	while (failure != NULL && failure->refs > 0 && --failure->refs == 0) {
		cause = failure->cause;
		free(failure);
		failure = cause;
	}
}
