/* SPDX-License-Identifier: MIT */
/*
 * A callback that receives a line, which it has to free, and returns an owned copy
 * or a failure:
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <evdefer.h>

static struct evresult
check_line(void *value, void *arg)
{
	char *line = value;
	char *copy;
	size_t length = strlen(line);

	(void)arg;
	if (length > 80) {
		free(line);
		return evresult_fail(EMSGSIZE, "%zu characters", length);
	}
	copy = strdup(line);
	free(line);
	if (copy == NULL)
		return evresult_fail(ENOMEM, NULL);
	return evresult_owned(copy, free);
}
