/* SPDX-License-Identifier: MIT */
/*
 * One connection.
 */
#include "client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "call.h"
#include "count.h"
#include "loop.h"
#include "options.h"
#include "report.h"
#include "server.h"

/* Requests of one client in a turn of the loop. */
#define BATCH 64
/* Input that waits for its turn. */
#define MAX_INPUT ((size_t)65536)
/* Replies that wait to be sent; beyond that no request is begun. */
#define MAX_OUTPUT ((size_t)1 << 20)
/* Seconds that a client has to take the last replies, before it is closed. */
#define LAST_TIMEOUT 10
/* Seconds in which it may still hang up itself when it has them. */
#define LINGER 2
/* Milliseconds between two looks at a connection that is not read. */
#define WATCH 500
/* After so many of them a client that has ended its side stops waiting for locks. */
#define LOOKS 6

struct client {
	struct call call;
	struct loop *loop;
	struct client *next, *previous;
	struct bufferevent *bev; /* NULL: the connection has gone */
	struct evbuffer *replies;
	struct event *timer;
	bool looping;	       /* run() is at work and goes on by itself */
	bool ended;	       /* the other side sends no more */
	bool closing;	       /* no more requests */
	bool begun_close;      /* and the replies are on their way */
	bool paused;	       /* enough input waits */
	bool lingering;	       /* all is sent */
	int looks;	       /* at its connection since it has ended */
	struct count buffered; /* bytes, of the share of the loop */
};

static void run(struct client *client);

/*
 * The list of a loop's clients.  Other loops look at it in find_bigger().
 */

static void
link_in(struct client *client)
{
	struct loop *loop = client->loop;

	pthread_mutex_lock(&loop->mutex);
	client->next = loop->clients;
	if (client->next != NULL)
		client->next->previous = client;
	loop->clients = client;
	pthread_mutex_unlock(&loop->mutex);
}

static void
link_out(struct client *client)
{
	struct loop *loop = client->loop;

	pthread_mutex_lock(&loop->mutex);
	if (client->previous != NULL)
		client->previous->next = client->next;
	else if (loop->clients == client)
		loop->clients = client->next;
	if (client->next != NULL)
		client->next->previous = client->previous;
	pthread_mutex_unlock(&loop->mutex);
}

struct client *
client_next(const struct client *client)
{
	return client->next;
}

static void
set_buffered(struct client *client, size_t bytes)
{
	share_change(&client->loop->buffered,
	    (size_t)count_get(&client->buffered), bytes);
	count_set(&client->buffered, bytes);
}

/*
 * Its end.
 */

static void
destroy(struct client *client)
{
	struct server *server = client->loop->server;

	link_out(client);
	holder_close(&client->call.holder);
	if (client->timer != NULL)
		event_free(client->timer);
	if (client->replies != NULL)
		evbuffer_free(client->replies);
	reply_destroy(&client->call.reply);
	session_destroy(&client->call.session);
	transaction_destroy(&client->call.transaction);
	request_destroy(&client->call.request);
	free(client);
	server_client_gone(server);
}

/* Closes the connection.  A request that is being worked at is finished first,
 * with nobody to answer to.  answered() destroys the client. */
static void
drop(struct client *client)
{
	event_del(client->timer);
	bufferevent_free(client->bev);
	client->bev = NULL;
	atomic_fetch_sub(&client->loop->connected, 1);
	set_buffered(client, 0);
	call_abandon(&client->call);
}

/* Goes on from the loop, after a poll: others come first. */
static void
schedule(struct client *client, long milliseconds)
{
	const struct timeval delay = {
	    milliseconds / 1000, milliseconds % 1000 * 1000};

	if (event_add(client->timer, &delay) == -1)
		event_active(client->timer, EV_TIMEOUT, 1);
}

/* All is sent.  A close with input unread would make the kernel of the other
 * side throw the last replies away, so wait until that side has closed. */
static void
linger(struct client *client)
{
	if (client->ended) {
		drop(client);
		return;
	}
	if (client->lingering)
		return;
	client->lingering = true;
	shutdown(bufferevent_getfd(client->bev), SHUT_WR);
	schedule(client, LINGER * 1000);
}

static struct evbuffer *
output(const struct client *client)
{
	return bufferevent_get_output(client->bev);
}

static void
drain_input(const struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);

	evbuffer_drain(input, evbuffer_get_length(input));
}

static size_t
input_length(const struct client *client)
{
	return evbuffer_get_length(bufferevent_get_input(client->bev));
}

/* How much a client may send ahead.  What it sends while it waits for a lock is
 * read, for its end may stand behind that. */
static size_t
max_input(const struct client *client)
{
	const size_t max = client->loop->server->options->max_request;

	return call_is_waiting(&client->call) && max > MAX_INPUT ? max
								 : MAX_INPUT;
}

