/* SPDX-License-Identifier: MIT */
/*
 * A file is read beside the loop.
 * What the function has allocated is the value, and whoever receives it frees it:
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <evdefer.h>

/* In a thread of the pool. */
static struct evresult
read_line(void *arg)
{
	const char *name = arg;
	FILE *file = fopen(name, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	if (file == NULL)
		return evresult_fail(errno, "can't open %s", name);
	length = getline(&line, &size, file);
	fclose(file);
	if (length != -1)
		return evresult_owned(line, free);
	free(line);
	return evresult_fail(EIO, "no line in %s", name);
}

/* In the loop. */
static struct evresult
print_line(void *value, void *arg)
{
	(void)arg;
	printf("%s", (char *)value);
	free(value);
	return evresult_value(NULL);
}

int
print_first_line(
    struct evthreadpool *pool, struct evdefer_base *base, char *name)
{
	struct evdeferred *d = evthreadpool_defer(pool, base, read_line, name);

	if (d == NULL)
		return -1;
	if (evdeferred_add_callback(d, print_line, NULL) == -1) {
		evdeferred_free(d);
		return -1;
	}
	evdeferred_detach(d);
	return 0;
}
