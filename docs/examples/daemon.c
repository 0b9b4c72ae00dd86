/* SPDX-License-Identifier: MIT */
/* A daemon with a lock: a box office with a protocol of lines. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <evdefer.h>

#define PORT 4000 /* or the one that the first argument says */

static const struct timeval bank_time = {5, 0};
static const struct timeval request_limit = {8, 0};

/* One connection.  It has one request at a time; further lines wait in the
 * input buffer. */
struct client {
	struct client *next, *previous;
	struct bufferevent *connection;
	struct evdeferred *request; /* NULL if there is none */
	char name[32];
	bool is_closing;
};

static struct event_base *loop;
static struct evdefer_base *base;
static struct evrwlock *lock;
static struct evconnlistener *listener;
static struct client clients = {.next = &clients, .previous = &clients};

/* What the lock is for. */
static int free_seats = 3;
static char last_name[32] = "nobody";

/*
 * The bank: a Deferred that fires when it has answered.
 */

struct payment {
	struct evdeferred *deferred;
	struct event *timer;
};

static void
payment_free(struct payment *payment)
{
	if (payment->timer != NULL)
		event_free(payment->timer);
	free(payment);
}

static void
payment_done(evutil_socket_t fd, short what, void *arg)
{
	struct payment *payment = arg;
	struct evdeferred *d = payment->deferred;

	(void)fd;
	(void)what;
	payment_free(payment);
	evdeferred_callback(d, NULL);
}

static void
payment_cancel(struct evdeferred *d, void *arg)
{
	(void)d;
	payment_free(arg);
}

static struct evdeferred *
ask_bank(void)
{
	struct payment *payment = calloc(1, sizeof(*payment));

	if (payment == NULL)
		return NULL;
	payment->timer = evtimer_new(loop, payment_done, payment);
	if (payment->timer == NULL ||
	    evtimer_add(payment->timer, &bank_time) == -1)
		goto fail;
	payment->deferred = evdeferred_new(base, payment_cancel, payment);
	if (payment->deferred == NULL)
		goto fail;
	return payment->deferred;

fail:
	payment_free(payment);
	errno = ENOMEM;
	return NULL;
}

/*
 * What runs under the lock.
 */

static struct evresult
count_locked(void *arg)
{
	struct client *client = arg;

	evbuffer_add_printf(bufferevent_get_output(client->connection),
	    "%d free, the last one to book was %s\n", free_seats, last_name);
	return evresult_value(NULL);
}

static struct evresult
booked(void *value, void *arg)
{
	struct client *client = arg;

	(void)value;
	memcpy(last_name, client->name, sizeof(last_name));
	evbuffer_add_printf(bufferevent_get_output(client->connection),
	    "booked for %s\n", client->name);
	return evresult_value(NULL);
}

/* The payment failed or was called off: undoes the half that was done. */
static struct evresult
undo(struct evfailure *failure, void *arg)
{
	(void)arg;
	free_seats++;
	return evresult_from_failure(failure);
}

static struct evresult
book_locked(void *arg)
{
	struct evdeferred *payment;

	if (free_seats == 0)
		return evresult_fail(ENOENT, "sold out");
	payment = ask_bank();
	if (payment == NULL)
		return evresult_fail(errno, NULL);
	free_seats--; /* the first half; the name is the second one */
	if (evdeferred_add_callbacks(payment, booked, undo, arg) == -1) {
		evdeferred_free(payment);
		free_seats++;
		return evresult_fail(ENOMEM, NULL);
	}
	return evresult_deferred(payment);
}

/*
 * The protocol.
 */

static void serve(struct client *client);

/* The last link of each request.  The lock has been released. */
static struct evresult
finish(struct evresult result, void *arg)
{
	struct client *client = arg;
	struct evfailure *failure = evresult_get_failure(result);

	if (failure != NULL)
		evbuffer_add_printf(bufferevent_get_output(client->connection),
		    "sorry: %s\n", evfailure_get_message(failure));
	evdeferred_free(client->request); /* when this link has returned */
	client->request = NULL;
	serve(client);
	return evresult_value(NULL);
}

