/* SPDX-License-Identifier: MIT */
/*
 * A ZooKeeper within the process, behind the seam of lib/cluster/wire-internal.h.  The
 * test decides what comes next.
 *
 * There is one ensemble at a time, with a leader, which all that changes something goes
 * through, and for each wire a server of its own, which follows the leader when the test
 * says so: one transaction after the other.  So an answer that is late is a server
 * that lags, and the same holds for the events of watches, which come when the server
 * of the wire applies the transaction.  What a session has sent is executed in its order.
 *
 * All that happens to a wire happens from the loop of its base, within fake_do(), and
 * nothing of the fake allocates: an allocation that is made to fail is not one of it.
 *
 * Each step of enum fake_kind is done by fake_do(), which then turns the loop of that wire.
 */
#ifndef TESTS_CLUSTER_FAKE_H
#define TESTS_CLUSTER_FAKE_H

#include <event2/event_struct.h>

#include "cluster/wire-internal.h"
#include "tree.h"

/* The explorer needs little room, and copies it often. */
#ifdef FAKE_IS_SMALL
#define FAKE_WIRES 3
#define FAKE_SESSIONS 6
#define FAKE_REQUESTS 12
#define FAKE_WATCHES 12
#define FAKE_LOG 24
#else
#define FAKE_WIRES 8
#define FAKE_SESSIONS 32
#define FAKE_REQUESTS 128
#define FAKE_WATCHES 64
#define FAKE_LOG 256
#endif

enum fake_kind {
	/* Wire n finds a server: with a new session, or with the one that it had.  If that
	 * has expired, or the credentials are refused, it is told so. */
	FAKE_CONNECT,
	/* Its next request is answered; a change is executed before, if it was not. */
	FAKE_ANSWER,
	/* The next of its changes (or syncs) is executed by the leader. */
	FAKE_EXECUTE,
	/* Its server applies one more transaction. */
	FAKE_CATCH_UP,
	/* It loses its server.  What was not executed may be later. */
	FAKE_LOSE,
	/* Session n: what is left of a lost connection, or of one that was closed, comes to
	 * the leader: one request.  A sync of the same session puts an end to that. */
	FAKE_LATE,
	/* Session n is ended by the servers. */
	FAKE_EXPIRE,
	/* An operator deletes node n of the leader, and what is in it. */
	FAKE_DELETE,
	/* Node n of the leader is a container that has become empty, and goes. */
	FAKE_REAP
};

struct fake_step {
	enum fake_kind kind;
	int n;
};

enum fake_op {
	FAKE_SYNC,
	FAKE_LIST,
	FAKE_EXISTS,
	FAKE_GET,
	FAKE_CREATE,
	FAKE_LINE_UP,
	FAKE_REMOVE,
	FAKE_CLOSE, /* of the session */
	FAKE_OPS
};

struct fake_request {
	enum fake_op op;
	struct evwire_request *request;
	char path[TREE_PATH];
	char touched[TREE_PATH]; /* by a line_up */
	char left[TREE_PATH];	 /* by the same; empty: nothing */
	char data[TREE_DATA];
	enum evwire_kind kind;
	bool watch;
	bool numbered; /* path goes on with a number */
	bool private;  /* what is created is for its creator alone */
	bool executed;
	enum evwire_error error;
	uint64_t zxid;
	size_t
	    after; /* how many transactions of the log its answer comes after */
};

struct fake_session {
	uint64_t id; /* 0: not in use */
	bool alive;
	bool wired; /* a wire is left that has it */
	long long
	    touched_ms; /* when the leader last heard of it, by the clock */
	int timeout_ms;
	char creator[TREE_CREATOR];
	struct fake_request late[FAKE_REQUESTS];
	size_t late_count;
};

struct fake_wire {
	struct evwire wire;
	struct fake *fake;
	struct evwire_setting setting;
	struct event event; /* the loop comes by */
	struct event_base *loop;
	unsigned long opened; /* a number for each; 0: this place is free */
	unsigned long sent;   /* requests */
	bool connected;
	bool over; /* told that it has expired, or was refused */
	bool dropping;
	bool ended; /* its server has applied the end of its session */
	bool creator_only;
	char credentials[TREE_CREATOR];
	char why[TREE_PATH];
	struct fake_session *session; /* or NULL */
	struct tree tree;	      /* of its server, */
	size_t applied; /* after so many transactions of the log */
	struct fake_request queue[FAKE_REQUESTS];
	size_t queued;
	char watches[FAKE_WATCHES][TREE_PATH];
	size_t watched;
	enum fake_kind due; /* what the loop is to do */
	bool is_due;
	enum evwire_error instead; /* of the next answer */
};

