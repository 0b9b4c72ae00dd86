/* SPDX-License-Identifier: MIT */
/*
 * A seat: what a cluster keeps for one lock of this process, and the source of its right.
 *
 * seat.c has what the lock asks, seats.c what the session tells all seats, and recipe.c what
 * is said to the servers.
 */
#ifndef EVDEFER_CLUSTER_SEAT_INTERNAL_H
#define EVDEFER_CLUSTER_SEAT_INTERNAL_H

#include "../call-internal.h"
#include "../source-internal.h"
#include "names-internal.h"
#include "session-internal.h"

/* What it says to the servers, one thing at a time. */
enum evseat_step {
	EVSEAT_NOTHING,
	EVSEAT_FIND,	  /* what is there, after a loss of the connection */
	EVSEAT_MAKE_ROOT, /* one part of it */
	EVSEAT_OPEN,	  /* makes the nodes of the lock, and its own */
	EVSEAT_MOVE,	  /* takes a place in line, or leaves one, or both */
	EVSEAT_LOOK,	  /* who is there */
	EVSEAT_WATCH,	  /* who is in the way */
	EVSEAT_GET_TOKEN,
	EVSEAT_CLOSE /* removes what says that it has the lock open */
};

/* Why it has looked. */
enum evseat_view {
	EVSEAT_UNSEEN,	 /* or something has changed since */
	EVSEAT_TO_WRITE, /* who came before it */
	EVSEAT_TO_READ,	 /* who came before it to write */
	EVSEAT_READING	 /* who wants to write, and is told of all who come */
};

/* Its places in line. */
enum evseat_place { EVSEAT_NO_PLACE, EVSEAT_READER, EVSEAT_WRITER };

struct evmessages_handler;

extern const struct evsource_type evseat_type_;

struct evseat {
	struct evsource source;
	struct evcluster *cluster;
	const struct evmessages_handler *handler; /* says what is next */
	struct evlist node;   /* in the list of its cluster */
	struct evlist marked; /* for a call to several seats */
	struct evcall call;
	bool called;  /* is to look, from the loop */
	bool gone;    /* its lock is */
	size_t users; /* frames on the stack that need its memory */
	uint64_t number;

	/* The lock's side. */
	struct evneed need; /* as it was asked last */
	enum evright right;
	uint64_t token;	 /* of the right, as it came; also if that is lowered */
	unsigned turns;	 /* of its own writers, one after the other */
	unsigned moment; /* turns of the loop before it asks who comes */
	bool recalled;	 /* somebody wants to write elsewhere */
	bool lowered;	 /* to reading, and w- is still what it comes from */
	bool discarded;	 /* what is there was good for a right that is lost */
	atomic_uchar ask_first;

	/* What is there, on the servers. */
	bool ready;	    /* the nodes of the lock that it needs */
	bool member;	    /* the one for itself */
	bool reads, writes; /* its places in line */
	bool unsure;	    /* of all these */
	uint64_t reader_token, writer_token; /* 0: to be asked for */
	struct evplace writer, reader;

	/* What was seen. */
	enum evseat_view seen;
	char in_the_way[EVNAMES_PATH]; /* empty: nobody */
	bool watching;		       /* who is in the way */

	/* What is under way. */
	enum evseat_step step;
	enum evseat_place leaves, takes; /* by a move */
	enum evseat_view looking;
	unsigned pending;
	enum evwire_error error; /* the first of its answers */
	bool missed;		 /* something has changed meanwhile */
	bool pausing;		 /* until the next look at the time */
	bool rootless;
	size_t root_made;  /* length of what is there, */
	size_t root_asked; /* and with what is asked for */
	struct evwire_request change, line;
	/* Beside: watches the node of its right. */
	struct evwire_request own;
	bool own_pending;
	char own_watched[EVNAMES_PATH];

	char reason[EVCLUSTER_SENTENCE];
	char path[EVNAMES_PATH]; /* of the lock */
};

/* Keep the memory during calls of users' functions. */
void evseat_use_(struct evseat *seat);
void evseat_unuse_(struct evseat *seat);

/* Frees it, if nothing is there for it any more. */
void evseat_collect_(struct evseat *seat);

/* Says what is next soon, from the loop: what the lock needs may change a few times until
 * then. */
void evseat_look_soon_(struct evseat *seat);

/* It has less of a right from now on, as far as the lock may ask. */
void evseat_lower_right_(struct evseat *seat, enum evright right);

/* It has that right, or something else has changed: the lock looks who may enter. */
void evseat_set_right_(struct evseat *seat, enum evright right);

/* Its right is lost. */
void evseat_lose_(struct evseat *seat);

/* Those that wait fail, as reason says; and for a while nothing is sent. */
void evseat_fail_(struct evseat *seat, int error);

/* What it leaves by a move is gone. */
static inline void
evseat_leave_place_(struct evseat *seat)
{
	if (seat->leaves == EVSEAT_READER)
		seat->reads = false;
	else if (seat->leaves == EVSEAT_WRITER)
		seat->writes = seat->lowered = false;
}

/* Is it to have anything on the servers? */
static inline bool
evseat_is_wanted_(const struct evseat *seat)
{
	return !seat->gone && !seat->cluster->ended &&
	       seat->cluster->aim != EVCLUSTER_RETURN;
}

/* Is anything of it there? */
static inline bool
evseat_has_nodes_(const struct evseat *seat)
{
	return seat->member || seat->reads || seat->writes || seat->unsure;
}

#endif
