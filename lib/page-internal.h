/* SPDX-License-Identifier: MIT */
/* A text that is put together in memory that grows. */
#ifndef EVDEFER_PAGE_INTERNAL_H
#define EVDEFER_PAGE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evdefer/result.h>

/* All of it is 0 at first. */
struct evpage {
	char *bytes;
	size_t length;
	size_t size;
	bool failed; /* there was no memory for all of it */
};

void evpage_add_(struct evpage *page, const char *format, ...)
    EVDEFER_PRINTF_(2, 3);

/* A character above this is one byte that is not UTF-8, which is its rest. */
#define EVPAGE_NO_CHARACTER UINT32_C(0x110000)

/* Adds what stands for a character, if that cannot stand there itself.  Whether it
 * did. */
typedef bool (*evpage_escape_fn)(struct evpage *page, uint32_t character);

/* Adds a text that may have anything in it. */
void evpage_add_escaped_(
    struct evpage *page, const char *text, evpage_escape_fn escape);

/* Adds a string as JSON has it, or null. */
void evpage_quote_json_(struct evpage *page, const char *text);

/* Has room for a text of that length, which is more than it has.  Whether there was
 * memory. */
bool evpage_reserve_(struct evpage *page, size_t length);

/* Begins another text in the same memory. */
void evpage_turn_(struct evpage *page);

void evpage_destroy_(struct evpage *page);

#endif
