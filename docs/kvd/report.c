/* SPDX-License-Identifier: MIT */
/*
 * What kvd has to say to the person who runs it.
 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>

void
report(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* In one call, so that the lines of two threads do not mix. */
	fprintf(stderr, "kvd: %s\n", text);
}
