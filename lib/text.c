/* SPDX-License-Identifier: MIT */
#include "text-internal.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

void
evtext_init_(struct evtext *text, char *buffer, size_t size)
{
	text->buffer = buffer;
	text->size = size;
	text->length = 0;
	if (size > 0)
		buffer[0] = '\0';
}

void
evtext_add_(struct evtext *text, const char *format, ...)
{
	const size_t used =
	    text->length < text->size ? text->length : text->size;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(used < text->size ? text->buffer + used : NULL,
	    text->size - used, format, args);
	va_end(args);
	if (length > 0)
		text->length += (size_t)length;
}

int
evtext_length_(const struct evtext *text)
{
	return text->length < INT_MAX ? (int)text->length : INT_MAX;
}