/* Reads on only while little input waits.  (What a read watermark is for; but
 * without memory to set it libevent 2.1 crashes.) */
static void
pace(struct client *client)
{
	const bool enough = input_length(client) >= max_input(client);

	if (enough == client->paused || client->ended)
		return;
	if (enough)
		bufferevent_disable(client->bev, EV_READ);
	else if (bufferevent_enable(client->bev, EV_READ) == -1)
		return;
	client->paused = enough;
}

static void
begin_close(struct client *client)
{
	client->closing = true;
	client->begun_close = true;
	/* Others that wait for its locks need not wait for its last replies. */
	holder_close(&client->call.holder);
	if (client->loop->out_of_time) {
		drop(client);
		return;
	}
	schedule(client, LAST_TIMEOUT * 1000);
	drain_input(client);
	pace(client);
	bufferevent_setwatermark(client->bev, EV_WRITE, 0, 0);
	if (evbuffer_get_length(output(client)) == 0)
		linger(client);
}

/*
 * What is buffered for all of them.
 */

static size_t
count_bytes(const struct client *client)
{
	const struct call *call = &client->call;

	return input_length(client) + evbuffer_get_length(client->replies) +
	       evbuffer_get_length(output(client)) +
	       arguments_size(&call->request.arguments) +
	       transaction_size(&call->transaction) + reply_held(&call->reply);
}

static void
account(struct client *client)
{
	struct loop *loop = client->loop;

	set_buffered(client, count_bytes(client));
	/* Not from here: the client may be at work. */
	if (share_is_too_much(&loop->buffered))
		event_active(loop->too_much, EV_TIMEOUT, 1);
}

static void
on_output(
    struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	(void)buffer;
	(void)info;
	account(arg);
}

/* The client of a loop that has most, if that is more than *most; or NULL. */
static struct client *
find_bigger(struct loop *loop, size_t *most)
{
	struct client *client, *biggest = NULL;
	size_t bytes;

	pthread_mutex_lock(&loop->mutex);
	for (client = loop->clients; client != NULL; client = client->next) {
		bytes = (size_t)count_get(&client->buffered);
		if (bytes <= *most)
			continue;
		*most = bytes;
		biggest = client;
	}
	pthread_mutex_unlock(&loop->mutex);
	return biggest;
}

/* The client that has most of all, or NULL if another loop has it and was told to see to
 * that. */
static struct client *
find_biggest(struct loop *loop)
{
	struct server *server = loop->server;
	struct loop *other = NULL;
	size_t most = 0;
	struct client *biggest = find_bigger(loop, &most);
	unsigned i;

	for (i = 0; i < server->loop_count; i++)
		if (find_bigger(&server->loops[i], &most) != NULL)
			other = &server->loops[i];
	if (other == NULL)
		return biggest;
	mailbox_send(&other->mailbox, &other->make_room);
	return NULL;
}

void
client_make_room(struct loop *loop)
{
	struct client *client;

	/* Two loops that see to it agree on whether it is too much. */
	share_tell(&loop->buffered);
	while (share_is_too_much(&loop->buffered) &&
	       (client = find_biggest(loop)) != NULL) {
		report("a client is closed: with %zu of %zu bytes it has most "
		       "of all that is buffered (--max-buffered)",
		    (size_t)count_get(&client->buffered),
		    share_all(&loop->buffered));
		loop->evicted++;
		drop(client);
	}
}

/*
 * Requests.
 */

static bool
is_full(const struct client *client)
{
	return evbuffer_get_length(client->replies) +
		   evbuffer_get_length(output(client)) >
	       MAX_OUTPUT;
}

/* Sends what was replied.  -1 if the client had to be dropped. */
static int
flush(struct client *client)
{
	/* Most replies go out here, without the loop to say that they may.  The
	 * bufferevent gets what is left, and finds out about errors. */
	if (evbuffer_get_length(client->replies) > 0 &&
	    evbuffer_get_length(output(client)) == 0)
		evbuffer_write(client->replies, bufferevent_getfd(client->bev));
	if (!client->call.reply.failed &&
	    bufferevent_write_buffer(client->bev, client->replies) == 0)
		return 0;
	report("a client is closed: out of memory for its reply");
	drop(client);
	return -1;
}

static bool
may_begin(const struct client *client)
{
	return !client->closing && !client->loop->stopping &&
	       !is_full(client) &&
	       !share_is_too_much(&client->loop->buffered) &&
	       !client->call.reply.failed;
}

static bool
may_go_on(const struct client *client)
{
	return may_begin(client) && !call_is_under_way(&client->call);
}

static bool
has_requests(const struct client *client)
{
	return client->call.ahead != REQUEST_INCOMPLETE ||
	       request_is_begun(&client->call.request) ||
	       input_length(client) > 0;
}

