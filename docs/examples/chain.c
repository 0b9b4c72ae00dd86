/* SPDX-License-Identifier: MIT */
/* A Deferred and its chain: callbacks, an errback, values with an owner. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <evdefer.h>

/* A callback: text to number. */
static struct evresult
parse(void *value, void *arg)
{
	const char *text = value;
	char *end;
	long *number = malloc(sizeof(*number));

	(void)arg;
	if (number == NULL)
		return evresult_fail(ENOMEM, NULL);
	*number = strtol(text, &end, 10);
	if (*end == '\0')
		return evresult_owned(number, free);
	free(number);
	return evresult_fail(EINVAL, "\"%s\" is no number", text);
}

/* A callback: it gets the number, and passes it on. */
static struct evresult
times_two(void *value, void *arg)
{
	long *number = value;

	(void)arg;
	*number *= 2;
	return evresult_owned(number, free);
}

/* An errback: it has an answer to the failure, so the chain succeeds again. */
static struct evresult
use_default(struct evfailure *failure, void *arg)
{
	long *number = calloc(1, sizeof(*number));

	(void)arg;
	printf("error %s, using 0\n", evfailure_get_message(failure));
	if (number == NULL)
		return evresult_from_failure(failure);
	return evresult_owned(number, free);
}

/* A callback at the end: it gets the number, and frees it. */
static struct evresult
print(void *value, void *arg)
{
	printf("%s %ld\n", (char *)arg, *(long *)value);
	free(value);
	return evresult_value(NULL);
}

static void
try_it(struct evdefer_base *base, char *text)
{
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	evdeferred_add_callback(d, parse, NULL);
	evdeferred_add_callback(d, times_two, NULL);
	evdeferred_add_errback(d, use_default, NULL);
	evdeferred_add_callback(d, print, "result");
	evdeferred_callback(d, text); /* fires it: the links run now */
	evdeferred_free(d);
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);

	if (base == NULL)
		return 1;
	try_it(base, "21");
	try_it(base, "many");
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
