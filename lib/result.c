/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/deferred.h>

#include "result-internal.h"

#define FIXED(error, words)                                                    \
	.file = __FILE__, .line = __LINE__, .code = (error), .message = (words)

static const struct evfailure fixed[] = {
    [EVFAILURE_CANCELLED] = {FIXED(ECANCELED, "cancelled"), .cancelled = true},
    [EVFAILURE_TIMED_OUT] = {FIXED(ETIMEDOUT, "timed out")},
    [EVFAILURE_LOOP] = {FIXED(EDEADLK, "a Deferred would wait for itself")},
    [EVFAILURE_NO_WAIT] = {FIXED(
	EINVAL, "the Deferred to wait for has another base or another waiter")},
    [EVFAILURE_SHUT_DOWN] = {FIXED(ESHUTDOWN, "the lock was closed")},
    [EVFAILURE_POOL_FREED] = {FIXED(ESHUTDOWN, "the thread pool was freed")},
    [EVFAILURE_UPGRADE] = {FIXED(
	EDEADLK, "the owner reads the lock that it asks to write")},
    [EVFAILURE_NOT_UPGRADABLE] = {FIXED(
	EPERM, "nobody that may upgrade holds the lock")},
    [EVFAILURE_CYCLE] = {FIXED(
	EDEADLK, "the owner would wait for itself, through others")},
    [EVFAILURE_LOST] = {FIXED(ESTALE, "the right to the lock was lost")},
    [EVFAILURE_NO_MEMORY] = {FIXED(ENOMEM, "out of memory")},
    [EVFAILURE_INVALID] = {FIXED(EINVAL, "no failure was given")},
};

struct evresult
evresult_fixed_(enum evfailure_fixed which)
{
	return evresult_of_kind_(EVRESULT_FAILURE, &fixed[which]);
}

bool
evresult_is_cancelled_(struct evresult result)
{
	const struct evfailure *failure = result.data;

	return failure->cancelled;
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
	failure->payload = evresult_value(NULL);
	failure->has_users_payload = false;
	failure->place = 0;
	failure->cancelled = false;
	failure->refs = 1;
	return evresult_of_kind_(EVRESULT_FAILURE, failure);
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

bool
evfailure_attach_(struct evfailure *failure, struct evresult payload)
{
	if (failure->refs == 0) {
		evresult_dispose(payload);
		return false;
	}
	failure->payload = payload;
	return true;
}

struct evresult
evresult_fail_with_at(const char *file, int line, void *payload,
    void (*free_payload)(void *), int code, const char *format, ...)
{
	struct evresult result;
	struct evfailure *failure;
	va_list args;

	va_start(args, format);
	result = evresult_vfail_(file, line, NULL, code, format, args);
	va_end(args);
	failure = result.data;
	if (evfailure_attach_(failure, evresult_owned(payload, free_payload)))
		failure->has_users_payload = true;
	return result;
}

struct evresult
evresult_from_failure(struct evfailure *failure)
{
	if (failure == NULL)
		return evresult_fixed_(EVFAILURE_INVALID);
	return evresult_of_kind_(EVRESULT_LENT, failure);
}

struct evresult
evresult_deferred(struct evdeferred *d)
{
	if (d == NULL)
		return evresult_fail(errno, NULL);
	return evresult_of_kind_(EVRESULT_DEFERRED, d);
}

struct evresult
evresult_take_special_(struct evresult result)
{
	struct evgrant *grant = result.data;

	if (evresult_has_kind_(result, EVRESULT_LENT))
		return evresult_of_kind_(
		    EVRESULT_FAILURE, evfailure_ref(result.data));
	if (evresult_is_grant_(result))
		grant->type->pass_on(grant);
	return result;
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
	struct evgrant *grant = result.data;

	if (evresult_is_failure_(result) || evresult_is_deferred_(result))
		return NULL;
	if (evresult_is_grant_(result))
		return grant->type->get_value(grant);
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
	struct evgrant *grant = result.data;

	if (result.dispose == NULL)
		return;
	if (evresult_is_plain_(result)) {
		result.dispose(result.data);
		return;
	}
	switch ((enum evresult_kind)(uintptr_t)result.dispose) {
	case EVRESULT_FAILURE:
		evfailure_unref(result.data);
		break;
	case EVRESULT_LENT:
		break;
	case EVRESULT_DEFERRED:
		evdeferred_free(result.data);
		break;
	case EVRESULT_GRANT:
		grant->type->dispose(grant);
		break;
	}
}

/* The failure that NULL stands for. */
static const struct evfailure *
or_none(const struct evfailure *failure)
{
	static const struct evfailure none = {.file = "", .message = ""};

	return failure != NULL ? failure : &none;
}

int
evfailure_get_code(const struct evfailure *failure)
{
	return or_none(failure)->code;
}

const char *
evfailure_get_message(const struct evfailure *failure)
{
	return or_none(failure)->message;
}

struct evfailure *
evfailure_get_cause(const struct evfailure *failure)
{
	return or_none(failure)->cause;
}

size_t
evfailure_get_index(const struct evfailure *failure)
{
	const size_t place = or_none(failure)->place;

	return place > 0 ? place - 1 : EVFAILURE_NO_INDEX;
}

void *
evfailure_get_payload(const struct evfailure *failure)
{
	failure = or_none(failure);
	return failure->has_users_payload ? failure->payload.data : NULL;
}

const char *
evfailure_get_file(const struct evfailure *failure)
{
	return or_none(failure)->file;
}

int
evfailure_get_line(const struct evfailure *failure)
{
	return or_none(failure)->line;
}

struct evfailure *
evfailure_ref(struct evfailure *failure)
{
	if (failure != NULL && failure->refs > 0)
		failure->refs++;
	return failure;
}

void
evfailure_unref(struct evfailure *failure)
{
	struct evfailure *cause;
	struct evresult payload;

	/* A loop and no recursion, as causes may be many. */
	while (failure != NULL && failure->refs > 0 && --failure->refs == 0) {
		cause = failure->cause;
		payload = failure->payload;
		free(failure);
		evresult_dispose(payload);
		failure = cause;
	}
}
