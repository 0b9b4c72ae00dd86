/* SPDX-License-Identifier: MIT */
/*
 * The names of the locks that clients name, where there are several loops.
 */
#include "names.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/group.h>

#include "table.h"

struct name {
	UT_hash_handle hh;
	struct evgroup *group;
	size_t loops; /* that use it */
	char text[];
};

struct names {
	pthread_mutex_t mutex; /* over the rest */
	struct name *table;
	size_t count;
};

struct names *
names_new(void)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names != NULL)
		pthread_mutex_init(&names->mutex, NULL);
	return names;
}

void
names_free(struct names *names)
{
	if (names == NULL)
		return;
	pthread_mutex_destroy(&names->mutex);
	free(names);
}

static struct name *
add(struct names *names, struct bytes text)
{
	struct name *name = calloc(1, sizeof(*name) + text.length);

	if (name == NULL)
		return NULL;
	if (text.length > 0)
		memcpy(name->text, text.data, text.length);
	name->group = evgroup_new();
	if (name->group != NULL)
		HASH_ADD_KEYPTR(
		    hh, names->table, name->text, (unsigned)text.length, name);
	if (name->hh.tbl != NULL) {
		names->count++;
		return name;
	}
	evgroup_free(name->group);
	free(name);
	return NULL;
}

struct name *
names_use(struct names *names, struct bytes text)
{
	struct name *name;

	pthread_mutex_lock(&names->mutex);
	HASH_FIND(hh, names->table, text.data, (unsigned)text.length, name);
	if (name == NULL)
		name = add(names, text);
	if (name != NULL)
		name->loops++;
	pthread_mutex_unlock(&names->mutex);
	return name;
}

void
names_unuse(struct names *names, struct name *name)
{
	bool last;

	pthread_mutex_lock(&names->mutex);
	last = --name->loops == 0;
	if (last) {
		HASH_DELETE(hh, names->table, name);
		names->count--;
	}
	pthread_mutex_unlock(&names->mutex);
	if (!last)
		return;
	evgroup_free(name->group);
	free(name);
}

struct evgroup *
name_group(const struct name *name)
{
	return name->group;
}

size_t
names_count(struct names *names)
{
	size_t count;

	pthread_mutex_lock(&names->mutex);
	count = names->count;
	pthread_mutex_unlock(&names->mutex);
	return count;
}
