/* SPDX-License-Identifier: MIT */
#include "names-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_LOCK 200

bool
evnames_is_lock_(const char *name)
{
	size_t length;

	if (name == NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (length = 0; name[length] != '\0'; length++) {
		const unsigned char c = (unsigned char)name[length];

		if (length == LONGEST_LOCK || c < ' ' || c == '/' || c == 0x7f)
			return false;
	}
	return length > 0;
}

bool
evnames_read_place_(const char *name, struct evplace *place)
{
	const char *number;
	char *end;
	long value;

	if (!evnames_is_writer_(name) && !evnames_is_reader_(name))
		return false;
	number = strchr(name + 2, '-');
	if (number == NULL || strlen(name) >= sizeof(place->name))
		return false;
	errno = 0;
	value = strtol(number + 1, &end, 10);
	if (errno != 0 || end == number + 1 || *end != '\0' ||
	    value != (int32_t)value)
		return false;
	strcpy(place->name, name);
	place->number = (int32_t)value;
	return true;
}

/* The difference runs over as they do. */
bool
evnames_is_before_(const struct evplace *place, const struct evplace *other)
{
	return (int32_t)((uint32_t)place->number - (uint32_t)other->number) < 0;
}
