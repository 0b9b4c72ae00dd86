/* SPDX-License-Identifier: MIT */
/* A read that blocks, in a thread of a pool, while the loop goes on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <evdefer.h>

struct disk {
	struct evdefer_base *base;
	int fds[2]; /* a pipe stands for it */
};

/* In the loop, which nothing has stopped. */
static void
on_reading(void *arg)
{
	struct disk *disk = arg;

	printf("the loop serves others\n");
	if (write(disk->fds[1], "a line", 6) != 6)
		perror("write");
}

/* In a thread of the pool. */
static struct evresult
read_line(void *arg)
{
	struct disk *disk = arg;
	char text[80];
	ssize_t length;

	evdefer_base_call(disk->base, on_reading, disk);
	length = read(disk->fds[0], text, sizeof(text));
	if (length == -1)
		return evresult_fail(errno, "read: %s", strerror(errno));
	return evresult_owned(strndup(text, (size_t)length), free);
}

/* In the loop again. */
static struct evresult
print_line(void *value, void *arg)
{
	(void)arg;
	printf("read: %s\n", (char *)value);
	free(value);
	return evresult_value(NULL);
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evthreadpool *pool = evthreadpool_new(2);
	struct disk disk = {.base = base};
	struct evdeferred *d;

	if (pool == NULL || pipe(disk.fds) == -1)
		return 1;
	d = evthreadpool_defer(pool, base, read_line, &disk);
	evdeferred_add_callback(d, print_line, NULL);
	evdeferred_detach(d);
	event_base_dispatch(loop); /* stays until the work is done */

	evthreadpool_free(pool);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
