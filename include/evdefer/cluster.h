/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/cluster.h
 *
 * One readers-writer lock for processes on several machines, by ZooKeeper: the library
 * libevdefer-cluster (pkg-config evdefer-cluster), beside libevdefer.
 *
 * A lock is a struct evrwlock that is used as any other (evdefer/rwlock.h): acquires,
 * owners, timeouts, evrwlock_with(), both ways of delivery.  What holds for one lock holds
 * for all of one name together, on whatever machine: a writer is alone, and readers share;
 * a writer that waits anywhere holds back the readers that ask after the servers know of
 * it.  A process keeps the right to read until somebody wants to write: a read
 * under a right that is kept costs what it costs without a cluster, and nothing is sent.
 *
 * What no such lock can promise: that whoever holds it still does when what it has sent
 * arrives.  A process may be stopped, or cut off, for longer than its session lasts; then
 * the servers let in the next one.  evrwlock_lost() tells of that as soon as this process
 * can know it, evrwlock_check() looks before an effect, and a body under evrwlock_with()
 * is cancelled.  That narrows the window.  What closes it is evrwlock_get_token(): a number
 * that is higher for each later holder.  Send it along with what is written, and have the
 * resource refuse what comes with a lower one than it has seen.
 *
 * Holds that were lost stay inside, for this process alone, until they are released, with
 * ESTALE: two of one process never run into each other.
 *
 * All of it belongs to the thread of its base, and no call of it waits.
 *
 * Debian's client library, libzookeeper_st, has no TLS: where the way to the servers is
 * not your own, put stunnel or WireGuard around it.  It is not proof against allocations
 * that fail within itself; the rest of this library is.
 *
 * Servers from release 3.6.0 on without the fix of ZOOKEEPER-4537 (Debian 12 has them) now
 * and then leave a change lying until another request comes, where few use them.  Then a
 * wait takes until the next probe of a session: a sixth of its timeout at most.
 */
#ifndef EVDEFER_CLUSTER_H
#define EVDEFER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evdefer/rwlock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evcluster;

/** In what state a connection with the servers is. */
enum evcluster_state {
	EVCLUSTER_CLOSED,     /**< not connected yet, or no more */
	EVCLUSTER_CONNECTING, /**< looks for a server, with a new session */
	EVCLUSTER_CONNECTED,  /**< a server has the session */
	EVCLUSTER_SUSPENDED, /**< looks for a server that goes on with the session */
	EVCLUSTER_EXPIRED /**< the servers have ended the session; what it held is
				   lost, and a new one is begun at once */
};

/** Is told of each change of state.
 *
 * @param sentence for the log: which server, and why; it is valid during the call.
 * It may call anything, also evcluster_free(). */
typedef void (*evcluster_state_fn)(struct evcluster *cluster,
    enum evcluster_state state, const char *sentence, void *arg);

/** How to connect.  All zero is a good choice; make it so before setting any. */
struct evcluster_options {
	/** For how long the servers keep what a process holds that they do not hear of, in
	 * milliseconds; 0 for 15,000.  The servers have bounds of their own (2 to 20 of
	 * their ticks).  Two thirds after it was last heard of, a process takes its rights
	 * for lost. */
	int session_timeout_ms;
	/** Below which node the locks are; NULL for "/evdefer". */
	const char *root;
	/** What the servers are to know this process by: "digest" and "user:password", say.
	 * Both, or none. */
	const char *auth_scheme;
	const char *auth_credentials;
	/** Nodes may be read and changed by those who have the same credentials alone;
	 * needs these.  Otherwise whoever reaches the servers may. */
	bool creator_only;
	/** Is told of changes of state; may be NULL. */
	evcluster_state_fn state_fn;
	void *state_arg;
};

/**
 * Makes a connection, not connected yet.  Locks may be made on it at once; they wait.
 *
 * @param servers "host:port,host:port,...": names, or addresses ([::1]:2181); the port may
 *   be missing: 2181.  All that run, for a client goes from one to the other.
 * @param options copied; NULL for all zero.
 * @return to be freed with evcluster_free(), before the base; NULL with errno EINVAL (no
 *   base; no servers or what is not written like that; options that contradict each
 *   other), ENOMEM or ESHUTDOWN (evdefer_base_free() was called).
 */
