/* SPDX-License-Identifier: MIT */
/*
 * What a client has said about itself, and the commands that it does so with:
 * most libraries send some of them before anything else.
 */
#ifndef KVD_SESSION_H
#define KVD_SESSION_H

#include <evdefer/result.h>

struct call;

struct session {
	unsigned long long id; /* no two clients of a run have the same */
	char *name;	       /* each of these NULL, or on the heap */
	char *library;
	char *library_version;
};

void session_init(struct session *session, unsigned long long id);
void session_destroy(struct session *session);

struct evresult run_hello(struct call *call);
struct evresult run_client(struct call *call);
struct evresult run_select(struct call *call);
struct evresult run_auth(struct call *call);
struct evresult run_ping(struct call *call);
struct evresult run_echo(struct call *call);
struct evresult run_quit(struct call *call);
struct evresult run_reset(struct call *call);

#endif