struct fake {
	/* For the test to set. */
	bool away;	/* no server is there to connect to */
	bool refuse;	/* those with credentials */
	bool operators; /* fake_steps() has FAKE_DELETE and FAKE_REAP, */
	bool
	    expires; /* and FAKE_EXPIRE also of a session that was just heard of */
	int timeout_ms; /* that the servers grant, or 0: what is asked for */
	int fail_send;	/* the n-th from now on finds no memory */
	char forbidden
	    [TREE_PATH]; /* nobody may do anything with it and what is in it */
	char spoiled[TREE_PATH]; /* what lists it gets these as well */
	const char *spoilers[4];
	/* For the test to see: how many requests were sent. */
	unsigned long sent[FAKE_OPS];
	unsigned long sent_all;

	/* Its own. */
	struct tree tree; /* of the leader */
	uint64_t zxid;
	uint64_t last_session;
	unsigned long opened;
	struct tree_transaction log[FAKE_LOG]; /* a ring */
	size_t logged;			       /* in all */
	struct fake_session sessions[FAKE_SESSIONS];
	struct fake_wire wires[FAKE_WIRES];
	struct event_base *loops[FAKE_WIRES];
	size_t loop_count;
};

/* The one there is, made new: no nodes, no sessions, no wires. */
struct fake *fake_start(void);

/* An evwire_open_fn.  The wire has the lowest number that is free. */
struct evwire *fake_open(const struct evwire_setting *setting);

/* Has fake_do() and fake_run() turn this loop; those of wires they know. */
void fake_add_loop(struct fake *fake, struct event_base *loop);
void fake_remove_loop(struct fake *fake, struct event_base *loop);

/* What can come next, at most this many; how many there are. */
size_t fake_steps(struct fake *fake, struct fake_step *steps, size_t most);

/* Does one of these, and turns the loop of the wire. */
void fake_do(struct fake *fake, struct fake_step step);

/*
 * What unit tests need.
 */

/* Turns the loops until nothing is active, without any step of the servers. */
void fake_turn(struct fake *fake);

/* Everything is connected, executed and answered in its order, until nothing is left. */
void fake_run(struct fake *fake);

/* One answer to wire n, after what it needs. */
void fake_answer(struct fake *fake, int n);

/* The next request of wire n is not executed, and answered with this error. */
void fake_answer_with(struct fake *fake, int n, enum evwire_error error);

/* Wire n loses its server, after the next of its changes was executed, or before that:
 * then it is forgotten, as is all else that was under way. */
void fake_cut(struct fake *fake, int n, bool executed);

/* The servers end the session of wire n, which does not know yet. */
void fake_expire(struct fake *fake, int n);

/* The same, and it finds out. */
void fake_end(struct fake *fake, int n);

/* Has the session of wire n not been heard of for so long that it may end? */
bool fake_may_expire(const struct fake *fake, int n);

/* Of the leader; NULL if it is not there. */
const struct tree_node *fake_find(struct fake *fake, const char *path);

/* The first whose path begins with that. */
const struct tree_node *fake_find_like(struct fake *fake, const char *start);

/* How many nodes are there whose path begins with that? */
size_t fake_count(const struct fake *fake, const char *start);

/* What a stranger does. */
void fake_create(struct fake *fake, const char *path, const char *data);
void fake_set(struct fake *fake, const char *path, const char *data);
void fake_delete(struct fake *fake, const char *path);

/* Empty containers go. */
void fake_reap(struct fake *fake);
bool fake_has_empty_container(const struct fake *fake);

/* The next child gets this number. */
void fake_set_counter(struct fake *fake, const char *path, int32_t n);

/*
 * Between the files of the fake.
 */

_Noreturn void fake_give_up(const char *what, const char *which);
void fake_text(char *to, size_t size, const char *from);
long long fake_now(void);

/* fake_server.c: the leader executes a request; its answer by a server. */
void fake_execute(struct fake *fake, struct fake_session *session,
    struct fake_request *request);
void fake_commit(struct fake *fake, const struct tree_transaction *transaction);
bool fake_is_read(const struct fake_request *request);
void fake_end_session(struct fake *fake, struct fake_session *session);
bool fake_is_watched(const struct fake_wire *wire, const char *path);

/* Fills in the answer to a read, and sets the watch. */
void fake_read(struct fake_wire *wire, const struct fake_request *request,
    struct evwire_answer *answer);

/* fake_wire.c */
void fake_wire_open(struct fake_wire *wire,
    const struct evwire_setting *setting, struct event_base *loop);
/* What is due, from the loop. */
void fake_perform(struct fake_wire *wire);
bool fake_would_tell(const struct fake_wire *wire);
struct fake_request *fake_next_change(struct fake_wire *wire);

#endif
