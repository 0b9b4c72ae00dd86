/* SPDX-License-Identifier: MIT */
#include "tracing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <evdefer/trace.h>

#include "report.h"

/* All loops hear of it, and one of them says so. */
static void
report_stop(struct tracing *tracing)
{
	const int error = errno;

	if (!atomic_exchange(&tracing->reported, true))
		report("%s: the trace has stopped: %s", tracing->path,
		    strerror(error));
}

int
tracing_open(struct tracing *tracing, const char *path)
{
	if (path == NULL)
		return 0;
	tracing->path = path;
	tracing->fd =
	    open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (tracing->fd == -1) {
		report("--trace=%s: can't open: %s", path, strerror(errno));
		return -1;
	}
	tracing->trace = evtrace_new_fd(tracing->fd, 0);
	if (tracing->trace != NULL)
		return 0;
	report("out of memory");
	close(tracing->fd);
	return -1;
}

int
tracing_add(struct tracing *tracing, struct evdefer_base *base, unsigned number)
{
	char name[32];

	if (tracing->trace == NULL)
		return 0;
	snprintf(name, sizeof(name), "loop %u", number);
	return evtrace_add(tracing->trace, base, name);
}

void
tracing_flush(struct tracing *tracing, struct evdefer_base *base)
{
	if (tracing->trace == NULL || evtrace_flush(base) == 0 ||
	    errno == ENOENT)
		return;
	report_stop(tracing);
	evtrace_remove(base);
}

void
tracing_close(struct tracing *tracing)
{
	if (tracing->trace == NULL)
		return;
	if (evtrace_free(tracing->trace) == -1)
		report_stop(tracing);
	close(tracing->fd);
}
