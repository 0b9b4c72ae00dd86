/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <stdlib.h>
#include <string.h>

/* Memory that a request may leave to the next one. */
#define KEEP_TEXT 16384
#define KEEP_PLACES 64

/* The text moves when it grows. */
struct place {
	size_t offset;
	size_t length;
};

static void
free_text(struct arguments *arguments)
{
	free(arguments->text);
	arguments->text = NULL;
	arguments->capacity = 0;
}

static void
free_places(struct arguments *arguments)
{
	free(arguments->places);
	arguments->places = NULL;
	arguments->room = 0;
}

void
arguments_destroy(struct arguments *arguments)
{
	free_text(arguments);
	free_places(arguments);
}

void
arguments_clear(struct arguments *arguments)
{
	arguments->count = 0;
	arguments->used = 0;
	if (arguments->capacity > KEEP_TEXT)
		free_text(arguments);
	if (arguments->room > KEEP_PLACES)
		free_places(arguments);
}

int
arguments_make_room(struct arguments *arguments, size_t length)
{
	const size_t needed = arguments->used + length;
	size_t capacity = arguments->capacity + arguments->capacity / 2;
	char *text;

	if (needed <= arguments->capacity)
		return 0;
	if (capacity < needed)
		capacity = needed;
	text = realloc(arguments->text, capacity);
	if (text == NULL)
		return -1;
	arguments->text = text;
	arguments->capacity = capacity;
	return 0;
}

int
arguments_add(struct arguments *arguments, size_t offset, size_t length)
{
	const size_t room = arguments->room * 2 + 8;
	struct place *places = arguments->places;

	if (arguments->count == arguments->room) {
		places = realloc(places, room * sizeof(*places));
		if (places == NULL)
			return -1;
		arguments->places = places;
		arguments->room = room;
	}
	places[arguments->count].offset = offset;
	places[arguments->count].length = length;
	arguments->count++;
	return 0;
}

struct arguments
arguments_take(struct arguments *arguments)
{
	struct arguments taken = *arguments;
	char *text;

	memset(arguments, 0, sizeof(*arguments));
	/* Made smaller, or left as it is. */
	text = taken.used > 0 ? realloc(taken.text, taken.used) : NULL;
	if (text != NULL) {
		taken.text = text;
		taken.capacity = taken.used;
	}
	return taken;
}

size_t
arguments_size(const struct arguments *arguments)
{
	return arguments->capacity + arguments->room * sizeof(struct place);
}

struct bytes
arguments_get(const struct arguments *arguments, size_t index)
{
	const struct place *place = &arguments->places[index];
	const struct bytes bytes = {
	    arguments->text + place->offset, place->length};

	return bytes;
}