/* The connection may have gone while the call was under way. */
static bool
has_more(struct call *call, void *arg)
{
	const struct client *client = arg;

	(void)call;
	return client->bev != NULL && may_begin(client) && has_requests(client);
}

static enum request_status
take_request(struct client *client)
{
	return request_next(
	    &client->call.request, bufferevent_get_input(client->bev));
}

static void
read_ahead(struct call *call, void *arg)
{
	if (call->ahead == REQUEST_INCOMPLETE && has_more(call, arg))
		call->ahead = take_request(arg);
}

static enum request_status
next_request(struct client *client)
{
	const enum request_status ahead = client->call.ahead;

	client->call.ahead = REQUEST_INCOMPLETE;
	return ahead != REQUEST_INCOMPLETE ? ahead : take_request(client);
}

/* Does requests.  Gives whether it did all that the input has. */
static bool
run_batch(struct client *client)
{
	struct request *request = &client->call.request;
	int left;

	for (left = BATCH; left > 0 && may_go_on(client); left--) {
		switch (next_request(client)) {
		case REQUEST_READY:
			call_start(&client->call);
			break;
		case REQUEST_INCOMPLETE:
			return true;
		case REQUEST_BAD:
			reply_error(&client->call.reply, "%s", request->error);
			client->closing = true;
			break;
		}
	}
	return false;
}

/*
 * A client that has ended its side has no more requests, but may wait for the
 * answers to those that it has sent: "printf ... | nc" does.  One that is dead
 * looks the same, unless its machine says so.  That is an error of the connection,
 * which we have to look for: nothing is read any more.
 *
 * So it gets its answers.  But if others may have to wait for it, as it has named
 * locks or asks for one, it may itself wait for a few seconds only.  Then its request
 * is refused, and those behind it are not done, since they count on the lock.
 */
static bool
is_dead(const struct client *client)
{
	struct pollfd fd = {.fd = bufferevent_getfd(client->bev)};

	return poll(&fd, 1, 0) == 1 && (fd.revents & (POLLERR | POLLHUP)) != 0;
}

static void
watch_waiting(struct client *client)
{
	struct call *call = &client->call;

	if (!call_is_waiting(call) || (!client->ended && !client->paused))
		return;
	if (is_dead(client)) {
		drop(client);
		return;
	}
	if (client->ended && call->holder.count > 0 &&
	    client->looks++ == LOOKS) {
		client->closing = true;
		call_refuse(call); /* answered() goes on */
		return;
	}
	schedule(client, WATCH);
}

/* Does requests, and leaves the next ones to whatever will go on. */
static void
run(struct client *client)
{
	bool all;

	client->looping = true;
	all = run_batch(client);
	client->looping = false;
	pace(client);
	if (flush(client) == -1)
		return;
	account(client);
	if (call_is_under_way(&client->call)) {
		watch_waiting(client);
		return; /* answered() goes on */
	}
	if (client->closing || client->loop->stopping || (all && client->ended))
		begin_close(client);
	else if (!all && !is_full(client))
		schedule(client, 0);
	/* Otherwise on_read() goes on, or on_write(). */
}

/* A call that had to wait has its answer.  We may be deep inside the release
 * of the lock by somebody else, so the next request has to wait for its turn.
 */
static void
answered(struct call *call, void *arg)
{
	struct client *client = arg;

	(void)call;
	if (client->looping)
		return;
	if (client->bev == NULL) {
		destroy(client);
		return;
	}
	if (flush(client) == -1)
		return;
	account(client);
	if (has_requests(client) || client->ended || client->closing ||
	    client->loop->stopping)
		schedule(client, 0);
}

void
client_close_after_reply(struct call *call)
{
	struct client *client = call->arg;

	client->closing = true;
}

/*
 * Events.
 */

/* LOCK may wait for long.  What is sent ahead meanwhile is read, as the end of the
 * connection may be behind it, and so it has to be bounded. */
static bool
sends_too_much(const struct client *client)
{
	return call_is_waiting(&client->call) && client->call.hold != NULL &&
	       input_length(client) >= max_input(client);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	(void)bev;
	account(client);
	if (client->begun_close)
		drain_input(client);
	else if (!call_is_under_way(&client->call) &&
		 !event_pending(client->timer, EV_TIMEOUT, NULL))
		run(client);
	else if (sends_too_much(client)) {
		report("a client is closed: it waits in LOCK and has sent %zu "
		       "bytes ahead (--max-request)",
		    input_length(client));
		drop(client);
	} else {
		pace(client);
		watch_waiting(client);
	}
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (call_is_under_way(&client->call))
		return;
	if (client->begun_close)
		linger(client);
	else if (has_requests(client) || client->ended)
		schedule(client, 0);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (what & BEV_EVENT_TIMEOUT) {
		report("a client is closed: it has taken none of %zu bytes for "
		       "too long (--send-timeout)",
		    evbuffer_get_length(output(client)));
		client->loop->timed_out++;
	}
	client->ended = true;
	if (!(what & BEV_EVENT_EOF) || client->lingering)
		drop(client);
	else if (call_is_under_way(&client->call))
		watch_waiting(client);
	else if (!client->begun_close)
		run(client);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;

	(void)fd;
	(void)what;
	if (client->begun_close)
		drop(client); /* in spite of what it has not read */
	else if (call_is_under_way(&client->call))
		watch_waiting(client);
	else
		run(client);
}