struct evcluster *evcluster_new(struct evdefer_base *base, const char *servers,
    const struct evcluster_options *options);

/**
 * Connects.  Names are resolved by the event loop (evdns), and a server that is away or
 * hangs is left for another one, again and again.
 *
 * @return a Deferred of the caller's that fires with NULL once a server has the session;
 *   at once if one has.  It fails with EACCES (the servers refuse the credentials),
 *   ENOENT (none of the names is known), ESHUTDOWN (closed meanwhile) and a sentence; to
 *   have it end otherwise add a timeout.  A cancel ends the wait, not the connection.
 *   NULL with errno EINVAL (no cluster), ENOMEM or ESHUTDOWN.
 */
struct evdeferred *evcluster_connect(struct evcluster *cluster);

/**
 * Gives back all rights, and ends the session.  Those that wait for locks of the cluster
 * fail with ENOTCONN, and who is inside has lost his right.  The locks remain, for
 * evrwlock_free(), and work again after another evcluster_connect().
 *
 * @return a Deferred that fires with NULL when the servers know, or after a second.  NULL
 *   with errno EINVAL or ENOMEM; then nothing has changed.
 */
struct evdeferred *evcluster_close(struct evcluster *cluster);

/**
 * Frees it; never waits.  Locks that are left are as after evcluster_close(), for good.
 * What is still to be given back is in the background, for at most a second in which
 * the loop does not end; if the base is freed before, the servers free it when the
 * session ends by itself.  NULL is allowed, and so is a call from any callback.
 */
void evcluster_free(struct evcluster *cluster);

/** @return in what state it is. */
enum evcluster_state evcluster_get_state(const struct evcluster *cluster);

/**
 * Makes a lock of a name; with the same name in the same cluster and below the same root
 * it is one lock, also within a process.  Besides what is said in evdefer/rwlock.h,
 *
 * - acquires wait while no server is reached; bound them with a timeout.  They fail with
 *   EACCES (the servers do not let this process at the node), EPROTO (what is there is
 *   none of our locks), ENOTCONN (the cluster was closed or freed), each with a sentence
 *   that names server and node.  A try fails with EBUSY if the right is not there.
 * - releases fail with ESTALE if the right was lost; the hold is gone nevertheless.
 * - EVRWLOCK_UPGRADABLE and upgrades fail with ENOTSUP.
 * - a cycle of owners that wait for each other in several processes is not found: such
 *   waits end with a timeout, or the patience of evrwlock_with().
 *
 * A write costs two changes by a quorum of the servers, a read without a right one; as long
 * as others wait, EVGROUP_PASSES writers of one process come one after the other at most.
 *
 * @param name of 1 to 200 bytes, no slash, no control characters, neither "." nor ".."; UTF-8.
 * @param flags 0 or EVRWLOCK_FAST.
 * @return the lock, to be freed with evrwlock_free(), before or after the cluster; NULL
 *   with errno EINVAL (no cluster, a name that can't be, unknown flag), ENOTSUP
 *   (EVRWLOCK_FAIR), ENOMEM or ESHUTDOWN (evdefer_base_free() was called).
 */
struct evrwlock *evrwlock_new_in_cluster(
    struct evcluster *cluster, const char *name, unsigned flags);

/** One that holds a lock or waits for it, as the servers know it. */
struct evcluster_entry {
	const char *lock; /**< its name */
	const char *who;  /**< "host pid", as the process has given it */
	bool writer;	  /**< or reader */
	bool holding;	  /**< or waiting */
	int64_t since_ms; /**< when, by the clock of the servers, since 1970 */
};

/** What evcluster_list() fires with. */
struct evcluster_listing {
	size_t count;
	struct evcluster_entry *entries; /**< by lock, then in the order of
					    entering; in the same memory */
};

/**
 * Lists who holds and who waits: all locks below the root, for people to look at.  Processes
 * that wait to read are not known to the servers, and not listed.  It costs three
 * requests for each lock and one for each entry; locks change meanwhile.
 *
 * @return a Deferred that fires with a struct evcluster_listing, to be freed with free(), or
 *   fails with ENOTCONN or EACCES; NULL with errno EINVAL, ENOMEM or ENOTCONN.
 */
struct evdeferred *evcluster_list(struct evcluster *cluster);

#ifdef __cplusplus
}
#endif

#endif
