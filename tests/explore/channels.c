/* SPDX-License-Identifier: MIT */
/*
 * The explorer makes a base for each sequence, millions of them, and the kernel would
 * take longer for the descriptor of each than the library for all else.  So they are
 * used again: eventfd() and close() are the program's own here.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Descriptors below this one are kept. */
#define KEPT 64

static enum { OTHER, IN_USE, UNUSED } states[KEPT];

/* A pointer to a function is no pointer to data for the compiler. */
static void
find_next(const char *name, void *function, size_t size)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(function, &found, size);
}

int
eventfd(unsigned initial, int flags)
{
	int (*next)(unsigned, int);
	int fd;

	for (fd = 0; fd < KEPT; fd++) {
		if (states[fd] == UNUSED) {
			states[fd] = IN_USE;
			return fd;
		}
	}
	find_next("eventfd", &next, sizeof(next));
	fd = next(initial, flags);
	if (fd >= 0 && fd < KEPT)
		states[fd] = IN_USE;
	return fd;
}

int
close(int fd)
{
	int (*next)(int);
	uint64_t count;

	if (fd < 0 || fd >= KEPT || states[fd] != IN_USE) {
		find_next("close", &next, sizeof(next));
		return next(fd);
	}
	(void)!read(fd, &count, sizeof(count));
	states[fd] = UNUSED;
	return 0;
}
