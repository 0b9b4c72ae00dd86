/* SPDX-License-Identifier: MIT */
/* A mutex: wait for it, or try. */
#include <errno.h>
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

static struct evresult
append(void *line)
{
	printf("%s\n", (char *)line);
	return evresult_value(NULL);
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evmutex *log = evmutex_new(base, 0);

	if (log == NULL)
		return 1;
	if (evmutex_try(log, NULL) == 0)
		printf("mine\n");
	if (evmutex_try(log, NULL) == -1 && errno == EBUSY)
		printf("busy\n");
	evdeferred_detach(evmutex_with(log, NULL, NULL, append, "one line"));
	evdeferred_detach(evmutex_with(log, NULL, NULL, append, "another"));
	evmutex_release(log, NULL);
	event_base_dispatch(loop);

	evmutex_free(log);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
