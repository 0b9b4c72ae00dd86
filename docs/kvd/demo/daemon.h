/* SPDX-License-Identifier: MIT */
/* kvd: to start it, to end it, and to ask it something. */
#ifndef DEMO_DAEMON_H
#define DEMO_DAEMON_H

#include <sys/types.h>

#include <hiredis/hiredis.h>

struct daemon {
	const char *program;
	pid_t pid;
	int port;
	int output; /* of kvd */
};

/* Starts it, with an option or NULL, and waits until it is ready. */
void daemon_start(struct daemon *daemon, const char *option);
void daemon_end(struct daemon *daemon, int sig);

/* A connection on which each command waits for its answer. */
redisContext *daemon_connect(const struct daemon *daemon);
redisReply *daemon_reply(redisContext *connection);

#endif
