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

/* It fails only when it is full, and then the loop is about to look.  A thread that
 * was cancelled is not to end here: nobody else would write. */
static void
write_channel(int fd)
{
	const uint64_t one = 1;
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	while (write(fd, &one, sizeof(one)) == -1 && errno == EINTR)
		continue;
	pthread_setcancelstate(before, NULL);
}

/* One read is enough, as nobody writes a second time before the loop has looked.  If
 * it fails, the loop comes again. */
static void
empty_channel(int fd)
{
	char buffer[64];

	(void)!read(fd, buffer, sizeof(buffer));
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

/* What was accepted by now is due. */
static void
take_accepted(struct evdefer_base *base, bool closed)
{
	struct evcalls *calls = &base->calls;

	pthread_mutex_lock(&calls->mutex);
	move_calls(&calls->due, &calls->accepted);
	calls->woken = false;
	calls->closed = closed;
	pthread_mutex_unlock(&calls->mutex);
	if (calls->due.first != NULL && evlist_empty_(&calls->ready.node))
		evdefer_base_make_polled_ready_(base, &calls->ready);
}

/*
 * No wake-up is lost, as the channel is emptied before the mutex is taken.  A call
 * that has found "woken" set is in the list by then, for it is taking the list that
 * clears it.  One that has found it clear, after this, writes after the channel was
 * emptied, and the next poll sees that.  The mutex orders all else that the two
 * threads share, what the caller has written before its call included.
 */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	empty_channel(fd);
	take_accepted(arg, false);
}

/* The other event of the channel sees to it. */
static void
on_awaited(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* A second event that reads from the channel is no more to libevent than a count and
 * a place in a list.  It cannot fail, and is no business of the kernel's. */
void
evcalls_await_(struct evdefer_base *base)
{
	struct evcalls *calls = &base->calls;

	if (calls->await_count++ == 0)
		event_add(calls->awaited, NULL);
}

void
evcalls_await_no_more_(struct evdefer_base *base)
{
	struct evcalls *calls = &base->calls;

	if (--calls->await_count == 0 && calls->awaited != NULL)
		event_del(calls->awaited);
}

/* The event that waits for calls must not keep the loop from ending.  libevent does
 * not count those of its own, and has no other way.  Its priority is one that there
 * is, however few they will be: what it does takes no time, and what comes of it has
 * the priority of the base. */
static void
set_up_readable(struct event *event)
{
	event->ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
	event_priority_set(event, 0);
}

int
evcalls_init_(struct evdefer_base *base)
{
	struct evcalls *calls = &base->calls;

	if (open_channel(calls->fds) == -1)
		return -1;
	calls->readable = event_new(base->event_base, calls->fds[0],
	    EV_READ | EV_PERSIST, on_readable, base);
	calls->awaited = event_new(base->event_base, calls->fds[0],
	    EV_READ | EV_PERSIST, on_awaited, NULL);
	if (calls->readable == NULL || calls->awaited == NULL)
		goto no_memory;
	set_up_readable(calls->readable);
	event_priority_set(calls->awaited, 0);
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
	take_accepted(base, true);
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
	bool closed;

	pthread_mutex_lock(&calls->mutex);
	closed = calls->closed;
	if (!closed) {
		append_call(&calls->accepted, call);
		/* Under the mutex: once the call can run, this thread uses
		 * nothing of the base, which may go with that. */
		if (!calls->woken)
			write_channel(calls->fds[1]);
		calls->woken = true;
	}
	pthread_mutex_unlock(&calls->mutex);
	return closed ? evdefer_refuse_(ESHUTDOWN) : 0;
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
