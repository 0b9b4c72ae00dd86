/* SPDX-License-Identifier: MIT */
/*
 * Traces the locks of one base into a file:
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <event2/event.h>
#include <evdefer.h>

int
run_traced(struct event_base *loop, struct evdefer_base *base)
{
	int fd = open("locks.json", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	struct evtrace *trace;

	if (fd == -1)
		return -1;
	trace = evtrace_new_fd(fd, 0);
	if (trace != NULL && evtrace_add(trace, base, "main") == 0) {
		event_base_dispatch(loop);
		evtrace_remove(base);
	}
	if (evtrace_free(trace) == -1)
		perror("locks.json");
	return close(fd);
}
