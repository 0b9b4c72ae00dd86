/* SPDX-License-Identifier: MIT */
/* A bounded queue between a producer and a consumer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <evdefer.h>

struct consumer {
	struct evqueue *lines;
	struct evdeferred *next;
};

static struct evresult on_line(void *value, void *arg);

static void
get_next(struct consumer *consumer)
{
	struct evdeferred *d = evqueue_get(consumer->lines);

	consumer->next = d;
	evdeferred_add_callback(d, on_line, consumer);
}

static struct evresult
on_line(void *value, void *arg)
{
	struct consumer *consumer = arg;

	printf("got %s\n", (char *)value);
	free(value);
	evdeferred_free(consumer->next);
	get_next(consumer);
	return evresult_value(NULL);
}

static void
produce(struct evqueue *lines, const char *text)
{
	struct evresult line = evresult_owned(strdup(text), free);

	if (evqueue_put(lines, line) == 0)
		return;
	printf("%s: %s\n", text, errno == ENOBUFS ? "full" : "failed");
	evresult_dispose(line);
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct consumer consumer = {evqueue_new(base, 2, 1, 0), NULL};

	if (consumer.lines == NULL)
		return 1;
	produce(consumer.lines, "one");
	produce(consumer.lines, "two");
	produce(consumer.lines, "three");
	get_next(&consumer);
	event_base_dispatch(loop);
	produce(consumer.lines, "four");
	event_base_dispatch(loop);

	evdeferred_free(consumer.next);
	evqueue_free(consumer.lines);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
