/* SPDX-License-Identifier: MIT */
/*
 * The reference: what locks, owners and requests are to do, written from what
 * their two headers promise and nothing else.  Plain arrays, no pointers: it can
 * be copied and compared.
 *
 * It does not foresee in which order callbacks come where the contract leaves
 * that open.  It is told of each one, and says whether it is allowed then; at
 * the end of each call it says what should have come and did not.
 */
#ifndef EXPLORE_MODEL_H
#define EXPLORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENTS 4	      /* at most */
#define LOCKS 3		      /* at most */
#define PARTIES (1 + CLIENTS) /* 0: nobody in particular, then owners */
#define FRAMES 8	      /* calls under way, each inside the one before */
#define MOST_NESTED 2	      /* callbacks inside callbacks that take steps */

/* How often a member of a group passes on the right to write among its own writers
 * in the library that we are linked with: EVGROUP_MOST_PASSES in lib/Makefile.am. */
#define MOST_PASSES 1

struct setting {
	const char *name;
	int clients;
	uint8_t parties[CLIENTS];
	bool fast;
	uint8_t tokens;	 /* of each lock, see locks.h */
	uint8_t members; /* of a group, which the locks are then */
	uint8_t
	    upgrades; /* in how many locks one may upgrade: 1 or 2, or in none */
	bool fair;
	uint8_t limit; /* of readers, at first; 0: none */
	bool adjusted; /* the limit may change */
};

/* The last is for those that wait, or ask: inside they write. */
enum mode { READ, UPGRADABLE, WRITE, UPGRADE };

#define MODES 3

#define MOST_LIMIT 2

/* What a step does.  Some only with a client, a lock, a mode or a party. */
enum kind {
	ACQUIRE,       /* a client requests a lock */
	ACQUIRE_TIMED, /* and gives that a time limit */
	TRY,	       /* a party tries a lock */
	RELEASE,       /* a party releases a lock */
	STEP_DOWN,     /* it downgrades by one mode */
	READ_ON,       /* it downgrades from writing to reading */
	CANCEL,	       /* a client cancels its Deferred */
	FREE,	       /* frees it */
	PAUSE,
	UNPAUSE,
	SET_LIMIT, /* of a lock's readers, to the mode, as a number */
	CLOSE,	   /* evrwlock_free() */
	JOIN,	   /* a new member in the place of one that is gone */
	END_OWNER, /* evowner_free(), and a new owner in its place */
	TURN,	   /* the loop (of a lock) polls and delivers all that it has */
	END_BASE,  /* evdefer_base_free() (of a lock) */
	PASS_TIME, /* until all time limits are over; no turn yet */
	RETURN	   /* the end of the innermost callback */
};

struct step {
	uint8_t kind;
	uint8_t who; /* client, or party for TRY, RELEASE and END_OWNER */
	uint8_t lock;
	uint8_t mode;
};

/* Where the Deferred of a client stands. */
enum phase {
	IDLE,	 /* it has none, or its callback was called */
	WAITING, /* in the queue of the lock */
	GRANTED, /* inside, and not told */
	FIRED,	 /* the same, and its Deferred has fired, but is paused */
	FAILED	 /* its errback was not called yet */
};

struct client {
	uint8_t phase;
	uint8_t party;
	uint8_t lock;
	uint8_t mode;
	bool paused;
	bool timed;
	bool expired;	 /* its time limit is over */
	bool requesting; /* the acquire has not returned */
	bool late;	 /* granted before another came, and told by the loop */
	bool at_end;	 /* granted at the end of an owner, by a fair lock */
	uint8_t due;	 /* the call by whose end it has to be told */
	uint8_t codes;
	uint16_t serial; /* of the request or the grant */
};

/* What a client may fail with; a set in client.codes. */
enum {
	CODE_CANCELED = 1,
	CODE_TIMEDOUT = 2,
	CODE_SHUTDOWN = 4,
	CODE_DEADLK = 8,
	CODE_PERM = 16
};

/* client.due of one who has failed and is paused: its Deferred has fired. */
#define SETTLED 0xff

enum status { OPEN, CLOSED, GONE };

struct totals {
	uint32_t granted[MODES];
	uint32_t granted_slack[MODES]; /* to who was cancelled at once */
	uint32_t cancelled;
	uint32_t cancelled_slack;
	uint32_t longest;
};

/* A call under way, and whether we are in a callback that it made. */
struct frame {
	struct step step;
	bool in_callback;
	uint8_t callback_mode;
};

/* What a group knows of a lock that is a member. */
struct member {
	uint16_t asked;	   /* when, for the right to write that it waits for */
	bool readers_wait; /* for the group to open */
	bool let_in;	   /* its readers are, and it does not know that yet */
	bool called;	   /* a message to its loop is under way */
	bool awaits;	   /* something from another member: its loop stays */
	uint8_t entries;   /* writers let in while others waited */
};

