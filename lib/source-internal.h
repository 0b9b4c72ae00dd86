/* SPDX-License-Identifier: MIT */
/*
 * Where a lock has its right from, if others beyond its loop have a say in who may
 * enter: the other members of a group, other processes.
 *
 * The right says whom the lock may let in.  The lock says what it needs, whenever
 * that changes, and the source says what is there.  The rest of the lock is as it is
 * without a source: who may not enter for want of the right waits in its queue, and
 * the source has the queue looked at again when there is more.
 *
 * To read is to be fast.  The lock publishes how many readers it has by a plain store,
 * and then looks at a byte that says whether it has to ask.  Whoever sets that byte
 * looks at the counts afterwards.  So either the reader sees the byte, or its count is
 * seen; see evsource_publish_().
 *
 * A right may be lost: what gives it, across machines say, may have given it to
 * somebody else by now.  Then it is lost for good for all that are inside, and the
 * lock is: nobody enters any more, until the last of them has left.  So within the
 * process those that were inside and those that come after them still exclude each
 * other.  Across processes only the token does.
 */
#ifndef EVDEFER_SOURCE_INTERNAL_H
#define EVDEFER_SOURCE_INTERNAL_H

#include <stdatomic.h>

#include "waitqueue-internal.h"

enum evright { EVRIGHT_NONE, EVRIGHT_READ, EVRIGHT_WRITE };

/* What a lock needs of what one can have only, of all that have a say: to read
 * upgradably. */
enum evclaim {
	EVCLAIM_NONE,
	EVCLAIM_WANTED, /* by one that waits, and may enter if it is there */
	EVCLAIM_HELD	/* one is inside, or was and still upgrades */
};

/* What a lock needs. */
struct evneed {
	enum evright right; /* for a writer inside, and for those that wait */
	bool writing;	    /* a writer is inside */
	bool first;	/* it asks for one that has just come, as the first */
	size_t reading; /* readers that are inside, and need no more */
	size_t readers; /* the same once there is the right to read */
	enum evclaim claim;
	/* The right to write is for the one that reads upgradably.  Its own reads are
	 * none of those that are inside then. */
	bool upgrading;
};

struct evsource;

struct evsource_type {
	/* Says what is there, and asks for what is missing or gives back what is
	 * not needed.  Where that is all that is needed, the lock lets in those that
	 * wait. */
	enum evright (*ask)(struct evsource *source, const struct evneed *need);
	/* The lock is gone, and the memory of the source is its own. */
	void (*leave)(struct evsource *source);
	/* Says what is there, and changes nothing. */
	enum evright (*get_right)(struct evsource *source);
	const char *reach; /* in a word */

	/* The rest is for rights that may be lost; NULL where none is. */

	/* The token of the right that is there, or 0.  Over all that have a say a
	 * writer's is higher than all before it, and a reader's not higher than that of
	 * any writer after it. */
	uint64_t (*get_token)(struct evsource *source);
	/* 0, or ESTALE: what those that are inside have is lost.  If it finds that out
	 * by itself, it may call evsource_lose_(). */
	int (*check)(struct evsource *source);
	/* Nobody may read upgradably. */
	bool no_upgradable;
};

struct evsource {
	const struct evsource_type *type;
	struct evwaitqueue *queue;
	struct evlist node; /* in the list of its base */
	/* While it is set, readers may not simply enter, nor leave: they have to
	 * ask.  It is set at least while a writer of the lock is inside or waits, and
	 * once the lock or its base is closed. */
	const atomic_uchar *ask_first;
	atomic_size_t reading; /* those inside, for others to see */
	bool fenced;	       /* the others have no barrier of their own */
	bool awaiting;	       /* keeps the loop running */
	bool upgradable; /* what was claimed was there when it was asked */
	int error; /* why it can't get the right: for evwaitqueue_fail_() */
	const char
	    *reason;  /* the same as a sentence; NULL: what the code means */
	bool lost;    /* the right of those inside */
	bool telling; /* them so; nobody enters meanwhile */
	const atomic_uchar
	    *ask_first_unlost; /* what ask_first is without a loss */
	uint64_t losses;       /* so far */
	struct evlist bodies;  /* that run under the right, see loss.c */
};

/* Makes it that of a queue.  Its type, ask_first and fenced are set.  0, or -1 with
 * ENOMEM. */
int evsource_attach_(struct evsource *source, struct evwaitqueue *queue);

/* The right is lost, for good: that of all that are inside.  In the thread of the base,
 * and from none of the functions of its type but check().  From now on get_right()
 * says what is there without it.  ask() is not called before the last of those has
 * left, and then for those that wait.
 *
 * What was granted and not delivered is taken back, and waits again as before.  If
 * nobody is inside, that is all: the queue is looked at again. */
void evsource_lose_(struct evsource *source);

/* Readers have to ask from now on. */
void evsource_ask_always_(struct evsource *source);

/* As long as it is lost they have to ask as well, and nothing is due from elsewhere. */
void evsource_begin_loss_(struct evsource *source);
void evsource_end_loss_(struct evsource *source);

static inline bool
evsource_may_be_lost_(const struct evsource *source)
{
	return source->type->check != NULL;
}

/* Whether something is due from elsewhere, so that the loop does not end meanwhile. */
void evsource_await_(struct evsource *source, bool awaiting);

/* The lock is gone. */
void evsource_detach_(struct evsource *source);

/* Publishes how many read, and says whether they need not ask.
 *
 * It is the reader's half of Dekker's algorithm: a store, then a load, neither of
 * which may pass the other.  That takes a fence, or, if whoever sets the byte has all
 * threads of the process pass one (membarrier(2)), only a compiler that keeps the
 * order.  A reader whose load comes after that barrier sees the byte; if it comes
 * before, so does the store, and the count is seen.
 *
 * The load acquires what the writer before has released with the byte.  The store
 * releases what a reader that leaves has read, to the writer that sees the count. */
static inline bool
evsource_publish_unfenced_(struct evsource *source, size_t reading)
{
	atomic_store_explicit(&source->reading, reading, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	return atomic_load_explicit(source->ask_first, memory_order_acquire) ==
	       0;
}

static inline bool
evsource_publish_(struct evsource *source, size_t reading)
{
	if (!source->fenced)
		return evsource_publish_unfenced_(source, reading);
	atomic_store(&source->reading, reading);
	return atomic_load(source->ask_first) == 0;
}

#endif
