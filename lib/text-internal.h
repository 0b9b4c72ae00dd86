/* SPDX-License-Identifier: MIT */
/* A text that is put together in a buffer that may be too small for it. */
#ifndef EVDEFER_TEXT_INTERNAL_H
#define EVDEFER_TEXT_INTERNAL_H

#include <stddef.h>

#include <evdefer/result.h>

struct evtext {
	char *buffer;
	size_t size;
	size_t length; /* that it has, or would have with room enough */
};

/* The buffer may be NULL if the size is 0. */
void evtext_init_(struct evtext *text, char *buffer, size_t size);

void evtext_add_(struct evtext *text, const char *format, ...)
    EVDEFER_PRINTF_(2, 3);

/* The length as the functions that describe something return it. */
int evtext_length_(const struct evtext *text);

#endif