struct group {
	bool closed;
	uint8_t writer; /* which member has the right to write, from 1 */
	uint16_t serial;
	struct member members[LOCKS];
	uint32_t rights, recalls, wake_ups;
	uint32_t slack; /* of rights and recalls */
};

struct model {
	uint8_t client_count;
	uint8_t party_count;
	uint8_t lock_count;
	bool grouped; /* each lock has a base of its own; otherwise all have the
		       * first */
	bool fast;
	bool fair;
	uint8_t limits[LOCKS]; /* of readers; 0: none */
	uint8_t tokens; /* of each lock; 0: they have readers and writers */
	bool base_closed[LOCKS];
	bool catching_up;
	uint8_t depth;
	uint16_t serial;
	uint8_t status[LOCKS];
	bool ending[PARTIES];
	uint8_t received[PARTIES][LOCKS][MODES];
	struct client clients[CLIENTS];
	struct frame frames[FRAMES];
	struct totals totals[LOCKS];
	struct group group;
	uint32_t reports; /* failures that nobody handled, at least */
	uint32_t reports_slack;
};

void model_init(struct model *m, const struct setting *setting);

/* The lock that owner party is for, if each has its own base. */
int model_lock_of(const struct model *m, int party);

/* The number of the base of a lock. */
int model_base_of(const struct model *m, int lock);

/* In which mode one is inside that has asked for this one. */
enum mode model_mode_inside(int mode);

/* How often a party is inside, and how much of that it knows of, in all modes. */
int model_party_inside(const struct model *m, int party, int lock, int mode);
int model_received(const struct model *m, int party, int lock);

int model_inside(const struct model *m, int lock, enum mode mode);
int model_waiting(const struct model *m, int lock, enum mode mode);

int model_all_inside(const struct model *m, int lock);
bool model_is_waiting(const struct client *client, int lock, int mode);

/* Does one that waits have another one enter before it, whenever both could? */
bool model_is_in_front(const struct model *m, const struct client *other,
    const struct client *client);

/* The one that waits and may enter now, or NULL.  If several may, it is the one that
 * has waited longest. */
struct client *model_next_to_enter(struct model *m, int lock);

/* Rules 1 and 2: for one who is not inside. */
bool model_may_enter(const struct model *m, int lock, int mode);

/* An owner that has an upgradable hold, and asks to write, upgrades. */
int model_mode_asked(const struct model *m, int party, struct step step);

/* 0: it enters, EBUSY: it has to wait, or why it cannot. */
int model_answer(const struct model *m, int party, int lock, int mode);

/* Is the step one that a program may take now, and worth taking? */
bool model_allows(const struct model *m, struct step step);

/* The call begins: what it changes is changed.  The errno that it has to give,
 * or 0. */
int model_begin(struct model *m, struct step step);

/* A callback was called, with a code or 0 for a grant.  NULL, or what is wrong
 * with that.  If it is right, we are in that callback from then on. */
const char *model_called(struct model *m, int client, int code);
void model_returned(struct model *m);

/* For a turn of the loop: is anything left that it has to deliver? */
bool model_turn_is_due(const struct model *m);

/* The call ends.  NULL, or what it left undone, and whom that concerns. */
const char *model_end(struct model *m, int *client);

/* Who is to be told of a grant before a client is: that client, or an earlier one. */
int model_next_told(const struct model *m, int client);

/* What the client is to be told: a code, or 0 for a grant. */
int model_code(const struct model *m, int client);

/* Does an owner end now, and give back one thing after the other? */
bool model_is_ending(const struct model *m);

/* Is there a call of that kind under way, on that lock or by that party? */
bool model_is_in(const struct model *m, enum kind kind, int object);

/* Does a lock have its waiters fail now, one by one? */
bool model_is_failing(const struct model *m, int lock);

/* In a turn of a loop: is there a message that may have come in it by now, or not?
 * Then what the model says of now is not sure. */
bool model_is_unsure(const struct model *m);

/* May it be that others are told of what they were granted by the time that the call
 * says that it is refused? */
bool model_tells_others(const struct model *m, struct step step);

/*
 * Groups: group.c.
 */

#define NOBODY (-1)

/* After something has changed at a member: it asks for the right that it needs, for
 * a newcomer in some mode too, and gives back what it does not need.  Does it have
 * that now? */
bool group_ask(struct model *m, int lock, int newcomer);

/* It has left. */
void group_leave(struct model *m, int lock);

size_t group_readers_waiting(const struct model *m);
size_t group_writers_waiting(const struct model *m);

/* A number for the state, the same for states that differ only in the names of
 * clients, owners and locks. */
uint64_t model_fingerprint(const struct model *m);

#endif
