/* SPDX-License-Identifier: MIT */
/*
 * keeper SOCKET FILE: keeps a counter in a file, and adds one for whoever sends
 *
 *	add TOKEN
 *
 * unless somebody with a higher token was there before: "ok VALUE", or
 * "refused HIGHEST".  That comparison is all that it takes to be safe from those who
 * have lost a lock and do not know it.  The token is in the file beside the counter, so
 * that a keeper that is started again knows it as well.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

static const char *path;
static char new_path[4096];
static uint64_t value, highest;

static void
die(const char *what)
{
	fprintf(stderr, "keeper: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
read_file(void)
{
	FILE *file = fopen(path, "r");

	if (file == NULL)
		return;
	if (fscanf(file, "%" SCNu64 " by %" SCNu64, &value, &highest) != 2) {
		errno = EINVAL;
		die(path);
	}
	fclose(file);
}

/* Whoever reads it sees the old or the new one. */
static void
write_file(void)
{
	FILE *file = fopen(new_path, "w");

	if (file == NULL ||
	    fprintf(file, "%" PRIu64 " by %" PRIu64 "\n", value, highest) < 0 ||
	    fclose(file) == EOF || rename(new_path, path) == -1)
		die(path);
}

static void
answer(struct evbuffer *output, const char *line)
{
	uint64_t token;

	if (sscanf(line, "add %" SCNu64, &token) != 1) {
		evbuffer_add_printf(output, "what is that?\n");
		return;
	}
	if (token < highest) {
		evbuffer_add_printf(output, "refused %" PRIu64 "\n", highest);
		return;
	}
	highest = token;
	value++;
	write_file();
	evbuffer_add_printf(output, "ok %" PRIu64 "\n", value);
}

static void
on_lines(struct bufferevent *client, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(client);
	char *line;

	(void)arg;
	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF)) != NULL) {
		answer(bufferevent_get_output(client), line);
		free(line);
	}
}

static void
on_end(struct bufferevent *client, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(client);
}

static void
on_client(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *address, int length, void *loop)
{
	struct bufferevent *client =
	    bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)listener;
	(void)address;
	(void)length;
	if (client == NULL)
		die("a client");
	bufferevent_setcb(client, on_lines, NULL, on_end, NULL);
	bufferevent_enable(client, EV_READ | EV_WRITE);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct event_base *loop = event_base_new();

	if (argc != 3) {
		fprintf(stderr, "usage: keeper SOCKET FILE\n");
		return 2;
	}
	path = argv[2];
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	read_file();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	unlink(argv[1]);
	if (evconnlistener_new_bind(loop, on_client, loop,
		LEV_OPT_CLOSE_ON_FREE, -1, (struct sockaddr *)&address,
		sizeof(address)) == NULL)
		die(argv[1]);
	event_base_dispatch(loop);
	return 0;
}
