/* SPDX-License-Identifier: MIT */
#include "page-internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE_OF_PAGE 1024

/* Has at least so many bytes behind the text.  Whether there was memory. */
static bool
make_room(struct evpage *page, size_t count)
{
	size_t size = page->size > 0 ? page->size : FIRST_SIZE_OF_PAGE;
	char *bytes;

	while (size - page->length < count)
		size *= 2;
	if (size == page->size)
		return true;
	bytes = realloc(page->bytes, size);
	if (bytes == NULL) {
		page->failed = true;
		return false;
	}
	page->bytes = bytes;
	page->size = size;
	return true;
}

bool
evpage_reserve_(struct evpage *page, size_t length)
{
	return make_room(page, length - page->length);
}

static char *
end_of_page(const struct evpage *page)
{
	return page->bytes != NULL ? page->bytes + page->length : NULL;
}

void
evpage_add_(struct evpage *page, const char *format, ...)
{
	const size_t room = page->size - page->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(end_of_page(page), room, format, args);
	va_end(args);
	if (length < 0 || !make_room(page, (size_t)length + 1))
		return;
	/* Mostly there was room enough. */
	if ((size_t)length >= room) {
		va_start(args, format);
		vsnprintf(end_of_page(page), (size_t)length + 1, format, args);
		va_end(args);
	}
	page->length += (size_t)length;
}

static void
add_bytes(struct evpage *page, const char *bytes, size_t count)
{
	if (!make_room(page, count))
		return;
	memcpy(page->bytes + page->length, bytes, count);
	page->length += count;
}

/* How long the sequence of UTF-8 is that begins with this byte; 0 if none does. */
static size_t
sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0)
		return 3;
	return first < 0xf5 ? 4 : 0;
}

/* The character that the text, which is not empty, begins with, and its bytes. */
static uint32_t
first_character(const char *text, size_t *count)
{
	const unsigned char *bytes = (const unsigned char *)text;
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	const size_t length = sequence_length(bytes[0]);
	uint32_t character;
	size_t i;

	*count = 1;
	if (length == 1)
		return bytes[0];
	character = bytes[0] & (0x7fu >> length);
	/* The NUL at the end is no part of a sequence, either. */
	for (i = 1; i < length && (bytes[i] & 0xc0) == 0x80; i++)
		character = character << 6 | (bytes[i] & 0x3fu);
	if (length == 0 || i < length || character < lowest[length] ||
	    (character >= 0xd800 && character < 0xe000) ||
	    character >= EVPAGE_NO_CHARACTER)
		return EVPAGE_NO_CHARACTER + bytes[0];
	*count = length;
	return character;
}

/* How many characters come first that stand for themselves everywhere.  Nearly all
 * do, and are added at once. */
static size_t
count_plain(const char *text)
{
	size_t count = 0;

	while (text[count] >= ' ' && text[count] <= '~' && text[count] != '"' &&
	       text[count] != '\\' && text[count] != '&')
		count++;
	return count;
}

void
evpage_add_escaped_(
    struct evpage *page, const char *text, evpage_escape_fn escape)
{
	uint32_t character;
	size_t count;

	for (; *text != '\0'; text += count) {
		count = count_plain(text);
		if (count > 0) {
			add_bytes(page, text, count);
			continue;
		}
		character = first_character(text, &count);
		if (!escape(page, character))
			add_bytes(page, text, count);
	}
}

static bool
escape_json(struct evpage *page, uint32_t character)
{
	if (character > EVPAGE_NO_CHARACTER)
		evpage_add_(page, "\\ufffd");
	else if (character == '"' || character == '\\')
		evpage_add_(page, "\\%c", (int)character);
	else if (character < ' ')
		evpage_add_(page, "\\u%04x", (unsigned)character);
	else
		return false;
	return true;
}

void
evpage_quote_json_(struct evpage *page, const char *text)
{
	if (text == NULL) {
		evpage_add_(page, "null");
		return;
	}
	evpage_add_(page, "\"");
	evpage_add_escaped_(page, text, escape_json);
	evpage_add_(page, "\"");
}

void
evpage_turn_(struct evpage *page)
{
	page->length = 0;
}

void
evpage_destroy_(struct evpage *page)
{
	free(page->bytes);
}
