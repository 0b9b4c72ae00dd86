/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#define PEERS_MAX 1024
#define REST 8

double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

redisContext *
client_open(const struct kvd *kvd)
{
	struct timeval timeout = {(time_t)patience(), 0};
	redisContext *client =
	    redisConnectWithTimeout("127.0.0.1", kvd->port, timeout);

	ck_assert_ptr_nonnull(client);
	ck_assert_msg(client->err == 0, "connect: %s", client->errstr);
	redisSetTimeout(client, timeout);
	return client;
}

static void
array_text(const redisReply *reply, char text[CLIENT_TEXT_MAX])
{
	char element[CLIENT_TEXT_MAX];
	FILE *stream = fmemopen(text, CLIENT_TEXT_MAX, "w");

	ck_assert_ptr_nonnull(stream);
	for (size_t i = 0; i < reply->elements; i++) {
		client_reply_text(reply->element[i], element);
		fprintf(stream, "%s%s", i == 0 ? "[" : ", ", element);
	}
	fputs(reply->elements == 0 ? "[]" : "]", stream);
	fclose(stream);
}

void
client_reply_text(const redisReply *reply, char text[CLIENT_TEXT_MAX])
{
	switch (reply->type) {
	case REDIS_REPLY_STATUS:
		snprintf(text, CLIENT_TEXT_MAX, "+%s", reply->str);
		return;
	case REDIS_REPLY_ERROR:
		snprintf(text, CLIENT_TEXT_MAX, "-%s", reply->str);
		return;
	case REDIS_REPLY_INTEGER:
		snprintf(text, CLIENT_TEXT_MAX, ":%lld", reply->integer);
		return;
	case REDIS_REPLY_STRING:
		snprintf(text, CLIENT_TEXT_MAX, "%s", reply->str);
		return;
	case REDIS_REPLY_NIL:
		snprintf(text, CLIENT_TEXT_MAX, "(nil)");
		return;
	case REDIS_REPLY_ARRAY:
		array_text(reply, text);
		return;
	default:
		ck_abort_msg("reply of unknown type %d", reply->type);
	}
}

static redisReply *
command(redisContext *client, const char *format, va_list args)
{
	redisReply *reply = redisvCommand(client, format, args);

	ck_assert_msg(
	    reply != NULL, "no reply to '%s': %s", format, client->errstr);
	return reply;
}

void
client_expect(
    redisContext *client, const char *expected, const char *format, ...)
{
	char text[CLIENT_TEXT_MAX];
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = command(client, format, args);
	va_end(args);
	client_reply_text(reply, text);
	freeReplyObject(reply);
	if (expected[0] == '-' &&
	    strncmp(text, expected, strlen(expected)) == 0)
		return;
	ck_assert_msg(strcmp(text, expected) == 0,
	    "'%s' replied '%.999s' instead of '%.999s'", format, text,
	    expected);
}

long long
client_integer(redisContext *client, const char *format, ...)
{
	redisReply *reply;
	long long value;
	va_list args;

	va_start(args, format);
	reply = command(client, format, args);
	va_end(args);
	ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
	value = reply->integer;
	freeReplyObject(reply);
	return value;
}

long
client_info(redisContext *client, const char *name)
{
	redisReply *reply = redisCommand(client, "INFO");
	size_t length = strlen(name);
	long value = -1;

	ck_assert_msg(reply != NULL, "no reply to INFO: %s", client->errstr);
	ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
	for (const char *line = reply->str; line != NULL && *line != '\0';) {
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			value = strtol(line + length + 1, NULL, 10);
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	freeReplyObject(reply);
	return value;
}

void
client_wait_info(redisContext *client, const char *name, long value)
{
	double deadline = now() + patience();
	long seen;

	while ((seen = client_info(client, name)) != value)
		ck_assert_msg(now() < deadline,
		    "%s is %ld and does not become %ld", name, seen, value);
}

void
client_stop_disk(redisContext *client, struct kvd *kvd)
{
	client_wait_info(client, "writers_inside", 0);
	disk_stop(kvd);
}

int
raw_open(const struct kvd *kvd)
{
	struct timeval timeout = {(time_t)patience(), 0};
	struct sockaddr_in address = {0};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_msg(fd >= 0, "socket: %s", strerror(errno));
	address.sin_family = AF_INET;
	address.sin_port = htons((uint16_t)kvd->port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ck_assert_msg(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0,
	    "connect: %s", strerror(errno));
	return fd;
}

/* True if all of it went out; false if the other side has closed. */
static bool
send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return false;
		ck_assert_msg(sent > 0, "send: %s", strerror(errno));
		data += sent;
		size -= (size_t)sent;
	}
	return true;
}

void
raw_send(int fd, const void *data, size_t size)
{
	send_all(fd, data, size);
}

bool
raw_read_all(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got = 1;

	while (got > 0 && length + 1 < size) {
		got = recv(fd, text + length, size - length - 1, 0);
		if (got > 0)
			length += (size_t)got;
	}
	text[length] = '\0';
	return got == 0 || (got < 0 && errno == ECONNRESET);
}

void
raw_expect(int fd, const char *expected)
{
	size_t size = strlen(expected);
	char *text = calloc(1, size + 1);
	ssize_t got;

	ck_assert_ptr_nonnull(text);
	got = recv(fd, text, size, MSG_WAITALL);
	ck_assert_msg(got == (ssize_t)size, "%zd bytes instead of %zu: '%s'",
	    got, size, text);
	ck_assert_str_eq(text, expected);
	free(text);
}

void
raw_converse(const struct kvd *kvd, const char *lines, char *text, size_t size)
{
	int fd = raw_open(kvd);

	raw_send(fd, lines, strlen(lines));
	ck_assert_msg(raw_read_all(fd, text, size), "after '%s'", text);
	close(fd);
}

