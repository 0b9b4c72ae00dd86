/* SPDX-License-Identifier: MIT */
/*
 * The seam to the engine: the few calls of a ZooKeeper client that the locks need, so that
 * tests can answer in its place.  wire.c is the one of libzookeeper_st.
 *
 * A wire is one session with the servers.  It connects by itself, and again whenever it
 * has lost its server, until the session has expired or the wire is closed.  All of it
 * belongs to the thread of its base, and nothing of it waits.
 *
 * Requests are answered in the order in which they were sent, each exactly once, and never
 * from within the function that sends; answers and events come from the event loop.  In
 * the answer of a request, more requests may be sent and the wire may be closed.
 *
 * Who asked to watch a path hears of the first change, once: in an event that comes
 * before the answer to any request that shows the change.  Watches survive a change of
 * server, and those of a path that were asked for several times are one.
 */
#ifndef EVDEFER_CLUSTER_WIRE_INTERNAL_H
#define EVDEFER_CLUSTER_WIRE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evdefer_base;

enum evwire_error {
	EVWIRE_OK,
	/* The connection was lost: what was asked may have been done, or may still be
	 * until a later sync of the same session has been answered. */
	EVWIRE_LOST,
	EVWIRE_EXPIRED, /* so is the session, or the wire was closed */
	EVWIRE_NO_NODE, /* the path, or its parent, or one of those of a line_up */
	EVWIRE_EXISTS,
	EVWIRE_NOT_EMPTY, /* a node with children can't be removed */
	EVWIRE_NO_AUTH,	  /* the list of who may (ACL) does not permit it */
	EVWIRE_BAD,	  /* an answer that makes no sense */
	EVWIRE_OTHER	  /* see the sentence */
};

/* It is valid during the call alone. */
struct evwire_answer {
	enum evwire_error error;
	const char *sentence;	  /* what the client says about the error */
	const char *const *names; /* list: the children, in no order */
	size_t count;
	const char *created; /* line_up: the whole path of the new node */
	/* line_up: the number of the change (mzxid of what was touched);
	 * exists, get: of the creation of the node (czxid). */
	uint64_t zxid;
	int64_t created_ms; /* exists, get: when, by the clock of the servers */
	const char *data;   /* get: not terminated */
	size_t length;
};

/* What a line_up is to do, all or nothing of it. */
struct evwire_line_up {
	const char *left; /* this node it removes; or NULL */
	const char *path; /* this one it creates: ephemeral */
	/* If it is, path is followed by a number that grows (10 digits, or a minus and more
	 * once it runs over). */
	bool numbered;
	const char *data;
	const char *touched; /* the data of this one it sets */
};

/* A request; the memory is whose who sends, until it was answered. */
struct evwire_request {
	void (*answered)(
	    struct evwire_request *request, const struct evwire_answer *answer);
	void *wire; /* for the wire */
};

struct evwire_handler {
	/* A server has the session: a new one, or the one of before. */
	void (*connected)(
	    void *arg, const char *server, uint64_t session, int timeout_ms);
	/* All that was under way is answered with EVWIRE_LOST, before this. */
	void (*suspended)(void *arg, const char *why);
	/* All that was under way is answered with EVWIRE_EXPIRED, before this.  There is
	 * nothing to do with the wire any more but to close it. */
	void (*expired)(void *arg);
	/* The servers do not accept what authenticate() gave; as expired(). */
	void (*refused)(void *arg);
	/* A change of what was watched: that the node is there or is not, or its data. */
	void (*changed)(void *arg, const char *path);
};

enum evwire_kind {
	EVWIRE_PERSISTENT,
	EVWIRE_CONTAINER, /* the servers remove it when its last child has gone */
	EVWIRE_EPHEMERAL /* goes with the session */
};

struct evwire;

/* All that send return 0, or -1 with errno ENOMEM or what else it is; then nothing will
 * be answered.  While no server has the session they fail with ENOTCONN. */
struct evwire_type {
	/* Answered by the leader, after all that the session has sent before, also by
	 * other servers. */
	int (*sync)(struct evwire *wire, struct evwire_request *request);
	int (*list)(struct evwire *wire, const char *path,
	    struct evwire_request *request);
	int (*exists)(struct evwire *wire, const char *path, bool watch,
	    struct evwire_request *request);
	/* No watch stays of a node that is not there. */
	int (*get)(struct evwire *wire, const char *path, bool watch,
	    struct evwire_request *request);
	int (*create)(struct evwire *wire, const char *path,
	    enum evwire_kind kind, const char *data,
	    struct evwire_request *request);
	int (*line_up)(struct evwire *wire,
	    const struct evwire_line_up *line_up,
	    struct evwire_request *request);
	int (*remove)(struct evwire *wire, const char *path,
	    struct evwire_request *request);
	/* Says who this is, on every connection from now on. */
	int (*authenticate)(
	    struct evwire *wire, const char *scheme, const char *credentials);
	/* Leaves the server, which does not answer, for another one. */
	void (*drop)(struct evwire *wire, const char *why);
	/* Nothing is answered any more, and no handler called.  The session ends if the
	 * servers can be told without waiting, and otherwise by itself. */
	void (*close)(struct evwire *wire);
};

struct evwire {
	const struct evwire_type *type;
};

/* What a wire is made with. */
struct evwire_setting {
	struct evdefer_base *base;
	const char *servers; /* numeric, "10.0.0.1:2181,[::1]:2181" */
	int timeout_ms;
	bool creator_only; /* nodes are for who has made them alone (ACL) */
	const struct evwire_handler *handler;
	void *arg;
};

/* NULL with errno. */
typedef struct evwire *(*evwire_open_fn)(const struct evwire_setting *setting);

/* With libzookeeper_st. */
struct evwire *evwire_open_zookeeper_(const struct evwire_setting *setting);

#endif
