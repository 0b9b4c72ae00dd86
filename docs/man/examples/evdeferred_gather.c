/* SPDX-License-Identifier: MIT */
/*
 * Three things at once, and the sum of them:
 */
#include <stddef.h>
#include <evdefer.h>

static struct evresult
add_up(void *value, void *arg)
{
	struct evresults *results = value;
	int *sum = arg;
	size_t i;

	for (i = 0; i < evresults_get_count(results); i++)
		*sum += *(int *)evresult_get_value(evresults_get(results, i));
	evresults_free(results);
	return evresult_value(sum);
}

static struct evdeferred *
start(struct evdefer_base *base, struct evdeferred *parts[3], int *sum)
{
	struct evdeferred *d = evdeferred_gather(base, parts, 3, 0);

	if (d != NULL)
		evdeferred_add_callback(d, add_up, sum);
	return d;
}
