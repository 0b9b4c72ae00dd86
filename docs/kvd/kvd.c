/* SPDX-License-Identifier: MIT */
/*
 * kvd: a durable key-value daemon, to show what libevdefer is for.
 *
 * Everything is served by one event loop, or by several that have a thread each.  A
 * write waits for the disk before it is applied, and meanwhile the loops serve others:
 * the readers-writer lock keeps them from seeing what is half done.  call.c is the
 * place to begin to read; commit.c and snapshot.c are the work under the lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "options.h"
#include "report.h"
#include "server.h"

/*
 * Whoever starts us may have closed stdin, stdout or stderr, and then the next
 * files to be opened get those numbers: the journal, for example, into which
 * every message would be written.  So there is something at all three of them
 * before anything else is opened.
 */
static int
fill_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd == -1) {
		report("/dev/null: can't open: %s", strerror(errno));
		return -1;
	}
	close(fd);
	return 0;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct server server;
	int status = EXIT_FAILURE;

	if (fill_standard_files() == -1)
		return EXIT_FAILURE;
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_HELP:
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		return 2;
	}
	/* Without the signals the calls that fail return an error. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (server_open(&server, &options) == 0) {
		server_run(&server);
		status = EXIT_SUCCESS;
	}
	server_close(&server);
	libevent_global_shutdown();
	return status;
}