/*
 * Its beginning.
 */

/* Of a connection that says nothing for so many seconds, TCP asks three times
 * whether the other side is still there. */
static void
keep_alive(int fd, int idle)
{
	const int on = idle > 0, count = 3;
	const int interval = idle > count ? idle / count : 1;

	/* The listening socket has it, from libevent. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (!on)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static void
set_up_call(struct client *client)
{
	struct call *call = &client->call;

	call->loop = client->loop;
	call->server = client->loop->server;
	call->reply.out = client->replies;
	call->reply.version = 2;
	call->answered = answered;
	call->has_more = has_more;
	call->read_ahead = read_ahead;
	call->ahead = REQUEST_INCOMPLETE;
	call->arg = client;
}

static int
set_up(struct client *client)
{
	const struct options *options = client->loop->server->options;
	const struct timeval *timeout = &options->send_timeout;
	struct bufferevent *bev = client->bev;
	const int on = 1;

	setsockopt(
	    bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	keep_alive(bufferevent_getfd(bev), (int)options->keepalive);
	if (evbuffer_add_cb(output(client), on_output, client) == NULL)
		return -1;
	/* It begins anew whenever some of the replies is taken. */
	if (timeout->tv_sec > 0 || timeout->tv_usec > 0)
		bufferevent_set_timeouts(bev, NULL, timeout);
	bufferevent_setcb(bev, on_read, on_write, on_event, client);
	/* Called again with the half of it sent. */
	bufferevent_setwatermark(bev, EV_WRITE, MAX_OUTPUT / 2, 0);
	return bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* Its owner is named as those who run it know it: by address and port. */
static int
open_holder(
    struct client *client, const struct sockaddr *address, socklen_t length)
{
	char host[64], port[16], name[sizeof(host) + sizeof(port) + 4];
	const char *format =
	    address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s";

	if (getnameinfo(address, length, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return -1;
	snprintf(name, sizeof(name), format, host, port);
	return holder_open(&client->call.holder, &client->loop->named, name);
}

static struct client *
allocate(struct loop *loop, evutil_socket_t fd, const struct sockaddr *address,
    socklen_t length, unsigned long long number)
{
	const struct options *options = loop->server->options;
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		server_client_gone(loop->server);
		return NULL;
	}
	client->loop = loop;
	client->replies = evbuffer_new();
	client->timer = evtimer_new(loop->events, on_timer, client);
	session_init(&client->call.session, number);
	request_init(&client->call.request, options->max_request);
	if (open_holder(client, address, length) == 0 &&
	    client->replies != NULL && client->timer != NULL)
		client->bev = bufferevent_socket_new(
		    loop->events, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->bev != NULL)
		return client;
	destroy(client);
	return NULL;
}

void
client_accept(struct loop *loop, evutil_socket_t fd,
    const struct sockaddr *address, socklen_t length, unsigned long long number)
{
	struct client *client = allocate(loop, fd, address, length, number);

	if (client == NULL) {
		report("a client is closed: out of memory");
		atomic_fetch_sub(&loop->connected, 1);
		evutil_closesocket(fd);
		return;
	}
	link_in(client);
	set_up_call(client);
	if (set_up(client) == -1) {
		report("a client is closed: out of memory");
		drop(client);
	}
}

void
client_stop(struct client *client)
{
	/* With the timer, run() is about to close it. */
	if (client->bev == NULL || client->closing ||
	    call_is_under_way(&client->call) ||
	    event_pending(client->timer, EV_TIMEOUT, NULL))
		return;
	if (evbuffer_get_length(output(client)) == 0)
		drop(client);
	else
		begin_close(client);
}

/* Work that has begun is finished, but nobody waits for the replies. */
static struct client *
find_late(const struct loop *loop)
{
	struct client *client = loop->clients;

	while (client != NULL &&
	       (client->bev == NULL || (call_is_under_way(&client->call) &&
					   !call_is_waiting(&client->call))))
		client = client->next;
	return client;
}

void
client_stop_waiting(struct loop *loop)
{
	struct client *client;

	/* From the beginning each time: the end of one may be that of others.
	 */
	while ((client = find_late(loop)) != NULL)
		drop(client);
}