bool
raw_readable(int fd)
{
	struct pollfd poll_fd = {fd, POLLIN, 0};

	return poll(&poll_fd, 1, 0) == 1;
}

void
peer_open(struct peer *peer, const struct kvd *kvd)
{
	memset(peer, 0, sizeof(*peer));
	peer->fd = raw_open(kvd);
	peer->reader = redisReaderCreate();
	ck_assert_ptr_nonnull(peer->reader);
}

static void
take_loop(struct peer *peer, const redisReply *reply, void *arg)
{
	static const char name[] = " io-thread=";
	const char *text = strstr(reply->str, name);

	(void)peer;
	ck_assert_msg(text != NULL, "%s", reply->str);
	*(int *)arg = atoi(text + strlen(name));
}

int
peer_loop(struct peer *peer)
{
	int loop = -1;

	ck_assert(peer_send(peer, "CLIENT INFO"));
	while (peer->acked < peer->sent)
		ck_assert(peers_pump(peer, 1, patience_ms(), take_loop, &loop));
	return loop;
}

/* A new client is given to the loop with the fewest, so the others stay meanwhile. */
void
peer_open_in(struct peer *peer, const struct kvd *kvd, int loop)
{
	struct peer others[256];
	size_t count = 0;

	peer_open(peer, kvd);
	while (peer_loop(peer) != loop) {
		ck_assert_uint_lt(count, sizeof(others) / sizeof(others[0]));
		others[count++] = *peer;
		peer_open(peer, kvd);
	}
	while (count > 0)
		peer_close(&others[--count]);
}

void
peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	redisReaderFree(peer->reader);
	peer->fd = -1;
	peer->reader = NULL;
}

void
peer_reset(struct peer *peer)
{
	const struct linger at_once = {1, 0};

	ck_assert_int_eq(setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once,
			     sizeof(at_once)),
	    0);
	peer_close(peer);
}

bool
peer_send(struct peer *peer, const char *format, ...)
{
	char *request;
	va_list args;
	int size;
	bool sent;

	va_start(args, format);
	size = redisvFormatCommand(&request, format, args);
	va_end(args);
	ck_assert_int_gt(size, 0);
	sent = peer->fd >= 0 && send_all(peer->fd, request, (size_t)size);
	free(request);
	peer->sent_at = now();
	if (sent)
		peer->sent++;
	return sent;
}

bool
peer_is_due(const struct peer *peer)
{
	return peer->sent == peer->acked && now() >= peer->rest_until;
}

void
peer_send_mset(struct peer *peer, const char *prefix, long pairs)
{
	size_t room = 64 + (size_t)pairs * (strlen(prefix) + 48);
	char *request = malloc(room);
	size_t size;

	ck_assert_ptr_nonnull(request);
	size =
	    (size_t)sprintf(request, "*%ld\r\n$4\r\nMSET\r\n", 2 * pairs + 1);
	for (long i = 0; i < pairs; i++) {
		int digits = snprintf(NULL, 0, "%ld", i);

		size += (size_t)sprintf(request + size,
		    "$%zu\r\n%s%ld\r\n$%d\r\n%ld\r\n",
		    strlen(prefix) + (size_t)digits, prefix, i, digits, i);
	}
	ck_assert_uint_lt(size, room);
	ck_assert(send_all(peer->fd, request, size));
	free(request);
	peer->sent++;
}

/* Reads what has arrived.  A connection that was reset by a kill is read to
 * its end like one that was closed. */
static void
feed(struct peer *peer)
{
	char data[16384];
	ssize_t got = recv(peer->fd, data, sizeof(data), MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		close(peer->fd);
		peer->fd = -1;
		return;
	}
	ck_assert_int_eq(
	    redisReaderFeed(peer->reader, data, (size_t)got), REDIS_OK);
}

static void
take_replies(struct peer *peer, peer_reply_fn reply_fn, void *arg)
{
	void *reply = NULL;

	for (;;) {
		ck_assert_msg(
		    redisReaderGetReply(peer->reader, &reply) == REDIS_OK,
		    "bad reply: %s", redisReaderGetError(peer->reader));
		if (reply == NULL)
			return;
		ck_assert_int_lt(peer->acked, peer->sent);
		reply_fn(peer, reply, arg);
		peer->acked++;
		peer->rest_until = now() + REST * (now() - peer->sent_at);
		freeReplyObject(reply);
	}
}

bool
peers_pump(struct peer *peers, size_t count, int timeout_ms,
    peer_reply_fn reply, void *arg)
{
	struct pollfd poll_fds[PEERS_MAX];

	ck_assert_uint_le(count, PEERS_MAX);
	for (size_t i = 0; i < count; i++)
		poll_fds[i] = (struct pollfd){peers[i].fd, POLLIN, 0};
	if (poll(poll_fds, (nfds_t)count, timeout_ms) <= 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (poll_fds[i].revents == 0 || peers[i].fd < 0)
			continue;
		feed(&peers[i]);
		take_replies(&peers[i], reply, arg);
	}
	return true;
}

static void
must_be_ok(struct peer *peer, const redisReply *reply, void *arg)
{
	(void)arg;
	ck_assert_msg(
	    reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0,
	    "reply %ld is '%s' instead of OK", peer->acked, reply->str);
}

void
peer_expect_ok(struct peer *peer)
{
	while (peer->acked < peer->sent) {
		ck_assert_msg(peer->fd >= 0, "closed with %ld of %ld answered",
		    peer->acked, peer->sent);
		ck_assert_msg(
		    peers_pump(peer, 1, patience_ms(), must_be_ok, NULL),
		    "no answer");
	}
}
