/* SPDX-License-Identifier: MIT */
#include "creation-internal.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base-internal.h"

#if defined(HAVE_UNWIND_H) || defined(__GLIBC__)
#include <dlfcn.h>
#include <unwind.h>

/* How many frames a person gets to see; and if those of the library may be among them. */
#define SHOWN 4
#define SHOWN_WITH_LIBRARY 10

bool
evcreation_works_(void)
{
	struct evcreation creation;

	evcreation_record_(&creation);
	return creation.count > 0;
}

struct walk {
	void **frames;
	long count;
};

static _Unwind_Reason_Code
add_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	void *frame = (void *)_Unwind_GetIP(context);

	/* Some systems have one more at the end, which is none. */
	if (walk->count == EVCREATION_FRAMES || frame == NULL)
		return _URC_END_OF_STACK;
	walk->frames[walk->count++] = frame;
	return _URC_NO_REASON;
}

/* What backtrace() does, without the memory that its first call takes. */
void
evcreation_record_(struct evcreation *creation)
{
	struct walk walk = {creation->frames, 0};

	_Unwind_Backtrace(add_frame, &walk);
	/* Behind the call, so that it is no tail call: find_caller() counts on the
	 * frame of this function. */
	creation->count = walk.count;
	creation->time = evdefer_base_now_();
}

/* Is the library a file of its own?  If so, info is about that. */
static bool
is_apart(const struct evcreation *creation, Dl_info *info)
{
	return dladdr(creation->frames[0], info) != 0 &&
	       info->dli_fname != NULL &&
	       strstr(info->dli_fname, "libevdefer.so") != NULL;
}

/* The frames of the library come first.  They are recognized by its file.  If it was
 * linked into another one, at least the caller of evdeferred_new() is known. */
static long
find_caller(const struct evcreation *creation, long *shown)
{
	Dl_info own, info;
	long i;

	*shown = SHOWN_WITH_LIBRARY;
	if (!is_apart(creation, &own))
		return creation->count > 2 ? 2 : 0;
	*shown = SHOWN;
	for (i = 1; i < creation->count; i++) {
		if (dladdr(creation->frames[i], &info) != 0 &&
		    info.dli_fbase != own.dli_fbase)
			return i;
	}
	return 0;
}

/* As "function+0x12 (program+0x1234)".  The address is that of the call and not of
 * the return, so that "addr2line -e program 0x1234" tells its line. */
static void
describe_frame(const char *address, struct evtext *text)
{
	Dl_info info;
	const char *name;

	address--;
	if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
		evtext_add_(text, "%p", (const void *)address);
		return;
	}
	if (info.dli_sname != NULL)
		evtext_add_(text, "%s+0x%tx ", info.dli_sname,
		    address - (const char *)info.dli_saddr);
	name = strrchr(info.dli_fname, '/');
	evtext_add_(text, "(%s+0x%tx)",
	    name != NULL ? name + 1 : info.dli_fname,
	    address - (const char *)info.dli_fbase);
}

long
evcreation_describe_(const struct evcreation *creation, struct evtext *text)
{
	long shown, i, first = find_caller(creation, &shown);

	for (i = first; i < creation->count && i < first + shown; i++) {
		if (i > first)
			evtext_add_(text, " < ");
		describe_frame(creation->frames[i], text);
	}
	return first + shown;
}
#else
bool
evcreation_works_(void)
{
	return false;
}

void
evcreation_record_(struct evcreation *creation)
{
	creation->count = 0;
	creation->time = evdefer_base_now_();
}

long
evcreation_describe_(const struct evcreation *creation, struct evtext *text)
{
	(void)creation;
	evtext_add_(text, "an unknown place");
	return 0;
}
#endif
