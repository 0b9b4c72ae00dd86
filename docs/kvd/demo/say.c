/* SPDX-License-Identifier: MIT */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
die(const char *format, ...)
{
	va_list args;

	fputs("demo: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

const char *
grouped(long number)
{
	static char buffers[8][32];
	static unsigned next;
	char digits[32];
	char *out = buffers[next++ % 8];
	char *const result = out;
	int length = snprintf(digits, sizeof(digits), "%ld", number);

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return result;
}

bool
verdict(bool held, const char *format, ...)
{
	va_list args;

	fputs(held ? "   PASS  " : "   FAIL  ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fputc('\n', stdout);
	return held;
}
