/* SPDX-License-Identifier: MIT */
/*
 * One connection: reads requests, has them done one after the other, and sends
 * the replies.
 *
 * What is buffered for it stays bounded: nothing is read while enough input
 * waits, and no request is begun while too many replies wait to be sent.  One
 * that takes none of them for long is closed, and when all of them together
 * have too much, the one that has most.
 */
#ifndef KVD_CLIENT_H
#define KVD_CLIENT_H

#include <sys/socket.h>

#include <event2/util.h>

struct call;
struct client;
struct loop;

/* Takes over a connection that was accepted, and is counted among those of the loop and
 * of the server.  Without memory it is closed.  No two clients have one number. */
void client_accept(struct loop *loop, evutil_socket_t fd,
    const struct sockaddr *address, socklen_t length,
    unsigned long long number);

/* For a command: closes the connection when what was replied is sent. */
void client_close_after_reply(struct call *call);

/* The loop stops: closes the connection, once the request that is under way
 * is answered.  May free the client. */
void client_stop(struct client *client);

/* The time for that is over: closes those that have not taken their replies. */
void client_stop_waiting(struct loop *loop);

/* Closes those that have most, until no more is buffered than may be. */
void client_make_room(struct loop *loop);

/* The list of a loop's clients. */
struct client *client_next(const struct client *client);

#endif
