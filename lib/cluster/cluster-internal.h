/* SPDX-License-Identifier: MIT */
/*
 * A cluster: its session with the servers, and the locks that live on it, each in a seat
 * (seat-internal.h).  connect.c has what the user calls, session.c the session.
 */
#ifndef EVDEFER_CLUSTER_INTERNAL_H
#define EVDEFER_CLUSTER_INTERNAL_H

#include <evdefer/cluster.h>

#include "../list-internal.h"
#include "wire-internal.h"

#if defined(__GNUC__)
#define EVCLUSTER_PRINTF_(string, first)                                       \
	__attribute__((format(printf, string, first)))
#else
#define EVCLUSTER_PRINTF_(string, first)
#endif

/* A sentence for people. */
#define EVCLUSTER_SENTENCE 512

/* Why those fail who wait for it then. */
#define EVCLUSTER_WAS_CLOSED "the connection with the cluster was closed"

struct event;
struct evdefer_base;
struct evdeferred;
struct evresolver;
struct evsession_handler;

/* What it is after. */
enum evcluster_aim {
	EVCLUSTER_REST,	 /* nothing: it has no session */
	EVCLUSTER_OPEN,	 /* to have a session */
	EVCLUSTER_LEAVE, /* to give back what it holds, and rest */
	EVCLUSTER_RETURN /* the same, and then to have another session */
};

struct evcluster {
	struct evdefer_base *base;
	struct evlist node; /* in the list of its base */
	evwire_open_fn open_wire;
	const struct evsession_handler *handler;
	struct evcluster_options options; /* strings of its own */
	char *servers;
	struct event *timer;
	struct evlist seats;
	size_t seat_count;		/* with those that are about to go */
	uint64_t last_seat;		/* its number */
	struct evlist connects, closes; /* of struct waiting */
	struct evlist listings;
	size_t users; /* frames on the stack that need its memory */
	bool freed;   /* by its user */
	bool ended;   /* by its user, and not connected again since */

	/* The session's. */
	enum evcluster_aim aim;
	enum evcluster_state state;
	struct evresolver *resolver; /* while it looks for addresses */
	struct evwire *wire;
	uint64_t session;   /* 0: the wire has none yet */
	int64_t timeout_ms; /* as the servers have it */
	int64_t deadline;   /* of all rights; 0: there are none */
	int64_t since;	    /* it waits for a server, or for the next try */
	int64_t leave_until;
	struct evwire_request probe;
	bool probing;	/* one is under way */
	bool dropped;	/* as it was not answered */
	int64_t probed; /* when the last one was sent, or tried */
	size_t due;	/* answers to those of locks */
	int64_t heard;	/* when the last came, or the first of these was sent */
	char server[128];
};

/* evcluster_new() with another engine. */
struct evcluster *evcluster_new_on_(struct evdefer_base *base,
    const char *servers, const struct evcluster_options *options,
    evwire_open_fn open_wire);

void evcluster_destroy_(struct evcluster *cluster);

/* Keep the memory during calls of users' functions. */
void evcluster_use_(struct evcluster *cluster);
void evcluster_unuse_(struct evcluster *cluster);

/* To be one of connects or closes.  NULL with ENOMEM. */
struct evdeferred *evcluster_wait_(
    struct evcluster *cluster, struct evlist *list);

/* Fires those that wait to be connected: with NULL, or a failure. */
void evcluster_tell_connects_(
    struct evcluster *cluster, int error, const char *sentence);
void evcluster_tell_closes_(struct evcluster *cluster);

#endif