static void
start(struct client *client, struct evdeferred *request)
{
	client->request = request;
	if (evdeferred_add_timeout(request, &request_limit) == 0 &&
	    evdeferred_add_both(request, finish, client) == 0)
		return;
	evdeferred_free(request);
	client->request = NULL;
	evbuffer_add_printf(
	    bufferevent_get_output(client->connection), "sorry: no memory\n");
}

static void
print_stats(struct evbuffer *output)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	evbuffer_add_printf(output,
	    "inside: %zu reading, %zu writing; "
	    "waiting: %zu to read, %zu to write\n",
	    stats.readers_inside, stats.writers_inside, stats.readers_waiting,
	    stats.writers_waiting);
}

static void
handle_line(struct client *client, const char *line)
{
	struct evbuffer *output = bufferevent_get_output(client->connection);

	if (strcmp(line, "stats") == 0) {
		print_stats(output);
	} else if (strcmp(line, "free") == 0) {
		start(client, evrwlock_with_reader(lock, count_locked, client));
	} else if (sscanf(line, "book %31s", client->name) == 1) {
		start(client, evrwlock_with_writer(lock, book_locked, client));
	} else {
		evbuffer_add_printf(output, "free, book NAME or stats?\n");
	}
}

static void
serve(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->connection);
	char *line;

	while (client->request == NULL && !client->is_closing) {
		line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF);
		if (line == NULL)
			return;
		handle_line(client, line);
		free(line);
	}
}

/*
 * Connections.
 */

static void
client_free(struct client *client)
{
	client->is_closing = true;
	/* The links run now, and undo what was half done.  finish() frees the
	 * request if it is reached. */
	evdeferred_cancel(client->request);
	evdeferred_free(client->request);
	client->next->previous = client->previous;
	client->previous->next = client->next;
	bufferevent_free(client->connection);
	free(client);
}

static void
on_readable(struct bufferevent *connection, void *client)
{
	(void)connection;
	serve(client);
}

static void
on_gone(struct bufferevent *connection, short what, void *client)
{
	(void)connection;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_free(client);
}

static void
on_accept(struct evconnlistener *from, evutil_socket_t fd,
    struct sockaddr *address, int length, void *arg)
{
	struct client *client = calloc(1, sizeof(*client));

	(void)from;
	(void)address;
	(void)length;
	(void)arg;
	if (client != NULL)
		client->connection =
		    bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client == NULL || client->connection == NULL) {
		free(client);
		evutil_closesocket(fd);
		return;
	}
	client->next = &clients;
	client->previous = clients.previous;
	clients.previous->next = client;
	clients.previous = client;
	bufferevent_setcb(
	    client->connection, on_readable, NULL, on_gone, client);
	bufferevent_enable(client->connection, EV_READ | EV_WRITE);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	(void)arg;
	event_base_loopexit(loop, NULL);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct event *interrupt;

	signal(SIGPIPE, SIG_IGN);
	address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : PORT));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	loop = event_base_new();
	base = evdefer_base_new(loop);
	lock = evrwlock_new(base, 0);
	if (lock == NULL)
		return 1;
	listener = evconnlistener_new_bind(loop, on_accept, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
	    (struct sockaddr *)&address, sizeof(address));
	interrupt = evsignal_new(loop, SIGINT, on_signal, NULL);
	if (listener == NULL || interrupt == NULL ||
	    evsignal_add(interrupt, NULL) == -1) {
		perror("daemon: cannot listen");
		return 1;
	}
	event_base_dispatch(loop);

	evconnlistener_free(listener);
	while (clients.next != &clients)
		client_free(clients.next);
	evrwlock_free(lock);
	event_free(interrupt);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
