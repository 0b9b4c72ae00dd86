/* SPDX-License-Identifier: MIT */
#include "call-internal.h"

#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>

#if defined(HAVE_SYS_EVENTFD_H) || defined(__linux__)
#include <sys/eventfd.h>
#define HAVE_EVENTFD
#endif

#include "base-internal.h"

static void
init_list(struct evcall_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void
append_call(struct evcall_list *list, struct evcall *call)
{
	call->next = NULL;
	*list->end = call;
	list->end = &call->next;
}

static void
move_calls(struct evcall_list *to, struct evcall_list *from)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	init_list(from);
}

/*
 * The channel.
 */

static int
open_channel(int fds[2])
{
#ifdef HAVE_EVENTFD
	fds[0] = fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fds[0] != -1)
		return 0;
#endif
	/* Also where the kernel knows no eventfd. */
	if (evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return -1;
	evutil_make_socket_nonblocking(fds[0]);
	evutil_make_socket_nonblocking(fds[1]);
	evutil_make_socket_closeonexec(fds[0]);
	evutil_make_socket_closeonexec(fds[1]);
	return 0;
}

static void
close_channel(const int fds[2])
{
	close(fds[0]);
	if (fds[1] != fds[0])
		close(fds[1]);
}

/* It fails only when it is full, and then the loop is about to look. */
static void
write_channel(int fd)
{
	const uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) == -1 && errno == EINTR)
		continue;
}

static void
empty_channel(int fd)
{
	char buffer[64];
	ssize_t count;

	/* An eventfd is empty after one read. */
	do
		count = read(fd, buffer, sizeof(buffer));
	while (count == (ssize_t)sizeof(buffer) ||
	       (count == -1 && errno == EINTR));
}

/*
 * In the loop.
 */

static void
run_first_call(struct evready *ready)
{
	struct evcalls *calls = EVLIST_ELEMENT(ready, struct evcalls, ready);
	struct evcall *call = calls->due.first;

	calls->due.first = call->next;
	if (call->next == NULL)
		init_list(&calls->due);
	/* They take turns with others that are ready. */
	evlist_remove_(&ready->node);
	if (calls->due.first != NULL)
		evdefer_base_make_ready_(
		    EVLIST_ELEMENT(calls, struct evdefer_base, calls), ready);
	call->fn(call->arg);
}

/* Takes what was accepted by now. */
static void
look(struct evdefer_base *base, bool closed)
{
	struct evcalls *calls = &base->calls;

	/* Before the list is taken: what is put there later is written again. */
	empty_channel(calls->fds[0]);
	pthread_mutex_lock(&calls->mutex);
	move_calls(&calls->due, &calls->accepted);
	calls->woken = false;
	calls->closed = closed;
	pthread_mutex_unlock(&calls->mutex);
	if (calls->due.first != NULL && evlist_empty_(&calls->ready.node))
		evdefer_base_make_ready_(base, &calls->ready);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	look(arg, false);
}

static void
on_awaited(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

int
evcalls_await_(struct evdefer_base *base)
{
	static const struct timeval for_ever = {INT32_MAX, 0};
	struct evcalls *calls = &base->calls;

	if (calls->await_count == 0 &&
	    event_add(calls->awaited, &for_ever) == -1)
		return evdefer_refuse_(ENOMEM);
	calls->await_count++;
	return 0;
}

void
evcalls_await_no_more_(struct evdefer_base *base)
{
	struct evcalls *calls = &base->calls;

	if (--calls->await_count == 0 && calls->awaited != NULL)
		event_del(calls->awaited);
}

/* An event that waits for calls must not keep the loop from ending.  libevent does
 * not count those of its own, and has no other way. */
static void
make_internal(struct event *event)
{
	event->ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
}

int
evcalls_init_(struct evdefer_base *base)
{
	struct evcalls *calls = &base->calls;

	if (open_channel(calls->fds) == -1)
		return -1;
	calls->readable = event_new(base->event_base, calls->fds[0],
	    EV_READ | EV_PERSIST, on_readable, base);
	calls->awaited =
	    event_new(base->event_base, -1, EV_PERSIST, on_awaited, NULL);
	if (calls->readable == NULL || calls->awaited == NULL)
		goto no_memory;
	make_internal(calls->readable);
	if (event_add(calls->readable, NULL) == -1)
		goto no_memory;
	pthread_mutex_init(&calls->mutex, NULL);
	init_list(&calls->accepted);
	init_list(&calls->due);
	evlist_init_(&calls->ready.node);
	calls->ready.deliver = run_first_call;
	return 0;

no_memory:
	if (calls->readable != NULL)
		event_free(calls->readable);
	if (calls->awaited != NULL)
		event_free(calls->awaited);
	close_channel(calls->fds);
	return evdefer_refuse_(ENOMEM);
}

void
evcalls_close_(struct evdefer_base *base)
{
	struct evcalls *calls = &base->calls;

	event_free(calls->readable);
	event_free(calls->awaited);
	calls->awaited = NULL;
	look(base, true);
}

void
evcalls_destroy_(struct evcalls *calls)
{
	struct evcall *call;

	while ((call = calls->unused) != NULL) {
		calls->unused = call->next;
		free(call);
	}
	close_channel(calls->fds);
	pthread_mutex_destroy(&calls->mutex);
}

/*
 * In any thread.
 */

int
evcall_post_(struct evdefer_base *base, struct evcall *call)
{
	struct evcalls *calls = &base->calls;
	bool closed, wakes = false;

	pthread_mutex_lock(&calls->mutex);
	closed = calls->closed;
	if (!closed) {
		append_call(&calls->accepted, call);
		wakes = !calls->woken;
		calls->woken = true;
	}
	pthread_mutex_unlock(&calls->mutex);
	if (closed)
		return evdefer_refuse_(ESHUTDOWN);
	if (wakes)
		write_channel(calls->fds[1]);
	return 0;
}

/* A call of the user's, in memory of ours. */
struct users_call {
	struct evcall call;
	struct evdefer_base *base;
	evdefer_base_call_fn fn;
	void *arg;
};

static void
run_users_call(void *arg)
{
	struct users_call *own = arg;
	const struct users_call copy = *own;
	struct evcalls *calls = &own->base->calls;

	pthread_mutex_lock(&calls->mutex);
	own->call.next = calls->unused;
	calls->unused = &own->call;
	pthread_mutex_unlock(&calls->mutex);
	copy.fn(copy.arg);
}

static struct users_call *
get_users_call(struct evcalls *calls)
{
	struct evcall *call;

	pthread_mutex_lock(&calls->mutex);
	call = calls->unused;
	if (call != NULL)
		calls->unused = call->next;
	pthread_mutex_unlock(&calls->mutex);
	if (call != NULL)
		return EVLIST_ELEMENT(call, struct users_call, call);
	return malloc(sizeof(struct users_call));
}

int
evdefer_base_call(struct evdefer_base *base, evdefer_base_call_fn fn, void *arg)
{
	struct users_call *own;

	if (base == NULL || fn == NULL)
		return evdefer_refuse_(EINVAL);
	own = get_users_call(&base->calls);
	if (own == NULL)
		return evdefer_refuse_(ENOMEM);
	own->base = base;
	own->fn = fn;
	own->arg = arg;
	own->call.fn = run_users_call;
	own->call.arg = own;
	if (evcall_post_(base, &own->call) == 0)
		return 0;
	free(own);
	return evdefer_refuse_(ESHUTDOWN);
}
