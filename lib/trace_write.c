/* SPDX-License-Identifier: MIT */
#include "trace-internal.h"

#include <errno.h>

void
evtrace_write_out_(struct evtrace *trace, const char *data, size_t length)
{
	if (atomic_load(&trace->error) != 0)
		return;
	errno = 0;
	if (trace->write(data, length, trace->arg) == -1)
		atomic_store(&trace->error, errno != 0 ? errno : EIO);
}

/* The first event of a file follows its beginning and no comma. */
void
evtracing_write_(struct evtracing *tracing)
{
	struct evtrace *trace = tracing->trace;
	struct evpage *page = &tracing->page;

	if (page->length == 0)
		return;
	pthread_mutex_lock(&trace->mutex);
	if (!trace->begun) {
		trace->begun = true;
		page->bytes[0] = '[';
	}
	evtrace_write_out_(trace, page->bytes, page->length);
	pthread_mutex_unlock(&trace->mutex);
	evpage_turn_(page);
}

void
evtracing_added_(struct evtracing *tracing)
{
	if (tracing->page.length >= EVTRACE_KEPT)
		evtracing_write_(tracing);
}
