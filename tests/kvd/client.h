/* SPDX-License-Identifier: MIT */
/* Clients of the daemon: hiredis for single commands, plain sockets for
 * malformed ones, and peers for pipelines on many connections at once. */
#ifndef TESTS_KVD_CLIENT_H
#define TESTS_KVD_CLIENT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <hiredis/hiredis.h>

#include "process.h"

#define CLIENT_TEXT_MAX 16384

redisContext *client_open(const struct kvd *kvd);

/* The reply as text: "+OK", "-ERR ...", ":1", "value", "(nil)", "[a, b]". */
void client_reply_text(const redisReply *reply, char text[CLIENT_TEXT_MAX]);

/* Sends a command made as with redisCommand() and compares the reply's text;
 * where "expected" begins with '-', only that much of it. */
void client_expect(
    redisContext *client, const char *expected, const char *format, ...);

/* The integer that a command replies. */
long long client_integer(redisContext *client, const char *format, ...);

/* One line of INFO, -1 if it has no such line. */
long client_info(redisContext *client, const char *name);

/* Asks INFO until the line has the value; fails the test after ten seconds. */
void client_wait_info(redisContext *client, const char *name, long value);

/* disk_stop(), once the batch of what was answered has left the lock: who is seen inside
 * after that waits for the disk. */
void client_stop_disk(redisContext *client, struct kvd *kvd);

/* Plain sockets.  Reading has a time limit. */
int raw_open(const struct kvd *kvd);
void raw_send(int fd, const void *data, size_t size);
/* Reads up to "size" - 1 bytes until the other side closes, as a string.
 * False if it did not close. */
bool raw_read_all(int fd, char *text, size_t size);
/* Reads exactly as many bytes as "expected" has, and compares. */
void raw_expect(int fd, const char *expected);
/* Sends lines of words, the last of them QUIT, and reads all replies, as a
 * string. */
void raw_converse(
    const struct kvd *kvd, const char *lines, char *text, size_t size);
/* Whether there is something to read at this moment. */
bool raw_readable(int fd);

/* A connection with any number of requests under way. */
struct peer {
	int fd; /* -1 when the other side closed it */
	redisReader *reader;
	long sent;
	long acked;
	double sent_at; /* of the last request */
	double rest_until;
};

typedef void (*peer_reply_fn)(
    struct peer *peer, const redisReply *reply, void *arg);

void peer_open(struct peer *peer, const struct kvd *kvd);
/* Opens it so that a loop of that number serves it: locks that wait for each other in a
 * cycle are found, and asked first is granted first, among the clients of one loop. */
void peer_open_in(struct peer *peer, const struct kvd *kvd, int loop);
/* The number of the loop that serves it. */
int peer_loop(struct peer *peer);
void peer_close(struct peer *peer);
/* Closes it so that the other side sees an error, and not an end. */
void peer_reset(struct peer *peer);
/* False when the other side has closed the connection. */
bool peer_send(struct peer *peer, const char *format, ...);
/* Whether the peer has all its answers, and has rested for eight times as long
 * as the last one took.  kvd prefers writers: a few that write without a rest
 * leave no room for readers at all. */
bool peer_is_due(const struct peer *peer);
/* An MSET of "pairs" keys, prefix0, prefix1 and so on. */
void peer_send_mset(struct peer *peer, const char *prefix, long pairs);
/* Waits until something arrives for one of the peers, and hands each reply to
 * "reply".  False if nothing came within the time. */
bool peers_pump(struct peer *peers, size_t count, int timeout_ms,
    peer_reply_fn reply, void *arg);
/* Waits for the answer to everything sent; all have to be +OK. */
void peer_expect_ok(struct peer *peer);

/* Seconds of a clock that never goes back. */
double now(void);

#endif
